"""The student's answer against the derivative: a verdict, the reason, and where it fails.

In: a Subject, its Shapes, an answer, and the formula as text.  Out: a Grade.
The answer is evaluated on random draws and compared with autograd, entry by entry.  One that differs is tried again
with each argument having each property; one that is still wrong is explained by reasons.py, and a counterexample in
small whole numbers is looked for.  An answer that can't be evaluated at other values is graded at the notebook's.
Not known here: how the formula was found, and how a Grade is shown.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from .calling import call, float64
from .capture import Subject
from .errors import MatmagicError, OptionError
from .options import Options
from .reasons import Question, Reason, Sample, reason_for, right
from .sampling import SQUARE, holds
from .shapes import Shapes, assign, sizes_for
from .verify import agreement, copies, draws, inputs_at

__all__ = ["Grade", "grade_claim", "grade_claims"]

FLOAT32 = 1e-5  # relative, an answer in float32
MATRIX = ("symmetric", "skew", "positive-det", "orthogonal", "lower-triangular", "positive-definite", "diagonal")
ENTRIES = ("positive", "negative", "unit-interval")
DISCRETE = frozenset(["one-hot", "binary", "signs"])
PROPERTIES: Mapping[str, tuple[str, ...]] = {  # the weaker before the stronger
    "square": (*MATRIX, *ENTRIES, "row-stochastic", "binary", "signs"),
    "matrix": ("orthonormal-columns", *ENTRIES, "row-stochastic", "binary", "one-hot", "signs"),
    "vector": ("unit", *ENTRIES, "simplex", "binary", "one-hot", "signs"),
    "scalar": (*ENTRIES, "binary", "signs"),
}
CONDITION_DRAWS = 12
WORDS = {"unit": "a unit vector", "skew": "skew-symmetric", "simplex": "on the simplex", "binary": "made of zeros and ones",
         "signs": "made of signs", "unit-interval": "in the unit interval", "positive-det": "of positive determinant"}  # fmt: skip
COUNTEREXAMPLES = 600  # tried


class Claim(Protocol):
    """What an answer has to offer: claims of a cell and of an option do."""

    @property
    def text(self) -> str: ...
    @property
    def variable(self) -> str | None: ...
    @property
    def kind(self) -> str | None: ...
    @property
    def line(self) -> int | None: ...
    def evaluate(self, inputs: Mapping[str, Any]) -> Any: ...
    def value(self) -> Any: ...


@dataclass(frozen=True)
class Grade:
    """A verdict on one answer: correct, correct-if, wrong or undecided; `why` in the words of the corpus."""

    variable: str
    claim: str
    verdict: str
    why: str
    condition: str | None
    edit: str | None
    hint: str
    sentence: str
    counterexample: Mapping[str, Tensor]
    line: int | None
    value_only: bool


@dataclass(frozen=True)
class _Grading:
    """What all steps need: the question, the claim, and how to write about it."""

    question: Question
    assume: Mapping[str, str]
    options: Options
    claim: Claim
    right_text: str | None
    shown: str

    def found(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The claim at these inputs, as a float64 tensor."""
        with float64(), torch.enable_grad():
            return as_tensor(self.claim.evaluate(copies(inputs)))

    def agrees(self, inputs: Mapping[str, Tensor]) -> bool:
        """Whether the claim is right at these inputs; where the derivative vanishes, up to rounding."""
        size = float(call(self.question.subject, copies(inputs)).abs().max())
        return agreement(self.found, self.question.truth, inputs, self.question.variable, size) <= 1e-8

    def grade(self, verdict: str, why: str = "", **more: Any) -> Grade:
        """A Grade of this claim."""
        empty: dict[str, Any] = dict(condition=None, edit=None, hint="", sentence="", counterexample={}, value_only=False)
        return Grade(self.question.variable, self.claim.text, verdict, why, line=self.claim.line, **{**empty, **more})


