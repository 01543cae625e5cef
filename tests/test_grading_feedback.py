"""A student's feedback page: what stands in it, what must never stand in it, and that it can be read and printed."""

import copy
import csv
import datetime
import json
import os
import re
import stat
from pathlib import Path
from urllib.parse import unquote

import pytest
import sqlalchemy
from nbformat.v4 import new_code_cell, new_output
from nbgrader.api import Gradebook
from nbgrader.utils import notebook_hash

from cimlab.grading import feedback, feedback_command, feedback_page, feedback_read
from cimlab.grading.course import CourseError, register
from cimlab.grading.grade_write import REVIEW, TABLE
from tests import broken, tiny_lab
from tests.test_grading_class import nbgrader
from tests.tiny_lab import LAB

ROOT = Path(__file__).resolve().parent.parent
HIDDEN_LINE = 'checks.cases(clean, [("174-99-77", "1749977", "think of other signs than the space")], reveal=False)'
SCHEME_LINE = "1 point for the channel, 1 for the single view."
WRONG = 'def clean(phone):\n    return phone.replace(" ", "")  # 去掉空格'


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course with three graded hand-ins, two with words by hand, and one hand-in that could not be read."""
    from cimlab.grading.course import open_api

    course = tiny_lab.write_course(tmp_path_factory.mktemp("course"))
    register(course, [LAB])
    for student, answers in {
        "lina": {"q3_why": "因为**一个客户**是一个人。 <script>alert(1)</script><img src=http://x.example/a.png>"},
        "wang": {"q1_clean": WRONG, "q2_totals": "totals = ordres"},
        "zhao": {"q3_why": "*Write your answer here.*"},
    }.items():
        broken.HandIn(broken.filled(course, LAB, **answers), None).write(course, student, LAB)
    broken.HandIn(b'{"cells": [', None).write(course, "bad", LAB)
    for folder in (course / "submitted").glob("*/*"):  # as `nbgrader submit` leaves them
        (folder / "timestamp.txt").write_text("2026-10-12 09:00:00 UTC", encoding="utf-8")
        (folder / "submission_secret.txt").write_text(folder.parent.name, encoding="utf-8")
    open_api(course).autograde(LAB, "*")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_student("lina", last_name="李", first_name="娜")
        for cell, points in (("q3_why", 3), ("q4_task", 0.5)):
            grade = gradebook.find_grade(cell, LAB, LAB, "lina")
            grade.manual_score, grade.needs_manual_grade = points, False
        comment = gradebook.find_comment("q3_why", LAB, LAB, "lina")
        comment.manual_comment = "Good, *but* say why. 请举例。<b onclick=alert(2)>!</b>"
        gradebook.find_comment("q1_clean", LAB, LAB, "wang").manual_comment = "Read the hyphen again."
        gradebook.db.commit()
    return course


@pytest.fixture(scope="module")
def pages(graded):
    made = feedback_command.write_pages(graded, LAB)
    assert set(made["pages"]) == {"lina", "wang", "zhao"}, made
    return {path.parts[-3]: path.read_text(encoding="utf-8") for path in graded.glob("feedback/*/*/*.html")}, made


def text_of(page):
    """Return what a reader sees."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", "", body).replace("&#39;", "'").split())


# --- what stands in it -----------------------------------------------------------------------------------------------


def test_points_are_those_of_the_gradebook_with_marks_and_comments_by_hand(graded, pages):
    text = text_of(pages[0]["lina"])
    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as gradebook:
        score = gradebook.find_submission(LAB, "lina").score
    assert score == 9.5
    assert "lina 李娜" in text
    assert "9.5 of 12 points Everything is graded." in text
    assert "partly · Graded by a person 3 of 4 points" in text
    assert "Comment of your instructor" in text
    assert "Good, but say why. 请举例。!" in text
    assert "因为一个客户是一个人。" in text


