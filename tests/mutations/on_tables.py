"""Row level security, policies, triggers, event triggers, rules."""

from .mutation import M, Mutation, remade


def ref_all(definition: str) -> Mutation:
    """Another definition of a policy."""
    return remade(
        "drop policy ref_all on public.ref",
        "create policy ref_all on public.ref",
        f"create policy ref_all on public.ref {definition}",
        "~ policy public.ref.ref_all",
    )


def t_touch(definition: str, function: str = "touch()", kind: str = "") -> Mutation:
    """Another definition of a trigger."""
    return remade(
        "drop trigger t_touch on public.t",
        """create trigger t_touch before update on public.t
        for each row execute function public.touch()""",
        f"create {kind}trigger t_touch {definition} execute function public.{function}",
        "~ trigger public.t.t_touch",
    )


def watch(definition: str, function: str = "public.on_ddl()") -> Mutation:
    """Another definition of an event trigger."""
    return remade(
        "drop event trigger watch",
        """create event trigger watch on ddl_command_end when tag in ('CREATE POLICY')
        execute function public.on_ddl()""",
        f"create event trigger watch on {definition} execute function {function}",
        "~ event trigger watch",
    )


def ref_rule(definition: str) -> Mutation:
    """Another definition of a rule."""
    return remade(
        "drop rule ref_rule on public.ref",
        "create rule ref_rule as on update to public.ref where new.x = 1 do instead nothing",
        f"create rule ref_rule as on {definition}",
        "~ rule public.ref.ref_rule",
    )


