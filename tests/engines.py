"""The engine as pip leaves it, out of a folder that PYTHONPATH can name."""

import json
import shutil
from pathlib import Path

from service import ROOT

import twolane


def put(folder: Path, **origin: object) -> Path:
    """The engine with a record of where it came from."""
    shutil.copytree(ROOT / "twolane", folder / "twolane")
    record = folder / f"twolane-{twolane.__version__}.dist-info"
    record.mkdir()
    (record / "direct_url.json").write_text(json.dumps(origin))
    return folder
