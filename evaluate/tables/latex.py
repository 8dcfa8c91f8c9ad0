"""A table in LaTeX, with booktabs."""

from __future__ import annotations

from .table import Cell, Table

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def latex(table: Table) -> str:
    """Return a tabular without intervals, the best figures in bold; what is said of it stands above as comments."""
    table = table.shown_in("latex")
    sections = [*table.in_sections(), *([list(table.foot)] if table.foot else [])]
    body = "\\midrule\n".join("".join(f"{' & '.join(map(_text, row))} \\\\\n" for row in part) for part in sections)
    comments = "\n".join((*table.headline, *table.lines_below("bold:"))).splitlines()
    lines = [
        *(f"% {line}" for line in comments),
        "% needs \\usepackage{booktabs}",
        rf"\begin{{tabular}}{{{''.join('l' if column.kind == 'name' else 'r' for column in table.columns)}}}",
        r"\toprule",
        " & ".join(escape_latex(column.line) for column in table.columns) + r" \\",
        r"\midrule",
        body + r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _text(cell: Cell) -> str:
    """Return a cell in LaTeX."""
    if cell.undefined:
        return "--"
    text = escape_latex(cell.text)
    text = rf"\textbf{{{text}}}" if cell.best else text
    return text + (f"$^{{{cell.mark}}}$" if cell.mark else "") + (f" ({escape_latex(cell.note)})" if cell.note else "")


def escape_latex(text: str) -> str:
    """Return text that LaTeX sets as it is."""
    escaped = "".join(_SPECIAL.get(character, character) for character in " ".join(text.splitlines())).lstrip()
    # First in a row these two would be arguments of the end of the row before.
    return f"{{{escaped[0]}}}{escaped[1:]}" if escaped.startswith(("[", "*")) else escaped
