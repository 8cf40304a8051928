"""%identities: what words find, what a row says, that its cell is named by that row, the panel, and the check of all rows."""

from __future__ import annotations

import ast
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import ipywidgets
import pytest
import torch
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from notebooks import empty
from traitlets.config import Config

from matmagic import browsing, magics, panel, proving, typeset
from matmagic.browsing import Entry, Listing, example, nearest, search
from matmagic.identities import identities
from matmagic.options import Options, parse_assume, parse_names, parse_shapes

ROWS = {row.name: row for row in identities()}


def names(query: str) -> list[str]:
    return [entry.row.name for entry in search(query)]


# ---- searching ----------------------------------------------------------------------------------------------------


FOUND = {  # what is typed: the row that comes first
    "quadratic form": "quadratic form",
    "QUADRATIC form": "quadratic form",
    "form quadratic": "quadratic form",
    "x.T @ A @ x": "quadratic form",
    "x.T@A@x": "quadratic form",
    "y.T @ M @ y": "quadratic form",
    "xᵀ A x": "quadratic form",
    "torch.norm(x)": "Euclidean norm",
    "norm(v)": "Euclidean norm",
    "torch.trace(X @ X)": "trace of the square",
    "((A @ x - b) ** 2).sum()": "least squares",
    "ridge": "ridge regression",
    "rayleigh": "Rayleigh quotient",
}


@pytest.mark.parametrize("query", FOUND)
def test_the_row_that_is_meant_comes_first(query: str) -> None:
    assert names(query)[0] == FOUND[query]


def test_words_match_sources_subjects_and_functions() -> None:
    assert "quadratic form" in names("cookbook 81") and "quadratic form" in names("(81)")
    assert all(re.search(r"(?<!\d)81(?!\d)", ROWS[name].source) for name in names("cookbook 81"))
    assert "trace" not in names("cookbook 81") and names("8") != names("81")
    traces = {name for name, row in ROWS.items() if "/traces.py:" in row.place}
    assert traces and traces.issubset(names("traces"))
    assert all("norm(" in row.function for name in names("torch.norm") for row in ROWS[name].instances[:1])
    assert names("") == list(ROWS) and names("no such thing at all") == []
    assert set(names("frobenius squared")) == set(names("squared frobenius"))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("quadratic from", "quadratic form"), ("Rayleih quotient", "Rayleigh quotient"), ("trase", "trace"), ("%", None)],
)
def test_the_nearest_names_where_nothing_matches(typed: str, meant: str | None) -> None:
    near = [entry.row.name for entry in nearest(typed)]
    assert len(near) == browsing.NEAREST and (meant is None or near[0] == meant)
    assert str(Listing(typed)).startswith(f"no identity matches {typed!r}; the nearest are: {near[0]}, ")


def test_a_query_is_never_code_or_a_pattern() -> None:
    for query in ["[", "(", "*", "\\", "__import__('os')", "a" * 5000, "\x00", "$x$", "<b>", "ᵀ", "81 (", "٣"]:
        assert isinstance(str(Listing(query)), str) and "<b>" not in Listing(query).html()


def test_searching_is_at_once() -> None:
    search("quadratic")
    start = time.thread_time()
    for query in ("q", "qu", "qua", "logdet", "cookbook 81", "x.T @ A @ x"):
        search(query)
    assert time.thread_time() - start < 0.6  # a tenth of a second each, on a slow machine


# ---- what a row says ----------------------------------------------------------------------------------------------


def test_a_row_as_text() -> None:
    assert str(Entry(ROWS["quadratic form"])) == (
        "quadratic form · Matrix Cookbook (81)\n"
        "  ∇ₓ xᵀ A x = (A + Aᵀ) x     x ∈ ℝⁿ, A ∈ ℝⁿˣⁿ\n"
        "  if A symmetric: 2 A x\n"
        '    %%gradcheck -w x -s "x=n,1 A=n,n"\n'
        "    def f(x, A):\n"
        "        return x.T @ A @ x\n"
        "    expected_gradient = (A + A.T) @ x"
    )


