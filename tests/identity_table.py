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

from matmagic.differential import differential
from matmagic.differentiate import differentiate
from matmagic.expr import leaf
from matmagic.identities import Identity, identities
from matmagic.printers.text import text
from matmagic.rendering import notation
from matmagic.simplify import simplify, written_out
from matmagic.walk import leaves

README = Path(__file__).parents[1] / "README.md"
START, END = "<!-- identities: python tests/identity_table.py --write -->", "<!-- end of identities -->"


def subject(row: Identity) -> str:
    """The module that the row stands in: "vectors"."""
    return Path(row.place.rpartition(":")[0]).stem


def typeset(row: Identity, code: str) -> str:
    """Torch code of a row in matrix notation: "x.T @ A @ x" -> "xᵀ A x"."""
    return text(notation(row.read(code), collect=False))


def function(row: Identity) -> str:
    """The function; of a row for several numbers or functions the first one, and what else it stands for."""
    first, *others = row.instances
    return f"{typeset(first, first.function)} and {len(others)} more" if others else typeset(first, first.function)


def derivative(row: Identity) -> str:
    """The derivative, what it becomes under a further condition, and where it holds."""
    first = row.instances[0]
    own = typeset(first, first.gradient) if len(first.gradient_node.shape) < 3 else moved(first)
    cases = [f"{typeset(first, code)} if {condition}" for condition, code in first.simpler.items()]
    cases += [
        f"{typeset(first.square, code)} by the entries of a {kind} {row.wrt}" for kind, code in first.structured.items()
    ]
    return "; ".join([own, *cases, *(f"for {c}" for c in row.conditions)])


def moved(row: Identity) -> str:
    """A derivative with more than two indices as a differential: "dF = A dX B"; of a gradient, that of the gradient."""
    variable = leaves(row.node)[row.wrt]
    node = row.node if row.order == 1 else differentiate(row.node, variable)
    step = differential(node, variable, leaf(f"d{row.wrt}", variable.shape))
    return f"{'dF' if row.order == 1 else 'd∇f'} = {text(notation(written_out(simplify(step)), collect=False))}"


def markdown(words: str) -> str:
    """Text with nothing in it that Markdown would take for markup."""
    return re.sub(r"([\\`*_|<\[])", r"\\\1", words)


def table() -> str:
    """One foldable table for each subject."""
    blocks = []
    for name, group in itertools.groupby(identities(), subject):
        rows = list(group)
        lines = [f"<details><summary>{name} ({len(rows)})</summary>", ""]
        lines += ["| identity | function | by | derivative | source |", "| --- | --- | --- | --- | --- |"]
        for row in rows:
            cells = (row.name, function(row), row.wrt, derivative(row), row.source)
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
