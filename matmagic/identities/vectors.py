"""Functions of a vector: linear, bilinear and quadratic forms, linear maps."""

from . import identity, values

# fmt: off
identity("sum of entries", "x.sum()", wrt="x", gradient="torch.ones_like(x)",
         shapes="x: n", source="Matrix Cookbook (69), a = 1")
identity("linear form", "a.T @ x", wrt="x", gradient="a",
         shapes="x: n, a: n", source="Matrix Cookbook (69)")
identity("linear map", "A @ x", wrt="x", gradient="A",
         shapes="x: n, A: m n", source="Matrix calculus, vector by vector")
identity("identity map", "1 * x", wrt="x", gradient="torch.eye(x.shape[0])",
         shapes="x: n", source="Matrix calculus, vector by vector")
identity("diagonal scaling", "w * x", wrt="x", gradient="torch.diag(w.squeeze(1))",
         shapes="x: n, w: n", source="Matrix calculus, vector by vector, A = diag(w)")
identity("bilinear form", "x.T @ A @ y", wrt="x", gradient="A @ y",
         shapes="x: n, A: n m, y: m", source="Matrix Cookbook (69), a = A y")
identity("squared norm", "x.T @ x", wrt="x", gradient="2 * x",
         shapes="x: n", source="Matrix Cookbook (131)")
identity("multiple of the squared norm", "c * x.T @ x", wrt="x", gradient="2 * c * x",
         shapes="x: n, c: ", source="Matrix Cookbook (131)")
identity("quadratic form", "x.T @ A @ x", wrt="x", gradient="(A + A.T) @ x",
         shapes="x: n, A: n n", simpler={"A symmetric": "2 * A @ x"}, source="Matrix Cookbook (81)")
identity("quadratic form with a symmetric matrix", "x.T @ A @ x", wrt="x", gradient="2 * A @ x",
         shapes="x: n, A: n n", given=("A symmetric",), source="Matrix Cookbook (81), B symmetric")
identity("squared norm of an orthogonal map", "x.T @ Q.T @ Q @ x", wrt="x", gradient="2 * x",
         shapes="x: n, Q: m n", given=("Q orthonormal-columns",), conditions=("m >= n",),
         source="Matrix Cookbook (131) and (81), Qᵀ Q = I")
identity("quadratic plus linear", "x.T @ A @ x + b.T @ x", wrt="x", gradient="(A + A.T) @ x + b",
         shapes="x: n, A: n n, b: n", simpler={"A symmetric": "2 * A @ x + b"}, source="Matrix Cookbook (97)")
identity("weighted sum of squares", "(w * x ** 2).sum()", wrt="x", gradient="2 * w * x",
         shapes="x: n, w: n", source="Matrix Cookbook (81), A = diag(w)")
identity("weighted squared distance", "(x - s).T @ W @ (x - s)", wrt="x", gradient="(W + W.T) @ (x - s)",
         shapes="x: n, s: n, W: n n", simpler={"W symmetric": "2 * W @ (x - s)"},
         source="Matrix Cookbook (85)")
identity("product of two linear forms", "a.T @ x @ x.T @ b", wrt="x", gradient="(a @ b.T + b @ a.T) @ x",
         shapes="x: n, a: n, b: n", source="Matrix Cookbook (81), A = a bᵀ")
identity("product of two affine forms", "(B @ x + b).T @ C @ (D @ x + d)", wrt="x",
         gradient="B.T @ C @ (D @ x + d) + D.T @ C.T @ (B @ x + b)",
         shapes="x: n, B: m n, b: m, C: m k, D: k n, d: k", source="Matrix Cookbook (78)")
identity("square of the sum of entries", "x.sum() ** 2", wrt="x", gradient="2 * x.sum() * torch.ones_like(x)",
         shapes="x: n", source="Matrix Cookbook (76)")
identity("scalar function times vector", "(a.T @ x) * x", wrt="x",
         gradient="(a.T @ x) * torch.eye(x.shape[0]) + x @ a.T",
         shapes="x: n, a: n", source="Matrix calculus, vector by vector, u = aᵀ x")
identity("linear form times a vector", "(b.T @ x) * a", wrt="x", gradient="a @ b.T",
         shapes="x: n, b: n, a: m", source="Matrix calculus, vector by vector, v = bᵀ x")
identity("Rayleigh quotient", "(x.T @ A @ x) / (x.T @ x)", wrt="x",
         gradient="(A + A.T) @ x / (x.T @ x) - 2 * (x.T @ A @ x) * x / (x.T @ x) ** 2",
         shapes="x: n, A: n n", conditions=("x nonzero",),
         source="quotient rule with Matrix Cookbook (81)")
identity("square of a scalar", "t ** 2", wrt="t", gradient="2 * t",
         shapes="t: ", source="power rule")
identity("squared difference", "(t - c) ** 2", wrt="t", gradient="2 * (t - c)",
         shapes="t: , c: ", source="power rule and linearity")
