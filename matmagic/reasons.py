"""Why a wrong answer is wrong: its sign, a factor, a transpose, a missing term, its shape, or another function.

In: the answer and the derivative on several draws.  Out: a Reason, in a sentence and in one word: sign, factor,
transposed, missing-term, shape/layout, wrong-function, unrelated.  Each reason is a test by numbers: the answer,
mended so, has to be right on every draw.  Terms are found without a formula: the derivative is the sum over all paths
of autograd's graph from the result to the variable, and an answer that is the sum of some of them has lost the others.
Not known here: the right formula, and how the answer is written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from .autograd import copies, derivative_of, relative_error, squeezed
from .calling import Running, call, replacements
from .capture import Subject
from .lengths import letters_of, solved
from .shapes import Shapes
from .terms import terms_of

RIGHT = 1e-10  # relative, an answer against the derivative
TERMS = 12


@dataclass(frozen=True)
class Sample:
    """One draw: the inputs, the answer, the derivative."""

    inputs: Mapping[str, Tensor]
    found: Tensor
    truth: Tensor
    sizes: Mapping[int, str]  # the letter of each size


@dataclass(frozen=True)
class Reason:
    """`words` continue "it is wrong: …"; `edit` is how to mend the answer, with {} in its place."""

    why: str
    words: str
    edit: str | None = None


@dataclass(frozen=True)
class Question:
    """What was asked: the derivative of which function by which variable."""

    subject: Subject
    shapes: Shapes
    variable: str
    order: int

    def truth(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Autograd's derivative."""
        return derivative_of(self.subject, inputs, self.variable, self.order)


def right(found: Tensor, truth: Tensor) -> bool:
    """Equal in shape, and in every number up to rounding."""
    return relative_error(found, truth) <= RIGHT


def reason_for(
    question: Question, samples: Sequence[Sample], evaluate: Callable[[Mapping[str, Tensor]], Tensor]
) -> Reason:
    """The first reason that holds on every draw."""
    if all(s.found.shape == s.truth.shape for s in samples):
        return (
            _scaled(samples)
            or _transposed(samples)
            or _without(question, samples)
            or _some_terms(question, samples)
            or _times_something(question, samples)
            or _other_function(question, samples, evaluate)
        )
    return _of_other_shape(question, samples)


# --------------------------------------------------------------------------- sign, factor, transpose


def factor_of(found: Tensor, truth: Tensor) -> float | None:
    """k where k · found = truth."""
    if found.shape != truth.shape or not truth.numel():
        return None
    k = float((found * truth).sum() / (found * found).sum().clamp_min(1e-300))
    return k if k and relative_error(k * found, truth) <= 1e-7 else None


def _constant_factor(samples: Sequence[Sample], change: Callable[[Tensor], Tensor] = lambda t: t) -> float | None:
    """The same k on every draw, or None."""
    ks = [factor_of(change(s.found), s.truth) for s in samples]
    first = ks[0]
    if first is None or any(k is None or abs(k - first) > 1e-6 * abs(first) for k in ks):
        return None
    return first


def _scaled(samples: Sequence[Sample]) -> Reason | None:
    """-claim, or k · claim, is right."""
    k = _constant_factor(samples)
    if k is None:
        return None
    if abs(k + 1) < 1e-6:
        return Reason("sign", "the sign is wrong", "-({})")
    return Reason("factor", f"a factor {number(k)} is missing", f"{number(k)} * ({{}})")


def number(k: float) -> str:
    """2, 1/2, 0.3183: a fraction where k is one of small numbers."""
    near = Fraction(k).limit_denominator(64)
    if abs(float(near) - k) < 1e-9 * abs(k):
        return str(near)
    return f"{k:.4g}" if abs(k - 1) > 1e-3 else f"{k:.10g}"


def _transposed(samples: Sequence[Sample]) -> Reason | None:
    """claim.T is right."""
    if any(s.found.ndim != 2 or s.found.mT.shape != s.truth.shape for s in samples):
        return None
    if all(right(s.found.mT, s.truth) for s in samples):
        return Reason("transposed", "it is transposed", "({}).T")
    k = _constant_factor(samples, lambda t: t.mT)
    if k is None:
        return None
    return Reason("transposed", f"it is transposed, and a factor {number(k)} is missing", f"{number(k)} * ({{}}).T")


# --------------------------------------------------------------------------- missing terms


