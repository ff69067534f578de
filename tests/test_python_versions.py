"""What is recorded in a database or written into the repo is the same on every Python."""

from __future__ import annotations

import ast
import json
import unicodedata

from pythons import expect_agreement

from twolane.facts.catalog import encode
from twolane.facts.lock import dump_lock, load_lock
from twolane.models import python
from twolane.repo import digests
from twolane.text import clean, escaped

INDEX = """\
'''Index of notes.'''
from alembic import op
revision: str = "one"
COLUMNS = ("user_id", "created_at")
def upgrade() -> None:
    op.execute(f"create index notes_user on notes ({', '.join(COLUMNS)})")
"""
PADDED = """\
def upgrade(width: int = 8) -> None:
    for name in "a", *"bc":
        print(f"{name!r:>{width}}" f"{width:{width}}" "{name}" f"{{{name}}}" f"{width = }", f"", "")
"""
REST = """\
from __future__ import annotations
import sqlalchemy as sa
def upgrade(a, /, b: int = 0, *c, d, e=None, **f) -> 'x':
    '''Upgrades.

        Indented, and said in \\N{SPARKLES}.
    '''
    x: int
    (y): str = f'{a["k"]}'f"{f'{b}'}" + u"u" + "\\n\\t\\"'" + '\\U0001fa77\\ud800'
    return {**f, 1: 0x10, 2: 1e309, 3: 1j, 4: b"\\xff" b"1", 5: ..., 6: -1, 7: None}[a:b, ::2]
async def other(self):
    async with a as (b, c), d: yield await e
    del (a), b[0]; global g; assert (n := 1), lambda *a, k=1: (yield)
    with a: pass
    return f"{a:{b}{c}}" f"{a:}" f"{b:%Y-{c}}" rf"\\d{a}\\n" f"{a!s:\\n}" "" f"{''}" f"{a=!r:>5}"
@decorated(1)
class A(B, metaclass=C):
    x = [i for i in (1, 2) if i not in j async for j in k]
match x:
    case None: ...
    case True | False: ...
    case {"a": [1, *rest], **others} if rest: ...
    case A(1, b=str() as c): ...
    case _: ...
try: 1
except* (A, B) as e: raise E from e
else: 2
finally: 3
"""
OF_ALL = """
import ast, json, sys
from twolane.repo import digests
print(json.dumps([digests.of(ast.parse(text)) for text in json.load(sys.stdin)]))
"""


def of(text: str) -> str:
    return digests.of(ast.parse(text))


def test_code_has_the_same_digest_on_every_python() -> None:
    """Those here stand in databases: one that changes makes of each revision an edited one."""
    assert of(INDEX) == "b3487eb10339e9e6e15af0b531b8be6110783e2460d3a3c8227fbb8e2fb15d5a"
    assert of(PADDED) == "4a89e5d031e53f83bc38d8c875089c3790638d0160d182c617cca3d3915c31c5"
    expect_agreement(OF_ALL, json.dumps([INDEX, PADDED, REST]))


def test_formatting_comments_and_imports_are_not_code_and_all_else_is() -> None:
    same = INDEX.replace("'''Index of notes.'''", '"""Other words."""  # why')
    same = same.replace("from alembic import op", "import os, sys").replace('"one"', "'one'")
    same = same.replace('(f"', "(\n        f'''").replace('})")', "})'''\n    )")
    assert of(same) == of(INDEX)
    for old, new in (
        ("notes_user", "notes_users"),
        ("', '", "','"),
        (".join(COLUMNS)", ".join(COLUMNS)!r"),
        ("{', '.join(COLUMNS)}", "{{', '.join(COLUMNS)}}"),
        ('f"create', '"create'),
        ('("user_id", "created_at")', '["user_id", "created_at"]'),
        ('"one"', "1"),
        ('"one"', 'b"one"'),
        ("upgrade() ->", "upgrade(*a) ->"),
        (": str", ""),
    ):
        assert of(INDEX.replace(old, new)) != of(INDEX), new
    constants = ("None", "True", "1", "1.0", "1j", "'1'", "b'1'", "...", "''", "0", "-0.0", "f''")
    cases = ("match x:\n case None: 1", "match x:\n case False: 1", "match x:\n case 0: 1")
    assert len({of(f"x = {text}") for text in constants} | {of(text) for text in cases}) == 15


# Of Unicode 14, which Python 3.11 knows; of 15, 15.1, 16; and one that is no character yet.
SHOWN = "é漢🙂\ufe0f", "\U0001fa77", "\u2ffc", "\U0001fae9", "\U0001faff"
HIDDEN = "\x00\x1b\x7f\x85\xa0\xad\u061c\u200b\u200d\u2028\u202e\u2066\u3000\ue000\ufdd0\ufeff"
HIDDEN += "\uffff\U0001343f\U0001fffe\U000e0041\U000f0000\U0010ffff"
WRITTEN = """
import json, sys
from twolane.facts.catalog import encode
from twolane.facts.lock import dump_lock
from twolane.models import python
from twolane.text import clean
given = json.load(sys.stdin)
facts = {f"table {text}": encode({"comment": text}) for text in given}
texts = [*map(python.literal, given), *map(python.comment, given), *map(clean, given)]
names = [python.attribute_name(text, ()) for text in ("ア・イ", "ア･イ", "می\u200cشود", "a\u200db")]
print(json.dumps([dump_lock(facts), *texts, *names]))
"""


def of_table(comment: str) -> dict[str, str]:
    return {"table a": encode({"comment": comment})}


def test_files_have_the_same_bytes_whatever_unicode_the_python_knows() -> None:
    for text in SHOWN:
        assert python.literal(text) == f'"{text}"' and python.comment(text) == f"# {text}"
        assert text in dump_lock(of_table(text))
        assert clean(text) == text
    for letter in HIDDEN:
        assert dump_lock(of_table(letter)).isascii()
        assert load_lock(dump_lock(of_table(letter))) == of_table(letter)
        literal = python.literal(letter)
        assert literal.isascii() and ast.literal_eval(literal) == letter
        assert clean(letter).isascii()
    assert python.attribute_name("ア・イ", ()) == "ア_イ"
    assert python.attribute_name("می\u200cشود", ()) == "می_شود"
    expect_agreement(WRITTEN, json.dumps([*SHOWN, *HIDDEN]))


def test_what_is_escaped_is_what_does_not_show() -> None:
    """Each character that this Python knows, as it says itself."""
    for code in (*range(0x20000), *range(0xE0000, 0xE1000)):
        letter = chr(code)
        if unicodedata.category(letter) != "Cn":
            assert (escaped(letter, ascii) == letter) is letter.isprintable(), hex(code)
