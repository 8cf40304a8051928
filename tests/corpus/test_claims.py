"""Every homework answer gets the verdict it deserves, for a reason that holds."""

from __future__ import annotations

from typing import Any

import pytest

from .cases import asked, load


@pytest.mark.parametrize("case", load("claims_open.toml", "claim"), ids=lambda case: case["id"])
def test_verdict(case: dict[str, Any]) -> None:
    report, _ = asked(case, case["claim"])
    (grade,) = report.claims
    assert grade.verdict == case["verdict"]
    assert grade.why in (case["why"], *case.get("also", ()))
    assert grade.condition == case.get("condition")
