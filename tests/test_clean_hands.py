"""Clean hands: after `%%gradcheck` the process is as after a plain run of the same cell, whatever the cell does.

Every cell of the corpus, good or bad, is run both ways in a shell, and then the two states are compared; so are cells with side
effects, and checks that an interrupt breaks off anywhere.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from corpus.cases import load
from corpus.test_bad_cells import CELLS as BAD
from corpus.test_bad_cells import options as bad_options
from IPython.core.interactiveshell import InteractiveShell
from notebooks import empty
from torch import Tensor
from traitlets.config import Config

from matmagic import drawing, static, verify
from matmagic.report import Report

NOT_RUN = {"bad-no-function", "bad-class", "bad-async"}  # there is nothing to check
GOOD = {case["id"]: case for case in load("open.toml", "case")}
START = """
import torch, itertools, random
import numpy as np
import torch.nn.functional as F
leaf = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
(leaf ** 2).sum().backward()
plain = torch.tensor([0.5, 1.5, 2.5])
history, table, seen, count = [1], {"a": 1}, {1}, 0
"""


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    """A shell with matmagic; it writes no history."""
    main, hook = sys.modules["__main__"], sys.displayhook
    shell = InteractiveShell(config=Config(HistoryManager={"enabled": False}, InteractiveShell={"colors": "nocolor"}))
    shell.extension_manager.load_extension("matmagic")
    yield shell
    sys.modules["__main__"], sys.displayhook = main, hook


# --------------------------------------------------------------------------- states


def values(one: Any) -> Any:
    """What a thing of the notebook holds, as something that can be compared."""
    if isinstance(one, Tensor):
        grad = values(one.grad) if one.is_leaf and one.grad is not None else None
        whole = one.detach().to_dense() if one.layout != torch.strided else one.detach()
        return str(one.dtype), one.requires_grad, whole.tolist(), grad
    if isinstance(one, torch.nn.Module):
        return one.training, values(dict(one.state_dict()))
    if isinstance(one, list | tuple | set):
        return [values(item) for item in one]
    if isinstance(one, dict):
        return {key: values(item) for key, item in one.items()}
    if isinstance(one, int | float | str | bool | None):
        return one
    own = vars(one) if type(one).__module__ == "__main__" or hasattr(one, "__code__") else {}
    return getattr(one, "__name__", type(one).__name__), values(dict(own))


def state(names: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is promised to be as after a plain run."""
    return {
        "notebook": {n: values(v) for n, v in names.items() if not n.startswith("_") and n not in ("In", "Out")},
        "torch random": torch.get_rng_state().tolist(),
        "numpy random": str(np.random.get_state(legacy=False)),
        "python random": random.getstate(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "modes": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_anomaly_enabled()),
        "listeners": (torch._C._len_torch_function_stack(), torch._C._len_torch_dispatch_stack()),
        "deterministic": torch.get_deterministic_debug_mode(),
        "threads": torch.get_num_threads(),
        "filters": list(warnings.filters),
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "numpy errors": np.geterr(),
        "recursion": sys.getrecursionlimit(),
        "streams": (sys.stdout, sys.stderr),
        "ctrl-c": signal.getsignal(signal.SIGINT),
        "dynamo": "torch._dynamo" in sys.modules,
    }


Result = Report | BaseException | None


def after(shell: InteractiveShell, options: str | None, cell: str, setup: str = "") -> tuple[dict[str, Any], Result]:
    """The state after a cell in a notebook that has run nothing but START, and the Report or what was raised.

    Without options the cell is run as it is.
    """
    empty(shell)
    shell.run_cell(START, silent=True).raise_error()
    shell.run_cell(setup, silent=True)
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    result: Result = None
    try:
        if options is None:
            shell.run_cell(cell, silent=True)
        else:
            result = shell.run_cell_magic("gradcheck", options, cell)
    except BaseException as error:
        result = error
    return state(shell.user_ns), result


def same_state(shell: InteractiveShell, options: str, cell: str, setup: str = "") -> Result:
    """The result of a checked cell, whose state has to be that of a plain run."""
    plain, _ = after(shell, None, cell, setup)
    checked, result = after(shell, options, cell, setup)
    for part, own in plain.items():
        assert checked[part] == own, part
    return result


@pytest.mark.parametrize("name", GOOD)
def test_cells_of_the_corpus(name: str, shell: InteractiveShell) -> None:
    case = GOOD[name]
    shapes = " ".join(f"{n}={shape or '()'}" for n, shape in case["shapes"].items())
    assume = " ".join([*(f"{n}={p}" for n, p in case.get("assume", {}).items()), *case.get("need", ())])
    given = [f'--shapes "{shapes}"', f"--wrt {case['wrt']}", f"--order {case['order']}"]
    given += [f'--assume "{assume}"'] if assume else []
    given += [f"--function {case['fn']}"] if "fn" in case else []
    assert isinstance(same_state(shell, " ".join(given), case["cell"]), Report)


