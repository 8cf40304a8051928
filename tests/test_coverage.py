"""What the Matrix Cookbook and Wikipedia's tables say is in the registry, a special case of a row, or left out for a reason.

python tests/test_coverage.py prints the totals.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from corefixtures import shapes_of

from matmagic.identities import identities
from matmagic.identities.reading import read
from matmagic.match import match
from matmagic.walk import leaves

HERE = Path(__file__).parent / "coverage"
ROWS = {row.name: row for row in identities()}


def entries() -> dict[str, dict[str, Any]]:
    """Every line of the lists, by its number or its table."""
    cookbook = tomllib.loads((HERE / "cookbook.toml").read_text(encoding="utf-8"))["equations"]
    found = {f"Cookbook ({line['n']})": line for line in cookbook}
    tables = tomllib.loads((HERE / "wikipedia.toml").read_text(encoding="utf-8"))["tables"]
    found |= {f"Wikipedia {table} {k}": line for table, lines in tables.items() for k, line in enumerate(lines)}
    return found


ENTRIES = entries()
KINDS = {"row": "own row", "of": "special case", "out": "left out"}


def test_every_equation_is_there_once() -> None:
    cookbook = tomllib.loads((HERE / "cookbook.toml").read_text(encoding="utf-8"))["equations"]
    assert [line["n"] for line in cookbook] == list(range(33, 144))


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_covered_in_one_way(name: str) -> None:
    line = ENTRIES[name]
    assert line["says"] and len(KINDS.keys() & line.keys()) == 1
    assert line.get("out", "a reason")
    assert not ({"function", "shapes", "wrt"} & line.keys()) or "of" in line


@pytest.mark.parametrize("name", [name for name, line in ENTRIES.items() if "row" in line])
def test_a_row_is_there_and_names_its_source(name: str) -> None:
    line = ENTRIES[name]
    row = ROWS[line["row"]]
    assert "n" not in line or f"({line['n']})" in row.source
    assert line.get("structured") is None or line["structured"] in row.structured


@pytest.mark.parametrize("name", [name for name, line in ENTRIES.items() if "of" in line])
def test_a_special_case_is_found_by_its_row(name: str) -> None:
    line = ENTRIES[name]
    node = read(line["function"], shapes_of(line["shapes"]))
    found = match(node, leaves(node)[line["wrt"]])
    assert found is not None and found.identity.name == line["of"]


@pytest.mark.parametrize("number", [92, 95, 127])
def test_errata_are_said(number: int) -> None:
    line = ENTRIES[f"Cookbook ({number})"]
    assert line["note"] and f"({number})" in ROWS[line["row"]].note


def totals() -> dict[str, Counter[str]]:
    """How many lines of each list are covered in which way."""
    found: dict[str, Counter[str]] = {}
    for name, line in ENTRIES.items():
        (kind,) = KINDS.keys() & line.keys()
        found.setdefault(name.partition(" ")[0], Counter())[KINDS[kind]] += 1
    return found


if __name__ == "__main__":
    for source, counted in totals().items():
        print(source, dict(counted))
