"""Every open case has torch code for its derivative, right on fresh inputs in numbers and in shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .cases import asked, load, no_formula, samples, wrong

# torch warns of x.T for 1-D tensors; it is ordinary in notebooks
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("case", load("open.toml", "case"), ids=lambda case: case["id"])
def test_derivative(case: dict[str, Any], record_property: Callable[[str, object], None]) -> None:
    record_property("case", case["id"])
    known = samples(case)
    assert not wrong(case["expected"], known)  # the corpus itself
    report, seconds = asked(case)
    derivative = report[case["wrt"]]
    record_property("milliseconds", 1000 * seconds)
    record_property("identity", derivative.identity.name if derivative.identity else "")
    record_property("text", derivative.text or "")
    if derivative.code is None:
        record_property("status", "no code")
        pytest.fail("no code: " + "; ".join(n.text for n in report.notes if n.kind == "limit"), pytrace=False)
    problem = no_formula(derivative.code, case["shapes"]) or wrong(derivative.code, known)
    record_property("status", "WRONG" if problem else "ok")
    if problem:
        pytest.fail(f"{derivative.code}: {problem}", pytrace=False)
