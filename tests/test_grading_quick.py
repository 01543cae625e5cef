"""What makes grading quick changes nothing in what comes out (see also `test_grading_grade`: the same, isolated)."""

import datetime
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_grading_grade import LAB, hand_in, make_course

pytestmark = pytest.mark.grading

# Grades three hand-ins of one course by nbgrader, quick or not, without running them; says what the gradebook holds.
GRADES = """
import json, sqlite3, sys
from pathlib import Path
from cimlab.grading.course import open_api
from cimlab.grading.grade_quick import make_quick
from cimlab.grading.grade_write import read_marks

course, quick, students = Path(sys.argv[1]), sys.argv[2] == "quick", sys.argv[3:]
api = open_api(course)
api.config.Autograde.autograde_preprocessors = [
    one for one in api.config.Autograde.autograde_preprocessors if "Execute" not in one
]
if quick:
    make_quick()
marks = []
for _ in range(2):  # the second time the hand-ins are there
    for student in students:
        assert api.autograde("LAB", student, force=True)["success"]
    marks.append([read_marks(api.coursedir.db_url, "LAB", student) for student in students])
    with sqlite3.connect(course / "gradebook.db") as gradebook:
        gradebook.execute("update grade set manual_score = .5 where rowid % 2")  # a person gives marks
with sqlite3.connect(course / "gradebook.db") as gradebook:
    courses = sorted(gradebook.execute("select id from course"))
    sizes = [gradebook.execute(f"select count(*) from {name}").fetchone() for name in ("grade", "comment", "student")]
notebooks = [json.loads(path.read_text()) for path in sorted((course / "autograded").rglob("*.ipynb"))]
print(json.dumps([marks, courses, sizes, notebooks]))
""".replace("LAB", LAB)


def _grade(course, how, *students):
    command = [sys.executable, "-W", "ignore", "-c", GRADES, course, how, *students]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, encoding="utf-8", timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_gradebook_is_filled_as_nbgrader_fills_it(tmp_path):
    students, found = ("right", "wrong-1", "empty"), {}
    for how in ("stock", "quick"):
        course = make_course(tmp_path / how)
        hand_in(course, *students)
        found[how] = _grade(course, how, *students)
    assert found["quick"] == found["stock"]
    marks, *_ = found["stock"]
    first, second = (json.dumps(one) for one in marks)
    assert first != second  # the marks of a person are seen
    assert "No response." in first


def test_a_schema_forbids_what_it_has_forbidden_and_allows_what_it_has_allowed():
    from jsonschema import ValidationError

    from cimlab.grading.grade_quick import _validate

    strict, lax = {"properties": {"points": {"type": "integer"}}}, {"properties": {}}
    for _ in range(2):
        _validate({"points": 1}, dict(strict))
        _validate({"points": "1"}, dict(lax))
        with pytest.raises(ValidationError):
            _validate({"points": "1"}, dict(strict))


def test_the_date_of_a_message_is_read_and_nothing_else_in_it():
    from jupyter_client.jsonutil import extract_dates

    from cimlab.grading.grade_quick import _read_date

    header = {"msg_id": "a_1", "date": "2026-10-12T20:00:00.123456Z", "msg_type": "stream", "version": "5.4"}
    assert _read_date(header) == extract_dates(header)
    assert isinstance(_read_date(header)["date"], datetime.datetime)
    assert _read_date({}) == {}


def test_a_private_gradebook_is_made_without_a_process_of_its_own(tmp_path, monkeypatch):
    from nbgrader import api

    from cimlab.grading.grade_write import OF_LAB, TABLES, make_private

    monkeypatch.setattr(api, "get_alembic_version", None)  # it starts one, for two seconds
    make_private(tmp_path / "gradebook.db", "cim", dict.fromkeys(OF_LAB))
    with api.Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}", "cim") as gradebook:
        assert set(api.inspect(gradebook.engine).get_table_names()) >= set(TABLES)
        assert [course.id for course in gradebook.db.query(api.Course)] == ["cim"]
