"""Online revisions taken back, where SQL files made something on what they made."""

from __future__ import annotations

from service import Service
from steps import add_sql, columns
from test_online import revise

VIEW = """create or replace view public.marked with (security_invoker = on) as
select tag from public.dev_markers;
"""
STOP = """do $$ begin
  if exists (select from dev_markers where label = 'stop') then raise 'stopped'; end if;
end $$"""


def test_what_a_file_made_goes_before_an_online_revision_goes(pushed: Service) -> None:
    add = 'op.execute("alter table dev_markers add column tag text")'
    drop = f'op.execute("""{STOP}""")\nop.execute("alter table dev_markers drop column tag")'
    revise(pushed, "tag", add, drop)
    pushed.invoke("db.push")
    add_sql(pushed, "60_marked.sql", VIEW, after=True)
    pushed.invoke("db.apply")
    back = "db.downgrade", "--to", "-1", "--allow", "drop:dev_markers.tag"
    pushed.sql("insert into dev_markers (label) values ('stop')")
    assert "stopped" in pushed.invoke(*back, code=1).err
    assert "Drift" not in pushed.invoke("db.status").out
    pushed.sql("delete from dev_markers")
    pushed.invoke(*back)
    assert "tag" not in columns(pushed, "dev_markers")
    status = pushed.invoke("db.status").out
    assert "60_marked.sql" in status and "Drift" not in status
    pushed.invoke("db.push")
    pushed.invoke("db.apply")
    assert pushed.sql("select tag from public.marked") == []
