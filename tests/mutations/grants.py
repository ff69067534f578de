"""Grants, by kind of object."""

from .mutation import M

MUTATIONS = {
    "grant on a table": M(
        "grant select, insert on public.t to anon with grant option",
        "revoke all on public.t from anon; revoke all on public.t from current_user;"
        "grant all on public.t to current_user",
        "+ grant table public.t to anon",
    ),
    "grant on a column": M(
        "grant select (a) on public.t to anon",
        "revoke select (a) on public.t from anon",
        "+ grant column public.t.a to anon",
    ),
    "grant on a view": M(
        "grant select on public.v to anon",
        "revoke select on public.v from anon",
        "+ grant view public.v to anon",
    ),
    "grant on a sequence": M(
        "grant usage on sequence public.s to anon",
        "revoke usage on sequence public.s from anon",
        "+ grant sequence public.s to anon",
    ),
    "grant on an identity's sequence": M(
        "grant usage on sequence public.t_id_seq to anon",
        "revoke usage on sequence public.t_id_seq from anon",
        "+ grant sequence public.t_id_seq to anon",
    ),
    "grant on a function": M(
        "revoke execute on function public.f(int) from public",
        "grant execute on function public.f(int) to public",
        "- grant function public.f(integer) to public",
    ),
    "grant on a schema": M(
        "grant usage on schema side to anon",
        "revoke usage on schema side from anon",
        "+ grant schema side to anon",
    ),
    "grant on a type": M(
        "revoke usage on type public.mood from public",
        "grant usage on type public.mood to public",
        "- grant enum public.mood to public",
    ),
    "grant on a domain": M(
        "grant usage on domain public.email to anon",
        "revoke usage on domain public.email from anon",
        "+ grant domain public.email to anon",
    ),
    "grant on a foreign server": M(
        "grant usage on foreign server elsewhere to anon",
        "revoke usage on foreign server elsewhere from anon",
        "+ grant server elsewhere to anon",
    ),
    "grant on a wrapper": M(
        "grant usage on foreign data wrapper nowhere to anon",
        "revoke usage on foreign data wrapper nowhere from anon",
        "+ grant foreign-data wrapper nowhere to anon",
    ),
    "revoked from the owner": M(
        "revoke create on schema side from current_user",
        "grant create on schema side to current_user",
        "+ grant schema side to postgres",
    ),
    "default privileges": M(
        "alter default privileges in schema public grant select on tables to anon",
        "alter default privileges in schema public revoke select on tables from anon",
        """+ default privileges for postgres in schema public on tables,
        + grant default privileges for postgres in schema public on tables to anon""",
    ),
    "default privileges everywhere": M(
        "alter default privileges revoke execute on functions from public",
        "alter default privileges grant execute on functions to public",
        """+ default privileges for postgres on functions,
        + grant default privileges for postgres on functions to postgres""",
    ),
    "grant of all": M(
        "grant all on public.base to anon",
        "revoke all on public.base from anon; revoke all on public.base from current_user;"
        "grant all on public.base to current_user",
        "+ grant table public.base to anon",
    ),
    "grant to everybody": M(
        "grant select on public.v to public",
        "revoke select on public.v from public",
        "+ grant view public.v to public",
    ),
    "grant on a foreign table": M(
        "grant select on public.ft to anon",
        "revoke select on public.ft from anon",
        "+ grant foreign table public.ft to anon",
    ),
    "grant on a materialized view": M(
        "grant select on public.mv to anon",
        "revoke select on public.mv from anon",
        "+ grant materialized view public.mv to anon",
    ),
    "grant on a procedure": M(
        "revoke execute on procedure public.p() from public",
        "grant execute on procedure public.p() to public",
        "- grant procedure public.p() to public",
    ),
    "grant on an aggregate": M(
        "grant execute on function public.agg(int) to anon",
        "revoke execute on function public.agg(int) from anon",
        "+ grant aggregate public.agg(integer) to anon",
    ),
    "grant on a function to one": M(
        "grant execute on function public.f(int) to anon",
        "revoke execute on function public.f(int) from anon",
        "+ grant function public.f(integer) to anon",
    ),
    "grant on a language": M(
        "grant usage on language trusted_language to anon",
        "revoke usage on language trusted_language from anon",
        "+ grant language trusted_language to anon",
    ),
    "grant on a composite type": M(
        "revoke usage on type public.twin from public",
        "grant usage on type public.twin to public",
        "- grant composite type public.twin to public",
    ),
    "grant on a range type": M(
        "revoke usage on type public.span from public",
        "grant usage on type public.span to public",
        "- grant range type public.span to public",
    ),
    "grant option": M(
        "grant usage on schema side to anon; grant usage on schema side to anon with grant option",
        "revoke usage on schema side from anon",
        "+ grant schema side to anon",
    ),
    "grant option taken back": M(
        "revoke grant option for usage on foreign server lent from anon",
        "grant usage on foreign server lent to anon with grant option",
        "~ grant server lent to anon",
    ),
    "grant on a column with grant option": M(
        "grant update (b) on public.t to anon with grant option",
        "revoke update (b) on public.t from anon",
        "+ grant column public.t.b to anon",
    ),
    "everything revoked from the owner": M(
        "revoke all on sequence public.s from current_user",
        "grant all on sequence public.s to current_user",
        "+ grant sequence public.s to postgres",
    ),
    "default privileges with grant option": M(
        """alter default privileges in schema side
          grant select on tables to anon with grant option""",
        """alter default privileges in schema side
          revoke grant option for select on tables from anon""",
        "~ grant default privileges for postgres in schema side on tables to anon",
    ),
    "default privileges of another role": M(
        "alter default privileges for role anon grant usage on schemas to authenticated",
        "alter default privileges for role anon revoke usage on schemas from authenticated",
        """+ default privileges for anon on schemas,
        + grant default privileges for anon on schemas to anon,
        + grant default privileges for anon on schemas to authenticated""",
    ),
    "default privileges on sequences": M(
        "alter default privileges in schema side grant usage on sequences to anon",
        "alter default privileges in schema side revoke usage on sequences from anon",
        """+ default privileges for postgres in schema side on sequences,
        + grant default privileges for postgres in schema side on sequences to anon""",
    ),
    "default privileges on types": M(
        "alter default privileges in schema side grant usage on types to anon",
        "alter default privileges in schema side revoke usage on types from anon",
        """+ default privileges for postgres in schema side on types,
        + grant default privileges for postgres in schema side on types to anon""",
    ),
    "default privileges on routines": M(
        "alter default privileges in schema side grant execute on routines to anon",
        "alter default privileges in schema side revoke execute on routines from anon",
        """+ default privileges for postgres in schema side on functions,
        + grant default privileges for postgres in schema side on functions to anon""",
    ),
    "default privileges on large objects": M(
        "alter default privileges grant select on large objects to anon",
        "alter default privileges revoke select on large objects from anon",
        """+ default privileges for postgres on large objects,
        + grant default privileges for postgres on large objects to anon,
        + grant default privileges for postgres on large objects to postgres""",
        since=18,
    ),
}
