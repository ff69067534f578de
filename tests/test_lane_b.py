"""Lane B: the app's models into a revision, revisions into the database."""

import json

from service import DEV_MARKERS, Service
from steps import add_sql, columns, has_rls, indexes, tables

NOTES = """

class Mood(enum.Enum):
    good = "good"
    bad = "bad"


class Notes(UUIDKey, TenantOwned, Timestamps, AppBase):
    __tablename__ = "notes"

    body: Mapped[str]
    mood: Mapped[Mood | None] = mapped_column(Enum(Mood, name="note_mood"))
    embedding: Mapped[list[float] | None] = mapped_column(Vector(3))
    contact_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey(Contacts.id, ondelete="CASCADE"), index=True
    )
    editor_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey(AuthUsers.id))

    __table_args__ = (Index("notes_contact_timeline_idx", contact_id, "created_at"),)
"""
NO_CHANGES = "✓ No schema changes.\n"


def test_a_table_goes_all_the_way_and_back(service: Service) -> None:
    service.write_app(NOTES)
    result = service.invoke("db.gen", "-m", "add notes")
    path = service.revisions()[-1]
    assert f"✓ Wrote migrations/versions/{path.name}:" in result.out
    assert "Read it, then:  invoke db.push" in result.out
    assert result.out.endswith("Commit:  feat(db): add notes via Alembic migration\n")

    result = service.invoke("db.push")
    assert "CREATE TABLE notes" in result.out
    assert "+ column embedding   extensions.vector(3)" in result.out
    assert result.out.endswith("Commit:  feat(db): add notes via Alembic migration\n")
    assert references(service, "notes") == {"contacts", "auth.users"}
    assert {"notes_contact_timeline_idx", "notes_contact_id_idx"} <= indexes(service, "notes")
    assert has_rls(service, "notes")
    assert labels(service, "note_mood") == ["good", "bad"]

    assert service.invoke("db.gen").out == NO_CHANGES
    assert "Nothing to push" in service.invoke("db.push").out
    assert service.invoke("db.sync").out == NO_CHANGES
    assert len(service.revisions()) == 1

    changed = NOTES.replace('    bad = "bad"', '    soso = "soso"\n    bad = "bad"')
    changed = changed.replace("    body:", "    pinned: Mapped[bool | None]\n    body:")
    service.write_app(changed)
    service.invoke("db.gen", "-m", "pin notes")
    service.invoke("db.push")
    assert labels(service, "note_mood") == ["good", "soso", "bad"]
    assert "pinned" in columns(service, "notes")
    assert service.invoke("db.gen").out == NO_CHANGES

    service.write_app("")
    result = service.invoke("db.gen", "-m", "drop notes")
    assert "- table public.notes\n" in result.out
    assert "- enum public.note_mood   labels: good, soso, bad\n" in result.out
    service.invoke("db.push", "--allow", "drop:notes")
    assert "notes" not in tables(service)
    assert labels(service, "note_mood") == []
    assert service.invoke("db.gen").out == NO_CHANGES
    assert service.invoke("db.sync").out == NO_CHANGES
    assert service.git("status", "--porcelain", "supabase", "src/*/introspected.py") == ""


def test_a_rename_is_said_to_be_a_drop_and_an_add(pushed: Service) -> None:
    pushed.write_app(DEV_MARKERS.replace("label:", "title:"))

    told = (
        "! column public.dev_markers.label is dropped and column public.dev_markers.title added: "
        "the data of the first are lost."
    )
    result = pushed.invoke("db.gen", "-m", "rename label")
    assert told in result.out
    assert "op.alter_column" in result.out
    plan = pushed.invoke("db.push", "--dry-run").out
    assert "! drop:dev_markers.label   its data are lost for good" in plan

    pushed.edit_revision('op.alter_column("dev_markers", "label", new_column_name="title")')
    pushed.sql("insert into dev_markers (label) values ('kept')")
    plan = pushed.invoke("db.push").out
    assert (
        "Renamed: column public.dev_markers.label → column public.dev_markers.title; "
        "its data stay." in plan
    )
    assert pushed.sql("select title from dev_markers") == [("kept",)]
    assert pushed.invoke("db.gen").out == NO_CHANGES


def test_gen_without_a_title_writes_nothing_and_asks_for_one(service: Service) -> None:
    assert service.invoke("db.gen").out == NO_CHANGES
    service.write_app(DEV_MARKERS)

    result = service.invoke("db.gen", code=1)

    assert 'invoke db.gen -m "add …"' in result.err
    assert service.revisions() == []


def test_gen_needs_no_database_but_the_shadow(service: Service) -> None:
    service.write_app(DEV_MARKERS)
    gone = service.env["DATABASE_URL"].replace("/test_", "/gone_")

    result = service.invoke("db.gen", "-m", "add dev markers", DATABASE_URL=gone)

    assert "going on with the shadow alone" in result.err
    assert len(service.revisions()) == 1


