"""Functions applied entry by entry, alone and inside linear maps.

Rows with a word f and its slope df stand for each function of the list below.
"""

from . import identity, values

SLOPES = {
    "torch.exp": "torch.exp",
    "torch.log": "torch.reciprocal",
    "torch.sin": "torch.cos",
    "torch.cos": "-torch.sin",
    "torch.tanh": "(lambda v: 1 - torch.tanh(v) ** 2)",
    "torch.sigmoid": "(lambda v: torch.sigmoid(v) * (1 - torch.sigmoid(v)))",
    "torch.relu": "(lambda v: 1.0 * (v > 0))",
    "F.softplus": "torch.sigmoid",
}
MORE = (  # alone, or summed
    {"f": "F.leaky_relu", "df": "(lambda v: 1.0 * (v > 0) + 0.01 * (v <= 0))"},
    {"f": "F.elu", "df": "(lambda v: 1.0 * (v > 0) + torch.exp(v) * (v <= 0))"},
    {"f": "torch.erf", "df": "(lambda v: 2 / torch.pi ** 0.5 * torch.exp(-v ** 2))"},
)


def functions(*left_out: str) -> tuple[dict[str, str], ...]:
    """The words f and df for each function, without those that have a row of their own."""
    return tuple({"f": f, "df": df} for f, df in SLOPES.items() if f.partition(".")[2] not in left_out)


# fmt: off
identity("sum of exponentials", "torch.exp(x).sum()", wrt="x", gradient="torch.exp(x)",
         shapes="x: n", source="derivative of exp")
identity("sum of logarithms", "torch.log(x).sum()", wrt="x", gradient="1 / x",
         shapes="x: n", conditions=("x positive",), source="derivative of log")
identity("log barrier", "-torch.log(x).sum()", wrt="x", gradient="-1 / x",
         shapes="x: n", conditions=("x positive",), source="derivative of log")
identity("sum of powers", "(x ** p).sum()", wrt="x", gradient="p * x ** (p - 1)",
         shapes="x: n", conditions=("x positive",), each=values(p="3 4 5 6 (-1) (-2) 0.5 1.5 2.5 (-0.5)"),
         source="power rule")
identity("sum of sigmoids", "torch.sigmoid(x).sum()", wrt="x", gradient="torch.sigmoid(x) * (1 - torch.sigmoid(x))",
         shapes="x: n", source="derivative of the sigmoid")
identity("sum of an elementwise function", "f(x).sum()", wrt="x", gradient="df(x)", shapes="x: n",
         conditions=("x positive",), each=functions("exp", "log", "sigmoid") + MORE,
         source="Matrix calculus, chain rule")
identity("weighted sum of an elementwise function", "(a * f(x)).sum()", wrt="x", gradient="a * df(x)",
         shapes="x: n, a: n", conditions=("x positive",), each=functions(), source="Matrix calculus, chain rule")
identity("elementwise function", "f(x)", wrt="x", gradient="torch.diag(df(x).squeeze(1))",
         shapes="x: n", conditions=("x positive",), each=functions() + MORE, source="Matrix calculus, vector by vector, g(u)")
identity("elementwise power", "x ** p", wrt="x", gradient="torch.diag((p * x ** (p - 1)).squeeze(1))",
         shapes="x: n", conditions=("x positive",), each=values(p="2 3 4 5 (-1) (-2) 0.5"), source="power rule")
identity("function of a scalar", "f(t)", wrt="t", gradient="df(t)", shapes="t: ", conditions=("t positive",),
         each=functions(), source="table of derivatives")
identity("linear map of an elementwise function", "A @ f(x)", wrt="x", gradient="A @ torch.diag(df(x).squeeze(1))",
         shapes="x: n, A: m n", conditions=("x positive",), each=functions(), source="Matrix calculus, vector by vector, A u")
identity("elementwise function of a linear map", "f(A @ x)", wrt="x", gradient="torch.diag(df(A @ x).squeeze(1)) @ A",
         shapes="x: n, A: m n", conditions=("x positive", "A positive"), each=functions(),
         source="Matrix calculus, vector by vector, g(u)")
