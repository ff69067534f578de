"""Schemas, extensions, text search, and the kinds that are rarely made."""

from .mutation import M, Mutation, listed, remade


def st(definition: str) -> Mutation:
    """Another definition of extended statistics."""
    return remade(
        "drop statistics public.st",
        "create statistics public.st (dependencies) on a, b from public.t",
        f"create statistics public.st {definition}",
        "~ statistics object public.st",
    )


def coll(definition: str, since: int = 15) -> Mutation:
    """A collation with other parameters."""
    return remade(
        "drop collation public.coll",
        "create collation public.coll (locale = 'C')",
        f"create collation public.coll ({definition})",
        "~ collation public.coll",
        since,
    )


def catalogued(change: str, since: int = 15) -> Mutation:
    """A property of a collation that only a server with ICU can be asked for."""
    column = change.partition(" ")[0]
    back = {"collisdeterministic": "true", "collicurules": "null", "collprovider": "'c'"}[column]
    update = """set local allow_system_table_mods = on;
      update pg_catalog.pg_collation set %s where collname = 'coll'"""
    return M(update % change, update % f"{column} = {back}", "~ collation public.coll", since)


ICU_LOCALE = """set local allow_system_table_mods = on;
do $$ begin execute (
  select format('update pg_catalog.pg_collation set %%I = %%L', attname, %s) ||
    $x$ where collname = 'coll'$x$
  from pg_attribute
  where attrelid = 'pg_collation'::regclass and attname in ('colllocale', 'colliculocale')
); end $$"""


def conversion(default: str, function: str) -> Mutation:
    """Another definition of a conversion."""
    create = "create %sconversion public.ground_conversion for 'LATIN1' to 'UTF8' from %s"
    return remade(
        "drop conversion public.ground_conversion",
        create % ("", "iso8859_1_to_utf8"),
        create % (default, function),
        "~ conversion public.ground_conversion",
    )


def method(definition: str) -> Mutation:
    """Another definition of an access method."""
    return remade(
        "drop access method ground_method",
        "create access method ground_method type index handler bthandler",
        f"create access method ground_method type {definition}",
        "~ access method ground_method",
    )


def language(definition: str) -> Mutation:
    """Another definition of a language."""
    return remade(
        "drop language ground_language",
        "create language ground_language handler public.handler",
        f"create {definition}",
        "~ language ground_language",
    )


def transform(definition: str) -> Mutation:
    """Another definition of a transform."""
    return remade(
        "drop transform for bigint language plpgsql",
        """create transform for bigint language plpgsql
          (from sql with function public.ground_into_sql(internal))""",
        f"create transform for bigint language plpgsql ({definition})",
        "~ transform for bigint language plpgsql",
    )


PARSER = {
    "start": "prsd_start",
    "gettoken": "prsd_nexttoken",
    "end": "prsd_end",
    "lextypes": "prsd_lextype",
}


def parser(**changes: str) -> Mutation:
    """A parser with other functions."""
    create = "create text search parser public.ground_parser (%s)"
    return remade(
        "drop text search parser public.ground_parser",
        create % listed(PARSER),
        create % listed(PARSER | changes),
        "~ text search parser public.ground_parser",
    )


