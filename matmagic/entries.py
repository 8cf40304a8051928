"""The formula of one entry, with indices and explicit sums: what is shown where there is no matrix form.

In: an expression of any number of axes.  Out: a scalar in notation whose free indices i, j, k, … are the axes in order;
indices count from 1, as sizes do: x_{i+1}.  What is a matrix product stays one, with the indices outside: (A x)_i.
Not known here: functions of the whole matrices of a batch; they raise NoNotation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from . import expr
from .expr import Factor, Node
from .lengths import Size, letters_in, plus
from .matrix_functions import FUNCTIONS_OF_MATRICES
from .notation import (
    INDICES,
    Apply,
    At,
    Holds,
    Identity,
    Indexed,
    Letter,
    Math,
    Num,
    Over,
    Pow,
    SumOver,
    Symbol,
    Zero,
    pieces,
)
from .rendering import NoNotation, notation, with_constants
from .summing import Term, scalar_factors, scalar_term
from .summing import plus as sum_of
from .walk import leaves, ordered, written_size

MOST = 400  # parts of a formula that anyone would read

Index = tuple[Size, ...]
Labels = dict[int, Size]


def entrywise(node: Node) -> Math:
    """The entry of the node at i, j, k, …  Raises NoNotation.

    >>> from .printers.text import text
    >>> W, x = expr.leaf("W", ("k", "m", "n")), expr.leaf("x", ("n",))
    >>> text(entrywise(expr.product([(W, (0, 1, 2)), (x, (2,))], ("k", "m"), (0, 1))))
    'Σ_k W_ijk x_k'
    """
    if written_size(node) > MOST:
        raise NoNotation("a formula of too many parts")
    if len(node.shape) > len(INDICES):
        raise NoNotation("more axes than letters")
    axes = tuple(INDICES[: len(node.shape)])
    if _shown(node).intersection(axes):
        raise NoNotation("a letter with two meanings")
    return with_constants(_Entries(node).math(node, axes, frozenset(axes)))


def _shown(node: Node) -> set[str]:
    """Letters that stand in a formula as they are: names, and sizes that are counted."""
    found = set(leaves(node))
    for part in ordered(node):
        match part:
            case expr.SizeOf(letter=size) | expr.Basis(position=size) | expr.Selection(start=size):
                found |= set(letters_in(size))
    return found


class _Entries:
    """The entries of the parts of one expression; `used` are the letters that mean something around a part."""

    def __init__(self, whole: Node) -> None:
        self.avoided = _shown(whole)
        self.count = 0

    def fresh(self, used: frozenset[str], wanted: int) -> list[str]:
        """Letters to sum over."""
        free = [letter for letter in INDICES if letter not in used and letter not in self.avoided]
        if len(free) < wanted:
            raise NoNotation("more indices than letters")
        return free[:wanted]

    def math(self, node: Node, at: Index, used: frozenset[str]) -> Math:
        return self.term(node, at, used).math()

    def term(self, node: Node, at: Index, used: frozenset[str]) -> Term:
        """The entry as a term of a sum."""
        self.count += 1
        if self.count > MOST:
            raise NoNotation("a formula of too many parts")
        whole = None if node.shape else _matrix_form(node)
        if whole is not None:
            return _term([whole])
        match node:
            case expr.Sum(terms=()):
                return _term([Num(Fraction(0))])
            case expr.Sum(terms=terms):
                inner = [_scaled(self.term(t, at, used), c) for c, t in terms]
                return inner[0] if len(inner) == 1 else _term([sum_of(inner)])
            case expr.Product():
                return _Product(self, node, at, used).term()
            case expr.Elementwise(function="root", args=(base,)):
                return _term([Pow(self.math(base, at, used), Fraction(1, 2), False)])
            case expr.Power(base=base, exponent=p):
                return _term([Pow(self.math(base, at, used), p, False)])
            case expr.Call():
                return _term([self.call(node, at, used)])
            case expr.Elementwise(function=function, args=args):
                return _term([Apply(function, tuple(self.math(a, at, used) for a in args))])
            case expr.OneHot(labels=labels):
                return _term([self.one_hot(labels, at, used)])
        return _term([_atom(node, at)])

    def one_hot(self, labels: Node, at: Index, used: frozenset[str]) -> Math:
        """[j = y_i], where an argument's labels count from 0 as argmax does; of labels that are made, [j = … + 1]."""
        label = self.term(labels, at[:-1], used)
        counted = isinstance(labels, expr.Leaf | expr.Call)
        right = label.math() if counted else sum_of([label, _term([Num(Fraction(1))])])
        return Holds(Letter(at[-1]), "=", right)

    def call(self, node: expr.Call, at: Index, used: frozenset[str]) -> Math:
        """(A⁻¹)_ij; softmax_k(X_ik)_j along a named index."""
        takes = FUNCTIONS_OF_MATRICES[node.function].takes
        batch = len(node.args[0].shape) - takes
        whole = None if batch else _matrix_form(node)
        if whole is not None:
            return At(whole, at)
        if takes > 1:
            raise NoNotation(f"{node.function} of many matrices")
        (letter,) = self.fresh(used, 1)
        inner = tuple(self.math(a, (*at[:batch], letter), used | {letter}) for a in node.args)
        over = Over(node.function, letter, node.args[0].shape[-1], inner, vector=len(node.shape) > batch)
        return At(over, at[batch:]) if over.vector else over