identity("elementwise function of an affine map", "f(A @ x + b)", wrt="x",
         gradient="torch.diag(df(A @ x + b).squeeze(1)) @ A", shapes="x: n, A: m n, b: m",
         conditions=("x positive", "A positive", "b positive"), each=functions(),
         source="Matrix calculus, vector by vector, g(u)", note="a layer of a network")
identity("weighted sum of an elementwise function of a linear map", "u.T @ f(A @ x)", wrt="x",
         gradient="A.T @ (u * df(A @ x))", shapes="x: n, A: m n, u: m", conditions=("x positive", "A positive"),
         each=functions(), source="Matrix calculus, chain rule")
identity("sum of an elementwise function of an affine map", "f(A @ x + b).sum()", wrt="x",
         gradient="A.T @ df(A @ x + b)", shapes="x: n, A: m n, b: m",
         conditions=("x positive", "A positive", "b positive"), each=functions(), source="Matrix calculus, chain rule")
identity("elementwise function of an affine map, by the matrix", "f(X @ a + b).sum()", wrt="X",
         gradient="df(X @ a + b) @ a.T", shapes="X: m n, a: n, b: m",
         conditions=("X positive", "a positive", "b positive"), each=functions(),
         source="Matrix calculus, chain rule")
identity("weighted sum of an elementwise function, by the matrix", "u.T @ f(X @ a)", wrt="X",
         gradient="(u * df(X @ a)) @ a.T", shapes="X: m n, a: n, u: m", conditions=("X positive", "a positive"),
         each=functions(), source="Matrix calculus, chain rule", note="a network with one hidden layer")
identity("sum of an elementwise function of a matrix", "f(X).sum()", wrt="X", gradient="df(X)", shapes="X: m n",
         conditions=("X positive",), each=functions(), source="Matrix calculus, chain rule")
identity("elementwise quotient", "a / x", wrt="x", gradient="-torch.diag((a / x ** 2).squeeze(1))",
         shapes="x: n, a: n", conditions=("x positive",), source="quotient rule")
identity("elementwise quotient by the numerator", "x / a", wrt="x", gradient="torch.diag((1 / a).squeeze(1))",
         shapes="x: n, a: n", conditions=("a positive",), source="quotient rule")
identity("product of entries", "torch.prod(x)", wrt="x", gradient="torch.prod(x) / x",
         shapes="x: n", conditions=("x without zeros",), source="product rule")
identity("entropy", "-(x * torch.log(x)).sum()", wrt="x", gradient="-torch.log(x) - 1",
         shapes="x: n", conditions=("x positive",), source="product rule")
identity("log-sum-exp", "torch.logsumexp(x, 0)", wrt="x", gradient="torch.softmax(x, 0)",
         shapes="x: n", source="chain rule with the derivative of exp")
identity("softmax", "torch.softmax(x, 0)", wrt="x",
         gradient="torch.diag(torch.softmax(x, 0).squeeze(1)) - torch.softmax(x, 0) @ torch.softmax(x, 0).T",
         shapes="x: n", source="quotient rule with the derivative of exp")
identity("log-softmax", "torch.log_softmax(x, 0)", wrt="x",
         gradient="torch.eye(x.shape[0]) - torch.ones_like(x) @ torch.softmax(x, 0).T",
         shapes="x: n", source="chain rule with log-sum-exp")
identity("linear form of the softmax", "a.T @ torch.softmax(x, 0)", wrt="x",
         gradient="torch.softmax(x, 0) * (a - a.T @ torch.softmax(x, 0))", shapes="x: n, a: n",
         source="chain rule with the softmax")
identity("log barrier of linear inequalities", "-torch.log(b - A @ x).sum()", wrt="x",
         gradient="A.T @ (1 / (b - A @ x))", shapes="x: n, A: m n, b: m", conditions=("A x below b",),
         source="chain rule with the derivative of log")
identity("log-sum-exp of an affine map", "torch.logsumexp(A @ x + b, 0)", wrt="x",
         gradient="A.T @ torch.softmax(A @ x + b, 0)", shapes="x: n, A: m n, b: m",
         source="chain rule with log-sum-exp")
identity("log-sum-exp of a linear map", "torch.logsumexp(A @ x, 0)", wrt="x",
         gradient="A.T @ torch.softmax(A @ x, 0)", shapes="x: n, A: m n", source="chain rule with log-sum-exp")