@pytest.mark.parametrize("name", BAD)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_bad_cells(name: str, shell: InteractiveShell) -> None:
    cell = BAD[name]
    if name in NOT_RUN:
        before, _ = after(shell, None, "", cell.get("setup", ""))
        assert after(shell, bad_options(cell), cell["cell"], cell.get("setup", ""))[0] == before
        return
    same_state(shell, bad_options(cell), cell["cell"].strip("\n"), cell.get("setup", ""))


# --------------------------------------------------------------------------- side effects

EFFECTS = {  # what f does before it returns x @ x, and what the note about it says
    "history.append(x.sum().item())": "f changes history: it ran",
    "history[0] += 1": "f changes history: it ran",
    "table['n'] = table.get('n', 0) + 1": "f changes table: it ran",
    "seen.add(len(seen) + 5)": "f changes seen: it ran",
    "global count; count += 1": "f changes count: it ran",
    "global fresh; fresh = x * 2": "f changes fresh: it ran",
    "plain.add_(1)": "f changes plain in place",
    "leaf.data.mul_(2)": "f changes leaf in place",
    "f.calls = getattr(f, 'calls', 0) + 1": "f changes f: it ran",
    "thing.count += 1": "f changes thing: it ran",
    "Thing.shared += 1": "f changes Thing: it ran",
    "next(listed)": "f changes listed: it ran",
    "next(made)": "f takes from made, which can't be given back: it ran",
    "next(counted)": "f takes from counted, which can't be given back: it ran",
    "next(pairs)": "f takes from pairs, which can't be given back: it ran",
    "held['b'].unsqueeze_(0)": 'f changes held["b"] in place',
    "held['c'].t_()": 'f changes held["c"] in place',
    "gaps[0] > 0": "",
    "chance.random(); noise.random()": "f changes chance, noise: it ran",
    "print('here')": "f prints: it ran",
    "torch.manual_seed(3); np.random.rand(); random.random()": "",
    "torch.set_default_dtype(torch.float64)": "",
    "torch.set_num_threads(3)": "",
    "torch.set_deterministic_debug_mode('warn')": "",
    "torch.autograd.set_detect_anomaly(True)": "",
    "torch.set_default_device('meta'); torch.set_default_device('cpu')": "",
    "import warnings; warnings.simplefilter('error')": "",
    "import os; os.environ['MATMAGIC_TEST'] = '1'; os.chdir('/')": "",
    "import sys; sys.setrecursionlimit(5000); sys.stdout = sys.stderr": "",
    "np.seterr(all='raise')": "",
    "torch.set_grad_enabled(True)": "",
}
THINGS = """
class Thing:
    shared = 0
    def __init__(self):
        self.count = 0
thing, listed, counted = Thing(), iter([1.0] * 500), itertools.count()
made = (k for k in range(500))
pairs = zip([1.0] * 500, [2.0] * 500)
held = {"b": torch.zeros(3), "c": torch.zeros(2, 3)}
gaps = np.array([1.0, np.nan])
chance, noise = random.Random(1), np.random.default_rng(1)
"""


@pytest.mark.parametrize("line", EFFECTS)
def test_side_effects_are_undone_and_named(line: str, shell: InteractiveShell) -> None:
    cell = f"def f(x):\n    {line}\n    return x @ x"
    report = same_state(shell, "", cell, THINGS)
    assert isinstance(report, Report)
    said = [note.text for note in report.notes if EFFECTS[line] and note.text.startswith(EFFECTS[line])]
    assert report["x"].text == "2 x"
    assert said if EFFECTS[line] else not any(" changes " in note.text for note in report.notes)


def test_iterators_are_where_they_were(shell: InteractiveShell) -> None:
    cell = "def f(x):\n    next(listed)\n    chance.random()\n    return x @ x"
    after(shell, "", cell, THINGS)
    listed, chance = (shell.user_ns[name] for name in ("listed", "chance"))
    assert len(list(listed)) == 500 and chance.random() == random.Random(1).random()


def test_variables_of_an_outer_function(shell: InteractiveShell) -> None:
    setup = """
def maker():
    times, found = 0, []
    def f(x):
        nonlocal times
        times += 1
        found.append(times)
        return x @ x
    return f
g = maker()
"""
    after(shell, None, "", setup)
    report = shell.run_line_magic("gradcheck", "g")
    assert any(note.text.startswith("f changes found, times: it ran") for note in report.notes)
    assert [cell.cell_contents for cell in shell.user_ns["g"].__closure__] == [[], 0]


