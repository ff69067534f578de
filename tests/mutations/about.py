"""Owners, comments, names that need quotes."""

from .mutation import M, Mutation


def owner(what: str, fact: str = "") -> Mutation:
    """Another owner."""
    return M(
        f"alter {what} owner to anon",
        f"alter {what} owner to current_user",
        f"+ owner {fact or what}",
    )


def superuser(what: str, fact: str = "") -> Mutation:
    """Another owner of what only superusers may own."""
    return M(
        f"create role boss superuser; alter {what} owner to boss",
        f"alter {what} owner to current_user; drop role boss",
        f"+ owner {fact or what}",
    )


def comment(what: str, fact: str = "") -> Mutation:
    """A comment."""
    return M(f"comment on {what} is 'x'", f"comment on {what} is null", f"+ comment {fact or what}")


MUTATIONS = {
    "owner": M(
        "alter table public.t owner to anon",
        "alter table public.t owner to postgres",
        "+ owner table public.t",
    ),
    "owner of a function": M(
        "alter function public.f(int) owner to anon",
        "alter function public.f(int) owner to postgres",
        "+ owner function public.f(integer)",
    ),
    "owner of a schema": M(
        "alter schema side owner to anon",
        "alter schema side owner to postgres",
        "+ owner schema side",
    ),
    "comment": M(
        "comment on table public.t is 'after'",
        "comment on table public.t is 'before'",
        "~ comment table public.t",
    ),
    "comments on what is on a table": M(
        """comment on column public.t.a is 'x'; comment on policy t_all on public.t is 'x';
        comment on trigger t_touch on public.t is 'x'; comment on index public.t_b_idx is 'x';
        comment on constraint child_pkey on public.child is 'x';
        comment on rule t_rule on public.child is 'x'""",
        """comment on column public.t.a is null; comment on policy t_all on public.t is null;
        comment on trigger t_touch on public.t is null; comment on index public.t_b_idx is null;
        comment on constraint child_pkey on public.child is null;
        comment on rule t_rule on public.child is null""",
        """+ comment column public.t.a, + comment policy public.t.t_all,
        + comment trigger public.t.t_touch, + comment index public.t.t_b_idx,
        + comment constraint public.child.child_pkey, + comment rule public.child.t_rule""",
    ),
    "comments on objects without a fact of their own": M(
        """comment on index public.child_pkey is 'x';
        comment on sequence public.t_id_seq is 'x'""",
        """comment on index public.child_pkey is null;
        comment on sequence public.t_id_seq is null""",
        "+ comment index public.child.child_pkey, + comment sequence public.t_id_seq",
    ),
    "comments on types and routines": M(
        """comment on type public.mood is 'x'; comment on domain public.email is 'x';
        comment on function public.f(int) is 'x'; comment on schema side is 'x';
        comment on extension plpgsql is 'x'""",
        """comment on type public.mood is null; comment on domain public.email is null;
        comment on function public.f(int) is null; comment on schema side is null;
        comment on extension plpgsql is null""",
        """+ comment enum public.mood, + comment domain public.email,
        + comment function public.f(integer), + comment schema side""",
    ),
    "hostile names": M(
        """alter table public."Odd.T ""x"" y" alter "Col.umn" set default 1;
        create index "in.dex" on public."Odd.T ""x"" y" ("to b");
        grant select ("to b") on public."Odd.T ""x"" y" to anon""",
        """alter table public."Odd.T ""x"" y" alter "Col.umn" drop default;
        drop index public."in.dex"; revoke select ("to b") on public."Odd.T ""x"" y" from anon""",
        """~ column public."Odd.T ""x"" y"."Col.umn", + index public."Odd.T ""x"" y"."in.dex",
        + grant column public."Odd.T ""x"" y"."to b" to anon""",
    ),
    "owner of a view": owner("view public.v"),
    "owner of a materialized view": owner("materialized view public.mv"),
    "owner of a foreign table": owner("foreign table public.ft"),
    "owner of a sequence": owner("sequence public.s"),
    "owner of a procedure": owner("procedure public.p()"),
    "owner of a aggregate": owner("aggregate public.agg(int)", "aggregate public.agg(integer)"),
    "owner of a enum": owner("type public.mood", "enum public.mood"),
    "owner of a domain": owner("domain public.email"),
    "owner of a composite type": owner("type public.twin", "composite type public.twin"),
    "owner of a range type": owner("type public.span", "range type public.span"),
    "owner of a base type": owner("type public.raw"),
    "owner of a language": owner("language ground_language"),
    "owner of a publication": owner("publication pub"),
    "owner of a server": owner("server elsewhere"),
    "owner of a collation": owner("collation public.coll"),
    "owner of a conversion": owner("conversion public.ground_conversion"),
    "owner of a operator": owner(
        "operator public.<<< (int, int)", "operator public.<<<(integer,integer)"
    ),
    "owner of a operator family": owner(
        "operator family public.fam using btree", "operator family public.fam USING btree"
    ),
    "owner of a operator class": owner(
        "operator class public.texts using btree", "operator class public.texts USING btree"
    ),
    "owner of a statistics": owner("statistics public.st", "statistics object public.st"),
    "owner of a text search configuration": owner("text search configuration public.cfg"),
    "owner of a text search dictionary": owner("text search dictionary public.dict"),
    "owner of a wrapper": superuser("foreign data wrapper nowhere", "foreign-data wrapper nowhere"),
    "owner of an event trigger": superuser("event trigger watch"),
    "comment on view public.v": comment("view public.v"),
    "comment on materialized view public.mv": comment("materialized view public.mv"),
    "comment on foreign table public.ft": comment("foreign table public.ft"),
    "comment on sequence public.s": comment("sequence public.s"),
    "comment on procedure public.p()": comment("procedure public.p()"),
    "comment on aggregate public.agg(int)": comment(
        "aggregate public.agg(int)", "aggregate public.agg(integer)"
    ),
    "comment on constraint filled on domain public.code": comment(
        "constraint filled on domain public.code", "constraint public.code.filled"
    ),
    "comment on column public.v.a": comment("column public.v.a"),
    "comment on column public.pair.x": comment("column public.pair.x"),
    "comment on type public.twin": comment("type public.twin", "composite type public.twin"),
    "comment on type public.span": comment("type public.span", "range type public.span"),
    "comment on type public.raw": comment("type public.raw"),
    "comment on type public.base": comment("type public.base"),
    "comment on type public.span_multirange": comment("type public.span_multirange"),
    "comment on publication pub": comment("publication pub"),
    "comment on server elsewhere": comment("server elsewhere"),
    "comment on foreign data wrapper nowhere": comment(
        "foreign data wrapper nowhere", "foreign-data wrapper nowhere"
    ),
    "comment on event trigger watch": comment("event trigger watch"),
    "comment on collation public.coll": comment("collation public.coll"),
    "comment on conversion public.ground_conversion": comment(
        "conversion public.ground_conversion"
    ),
    "comment on access method ground_method": comment("access method ground_method"),
    "comment on language ground_language": comment("language ground_language"),
    "comment on transform for bigint language plpgsql": comment(
        "transform for bigint language plpgsql"
    ),
    "comment on cast (public.mood as int)": comment(
        "cast (public.mood as int)", "cast (public.mood AS integer)"
    ),
    "comment on operator public.<<< (int, int)": comment(
        "operator public.<<< (int, int)", "operator public.<<<(integer,integer)"
    ),
    "comment on operator family public.fam using btree": comment(
        "operator family public.fam using btree", "operator family public.fam USING btree"
    ),
    "comment on operator class public.texts using btree": comment(
        "operator class public.texts using btree", "operator class public.texts USING btree"
    ),
    "comment on statistics public.st": comment(
        "statistics public.st", "statistics object public.st"
    ),
    "comment on text search configuration public.cfg": comment(
        "text search configuration public.cfg"
    ),
    "comment on text search dictionary public.dict": comment("text search dictionary public.dict"),
    "comment on text search parser public.ground_parser": comment(
        "text search parser public.ground_parser"
    ),
    "comment on text search template public.ground_template": comment(
        "text search template public.ground_template"
    ),
    "comment on index public.day_1_n_idx": comment(
        "index public.day_1_n_idx", "index public.day_1.day_1_n_idx"
    ),
    "comment on constraint days_fkey on public.day_1": comment(
        "constraint days_fkey on public.day_1", "constraint public.day_1.days_fkey"
    ),
    "comment on trigger days_touch on public.day_1": comment(
        "trigger days_touch on public.day_1", "trigger public.day_1.days_touch"
    ),
    "comment on constraint first_o_check on public.mixed": comment(
        "constraint first_o_check on public.mixed", "constraint public.mixed.first_o_check"
    ),
    "comment on not null": M(
        """alter table public.ref add constraint x_there not null x;
        comment on constraint x_there on public.ref is 'x'""",
        "alter table public.ref alter x drop not null",
        "~ column public.ref.x, + comment constraint public.ref.x_there",
        since=18,
    ),
    "comment on a rule of a view": M(
        """comment on rule "_RETURN" on public.v is 'x'""",
        """comment on rule "_RETURN" on public.v is null""",
        '+ comment rule public.v."_RETURN"',
    ),
    "comment on a policy of a platform's table": M(
        """create policy mine on storage.objects;
        comment on policy mine on storage.objects is 'x'""",
        "drop policy mine on storage.objects",
        "+ policy storage.objects.mine, + comment policy storage.objects.mine",
    ),
}
