"""Users who come with what anybody may bring along: metadata of their own, an address, headers.

A user writes `user_metadata` themselves, a request has any header that its sender likes, and an
address is only as good as its confirmation. What a policy or function looks up there is filled with
what it compares it with, or with values of another's rows. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twolane.prove.attempts import Actor
from twolane.prove.mining import HEADERS, OWN_METADATA, Claim, Path, Sources
from twolane.prove.rows import Rows
from twolane.prove.schema import USERS, Schema
from twolane.prove.variety import HIGHEST

MOST = 3


@dataclass(frozen=True)
class Guises:
    """The first user in every guise that the texts of the database give a reason for."""

    schema: Schema
    rows: Rows

    @property
    def all(self) -> list[Actor]:
        found = [*self._with_metadata(), *self._with_address(), *self._with_headers()]
        return [*found, *self._without_account()]

    @property
    def _me(self) -> Actor:
        name = next(iter(self.rows.users))
        claims = json.dumps(self.rows.claims(name))
        sub = self.rows.users[name]
        return Actor(f"user {name}", "authenticated", claims, sub, name, is_guise=True)

    def _with_metadata(self) -> Iterator[Actor]:
        for name, written in self.rows.metadata.items():
            if not self.rows.held.get((USERS, name)):
                continue
            claims = json.dumps(self.rows.claims(name))
            who = f"new user (user_metadata {json.dumps(written)})"
            yield replace(self._me, name=who, claims=claims, sub=self.rows.users[name], user=name)
        for document in self._documents(self.schema.sources.claims(OWN_METADATA)):
            claims = json.loads(self._me.claims)
            claims["user_metadata"] |= document
            yield replace(
                self._me,
                name=f"user A (user_metadata {json.dumps(document)})",
                claims=json.dumps(claims),
                metadata=json.dumps(claims["user_metadata"]),
            )

    def _with_address(self) -> Iterator[Actor]:
        sources = self.schema.sources
        if not sources.ask_for_email:
            return
        named = [
            text if "@" in text.strip("@") else f"x@{text.strip('@')}" for text in sources.emails
        ]
        others = [self.rows.claims(u)["email"] for u in list(self.rows.users)[1:2]]
        for address in [*named[:MOST], *others]:
            claims = json.loads(self._me.claims) | {"email": address}
            yield replace(self._me, name=f"user A (address {address})", claims=json.dumps(claims))

    def _with_headers(self) -> Iterator[Actor]:
        claims = self.schema.sources.claims(HEADERS)
        fixed = documents({c.path: compared_with(c, self.schema.sources) for c in claims}, 2)
        for document in [*fixed, *self._documents(claims)]:
            headers = json.dumps({key.lower(): value for key, value in document.items()})
            yield replace(self._me, name=f"user A (headers {headers})", headers=headers)
            anon = Actor("anon", "anon", '{"role": "anon"}', is_guise=True)
            yield replace(anon, name=f"anon (headers {headers})", headers=headers)

    def _without_account(self) -> Iterator[Actor]:
        """Who signed in anonymously: `authenticated`, without an address, with a claim of it."""
        if "is_anonymous" in self.schema.sources.words:
            none = {"is_anonymous": True, "email": "", "aal": "aal1", "amr": []}
            claims = json.dumps(json.loads(self._me.claims) | none)
            yield replace(self._me, name="user A (signed in anonymously)", claims=claims)

    def _documents(self, claims: Sequence[Claim]) -> list[dict[str, Any]]:
        """Documents that fill every key, each with another of the values worth a try."""
        values = {claim.path: self._values(claim) for claim in claims}
        return documents({path: found for path, found in values.items() if found}, MOST)

    def _values(self, claim: Claim) -> list[Any]:
        """What others have in the columns beside it; their ids where it stands alone."""
        found = self._others([*claim.names, claim.path[-1]])
        if not found and not claim.values:
            found = self._others(["id", "user_id"])
        return list(dict.fromkeys(found))

    def _others(self, columns: Sequence[str]) -> list[str]:
        """The values that rows of others have in columns of these names."""
        me, found = next(iter(self.rows.users)), dict[str, None]()
        for user in self.rows.users:
            for (_, owner), held in self.rows.held.items():
                for _, row in held[:1] if owner == user != me else ():
                    values = [row[name] for name in columns if row.get(name)]
                    found.update(dict.fromkeys(str(value) for value in values))
        return list(found)


def compared_with(claim: Claim, sources: Sources) -> list[Any]:
    """The constants that a key is compared with, and a column that is named as the key."""
    key = claim.path[-1]
    texts = [*sources.constants.get(key, ()), *claim.values]
    texts = [text for text in texts if not text.startswith("{")]
    flags = [True] if {"true", "false"} & set(texts) else []
    highest = HIGHEST if "role" in key and not texts else ()
    return list(
        dict.fromkeys([*(t for t in texts if t not in ("true", "false")), *highest, *flags])
    )


def documents(values: Mapping[Path, Sequence[Any]], most: int) -> list[dict[str, Any]]:
    """JSON objects that fill every path, the n-th with the n-th of its values."""
    found = []
    values = {path: options for path, options in values.items() if options}
    for number in range(min(max(map(len, values.values()), default=0), most)):
        document: dict[str, Any] = {}
        for path, options in values.items():
            inner = document
            for key in path[:-1]:
                following = inner.setdefault(key, {})
                inner = following if isinstance(following, dict) else {}
            inner[path[-1]] = options[number % len(options)]
        found.append(document)
    return found


def at_signup(sources: Sources) -> list[dict[str, Any]]:
    """What somebody may write into their metadata when they sign up, for a trigger to copy."""
    claims = sources.claims(OWN_METADATA)
    return documents({claim.path: compared_with(claim, sources) for claim in claims}, 2)
