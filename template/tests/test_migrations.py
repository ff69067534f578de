"""Lane B's history, from nothing to head, and the models that it must match."""

from tasks import lane_b, migrations, shadow, state


def test_the_history_has_one_head(repo: state.Repo) -> None:
    assert len(repo.heads) == bool(repo.revisions)


def test_from_nothing_to_head_every_app_table_is_made(
    repo: state.Repo, head: shadow.Replay
) -> None:
    declared = migrations.app_schema(repo.config).tables
    assert declared <= lane_b.relations(head.facts)


def test_the_models_are_those_at_head(repo: state.Repo) -> None:
    assert not lane_b.has_changes(repo), "app.py is ahead of the revisions: invoke db.gen"


def test_no_app_table_is_in_the_mirror(repo: state.Repo) -> None:
    both = migrations.app_schema(repo.config).tables & lane_b.relations(repo.lock)
    assert not both, f"in app.py and in schema.lock.json: {both}"