def as_tensor(value: Any) -> Tensor:
    """A claim's value as a float64 tensor; numbers and lists of numbers too."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu").to_dense().double() if not value.is_complex() else value.detach()
    return torch.tensor(value, dtype=torch.float64)


# --------------------------------------------------------------------------- the verdict


def grade_claim(
    subject: Subject,
    shapes: Shapes,
    assume: Mapping[str, str],
    options: Options,
    variable: str,
    order: int,
    claim: Claim,
    right_text: str | None = None,
    pretty: str | None = None,
) -> Grade:
    """The verdict on one answer to the derivative by one variable."""
    grading = _Grading(Question(subject, shapes, variable, order), assume, options, claim, right_text, pretty or claim.text)
    inputs = list(draws(subject, shapes, assume, options))
    try:
        samples = _samples(grading, inputs)
    except OptionError:
        raise
    except Exception as error:
        return _not_evaluated(grading, error)
    if all(grading.agrees(at) for at in inputs):
        return grading.grade("correct", sentence=f"Your answer {grading.shown} is right.")
    if _same_everywhere(samples) and (graded := _at_values(grading)) and graded.verdict == "correct":
        return graded
    return _differs(grading, samples)


def _samples(grading: _Grading, inputs: Sequence[Mapping[str, Tensor]]) -> list[Sample]:
    """The claim and the derivative on each draw."""
    letters = grading.question.shapes.of
    samples = []
    for at in inputs:
        sizes = {s: t for n, shape in letters.items() for s, t in zip(at[n].shape, shape, strict=True) if isinstance(t, str)}
        truth = grading.question.truth(at)
        if bool(torch.isfinite(truth).all()):
            samples.append(Sample(at, grading.found(at), truth, sizes))
    if not samples:
        raise MatmagicError("the derivative is not finite on any draw")
    return samples


def _differs(grading: _Grading, samples: list[Sample], value_only: bool = False) -> Grade:
    """correct-if or wrong, with the reason and a counterexample."""
    found = next(_conditions(grading), None) if not value_only else None
    if found is not None:
        name, prop = found
        words = WORDS.get(prop, prop)
        example = counterexample(grading, name)
        general = f": it is {grading.right_text} in general" if grading.right_text else ""
        return grading.grade(
            "correct-if",
            "condition-needed",
            condition=f"{name} {prop if prop in ('one-hot', 'unit-interval') else prop.replace('-', ' ')}",
            hint=f"It is right only if {name} is {words}.",
            sentence=f"Your answer {grading.shown} is right only if {name} is {words}{general}.{_fails_at(example)}",
            counterexample=example,
        )
    generic = [s for s in samples if not right(s.found, s.truth)] or samples
    return _wrong(grading, reason_for(grading.question, generic, grading.found), value_only)


def _wrong(grading: _Grading, reason: Reason, value_only: bool = False, more: str = "") -> Grade:
    """A wrong answer, with the reason in words."""
    example = counterexample(grading, grading.question.variable) if reason.why != "shape/layout" else {}
    answer = f"; it is {grading.right_text}" if grading.right_text else ""
    only = " This was tried at the notebook's sizes only." if value_only else ""
    return grading.grade(
        "wrong",
        reason.why,
        edit=reason.edit.format(grading.claim.text) if reason.edit else None,
        hint=f"{reason.words[0].upper()}{reason.words[1:]}.{more}",
        sentence=f"Your answer {grading.shown} is wrong: {reason.words}{answer}.{more}{_fails_at(example)}{only}",
        counterexample=example,
        value_only=value_only,
    )


# --------------------------------------------------------------------------- under a condition


def _conditions(grading: _Grading) -> Iterator[tuple[str, str]]:
    """One argument and one property under which the claim is right on every draw, the weakest first."""
    for name, shape in grading.question.shapes.of.items():
        ones = sum(t == 1 for t in shape)
        kind = "scalar" if len(shape) == ones else "vector" if len(shape) - ones == 1 else "matrix"
        kind = "square" if kind == "matrix" and len(shape) == 2 and shape[0] == shape[1] else kind
        for prop in PROPERTIES[kind]:
            own = name == grading.question.variable
            if prop != grading.assume.get(name) and not (own and prop in DISCRETE) and _right_under(grading, name, prop):
                yield name, prop


def _right_under(grading: _Grading, name: str, prop: str) -> bool:
    """Whether the claim is right on every draw with the property, which may not make the question empty.

    The property has to keep what is assumed of the argument, and f has to be finite on every draw, none replaced.
    """
    shapes, assume = grading.question.shapes, grading.assume
    kept = shapes.values.get(name)
    if kept is not None and not kept.is_floating_point():
        return False
    for draw in range(CONDITION_DRAWS):
        try:
            inputs = inputs_at(shapes, sizes_for(shapes, draw), {**assume, name: prop}, grading.options.seed + 977 * draw + 13)
            if name in assume and not holds(inputs[name], assume[name]):
                return False
            truth = grading.question.truth(inputs)
            if not bool((truth.abs() > 1e-9).any()) or not grading.agrees(inputs):
                return False
        except Exception:
            return False
    return True


# --------------------------------------------------------------------------- claims that raise


def _not_evaluated(grading: _Grading, error: Exception) -> Grade:
    """A claim that fails on the draws: its shapes don't fit, or it works at the notebook's sizes or values only."""
    sizes_error = isinstance(error, RuntimeError | IndexError) and "dtype" not in str(error) or "to unpack" in str(error)
    shapes = grading.question.shapes
    if not sizes_error:
        return _at_values(grading) or grading.grade(
            "undecided",
            hint=f"It can't be evaluated: {type(error).__name__}: {error}",
            sentence=f"Your answer {grading.shown} can't be evaluated: {type(error).__name__}: {error}",
        )
    equal = _agreement_at(grading, lambda draw: dict.fromkeys(sizes_for(shapes, 0), 4 + draw))
    if equal is None and shapes.values:
        return _at_notebook_sizes(grading) or _raised(grading, error, "")
    return _raised(grading, error, " It is right only where all sizes are equal." if equal else "")


def _raised(grading: _Grading, error: Exception, more: str) -> Grade:
    """A claim whose shapes don't fit each other."""
    message = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return _wrong(grading, Reason("shape/layout", f"its shapes don't fit ({message})"), more=more)


