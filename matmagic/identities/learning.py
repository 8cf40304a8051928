"""What machine learning uses daily: kernels, attention, normalisation, factorisation, principal components."""

from . import identity, values

# fmt: off
identity("RBF kernel", "torch.exp(-c * ((x - y) ** 2).sum())", wrt="x",
         gradient="-2 * c * torch.exp(-c * ((x - y) ** 2).sum()) * (x - y)", shapes="x: n, y: n, c: ",
         source="chain rule with Matrix Cookbook (85)")
identity("RBF kernel by its width", "torch.exp(-((x - y) ** 2).sum() / (2 * s ** 2))", wrt="x",
         gradient="-torch.exp(-((x - y) ** 2).sum() / (2 * s ** 2)) * (x - y) / s ** 2", shapes="x: n, y: n, s: ",
         conditions=("s positive",), source="chain rule with Matrix Cookbook (85)")
identity("Laplacian kernel", "torch.exp(-c * torch.norm(x - y))", wrt="x",
         gradient="-c * torch.exp(-c * torch.norm(x - y)) * (x - y) / torch.norm(x - y)", shapes="x: n, y: n, c: ",
         conditions=("x differs from y",), source="chain rule with Matrix Cookbook (129)")
identity("polynomial kernel", "(x.T @ y + c) ** p", wrt="x", gradient="p * (x.T @ y + c) ** (p - 1) * y",
         shapes="x: n, y: n, c: ", each=values(p="2 3 4"), source="chain rule with Matrix Cookbook (69)")
identity("sigmoid neuron", "torch.sigmoid(w.T @ x + b)", wrt="w",
         gradient="torch.sigmoid(w.T @ x + b) * (1 - torch.sigmoid(w.T @ x + b)) * x", shapes="w: n, x: n, b: ",
         source="chain rule with Matrix Cookbook (69)")
identity("attention output by the query", "V.T @ torch.softmax(K @ q, 0)", wrt="q",
         gradient="V.T @ (torch.diag(torch.softmax(K @ q, 0).squeeze(1))"
                  " - torch.softmax(K @ q, 0) @ torch.softmax(K @ q, 0).T) @ K",
         shapes="q: n, K: m n, V: m k", source="chain rule with the softmax")
identity("attention weights by the query", "torch.softmax(K @ q, 0)", wrt="q",
         gradient="(torch.diag(torch.softmax(K @ q, 0).squeeze(1))"
                  " - torch.softmax(K @ q, 0) @ torch.softmax(K @ q, 0).T) @ K",
         shapes="q: n, K: m n", source="chain rule with the softmax")
identity("centring", "x - x.mean()", wrt="x",
         gradient="torch.eye(x.shape[0]) - torch.ones_like(x) @ torch.ones_like(x).T / x.shape[0]",
         shapes="x: n", source="Matrix calculus, vector by vector")
identity("layer normalisation", "(x - x.mean()) / torch.sqrt(((x - x.mean()) ** 2).mean() + e)", wrt="x",
         gradient="(torch.eye(x.shape[0]) - torch.ones_like(x) @ torch.ones_like(x).T / x.shape[0])"
                  " / torch.sqrt(((x - x.mean()) ** 2).mean() + e)"
                  " - (x - x.mean()) @ (x - x.mean()).T"
                  " / (x.shape[0] * torch.sqrt(((x - x.mean()) ** 2).mean() + e) ** 3)",
         shapes="x: n, e: ", conditions=("e positive",), source="quotient rule with Matrix Cookbook (129)")
identity("RMS normalisation", "x / torch.sqrt((x ** 2).mean() + e)", wrt="x",
         gradient="torch.eye(x.shape[0]) / torch.sqrt((x ** 2).mean() + e)"
                  " - x @ x.T / (x.shape[0] * torch.sqrt((x ** 2).mean() + e) ** 3)",
         shapes="x: n, e: ", conditions=("e positive",), source="quotient rule with Matrix Cookbook (129)")