MUTATIONS = {
    "rls": M(
        "alter table public.t enable row level security",
        "alter table public.t disable row level security",
        "+ rls public.t",
    ),
    "rls forced": M(
        "alter table public.t force row level security",
        "alter table public.t no force row level security",
        "+ rls public.t",
    ),
    "policy": M(
        "create policy mine on public.t as restrictive for update using (a = 2) with check (a = 3)",
        "drop policy mine on public.t",
        "+ policy public.t.mine",
    ),
    "policy roles": M(
        "alter policy t_all on public.t to authenticated, anon",
        "alter policy t_all on public.t to authenticated",
        "~ policy public.t.t_all",
    ),
    "policy expression": M(
        "alter policy t_all on public.t using (a = 2)",
        "alter policy t_all on public.t using (a = 1)",
        "~ policy public.t.t_all",
    ),
    "policy on a platform table": M(
        "create policy mine on storage.objects to authenticated using (true)",
        "drop policy mine on storage.objects",
        "+ policy storage.objects.mine",
    ),
    "trigger": M(
        """create constraint trigger late after insert on public.t deferrable initially deferred
        for each row when (new.a > 1) execute function public.touch()""",
        "drop trigger late on public.t",
        "+ trigger public.t.late",
    ),
    "trigger disabled": M(
        "alter table public.t disable trigger t_touch",
        "alter table public.t enable trigger t_touch",
        "~ trigger public.t.t_touch",
    ),
    "trigger on a platform table": M(
        """create trigger welcome after insert on auth.users
        for each row execute function public.touch()""",
        "drop trigger welcome on auth.users",
        "+ trigger auth.users.welcome",
    ),
    "trigger on a partitioned table": M(
        """create trigger late after insert on public.parted
        for each row execute function public.touch()""",
        "drop trigger late on public.parted",
        "+ trigger public.parted.late",
    ),
    "event trigger": M(
        """create event trigger ddl on ddl_command_end when tag in ('CREATE TABLE')
        execute function public.on_ddl()""",
        "drop event trigger ddl",
        "+ event trigger ddl",
    ),
    "event trigger disabled": M(
        """create event trigger ddl on ddl_command_end execute function public.on_ddl();
        alter event trigger ddl disable""",
        "drop event trigger ddl",
        "+ event trigger ddl",
    ),
    "rule": M(
        "create rule quiet as on insert to public.child where new.id < 0 do instead nothing",
        "drop rule quiet on public.child",
        "+ rule public.child.quiet",
    ),
    "rule disabled": M(
        "alter table public.child disable rule t_rule",
        "alter table public.child enable rule t_rule",
        "~ rule public.child.t_rule",
    ),
    "policy's command": ref_all("for select"),
    "policy, restrictive": ref_all("as restrictive"),
    "policy's using": ref_all("using (x = 1)"),
    "policy's check": ref_all("with check (x = 1)"),
    "policy's roles": ref_all("to anon"),
    "policy rename": M(
        "alter policy ref_all on public.ref rename to ref_any",
        "alter policy ref_any on public.ref rename to ref_all",
        "- policy public.ref.ref_all, + policy public.ref.ref_any",
    ),
    "trigger's time": t_touch("after update on public.t for each row"),
    "trigger's event": t_touch("before insert on public.t for each row"),
    "trigger's level": t_touch("before update on public.t for each statement"),
    "trigger's columns": t_touch("before update of a on public.t for each row"),
    "trigger's condition": t_touch("before update on public.t for each row when (new.a > 1)"),
    "trigger's old rows": t_touch(
        "after update on public.t referencing old table as o for each row"
    ),
    "trigger's new rows": t_touch(
        "after update on public.t referencing new table as n for each row"
    ),
    "trigger's other argument": remade(
        "drop trigger gap_touch on public.gap",
        """create trigger gap_touch before update on public.gap
        for each row execute function public.touch('a')""",
        """create trigger gap_touch before update on public.gap
        for each row execute function public.touch('b')""",
        "~ trigger public.gap.gap_touch",
    ),
    "trigger's arguments": t_touch("before update on public.t for each row", "touch('x')"),
    "trigger's function": t_touch("before update on public.t for each row", "touch_2()"),
    "constraint trigger": t_touch("after update on public.t for each row", kind="constraint "),
    "constraint trigger, deferrable": t_touch(
        "after update on public.t deferrable for each row", kind="constraint "
    ),
    "constraint trigger, initially deferred": t_touch(
        "after update on public.t initially deferred for each row", kind="constraint "
    ),
    "constraint trigger from another table": t_touch(
        "after update on public.t from public.ref for each row", kind="constraint "
    ),
    "trigger of replicas": M(
        "alter table public.t enable replica trigger t_touch",
        "alter table public.t enable trigger t_touch",
        "~ trigger public.t.t_touch",
    ),
    "trigger always": M(
        "alter table public.t enable always trigger t_touch",
        "alter table public.t enable trigger t_touch",
        "~ trigger public.t.t_touch",
    ),
    "trigger of a partitioned table disabled": M(
        "alter table public.days disable trigger days_touch",
        "alter table public.days enable trigger days_touch",
        "~ trigger public.days.days_touch",
    ),
    "trigger of a partition disabled": M(
        "alter table public.day_1 disable trigger days_touch",
        "alter table public.day_1 enable trigger days_touch",
        "+ trigger public.day_1.days_touch",
    ),
    "event trigger's tags": watch("ddl_command_end when tag in ('CREATE POLICY', 'ALTER POLICY')"),
    "event trigger without tags": watch("ddl_command_end"),
    "event trigger's event": watch("ddl_command_start when tag in ('CREATE POLICY')"),
    "event trigger's function": watch(
        "ddl_command_end when tag in ('CREATE POLICY')", "public.on_ddl_2()"
    ),
    "event trigger always": M(
        "alter event trigger watch enable always",
        "alter event trigger watch enable",
        "~ event trigger watch",
    ),
    "rule's event": ref_rule("insert to public.ref do instead nothing"),
    "rule's condition": ref_rule("update to public.ref where new.x = 2 do instead nothing"),
    "rule, also": ref_rule("update to public.ref where new.x = 1 do also nothing"),
    "rule's action": ref_rule("update to public.ref where new.x = 1 do instead select 1"),
}
