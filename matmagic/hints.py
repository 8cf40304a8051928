"""Notes to the user's own exceptions, where more is known than they say: a misspelt function, numpy, a dtype, a shadowed name.

In: an exception with its traceback.  Out: the same exception with a note.  It stays what it is, and is shown as Python
shows it.  Not known here: shapes, and what the function is.
"""

from __future__ import annotations

import builtins
import linecache
import re
import traceback
from collections.abc import Iterator
from types import FrameType

import torch

from .options import nearest

IN_FLOAT64 = "matmagic runs functions in float64, whatever the notebook has: leave out what asks for another dtype"
USUAL = {"torch": "import torch", "F": "import torch.nn.functional as F", "nn": "from torch import nn"}
LIBRARIES = ("numpy", "torch", "matmagic")


def explained(error: Exception) -> Exception:
    """The user's own exception, with what else is known about it."""
    if not getattr(error, "__notes__", None):
        for note in notes(error):
            error.add_note(note)
    return error


def notes(error: Exception) -> Iterator[str]:
    """What may help."""
    if "bitwise_xor" in str(error):
        yield "^ is exclusive or in Python: a power is x ** 2"
    elif isinstance(error, NotImplementedError) and raised_in(error).partition(".")[0] not in LIBRARIES:
        yield "the function is not written yet: put what it computes in place of raise NotImplementedError"
    elif about_dtype(error):
        yield IN_FLOAT64
    elif "requires_grad flags" in str(error):
        yield "leave it out: autograd follows every argument here"
    if isinstance(error, AttributeError) and error.name:
        near = nearest(error.name, [n for n in dir(error.obj) if not n.startswith("_")])
        yield from [near.strip(" ()")] if near else []
    for used in numpy_calls(error):
        home = torch.linalg if used.startswith("linalg.") else torch
        use = f"use torch.{used}" if hasattr(home, used.removeprefix("linalg.")) else "stay with torch's functions"
        yield f"np.{used} can't take torch tensors that autograd follows: {use}"
    if isinstance(error, AttributeError | TypeError):
        yield from shadowed(error)


def shadowed(error: Exception) -> Iterator[str]:
    """Names in the line that fails that stand for something else than they do elsewhere: torch, len."""
    frame = users_frame(error)
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno) if frame is not None else ""
    for name in dict.fromkeys(re.findall(r"(?<![.\w])[^\W\d]\w*", line)):
        value = frame.f_globals.get(name) if frame is not None and name not in frame.f_locals else None
        if value is None or callable(value) or type(value).__name__ == "module":
            continue
        if name in USUAL:
            yield f"{name} is {_kind(value)} in the notebook: {USUAL[name]} puts it back"
        elif callable(getattr(builtins, name, None)):
            yield f"{name} is {_kind(value)} in the notebook: del {name} gives Python's own back"


def _kind(value: object) -> str:
    """ "an int" """
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _frames(error: BaseException) -> list[FrameType]:
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def users_frame(error: BaseException) -> FrameType | None:
    """The innermost frame that isn't a library's."""
    return next((f for f in reversed(_frames(error)) if _module(f).partition(".")[0] not in LIBRARIES), None)


def raised_in(error: BaseException) -> str:
    """The module of the code that raised."""
    frames = _frames(error)
    return _module(frames[-1]) if frames else ""


def about_dtype(error: BaseException) -> bool:
    """Whether a tensor has another dtype than is asked for: torch says so, or the line that raises, or the one before."""
    first = (str(error).splitlines() or [""])[0]
    if re.search(r"dtype|(Float|Half|BFloat16|Double) ?Tensor|ScalarType|got Double|implemented for '", first):
        return True
    frame = users_frame(error)
    if frame is None or raised_in(error).startswith("torch."):
        return False
    last = traceback.extract_tb(error.__traceback__)[-1]
    around = [linecache.getline(last.filename, number) for number in ((last.lineno or 1) - 1, last.lineno or 1)]
    return any(re.search(r"dtype|float32|float16|FloatTensor", line) for line in around)


def numpy_calls(error: BaseException) -> list[str]:
    """The functions of numpy in the user's line, if numpy raised: sum."""
    frame = users_frame(error)
    if frame is None or all(_module(f).partition(".")[0] != "numpy" for f in _frames(error)):
        return []
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    return list(dict.fromkeys(re.findall(r"\b(?:np|numpy)\.((?:linalg\.)?\w+)\(", line)))
