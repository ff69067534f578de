"""Whatever `app.py` says next: one revision leads there, nothing is left to say, all of it back."""

from __future__ import annotations

import json
from typing import Any

from generation import NO_CHANGES, write
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from service import Service

# Type → SQL defaults of it.
TYPES = {
    "sa.Integer": ["0", "1 + 1"],
    "sa.BigInteger": ["7"],
    "sa.Text": ["'50%'", "md5(random()::text)", "'12:30 :x'"],
    "sa.String(9)": ["'a'"],
    "sa.Boolean": ["true"],
    "Numeric(12, 2)": ["0", "random() * 10"],
    "sa.DateTime(timezone=True)": ["now()", "now() + interval '1 day'"],
    "sa.Date": ["current_date"],
    "sa.Uuid": ["gen_random_uuid()"],
    "sa.Float": ["random()"],
    "postgresql.JSONB": ["'{\"a\": 1}'"],
    "postgresql.ARRAY(sa.Text)": ["'{}'", "array['%']"],
    "postgresql.INET": ["'127.0.0.1'"],
    "Enum('a', 'b', name='mood')": ["'a'"],
    "Enum('b', 'c', 'a', name='mood')": ["'c'"],
    "postgresql.DOMAIN('amount', sa.Integer, default=text('1'), check='VALUE > 0')": ["7"],
    "postgresql.DOMAIN('amount', sa.BigInteger)": ["7"],
    "Enum('x', 'y', name='KIND', native_enum=False, create_constraint=True)": ["'x'"],
}
NO_INDEX = ("postgresql.JSONB",)
NAMED = ("mood", "amount")
OPTIONS = [
    '{"comment": "ours: 5%"}',
    '{"postgresql_with": {"fillfactor": 70}}',
    '{"postgresql_with": {"autovacuum_enabled": False, "toast.autovacuum_enabled": False}}',
]


@st.composite
def columns(draw: st.DrawFn, name: str, named: dict[str, str]) -> tuple[str, list[str]]:
    """A column, and what of the table's arguments is about it."""
    kind = draw(st.sampled_from(sorted(TYPES)))
    default = draw(st.sampled_from([None, *TYPES[kind]]))
    for each, meant in named.items():
        if f"'{each}'" in kind:
            default = default and draw(st.sampled_from(TYPES[meant]))
            kind = meant
    words = [kind.replace("KIND", name)]
    if default:
        words.append(f"server_default=text({default!r})")
    words.append(f"nullable={draw(st.booleans())}")
    if comment := draw(st.sampled_from([None, None, "it's 50%"])):
        words.append(f"comment={comment!r}")
    more = []
    if kind not in NO_INDEX:
        match draw(st.integers(0, 7)):
            case 0:
                words.append("index=True")
            case 1:
                words.append("unique=True")
            case 2:
                more.append(f'UniqueConstraint("{name}", "id")')
            case 3:
                more.append(f'CheckConstraint("{name} is not null", name="{name}_set")')
            case 4:
                more.append(
                    f'Index("by_{name}", "{name}", postgresql_where=text("{name} is null"))'
                )
            case 5:
                more.append(f'CheckConstraint("{name}::text <> \'100%\'", name="{name}_pct")')
    lines = f"    {name}: Mapped[Any] = mapped_column({', '.join(words)})\n"
    if kind in ("sa.Integer", "sa.Text") and draw(st.booleans()):
        twice = f"{name} || '%'" if kind == "sa.Text" else f"{name} * 2"
        lines += f"    {name}_more: Mapped[Any] = mapped_column({kind}, Computed({twice!r}))\n"
    return lines, more


@st.composite
def tables(draw: st.DrawFn, name: str, others: list[str], named: dict[str, str]) -> str:
    found = [
        draw(columns(f"c{n}", named)) for n in sorted(draw(st.sets(st.integers(0, 3), min_size=1)))
    ]
    lines = "".join(column for column, _ in found)
    for other in others:
        if draw(st.booleans()):
            lines += f"    {other}_id: Mapped[Any] = mapped_column(sa.Uuid, {_key(draw, other)})\n"
    more = [each.replace("by_", f"{name}_by_") for _, about in found for each in about]
    arguments = "".join(f"        {each},\n" for each in more)
    options = draw(st.sampled_from(["{}", "{}", *OPTIONS]))
    return (
        f"\n\nclass {name.title()}(UUIDKey, AppBase):\n"
        f'    __tablename__ = "{name}"\n\n{lines}'
        f"\n    __table_args__ = (\n{arguments}        {options},\n    )\n"
    )


def _key(draw: st.DrawFn, other: str) -> str:
    action = draw(st.sampled_from(["", ', ondelete="CASCADE"', ", deferrable=True"]))
    return f'ForeignKey("{other}.id"{action})'


@st.composite
def apps(draw: st.DrawFn) -> str:
    """A whole `app.py`: up to three tables, which may refer to each other in a circle."""
    names = sorted(draw(st.sets(st.sampled_from(["one", "two", "six"]), min_size=1)))
    named = {
        each: draw(st.sampled_from([kind for kind in sorted(TYPES) if f"'{each}'" in kind]))
        for each in NAMED
    }
    return "from typing import Any\n" + "".join(draw(tables(n, names, named)) for n in names)


@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def _evolve(service: Service, data: Any) -> None:
    write(service, data.draw(apps()))
    service.invoke("db.gen", "-m", "change")
    told = service.invoke("db.gen", "-m", "again")
    assert told.out == NO_CHANGES, service.revisions()[-1].read_text() + told.text


def test_one_revision_leads_to_whatever_app_py_says_next_and_back(service: Service) -> None:
    nowhere = service.env["DATABASE_URL"].replace("/test_", "/gone_")
    alone = Service(service.folder, service.env | {"DATABASE_URL": nowhere})
    _evolve(alone)
    told = json.loads(service.invoke("db.check", "--json", code=None).out)
    assert [f for f in told["findings"] if f["check"] in ("replay", "reversible", "baseline")] == []