class _Product:
    """One entry of a product: fixed and shifted indices put in, the rest summed, by groups that share sums."""

    def __init__(self, entries: _Entries, node: expr.Product, at: Index, used: frozenset[str]) -> None:
        self.entries, self.node, self.used = entries, node, used
        self.names: Labels = dict(enumerate(at))
        self.factors = list(node.factors)

    def term(self) -> Term:
        self.fix()
        following = self.followers()
        found: list[Math] = []
        for group in self.groups(following):
            found += self.group(group, following)
        return _term(found or [Num(Fraction(1))])

    def fix(self) -> None:
        """Σ_j e_kj A_ij is A_ik."""
        kept: list[Factor] = []
        for factor, labels in self.factors:
            if isinstance(factor, expr.Basis) and labels[0] not in self.names:
                self.names[labels[0]] = plus(factor.position, 1)
            else:
                kept.append((factor, labels))
        self.factors = kept

    def followers(self) -> dict[int, tuple[int, expr.Selection]]:
        """Σ_j S_ij x_j is x_{i+1}: which summed index follows which, by which selection."""
        found: dict[int, tuple[int, expr.Selection]] = {}
        kept: list[Factor] = []
        for factor, labels in self.factors:
            if isinstance(factor, expr.Selection) and labels[1] not in self.names and labels[1] not in found:
                root = labels[0]
                while root in found:
                    root = found[root][0]
                if root != labels[1]:
                    found[labels[1]] = (labels[0], factor)
                    continue
            kept.append((factor, labels))
        self.factors = kept
        return found

    def sums(self, labels: Iterable[int], following: dict[int, tuple[int, expr.Selection]]) -> set[int]:
        """The summed indices on which these depend."""
        found: set[int] = set()
        for label in labels:
            while label in following:
                label = following[label][0]
            found |= {label} - self.names.keys()
        return found

    def groups(self, following: dict[int, tuple[int, expr.Selection]]) -> list[list[Factor]]:
        """Factors that share sums, in order; each factor without a sum is alone."""
        groups: list[tuple[set[int], list[Factor]]] = []
        for factor in self.factors:
            own = self.sums(factor[1], following)
            near = [group for group in groups if group[0] & own]
            merged = (own.union(*(g[0] for g in near)), [f for g in near for f in g[1]] + [factor])
            if near:
                groups[groups.index(near[0])] = merged
                groups = [g for g in groups if not any(g is other for other in near[1:])]
            else:
                groups.append(merged)
        return [factors for _, factors in groups]

    def group(self, factors: list[Factor], following: dict[int, tuple[int, expr.Selection]]) -> list[Math]:
        """The factors' entries, or one sum of them; a matrix product keeps its form."""
        labels = list(dict.fromkeys(label for _, own in factors for label in own))
        summed = sorted(self.sums(labels, following))
        if len(factors) > 1 and summed and all(label in self.names or label in summed for label in labels):
            out = sorted(label for label in labels if label in self.names)
            whole = _matrix_form(expr.product(factors, [self.node.sizes[label] for label in out], out))
            if whole is not None and len(out) < 3:
                return [At(whole, tuple(self.names[label] for label in out))] if out else [whole]
        letters = self.entries.fresh(self.used, len(summed))
        names = {**self.names, **dict(zip(summed, letters, strict=True))}
        used = self.used | set(letters)
        terms = [self.entries.term(f, tuple(_named(i, names, following) for i in own), used) for f, own in factors]
        maths = [term.math() for term in terms]
        sizes = tuple(self.node.sizes[label] for label in summed)
        return [SumOver(tuple(letters), sizes, _term(maths).math())] if summed else maths


