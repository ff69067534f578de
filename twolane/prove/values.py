"""Values to try in a column, best first. Pure: Postgres decides later which of them it accepts."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from uuid import UUID

from twolane.prove.schema import Check, Type

NUMBERS = ("int2", "int4", "int8", "float4", "float8", "numeric", "money", "oid")
_BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_OF_TYPE = {
    "bool": ["true", "false"],
    "json": ["{}", "[]", '"a"', "1", '["a"]'],
    "jsonb": ["{}", "[]", '"a"', "1", '["a"]'],
    "time": ["12:00", "00:00", "23:59"],
    "timetz": ["12:00+00", "00:00+00"],
    "xml": ["<a/>"],
    "tsquery": ["a"],
    "jsonpath": ["$"],
    "point": ["(0,0)"],
    "line": ["{1,1,1}"],
    "lseg": ["[(0,0),(1,1)]"],
    "box": ["(1,1),(0,0)"],
    "path": ["((0,0),(1,1))"],
    "polygon": ["((0,0),(1,1),(1,0))"],
    "circle": ["<(0,0),1>"],
    "geometry": ["POINT(0 0)", "POLYGON((0 0,1 0,1 1,0 0))", "LINESTRING(0 0,1 1)"],
    "geography": ["POINT(0 0)", "POLYGON((0 0,1 0,1 1,0 0))", "LINESTRING(0 0,1 1)"],
    "pg_lsn": ["0/1"],
}
_STRING = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.'])-?\d+(?:\.\d+)?(?![\w.])")


def texts(n: int) -> list[str]:
    """Texts that services typically store, a different set for each `n`."""
    letters = "".join(chr(97 + n // 26**power % 26) for power in (2, 1, 0))
    return [
        f"row {n}",
        f"a{n}",
        f"user{n}@example.com",
        letters,
        letters.upper(),
        letters[1:],
        letters[1:].upper(),
        letters[2:],
        f"{letters}-{n}",
        f"https://example.com/{n}",
        f"+1555{n:07}",
        f"{n}",
        f"{n:05}",
        f"#{n:06x}",
        _date(n),
        _uuid(n),
        _time(n),
        f"10.0.{n // 250 % 250}.{n % 250 + 1}",
        "a",
        "A",
        "en-US",
        "{}",
        "/",
        "",
    ]


def literals(of: Type, n: int, checks: Sequence[str] = ()) -> list[str]:
    """Texts that may be literals of the type, including the literals in `checks`.

    The n-th set differs from the others if the type has enough values.
    """
    hints = mined([*checks, *of.checks])
    if of.kind == "e":
        return rotated(of.labels, n)
    if of.kind == "r":
        return [f"[{n},{n + 1})", f"[{_date(n)},{_date(n + 1)})", f"[{_time(n)},{_time(n + 1)})"]
    if of.kind == "m":
        return [f"{{{text}}}" for text in literals(_range(of), n)]
    if of.category == "A":
        element = of.labels[0] if of.labels else _element(of, n)
        quoted = element.replace("\\", "\\\\").replace('"', '\\"')
        return [f'{{"{quoted}"}}', "{}", *(f'{{"{text}"}}' for text in hints)]
    if of.kind == "c":
        return [f"({',' * commas})" for commas in range(12)]
    return list(dict.fromkeys([*_scalars(of, n, hints), *hints]))


def _scalars(of: Type, n: int, hints: Sequence[str]) -> list[str]:
    if of.base in NUMBERS:
        near = [number for text in hints for number in near_numbers(text)]
        whole = of.base not in ("numeric", "float4", "float8", "money")
        found = [str(n), "1", "0", *near, "0.5", "100", "-1"]
        return [text for text in found if "." not in text] if whole else found
    if of.base == "uuid":
        return [_uuid(n)]
    if of.base in ("date", "timestamp", "timestamptz"):
        return [_time(n), _time(n + 40_000), _time(n - 40_000)]
    if of.base == "interval":
        return [f"{n} minutes", "1 day", "0"]
    if of.base in ("vector", "halfvec"):
        return [f"[{','.join([str(n % 1000 + 1)] * max(of.modifier, 1))}]"]
    if of.base == "sparsevec":
        return [f"{{1:{n}}}/{max(of.modifier, 1)}"]
    if of.base in ("bit", "varbit"):
        width = max(of.modifier, 1)
        return [f"{n % 2**width:0{width}b}", "1" * width]
    if of.base == "bytea":
        return [rf"\x{n:08x}"]
    if of.base in ("inet", "cidr"):
        return [f"10.0.{n // 250 % 250}.{n % 250 + 1}"]
    if of.base in ("macaddr", "macaddr8"):
        return [f"08:00:2b:01:{n // 256 % 256:02x}:{n % 256:02x}"]
    if of.base == "ltree":
        return [f"a{n}", "a.b"]
    if of.base in _OF_TYPE:
        return _OF_TYPE[of.base]
    if of.category == "S":
        lengths = [int(text) for text in hints if text.isdecimal() and int(text) <= 4096]
        exact = [f"{n:0{size}}"[-size:] for size in lengths if size]
        spelled = ["".join(chr(97 + int(digit)) for digit in text) for text in exact]
        named = rotated([text for text in hints if not _NUMBER.fullmatch(text)], n)
        found = [*named, *texts(n), *exact, *spelled, *(text.upper() for text in spelled)]
        width = of.modifier - 4  # the n of char(n) and varchar(n), from pg_attribute
        return found if width < 1 else [text for text in found if len(text) <= width]
    return texts(n)


def mined(checks: Sequence[str]) -> list[str]:
    """The literals in conditions: `status in ('open', 'done')`, `amount >= 10`."""
    found: list[str] = []
    for check in checks:
        found += [text.replace("''", "'") for text in _STRING.findall(check)]
        found += _NUMBER.findall(_STRING.sub(" ", check))
    return list(dict.fromkeys(found))


def rotated(values: Sequence[str], n: int) -> list[str]:
    """The same values, but starting at a different one, so that rows differ."""
    start = n % len(values) if values else 0
    return [*values[start:], *values[:start]]


def groups(checks: Sequence[Check]) -> list[tuple[set[str], list[Check]]]:
    """Groups of checks that share columns: the values of a group must be chosen together."""
    found: list[tuple[set[str], list[Check]]] = []
    for check in checks:
        columns, together = set(check.columns), [check]
        apart = []
        for group in found:
            if group[0] & columns:
                columns |= group[0]
                together = group[1] + together
            else:
                apart.append(group)
        found = [*apart, (columns, together)]
    return found


def near_numbers(text: str) -> list[str]:
    """The number, one more and one less; nothing for what is no number."""
    if not _NUMBER.fullmatch(text):
        return []
    number = float(text)
    return [f"{value:.15g}" for value in (number, number + 1, number - 1)]


def _range(of: Type) -> Type:
    return Type(of.name, of.base, "r", "R", of.modifier, None, [], of.checks)


def _element(of: Type, n: int) -> str:
    base = of.element or "text"
    category = "S" if base in ("text", "varchar", "bpchar", "citext", "name") else "U"
    return literals(Type(base, base, "b", category, of.modifier, None, [], []), n)[0]


def _date(n: int) -> str:
    return (_BEGIN + datetime.timedelta(days=n)).date().isoformat()


def _time(n: int) -> str:
    return (_BEGIN + datetime.timedelta(minutes=n)).isoformat()


def _uuid(n: int) -> str:
    """A uuid in the form of version 4 that contains its number."""
    return str(UUID(int=0x00000000_0000_4000_8000_000000000000 + n))
