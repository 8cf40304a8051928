"""Determinants, their powers and logarithms."""

from . import identity, values

# fmt: off
identity("determinant", "torch.linalg.det(X)", wrt="X", gradient="torch.linalg.det(X) * torch.linalg.inv(X).T",
         shapes="X: n n", conditions=("X invertible",),
         structured={"symmetric": "torch.linalg.det(X) * (2 * torch.linalg.inv(X)"
                                  " - torch.diag(torch.diag(torch.linalg.inv(X))))"},
         source="Matrix Cookbook (49), (140) for symmetric X", note="in general the transpose of the adjugate")
identity("determinant of A X B", "torch.linalg.det(A @ X @ B)", wrt="X",
         gradient="torch.linalg.det(A @ X @ B) * A.T @ torch.linalg.inv(A @ X @ B).T @ B.T",
         shapes="X: m n, A: k m, B: n k", conditions=("m >= k", "n >= k"), source="Matrix Cookbook (51)",
         note="for square A, X and B it is det(A X B) X⁻ᵀ")
identity("determinant of Xᵀ A X", "torch.linalg.det(X.T @ A @ X)", wrt="X",
         gradient="torch.linalg.det(X.T @ A @ X) * (A @ X @ torch.linalg.inv(X.T @ A @ X)"
                  " + A.T @ X @ torch.linalg.inv(X.T @ A @ X).T)",
         shapes="X: m n, A: m m", conditions=("m >= n",),
         simpler={"A symmetric": "2 * torch.linalg.det(X.T @ A @ X) * A @ X @ torch.linalg.inv(X.T @ A @ X)",
                  "X square": "2 * torch.linalg.det(X.T @ A @ X) * torch.linalg.inv(X).T"},
         source="Matrix Cookbook (54)")
identity("determinant of Xᵀ A X, A symmetric", "torch.linalg.det(X.T @ A @ X)", wrt="X",
         gradient="2 * torch.linalg.det(X.T @ A @ X) * A @ X @ torch.linalg.inv(X.T @ A @ X)",
         shapes="X: m n, A: m m", given=("A symmetric",), conditions=("m >= n",), source="Matrix Cookbook (53)")
identity("determinant of Xᵀ A X, X square", "torch.linalg.det(X.T @ A @ X)", wrt="X",
         gradient="2 * torch.linalg.det(X.T @ A @ X) * torch.linalg.inv(X).T",
         shapes="X: n n, A: n n", conditions=("X invertible",), source="Matrix Cookbook (52)")
identity("determinant of the Gram matrix", "torch.linalg.det(X.T @ X)", wrt="X",
         gradient="2 * torch.linalg.det(X.T @ X) * X @ torch.linalg.inv(X.T @ X)",
         shapes="X: m n", conditions=("m >= n",), source="Matrix Cookbook (53), A = I")
identity("determinant of an inverse", "torch.linalg.det(torch.linalg.inv(X))", wrt="X",
         gradient="-torch.linalg.det(torch.linalg.inv(X)) * torch.linalg.inv(X).T",
         shapes="X: n n", conditions=("X invertible",), source="Matrix Cookbook (62)")
identity("determinant of a power", "torch.linalg.det(torch.linalg.matrix_power(X, k))", wrt="X",
         gradient="k * torch.linalg.det(torch.linalg.matrix_power(X, k)) * torch.linalg.inv(X).T",
         shapes="X: n n", conditions=("X invertible",), each=values(k="2 3 4 5"),
         source="Matrix Cookbook (58)")
identity("log-determinant", "torch.logdet(X)", wrt="X", gradient="torch.linalg.inv(X).T",
         shapes="X: n n", conditions=("X positive-det",),
         structured={"symmetric": "2 * torch.linalg.inv(X) - torch.diag(torch.diag(torch.linalg.inv(X)))"},
         source="Matrix Cookbook (57), (43) and (141) for symmetric X")
identity("log-determinant barrier", "-torch.logdet(X)", wrt="X", gradient="-torch.linalg.inv(X).T",
         shapes="X: n n", conditions=("X positive-det",), source="Matrix Cookbook (57)")
