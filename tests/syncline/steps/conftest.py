from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.installations import Installations
from tests.world import Worlds, opening


@pytest.fixture
def worlds(
    database: str, redis_url: str, sandbox: SandboxProcess, installations: Installations
) -> Iterator[Worlds]:
    """Makes workers of one installation over real servers and the sandbox."""
    with opening(database, redis_url, sandbox, installations) as make:
        yield make
