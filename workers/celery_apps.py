"""How every Celery app of ours is made: with our settings, and with modules that are installed.

Celery's own way puts the working folder first among those where modules are looked for. Whoever
starts syncline beside a file such as `httpx.py` or `celeryconfig.py` does not mean that one.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from celery import Celery
from celery.loaders.app import AppLoader

import celeryconfig


class InstalledOnly(AppLoader):
    """Imports tasks as Python does, and nothing from the folder in which the process stands."""

    def import_from_cwd(
        self, module: str, imp: Callable[..., ModuleType] | None = None, package: str | None = None
    ) -> ModuleType:
        """Import a module, from wherever others of ours come."""
        found: ModuleType = (imp or self.import_module)(module, package=package)
        return found


def make_app(**given: Any) -> Celery:
    """An app with the settings of `celeryconfig`.

    Args:
        given: what Celery's class takes, such as `broker`.
    """
    app = Celery("syncline", loader=InstalledOnly, **given)
    app.config_from_object(celeryconfig)
    return app
