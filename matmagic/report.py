"""gradcheck(): the whole way from a function to a Report, and the Report.

A Report holds what was found and checked, shows itself in any front end, and forwards calls to the function.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from . import derivative as forms
from . import static
from .capture import Subject, subject_of
from .claims import claim_of_option, parse_claim
from .derivative import ByEntries, Derivative, Formula, Match
from .errors import MatmagicError, OptionError, ResultError, TraceError
from .grading import Claim, Grade, grade_claims
from .notation import Listed, Math, notation, rank
from .options import Options, nearest, parse_assume, parse_names, parse_shapes
from .printers.latex import latex
from .printers.names import latex_name, text_name
from .printers.text import superscript, text
from .printers.torch_code import torch_code
from .shapes import Shapes, find_shapes, shape_text
from .sizes import unified
from .state import leave_no_trace
from .trace import Trace, trace
from .verify import derivative_of, domain_of, draws, verify


@dataclass(frozen=True)
class Note:
    """A remark on the result: what was assumed, warned of, or could not be done."""

    kind: str  # "assumed", "warning", "limit", "precision"
    text: str


@dataclass(frozen=True)
class Report:
    """What gradcheck found.  `report["x"]` is the derivative by x; iterating gives all; calling it calls f."""

    function: str
    shapes: Mapping[str, str]
    notes: tuple[Note, ...]
    claims: tuple[Grade, ...]
    derivatives: tuple[Derivative, ...]
    symbol: str = field(repr=False)  # what the function is called in formulas
    statement: Math | None = field(repr=False)  # its right-hand side
    text_only: bool = field(repr=False)
    __wrapped__: Callable[..., Any] = field(repr=False)

    def __getitem__(self, variable: str) -> Derivative:
        for d in self.derivatives:
            if d.variable == variable:
                return d
        known = [d.variable for d in self.derivatives]
        raise KeyError(f"no derivative by {variable!r} in this report; it has {', '.join(known)}")

    def __iter__(self) -> Iterator[Derivative]:
        return iter(self.derivatives)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)

    @property
    def passed(self) -> bool:
        """Every check held and every claim is correct; a missing closed form is no failure."""
        held = all(d.verdict.ok and d.verdict.autograd_ok for d in self.derivatives)
        return held and all(g.verdict == "correct" for g in self.claims)

    @property
    def signature_text(self) -> str:
        """f(x, A), with what f reads from the notebook left out."""
        return f"{text_name(self.symbol)}({', '.join(map(text_name, self._arguments))})"

    @property
    def statement_text(self) -> str | None:
        """What f is, in matrix notation: "f(x, A) = xᵀ A x"; None where it could not be followed."""
        return None if self.statement is None else f"{self.signature_text} = {text(self.statement)}"

    @property
    def statement_latex(self) -> str | None:
        """The same in LaTeX."""
        if self.statement is None:
            return None
        arguments = ", ".join(map(latex_name, self._arguments))
        return f"{latex_name(self.symbol)}({arguments}) = {latex(self.statement)}"

    @property
    def shapes_text(self) -> str:
        """ "x ∈ ℝⁿ, A ∈ ℝⁿˣⁿ" """
        return ", ".join(f"{text_name(name)} ∈ {_space_text(shape)}" for name, shape in self.shapes.items())

    @property
    def shapes_latex(self) -> str:
        """The same in LaTeX."""
        return r",\; ".join(rf"{latex_name(name)} \in {_space_latex(shape)}" for name, shape in self.shapes.items())

    @cached_property
    def _arguments(self) -> list[str]:
        code = getattr(self.__wrapped__, "__code__", None)
        own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code else ()
        return [name for name in self.shapes if name in own] or list(self.shapes)

    def __str__(self) -> str:
        return static.text(self)

    @cached_property
    def _view(self) -> dict[str, Any]:
        from .panel import widget_view

        return widget_view(self) or {}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        with leave_no_trace():
            return {**(self._view if _in_kernel() else {}), **static.mimebundle(self)}


def _in_kernel() -> bool:
    """Whether a front end is there that could show a widget."""
    from IPython.core.getipython import get_ipython

    return hasattr(get_ipython(), "kernel")


# ---- the pipeline -------------------------------------------------------------------------------------------------


def gradcheck(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Check the derivatives of a torch function; a decorator too.  Options as in `%%gradcheck?`.

    `shapes` and `assume` may be texts or dicts: shapes={"x": "n,1"}, assume={"A": "symmetric"}.
    Raises a MatmagicError that says what to do, and whatever the function itself raises.
    """
    chosen = _options(options)
    if function is None:
        return partial(gradcheck, **options)
    return check(subject_of(function), chosen)


