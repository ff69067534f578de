"""`db.doctor` on URLs: how they are written, and where they lead from this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from doctors import SECRET, doctor, levels, message, status, subjects
from service import Service

from twolane.config import load
from twolane.doctor import urls
from twolane.doctor.urls import Route, Url

POOLER = "aws-0-eu-central-1.pooler.supabase.com"
DIRECT = "db.abcdefghij.supabase.co"
TLS = "?sslmode=require"


def url(text: str, variable: str = "DATABASE_URL") -> Url:
    return urls.read(variable, text)


def at(host: str, port: int = 5432, user: str = "postgres", rest: str = TLS) -> Url:
    return url(f"postgresql://{user}:{SECRET}@{host}:{port}/postgres{rest}")


# How a URL is written


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://u:{SECRET}@x@h/postgres",
        f"postgresql://u:{SECRET}/x@h/postgres",
        f"postgresql://u:12/{SECRET}@h/postgres",
        f"postgresql://u:a@b/{SECRET}@h/postgres",
        f"postgresql://u:{SECRET}%zz@h/postgres",
        f"postgresql://u:{SECRET} x@h/postgres",
        f"mysql://u:{SECRET}@h/postgres",
        "postgresql://postgres.abc:[YOUR-PASSWORD]@h/postgres",
        "postgresql://postgres.abc:PASSWORD@h/postgres",
    ],
)
def test_a_url_that_is_misread_is_an_error(text: str) -> None:
    assert levels(urls.written([url(text)])) == ["error"]


@pytest.mark.parametrize("letter", ["#", "?", "[", "]", "|"])
def test_a_letter_that_programs_read_differently_is_a_warning(letter: str) -> None:
    text = f"postgresql://u:{SECRET}{letter}x@h/postgres"
    assert levels(urls.written([url(text)])) == ["warning"]


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://u:{SECRET}%2F%40%23@h/postgres{TLS}",
        f"postgresql+psycopg://u:{SECRET}!$&'()*+,;=:@h/postgres",
        "postgresql:///postgres?host=/tmp&application_name=a@b",
        "postgresql://u@/postgres?host=%2Ftmp",
        "postgresql://[::1]/postgres",
    ],
)
def test_a_url_that_is_well_written_is_none(text: str) -> None:
    assert levels(urls.written([url(text)])) == []


# Host, port and user


def test_the_transaction_pooler_is_fine_but_for_a_session() -> None:
    said = message(urls.ports([at(POOLER, 6543, "postgres.abc")]))
    assert "fine for every command" in said and "create index concurrently" in said
    assert "5432" in said


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        (POOLER, 6543, ["info"]),
        (POOLER, 5432, []),
        (POOLER, 5433, ["error"]),
        (DIRECT, 5432, []),
        (DIRECT, 6543, ["warning"]),
        (DIRECT, 5431, ["error"]),
        ("db.example.org", 6543, []),
        ("127.0.0.1", 5433, []),
        ("supabase.com.example.org", 6000, []),
    ],
)
def test_a_port_is_held_against_its_host(host: str, port: int, expected: list[str]) -> None:
    assert levels(urls.ports([at(host, port)])) == expected


@pytest.mark.parametrize(
    ("host", "user", "rest", "expected"),
    [
        (POOLER, "postgres", TLS, ["error"]),
        (POOLER, "postgres.abc", TLS, []),
        (POOLER, "postgres", "?options=reference%3Dabc", []),
        (DIRECT, "postgres.abc", TLS, ["error"]),
        (DIRECT, "postgres", TLS, []),
        ("db.example.org", "postgres", TLS, []),
        ("db.example.org", "first.last", TLS, []),
    ],
)
def test_the_poolers_user_names_the_project(
    host: str, user: str, rest: str, expected: list[str]
) -> None:
    assert levels(urls.users([at(host, user=user, rest=rest)])) == expected


@pytest.mark.parametrize(
    ("host", "rest", "expected"),
    [
        (POOLER, "", ["warning"]),
        (POOLER, "?sslmode=prefer", ["warning"]),
        (POOLER, "?sslmode=disable", ["warning"]),
        (POOLER, "?sslmode=require", []),
        (POOLER, "?sslmode=verify-full", []),
        ("db.example.org", "", ["warning"]),
        ("10.0.0.7", "", ["warning"]),
        ("localhost", "", []),
        ("127.0.0.2", "", []),
        ("[::1]", "", []),
    ],
)
def test_a_remote_host_wants_sslmode(host: str, rest: str, expected: list[str]) -> None:
    assert levels(urls.encrypted([at(host, rest=rest)])) == expected


def test_sslmode_may_come_from_the_environment_and_a_socket_needs_none() -> None:
    assert levels(urls.encrypted([at(POOLER, rest="")], "require")) == []
    assert levels(urls.encrypted([url("postgresql:///postgres?host=/tmp")])) == []


def test_the_shadow_has_a_server_of_its_own() -> None:
    shadow = replace(at(POOLER), variable="SHADOW_DATABASE_URL")
    assert levels(urls.separate([at(POOLER), shadow])) == ["warning"]
    assert levels(urls.separate([at(POOLER), replace(at(POOLER), variable="STAGING")])) == []
    assert levels(urls.separate([at(DIRECT), shadow])) == []
    local = [at("localhost"), replace(at("localhost"), variable="SHADOW_DATABASE_URL")]
    assert levels(urls.separate(local)) == []


def route(host: str, addressed: Sequence[int], routed: Sequence[int]) -> Route:
    return Route("DATABASE_URL", host, frozenset(addressed), frozenset(routed))


@pytest.mark.parametrize(
    ("host", "addressed", "routed", "expected"),
    [
        (DIRECT, [6], [], ["error"]),
        (DIRECT, [6], [6], ["info"]),
        (DIRECT, [4], [4], []),
        (DIRECT, [], [], ["error"]),
        ("db.example.org", [4, 6], [4], []),
        ("db.example.org", [6], [6], []),
        ("db.example.org", [6], [], ["error"]),
    ],
)
def test_ipv6_alone_needs_ipv6_here(
    host: str, addressed: list[int], routed: list[int], expected: list[str]
) -> None:
    assert levels(urls.reachable([route(host, addressed, routed)])) == expected


def test_the_way_on_from_ipv6_is_the_pooler() -> None:
    assert "pooler's host" in message(urls.reachable([route(DIRECT, [6], [])]))
    assert "paused" in message(urls.reachable([route(DIRECT, [], [])]))


def test_addresses_and_routes_are_this_machines(stranded: Service) -> None:
    config = load(stranded.folder)

    def routes(host: str) -> tuple[set[int], bool]:
        environment = {"DATABASE_URL": f"postgresql://u:{SECRET}@{host}/x"}
        (found,) = urls.routes(replace(config, environment=environment), config.targets["default"])
        return set(found.addressed), found.addressed <= found.routed

    assert routes("127.0.0.1") == ({4}, True)
    assert routes("no.such.invalid") == (set(), True)
    # A documentation address (RFC 3849): no one has it, and only a machine with IPv6 has a route.
    assert routes("[2001:db8::1]") == ({6}, has_ipv6())


def has_ipv6() -> bool:
    """Whether the kernel's table has a route for all addresses."""
    table = Path("/proc/net/ipv6_route")
    lines = table.read_text().splitlines() if table.exists() else []
    default = (line.split() for line in lines)
    return any(parts[:2] == ["0" * 32, "00"] and parts[-1] != "lo" for parts in default)


