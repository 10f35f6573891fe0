from __future__ import annotations

import doctest
from decimal import Decimal
from typing import Any

import pytest

from syncline.errors import Unmappable
from syncline.mapping import transforms
from syncline.mapping.transforms import BadTransformError, Context, compile_steps, run_steps

TABLES = {"words": {"completed": "Paid"}}


def run(written: Any, value: Any, currency: str | None = None) -> Any:
    return run_steps(compile_steps(written, TABLES), value, Context("note", currency))


@pytest.mark.parametrize("name", sorted(transforms.TRANSFORMS))
def test_every_transform_does_what_its_examples_say(name: str) -> None:
    transform = transforms.TRANSFORMS[name]
    examples = doctest.DocTestFinder().find(transform, transform.__name__, module=transforms)
    assert any(one.examples for one in examples), "a transform without an example"
    runner = doctest.DocTestRunner()
    for one in examples:
        one.globs.update(run=run, Decimal=Decimal)
        runner.run(one)
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.parametrize("name", ["text", "upper", "lower", "money", "date"])
def test_a_missing_value_passes_by(name: str) -> None:
    assert run(name, None) is None
    assert run(name, "") is None


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({"use": "lookup", "table": "words"}, "pending"),
        ("date", "yesterday"),
        ("date", 7),
        ("money", "1.005"),
        ("money", "much"),
        ("money", "1e400"),
        ("money", True),
        ("upper", {"a": 1}),
        ("text", [["a"]]),
    ],
)
def test_a_value_that_does_not_fit_names_the_field(written: Any, value: Any) -> None:
    with pytest.raises(Unmappable) as raised:
        run(written, value, "USD")
    assert raised.value.field == "note"


def test_several_transforms_run_in_order() -> None:
    assert run(["upper", {"use": "text", "before": "<", "after": ">"}], "paid") == "<PAID>"


def test_of_several_values_each_is_taken_by_itself_until_they_are_made_one() -> None:
    finds = {"use": "find", "pattern": r"(\w+)"}
    assert run(["upper", finds], ["a b", None, "c"]) == ["A", "B", "C"]
    assert run([finds, {"use": "join", "with": "+"}], "a b") == "a+b"
    assert run([finds, "first"], "") is None


@pytest.mark.parametrize("pattern", ["no group", "(two)(groups)", "(", "(a)" + "b" * 300, "(?P<"])
def test_a_pattern_that_does_not_give_one_text_is_refused(pattern: str) -> None:
    with pytest.raises(BadTransformError):
        run({"use": "find", "pattern": pattern}, "text")


def test_money_without_a_currency_is_refused() -> None:
    with pytest.raises(Unmappable):
        run("money", "1.00")
