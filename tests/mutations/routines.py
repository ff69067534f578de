"""Functions, procedures, aggregates."""

from .mutation import M, Mutation, listed, remade

AGG = {
    "sfunc": "int4pl",
    "stype": "int",
    "initcond": "'0'",
    "finalfunc": "public.fin",
    "mstype": "int",
    "msfunc": "int4pl",
    "minvfunc": "int4mi",
    "mfinalfunc": "public.fin",
}
BIG = "sfunc = int8_avg_accum, stype = internal, finalfunc = numeric_poly_sum"
PLACE = """create aggregate public.place (variadic "any" order by variadic "any")
  (sfunc = ordered_set_transition_multi, stype = internal, finalfunc = rank_final,
  finalfunc_extra%s)"""


def altered_f(change: str, back: str) -> Mutation:
    """An attribute of a function, and the attribute as it was."""
    return M(
        f"alter function public.f(int) {change}",
        f"alter function public.f(int) {back}",
        "~ function public.f(integer)",
    )


def quick(
    arguments: str = "a int, b text default 'x'",
    result: str = "setof int",
    body: str = "select a",
    language: str = "sql",
) -> Mutation:
    """Another definition of a function with the same types of arguments."""
    create = "create function public.quick(%s) returns %s language %s stable as '%s'"
    return remade(
        "drop function public.quick(int, text)",
        create % ("a int, b text default 'x'", "setof int", "sql", "select a"),
        create % (arguments, result, language, body),
        "~ function public.quick(integer, text)",
    )


def outs(arguments: str, body: str = "select 1, $$x$$") -> Mutation:
    """Another definition of a function with output columns."""
    create = "create function public.outs(%s) language sql as '%s'"
    return remade(
        "drop function public.outs(int)",
        create % ("a int, out c int, out d text", "select 1, $$x$$"),
        create % (arguments, body),
        "~ function public.outs(integer)",
    )


def agg(**changes: str) -> Mutation:
    """An aggregate with other parameters; its state is of another type only once it is dropped."""
    create = "create aggregate public.agg (int) (%s)"
    return remade(
        "drop aggregate public.agg (int)",
        create % listed(AGG),
        create % listed(AGG | changes),
        "~ aggregate public.agg(integer)",
    )


