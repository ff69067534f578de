"""The tests leave nothing behind, and take nothing of others' away."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_folders import open_folder

from twolane.postgres import place


def test_data_that_lie_elsewhere_go_with_their_services_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setattr(place, "ELSEWHERE", elsewhere)
    with open_folder("twolane-own-") as folder:
        services = {
            "own": folder / "crm",
            "moved": folder / "above/crm",
            "others": folder.with_name(f"{folder.name}-2") / "crm",
        }
        for name, service in services.items():
            (elsewhere / name / "18").mkdir(parents=True)
            (elsewhere / name / place._LINK).write_text(f"{service}/.postgres/18\n")
        (elsewhere / "postgres-0123456789ab/bin").mkdir(parents=True)
    assert sorted(path.name for path in elsewhere.iterdir()) == ["others", "postgres-0123456789ab"]
    assert not folder.exists()
