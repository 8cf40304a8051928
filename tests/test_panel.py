"""A report as widgets: what they say, what is typeset when, and that a user's text is never markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import fakes
import ipywidgets
import pytest

from matmagic import panel, typeset


def html_of(widget: Any) -> str:
    return "".join(part.value for part in parts_of(widget) if isinstance(part, ipywidgets.HTML))


def parts_of(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts_of(child)


def buttons_of(widget: Any) -> dict[str, Any]:
    return {part.description: part for part in parts_of(widget) if isinstance(part, ipywidgets.ToggleButton)}


def test_the_card_is_typeset_and_says_what_the_report_says() -> None:
    shown = html_of(panel.panel(fakes.least_squares()))
    for label in ("∇ₓ f = 2 Aᵀ(A x − b)", "∇_A f = 2 (A x − b) xᵀ", "f(x, A, b) = ‖A x − b‖²"):
        assert f'role="img" aria-label="{label}"' in shown
    assert "squared norm of an affine map" in shown and "is transposed" in shown and "float32" in shown
    assert "$" not in shown and "<script" not in shown


@pytest.mark.parametrize(
    ("report", "titles"),
    [
        (fakes.report(), ["identity", "torch code", "LaTeX"]),
        (fakes.least_squares(), ["identity", "torch code", "LaTeX", "value"]),
        (fakes.unknown(), []),
        (fakes.tensor(), ["torch code", "LaTeX"]),
        (fakes.only_code(), ["torch code"]),
        (fakes.report(hidden=True), []),
    ],
)
def test_pages_are_those_that_have_something_to_say(report: Any, titles: list[str]) -> None:
    assert list(buttons_of(panel.panel(report))) == titles


def test_a_page_is_typeset_when_it_is_opened() -> None:
    typeset._draw.cache_clear()
    widget = panel.panel(fakes.report())
    before = typeset._draw.cache_info().misses
    assert before == 3  # what f is, its shapes, its gradient
    buttons_of(widget)["identity"].value = True
    assert typeset._draw.cache_info().misses == before + 2
    assert 'aria-label="∇ₓ xᵀ A x = (A + Aᵀ) x"' in html_of(widget)
    assert "if A symmetric" in html_of(widget)


def test_one_page_at_a_time() -> None:
    widget = panel.panel(fakes.report())
    body, buttons = widget.children[-1], buttons_of(widget)
    assert body.value == ""
    buttons["torch code"].value = True
    assert "(A + A.T) @ x" in body.value
    buttons["LaTeX"].value = True
    assert r"nabla_{x} f" in body.value and "A.T" not in body.value
    assert [title for title, button in buttons.items() if button.value] == ["LaTeX"]
    buttons["LaTeX"].value = False
    assert body.value == "" and not any(button.value for button in buttons.values())


def test_every_line_of_a_tensor_is_typeset() -> None:
    shown = html_of(panel.panel(fakes.tensor()))
    for label in ("df = dXᵀ X + Xᵀ dX", "vec(df) = (Xᵀ ⊗ I) K_nm vec(dX)", "∂f_ij/∂X_kl = δ_il X_kj"):
        assert f'role="img" aria-label="{label}"' in shown
    assert "where K_nm vec(X) = vec(Xᵀ)" in shown


def test_code_stands_in_the_card_where_there_is_no_formula() -> None:
    shown = html_of(panel.panel(fakes.only_code()))
    assert 'aria-label="∇ₓ f"' in shown and "in torch" in shown and "v1 := torch.einsum" in shown
    assert "no closed form" not in shown


def test_text_of_the_user_is_never_markup() -> None:
    widget = panel.panel(fakes.hostile())
    shown = html_of(widget)
    for button in buttons_of(widget).values():
        button.value = True
        shown += html_of(widget)
    assert "<script" not in shown and "&lt;script&gt;" in shown
    assert not re.search(r'aria-label="[^"]*"[^>]*alert', shown)


def test_ids_are_unique_within_a_panel() -> None:
    ids = re.findall(r'id="(\w+)"', html_of(panel.panel(fakes.least_squares())))
    assert len(ids) == len(set(ids)) > 0


def test_no_tick_without_both_checks() -> None:
    unsure = fakes.derivative(verdict=fakes.verdict(ok=False, text="not confirmed"))
    shown = html_of(panel.panel(fakes.report(unsure, claims=())))
    assert "✓" not in shown and "not confirmed" in shown


def test_widget_view_names_a_live_widget() -> None:
    (mime, view), *rest = panel.widget_view(fakes.report()).items()
    assert mime == "application/vnd.jupyter.widget-view+json" and not rest
    assert (view["version_major"], view["version_minor"]) == (2, 0)
    assert isinstance(view["model_id"], str) and view["model_id"]


def test_no_widget_view_for_text_or_without_ipywidgets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert panel.widget_view(fakes.report(text_only=True)) is None
    monkeypatch.setattr(panel, "ipywidgets", None)
    assert panel.widget_view(fakes.report()) is None
