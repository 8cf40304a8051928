"""matmagic makes a notebook understand matrix calculus.

`%load_ext matmagic`, then `%%gradcheck` on top of a cell with a torch function.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["__version__", "gradcheck", "load_ipython_extension", "unload_ipython_extension"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`matmagic.gradcheck` and `matmagic.identities` are imported, and torch with them, when they are first used."""
    if name == "gradcheck":
        from .report import gradcheck

        globals()[name] = gradcheck
        return gradcheck
    if name == "identities":
        return import_module(".identities", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """What `%load_ext matmagic` calls."""
    from .magics import load_ipython_extension

    load_ipython_extension(ipython)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """What `%unload_ext matmagic` calls."""
    from .magics import unload_ipython_extension

    unload_ipython_extension(ipython)
