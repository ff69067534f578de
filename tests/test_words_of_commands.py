"""What commands say: what is changed, what is new, what a commit brings, which name is meant."""

from __future__ import annotations

import json

from fleets import name_targets
from service import Service
from steps import SQL, add_sql


def test_an_edited_file_is_changed_and_a_commit_says_what_it_brings(service: Service) -> None:
    add_sql(service, "10_tags.sql", "create table if not exists tags (id int primary key);\n")
    assert "10_tags.sql: not applied" in service.invoke("db.status").out
    service.invoke("db.apply")
    told = service.invoke("db.sync", "--commit").out
    assert "The mirror is now level with the database." in told
    assert "No schema changes." not in told
    assert "+ table public.tags" in service.git("show", "--format=%b", "--no-patch")
    path = service.folder / SQL / "10_tags.sql"
    path.write_text(path.read_text() + "-- more\n")
    assert "10_tags.sql: changed since it ran" in service.invoke("db.status").out

    settings = service.read("pyproject.toml")
    mistyped = settings.replace("[tool.twolane]", '[tool.twolane]\ntenant_colum = "owner"', 1)
    service.write("pyproject.toml", mistyped)
    shown = service.invoke("db.status").out
    assert "has `tenant_colum`, which nothing reads. Is tenant_column meant?" in shown
    service.write("pyproject.toml", settings)

    name_targets(service, staging=service.env["DATABASE_URL"])
    told = service.invoke("db.status", "--target", "stagin", code=1).err
    assert "Is staging meant?" in told
    assert "meant" not in service.invoke("db.status", "--target", "nowhere", code=1).err


def test_a_new_table_is_said_to_be_closed_until_a_file_opens_it(service: Service) -> None:
    """Of lane B by a command; of lane A in the file that makes it."""
    service.write_app(
        '\n\nclass Notes(UUIDKey, TenantOwned, Timestamps, AppBase):\n    __tablename__ = "notes"\n'
    )
    add_sql(
        service,
        "10_tags.sql",
        "create table if not exists tags (id uuid primary key, user_id uuid);\n"
        "alter table tags enable row level security;\n",
    )
    service.invoke("db.apply")
    service.invoke("db.sync")
    service.invoke("db.gen", "-m", "add notes", "--commit")
    assert "+ table public.notes" in service.git("show", "--format=%b", "--no-patch")
    service.invoke("db.push")
    told = json.loads(service.invoke("db.status", "--json").out)
    assert told["closed"]["public.notes"] == "invoke db.rls notes"
    assert (
        "SQL file" in told["closed"]["public.tags"] and "rls" not in told["closed"]["public.tags"]
    )
    service.invoke("db.rls", "notes")
    assert "public.notes" not in service.invoke("db.status").out, "a file that waits opens it"
    service.invoke("db.apply")
    service.invoke("db.sync")
    shown = service.invoke("db.status").out
    assert shown.endswith("Next     nothing to do, but for what is closed\n")
    assert "Closed   public.tags: no policy opens it to users\n" in shown
    assert "public.notes" not in shown