PRINTING = "def f(x):\n    print('of shape', len(x.shape))\n    {}"


def test_what_f_prints_is_shown_once(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    _, result = after(shell, "", PRINTING.format("return x @ x"))
    assert capsys.readouterr().out == "of shape 1\n" and isinstance(result, Report)


def test_what_a_failing_run_printed_is_shown_once(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    after(shell, "", PRINTING.format("raise ValueError('mine')"))
    assert capsys.readouterr().out.count("of shape") == 1


# --------------------------------------------------------------------------- how often f runs

MOST_RUNS = 180  # for one variable, three times what README says
EVERYWHERE = ["x @ x", "torch.exp(x)", "x.sort().values", "(x @ x).sqrt() * torch.rand(())"]


@pytest.mark.parametrize("line", [*EVERYWHERE, "torch.log(x).sum()", "torch.log(x.sum())", "torch.acos(x).sum()"])
def test_f_runs_as_often_as_is_said(line: str, shell: InteractiveShell) -> None:
    _, result = after(
        shell,
        "",
        f"def f(x):\n    tally.append(0)\n    return {line}",
        "tally = []",
    )
    (note,) = [note.text for note in result.notes if "changes tally" in note.text]
    ran = int(note.split("it ran ")[1].split()[0])
    assert 10 < ran <= MOST_RUNS


# --------------------------------------------------------------------------- exceptions and interrupts

RAISED = ["ValueError", "KeyError", "ZeroDivisionError", "AssertionError", "MemoryError", "RecursionError"]
RAISED += ["StopIteration", "NotImplementedError", "UserWarning", "KeyboardInterrupt", "SystemExit", "GeneratorExit"]
RUNS = [1, 2, 3, 5, 9, 17, 25, 40]


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("run", RUNS)
def test_exceptions_in_any_run_of_f(kind: str, run: int, shell: InteractiveShell) -> None:
    cell = f"""
def f(x):
    plain.add_(1)
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    runs.append(1)
    if len(runs) == {run}:
        raise {kind}("mine")
    return x @ x
"""
    result = same_state(shell, "", cell, "runs = []")
    if isinstance(result, BaseException):  # a run that isn't needed may fail
        assert type(result).__name__ in (kind, "ResultError", "ShapeError")
    if kind in ("KeyboardInterrupt", "SystemExit", "GeneratorExit", "MemoryError"):
        assert type(result).__name__ == kind


def broken_off(*args: Any, **kwargs: Any) -> Any:
    raise KeyboardInterrupt


CELL = "def f(x, A):\n    plain.add_(1)\n    history.append(1)\n    return x @ A @ x"
PLACES: dict[str, tuple[object, str]] = {
    "verification": (verify, "agreement"),
    "drawing": (drawing, "inputs_at"),
    "typesetting": (static, "page"),
    "writing": (static, "text"),
}


@pytest.mark.parametrize("place", PLACES)
def test_interrupts_in_a_step(place: str, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, _ = after(shell, None, CELL)
    monkeypatch.setattr(*PLACES[place], broken_off)
    checked, result = after(shell, "", CELL)
    if isinstance(result, Report):
        with pytest.raises(KeyboardInterrupt):
            result._repr_mimebundle_()
        checked = state(shell.user_ns)
    else:
        assert isinstance(result, KeyboardInterrupt)
    for part, own in plain.items():
        assert checked[part] == own, part


def interrupted(at: int, work: Callable[[], object]) -> int:
    """Run the work with Ctrl-C at one of its calls; how many calls it made."""
    calls = 0

    def tick(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            signal.raise_signal(signal.SIGINT)

    sys.setprofile(tick)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def test_interrupts_anywhere(shell: InteractiveShell) -> None:
    plain, _ = after(shell, None, CELL)
    for _ in range(3):  # imports and caches are filled
        calls = interrupted(0, lambda: shell.run_line_magic("gradcheck", "f")._repr_mimebundle_())
    chosen = [
        *range(1, 400, 9),
        *random.Random(0).sample(range(400, calls * 3 // 4), 20),
    ]  # a later check may make fewer calls
    assert state(shell.user_ns) == plain
    heard = 0
    for at in chosen:
        try:
            interrupted(at, lambda: shell.run_line_magic("gradcheck", "f")._repr_mimebundle_())
        except KeyboardInterrupt:
            heard += 1
        now = state(shell.user_ns)
        for part, own in plain.items():
            assert now[part] == own, (part, at)
    assert heard > 0.9 * len(chosen)  # Python drops one that comes while an object is taken down
