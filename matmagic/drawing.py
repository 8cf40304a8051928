"""Random inputs that honour the declared properties, at which a function is finite and smooth.

In: a Subject, Shapes, properties by argument, Options.  Out: draws.  Sizes differ from each other and from draw to draw,
since equal ones hide a transposed answer; some draws are large and some small, since a branch hides in between.  A draw at
which f is NaN, infinite, singular or raises is replaced by another, within a bound.
Not known here: what is compared on them.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from functools import partial

import torch
from torch import Tensor

from .autograd import copies, repeats
from .calling import call
from .capture import Subject
from .errors import ResultError
from .inference import fatal
from .lengths import length, lengths, parsed
from .options import Options
from .patience import Patience
from .regularity import is_noise, is_rounded, roughness, singular
from .sampling import holds, sample
from .shapes import Shapes, far_sizes, sizes_for, traced_sizes

SCALES = (1.0, 1.0, 3.0, 0.3)  # of one argument without a property, by draw
REPLACED = 200  # draws tried for one where f is finite
FEW = 12  # of them, where f is slow or fails
REPLACING = 1.0  # seconds for more
FAR_DRAWS = 6  # tried for one at other sizes
SIDES = ((1, 1), (-1, -1), (1, -1), (-1, 1))  # the signs of the arguments, in turn
SWITCHES = {"binary": torch.tensor([0.0, 1.0]).double(), "signs": torch.tensor([-1.0, 1.0]).double()}
TRACES = 6  # draws for a trace at most


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
            bound = parsed(prop.removeprefix("index<"))
            prop = f"index<{prop.removeprefix('index<') if bound is None else length(bound, sizes)}"
        size = lengths(shape, sizes)
        inputs[name] = sample(size, prop, generator)
        if prop in SWITCHES and not size:  # takes turns, so that no value is on all draws
            inputs[name] = SWITCHES[prop][(seed >> len(inputs) % 3) & 1].clone()
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
    raise error or _no_draw(subject, inputs, reasons, len(patience.lengths))


def _no_draw(subject: Subject, inputs: Mapping[str, Tensor], reasons: Collection[str], count: int) -> ResultError:
    """What is said where no draw was found."""
    shown = ", ".join(f"{n}: {t.dtype}".replace("torch.", "") + str(list(t.shape)) for n, t in inputs.items())
    return ResultError(
        f"{subject.name} {' or '.join(sorted(reasons))} on {count} random inputs",
        f"inputs: {shown}",
        f'say what it needs: --assume "{next(iter(inputs))}=positive", for example',
    )


def _is_vague(subject: Subject, shapes: Shapes, inputs: Mapping[str, Tensor]) -> bool:
    """Whether f is noise at these inputs, and may be more where a matrix has other sizes."""
    matrices = any(len({t for t in shape if isinstance(t, str)}) > 1 for shape in shapes.of.values())
    return matrices and is_noise(partial(call, subject), inputs) and repeats(subject, inputs)