def _named(label: int, names: Labels, following: dict[int, tuple[int, expr.Selection]]) -> Size:
    """The index; one that follows another by its formula."""
    if label not in following:
        return names[label]
    row, chosen = following[label]
    return _chosen(_named(row, names, following), chosen)


def _chosen(row: Size, selection: expr.Selection) -> Size:
    """Which entry a row of a selection takes: start + step (i - 1) + 1, counted from 1."""
    return plus(plus(selection.start, 1 - selection.step), row, selection.step)


def _matrix_form(node: Node) -> Math | None:
    """The notation without indices, if there is one."""
    if len(node.shape) > 2:
        return None
    try:
        math = notation(node)
    except NoNotation:
        return None
    parts = list(pieces(math))
    return None if any(isinstance(p, Indexed) for p in parts) or max(map(_axes, parts)) > 2 else math


def _axes(math: Math) -> int:
    return len(math.shape) if isinstance(math, Symbol | Zero) else 0


def _atom(node: Node, at: Index) -> Math:
    """The entry of a node without parts."""
    match node:
        case expr.Leaf(name=name, shape=shape, symmetric=symmetric):
            symbol = Symbol(name, shape, symmetric)
            return At(symbol, at) if at else symbol
        case expr.SizeOf(letter=letter):
            return Letter(letter)
        case expr.Basis(position=k):
            return _equal(at[0], plus(k, 1), node.shape[0])
        case expr.Delta():
            return _equal(at[0], at[1], node.shape[0])
        case expr.Selection():
            return _equal(_chosen(at[0], node), at[1], node.shape[1])
        case expr.Triangle(offset=offset):
            left, right = plus(at[0], max(offset, 0)), plus(at[1], max(-offset, 0))
            strict = offset == 1
            return Holds(Letter(at[0] if strict else left), "<" if strict else "≤", Letter(right))
        case expr.Range():
            return Letter(plus(at[0], -1))
    raise NoNotation(f"no entry of a {type(node).__name__}")


def _equal(a: Size, b: Size, size: Size) -> Math:
    """δ_ab, or its number where that is known."""
    gap = plus(a, b, -1)
    return Num(Fraction(gap == 0)) if isinstance(gap, int) else At(Identity(size), (a, b))


# ---- terms --------------------------------------------------------------------------------------------------------


def _term(maths: Sequence[Math]) -> Term:
    """The product of scalars as a term."""
    return scalar_term([factor for math in maths for factor in scalar_factors(math)], None)


def _scaled(term: Term, coefficient: expr.Number) -> Term:
    return Term(expr.exact(coefficient * term.coefficient), term.above, term.below, None)
