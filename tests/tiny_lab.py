"""A lab as small as a lab can be, with one question of each kind: the fixture of the grading tests.

`write_course(folder)` makes a course of it: nbgrader_config.py, solutions/, labs/.
"""

import shutil
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
LAB = "lab00_tiny"

SETUP = """\
import pandas as pd

from cimlab import checks

orders = pd.DataFrame({"customer": ["C1", "C1", "C2"], "spent": [10.0, 5.5, 20.0]})"""

Q1 = """\
def clean(phone):
    ### BEGIN SOLUTION
    return phone.replace(" ", "").replace("-", "")
    ### END SOLUTION"""

TEST_Q1 = """\
clean = checks.answer(globals(), "clean", "function")
checks.cases(clean, [("174 0012", "1740012", "take the spaces out"), ("1740012", "1740012")])"""

TEST_Q1_HIDDEN = """\
checks.answer(globals(), "clean", "function")
checks.equal(checks.call(clean, "1740012"), "1740012", "clean('1740012')")
### BEGIN HIDDEN TESTS
checks.cases(clean, [("174-99-77", "1749977", "think of other signs than the space")], reveal=False)
### END HIDDEN TESTS"""

Q2 = """\
### BEGIN SOLUTION
totals = orders.groupby("customer", as_index=False)["spent"].sum()
### END SOLUTION"""

TEST_Q2 = """\
totals = checks.answer(globals(), "totals", pd.DataFrame)
checks.equal(
    totals,
    pd.DataFrame({"customer": ["C1", "C2"], "spent": [15.5, 20.0]}),
    "totals",
    by="customer",
    row="one per customer",
    mistakes=[(lambda t: len(t) == len(orders), "`totals` has one row per *order*: group by customer.")],
)"""

MISTAKES = """\
- name: keeps the hyphen
  why: only the example in front of the eyes is solved
  cell: q1_clean
  source: |
    def clean(phone):
        return phone.replace(" ", "")
  points: {test_q1_hidden: 0}
  says: think of other signs than the space
- name: returns nothing
  why: print instead of return
  cell: q1_clean
  source: |
    def clean(phone):
        print(phone.replace(" ", ""))
  points: {test_q1_clean: 0, test_q1_hidden: 0}
  says: is a `return` missing?
- name: no grouping
  why: the table of orders is taken for the table of customers
  cell: q2_totals
  source: totals = orders
  points: {test_q2_totals: 0}
  says: one row per *order*
- name: mean instead of sum
  why: spent is thought to be an average
  cell: q2_totals
  source: totals = orders.groupby("customer", as_index=False)["spent"].mean()
  points: {test_q2_totals: 0}
  says: yours is 7.75, expected 15.5
"""


def cell(name, source, kind="code", **flags):
    settings = {"grade": False, "solution": False, "locked": False, "task": False, **flags}
    settings |= {"grade_id": name, "schema_version": 3}
    new = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    return new(source, id=name, metadata={"nbgrader": settings})


def text(name, source):
    return nbformat.v4.new_markdown_cell(source, id=name)


def notebook():
    cells = [
        text("title", "# Lab 0 · A tiny lab\n\nThree questions, ten points."),
        cell("setup", SETUP, locked=True),
        text("about_q1", "**Question 1** (3 points): write `clean(phone)`."),
        cell("q1_clean", Q1, solution=True),
        cell("test_q1_clean", TEST_Q1, grade=True, locked=True, points=2),
        cell("test_q1_hidden", TEST_Q1_HIDDEN, grade=True, locked=True, points=1),
        text("about_q2", "**Question 2** (3 points): make the table `totals`."),
        cell("q2_totals", Q2, solution=True),
        cell("test_q2_totals", TEST_Q2, grade=True, locked=True, points=3),
        # The two kinds of written question: an answer cell, and a task whose mark scheme the grader sees in Formgrader.
        text("about_q3", "**Question 3** (4 points): why one row per customer?"),
        cell("q3_why", "Because a customer is one person.", "markdown", grade=True, solution=True, points=4),
        cell(
            "q4_task",
            "**Question 4** (2 points): name an example.\n\n=== BEGIN MARK SCHEME ===\n"
            "1 point for the channel, 1 for the single view.\n=== END MARK SCHEME ===",
            "markdown",
            task=True,
            locked=True,
            points=2,
        ),
        text("q4_answer", "*Write your answer here.*"),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def write_course(folder, notebook=None, mistakes=MISTAKES, labs=True):
    """Make a course with the shipped nbgrader_config.py in `folder` and return the folder."""
    folder = Path(folder)
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    lab = folder / "solutions" / LAB
    lab.mkdir(parents=True)
    nbformat.write(notebook or globals()["notebook"](), lab / f"{LAB}.ipynb")
    (lab / "mistakes.yaml").write_text(mistakes, encoding="utf-8", newline="\n")
    if labs:
        from cimlab.grading.release import release

        release(folder, [LAB], gradebook=False)
    return folder
