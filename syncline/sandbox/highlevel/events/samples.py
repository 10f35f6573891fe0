"""Samples of HighLevel's events: templates in JSON, filled with what a scene holds.

A template's text may name values of the scene, as in `Deal with {contact[name]}`; a text that is
nothing but such a name becomes the value itself. `{"$at": {"days": 1}}` is a time, `{"$day": 14}`
a date, `{"$share_of_amount": "0.4"}` and `{"$rest_of_amount": "0.4"}` are parts of the amount;
under `"..."` stands an object whose fields are taken over. A sample may be `like` another one but
for its own fields, and have values `drawn` once that it shows in several places.

Source: HighLevel's webhook documents, whose examples name the fields; every one is optional there.
The `type` of a `ProviderOutboundMessage` is the channel: it is the one event whose name is nowhere
in its body. Two documents of prices call their kind `type`, which is the event's name already.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from string import Formatter
from typing import Any

from syncline.sandbox.highlevel.events.scene import Scene
from syncline.sandbox.location.store import Document

_FILES = ("sales.json", "crm.json")
_NAME = re.compile(r"\{([^{}]+)\}")
_FORMATTER = Formatter()
_CALLS: dict[str, Callable[[Scene, Any], Any]] = {
    "$at": lambda scene, shift: scene.at(**shift),
    "$day": Scene.day,
    "$share_of_amount": Scene.share_of_amount,
    "$rest_of_amount": Scene.rest_of_amount,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """How the events of one type are made.

    Attributes:
        template: the fields between those of the envelope.
        drawn: values that are drawn before the fields, by name.
        located: whether the envelope names a location.
    """

    template: Document
    drawn: Mapping[str, str] = field(default_factory=dict)
    located: bool = True

    def fields(self, scene: Scene) -> Document:
        """The fields of an event about this scene."""
        values = _Values(scene)
        for name, drawn in self.drawn.items():
            values[name] = _filled(drawn, values)
        filled: Document = _filled(self.template, values)
        return filled


class _Values(dict[str, Any]):
    """The values that a template may name: those drawn for it, else the scene's."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self.scene = scene

    def __missing__(self, name: str) -> Any:
        return getattr(self.scene, name)


def read_samples() -> dict[str, Sample]:
    """The samples of all types that come with the package, by type."""
    samples: dict[str, Sample] = {}
    for name in _FILES:
        text = files(__package__).joinpath(name).read_text(encoding="utf-8")
        for entry in json.loads(text):
            base = samples[entry["like"]].template if "like" in entry else {}
            sample = Sample(
                {**base, **entry["fields"]}, entry.get("drawn", {}), entry.get("located", True)
            )
            samples |= dict.fromkeys(entry["types"], sample)
    return samples


def _filled(template: Any, values: _Values) -> Any:
    if isinstance(template, str):
        return _text(template, values)
    if isinstance(template, list):
        return [_filled(one, values) for one in template]
    if isinstance(template, dict):
        return _object(template, values)
    return template


def _text(template: str, values: _Values) -> Any:
    name = _NAME.fullmatch(template)
    if name is not None:
        return _FORMATTER.get_field(name[1], (), values)[0]
    return template.format_map(values)


def _object(template: Document, values: _Values) -> Any:
    filled: Document = {}
    for key, value in template.items():
        if key in _CALLS:
            return _CALLS[key](values.scene, value)
        if key == "...":
            filled |= _filled(value, values)
        else:
            filled[key] = _filled(value, values)
    return filled
