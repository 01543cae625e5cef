"""What a student's feedback page says of each question: points, what the checks said, where to read, by hand or not."""

import csv
import functools
import re
from pathlib import Path
from urllib.parse import quote

from cimlab.grading.feedback import (
    HIDDEN,
    PYTHON,
    SENTENCES,
    is_fixed,
    leaky_lines,
    sentence_of,
    words_of,
)
from cimlab.grading.repair import repairs

WAITS = "waits for a person"
LONGEST = 4_000  # characters of what a test reports


def gather(notebook, marks, released, lab):
    """Return what the page of one notebook shows.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The graded notebook, as it is in autograded/.
    marks : dict of str to dict
        Graded cell → points, of, waits, by_hand, comment; and comments (see `marks_of`).
    released : list of nbformat.NotebookNode
        The cells of the student version; may be empty.
    lab : str
        The assignment.

    Returns
    -------
    dict
        questions (in the order of the lab; each: name, heading, points, of, state, checks, answer, comment, sections),
        title, repaired (sentences), leaky (texts that must not be in the page).
    """
    sources = {name(cell): cell for cell in notebook.cells if name(cell)}
    stubs = {cell.id: cell.source for cell in released}
    titles = headings(released or notebook.cells)
    given = " ".join(cell.source for cell in released)
    own = words_of(" ".join(cell.source for cell in notebook.cells if not is_fixed(cell)) + " " + given)
    questions = {}
    answer = None
    for cell_name in _in_order(notebook, released):
        cell = sources.get(cell_name)
        if cell is None:
            continue
        flags = cell.metadata["nbgrader"]
        if flags.get("solution") and not flags.get("grade"):
            answer = cell_name
            questions[answer] = _question(answer, cell, titles, stubs, lab)
            questions[answer]["comment"] = marks.get(f"comment on {answer}", "")
        elif cell_name in marks:
            by_hand = bool(flags.get("solution") or flags.get("task"))
            key = cell_name if by_hand or answer is None else answer
            question = questions.setdefault(key, _question(key, cell, titles, stubs, lab))
            _add(question, cell, marks[cell_name], by_hand)
    for key, question in questions.items():
        question["points"] = sum(check["points"] for check in question["checks"])
        question["of"] = sum(check["of"] for check in question["checks"])
        question["state"] = _state(question)
        _hint(question, sources[key], own)
    return {
        "questions": [question for question in questions.values() if question["checks"]],
        "title": next((line[2:] for cell in released for line in cell.source.splitlines() if line[:2] == "# "), lab),
        "repaired": repairs(notebook),
        "leaky": leaky_lines(notebook, released),
    }


def marks_of(gradebook, student, lab, notebook):
    """Return {graded cell: points, of, waits, by_hand, comment} of a hand-in, and the comments on other answers.

    A comment is what the instructor has written; it stands also under "comment on CELL", since an answer in code has
    no points of its own.

    Parameters
    ----------
    gradebook : nbgrader.api.Gradebook
    student, lab, notebook : str
    """
    handed_in = gradebook.find_submission_notebook(notebook, lab, student)
    comments = {one.cell.name: one.manual_comment for one in handed_in.comments if one.manual_comment}
    return {
        grade.cell.name: {
            "points": float(grade.score or 0),
            "of": float(grade.max_score or 0),
            "waits": bool(grade.needs_manual_grade),
            "by_hand": grade.manual_score is not None,
            "comment": comments.get(grade.cell.name) or "",
        }
        for grade in handed_in.grades
    } | {f"comment on {cell}": text for cell, text in comments.items()}


# ---------------------------------------------------------------------------------------------------------------------
# one question


def _question(key, cell, titles, stubs, lab):
    kind = "code" if cell.cell_type == "code" else "text"
    return {
        "name": key,
        "heading": titles.get(key, key),
        "checks": [],
        "kind": kind,
        "source": cell.source if cell.metadata["nbgrader"].get("solution") else "",
        "untouched": cell.source.strip() == stubs.get(key, "\0").strip(),
        "attachments": cell.get("attachments", {}),
        "comment": "",
        "sections": sections_of(lab, key),
        "hint": "",
    }


def _add(question, cell, mark, by_hand):
    check = {"points": mark["points"], "of": mark["of"], "by_hand": mark["by_hand"], "waits": mark["waits"]}
    check |= {"sentence": "", "report": "", "hidden": HIDDEN in cell.source, "kind": ""}
    if by_hand:
        check["criterion"] = "Graded by a person"
        question["comment"] = mark["comment"]
        untouched = question["untouched"] and not mark["points"] and not mark["by_hand"] and not mark["waits"]
        if mark["waits"]:
            check["sentence"] = "Not graded yet: your answer waits for a person. Points will be added."
        elif untouched:
            check["sentence"] = "There is no answer here."
    else:
        check["criterion"] = criterion(cell)
        check |= _said(cell, check["hidden"])
        if mark["waits"]:
            check["sentence"] = f"{check['sentence']} A person has to look at this check.".strip()
    if mark["by_hand"] and not by_hand:
        check["sentence"] = f"{check['sentence']} The points were set by a person.".strip()
    question["checks"].append(check)