def _without(question: Question, samples: Sequence[Sample]) -> Reason | None:
    """The claim is the derivative with one of the other arguments set to zero, or negated: its term was
    forgotten,
    or has the wrong sign.  Vectors and scalars come before matrices, often factors of several terms."""
    names = [n for n in question.shapes.of if n != question.variable and samples[0].inputs[n].is_floating_point()]
    names.sort(key=lambda name: samples[0].inputs[name].squeeze().ndim)
    for scale, words in (
        (0.0, "the term with {} is missing"),
        (-1.0, "the sign of the term with {} is wrong"),
    ):
        for name in names:
            changed = [{**s.inputs, name: s.inputs[name] * scale} for s in samples]
            if all(_is_derivative(question, at, s.found) for at, s in zip(changed, samples, strict=True)):
                return Reason("missing-term", words.format(name))
    for name in question.shapes.of:
        rest = [Sample(s.inputs, s.inputs[name].double(), s.truth - s.found, s.sizes) for s in samples]
        if any(factor_of(s.found, s.truth - s.found) is not None for s in samples):
            break  # the answer is not a part of the derivative, but beside it
        for change, text in ((lambda t: t, name), (lambda t: t.mT if t.ndim == 2 else t, f"{name}ᵀ")):
            k = _constant_factor(rest, change)
            if k is not None:
                return Reason("missing-term", f"the term {_multiple(k, text)} is missing")
    return None


def _multiple(k: float, text: str) -> str:
    """ "2 y", "-y"."""
    return {"1": text, "-1": f"-{text}"}.get(number(k), f"{number(k)} {text}")


def _is_derivative(question: Question, inputs: Mapping[str, Tensor], found: Tensor) -> bool:
    """Whether `found` is the derivative at these inputs; not where f can't be evaluated there, or it
    vanishes."""
    try:
        truth = question.truth(inputs)
    except Exception:
        return False
    return bool(truth.any()) and right(found, truth)


def _some_terms(question: Question, samples: Sequence[Sample]) -> Reason | None:
    """The claim is a combination of the derivative's terms, some of them left out or scaled."""
    by_draw = [terms_of(question.subject, s.inputs, question.variable, question.order) for s in samples]
    if any(terms is None or len(terms) != len(by_draw[0] or []) for terms in by_draw):
        return None
    stacked = torch.stack(
        [torch.cat([t.reshape(-1) for t in column]) for column in zip(*filter(None, by_draw), strict=True)], 1
    )
    columns = _distinct(stacked)
    if not 2 <= columns.shape[1] <= TERMS:
        return None
    claim = torch.cat([s.found.reshape(-1) for s in samples])
    solution = torch.linalg.lstsq(columns, claim.unsqueeze(1), driver="gelsd").solution[:, 0]
    if relative_error(columns @ solution, claim) > 1e-7 or not bool(claim.any()):
        return None
    if bool((solution.abs() < 1e-6).any()):
        return Reason("missing-term", "a term is missing")
    if bool((solution + 1).abs().min() < 1e-6):
        return Reason("missing-term", "the sign of one term is wrong")
    return Reason("missing-term", "one term has the wrong factor")


def _distinct(columns: Tensor) -> Tensor:
    """Columns that are multiples of each other added up; zero columns left out."""
    kept: list[Tensor] = []
    for column in columns.T:
        if not bool(column.any()):
            continue
        for i, other in enumerate(kept):
            if factor_of(other, column) is not None:
                kept[i] = other + column
                break
        else:
            kept.append(column)
    return torch.stack(kept, 1) if kept else columns[:, :0]


# --------------------------------------------------------------------------- a factor that varies


def _times_something(question: Question, samples: Sequence[Sample]) -> Reason | None:
    """A scalar that differs from draw to draw, det(X) or 1/n, times the claim is right."""
    if samples[0].truth.numel() < 2:
        return None
    ks = [factor_of(s.found, s.truth) for s in samples]
    if any(k is None for k in ks):
        return None
    for name, values in _scalars(question, samples):
        for power, text in ((1, name), (-1, f"1/{name}"), (2, f"{name}²"), (-2, f"1/{name}²")):
            ratios = [_over(k, v, power) for k, v in zip(ks, values, strict=True) if k is not None and v]
            if (
                len(ratios) == len(ks)
                and all(map(math.isfinite, ratios))
                and max(ratios) - min(ratios) <= 1e-6 * abs(ratios[0])
            ):
                return Reason("factor", f"the factor {_quotient(ratios[0], text)} is missing")
    return Reason("factor", "a scalar factor is missing")


