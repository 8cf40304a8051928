"""Printers of the notation tree: LaTeX, Unicode text, torch code, SymPy; one module each."""
