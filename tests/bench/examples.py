"""Every row's example cell, run as a cell: it names its own row, and the answer in it is correct.

python tests/bench/examples.py [words]       all rows, or those whose names have the words in them; about two minutes
Exits with 1 where an example does something else.
"""

from __future__ import annotations

import sys
import time
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import torch
import torch.nn.functional as F
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from matmagic.browsing import example
from matmagic.identities import Identity, identities


def shell() -> InteractiveShell:
    """An IPython without a history file, the magic loaded."""
    config = Config()
    config.HistoryManager.enabled = False
    made: InteractiveShell = InteractiveShell.instance(config=config)
    made.extension_manager.load_extension("matmagic")
    made.user_ns.update(torch=torch, F=F)
    return made


def fault(row: Identity, within: InteractiveShell) -> str:
    """What an example does that it should not."""
    with redirect_stdout(StringIO()):
        result = within.run_cell(example(row.instances[0]).replace("%%gradcheck ", "%%gradcheck --text "))
    if not result.success:
        return f"fails: {result.error_in_exec or result.error_before_exec}"
    report: Any = result.result
    found = report[row.wrt].identity
    if found is None or found.name != row.name:
        return f"is named {found.name if found else 'nothing'}"
    return "; ".join(grade.sentence for grade in report.claims if grade.verdict != "correct")


def main(words: str) -> int:
    torch.set_num_threads(1)
    within, start, wrong = shell(), time.perf_counter(), 0
    rows = [row for row in identities() if words in row.name]
    for row in rows:
        said = fault(row, within)
        wrong += bool(said)
        if said:
            print(f"{row.name}: {said}")
    print(f"{len(rows) - wrong} of {len(rows)} examples name their row, {time.perf_counter() - start:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
