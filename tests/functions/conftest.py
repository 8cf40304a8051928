"""The table of the sample in the terminal summary: by subject, how many cases ran, had code, and were wrong or failed."""

from __future__ import annotations

from collections import defaultdict
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A row for each subject, where cases of the sample ran."""
    ran = [r for key in ("passed", "failed") for r in terminalreporter.stats.get(key, []) if _id(r)]
    if not ran:
        return
    from .cases import BY_ID
    from .test_sample import has_code

    table: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for result in ran:
        for row in (BY_ID[_id(result)]["subject"], "all"):
            table[row][0] += 1
            table[row][1] += result.passed and has_code(_id(result))
            table[row][2] += result.failed
    terminalreporter.section("derivatives of the sample's functions")
    terminalreporter.write_line(f"{'subject':20}{'cases':>7}{'right':>7}{'none':>7}{'failed':>7}")
    for row in [*sorted(table.keys() - {"all"}), "all"]:
        cases, right, failed = table[row]
        terminalreporter.write_line(f"{row:20}{cases:7}{right:7}{cases - right - failed:7}{failed:7}")


def _id(result: Any) -> str:
    """The id of the case that a test result is about, or ""."""
    _, found, rest = result.nodeid.partition("functions/test_sample.py::test_code_is_the_derivative[")
    return rest.removesuffix("]") if found and result.when == "call" else ""