def _agreement_at(grading: _Grading, sizes: Callable[[int], dict[str, int]]) -> bool | None:
    """Whether the claim is right at these sizes; None where it can't be evaluated there."""
    agreed = []
    for draw in range(2):
        try:
            agreed.append(grading.agrees(inputs_at(grading.question.shapes, sizes(draw), grading.assume, 17 + draw)))
        except Exception:
            return None
    return all(agreed)


def _at_notebook_sizes(grading: _Grading) -> Grade | None:
    """The verdict at random values of the notebook's sizes, for a claim with numbers of its own in its shapes."""
    shapes = grading.question.shapes
    sizes = {t: s for n, v in shapes.values.items() for t, s in zip(shapes.of[n], v.shape, strict=True) if isinstance(t, str)}
    inputs = [inputs_at(shapes, sizes, grading.assume, 29 + draw) for draw in range(grading.options.trials)]
    try:
        samples = _samples(grading, inputs)
    except Exception:
        return _at_values(grading)
    if all(right(s.found, s.truth) for s in samples):
        sentence = f"Your answer {grading.shown} is right at the notebook's sizes; it can't be evaluated at others."
        return grading.grade("correct", sentence=sentence, value_only=True)
    return _differs(grading, samples, value_only=True)


def _same_everywhere(samples: Sequence[Sample]) -> bool:
    """Whether the claim is a constant: the same numbers on every draw."""
    return all(torch.equal(s.found, samples[0].found) for s in samples)


def _at_values(grading: _Grading) -> Grade | None:
    """The verdict at the notebook's own values; None where there are none to compare with."""
    values = grading.question.shapes.values
    if set(values) != set(grading.question.shapes.of):
        return None
    try:
        value = grading.claim.value()
        found, truth = as_tensor(value), grading.question.truth(values)
    except Exception:
        return None
    exact = not isinstance(value, Tensor) or value.dtype == torch.float64
    difference = float((found - truth).abs().max()) if found.shape == truth.shape and truth.numel() else float("inf")
    fine = difference <= (1e-8 if exact else FLOAT32) * float(truth.abs().max())
    only = "at the notebook's values; it can't be tried at others."
    if fine:
        return grading.grade("correct", sentence=f"Your answer {grading.shown} is right {only}", value_only=True)
    reason = reason_for(grading.question, [Sample(values, found, truth, {})], lambda _: found)
    graded = _wrong(grading, reason)
    return replace(graded, counterexample={}, value_only=True, sentence=f"Your answer {grading.shown} is wrong {only}")


# --------------------------------------------------------------------------- counterexamples


def counterexample(grading: _Grading, first: str) -> dict[str, Tensor]:
    """Small whole numbers at which the claim fails, the argument `first` in front; {} if none is found."""
    shapes, assume = grading.question.shapes, grading.assume
    letters = list(sizes_for(shapes, 0))
    names = sorted(shapes.of, key=lambda n: n != first)
    tried = 0
    for pool in ([2] * len(letters), [2, 3, 4, 5, 6, 7, 8]):
        sizes = dict(zip(letters, pool, strict=False)) if pool[0] == pool[-1] else assign(letters, pool, shapes.conditions)
        if any(rule for rule in shapes.conditions) and len(set(sizes.values())) < len(sizes):
            continue
        choices = [_small(tuple(sizes[t] if isinstance(t, str) else t for t in shapes.of[n]), assume.get(n)) for n in names]
        for pick in _by_sum([len(c) for c in choices]):
            tried += 1
            if tried > COUNTEREXAMPLES or not all(choices):
                break
            inputs = {n: c[i] for n, c, i in zip(names, choices, pick, strict=True)}
            if _fails(grading, inputs):
                return inputs
    return {}


