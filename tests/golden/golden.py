"""The golden formulas: functions over all subjects, and how each is printed.

    python tests/golden/golden.py --write            # print them anew into formulas.toml
    python tests/golden/golden.py --sheet PICTURE    # all formulas typeset, as a picture to look at

A formula that changes is looked at before it is written: would a textbook print it so?
"""

from __future__ import annotations

import argparse
import html
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from matmagic import capture
from matmagic.options import Options
from matmagic.report import check
from matmagic.typeset import svg

FILE = Path(__file__).with_name("formulas.toml")
ASKED = ("id", "cell", "wrt", "shapes", "assume", "order", "need")
PRINTED = ("statement", "text", "latex", "code")

Formula = Mapping[str, Any]


def formulas() -> list[dict[str, Any]]:
    """The functions, each with what is printed of it."""
    found: list[dict[str, Any]] = tomllib.loads(FILE.read_text())["formula"]
    return found


def printed(formula: Formula) -> dict[str, str]:
    """What is printed of a function now."""
    names: dict[str, Any] = {"torch": torch, "F": F}
    cell = capture.parse(formula["cell"])
    subject = capture.subject(cell, names, None, capture.run(cell, names))
    shapes = {name: shape or "()" for name, shape in formula["shapes"].items()}
    options = Options(
        wrt=(formula["wrt"],),
        shapes=shapes,
        assume=formula.get("assume", {}),
        sizes=tuple(formula.get("need", ())),
        order=formula.get("order", 1),
    )
    report = check(subject, options)
    found = report[formula["wrt"]]
    shown = (report.statement_text, found.text, found.latex, found.code)
    return {key: value or "" for key, value in zip(PRINTED, shown, strict=True)}


def written(formula: Formula) -> str:
    """An entry of the file."""
    return "\n".join(["[[formula]]", *_lines(formula)])


def _lines(formula: Formula) -> Iterator[str]:
    for key in (*ASKED, *PRINTED):
        value = formula.get(key)
        if isinstance(value, list):
            yield f"{key} = [{', '.join(map(_quoted, value))}]"
        elif isinstance(value, dict):
            yield f"{key} = {{ {', '.join(f'{name} = {_quoted(v)}' for name, v in value.items())} }}"
        elif value is not None:
            yield f"{key} = {_quoted(value)}"


def _quoted(value: object) -> str:
    if not isinstance(value, str):
        return str(value)
    return f"'''\n{value}'''" if "\n" in value else f"'{value}'" if "'" not in value else f'"{value}"'


def sheet(picture: Path) -> None:
    """All formulas in two columns."""
    from playwright.sync_api import sync_playwright

    rows = [
        f"<div><p>{html.escape(f['id'])} · by {html.escape(f['wrt'])} · {html.escape(f['statement'])}</p>"
        f"<p class=formula>{svg(f['latex'], f['text'])}</p><p>{html.escape(f['text'])}</p></div>"
        for f in formulas()
    ]
    style = (
        "body{display:grid;grid-template-columns:1fr 1fr;gap:0 20px;margin:10px;font:12px sans-serif}"
        "div{border-top:1px solid #ccc}"
        "p{margin:3px;color:#666}.formula{font-size:18px;color:#000}"
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as tool:
        page = Path(folder, "sheet.html")
        page.write_text(f"<meta charset=utf-8><style>{style}</style>{''.join(rows)}")
        browser = tool.chromium.launch(executable_path="/usr/bin/chromium")
        view = browser.new_page(viewport={"width": 1500, "height": 800})
        view.goto(page.as_uri())
        view.screenshot(path=picture, full_page=True)
        browser.close()


def main() -> None:
    """Write the file or the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    if options.write:
        entries = [written({**formula, **printed(formula)}) for formula in formulas()]
        FILE.write_text("\n\n".join(entries) + "\n")
    if options.sheet:
        sheet(options.sheet)


if __name__ == "__main__":
    main()
