from __future__ import annotations

import pytest

_SEEDS, _SOAKING_SEEDS = range(1, 2), range(1, 7)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes a `seed` runs through one history of chance; through several in a soak."""
    if "seed" in metafunc.fixturenames:
        soaks = metafunc.config.getoption("soak")
        metafunc.parametrize("seed", _SOAKING_SEEDS if soaks else _SEEDS)


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether chance is given many more tries, which takes minutes."""
    return bool(request.config.getoption("soak"))
