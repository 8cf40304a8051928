"""What is checked of a random function: each derivative's code against autograd, text and LaTeX as read back, notes.

Draws, autograd's derivative and its layout are this module's own; only properties are drawn by matmagic.sampling.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from randomfunctions import RandomFunction
from readback import UNREAD, Setting, forms
from torch import Tensor

from matmagic import capture
from matmagic.derivative import Derivative
from matmagic.options import Options
from matmagic.report import Report, check
from matmagic.sampling import sample

Inputs = dict[str, Tensor]

SIZES = ({"n": 4, "m": 6, "d": 5}, {"n": 7, "m": 3, "d": 4}, {"n": 5, "m": 8, "d": 6})
CHECKED = 5  # the seed of the draws on which code is checked
TOLERANCE = 1e-8  # of the largest entry
FLOOR = 1e-11  # of f itself, for derivatives that vanish
SLOW = 2.0  # seconds for one check


@contextmanager
def float64() -> Iterator[None]:
    """float64 as default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


# ---- the function, by itself --------------------------------------------------------------------------------------


def names() -> dict[str, Any]:
    """What a notebook has."""
    return {"torch": torch, "F": F, "math": math}


class Running:
    """The function on draws of its own, with autograd's derivatives."""

    def __init__(self, made: RandomFunction) -> None:
        self.made = made
        space = names()
        exec(made.source, space)
        self.function = space["f"]

    def inputs(self, draw: int, seed: int = 0) -> Inputs:
        """Arguments that have the properties declared."""
        sizes = SIZES[draw]
        generator = torch.Generator().manual_seed(7919 * draw + seed + 1)
        found = {}
        for name, shape in self.made.shapes.items():
            prop = self.made.assume.get(name)
            if prop and prop.startswith("index<"):
                bound = prop.removeprefix("index<")
                prop = f"index<{sizes.get(bound, bound)}"
            found[name] = sample(tuple(sizes[s] if isinstance(s, str) else s for s in shape), prop, generator)
        return found

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        with float64():
            value: Tensor = self.function(**{name: tensor.clone() for name, tensor in inputs.items()})
        return value

    def derivative(self, inputs: Mapping[str, Tensor], variable: str, order: int = 1) -> Tensor:
        """In the variable's shape, or the result's shape and the variable's; columns and rows are vectors."""

        def of(value: Tensor) -> Tensor:
            given = {name: (value if name == variable else tensor).clone() for name, tensor in inputs.items()}
            result: Tensor = self.function(**given)
            return result

        own = inputs[variable]
        with float64():
            out = of(own)
            if order == 2:
                second: Tensor = torch.autograd.functional.hessian(lambda v: of(v).reshape(()), own)
                return second.reshape(as_vector(own.shape) * 2)
            first: Tensor = torch.autograd.functional.jacobian(of, own)
        return first.reshape(own.shape if out.numel() == 1 else as_vector(out.shape) + as_vector(own.shape))


def as_vector(shape: torch.Size) -> tuple[int, ...]:
    """The shape, without the axis of size 1 of a column or a row."""
    return tuple(s for s in shape if s != 1) if len(shape) == 2 and 1 in shape else tuple(shape)


def usable(made: RandomFunction) -> bool:
    """Whether f is finite, depends on an argument, and doesn't magnify rounding errors by more than a few digits."""
    own = Running(made)
    for inputs in (own.inputs(draw, seed) for seed in (0, CHECKED) for draw in range(len(SIZES))):
        try:
            first, second = slopes(own, inputs), slopes(own, {n: shaken(t) for n, t in inputs.items()})
        except torch.linalg.LinAlgError:
            return False
        if first is None or second is None:
            return False
        largest = float(first.abs().max())
        if not 1e-6 < largest < 1e5 or float((first - second).abs().max()) > 1e-4 * largest:
            return False
    return made.order == 1 or bends(own)


