"""Log-likelihoods, divergences, variances."""

from . import identity

# fmt: off
identity("squared Mahalanobis distance", "(x - m).T @ torch.linalg.inv(S) @ (x - m)", wrt="x",
         gradient="(torch.linalg.inv(S) + torch.linalg.inv(S).T) @ (x - m)", shapes="x: n, m: n, S: n n",
         conditions=("S invertible",), simpler={"S symmetric": "2 * torch.linalg.inv(S) @ (x - m)"},
         source="Matrix Cookbook (85), W = S⁻¹")
identity("Mahalanobis distance", "torch.sqrt((x - m).T @ torch.linalg.inv(S) @ (x - m))", wrt="x",
         gradient="(torch.linalg.inv(S) + torch.linalg.inv(S).T) @ (x - m)"
                  " / (2 * torch.sqrt((x - m).T @ torch.linalg.inv(S) @ (x - m)))",
         shapes="x: n, m: n, S: n n", conditions=("S positive-definite", "x differs from m"),
         source="chain rule with Matrix Cookbook (85)")
identity("KL divergence of Gaussians in the mean", "(m - a).T @ torch.linalg.inv(S) @ (m - a) / 2", wrt="m",
         gradient="(torch.linalg.inv(S) + torch.linalg.inv(S).T) @ (m - a) / 2", shapes="m: n, a: n, S: n n",
         conditions=("S invertible",), simpler={"S symmetric": "torch.linalg.inv(S) @ (m - a)"},
         source="Matrix Cookbook (85), W = S⁻¹ / 2", note="two Gaussians with one covariance")
identity("KL divergence of Gaussians in the first covariance",
         "(torch.trace(torch.linalg.inv(B) @ X) - torch.logdet(X)) / 2", wrt="X",
         gradient="(torch.linalg.inv(B) - torch.linalg.inv(X)).T / 2", shapes="X: n n, B: n n",
         conditions=("X positive-det", "B positive-det"), source="Matrix Cookbook (57) and (100)",
         note="the terms that depend on the covariance of the first")
identity("KL divergence of Gaussians in the second covariance",
         "(torch.trace(torch.linalg.inv(X) @ A) + torch.logdet(X)) / 2", wrt="X",
         gradient="(torch.linalg.inv(X) - torch.linalg.inv(X) @ A @ torch.linalg.inv(X)).T / 2", shapes="X: n n, A: n n",
         conditions=("X positive-det",), source="Matrix Cookbook (57) and (63)",
         note="the terms that depend on the covariance of the second")
identity("KL divergence to the standard Gaussian by the mean", "(m ** 2 + torch.exp(s) - s - 1).sum() / 2", wrt="m",
         gradient="m", shapes="m: n, s: n", source="power rule", note="s is the logarithm of the variances")
identity("KL divergence to the standard Gaussian by the log-variance", "(m ** 2 + torch.exp(s) - s - 1).sum() / 2",
         wrt="s", gradient="(torch.exp(s) - 1) / 2", shapes="m: n, s: n", source="derivative of exp",
         note="s is the logarithm of the variances")
identity("Gaussian log-likelihood in the mean",
         "-((m - x).T @ torch.linalg.inv(S) @ (m - x)) / 2 - torch.logdet(S) / 2", wrt="m",
         gradient="(torch.linalg.inv(S) + torch.linalg.inv(S).T) @ (x - m) / 2", shapes="m: n, x: n, S: n n",
         conditions=("S positive-det",), simpler={"S symmetric": "torch.linalg.inv(S) @ (x - m)"},
         source="Matrix Cookbook (86)")
identity("Gaussian log-likelihood in the mean, by precision",
         "-((m - x).T @ P @ (m - x)) / 2 + torch.logdet(P) / 2", wrt="m",
         gradient="(P + P.T) @ (x - m) / 2", shapes="m: n, x: n, P: n n",
         conditions=("P positive-det",), simpler={"P symmetric": "P @ (x - m)"}, source="Matrix Cookbook (86)")
identity("Gaussian log-likelihood in the covariance",
         "-torch.logdet(S) / 2 - (x - m).T @ torch.linalg.inv(S) @ (x - m) / 2", wrt="S",
         gradient="(torch.linalg.inv(S).T @ (x - m) @ (x - m).T @ torch.linalg.inv(S).T - torch.linalg.inv(S).T) / 2",
         shapes="S: n n, x: n, m: n", conditions=("S positive-det",), source="Matrix Cookbook (57) and (61)")
identity("Gaussian log-likelihood in the covariance, centred",
         "-torch.logdet(S) / 2 - x.T @ torch.linalg.inv(S) @ x / 2", wrt="S",
         gradient="(torch.linalg.inv(S).T @ x @ x.T @ torch.linalg.inv(S).T - torch.linalg.inv(S).T) / 2",
         shapes="S: n n, x: n", conditions=("S positive-det",), source="Matrix Cookbook (57) and (61)")
identity("Gaussian log-likelihood in the covariance, of a sample",
         "-torch.logdet(S) - torch.trace(torch.linalg.inv(S) @ C)", wrt="S",
         gradient="-(torch.linalg.inv(S) - torch.linalg.inv(S) @ C @ torch.linalg.inv(S)).T",
         shapes="S: n n, C: n n", conditions=("S positive-det",), source="Matrix Cookbook (57) and (63)",
         note="C is the sample's covariance")