MUTATIONS = {
    "schema": M("create schema extra", "drop schema extra", "+ schema extra"),
    "statistics": M(
        "alter statistics public.st set statistics 400",
        "alter statistics public.st set statistics -1",
        "~ statistics object public.st",
    ),
    "text search configuration": M(
        "alter text search configuration public.cfg drop mapping for email",
        "alter text search configuration public.cfg add mapping for email with simple",
        "~ text search configuration public.cfg",
    ),
    "text search dictionary": M(
        "alter text search dictionary public.dict (accept = false)",
        "alter text search dictionary public.dict (accept)",
        "~ text search dictionary public.dict",
    ),
    "text search parser and template": M(
        """create text search template public.tmpl (lexize = dsimple_lexize);
        create text search parser public.prs (start = prsd_start, gettoken = prsd_nexttoken,
          end = prsd_end, lextypes = prsd_lextype)""",
        "drop text search template public.tmpl; drop text search parser public.prs",
        "+ text search template public.tmpl, + text search parser public.prs",
    ),
    "collation": M(
        "create collation public.numeric_order (locale = 'POSIX')",
        "drop collation public.numeric_order",
        "+ collation public.numeric_order",
    ),
    "conversion": M(
        "create conversion public.conv for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8",
        "drop conversion public.conv",
        "+ conversion public.conv",
    ),
    "access method": M(
        "create access method heap2 type table handler heap_tableam_handler",
        "drop access method heap2",
        "+ access method heap2",
    ),
    "language": M(
        "create language pl2 handler plpgsql_call_handler",
        "drop language pl2",
        "+ language pl2, + grant language pl2 to public",
    ),
    "transform": M(
        """create function public.into_sql(internal) returns internal
          language internal immutable as 'prsd_start';
        create transform for int language plpgsql
          (from sql with function public.into_sql(internal))""",
        """drop transform for int language plpgsql; drop function public.into_sql(internal)""",
        """+ transform for integer language plpgsql, + function public.into_sql(internal),
        + grant function public.into_sql(internal) to public""",
    ),
    "schema rename": M(
        "alter schema side rename to aside",
        "alter schema aside rename to side",
        """- schema side, - publication schema wide side,
        - default privileges for postgres in schema side on tables,
        - grant default privileges for postgres in schema side on tables to anon,
        + schema aside, + publication schema wide aside,
        + default privileges for postgres in schema aside on tables,
        + grant default privileges for postgres in schema aside on tables to anon""",
    ),
    "statistics' kinds": st("(ndistinct) on a, b from public.t"),
    "statistics' columns": st("(dependencies) on a, c from public.t"),
    "statistics' expressions": st("(dependencies) on a, (a + 1) from public.t"),
    "statistics' table": st("(dependencies) on x, y from public.ref"),
    "collation's collate": coll("lc_collate = 'POSIX', lc_ctype = 'C'"),
    "collation's ctype": coll("lc_collate = 'C', lc_ctype = 'POSIX'"),
    "collation's provider": coll("provider = builtin, locale = 'C'", since=17),
    "collation's locale": M(
        """drop collation public.coll;
        create collation public.coll (provider = builtin, locale = 'C.UTF-8')""",
        "drop collation public.coll; create collation public.coll (locale = 'C')",
        "~ collation public.coll",
        since=17,
    ),
    "conversion, default": conversion("default ", "iso8859_1_to_utf8"),
    "conversion's function": conversion("", "public.convert"),
    "conversion's encodings": M(
        """drop conversion public.ground_conversion;
        create conversion public.ground_conversion for 'LATIN2' to 'UTF8' from iso8859_to_utf8""",
        """drop conversion public.ground_conversion;
        create conversion public.ground_conversion for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8""",
        "~ conversion public.ground_conversion",
    ),
    "conversion's target": M(
        """drop conversion public.ground_conversion;
        create conversion public.ground_conversion for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1""",
        """drop conversion public.ground_conversion;
        create conversion public.ground_conversion for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8""",
        "~ conversion public.ground_conversion",
    ),
    "access method's handler": method("index handler hashhandler"),
    "access method's type": method("table handler heap_tableam_handler"),
    "language, trusted": language("trusted language ground_language handler public.handler"),
    "language's handler": language("language ground_language handler plpgsql_call_handler"),
    "language's inline": language(
        "language ground_language handler public.handler inline plpgsql_inline_handler"
    ),
    "language's validator": language(
        "language ground_language handler public.handler validator plpgsql_validator"
    ),
    "transform's other direction": transform(
        "from sql with function public.ground_into_sql(internal), "
        "to sql with function public.from_sql(internal)"
    ),
    "transform's function": transform("from sql with function public.ground_into_sql_2(internal)"),
    "configuration's mapping": M(
        "alter text search configuration public.cfg alter mapping for email with english_stem",
        "alter text search configuration public.cfg alter mapping for email with simple",
        "~ text search configuration public.cfg",
    ),
    "configuration's order": M(
        """alter text search configuration public.cfg
          alter mapping for word with simple, english_stem;
        alter text search configuration public.cfg drop mapping for email""",
        """alter text search configuration public.cfg alter mapping for word with simple;
        alter text search configuration public.cfg add mapping for email with simple""",
        "~ text search configuration public.cfg",
    ),
    "configuration's parser": M(
        """drop text search configuration public.cfg_2;
        create text search configuration public.cfg_2 (parser = public.ground_parser)""",
        """drop text search configuration public.cfg_2;
        create text search configuration public.cfg_2 (parser = default)""",
        "~ text search configuration public.cfg_2",
    ),
    "dictionary's template": M(
        """drop text search dictionary public.dict;
        create text search dictionary public.dict (template = public.ground_template)""",
        """drop text search dictionary public.dict;
        create text search dictionary public.dict (template = simple)""",
        "~ text search dictionary public.dict",
    ),
    "template's functions": M(
        """drop text search template public.ground_template;
        create text search template public.ground_template (lexize = dispell_lexize)""",
        """drop text search template public.ground_template;
        create text search template public.ground_template (lexize = dsimple_lexize)""",
        "~ text search template public.ground_template",
    ),
    "template's first function": M(
        """drop text search template public.ground_template;
        create text search template public.ground_template
          (init = dsimple_init, lexize = dsimple_lexize)""",
        """drop text search template public.ground_template;
        create text search template public.ground_template (lexize = dsimple_lexize)""",
        "~ text search template public.ground_template",
    ),
    "parser's start": parser(start="public.prs_start"),
    "parser's token": parser(gettoken="public.prs_token"),
    "parser's end": parser(end="public.prs_end"),
    "parser's types": parser(lextypes="public.prs_types"),
    "parser's headline": parser(headline="prsd_headline"),
    "collation, not deterministic": catalogued("collisdeterministic = false"),
    "collation's rules": catalogued("collicurules = '&a < b'", since=16),
    "collation of ICU": catalogued("collprovider = 'i'"),
    "collation's locale in ICU": M(
        ICU_LOCALE % "'de'",
        ICU_LOCALE % "null",
        "~ collation public.coll",
    ),
}
