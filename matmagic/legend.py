"""What the less usual symbols of a formula mean, a phrase for each, to stand below it in small type.

In: a formula in notation.  Out: phrases in the order in which the symbols occur, none for what every course uses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .matrix_functions import FUNCTIONS_OF_MATRICES
from .notation import (
    Apply,
    Called,
    Identity,
    Labelled,
    Math,
    Pow,
    Quotient,
    Rows,
    Triangular,
    pieces,
    rank,
)

ENTRY_BY_ENTRY = {
    "step": "step(t) = 1 where t > 0, else 0",
    "sign": "sign(t) = −1, 0 or 1",
    "clamp": "clamp(t, a, b) = min(max(t, a), b)",
    "where": "where(c, a, b) = a where c holds, else b",
    "equals": "equals(s, t) = 1 where s = t, else 0",
    "ndtr": "Φ is the standard normal distribution function",
    "density": "φ is the standard normal density",
    "reciprocal_or_0": "recip₀(t) = 1/t, and 0 for t = 0",
    "detach": "sg(t) is t, for autograd a constant",
    "expm1": "expm1(t) = exp(t) − 1",
    "log1p": "log1p(t) = log(1 + t)",
    "digamma": "ψ = (log Γ)′",
}
PLACES = {"argmax": "largest", "argmin": "smallest"}
OF_MATRICES = {
    "eigenvalues": "λ₁ ≤ λ₂ ≤ … are the eigenvalues",
    "eigenvectors": "q₁, q₂, … are the unit eigenvectors, in the order of the eigenvalues λ₁ ≤ λ₂ ≤ …, and the columns of Q",
    "polar": "polar(X) = U Vᵀ for the singular value decomposition X = U diag(s) Vᵀ",
    "top_singular": "u₁, v₁ are the singular vectors of the largest singular value",
    "singular_values": "sv(X) are the singular values",
    "left_singular": "U(X), V(X) have the singular vectors as columns",
    "cholesky": "chol(S) is the lower triangular L with L Lᵀ = S",
    "argmax": "e_{argmax(x)} is 1 at the largest entry of x, else 0",
    "argmin": "e_{argmin(x)} is 1 at the smallest entry of x, else 0",
}


def legend(math: Math) -> tuple[str, ...]:
    """The phrases, each once.

    >>> from .notation import Hadamard, Symbol
    >>> x, a = Symbol("x", ("n",)), Symbol("a", ("n",))
    >>> legend(Hadamard((a, Apply("step", (x,)))))
    ('step(t) = 1 where t > 0, else 0',)
    """
    found = list(pieces(math))
    relations = Counter(id(p.args[0]) for p in found if isinstance(p, Apply) and p.function == "where")
    times = Counter(map(id, found))  # a condition is written as a relation, t > 0, and not as step(t)
    return tuple(dict.fromkeys(phrase for p in found if times[id(p)] > relations[id(p)] for phrase in _phrases(p)))


def _phrases(math: Math) -> Iterator[str]:
    match math:
        case Apply(spelled=True):
            return
        case Apply(function=function) if function in ENTRY_BY_ENTRY:
            yield ENTRY_BY_ENTRY[function]
        case Called(function=function, args=args):
            row = FUNCTIONS_OF_MATRICES[function]
            if rank(args[0]) > row.takes and function in PLACES:
                yield f"onehot({function}_rows(X)) is 1 at the {PLACES[function]} entry of each row, else 0"
            elif rank(args[0]) > row.takes and row.text.isidentifier():
                yield f"{row.text}_rows is {row.text} of each row"
            elif function in OF_MATRICES:
                yield OF_MATRICES[function]
        case Quotient(entrywise=True):
            yield "⊘ divides entry by entry"
        case Pow(entrywise=True):
            yield "^⊙ is a power of each entry"
        case Triangular(lower=lower, offset=offset):
            side = "on and below" if lower else "on and above"
            which = "the k-th diagonal" if offset else "the diagonal"
            call = f"{'tril' if lower else 'triu'}(A{', k' if offset else ''})"
            yield f"{call} is A {side} {which}, 0 elsewhere"
        case Labelled(labels=labels):
            yield "onehot(y) is 1 in row i at place yᵢ, else 0" if rank(labels) else "e_{y} is 1 at label y, else 0"
        case Rows(of=Identity()):
            yield "I_{:,i:j} are columns i to j of the identity matrix"