identity("masked matrix factorisation by the left factor", "(mask * (U @ V.T - R) ** 2).sum()", wrt="U",
         gradient="2 * (mask * (U @ V.T - R)) @ V", shapes="U: m k, V: n k, R: m n, M: m n",
         each=({"mask": "M ** 2"}, {"mask": "M"}), source="Matrix Cookbook (119) with (38)",
         note="M holds zeros and ones, or weights")
identity("masked matrix factorisation by the right factor", "(mask * (U @ V.T - R) ** 2).sum()", wrt="V",
         gradient="2 * (mask * (U @ V.T - R)).T @ U", shapes="U: m k, V: n k, R: m n, M: m n",
         each=({"mask": "M ** 2"}, {"mask": "M"}), source="Matrix Cookbook (119) with (38)",
         note="M holds zeros and ones, or weights")
identity("symmetric matrix factorisation", "(residual ** 2).sum()", wrt="X", gradient="slope", shapes="X: m n, A: p p",
         each=({"residual": "(X @ X.T - A)", "p": "m", "slope": "2 * (2 * X @ X.T - A - A.T) @ X",
                "simple": "4 * (X @ X.T - A) @ X"},
               {"residual": "(X.T @ X - A)", "p": "n", "slope": "2 * X @ (2 * X.T @ X - A - A.T)",
                "simple": "4 * X @ (X.T @ X - A)"}),
         simpler={"A symmetric": "simple"}, source="Matrix Cookbook (108) and (123)")
identity("orthogonality penalty", "((X.T @ X - torch.eye(X.shape[1])) ** 2).sum()", wrt="X",
         gradient="4 * X @ (X.T @ X - torch.eye(X.shape[1]))", shapes="X: m n", source="Matrix Cookbook (108) and (123)")
identity("PCA reconstruction error", "((W @ W.T @ X - X) ** 2).sum()", wrt="W",
         gradient="2 * ((W @ W.T @ X - X) @ X.T @ W + X @ (W @ W.T @ X - X).T @ W)", shapes="W: n k, X: n m",
         source="Matrix Cookbook (119), product rule")
identity("linear autoencoder by the encoder", "((D @ W @ X - X) ** 2).sum()", wrt="W",
         gradient="2 * D.T @ (D @ W @ X - X) @ X.T", shapes="W: k n, D: n k, X: n m", source="Matrix Cookbook (119)")
identity("mean of squared errors of a vector", "((x - y) ** 2).mean()", wrt="x", gradient="2 * (x - y) / x.shape[0]",
         shapes="x: n, y: n", source="Matrix Cookbook (85), W = I / n")
identity("mean of squared errors of a matrix", "((X - Y) ** 2).mean()", wrt="X",
         gradient="2 * (X - Y) / (X.shape[0] * X.shape[1])", shapes="X: m n, Y: m n", source="Matrix Cookbook (119)")
identity("swish", "x * torch.sigmoid(x)", wrt="x",
         gradient="torch.diag((torch.sigmoid(x) + x * torch.sigmoid(x) * (1 - torch.sigmoid(x))).squeeze(1))",
         shapes="x: n", source="product rule with the derivative of the sigmoid")
identity("GELU", "F.gelu(x)", wrt="x",
         gradient="torch.diag((0.5 * (1 + torch.erf(x / 2 ** 0.5)) + x * torch.exp(-x ** 2 / 2) / (2 * torch.pi) ** 0.5)"
                  ".squeeze(1))",
         shapes="x: n", source="product rule with the normal distribution function")
identity("standardisation", "(x - x.mean()) / torch.std(x)", wrt="x",
         gradient="(torch.eye(x.shape[0]) - torch.ones_like(x) @ torch.ones_like(x).T / x.shape[0]) / torch.std(x)"
                  " - (x - x.mean()) @ (x - x.mean()).T / ((x.shape[0] - 1) * torch.std(x) ** 3)",
         shapes="x: n", source="quotient rule with the standard deviation")
