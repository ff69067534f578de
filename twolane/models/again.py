"""`introspected.py` anew after a change: the classes near what changed are rendered, others kept.

What a class says depends on the facts of its own table, of those that a foreign key joins to it,
and of those that one joins to these, because names of relationships give way to each other.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Set

from twolane.facts import catalog, identities
from twolane.facts.catalog import Snapshot, definition
from twolane.facts.identities import RELATION_KINDS, kind
from twolane.models.filled import table_below
from twolane.models.keys import table_name
from twolane.models.relations import class_names, read_relations
from twolane.models.render import a_class, file
from twolane.models.types import IMPORTS

NEAR = 2
WORTH_IT = 0.5
"""If more of the relations have to be read, all classes are rendered as quickly."""

_TYPES = ("enum ", "domain ", "type ")
_RELATIONS = tuple(f"{what} " for what in RELATION_KINDS)
_PARTS = ("column", "constraint", "index", "trigger", "rule", "policy", "rls", "comment")
# No other line begins so: a docstring's are indented, and a string literal has one line.
_CLASS = re.compile(r"\n\n\n(?=class (\w+)\(IntrospectedBase\):\n)")
_NAMES = {name for section in IMPORTS for _, names in section for name in names} | {"DatabaseType"}

Graph = Mapping[str, Set[str]]


def render_again(text: str, before: Snapshot, after: Snapshot) -> str | None:
    """What `render_models` makes of `after`; `text` is what it made of `before`.

    None where it is quicker, or surer, to render all classes.
    """
    old, names = (class_names(_relations(facts)) for facts in (before, after))
    touched = _touched(before, after, old.keys() | names.keys())
    if touched is None or "overlaps=" in text or not _are_settled(old, names):
        return None
    joined, based = _graphs([*before.items(), *_new(before, after)], old.keys() | names.keys())
    stale = _near(_above(touched, based), joined)
    needed = _below(_near(stale, joined), based)
    if len(needed) > len(names) * WORTH_IT:
        return None
    relations, types, _ = read_relations(_facts_of(needed, after), names)
    made = {each.class_name: a_class(each) for each in relations if each.identity in stale}
    # Whether relationships overlap depends on tables further away.
    if any("overlaps=" in new for new, _ in made.values()):
        return None

    head, lines = split(text)
    blocks = {name: block for name, (_, block) in lines.items()}
    for each in stale & old.keys():
        blocks.pop(old[each], None)
    used = {name for _, needs in made.values() for name in needs}
    used |= {name for name in _used(head) - used if _is_needed(name, blocks.values())}
    blocks |= {name: new for name, (new, _) in made.items()}
    mapped = {names[i]: blocks[names[i]] for i in sorted(names) if names[i] in blocks}
    return file(types.constants, mapped, used, [i for i in sorted(names) if names[i] not in mapped])


def split(text: str) -> tuple[str, dict[str, tuple[int, str]]]:
    """The head of `introspected.py`; the number of lines before each class, and its text."""
    head, *parts = _CLASS.split(text.removesuffix("\n"))
    line, classes = head.count("\n"), {}
    for name, block in zip(parts[::2], parts[1::2], strict=True):
        classes[name] = (line + 3, block)
        line += block.count("\n") + 3
    return head, classes


def _relations(facts: Snapshot) -> list[str]:
    return [i.removeprefix(f"{kind(i)} ") for i in facts if i.startswith(_RELATIONS)]


def _touched(before: Snapshot, after: Snapshot, known: Collection[str]) -> set[str] | None:
    """The relations whose own facts differ; None if a type does, which any of them may have."""
    touched = set()
    for change in catalog.diff(before, after):
        what, relation = kind(change.identity), identities.relation(change.identity)
        if f"{what} " in _TYPES or (what == "constraint" and relation not in known):
            return None
        if relation in known and what in (*RELATION_KINDS, *_PARTS):
            touched.add(str(relation))
    return touched


def _are_settled(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Whether no class gets another name, and no two relations have one name in SQLAlchemy."""
    if any(new[identity] != name for identity, name in old.items() if identity in new):
        return False
    return all(len(set(map(table_name, names))) == len(names) for names in (old, new))


def _new(before: Snapshot, after: Snapshot) -> Iterable[tuple[str, str]]:
    return ((i, text) for i, text in after.items() if before.get(i) != text)


def _graphs(facts: Iterable[tuple[str, str]], known: Collection[str]) -> tuple[Graph, Graph]:
    """What foreign keys join, in both directions; what partitions, heirs and views build on.

    A key to a table without a class, as auth.users is one, joins nothing: no relationship has it.
    """
    joined: dict[str, set[str]] = defaultdict(set)
    based: dict[str, set[str]] = defaultdict(set)
    for identity, text in facts:
        if '"references":' in text and identity.startswith("constraint "):
            one, other = str(identities.relation(identity)), definition(text)["references"]
            if other in known:
                joined[one].add(other)
                joined[other].add(one)
        elif '"inherits":' in text and kind(identity) in RELATION_KINDS:
            based[str(identities.relation(identity))].update(definition(text)["inherits"])
        elif identity.startswith("view ") and (table := table_below(definition(text))):
            based[str(identities.relation(identity))].add(table)
    return joined, based


def _near(start: Set[str], joined: Graph) -> set[str]:
    found = set(start)
    for _ in range(NEAR):
        found |= {other for one in found for other in joined.get(one, ())}
    return found


def _above(start: Set[str], based: Graph) -> set[str]:
    """These, and all that builds on them."""
    found = set(start)
    while more := {one for one, below in based.items() if below & found} - found:
        found |= more
    return found


def _below(start: Set[str], based: Graph) -> set[str]:
    """These, and all that they build on."""
    found = set(start)
    while more := {other for one in found for other in based.get(one, ())} - found:
        found |= more
    return found


def _facts_of(relations: Set[str], facts: Snapshot) -> Snapshot:
    """The facts of these relations, and of all types."""
    domains = {i.removeprefix("domain ") for i in facts if i.startswith("domain ")}
    wanted = relations | domains
    return {
        identity: text
        for identity, text in facts.items()
        if identity.startswith(_TYPES) or identities.relation(identity) in wanted
    }


def _used(head: str) -> set[str]:
    """The names that the file's head imports or defines for the classes."""
    lines = re.findall(r"^(?:import|from|class) .*$", head, re.MULTILINE)
    return set(re.findall(r"\w+", " ".join(lines))) & _NAMES


_DOCSTRING = re.compile(r'""".*?"""', re.DOTALL)
_LITERAL = re.compile(r"""(["'])(?:(?!\1)[^\\]|\\.)*\1""")


def _is_needed(name: str, classes: Iterable[str]) -> bool:
    word = re.compile(rf"(?<![\w.]){name}\b")
    return any(
        word.search(_LITERAL.sub("", _DOCSTRING.sub("", text, count=1)))
        for text in classes
        if name in text
    )
