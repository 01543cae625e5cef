"""A class with every kind of damaged hand-in goes through stock `nbgrader autograde` in one run."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from cimlab.grading.release import release
from tests import broken, tiny_lab

pytestmark = pytest.mark.grading


def command(course, name, *arguments):
    """Run a command of the environment in a course, as an instructor does."""
    program = Path(sysconfig.get_path("scripts"), name)
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [program, *arguments], cwd=course, env=environment, capture_output=True, encoding="utf-8", timeout=900
    )


def nbgrader(course, *arguments):
    return command(course, "nbgrader", *arguments)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """One hand-in of each kind, autograded: (the course, the hand-ins, the scores, the finished command)."""
    course = tiny_lab.write_course(tmp_path_factory.mktemp("course"), labs=False)
    release(course, [tiny_lab.LAB])
    made = broken.hand_ins(course, tiny_lab.LAB)
    for student, hand_in in made.items():
        hand_in.write(course, student, tiny_lab.LAB)
    done = nbgrader(course, "autograde", tiny_lab.LAB, "--Execute.timeout=10")
    return course, made, broken.scores(course, tiny_lab.LAB), done


def test_each_score_is_as_expected_and_the_class_is_finished(graded):
    _, made, found, _ = graded
    sys.stdout.write("\n" + broken.as_table(made, found) + "\n")
    assert found == {student: hand_in.points for student, hand_in in made.items()}, broken.as_table(made, found)


def test_what_cannot_be_read_is_reported_by_name_with_the_reason(graded):
    _, made, _, done = graded
    unread = [student for student, hand_in in made.items() if hand_in.points is None]
    assert len(unread) == 3
    assert done.returncode == 1  # something was not graded
    for student in unread:
        assert f"for student '{student}'" in done.stderr
    assert "the file is empty. Ask the student to hand it in again." in done.stderr
    assert done.stderr.count("There was an error processing assignment '") == len(unread)


def test_repairs_are_logged_and_stand_in_the_graded_notebook(graded):
    course, _, _, done = graded
    assert "repair: test-deleted: `test_q1_clean`" in done.stderr
    path = course / "autograded" / "test-deleted" / tiny_lab.LAB / f"{tiny_lab.LAB}.ipynb"
    assert "was missing; put back" in nbformat.read(path, as_version=4).cells[0].source
    untouched = course / "autograded" / "right" / tiny_lab.LAB / f"{tiny_lab.LAB}.ipynb"
    assert nbformat.read(untouched, as_version=4).cells[0].id == "title"


def test_marks_have_no_silent_zero(graded):
    course, made, _, _ = graded
    assert nbgrader(course, "export").returncode == 0
    lines = (course / "grades.csv").read_text(encoding="utf-8-sig").splitlines()
    rows = {line.split(",")[1]: line.split(",") for line in lines[1:]}
    assert set(rows) == set(made)
    assert rows["damaged"][-3:] == ["", "12.0", "handed in but not graded: see .nbgrader.log"]
    assert rows["right"][-3:] == ["6.0", "12.0", "waits for a grader"]
    assert rows["empty"][-3:] == ["0.0", "12.0", "waits for a grader"]


def test_an_untouched_written_answer_gets_nothing_and_another_waits_for_a_person(graded):
    course, *_ = graded
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for student, score, waits in (("empty", 0, False), ("right", None, True), ("ids-lost-too", None, True)):
            grade = gradebook.find_grade("q3_why", tiny_lab.LAB, tiny_lab.LAB, student)
            assert (student, grade.auto_score, grade.needs_manual_grade) == (student, score, waits)


def test_a_loop_and_a_dead_kernel_say_what_happened(graded):
    course, *_ = graded

    def errors(student):
        path = course / "autograded" / student / tiny_lab.LAB / f"{tiny_lab.LAB}.ipynb"
        cells = nbformat.read(path, as_version=4).cells
        return [output.ename for cell in cells for output in cell.get("outputs", []) if output.output_type == "error"]

    assert errors("endless-loop")[:2] == ["KeyboardInterrupt", "TimeUp"]
    assert errors("kernel-killed") == ["KernelDied", "NotRun"]
