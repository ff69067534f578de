"""Your own tasks: write them here, `invoke --list` shows them beside `db.*`.

from invoke.context import Context
from invoke.tasks import task


@task
def hello(c: Context) -> None:
    \"\"\"Say hello.\"\"\"
    print("hello")
"""
