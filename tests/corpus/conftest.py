"""The table at the end of a run: one line for each open case, then totals."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests of open cases recorded; properties travel with the reports of workers, too."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    recorded = [dict(r.user_properties) for r in reports if getattr(r, "when", None) == "call"]
    rows = [row for row in recorded if "case" in row]
    if not rows:
        return
    terminalreporter.section("open cases")
    width = shutil.get_terminal_size((140, 24)).columns
    for row in sorted(rows, key=lambda row: row["case"]):
        terminalreporter.line(_line(row)[:width])
    terminalreporter.line(_totals(rows))


def _line(row: dict[str, Any]) -> str:
    """id, how it went, the identity found, milliseconds, the formula."""
    formula = " ".join(row.get("text", "").split())
    took = f"{row['milliseconds']:.0f}" if "milliseconds" in row else ""
    status, identity = row.get("status", "error"), row.get("identity") or "-"
    return f"{row['case']:36} {status:7} {identity:28.28} {took:>4}  {formula}".rstrip()


def _totals(rows: list[dict[str, Any]]) -> str:
    """How many are right, without code, wrong and named; how long check() takes."""
    count = Counter(row.get("status", "error") for row in rows)
    named = sum(bool(row.get("identity")) for row in rows)
    said = f"{len(rows)} cases: {count['ok']} right, {count['no code']} without code, {count['WRONG']} wrong"
    said += f", {count['error']} raised" if count["error"] else ""
    times = sorted(row["milliseconds"] for row in rows if "milliseconds" in row)
    if not times:
        return said
    median, slow = (times[math.ceil(part * len(times)) - 1] for part in (0.5, 0.95))
    return f"{said}; {named} named; check() median {median:.0f} ms, 95 % {slow:.0f} ms"
