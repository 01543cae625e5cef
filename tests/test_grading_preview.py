"""`cimlab preview`: a changed test is tried on the class, and nothing of the class is touched."""

import argparse
import hashlib
import os
import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbgrader.api import Gradebook

from cimlab.grading import preview, preview_page
from cimlab.grading.course import CourseError, register
from cimlab.grading.grade import ISOLATION, grade
from tests import broken, tiny_lab
from tests.tiny_lab import LAB


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A graded class of four; afterwards the author changes two tests and the points of one."""
    course = tiny_lab.write_course(tmp_path_factory.mktemp("course"))
    register(course, [LAB])
    upper = 'def clean(phone):\n    return phone.replace(" ", "")'
    for student, answers in {
        "right": {},
        "hyphen": {"q1_clean": upper},
        "by-hand": {"q1_clean": upper},
        "orders": {"q2_totals": "totals = orders"},
    }.items():
        broken.HandIn(broken.filled(course, LAB, **answers), None).write(course, student, LAB)
    assert [row["score"] for row in grade(course, LAB, jobs=2, isolation="off")["rows"]] == [5, 5, 3, 6]
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.find_grade("test_q1_hidden", LAB, LAB, "by-hand").manual_score = 0.5
        gradebook.find_grade("q3_why", LAB, LAB, "by-hand").manual_score = 4
        gradebook.db.commit()
    path = course / "solutions" / LAB / f"{LAB}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cells = {cell.id: cell for cell in notebook.cells}
    cells["test_q1_hidden"].source = cells["test_q1_hidden"].source.replace("174-99-77", "174 99 77")
    cells["test_q2_totals"].source = 'totals = checks.answer(globals(), "totals", pd.DataFrame)\nlen(totals)'
    cells["test_q2_totals"].metadata["nbgrader"]["points"] = 4
    nbformat.write(notebook, path)
    return course


def state_of(course):
    """Return what every file of the course holds."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in course.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def seen(course):
    before = state_of(course)
    data = preview.preview(course, LAB, jobs=2, isolation="off")
    after = state_of(course)
    log = {course / ".nbgrader.log"}
    assert {path: after[path] for path in after.keys() - log} == {path: before[path] for path in before.keys() - log}
    return data


@pytest.mark.grading
def test_whose_marks_change_by_how_much_and_why(seen):
    points = seen["points"].set_index("student")
    assert points["before"].to_dict() == {"right": 6, "hyphen": 5, "by-hand": 9.5, "orders": 3}
    # Two rows give 2 of 4 points, three rows 3; the hyphen is no longer asked for; what a person
    # gave stays.
    assert points["after"].to_dict() == {"right": 5, "hyphen": 5, "by-hand": 8.5, "orders": 6}
    changes = seen["changes"].set_index(["student", "check"])
    hyphen = changes.loc[("hyphen", "test_q1_hidden")]
    assert (hyphen["before"], hyphen["after"], hyphen["says"]) == (0, 1, "right")
    assert "Think of other signs than the space" in hyphen["said"]
    assert hyphen["why"] == "its text was changed"
    orders = changes.loc[("orders", "test_q2_totals")]
    assert "one row per *order*" in orders["said"]
    assert orders["says"] == "part of the points"
    assert orders["why"] == "its text was changed and it is worth 4 instead of 3"
    assert ("by-hand", "test_q1_hidden") not in changes.index
    assert seen["of"] == (12, 13)
    assert seen["notes"] == []


