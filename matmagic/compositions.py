"""How identities combine to the derivative of a function that is no single one: a tree of rules with identities as leaves.

In: an expression and its variable.  Out: a Use, or None.  At each step the function is an identity, or one rule takes it
apart: linearity, the product and quotient rule, the chain rule through an inner function, at which the graph of the
expression is cut.  Of several cuts that one is taken at which both sides have names.  What remains are standard
derivatives: a function of the table, a power, a linear function.  Each Use carries the derivative that its rule and its
parts give it, so that the pieces can be seen to add up.
Not known here: how the tree is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from .bound import Bound
from .canonical import key, linked
from .differentiate import depending, differentiate
from .expr import (
    Call,
    Elementwise,
    Factor,
    Leaf,
    Node,
    Power,
    Product,
    Sum,
    add,
    call,
    elementwise,
    leaf,
    number,
    power,
    product,
    scale,
)
from .functions import FUNCTIONS
from .match import constant_scalars, match
from .matrix_functions import FUNCTIONS_OF_MATRICES, NoDerivative
from .simplify import simplify
from .walk import children, leaves, ordered, rebuild, size_letters, substitute

MOST_USES = 24  # of a tree; nobody follows a larger one
MOST_CUTS = 5  # at which a function is taken apart on trial
_LETTERS = ("u v w z s t", "u v w z r s", "U V W Z S T")  # for scalars, vectors, matrices
_WORDS = {
    "inverse": "the inverse",
    "pinv": "the pseudoinverse",
    "expm": "the matrix exponential",
    "logabsdet": "log |det|",
}


@dataclass(frozen=True)
class Standard:
    """A derivative that needs no row in the registry: of a function of the table, a power, a linear function."""

    name: str
    node: Node
    gradient_node: Node
    wrt: str
    source: str = "standard derivative"
    conditions: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    simpler: Mapping[str, str] = field(default_factory=dict)
    order: int = 1

    def read(self, code: str) -> Node:
        raise ValueError("a standard derivative has no code")


@dataclass(frozen=True)
class Use:
    """One rule at work: the derivative of `function` by `variable`, from those of its parts; or an identity.

    `inner` is the letter that the chain rule gives an inner function, `held` are those of what the rule above holds;
    `weight` is what that multiplies the derivative with.
    """

    rule: str  # "identity", "linearity", "product rule", "quotient rule", "chain rule"
    function: Node
    variable: Leaf
    derivative: Node
    bound: Bound | None = None
    parts: tuple[Use, ...] = ()
    weight: Node | None = None
    inner: Mapping[str, Node] = field(default_factory=dict)
    held: Mapping[str, Node] = field(default_factory=dict)

    @property
    def contribution(self) -> Node:
        """What it adds to the rule above: weight times derivative, with what is held put back."""
        own = substitute(self.derivative, self.held)
        axes = range(len(own.shape))
        return product([(self.weight or number(1), ()), (own, axes)], own.shape, axes)

    def walk(self) -> Iterator[Use]:
        """This use and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def bounds(self) -> Iterator[Bound]:
        """The identities at the leaves, in order."""
        return (use.bound for use in self.walk() if use.bound is not None)


class _NoTree(Exception):
    """The function has a part that no rule takes apart, or too many."""


def composition(node: Node, variable: Leaf) -> Use | None:
    """The tree of a function, or None where there is none that is short enough."""
    with suppress(_NoTree, NoDerivative):
        return _Tree(node).use(node, variable)
    return None


def of_gradient(node: Node, variable: Leaf) -> Use | None:
    """The tree of a Hessian: that of the Jacobian of the gradient."""
    try:
        gradient = simplify(differentiate(node, variable))
    except NoDerivative:
        return None
    use = composition(gradient, variable)
    if use is None:
        return None
    return Use("Jacobian of the gradient", gradient, variable, use.derivative, parts=(use,))


