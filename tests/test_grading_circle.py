"""The instructor's circle, by the commands of docs/instructors.md: release, collect, grade, return, export."""

import os
import re
import shutil
import stat
import zipfile

import nbformat
import pytest
from nbgrader.api import Gradebook

from tests import broken, tiny_lab
from tests.test_grading_class import command, nbgrader

pytestmark = pytest.mark.grading
LAB = tiny_lab.LAB


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course whose class has handed in through a zip file of a learning platform, graded automatically."""
    folder = tiny_lab.write_course(tmp_path_factory.mktemp("course"), labs=False)
    done = command(folder, "cimlab", "release")
    assert done.returncode == 0, done.stderr
    assert f"labs/{LAB}: written" in done.stdout
    archive = folder / "downloaded" / LAB / "archive"
    archive.mkdir(parents=True)
    wrong = broken.filled(folder, LAB, q1_clean='def clean(phone):\n    return phone.replace(" ", "")')
    with zipfile.ZipFile(archive / "export.zip", "w") as export:
        export.writestr(f"2023010201_李娜_{LAB}.ipynb", nbformat.writes(broken.filled(folder, LAB)))
        export.writestr(f"Wei Zhang_2417_assignsubmission_file_/{LAB} (1).ipynb", nbformat.writes(wrong))
        export.writestr("readme.txt", "not a notebook")
    for step in ("zip_collect", "autograde"):
        done = nbgrader(folder, step, LAB)
        assert done.returncode == 0, done.stderr
    return folder


def gradebook(course):
    return Gradebook(f"sqlite:///{course / 'gradebook.db'}")


def test_the_export_of_a_learning_platform_is_collected_and_graded(course):
    assert sorted(path.name for path in (course / "submitted").iterdir()) == ["2023010201", "2417"]
    assert broken.scores(course, LAB) == {"2023010201": 6, "2417": 5}


def test_a_person_grades_the_written_answers_and_feedback_and_marks_follow(course):
    with gradebook(course) as book:
        for student, why, task in (("2023010201", 4, 2), ("2417", 1, 0)):
            # What the Formgrader writes when a score and a comment are typed in.
            for name, score in (("q3_why", why), ("q4_task", task)):
                grade = book.find_grade(name, LAB, LAB, student)
                grade.manual_score, grade.needs_manual_grade = score, False
            book.find_comment("q3_why", LAB, LAB, student).manual_comment = "See chapter 3."
        book.db.commit()
    for step in (["generate_feedback", LAB], ["export", "--to", "marks.csv"]):
        done = nbgrader(course, *step)
        assert done.returncode == 0, done.stderr
    marks = (course / "marks.csv").read_text(encoding="utf-8-sig").splitlines()
    assert marks[0].split(",")[-3:] == ["score", "max_score", "status"]
    assert [line.split(",")[-3:] for line in marks[1:]] == [["12.0", "12.0", "graded"], ["6.0", "12.0", "graded"]]

    feedback = (course / "feedback" / "2417" / LAB / f"{LAB}.html").read_text(encoding="utf-8")
    seen = re.sub(r"<[^>]+>", "", feedback)
    assert "Think of other signs than the space" in seen
    assert "See chapter 3." in seen
    assert "6 of 12 points" in seen
    for secret in ("HIDDEN TESTS", "174-99-77&quot;", "1749977", "MARK SCHEME", "single view", "most recent call"):
        assert secret not in seen


def test_validate_shows_the_student_the_sentence_only(course, tmp_path):
    wrong = broken.filled(
        course, LAB, q2_totals="totals = orders", q1_clean="def clean(phone):\n    return phone.strip()"
    )
    nbformat.write(wrong, tmp_path / "lab.ipynb")
    done = nbgrader(course, "validate", str(tmp_path / "lab.ipynb"))
    assert "VALIDATION FAILED ON 2 CELL(S)" in done.stdout
    assert "`totals` has one row per *order*: group by customer." in done.stdout
    assert "Traceback" not in done.stdout
    nbformat.write(broken.filled(course, LAB), tmp_path / "right.ipynb")
    assert "Success!" in nbgrader(course, "validate", str(tmp_path / "right.ipynb")).stdout


@pytest.mark.skipif(os.name == "nt", reason="nbgrader has no exchange on Windows")
def test_hand_out_and_hand_in_through_the_exchange(course, tmp_path, monkeypatch):
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    exchange.chmod(stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
    monkeypatch.setenv("CIMLAB_EXCHANGE", str(exchange))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    assert nbgrader(course, "release_assignment", LAB).returncode == 0
    # A student's copy of the course: its labs/ is there already, so the work is handed in from where it was done.
    student = tmp_path / "student"
    shutil.copytree(course / "labs", student / "labs")
    shutil.copy(course / "nbgrader_config.py", student)
    assert LAB in nbgrader(student, "list").stderr
    nbformat.write(broken.filled(course, LAB), student / "labs" / LAB / f"{LAB}.ipynb")
    done = nbgrader(student, "submit", LAB)
    assert done.returncode == 0, done.stderr
    done = nbgrader(course, "collect", LAB)
    assert done.returncode == 0, done.stderr
    (name,) = {path.name for path in (course / "submitted").iterdir()} - {"2023010201", "2417"}
    assert nbgrader(course, "autograde", LAB, "--student", name).returncode == 0
    assert broken.scores(course, LAB)[name] == 6
    # The feedback goes back the same way.
    assert nbgrader(course, "generate_feedback", LAB, "--student", name).returncode == 0
    assert nbgrader(course, "release_feedback", LAB, "--student", name).returncode == 0
    assert nbgrader(student, "fetch_feedback", LAB).returncode == 0
    assert list((student / "labs" / LAB / "feedback").rglob("*.html"))