@pytest.mark.grading
def test_the_gradebook_is_the_same_and_the_files_say_so(course, seen, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(preview, "preview", lambda *arguments: seen)
    monkeypatch.chdir(course)
    parser = argparse.ArgumentParser()
    preview.add_arguments(parser)
    before = hashlib.sha256((course / "gradebook.db").read_bytes()).hexdigest()
    assert preview.run(parser.parse_args([LAB, "--out", str(tmp_path)])) == 0
    assert hashlib.sha256((course / "gradebook.db").read_bytes()).hexdigest() == before
    text = capsys.readouterr().out
    assert "the marks of 3 of 4 hand-ins would change, 1 up, 2 down; mean 5.88 of 12 → 6.12 of 13. 1 more would" in text
    assert "\n  hyphen        5      5      +0\n" in text
    assert "Nothing was written." in text
    table = pd.read_csv(tmp_path / "preview.csv")
    assert len(table) == len(seen["changes"])
    page = (tmp_path / "preview.html").read_text(encoding="utf-8")
    assert "the gradebook is as it was" in page
    assert "<svg" in page
    assert not re.search(r"<script|src=[\"']?http", page)
    assert os.name == "nt" or {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_the_code_of_students_is_shut_in_by_what_grading_knows(course, seen, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(preview, "preview", lambda *arguments: asked.append(arguments[-1]) or seen)
    monkeypatch.chdir(course)
    parser = argparse.ArgumentParser()
    preview.add_arguments(parser)
    for way in ISOLATION:
        assert preview.run(parser.parse_args([LAB, "--isolation", way, "--out", str(tmp_path / way)])) == 0
    assert tuple(asked) == ISOLATION


@pytest.mark.grading
def test_who_cannot_be_compared_is_named(course):
    with pytest.raises(CourseError, match="There are no marks of lab00_tiny to compare with"):
        preview.preview(course, LAB, ["nobody"], isolation="off")


def marks(rows, tests, by_hand=None, said=None):
    frame = pd.DataFrame(rows, columns=["student", "cell", "auto", "manual", "extra"])
    numbers = {column: frame[column].astype(float) for column in ("auto", "manual", "extra")}
    tests = {name: {"of": of, "text": text} for name, (of, text) in tests.items()}
    run = sorted(set(frame["student"]))
    return {"marks": frame.assign(**numbers), "tests": tests, "by_hand": by_hand or {}, "said": said or {}, "run": run}


def test_new_and_removed_checks_and_who_is_no_longer_graded():
    before = marks(
        [["a", "t1", 1, None, 0.5], ["a", "w", None, 2, 0], ["b", "t1", 0, None, 0]], {"t1": (1, "x")}, {"w": 3}
    )
    after = marks([["a", "t2", 2, None, 0]], {"t2": (2, "y")}, {"w": 3})
    data = preview.compare("lab", before, after, ["a", "b"], {"b": "the file is empty."})
    assert data["points"].to_dict("records") == [{"student": "a", "before": 3.5, "after": 4.0, "change": 0.5}]
    assert data["changes"][["check", "why"]].to_numpy().tolist() == [["t2", "it is new"], ["t1", "it was taken away"]]
    assert data["notes"][0] == "b would have no marks: the file is empty."
    assert "nbgrader refuses to release that" in data["notes"][1]
    assert "! b would have no marks" in preview.as_text(data)


def test_no_change_is_said_and_chance_is_not_called_a_change_of_the_test():
    before = marks([["a", "t", 1, None, 0]], {"t": (1, "x")})
    data = preview.compare("lab", before, before, ["a"], {})
    assert preview.as_text(data) == "lab: no mark of 1 hand-ins would change.\n"
    assert "<svg" not in preview_page.page(data)
    after = marks([["a", "t", 0, None, 0]], {"t": (1, "x")}, said={("a", "t"): "=1+1 <b>No</b>."})
    data = preview.compare("lab", before, after, ["a"], {})
    assert data["changes"]["why"].tolist() == [
        "its text is the same: what it calls was changed, or the data, or it is a matter of chance"
    ]
    assert "&lt;b&gt;No&lt;/b&gt;" in preview_page.page(data)


def test_no_cell_of_the_csv_is_a_formula(tmp_path):
    before = marks([["=a", "t", 1, None, 0]], {"t": (1, "x")})
    after = marks([["=a", "t", 0, None, 0]], {"t": (1, "x")}, said={("=a", "t"): "@x"})
    preview.write(tmp_path, preview.compare("lab", before, after, ["=a"], {}))
    table = (tmp_path / "preview.csv").read_text(encoding="utf-8-sig")
    assert "'=a" in table
    assert "'@x" in table


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    before, after = (marks([["a", "t", points, None, 0]], {"t": (1, "x")}) for points in (1, 0))
    data = preview.compare("lab", before, after, ["a"], {})
    preview.write(tmp_path, data)
    old = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(old) == ["preview.csv", "preview.html"]
    write_bytes = Path.write_bytes

    def stop_at_the_second(path, content):
        if path.name.endswith(".csv"):
            raise OSError("the disk is full")
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", stop_at_the_second)
    with pytest.raises(OSError, match="the disk is full"):
        preview.write(tmp_path, {**data, "lab": "another"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == old


def test_many_changes_are_drawn_as_their_number():
    rows = [[f"s{n}", "t", n % 2, None, 0] for n in range(40)]
    data = preview.compare(
        "lab",
        marks([[who, cell, 0.5, None, 0] for who, cell, *_ in rows], {"t": (1, "x")}),
        marks(rows, {"t": (1, "x")}),
        [row[0] for row in rows],
        {},
    )
    assert preview_page.picture(data).startswith("<svg role=")
