"""Constraints."""

from .mutation import M, Mutation, remade

REF = "references public.ref (x, y)"


def small(definition: str, since: int = 15) -> Mutation:
    """Another definition of a check."""
    return remade(
        "alter table public.link drop constraint small",
        "alter table public.link add constraint small check (x < 10)",
        f"alter table public.link add constraint small {definition}",
        "~ constraint public.link.small",
        since,
    )


def link_fkey(definition: str, columns: str = "(x, y)", since: int = 15) -> Mutation:
    """Another definition of a foreign key."""
    add = "alter table public.link add constraint link_fkey foreign key"
    return remade(
        "alter table public.link drop constraint link_fkey",
        f"{add} (x, y) {REF}",
        f"{add} {columns} {definition}",
        "~ constraint public.link.link_fkey",
        since,
    )


def keyed(definition: str) -> Mutation:
    """A key of another kind."""
    add = "alter table public.keyed add constraint keyed_key"
    return remade(
        "alter table public.keyed drop constraint keyed_key",
        f"{add} unique (x)",
        f"{add} {definition}",
        "~ constraint public.keyed.keyed_key",
    )


def ref_key(definition: str) -> Mutation:
    """Another definition of the key that a foreign key needs, which is taken off meanwhile."""
    return remade(
        "alter table public.ref drop constraint ref_x_y_key cascade",
        f"""alter table public.ref add constraint ref_x_y_key unique (x, y);
        alter table public.link add constraint link_fkey foreign key (x, y) {REF}""",
        f"alter table public.ref add constraint ref_x_y_key {definition}",
        "~ constraint public.ref.ref_x_y_key, - constraint public.link.link_fkey",
    )


