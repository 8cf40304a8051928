"""A notebook without names, for tests that run cells one after the other."""

from __future__ import annotations

from IPython.core.interactiveshell import InteractiveShell

KEPT = ("__name__", "__doc__", "__package__", "__loader__", "__spec__", "__builtin__", "__builtins__")


def empty(shell: InteractiveShell) -> None:
    """Forget the names of a notebook; shell.reset() collects garbage too, for a second where a whole suite is loaded."""
    kept = {name: shell.user_ns[name] for name in KEPT if name in shell.user_ns}
    shell.user_ns.clear()
    shell.user_ns.update(kept)
    shell.init_user_ns()
