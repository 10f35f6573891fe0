"""Every kind of row that we make in Halo, by name: those of records, and those of alerts."""

from __future__ import annotations

from syncline.steps import alert_targets, targets
from syncline.steps.targets import Target

TARGETS: dict[str, Target] = {**targets.TARGETS, **alert_targets.TARGETS}