def bends(own: Running) -> bool:
    """Whether autograd has a second derivative, and one that is right: torch's of F.binary_cross_entropy isn't."""
    draws = [own.inputs(draw, seed) for seed in (0, CHECKED) for draw in range(len(SIZES))]
    try:
        return all(is_slope_of_gradient(own, inputs, name) for inputs in draws for name in own.made.variables)
    except RuntimeError:
        return False


def is_slope_of_gradient(own: Running, inputs: Inputs, name: str) -> bool:
    """Whether autograd's Hessian is how its gradient changes along a direction."""
    start = inputs[name]
    along = torch.linspace(-1, 1.7, start.numel(), dtype=torch.float64).reshape(start.shape)
    hessian = own.derivative(inputs, name, 2).reshape(start.numel(), start.numel())
    ends = [own.derivative({**inputs, name: start + step * along}, name) for step in (1e-5, -1e-5)]
    change = ((ends[0] - ends[1]) / 2e-5).reshape(-1) - hessian @ along.reshape(-1)
    return float(change.abs().max()) <= 1e-7 * (1 + float(hessian.abs().max()))


def shaken(tensor: Tensor) -> Tensor:
    """The tensor, moved by a ten-millionth."""
    return tensor * (1 + 1e-7) if tensor.is_floating_point() else tensor


def slopes(own: Running, inputs: Inputs) -> Tensor | None:
    """The gradient of the weighted sum of f's entries by all arguments; None where anything is infinite."""
    leaves = {n: t.clone().requires_grad_() if t.is_floating_point() else t for n, t in inputs.items()}
    value = own(leaves)
    if value.is_complex() or not bool(torch.isfinite(value).all()) or float(value.detach().abs().max()) > 1e4:
        return None
    weights = torch.linspace(0.5, 1.5, value.numel(), dtype=torch.float64).reshape(value.shape)
    if not value.requires_grad:
        return None
    asked = [leaves[n] for n in own.made.variables]
    found = torch.autograd.grad((value * weights).sum(), asked, allow_unused=True)
    whole = torch.cat([torch.zeros(1) if g is None else g.reshape(-1) for g in found])
    return whole if bool(torch.isfinite(whole).all()) else None


def is_nonlinear(made: RandomFunction) -> bool:
    """Whether f bends along a line in the space of one argument."""
    own = Running(made)
    inputs = own.inputs(0)
    for name in made.variables:
        ends = [{**inputs, name: inputs[name] * (1 + step)} for step in (-0.01, 0.0, 0.01)]
        low, middle, high = (own(end) for end in ends)
        if float((low + high - 2 * middle).abs().max()) > 1e-9 * (1 + float(middle.abs().max())):
            return True
    return False


# ---- what matmagic says -------------------------------------------------------------------------------------------


@dataclass
class Found:
    """What came of a function."""

    made: RandomFunction
    seconds: float = 0.0
    derivatives: int = 0
    with_code: int = 0
    wrong: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)  # why there is no code
    forms: int = 0  # formulas in text and LaTeX
    unread: list[str] = field(default_factory=list)  # those that can't be read back

    @property
    def closed(self) -> bool:
        """Whether each derivative has code."""
        return self.derivatives > 0 and self.with_code == self.derivatives


def report_of(made: RandomFunction) -> Report:
    """The report of a cell with the function, its shapes given."""
    space = names()
    cell = capture.parse(made.source)
    subject = capture.subject(cell, space, "f", capture.run(cell, space))
    shapes = {name: ",".join(map(str, shape)) or "()" for name, shape in made.shapes.items()}
    return check(subject, Options(wrt=made.wrt, shapes=shapes, assume=made.assume, order=made.order))