identity("log-determinant of a multiple", "torch.logdet(a * X)", wrt="X", gradient="torch.linalg.inv(X).T",
         shapes="X: n n, a: ", conditions=("X positive-det", "a positive"), source="Matrix calculus, scalar by matrix")
identity("log-determinant of the Gram matrix", "torch.logdet(X.T @ X)", wrt="X",
         gradient="2 * X @ torch.linalg.inv(X.T @ X)", shapes="X: m n", conditions=("m >= n",),
         source="Matrix Cookbook (55)", note="twice the transpose of the pseudoinverse")
identity("log-determinant of the Gram matrix by the pseudoinverse",
         "torch.logdet(torch.linalg.pinv(P).T @ torch.linalg.pinv(P))", wrt="P", gradient="-2 * torch.linalg.pinv(P).T",
         shapes="P: n m", conditions=("m >= n",), source="Matrix Cookbook (56)", note="P is the pseudoinverse of X")
identity("determinant of the Gram matrix of the rows", "torch.linalg.det(X @ X.T)", wrt="X",
         gradient="2 * torch.linalg.det(X @ X.T) * torch.linalg.inv(X @ X.T) @ X",
         shapes="X: m n", conditions=("n >= m",), source="Matrix Cookbook (53), A = I, transposed")
identity("log-determinant of the Gram matrix of the rows", "torch.logdet(X @ X.T)", wrt="X",
         gradient="2 * torch.linalg.inv(X @ X.T) @ X", shapes="X: m n", conditions=("n >= m",),
         source="Matrix Cookbook (55), transposed")
identity("log-determinant of A + X Xᵀ", "torch.logdet(A + X @ X.T)", wrt="X",
         gradient="(torch.linalg.inv(A + X @ X.T) + torch.linalg.inv(A + X @ X.T).T) @ X", shapes="X: m n, A: m m",
         conditions=("A positive-definite",), source="chain rule with Matrix Cookbook (57)")
identity("log-determinant of A + Xᵀ X", "torch.logdet(A + X.T @ X)", wrt="X",
         gradient="X @ (torch.linalg.inv(A + X.T @ X) + torch.linalg.inv(A + X.T @ X).T)", shapes="X: m n, A: n n",
         conditions=("A positive-definite",), source="chain rule with Matrix Cookbook (57)")
identity("log-determinant of Xᵀ A X", "torch.logdet(X.T @ A @ X)", wrt="X",
         gradient="A @ X @ torch.linalg.inv(X.T @ A @ X) + A.T @ X @ torch.linalg.inv(X.T @ A @ X).T",
         shapes="X: m n, A: m m", conditions=("m >= n", "A positive-definite"),
         source="chain rule with Matrix Cookbook (54)")
identity("log-determinant of A X B + C", "torch.logdet(A @ X @ B + C)", wrt="X",
         gradient="A.T @ torch.linalg.inv(A @ X @ B + C).T @ B.T",
         shapes="X: m n, A: k m, B: n k, C: k k", conditions=("A X B + C of positive determinant",),
         source="chain rule with Matrix Cookbook (57)")
identity("log-determinant of a shifted matrix", "torch.logdet(X + A)", wrt="X", gradient="torch.linalg.inv(X + A).T",
         shapes="X: n n, A: n n", conditions=("X + A of positive determinant",),
         source="chain rule with Matrix Cookbook (57)")
identity("determinant of a shifted matrix", "torch.linalg.det(X + A)", wrt="X",
         gradient="torch.linalg.det(X + A) * torch.linalg.inv(X + A).T",
         shapes="X: n n, A: n n", conditions=("X + A invertible",), source="chain rule with Matrix Cookbook (49)")
identity("determinant along a line", "torch.linalg.det(A + t * B)", wrt="t",
         gradient="torch.linalg.det(A + t * B) * torch.trace(torch.linalg.inv(A + t * B) @ B)",
         shapes="t: , A: n n, B: n n", conditions=("A + t B invertible",), source="Matrix Cookbook (46)")
identity("log-determinant along a line", "torch.logdet(A + t * B)", wrt="t",
         gradient="torch.trace(torch.linalg.inv(A + t * B) @ B)",
         shapes="t: , A: n n, B: n n", conditions=("A + t B of positive determinant",),
         source="Matrix Cookbook (43)")
