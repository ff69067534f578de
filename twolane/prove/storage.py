"""Attempts on `storage.objects`, where the project wrote policies for it.

Each user has a file `USER_ID/a.txt` in every bucket, as the Storage service keeps it: it fills
`owner` and `owner_id` with whoever uploads, so nobody can say another's there. In a public bucket
everybody may read (https://supabase.com/docs/guides/storage/buckets/fundamentals).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from twolane.prove.attempts import OTHER, OWN, Actor, Attempt, Try, attempt
from twolane.prove.mining import Sources
from twolane.prove.schema import OBJECTS
from twolane.prove.stage import Stage, prepared
from twolane.sql import literal

_PATHS = {"foldername", "filename", "path_tokens", "split_part", "string_to_array", "name"}
# What the Storage service says of itself before it deletes.
_AS_THE_SERVICE = "select set_config('storage.allow_delete_query', 'true', true)"
_OWNERS = {"owner", "owner_id"}
FILE = "a.txt"
BUCKETS = 6


@dataclass(frozen=True)
class Storage:
    """Tries to reach the files of others."""

    stage: Stage

    def run(self) -> Iterator[Attempt]:
        for actor in self.stage.actors:
            for bucket, is_public in self.buckets:
                for trial, told in self._tries(actor, bucket, is_public):
                    outcome = prepared(self.stage, actor, trial, told)
                    yield attempt(OBJECTS, "table", actor, trial, outcome)

    @property
    def understood(self) -> tuple[str, str]:
        """The column that says whose a file is; the same in words."""
        if self._is_by_owner:
            return "owner_id", "owner_id"
        return "name", "the first folder of name"

    def condition(self, reads: bool) -> str:
        """SQL: whether a file is the current user's, or may be read in a public bucket."""
        mine = "(storage.foldername(name))[1] = (select auth.uid())::text"
        if self._is_by_owner:
            mine = "owner_id = (select auth.uid())::text"
        public = ", ".join(literal(name) for name, is_public in self.buckets if is_public)
        return f"{mine} or bucket_id in ({public})" if public and reads else mine

    @cached_property
    def buckets(self) -> list[tuple[str, bool]]:
        """The buckets: those that are there, those that policies name; whether each is public."""
        rows = self.stage.rows.connection.execute(
            "select id, coalesce(public, false) from storage.buckets"
        )
        found = dict(sorted(rows.fetchall()))
        for name in self._sources.constants.get("bucket_id", ()):
            found.setdefault(name, False)
        return list(found.items())[:BUCKETS] or [("files", False)]

    @cached_property
    def _sources(self) -> Sources:
        return self.stage.schema.of_platform(OBJECTS)

    @cached_property
    def _is_by_owner(self) -> bool:
        """Whether policies ask for the owner alone, so that a folder is nobody's."""
        words = self._sources.words
        return bool(words & _OWNERS) and not words & _PATHS

    def _files(self, bucket: str, users: Sequence[str]) -> str:
        """SQL that makes the bucket, and a file of each of the users in it."""
        name = literal(bucket)
        made = [f"insert into storage.buckets (id, name) values ({name}, {name})"]
        made += [self._upload(bucket, f"{u}/{FILE}", u) for u in map(self._id, users)]
        made = [f"{statement} on conflict do nothing" for statement in made]
        return ";\n".join([*made, _AS_THE_SERVICE])

    def _id(self, user: str) -> str:
        return self.stage.rows.users[user]

    def _upload(self, bucket: str, name: str, owner: str) -> str:
        whose = f"{literal(owner)}::uuid, {literal(owner)}" if owner else "null, null"
        return (
            f"insert into {OBJECTS} (bucket_id, name, owner, owner_id)"
            f" values ({literal(bucket)}, {literal(name)}, {whose})"
        )

    def _tries(self, actor: Actor, bucket: str, is_public: bool) -> Iterator[tuple[Try, str]]:
        """What an actor tries in a bucket, and what it means if it goes through."""
        for user in self.stage.rows.usual:
            whose = OWN if user == actor.user else OTHER
            first = self._files(bucket, [user, *([actor.user] if actor.user else [])])
            for operation, statement, told in self._statements(actor, bucket, self._id(user)):
                is_upload = operation in ("insert", "move")
                if whose == OTHER and is_upload and self._is_by_owner:
                    continue  # a folder is nobody's
                if whose == OTHER and operation == "select" and is_public:
                    continue
                if whose == OTHER or operation in ("select", "insert", "update", "delete"):
                    yield Try(operation, whose, statement, {}, first=first), told

    def _statements(self, actor: Actor, bucket: str, of: str) -> Iterator[tuple[str, str, str]]:
        """(operation, statement, effect on whom the folder belongs to)."""
        in_bucket = f"bucket_id = {literal(bucket)}"
        here = f"{in_bucket} and name = {literal(f'{of}/{FILE}')}"
        over = self._upload(bucket, f"{of}/{FILE}", actor.sub)
        over += " on conflict (bucket_id, name) do update set owner_id = excluded.owner_id"
        moved = f"update {OBJECTS} set name = {literal(f'{of}/moved.txt')}"
        mine = f"{in_bucket} and owner_id = {literal(actor.sub)}"
        change = f"update {OBJECTS} set metadata = '{{}}' where {here}"
        yield "select", f"select name from {OBJECTS} where {here}", "sees a file of another"
        new = self._upload(bucket, f"{of}/new.txt", actor.sub)
        yield "insert", new, "puts a file into the folder of another"
        yield "update", change, "changed a file of another"
        yield "delete", f"delete from {OBJECTS} where {here}", "deleted a file of another"
        yield "upsert", over, "wrote over a file of another"
        if actor.user:
            yield "move", f"{moved} where {mine}", "moves a file into the folder of another"