def test_conditions_and_notes_are_said() -> None:
    row = replace(ROWS["quadratic form"], conditions=("A positive-definite", "n >= m"), note="a note")
    words = str(Entry(row))
    for said in (
        "for A positive-definite",
        "for n >= m",
        "if A symmetric: 2 A x",
        "a note",
        '-a "A=positive-definite n>=m"',
    ):
        assert said in words


def test_cases_of_a_row_for_several_numbers() -> None:
    words = [{"p": str(k)} for k in range(2, 12)]
    row = replace(ROWS["squared norm"], function="(x.T @ x) ** p", gradient="2 * p * x", each=tuple(words))
    assert Entry(row).cases == "p = 2, 3, 4, 5, 6, 7, …"
    assert "(x.T @ x) ** 2" in Entry(row).example


@pytest.mark.parametrize("name", ROWS)
def test_every_row_can_be_shown(name: str) -> None:
    entry = Entry(ROWS[name])
    words = str(entry)
    assert ROWS[name].source in words and entry.rule.pattern_latex and "\n" not in entry.rule.pattern_text
    magic, cell = entry.example.split("\n", 1)
    assert magic.startswith("%%gradcheck ")
    ast.parse(cell)


def checked(cell: str) -> Any:
    """The Report on an example cell, its options read as the magic reads them."""
    from matmagic.capture import run, subject
    from matmagic.cells import parse
    from matmagic.report import check

    magic, body = cell.split("\n", 1)
    given = magics.GradcheckMagics.gradcheck.parser.parse_args(
        magics.joined(magics.split(magic.removeprefix("%%gradcheck")))
    )
    assume, sizes = parse_assume(given.assume)
    options = Options(
        parse_names(",".join(given.wrt)), parse_shapes(" ".join(given.shapes)), assume, sizes, given.order, trials=2
    )
    names: dict[str, Any] = {"torch": torch, "F": torch.nn.functional}
    parsed = parse(body, "<example>")
    return check(subject(parsed, names, None, run(parsed, names)), options)


SAMPLE = [
    name
    for k, name in enumerate(ROWS)
    if k % 9 == 4 or len(ROWS[name].conditions) > 1 or not ROWS[name].shapes[ROWS[name].wrt]
]


@pytest.mark.parametrize("name", SAMPLE)
def test_the_example_cell_is_named_by_its_own_row(name: str) -> None:
    report = checked(example(ROWS[name].instances[0]))
    (derivative,) = report
    assert derivative.identity is not None and derivative.identity.name == name
    assert [grade.sentence for grade in report.claims if grade.verdict != "correct"] == []


# ---- listings -----------------------------------------------------------------------------------------------------


def test_all_rows_are_named_by_subject() -> None:
    words = " ".join(str(Listing()).split())
    assert words.startswith(f"{len(ROWS)} identities; ")
    assert all(name in words for name in ROWS)
    assert max(map(len, str(Listing()).splitlines())) <= 100


def test_many_matches_are_named_after_the_first() -> None:
    listing = Listing("trace")
    words = str(listing)
    assert len(listing.entries) > browsing.MOST_IN_FULL and words.count("%%gradcheck") == browsing.MOST_IN_FULL
    assert all(entry.row.name in " ".join(words.split()) for entry in listing.entries)


def test_html_is_what_saved_notebooks_keep() -> None:
    for query in ("", "quadratic form", "no such thing"):
        page = Listing(query).html()
        assert "$" not in page and "<script" not in page and "<style" not in page and "<svg" not in page
    assert "∇ₓ xᵀ A x = (A + Aᵀ) x" in Listing("quadratic form").html()
    hostile = replace(ROWS["quadratic form"], note="<script>$x$</script>", source="<img>")
    assert "<script" not in "".join(browsing.escape(str(Entry(hostile))))