def found_of(made: RandomFunction) -> Found:
    """The function put to matmagic, and everything that is wrong with what it says."""
    found = Found(made)
    start = time.perf_counter()
    try:
        report = report_of(made)
    except Exception as error:
        found.wrong.append(f"raised {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
        return found
    finally:
        found.seconds = time.perf_counter() - start
    own = Running(made)
    found.limits = [note.text for note in report.notes if note.kind == "limit"]
    found.wrong += [line for line in found.limits if "matmagic itself failed" in line]
    draws = [own.inputs(draw, CHECKED) for draw in range(len(SIZES))]
    statement_problems(found, report, own, draws)
    zero = set(made.variables)
    for derivative in report:
        found.derivatives += 1
        found.with_code += derivative.code is not None
        for draw, inputs in enumerate(draws):
            right = truth(own, inputs, derivative.variable)
            zero -= {derivative.variable} if float(right.abs().max()) > 1e-9 else set()
            problem = None if derivative.code is None else code_problem(derivative, own, inputs, right)
            if draw == 0:
                form_problems(found, derivative, own, inputs, right)
            if problem:
                found.wrong.append(f"by {derivative.variable}: {problem}")
                break
        kinked = {"binary", "signs"} & set(made.assume.values())  # whole numbers, where ties and bounds are met
        if not derivative.verdict.autograd_ok and "detach" not in made.source and not kinked:
            found.wrong.append(f"by {derivative.variable}: {derivative.verdict.text}")
    found.wrong += note_problems(report, made, zero)
    return found


def truth(own: Running, inputs: Inputs, variable: str) -> Tensor:
    """Autograd's derivative; by several scalars, side by side."""
    parts = [own.derivative(inputs, name, own.made.order) for name in variable.split(", ")]
    return parts[0] if len(parts) == 1 else torch.stack(parts, -1)


def code_problem(derivative: Derivative, own: Running, inputs: Inputs, right: Tensor) -> str | None:
    """How the code's value differs from autograd's derivative."""
    code = str(derivative.code)
    with float64():
        try:
            value = eval(code, names(), {n: t.clone() for n, t in inputs.items()})
        except Exception as error:
            return f"{code}\n    raises {type(error).__name__}: {error}"
    value = value if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)
    if value.shape != right.shape:
        return f"{code}\n    has shape {tuple(value.shape)} instead of {tuple(right.shape)}"
    error = float((value - right).abs().max()) if right.numel() else 0.0
    if error <= TOLERANCE * float(right.abs().max()) + FLOOR or error <= allowed(
        own, inputs, derivative.variable, right
    ):
        return None
    return f"{code}\n    is off by {error:.2g}, where the largest entry is {float(right.abs().max()):.2g}"


def allowed(own: Running, inputs: Inputs, variable: str, right: Tensor) -> float:
    """How far a right form may be off: more where autograd's own value moves with the last digits of the inputs."""
    size = float(own(inputs).abs().max())
    moved = [truth(own, _stretched(inputs, 1 + step), variable) for step in (1e-12, 1e-7, 2e-7, 3e-7)]
    noise = 0.01 * float((moved[0] - right).abs().max())
    rough = [float((b - 2 * a + c).abs().max()) for c, a, b in ((right, *moved[1:3]), moved[1:])]  # 1e-14 where smooth
    return TOLERANCE * float(right.abs().max()) + FLOOR * max(1.0, size) + noise + max(rough)


def _stretched(inputs: Inputs, factor: float) -> Inputs:
    return {n: t * factor if t.is_floating_point() else t for n, t in inputs.items()}


# ---- texts and notes ----------------------------------------------------------------------------------------------


def statement_problems(found: Found, report: Report, own: Running, draws: list[Inputs]) -> None:
    """The function's formula, where a reader would read something else."""
    setting = setting_of(found.made, draws[0], own(draws[0]), FLOOR * 1000)
    for line in (report.statement_text, report.statement_latex):
        if line is not None:
            read_back(found, line, setting.problem(line.partition(" = ")[2]))


