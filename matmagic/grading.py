"""The student's answer against the derivative: a verdict, the reason, and where it fails.

In: a Subject, its Shapes, an answer, and the formula as text.  Out: a Grade. The answer is evaluated on
random draws and compared with autograd, entry by entry.  One that differs is tried again with each argument
having each property; one that is still wrong is explained by reasons.py, and a counterexample in small
whole numbers is looked for.  An answer that can't be evaluated at other values is graded at the notebook's.
Not known here: how the formula was found, and how a Grade is shown.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from .asked import Asked
from .autograd import copies
from .calling import Float64, call, float64, replacements
from .conditions import CONDITIONS, condition_for, condition_words, size_order_for, spelled
from .counterexamples import counterexample, fails_at
from .domains import finite_draws, property_words
from .drawing import inputs_at
from .errors import MatmagicError, OptionError, ResultError, first_line
from .far import Closed, Elsewhere, fails_far
from .lengths import said, solved
from .options import Options
from .reasons import RIGHT, Question, Reason, Sample, reason_for, right
from .sampling import holds
from .shapes import sizes_for
from .verify import agreement, defined

__all__ = ["Grade", "grade_claim", "grade_claims"]

FLOAT32 = 1e-5  # relative, an answer in float32
ALONE = 6  # draws with one of the properties granted, for an answer to be right under it


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
    def evaluate(self, inputs: Mapping[str, Any], shape: Callable[[], Sequence[int]]) -> Any: ...
    def value(self, shape: Callable[[], Sequence[int]]) -> Any: ...


@dataclass(frozen=True)
class Grade:
    """A verdict on one answer: correct, correct-if, wrong or undecided; `why` is one of reasons.py's words."""

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

    asked: Asked
    variable: str
    order: int
    claim: Claim
    right_text: str | None
    shown: str
    closed: Closed | None = None
    known: dict[tuple[tuple[int, ...], ...], tuple[int, ...]] = field(default_factory=dict)  # shapes of the derivative

    @property
    def question(self) -> Question:
        """The derivative that the claim is compared with."""
        return Question(self.asked.subject, self.asked.shapes, self.variable, self.order)

    @property
    def assume(self) -> Mapping[str, str]:
        return self.asked.assume

    @property
    def options(self) -> Options:
        return self.asked.options

    def found(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The claim at these inputs, as a float64 tensor."""
        with float64(), torch.enable_grad(), Float64(replacements(self.question.subject, inputs)):
            try:
                value = self.claim.evaluate(copies(inputs), lambda: self.shape(inputs))
                return torch.zeros(self.shape(inputs), dtype=torch.float64) if _is_zero(value) else as_tensor(value)
            except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # it has no value here
                return torch.full(self.shape(inputs), torch.nan, dtype=torch.float64)

    def shape(self, inputs: Mapping[str, Tensor]) -> tuple[int, ...]:
        """The derivative's shape for arguments of these shapes."""
        sizes = tuple(tuple(value.shape) for value in inputs.values())
        if sizes not in self.known:
            self.known[sizes] = tuple(self.question.truth(inputs).shape)
        return self.known[sizes]

    def agrees(self, inputs: Mapping[str, Tensor]) -> bool:
        """Whether the claim is right at these inputs; where the derivative vanishes, up to rounding."""
        question = self.question
        true = question.truth(inputs)
        return agreement(question.subject, self.found, question.truth, inputs, question.variable, true, RIGHT).holds

    def condition(self) -> tuple[str, str] | None:
        """The argument and the property under which the claim is right, if there is one."""
        found = condition_for(self.question, self.assume, self.options.seed, self.found)
        if found is None or self.elsewhere({**self.assume, found[0]: found[1]}):
            return None  # 1/x for log(clamp(x, min=0.001)) is not right for all positive x
        kept = [at for at in self.asked.beyond if holds(at[found[0]], found[1])]
        return None if self.differs_at(kept) else found

    def elsewhere(self, assume: Mapping[str, str]) -> Elsewhere | None:
        """Where the claim is another function, though it is right at arguments of usual size with these properties."""
        return fails_far(self.question, assume, self.found, self.closed)

    def differs_at(self, drawn: Sequence[Mapping[str, Tensor]]) -> bool:
        """Whether the claim and the derivative have values at one of these inputs, and different ones."""
        both = [at for at in drawn if defined(self.found, at) and defined(self.question.truth, at)]
        return not all(self.agrees(at) for at in both)

    def grade(self, verdict: str, why: str = "", **more: Any) -> Grade:
        """A Grade of this claim."""
        empty: dict[str, Any] = {
            "condition": None,
            "edit": None,
            "hint": "",
            "sentence": "",
            "counterexample": {},
        }
        return Grade(
            self.question.variable,
            self.claim.text,
            verdict,
            why,
            line=self.claim.line,
            **{"value_only": False, **empty, **more},
        )


def _is_zero(value: Any) -> bool:
    """Whether an answer is the plain number 0, which is the zero of any shape."""
    return isinstance(value, int | float) and value == 0


def as_tensor(value: Any) -> Tensor:
    """A claim's value as a float64 tensor; numbers and lists of numbers too."""
    if value is None or isinstance(value, str):
        raise ResultError("it is None" if value is None else "it is a text: write it without quotes")
    if isinstance(value, Tensor):
        return value.detach().to("cpu").to_dense().double() if not value.is_complex() else value.detach()
    return torch.tensor(value, dtype=torch.float64)


# --------------------------------------------------------------------------- the verdict


def grade_claim(
    asked: Asked,
    variable: str,
    order: int,
    claim: Claim,
    right_text: str | None = None,
    pretty: str | None = None,
    closed: Closed | None = None,
) -> Grade:
    """The verdict on one answer to the derivative by one variable; `closed` is the closed form that was proved."""
    grading = _Grading(asked, variable, order, claim, right_text, pretty or claim.text, closed)
    inputs = list(asked.draws)
    if len(inputs) > asked.options.trials and not defined(grading.found, inputs[-1]):
        del inputs[-1]  # at the notebook's values: det(A) A⁻ᵀ, where A is singular
    truths = [grading.question.truth(at) for at in inputs]
    inputs = [at for at, truth in zip(inputs, truths, strict=True) if bool(torch.isfinite(truth).all())]
    if not inputs:
        raise ResultError(f"the derivative of {asked.subject.name} by {variable} is not finite on any draw")
    try:
        samples = _samples(grading, inputs)
    except OptionError:
        raise
    except Exception as error:
        return _not_evaluated(grading, error)
    if all(right(s.found, s.truth) or grading.agrees(s.inputs) for s in samples):
        if elsewhere := grading.elsewhere(grading.assume):
            return _wrong_elsewhere(grading, elsewhere)
        if grading.differs_at(asked.beyond):
            return _differs_beyond(grading)
        return grading.grade("correct", sentence=f"Your answer {grading.shown} is right.")
    if _same_everywhere(samples) and (graded := _at_values(grading)) and graded.verdict == "correct":
        return graded
    return _differs(grading, samples)


def _wrong_elsewhere(grading: _Grading, elsewhere: Elsewhere) -> Grade:
    """An answer that is right at arguments of usual size only; where our own formula is, too, it is not offered."""
    other = grading.question.subject.name if elsewhere.branches else "it"
    reason = Reason("wrong-function", f"{other} is another function where the arguments are {elsewhere.where}")
    return _wrong(replace(grading, right_text=None) if elsewhere.branches else grading, reason)


def _differs_beyond(grading: _Grading) -> Grade:
    """An answer that is right where arguments have the properties granted to them, and not wherever f is defined."""
    asked = grading.asked
    generic = replace(grading, asked=replace(asked, assume=asked.kept))
    for name, prop in asked.granted.items():
        alone = finite_draws(asked.subject, asked.shapes, {**asked.kept, name: prop}, asked.options)
        if prop in CONDITIONS and len(alone) >= ALONE and not grading.differs_at(alone):
            example = _example(generic, name)
            return _right_if(grading, f"{name} {spelled(prop)}", f"if {name} is {condition_words(prop)}", example)
    taken = " and ".join(f"{name} {property_words(prop)}" for name, prop in asked.granted.items())
    return _wrong(generic, Reason("wrong-function", f"it is right only for {taken}"))


def _samples(grading: _Grading, inputs: Sequence[Mapping[str, Tensor]]) -> list[Sample]:
    """The claim and the derivative on each draw."""
    samples = []
    for at in inputs:
        named: dict[int, set[str]] = {}
        for name, shape in grading.question.shapes.of.items():
            for number, size in zip(at[name].shape, shape, strict=True):
                named.setdefault(number, set()).add(said(size))
        sizes = {number: names.pop() for number, names in named.items() if len(names) == 1}
        samples.append(Sample(at, grading.found(at), grading.question.truth(at), sizes))
    return samples


def _differs(grading: _Grading, samples: list[Sample], value_only: bool = False) -> Grade:
    """correct-if or wrong, with the reason and a counterexample."""
    found = None if value_only else grading.condition()
    if found is not None:
        name, prop = found
        words = f"{name} is {condition_words(prop)}"
        only = "only if" if prop == "symmetric" else "if"
        return _right_if(grading, f"{name} {spelled(prop)}", f"{only} {words}", _example(grading, name))
    order = (
        None if value_only else size_order_for(grading.question, grading.assume, grading.options.seed, grading.found)
    )
    if order is not None:
        return _right_if(grading, order, f"if {order}", {})
    generic = [s for s in samples if not right(s.found, s.truth)] or samples
    return _wrong(grading, reason_for(grading.question, generic, grading.found), value_only)


def _right_if(grading: _Grading, condition: str, where: str, example: Mapping[str, Tensor]) -> Grade:
    """An answer that is right under a condition."""
    general = f": it is {grading.right_text} in general" if grading.right_text else ""
    return grading.grade(
        "correct-if",
        "condition-needed",
        condition=condition,
        hint=f"It is right {where}.",
        sentence=f"Your answer {grading.shown} is right {where}{general}." + fails_at(example),
        counterexample=example,
    )


def _example(grading: _Grading, first: str) -> dict[str, Tensor]:
    """Small whole numbers at which the claim fails."""
    question = grading.question

    def truth(at: Mapping[str, Tensor]) -> Tensor:
        return question.truth(at) if defined(partial(call, question.subject), at) else torch.tensor(torch.nan)

    return counterexample(question.shapes, grading.assume, first, grading.found, truth)


def _wrong(grading: _Grading, reason: Reason, value_only: bool = False, more: str = "") -> Grade:
    """A wrong answer, with the reason in words."""
    example = _example(grading, grading.question.variable) if reason.why != "shape/layout" else {}
    answer = f"; it is {grading.right_text}" if grading.right_text else ""
    only = " This was tried at the notebook's sizes only." if value_only else ""
    return grading.grade(
        "wrong",
        reason.why,
        edit=reason.edit.format(grading.claim.text) if reason.edit else None,
        hint=f"{reason.words[0].upper()}{reason.words[1:]}.{more}",
        sentence=f"Your answer {grading.shown} is wrong: {reason.words}{answer}.{more}" + fails_at(example) + only,
        counterexample=example,
        value_only=value_only,
    )


# --------------------------------------------------------------------------- claims that raise


def _not_evaluated(grading: _Grading, error: Exception) -> Grade:
    """A claim that fails on the draws: its shapes don't fit, or it works at the notebook's sizes or values
    only."""
    sizes_error = (isinstance(error, RuntimeError | IndexError) and "dtype" not in str(error)) or "to unpack" in str(
        error
    )
    shapes = grading.question.shapes
    said = error.message if isinstance(error, MatmagicError) else f"{type(error).__name__}: {error}"
    if not sizes_error:
        return _at_values(grading) or grading.grade(
            "undecided",
            hint=f"It can't be evaluated: {said}",
            sentence=f"Your answer {grading.shown} can't be evaluated: {said}",
        )
    equal = _agreement_at(grading, lambda draw: dict.fromkeys(sizes_for(shapes, 0), 4 + draw))
    if equal is None and shapes.values:
        return _at_notebook_sizes(grading) or _raised(grading, error, "")
    return _raised(grading, error, " It is right only where all sizes are equal." if equal else "")


def _raised(grading: _Grading, error: Exception, more: str) -> Grade:
    """A claim whose shapes don't fit each other."""
    return _wrong(grading, Reason("shape/layout", f"its shapes don't fit ({first_line(error)})"), more=more)


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
    """The verdict at random values of the notebook's sizes, for a claim with numbers of its own in its
    shapes."""
    shapes = grading.question.shapes
    sizes = solved({n: shapes.of[n] for n in shapes.values}, {n: v.shape for n, v in shapes.values.items()})
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
        truth = grading.question.truth(values)
        value = grading.claim.value(lambda: tuple(truth.shape))
        found = torch.zeros_like(truth) if _is_zero(value) else as_tensor(value)
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


# --------------------------------------------------------------------------- several answers


def grade_claims(
    asked: Asked,
    derivatives: Sequence[tuple[str, int]],
    claims: Sequence[Claim],
    right_texts: Mapping[tuple[str, int], str | None] | None = None,
    pretty: Sequence[str | None] = (),
    unknown: Mapping[str, str] | None = None,
    closed: Mapping[tuple[str, int], Closed] | None = None,
) -> tuple[Grade, ...]:
    """A Grade for each claim.  One without a variable in its name is graded against every derivative asked
    for:
    right for one is right, and the sentence says for which.  `unknown` says of which variables autograd's derivative
    is not to be trusted, and why: nothing can be graded against it.  `closed` are the closed forms that were proved.
    """
    unknown, right_texts, closed = unknown or {}, right_texts or {}, closed or {}
    grades = []
    for claim, shown in itertools.zip_longest(claims, pretty):
        if claim is None:
            break
        order = 2 if claim.kind == "hessian" else 1 if claim.kind else None
        targets = [(v, o if order is None else order) for v, o in derivatives if claim.variable in (None, v)]
        targets = targets or [(claim.variable or derivatives[0][0], order or asked.options.order)]
        found = [
            _undecided(claim, v, shown, unknown[v])
            if v in unknown
            else grade_claim(asked, v, o, claim, right_texts.get((v, o)), shown, closed.get((v, o)))
            for v, o in targets
        ]
        grades.append(_best(found, claim))
    return tuple(grades)


def _undecided(claim: Claim, variable: str, pretty: str | None, why: str) -> Grade:
    """No verdict, since there is nothing to compare with."""
    said = f"Your answer {pretty or claim.text} can't be graded: {why}."
    return Grade(variable, claim.text, "undecided", "", None, None, f"{why}.", said, {}, claim.line, False)


def _best(grades: Sequence[Grade], claim: Claim) -> Grade:
    """The grade of the variable that the claim fits best."""
    rank = {"correct": 0, "correct-if": 1, "wrong": 2, "undecided": 3}
    best = min(grades, key=lambda g: (rank[g.verdict], g.why == "unrelated", g.why == "shape/layout"))
    fitting = [g.variable for g in grades if g.verdict == "correct"]
    if len(grades) > 1 and claim.variable is None and fitting:
        return replace(best, sentence=best.sentence.replace(" is right", f" is right for {' and '.join(fitting)}", 1))
    return best
