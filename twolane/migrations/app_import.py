"""Imports `app.py` with those classes of `introspected.py` alone that it asks for.

A large database has thousands of classes, of which an app names a few. Whoever asks the barrel or
`__all__` for more gets all.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from twolane.models.again import split

_BASES = ("AppBase", "IntrospectedBase")


def app_metadata(package: str) -> Any:
    """The metadata of `AppBase`, with the tables of the package's `app.py` in it.

    Raises what the import raises, with all classes there.
    """
    schema = f"{package}.db.schema"
    if schema not in sys.modules:
        try:
            _prepare(schema)
            import_module(f"{schema}.app")
        except Exception:
            _forget(schema)
    import_module(f"{schema}.app")
    return import_module(f"{schema}.base").AppBase.metadata


def _prepare(schema: str) -> None:
    """Puts a barrel there that imports nothing, and models that are made when they are asked for.

    Python asks a module's `__getattr__` for what it has not (PEP 562).
    """
    barrel = _unmade(schema)
    vars(barrel)["__getattr__"] = _completed(barrel)
    models = _unmade(f"{schema}.introspected")
    vars(barrel)["introspected"] = models
    path = Path(str(models.__file__))
    head, classes = split(path.read_text(encoding="utf-8"))
    exec(compile(head, path, "exec"), vars(models))
    vars(models)["__getattr__"] = _made(models, path, classes)


def _unmade(name: str) -> ModuleType:
    """A module that is known, and not executed.

    Raises:
        ImportError: there is none of that name.
    """
    spec = find_spec(name)
    if spec is None:
        raise ImportError(name)
    sys.modules[name] = module_from_spec(spec)
    return sys.modules[name]


def _completed(barrel: ModuleType) -> Callable[[str], Any]:
    def get(name: str) -> Any:
        is_pythons = name.startswith("__") and name != "__all__"
        if is_pythons or find_spec(f"{barrel.__name__}.{name}"):
            raise AttributeError(name)
        del vars(barrel)["__getattr__"]
        assert barrel.__spec__ and barrel.__spec__.loader
        barrel.__spec__.loader.exec_module(barrel)
        return getattr(barrel, name)

    return get


def _made(models: ModuleType, path: Path, classes: dict[str, tuple[int, str]]) -> Any:
    def get(name: str) -> Any:
        if name not in classes:
            raise AttributeError(f"module {models.__name__!r} has no attribute {name!r}")
        line, text = classes.pop(name)
        tree = ast.increment_lineno(ast.parse(text, path), line)
        exec(compile(tree, path, "exec"), vars(models))
        return vars(models)[name]

    return get


def _forget(schema: str) -> None:
    """Forgets the modules; SQLAlchemy would remember their classes."""
    base = sys.modules.get(f"{schema}.base")
    for name in _BASES:
        if base is not None and hasattr(base, name):
            getattr(base, name).registry.dispose(cascade=True)
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{schema}.")]:
        del sys.modules[name]