def test_a_foreign_key_to_what_only_the_live_database_has_is_explained(service: Service) -> None:
    by_hand = "create table if not exists by_hand (id uuid primary key);"
    service.sql(by_hand)
    service.invoke("db.sync")
    key = "    by_hand_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(ByHand.id))"
    body = DEV_MARKERS.replace("    label: Mapped[str]", key)
    service.write_app(f"from .introspected import ByHand\n{body}")

    result = service.invoke("db.gen", "-m", "add dev markers", code=1)
    assert "a foreign key to public.by_hand, a table that only the live database has" in result.err
    assert "supabase/sql/" in result.err and "invoke db.apply" in result.err
    assert service.revisions() == []

    add_sql(service, "10_by_hand.sql", by_hand)
    service.invoke("db.apply")
    service.invoke("db.gen", "-m", "add dev markers")
    service.invoke("db.push")
    assert references(service, "dev_markers") == {"by_hand"}


def test_sql_files_after_the_mark_follow_their_revision(waiting: Service) -> None:
    policy = (
        "drop policy if exists dev_markers_select on dev_markers;\n"
        "create policy dev_markers_select on dev_markers for select to authenticated using (true);"
    )
    add_sql(waiting, "10_policy.sql", policy, after=True)
    assert "invoke db.push" in waiting.invoke("db.apply", code=2).err
    assert waiting.invoke("db.gen").out == NO_CHANGES

    result = waiting.invoke("db.push")
    assert "Next:  invoke db.apply   (10_policy.sql)" in result.out
    waiting.invoke("db.apply")
    result = waiting.invoke("db.sync")
    assert "+ policy dev_markers_select" in result.out
    assert "!" not in result.out

    assert waiting.invoke("db.sync", "--check").out == NO_CHANGES
    assert waiting.invoke("db.gen").out == NO_CHANGES
    assert waiting.invoke("db.status").out.endswith("nothing to do\n")


def test_a_model_and_its_policy_may_be_written_together(service: Service) -> None:
    service.write_app(DEV_MARKERS)
    add_sql(service, "10_policy.sql", "comment on table dev_markers is 'ours';", after=True)
    assert "invoke db.gen" in service.invoke("db.status").out

    service.invoke("db.gen", "-m", "add dev markers")
    service.invoke("db.push")
    service.invoke("db.apply")
    service.invoke("db.sync")

    assert service.invoke("db.status").out.endswith("nothing to do\n")


def test_a_formatted_revision_is_still_the_one_that_was_pushed(pushed: Service) -> None:
    path = pushed.revisions()[-1]
    path.write_text(path.read_text().replace('"', "'") + "\n\n# reviewed\n")
    pushed.invoke("db.push")


def test_a_title_may_hold_quotes_and_backslashes(service: Service) -> None:
    service.write_app(DEV_MARKERS)
    title = 'say """hi""" from C:\\users'
    service.invoke("db.gen", "-m", title)
    assert title in service.invoke("db.push").out


def test_a_value_of_an_enum_is_pushed_before_it_is_used(service: Service) -> None:
    service.write_app("")
    service.invoke("db.gen", "--empty", "-m", "make a type")
    service.edit_revision("op.execute(\"create type mood as enum ('sad')\")")
    service.invoke("db.push")
    service.invoke("db.gen", "--empty", "-m", "add a value")
    service.edit_revision("op.execute(\"alter type mood add value 'ok'\")")
    first = json.loads(service.invoke("db.status", "--json").out)["waiting"][0].split()[0]
    service.invoke("db.gen", "--empty", "-m", "use it")
    service.edit_revision("op.execute(\"create table m (m mood default 'ok')\")")

    assert "db.push --to" in service.invoke("db.push", code=1).err
    service.invoke("db.push", "--to", first)
    service.invoke("db.push")


def test_gen_and_push_commit_their_own_files(service: Service) -> None:
    service.write("unrelated.txt", "mine")
    service.git("add", "unrelated.txt")
    service.write_app(DEV_MARKERS)

    service.invoke("db.gen", "-m", "add dev markers", "--commit")

    revision = service.revisions()[-1].name
    assert service.git("show", "--format=%s", "--name-only").splitlines() == [
        "feat(db): add dev markers via Alembic migration",
        "",
        f"migrations/versions/{revision}",
        "src/crm/db/schema/app.py",
    ]
    assert service.git("status", "--porcelain") == "A  unrelated.txt"


def references(service: Service, table: str) -> set[str]:
    rows = service.sql(
        "select confrelid::regclass::text from pg_constraint"
        " where contype = 'f' and conrelid = %s::regclass",
        table,
    )
    return {name for (name,) in rows}


def labels(service: Service, enum: str) -> list[str]:
    rows = service.sql(
        "select enumlabel from pg_enum join pg_type t on t.oid = enumtypid"
        " where typname = %s order by enumsortorder",
        enum,
    )
    return [label for (label,) in rows]


def test_identity_and_generated_columns_go_all_the_way(service: Service) -> None:
    service.write_app(
        """
from sqlalchemy import Computed, Identity
from sqlalchemy.orm import Mapped, mapped_column

from .base import AppBase


class Totals(AppBase):
    __tablename__ = "totals"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    net: Mapped[int]
    gross: Mapped[int] = mapped_column(Computed("net * 12 / 10", persisted=True))
    kind: Mapped[str] = mapped_column(server_default="plain")
"""
    )
    service.invoke("db.gen", "-m", "add totals")
    service.invoke("db.push")
    assert service.invoke("db.gen").out == NO_CHANGES
    assert "agree" in service.invoke("db.status").out
    service.sql("insert into totals (net) values (10)")
    assert service.sql("select id, gross, kind from totals") == [(1, 12, "plain")]
