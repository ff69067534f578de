"""The stand-ins for pgcrypto and uuid-ossp: the real one's values, or an error that says so."""

from __future__ import annotations

import random
import string
import uuid

import psycopg
import pytest
from standins import Pair, text


@pytest.fixture
def chance() -> random.Random:
    return random.Random(15)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "SHA224", "sha256", "sha384", "sha512"])
def test_digest_and_hmac(pair: Pair, chance: random.Random, algorithm: str) -> None:
    sizes = [*range(0, 20), *range(50, 70), *range(110, 135), 1000]
    for size in sizes:
        pair.same(
            "select digest(%s::text, %s), digest(%s::bytea, %s)",
            text(chance, size), algorithm, chance.randbytes(size), algorithm,
        )  # fmt: skip
        pair.same(
            "select hmac(%s::text, %s, %s), hmac(%s::bytea, %s::bytea, %s)",
            text(chance, size), text(chance, chance.randrange(80)), algorithm,
            chance.randbytes(size), chance.randbytes(chance.randrange(200)), algorithm,
        )  # fmt: skip


def test_crypt(pair: Pair, chance: random.Random) -> None:
    def salt(length: int) -> str:
        return "".join(
            chance.choice(string.ascii_letters + string.digits + "./") for _ in range(length)
        )

    for size in (0, 1, 7, 8, 20, 71, 72, 73, 100):
        pair.same("select crypt(%s, %s)", text(chance, size), f"$2a$04${salt(22)}")
        pair.same("select crypt(%s, %s)", text(chance, size), f"$1${salt(size % 10)}")
    pair.same("select crypt('secret', %s)", f"$2a$06${salt(22)}")
    for bad in ("$2a$03$" + salt(22), "$2a$32$" + salt(22), "$2a$06$abc", "$2a$04$!" + salt(22)):
        assert pair.same("select crypt('x', %s)", bad) == "22023 invalid salt"


@pytest.mark.parametrize(
    ("kind", "rounds", "same"),
    [("bf", 0, 7), ("BF", 4, 7), ("bf", 3, 0), ("bf", 32, 0), ("md5", 1000, 3), ("md5", 1, 0),
     ("des", 25, 0), ("des", 2, 0), ("xdes", 0, 5), ("xdes", 2, 0), ("no", 0, 0)],
)  # fmt: skip
def test_salts_begin_and_end_as_the_real_ones(
    pair: Pair, kind: str, rounds: int, same: int
) -> None:
    query = "select left(salt, %s), length(salt) from gen_salt(%s, %s) as salt"
    pair.same(query, same, kind, rounds)


@pytest.mark.parametrize("call", ["gen_salt('bf', 4)", "gen_salt('md5')"])
def test_what_is_crypted_with_a_salt_verifies_in_both(pair: Pair, call: str) -> None:
    row = pair.stand_in.execute(f"select crypt('secret', {call})".encode()).fetchone()
    assert row
    for word, right in (("secret", True), ("Secret", False)):
        assert pair.same("select crypt(%s, %s) = %s", word, row[0], row[0]) == [(right,)]


def test_random_bytes_are_random_in_every_bit(pair: Pair) -> None:
    for length in (0, 1025, -1):
        assert pair.same("select gen_random_bytes(%s)", length) == "39000 Length not in range"
    for length in (1, 13, 14, 15, 1024):
        pair.same("select length(gen_random_bytes(%s))", length)
    rows = pair.stand_in.execute(
        "select gen_random_bytes(60) from generate_series(1, 200)"
    ).fetchall()
    drawn = [int.from_bytes(value) for (value,) in rows]
    assert len(set(drawn)) == 200
    for bit in range(8 * 60):
        assert 50 < sum(value >> bit & 1 for value in drawn) < 150, bit


def test_what_pgcrypto_has_by_name_only_raises(pair: Pair) -> None:
    exact = "digest|hmac|gen_random_bytes|gen_random_uuid|gen_salt|crypt"
    rows = pair.real.execute(
        f"""
        select proname, array(select format('''x''::%s', t::regtype) from unnest(proargtypes) t)
        from pg_proc join pg_depend d on objid = pg_proc.oid and d.deptype = 'e'
        join pg_extension e on e.oid = refobjid and extname = 'pgcrypto'
        where proname !~ '^({exact})$'
        """.encode()
    ).fetchall()
    calls = [(name, f"{name}({', '.join(args)})".replace("'x'::text[]", "'{x}'::text[]"))
             for name, args in rows]  # fmt: skip
    others = [("digest", "digest('x', 'ripemd160')"), ("hmac", "hmac('x', 'y', 'sha3-256')"),
              ("crypt", "crypt('x', 'ab')"), ("crypt", "crypt('x', '_J9..rasm')")]  # fmt: skip
    assert len(calls) == 27
    for name, call in [*calls, *others]:
        with pytest.raises(psycopg.errors.FeatureNotSupported) as raised:
            pair.stand_in.execute(f"select * from {call} as x".encode())
        message = str(raised.value.diag.message_primary)
        assert message.endswith("is there by name only: this pgcrypto is twolane's stand-in"), (
            message
        )
        assert name in message or name == "hmac"
        assert "`postgres` in [tool.twolane]" in str(raised.value.diag.message_hint)


def test_uuids_of_names(pair: Pair, chance: random.Random) -> None:
    pair.same("select uuid_nil(), uuid_ns_dns(), uuid_ns_url(), uuid_ns_oid(), uuid_ns_x500()")
    query = "select uuid_generate_v3(%s, %s), uuid_generate_v5(%s, %s)"
    for size in range(0, 140):
        space, name = uuid.UUID(bytes=chance.randbytes(16)), text(chance, size)
        pair.same(query, space, name, space, name)


@pytest.mark.parametrize("function", ["uuid_generate_v1", "uuid_generate_v1mc"])
def test_a_uuid_of_version_1_is_of_this_moment_and_of_no_network_card(
    pair: Pair, function: str
) -> None:
    rows = pair.stand_in.execute(
        f"select {function}(), clock_timestamp() from generate_series(1, 500)".encode()
    ).fetchall()
    made = [value for value, _ in rows]
    assert len(set(made)) == 500
    for value, now in rows:
        assert isinstance(value, uuid.UUID) and value.version == 1
        assert value.variant == uuid.RFC_4122 and value.node >> 40 & 1 == 1
        row = pair.stand_in.execute(
            "select abs(extract(epoch from uuid_extract_timestamp(%s) - %s)) < 1", (value, now)
        ).fetchone()
        assert row == (True,)