class _Tree:
    """A tree in the making: the letters in use, and how many uses there are."""

    def __init__(self, node: Node) -> None:
        self.taken = {*leaves(node), *size_letters(node)}
        self.stands: dict[str, Node] = {}  # letters, in the user's names
        self.count = 0
        self.matches: dict[tuple[Node, Leaf], Bound | None] = {}

    def free(self, node: Node) -> Leaf:
        """The next letter for a part."""
        names = _LETTERS[min(len(node.shape), 2)].split()
        name = next((n for n in names if n not in self.taken), f"{names[0]}{len(self.taken)}")
        return leaf(name, node.shape)

    def letter(self, node: Node) -> Leaf:
        """It, taken for this part."""
        own = self.free(node)
        self.taken.add(own.name)
        self.stands[own.name] = substitute(node, self.stands)
        return own

    def match(self, node: Node, variable: Leaf) -> Bound | None:
        """The row of the registry that the function is; asked once."""
        if (node, variable) not in self.matches:
            self.matches[node, variable] = match(node, variable)
        return self.matches[node, variable]

    def use(self, node: Node, variable: Leaf) -> Use:
        """The function by its identity or by the rule that takes it apart."""
        self.count += 1
        if self.count > MOST_USES:
            raise _NoTree
        return self.known(node, variable) or self.by_rule(node, variable)

    def known(self, node: Node, variable: Leaf) -> Use | None:
        """The function by its identity."""
        bound = self.match(node, variable)
        return None if bound is None else self.leaf(node, variable, bound)

    def leaf(self, node: Node, variable: Leaf, bound: Bound) -> Use:
        held = {name: self.stands[name] for name in leaves(node) if name in self.stands}
        return Use("identity", node, variable, bound.derivative, replace(bound, held=held))

    def by_rule(self, node: Node, variable: Leaf) -> Use:
        if isinstance(node, Sum):
            return self.linearity(node, variable)
        if isinstance(node, Product):
            found = self.by_groups(node, variable)
            if found is not None:
                return found
        cut = self.chain(node, variable)
        if cut is not None:
            return cut
        own = standard(node, variable)
        if own is not None:
            return self.leaf(node, variable, own)
        if isinstance(node, Product):
            return self.by_factors(node, variable)
        if isinstance(node, Elementwise | Call):
            return self.by_arguments(node, variable)
        raise _NoTree

    # ---- linearity

    def linearity(self, node: Sum, variable: Leaf) -> Use:
        """(Σ c f)′ = Σ c f′"""
        parts = []
        for c, term in node.terms:
            if variable.name in leaves(term):
                scalars, rest = constant_scalars(term, variable)
                weight = product([(number(c), ()), *scalars], (), ())
                parts.append(replace(self.use(rest, variable), weight=weight))
        return _summed("linearity", node, variable, parts)

    # ---- products of parts without a common index

    def by_groups(self, node: Product, variable: Leaf) -> Use | None:
        """(g h)′ = g′ h + g h′ for scalars g, h, one of which may be a tensor; None where all hangs together."""
        rank = len(node.shape)
        scalars, core = _groups(node)
        fixed = [part for part in scalars if variable.name not in leaves(part)]
        moving = _as_powers([part for part in scalars if variable.name in leaves(part)])
        if core is not None and variable.name in leaves(core):
            moving.append((core, 1))
            core = None
        if len(moving) == 1:
            ((part, times),) = moving
            if part is variable and not part.shape:
                return None
            if times == 1 and (part.shape or not rank):
                if not fixed:
                    return None
                weight = product([(f, ()) for f in fixed], (), ())
                return _summed("linearity", node, variable, [replace(self.use(part, variable), weight=weight)])
            others = [(f, ()) for f in fixed] + ([] if core is None else [(core, range(rank))])
            letter = self.free(part)
            outer = product([*others, *[(letter, ())] * times], node.shape, range(rank))
            return self.chained(node, variable, part, letter, outer)
        if rank:
            return self.held_groups(node, variable, fixed, moving, core)
        powers = [product([(part, ())] * times, (), ()) for part, times in moving]
        below = [p for p in powers if isinstance(p, Power) and p.exponent < 0]
        above = [p for p in powers if p not in below]
        if below and above:
            return self.quotient(node, variable, [*fixed, *above], below)
        parts = []
        for own in powers:
            weight = product([(p, ()) for p in (*fixed, *powers) if p is not own], (), ())
            parts.append(replace(self.use(own, variable), weight=weight))
        return _summed("product rule", node, variable, parts)

    def held_groups(
        self,
        node: Product,
        variable: Leaf,
        fixed: Sequence[Node],
        moving: Sequence[tuple[Node, int]],
        core: Node | None,
    ) -> Use:
        """The product rule for scalars times a tensor: all parts but one held."""
        rank = len(node.shape)
        parts = []
        for own, _ in moving:
            letters = {other: self.letter(other) for other, _ in moving if other is not own}
            factors = [(f, range(len(f.shape))) for f in fixed] + ([] if core is None else [(core, range(rank))])
            for part, times in moving:
                factors += [(letters.get(part, part), range(len(part.shape)))] * times
            parts.append(self.held(product(factors, node.shape, range(rank)), variable, letters))
        return _summed("product rule", node, variable, parts)

    def quotient(self, node: Product, variable: Leaf, above: Sequence[Node], below: Sequence[Node]) -> Use:
        """(g / h)′ = g′ / h - g h′ / h²"""
        g = product([(p, ()) for p in above], (), ())
        h = product([(power(p.base, -p.exponent), ()) for p in below if isinstance(p, Power)], (), ())
        top = replace(self.use(g, variable), weight=power(h, -1))
        bottom = replace(self.use(h, variable), weight=scale(-1, product([(g, ()), (power(h, -2), ())], (), ())))
        return _summed("quotient rule", node, variable, [top, bottom])

    # ---- the chain rule

    def chain(self, node: Node, variable: Leaf) -> Use | None:
        """g(u(x))′ = g′(u) u′, cut where both have names, else where g has one."""
        named, basic = [], []
        for inner, letter, outer in self.cuts(node, variable):
            if self.match(outer, letter) is not None:
                if self.match(inner, variable) is not None:
                    return self.chained(node, variable, inner, letter, outer)
                named.append((inner, letter, outer))
            elif standard(outer, letter) is not None:
                basic.append((inner, letter, outer))
        return next((self.chained(node, variable, *cut) for cut in (*named, *basic)), None)

    def cuts(self, node: Node, variable: Leaf) -> Iterator[tuple[Node, Leaf, Node]]:
        """Inner functions with a letter for each and the outer function of it, the outermost first."""
        for inner in _gates(node, variable)[:MOST_CUTS]:
            letter = self.free(inner)
            yield inner, letter, _replaced(node, inner, letter)
            if isinstance(inner, Sum) and all(c < 0 for c, t in inner.terms if variable.name in leaves(t)):
                yield scale(-1, inner), letter, _replaced(node, inner, scale(-1, letter))

    def chained(self, node: Node, variable: Leaf, inner: Node, letter: Leaf, outer: Node) -> Use:
        """The chain rule for f = outer(u), u = inner; the letter, a free one, stands for u."""
        letter = self.letter(inner)
        first = self.use(outer, letter)
        second = self.use(inner, variable)
        front, middle, back = len(node.shape), len(inner.shape), len(variable.shape)
        slope = substitute(first.derivative, {letter.name: inner})
        derivative = product(
            [(slope, range(front + middle)), (second.derivative, range(front, front + middle + back))],
            (*node.shape, *variable.shape),
            [*range(front), *range(front + middle, front + middle + back)],
        )
        return Use("chain rule", node, variable, derivative, parts=(first, second), inner={letter.name: inner})

    # ---- several places in one product or function

    def by_factors(self, node: Product, variable: Leaf) -> Use:
        """The product rule with all factors but one held."""
        rank = len(node.shape)
        moving = [k for k, (f, _) in enumerate(node.factors) if variable.name in leaves(f)]
        distinct = list(dict.fromkeys(node.factors[k][0] for k in moving))
        places = dict.fromkeys(node.factors[k] for k in moving)
        if len(places) == 1:
            return self.entrywise_power(node, variable, *places)
        groups = [[k for k in moving if node.factors[k][0] is f] for f in distinct]
        if len(groups) < 2:
            groups = [[k for k in moving if node.factors[k] == place] for place in places]
        parts = []
        for group in groups:
            letters: dict[Node, Leaf] = {}
            factors: list[Factor] = []
            for k, (f, labels) in enumerate(node.factors):
                held = k in moving and k not in group
                if held and f not in letters:
                    letters[f] = self.letter(f)
                factors.append((letters[f] if held else f, labels))
            function = product(factors, node.sizes[:rank], range(rank))
            parts.append(self.held(function, variable, letters))
        return _summed("product rule", node, variable, parts)

    def entrywise_power(self, node: Product, variable: Leaf, place: Factor) -> Use:
        """The chain rule for a power that is taken entry by entry."""
        (part, labels), rank = place, len(node.shape)
        if len(set(labels)) < len(labels):
            raise _NoTree
        letter = self.free(part)
        others = [factor for factor in node.factors if factor != place]
        outer = product([*others, (letter, labels)], node.sizes[:rank], range(rank))
        times = len(node.factors) - len(others)
        return self.chained(node, variable, power(part, times), letter, outer)

    def by_arguments(self, node: Elementwise | Call, variable: Leaf) -> Use:
        """A function of several arguments: the sum over them, the others held."""
        moving = [arg for arg in dict.fromkeys(node.args) if variable.name in leaves(arg)]
        if len(moving) < 2:
            raise _NoTree
        parts = []
        for arg in moving:
            letters = {other: self.letter(other) for other in moving if other is not arg}
            args = [letters.get(a, a) for a in node.args]
            function = (
                elementwise(node.function, *args)
                if isinstance(node, Elementwise)
                else call(node.function, node.shape, *args)
            )
            parts.append(self.held(function, variable, letters))
        return _summed("chain rule, each argument", node, variable, parts)

    def held(self, function: Node, variable: Leaf, letters: Mapping[Node, Leaf]) -> Use:
        """A part in which letters stand for what is held."""
        return replace(self.use(function, variable), held={own.name: part for part, own in letters.items()})


