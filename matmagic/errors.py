"""What can go wrong, said to the user: what, where, with which shapes, and what to do next.

Every message that matmagic shows instead of a result is a MatmagicError.  In a notebook it prints as its
one to six lines without a traceback, and is still a real error output, so that a notebook run by a tool fails.
Bugs of matmagic are other exceptions and keep their traceback.
"""

from __future__ import annotations

import os
import sysconfig
import traceback

_PACKAGE = os.path.join(os.path.dirname(__file__), "")
_INSTALLED = tuple(os.path.join(sysconfig.get_path(kind), "") for kind in ("stdlib", "purelib", "platlib"))


class MatmagicError(Exception):
    """A message for the user, complete in itself.

    `lines` follow the first one, each indented by two spaces:

    >>> print(MatmagicError("no function in this cell", "write one: def f(x): return x @ x"))
    MatmagicError: no function in this cell
      write one: def f(x): return x @ x
    """

    def __init__(self, message: str, *lines: str) -> None:
        super().__init__(message, *lines)
        self.message = message
        self.lines = lines

    def __str__(self) -> str:
        return "\n  ".join([f"{type(self).__name__}: {self.message}", *self.lines])

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return str(self).splitlines()


class CellError(MatmagicError):
    """The cell holds nothing that can be checked, or more than one thing."""


class ShapeError(MatmagicError):
    """No shapes were found for which the function runs, or those given don't fit it."""


class ResultError(MatmagicError):
    """The function runs, but what it returns can't be differentiated."""


class BackwardError(ResultError):
    """A torch.autograd.Function whose backward gives no gradient, or one of another shape."""


class TooLarge(MatmagicError):
    """A check would need more memory than there is."""


class OptionError(MatmagicError):
    """An option names something that is not there."""


class TraceError(MatmagicError):
    """A torch call that can't be followed; the gradient is then autograd's, without a formula."""


class IdentityError(MatmagicError):
    """A row for the registry that is not right, or a file of rows that can't be read."""


def first_line(error: BaseException) -> str:
    """What an error says, in one line: that of a MatmagicError without its kind, the kind of one that says nothing."""
    said = error.message if isinstance(error, MatmagicError) else str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def place_of_ours(error: Exception) -> str | None:
    """ "printers/text.py, line 12": where matmagic, and no function of the user's that it called, raised an error."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_PACKAGE)]
    if not ours or not all(frame.filename.startswith((_PACKAGE, *_INSTALLED)) for frame in frames):
        return None
    return f"{ours[-1].filename.removeprefix(_PACKAGE)}, line {ours[-1].lineno}"
