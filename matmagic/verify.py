"""Random draws that honour the declared properties, autograd's derivative on them, and a verdict on a
formula.

In: a Subject, Shapes, properties by argument, and a formula as a function of the inputs.  Out: a Verdict.
Sizes differ from each other and from draw to draw, since equal ones hide a transposed answer; some draws
are large and some small, since a branch hides in between.  Every entry is compared, relative to the
largest; NaN never agrees. Autograd itself is checked against central differences along random directions,
so that a wrong backward is caught.
Not known here: what the formula is, and why it might be wrong.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from .autograd import copies, derivative_of, differences_agree, jumps, point, relative_error, repeats, value_and_slopes
from .calling import call, float64
from .capture import Subject
from .errors import BackwardError, ResultError
from .inference import fatal
from .options import Options
from .patience import Patience
from .sampling import holds, sample
from .shapes import Shapes, far_sizes, sizes_for, traced_sizes

__all__ = [
    "Evaluate",
    "Verdict",
    "defined",
    "derivative_of",
    "differences_agree",
    "draws",
    "holds",
    "inputs_at",
    "relative_error",
    "sample",
    "verify",
]

Evaluate = Callable[[Mapping[str, Tensor]], Tensor]

TOLERANCE = 1e-9  # relative, float64 formula against float64 autograd
LOST = 1e-6  # relative, differences of right forms that lose digits in their own ways
MUCH_NOISE = 100.0  # times autograd's rounding, that of other forms
VANISHED = 1e-13  # relative to f / x: what rounding leaves of a derivative that is zero
DIGITS = 1e-3  # relative, the change of a derivative by the last digits of the inputs from which it is noise
STEADY = 1e3  # of the spread of a difference, which noise doesn't reach at two points
MOVES = 3  # of the last digits of the inputs, to see whether f is noise
NEARBY = 8  # points at which a difference is looked at
SCALES = (1.0, 1.0, 3.0, 0.3)  # of one argument without a property, by draw
REPLACED = 200  # draws tried for one where f is finite
FEW = 12  # of them, where f is slow or fails
REPLACING = 1.0  # seconds for more
FAR_DRAWS = 6  # tried for one at other sizes
SIDES = ((1, 1), (-1, -1), (1, -1), (-1, 1))  # the signs of the arguments, in turn
TRACES = 6  # draws for a trace at most
SINGULAR = "has a derivative without a right digit, as with the inverse of a singular matrix,"
CHECKED = 2  # draws on which autograd is checked
SECONDS = 0.3  # for more of them, where there is no formula that agrees with it


@dataclass(frozen=True)
class Verdict:
    """Whether a formula equals autograd's derivative on every draw, and autograd the differences."""

    ok: bool
    max_error: float
    draws: int
    autograd_ok: bool
    text: str


# --------------------------------------------------------------------------- draws


def inputs_at(
    shapes: Shapes,
    sizes: Mapping[str, int],
    assume: Mapping[str, str],
    seed: int,
    scaled: str = "",
    scale: float = 1.0,
) -> dict[str, Tensor]:
    """A random tensor for each argument and each tensor read, at these sizes, `scaled` times scale."""
    generator = torch.Generator().manual_seed(seed)
    inputs = {}
    for name, shape in shapes.of.items():
        kept = shapes.values.get(name)
        if kept is not None and not kept.is_floating_point():
            inputs[name] = kept.clone()
            continue
        prop = assume.get(name)
        if prop and prop.startswith("index<"):
            bound = prop.removeprefix("index<")
            prop = f"index<{sizes.get(bound, bound)}"
        size = tuple(sizes[t] if isinstance(t, str) else t for t in shape)
        inputs[name] = sample(size, prop, generator)
        if name == scaled and not prop:
            inputs[name] *= scale
    return inputs