def _summed(rule: str, node: Node, variable: Leaf, parts: Sequence[Use]) -> Use:
    """A rule that adds up its parts, each times its weight."""
    shape = (*node.shape, *variable.shape)
    total = add([(1, part.contribution) for part in parts], shape)
    return Use(rule, node, variable, total, parts=tuple(parts))


def _groups(node: Product) -> tuple[list[Node], Node | None]:
    """The scalar factors that have no index in common with others, and what has the function's indices."""
    rank = len(node.shape)
    scalars, rest = [], []
    for group in linked(node.factors, lambda label: True):
        if any(label < rank for _, labels in group for label in labels):
            rest += group
        else:
            scalars.append(product(group, (), ()))
    return scalars, product(rest, node.shape, range(rank)) if rank else None


def _as_powers(scalars: Sequence[Node]) -> list[tuple[Node, int]]:
    """Equal factors as one, and how often it stands there."""
    groups: dict[bytes, list[Node]] = {}
    for one in scalars:
        groups.setdefault(key(one), []).append(one)
    return [(group[0], len(group)) for group in groups.values()]


# ---- cuts ---------------------------------------------------------------------------------------------------------


def _gates(node: Node, variable: Leaf) -> list[Node]:
    """The parts through which all of the variable goes, the outermost first; neither the function nor the variable."""
    active = depending(node, variable.name)
    parts = [part for part in ordered(node) if part in active]
    through: dict[Node, frozenset[Node]] = {node: frozenset([node])}
    for part in reversed(parts):
        for child in children(part):
            if child in active:
                own = through[part] | {child}
                through[child] = own & through[child] if child in through else own
    end = next((part for part in parts if isinstance(part, Leaf)), None)
    if end is None:  # a constant
        return []
    return [part for part in reversed(parts) if part in through[end] and part not in (node, end)]