def test_each_check_says_its_sentence_and_where_to_begin(pages):
    text = text_of(pages[0]["wang"])
    assert "2 of 12 points" in text
    assert "✓ Check test_q1_clean 2 of 2 points" in text
    assert "✗ Check test_q1_hidden (with a part after submission) 0 of 1 point clean(…) " in text
    assert "Think of other signs than the space" in text
    assert "your answer is right for the data in front of you only" in text
    assert "Your answer cell stops with NameError: name 'ordres' is not defined." in text
    assert "2 answers wait for a person: these are the points so far, more may be added." in text
    assert "… Graded by a person – of 4 points Not graded yet" in text


def test_a_comment_on_a_code_answer_is_shown(pages):
    text = text_of(pages[0]["wang"])
    assert text.count("Comment of your instructor") == 1
    assert "Comment of your instructorRead the hyphen again." in text


def test_what_nbgrader_notes_of_an_untouched_answer_is_no_comment_of_the_instructor(pages):
    text = text_of(pages[0]["zhao"])
    assert "There is no answer here." in text
    assert "Comment of your instructor" not in text and "No response" not in text


def test_a_hand_in_without_marks_gets_a_page_that_says_why(graded, pages):
    shown, made = pages
    assert list(made["reviews"]) == ["bad"]
    assert "Your work could not be graded yet." in text_of(shown["bad"])
    assert "This is no grade of 0" in text_of(shown["bad"])
    # The sentence of `cimlab grade`, where there is one.
    row = {"verdict": REVIEW, "reason": "the file is `cut off`. Hand it in again.", "seconds": 1.0, "marked": False}
    row |= {"hand_in": "x", "lab": "x", "token": "x", "graded_at": datetime.datetime(2026, 10, 12)}
    engine = sqlalchemy.create_engine(f"sqlite:///{graded / 'gradebook.db'}")
    TABLE.create(engine)
    with engine.begin() as connection:
        connection.execute(TABLE.insert().values(assignment=LAB, student="bad", **row))
    engine.dispose()
    made = feedback_command.write_pages(graded, LAB, ["bad"])
    assert made["reviews"] == {"bad": "the file is `cut off`. Hand it in again."}
    page = (graded / "feedback" / "bad" / LAB / f"{LAB}.html").read_text(encoding="utf-8")
    assert "<code>cut off</code>" in page
    assert "of 12 points" not in page


