"""Steps that tests of both lanes take."""

import re
import shlex
import time
from collections.abc import Callable

from service import Service

ORDER = "supabase/bootstrap.txt"
SQL = "supabase/sql"
GUARDRAILS = f"{SQL}/05_guardrails.sql"
MIRROR = ("src/crm/db/schema/introspected.py", "supabase/schema.lock.json")


def add_sql(service: Service, name: str, text: str, after: bool = False) -> None:
    """A new SQL file, last before the mark `@migrations`, or last of all."""
    service.write(f"{SQL}/{name}", text)
    order = service.read(ORDER)
    mark = "\n@migrations\n"
    assert mark in order
    service.write(ORDER, f"{order}{name}\n" if after else order.replace(mark, f"\n{name}{mark}"))


def tables(service: Service, schema: str = "public") -> set[str]:
    rows = service.sql("select tablename from pg_tables where schemaname = %s", schema)
    return {name for (name,) in rows}


def columns(service: Service, table: str) -> set[str]:
    rows = service.sql(
        "select column_name from information_schema.columns"
        " where table_schema = 'public' and table_name = %s",
        table,
    )
    return {name for (name,) in rows}


def indexes(service: Service, table: str) -> set[str]:
    rows = service.sql("select indexname from pg_indexes where tablename = %s", table)
    return {name for (name,) in rows}


def pushes(service: Service) -> list[tuple[object, ...]]:
    if "pushes" not in tables(service, "twolane"):
        return []
    return service.sql("select revision, git_commit, duration_ms >= 0 from twolane.pushes")


def has_rls(service: Service, table: str) -> bool:
    query = "select relrowsecurity from pg_class where oid = %s::regclass"
    return bool(service.sql(query, table)[0][0])


def mirror(service: Service) -> tuple[str, ...]:
    """What the two files of the mirror say."""
    return tuple(service.read(path) for path in MIRROR)


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits for what may take its time on a busy machine."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def follow_hints(service: Service, *words: str, consents: str = "") -> list[str]:
    """Runs the command, and the hints of its refusals as printed, until it succeeds.

    consents: how every consent must begin that is asked for. Returns the commands that were run.
    """
    todo, ran = list(words), list[str]()
    for _ in range(8):
        ran.append(shlex.join(todo))
        done = service.invoke(*todo, code=None)
        if done.code == 0 and todo[0] == words[0]:
            return ran
        if done.code == 0:
            todo = list(words)
            continue
        first = re.findall(r"First:  (.*)", done.err)[-1]
        if asked := re.findall(r"--allow \S+", first):
            assert all(each.startswith(consents) for each in asked), done.err
            todo += [word for each in asked for word in shlex.split(each)]
        else:
            command = re.search(r"invoke (db\.[^;`(]*)", first)
            assert command, f"{ran}: {done.err}"
            todo = shlex.split(command[1])
    raise AssertionError("\n".join([*ran, done.text]))
