r"""What stands on the left of a derivative, in LaTeX and text: \nabla_x f, ∂f/∂x, ∂f_ij/∂X_kl, [∇_X f]_ij."""

from __future__ import annotations

from collections.abc import Sequence

from .notation import INDICES
from .printers.names import SUBSCRIPTS, latex_name, text_name

Ranks = tuple[int, int]  # how many indices f and the variable have


def left_side(name: str, variables: Sequence[str], kind: str, ranks: Ranks) -> tuple[str, str]:
    """The derivative; with indices, if it has more than two.

    >>> left_side("f", ["x"], "gradient", (0, 1)), left_side("f", ["X"], "derivative", (2, 2))[1]
    (('\\\\nabla_{x} f', '∇ₓ f'), '∂f_ij/∂X_kl')
    """
    f, f_text = latex_name(name), text_name(name)
    x, x_text = _variables(variables)
    if kind == "hessian":
        return rf"\nabla_{{{x}}}^2 {f}", f"∇²{index_of(x_text)} {f_text}"
    if kind == "gradient" and ranks[1]:
        return rf"\nabla_{{{x}}} {f}", f"∇{index_of(x_text)} {f_text}"
    if kind == "derivative" and sum(ranks) > 2:
        return one_entry(name, variables, kind, ranks)
    return rf"\frac{{\partial {f}}}{{\partial {x}}}", f"∂{f_text}/∂{x_text}"


def one_entry(name: str, variables: Sequence[str], kind: str, ranks: Ranks) -> tuple[str, str]:
    """One entry of the derivative.

    >>> one_entry("f", ["W1"], "gradient", (0, 3)), one_entry("f", ["x"], "hessian", (0, 1))[1]
    (('[\\\\nabla_{W_{1}} f]_{ijk}', '[∇_W₁ f]_ijk'), '∂²f/∂x_i∂x_j')
    """
    f, f_text = latex_name(name), text_name(name)
    x, x_text = _variables(variables)
    if kind == "gradient" and ranks[1]:
        left, left_text = left_side(name, variables, kind, ranks)
        own = INDICES[: ranks[1]]
        return f"[{left}]_{{{own}}}", f"[{left_text}]_{own}"
    if kind == "hessian":
        first, second = INDICES[: ranks[1]], INDICES[ranks[1] : 2 * ranks[1]]
        below = rf"\partial {_at(x, first)} \partial {_at(x, second)}"
        words = f"∂{_at_text(x_text, first)}∂{_at_text(x_text, second)}"
        return rf"\frac{{\partial^2 {f}}}{{{below}}}", f"∂²{f_text}/{words}"
    out, inner = INDICES[: ranks[0]], INDICES[ranks[0] : sum(ranks)]
    return (
        rf"\frac{{\partial {_at(f, out)}}}{{\partial {_at(x, inner)}}}",
        f"∂{_at_text(f_text, out)}/∂{_at_text(x_text, inner)}",
    )


def index_of(name: str) -> str:
    """The variable under ∇: ∇ₓ, or ∇_A where Unicode has no such letter."""
    return SUBSCRIPTS.get(name, f"_{name}")


def _variables(variables: Sequence[str]) -> tuple[str, str]:
    x, x_text = ", ".join(map(latex_name, variables)), ", ".join(map(text_name, variables))
    return (f"({x})", f"({x_text})") if len(variables) > 1 else (x, x_text)


def _at(name: str, indices: str) -> str:
    own = f"({name})" if "_" in name else name
    return f"{own}_{{{indices}}}" if indices else name


def _at_text(name: str, indices: str) -> str:
    own = name if name.isalpha() else f"({name})"
    return f"{own}_{indices}" if indices else name
