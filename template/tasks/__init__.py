"""The service's tasks. `local.py` is yours; the rest is kept up to date by `copier update`."""

from __future__ import annotations

from invoke.collection import Collection

from . import db, local, template

namespace = Collection(db, template)
local_tasks = Collection.from_module(local)
for name in local_tasks.tasks:
    namespace.add_task(local_tasks.tasks[name], name)
