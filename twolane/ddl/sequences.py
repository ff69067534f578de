"""Statements for sequences, and options that sequences of identity columns have, too. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from twolane.ddl.statement import Edit, Parts, Rank, Statement

# The highest value of a sequence, by type; a new one ends there.
_MAX = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


def sequence_options(new: Parts, old: Parts) -> list[str]:
    """The options that differ from `old`, or from a new sequence's defaults."""
    default = {
        "start": 1, "increment": 1, "min": 1, "cache": 1, "max": _MAX.get(str(new.get("type")))
    }  # fmt: skip
    before = old or default
    words = {
        "increment": "increment by", "min": "minvalue", "max": "maxvalue", "start": "start with",
        "cache": "cache",
    }  # fmt: skip
    # A descending sequence has other default bounds.
    everything = not old and int(new.get("increment", 1)) < 0
    found = [
        f"{word} {new[name]}"
        for name, word in words.items()
        if name in new and (everything or new[name] != before.get(name))
    ]
    if bool(new.get("cycle")) != bool(old.get("cycle")):
        found.append("cycle" if new.get("cycle") else "no cycle")
    return found


def sequence(edit: Edit) -> Iterator[Statement]:
    if edit.after is None:
        yield edit.write(f"drop sequence if exists {edit.name};", Rank.DROP)
        return
    new = edit.after
    kept = "unlogged" if new.get("unlogged") else "logged"
    if edit.before is None:
        words = " ".join([f"as {new['type']}", *sequence_options(new, {})])
        kind = "unlogged sequence" if new.get("unlogged") else "sequence"
        yield edit.write(f"create {kind} if not exists {edit.name} {words};", Rank.SEQUENCE)
    else:
        steps = [f"as {new['type']}"] if edit.differs("type") else []
        steps += sequence_options(new, edit.old)
        sql = [f"alter sequence {edit.name} {' '.join(steps)};"] if steps else []
        sql += [f"alter sequence {edit.name} set {kept};"] if edit.differs("unlogged") else []
        yield edit.write("\n".join(sql), Rank.SEQUENCE)
    if edit.differs("owned_by"):
        owner = new.get("owned_by", "none")
        yield edit.write(f"alter sequence {edit.name} owned by {owner};", Rank.KEY)
