"""Enums, domains, composite types, range types, base types."""

from pathlib import Path

from .mutation import M, Mutation, remade


def short(definition: str) -> Mutation:
    """A domain on another type."""
    return remade(
        "drop domain public.short",
        "create domain public.short as varchar(9)",
        f"create domain public.short as {definition}",
        "~ domain public.short",
    )


def span(definition: str, before: str = "subtype = float8") -> Mutation:
    """A range with other parameters."""
    name = "span" if before == "subtype = float8" else "words"
    return remade(
        f"drop type public.{name}",
        f"create type public.{name} as range ({before})",
        f"create type public.{name} as range ({definition})",
        f"~ range type public.{name}",
    )


RAW = Path(__file__).with_name("raw.sql").read_text()
PARAMETERS = "input = public.raw_in, output = public.raw_out, like = int4"


def raw(definition: str, input: str = "public.raw_in", output: str = "public.raw_out") -> Mutation:
    """A base type with other parameters; its functions fall with it."""
    return remade(
        "drop type public.raw cascade",
        RAW,
        RAW.replace(PARAMETERS, f"input = {input}, output = {output}, {definition}"),
        "~ type public.raw",
    )


def altered_raw(change: str) -> Mutation:
    """A base type's function, and none."""
    what = change.partition(" ")[0]
    return M(
        f"alter type public.raw set ({change})",
        f"alter type public.raw set ({what} = none)",
        "~ type public.raw",
    )


MUTATIONS = {
    "enum": M(
        "create type public.size as enum ('s', 'm')",
        "drop type public.size",
        "+ enum public.size, + grant enum public.size to public",
    ),
    "enum label renamed": M(
        "alter type public.mood rename value 'sad' to 'blue'",
        "alter type public.mood rename value 'blue' to 'sad'",
        "~ enum public.mood",
    ),
    "domain check": M(
        "alter domain public.email add constraint has_at check (value like '%@%')",
        "alter domain public.email drop constraint has_at",
        "+ constraint public.email.has_at",
    ),
    "domain default and not null": M(
        "alter domain public.email set default 'a@b'; alter domain public.email set not null",
        "alter domain public.email drop default; alter domain public.email drop not null",
        "~ domain public.email",
    ),
    "composite type": M(
        "alter type public.pair add attribute z date",
        "alter type public.pair drop attribute z",
        "~ composite type public.pair, + column public.pair.z",
    ),
    "composite type's attribute": M(
        "alter type public.pair alter attribute y type varchar(9)",
        "alter type public.pair alter attribute y type text",
        "~ column public.pair.y",
    ),
    "range type": M(
        "create type public.dates as range (subtype = date)",
        "drop type public.dates",
        "+ range type public.dates, + grant range type public.dates to public",
    ),
    "base type": M(
        "create type public.shell",
        "drop type public.shell",
        "+ type public.shell, + grant type public.shell to public",
    ),
    "enum value added": M(
        "alter type public.tone add value 'glad' before 'happy'",
        "drop type public.tone; create type public.tone as enum ('sad', 'happy')",
        "~ enum public.tone",
    ),
    "domain's type": short("text"),
    "domain's length": short("varchar(10)"),
    "domain over an array": short("varchar(9)[]"),
    "domain's collation": short('varchar(9) collate "C"'),
    "domain's default": M(
        "alter domain public.short set default 'x'",
        "alter domain public.short drop default",
        "~ domain public.short",
    ),
    "domain not null": M(
        "alter domain public.short set not null",
        "alter domain public.short drop not null",
        "~ domain public.short",
    ),
    "composite type's attribute dropped": M(
        "alter type public.twin drop attribute b",
        "alter type public.twin add attribute b text",
        "~ composite type public.twin, - column public.twin.b",
    ),
    "composite type's order": M(
        "drop type public.twin; create type public.twin as (b text, a int)",
        "drop type public.twin; create type public.twin as (a int, b text)",
        "~ composite type public.twin",
    ),
    "composite type's collation": M(
        'alter type public.twin alter attribute b type text collate "C"',
        "alter type public.twin alter attribute b type text",
        "~ column public.twin.b",
    ),
    "range's subtype": span("subtype = float4"),
    "range's collation": span('subtype = text, collation = "C"', "subtype = text"),
    "range's operator class": span(
        "subtype = text, subtype_opclass = text_pattern_ops", "subtype = text"
    ),
    "range's difference": span("subtype = float8, subtype_diff = public.sub"),
    "range's multirange": span("subtype = float8, multirange_type_name = spans"),
    "range's canonical function": M(
        """drop type public.span; create type public.span;
        create function public.canon(public.span) returns public.span
          language internal immutable strict as 'int4range_canonical';
        create type public.span as range (subtype = float8, canonical = public.canon)""",
        "drop type public.span cascade; create type public.span as range (subtype = float8)",
        """~ range type public.span, + function public.canon(public.span),
        + grant function public.canon(public.span) to public""",
    ),
    "base type's length": raw("like = int8"),
    "base type's category": raw("like = int4, category = 'N'"),
    "base type, preferred": raw("like = int4, preferred = true"),
    "base type's default": raw("like = int4, default = '7'"),
    "base type's delimiter": raw("like = int4, delimiter = ';'"),
    "base type's element": raw(
        "like = int4, element = int2, subscript = raw_array_subscript_handler"
    ),
    "base type's alignment": raw(
        "like = int8, alignment = int4, passedbyvalue = false, internallength = 8"
    ),
    "base type by reference": raw("internallength = 4"),
    "base type's collation": raw("like = int4, collatable = true"),
    "base type's storage": raw("internallength = variable, storage = extended"),
    "base type's input": raw("like = int4", "public.raw_in_2"),
    "base type's output": raw("like = int4", output="public.raw_out_2"),
    "base type's receiving": altered_raw("receive = public.raw_receive"),
    "base type's sending": altered_raw("send = public.raw_send"),
    "base type's modifier in": altered_raw("typmod_in = varchartypmodin"),
    "base type's modifier out": altered_raw("typmod_out = varchartypmodout"),
    "base type's analysis": altered_raw("analyze = ts_typanalyze"),
    "base type's subscripting": altered_raw("subscript = raw_array_subscript_handler"),
    "enum's order": remade(
        "drop type public.tone",
        "create type public.tone as enum ('sad', 'happy')",
        "create type public.tone as enum ('happy', 'sad')",
        "~ enum public.tone",
    ),
    "enum rename": M(
        "alter type public.tone rename to tones",
        "alter type public.tones rename to tone",
        """- enum public.tone, - grant enum public.tone to public,
        + enum public.tones, + grant enum public.tones to public""",
    ),
    "shell type filled": M(
        "create type public.husk (input = public.husk_in, output = public.husk_out, like = int4)",
        """drop type public.husk cascade; create type public.husk;
        create function public.husk_in(cstring) returns public.husk
          language internal immutable strict as 'int4in';
        create function public.husk_out(public.husk) returns cstring
          language internal immutable strict as 'int4out'""",
        "~ type public.husk",
    ),
    "enum's values and order": remade(
        "drop type public.shade",
        "create type public.shade as enum ('dark', 'grey', 'light')",
        "create type public.shade as enum ('light', 'dark')",
        "~ enum public.shade",
    ),
}
