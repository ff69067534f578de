"""Lane B's history, from nothing to head, and the models that it must match."""

from twolane.lanes import generate
from twolane.migrations import runner
from twolane.repo import contents
from twolane.shadow import shadow


def test_the_history_has_one_head(repo: contents.Repo) -> None:
    assert len(repo.heads) == bool(repo.revisions)


def test_from_nothing_to_head_every_app_table_is_made(
    repo: contents.Repo, head: shadow.Replay
) -> None:
    declared = runner.app_schema(repo.config).tables
    assert declared <= generate.relations(head.facts)


def test_the_models_are_those_at_head(repo: contents.Repo) -> None:
    assert not generate.has_changes(repo), "app.py is ahead of the revisions: invoke db.gen"


def test_no_app_table_is_in_the_mirror(repo: contents.Repo) -> None:
    both = runner.app_schema(repo.config).tables & generate.relations(repo.lock)
    assert not both, f"in app.py and in schema.lock.json: {both}"