def _over(k: float, v: float, power: int) -> float:
    """k / vᵖ for p = ±1, ±2; infinite where that is no float."""
    part = v if abs(power) == 1 else v * v
    return k * part if power < 0 else k / part if part else math.inf


def _quotient(k: float, text: str) -> str:
    """k · text: "det(X)", "2 det(X)", "1/(2 n)"."""
    near = Fraction(k).limit_denominator(64)
    if not text.startswith("1/"):
        return text if number(k) == "1" else f"{number(k)} {text}"
    above, below = (str(near.numerator), near.denominator) if abs(float(near) - k) < 1e-9 * abs(k) else (f"{k:.4g}", 1)
    return f"{above}/{text[2:]}" if below == 1 else f"{above}/({below} {text[2:]})"


def _scalars(question: Question, samples: Sequence[Sample]) -> Iterator[tuple[str, list[float]]]:
    """Scalars that are likely factors: sizes, scalar arguments, f itself, determinants, norms."""
    shapes = question.shapes.of
    numbers = [solved(shapes, {name: s.inputs[name].shape for name in shapes}) for s in samples]
    for letter in letters_of(shapes):
        yield letter, [float(sizes[letter]) for sizes in numbers]
    for name, shape in question.shapes.of.items():
        values = [s.inputs[name].double() for s in samples]
        if not shape:
            yield name, [float(v) for v in values]
        elif len(shape) == 2 and shape[0] == shape[1]:
            yield f"det({name})", [float(torch.linalg.det(v)) for v in values]
            yield f"tr({name})", [float(torch.trace(v)) for v in values]
        if shape:
            yield f"‖{name}‖", [float(v.norm()) for v in values]
            yield f"the sum of {name}", [float(v.sum()) for v in values]
    results = [call(question.subject, copies(s.inputs)).detach() for s in samples]
    if all(r.numel() == 1 for r in results):
        yield question.subject.name, [float(r) for r in results]
        yield f"exp({question.subject.name})", [math.exp(min(float(r), 700.0)) for r in results]


# --------------------------------------------------------------------------- another function, another shape


def _other_function(
    question: Question, samples: Sequence[Sample], evaluate: Callable[[Mapping[str, Tensor]], Tensor]
) -> Reason:
    """A value that f computes on its way, a function of each entry like the derivative, or close to it; else
    unrelated."""
    values = [_intermediates(question, s) for s in samples]
    for column in zip(*values, strict=False):
        if all(v.shape == s.truth.shape and right(v, s.found) for v, s in zip(column, samples, strict=True)):
            return Reason("wrong-function", "it is a value that the function computes, not a derivative")
    like = [float((s.found * s.truth).sum() / (s.found.norm() * s.truth.norm()).clamp_min(1e-300)) for s in samples]
    if abs(sum(like)) / len(like) >= 0.5 or _both_elementwise(question, samples[0], evaluate):
        return Reason("wrong-function", "it is the derivative of another function")
    return Reason("unrelated", "it is not the derivative")