def check(subject: Subject, options: Options) -> Report:
    """The Report on a captured function."""
    with leave_no_trace(_notebook_tensors(subject), quiet=True):
        shapes = find_shapes(subject, options)
        assumed = domain_of(subject, shapes, options.assume, options)
        question = _Question(subject, shapes, {**options.assume, **assumed}, options)
        traced, limits = question.trace()
        variables = question.variables()
        derivatives = [question.derivative(traced, v) for v in variables]
        derivatives += question.together(traced, derivatives)
        claims = question.grades(derivatives)
        notes = question.notes(assumed, limits, derivatives)
        statement = notation(traced.node, collect=False) if traced else None
    shown = {name: shape_text(shape) for name, shape in shapes.of.items()}
    return Report(
        subject.name,
        shown,
        notes,
        claims,
        tuple(derivatives),
        subject.symbol,
        statement,
        options.text,
        subject.function,
    )


@dataclass(frozen=True)
class _Question:
    """What the steps of one check have in common."""

    subject: Subject
    shapes: Shapes
    assume: Mapping[str, str]
    options: Options

    @property
    def symmetric(self) -> list[str]:
        return [name for name, prop in self.assume.items() if prop in forms.SYMMETRIC]

    def trace(self) -> tuple[Trace | None, list[Note]]:
        """What f computes, at any size; or why that isn't known."""
        inputs = list(itertools.islice(draws(self.subject, self.shapes, self.assume, self.options), 2))
        try:
            both = [trace(self.subject, self.shapes.of, own, self.sizes(own)) for own in inputs]
            traced = unified(*both) if len(both) > 1 else both[0]
        except TraceError as error:
            where = ", ".join(error.lines)
            return None, [
                Note(
                    "limit",
                    f"{error.message} ({where}); the derivative below is autograd's, checked against differences",
                )
            ]
        return traced, [
            Note("warning", f"control flow or numbers depend on values: {at}; followed as at the sample")
            for at in traced.followed
        ]

    def sizes(self, inputs: Mapping[str, Tensor]) -> dict[str, int]:
        """Which number each size letter is, at these inputs."""
        return {
            letter: own
            for name, shape in self.shapes.of.items()
            for letter, own in zip(shape, inputs[name].shape, strict=True)
            if isinstance(letter, str)
        }

    def variables(self) -> list[str]:
        """What to differentiate by: as asked, else those whose .grad is returned, else every floating-point argument."""
        known = list(self.shapes.of)
        for name in self.options.wrt:
            if name not in known:
                raise OptionError(
                    f"--wrt {name}: {self.subject.name} has no such argument{nearest(name, known)}",
                    f"it has {', '.join(known)}",
                )
        integer = [n for n, t in self.shapes.values.items() if not t.is_floating_point()]
        integer += [n for n, p in self.assume.items() if p.startswith("index<")]
        chosen = list(self.options.wrt or self.subject.returned_grads or self.subject.parameters)
        chosen = chosen if self.options.wrt else [name for name in chosen if name not in integer]
        if not chosen:
            raise ResultError(
                f"{self.subject.name} takes no tensor to differentiate by",
                "give it an argument, or name a notebook tensor with --wrt",
            )
        return chosen

    def derivative(self, traced: Trace | None, variable: str) -> Derivative:
        """The derivative by one variable, with what was compared."""
        order = self.options.order
        node = forms.derived(traced, variable, order, self.symmetric) if traced else None
        like = traced.inputs[variable][1] if traced and forms.one_entry(traced) and order == 1 else None
        found = forms.formula(node, traced, self.shapes.of, like) if traced and node else None
        match = (
            forms.matched(traced.node, traced.inputs[variable][0], self.code(traced), self.symmetric)
            if traced and order == 1
            else None
        )
        return self.settled((variable,), found, match, traced)

    def together(self, traced: Trace | None, single: Sequence[Derivative]) -> list[Derivative]:
        """The gradient or Jacobian of a function of several scalars as one vector or matrix."""
        names = [d.variable for d in single]
        if len(names) < 2 or any(self.shapes.of[n] for n in names) or self.options.order != 1 or traced is None:
            return []
        if not all(d.math for d in single):
            return []
        node = forms.joined(traced, names, self.symmetric)
        return [self.settled(tuple(names), forms.formula(node, traced, self.shapes.of, None), None, traced)]

    def settled(
        self, names: tuple[str, ...], found: Formula | None, match: Match | ByEntries | None, traced: Trace | None
    ) -> Derivative:
        """A derivative whose formula held on every draw, or without the formula."""
        variable, order = ", ".join(names), self.options.order
        verdict = verify(self.subject, self.shapes, self.assume, self.options, variable, order, found)
        if not verdict.ok and found is not None:
            found, match = None, None
            verdict = verify(self.subject, self.shapes, self.assume, self.options, variable, order, None)
        inner = (len(names),) if len(names) > 1 else tuple(self.size(s) for s in self.shapes.of[variable])
        outer = self.result_shape()
        kind = forms.kind_of(outer, inner, order)
        ranks = (sum(s != 1 for s in outer), sum(s != 1 for s in inner))
        left = forms.left_side(self.subject.symbol, names, kind, ranks[1] == 0, ranks)
        value = self.value(variable)
        match = match or (self.by_entries(found, kind, traced) if found and traced else None)
        return Derivative(variable, kind, *left, found.math if found else None, found.code if found else None,
                          match, (match,) if match else (), verdict, value)  # fmt: skip

    def size(self, size: str | int) -> int:
        return size if isinstance(size, int) else 2

    def result_shape(self) -> tuple[int, ...]:
        from .calling import call

        inputs = next(draws(self.subject, self.shapes, self.assume, self.options))
        return tuple(call(self.subject, inputs).shape)

    def by_entries(self, found: Formula, kind: str, traced: Trace) -> ByEntries | None:
        """A derivative written out entry by entry rests on its definition."""
        if not isinstance(found.math, Listed):
            return None
        return forms.by_entries(kind, self.code(traced)(notation(traced.node, collect=False)))

    def code(self, traced: Trace) -> Callable[[Math], str]:
        """Writes notation as torch code in the user's names."""
        axes = {name: own for name, (_, own) in traced.inputs.items()}

        def write(math: Math) -> str:
            form = {0: "()", 1: "n", 2: "m,n"}[rank(math)]
            return torch_code(math, axes, self.shapes.of, form)

        return write

    def value(self, variable: str) -> Tensor | None:
        """The derivative at the notebook's own tensors, where it has all that f needs."""
        own = self.shapes.values
        if set(own) != set(self.shapes.of):
            return None
        return derivative_of(self.subject, own, variable, self.options.order)

    def grades(self, derivatives: Sequence[Derivative]) -> tuple[Grade, ...]:
        """The answers of the cell, then those of the options."""
        claims: list[Claim] = [*self.subject.claims, *(claim_of_option(c, self.subject) for c in self.options.claims)]
        asked = [(d.variable, self.options.order) for d in derivatives]
        right = {(d.variable, self.options.order): d.text for d in derivatives}
        pretty = [self.pretty(c.text) for c in claims]
        return grade_claims(self.subject, self.shapes, self.assume, self.options, asked, claims, right, pretty)

    def pretty(self, claim: str) -> str | None:
        """The answer in matrix notation, as it was typed; None where that is not known."""
        inputs = next(draws(self.subject, self.shapes, self.assume, self.options))
        try:
            evaluate = parse_claim(claim, tuple(self.shapes.of))
            node = trace(_Text(claim, evaluate, tuple(self.shapes.of)), self.shapes.of, inputs, self.sizes(inputs)).node
        except (MatmagicError, RuntimeError):
            return None
        return text(notation(node, collect=False))

    def notes(
        self, assumed: Mapping[str, str], limits: Sequence[Note], derivatives: Sequence[Derivative]
    ) -> tuple[Note, ...]:
        """Everything a user should know about how this was found."""
        notes = [Note("assumed", note) for note in self.shapes.notes]
        notes += [
            Note("assumed", f"{name} taken {prop}: {self.subject.name} needs it") for name, prop in assumed.items()
        ]
        if self.subject.others:
            notes.append(
                Note(
                    "assumed",
                    f"checked {self.subject.name}, the last function; --function {self.subject.others[-1]} checks another",
                )
            )
        single = [
            n
            for n, t in {**self.subject.reads, **self.subject.namespace}.items()
            if n in self.shapes.of and getattr(t, "dtype", None) == torch.float32
        ]
        if single and self.shapes.values:
            notes.append(Note("precision", f"checked in float64; {', '.join(single)} are float32 in the notebook"))
        notes += limits
        if any(d.math is None for d in derivatives) and not limits:
            notes.append(
                Note("limit", "no closed form found; the derivative is autograd's, checked against differences")
            )
        return tuple(notes)


