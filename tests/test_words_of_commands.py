"""What commands say: what is changed, what is new, what a commit brings, which name is meant."""

from __future__ import annotations

from fleets import name_targets
from service import Service
from steps import SQL, add_sql


def test_an_edited_file_is_changed_and_a_commit_says_what_it_brings(service: Service) -> None:
    add_sql(service, "10_tags.sql", "create table if not exists tags (id int primary key);\n")
    assert "10_tags.sql: not applied" in service.invoke("db.status").out
    service.invoke("db.apply")
    told = service.invoke("db.sync", "--commit").out
    assert "The mirror takes them over, and is level then." in told
    assert "+ table public.tags" in service.git("show", "--format=%b", "--no-patch")
    path = service.folder / SQL / "10_tags.sql"
    path.write_text(path.read_text() + "-- more\n")
    assert "10_tags.sql: changed since it ran" in service.invoke("db.status").out

    name_targets(service, staging=service.env["DATABASE_URL"])
    told = service.invoke("db.status", "--target", "stagin", code=1).err
    assert "Is staging meant?" in told
    assert "meant" not in service.invoke("db.status", "--target", "nowhere", code=1).err
