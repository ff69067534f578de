"""Operators, their classes and families, casts."""

from .mutation import M, Mutation, remade

LESS = "create operator public.<<< (leftarg = int, rightarg = int, function = int4lt)"
MORE = "create operator public.>>> (leftarg = int, rightarg = int, function = int4gt)"
TEXTS = """create operator class public.texts for type text using btree family public.fam as
  operator 1 <"""


def cast(definition: str) -> Mutation:
    """Another definition of a cast."""
    return remade(
        "drop cast (public.mood as int)",
        "create cast (public.mood as int) with function public.mood_int(public.mood)",
        f"create cast (public.mood as int) {definition}",
        "~ cast (public.mood AS integer)",
    )


def less(definition: str) -> Mutation:
    """An operator with other parameters."""
    return remade(
        "drop operator public.<<< (int, int)",
        LESS,
        f"create operator public.<<< ({definition})",
        "~ operator public.<<<(integer,integer)",
    )


def ordering(purpose: str) -> Mutation:
    """Another purpose of an operator in a family."""
    family = "alter operator family public.near using gist"
    return remade(
        f"{family} drop operator 15 (point, point)",
        f"{family} add operator 15 <-> (point, point) for order by float_ops",
        f"{family} add operator 15 {'<->' if purpose else '~='} (point, point) {purpose}",
        "~ operator of access method operator 15 (pg_catalog.point, pg_catalog.point)"
        " of public.near USING gist",
    )


def points(definition: str, storage: str = "storage point") -> Mutation:
    """Another definition of an operator class."""
    family = "family public.near as"
    return remade(
        "drop operator class public.points using gist",
        f"create operator class public.points for type point using gist {family} storage point",
        f"create operator class public.points {definition} {family} {storage}",
        "~ operator class public.points USING gist",
    )


MUTATIONS = {
    "cast": M(
        "create cast (public.pair as text) with function public.pair_text(public.pair)",
        "drop cast (public.pair as text)",
        "+ cast (public.pair AS pg_catalog.text)",
    ),
    "operator": M(
        """create operator public.=== (leftarg = anyelement, rightarg = anyelement,
        function = public.later)""",
        "drop operator public.=== (anyelement, anyelement)",
        "+ operator public.===(pg_catalog.anyelement,pg_catalog.anyelement)",
    ),
    "operator class": M(
        "create operator class public.ints for type int4 using btree as operator 1 <",
        "drop operator family public.ints using btree",
        """+ operator class public.ints USING btree, + operator family public.ints USING btree,
        + operator of access method operator 1 (integer, integer) of public.ints USING btree""",
    ),
    "cast's context": cast("with function public.mood_int(public.mood) as assignment"),
    "cast's method": cast("with inout"),
    "cast's function": cast("with function public.mood_int_2(public.mood)"),
    "operator's function": less("leftarg = int, rightarg = int, function = int4le"),
    "operator's restriction": M(
        "alter operator public.<<< (int, int) set (restrict = scalarltsel)",
        "alter operator public.<<< (int, int) set (restrict = none)",
        "~ operator public.<<<(integer,integer)",
    ),
    "operator's join": M(
        "alter operator public.<<< (int, int) set (join = scalarltjoinsel)",
        "alter operator public.<<< (int, int) set (join = none)",
        "~ operator public.<<<(integer,integer)",
    ),
    "operator, hashes": less("leftarg = int, rightarg = int, function = int4lt, hashes"),
    "operator, merges": less("leftarg = int, rightarg = int, function = int4lt, merges"),
    "operator's commutator": less(
        "leftarg = int, rightarg = int, function = int4lt, commutator = operator(public.<<<)"
    ),
    "operator's commutator and its own": M(
        """drop operator public.<<< (int, int); create operator public.<<<
          (leftarg = int, rightarg = int, function = int4lt, commutator = operator(public.>>>))""",
        f"drop operator public.<<< (int, int); drop operator public.>>> (int, int); {LESS}; {MORE}",
        """~ operator public.<<<(integer,integer),
        ~ operator public.>>>(integer,integer)""",
    ),
    "operator's negator": M(
        """drop operator public.<<< (int, int); create operator public.<<<
          (leftarg = int, rightarg = int, function = int4lt, negator = operator(public.>>>))""",
        f"drop operator public.<<< (int, int); drop operator public.>>> (int, int); {LESS}; {MORE}",
        """~ operator public.<<<(integer,integer),
        ~ operator public.>>>(integer,integer)""",
    ),
    "operator's result": M(
        """drop operator public.<<< (int, int);
        create operator public.<<< (leftarg = int, rightarg = int, function = int4pl)""",
        f"drop operator public.<<< (int, int); {LESS}",
        "~ operator public.<<<(integer,integer)",
    ),
    "operator before its operand": M(
        "create operator public.!!! (rightarg = int, function = int4um)",
        "drop operator public.!!! (none, int)",
        "+ operator public.!!!(NONE,integer)",
    ),
    "operator family's operator": M(
        """alter operator family public.fam using btree drop operator 1 (int4, int4);
        alter operator family public.fam using btree add operator 1 > (int4, int4)""",
        """alter operator family public.fam using btree drop operator 1 (int4, int4);
        alter operator family public.fam using btree add operator 1 < (int4, int4)""",
        "~ operator of access method operator 1 (integer, integer) of public.fam USING btree",
    ),
    "operator family's function": M(
        """alter operator family public.fam using btree drop function 1 (int4, int4);
        alter operator family public.fam using btree
          add function 1 (int4, int4) public.compare(int4, int4)""",
        """alter operator family public.fam using btree drop function 1 (int4, int4);
        alter operator family public.fam using btree
          add function 1 (int4, int4) btint4cmp(int4, int4)""",
        "~ function of access method function 1 (integer, integer) of public.fam USING btree",
    ),
    "operator that searches": ordering(""),
    "operator that sorts otherwise": ordering("for order by public.fam"),
    "operator class's type": points("for type lseg using gist"),
    "operator class's family": M(
        """drop operator class public.texts using btree;
        create operator family public.fam_2 using btree;
        create operator class public.texts for type text using btree family public.fam_2 as
          operator 1 <""",
        f"drop operator family public.fam_2 using btree cascade; {TEXTS}",
        """~ operator class public.texts USING btree, + operator family public.fam_2 USING btree,
        - operator of access method operator 1 (pg_catalog.text, pg_catalog.text)
        of public.fam USING btree,
        + operator of access method operator 1 (pg_catalog.text, pg_catalog.text)
        of public.fam_2 USING btree""",
    ),
    "operator class's storage": points("for type point using gist", "storage box"),
    "cast of the same bytes": M(
        "create cast (public.raw as int) without function",
        "drop cast (public.raw as int)",
        "+ cast (public.raw AS integer)",
    ),
    "operator class's default": remade(
        "drop operator class public.moods using gist",
        "create operator class public.moods for type public.mood using gist as storage public.mood",
        """create operator class public.moods default for type public.mood using gist
          as storage public.mood""",
        "~ operator class public.moods USING gist",
    ),
}
