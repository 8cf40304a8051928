"""Each golden formula is printed as it was when it was last looked at, and can be typeset."""

from __future__ import annotations

import pytest

from golden.golden import Formula, formulas, printed
from matmagic.typeset import image


@pytest.mark.parametrize("formula", formulas(), ids=lambda formula: formula["id"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_formula_is_printed_as_before(formula: Formula) -> None:
    found = printed(formula)
    for form in ("statement", "text", "latex"):  # code has tests of its own
        assert found[form] == formula[form]
    assert image(found["latex"], found["text"])
