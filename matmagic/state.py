"""Leave no trace: what a check does to the process is undone, whatever happens in it.

In: the user's tensors, objects and names.  Out: a context, after which the tensors' gradients, values and flags, what the
objects (modules, lists, dicts, iterators as far as they can be set) hold and what the names stand for, the random states,
torch's settings and modes, warning filters, the environment and the streams are as before, Ctrl-C included.
The idea is a list of what is kept, taken before anything runs; nothing is imported that is not there already.
Ctrl-C is heard everywhere but while things are put back; one that comes then is heard right after.
Not known here: random states of other devices, files, and what objects hold that are not given.
"""

from __future__ import annotations

import io
import os
import random
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from operator import length_hint
from types import CellType, FrameType, GeneratorType, TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_LARGE = 1_000_000


@dataclass(frozen=True)
class Kept:
    """One thing as it was: under which names it is another now, and what puts it back."""

    moved: Callable[[], list[str]]
    put_back: Callable[[], object]


class leave_no_trace:
    """Run the block, then put everything back; `quiet` drops what it prints and warns.

    `things` are tensors and objects by name; `names` is a namespace in which code of the user may set names.
    """

    def __init__(
        self,
        things: Mapping[str, Any] | None = None,
        quiet: bool = False,
        names: MutableMapping[str, Any] | None = None,
    ) -> None:
        self.things, self.quiet, self.names = things or {}, quiet, names
        self.kept: list[Kept] = []
        self.warnings = warnings.catch_warnings()
        self.listener: Callable[[int, FrameType | None], Any] | None = None
        self.missed = False  # whether Ctrl-C came while things were put back

    def __enter__(self) -> leave_no_trace:
        self._listen()
        self.warnings.__enter__()
        try:
            self.kept = [Kept(list, undo) for undo in (*_settings(), _environment(), *_streams())]
            self.kept += [kept for name, one in self.things.items() for kept in _kept(name, one)]
            self.kept += [] if self.names is None else [_namespace(self.names)]
        except BaseException:
            self.warnings.__exit__(None, None, None)
            self._stop_listening()
            raise
        if self.quiet:
            warnings.simplefilter("ignore")
            sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
        if self.missed:
            self.__exit__(None, None, None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Every step, even when one fails; the first failure is raised at the end."""
        failure: Exception | None = None
        for kept in self.kept:
            try:
                kept.put_back()
            except Exception as raised:
                failure = failure or raised
        self.warnings.__exit__(None, None, None)
        self._stop_listening()
        if self.missed and self.listener is not None and error is None:
            self.listener(signal.SIGINT, sys._getframe())
        if failure is not None and not isinstance(error, KeyboardInterrupt):
            raise failure

    def moved(self) -> list[str]:
        """The names under which something is another than before."""
        return [name for kept in self.kept for name in kept.moved()]

    # ---- Ctrl-C

    def _listen(self) -> None:
        """Hear Ctrl-C in place of the one who listens now; only the main thread can."""
        listener = signal.getsignal(signal.SIGINT)
        if callable(listener) and threading.current_thread() is threading.main_thread():
            self.listener = listener
            signal.signal(signal.SIGINT, self._heard)

    def _stop_listening(self) -> None:
        if self.listener is not None:
            signal.signal(signal.SIGINT, self.listener)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        """Pass Ctrl-C on, unless it would break off the taking down or the putting back."""
        at = frame
        while at is not None:
            if at.f_code in (leave_no_trace.__enter__.__code__, leave_no_trace.__exit__.__code__):
                self.missed = True
                return
            at = at.f_back
        assert self.listener is not None
        self.listener(number, frame)


# --------------------------------------------------------------------------- the process

_RANDOM = (("random", "getstate", "setstate"), ("numpy.random", "get_state", "set_state"))
_TORCH = (  # how it is read, how it is set
    ("get_rng_state", "set_rng_state"),
    ("get_default_dtype", "set_default_dtype"),
    ("is_grad_enabled", "set_grad_enabled"),
    ("get_num_threads", "set_num_threads"),
    ("get_deterministic_debug_mode", "set_deterministic_debug_mode"),
    ("get_float32_matmul_precision", "set_float32_matmul_precision"),
    ("is_anomaly_enabled", "set_anomaly_enabled"),
)


def _settings() -> Iterator[Callable[[], object]]:
    """What undoes changes of random states and of torch's, numpy's and Python's settings."""
    torch = sys.modules.get("torch")
    rows = [*_RANDOM, *(("torch", *row) for row in _TORCH), ("sys", "getrecursionlimit", "setrecursionlimit")]
    for module, read, write in rows:
        if module in sys.modules and (torch is not None or module != "torch"):
            yield _setting(getattr(sys.modules[module], read), getattr(sys.modules[module], write))
    yield _setting(os.getcwd, os.chdir)
    if sys.platform == "linux":
        import resource

        yield _setting(partial(resource.getrlimit, resource.RLIMIT_AS), partial(resource.setrlimit, resource.RLIMIT_AS))
    if "numpy" in sys.modules:
        numpy = sys.modules["numpy"]
        yield _setting(numpy.geterr, lambda before: numpy.seterr(**before))
    if torch is not None:
        yield _setting(lambda: _default_device(torch), torch.set_default_device)
        yield from _modes(torch)


def _setting(read: Callable[[], Any], write: Callable[[Any], object]) -> Callable[[], object]:
    """Set what was read, where something else is read now."""
    try:
        before = read()
    except OSError:  # a directory that is not there any more
        return lambda: None
    return lambda: None if _equal(read(), before) else write(before)


def _equal(now: Any, before: Any) -> bool:
    """Whether two settings are the same; states with arrays in them count as others, and are set."""
    try:
        return bool(now == before)
    except (ValueError, RuntimeError):
        return False


def _default_device(torch: Any) -> Any:
    """The device that was set; None where none was."""
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return None if context is None else context.device


def _modes(torch: Any) -> Iterator[Callable[[], object]]:
    """What takes away modes that listen to torch's calls and that an interrupt left behind."""
    below = torch.utils._python_dispatch
    for length, pop in (
        (torch._C._len_torch_function_stack, torch.overrides._pop_mode),
        (torch._C._len_torch_dispatch_stack, below._pop_mode),
    ):
        yield partial(_cut_down, length, pop, length())


def _cut_down(length: Callable[[], int], pop: Callable[[], object], before: int) -> None:
    """Take from a stack what was not there before."""
    while length() > before:
        pop()


def _environment() -> Callable[[], object]:
    before = dict(os.environ)

    def restore() -> None:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})

    return restore


