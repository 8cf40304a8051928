"""Functions as people write them: where matmagic gives code, it is autograd's derivative; and it gives it mostly."""

from __future__ import annotations

import pytest

from .cases import BY_ID, CASES, code_of, disagreement, inputs, true_derivative, wrong

FLOOR = 0.95  # share of the cases that have to have code


@pytest.mark.parametrize("id_", list(BY_ID))
def test_code_is_the_derivative(id_: str) -> None:
    """Numbers and shape, on fresh draws at several sizes."""
    assert wrong(id_) is None


def test_a_wrong_derivative_is_noticed() -> None:
    """Autograd's derivative turned around, halved, transposed, or in another shape."""
    case = BY_ID["congruence-by-matrix"]
    right = true_derivative(case, inputs(case, 0))
    assert disagreement(right.clone(), right) is None
    for other in (-right, 0.5 * right, right.mT, right.reshape(-1), right * float("nan"), right + 1e-6):
        assert disagreement(other, right)


def test_most_have_code() -> None:
    """The share of the cases with a closed form; a case whose report fails has none."""
    found = [id_ for id_ in BY_ID if has_code(id_)]
    assert len(found) >= FLOOR * len(CASES), f"{len(found)} of {len(CASES)} have code"


def has_code(id_: str) -> bool:
    """Whether there is a report with code."""
    try:
        return code_of(id_) is not None
    except Exception:
        return False
