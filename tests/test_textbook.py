"""Functions as they stand in textbooks and notebooks have the names that they go by; textbook.toml lists them.

python tests/test_textbook.py prints those that have another name than expected, and how many have the right one.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from corefixtures import traced, writer, written

from matmagic.compositions import composition
from matmagic.identified import matched

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class Known(NamedTuple):
    """A function, the variable, and the name of its identity."""

    code: str
    shapes: str
    variable: str
    name: str
    order: int


def known() -> list[Known]:
    books = tomllib.loads((Path(__file__).parent / "textbook.toml").read_text(encoding="utf-8"))["book"]
    return [Known(*own, book.get("order", 1)) for book in books for own in book["functions"]]


def name_of(one: Known) -> str:
    """What the function is called; "" for none."""
    found = traced(one.code, one.shapes, positive=True)
    own = matched(found, one.variable, writer(written(one.code, one.shapes), found), (), one.order)
    return own.name if own else ""


@pytest.mark.parametrize("one", known(), ids=lambda one: f"{one.code} by {one.variable}")
def test_the_name_is_the_expected_one(one: Known) -> None:
    assert name_of(one) == one.name


@pytest.mark.parametrize("one", [one for one in known() if not one.name], ids=lambda one: one.code)
def test_a_composition_has_a_tree(one: Known) -> None:
    found = traced(one.code, one.shapes, positive=True)
    use = composition(found.node, found.inputs[one.variable][0])
    assert use is not None and list(use.bounds())


def main() -> None:
    right = 0
    for one in known():
        try:
            name = name_of(one)
        except Exception as error:
            name = f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
        right += name == one.name
        if name != one.name:
            print(f"{one.code}  by {one.variable}: {name or '-'}; expected {one.name}")
    print(f"{right} of {len(known())} have the expected name")


if __name__ == "__main__":
    main()
