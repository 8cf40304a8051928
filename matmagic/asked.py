"""What is asked about a function, and the random inputs on which every step of a check looks at it.

In: a Subject, its Shapes, what is assumed of its arguments, the Options.  Out: draws with the values of the function,
made when they are first looked at; two samples for a trace.
Not known here: what is compared on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from torch import Tensor

from .autograd import copies
from .calling import call
from .capture import Subject
from .domains import ONE_TRIANGLE, finite_draws
from .drawing import draws, sided_draws, traced_draw
from .errors import TraceError
from .lengths import letters_of, solved
from .options import Options
from .sampling import holds
from .shapes import Shapes


@dataclass(frozen=True)
class Asked:
    """The question that a check answers."""

    subject: Subject
    shapes: Shapes
    assume: Mapping[str, str]
    options: Options

    @cached_property
    def draws(self) -> tuple[dict[str, Tensor], ...]:
        """The random inputs, at sizes that differ from draw to draw."""
        return tuple(draws(self.subject, self.shapes, self.assume, self.options))

    @cached_property
    def values(self) -> tuple[Tensor, ...]:
        """f on the draws."""
        return tuple(call(self.subject, copies(inputs)) for inputs in self.draws)

    @cached_property
    def sided(self) -> tuple[dict[str, Tensor], ...]:
        """Draws with all entries of an argument of one sign, for functions made of pieces."""
        return tuple(sided_draws(self.subject, self.shapes, self.assume, self.options.seed))

    @property
    def granted(self) -> dict[str, str]:
        """What is assumed of arguments beyond what is declared, because f needs something of the kind."""
        declared = {**self.shapes.needs, **self.options.assume}
        return {n: prop for n, prop in self.assume.items() if n not in declared and prop not in ONE_TRIANGLE}

    @property
    def kept(self) -> dict[str, str]:
        """What is assumed beside what is granted."""
        return {name: prop for name, prop in self.assume.items() if name not in self.granted}

    @cached_property
    def beyond(self) -> tuple[dict[str, Tensor], ...]:
        """Draws without what is granted at which f is finite all the same: of log(x ⊙ y), with both negative."""
        found = finite_draws(self.subject, self.shapes, self.kept, self.options) if self.granted else ()
        return tuple(at for at in found if not all(holds(at[name], prop) for name, prop in self.granted.items()))

    @property
    def names(self) -> tuple[str, ...]:
        """The arguments, the size letters, and what f is called: letters made up for a formula are others."""
        return (*self.shapes.of, *sorted(letters_of(self.shapes.of)), self.subject.symbol)

    def sizes(self, inputs: Mapping[str, Tensor]) -> dict[str, int]:
        """Which number each size letter is, at these inputs."""
        return solved(self.shapes.of, {name: inputs[name].shape for name in self.shapes.of})

    @cached_property
    def two_samples(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Two draws in which every size letter differs; TraceError where the conditions on sizes allow none."""
        question = (self.subject, self.shapes, self.assume, self.options)
        apart = [traced_draw(*question, turn) for turn in (0, 1)]
        if apart[0] is not None and apart[1] is not None:
            return apart[0], apart[1]
        more = draws(self.subject, self.shapes, self.assume, replace(self.options, trials=6))
        first = self.draws[0]
        own = self.sizes(first)
        for other in chain(self.draws[1:], more) if own else (first,):
            if all(size != own[letter] for letter, size in self.sizes(other).items()):
                return first, other
        raise TraceError("no two samples differ in every size", "loosen the conditions on the sizes")

    @property
    def samples(self) -> list[tuple[dict[str, Tensor], dict[str, int]]]:
        """The two samples of a trace with their sizes."""
        return [(inputs, self.sizes(inputs)) for inputs in self.two_samples]
