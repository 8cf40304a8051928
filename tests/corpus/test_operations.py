"""A formula has at most half as many operations again as the closed form that the corpus knows."""

from __future__ import annotations

from typing import Any

import pytest

from matmagic.notation import Indexed, SumOver, pieces

from .cases import asked, load
from .operations import of_code, of_notation

LONGER = {  # these, and why
    "logdet-gram": "the corpus has 2 X⁺ᵀ, which says less than 2 X (XᵀX)⁻¹",
}


@pytest.mark.parametrize("case", load("open.toml", "case"), ids=lambda case: case["id"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_formula_is_much_longer_than_the_known_one(case: dict[str, Any]) -> None:
    found = asked(case)[0][case["wrt"]]
    assert found.math is not None and found.text, "no notation"
    assert not any(isinstance(piece, Indexed | SumOver) for piece in pieces(found.math)), found.text
    assert (of_notation(found.math) <= 1.5 * max(of_code(case["expected"]), 1)) == (case["id"] not in LONGER), (
        found.text
    )


COUNTED = {"2 * A.T @ (A @ x - b)": 4, "torch.outer(x, x)": 1, "torch.eye(3)": 0, "-x / torch.norm(x)": 2, "x[1:]": 0}


@pytest.mark.parametrize("code", COUNTED)
def test_operations_of_code(code: str) -> None:
    assert of_code(code) == COUNTED[code]
