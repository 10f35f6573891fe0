from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from syncline.errors import Refused
from syncline.sandbox.config import SandboxConfig
from syncline.settings import Settings
from workers.demo.stage import stage
from workers.embedded import server


def test_a_stage_does_not_clear_a_folder_whose_servers_are_in_use(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    held = server.hold(Settings(data=folder))
    kept = folder / "kept"
    kept.touch()
    try:
        with (
            pytest.raises(Refused, match="is in use"),
            stage(folder, SandboxConfig(), "detail", {}, no_worker),
        ):
            raise AssertionError
    finally:
        held.close()
    assert kept.exists()


def no_worker() -> NoReturn:
    raise AssertionError