def _streams() -> Iterator[Callable[[], object]]:
    for name in ("stdout", "stderr"):
        yield partial(setattr, sys, name, getattr(sys, name))


# --------------------------------------------------------------------------- tensors


def _tensor(name: str, tensor: Tensor) -> Iterator[Kept]:
    """Values and flag of the tensor; its `.grad`, the same object holding the same numbers.

    Numbers are written through `.data`, so that graphs of the user that saved the tensor stay usable.
    Values of a tensor of more than a million entries are not kept: a copy would cost more than it protects.
    """
    if tensor.is_inference():
        return  # can be neither changed in place outside inference mode nor given a gradient
    values = tensor.detach().clone() if tensor.numel() <= _LARGE else None
    version = tensor._version
    grad = tensor.grad if tensor.is_leaf or tensor.retains_grad else None
    numbers = None if grad is None else grad.detach().clone()
    home = tensor.data

    def moved() -> list[str]:
        if values is None:
            return [name] if tensor._version != version else []
        return [] if _same(tensor.detach(), values) else [name]

    def restore_values() -> None:
        if (tensor.shape, tensor.stride()) != (home.shape, home.stride()):  # t_(), unsqueeze_()
            tensor.data = home
        if values is not None and (tensor._version != version or not _same(tensor.detach(), values)):
            tensor.data.copy_(values)

    def restore_grad() -> None:
        if grad is not None and numbers is not None:
            grad.data.copy_(numbers)
        if tensor.is_leaf or tensor.retains_grad:
            tensor.grad = grad

    yield Kept(moved, restore_values)
    yield Kept(list, restore_grad)
    if tensor.is_leaf:
        flag = tensor.requires_grad
        yield Kept(list, lambda: (tensor if tensor.is_leaf else tensor.detach_()).requires_grad_(flag))


def _same(tensor: Tensor, values: Tensor) -> bool:
    """Whether the numbers are those; torch's batch_norm changes its running statistics without a new version."""
    if tensor.layout is not values.layout or str(tensor.layout) != "torch.strided" or tensor.is_quantized:
        return True
    if tensor.shape != values.shape:
        return False
    return bool(((tensor == values) | ((tensor != tensor) & (values != values))).all())


# --------------------------------------------------------------------------- objects


