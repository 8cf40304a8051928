"""Leave no trace: what a check does to the process is undone, whatever happens in it.

In: the user's tensors and objects.  Out: a context, after which the tensors' gradients, values and flags, what the
objects (modules, lists, dicts) hold, the random states, torch's default dtype and gradient mode, warning filters and
the environment are as before, Ctrl-C included.
The idea is a list of undo steps, taken before anything runs; nothing is imported that is not there already.
Not known here: random states of other devices, and what objects hold that are not given.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Undo = Callable[[], object]
_LARGE = 1_000_000


@contextmanager
def leave_no_trace(
    tensors: Iterable[Tensor] = (), quiet: bool = False, objects: Iterable[object] = ()
) -> Iterator[None]:
    """Run the block, then put everything back; `quiet` drops what it prints and warns."""
    undo = [*_torch_state(), *_random_states(), _environment()]
    undo += [step for tensor in tensors for step in _tensor(tensor)]
    undo += [step for one in objects for step in _object(one)]
    with warnings.catch_warnings():
        try:
            with _silence() if quiet else contextlib.nullcontext():
                yield
        finally:
            with _deaf():
                _take_back(undo)


def _take_back(undo: list[Undo]) -> None:
    """Every step, even when one fails; the first failure is raised at the end."""
    failure: Exception | None = None
    for step in undo:
        try:
            step()
        except Exception as error:
            failure = failure or error
    if failure is not None:
        raise failure


def _torch_state() -> list[Undo]:
    torch = sys.modules.get("torch")
    if torch is None:
        return []
    dtype, grad, seed = torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_rng_state()
    return [
        lambda: torch.set_default_dtype(dtype),
        lambda: torch.set_grad_enabled(grad),
        lambda: torch.set_rng_state(seed),
    ]


def _random_states() -> list[Undo]:
    state = random.getstate()
    undo: list[Undo] = [lambda: random.setstate(state)]
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numbers = numpy.random.get_state()
        undo.append(lambda: numpy.random.set_state(numbers))
    return undo


def _environment() -> Undo:
    before = dict(os.environ)

    def restore() -> None:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})

    return restore


def _tensor(tensor: Tensor) -> list[Undo]:
    """Values and flag of the tensor; its `.grad`, the same object holding the same numbers.

    Numbers are written through `.data`, so that graphs of the user that saved the tensor stay usable.
    Values of a tensor of more than a million entries are not kept: a copy would cost more than it protects.
    """
    if tensor.is_inference():
        return []  # can be neither changed in place outside inference mode nor given a gradient
    values = tensor.detach().clone() if tensor.numel() <= _LARGE else None
    version = tensor._version
    grad = tensor.grad if tensor.is_leaf or tensor.retains_grad else None
    numbers = None if grad is None else grad.detach().clone()

    def restore_values() -> None:
        if values is not None and (tensor._version != version or not _same(tensor.detach(), values)):
            tensor.data.copy_(values)

    def restore_grad() -> None:
        if grad is not None and numbers is not None:
            grad.data.copy_(numbers)
        if tensor.is_leaf or tensor.retains_grad:
            tensor.grad = grad

    undo: list[Undo] = [restore_values, restore_grad]
    if tensor.is_leaf:
        flag = tensor.requires_grad
        undo.append(lambda: tensor.requires_grad_(flag))
    return undo


def _same(tensor: Tensor, values: Tensor) -> bool:
    """Whether the numbers are those; torch's batch_norm changes its running statistics without a new version."""
    if tensor.layout is not values.layout or str(tensor.layout) != "torch.strided" or tensor.is_quantized:
        return True
    return bool(((tensor == values) | ((tensor != tensor) & (values != values))).all())


def _object(one: object) -> list[Undo]:
    """What a list, a dict or an object holds directly: attributes, and for modules parameters, buffers and the mode."""
    if isinstance(one, list):
        items = list(one)
        return [lambda: one.__setitem__(slice(None), items) if _moved(one, items) else None]
    own = one if isinstance(one, dict) else getattr(one, "__dict__", None)
    if not isinstance(own, dict) or isinstance(one, type):
        return []
    inner = [value for value in own.values() if type(value) is dict] if own is not one else []
    return [_dict(held) for held in (own, *inner)]


def _dict(held: dict[object, object]) -> Undo:
    before = dict(held)

    def restore() -> None:
        if _moved([*held, *held.values()], [*before, *before.values()]):
            held.clear()
            held.update(before)

    return restore


def _moved(now: list[object], before: list[object]) -> bool:
    """Whether other objects are there."""
    return len(now) != len(before) or any(a is not b for a, b in zip(now, before, strict=True))


@contextmanager
def _silence() -> Iterator[None]:
    """What is printed or warned inside is dropped."""
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C has no effect inside; only the main thread can hear it, or stop hearing it."""
    listener = signal.getsignal(signal.SIGINT)
    if listener is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, listener)
