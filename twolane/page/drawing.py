"""A diagram as boxes with rows and lines between them, and as an SVG. Pure but for the layout."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from itertools import accumulate
from unicodedata import east_asian_width

from twolane.page.graph import CLOSED, LIMITED, OPEN, Column, Graph, Link, Table
from twolane.page.layout import Box, place
from twolane.text import counted, escaped

ROW, HEAD = 20.0, 30.0
_LETTER, _BOLD, _LEAST, _MOST = 6.9, 7.8, 170.0, 340.0
_BY_NAME = 220.0  # the least width where names alone are read from afar
FULL = 30
"""Up to so many tables a box has all columns; beyond, the keys alone."""
WORDS = {OPEN: "RLS off", CLOSED: "closed", LIMITED: "RLS"}


@dataclass(frozen=True)
class Drawing:
    """rows: table → the columns in its box. boxes: where they lie."""

    graph: Graph
    rows: Mapping[str, Sequence[Column]]
    boxes: Mapping[str, Box]

    @cached_property
    def size(self) -> tuple[float, float]:
        boxes = self.boxes.values()
        return (
            max((box.x + box.width for box in boxes), default=0),
            max((box.y + box.height for box in boxes), default=0),
        )


def draw(graph: Graph) -> Drawing:
    """Lays the graph out."""
    is_full = len(graph.tables) <= FULL
    rows = {
        table.name: [c for c in table.columns if is_full or c.is_key or c.refers]
        for table in graph.tables
    }
    least = _LEAST if is_full else _BY_NAME
    sizes = {table.name: _size(table, rows[table.name], least) for table in graph.tables}
    links = [(link.parent, link.child) for link in graph.links]
    return Drawing(graph, rows, place(sizes, links))


def left_out(table: Table, rows: Collection[Column]) -> str:
    """The words for the columns that a box does not show."""
    more = len(table.columns) - len(rows)
    return f"+ {counted(more, 'column')}" if more else ""


def _size(table: Table, rows: Sequence[Column], least: float) -> tuple[float, float]:
    letters = [_letters(table.name.removeprefix("public.")) + 12]
    letters += [_letters(column.name) + _letters(column.type) + 7 for column in rows]
    width = min(max(max(letters) * _LETTER, least), _MOST)
    return width, HEAD + ROW * (len(rows) + bool(left_out(table, rows))) + 8


def svg(drawing: Drawing) -> str:
    """The diagram as an SVG of its own, in light or dark as its viewer is."""
    width, height = (side + 40 for side in drawing.size)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="-20 -20 {width:.0f} {height:.0f}" role="img">'
        f"<title>Tables and their keys</title><style>{_STYLE}</style>"
    )
    lines = [_line(link, drawing) for link in drawing.graph.links]
    boxes = [_box(table, drawing) for table in drawing.graph.tables]
    return "\n".join([head, *lines, *boxes, "</svg>"])


def _line(link: Link, drawing: Drawing) -> str:
    child, parent = drawing.boxes[link.child], drawing.boxes[link.parent]
    y1 = _row(link.columns[0], drawing.rows[link.child], child)
    y2 = _row(link.parent_columns[0], drawing.rows[link.parent], parent)
    if parent.x + parent.width <= child.x:
        x1, x2, out, into = child.x, parent.x + parent.width, -1, 1
    elif child.x + child.width <= parent.x:
        x1, x2, out, into = child.x + child.width, parent.x, 1, -1
    else:
        x1, x2, out, into = child.x + child.width, parent.x + parent.width, 1, 1
    bend = max(30.0, abs(x1 - x2) / 2) if out != into else 40.0
    dashes = "" if link.is_required else ' class="may"'
    way = (
        f"M{x1:.0f} {y1:.0f}C{x1 + out * bend:.0f} {y1:.0f} "
        f"{x2 + into * bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    )
    return f'<path{dashes} d="{way}"><title>{_text(link.name)}</title></path>'


def _row(column: str, rows: Sequence[Column], box: Box) -> float:
    number = next((n for n, each in enumerate(rows) if each.name == column), None)
    return box.y + (HEAD / 2 if number is None else HEAD + ROW * number + ROW / 2 + 2)


def _box(table: Table, drawing: Drawing) -> str:
    return "".join(_parts(table, drawing))


def _parts(table: Table, drawing: Drawing) -> Iterator[str]:
    box, rows = drawing.boxes[table.name], drawing.rows[table.name]
    right = f"{box.width - 10:.0f}"
    name = _cut(table.name.removeprefix("public."), box, 7, _BOLD)
    yield f'<g class="{table.lane}" transform="translate({box.x:.0f} {box.y:.0f})">'
    yield f"<title>{_text(table.name)}: lane {'B' if table.lane == 'app' else 'A'}</title>"
    yield f'<rect class="box" width="{box.width:.0f}" height="{box.height:.0f}" rx="6"/>'
    yield f'<rect class="lane" width="4" height="{box.height - 12:.0f}" x="0" y="6" rx="2"/>'
    yield f'<text x="14" y="20" class="name">{name}</text>'
    yield f'<text x="{right}" y="20" class="rls {table.rls}">{WORDS[table.rls]}</text>'
    for number, column in enumerate(rows):
        y = f"{HEAD + ROW * number + 16:.0f}"
        mark = "key" if column.is_key else "to" if column.refers else ""
        type_ = _shortened(column.type, 24)
        label, type_ = _cut(column.name, box, _letters(type_) + 2), _text(type_)
        yield f'<text x="14" y="{y}" class="{mark}">{label}</text>'
        yield f'<text x="{right}" y="{y}" class="type">{type_}</text>'
    if more := left_out(table, rows):
        yield f'<text x="14" y="{HEAD + ROW * len(rows) + 16:.0f}" class="type more">{more}</text>'
    yield "</g>"


def _cut(text: str, box: Box, beside: float, letter: float = _LETTER) -> str:
    return _text(_shortened(text, max(8, int(box.width / letter) - beside - 3)))


def _shortened(text: str, most: float) -> str:
    """The text, or its beginning and …, in the room of so many letters."""
    if _letters(text) <= most:
        return text
    widths = accumulate(map(_letters, text))
    return "".join(c for c, width in zip(text, widths, strict=True) if width <= most - 1) + "…"


def _letters(text: str) -> float:
    """How many Latin letters are as wide; those of East Asia take the room of two."""
    return sum(1.9 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _text(text: str) -> str:
    """Text fit for XML, which has no control characters."""
    return escape(escaped(text, lambda _: " "), quote=True)


_STYLE = """
svg{font:12px ui-sans-serif,system-ui,sans-serif;background:#fff;color:#1f2328}
path{fill:none;stroke:#8a94a0;stroke-width:1.2}.may{stroke-dasharray:4 3}
.box{fill:#fff;stroke:#c8ced5}text{fill:#1f2328}.name{font-weight:600;font-size:13px}
.type{fill:#59636e;text-anchor:end}.more{text-anchor:start}.key{font-weight:600}
.to{text-decoration:underline dotted}.rls{font-size:11px;text-anchor:end;fill:#59636e}
.rls.open{fill:#b3261e;font-weight:600}.sql .lane{fill:#0969da}.app .lane{fill:#bc5c00}
@media(prefers-color-scheme:dark){svg{background:#0d1117}.box{fill:#161b22;stroke:#3d444d}
text{fill:#e6edf3}.type,.rls{fill:#9aa4af}.rls.open{fill:#ff9492}path{stroke:#656f7a}
.sql .lane{fill:#58a6ff}.app .lane{fill:#f0883e}}
"""