def _kept(name: str, one: Any) -> Iterator[Kept]:
    """What a tensor, a container, an iterator or an object holds directly."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and isinstance(one, torch.Tensor):
        yield from _tensor(name, one)
    elif isinstance(one, list | deque):
        yield _items(name, one)
    elif isinstance(one, set):
        yield _by(name, lambda: set(one), lambda before: [one.clear(), one.update(before)])  # type: ignore[func-returns-value]
    elif isinstance(one, bytearray):
        yield _by(name, lambda: bytes(one), lambda before: one.__setitem__(slice(None), before))
    elif isinstance(one, CellType):
        yield from _variable(name, one)
    elif isinstance(one, random.Random):
        yield _by(name, one.getstate, one.setstate)
    elif torch is not None and isinstance(one, torch.Generator):
        yield _by(name, one.get_state, one.set_state)
    elif numpy is not None and isinstance(one, numpy.random.Generator):
        generator = one.bit_generator
        yield _by(name, lambda: generator.state, lambda before: setattr(generator, "state", before))
    elif numpy is not None and isinstance(one, numpy.ndarray) and one.size <= _LARGE:
        yield _by(name, one.copy, lambda before: one.__setitem__(..., before))
    elif isinstance(one, dict):
        yield _dict(name, one)
    elif isinstance(own := getattr(one, "__dict__", None), dict):
        yield from (_dict(name, held) for held in (own, *(v for v in own.values() if type(v) is dict)))
    elif isinstance(one, Iterator):
        yield _iterator(name, one)
    elif isinstance(one, type):
        yield from _class(name, one)


def _by(name: str, read: Callable[[], Any], write: Callable[[Any], object]) -> Kept:
    """Something that is read and written as a whole."""
    before = read()

    def moved() -> bool:
        now = read()
        try:
            return bool(now != before)
        except (ValueError, RuntimeError):  # arrays
            return bool(now.tobytes() != before.tobytes()) if hasattr(now, "tobytes") else str(now) != str(before)

    return Kept(lambda: [name] if moved() else [], lambda: write(before) if moved() else None)


def _items(name: str, one: Any) -> Kept:
    """The items of a list or a deque."""
    before = list(one)

    def restore() -> None:
        if _moved(list(one), before):
            one.clear()
            one.extend(before)

    return Kept(lambda: [name] if _moved(list(one), before) else [], restore)


def _dict(name: str, held: dict[Any, Any]) -> Kept:
    before = dict(held)

    def moved() -> bool:
        return _moved([*held, *held.values()], [*before, *before.values()])

    def restore() -> None:
        if moved():
            held.clear()
            held.update(before)

    return Kept(lambda: [name] if moved() else [], restore)


def _namespace(names: MutableMapping[str, Any]) -> Kept:
    """The names of a notebook; only those that changed are touched."""
    before = dict(names)

    def moved() -> list[str]:
        new = [name for name in names if name not in before and name != "__builtins__"]  # exec adds that one
        return [*new, *(name for name, value in before.items() if name not in names or names[name] is not value)]

    def restore() -> None:
        for name in moved():
            if name in before:
                names[name] = before[name]
            else:
                del names[name]

    return Kept(moved, restore)


def _class(name: str, one: type) -> Iterator[Kept]:
    """The attributes of a class that a notebook defines."""
    if one.__module__ != "__main__":
        return
    before = dict(vars(one))

    def restore() -> None:
        for key, value in before.items():
            if vars(one).get(key) is not value:
                setattr(one, key, value)
        for key in vars(one).keys() - before.keys():
            delattr(one, key)

    yield Kept(lambda: [name] if _moved([*vars(one).values()], [*before.values()]) else [], restore)


def _variable(name: str, cell: CellType) -> Iterator[Kept]:
    """What a variable of an outer function stands for."""
    try:
        before = cell.cell_contents
    except ValueError:  # not yet assigned
        return
    yield Kept(
        lambda: [name] if cell.cell_contents is not before else [],
        lambda: setattr(cell, "cell_contents", before),
    )
    yield from _kept(name, before)


def _iterator(name: str, one: Iterator[Any]) -> Kept:
    """How far an iterator got, which is set back where Python can; what a generator gave is gone."""
    before = _progress(one)
    place = _reduced(one)[2:]

    def restore() -> None:
        if place and isinstance(place[0], int) and hasattr(one, "__setstate__"):
            one.__setstate__(place[0])

    return Kept(lambda: [name] if _progress(one) != before else [], restore)


def _progress(one: Any) -> Any:
    """Something that changes when an iterator gives an item."""
    if isinstance(one, GeneratorType):
        frame = one.gi_frame
        inside = {} if frame is None else frame.f_locals
        return frame is None, frame and frame.f_lasti, [(n, id(v), _progress(v)) for n, v in inside.items()]
    if not isinstance(one, Iterator):
        return None
    left = length_hint(one, -1)
    return left if left >= 0 else [repr(one), *(_progress(part) for part in _reduced(one)[1:2] for part in part)]


def _reduced(one: Any) -> tuple[Any, ...]:
    """How an iterator says what it is made of; () for one that doesn't."""
    try:
        found = one.__reduce__()
    except TypeError:
        return ()
    return found if isinstance(found, tuple) else ()


def _moved(now: list[Any], before: list[Any]) -> bool:
    """Whether other objects are there."""
    return len(now) != len(before) or any(a is not b for a, b in zip(now, before, strict=True))
