"""The two lanes as chained commands, and your own tasks: this file is yours.

Each command refuses the step that would do harm, and a refusal ends the chain.
`invoke --list` shows every command, `invoke --help COMMAND` its options.
"""

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task
from twolane.tasks import db, template
from twolane.tasks.listing import by_lanes


@task(help={"target": "The database; without it, DATABASE_URL or the embedded one."})
def sql(c: Context, target: str | None = None) -> None:
    """Lane A: SQL changed. Apply it, sync the mirror, check.

    Example:
      invoke sql
    """
    db.apply(c, target=target)
    db.sync(c, target=target)
    db.check(c)


@task(
    positional=["message"],
    help={
        "message": "The title of the revision.",
        "target": "The database; without it, DATABASE_URL or the embedded one.",
    },
)
def app(c: Context, message: str, target: str | None = None) -> None:
    """Lane B: app.py changed. Write the revision, push, check.

    Example:
      invoke app "add notes"
    """
    db.gen(c, message=message)
    db.push(c, target=target)
    db.check(c)


namespace = Collection(sql, app, by_lanes(db), template)
