"""`%%gradcheck` on a cell, `%gradcheck f` on a function: options -> run the cell -> check -> Report; `%identities`.

In: what IPython hands to a magic.  Out: a Report or a Listing, which IPython displays and keeps as Out[n].
The cell is compiled under the name that the shell gives it, so tracebacks and `inspect.getsource` work.
The user's own exceptions keep their type and are shown from the first of the user's lines, as in a cell
without the magic.
Nothing about derivatives is known here.
"""

from __future__ import annotations

import os
import shlex
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from IPython.core.displayhook import DisplayHook
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments
from traitlets import Bool, Int

from . import capture
from .cells import is_tensor
from .errors import CellError, OptionError
from .options import PROPERTIES, Options, nearest, parse_assume, parse_names, parse_shapes

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_PACKAGE = os.path.join(os.path.dirname(__file__), "")
_KEYS = ("%gradcheck", "%%gradcheck", "%identities")
# options that take a value, by every name they have, so that the value may begin with a minus sign
_VALUED = {
    "-w": "--wrt",
    "-s": "--shapes",
    "-a": "--assume",
    "-o": "--order",
    "-c": "--claim",
    "--function": "--function",
    "--seed": "--seed",
    "--trials": "--trials",
    "--remember": "--remember",
}
_VALUED |= {long: long for long in _VALUED.values()}
_OPTIONS = (*_VALUED, "--text")
_BROWSING = ("--check", "--text")


