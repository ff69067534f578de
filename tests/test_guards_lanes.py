"""Guards between the lanes: G02, G03, G10."""

from conftest import NewDatabase
from service import DEV_MARKERS, Service
from steps import SQL, add_sql, columns, pushes, tables

FAX = "alter table contacts add column if not exists fax text;"
GEN = ("db.gen", "-m", "more")
MORE = DEV_MARKERS.replace("    label:", "    more: Mapped[str | None]\n    label:")


def test_g02_lane_b_waits_for_sql_files(waiting: Service) -> None:
    add_sql(waiting, "10_fax.sql", FAX)
    waiting.write_app(MORE)

    for command in (GEN, ("db.push",)):
        result = waiting.invoke(*command, code=2)
        assert f"✗ {command[0]} refused · G02 one-lane" in result.err
        assert "    10_fax.sql\n  First:  invoke db.apply\n" in result.err
    assert pushes(waiting) == []
    assert len(waiting.revisions()) == 1

    waiting.invoke("db.sync")  # is never refused
    waiting.invoke("db.apply")  # nor lane A, which goes first
    waiting.invoke("db.sync")
    waiting.invoke("db.push")
    waiting.invoke(*GEN)


def test_g02_an_edited_file_waits_like_a_new_one(waiting: Service) -> None:
    path = f"{SQL}/00_core_tables.sql"
    waiting.write(path, waiting.read(path) + "\n-- one more line\n")
    assert "00_core_tables.sql" in waiting.invoke("db.push", code=2).err

    waiting.invoke("db.apply")
    waiting.invoke("db.push")


def test_g02_lane_a_waits_for_revisions(waiting: Service) -> None:
    for command in (("db.apply",), ("db.apply", "--file", "00_core_tables.sql")):
        result = waiting.invoke(*command, code=2)
        assert "✗ db.apply refused · G02 one-lane" in result.err
        assert "  add dev markers\n  First:  invoke db.push\n" in result.err
    waiting.sql(FAX)
    waiting.invoke("db.sync")  # is never refused

    waiting.invoke("db.push")
    waiting.invoke("db.apply")


def test_g03_lane_b_waits_for_a_fresh_mirror(waiting: Service) -> None:
    waiting.sql(FAX)
    waiting.write_app(MORE)

    for command in (GEN, ("db.push",)):
        result = waiting.invoke(*command, code=2)
        assert result.err == (
            f"✗ {command[0]} refused · G03 stale-mirror\n"
            "  The live database changed since the last sync:\n"
            "    + column public.contacts.fax   text\n"
            "  First:  invoke db.sync\n"
        )
    assert pushes(waiting) == []
    assert len(waiting.revisions()) == 1

    waiting.invoke("db.sync")
    waiting.invoke("db.push")
    assert {"dev_markers"} <= tables(waiting)


def test_g03_what_is_no_users_schema_is_no_drift(waiting: Service) -> None:
    waiting.sql("insert into auth.users (id) values (gen_random_uuid())")
    waiting.sql("insert into contacts (user_id, display_name) select id, 'A' from auth.users")
    waiting.sql("create table auth.of_the_platform ()")
    waiting.sql("analyze")
    waiting.sql("drop policy contacts_select_own on contacts")
    policy = waiting.read(f"{SQL}/02_rls_core_tables.sql")
    waiting.sql(policy)  # dropped and made again: the same facts
    waiting.invoke("db.push")


def test_g10_the_apps_tables_are_not_changed_by_hand(pushed: Service) -> None:
    pushed.sql("alter table dev_markers add column by_hand int")
    pushed.sql("alter table dev_markers alter column label drop not null")
    pushed.sql("create index by_hand_idx on dev_markers (by_hand)")
    pushed.write_app(MORE)

    for command in (GEN, ("db.push",)):
        result = pushed.invoke(*command, code=2)
        assert f"✗ {command[0]} refused · G10 app-drift" in result.err
        assert "    + column public.dev_markers.by_hand   integer\n" in result.err
        assert "    ~ column public.dev_markers.label   not_null: true → none\n" in result.err
        assert "    + index public.dev_markers.by_hand_idx" in result.err
        assert "invoke db.psql" in result.err
    pushed.invoke("db.sync")  # does not hide it
    assert "G10" in pushed.invoke(*GEN, code=2).err
    assert "by_hand" in columns(pushed, "dev_markers")

    pushed.sql("alter table dev_markers drop column by_hand, alter column label set not null")
    pushed.invoke(*GEN)
    pushed.invoke("db.push")


def test_g10_rls_taken_off_by_hand_is_seen(pushed: Service) -> None:
    pushed.sql("alter table dev_markers disable row level security")
    assert "public.dev_markers" in pushed.invoke("db.push", code=2).err
    pushed.sql("alter table dev_markers enable row level security")
    pushed.invoke("db.push")


def test_g10_what_sql_puts_on_an_app_table_is_lane_as(pushed: Service) -> None:
    pushed.sql("create policy by_hand on dev_markers for select to authenticated using (true)")
    pushed.sql("grant select on dev_markers to authenticated")
    pushed.sql("insert into dev_markers (label) values ('a row')")

    assert "G03 stale-mirror" in pushed.invoke("db.push", code=2).err

    result = pushed.invoke("db.sync")
    assert "+ policy public.dev_markers.by_hand" in result.out
    assert "(G10)" not in result.out
    pushed.invoke("db.push")


def test_g10_what_an_sql_file_after_the_mark_makes_of_a_table_is_no_drift(pushed: Service) -> None:
    force = "alter table dev_markers force row level security;"
    add_sql(pushed, "10_force.sql", force, after=True)
    pushed.invoke("db.apply")
    pushed.invoke("db.push")

    pushed.sql("alter table dev_markers no force row level security")
    assert "G10" in pushed.invoke("db.push", code=2).err


def test_a_bootstrap_does_not_get_around_the_guards_of_a_push(waiting: Service) -> None:
    waiting.sql("alter table contacts disable row level security")
    assert "G03 stale-mirror" in waiting.invoke("db.bootstrap", code=2).err


def test_a_sync_does_not_mirror_an_empty_database(
    service: Service, new_database: NewDatabase, platform: str
) -> None:
    result = service.invoke("db.sync", code=1, DATABASE_URL=new_database(platform))
    assert "invoke db.bootstrap" in result.err
    assert service.git("status", "--short") == ""


def test_g10_what_is_gone_of_the_apps_tables_comes_back_as_it_was(pushed: Service) -> None:
    pushed.sql("drop table dev_markers")
    said = pushed.invoke("db.deploy", code=2).err
    statements = [line.partition("as it was: ")[2] for line in said.splitlines()]
    pushed.sql(" ".join(statements))
    assert "Nothing to deploy" in pushed.invoke("db.deploy").out
