"""What `db.prove` says once: many tables, few causes."""

from conftest import NewDatabase
from proofs import TENANT, tried

from twolane.prove import causes, report
from twolane.prove.attempts import Attempt
from twolane.prove.report import Proof

OPEN = "create table {0} (" + TENANT + ", id uuid primary key default gen_random_uuid(){1});"
SAFE = (
    "alter table {0} enable row level security; create policy p on {0} for all to authenticated"
    " using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));"
)


def test_grants_of_older_projects_are_one_finding(new_database: NewDatabase, platform: str) -> None:
    tables = ["aa", "bb", "cc"]
    old = "alter default privileges in schema public grant all on tables to anon, authenticated;"
    made = "".join(OPEN.format(name, "") + SAFE.format(name) for name in tables)
    database = new_database(platform)
    found = tried(database, old + made)
    (finding,) = found["findings"]
    assert (finding["object"], finding["operation"]) == ("database", "truncate")
    assert finding["who"] == "user A, user B, no claims, forged claims, anon"
    assert finding["detail"].endswith("in 3 tables: public.aa, public.bb, public.cc")
    assert found["causes"] == [{"cause": causes.MAY_TRUNCATE, "objects": ["database"]}]
    later = OPEN.format("dd", "") + SAFE.format("dd")
    assert tried(new_database(platform), old + made + finding["closes"] + later)["proven"]


def test_tables_stand_below_what_they_have_in_common(
    new_database: NewDatabase, platform: str
) -> None:
    check = ", code text not null check (code ~ '^[QX][0-9]{{3}}-[KM]$')"
    found = tried(
        new_database(platform),
        "".join(OPEN.format(name, "") for name in ("aa", "bb"))
        + OPEN.format("codes", check.replace("{{", "{").replace("}}", "}"))
        + OPEN.format("uses", ", code uuid not null references codes")
        + OPEN.format("more", ", use uuid not null references uses")
        + "grant select on aa, bb, codes, uses, more to authenticated;"
        "alter table codes enable row level security; alter table uses enable row level security;"
        "alter table more enable row level security;",
    )
    assert found["causes"] == [{"cause": causes.RLS_OFF, "objects": ["public.aa", "public.bb"]}]
    assert {finding["cause"] for finding in found["findings"]} == {causes.RLS_OFF}
    (cause,) = {gap["cause"] for gap in found["gaps"]}
    assert cause.startswith("no value tried meets the check") and len(found["gaps"]) == 3

    def finding(name: str) -> Attempt:
        return Attempt(name, "table", "user A", "other's", "select", "allowed", "sees", "")

    proof = Proof(
        "shadow", [finding("a"), finding("b")], [], {}, {}, [],
        {gap["object"]: gap["reason"] for gap in found["gaps"]},
        {"f()": "no", "g()": "no", "h()": "never"}, (), cause=lambda _: causes.RLS_OFF,
    )  # fmt: skip
    refusal = report.tenancy(proof)
    assert refusal and refusal.details == [
        "row level security is off (2) · select · user A:",
        "  a, b",
        f"{cause} (3) (so nothing else is proven of it):",
        "  public.codes, public.more, public.uses",
    ]
    assert report.uncalled_lines(proof) == [
        "f(), g() could not be called: no",
        "h() could not be called: never",
    ]