@magics_class
class GradcheckMagics(Magics):
    """Check derivatives; the defaults of some options are set by `%config GradcheckMagics.trials = 10`."""

    shell: InteractiveShell
    seed = Int(0, help="Seed of the random draws.").tag(config=True)
    trials = Int(6, help="How many random draws every formula is checked on.").tag(config=True)
    text = Bool(False, help="Show text in place of widgets.").tag(config=True)

    @no_var_expand
    @magic_arguments()
    @argument("name", nargs="?", help="a function that exists already")
    @argument("-w", "--wrt", action="append", default=[], help="variables to differentiate by: -w x,A")
    @argument("-s", "--shapes", action="append", default=[], help='shapes of arguments: -s "x=n,1 A=n,2n t=()"')
    @argument("-a", "--assume", action="append", default=[], help='properties, sizes: -a "A=symmetric m>n"')
    @argument("-o", "--order", type=int, default=1, help="2 for the Hessian")
    @argument(
        "-c",
        "--claim",
        action="append",
        default=[],
        help='an answer to grade, as code, on paper or LaTeX: -c "2 * A @ x", -c "2Ax"; repeatable',
    )
    @argument("--function", help="which function of the cell; default: the last one that no other calls")
    @argument("--remember", help="a name: keep the verified claim as an identity of that name")
    @argument("--seed", type=int, help="seed of the random draws")
    @argument("--trials", type=int, help="number of random draws")
    @argument("--text", action="store_true", default=None, help="text in place of widgets")
    @line_cell_magic
    def gradcheck(self, line: str, cell: str | None = None) -> Any:
        """Differentiate a torch function, name the identity behind its gradient, grade your own answer.

        On top of a cell it runs the cell and checks its last function; an answer is what the cell assigns to
        a name that begins with `expected`:

            %%gradcheck
            def f(x, A):
                return x.T @ A @ x
            expected_gradient = (A + A.T) @ x

        `%gradcheck f` checks a function that exists already; `%gradcheck f;` shows nothing.
        The function runs some 50 times on small inputs, at most 100 for one variable; what it changes is put back.
        """
        words = split(line)
        silent = cell is None and bool(words) and words[-1].endswith(";")
        if silent:
            words = [*words[:-1], *filter(None, [words[-1].rstrip("; ")])]
        name, options = self.read(words)
        result = self.check_name(name, options) if cell is None else self.check_cell(cell, options)
        return None if silent else result

    @no_var_expand
    @magic_arguments()
    @argument("words", nargs="*", help="a name, a source, a subject, a function, a formula; none for all rows")
    @argument("--check", action="store_true", help="verify the rows, each from the row alone")
    @argument("--text", action="store_true", help="text in place of widgets")
    @line_magic
    def identities(self, line: str) -> Any:
        """Look through the known identities: statement, conditions, source, and a cell to copy.

        %identities logdet
        %identities cookbook 81
        %identities x.T @ A @ x
        %identities --check
        """
        words = line.split()
        for word in words:
            if word.startswith("--") and word not in _BROWSING:
                raise UsageError(f"no option {word}{nearest(word, _BROWSING)}; see %identities?")
        query = " ".join(word for word in words if word not in _BROWSING)
        live = hasattr(self.shell, "kernel") and not self.text and "--text" not in words
        from .browsing import Listing
        from .proving import proved, shown_progress

        if "--check" in words:
            return proved([entry.row for entry in Listing(query).entries], shown_progress(live))
        if not live:
            return Listing(query)
        from .panel import browser_view

        return Listing(query, browser_view)

    def read(self, words: list[str]) -> tuple[str | None, Options]:
        """The function named, and the options; UsageError for an option that isn't there."""
        given, rest = self.gradcheck.parser.parse_known_args(joined(words))
        for word in rest:
            if word.startswith("-"):
                option = word.partition("=")[0]
                raise UsageError(f"no option {option}{nearest(option, _OPTIONS)}; see %gradcheck?")
            raise UsageError(f'what is {word!r}? A value with spaces stands in quotes: -c "2 * A @ x"')
        assume, sizes = parse_assume(given.assume)
        options = Options(
            wrt=parse_names(",".join(given.wrt)),
            shapes=parse_shapes(" ".join(given.shapes)),
            assume=assume,
            sizes=sizes,
            order=given.order,
            claims=tuple(given.claim),
            function=given.function or given.name,
            seed=self.seed if given.seed is None else given.seed,
            trials=self.trials if given.trials is None else given.trials,
            text=self.text if given.text is None else given.text,
            remember=given.remember,
        )
        return options.function, options

    def check_name(self, name: str | None, options: Options) -> Any:
        """The Report on a function of the notebook; `model.loss` is looked up through its attributes."""
        if name is None:
            raise UsageError("which function? %gradcheck f, or %%gradcheck on top of a cell")
        first, *attributes = name.split(".")
        names = self.shell.user_ns
        if first not in names:
            functions = [n for n, v in names.items() if hasattr(v, "__code__") and n not in self.shell.user_ns_hidden]
            raise OptionError(f"no function {name} in the notebook{nearest(name, functions)}")
        function = names[first]
        for attribute in attributes:
            if not hasattr(function, attribute):
                raise OptionError(f"{first} has no {attribute}{nearest(attribute, dir(function))}")
            function = getattr(function, attribute)
        return self.report(capture.subject_of(function, names), options)

    def check_cell(self, text: str, options: Options) -> Any:
        """The Report on the function of a cell, which is run first."""
        if text.lstrip().startswith("%%"):
            raise CellError(f"{text.split()[0]} is inside the checked cell", "put it above: %%gradcheck comes last")
        shell = self.shell
        shown = shell.ast_node_interactivity != "none"
        with self.shown_as_in_a_cell():
            try:
                source = transformed(text, shell)
                number = getattr(shell.displayhook.exec_result, "execution_count", None) or shell.execution_count
                filename = shell.compile.cache(source, number, raw_code=source)
                cell = capture.parse(source, filename, shell.transform_ast)
                shown = shown and not DisplayHook.semicolon_at_end_of_expression(text)
                outcome = capture.run(cell, shell.user_ns, shell.compile, display=shown)
            except SyntaxError as error:
                raise shown_syntax_error(error, shell) from None
        return self.report(capture.subject(cell, shell.user_ns, options.function, outcome), options)

    def report(self, subject: capture.Subject, options: Options) -> Any:
        """The check itself; torch and the rest of matmagic are imported here."""
        from .report import check

        code = getattr(subject.function, "__code__", None)
        with self.shown_as_in_a_cell(getattr(code, "co_filename", "")):
            try:
                return check(subject, options)
            except (ValueError, IndexError, AssertionError, RuntimeError) as error:
                if not getattr(error, "__notes__", None):
                    asked = " ".join(f"{name}=n" for name in subject.parameters)
                    error.add_note(f'if it needs other shapes, say them: --shapes "{asked}"')
                raise

    @contextmanager
    def shown_as_in_a_cell(self, file: str = "") -> Iterator[None]:
        """Exceptions of the user's code are shown from the user's first line on; others are untouched.

        The user's code is that of cells, and of the file.
        """
        try:
            yield
        except BaseException as error:
            capture.hint(error, self.shell.user_ns)
            frames = users_frames(error.__traceback__, self.shell, file)
            if frames is not None:
                show_from(error, frames, self.shell)
            elif isinstance(error, KeyboardInterrupt):  # hundreds of frames that say nothing
                error.__dict__["_render_traceback_"] = lambda: ["KeyboardInterrupt: the check was stopped"]
            raise


