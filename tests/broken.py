"""A class in which most things that can go wrong with a hand-in do go wrong, made from any lab.

`hand_ins(course, lab)` builds them from the lab's student version, its solution and its filed mistakes; `scores` reads
what nbgrader made of them; `as_table` prints both. Only automatic points count here.
"""

import copy
import json
from pathlib import Path

import nbformat
import yaml

# A class of twenty that holds each kind of damage once; the rest are variants.
TWENTY = [
    "right",
    "right-own-cells",
    "right-windows",
    "wrong-1",
    "wrong-2",
    "wrong-3",
    "wrong-4",
    "empty",
    "syntax-error",
    "kernel-killed",
    "endless-loop",
    "warning",
    "huge-output",
    "test-deleted",
    "test-edited",
    "cells-copied",
    "metadata-lost",
    "renamed",
    "damaged",
    "answer-markdown",
]


def read(course, step, lab):
    return nbformat.read(Path(course) / step / lab / f"{lab}.ipynb", as_version=4)


def settings(cell):
    return cell.metadata.get("nbgrader", {})


def automatic_points(notebook):
    """Return {id of a test cell: its points}."""
    return {
        settings(cell).grade_id: settings(cell).points
        for cell in notebook.cells
        if settings(cell).get("grade") and not settings(cell).get("solution")
    }


def filled(course, lab, **answers):
    """Return the student version with the solution's answers; `answers` gives some cells another text."""
    solution = {cell.id: cell.source for cell in read(course, "solutions", lab).cells}
    notebook = read(course, "labs", lab)
    for cell in notebook.cells:
        if settings(cell).get("solution"):
            cell.source = answers.get(cell.id, solution[cell.id])
    return notebook


def last_question(notebook):
    """Return the id of the last code answer and the ids of the tests after it: no later question depends on it."""
    answers = [
        i for i, cell in enumerate(notebook.cells) if settings(cell).get("solution") and cell.cell_type == "code"
    ]
    tests = [cell.id for cell in notebook.cells[answers[-1] :] if cell.id in automatic_points(notebook)]
    return notebook.cells[answers[-1]].id, tests


class HandIn:
    """One hand-in: the bytes of a file, its name, the automatic points it has to get (None: it cannot be graded)."""

    def __init__(self, data, points, name=None):
        self.data = data if isinstance(data, bytes) else nbformat.writes(data).encode()
        self.points, self.name = points, name

    def write(self, course, student, lab):
        folder = Path(course) / "submitted" / student / lab
        folder.mkdir(parents=True)
        (folder / (self.name or f"{lab}.ipynb")).write_bytes(self.data)