identity("polynomial of a scalar", "whole", wrt="x", gradient="slope", shapes="x: , c: , d: , e: ",
         each=({"whole": "c * x + d", "slope": "c"},
               {"whole": "x ** 2 + c * x", "slope": "2 * x + c"},
               {"whole": "c * x ** 2 + d * x", "slope": "2 * c * x + d"},
               {"whole": "x ** 3 + c * x ** 2 + d * x", "slope": "3 * x ** 2 + 2 * c * x + d"},
               {"whole": "c * x ** 3 + d * x ** 2 + e * x", "slope": "3 * c * x ** 2 + 2 * d * x + e"}),
         source="power rule and linearity", note="a partial derivative where c, d and e depend on other variables")
identity("proportional scalar", "a * t", wrt="t", gradient="a",
         shapes="t: , a: ", source="linearity")
identity("mean of entries", "x.mean()", wrt="x", gradient="torch.ones_like(x) / x.shape[0]",
         shapes="x: n", source="Matrix Cookbook (69), a = 1 / n")
identity("root mean square", "torch.sqrt((x ** 2).mean())", wrt="x",
         gradient="x / (x.shape[0] * torch.sqrt((x ** 2).mean()))", shapes="x: n", conditions=("x nonzero",),
         source="chain rule with Matrix Cookbook (131)")
identity("normalised weights", "x / x.sum()", wrt="x",
         gradient="torch.eye(x.shape[0]) / x.sum() - x @ torch.ones_like(x).T / x.sum() ** 2", shapes="x: n",
         conditions=("x positive",), source="quotient rule")
identity("weighted mean", "(c * x).mean()", wrt="x", gradient="c / x.shape[0]",
         shapes="x: n, c: n", source="Matrix Cookbook (69), a = c / n")
identity("quadratic form of an inverse", "x.T @ torch.linalg.inv(A) @ x", wrt="x",
         gradient="(torch.linalg.inv(A) + torch.linalg.inv(A).T) @ x", shapes="x: n, A: n n",
         conditions=("A invertible",), simpler={"A symmetric": "2 * torch.linalg.inv(A) @ x"},
         source="Matrix Cookbook (81), B = A⁻¹")
identity("square of a linear form", "(a.T @ x) ** 2", wrt="x", gradient="2 * (a.T @ x) * a",
         shapes="x: n, a: n", source="Matrix Cookbook (81), A = a aᵀ")
identity("squared residual of one observation", "(a.T @ x - b) ** 2", wrt="x", gradient="2 * (a.T @ x - b) * a",
         shapes="x: n, a: n, b: ", source="chain rule with Matrix Cookbook (69)")
identity("quadratic form by its diagonal", "(d * x ** 2).sum()", wrt="d", gradient="x ** 2",
         shapes="d: n, x: n", source="Matrix Cookbook (72), the diagonal of X",
         note="xᵀ diag(d) x")
identity("trace with a diagonal matrix", "torch.trace(A @ torch.diag(d.squeeze(1)))", wrt="d",
         gradient="torch.diag(A)[:, None]", shapes="d: n, A: n n", source="Matrix Cookbook (142)")
identity("multiple of a vector", "c * x", wrt="x", gradient="c * torch.eye(x.shape[0])",
         shapes="x: n, c: ", source="Matrix calculus, vector by vector")
identity("vector along a scalar", "t * a", wrt="t", gradient="a",
         shapes="t: , a: n", source="Matrix calculus, vector by scalar")
identity("outer product", "x @ a.T", wrt="x",
         gradient='torch.einsum("ik,j->ijk", torch.eye(x.shape[0]), a.squeeze(1))',
         shapes="x: n, a: m", source="Matrix Cookbook (37)")
identity("outer product by the right factor", "a @ x.T", wrt="x",
         gradient='torch.einsum("i,jk->ijk", a.squeeze(1), torch.eye(x.shape[0]))',
         shapes="x: n, a: m", source="Matrix Cookbook (37)")
identity("outer square", "x @ x.T", wrt="x",
         gradient='torch.einsum("ik,j->ijk", torch.eye(x.shape[0]), x.squeeze(1))'
                  ' + torch.einsum("i,jk->ijk", x.squeeze(1), torch.eye(x.shape[0]))',
         shapes="x: n", source="Matrix Cookbook (37)")
identity("power of a scalar", "t ** p", wrt="t", gradient="p * t ** (p - 1)",
         shapes="t: ", conditions=("t positive",), each=values(p="3 4 5 (-1) (-2) 0.5 1.5"), source="power rule")
identity("Fisher criterion", "(a.T @ x) ** 2 / (x.T @ B @ x)", wrt="x",
         gradient="2 * (a.T @ x) * a / (x.T @ B @ x) - (a.T @ x) ** 2 * (B + B.T) @ x / (x.T @ B @ x) ** 2",
         shapes="x: n, a: n, B: n n", conditions=("x nonzero", "B positive-definite"),
         source="quotient rule with Matrix Cookbook (81)", note="a is the difference of two means: linear discriminants")
identity("generalised Rayleigh quotient", "(x.T @ A @ x) / (x.T @ B @ x)", wrt="x",
         gradient="(A + A.T) @ x / (x.T @ B @ x) - (x.T @ A @ x) * (B + B.T) @ x / (x.T @ B @ x) ** 2",
         shapes="x: n, A: n n, B: n n", conditions=("x nonzero", "B positive-definite"),
         source="Matrix Cookbook (94) and (95)",
         note="the first denominator of (95) lacks a transpose in print: it is xᵀ Bᵀ B x")
