"""The magic, in a shell and in a kernel: options, running the cell, errors as shown, completion, loading."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import founding
import nbclient
import nbformat
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from notebooks import empty
from traitlets.config import Config

import matmagic
from matmagic import capture, magics
from matmagic.errors import CellError, OptionError
from matmagic.magics import _OPTIONS, GradcheckMagics, joined, split, transformed
from matmagic.options import Options


class FakeReport:
    """What the magic was asked for."""

    def __init__(self, subject: capture.Subject, options: Options) -> None:
        self.subject, self.options = subject, options


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A report module that checks nothing."""
    module = types.ModuleType("matmagic.report")
    module.check = FakeReport  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "matmagic.report", module)
    return module


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A shell of its own, with matmagic loaded."""
    main = sys.modules["__main__"]
    hook = sys.displayhook
    shell = InteractiveShell(config=Config(HistoryManager={"enabled": False}, InteractiveShell={"colors": "nocolor"}))
    shell.extension_manager.load_extension("matmagic")
    yield shell
    shell.extension_manager.unload_extension("matmagic")
    empty(shell)
    sys.modules["__main__"], sys.displayhook = main, hook


def ran(shell: InteractiveShell, cell: str) -> FakeReport:
    """The result of a cell that must not fail."""
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    return result.result  # type: ignore[no-any-return]


F = "\ndef f(x, A): return A @ x"

# --------------------------------------------------------------------------- options

READ = {
    "": Options(),
    "-w x,A": Options(wrt=("x", "A")),
    "-w x -w A": Options(wrt=("x", "A")),
    '-s "x=n,1 A=n,n"': Options(shapes={"x": "n,1", "A": "n,n"}),
    "--shapes='x=n,1' -s A=n,n": Options(shapes={"x": "n,1", "A": "n,n"}),
    '-a "A=symmetric m>n"': Options(assume={"A": "symmetric"}, sizes=("m>n",)),
    "-o 2": Options(order=2),
    '-c "2 * A @ x"': Options(claims=("2 * A @ x",)),
    "-c '2 A x' --claim A@x": Options(claims=("2 A x", "A@x")),
    '-c "-x"': Options(claims=("-x",)),
    "-c -x --claim -A@x -w x": Options(claims=("-x", "-A@x"), wrt=("x",)),
    "--claim=-x": Options(claims=("-x",)),
    "-c-x": Options(claims=("-x",)),
    r'-c "\nabla f = 2 A x"': Options(claims=(r"\nabla f = 2 A x",)),
    """-c "A' x" """: Options(claims=("A' x",)),
    '-c "{x} $A # 1"': Options(claims=("{x} $A # 1",)),
    "--seed -4 --trials 9 --text": Options(seed=-4, trials=9, text=True),
    "--function f": Options(function="f"),
    "f": Options(function="f"),
}


@pytest.mark.parametrize("line", READ)
def test_options(line: str, shell: InteractiveShell) -> None:
    assert ran(shell, f"%%gradcheck {line}{F}").options == READ[line]


USAGE = {
    "--wtr x": r"no option --wtr \(did you mean --wrt\?\); see %gradcheck\?",
    "--seeds=3": r"no option --seeds \(did you mean --seed\?\); see %gradcheck\?",
    "-z": r"no option -z",
    "--order two": "argument -o/--order: invalid int value: 'two'",
    "--seed": "argument --seed: expected one argument",
    "-c -w x": "argument -c/--claim: expected one argument",
    "-c 2 * A @ x": r"what is 'A'\? A value with spaces stands in quotes: -c \"2 \* A @ x\"",
    '-c "2 x': "a quote is not closed; an answer with ' stands in double quotes: -c \"A' x\"",
}


@pytest.mark.parametrize("line", USAGE)
def test_wrong_option_is_one_usage_error(
    line: str, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    result = shell.run_cell(f"%%gradcheck {line}{F}")
    assert type(result.error_in_exec) is UsageError
    assert re.match(USAGE[line], str(result.error_in_exec))
    out, err = capsys.readouterr()
    assert len((out + err).strip().splitlines()) == 1 and "f" not in shell.user_ns


def test_line_magic_needs_a_function(shell: InteractiveShell) -> None:
    error = shell.run_cell("%gradcheck").error_in_exec
    assert type(error) is UsageError
    assert str(error) == "which function? %gradcheck f, or %%gradcheck on top of a cell"


def test_wrong_values_are_real_errors(shell: InteractiveShell) -> None:
    for line, message in {
        "-s x=": "shapes: nothing follows x=",
        "-o 3": "order is 1",
        "--trials 0": "trials is",
    }.items():
        with pytest.raises(OptionError, match=message):
            ran(shell, f"%%gradcheck {line}{F}")


def test_valued_options_are_those_of_the_parser() -> None:
    actions = GradcheckMagics.gradcheck.parser._actions
    valued = {name for action in actions if action.nargs is None for name in action.option_strings}
    assert valued == set(magics._VALUED)
    assert {name for action in actions for name in action.option_strings} == set(_OPTIONS)


def test_words() -> None:
    assert split(r"""-c "a b"'c d' #e \f""") == ["-c", "a bc d", "#e", r"\f"]
    assert joined(["-c", "-x", "--text", "-w", "x", "-c"]) == ["--claim=-x", "--text", "-w", "x", "-c"]


