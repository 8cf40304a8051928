"""One check, step by step: what report.py's pipeline calls, with what the steps have in common.

In: a Subject, its Shapes, what is assumed of its arguments, the Options.  Out: the trace, a Derivative for each
variable, a Grade for each answer, Notes.  Each step says what it could not do in a Note; only the user's own mistakes
raise.  Not known here: how anything is found, and how it is shown.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from . import derivative as forms
from .asked import Asked
from .autograd import RANDOM, copies, derivative_of, jumps, relative_error, repeats
from .calling import call, float64, returned
from .capture import Subject
from .claims import claim_of_option
from .clashes import distinct
from .compositions import composition, of_gradient
from .cuts import PARTED, Cut, cuts, sentences
from .derivative import Derivative, Formula
from .domains import finite_everywhere, property_words, reads_one_triangle, reason_for
from .drawing import far_draw
from .entry_forms import Entries
from .errors import BackwardError, MatmagicError, OptionError, ResultError, TraceError, first_line
from .evaluate import evaluate
from .expr import Node, is_zero, zero
from .functions import may_vanish
from .grading import Claim, Grade, grade_claims
from .identified import ByEntries, Match, Writer, by_entries, matched
from .left_sides import left_side, one_entry
from .lengths import length, letters_of
from .matrix_functions import NoDerivative
from .notation import Listed, Math, Zero, rank
from .options import Options, nearest
from .printers.names import latex_name, text_name, text_size
from .printers.text import text
from .reading.code import read_code
from .regularity import is_noise, is_rounded, singular
from .remarks import Note, remarks
from .rendering import notation
from .shapes import sizes_for
from .sizes import followed
from .tensor_forms import TOO_LONG, Equation, TensorForms
from .trace import Trace, holds, leaf_values
from .trees import Names, Piece, piece
from .verify import Verdict, holds_at, verify
from .walk import counts_of, written_size

FAR = (24, 64, 2, 1)  # the least sizes at which f is tried beside the draws
LARGEST_TREE = 200  # the size of an expression, shared parts written out, for which there is a tree of identities
TINY = 1e-9  # a derivative on ordinary draws that may be rounding
MULTIPLES = 0.5  # seconds for traces at even sizes, or multiples of three
OTHER_SIZES = re.compile("at other sizes|at other values|meets one of size")
MANY_CALLS, SLOW = 60, 0.03  # calls of f, and seconds, beyond which larger sizes are left out


def with_implied_order(options: Options, subject: Subject) -> Options:
    """Order 2 where every answer in the cell is a Hessian."""
    kinds = {claim.kind for claim in subject.claims}
    return replace(options, order=2) if kinds == {"hessian"} else options


@dataclass(frozen=True)
class Check(Asked):
    """The question with what its answer is made of, step by step."""

    refused: dict[str, str] = field(default_factory=dict)  # variables without a derivative, and why

    @property
    def symmetric(self) -> list[str]:
        """The inputs that are declared to equal their transposes."""
        return [name for name, prop in self.assume.items() if prop in forms.SYMMETRIC]

    def confirm_backward_style(self) -> None:
        """What f returns must be the gradient of the tensor that it differentiates, and nothing made of it."""
        names = self.subject.returned_grads
        inputs = self.draws[0]
        found = returned(self.subject, inputs) if names else []
        for name in names:
            truth = derivative_of(self.subject, inputs, name)
            alike = [own.reshape(truth.shape) for own in found if own.numel() == truth.numel()]
            if not any(relative_error(own, truth) < 1e-9 for own in alike):
                symbol = self.subject.symbol
                raise ResultError(
                    f"{self.subject.name} returns something else than the gradient of {symbol} by {name}",
                    f"call {symbol}.backward() once, and return {name}.grad as it is",
                )

    # ---- what f is

    def alike(self) -> list[str]:
        """Inputs that would be written with one symbol: lam and lambda_ are both λ."""
        written = [[show(name) for name in self.shapes.of] for show in (text_name, latex_name)]
        return [n for k, n in enumerate(self.shapes.of) if any(one.count(one[k]) > 1 for one in written)]

    def trace(self) -> tuple[Trace | None, list[Note]]:
        """What f computes, at any size and on every draw; or why that isn't known."""
        if self.alike():
            return None, [Note("limit", f"{' and '.join(self.alike())} are written alike: rename one to see a formula")]
        try:
            traced = followed(self.subject, self.shapes.of, self.samples)
        except RecursionError:
            return None, [Note("limit", f"{self.subject.name} is nested too deeply to be written down")]
        except TraceError as error:
            why, random = f"{error.message} ({', '.join(error.lines)})", f"{self.subject.name} {RANDOM}"
            if all(repeats(self.subject, own) for own in self.draws):  # coins fall alike on one of them
                return None, [Note("limit", why)]
            placed = any(line.startswith("in line") for line in error.lines)
            return None, [Note("limit", f"{why}; {random}" if placed else random)]
        drawn = zip(self.draws, self.values, strict=True)
        if not all(self.held(traced, value, inputs) for inputs, value in drawn):
            return None, [Note("limit", f"{self.subject.name} is another function at other values")]
        far = self.elsewhere(traced)
        if far and far[0].kind == "limit":
            return None, far
        said = [f"control flow or numbers depend on values: {at}; followed as at the sample" for at in traced.followed]
        return traced, [*far, *(Note("warning", line) for line in said)]

    def traceable(self) -> tuple[Check, Trace | None, list[Note]]:
        """The question with what f computes: at even sizes, or multiples of three or four, where it is another at others."""
        traced, limits = self.trace()
        bounds = any("<" in prop for prop in self.assume.values())
        if traced is not None or bounds or not OTHER_SIZES.search(limits[0].text):
            return self, traced, limits
        deadline = time.monotonic() + MULTIPLES
        for shapes, letter, times in itertools.takewhile(
            lambda _: time.monotonic() < deadline, self.shapes.multiples()
        ):
            other = replace(self, shapes=shapes, refused={})
            with suppress(MatmagicError):
                found, said = other.trace()
                if found is not None and not all(n % times == 0 for n in counts_of(found.node, letter)):
                    only = f"for these sizes only; for others it is not followed: {limits[0].text}"
                    return other, found, [*said, Note("warning", only)]
        return self, traced, limits

    def held(self, traced: Trace, value: Tensor, inputs: Mapping[str, Tensor]) -> bool:
        """Whether the expression has f's value at these inputs, up to rounding, where that is all there is: Σ (x − mean x)."""
        sizes = self.sizes(inputs)

        def gap(at: Mapping[str, Tensor]) -> Tensor:
            own = evaluate(traced.node, leaf_values(traced, at, sizes), sizes)
            return call(self.subject, copies(at)) - own.reshape(value.shape)

        return holds(traced, value, inputs, sizes) or (is_noise(gap, inputs) and repeats(self.subject, inputs))

    def comparable(self, inputs: Mapping[str, Tensor]) -> bool:
        """Whether f has right digits at these inputs, or none of which autograd has the gradient anywhere."""
        if singular(self.subject, inputs):
            return False
        return not is_rounded(self.subject, inputs) or is_rounded(self.subject, self.draws[0])

    def elsewhere(self, traced: Trace) -> list[Note]:
        """Whether f is another function at large sizes, where there is no formula for all, or at the smallest ones."""
        if not self.sizes(self.draws[0]):
            return []
        _, like = self.samples[0]
        slow = traced.calls > MANY_CALLS or self.subject.runs.usual > SLOW
        for least in FAR:
            if slow and least > 2:
                continue
            start = time.thread_time()
            drawn = far_draw(self.subject, self.shapes, self.assume, self.options, least, like)
            differs = drawn is not None and not self.held(traced, drawn[1], drawn[0])
            if drawn is not None and differs and self.comparable(drawn[0]):
                sizes = ", ".join(f"{letter} = {size}" for letter, size in self.sizes(drawn[0]).items())
                if least < 3:
                    return [
                        Note("warning", f"{self.subject.name} is another function at {sizes}; this is for larger sizes")
                    ]
                return [Note("limit", f"{self.subject.name} is another function at {sizes}: fix the sizes")]
            slow = slow or time.thread_time() - start > SLOW
        return []

    def statement(self, traced: Trace | None) -> Math | None:
        """What f is in notation, if that, read as code, gives f's values."""
        math = forms.statement(traced) if traced else None
        if math is None or traced is None or rank(math) > 2:
            return None
        right = [value.reshape(-1) for value in self.values[:3]]
        try:
            said = Formula(math, self.code(traced)(math))
            with float64():
                found = [said(own).reshape(-1) for own in self.draws[:3]]
        except Exception:  # whatever a code does wrong, it is not f
            return None
        same = all(relative_error(one, other) < 1e-9 for one, other in zip(found, right, strict=True))
        return self.distinct(math) if same else None

    def variables(self) -> list[str]:
        """What to differentiate by: as asked, else those whose .grad is returned, else every floating-point one."""
        known = list(self.shapes.of)
        asked = [variable for name in self.options.wrt for variable in self.meant(name)]
        integer = [n for n, t in self.shapes.values.items() if not t.is_floating_point()]
        integer += [n for n, p in self.assume.items() if p.startswith("index<")]
        for name in self.options.assume:
            if name not in known:
                near = nearest(name, known)
                raise OptionError(
                    f"--assume {name}: {self.subject.name} has no such argument{near}", f"it has {', '.join(known)}"
                )
        chosen = list(self.subject.returned_grads or self.subject.parameters)
        chosen = asked or [name for name in chosen if name not in integer]
        if not chosen and integer:
            raise ResultError(
                f"{self.subject.name} takes {', '.join(integer)} as whole numbers, which have no derivative",
                "leave out .long() and .int(), or differentiate by another argument",
            )
        if not chosen:
            raise ResultError(
                f"{self.subject.name} takes no tensor to differentiate by",
                f"give it an argument, or say which tensor:  --wrt {self.tensors() or 'A'}",
            )
        return chosen

    def tensors(self) -> str:
        """The floating-point tensors that f reads, as --wrt takes them."""
        found = ",".join(name for name, t in self.subject.reads.items() if t.is_floating_point())
        return f"'{found}'" if "[" in found else found

    def meant(self, name: str) -> list[str]:
        """The variable of this name; for a module or another object, its parameters, else the tensors in it."""
        known, reads = list(self.shapes.of), self.subject.reads
        inside = [n for n in known if n.startswith((f"{name}.", f"{name}[")) and reads[n].is_floating_point()]
        inside = [n for n in inside if reads[n].requires_grad] or inside
        if name not in known and not inside:
            near = nearest(name, known)
            raise OptionError(
                f"--wrt {name}: {self.subject.name} has no such argument{near}", f"it has {', '.join(known)}"
            )
        return [name] if name in known else inside

    # ---- derivatives

    def derivatives(self, traced: Trace | None) -> list[Derivative]:
        """One for each variable; of several scalars, also the gradient or Jacobian as one vector or matrix."""
        names = self.variables()
        found = self.by_each(traced, names)
        scalars = len(names) == len(found) > 1 and not any(self.shapes.of[n] for n in names) and self.options.order == 1
        if traced is not None and scalars and all(d.code for d in found):
            node = forms.joined(traced, names, self.symmetric)
            found.append(self.settled(tuple(names), node, None, traced))
        return found

    def by_each(self, traced: Trace | None, names: Sequence[str]) -> list[Derivative]:
        """The derivative by each variable; without the ones nobody asked for where autograd or f refuses."""
        found: list[Derivative] = []
        refused: Exception | None = None
        for name in names:
            try:
                found.append(self.derivative(traced, name))
            except (ResultError, RuntimeError, ValueError) as error:
                if self.options.wrt or self.subject.returned_grads:
                    raise
                refused = refused or error
                self.refused[name] = first_line(error)
        if refused is not None and not found:
            raise refused
        return found

    def derivative(self, traced: Trace | None, variable: str) -> Derivative:
        """The derivative by one variable, with what was compared."""
        if traced is None:
            return self.settled((variable,), None, None, None)
        order = self.options.order
        try:
            node = forms.derived(traced, variable, order, self.symmetric, self.assume)
        except NoDerivative:
            return self.settled((variable,), None, None, None)
        if is_zero(node):
            return self.settled((variable,), node, None, traced)
        match = matched(traced, variable, self.code(traced), self.symmetric, order, self.assume)
        return self.settled((variable,), node, match, traced)

    def proved(self, names: tuple[str, ...], node: Node, traced: Trace) -> tuple[Formula | None, Verdict | None]:
        """The first form of the derivative that equals autograd's on every draw."""
        order, variable = self.options.order, ", ".join(names)
        aside = (*self.beyond, *(self.sided if may_vanish(traced.node) else ()))
        for found in forms.formulas(node, traced, self.shapes.of, names, order):
            verdict = verify(self.subject, self.shapes, self.assume, self.options, variable, order, found, self.draws)
            held = verdict.ok and all(holds_at(self.subject, variable, order, found, own) for own in aside)
            math = found.math if found.math is None else self.distinct(found.math)
            if held and (math is not None or found.math is None):
                return replace(found, math=math), verdict
        return None, None

    def is_tiny(self, found: Formula | None) -> bool:
        """Whether a derivative may be 0 everywhere: it is next to nothing at the first draw, or nothing is known of it."""
        with float64():
            return found is None or float(found(copies(self.draws[0])).abs().max()) < TINY

    def distinct(self, math: Math) -> Math | None:
        """The formula where nothing is written like an argument that is not one; None where there is none."""
        return distinct(math, self.shapes.of)

    def settled(
        self, names: tuple[str, ...], node: Node | None, match: Match | ByEntries | None, traced: Trace | None
    ) -> Derivative:
        """A derivative with the formula that held on every draw, or without one."""
        variable, order = ", ".join(names), self.options.order
        found, verdict = self.proved(names, node, traced) if node is not None and traced else (None, None)
        if node is not None and traced and not is_zero(node) and self.is_tiny(found):
            none, said = self.proved(names, zero(node.shape), traced)
            if none is not None and said is not None and said.max_error:  # rounding, which is 0 on no draw by chance
                found, verdict, node, match = none, said, zero(node.shape), None
        if verdict is None:
            match = None
            question = (self.subject, self.shapes, self.assume, self.options, variable, order)
            verdict = verify(*question, None, self.draws)
        first = self.draws[0]
        inner = tuple(first[names[0]].shape) if len(names) == 1 else (len(names),)
        outer = tuple(self.values[0].shape)
        kind = forms.kind_of(outer, inner, order)
        ranks = (sum(s != 1 for s in outer), sum(s != 1 for s in inner))
        left = left_side(self.subject.symbol, names, kind, ranks)
        if match is None and traced is not None and found is not None and isinstance(found.math, Listed):
            with suppress(ValueError):  # f has no matrix notation
                match = by_entries(kind, self.code(traced)(notation(traced.node, collect=False)))
        math, code = (found.math, found.code) if found else (None, None)
        short = traced is not None and written_size(traced.node) <= LARGEST_TREE
        rests = short and code and node is not None and not is_zero(node)
        composed = partial(self.composed, traced, variable, node) if rests and traced and node else None
        value = self.own_value(variable)
        alone = Derivative(variable, kind, *left, math, code, match, verdict, value, draws=self.draws, names=self.names)
        alone = replace(alone, composed=composed) if composed and len(names) == 1 else alone
        indices = 2 * ranks[1] if order == 2 else sum(ranks)
        plain = math is not None and (kind in ("gradient", "jacobian") or indices < 3)
        if traced is None or node is None or code is None or len(names) > 1 or plain:
            return alone
        return self.with_lines(alone, node, traced, one_entry(self.subject.symbol, names, kind, ranks))

    def composed(self, traced: Trace, variable: str, node: Node) -> Piece | None:
        """The tree of identities that gives the derivative, if it has its value at the first draw."""
        leaf, _ = traced.inputs[variable]
        use = composition(traced.node, leaf) if self.options.order == 1 else of_gradient(traced.node, leaf)
        if use is None:
            return None
        inputs = self.draws[0]
        sizes = self.sizes(inputs)
        values = leaf_values(traced, inputs, sizes)
        axes = {name: own for name, (_, own) in traced.inputs.items()}
        names = Names(axes, self.shapes.of, inputs, values, sizes, tuple(self.symmetric))
        return piece(use, names, evaluate(node, values, sizes))

    def with_lines(self, found: Derivative, node: Node, traced: Trace, left: tuple[str, str]) -> Derivative:
        """The derivative as it is written if it has no matrix notation: as a differential, in vec form, entry by entry."""
        name, order, symbol = found.variable, self.options.order, self.subject.symbol
        truths = [(own, derivative_of(self.subject, own, name, order)) for own in self.draws[:3]]
        truths = [(own, truth) for own, truth in truths if bool(torch.isfinite(truth).all())]
        of = (latex_name(symbol), text_name(symbol))
        of = left_side(symbol, [name], "gradient", (0, len(self.shapes.of[name]))) if order == 2 else of
        wide = TensorForms(traced, name, node, of, self.shapes.of, order, self.symmetric).equations()
        lines = [
            replace(line, math=math)
            for line in wide
            if (math := self.distinct(line.math)) is not None and all(line.agrees(a, name, b) for a, b in truths)
        ]
        one = self.one_entry(found, Entries(traced, name, node, self.shapes.of), truths)
        lines += [Equation(*left, one, found.code or "", "")] if one is not None else []
        if not lines:
            return replace(found, math=None)
        main = lines[0]
        kept = tuple(line for line in lines if line is main or len(line.text) <= TOO_LONG)
        left = (main.left_latex, main.left_text)
        return replace(
            found, left_latex=left[0], left_text=left[1], math=main.math, lines=kept, code_left=found.left_text
        )

    def one_entry(
        self, found: Derivative, entries: Entries, truths: Sequence[tuple[Mapping[str, Tensor], Tensor]]
    ) -> Math | None:
        """The formula of one entry, the simpler one of two; None where there is none that holds."""
        math, known = entries.formula(), found.math
        if math is None:
            return known
        if known is not None and _simpler(text(known), text(math)):
            return known
        held = all(entries.agree(math, own, self.sizes(own), truth) for own, truth in truths[:2])
        return math if held else known

    def code(self, traced: Trace) -> Writer:
        """Writes notation as torch code in the user's names."""
        return Writer({name: own for name, (_, own) in traced.inputs.items()}, self.shapes.of)

    def own_value(self, variable: str) -> Tensor | None:
        """The derivative at the notebook's own tensors, where it has all that f needs."""
        own = self.shapes.values
        if set(own) != set(self.shapes.of):
            return None
        with suppress(BackwardError):
            return derivative_of(self.subject, own, variable, self.options.order)
        return None

    # ---- answers

    def grades(self, derivatives: Sequence[Derivative]) -> tuple[Grade, ...]:
        """The answers of the cell, then those of the options."""
        claims: list[Claim] = [*self.subject.claims, *self.claims_of_options()]
        asked = [(d.variable, self.options.order) for d in derivatives]
        unknown = {d.variable: d.verdict.text for d in derivatives if d.code is None and not d.verdict.autograd_ok}
        right = {(d.variable, self.options.order): d.answer_text for d in derivatives}
        closed = {(d.variable, self.options.order): Formula(d.math, d.code) for d in derivatives if d.code is not None}
        pretty = [self.pretty(c.text) for c in claims]
        return grade_claims(self, asked, claims, right, pretty, unknown, closed)

    def claims_of_options(self) -> list[Claim]:
        return [claim_of_option(text, self.subject, self.shapes.of) for text in self.options.claims]

    def pretty(self, claim: str) -> str | None:
        """The answer in matrix notation, as it was typed; None where it can't be followed."""
        names = tuple(self.shapes.of)
        try:
            spoken = _Text(claim, read_code(claim, names), names)
            math = forms.statement(followed(spoken, self.shapes.of, self.samples))
            said = None if math is None else self.distinct(math)
        except Exception:  # an answer that fails is grading's to explain
            return None
        return None if said is None else text(said)

    # ---- notes

    def cuts(self, variables: Sequence[str]) -> list[Cut]:
        """Where f takes what is made of these variables out of autograd's sight."""
        return cuts(self.subject, self.draws[0], variables)

    def parted(self, derivatives: Sequence[Derivative], held: bool) -> list[Note]:
        """Why autograd and finite differences disagree, where f makes them."""
        apart = [name for d in derivatives if not d.verdict.autograd_ok for name in d.variable.split(", ")]
        found = list(sentences(self.cuts(apart), self.subject.name)) if apart else []
        if apart and held and not found:
            found = [f"{self.subject.name} detaches part of its value: {PARTED.format('it for a constant')}"]
        return [Note("warning", sentence) for sentence in found]

    def choices(self) -> list[Note]:
        """Where the run depends on values, for a function that differs from sample to sample."""
        places = [cut.place for cut in self.cuts(list(self.shapes.of)) if cut.kind == "number" and not cut.use]
        return [Note("warning", f"control flow or numbers depend on values: {', '.join(places)}")] if places else []

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Errors about a graph that is cut, with the places and the torch calls to use."""
        try:
            yield
        except ResultError as error:
            if "the graph is cut" not in error.message:
                raise
            said = [*sentences(self.cuts(list(self.shapes.of)), self.subject.name)][:3]
            raise ResultError(error.message, *said, *error.lines) from None
        except RuntimeError as error:
            if "numpy()" in str(error):
                for sentence in sentences(self.cuts(list(self.shapes.of)), self.subject.name):
                    error.add_note(sentence)
            raise

    def structured(self, derivatives: Sequence[Derivative]) -> list[Note]:
        """Which derivative by a symmetric matrix this is: torch's plain one, or that of one triangle."""
        found = []
        for d in (d for d in derivatives if d.kind == "gradient" and self.assume.get(d.variable) in forms.SYMMETRIC):
            if reads_one_triangle(self.subject, self.shapes, self.assume, d.variable):
                found.append(f"torch reads one triangle of {d.variable} here, and gives the symmetrised derivative")
            elif self.assume[d.variable] != "diagonal":
                found.append(
                    f"{d.variable} is symmetric: this is the plain entrywise derivative G; "
                    "among symmetric matrices it is (G + Gᵀ)/2, in the entries of a triangle G + Gᵀ − G ⊙ I"
                )
        return [Note("assumed", line) for line in found]

    def taken(self, assumed: Mapping[str, str]) -> Iterator[str]:
        """What was assumed of arguments, and of sizes, because f needs it."""
        question = (self.subject, self.shapes, self.assume, self.options)
        for argument, prop in assumed.items():
            yield f"{argument} taken {property_words(prop)}, because {reason_for(*question, argument, prop)}"
        if not finite_everywhere(*question):
            yield f"draws at which {self.subject.name} is not finite, or fails, are replaced by others"
        drawn = [self.sizes(inputs) for inputs in self.draws[: self.options.trials]]
        planned = [sizes_for(self.shapes, draw) for draw in range(self.options.trials)]
        axes = [[*shape, *letters_of({"": shape})] for shape in self.shapes.of.values() if len(shape) > 1]
        pairs = [pair for own in axes for pair in itertools.permutations(own, 2) if pair[0] != pair[1]]
        for a, b in dict.fromkeys((a, b) for a, b in pairs if isinstance(a, str) and isinstance(b, str)):
            before, after = ([length(a, s) - length(b, s) for s in every] for every in (drawn, planned))
            if min(before) > 0 > min(after):
                yield f"{text_size(a)} ≥ {text_size(b)} taken, because {self.subject.name} is singular or not finite otherwise"

    def notes(
        self, assumed: Mapping[str, str], limits: Sequence[Note], derivatives: Sequence[Derivative], held: bool = False
    ) -> tuple[Note, ...]:
        """Everything a user should know about how this was found."""
        name = self.subject.name
        notes = [Note("assumed", note) for note in self.shapes.notes]
        notes += [Note("assumed", said) for said in self.taken(assumed)]
        notes += remarks(self.subject, self.shapes, self.assume, self.draws[0])
        notes += self.structured(derivatives)
        notes += [Note("limit", f"no derivative by {variable}: {why}") for variable, why in self.refused.items()]
        parted = self.parted(derivatives, held)
        differs = any("at other" in note.text for note in limits) and not parted
        notes += [*limits, *parted, *(self.choices() if differs else [])]
        first = self.options.order == 1
        unused = [d.variable for d in derivatives if first and (isinstance(d.math, Zero) or (d.math and d.text == "0"))]
        for variable in unused:
            said = f"{name} changes with {variable} in jumps only: the derivative is 0 between them"
            jumping = any(jumps(self.subject, own, variable) for own in self.draws)
            notes.append(Note("warning", said if jumping else f"{name} does not depend on {variable}"))
        if any(d.code is None for d in derivatives) and not any(note.kind == "limit" for note in notes):
            notes.append(Note("limit", "no closed form found"))
        return tuple(notes)


def _simpler(known: str, other: str) -> bool:
    """Whether a formula with parts in matrix notation is better than one with entries only: shorter, or without a sum."""
    return len(known) + 15 < len(other) or ("Σ" in other and "Σ" not in known)


@dataclass(frozen=True)
class _Text:
    """An answer's text as something to trace."""

    name: str
    function: Callable[..., Any]
    parameters: tuple[str, ...]
    reads: Mapping[str, Any] = field(default_factory=dict)

    def bind(self, inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return ({name: inputs[name] for name in self.parameters},), {}
