"""The fault dial: what goes wrong with a call, by chance from a seed or for the next N calls.

Faults are rules. Of the rules that break a call (429, 500, cuts, late effect, a foreign answer)
the first that fires decides; latencies add up; the two that spoil an answer (too few elements, out
of order) are asked for by the handler of the answer, which alone knows what its elements are.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal[
    "latency",
    "429",
    "500",
    "500_after",
    "cut_before",
    "cut_after",
    "late",
    "too_few",
    "out_of_order",
    "html",
    "redirect",
    "forbidden",
    "gateway",
    "truncated",
    "double_encoded",
    "wrong_type",
    "drip",
]
Says = Literal[
    "message", "key", "error", "status", "problem", "mark", "phrase", "page_as_json", "oauth"
]
"""How a gateway words its answer.

With a `message` alone; that a `key` of its own is wanted, in HighLevel's very shape; with an
`error` alone; with the `status` repeated; as a `problem` of RFC 9457; in the words of either API,
under a `mark` of its own; by the status's `phrase` as a text; as a page that is called JSON; in
OAuth's words of a passing trouble.
"""

FOREIGN: frozenset[str] = frozenset(
    {"html", "redirect", "forbidden", "gateway", "truncated", "double_encoded", "wrong_type"}
    | {"drip"}
)
"""What comes in place of the API's own answer: a firewall's, a proxy's, or one that was damaged."""

BREAKING: frozenset[str] = FOREIGN | {
    "429", "500", "500_after", "cut_before", "cut_after", "late",
}  # fmt: skip


class Rule(BaseModel):
    """One thing that may go wrong.

    Attributes:
        side: `highlevel`, `halo`, or `*` for both.
        operation: the operation's short name; `*` and `?` match as in file names.
        kind: what happens. `cut_before` and `cut_after` close the connection without a byte before
            or after the effect; `500_after` answers 500 though the effect was made; `late` closes
            it (or leaves it hanging) and makes the effect `late_seconds` afterwards. `html`,
            `redirect`, `forbidden` and `gateway` are answers of somebody in between; `truncated`
            JSON ends in its middle, `double_encoded` is a text that holds JSON, `wrong_type` is
            called HTML, and a `drip` takes `late_seconds` for its body.
        next: so many matching calls are hit for certain; counted down.
        probability: chance for every matching call beyond those.
        skip: so many matching calls pass untouched first; counted down.
        min_ms: shortest latency in milliseconds.
        max_ms: longest latency in milliseconds.
        late_seconds: time between the call and its late effect.
        hang: whether a late call's connection stays open until the client gives up.
        status: of an answer of `html` or of a `gateway`.
        says: how a `gateway` words it.
        effect: whether a write's effect is made although its answer is foreign.
    """

    model_config = ConfigDict(extra="forbid")

    side: Literal["highlevel", "halo", "*"] = "*"
    operation: str = "*"
    kind: Kind
    next: int = Field(default=0, ge=0)
    probability: float = Field(default=0.0, ge=0, le=1)
    skip: int = Field(default=0, ge=0)
    min_ms: float = Field(default=0.0, ge=0)
    max_ms: float = Field(default=0.0, ge=0)
    late_seconds: float = Field(default=1.0, ge=0)
    hang: bool = False
    status: int = Field(default=403, ge=200, le=599)
    says: Says = "message"
    effect: bool = False

    @model_validator(mode="after")
    def _can_fire(self) -> Self:
        if self.next == 0 and self.probability == 0:
            raise ValueError("a rule needs `next` or `probability`, else it never fires")
        if self.max_ms < self.min_ms:
            raise ValueError("max_ms must not be below min_ms")
        return self

    def matches(self, side: str, operation: str) -> bool:
        """Whether this rule is about such a call."""
        return self.side in ("*", side) and fnmatchcase(operation, self.operation)

    def fires(self, rng: random.Random) -> bool:
        """Whether it hits this matching call; uses up `skip` and `next`."""
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.next > 0:
            self.next -= 1
            return True
        return rng.random() < self.probability


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one call: seconds of latency before and after the judge, and the break."""

    latency_before: float = 0.0
    latency_after: float = 0.0
    breaking: Rule | None = None

    @property
    def kind(self) -> str | None:
        """The name of the break, if there is one."""
        return self.breaking.kind if self.breaking else None


@dataclass(frozen=True, slots=True)
class AnswerDial:
    """How an array's answer is to be spoilt."""

    too_few: bool = False
    out_of_order: bool = False


@dataclass(slots=True)
class Faults:
    """The dial: the rules in force and the seeded chance they draw from."""

    seed: int = 1
    rules: list[Rule] = field(default_factory=list)
    fired: dict[str, int] = field(default_factory=dict)
    _rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(f"faults {self.seed}")

    def set(self, rules: Iterable[Rule]) -> None:
        """Put these rules in place of all others; none switches every fault off."""
        self.rules = list(rules)

    def draw(self, side: str, operation: str) -> Fault:
        """Decide what happens to a call that is arriving."""
        latency, breaking = 0.0, None
        for rule in self.rules:
            wanted = rule.kind == "latency" or (rule.kind in BREAKING and breaking is None)
            if not wanted or not self._hit(rule, side, operation):
                continue
            if rule.kind == "latency":
                latency += self._rng.uniform(rule.min_ms, rule.max_ms) / 1000
            else:
                breaking = rule
        if not latency:
            return Fault(breaking=breaking)
        # A call may be counted anywhere between leaving the client and being answered.
        before = latency * self._rng.random()
        return Fault(before, latency - before, breaking)

    def answer_dial(self, operation: str, side: str = "halo") -> AnswerDial:
        """Decide how the answer that is being made is to be spoilt."""
        kinds = {
            rule.kind
            for rule in self.rules
            if rule.kind in ("too_few", "out_of_order") and self._hit(rule, side, operation)
        }
        return AnswerDial(too_few="too_few" in kinds, out_of_order="out_of_order" in kinds)

    def _hit(self, rule: Rule, side: str, operation: str) -> bool:
        if not rule.matches(side, operation) or not rule.fires(self._rng):
            return False
        self.fired[rule.kind] = self.fired.get(rule.kind, 0) + 1
        return True
