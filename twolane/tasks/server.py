"""The embedded server: start it, stop it, make its database anew."""

from __future__ import annotations

from invoke.context import Context

from twolane.errors import Failure
from twolane.guards.refusal import refuse
from twolane.tasks import console
from twolane.tasks.command import command
from twolane.tasks.console import done, note, say
from twolane.tasks.options import TARGET


@command("db.up", help={})
def up(c: Context) -> None:
    """Local server: start it, and print its database's URL.

    A GUI and a container reach it by that URL.

    Example:
      invoke db.up
    """
    from twolane import config
    from twolane.postgres import branches, embedded, embedded_databases, urls

    settings = config.load()
    with console.working("starting the embedded Postgres"):
        url = urls.write(embedded_databases.local(settings))
    branch = branches.current(settings)
    whose = f", with the database of branch {branch}" if branch else ""
    done(f"The embedded Postgres {embedded.major(settings)} is up{whose}.")
    if (folder := embedded.data(settings)).parent != settings.home.resolve():
        note(f"its data are in {folder}: who runs Postgres for root may not enter {settings.root}")
    say(url)


@command(
    "db.down",
    help={"prune": "Drop the databases of git branches that are no more, and the shadows."},
)
def down(c: Context, prune: bool = False) -> None:
    """Local server: stop it; its data stay.

    The next command that needs it starts it again.

    Example:
      invoke db.down --prune
    """
    from twolane import config
    from twolane.postgres import embedded, embedded_databases
    from twolane.shadow import pruning

    settings = config.load()
    if prune:
        gone = embedded_databases.prune(settings)
        done(f"Dropped {', '.join(gone)}." if gone else "No branch with a database is gone.")
        shadows, size = pruning.prune(settings)
        done(f"Dropped {shadows} shadows, {size >> 20} MB: the next command replays the files.")
    stopped = embedded.stop(settings)
    done(
        "The embedded Postgres is stopped." if stopped else "The embedded Postgres was not running."
    )


@command("db.reset", help={"target": TARGET, "yes": "Do it without asking."})
def reset(c: Context, target: str | None = None, yes: bool = False) -> None:
    """Local server: drop its database and make it anew.

    Refuses any database but the embedded one.

    Example:
      invoke db.reset --yes db.bootstrap
    """
    from twolane import config
    from twolane.guards import guards
    from twolane.postgres import branches, embedded_databases

    settings = config.load()
    refuse(guards.embedded_only(settings.target(target)))
    branch = branches.current(settings)
    whose = f"{settings.package}, branch {branch}," if branch else settings.package
    if not (yes or console.is_asked()):
        raise Failure(
            f"The local database of {whose} would be dropped with all its rows, and nobody is at a "
            "terminal to say yes.",
            "invoke db.reset --yes",
        )
    if not yes and not console.confirm(f"Drop the local database of {whose} with all its rows?"):
        say("Nothing was changed.")
        return
    embedded_databases.drop_local(settings)
    embedded_databases.local(settings, anew=True)
    done("The local database is empty again.")
    say("Next:  invoke db.bootstrap")
