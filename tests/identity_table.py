"""The table of identities in README.md, made from the registry.

    python tests/identity_table.py            # print it
    python tests/identity_table.py --write    # put it into README.md, between the markers

Functions and gradients are typeset as text from the rows' own code, so the table cannot drift from what is checked.
"""

from __future__ import annotations

import argparse
import itertools
import re
from pathlib import Path

from matmagic.identities import Identity, identities
from matmagic.printers.text import text
from matmagic.rendering import notation

README = Path(__file__).parents[1] / "README.md"
START, END = "<!-- identities: python tests/identity_table.py --write -->", "<!-- end of identities -->"


def subject(row: Identity) -> str:
    """The module that the row stands in: "vectors"."""
    return Path(row.place.rpartition(":")[0]).stem


def typeset(row: Identity, code: str) -> str:
    """Torch code of a row in matrix notation: "x.T @ A @ x" -> "xᵀ A x"."""
    return text(notation(row.read(code), collect=False))


def gradient(row: Identity) -> str:
    """The gradient, what it becomes under a further condition, and where it holds."""
    cases = [f"{typeset(row, code)} if {condition}" for condition, code in row.simpler.items()]
    return "; ".join([typeset(row, row.gradient), *cases, *(f"for {c}" for c in row.conditions)])


def markdown(words: str) -> str:
    """Text with nothing in it that Markdown would take for markup."""
    return re.sub(r"([\\`*_|<\[])", r"\\\1", words)


def table() -> str:
    """One foldable table for each subject."""
    blocks = []
    for name, group in itertools.groupby(identities(), subject):
        rows = list(group)
        lines = [f"<details><summary>{name} ({len(rows)})</summary>", ""]
        lines += ["| identity | function | by | gradient | source |", "| --- | --- | --- | --- | --- |"]
        for row in rows:
            cells = (row.name, typeset(row, row.function), row.wrt, gradient(row), row.source)
            lines.append("| " + " | ".join(map(markdown, cells)) + " |")
        blocks.append("\n".join([*lines, "", "</details>"]))
    return "\n".join(blocks)


def replaced(readme: str) -> str:
    """README's text with the present table."""
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise SystemExit(f"README.md has no lines {START!r} and {END!r}")
    return f"{before}{START}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    if parser.parse_args().write:
        README.write_text(replaced(README.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(table())