def test_each_fault_of_a_url_is_found_by_the_command(stranded: Service) -> None:
    login = f"postgres:{SECRET}%23"
    wrong = f"postgresql://{login}@{POOLER}:5433/postgres?hostaddr=127.0.0.1"
    report = doctor(stranded, DATABASE_URL=wrong, SHADOW_DATABASE_URL=wrong)
    both = ["DATABASE_URL", "SHADOW_DATABASE_URL"]
    assert subjects(report, "url") == [] and subjects(report, "network") == []
    assert subjects(report, "port") == [("error", name) for name in both]
    assert subjects(report, "user") == [("error", name) for name in both]
    assert subjects(report, "tls") == [("warning", name) for name in both]
    assert subjects(report, "separate") == [("warning", "SHADOW_DATABASE_URL")]
    assert [status(report, name) for name in ("shadow", "connection")] == ["failed", "failed"]
    bare = doctor(stranded, DATABASE_URL=f"postgresql://u:{SECRET}#@127.0.0.1:1/x")
    assert subjects(bare, "url") == [("warning", "DATABASE_URL")]
    nowhere = doctor(stranded, DATABASE_URL=f"postgresql://u:{SECRET}@no.such.invalid/x")
    assert subjects(nowhere, "network") == [("error", "DATABASE_URL")]