@pytest.mark.grading
@pytest.mark.skipif(os.name == "nt", reason="nbgrader has no exchange on Windows")
def test_the_pages_of_the_whole_class_can_be_handed_out(graded, pages, tmp_path, monkeypatch):
    folder = graded / "feedback" / "bad" / LAB
    (folder / "of_another_hand_in.html").touch()
    assert list(feedback_command.write_pages(graded, LAB, ["bad"])["reviews"]) == ["bad"]
    own = ["submission_secret.txt", "timestamp.txt"]
    assert sorted(path.name for path in folder.iterdir()) == [f"{LAB}.html", *own]
    tmp_path.chmod(stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
    monkeypatch.setenv("CIMLAB_EXCHANGE", str(tmp_path))
    done = nbgrader(graded, "release_feedback", LAB)
    assert done.returncode == 0, done.stderr
    released = {path.name for path in tmp_path.rglob("*.html")}
    students = ("bad", "lina", "wang", "zhao")
    assert released == {f"{notebook_hash(secret=student, notebook_id=LAB)}.html" for student in students}


def test_what_a_hand_in_without_marks_links_to_is_not_copied(graded, pages, tmp_path):
    (tmp_path / "elsewhere").write_text("secret", encoding="utf-8")
    path = graded / "submitted" / "bad" / LAB / "timestamp.txt"
    written = path.read_bytes()
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    feedback_command.write_pages(graded, LAB, ["bad"])
    assert not (graded / "feedback" / "bad" / LAB / "timestamp.txt").exists()
    path.unlink()
    path.write_bytes(written)


def test_the_command(graded, pages, monkeypatch, capsys):
    import argparse

    parser = argparse.ArgumentParser()
    feedback_command.add_arguments(parser)
    monkeypatch.chdir(graded)
    assert feedback_command.run(parser.parse_args([LAB, "--students", "wang", "--chapters", "https://x.example/"])) == 0
    assert "feedback/: 1 page for 1 student of lab00_tiny." in capsys.readouterr().out
    assert feedback_command.run(parser.parse_args([LAB, "--students", "nobody"])) == 1
    assert "There is nothing of 'nobody' in submitted/" in capsys.readouterr().err


def test_nobody_graded_yet(tmp_path):
    tiny_lab.write_course(tmp_path)
    register(tmp_path, [LAB])
    with pytest.raises(CourseError, match="Nobody's hand-in"):
        feedback_command.write_pages(tmp_path, LAB)


# --- what must never stand in it -------------------------------------------------------------------------------------


def test_nothing_of_hidden_tests_and_mark_schemes(pages):
    for page in pages[0].values():
        text = text_of(page)
        for secret in ("174-99-77", "1749977", "BEGIN HIDDEN", "reveal=False", SCHEME_LINE, "MARK SCHEME", "Traceback"):
            assert secret not in page
            assert secret not in text


def test_a_page_with_a_hidden_line_is_not_written(graded, pages, monkeypatch):
    target = graded / "feedback" / "wang" / LAB / f"{LAB}.html"
    monkeypatch.setattr(
        feedback_read, "marks_of", lambda *a, real=feedback_read.marks_of: told(real(*a), f"Look: `{HIDDEN_LINE}`")
    )
    made = feedback_command.write_pages(graded, LAB, ["wang"])
    assert "would show a hidden line" in made["failed"]["wang"]
    assert not target.exists()
    assert "! No page for wang" in feedback_command.summary(made, LAB)
    monkeypatch.undo()
    assert not feedback_command.write_pages(graded, LAB, ["wang"])["failed"]


def told(marks, comment):
    marks["q3_why"] = {**marks["q3_why"], "comment": comment}
    return marks


@pytest.mark.parametrize(
    ("kind", "text", "hidden", "shown"),
    [
        ("CheckFailed", "`x` is 3; expected 4.", True, "`x` is 3; expected 4."),
        ("CheckFailed", "`f('17 4', 9)` stops with KeyError: '17 4'.", True, "`f(…)` stops with KeyError."),
        (
            "CheckFailed",
            "`f(…)` is '17 4': it is not right, it is another text. Try.",
            True,
            "`f(…)` is not right, it is another text. Try.",
        ),
        (
            "CheckFailed",
            "`f(…)`, one of its values is 17: it is not right.",
            True,
            "`f(…)`, one of its values is not right.",
        ),
        (
            "CheckFailed",
            "`f(…)` should not have 2 values, for example '17 4'.",
            True,
            "`f(…)` should not have 2 values.",
        ),
        ("CheckFailed", "`n` is 17: it is not right.", True, "`n` is 17: it is not right."),
        ("CheckFailed", "`f('17 4')` stops with KeyError: 1.", False, "`f('17 4')` stops with KeyError: 1."),
        ("KeyError", "'secret'", False, "The check itself stopped (KeyError). Your instructor can see why."),
        ("AssertionError", "the mean is 3.25", True, "This check failed."),
        ("AssertionError", "the mean is wrong", False, "the mean is wrong"),
        ("TimeUp", "This cell was stopped.", True, "This cell was stopped."),
    ],
)
def test_what_an_error_may_say(kind, text, hidden, shown):
    assert feedback.sentence_of(kind, text, hidden) == shown


def test_an_error_of_the_answer_does_not_carry_what_a_hidden_test_gave():
    notebook = tiny_lab.notebook()
    cells = {cell.id: cell for cell in notebook.cells}
    released = copy.deepcopy(notebook.cells)
    marks = {
        f"test_q{n}": {"points": 0, "of": 1, "waits": False, "by_hand": False, "comment": ""} for n in ("2_totals",)
    }
    for said, shown in (
        ("name 'orders' is not defined", "NameError: name 'orders' is not defined"),
        ("got 17499 from 77", "NameError"),
    ):
        cells["q2_totals"].source = "totals = orders.sum()"
        cells["q2_totals"].outputs = [new_output("error", ename="NameError", evalue=said, traceback=["secret"])]
        (question,) = feedback_read.gather(notebook, marks, released, LAB)["questions"]
        assert question["hint"] == f"Your answer cell stops with {shown}. Begin there: the checks come after it."


def test_a_test_that_gives_part_of_its_points_may_report_and_no_other_may_print():
    outputs = [new_output("stream", name="stdout", text="precision 0.9: 2 of 3\n")]
    cell = new_code_cell("x", outputs=outputs, metadata={"nbgrader": {"grade_id": "t", "grade": True, "locked": True}})
    assert feedback_read._said(cell, True)["report"] == ""
    cell.outputs.append(new_output("execute_result", {"text/plain": "2"}))
    assert feedback_read._said(cell, True)["report"] == "precision 0.9: 2 of 3"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>**b**", "<p><strong>b</strong></p>"),
        ("<SCRIPT src=x", ""),
        ("<a href='javascript:alert(1)'>here</a>", "<p>here</p>"),
        ("[here](https://x.example)", "<p>here</p>"),
        ("a <img src=x onerror=alert(1)>", "<p>a </p>"),
        ("![x](https://x.example/a.png)", "<p></p>"),
        ("<iframe src=x></iframe><svg onload=alert(1)>a</svg>", "a"),
        ("<p style='position:fixed' onclick='x()'>a</p>", "<p>a</p>"),
        ("1 < 2 & 3 > 2", "<p>1 &lt; 2 &amp; 3 &gt; 2</p>"),
        ("| 客户 |\n|---|\n| 1 |", "<table>\n<thead>\n<tr>\n  <th>客户</th>"),
    ],
)
def test_html_in_a_hand_in_is_cleaned(text, shown):
    assert str(feedback_page.safe_html(text)).startswith(shown)
    assert (not shown) == (str(feedback_page.safe_html(text)) == "")


