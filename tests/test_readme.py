"""README.md says what is so: its cell runs, its commands are those of the CI, its table is the registry's."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import identity_table
import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from notebooks import empty
from traitlets.config import Config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CELL, ROW = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
DEMO = 'pip install ".[demo]" && jupyter lab demo.ipynb'
TEST = 'pip install ".[test]" && pytest'
SIZES = {"n": 2, "m": 5, "k": 3, "p": 7, "q": 4}  # others than those at which rows are traced


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    main, hook = sys.modules["__main__"], sys.displayhook
    shell = InteractiveShell(config=Config(HistoryManager={"enabled": False}))
    yield shell
    shell.extension_manager.unload_extension("matmagic")
    empty(shell)
    sys.modules["__main__"], sys.displayhook = main, hook


def test_the_cell_gives_what_its_picture_says(shell: InteractiveShell) -> None:
    """The alternative text of the picture is a sentence of the report."""
    shell.run_line_magic("load_ext", "matmagic")
    result = shell.run_cell(CELL)
    result.raise_error()
    (said,) = re.findall(r"!\[(.*?)\]\(tests/e2e/panel\.png\)", README)
    assert len(CELL.splitlines()) == 6
    assert said in str(result.result)
    assert result.result["x"].text == "(A + Aᵀ) x"


def test_the_cell_is_one_of_the_demo() -> None:
    """The browser test takes README's picture there."""
    demo = nbformat.read(ROOT / "demo.ipynb", as_version=4)
    assert CELL.strip() in [cell.source for cell in demo.cells]


def test_the_commands() -> None:
    (block,) = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    assert block.splitlines() == [DEMO, TEST]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert all("torch==2.13.*" in extras[name] for name in ("demo", "test"))


def test_ci_runs_the_test_command() -> None:
    """By the line of the script that looks it up."""
    (line,) = re.findall(r"tests=\$\((grep .*?)\)", (ROOT / ".ci/run").read_text())
    found = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == TEST + "\n"


def test_a_new_row_is_found() -> None:
    """README's row is new, and with it alone its function is recognised."""
    check = f"""
from matmagic import gradcheck
from matmagic.identities import identities, identity

def f(y, d):
    return torch.dot(y, d) ** 3

import torch
identities()
{ROW}
print(gradcheck(f, wrt="y")["y"].identity.name)
"""
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.stdout.strip() == ROW.split('"')[1], done.stderr


def test_the_table_is_up_to_date() -> None:
    assert identity_table.replaced(README) == README, "run: python tests/identity_table.py --write"


def test_a_stale_table_is_seen() -> None:
    before, start, table = README.partition(identity_table.START)
    stale = before + start + table.replace("(A + Aᵀ) x", "2 A x")
    assert identity_table.replaced(stale) == identity_table.replaced(README)
    with pytest.raises(SystemExit, match="has no lines"):
        identity_table.replaced("# matmagic")
