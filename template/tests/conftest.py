"""The fixtures of `twolane.testing`: a database that the repo's own files make, and access to it.

They are `schema`, `repo`, `head`, `engine` and `attempt`. Your own fixtures go below.
"""

pytest_plugins = ["twolane.testing"]