MUTATIONS = {
    "check": M(
        "alter table public.t add constraint positive check (a > 0)",
        "alter table public.t drop constraint positive",
        "+ constraint public.t.positive",
    ),
    "check not valid": M(
        """alter table public.t add constraint positive check (a > 0);
        alter table public.t drop constraint positive;
        alter table public.t add constraint positive check (a > 0) not valid""",
        "alter table public.t drop constraint positive",
        "+ constraint public.t.positive",
    ),
    "check on a parent": M(
        "alter table public.base add constraint positive check (id > 0)",
        "alter table public.base drop constraint positive",
        "+ constraint public.base.positive",
    ),
    "unique": M(
        "alter table public.t add constraint one unique nulls not distinct (b)",
        "alter table public.t drop constraint one",
        "+ constraint public.t.one",
    ),
    "primary key of a partitioned table": M(
        "alter table public.parted add constraint parted_pkey primary key (k)",
        """alter table public.parted drop constraint parted_pkey;
        alter table public.part_1 alter k set not null""",
        "+ constraint public.parted.parted_pkey",
    ),
    "exclusion": M(
        "alter table public.t add constraint apart exclude using gist (during with &&)",
        "alter table public.t drop constraint apart",
        "+ constraint public.t.apart",
    ),
    "foreign key action": M(
        """alter table public.child drop constraint child_t_fkey;
        alter table public.child add constraint child_t_fkey foreign key (t_id)
          references public.t (id) on delete cascade""",
        """alter table public.child drop constraint child_t_fkey;
        alter table public.child add constraint child_t_fkey foreign key (t_id)
          references public.t (id)""",
        "~ constraint public.child.child_t_fkey",
    ),
    "deferrable": M(
        "alter table public.child alter constraint child_t_fkey deferrable initially deferred",
        "alter table public.child alter constraint child_t_fkey not deferrable",
        "~ constraint public.child.child_t_fkey",
    ),
    "foreign key of a partitioned table": M(
        "alter table public.parted add constraint fk foreign key (id) references public.child",
        "alter table public.parted drop constraint fk",
        "+ constraint public.parted.fk",
    ),
    "constraint rename": M(
        "alter table public.child rename constraint child_pkey to child_key",
        "alter table public.child rename constraint child_key to child_pkey",
        "- constraint public.child.child_pkey, + constraint public.child.child_key",
    ),
    "fillfactor of a key's index": M(
        "alter index public.child_pkey set (fillfactor = 50)",
        "alter index public.child_pkey reset (fillfactor)",
        "~ constraint public.child.child_pkey",
    ),
    "check's expression": small("check (x < 11)"),
    "check not valid yet": small("check (x < 10) not valid"),
    "check of this table alone": small("check (x < 10) no inherit"),
    "check not enforced": small("check (x < 10) not enforced", since=18),
    "check that a parent has, too": M(
        """alter table public.mixed add constraint first_o_check check (o > 0)""",
        """drop table public.mixed;
        create table public.mixed () inherits (public.first, public.second);
        alter table public.mixed add constraint wide check (o < 100)""",
        "+ constraint public.mixed.first_o_check",
    ),
    "check that a parent gets, too": M(
        "alter table public.first add constraint wide check (o < 100)",
        "alter table public.first drop constraint wide",
        "+ constraint public.first.wide, ~ constraint public.mixed.wide",
    ),
    "inherited check validated in the child alone": M(
        """alter table public.second add constraint positive check (w > 0) not valid;
        alter table public.mixed validate constraint positive""",
        "alter table public.second drop constraint positive",
        "+ constraint public.second.positive, + constraint public.mixed.positive",
    ),
    "foreign key's other table": link_fkey("references public.other (x, y)"),
    "foreign key's other columns": link_fkey("references public.ref (y, x)", "(y, x)"),
    "foreign key, on delete set null": link_fkey(f"{REF} on delete set null"),
    "foreign key, on delete set null of one": link_fkey(f"{REF} on delete set null (y)"),
    "foreign key, on delete restrict": link_fkey(f"{REF} on delete restrict"),
    "foreign key, on delete set default": link_fkey(f"{REF} on delete set default"),
    "foreign key, on update cascade": link_fkey(f"{REF} on update cascade"),
    "foreign key, on update set null": link_fkey(f"{REF} on update set null"),
    "foreign key, match full": link_fkey(f"{REF} match full"),
    "foreign key, deferrable": link_fkey(f"{REF} deferrable"),
    "foreign key, initially deferred": link_fkey(f"{REF} initially deferred"),
    "foreign key not valid": link_fkey(f"{REF} not valid"),
    "foreign key not enforced": link_fkey(f"{REF} not enforced", since=18),
    "foreign key over periods": M(
        """alter table public.link add during_2 int4range, add n int4range;
        create table public.stay (id int4range, at int4range,
          primary key (id, at without overlaps));
        alter table public.link add constraint stay_fkey
          foreign key (n, period during_2) references public.stay (id, period at)""",
        "alter table public.link drop n, drop during_2; drop table public.stay",
        """+ column public.link.during_2, + column public.link.n,
        + constraint public.link.stay_fkey,
        + column public.stay.at, + column public.stay.id, + constraint public.stay.stay_pkey,
        + table public.stay""",
        since=18,
    ),
    "unique, deferrable": ref_key("unique (x, y) deferrable"),
    "unique, initially deferred": ref_key("unique (x, y) initially deferred"),
    "unique, nulls not distinct": ref_key("unique nulls not distinct (x, y)"),
    "unique, including": ref_key("unique (x, y) include (code)"),
    "unique, columns in another order": ref_key("unique (y, x)"),
    "exclusion's operator and predicate": remade(
        "alter table public.link drop constraint if exists apart",
        "select",
        """alter table public.link add constraint apart
          exclude using gist (during with -|-) where (x > 1)""",
        "+ constraint public.link.apart",
    ),
    "triggers of a foreign key disabled": M(
        "alter table public.link disable trigger all",
        "alter table public.link enable trigger all",
        "~ constraint public.link.link_fkey",
    ),
    "triggers of a foreign key disabled in the other table": M(
        "alter table public.ref disable trigger all",
        "alter table public.ref enable trigger all",
        "~ constraint public.link.link_fkey, ~ constraint public.days.days_fkey",
    ),
    "triggers of a partition's foreign key disabled": M(
        "alter table public.day_1 disable trigger all",
        "alter table public.day_1 enable trigger all",
        "+ constraint public.day_1.days_fkey, + trigger public.day_1.days_touch",
    ),
    "fillfactor of a partition's key": M(
        "alter index public.day_1_pkey set (fillfactor = 50)",
        "alter index public.day_1_pkey reset (fillfactor)",
        "+ constraint public.day_1.day_1_pkey",
    ),
    "partition clustered on its key": M(
        "alter table public.day_1 cluster on day_1_pkey",
        "alter table public.day_1 set without cluster",
        "+ constraint public.day_1.day_1_pkey",
    ),
    "domain's check": M(
        """alter domain public.code drop constraint filled;
        alter domain public.code add constraint filled check (value <> 'x')""",
        """alter domain public.code drop constraint filled;
        alter domain public.code add constraint filled check (value <> '')""",
        "~ constraint public.code.filled",
    ),
    "domain's check not valid": M(
        """alter domain public.code drop constraint filled;
        alter domain public.code add constraint filled check (value <> '') not valid""",
        """alter domain public.code drop constraint filled;
        alter domain public.code add constraint filled check (value <> '')""",
        "~ constraint public.code.filled",
    ),
    "unique without overlaps": remade(
        "alter table public.slots drop constraint slots_key",
        "alter table public.slots add constraint slots_key unique (id, during)",
        "alter table public.slots add constraint slots_key unique (id, during without overlaps)",
        "~ constraint public.slots.slots_key",
        since=18,
    ),
    "index of a partitioned table's key, not attached": M(
        """create table public.years (n int not null) partition by list (n);
        alter table only public.years add constraint years_pkey primary key (n);
        create table public.year_1 (n int primary key)""",
        "drop table public.years, public.year_1",
        """+ table public.years, + column public.years.n, + table public.year_1,
        + column public.year_1.n, + constraint public.years.years_pkey,
        + constraint public.year_1.year_1_pkey""",
    ),
    "unique to primary": keyed("primary key (x)"),
    "unique to exclusion": keyed("exclude using btree (x with =)"),
    "exclusion's operator": remade(
        "alter table public.gap drop constraint gap_excl",
        """alter table public.gap add constraint gap_excl
          exclude using gist (during with &&)""",
        """alter table public.gap add constraint gap_excl
          exclude using gist (during with -|-)""",
        "~ constraint public.gap.gap_excl",
    ),
    "exclusion's predicate": remade(
        "alter table public.gap drop constraint gap_excl",
        """alter table public.gap add constraint gap_excl
          exclude using gist (during with &&)""",
        """alter table public.gap add constraint gap_excl
          exclude using gist (during with &&) where (label = 'x')""",
        "~ constraint public.gap.gap_excl",
    ),
}