def test_a_listing_shows_itself_with_the_panel_where_there_is_one() -> None:
    assert list(Listing("trace")._repr_mimebundle_()) == ["text/plain"]
    live = Listing("trace", panel.browser_view)._repr_mimebundle_()
    assert list(live) == [panel.WIDGET_VIEW, "text/html", "text/plain"]


# ---- the panel ----------------------------------------------------------------------------------------------------


def parts(widget: Any) -> tuple[Any, Any, Any, Any]:
    """The field, the headline, the names, the card."""
    (top, lists) = widget.children
    return (*top.children, *lists.children)


def test_the_panel_narrows_as_one_types() -> None:
    field, count, found, card = parts(panel.browser(Listing("")))
    assert list(found.options) == list(ROWS) and found.index == 0
    field.value = "quadratic form"
    assert found.options[0] == "quadratic form" and "identities match" in count.value
    assert 'aria-label="∇ₓ xᵀ A x = (A + Aᵀ) x"' in card.value and "%%gradcheck" in card.value
    found.index = 1
    assert found.options[1] in card.value
    field.value = "trase"
    assert "no identity matches" in count.value and found.options[0] == "trace" and "tr(X)" in card.value
    field.value = "<script>alert(1)</script>"
    assert "<script" not in count.value + card.value
    assert field.continuous_update


def test_one_row_is_typeset_at_a_time() -> None:
    typeset._draw.cache_clear()
    panel.row_card.cache_clear()
    field, _, found, _ = parts(panel.browser(Listing("")))
    assert typeset._draw.cache_info().misses <= 3
    field.value = "trace"
    found.index = 2
    assert typeset._draw.cache_info().misses <= 9


def test_the_first_view_is_fast() -> None:
    typeset.svg("x", "x")
    panel.browser(Listing("quadratic"))
    start = time.thread_time()
    panel.browser(Listing("trace"))
    assert time.thread_time() - start < 0.3


def test_every_part_of_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(
        ROWS["trace of the square"], structured={"symmetric": "4 * X - 2 * torch.diag(torch.diag(X))"},
        conditions=("X <b>",), note="<i>note</i>", each=({"p": "2"}, {"p": "3"}),
    )  # fmt: skip
    card = panel.row_card(Entry(row))
    for said in (
        "for symmetric X, by its free entries",
        "for X &lt;b&gt;",
        "&lt;i&gt;note",
        "also with p = 2, 3",
        "X ∈ ℝ",
    ):
        assert said in card
    assert "user-select:all" in card and "<b>" not in card


# ---- the check of all rows ----------------------------------------------------------------------------------------


def quiet(done: int, total: int, name: str) -> None:
    pass


def test_right_rows_pass() -> None:
    shown: list[tuple[int, int, str]] = []
    rows = list(ROWS.values())[:3]
    proof = proving.proved(rows, lambda *said: shown.append(said))
    assert proof.passed and (proof.rows, proof.done, proof.wrong) == (3, 3, ())
    assert shown == [(0, 3, rows[0].name), (1, 3, rows[1].name), (2, 3, rows[2].name), (3, 3, "")]
    assert re.match(r"3 of 3 identities are right: .* \(\d+\.\d s\)$", str(proof))


def test_a_wrong_row_is_named_with_its_file_and_line() -> None:
    good = ROWS["quadratic form"]
    rows = [
        good,
        replace(good, gradient="2 * A @ x"),
        replace(good, function="x.T @ A @ y"),
        replace(good, gradient="x +"),
    ]
    proof = proving.proved(rows, quiet)
    assert not proof.passed and proof.done == 4 and len(proof.wrong) == 3
    assert str(proof).startswith("1 of 4 identities are right")
    for said, place in proof.wrong:
        assert said.startswith("quadratic form: ") and re.search(r"vectors\.py:\d+$", place)
        assert f"✗ {said}\n    {place}" in str(proof)


