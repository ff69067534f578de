"""`db.diagram`: Mermaid's text and an SVG of the tables, and where the boxes lie."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest
from service import Service
from steps import add_sql

from twolane.errors import Failure
from twolane.facts.catalog import Snapshot, as_text
from twolane.page import drawing, graph, layout, mermaid

ODD = ('we"ird %\\', "<b>x</b>]}", "Größe 🎉;#1", "class", "1st")


def schema(*names: str) -> Snapshot:
    """Tables in a row, each of which refers to the one before."""
    facts, before = {}, ""
    for name in names:
        quoted = '"' + name.replace('"', '""') + '"'
        table = f"public.{quoted}"
        facts[f"table {table}"] = "{}"
        facts[f"column {table}.id"] = as_text({"type": "uuid", "not_null": True})
        facts[f"column {table}.{quoted}"] = as_text({"type": f"numeric(1,2) {name}"})
        facts[f"constraint {table}.pkey"] = as_text({"type": "primary key", "columns": ["id"]})
        if before:
            facts[f"constraint {table}.fkey"] = as_text(
                {
                    **{"type": "foreign key", "columns": [name], "references": before},
                    "referenced_columns": ["id"],
                }
            )
        before = table
    return facts


def test_names_of_any_kind_stay_valid_mermaid() -> None:
    lines = mermaid.render(graph.graph(schema(*ODD, "plain"), ())).splitlines()
    assert lines[0] == "erDiagram"
    table = re.compile(r' {4}[A-Za-z_]\w*(\["[^"%\\]+"\])? \{')
    column = re.compile(r' {8}[A-Za-z_][\w()\[\]-]* [A-Za-z_][\w()\[\]-]*( PK| FK)?( "[^"%\\]+")?')
    link = re.compile(r' {4}[A-Za-z_]\w* (\|\||\|o)--o[{|] [A-Za-z_]\w* : "[^"%\\]+"')
    forms = [sum(bool(form.fullmatch(line)) for line in lines) for form in (table, column, link)]
    assert forms == [6, 12, 5]
    assert lines.count("    }") == 6 and len(lines) == 1 + 6 + 12 + 5 + 6
    assert "    plain {" in lines
    assert '_["public.class"] {' in "\n".join(lines), "a word of the grammar's"
    assert "Größe 🎉" in "\n".join(lines)

    ET.fromstring(drawing.svg(drawing.draw(graph.graph(schema(*ODD), ()))))


def test_a_diagram_that_github_would_not_draw_has_keys_alone() -> None:
    facts = dict(schema(*(f"t{n}" for n in range(130))))
    notes = {
        f'column public."t{n}".note_{m}': '{"type": "text"}' for n in range(130) for m in range(20)
    }
    text = mermaid.render(graph.graph({**facts, **notes}, ()))
    assert len(text) <= mermaid.MOST and "note" not in text
    assert text.count(" PK") == 130 and text.count("--o{") == 129
    few = {fact: text for fact, text in {**facts, **notes}.items() if '."t7".' in fact}
    few['table public."t7"'] = "{}"
    assert mermaid.render(graph.graph(few, ())).count("note") == 20


def test_wide_letters_and_long_names_stay_in_their_boxes() -> None:
    drawn = drawing.draw(graph.graph(schema("顧客" * 20, "w" * 60), ()))
    text = drawing.svg(drawn)
    names = re.findall(r'class="name">([^<]*)', text)
    assert [len(name) for name in names] == [33, 17] and all(n.endswith("…") for n in names)
    assert {box.width for box in drawn.boxes.values()} == {340.0}


@pytest.mark.parametrize("count", [0, 1, 40, 100])
def test_boxes_lie_apart_and_a_drawing_is_the_same_each_time(count: int) -> None:
    names = [f"t{n:03}" for n in range(count)]
    sizes = {name: (150.0 + 9 * n % 70, 40.0 + 7 * n % 90) for n, name in enumerate(names)}
    chain = [(names[max(0, (n - 1) // 2)], name) for n, name in enumerate(names)]
    chain += [(names[n - 1], name) for n, name in enumerate(names[:-3]) if n]
    boxes = layout.place(sizes, chain)
    assert boxes == layout.place(sizes, chain)
    assert boxes.keys() == sizes.keys()
    for one, other in combinations(boxes.values(), 2):
        beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert beside or one.y + one.height <= other.y or other.y + other.height <= one.y
    assert all(box.x > -1 and box.y > -1 for box in boxes.values())


def test_a_diagram_shows_the_neighbours_of_a_table(pushed: Service) -> None:
    whole = pushed.invoke("db.diagram").out
    assert "    dev_markers {\n" in whole
    assert '    contacts ||--o{ interactions : "contact_id"\n' in whole
    assert '        uuid user_id FK "to auth.users.id"\n' in whole

    near = pushed.invoke("db.diagram", "--around", "messages", "--depth", "1").out
    assert re.findall(r"^    (\w+) \{", near, re.M) == ["messages", "threads", "tool_invocations"]

    add_sql(pushed, "10_fax.sql", "alter table public.threads add column if not exists fax text;")
    drawn = pushed.invoke("db.diagram", "--svg", "--around", "messages").out
    texts = [node.text for node in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
    assert {"threads", "fax", "RLS"} <= set(texts)
    live = pushed.invoke("db.diagram", "--around", "threads", "--target", "default").out
    assert "fax" not in live and "contacts {" in live

    missing = pushed.invoke("db.diagram", "--around", "mesages", code=1).err
    assert "The nearest: public.messages" in missing


def test_a_table_is_named_as_people_do() -> None:
    whole = graph.graph(schema("a", "b", "c", "d"), ())
    assert [t.name for t in graph.around(whole, "b", 1).tables] == [
        "public.a",
        "public.b",
        "public.c",
    ]
    assert len(graph.around(whole, 'public."b"', 2).tables) == 4
    with pytest.raises(Failure, match="There is no table e"):
        graph.around(whole, "e", 1)
