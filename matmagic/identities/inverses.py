"""Inverses and what is made of them; solutions of linear systems."""

from . import identity

# fmt: off
identity("inverse", "torch.linalg.inv(X)", wrt="X",
         gradient='-torch.einsum("ik,lj->ijkl", torch.linalg.inv(X), torch.linalg.inv(X))',
         shapes="X: n n", conditions=("X invertible",), source="Matrix Cookbook (60) and (40)", note="dF = -X⁻¹ dX X⁻¹")
identity("inverse along a line", "torch.linalg.inv(A + t * B)", wrt="t",
         gradient="-torch.linalg.inv(A + t * B) @ B @ torch.linalg.inv(A + t * B)",
         shapes="t: , A: n n, B: n n", conditions=("A + t B invertible",), source="Matrix Cookbook (59)")
identity("bilinear form of an inverse", "a.T @ torch.linalg.inv(X) @ b", wrt="X",
         gradient="-torch.linalg.inv(X).T @ a @ b.T @ torch.linalg.inv(X).T",
         shapes="X: n n, a: n, b: n", conditions=("X invertible",), source="Matrix Cookbook (61)")
identity("quadratic form of an inverse by the matrix", "a.T @ torch.linalg.inv(X) @ a", wrt="X",
         gradient="-torch.linalg.inv(X).T @ a @ a.T @ torch.linalg.inv(X).T",
         shapes="X: n n, a: n", conditions=("X invertible",), source="Matrix Cookbook (61), b = a")
identity("trace of an inverse", "torch.trace(torch.linalg.inv(X))", wrt="X",
         gradient="-(torch.linalg.inv(X) @ torch.linalg.inv(X)).T",
         shapes="X: n n", conditions=("X invertible",), source="Matrix Cookbook (64), A = 0")
identity("trace of X⁻¹ A", "torch.trace(torch.linalg.inv(X) @ A)", wrt="X",
         gradient="-(torch.linalg.inv(X) @ A @ torch.linalg.inv(X)).T",
         shapes="X: n n, A: n n", conditions=("X invertible",), source="Matrix Cookbook (63), B = I")
identity("trace of A X⁻¹ B", "torch.trace(A @ torch.linalg.inv(X) @ B)", wrt="X",
         gradient="-(torch.linalg.inv(X) @ B @ A @ torch.linalg.inv(X)).T",
         shapes="X: n n, A: k n, B: n k", conditions=("X invertible",), source="Matrix Cookbook (63) and (124)")
identity("trace of the inverse of a shifted matrix", "torch.trace(torch.linalg.inv(X + A))", wrt="X",
         gradient="-(torch.linalg.inv(X + A) @ torch.linalg.inv(X + A)).T",
         shapes="X: n n, A: n n", conditions=("X + A invertible",), source="Matrix Cookbook (64)")
identity("trace of (Xᵀ C X)⁻¹ A", "torch.trace(torch.linalg.inv(X.T @ C @ X) @ A)", wrt="X",
         gradient="-C @ X @ torch.linalg.inv(X.T @ C @ X) @ A @ torch.linalg.inv(X.T @ C @ X)"
                  " - C.T @ X @ (torch.linalg.inv(X.T @ C @ X) @ A @ torch.linalg.inv(X.T @ C @ X)).T",
         shapes="X: m n, C: m m, A: n n", conditions=("m >= n",),
         simpler={"C symmetric": "-C @ X @ torch.linalg.inv(X.T @ C @ X) @ (A + A.T) @ torch.linalg.inv(X.T @ C @ X)"},
         source="Matrix Cookbook (125)")
identity("trace of (Xᵀ C X)⁻¹ Xᵀ B X", "torch.trace(torch.linalg.inv(X.T @ C @ X) @ (X.T @ B @ X))", wrt="X",
         gradient="-C @ X @ torch.linalg.inv(X.T @ C @ X) @ X.T @ B @ X @ torch.linalg.inv(X.T @ C @ X)"
                  " - C.T @ X @ (torch.linalg.inv(X.T @ C @ X) @ X.T @ B @ X @ torch.linalg.inv(X.T @ C @ X)).T"
                  " + B @ X @ torch.linalg.inv(X.T @ C @ X) + B.T @ X @ torch.linalg.inv(X.T @ C @ X).T",
         shapes="X: m n, C: m m, B: m m", conditions=("m >= n",),
         simpler={"B, C symmetric":
                  "2 * B @ X @ torch.linalg.inv(X.T @ C @ X)"
                  " - 2 * C @ X @ torch.linalg.inv(X.T @ C @ X) @ X.T @ B @ X @ torch.linalg.inv(X.T @ C @ X)"},
         source="Matrix Cookbook (126)")
identity("trace of (A + Xᵀ C X)⁻¹ Xᵀ B X", "torch.trace(torch.linalg.inv(A + X.T @ C @ X) @ (X.T @ B @ X))", wrt="X",
         gradient="-C @ X @ torch.linalg.inv(A + X.T @ C @ X) @ X.T @ B @ X @ torch.linalg.inv(A + X.T @ C @ X)"
                  " - C.T @ X @ (torch.linalg.inv(A + X.T @ C @ X) @ X.T @ B @ X"
                  " @ torch.linalg.inv(A + X.T @ C @ X)).T"
                  " + B @ X @ torch.linalg.inv(A + X.T @ C @ X) + B.T @ X @ torch.linalg.inv(A + X.T @ C @ X).T",
         shapes="X: m n, A: n n, C: m m, B: m m",
         simpler={"A, B, C symmetric":
                  "2 * B @ X @ torch.linalg.inv(A + X.T @ C @ X)"
                  " - 2 * C @ X @ torch.linalg.inv(A + X.T @ C @ X) @ X.T @ B @ X @ torch.linalg.inv(A + X.T @ C @ X)"},
         source="Matrix Cookbook (127)", note="(127) holds where A is symmetric too, which it does not say")
identity("solution of a linear system", "torch.linalg.solve(A, x)", wrt="x", gradient="torch.linalg.inv(A)",
         shapes="x: n, A: n n", conditions=("A invertible",), source="Matrix calculus, vector by vector, A⁻¹ x")
identity("solution of a linear system by the matrix", "torch.linalg.inv(X) @ b", wrt="X",
         gradient='-torch.einsum("ij,k->ijk", torch.linalg.inv(X), (torch.linalg.inv(X) @ b).squeeze(1))',
         shapes="X: n n, b: n", conditions=("X invertible",), source="Matrix Cookbook (59)", note="dF = -X⁻¹ dX X⁻¹ b")
identity("squared norm of an inverse", "(torch.linalg.inv(X) ** 2).sum()", wrt="X",
         gradient="-2 * torch.linalg.inv(X).T @ torch.linalg.inv(X) @ torch.linalg.inv(X).T",
         shapes="X: n n", conditions=("X invertible",), source="Matrix Cookbook (132) with (59)")