MUTATIONS = {
    "function body": M(
        "create or replace function public.f(x int) returns int language sql as 'select x + 1'",
        "create or replace function public.f(x int) returns int language sql as 'select x'",
        "~ function public.f(integer)",
    ),
    "function settings": M(
        "alter function public.f(int) security definer stable set search_path = ''",
        "alter function public.f(int) security invoker volatile reset search_path",
        "~ function public.f(integer)",
    ),
    "function overload": M(
        "create function public.f(x text, variadic y text[]) returns int language sql return 1",
        "drop function public.f(text, text[])",
        """+ function public.f(text, text[]),
        + grant function public.f(text, text[]) to public""",
    ),
    "procedure": M(
        "drop procedure public.p()",
        "create procedure public.p() language sql as 'select 1'",
        "- procedure public.p(), - grant procedure public.p() to public",
    ),
    "aggregate": M(
        "create aggregate public.total (int) (sfunc = int4pl, stype = int, initcond = '0')",
        "drop aggregate public.total (int)",
        """+ aggregate public.total(integer), + grant aggregate public.total(integer) to public""",
    ),
    "function, stable": altered_f("stable", "volatile"),
    "function, strict": altered_f("strict", "called on null input"),
    "function, security definer": altered_f("security definer", "security invoker"),
    "function, leakproof": altered_f("leakproof", "not leakproof"),
    "function, parallel": altered_f("parallel safe", "parallel unsafe"),
    "function's cost": altered_f("cost 7", "cost 100"),
    "function's setting": altered_f("set work_mem = '8MB'", "reset work_mem"),
    "function's support": M(
        "alter function public.f(int) support public.support",
        """drop function public.f(int);
        create function public.f(x int) returns int language sql as 'select x'""",
        "~ function public.f(integer)",
    ),
    "function's rows": M(
        "alter function public.quick(int, text) rows 7",
        "alter function public.quick(int, text) rows 1000",
        "~ function public.quick(integer, text)",
    ),
    "function's default": quick("a int, b text default 'y'"),
    "function without a default": quick("a int, b text"),
    "function's argument name": quick("a int, c text default 'x'"),
    "function's last argument variadic": M(
        """drop function public.later(anyelement, anyelement) cascade;
        create function public.later(x anyelement, variadic y anyarray)
          returns boolean language sql immutable as 'select true'""",
        """drop function public.later(anyelement, anyarray);
        create function public.later(x anyelement, y anyelement) returns boolean
          language sql immutable as 'select true'""",
        """- function public.later(anyelement, anyelement),
        - grant function public.later(anyelement, anyelement) to public,
        + function public.later(anyelement, anyarray),
        + grant function public.later(anyelement, anyarray) to public""",
    ),
    "function's result": quick(result="setof bigint", body="select a::bigint"),
    "function of one row": quick(result="int"),
    "function's language": quick(language="plpgsql", body="begin return query select a; end"),
    "function's body of statements": M(
        "create or replace function public.f(x int) returns int language sql return x + 1",
        "create or replace function public.f(x int) returns int language sql as 'select x'",
        "~ function public.f(integer)",
    ),
    "function's library": M(
        """create or replace function public.raw_in(cstring) returns public.raw
          language internal immutable strict as 'int8in'""",
        """create or replace function public.raw_in(cstring) returns public.raw
          language internal immutable strict as 'int4in'""",
        "~ function public.raw_in(cstring)",
    ),
    "function in C": M(
        """create function public.vec(cstring) returns int
          language c immutable as '$libdir/plpgsql', 'plpgsql_call_handler'""",
        "drop function public.vec(cstring)",
        "+ function public.vec(cstring), + grant function public.vec(cstring) to public",
    ),
    "function in another library": M(
        """create or replace function public.in_c() returns int
          language c as '$libdir/dict_snowball', 'dsnowball_init'""",
        """create or replace function public.in_c() returns int
          language c as '$libdir/plpgsql', 'plpgsql_call_handler'""",
        "~ function public.in_c()",
    ),
    "function's transform": M(
        """drop function public.touch_2();
        create function public.touch_2() returns trigger language plpgsql
          transform for type bigint as 'begin return new; end'""",
        """drop function public.touch_2();
        create function public.touch_2() returns trigger language plpgsql
          as 'begin return new; end'""",
        "~ function public.touch_2()",
    ),
    "function's output columns": M(
        """drop function public.outs(int);
        create function public.outs(a int, inout c int, out d text) language sql
          as 'select 1, $$x$$'""",
        """drop function public.outs(int, int);
        create function public.outs(a int, out c int, out d text) language sql
          as 'select 1, $$x$$'""",
        """- function public.outs(integer), - grant function public.outs(integer) to public,
        + function public.outs(integer, integer),
        + grant function public.outs(integer, integer) to public""",
    ),
    "function's output column's type": outs(
        "a int, out c bigint, out d text", "select 1::int8, $$x$$"
    ),
    "function's output column's name": outs("a int, out c int, out e text"),
    "function that returns a table": M(
        """drop function public.outs(int);
        create function public.outs(a int) returns table (c int, d text) language sql
          as 'select 1, $$x$$'""",
        """drop function public.outs(int);
        create function public.outs(a int, out c int, out d text) language sql
          as 'select 1, $$x$$'""",
        "~ function public.outs(integer)",
    ),
    "window function": M(
        """create function public.nth(int) returns int window language internal as 'window_rank'""",
        "drop function public.nth(int)",
        "+ function public.nth(integer), + grant function public.nth(integer) to public",
    ),
    "function rename": M(
        "alter function public.f(int) rename to ff",
        "alter function public.ff(int) rename to f",
        """- function public.f(integer), - grant function public.f(integer) to public,
        + function public.ff(integer), + grant function public.ff(integer) to public""",
    ),
    "function to another schema": M(
        "alter function public.f(int) set schema side",
        "alter function side.f(int) set schema public",
        """- function public.f(integer), - grant function public.f(integer) to public,
        + function side.f(integer), + grant function side.f(integer) to public""",
    ),
    "procedure's body": M(
        "create or replace procedure public.p() language sql as 'select 2'",
        "create or replace procedure public.p() language sql as 'select 1'",
        "~ procedure public.p()",
    ),
    "procedure's setting": M(
        "alter procedure public.p() set work_mem = '8MB'",
        "alter procedure public.p() reset work_mem",
        "~ procedure public.p()",
    ),
    "aggregate's transition": agg(sfunc="int4mul"),
    "aggregate's initial value": agg(initcond="'1'"),
    "aggregate's final function": agg(finalfunc="int4abs"),
    "aggregate's final function modifies": agg(finalfunc_modify="read_write"),
    "aggregate's final function takes the arguments": agg(finalfunc_extra="true"),
    "aggregate's combining": agg(combinefunc="int4pl"),
    "aggregate's space": agg(sspace="64"),
    "aggregate's sort operator": agg(sortop="operator(pg_catalog.<)"),
    "aggregate, parallel": agg(parallel="safe"),
    "aggregate's moving transition": agg(msfunc="int4mul"),
    "aggregate's moving inverse": agg(minvfunc="int4mul"),
    "aggregate's moving initial value": agg(minitcond="'0'"),
    "aggregate's moving space": agg(msspace="9"),
    "aggregate's moving final function": agg(mfinalfunc="int4abs"),
    "aggregate's moving final function modifies": agg(mfinalfunc_modify="read_write"),
    "aggregate's moving final function takes the arguments": agg(mfinalfunc_extra="true"),
    "aggregate's moving state": agg(
        mstype="bigint", msfunc="int84pl", minvfunc="int84mi", mfinalfunc="int4", minitcond="'0'"
    ),
    "aggregate's state": agg(stype="bigint", sfunc="int84pl", finalfunc="int4"),
    "aggregate's serialisation": M(
        f"""create or replace aggregate public.big (int8) ({BIG}, combinefunc = int8_avg_combine,
          serialfunc = int8_avg_serialize, deserialfunc = int8_avg_deserialize)""",
        f"create or replace aggregate public.big (int8) ({BIG})",
        "~ aggregate public.big(bigint)",
    ),
    "aggregate's direct arguments": remade(
        "drop aggregate public.pct (float8 order by float8)",
        """create aggregate public.pct (float8 order by float8)
          (sfunc = ordered_set_transition, stype = internal, finalfunc = public.settle)""",
        """create aggregate public.pct (order by float8, float8)
          (sfunc = public.gather, stype = internal, finalfunc = public.settle)""",
        "~ aggregate public.pct(double precision, double precision)",
    ),
    "aggregate, not hypothetical": remade(
        """drop aggregate public.place (variadic "any" order by variadic "any")""",
        PLACE % ", hypothetical",
        PLACE % "",
        '~ aggregate public.place("any")',
    ),
    "function, variadic": remade(
        "drop function public.many(text[])",
        "create function public.many(y text[]) returns int language sql as 'select 1'",
        "create function public.many(variadic y text[]) returns int language sql as 'select 1'",
        "~ function public.many(text[])",
    ),
}