def _replaced(node: Node, part: Node, other: Node) -> Node:
    """The expression with something else for one of its parts."""
    done: dict[Node, Node] = {}
    for own in ordered(node):
        done[own] = other if own is part else rebuild(own, done)
    return done[node]


# ---- standard derivatives -----------------------------------------------------------------------------------------


def standard(node: Node, variable: Leaf) -> Bound | None:
    """The standard derivative that this is, or None."""
    name = _standard_name(node, variable)
    if name is None:
        return None
    row = Standard(name, node, differentiate(node, variable), variable.name)
    bindings = {n: own for n, own in leaves(node).items() if n != variable.name}
    return Bound(row, bindings, variable)


def _standard_name(node: Node, variable: Leaf) -> str | None:
    match node:
        case Leaf(name=name) if name == variable.name:
            return "the variable itself"
        case Power(base=base) if base is variable:
            return "power rule"
        case Elementwise(function=function, args=args) if _once(args, variable):
            return f"derivative of {FUNCTIONS[function].text}"
        case Call(function=function, args=args) if _once(args, variable):
            written = _WORDS.get(function) or FUNCTIONS_OF_MATRICES[function].text.partition("(")[0]
            return f"derivative of {written or function}"
        case Product(factors=factors):
            inside = [f for f, _ in factors if variable.name in leaves(f)]
            if inside == [variable]:
                return "linear function"
            axes = tuple(range(len(variable.shape)))
            if all(f is variable and at == axes for f, at in factors):
                return "power rule"
            if not variable.shape and all(
                f is variable or (isinstance(f, Power) and f.base is variable) for f in inside
            ):
                return "power rule"
    return None


def _once(args: Sequence[Node], variable: Leaf) -> bool:
    inside = [arg for arg in args if variable.name in leaves(arg)]
    return inside == [variable]
