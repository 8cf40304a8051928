"""Functions of a matrix without a trace: forms aᵀ X b and their squares."""

from . import identity

# fmt: off
identity("bilinear form in the matrix", "a.T @ X @ b", wrt="X", gradient="a @ b.T",
         shapes="X: m n, a: m, b: n", source="Matrix Cookbook (70)")
identity("quadratic form in the matrix", "a.T @ X @ a", wrt="X", gradient="a @ a.T",
         shapes="X: n n, a: n", source="Matrix Cookbook (72)")
identity("sum of matrix entries", "X.sum()", wrt="X", gradient="torch.ones_like(X)",
         shapes="X: m n", source="Matrix Cookbook (70), a = b = 1")
identity("square of the sum of matrix entries", "X.sum() ** 2", wrt="X", gradient="2 * X.sum() * torch.ones_like(X)",
         shapes="X: m n", source="Matrix Cookbook (76)")
identity("Gram bilinear form", "b.T @ X.T @ X @ c", wrt="X", gradient="X @ (b @ c.T + c @ b.T)",
         shapes="X: m n, b: n, c: n", source="Matrix Cookbook (77)")
identity("weighted Gram bilinear form", "b.T @ X.T @ D @ X @ c", wrt="X",
         gradient="D.T @ X @ b @ c.T + D @ X @ c @ b.T",
         shapes="X: m n, b: n, c: n, D: m m", source="Matrix Cookbook (82)")
identity("quadratic form of X b + c", "(X @ b + c).T @ D @ (X @ b + c)", wrt="X",
         gradient="(D + D.T) @ (X @ b + c) @ b.T",
         shapes="X: m n, b: n, c: m, D: m m", source="Matrix Cookbook (83)")
identity("matrix-vector product by the matrix", "whole", wrt="X", gradient="slope", shapes="X: m n, a: p",
         each=({"whole": "X @ a", "p": "n", "slope": 'torch.einsum("ik,j->ikj", torch.eye(X.shape[0]), a.squeeze(1))'},
               {"whole": "X.T @ a", "p": "m", "slope": 'torch.einsum("ik,j->ijk", torch.eye(X.shape[1]), a.squeeze(1))'}),
         source="Matrix Cookbook (73)")
identity("sums of the rows", "X.sum(1)", wrt="X",
         gradient='torch.einsum("ik,j->ikj", torch.eye(X.shape[0]), torch.ones(X.shape[1]))',
         shapes="X: m n", source="Matrix Cookbook (73), a = 𝟏")
identity("sums of the columns", "X.sum(0)", wrt="X",
         gradient='torch.einsum("ik,j->ijk", torch.eye(X.shape[1]), torch.ones(X.shape[0]))',
         shapes="X: m n", source="Matrix Cookbook (73), a = 𝟏")
identity("centring of the columns", "X - X.mean(0)", wrt="X",
         gradient='torch.einsum("ik,jl->ijkl", torch.eye(X.shape[0]) - torch.ones(X.shape[0], X.shape[0]) / X.shape[0],'
                  " torch.eye(X.shape[1]))",
         shapes="X: m n", source="Matrix Cookbook (37) with the centring matrix")
identity("Hadamard product times a vector", "(A * X) @ b", wrt="X",
         gradient='torch.einsum("ik,kj->ikj", torch.eye(X.shape[0]), A * b.T)', shapes="X: m n, A: m n, b: n",
         source="Matrix Cookbook (38)")
identity("product with a matrix on the right", "X @ A", wrt="X",
         gradient='torch.einsum("ik,lj->ijkl", torch.eye(X.shape[0]), A)',
         shapes="X: m n, A: n k", source="Matrix Cookbook (74)")
identity("product with a matrix on the left", "A @ X", wrt="X",
         gradient='torch.einsum("ik,jl->ijkl", A, torch.eye(X.shape[1]))',
         shapes="X: m n, A: k m", source="Matrix Cookbook (37)")
identity("transpose times a matrix", "X.T @ A", wrt="X",
         gradient='torch.einsum("il,kj->ijkl", torch.eye(X.shape[1]), A)',
         shapes="X: m n, A: m k", source="Matrix Cookbook (75)")
identity("matrix times the transpose", "A @ X.T", wrt="X",
         gradient='torch.einsum("il,jk->ijkl", A, torch.eye(X.shape[0]))',
         shapes="X: m n, A: k n", source="Matrix Cookbook (44) and (37)")
