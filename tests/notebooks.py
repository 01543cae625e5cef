"""Read notebooks as the rules of the house see them: cells, words, lines of code. Shared by the notebook tests."""

import re
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "solutions").glob("*/*.ipynb"))
LABS = sorted((ROOT / "labs").glob("*/*.ipynb"))
# The capstone: one assignment of several long notebooks, which the rules for the size of a lab do not fit.
CAPSTONE = [path for path in SOLUTIONS if path.parent.name == "capstone"]
LAB_SOLUTIONS = [path for path in SOLUTIONS if path not in CAPSTONE]


def read(path):
    """Return the notebook as it stands in the file; no upgrade, so that a missing cell id is seen."""
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def cells(notebook, kind):
    """Return the cells of one kind, `markdown` or `code`."""
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def words(text):
    """Count words; a run of Chinese characters counts as one, as it does for the eye of an English reader."""
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return len(re.findall(r"[^\W_]+(?:[-'’.,][^\W_]+)*", text))


def code_lines(cell):
    """Return the lines of a code cell that are neither blank nor comment."""
    return [line for line in cell.source.splitlines() if line.strip() and not line.strip().startswith("#")]


def headings(notebook):
    """Return (level, text) for each Markdown heading in reading order."""
    found = []
    for cell in cells(notebook, "markdown"):
        text = re.sub(r"```.*?```", "", cell.source, flags=re.S)
        found += [(len(marks), title) for marks, title in re.findall(r"^(#+)\s+(.*)$", text, flags=re.M)]
    return found


def grade(cell):
    """Return the nbgrader settings of a cell, or an empty dict."""
    return cell.metadata.get("nbgrader", {})
