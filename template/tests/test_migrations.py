"""Lane B's history, from nothing to head, and the models that it must match."""

from twolane import testing
from twolane.testing import Replay, Repo


def test_the_history_has_one_head(repo: Repo) -> None:
    assert len(repo.heads) == bool(repo.revisions)


def test_from_nothing_to_head_every_app_table_is_made(repo: Repo, head: Replay) -> None:
    assert testing.app_tables(repo) <= testing.tables(head)


def test_the_models_are_those_at_head(repo: Repo) -> None:
    assert not testing.app_is_ahead(repo), "app.py is ahead of the revisions: invoke db.gen"


def test_no_app_table_is_in_the_mirror(repo: Repo) -> None:
    both = testing.app_tables(repo) & testing.mirrored_tables(repo)
    assert not both, f"in app.py and in schema.lock.json: {both}"