def test_pictures_of_the_notebook_stay_and_others_go():
    pixel = "iVBORw0KGgo="
    shown = feedback_page.safe_html("![my plan](attachment:a.png)", {"a.png": {"image/png": pixel}})
    assert f'<img src="data:image/png;base64,{pixel}" alt="my plan">' in str(shown)
    assert "svg" not in feedback_page.safe_html("![x](attachment:a.svg)", {"a.svg": {"image/svg+xml": "<svg/>"}})
    assert '"' not in feedback_page._whole('"><script>')


def test_the_page_loads_nothing(pages):
    for page in pages[0].values():
        assert "default-src 'none'" in page
        assert not re.search(r"<script|<iframe|onclick|onerror|src=[\"']?http|url\([\"']?http", page, re.IGNORECASE)
        assert "x.example" not in page


# --- where to read again ---------------------------------------------------------------------------------------------


def labs_and_questions():
    for path in sorted((ROOT / "labs").glob("*/*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            settings = cell["metadata"].get("nbgrader", {})
            if settings.get("solution") or settings.get("grade"):
                yield path.parent.name, settings["grade_id"]


def test_each_question_has_a_section_that_exists():
    targets = {}
    for path in (ROOT / "chapters").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        targets[path.name] = set(re.findall(r"^## (.+?)\s*$", text, re.MULTILINE))
    used = set()
    for lab, cell in labs_and_questions():
        places = feedback_read.sections_of(lab, cell)
        assert places, f"cimlab/labs/sections.csv has no row for {lab}, {cell}"
        for place in places:
            file, _, anchor = place["address"].partition("#")
            assert place["section"] in targets[file], (lab, cell, place)
            assert unquote(anchor) == place["section"].replace(" ", "-")
            assert int(file[:2]) == place["chapter"]
            assert lab == "capstone" or lab == f"lab{file.removesuffix('.ipynb')}"  # a lab is about its own chapter
        used.add((lab, re.match(r"(?:test_)?([a-z]+\d+)", cell).group(1)))
    with (ROOT / "cimlab" / "labs" / "sections.csv").open(encoding="utf-8", newline="") as file:
        filed = [tuple(row.values()) for row in csv.DictReader(file)]
    assert len(filed) == len(set(filed)) and {row[:2] for row in filed} == used  # each once, none too many
    assert {question for lab, question in used if lab == "capstone"} == {
        *(f"a{number}" for number in range(1, 11)),
        *(f"b{number}" for number in range(1, 8)),
    }
    assert feedback_read.sections_of("lab00_tiny", "q1_clean") == []


def test_a_question_of_the_capstone_links_to_each_section_that_teaches_it():
    both = feedback_read.sections_of("capstone", "test_b4_model_hidden")
    assert [place["chapter"] for place in both] == [10, 10]
    assert [place["address"].partition("#")[0] for place in both] == ["10_prediction.ipynb"] * 2
    question = {"name": "b4_model", "heading": "Question B4", "checks": [], "kind": "code", "source": "", "hint": ""}
    question |= {"untouched": False, "attachments": {}, "comment": "", "sections": both, "points": 0, "of": 12}
    about = {"total": (0, 120), "penalty": 0, "books": 2, "when": None, "file": "capstone_profiles.ipynb"}
    data = {"title": "Capstone", "repaired": [], "leaky": [], "questions": [question | {"state": "not yet"}]}
    text = text_of(feedback_page.make_page(data, "lina", about, "https://x.example/"))
    assert text.count("chapter 10, “2 · Leakage (数据泄漏)”; chapter 10, “3 · Train and judge in time”") == 2
    data["questions"][0]["state"] = "right"
    assert "chapter 10" not in text_of(feedback_page.make_page(data, "lina", about, "https://x.example/"))


def test_the_link_is_in_the_page():
    data = {"title": "Lab 3", "repaired": ["`q1`: was missing; put back."], "leaky": []}
    sections = feedback_read.sections_of("lab03_database", "q3_find_pairs")
    check = {"points": 0, "of": 2, "by_hand": False, "waits": False, "sentence": "`x` is *not* <right>.", "report": ""}
    check |= {"criterion": "The check in the notebook"}
    question = {"name": "q3", "heading": "Question 3", "checks": [check], "kind": "code", "source": "x = 1"}
    question |= {"untouched": False, "attachments": {}, "comment": "", "sections": sections, "hint": "", "points": 0}
    question |= {"of": 2, "state": "not yet"}
    about = {"total": (3, 60), "penalty": 1.5, "books": 2, "when": None, "file": "a.ipynb"}
    page = feedback_page.make_page(data | {"questions": [question]}, "lina", about, "https://x.example/chapters/")
    address = "https://x.example/chapters/03_database.ipynb#4-%C2%B7-Match-%28%E5%8C%B9%E9%85%8D%29"
    assert page.count(f'<a href="{address}">chapter 3,\n“4 · Match (匹配)”</a>') == 2
    assert "<code>x</code> is <em>not</em> &lt;right&gt;." in page
    assert "was repaired before it was graded" in page.replace("\n", " ")
    assert "1.5 points are taken off because the work was late." in page
    assert "This notebook is one of 2; together: 3 of 60 points." in page
    assert "@font-face" in page  # Chinese is readable where no Chinese font is installed


# --- on paper --------------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_the_page_is_readable_on_screen_and_on_paper(browser, graded, pages):
    path = graded / "feedback" / "lina" / LAB / f"{LAB}.html"
    path.write_text(pages[0]["lina"], encoding="utf-8")
    for width in (360, 1000):
        page = browser.new_page(viewport={"width": width, "height": 900})
        asked, said = [], []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("console", lambda message, said=said: said.append(message.text))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.fonts.check('15px Report', '户')")
        assert len([url for url in asked if not url.startswith("data:")]) == 1
        assert said == []
        paper = page.pdf(format="A4")
        page.close()
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 3
