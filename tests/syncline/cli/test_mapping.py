from __future__ import annotations

from pathlib import Path

import pytest

from syncline.mapping.shapes import FLOWS
from syncline.mapping.shipped import default_document
from tests.syncline.cli.conftest import LedgerScene, Run, document

WRONG = '[orders]\nlines = "lots"\n\n[[orders.field]]\ntarget = "note"\nsource = "statu"\n'


def test_every_problem_of_a_file_is_listed_with_line_text_and_remedy(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "acme.toml"
    file.write_text(WRONG, encoding="utf-8")
    result = run("mapping", "check", str(file), "--json")
    assert result.exit_code == 2
    checked = document(result)
    assert checked["works"] is False
    assert [(one["line"], one["text"]) for one in checked["problems"]] == [
        (2, 'lines = "lots"'),
        (6, 'source = "statu"'),
    ]
    assert all(one["what"] and one["remedy"] for one in checked["problems"])
    shown = run("mapping", "check", str(file))
    assert "2 problems" in shown.stdout
    assert shown.exit_code == 2


def test_a_good_document_comes_from_standard_input_or_a_connection(
    run: Run, scene: LedgerScene
) -> None:
    typed = run("mapping", "check", "-", typed=default_document("detail"))
    assert (typed.exit_code, typed.stdout) == (0, "-: nothing is wrong.\n")
    assert run("mapping", "check", "acme").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "nowhere.toml"],
        ["check", "nobody"],
        ["show", "detail", "--flow", "tracking"],
        ["show", "detail", "--output", "/nowhere/at/all.html"],
    ],
)
def test_what_cannot_be_read_shown_or_written_ends_with_2(
    run: Run, scene: LedgerScene, arguments: list[str]
) -> None:
    result = run("mapping", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_a_file_that_is_no_text_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "acme.toml"
    file.write_bytes(b"\xff\xfe")
    assert "UTF-8" in run("mapping", "show", str(file)).stderr


def test_rows_of_a_connection_show_a_stored_value_and_what_it_becomes(
    run: Run, scene: LedgerScene
) -> None:
    scene.see("o1")
    flows = {one["name"]: one for one in document(run("mapping", "show", "acme", "--json"))}
    assert list(flows) == list(FLOWS)
    examples = {row["target"]: row["example"] for row in flows["orders"]["rows"]}
    assert examples["date"] == {
        "read": "2026-03-01T10:00:00.000Z",
        "written": "2026-03-01T10:00:00Z",
    }
    assert flows["subscriptions"]["rows"][0]["example"] is None
    shown = run("mapping", "show", "acme", "--flow", "orders", "--format", "markdown").stdout
    assert "| 2026-03-01T10:00:00.000Z → 2026-03-01T10:00:00Z |" in shown
    assert "payments" not in shown


@pytest.mark.parametrize("form", ["table", "markdown", "html"])
def test_a_document_is_written_to_a_file_in_each_format(
    run: Run, tmp_path: Path, form: str
) -> None:
    file = tmp_path / "page"
    result = run("mapping", "show", "summary", "--format", form, "--output", str(file))
    assert result.exit_code == 0
    page = file.read_text(encoding="utf-8")
    assert all(name in page for name in FLOWS)
    assert page.startswith({"table": "How", "markdown": "# How", "html": "<!doctype html>"}[form])


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_a_page_on_standard_output_is_the_page_and_nothing_else(run: Run, form: str) -> None:
    page = run("mapping", "show", "detail", "--format", form, "--flow", "payments").stdout
    assert page == run("mapping", "show", "detail", "--format", form, "--flow", "payments").stdout
    assert page.rstrip().endswith("|" if form == "markdown" else "</html>")
