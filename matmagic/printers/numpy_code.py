"""Torch code in NumPy, call by call: np.linalg.solve, np.einsum, @, .T; σ and softmax written out.

In: an expression that torch_code.py or index_code.py made, over the arguments, torch and F.  Out: the same over NumPy
arrays and np, or None where NumPy has no such function (erf, the logarithm of gamma, the exponential of a matrix).
A row says what a call becomes: a name that takes the same arguments, or a template in which a, b, c are the arguments and
`all` is every one of them.
"""

from __future__ import annotations

import ast
import re

SAME = """
    exp expm1 log log1p sin cos tan sinh cosh tanh sqrt abs sign floor ceil round trunc sinc logaddexp maximum minimum
    where outer kron trace diag diagonal eye arange triu tril stack einsum ones_like zeros_like full_like prod argmax
    argmin argsort linalg.solve linalg.inv linalg.pinv linalg.det linalg.norm linalg.matrix_power linalg.cholesky
    linalg.eigvalsh linalg.eigh linalg.svd linalg.slogdet
"""

CALLS = {
    **{f"torch.{name}": f"np.{name}" for name in SAME.split()},
    **{f"torch.{arc}": f"np.arc{arc.removeprefix('a')}" for arc in "asin acos atan asinh acosh atanh atan2".split()},
    "torch.sigmoid": "1 / (1 + np.exp(-a))",
    "torch.softmax": "np.exp(a - np.logaddexp.reduce(a, b, keepdims=True))",
    "torch.logsumexp": "np.logaddexp.reduce",
    "torch.relu": "np.maximum(a, 0)",
    "torch.pow": "a ** b",
    "torch.xlogy": "np.where(a == 0, 0, a * np.log(b))",
    "torch.clamp": "np.clip",
    "torch.clamp min": "np.maximum",
    "torch.clamp max": "np.minimum",
    "torch.amax": "np.max",
    "torch.amin": "np.min",
    "torch.sort": "np.sort",
    "torch.cat": "np.concatenate",
    "torch.tensor": "np.array",
    "torch.ones": "np.ones(all)",
    "torch.zeros": "np.zeros(all)",
    "torch.logdet": "np.linalg.slogdet(a)[1]",
    "torch.nan_to_num": "np.nan_to_num(a, nan=b, posinf=c, neginf=d)",
    "torch.linalg.solve left": "np.linalg.solve(a.T, b.T).T",
    "torch.linalg.svdvals": "np.linalg.svd(a, compute_uv=False)",
    "torch.linalg.matrix_norm": "np.linalg.norm",
    "torch.special.i0": "np.i0",
    "F.softplus": "np.logaddexp(0, a)",
    "F.elu": "np.where(a > 0, a, np.expm1(np.minimum(a, 0)))",
    "F.one_hot": "(a[..., None] == np.arange(b)).astype(float)",
}

METHODS = {  # the tensor is a
    **{name: f"a.{name}" for name in ("sum", "reshape", "squeeze")},
    "permute": "a.transpose",
    "transpose": "a.swapaxes",
    "flip": "np.flip(a, b)",
    "contiguous": "a",
    "numel": "np.size",
    "long": "a.astype(int)",
    "double": "a.astype(float)",
    "to": "a.astype(b.dtype)",
    "expand_as": "np.full(b.shape, a)",
    "new_tensor": "np.array(b, dtype=a.dtype)",
    "new_ones": "np.ones(others, dtype=a.dtype)",
    "new_zeros": "np.zeros(others, dtype=a.dtype)",
}

ATTRIBUTES = {  # of results and arguments; "" is dropped
    **{name: name for name in "T shape eigenvectors eigenvalues U Vh S".split()},
    "values": "",
}


class _NoForm(ValueError):
    """A function that NumPy does not have."""


def numpy_code(code: str) -> str | None:
    """The expression in NumPy.

    >>> numpy_code("torch.linalg.solve(S, x - mu)"), numpy_code("X.T @ (torch.sigmoid(X @ w) - y)")
    ('np.linalg.solve(S, x - mu)', 'X.T @ (1 / (1 + np.exp(-(X @ w))) - y)')
    >>> numpy_code("torch.lgamma(x)") is None
    True
    """
    try:
        tree = _Translator().visit(ast.parse(code, mode="eval"))
    except _NoForm:
        return None
    return ast.unparse(tree).replace("'", '"')


class _Translator(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = _dotted(node.func)
        arguments = [self.visit(a) for a in node.args]
        keywords = [ast.keyword(k.arg, self.visit(k.value)) for k in node.keywords]
        if name.startswith(("torch.", "F.")):
            return self.call(name, arguments, keywords)
        if not isinstance(node.func, ast.Attribute):
            raise _NoForm(name)
        own = self.visit(node.func.value)
        if node.func.attr == "expand":
            return _expanded(own, arguments)
        if node.func.attr not in METHODS:
            raise _NoForm(node.func.attr)
        return _made(METHODS[node.func.attr], [own, *arguments], [])

    def call(self, name: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> ast.expr:
        mark = next((k.arg for k in keywords if f"{name} {k.arg}" in CALLS), None)
        row = CALLS.get(f"{name} {mark}" if mark else name)
        if row is None:
            raise _NoForm(name)
        if mark:
            arguments, keywords = [*arguments, *(k.value for k in keywords)], []
        return _made(row, arguments, keywords)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if _dotted(node) in ("torch.nan", "torch.inf", "torch.pi"):
            return ast.Attribute(ast.Name("np"), node.attr)
        if node.attr not in ATTRIBUTES and isinstance(node.value, ast.Call):
            raise _NoForm(node.attr)
        value = self.visit(node.value)
        return ast.Attribute(value, node.attr) if ATTRIBUTES.get(node.attr, node.attr) else value


def _dotted(node: ast.expr) -> str:
    """torch.linalg.solve; "" for what is no name."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            inner = _dotted(value)
            return f"{inner}.{attr}" if inner else ""
    return ""


def _made(row: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> ast.expr:
    """A row with its arguments."""
    whole: ast.expr = _Filling(arguments).visit(ast.parse(row, mode="eval").body)
    if re.fullmatch(r"np(\.\w+)+", row):
        return ast.Call(whole, arguments, keywords)
    if re.fullmatch(r"a\.\w+", row):
        return ast.Call(whole, arguments[1:], keywords)
    return whole


class _Filling(ast.NodeTransformer):
    """Puts the arguments in; one that is given a name is that name the second time."""

    def __init__(self, arguments: list[ast.expr]) -> None:
        self.known = dict(zip("abcd", arguments, strict=False))
        self.known |= {"all": _sizes(arguments), "others": _sizes(arguments[1:])}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        found = self.known.get(node.id, node)
        if isinstance(found, ast.NamedExpr):
            self.known[node.id] = found.target
        return found


def _sizes(arguments: list[ast.expr]) -> ast.expr:
    return arguments[0] if len(arguments) == 1 else ast.Tuple(list(arguments))


def _expanded(own: ast.expr, sizes: list[ast.expr]) -> ast.expr:
    """A vector repeated, where a size is -1; a scalar as all entries."""
    kept = [isinstance(s, ast.UnaryOp) for s in sizes]
    if not any(kept):
        return _made("np.full(others, a)", [own, *sizes], [])
    return _made(
        "np.tile(a, others)", [own, *(ast.Constant(1) if k else s for k, s in zip(kept, sizes, strict=True))], []
    )