def _fails(grading: _Grading, inputs: Mapping[str, Tensor]) -> bool:
    """Whether the claim and the derivative are finite here and differ visibly."""
    try:
        found, truth = grading.found(inputs), grading.question.truth(inputs)
    except Exception:
        return False
    finite = bool(torch.isfinite(found).all()) and bool(torch.isfinite(truth).all())
    return finite and found.shape == truth.shape and not torch.allclose(found, truth, rtol=1e-4, atol=1e-4)


def _by_sum(lengths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Index tuples, the simple ones first."""
    picks = itertools.islice(itertools.product(*(range(min(n, 6)) for n in lengths)), 20_000)
    yield from sorted(picks, key=sum)


def _small(shape: tuple[int, ...], prop: str | None) -> list[Tensor]:
    """Tensors with entries 0, 1, -1, 2 that have the property, the simplest first."""
    count = 1
    for s in shape:
        count *= s
    if not shape:
        rows = [[1.0], [2.0], [-1.0], [0.5]]
    elif len(shape) == 2 and 1 not in shape:
        n, m = shape
        shift = [float(j == i + 1) for i in range(n) for j in range(m)]
        unit = [float(i == j) for i in range(n) for j in range(m)]
        both = [float(abs(i - j) == 1) for i in range(n) for j in range(m)]
        last = [1.0 + float(i == j == 0) for i in range(n) for j in range(m)]
        upper = [float(j >= i) for i in range(n) for j in range(m)]
        rows = [shift, unit, upper, both, [1.0] * count, [2 * u for u in unit], [u + b + 0.0 for u, b in zip(unit, last, strict=True)]]
    else:
        first = [1.0] + [0.0] * (count - 1)
        rows = [[1.0] * count, first, first[::-1], [1.0 + i % 2 for i in range(count)], [1.0 - 2 * (i % 2) for i in range(count)],
                [1.0 / count] * count]  # fmt: skip
    tensors = [torch.tensor(row, dtype=torch.float64).reshape(shape) for row in rows]
    if prop and prop.startswith("index<"):
        return [torch.zeros(shape, dtype=torch.int64)]
    return [t for t in tensors if not prop or (prop in SQUARE and t.ndim == 2 and holds(t, prop)) or (prop not in SQUARE and holds(t, prop))]


def _fails_at(example: Mapping[str, Tensor]) -> str:
    """ " It fails at A = [[0, 1], [0, 0]], x = [1, 1]." """
    if not example:
        return ""
    return f" It fails at {', '.join(f'{n} = {entries(t)}' for n, t in example.items())}."


def entries(tensor: Tensor) -> str:
    """[1, 1] for a vector and for a column; [[0, 1], [0, 0]]; whole numbers without a point."""
    flat = tensor.reshape(-1) if tensor.ndim == 2 and 1 in tensor.shape else tensor

    def text(value: Any) -> str:
        return f"[{', '.join(map(text, value))}]" if isinstance(value, list) else f"{value:g}"

    return text(flat.tolist())


# --------------------------------------------------------------------------- several answers, several variables


def grade_claims(
    subject: Subject,
    shapes: Shapes,
    assume: Mapping[str, str],
    options: Options,
    asked: Sequence[tuple[str, int]],
    claims: Sequence[Claim],
    right_texts: Mapping[tuple[str, int], str | None] | None = None,
    pretty: Sequence[str | None] = (),
) -> tuple[Grade, ...]:
    """A Grade for each claim.  One without a variable in its name is graded against every derivative asked for:
    right for one is right, and the sentence says for which."""
    grades = []
    for claim, shown in itertools.zip_longest(claims, pretty):
        if claim is None:
            break
        order = 2 if claim.kind == "hessian" else 1 if claim.kind else None
        targets = [(v, o if order is None else order) for v, o in asked if claim.variable in (None, v)]
        targets = targets or [(claim.variable or asked[0][0], order or options.order)]
        found = [
            grade_claim(subject, shapes, assume, options, v, o, claim, (right_texts or {}).get((v, o)), shown) for v, o in targets
        ]
        grades.append(_best(found, claim))
    return tuple(grades)


def _best(grades: Sequence[Grade], claim: Claim) -> Grade:
    """The grade of the variable that the claim fits best."""
    rank = {"correct": 0, "correct-if": 1, "wrong": 2, "undecided": 3}
    best = min(grades, key=lambda g: (rank[g.verdict], g.why == "unrelated", g.why == "shape/layout"))
    fitting = [g.variable for g in grades if g.verdict == "correct"]
    if len(grades) > 1 and claim.variable is None and fitting:
        return replace(best, sentence=best.sentence.removesuffix(".") + f" for {' and '.join(fitting)}.")
    return best