def split(line: str) -> list[str]:
    """Words as a shell splits them, but backslashes are kept: they may be LaTeX."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    try:
        return list(lexer)
    except ValueError:
        raise UsageError("a quote is not closed; an answer with ' stands in double quotes: -c \"A' x\"") from None


def joined(words: list[str]) -> list[str]:
    """`-c`, `-x` -> `--claim=-x`: argparse would take the value for an option."""
    result: list[str] = []
    for word in words:
        if result and result[-1] in _VALUED and word.startswith("-") and word not in _OPTIONS:
            result[-1] = f"{_VALUED[result[-1]]}={word}"
        else:
            result.append(word)
    return result


def transformed(text: str, shell: InteractiveShell) -> str:
    """The cell as Python, `!` and `%` lines translated; it keeps the empty first lines that IPython drops."""
    try:
        python: str = shell.transform_cell(text)
    except SyntaxError:  # the parser says it with the right line
        return text
    return text[: len(text) - len(text.lstrip())].count("\n") * "\n" + python


def users_frames(
    trace: types.TracebackType | None, shell: InteractiveShell, file: str = ""
) -> types.TracebackType | None:
    """The traceback from the user's first line on, without frames of matmagic; None for errors of ours.

    An error is ours if it is raised in the package, except by a frame that sets `__tracebackhide__`: it only
    passes a call of the user's on to torch.
    """
    steps = []
    while trace is not None:
        steps.append(trace)
        trace = trace.tb_next
    files = [step.tb_frame.f_code.co_filename for step in steps]
    ours = [name.startswith(_PACKAGE) for name in files]
    users = [name == file or shell.compile.format_code_name(name) is not None for name in files]
    # the outermost frames of a cell are the call of the magic itself
    start = ours.index(True) if True in ours else len(ours)
    first = next((i for i in range(start, len(steps)) if users[i]), None)
    if first is None or (ours[-1] and not steps[-1].tb_frame.f_locals.get("__tracebackhide__")):
        return None
    result: types.TracebackType | None = None
    for step in (s for s, mine in reversed(list(zip(steps, ours, strict=True))[first:]) if not mine):
        result = types.TracebackType(result, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return result


def show_from(error: BaseException, frames: types.TracebackType, shell: InteractiveShell) -> None:
    """Have IPython show the exception with these frames; it asks an exception for its own rendering."""
    if hasattr(error, "__dict__") and not hasattr(error, "_render_traceback_"):
        show = shell.InteractiveTB.structured_traceback
        error.__dict__["_render_traceback_"] = lambda: show(type(error), error, frames, tb_offset=0)


def shown_syntax_error(error: SyntaxError, shell: InteractiveShell) -> Exception:
    """An exception of the same name that IPython shows as it shows a SyntaxError of an ordinary cell.

    IPython shows a SyntaxError that a magic raises with all of its own frames, and asks only other exceptions
    how they want to be shown.
    """
    lines = shell.SyntaxTB.structured_traceback(type(error), error, None)
    kind = type(type(error).__name__, (Exception,), {"_render_traceback_": lambda self: lines})
    shown: Exception = kind(str(error))
    return shown


def complete(shell: InteractiveShell, event: Any) -> list[str]:
    """Options; after `-a` properties; else functions of the notebook, and its tensors after `-w`."""
    names = shell.user_ns
    browsing = event.line.lstrip().startswith("%identities")
    if event.symbol.startswith("-"):
        return sorted(_BROWSING if browsing else _OPTIONS)
    if browsing:
        return _known_words()
    before = event.line.split()
    last = next((word for word in reversed(before) if word in _OPTIONS), "")
    if _VALUED.get(last) == "--assume":
        return list(PROPERTIES)
    if _VALUED.get(last) == "--wrt":
        return [n for n in names if is_tensor(names[n]) and not n.startswith("_")]
    return [n for n in names if isinstance(names[n], types.FunctionType) and not n.startswith("_")]


def _known_words() -> list[str]:
    """Words of the names of identities; nothing before they are loaded, since torch comes with them."""
    module = sys.modules.get(f"{__package__}.browsing")
    return [] if module is None else module.vocabulary()


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Register the magic and its completion, once."""
    unload_ipython_extension(ipython)
    ipython.register_magics(GradcheckMagics(ipython))
    for key in _KEYS:
        ipython.set_hook("complete_command", complete, str_key=key)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """Take back what loading did."""
    manager = ipython.magics_manager
    for kind in ("line", "cell"):
        for name in ("gradcheck", "identities"):
            manager.magics[kind].pop(name, None)
    manager.registry.pop(GradcheckMagics.__name__, None)
    ipython.configurables[:] = [c for c in ipython.configurables if not isinstance(c, GradcheckMagics)]
    hooks = ipython.strdispatchers.get("complete_command")
    for key in _KEYS:
        if hooks is not None:
            hooks.strs.pop(key, None)
