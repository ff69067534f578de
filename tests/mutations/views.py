"""Views and materialized views."""

from .mutation import M

MUTATIONS = {
    "view": M(
        "create view public.w with (security_invoker) as select a from public.t",
        "drop view public.w",
        "+ column public.w.a, + view public.w",
    ),
    "view definition": M(
        "create or replace view public.v as select id, a from public.t where a > 1",
        "create or replace view public.v as select id, a from public.t",
        "~ view public.v",
    ),
    "view options": M(
        "alter view public.v set (security_invoker = true)",
        "alter view public.v reset (security_invoker)",
        "~ view public.v",
    ),
    "view options with a check": M(
        "create view public.w as select a from public.t where a > 1 with local check option",
        "drop view public.w",
        "+ column public.w.a, + view public.w",
    ),
    "materialized view": M(
        "drop materialized view public.mv",
        """create materialized view public.mv as select a, count(*) as n from public.t group by a;
        create index mv_a_idx on public.mv (a)""",
        """- column public.mv.a, - column public.mv.n, - index public.mv.mv_a_idx,
        - materialized view public.mv""",
    ),
    "view with a barrier": M(
        "alter view public.v set (security_barrier = true)",
        "alter view public.v reset (security_barrier)",
        "~ view public.v",
    ),
    "view's check option": M(
        "alter view public.simple set (check_option = cascaded)",
        "alter view public.simple reset (check_option)",
        "~ view public.simple",
    ),
    "view's column renamed": M(
        "alter view public.simple rename column x to z",
        "alter view public.simple rename column z to x",
        "~ view public.simple, - column public.simple.x, + column public.simple.z",
    ),
    "view's further column": M(
        "create or replace view public.simple as select id, x, y from public.ref where x > 1",
        """drop view public.simple;
        create view public.simple as select id, x from public.ref where x > 1""",
        "~ view public.simple, + column public.simple.y",
    ),
    "recursive view": M(
        "create recursive view public.count (n) as select 1 union all select n + 1 from count",
        "drop view public.count",
        "+ view public.count, + column public.count.n",
    ),
    "materialized view's definition": M(
        """drop materialized view public.mv;
        create materialized view public.mv as
          select a, count(*) as n from public.t where a > 1 group by a;
        create index mv_a_idx on public.mv (a)""",
        """drop materialized view public.mv;
        create materialized view public.mv as select a, count(*) as n from public.t group by a;
        create index mv_a_idx on public.mv (a)""",
        "~ materialized view public.mv",
    ),
    "materialized view's access method": M(
        "alter materialized view public.mv set access method ground_heap",
        "alter materialized view public.mv set access method heap",
        "~ materialized view public.mv",
    ),
    "materialized view clustered on its index": M(
        "alter materialized view public.mv cluster on mv_a_idx",
        "alter materialized view public.mv set without cluster",
        "~ index public.mv.mv_a_idx",
    ),
    "materialized view's column": M(
        "alter materialized view public.mv alter n set statistics 5",
        "alter materialized view public.mv alter n set statistics -1",
        "~ column public.mv.n",
    ),
}