def test_configured_defaults(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    for setting in ("seed = 3", "trials = 9", "text = True"):
        shell.run_cell(f"%config GradcheckMagics.{setting}").raise_error()
    assert ran(shell, f"%%gradcheck{F}").options == Options(seed=3, trials=9, text=True)
    assert ran(shell, f"%%gradcheck --seed 0{F}").options.seed == 0
    shell.run_cell("%config")
    assert "GradcheckMagics" in capsys.readouterr().out


# --------------------------------------------------------------------------- cells


def test_report_is_the_result_and_out(shell: InteractiveShell) -> None:
    report = ran(shell, f"%%gradcheck{F}\nexpected_gradient = A.T")
    assert isinstance(report, FakeReport) and shell.user_ns["_"] is report
    assert report.subject.name == "f" and report.subject.function is shell.user_ns["f"]
    assert [claim.line for claim in report.subject.claims] == [2]


def test_cell_runs_as_an_ordinary_one(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    report = ran(shell, f"%%gradcheck\n\n%config\n!echo from the shell\nn = 7{F}\nn + 1")
    out = capsys.readouterr().out
    assert "from the shell" in out and "8" in out.split() and shell.user_ns["n"] == 7
    assert report.subject.line == 5
    ran(shell, f"%%gradcheck\nn = 7{F}\nn + 1;")
    assert "8" not in capsys.readouterr().out.split()
    shell.ast_node_interactivity = "none"
    ran(shell, f"%%gradcheck\nn = 7{F}\nn + 1")
    assert "8" not in capsys.readouterr().out.split()


def test_source_of_the_function(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    ran(shell, f"%%gradcheck\n{F}")
    shell.run_cell("import inspect\nprint(inspect.getsource(f))").raise_error()
    assert "def f(x, A): return A @ x" in capsys.readouterr().out


def test_empty_first_lines_count(shell: InteractiveShell) -> None:
    assert transformed("\n  \nx = 1", shell) == "\n\nx = 1\n"
    assert transformed("\n%config", shell).startswith("\nget_ipython()")
    assert transformed("x = 1", shell) == "x = 1\n"


def test_ast_transformers_apply(shell: InteractiveShell) -> None:
    import ast

    class Sevens(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.Constant:
            return ast.copy_location(ast.Constant(7), node)

    shell.ast_transformers.append(Sevens())
    report = shell.magics_manager.magics["cell"]["gradcheck"]("", f"n = 1{F}")
    assert report.subject.name == "f" and shell.user_ns["n"] == 7


def test_function_option(shell: InteractiveShell) -> None:
    cell = f"{F}\ndef g(x): return x"
    assert ran(shell, f"%%gradcheck{cell}").subject.others == ("f",)
    assert ran(shell, f"%%gradcheck --function f{cell}").subject.name == "f"
    with pytest.raises(OptionError, match="no function h in this cell"):
        ran(shell, f"%%gradcheck h{cell}")


def test_time_goes_above(shell: InteractiveShell) -> None:
    assert isinstance(ran(shell, f"%%time\n%%gradcheck{F}"), FakeReport)
    with pytest.raises(CellError, match=r"%%time is inside the checked cell\n  put it above: %%gradcheck comes last"):
        ran(shell, f"%%gradcheck\n%%time{F}")


@pytest.mark.parametrize("name", founding.RULES)
def test_founding_cells(name: str, shell: InteractiveShell) -> None:
    if name == "rule 5":
        error = shell.run_cell("%%gradcheck\n" + founding.RULES[name]).error_in_exec
        assert type(error) is NameError and error.__notes__ == ["did you mean zX?"]
        return
    report = ran(shell, "%%gradcheck\n" + founding.RULES[name])
    assert all(claim.name in shell.user_ns for claim in report.subject.claims) and report.subject.claims


# --------------------------------------------------------------------------- functions that exist


def test_line_magic(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell(f"class net:{F.replace(chr(10), chr(10) + '    ')}{F}")
    assert ran(shell, "%gradcheck f -w x").options == Options(wrt=("x",), function="f")
    assert ran(shell, "%gradcheck -w x f").subject.function is shell.user_ns["f"]
    assert ran(shell, "%gradcheck --function f").subject.name == "f"
    assert ran(shell, "%gradcheck net.f").subject.name == "f"
    ran(shell, "r = %gradcheck f")
    assert isinstance(shell.user_ns["r"], FakeReport)
    capsys.readouterr()
    for line in ("%gradcheck f;", "%gradcheck f ;", "%gradcheck f -w x;"):
        assert ran(shell, line) is None
    assert capsys.readouterr().out == ""


NOT_THERE = {
    "ff": r"no function ff in the notebook \(did you mean f\?\)",
    "zzz": r"no function zzz in the notebook$",
    "net.g": r"net has no g",
}


@pytest.mark.parametrize("name", NOT_THERE)
def test_function_that_is_not_there(name: str, shell: InteractiveShell) -> None:
    shell.run_cell(f"class net:{F.replace(chr(10), chr(10) + '    ')}{F}")
    with pytest.raises(OptionError, match=NOT_THERE[name]):
        ran(shell, f"%gradcheck {name}")


# --------------------------------------------------------------------------- what is shown


def in_package(source: str) -> Any:
    """The function of the source, as if its code stood in the package."""
    names: dict[str, Any] = {}
    exec(compile(source, capture.__file__, "exec"), names)
    return names["function"]


def test_bug_of_ours_keeps_its_traceback(
    shell: InteractiveShell, checked: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    checked.check = in_package("def function(subject, options): return 1 / 0")  # type: ignore[attr-defined]
    shell.run_cell(f"%%gradcheck{F}")
    out = capsys.readouterr().out
    assert "ZeroDivisionError" in out and "check_cell" in out and "magics.py" in out


def test_syntax_error_of_ours_is_not_taken_for_the_users(
    shell: InteractiveShell, checked: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    check = in_package("def function(subject, options): compile('2 x', '<ours>', 'eval')")
    checked.check = check  # type: ignore[attr-defined]
    assert type(shell.run_cell(f"%%gradcheck{F}").error_in_exec) is SyntaxError
    assert "magics.py" in capsys.readouterr().out


def test_users_error_behind_our_frames_is_shown_without_them(
    shell: InteractiveShell, checked: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    step = in_package("def function(f):\n    __tracebackhide__ = True\n    return f(0) or 1 / 0")
    shell.user_ns["torch_call"] = step
    checked.check = lambda subject, options: step(subject.function)  # type: ignore[attr-defined]
    shell.run_cell("%%gradcheck\ndef f(x):\n    return torch_call(lambda t: t)")
    out = capsys.readouterr().out
    assert "----> 2     return torch_call" in out and "magics.py" not in out and "capture.py" not in out


def test_exception_that_renders_itself_is_left_alone(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    own = "class Own(Exception):\n    def _render_traceback_(self): return ['as it likes']"
    result = shell.run_cell(f"%%gradcheck{F}\n{own}\nraise Own")
    assert type(result.error_in_exec).__name__ == "Own" and "as it likes" in capsys.readouterr().out


SETUP = """
import sys, types
sys.path[:] = {path!r}
report = types.ModuleType("matmagic.report")
def check(subject, options):
    return subject.function(*[2.0] * len(subject.parameters))
check.__code__ = check.__code__.replace(co_filename="report.py")
report.check = check
sys.modules["matmagic.report"] = report
%load_ext matmagic
"""

KERNEL = {  # cell -> what its error output shows, None for no error
    "raises": (
        "n = 1\ndef f(x): return x\n\nn / 0",
        ["ZeroDivisionError: division by zero", "line 4", "----> 4 n / 0"],
    ),
    "raises in f": ("def f(x):\n    return x / 0", ["ZeroDivisionError", "----> 2     return x / 0"]),
    "misspelt": (
        "zX = 1\ndef f(x): return x\nf(X)",
        ["NameError: name 'X' is not defined", "did you mean zX?", "----> 3 f(X)"],
    ),
    "misspelt in f": (
        "zX = 1\ndef f(x): return X",
        ["NameError: name 'X' is not defined", "did you mean zX?"],
    ),
    "rule 5": (
        founding.RULE_5,
        ["NameError: name 'X' is not defined", "did you mean zX?", "---> 10 calculated_grad_X"],
    ),
    "syntax": ("def f(x)\n    return x", ["SyntaxError: expected ':'", "line 1", "def f(x)", "^"]),
    "indentation": (
        "\n\ndef f(x):\n    y = x\n  return y",
        ["IndentationError: unindent", "line 5", "return y"],
    ),
    "look-alike": (
        "def f(x): return x − 1",
        ["SyntaxError: invalid character", "− is U+2212 MINUS SIGN, not Python, type -"],
    ),
    "import": (
        "import not_there_at_all\ndef f(x): return x",
        ["ModuleNotFoundError", "----> 1 import not_there_at_all"],
    ),
    "assertion": (
        "def f(x): return x\nexpected = 1\nassert expected == 2",
        ["AssertionError", "----> 3 assert"],
    ),
    "interrupt": ("def f(x): return x\nraise KeyboardInterrupt", ["KeyboardInterrupt", "----> 2 raise"]),
    "no function": ("n = 1", ["CellError: no function in this cell\n  it has: n = 1"]),
    "fine": ("def f(x): return x + 1\nexpected = 1 / 0", None),
}


@pytest.fixture(scope="module")
def kernel() -> dict[str, Any]:
    """The outputs of the cells, run in one real kernel."""
    cells = [SETUP.format(path=sys.path), *("%%gradcheck\n" + cell for cell, _ in KERNEL.values())]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(book, kernel_name="python3", allow_errors=True, timeout=60).execute()
    assert not book.cells[0].outputs, book.cells[0].outputs
    return {name: cell.outputs for name, cell in zip(KERNEL, book.cells[1:], strict=True)}


@pytest.mark.parametrize("name", KERNEL)
def test_error_in_a_kernel(name: str, kernel: dict[str, Any]) -> None:
    required = KERNEL[name][1]
    if required is None:
        assert [output.output_type for output in kernel[name]] == ["execute_result"]
        assert kernel[name][0].data["text/plain"] == "3.0"
        return
    (output,) = kernel[name]
    text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))
    assert (output.output_type, output.ename) == ("error", required[0].split(":")[0])
    for part in required:
        assert part in text
    for foreign in ("matmagic", "run_cell_magic", "interactiveshell", "magics.py", "exec(", "report.py"):
        assert foreign not in text


def test_failing_cell_fails_the_notebook() -> None:
    cells = [SETUP.format(path=sys.path), "%%gradcheck\ndef f(x)"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="SyntaxError"):
        nbclient.NotebookClient(book, kernel_name="python3", timeout=60).execute()


# --------------------------------------------------------------------------- completion, loading

COMPLETED = {
    "%%gradcheck --sh": "--shapes",
    "%gradcheck --cl": "--claim",
    "%%gradcheck -w x --tri": "--trials",
    "%gradcheck my_f": "my_function",
    "%%gradcheck -a A=symm": "symmetric",
    "%%gradcheck -w weig": "weights",
}


@pytest.mark.parametrize("line", COMPLETED)
def test_completion(line: str, shell: InteractiveShell) -> None:
    shell.run_cell("import torch\nweights = torch.ones(2)\ndef my_function(x): return x")
    with provisionalcompleter():
        found = [completion.text for completion in shell.Completer.completions(line, len(line))]
    assert COMPLETED[line] in found


def test_unloading_undoes_loading() -> None:
    shell = InteractiveShell(config=Config(HistoryManager={"enabled": False}))

    def state() -> list[object]:
        manager, hooks = shell.magics_manager, shell.strdispatchers["complete_command"]
        magics_ = {kind: sorted(names) for kind, names in manager.magics.items()}
        return [magics_, sorted(manager.registry), list(shell.configurables), sorted(hooks.strs)]

    before = state()
    for _ in range(2):  # loading again changes nothing
        matmagic.load_ipython_extension(shell)
    loaded = state()
    assert loaded != before and len(loaded[2]) == len(before[2]) + 1  # type: ignore[arg-type]
    for _ in range(2):
        matmagic.unload_ipython_extension(shell)
    assert state() == before


def test_help_names_every_option() -> None:
    text = GradcheckMagics.gradcheck.__doc__
    assert text is not None and all(option in text for option in _OPTIONS)
    assert "expected_gradient = (A + A.T) @ x" in text


def test_loading_is_light(tmp_path: Path) -> None:
    program = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
before = time.process_time()
shell.extension_manager.load_extension("matmagic")
took = time.process_time() - before
assert not {"torch", "sympy", "ipywidgets", "numpy"} & sys.modules.keys()
print(took)
"""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}  # compiled once, as where it is installed
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    took = [float(subprocess.check_output([sys.executable, "-c", program], env=environment)) for _ in range(4)]
    assert min(took) < 0.05


def test_public_names() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    assert matmagic.__version__ == project["version"]
    assert "gradcheck" in dir(matmagic)
    with pytest.raises(AttributeError, match="no attribute 'grad_check'"):
        _ = matmagic.grad_check  # type: ignore[attr-defined]


def test_gradcheck_is_imported_when_used(checked: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(vars(matmagic), "gradcheck", raising=False)
    checked.gradcheck = object()  # type: ignore[attr-defined]
    assert matmagic.gradcheck is checked.gradcheck  # type: ignore[attr-defined]
    monkeypatch.delitem(vars(matmagic), "gradcheck")