def form_problems(found: Found, derivative: Derivative, own: Running, inputs: Inputs, right: Tensor) -> None:
    """The derivative's formulas, likewise."""
    most = allowed(own, inputs, derivative.variable, right)
    for shown, problem in forms(derivative, setting_of(found.made, inputs, right, most)):
        read_back(found, f"by {derivative.variable}: {shown}", problem)


def setting_of(made: RandomFunction, inputs: Inputs, right: Tensor, most: float = FLOOR) -> Setting:
    """What formulas are read with: the first draw."""
    sizes = {letter: SIZES[0][letter] for letter in made.letters}
    return Setting(inputs, sizes, right, allowed=most)


def read_back(found: Found, shown: str, problem: str) -> None:
    """Count a formula, by what came of reading it."""
    found.forms += 1
    if problem.startswith(UNREAD):
        found.unread.append(f"{shown}\n    {problem}")
    elif problem:
        found.wrong.append(f"{shown}\n    is a misprint: it {problem}")


FOLLOWED = (".item()", "float(", "int(", "if ", "bool(", "> 0.5]", ".max()", "sort")


def note_problems(report: Report, made: RandomFunction, zero: set[str]) -> list[str]:
    """Notes that say what isn't so."""
    wrong = []
    missing = any(d.code is None for d in report)
    for note in report.notes:
        independent = re.search(r"does not depend on (.+)|changes with (.+) in jumps only", note.text)
        if independent and not zero & set(independent.groups()):
            wrong.append(f"note: {note.text}")
        if " taken " in note.text and "symmetric" not in note.text and always_finite(made):
            wrong.append(f"note: {note.text}")
        if note.kind == "limit" and not missing:
            wrong.append(f"note: {note.text}, though there is code")
        if note.text.startswith("control flow") and not any(word in made.source for word in FOLLOWED):
            wrong.append(f"note: {note.text}")
    if missing and not any(note.kind == "limit" for note in report.notes):
        wrong.append("no code, and no note that says why")
    return wrong


def always_finite(made: RandomFunction) -> bool:
    """Whether f needs no more properties than those declared."""
    own = Running(made)
    return all(bool(own(own.inputs(0, seed)).isfinite().all()) for seed in range(100, 140))


# ---- many ---------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """The figures of many functions."""

    functions: int = 0
    closed: int = 0
    nonlinear: int = 0
    derivatives: int = 0
    with_code: int = 0
    forms: int = 0
    unread: list[str] = field(default_factory=list)
    wrong: list[Found] = field(default_factory=list)
    slow: list[Found] = field(default_factory=list)
    open: list[Found] = field(default_factory=list)
    limits: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def add(self, found: Found) -> None:
        self.functions += 1
        self.closed += found.closed
        self.nonlinear += is_nonlinear(found.made)
        self.derivatives += found.derivatives
        self.with_code += found.with_code
        self.forms += found.forms
        self.unread += [f"{found.made.source}\n{line}" for line in found.unread]
        self.seconds.append(found.seconds)
        if found.wrong:
            self.wrong.append(found)
        elif not found.closed:
            self.open.append(found)
            self.limits.update(limit.partition(" (in line")[0] for limit in found.limits)
        if found.seconds > SLOW:
            self.slow.append(found)

    @property
    def share(self) -> float:
        """Functions of which each derivative has code."""
        return self.closed / max(self.functions, 1)

    def __str__(self) -> str:
        times = sorted(self.seconds)
        spread = ", ".join(f"{p}% {times[int(len(times) * p / 100)]:.3f} s" for p in (50, 95, 99)) if times else ""
        return (
            f"{self.functions} functions ({self.nonlinear / max(self.functions, 1):.0%} nonlinear), "
            f"{self.derivatives} derivatives: code for all of {self.share:.1%} of the functions, "
            f"for {self.with_code / max(self.derivatives, 1):.1%} of the derivatives; {len(self.wrong)} wrong; "
            f"{self.forms - len(self.unread)} of {self.forms} formulas read back; "
            f"time {spread}, most {max(times, default=0):.2f} s"
        )
