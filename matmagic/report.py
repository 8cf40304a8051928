"""gradcheck(): the whole way from a function to a Report, and the Report.

A Report holds what was found and checked, shows itself in any front end, and forwards calls to the function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from . import static
from .bounds import refuse_fixed, within_memory, within_size, within_time
from .capture import Subject, subject_of
from .checking import Check, with_implied_order
from .derivative import Derivative
from .domains import domain_of
from .effects import effects
from .errors import MatmagicError, OptionError, place_of_ours
from .grading import Grade
from .notation import Math
from .options import Options, nearest, parse_assume, parse_names, parse_shapes
from .printers.latex import latex
from .printers.names import latex_name, latex_space, text_name, text_space
from .printers.text import text
from .remarks import Note
from .remembering import remembered
from .shapes import find_shapes, shape_text
from .state import leave_no_trace
from .trace import Trace


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
        return ", ".join(f"{text_name(name)} ∈ {text_space(shape)}" for name, shape in self.shapes.items())

    @property
    def shapes_latex(self) -> str:
        """The same in LaTeX."""
        return r",\; ".join(rf"{latex_name(name)} \in {latex_space(shape)}" for name, shape in self.shapes.items())

    @cached_property
    def _arguments(self) -> list[str]:
        function = getattr(self.__wrapped__, "forward", self.__wrapped__)  # of a module
        code = getattr(function, "__code__", None)
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
    return partial(gradcheck, **options) if function is None else check(subject_of(function), chosen)


def check(subject: Subject, options: Options) -> Report:
    """The Report on a captured function; nothing but the Report is left of the check."""
    tensors = {name: t for name, t in {**subject.namespace, **subject.reads}.items() if isinstance(t, Tensor)}
    names = subject.namespace if isinstance(subject.namespace, dict) else None
    kept = leave_no_trace({**subject.objects, **tensors}, quiet=True, names=names)
    with subject.runs.shown(), kept, within_memory(subject), torch.inference_mode(False), torch.enable_grad():
        refuse_fixed(options)
        options = with_implied_order(options, subject)
        shapes = find_shapes(subject, options)
        declared = {**shapes.needs, **options.assume}
        assumed = {**shapes.needs, **domain_of(subject, shapes, declared, options)}
        shapes, options, large = within_size(subject, shapes, {**options.assume, **assumed}, options)
        options, slow = within_time(subject, options)
        question = Check(subject, shapes, {**options.assume, **assumed}, options)
        with question.explained():
            question.confirm_backward_style()
            at_all_sizes = question
            question, traced, limits = question.traceable()
            statement, derivatives, failed = _found(question, traced)
            limits += failed
            if question is not at_all_sizes and (subject.claims or options.claims):
                claims = at_all_sizes.grades(at_all_sizes.derivatives(None))
            else:
                claims = question.grades(derivatives)
            notes = question.notes(assumed, limits, derivatives, held=traced is not None and traced.held)
            if options.remember is not None:
                notes += tuple(remembered(options.remember, question, traced, derivatives, claims))
            moved = kept.moved()
    notes += (*large, *slow, *effects(subject, moved, kept.moved()))
    shown = {name: shape_text(shape) for name, shape in question.shapes.of.items()}
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


def _found(question: Check, traced: Trace | None) -> tuple[Math | None, list[Derivative], list[Note]]:
    """f and its derivatives; autograd's without formulas where an error of ours comes between, which a Note tells."""
    try:
        return question.statement(traced), question.derivatives(traced), []
    except MatmagicError:
        raise
    except Exception as error:
        place = place_of_ours(error)
        if traced is None or place is None:
            raise
        said = (
            f"no formula, since matmagic itself failed at {place}: {type(error).__name__}; please report this function"
        )
    return None, question.derivatives(None), [Note("limit", said)]


def _options(options: Mapping[str, Any]) -> Options:
    """Python keywords as Options; texts are read as in the magic."""
    known = ["wrt", "shapes", "assume", "order", "claim", "function", "seed", "trials", "text", "remember"]
    for name in options:
        if name not in known:
            raise OptionError(f"gradcheck has no option {name!r}{nearest(name, known)}", f"options: {', '.join(known)}")
    given = {name: value for name, value in options.items() if value is not None}
    if "wrt" in given:
        given["wrt"] = parse_names(given["wrt"])
    if "shapes" in given:
        given["shapes"] = parse_shapes(given["shapes"])
    if "assume" in given:
        given["assume"], given["sizes"] = parse_assume(given["assume"])
    if "claim" in given:
        claims = given.pop("claim")
        claims = (claims,) if isinstance(claims, str) else claims
        if not isinstance(claims, tuple | list) or not all(isinstance(claim, str) for claim in claims):
            raise OptionError(
                "claim is a text, or a list of texts", 'claim="2 * A @ x"; a claim about x alone: wrt="x"'
            )
        given["claims"] = tuple(claims)
    return Options(**given)


__all__ = ["Note", "Report", "check", "gradcheck"]