def draws(subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options) -> Iterator[dict[str, Tensor]]:
    """options.trials random inputs on which f is finite; the notebook's own values are one more draw, if f is smooth there.

    A draw where f is NaN, infinite or raises is replaced by another, within a bound.
    """
    for draw in range(options.trials):
        yield _finite_draw(subject, shapes, assume, options.seed, draw)
    if (own := own_draw(shapes, assume)) and not roughness(subject, own):
        yield own


def sided_draws(subject: Subject, shapes: Shapes, assume: Mapping[str, str], seed: int) -> Iterator[dict[str, Tensor]]:
    """Draws with all entries of an argument of one sign, at which a piecewise function is flat on whole axes."""
    for number, sides in enumerate(SIDES):
        inputs = inputs_at(shapes, sizes_for(shapes, number), assume, seed * 7919 + 3001 + number)
        for name, side in zip(inputs, itertools.cycle(sides), strict=False):
            if name not in assume and inputs[name].is_floating_point():
                inputs[name] = side * inputs[name].abs()
        try:
            fine = bool(torch.isfinite(call(subject, copies(inputs))).all())
        except (RuntimeError, ValueError, IndexError):
            continue
        if fine:
            yield inputs


def own_draw(shapes: Shapes, assume: Mapping[str, str]) -> dict[str, Tensor] | None:
    """The notebook's own values, if all inputs have one, with the properties that are assumed."""
    own = shapes.values
    if set(own) != set(shapes.of) or not all(t.layout == torch.strided for t in own.values()):
        return None
    if not all(holds(own[n], p) for n, p in assume.items() if n in own):
        return None
    return {n: t.clone() for n, t in own.items()}


def roughness(subject: Subject, inputs: Mapping[str, Tensor]) -> str:
    """Why nothing can be compared at these inputs: f is not finite, or has a kink; "" where something can."""
    if any(not t.numel() for t in inputs.values()):
        return "has nothing to differentiate"
    if not bool(torch.isfinite(call(subject, copies(inputs))).all()):
        return "is NaN or infinite"
    generator = torch.Generator().manual_seed(0)
    for _ in range(CHECKED):
        along = {n: _direction(t, generator) for n, t in inputs.items() if t.is_floating_point()}
        wide, narrow = (_bend(subject, inputs, along, step) for step in (1e-5, 1e-6))
        if narrow > 0.3 * wide:  # of a smooth function it is a tenth
            return "has a kink"
    return ""


def _direction(value: Tensor, generator: torch.Generator) -> Tensor:
    """A random direction, of the size of the value."""
    return torch.randn(value.shape, dtype=torch.float64, generator=generator) * (1 + value.abs().max())


def _bend(subject: Subject, inputs: Mapping[str, Tensor], along: Mapping[str, Tensor], step: float) -> float:
    """By how much the slope of f changes at these inputs; 0 where that is rounding, or f fails beside them."""
    values = []
    for way in (-step, 0.0, step):
        moved = {n: t + way * along[n] if n in along else t for n, t in copies(inputs).items()}
        try:
            values.append(call(subject, moved))
        except (RuntimeError, ValueError, IndexError):
            return 0.0
    before, at, after = values
    if not bool(torch.isfinite(before).all() and torch.isfinite(after).all()):
        return math.inf
    bend = float((after - 2 * at + before).abs().max())
    return bend / step if bend > 1e-10 * float(at.abs().max()) else 0.0


def far_draw(
    subject: Subject,
    shapes: Shapes,
    assume: Mapping[str, str],
    options: Options,
    least: int,
    like: Mapping[str, int],
) -> tuple[dict[str, Tensor], Tensor] | None:
    """A draw at sizes from `least` on, in the order of these, and f's value; None where f doesn't run or is not finite."""
    try:
        for attempt in range(FAR_DRAWS):
            seed = options.seed * 7919 + 1009 * attempt + least
            inputs = inputs_at(shapes, far_sizes(shapes, least, like), assume, seed)
            value = call(subject, copies(inputs))
            if bool(torch.isfinite(value).all()):
                return inputs, value
    except Exception as raised:
        if isinstance(raised, MemoryError):
            raise
    return None


