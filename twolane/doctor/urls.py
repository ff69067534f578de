"""The doctor's checks of URLs: how they are written, host and port, user, and encryption."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from twolane.config import Config, Target
from twolane.doctor.findings import error, info, warning
from twolane.errors import Failure
from twolane.guards.checks import examines
from twolane.guards.findings import Finding
from twolane.postgres import urls
from twolane.postgres.supabase import SESSION, TRANSACTION
from twolane.shadow.shadow_server import VARIABLE

# Supabase's hosts: https://supabase.com/docs/guides/database/connecting-to-postgres
_POOLER = re.compile(r"[\w.-]+\.pooler\.supabase\.com")
_DIRECT = re.compile(r"db\.(\w+)\.supabase\.co")


# Placeholders for a value in the dashboard and in .env.example.
_PLACEHOLDER = re.compile(r"\[[A-Z-]*PASSWORD\]|PASSWORD|YOUR-PASSWORD", re.IGNORECASE)
# libpq accepts these unencoded in a password; RFC 3986 (3.2.1) and other programs don't.
_NEVER_BARE = re.compile(r"[#?\[\]\s\"<>^`{|}\\]")
_ENCODE = (
    "Percent-encode the password: python -c "
    '"import getpass, urllib.parse as u; print(u.quote(getpass.getpass(), safe=str()))"'
)
_COPY = "Copy the URL anew: Project > Connect in Supabase's dashboard."


@dataclass(frozen=True)
class Url:
    """A variable that holds a URL, and libpq's parameters in it. The text itself is never shown."""

    variable: str
    text: str = field(repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    problem: Failure | None = None

    @property
    def hosts(self) -> list[str]:
        """Host names and addresses; empty for a Unix socket."""
        named = str(self.parameters.get("host") or self.parameters.get("hostaddr") or "")
        return [host for host in named.lower().split(",") if host and host[0] not in "/@"]

    @property
    def port(self) -> int:
        return int(str(self.parameters.get("port", SESSION)).split(",")[0])

    @property
    def user(self) -> str:
        return str(self.parameters.get("user", ""))

    @property
    def is_pooler(self) -> bool:
        return any(_POOLER.fullmatch(host) for host in self.hosts)

    @property
    def is_direct(self) -> bool:
        return any(_DIRECT.fullmatch(host) for host in self.hosts)

    @property
    def is_remote(self) -> bool:
        return any(not _is_loopback(host) for host in self.hosts)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read(variable: str, text: str) -> Url:
    """The URL; its `problem` says why it must not be used: libpq would misread it."""
    try:
        parameters = urls.parse(text, variable)
    except Failure as failure:
        return Url(variable, text, problem=Failure(failure.message, f"{_ENCODE}. {failure.first}"))
    if "@" in str(parameters.get("dbname", "")):
        message = f"{variable} is cut at a bare `/` or `@` in the password; the rest is misread."
        return Url(variable, text, problem=Failure(message, _ENCODE))
    return Url(variable, text, parameters)


def gather(config: Config) -> list[Url]:
    """Every URL that is set: those of the targets, and the shadow's."""
    variables = [target.variable for target in config.targets.values()] + [VARIABLE]
    named = dict.fromkeys(name for name in variables if name)
    return [read(name, text) for name in named if (text := config.environment.get(name))]


@examines("url", "how each URL is written", "urls")
def written(found: Sequence[Url]) -> Iterator[Finding]:
    """Reports URLs that are not read as intended: a bare character in the password, or a
    placeholder that was never filled in."""
    for url in found:
        name = url.variable
        if url.problem:
            yield error(name, url.problem.message, url.problem.first)
        elif _PLACEHOLDER.fullmatch(str(url.parameters.get("password", ""))):
            yield error(
                name, f"{name} has a placeholder where the password belongs.", "Put the password in"
            )
        elif _NEVER_BARE.search(_login(url.text)):
            message = f"The password in {name} has characters that not every program reads alike."
            yield warning(name, message, _ENCODE)


def _login(text: str) -> str:
    """User and password as they are written: up to the first `@`, as libpq reads it."""
    login, found, _ = text.partition("://")[2].partition("@")
    return login if found and "/" not in login else ""


@examines("port", "hosts and ports of Supabase", "urls")
def ports(found: Sequence[Url]) -> Iterator[Finding]:
    """Reports ports where no server listens, and transaction poolers, which can't run what needs a
    session."""
    for url in found:
        name = url.variable
        if url.is_pooler and url.port == TRANSACTION:
            yield info(
                name,
                f"{name} leads to the transaction pooler, which is fine for every command; "
                "`create index concurrently` and the like need a session.",
                f"For those alone: the same URL with port {SESSION}",
            )
        elif url.is_direct and url.port == TRANSACTION:
            yield warning(
                name,
                f"{name}: at port {TRANSACTION} the direct host has the dedicated pooler, which "
                "only paid projects have; it gives no session.",
                f"Port {SESSION} for a session; the host of the shared pooler for the other",
            )
        elif (url.is_pooler or url.is_direct) and url.port not in (SESSION, TRANSACTION):
            yield error(name, f"{name}: Supabase has nothing at port {url.port}.", _COPY)


@examines("user", "the user of each URL", "urls")
def users(found: Sequence[Url]) -> Iterator[Finding]:
    """Reports users that cause "Tenant or user not found": the pooler finds the project by the
    user's name (`postgres.PROJECT`), the database itself knows `postgres`."""
    for url in found:
        name = url.variable
        by_option = "reference" in str(url.parameters.get("options", ""))
        if url.is_pooler and "." not in url.user and not by_option:
            yield error(
                name,
                f"{name}: the pooler can't tell the project, for the user is "
                f"{url.user or 'not given'}.",
                f"Write the user as {url.user or 'postgres'}.PROJECT. {_COPY}",
            )
        if url.is_direct and "." in url.user:
            role = url.user.partition(".")[0]
            yield error(
                name,
                f"{name}: the direct host knows no {url.user}; that is the pooler's name for it.",
                f"Write the user as {role}. {_COPY}",
            )


@examines("tls", "sslmode", "urls", "sslmode")
def encrypted(found: Sequence[Url], default: str = "") -> Iterator[Finding]:
    """Reports URLs that may send passwords and rows unencrypted over a network: libpq's own
    default, `prefer`, silently gives TLS up. `default` is the value of PGSSLMODE."""
    for url in found:
        mode = str(url.parameters.get("sslmode") or default)
        if not url.is_remote or mode in ("require", "verify-ca", "verify-full"):
            continue
        how = f"sslmode={mode}" if mode else "no sslmode"
        yield warning(
            url.variable,
            f"{url.variable} has {how}: the connection may go unencrypted.",
            "Append sslmode=require to the URL (after a `?`, or a `&` if there is one)",
        )


@examines("separate", "the shadow's server, the live one", "urls")
def separate(found: Sequence[Url]) -> Iterator[Finding]:
    """Reports a shadow on the live server: it makes and drops databases without asking."""
    places = {(*url.hosts, url.port): url for url in found if url.is_remote}
    for url in found:
        live = next((u for u in found if u is not url and u.hosts == url.hosts), None)
        if url.variable == VARIABLE and live and (*url.hosts, url.port) in places:
            yield warning(
                url.variable,
                f"{url.variable} leads to the server of {live.variable}, on which databases are "
                "then made and dropped.",
                "Name a server of the shadow's own, or take it out: the embedded one is there",
            )


@dataclass(frozen=True)
class Route:
    """A host as this machine sees it. addressed: the families (4, 6) that its name resolves to;
    routed: those of them that this machine has a route for."""

    variable: str
    host: str
    addressed: frozenset[int]
    routed: frozenset[int]


def routes(config: Config, target: Target) -> list[Route]:
    """The hosts of a target. Sends nothing to them: a datagram socket only asks for the route."""
    if target.variable is None:
        return []
    url = read(target.variable, config.environment[target.variable])
    addresses = str(url.parameters.get("hostaddr") or "").split(",")
    return [_route(url, host) for host in (addresses if addresses[0] else url.hosts)]


def _route(url: Url, host: str) -> Route:
    addressed, routed = set(), set()
    for family, version in ((socket.AF_INET, 4), (socket.AF_INET6, 6)):
        try:
            places = socket.getaddrinfo(host, url.port, family, socket.SOCK_DGRAM)
        except (OSError, UnicodeError):
            continue
        addressed.add(version)
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as datagram:
                datagram.connect(places[0][4])
            routed.add(version)
        except OSError:
            continue
    return Route(url.variable, host, frozenset(addressed), frozenset(routed))


@examines("network", "addresses of its host, IPv6", "routes")
def reachable(found: Sequence[Route]) -> Iterator[Finding]:
    """Reports hosts that can't be reached from here: a name without an address, or a host with
    only IPv6 on a machine without IPv6."""
    for route in found:
        direct = _DIRECT.fullmatch(route.host)
        if not route.addressed:
            paused = " A paused or deleted project has none, either." if direct else ""
            yield error(
                route.variable,
                f"{route.host} has no address: the name is misspelt, or there is no network."
                f"{paused}",
                f"Compare the host in {route.variable} with Project > Connect",
            )
        elif route.addressed == {6} and 6 not in route.routed:
            yield error(
                route.variable,
                f"{route.host} has an IPv6 address only, and this machine no IPv6.",
                "Use the pooler's host, which has IPv4: Project > Connect in Supabase's dashboard",
            )
        elif route.addressed == {6} and direct:
            yield info(
                route.variable,
                f"{route.host} has an IPv6 address only: this machine can reach it; CI on GitHub "
                "and many hosts can't.",
                "Use the pooler's host there",
            )
