"""Parts that code needs more than once, under a name: in one expression, or in the lines of a small function.

In: an expression as Python text.  Out: `(P := torch.linalg.inv(X)) @ A @ P` where such a part takes as long as a product
of matrices, or

    def grad_x(x, A, b):
        r = A @ x - b
        return A.T @ r / torch.linalg.norm(r)

with every part that is used twice.  Python evaluates from left to right, so the first place is where a name is given.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

LETTERS = {  # what a part is called, by the function it calls
    "sigmoid": "s",
    "softmax": "p",
    "exp": "e",
    "tanh": "h",
    "relu": "h",
    "solve": "v",
    "inv": "P",
    "pinv": "P",
    "det": "d",
    "norm": "d",
    "eigh": "E",
    "svd": "D",
    "outer": "M",
    "eye": "I",
    "sum": "c",
    "MatMult": "z",
    "Add": "r",
    "Sub": "r",
    "Pow": "q",
    "Compare": "on",
    "shape": "n",
}
FREE = ("u", "v", "w", "z", "q", "g", "h", "k")


LONG = 400  # characters; shorter code repeats its parts, and uses no names but the user's


def one_expression(code: str, costly: Collection[str] | None = None, longest: int = LONG) -> str:
    """Long code with what is costly named where it stands first: what contains one of these parts, or an @.

    >>> one_expression("torch.linalg.inv(X) @ A @ torch.linalg.inv(X)", {"torch.linalg.inv(X)"}, longest=40)
    '(P := torch.linalg.inv(X)) @ A @ P'
    >>> one_expression("torch.linalg.inv(X) @ A @ torch.linalg.inv(X)", {"torch.linalg.inv(X)"})
    'torch.linalg.inv(X) @ A @ torch.linalg.inv(X)'
    """
    if len(code) <= longest or (costly is not None and not costly):
        return code
    try:
        parts = _Parts(code, lambda part, text: isinstance(part, ast.MatMult) if costly is None else text in costly)
        return code if parts.named else parts.text(parts.tree, None)
    except (SyntaxError, RecursionError, MemoryError):  # deeper than Python reads: the code is tried as it is
        return code


def function(name: str, arguments: Sequence[str], code: str) -> str:
    """The expression as a function, a line for each part that it needs twice.

    >>> print(function("grad_x", ["x", "A"], "(A @ x) / torch.sqrt((A @ x) @ (A @ x))"))
    def grad_x(x, A):
        z = A @ x
        return z / torch.sqrt(z @ z)
    """
    lines: list[str] = []
    parts = _Parts(code, None, arguments)
    last = parts.text(parts.tree, lines)
    return "\n".join([f"def {name}({', '.join(arguments)}):", *(f"    {line}" for line in [*lines, f"return {last}"])])


class _Parts:
    """The parts of an expression by what they say; without `costly`, all that is used twice gets a name."""

    def __init__(self, code: str, costly: Callable[[ast.AST, str], bool] | None, taken: Sequence[str] = ()) -> None:
        self.source, self.costly = code.encode(), costly
        self.tree = ast.parse(code, mode="eval").body
        nodes = list(ast.walk(self.tree))
        self.named = {n.target.id for n in nodes if isinstance(n, ast.NamedExpr)}
        self.taken = {n.id for n in nodes if isinstance(n, ast.Name)} | {*taken, "torch", "F", "np"}
        self.keys: dict[ast.AST, str] = {}
        self.names: dict[str, str] = {}
        self.shared = self.twice()

    def key(self, node: ast.AST) -> str:
        if node not in self.keys:
            self.keys[node] = ast.dump(node)
        return self.keys[node]

    def twice(self) -> set[str]:
        """Parts that several different ones are made of."""
        uses: Counter[str] = Counter()

        def look(node: ast.AST) -> None:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr) and _is_trivial(child):
                    continue
                if isinstance(child, ast.expr) and self.worth(child):
                    uses[self.key(child)] += 1
                    if uses[self.key(child)] > 1:
                        continue
                look(child)

        look(self.tree)
        return {key for key, count in uses.items() if count > 1}

    def worth(self, node: ast.expr) -> bool:
        """Whether a part is better computed once."""
        match node:
            case ast.NamedExpr() | ast.Tuple() | ast.List() | ast.Slice() | ast.UnaryOp() | ast.Attribute(attr="T"):
                return False
            case ast.Subscript(value=value) if _is_trivial(value):
                return self.costly is None and isinstance(value, ast.Attribute) and value.attr == "shape"
        return self.costly is None or any(self.costly(n, self.segment(n)) for n in ast.walk(node))

    def segment(self, node: ast.AST) -> str:
        return self.source[slice(*_span(node))].decode() if isinstance(node, ast.expr) else ""

    # ---- writing

    def text(self, node: ast.expr, lines: list[str] | None) -> str:
        """The part's code with names for what is shared; their definitions go to the lines, if there are any."""
        if lines is not None and _is_listing(node):
            return self.listed(node, lines)
        start, end = _span(node)
        text, at = b"", start
        for inner in self.outermost(node):
            first, last = _span(inner)
            named = self.key(inner) in self.names or lines is not None
            own = self.name(inner, lines)
            if self.bracketed(first, last):
                first, last = (first - 1, last + 1) if named and not self.called(first) else (first, last)
            elif not named and not self.alone(first, last):
                own = f"({own})"
            text += self.source[at:first] + own.encode()
            at = last
        return (text + self.source[at:end]).decode()

    def listed(self, node: ast.expr, lines: list[str]) -> str:
        """(v1 := …, …)[-1] as lines and what comes last."""
        assert isinstance(node, ast.Subscript) and isinstance(node.value, ast.Tuple)
        for element in node.value.elts[:-1]:
            self.name(element, lines)
        return self.text(node.value.elts[-1], lines)

    def bracketed(self, first: int, last: int) -> bool:
        return self.source[first - 1 : first] == b"(" and self.source[last : last + 1] == b")"

    def called(self, first: int) -> bool:
        """Whether the bracket before belongs to a call."""
        before = self.source[: first - 1][-1:]
        return before.isalnum() or before in (b"_", b")", b"]")

    def alone(self, first: int, last: int) -> bool:
        """Whether the part is a whole argument of a call, or an entry of a list."""
        before, after = self.source[:first].rstrip()[-1:], self.source[last : last + 1]
        return before in (b"(", b"[") and after == b","

    def outermost(self, node: ast.AST) -> Iterator[ast.expr]:
        """The shared parts inside, from left to right."""
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.expr):
                yield from self.outermost(child)
            elif isinstance(child, ast.NamedExpr) or _is_listing(child) or self.key(child) in self.shared:
                yield child
            else:
                yield from self.outermost(child)

    def name(self, node: ast.expr, lines: list[str] | None) -> str:
        """The name of a shared part, or, the first time and without lines, its definition."""
        if lines is not None and _is_listing(node):
            return f"({self.listed(node, lines)})"
        if isinstance(node, ast.NamedExpr):
            definition, own = self.text(node.value, lines), node.target.id
        elif self.key(node) in self.names:
            return self.names[self.key(node)]
        else:
            definition = self.text(node, lines)
            own = self.names[self.key(node)] = self.letter(node)
        if lines is None:
            return f"{own} := {definition}"
        lines.append(f"{own} = {definition}")
        return own

    def letter(self, node: ast.expr) -> str:
        """A name that is free."""
        first = LETTERS.get(_kind(node), "u")
        more = (f"{first}{k}" for k in range(2, 1000))
        own = next(name for name in (first, *FREE, *more) if name not in self.taken)
        self.taken.add(own)
        return own


def _kind(node: ast.expr) -> str:
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="to")):
            return _kind(value)
        case ast.Call(func=ast.Attribute(attr=name)):
            return name
        case ast.Call(func=ast.Name(id=name)):
            return name
        case ast.BinOp(op=op):
            return type(op).__name__
        case ast.Subscript(value=ast.Attribute(attr="shape")):
            return "shape"
    return type(node).__name__


def _is_trivial(node: ast.expr) -> bool:
    """A name, a number, or a view: X.T, torch.linalg, -1."""
    match node:
        case ast.Name() | ast.Constant():
            return True
        case ast.Attribute(value=value):
            return _is_trivial(value)
        case ast.UnaryOp(operand=operand):
            return _is_trivial(operand)
    return False


def _is_listing(node: ast.expr) -> bool:
    """(v1 := …, …)[-1]"""
    values = node.value.elts if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Tuple) else []
    return any(isinstance(value, ast.NamedExpr) for value in values)


def _span(node: ast.expr) -> tuple[int, int]:
    assert node.end_col_offset is not None and node.lineno == node.end_lineno == 1
    return node.col_offset, node.end_col_offset