identity("Gaussian log-likelihood in the precision", "torch.logdet(P) - torch.trace(S @ P)", wrt="P",
         gradient="(torch.linalg.inv(P) - S).T", shapes="P: n n, S: n n", conditions=("P positive-det",),
         source="Matrix Cookbook (57) and (100)", note="S is the sample's covariance")
identity("Gaussian log-likelihood in the precision, of one observation",
         "torch.logdet(P) / 2 - (x - m).T @ P @ (x - m) / 2", wrt="P",
         gradient="(torch.linalg.inv(P).T - (x - m) @ (x - m).T) / 2", shapes="P: n n, x: n, m: n",
         conditions=("P positive-det",), source="Matrix Cookbook (57) and (72)")
identity("graphical lasso", "torch.trace(S @ P) - torch.logdet(P) + c * P.abs().sum()", wrt="P",
         gradient="(S - torch.linalg.inv(P)).T + c * torch.sign(P)", shapes="P: n n, S: n n, c: ",
         conditions=("P positive-det", "P without zeros"), source="Matrix Cookbook (57), (100) and the l1 norm")
identity("GP marginal likelihood in the noise",
         "-y.T @ torch.linalg.inv(K + s * torch.eye(K.shape[0])) @ y / 2"
         " - torch.logdet(K + s * torch.eye(K.shape[0])) / 2", wrt="s",
         gradient="(y.T @ torch.linalg.inv(K + s * torch.eye(K.shape[0]))"
                  " @ torch.linalg.inv(K + s * torch.eye(K.shape[0])) @ y"
                  " - torch.trace(torch.linalg.inv(K + s * torch.eye(K.shape[0])))) / 2",
         shapes="s: , K: n n, y: n", conditions=("K positive-definite", "s positive"),
         source="Matrix Cookbook (59) and (43)")
identity("Gaussian log-likelihood in the variance", "c * torch.log(v) + r / v", wrt="v",
         gradient="c / v - r / v ** 2", shapes="v: , c: , r: ", conditions=("v positive",),
         source="table of derivatives", note="-r is half the sum of squared deviations, -c half their number")
identity("Gaussian log-likelihood in the standard deviation", "c * torch.log(s) + r / s ** 2", wrt="s",
         gradient="c / s - 2 * r / s ** 3", shapes="s: , c: , r: ", conditions=("s positive",),
         source="table of derivatives", note="-r is half the sum of squared deviations, -c their number")
identity("sum of squared deviations from a number", "((m - x) ** 2).sum()", wrt="m", gradient="2 * (m - x).sum()",
         shapes="m: , x: n", source="power rule and linearity")
identity("KL divergence to the standard Gaussian in the covariance", "(torch.trace(X) - torch.logdet(X)) / 2", wrt="X",
         gradient="(torch.eye(X.shape[0]) - torch.linalg.inv(X).T) / 2", shapes="X: n n", conditions=("X positive-det",),
         source="Matrix Cookbook (57) and (99)")
identity("generalised KL divergence", "(p * torch.log(p / q) - p + q).sum()", wrt="p", gradient="torch.log(p / q)",
         shapes="q: n, p: n", conditions=("p positive", "q positive"), source="product rule with the derivative of log")
identity("KL divergence in the second distribution", "(p * torch.log(p / q)).sum()", wrt="q", gradient="-p / q",
         shapes="q: n, p: n", conditions=("p positive", "q positive"),
         source="derivative of log")
identity("KL divergence in the first distribution", "(p * torch.log(p / q)).sum()", wrt="p",
         gradient="torch.log(p / q) + 1", shapes="q: n, p: n", conditions=("p positive", "q positive"),
         source="product rule with the derivative of log")
identity("cross-entropy of distributions", "-(p * torch.log(q)).sum()", wrt="q", gradient="-p / q",
         shapes="q: n, p: n", conditions=("q positive",), source="derivative of log")
identity("Poisson log-likelihood", "y.T @ (X @ w) - torch.exp(X @ w).sum()", wrt="w",
         gradient="X.T @ (y - torch.exp(X @ w))", shapes="w: n, X: m n, y: m",
         source="chain rule with the derivative of exp")
identity("sample variance", "torch.var(x)", wrt="x", gradient="2 * (x - x.mean()) / (x.shape[0] - 1)",
         shapes="x: n", source="Matrix Cookbook (81) with the centring matrix")
identity("population variance", "((x - x.mean()) ** 2).mean()", wrt="x", gradient="2 * (x - x.mean()) / x.shape[0]",
         shapes="x: n", source="Matrix Cookbook (81) with the centring matrix")
identity("sum of squared deviations", "((x - x.mean()) ** 2).sum()", wrt="x", gradient="2 * (x - x.mean())",
         shapes="x: n", source="Matrix Cookbook (81) with the centring matrix")
identity("standard deviation", "torch.std(x)", wrt="x",
         gradient="(x - x.mean()) / ((x.shape[0] - 1) * torch.std(x))", shapes="x: n",
         source="chain rule with the sample variance")
identity("sample covariance with a fixed series", "((x - x.mean()) * (y - y.mean())).sum() / (x.shape[0] - 1)", wrt="x",
         gradient="(y - y.mean()) / (x.shape[0] - 1)", shapes="x: n, y: n",
         source="Matrix Cookbook (69) with the centring matrix")