def hand_ins(course, lab):
    """Return {student: HandIn} for a lab of a course whose labs/ is in step."""
    right = filled(course, lab)
    points = automatic_points(right)
    full = sum(points.values())
    answer, tests = last_question(right)
    without_last = full - sum(points[test] for test in tests)
    text = nbformat.writes(right)

    def changed(change, notebook=right):
        notebook = copy.deepcopy(notebook)
        change({cell.id: cell for cell in notebook.cells}, notebook)
        return notebook

    def last_answer(source):
        return filled(course, lab, **{answer: source})

    def tests_made_harmless(cells, _):
        for test in tests:
            cells[test].source = "pass"

    def tests_skipped(cells, _):
        for test in tests:
            cells[test].metadata["tags"] = ["skip-execution"]

    def tests_deleted(cells, notebook):
        notebook.cells = [cell for cell in notebook.cells if cell.id not in points]

    def tests_copied(cells, notebook):
        for number, cell in enumerate(copy.deepcopy(list(cells.values()))):
            if settings(cell).get("grade_id"):
                cell.id = f"copy-{number}"
                notebook.cells.append(cell)

    def metadata_lost(cells, _):
        for cell in cells.values():
            cell.metadata = {}

    def all_lost(cells, notebook):
        for number, cell in enumerate(notebook.cells):
            cell.metadata, cell.id = {}, f"new-{number}"

    def as_colab(cells, notebook):
        notebook.nbformat_minor = 0
        notebook.metadata = {"colab": {"provenance": []}, "kernelspec": {"name": "python3", "display_name": "Python 3"}}
        for cell in notebook.cells:
            cell.metadata = {"id": cell.pop("id")}

    def old_settings(cells, _):
        for cell in cells.values():
            if settings(cell):
                cell.metadata["nbgrader"]["schema_version"] = 1

    def points_forged(cells, _):
        for test in points:
            cells[test].metadata["nbgrader"]["points"] = 100

    def as_markdown(cells, _):
        cells[answer].cell_type = "markdown"
        del cells[answer]["outputs"], cells[answer]["execution_count"]

    def own_cells(cells, notebook):
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell("My notes", id="my-notes"))
        notebook.cells.append(nbformat.v4.new_code_cell("1 / 0", id="my-try"))

    def noise(cells, notebook):
        # A warning in an answer, and something on stderr in every cell that runs later: also in the tests.
        code = (
            "import sys, warnings\n"
            "get_ipython().events.register('pre_run_cell', lambda info: sys.stderr.write('progress 50 %\\n'))\n"
            "get_ipython().events.register('pre_run_cell', lambda info: warnings.warn('this is old'))\n"
            "warnings.warn('this is old')"
        )
        notebook.cells.insert(1, nbformat.v4.new_code_cell(code, id="noise"))

    def flood(cells, notebook):
        code = "for i in range(200_000): print('customer', i)"
        notebook.cells.insert(1, nbformat.v4.new_code_cell(code, id="flood"))

    made = {
        "right": HandIn(right, full),
        "right-windows": HandIn(text.replace("\n", "\r\n").encode(), full),
        "right-own-cells": HandIn(changed(own_cells), full),
        "empty": HandIn(read(course, "labs", lab), 0),
        "syntax-error": HandIn(last_answer("def (:"), without_last),
        "exit": HandIn(last_answer("import sys\nsys.exit(0)"), without_last),
        "kernel-killed": HandIn(last_answer("import os\nos._exit(1)"), without_last),
        "endless-loop": HandIn(last_answer("while True:\n    pass"), without_last),
        "warning": HandIn(changed(noise), full),
        "huge-output": HandIn(changed(flood), full),
        "test-deleted": HandIn(changed(tests_deleted), full),
        "test-edited": HandIn(changed(tests_made_harmless, last_answer("pass")), without_last),
        "test-skipped": HandIn(changed(tests_skipped, last_answer("pass")), without_last),
        "cells-copied": HandIn(changed(tests_copied), full),
        "points-forged": HandIn(changed(points_forged), full),
        "metadata-lost": HandIn(changed(metadata_lost), full),
        "metadata-old": HandIn(changed(old_settings), full),
        "ids-lost-too": HandIn(changed(all_lost), full),
        "colab": HandIn(json.dumps(changed(as_colab)).encode(), full),
        "answer-markdown": HandIn(changed(as_markdown), full),
        "renamed": HandIn(right, full, name=f"{lab} (1).ipynb"),
        "bom": HandIn(b"\xef\xbb\xbf" + text.encode(), full),
        "utf-16": HandIn(text.encode("utf-16"), full),
        "gb18030": HandIn(text.encode("gb18030"), full),
        "damaged": HandIn(text.encode()[: len(text) // 2], None),
        "empty-file": HandIn(b"", None),
        "not-a-notebook": HandIn(b'{"name": "a table"}', None),
    }
    filed = Path(course) / "solutions" / lab / "mistakes.yaml"
    for number, mistake in enumerate(yaml.safe_load(filed.read_text(encoding="utf-8"))[:4], 1):
        lost = sum(points[test] - kept for test, kept in mistake["points"].items())
        notebook = filled(course, lab, **{mistake["cell"]: mistake["source"]})
        made[f"wrong-{number}"] = HandIn(notebook, full - lost)
    return made


def scores(course, lab):
    """Return {student: automatic points in the gradebook}; None where nothing was graded."""
    from nbgrader.api import Gradebook

    found = {}
    with Gradebook(f"sqlite:///{Path(course) / 'gradebook.db'}") as gradebook:
        for submission in gradebook.assignment_submissions(lab):
            student = submission.student.id
            graded = (Path(course) / "autograded" / student / lab).is_dir()
            grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
            automatic = [grade.auto_score for grade in grades if grade.cell.name.startswith("test_")]
            found[student] = sum(score or 0 for score in automatic) if graded else None
    return found


def as_table(made, found):
    """Return the class as text: who, the points that were right, the points that nbgrader gave."""

    def shown(points):
        return "not graded" if points is None else f"{points:g}"

    lines = [f"{'hand-in':<18}{'should get':>12}{'got':>12}"]
    for student, hand_in in made.items():
        got = found.get(student)
        mark = "" if got == hand_in.points else "   <-- wrong"
        lines.append(f"{student:<18}{shown(hand_in.points):>12}{shown(got):>12}{mark}")
    return "\n".join(lines)