def traced_draw(
    subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options, turn: int
) -> dict[str, Tensor] | None:
    """A draw at the sizes of a trace on which f is finite; None where there is none."""
    vague: dict[str, Tensor] | None = None
    for attempt, sizes in enumerate(itertools.islice(itertools.cycle(traced_sizes(shapes, turn)), TRACES)):
        inputs = inputs_at(shapes, sizes, assume, options.seed * 7919 + 13 * turn + attempt)
        try:
            if singular(subject, inputs):
                continue
            if not _is_vague(subject, shapes, inputs):
                return inputs
            vague = vague or inputs
        except Exception as raised:
            if fatal(raised):
                raise
    return vague


def _finite_draw(
    subject: Subject, shapes: Shapes, assume: Mapping[str, str], seed: int, draw: int
) -> dict[str, Tensor]:
    """A draw on which f is finite and has digits; a ResultError with the input where there is none."""
    error: Exception | None = None
    reasons: set[str] = set()
    vague: dict[str, Tensor] | None = None
    patience = Patience(REPLACING)
    for attempt in range(REPLACED):
        if attempt >= FEW and (vague is not None or not (reasons and patience.left)):
            break
        sizes = sizes_for(shapes, draw + (attempt // 3) * 7)
        scale = SCALES[draw % len(SCALES)] if attempt == 0 else 1.0
        scaled = list(shapes.of)[draw // len(SCALES) % len(shapes.of)]
        inputs = inputs_at(shapes, sizes, assume, seed * 7919 + draw * 101 + attempt, scaled, scale)
        try:
            with patience.trying():
                reason = singular(subject, inputs)
        except ResultError:
            raise
        except Exception as raised:
            if fatal(raised):
                raise
            error = raised
            continue
        if reason:
            reasons.add(reason)
        elif scale == 1 or not is_rounded(subject, inputs):
            if not _is_vague(subject, shapes, inputs):
                return inputs
            vague = vague or inputs
    if vague is not None:
        return vague
    if error is not None:
        raise error
    shown = ", ".join(f"{n}: {t.dtype}".replace("torch.", "") + str(list(t.shape)) for n, t in inputs.items())
    raise ResultError(
        f"{subject.name} {' or '.join(sorted(reasons))} on {len(patience.lengths)} random inputs",
        f"inputs: {shown}",
        f'say what it needs: --assume "{next(iter(shapes.of))}=positive", for example',
    )


def singular(subject: Subject, inputs: Mapping[str, Tensor]) -> str:
    """Why f can't be differentiated by numbers at these inputs: "" where it can."""
    value, slopes = value_and_slopes(subject, inputs)
    if not bool(torch.isfinite(value).all()):
        return "is not finite (NaN or infinite)"
    try:
        _, moved = value_and_slopes(subject, _nudged(inputs))
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # cholesky(XᵀX) of a wide X, definite by rounding
        return SINGULAR
    except (RuntimeError, ValueError, IndexError):  # f refuses what is beside, as labels between 0 and 1
        return ""
    for slope, other in zip(slopes, moved, strict=False):
        size = max(float(slope.abs().max()), 1e-6 * float(value.abs().max()), 1e-12) if slope.numel() else math.inf
        if float((other - slope).abs().max()) > DIGITS * size and repeats(subject, inputs):
            return SINGULAR
    return ""


def is_noise(found: Evaluate, inputs: Mapping[str, Tensor]) -> bool:
    """Whether rounding is all there is of a value at these inputs: of det(Xᵀ X) for a wide X, of Σ (x − mean x)."""
    try:
        value = found(copies(inputs))
        least = DIGITS * float(value.abs().max())
        for k in range(1, MOVES + 1):
            if not float((found(_nudged(inputs, k)) - value).abs().max()) <= least:
                return True
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        return True
    except (RuntimeError, ValueError, IndexError):  # sizes that an expression isn't for, labels between 0 and 1
        return False
    return False


def _nudged(inputs: Mapping[str, Tensor], times: int = 1) -> dict[str, Tensor]:
    """The inputs with their last digits changed, each entry's by an amount of its own; labels stay."""

    def nudged(value: Tensor) -> Tensor:
        amounts = torch.linspace(0.5, 1.5, value.numel(), dtype=value.dtype).reshape(value.shape)
        return value * (1 + times * 1e-12 * amounts)

    return {n: t.clone() if _is_whole(t) else nudged(t) for n, t in inputs.items()}


def _is_vague(subject: Subject, shapes: Shapes, inputs: Mapping[str, Tensor]) -> bool:
    """Whether f is noise at these inputs, and may be more where a matrix has other sizes."""
    matrices = any(len({t for t in shape if isinstance(t, str)}) > 1 for shape in shapes.of.values())
    return matrices and is_noise(partial(call, subject), inputs) and repeats(subject, inputs)


def is_rounded(subject: Subject, inputs: Mapping[str, Tensor]) -> bool:
    """Whether a number f is so far out that autograd's gradient is none: of log σ(x), where σ(x) is 0 or 1."""
    if call(subject, copies(inputs)).numel() != 1:
        return False
    try:
        floats = [name for name, value in inputs.items() if value.is_floating_point()]
        return not all(differences_agree(subject, inputs, n, derivative_of(subject, inputs, n))[0] for n in floats)
    except (ResultError, RuntimeError, ValueError, IndexError):
        return False


def _is_whole(tensor: Tensor) -> bool:
    """Whether all entries are whole numbers, which may be labels that f compares."""
    return not tensor.is_floating_point() or torch.equal(tensor, tensor.round())


# --------------------------------------------------------------------------- verdict


@dataclass(frozen=True)
class Agreement:
    """Whether a formula has autograd's value on one draw, and the relative error, which may be rounding."""

    holds: bool
    error: float


def agreement(
    subject: Subject,
    found: Evaluate,
    truth: Evaluate,
    inputs: Mapping[str, Tensor],
    variable: str,
    true: Tensor,
    tolerance: float = TOLERANCE,
) -> Agreement:
    """Whether `found` is `true`, the derivative, at these inputs.

    Right forms of one function may differ by more than the tolerance where digits are lost, or where the derivative
    vanishes and rounding is all that is left of it.  Such a difference is bounded, and noise: see _is_noise.
    """
    value = found(copies(inputs))
    error = relative_error(value, true)
    if error <= tolerance or not math.isfinite(error):
        return Agreement(error <= tolerance, error)
    difference = float((value - true).abs().max())
    if difference <= MUCH_NOISE * float(true.abs().max()) and _vanishes(subject, found, truth, inputs, variable):
        return Agreement(True, difference)
    size = float(call(subject, copies(inputs)).abs().max())
    natural = size / max(float(point(inputs, variable).abs().max()), 1e-300)
    if difference <= VANISHED * natural:
        error = min(error, difference / natural)
    elif error > LOST:
        return Agreement(False, error)
    return Agreement(_is_noise(found, truth, inputs), error)


def _vanishes(subject: Subject, found: Evaluate, truth: Evaluate, inputs: Mapping[str, Tensor], variable: str) -> bool:
    """Whether a derivative and a value for it are rounding, or 0, and f doesn't change at all: ‖x‖² / xᵀx."""
    if any(bool(own(copies(inputs)).any()) and not is_noise(own, inputs) for own in (truth, found)):
        return False
    return all(name in inputs for name in variable.split(", ")) and not jumps(subject, inputs, variable)


def _is_noise(found: Evaluate, truth: Evaluate, inputs: Mapping[str, Tensor]) -> bool:
    """Whether the difference jumps about zero when the inputs move by a little; a wrong formula's moves little."""
    apart = []
    for k in range(1, NEARBY + 1):
        moved = {n: t * (1 + k * 1e-7) if t.is_floating_point() else t for n, t in inputs.items()}
        apart.append(found(copies(moved)) - truth(moved))
        if k > 1:
            spread, mean = torch.std_mean(torch.stack(apart), dim=0)
            if bool((mean.abs() > STEADY * spread).any()):
                return False
    return bool((mean.abs() <= 2 * spread).all())


def verify(
    subject: Subject,
    shapes: Shapes,
    assume: Mapping[str, str],
    options: Options,
    variable: str,
    order: int,
    candidate: Evaluate | None,
    drawn: Iterable[Mapping[str, Tensor]] | None = None,
) -> Verdict:
    """Compare a formula with autograd on every draw, and autograd with differences on some (None: only the latter).

    `drawn` are the draws, where they are made already.
    """
    worst, agreed, count, problem = 0.0, True, 0, ""
    own, patience = False, Patience(SECONDS)
    for number, inputs in enumerate(draws(subject, shapes, assume, options) if drawn is None else drawn):
        try:
            truth = derivative_of(subject, inputs, variable, order)
        except BackwardError as error:
            return Verdict(False, math.inf, 0, False, error.message)
        if not bool(torch.isfinite(truth).all()):
            continue
        if number >= options.trials and candidate is not None and not defined(candidate, inputs):
            continue  # det(A) A⁻ᵀ, where the notebook's A is singular
        own = number >= options.trials
        count += 1
        if not problem and (count <= CHECKED or (candidate is None and patience.left)):
            with patience.trying():
                problem = differences_agree(subject, inputs, variable, truth, order)[2]
        if candidate is not None:
            compared = _compared(subject, inputs, variable, order, candidate, truth)
            worst, agreed = max(worst, compared.error), compared.holds
            if not agreed:
                break
    ok = count > 0 and agreed and not (problem and candidate is None)
    text = _text(ok, worst, count - own, own, problem, candidate is not None)
    return Verdict(ok, worst, count, not problem, text)


def defined(found: Evaluate, inputs: Mapping[str, Tensor]) -> bool:
    """Whether a formula has a value, and a finite one, at these inputs."""
    try:
        with float64():
            return bool(torch.isfinite(found(copies(inputs))).all())
    except Exception:
        return False


def holds_at(subject: Subject, variable: str, order: int, candidate: Evaluate, inputs: Mapping[str, Tensor]) -> bool:
    """Whether a formula agrees with autograd at these inputs, or autograd has no answer there."""
    truth = derivative_of(subject, inputs, variable, order)
    fine = bool(torch.isfinite(truth).all())
    return not fine or _compared(subject, inputs, variable, order, candidate, truth).holds


def _compared(
    subject: Subject,
    inputs: Mapping[str, Tensor],
    variable: str,
    order: int,
    candidate: Evaluate,
    true: Tensor,
) -> Agreement:
    """The formula on one draw; no agreement where it raises."""

    def truth(at: Mapping[str, Tensor]) -> Tensor:
        return derivative_of(subject, at, variable, order)

    try:
        with float64():
            return agreement(subject, candidate, truth, inputs, variable, true)
    except Exception:  # whatever a code does wrong, it is no derivative
        return Agreement(False, math.inf)


def _text(ok: bool, worst: float, count: int, own: bool, problem: str, compared: bool) -> str:
    """One line for the card; `own` says that the notebook's values were one more draw."""
    drawn = f"{count} random draw{'s' if count != 1 else ''}" + (" and the notebook's values" if own else "")
    error = f"largest error {worst:.0e}" if worst else "no error"
    if ok and worst > TOLERANCE:
        error += ", as rounding leaves of it"
    if count == 0:
        return "not checked: the derivative is not finite on any draw"
    if problem:
        return problem
    if not compared:
        return "autograd agrees with finite differences"
    if ok:
        return f"checked on {drawn}, {error}"
    return f"does not agree with autograd on {drawn}, largest error {worst:.0e}"