def test_ctrl_c_ends_the_check_with_what_was_found() -> None:
    def interrupt(done: int, total: int, name: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    proof = proving.proved(list(ROWS.values())[:5], interrupt)
    assert (proof.done, proof.passed) == (2, False)
    assert str(proof).startswith("stopped after 2 of 5 identities: 2 are right")


def test_two_rows_for_one_function_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "/a/vectors.py:3: 'b' is the same function as 'a' in /a/vectors.py:1"
    monkeypatch.setattr(proving, "clashes", lambda: [said])
    proof = proving.proved([ROWS["quadratic form"]], quiet)
    assert proof.wrong == (("'b' is the same function as 'a' in /a/vectors.py:1", "/a/vectors.py:3"),)


def test_the_bar_of_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for done, name in ((0, "trace"), (1, "a name"), (2, "")):
        proving._line(done, 2, name)
    lines = capsys.readouterr().out.split("\r")
    assert "0/2 trace" in lines[1] and "1/2 a name" in lines[2] and "█" * 20 + "·" * 20 in lines[2]
    assert lines[-2].strip() == "" and lines[-1] == ""


# ---- the magic ----------------------------------------------------------------------------------------------------


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    main, hook = sys.modules["__main__"], sys.displayhook
    shell = InteractiveShell(config=Config(HistoryManager={"enabled": False}, InteractiveShell={"colors": "nocolor"}))
    shell.extension_manager.load_extension("matmagic")
    yield shell
    shell.extension_manager.unload_extension("matmagic")
    empty(shell)
    sys.modules["__main__"], sys.displayhook = main, hook


def ran(shell: InteractiveShell, line: str) -> Any:
    result = shell.run_cell(line)
    result.raise_error()
    return result.result


def test_the_magic_lists_rows(shell: InteractiveShell) -> None:
    assert ran(shell, "%identities x.T @ A @ x").entries[0].row.name == "quadratic form"
    assert ran(shell, "%identities").entries == search("")
    assert ran(shell, "%identities --text cookbook 81").query == "cookbook 81"
    assert ran(shell, "%identities A' x - \"b").query == "A' x - \"b"
    proof = ran(shell, "%identities --check squared norm")
    assert proof.passed and proof.rows == len(search("squared norm"))


def test_the_panel_is_for_kernels(shell: InteractiveShell) -> None:
    assert ran(shell, "%identities trace").view is None
    shell.kernel = object()  # type: ignore[attr-defined]
    assert ran(shell, "%identities trace").view is panel.browser_view
    assert ran(shell, "%identities trace --text").view is None
    shell.run_cell("%config GradcheckMagics.text = True").raise_error()
    assert ran(shell, "%identities trace").view is None


def test_an_option_that_is_not_there(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    error = shell.run_cell("%identities --chekc").error_in_exec
    assert type(error) is UsageError and str(error) == "no option --chekc (did you mean --check?); see %identities?"


def test_completion_and_help(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.complete("--", "%identities --")[1] == ["--check", "--text"]
    assert "quadratic" in shell.complete("quad", "%identities quad")[1]
    shell.run_cell("%identities?")
    out = capsys.readouterr().out
    assert "Look through the known identities" in out and "--check" in out


def test_unloading_takes_the_magic_back(shell: InteractiveShell) -> None:
    shell.extension_manager.unload_extension("matmagic")
    assert "identities" not in shell.magics_manager.magics["line"]


def test_widgets_are_core_widgets() -> None:
    def every(widget: Any) -> Iterator[Any]:
        yield widget
        for child in getattr(widget, "children", ()):
            yield from every(child)

    assert all(type(w).__module__.startswith("ipywidgets.") for w in every(panel.browser(Listing("trace"))))
    assert ipywidgets.Widget.__module__.startswith("ipywidgets.")