def criterion(cell):
    """Say what a test cell checks: its own first comment, or its name.

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell
    >>> test = {"nbgrader": {"grade_id": "test_q1"}}
    >>> criterion(new_code_cell("# After submission, 1 point: other names.\\n1 / 0", metadata=test))
    'After submission: other names.'
    >>> criterion(new_code_cell("# Check of question 1: 1 of 2 points. Silent when right.", metadata=test))
    'The check in the notebook'
    >>> criterion(new_code_cell("assert x", metadata=test))
    'Check `test_q1`'
    """
    comments = []
    for line in cell.source.splitlines():
        if not line.startswith("#") or line.startswith("###"):
            break
        comments.append(line.lstrip("# "))
    text = " ".join(comments)
    if text.lower().startswith("after submission"):
        return f"After submission: {text.partition(':')[2].strip() or 'other data.'}"
    if text.lower().startswith("check of"):
        return "The check in the notebook"
    after = " (with a part after submission)" * (HIDDEN in cell.source)
    return f"Check `{cell.metadata['nbgrader']['grade_id']}`{after}"


def _said(cell, hidden):
    """Return the sentence of a test cell, what it reports, and the kind of its error."""
    outputs = cell.get("outputs", [])
    error = next((output for output in outputs if output.output_type == "error"), None)
    said = {"sentence": "", "report": "", "kind": error.ename if error else ""}
    if error is not None:
        said["sentence"] = sentence_of(error.ename, error.evalue, hidden)
    elif any(output.output_type == "execute_result" for output in outputs):
        # A test that ends in a number of points tells in its printed text what they are for.
        texts = [output.text for output in outputs if output.output_type == "stream" and output.name == "stdout"]
        said["report"] = "".join(texts)[:LONGEST].strip()
    return said


def _state(question):
    if any(check["waits"] for check in question["checks"]):
        return WAITS
    if question["points"] >= question["of"]:
        return "right"
    return "not yet" if question["points"] <= 0 else "partly"


def _hint(question, cell, own):
    """Say what to do first, where the checks alone do not tell."""
    checks = [check for check in question["checks"] if check["criterion"] != "Graded by a person"]
    failed = [check for check in checks if check["points"] < check["of"]]
    error = next((output for output in cell.get("outputs", []) if output.output_type == "error"), None)
    if not failed:
        return
    if question["untouched"]:
        question["hint"] = "This answer cell is as it was handed out."
    elif error is not None and error.ename not in SENTENCES:
        # What an error says may be what a hidden test gave to a function: only known words are repeated.
        known = words_of(error.evalue) <= own | set(PYTHON.split())
        text = f"{error.ename}: {error.evalue}" if known and len(error.evalue) < 200 else error.ename
        question["hint"] = f"Your answer cell stops with {text}. Begin there: the checks come after it."
    elif all(check["hidden"] for check in failed) and len(failed) < len(checks):
        question["hint"] = (
            "The check in the notebook is content, the one after submission is not: your answer is right for the data "
            "in front of you only. Try blanks, ties, repeated rows, an empty table, other names, another day."
        )
    elif all(check["kind"] == "CheckFailed" for check in failed):
        question["hint"] = (
            "Repair it in the notebook until Validate is silent; then the checks after submission follow."
        )


# ---------------------------------------------------------------------------------------------------------------------
# the lab


def name(cell):
    """Return the grade id of a cell, or None."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def _in_order(notebook, released):
    order = [name(cell) for cell in released if name(cell)]
    return order + [name(cell) for cell in notebook.cells if name(cell) and name(cell) not in order]


def headings(cells):
    """Return {graded or answer cell: the heading above it}, without its points.

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_markdown_cell
    >>> answer = new_code_cell("", metadata={"nbgrader": {"grade_id": "q1"}})
    >>> headings([new_markdown_cell("## Question 1 · Phones (2 points)\\n\\nText"), answer])
    {'q1': 'Question 1 · Phones'}
    """
    found, last = {}, ""
    for cell in cells:
        if cell.cell_type == "markdown" and (not name(cell) or is_fixed(cell)):
            lines = [line.strip() for line in cell.source.splitlines() if line.strip()]
            line = next((line for line in reversed(lines) if line.startswith("#")), lines[0] if lines else "")
            last = re.sub(r"[#*]|\s*\([\d.]+ points?\)", "", line).strip() or last
        if name(cell):
            found[name(cell)] = last
    return found


@functools.cache
def sections():
    """Return {(lab, question): [(chapter, heading of a section) …]} that teach it; the table is filed with the labs."""
    path = Path(__file__).parents[1] / "labs" / "sections.csv"
    found = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault((row["lab"], row["question"]), []).append((row["chapter"], row["section"]))
    return found


def sections_of(lab, cell_name):
    """Return where to read: a list of {"chapter": number, "section": heading, "address": file and anchor}.

    Parameters
    ----------
    lab, cell_name : str
        The assignment, and the grade id of an answer or a test in it.

    Examples
    --------
    >>> [place["section"] for place in sections_of("lab03_database", "q3_find_pairs")]
    ['4 · Match (匹配)']
    >>> [place["address"].partition("#")[0] for place in sections_of("capstone", "test_a5_quality_hidden")]
    ['02_collecting.ipynb', '03_database.ipynb']
    """
    question = re.match(r"(?:test_)?([a-z]+\d+)", cell_name)
    return [
        {
            "chapter": int(chapter.partition("_")[0]),
            "section": heading,
            "address": f"{chapter}.ipynb#{quote(heading.replace(' ', '-'))}",
        }
        for chapter, heading in (sections().get((lab, question.group(1)), []) if question else [])
    ]
