"""The table that says where each point of the syllabus is taught leads somewhere."""

import re

import pytest

from tests import notebooks as nb

TABLE = nb.ROOT / "chapters" / "COVERAGE.md"


def read_rows(text):
    """Return (chapter number, point, notebook, cells, questions) for each row of each table."""
    rows, chapter = [], None
    for line in text.splitlines():
        if heading := re.match(r"## (\d+) · ", line):
            chapter = int(heading.group(1))
        elif line.startswith("|") and not re.match(r"\|(-+\||\s*point of the syllabus)", line):
            point, notebook, cells, questions = (part.strip() for part in line.strip("|").split("|"))
            rows.append((chapter, point, notebook, listed(cells), listed(questions)))
    return rows


def listed(text):
    return [] if text == "–" else [part.strip() for part in text.split(",")]


def faults(rows):
    """Say which rows lead nowhere."""
    found = []
    for chapter, point, notebook, cells, questions in rows:
        path = next((path for path in nb.CHAPTERS + nb.CAPSTONE if path.stem == notebook), None)
        if path is None:
            found.append(f"{chapter} {point}: there is no notebook {notebook}.ipynb")
            continue
        ids = {cell.id for cell in nb.read(path).cells}
        found += [f"{chapter} {point}: {notebook} has no cell {cell!r}" for cell in cells if cell not in ids]
        found += [f"{chapter} {point}: no cell is named"] if not cells else []
        for question in questions:
            lab, _, grade_id = question.partition(" ")
            if grade_id not in answers(lab):
                found.append(f"{chapter} {point}: there is no question {question!r}")
    return found


def answers(lab):
    """Return the grade ids of the cells that a student answers, in all notebooks of a lab."""
    cells = [cell for path in nb.SOLUTIONS if path.parent.name == lab for cell in nb.read(path).cells]
    return {nb.grade(cell)["grade_id"] for cell in cells if nb.grade(cell).get("solution")}


ROWS = read_rows(TABLE.read_text(encoding="utf-8"))


def test_every_target_exists():
    assert not faults(ROWS)


def test_no_point_stands_twice():
    points = [(chapter, point) for chapter, point, *_ in ROWS]
    assert len(points) == len(set(points))


def test_every_chapter_that_has_a_section_has_rows():
    sections = {int(number) for number in re.findall(r"^## (\d+) · ", TABLE.read_text(encoding="utf-8"), flags=re.M)}
    assert sections == {chapter for chapter, *_ in ROWS} and set(range(11)) <= sections


@pytest.mark.parametrize("lab", sorted({q.split()[0] for row in ROWS for q in row[4]}))
def test_every_question_of_the_lab_checks_a_point(lab):
    named = {question.split()[1] for row in ROWS for question in row[4] if question.startswith(f"{lab} ")}
    assert named == answers(lab)


def test_a_wrong_target_is_seen():
    wrong = [
        (1, "a", "99_nowhere", ["title"], []),
        (1, "b", "01_knowing", ["no-such-cell"], []),
        (1, "c", "01_knowing", ["title"], ["lab01_knowing q99_nothing"]),
        (1, "d", "01_knowing", [], []),
    ]
    assert len(faults(wrong)) == 4