class _Results(Running):
    """Keeps what each call computes."""

    def __init__(self, question: Question, inputs: Mapping[str, Tensor]) -> None:
        super().__init__(replacements(question.subject, inputs))
        self.results: list[Tensor] = []

    def apply(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Carry out one call."""
        result = func(*args, **kwargs)
        if isinstance(result, Tensor) and result.is_floating_point():
            self.results.append(result.detach())
        return result


def _intermediates(question: Question, sample: Sample) -> list[Tensor]:
    """What f computes on its way, reshaped where it has as many entries as the derivative."""
    inputs = copies(sample.inputs)
    running = _Results(question, inputs)
    call(question.subject, inputs, running)
    shape, count = sample.truth.shape, sample.truth.numel()
    return [r.reshape(shape) if r.numel() == count else r for r in running.results[:200]]


def _both_elementwise(question: Question, sample: Sample, evaluate: Callable[[Mapping[str, Tensor]], Tensor]) -> bool:
    """Whether entry i of the claim, and of the derivative, change with entry i of the variable alone."""
    start = sample.inputs[question.variable]
    if start.shape != sample.truth.shape or start.numel() < 2:
        return False
    moved = start.clone()
    moved.view(-1)[0] += 0.1
    inputs = {**sample.inputs, question.variable: moved}
    others = torch.arange(start.numel()) > 0
    pairs = ((evaluate(copies(inputs)), sample.found), (question.truth(inputs), sample.truth))
    return all(
        new.shape == old.shape
        and torch.allclose(new.reshape(-1)[others], old.reshape(-1)[others], rtol=1e-9)
        and not torch.equal(new.reshape(-1)[0], old.reshape(-1)[0])
        for new, old in pairs
    )


FIXES: Sequence[tuple[str, str, Callable[[Tensor], Tensor]]] = (
    ("torch.diag({})", "it holds only the diagonal", lambda t: torch.diag_embed(t.reshape(-1))),
    ("torch.diagonal({})", "it has entries beside the diagonal", lambda t: t.diagonal()),
    ("({}).sum(0)", "a sum is missing", lambda t: t.sum(0)),
    ("({}).sum(1)", "a sum is missing", lambda t: t.sum(1)),
    ("({}).sum()", "a sum is missing", lambda t: t.sum()),
    ("({}).mean(0)", "a mean is missing", lambda t: t.mean(0)),
    ("({}).mean(1)", "a mean is missing", lambda t: t.mean(1)),
    ("({})[..., 0]", "it holds the same numbers several times", lambda t: t[..., 0]),
    ("({})[0]", "it holds the same numbers several times", lambda t: t[0]),
)


def _of_other_shape(question: Question, samples: Sequence[Sample]) -> Reason:
    """The right numbers in another shape, transposed, or of a shape that no derivative has here."""
    first = samples[0]
    said, wanted = (shape_words(t.shape, first.sizes) for t in (first.found, first.truth))
    shape = f"its shape is {said} in place of {wanted}"
    flat = all(s.found.numel() == s.truth.numel() for s in samples)
    vector = len(squeezed(tuple(first.truth.shape))) <= 1
    if flat and vector and all(right(s.found.reshape(s.truth.shape), s.truth) for s in samples):
        row = first.found.mT.shape == first.truth.shape if first.found.ndim == 2 else False
        return Reason("shape/layout", shape, "({}).T" if row else f"({{}}).reshape({question.variable}.shape)")
    if (turned := _transposed(samples)) and not (flat and vector):
        return turned
    if flat and all(right(s.found.reshape(s.truth.shape), s.truth) for s in samples):
        return Reason("shape/layout", f"it has the right numbers, but {shape}")
    if all(_stacks_columns(s) for s in samples):
        return Reason("shape/layout", f"it is the matrix of vec(df) = J vec(d{question.variable}), but {shape}")
    if all(s.found.numel() == 1 and right(s.found.reshape(()).expand(s.truth.shape), s.truth) for s in samples):
        return Reason("shape/layout", f"it is one number, the derivative has the shape {wanted}",
                      f"({{}}) * torch.ones_like({question.variable})")  # fmt: skip
    for edit, words, change in FIXES:
        if all(_fixed(s, change) for s in samples):
            return Reason("shape/layout", f"{words}: {shape}", edit)
    return Reason("shape/layout", shape)


def _stacks_columns(sample: Sample) -> bool:
    """Whether the claim is the matrix that takes the columns of an increment, stacked, to those of the change of f."""
    found, truth = sample.found, sample.truth
    if found.ndim != 2 or truth.ndim < 3 or found.numel() != truth.numel():
        return False
    turns = ((*range(k)[::-1], *range(k, truth.ndim)[::-1]) for k in range(1, truth.ndim))
    return any(right(found, truth.permute(turn).reshape(found.shape)) for turn in turns)


def _fixed(sample: Sample, change: Callable[[Tensor], Tensor]) -> bool:
    """Whether the claim is right after a change of its shape."""
    try:
        changed = change(sample.found)
    except (RuntimeError, IndexError):
        return False
    return changed.numel() == sample.truth.numel() and right(changed.reshape(sample.truth.shape), sample.truth)


def shape_words(shape: Sequence[int], letters: Mapping[int, str]) -> str:
    """ "(n, 1)", by the letters of the sizes."""
    return "(" + ", ".join(letters.get(s, str(s)) for s in shape) + ("," if len(shape) == 1 else "") + ")"