@dataclass(frozen=True)
class _Text:
    """An answer's text as something to trace."""

    name: str
    function: Callable[..., Any]
    parameters: tuple[str, ...]
    reads: Mapping[str, Any] = field(default_factory=dict)

    def bind(self, inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return ({name: inputs[name] for name in self.parameters},), {}


def _notebook_tensors(subject: Subject) -> list[Tensor]:
    names = {**subject.namespace, **subject.reads}
    return [t for t in names.values() if isinstance(t, Tensor)]


def _options(options: Mapping[str, Any]) -> Options:
    """Python keywords as Options; texts are read as in the magic."""
    given = dict(options)
    if "wrt" in given:
        given["wrt"] = parse_names(given["wrt"])
    if "shapes" in given:
        given["shapes"] = parse_shapes(given["shapes"])
    if "assume" in given:
        given["assume"], given["sizes"] = parse_assume(given["assume"])
    if "claim" in given:
        claims = given.pop("claim")
        given["claims"] = (claims,) if isinstance(claims, str) else tuple(claims)
    try:
        return Options(**given)
    except TypeError as error:
        known = ["wrt", "shapes", "assume", "order", "claim", "function", "seed", "trials", "text"]
        wrong = next((k for k in options if k not in known), str(error))
        raise OptionError(
            f"gradcheck has no option {wrong!r}{nearest(wrong, known)}", f"options: {', '.join(known)}"
        ) from None


def _space_text(shape: str) -> str:
    sizes = [s for s in shape.strip("()").split(",") if s]
    powers = [superscript(s.strip()) for s in sizes]
    return "ℝ" + ("ˣ".join(powers) if all("^" not in p for p in powers) else f"^({'×'.join(sizes)})")


def _space_latex(shape: str) -> str:
    sizes = [s.strip() for s in shape.strip("()").split(",") if s]
    power = r" \times ".join(sizes)
    return r"\mathbb{R}" + (f"^{{{power}}}" if sizes else "")


__all__ = ["Note", "Report", "check", "gradcheck"]
