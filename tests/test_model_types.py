"""`render_models`: types, enums, domains, defaults, identity."""

import pytest
from models_text import fact, lint, render, table


@pytest.mark.parametrize(
    ("type_", "expression", "annotation"),
    [
        ("character varying(20)", "sa.String(20)", "str"),
        ("numeric(10,2)", "sa.Numeric(10, 2)", "Decimal"),
        ("timestamp(3) with time zone", "postgresql.TIMESTAMP(timezone=True, precision=3)", None),
        ("timestamp without time zone", "sa.DateTime", "dt.datetime"),
        ("time with time zone", "sa.Time(timezone=True)", "dt.time"),
        (
            "interval day to second(2)",
            'postgresql.INTERVAL(fields="DAY TO SECOND", precision=2)',
            None,
        ),
        ("interval", "postgresql.INTERVAL", "dt.timedelta"),
        ("bit varying(5)", "postgresql.BIT(5, varying=True)", "postgresql.BitString"),
        ("bit(3)", "BIT(3)", "postgresql.BitString"),
        ("int4range", "postgresql.INT4RANGE", "postgresql.Range[int]"),
        ("datemultirange", "postgresql.DATEMULTIRANGE", "MultiRange[dt.date]"),
        ("integer[]", "postgresql.ARRAY(sa.Integer)", "list[int]"),
        ("point", 'DatabaseType("point")', "str"),
        ('"char"', "DatabaseType('\"char\"')", "str"),
        ("extensions.vector(1536)", "VECTOR(1536)", "list[float]"),
        ("public.sparsevec(5)", "SPARSEVEC(5)", "SparseVector"),
        ("extensions.citext", "postgresql.CITEXT", "str"),
        (
            "extensions.geometry(Point,4326)",
            'DatabaseType("extensions.geometry(Point,4326)")',
            None,
        ),
        ("public.unknown[]", 'DatabaseType("public.unknown[]")', None),
    ],
)
def test_types(type_: str, expression: str, annotation: str | None) -> None:
    text = render(table("public.a", x=type_))
    assert expression in text
    if annotation:
        assert f"x: Mapped[{annotation} | None]" in text
    assert not lint(text)


def test_equal_enums_of_two_schemas() -> None:
    text = render(
        {"enum public.status": fact(labels=["a"]), "enum billing.status": fact(labels=["b"])},
        table("public.a", x="public.status", y="billing.status[]"),
    )
    assert 'STATUS = postgresql.ENUM("a", name="status", create_type=False)' in text
    assert 'BILLING_STATUS = postgresql.ENUM("b", name="status", schema="billing"' in text
    assert "x: Mapped[str | None] = mapped_column(STATUS)" in text
    assert "y: Mapped[list[str] | None] = mapped_column(postgresql.ARRAY(BILLING_STATUS))" in text


def test_a_domain_over_a_domain_comes_after_it() -> None:
    text = render(
        {
            "domain public.a": fact(type="public.b"),
            "domain public.b": fact(type="integer", default="1"),
            "constraint public.b.b_check": fact(type="check", definition="CHECK (VALUE > 0)"),
        },
        table("public.t", x="public.a"),
    )
    assert text.index("\nB = ") < text.index("\nA = ")
    assert "# Domain public.b: integer\n# default 1\n# CHECK (VALUE > 0)\nB = " in text
    assert "x: Mapped[int | None] = mapped_column(A)" in text


def test_a_domain_whose_values_need_converting_is_the_type_beneath() -> None:
    text = render(
        {"domain public.a": fact(type="public.b"), "domain public.b": fact(type="jsonb")},
        table("public.t", x="public.a"),
    )
    assert "\nB = postgresql.JSONB()\n" in text and "\nA = B\n" in text


@pytest.mark.parametrize(
    ("default", "expression"),
    [
        ("now()", 'sa.text("now()")'),
        ("'a'::text", "sa.text(\"'a'::text\")"),
        ("'a:b'::text", "sa.literal_column(\"'a:b'::text\")"),
    ],
)
def test_a_default_binds_nothing(default: str, expression: str) -> None:
    facts = table("public.a") | {"column public.a.x": fact(type="text", default=default)}
    assert f"server_default={expression}" in render(facts)


def test_identity_says_what_is_unusual() -> None:
    options = {
        "type": "integer",
        "start": 1,
        "increment": 1,
        "min": 1,
        "max": 2147483647,
        "cache": 1,
    }
    facts = table("public.a")
    for start, expression in (
        (1, "sa.Identity(always=True)"),
        (5, "sa.Identity(always=True, start=5)"),
    ):
        facts["column public.a.id"] = fact(
            type="integer",
            not_null=True,
            identity="always",
            identity_options=options | {"start": start},
        )
        assert expression in render(facts)