identity("A X B", "A @ X @ B", wrt="X", gradient='torch.einsum("ik,lj->ijkl", A, B)',
         shapes="X: m n, A: k m, B: n p", source="Matrix Cookbook (37)", note="dF = A dX B")
identity("vec of A X B", "(A @ X @ B).T.reshape(-1)", wrt="X", gradient='torch.einsum("ik,lj->jikl", A, B)',
         shapes="X: m n, A: k m, B: n p", source="Matrix Cookbook, section 10.2.2",
         note="vec(A X B) = (Bᵀ ⊗ A) vec(X), columns stacked")
identity("identity map of a matrix", "1 * X", wrt="X",
         gradient='torch.einsum("ik,jl->ijkl", torch.eye(X.shape[0]), torch.eye(X.shape[1]))',
         shapes="X: m n", source="Matrix Cookbook (73)")
identity("transpose", "X.T", wrt="X",
         gradient='torch.einsum("il,jk->ijkl", torch.eye(X.shape[1]), torch.eye(X.shape[0]))',
         shapes="X: m n", source="Matrix Cookbook (44)")
identity("Hadamard product with a matrix", "A * X", wrt="X",
         gradient='torch.einsum("ij,ik,jl->ijkl", A, torch.eye(X.shape[0]), torch.eye(X.shape[1]))',
         shapes="X: m n, A: m n", source="Matrix Cookbook (38)")
identity("square of a matrix", "X @ X", wrt="X",
         gradient='torch.einsum("ik,lj->ijkl", torch.eye(X.shape[0]), X)'
                  ' + torch.einsum("ik,lj->ijkl", X, torch.eye(X.shape[0]))',
         shapes="X: n n", source="Matrix Cookbook (90), n = 2", note="dF = dX X + X dX")
identity("cube of a matrix", "X @ X @ X", wrt="X",
         gradient='torch.einsum("ik,lj->ijkl", torch.eye(X.shape[0]), X @ X) + torch.einsum("ik,lj->ijkl", X, X)'
                  ' + torch.einsum("ik,lj->ijkl", X @ X, torch.eye(X.shape[0]))',
         shapes="X: n n", source="Matrix Cookbook (90), n = 3", note="dF = dX X² + X dX X + X² dX")
identity("Gram matrix", "X.T @ X", wrt="X",
         gradient='torch.einsum("il,kj->ijkl", torch.eye(X.shape[1]), X)'
                  ' + torch.einsum("jl,ki->ijkl", torch.eye(X.shape[1]), X)',
         shapes="X: m n", source="Matrix Cookbook (79), B = I", note="dF = dXᵀ X + Xᵀ dX")
identity("Gram matrix of the rows", "X @ X.T", wrt="X",
         gradient='torch.einsum("ik,jl->ijkl", torch.eye(X.shape[0]), X)'
                  ' + torch.einsum("jk,il->ijkl", torch.eye(X.shape[0]), X)',
         shapes="X: m n", source="Matrix Cookbook (37) and (44)", note="dF = dX Xᵀ + X dXᵀ")
identity("congruence Xᵀ B X", "X.T @ B @ X", wrt="X",
         gradient='torch.einsum("il,kj->ijkl", torch.eye(X.shape[1]), B @ X)'
                  ' + torch.einsum("jl,ik->ijkl", torch.eye(X.shape[1]), X.T @ B)',
         shapes="X: m n, B: m m", source="Matrix Cookbook (79) and (80)", note="dF = dXᵀ B X + Xᵀ B dX")
identity("congruence X B Xᵀ", "X @ B @ X.T", wrt="X",
         gradient='torch.einsum("ik,lj->ijkl", torch.eye(X.shape[0]), B @ X.T)'
                  ' + torch.einsum("jk,il->ijkl", torch.eye(X.shape[0]), X @ B)',
         shapes="X: m n, B: n n", source="Matrix Cookbook (37) and (44)", note="dF = dX B Xᵀ + X B dXᵀ")
identity("affine function of a matrix along a scalar", "A + t * B", wrt="t", gradient="B",
         shapes="t: , A: m n, B: m n", source="Matrix calculus, matrix by scalar")
identity("matrix exponential along a scalar", "torch.linalg.matrix_exp(t * A)", wrt="t",
         gradient="A @ torch.linalg.matrix_exp(t * A)", shapes="t: , A: n n", source="Matrix calculus, matrix by scalar")
