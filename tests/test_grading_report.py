"""`cimlab report`: figures with known answers, likeness without accusing, no names where none may be, whole files."""

import copy
import datetime
import json
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbgrader.api import Gradebook

from cimlab.grading import report, report_command, report_page, report_read, report_similarity
from cimlab.grading.course import CourseError, open_api
from cimlab.grading.release import release
from tests import tiny_lab
from tests.tiny_lab import LAB

# nbgrader 0.9.6 under SQLAlchemy 2.1 warns of something that does no harm (see nbgrader_config.py).
pytestmark = pytest.mark.filterwarnings("ignore:Object of type <Submitted")

DUE = datetime.datetime(2026, 10, 12, 15, 59)
SAYS = {
    "returns nothing": "`clean('174 0012')` returns None, that is, nothing: is a `return` missing?",
    "keeps the hyphen": "`clean(…)` is wrong. Think of other signs than the space",
    "no grouping": "`totals` has one row per *order*: group by customer.",
}
RIGHT = {
    "q1_clean": 'def clean(phone):\n    kept = [sign for sign in phone if sign.isdigit()]\n    return "".join(kept)',
    "q2_totals": 'totals = orders.groupby("customer", as_index=False)["spent"].sum()',
    "q3_why": "A customer is one person, whatever the channel.",
}


# ---------------------------------------------------------------------------------------------------------------------
# a class, made without running a notebook


def make_gradebook(course, source, lab, students, due=DUE):
    """Enter a lab and its students in gradebook.db, as `nbgrader generate_assignment` does."""
    released = {cell.id: cell.source for cell in nbformat.read(course / "labs" / lab / f"{lab}.ipynb", 4).cells}
    shutil.copy(course / "none.db", course / "gradebook.db")
    gradebook = Gradebook(f"sqlite:///{(course / 'gradebook.db').as_posix()}", "cimlab")
    gradebook.add_assignment(lab, duedate=due)
    gradebook.add_notebook(lab, lab)
    for cell in source.cells:
        settings = cell.metadata.get("nbgrader")
        if not settings:
            continue
        name = settings["grade_id"]
        gradebook.add_source_cell(
            name, lab, lab, cell_type=cell.cell_type, locked=settings["locked"], source=released[name]
        )
        if settings.get("task"):
            gradebook.add_task_cell(name, lab, lab, max_score=settings["points"], cell_type=cell.cell_type)
        elif settings["grade"]:
            gradebook.add_grade_cell(name, lab, lab, max_score=settings["points"], cell_type=cell.cell_type)
        if settings["solution"]:
            gradebook.add_solution_cell(name, lab, lab)
    for student, (last, first) in students.items():
        gradebook.add_student(student, last_name=last, first_name=first)
    return gradebook


def hand_in(gradebook, course, lab, student, points, answers=None, said=None, minutes_late=None, run_at=()):
    """Enter a graded hand-in: points of each cell (None waits), the answers, what failed checks said."""
    late = None if minutes_late is None else DUE + datetime.timedelta(minutes=minutes_late)
    submission = gradebook.add_submission(lab, student, timestamp=late)
    for grade in submission.notebooks[0].grades:
        grade.auto_score, grade.needs_manual_grade = points[grade.name], points[grade.name] is None
    gradebook.db.commit()
    notebook = nbformat.read(course / "labs" / lab / f"{lab}.ipynb", 4)
    for cell in notebook.cells:
        cell.source = (answers or {}).get(cell.id, cell.source)
        if cell.cell_type == "code" and cell.id in (said or {}):
            kind, sentence = said[cell.id] if isinstance(said[cell.id], tuple) else ("CheckFailed", said[cell.id])
            cell.outputs = [nbformat.v4.new_output("error", ename=kind, evalue=sentence, traceback=["secret code"])]
    for step in ("submitted", "autograded"):
        folder = course / step / student / lab
        folder.mkdir(parents=True)
        written = copy.deepcopy(notebook)
        if step == "submitted":
            for cell, moment in zip(written.cells, run_at, strict=False):
                cell.metadata["execution"] = {"iopub.execute_input": moment}
        nbformat.write(written, folder / f"{lab}.ipynb")


def full(**points):
    """Return the points of a right hand-in of the tiny lab that was graded by hand, with changes."""
    return {"test_q1_clean": 2, "test_q1_hidden": 1, "test_q2_totals": 3, "q3_why": 4, "q4_task": 2} | points


CLASS = {
    "2026001": ("李", "娜"),
    "2026002": ("王", "<b>芳</b>"),
    "2026003": ("欧阳", "修"),
    "2026004": ("Smith", "Ann"),
    "2026005": ("赵", "云"),
    "2026006": ("", ""),
}


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    """A course with one released lab and no class."""
    course = tiny_lab.write_course(tmp_path_factory.mktemp("blank"))
    Gradebook(f"sqlite:///{(course / 'none.db').as_posix()}", "cimlab").close()  # it takes seconds: made once
    return course


@pytest.fixture(scope="module")
def course(blank, tmp_path_factory):
    """Six students: right; returns nothing; keeps the hyphen, late; no grouping, waits; not graded; no hand-in."""
    course = shutil.copytree(blank, tmp_path_factory.mktemp("course"), dirs_exist_ok=True)
    book = make_gradebook(course, tiny_lab.notebook(), LAB, CLASS)
    times = ["2026-10-12T10:00:00Z", "2026-10-12T10:10:00Z", "2026-10-12T14:00:00Z", "2026-10-12T14:04:00Z"]
    hand_in(book, course, LAB, "2026001", full(), RIGHT, minutes_late=-60, run_at=times)
    lost = {"test_q1_clean": 0, "test_q1_hidden": 0}
    said = {
        "test_q1_clean": SAYS["returns nothing"],
        "test_q1_hidden": ("KeyError", "'hidden value 4711'"),
        "test_q2_totals": "`totals` is 李娜 <script>alert(1)</script> 2026001",
    }
    hand_in(book, course, LAB, "2026002", full(**lost, test_q2_totals=0, q3_why=1), {}, said, minutes_late=-1)
    said = {"test_q1_hidden": SAYS["keeps the hyphen"]}
    hand_in(book, course, LAB, "2026003", full(test_q1_hidden=0), RIGHT, said, minutes_late=3 * 60 + 5)
    said = {"test_q2_totals": SAYS["no grouping"]}
    hand_in(book, course, LAB, "2026004", full(test_q2_totals=0, q3_why=None), {"q2_totals": "totals = orders"}, said)
    book.add_submission(LAB, "2026005", timestamp=DUE)
    book.close()
    (course / "submitted" / "2026005" / LAB).mkdir(parents=True)
    (course / "submitted" / "2026005" / LAB / f"{LAB}.ipynb").write_text("", encoding="utf-8")
    return course


@pytest.fixture(scope="module")
def data(course):
    return report_command.figures(course, LAB)


def run(course, monkeypatch, *arguments):
    """Run the command in a course as the door of the package does."""
    import argparse

    monkeypatch.chdir(course)
    parser = argparse.ArgumentParser()
    report_command.add_arguments(parser)
    return report_command.run(parser.parse_args([*map(str, arguments)]))


# ---------------------------------------------------------------------------------------------------------------------
# figures


def test_points_are_those_of_the_gradebook_and_a_missing_mark_is_no_zero(data):
    assert list(data["cells"].index) == ["test_q1_clean", "test_q1_hidden", "test_q2_totals", "q3_why", "q4_task"]
    assert list(data["cells"]["question"]) == ["q1_clean", "q1_clean", "q2_totals", "q3_why", "q4_task"]
    assert data["points"].loc["2026001"].tolist() == [2, 1, 3, 4, 2]
    assert data["points"].loc["2026002"].tolist() == [0, 0, 0, 1, 2]
    assert np.isnan(data["points"].loc["2026004", "q3_why"])
    assert list(data["points"].index) == ["2026001", "2026002", "2026003", "2026004"]
    assert data["hand_ins"]["status"].tolist() == [
        "graded",
        "graded",
        "graded",
        "waits for a grader",
        "handed in but not graded: see .nbgrader.log",
        "nothing handed in",
    ]


def test_difficulty_and_discrimination_by_hand(data):
    items = report.item_figures(data["points"], data["cells"]["max"])
    assert items["share"].round(4).tolist() == [0.75, 0.5, 0.5, 0.75, 1.0]  # q3: 4, 1 and 4 of 4, one not marked
    assert items["marked"].tolist() == [4, 4, 4, 3, 4]
    # test_q1_clean: 2 0 2 2 against what the others give that everybody has a mark for: 6 2 5 3 (q1_hidden, q2, q4)
    expected = np.corrcoef([2, 0, 2, 2], [1 + 3 + 2, 0 + 0 + 2, 0 + 3 + 2, 1 + 0 + 2])[0, 1]
    assert items.loc["test_q1_clean", "discrimination"] == pytest.approx(expected)
    # A written answer that one student waits for: only those who have a mark count.
    assert items.loc["q3_why", "discrimination"] == pytest.approx(np.corrcoef([4, 1, 4], [8, 2, 7])[0, 1])
    assert np.isnan(items.loc["q4_task", "discrimination"])  # everybody has the same


def test_the_correlation_leaves_the_item_itself_out_and_does_not_depend_on_order():
    generator = np.random.default_rng(5)
    points = pd.DataFrame(generator.integers(0, 3, (40, 4)).astype(float), columns=list("abcd"))
    items = report.item_figures(points, pd.Series(2, index=points.columns))
    for name in points:
        rest = points.drop(columns=name).sum(axis=1)
        assert items.loc[name, "discrimination"] == pytest.approx(points[name].corr(rest))
    turned = report.item_figures(points[::-1], pd.Series(2, index=points.columns))
    pd.testing.assert_frame_equal(items, turned)


@pytest.mark.parametrize("hand_ins", [1, 2])
def test_two_hand_ins_have_no_correlation(hand_ins):
    points = pd.DataFrame({"a": [0.0, 1], "b": [0.0, 1]})[:hand_ins]
    assert report.item_figures(points, pd.Series({"a": 1, "b": 1}))["discrimination"].isna().all()


def test_mistakes_are_recognised_by_the_sentence_of_their_own_test(data):
    seen = data["mistakes_seen"].set_index("mistake")
    assert seen["students"].to_dict() == {"returns nothing": 1, "keeps the hyphen": 1, "no grouping": 1}
    assert seen.loc["no grouping", "question"] == "q2_totals"
    elsewhere = pd.DataFrame(
        {"student": ["a"], "cell": ["test_q2_totals"], "kind": ["CheckFailed"], "sentence": [SAYS["returns nothing"]]}
    )
    assert report.name_mistakes(elsewhere, data["mistakes"])["mistake"].tolist() == [""]
    # The strange sentence of 2026002 in question 2; its KeyError is a fault of the test, no wrong answer.
    assert data["unnamed"] == [("2026002", "q2_totals")]


def test_mistakes_that_share_a_sentence_are_named_together():
    filed = [
        {"name": name, "cell": "q1", "says": "too  many", "points": {test: 0}}
        for name, test in (("A", "t1"), ("B", "t2"))
    ]
    errors = pd.DataFrame({"cell": ["t1", "t2"], "sentence": ["One Too many.", "too\nmany"]})
    assert report.name_mistakes(errors, filed)["mistake"].tolist() == ["A / B", "A / B"]


def test_common_sentences_count_students_not_errors(data):
    sentences = data["sentences"]
    assert sentences["students"].max() == 1
    assert set(sentences.loc[sentences["cell"] == "test_q1_hidden", "sentence"]) == {
        "The test itself stopped (KeyError).",
        SAYS["keeps the hyphen"],
    }


def test_late_work_counts_from_the_date_and_needs_one(course, data, tmp_path):
    assert data["hand_ins"].loc["2026003", "late"] == (3 * 60 + 5) * 60
    assert (data["hand_ins"]["late"] > 0).sum() == 1
    told = report_page._time(data)
    assert told["late"] == [("2026003 欧阳修", "3 h 5 min")]
    assert "Late: 1 of 4 with a known time" in told["late_text"]
    assert "Of 1 hand-in the time is not known" in told["late_text"]
    assert "nothing can be called late" in report_page._time({**data, "due": None})["late_text"]


def test_time_at_work_leaves_breaks_out(data):
    assert data["minutes"] == {"2026001": 14.0}
    assert report.working_minutes(["2026-10-12T10:00:00Z", "nonsense"]) is None


def test_marks_have_every_student_and_no_silent_zero(data):
    columns = ["last_name", "first_name", "status", "penalty"]
    table = report.marks(data["points"], data["cells"], data["hand_ins"][columns]).set_index("student_id")
    assert list(table.columns) == ["last_name", "first_name", "q1_clean", "q2_totals", "q3_why", "q4_task", "total",
                                   "max", "status"]  # fmt: skip
    assert table.loc["2026001", ["q1_clean", "total", "max"]].tolist() == [3, 12, 12]
    assert np.isnan(table.loc["2026004", "q3_why"])
    assert table.loc["2026004", "total"] == 5
    assert np.isnan(table.loc["2026005", "total"])  # could not be graded
    assert table.loc["2026006", "total"] == 0  # handed in nothing


def test_a_penalty_is_taken_off_and_shown(data):
    hand_ins = data["hand_ins"][["status", "penalty"]].assign(penalty=[0.0, 9, 1, 0, 0, 0])
    table = report.marks(data["points"], data["cells"], hand_ins).set_index("student_id")
    assert table.loc[["2026002", "2026003"], "total"].tolist() == [0, 10]
    assert table.loc["2026003", "penalty"] == 1


def test_marks_by_hand_and_extra_credit_go_before_the_automatic_ones(empty):
    course = empty
    book = make_gradebook(course, tiny_lab.notebook(), LAB, {"a": ("", "")})
    hand_in(book, course, LAB, "a", full())
    grade = book.find_grade("q3_why", LAB, LAB, "a")
    grade.auto_score, grade.manual_score, grade.extra_credit = None, 3.0, 0.5
    book.find_grade("test_q2_totals", LAB, LAB, "a").manual_score = 2.0
    book.db.commit()
    expected = book.find_submission(LAB, "a").score
    book.close()
    points = report_command.figures(course, LAB)["points"]
    assert points.loc["a", ["q3_why", "test_q2_totals"]].tolist() == [3.5, 2.0]
    assert points.loc["a"].sum() == expected


# ---------------------------------------------------------------------------------------------------------------------
# likeness

ONE = '''
def best(orders, part):
    """Return the share of the best."""
    known = orders.dropna(subset=["customer_id"])
    spent = known.groupby("customer_id")["amount"].agg("sum").sort_values(ascending=False)
    first = int(np.ceil(len(spent) * part))
    while first < len(spent) and spent.iloc[first] == spent.iloc[first - 1]:
        first += 1
    return float(spent.head(first).sum() / spent.sum())
'''
RENAMED = '''
def best(o, p):  # my own work
    """Return the share of the best."""
    tab = o.dropna(subset=['customer_id'])

    money = (tab.groupby('customer_id')['amount']
                .agg('sum').sort_values(ascending=False))
    i = int(np.ceil(len(money) * p))
    while i < len(money) and money.iloc[i] == money.iloc[i - 1]:
        i += 1
    return float(money.head(i).sum() / money.sum())
'''
OTHER = '''
def best(orders, part):
    """Return the share of the best."""
    table = orders[orders["customer_id"].notna()].pivot_table(index="customer_id", values="amount", aggfunc="sum")
    limit = table["amount"].quantile(1 - part)
    chosen = table[table["amount"] >= limit]
    total = 0
    for value in chosen["amount"]:
        total = total + value
    return total / table["amount"].sum()
'''
SCAFFOLD = '''
def best(orders, part):
    """Return the share of the best customers in all sales, for each part that is asked for."""
    ...  # your code here


best(orders, 0.2), best(orders, 0.5), best(orders, 1.0), [best(orders, part) for part in (0.1, 0.3, 0.7, 0.9)]
'''


def sheet(**sources):
    return pd.DataFrame(
        [(student, "q1", "code", source) for student, source in sources.items()],
        columns=["student", "cell", "kind", "source"],
    )


def test_a_copy_with_renamed_variables_is_found():
    pairs = report_similarity.alike(sheet(a=ONE, b=OTHER, c=RENAMED), [("code", SCAFFOLD)])
    assert pairs[["first", "second"]].to_numpy().tolist() == [["a", "c"]]
    assert pairs.loc[0, "similarity"] > 0.95
    assert pairs.loc[0, "cells"] == ["q1"]


def test_one_copied_answer_among_own_ones_is_found():
    own = "\n".join(f"table = table.step{n}(left.part{n}, 'k{n}')" for n in range(40))
    answers = pd.concat([sheet(a=ONE, b=OTHER, c=RENAMED), sheet(a=own, b=own[::2], c=OTHER * 2).assign(cell="q2")])
    pairs = report_similarity.alike(answers)
    assert pairs[["first", "second", "cells"]].to_numpy().tolist() == [["a", "c", ["q1"]]]
    assert pairs.loc[0, "similarity"] < report_similarity.THRESHOLD


def test_two_who_left_the_scaffold_are_not_accused():
    left = sheet(a=SCAFFOLD, b=SCAFFOLD, c=SCAFFOLD.replace("...", "pass"), d=ONE)
    assert report_similarity.alike(left, [("code", SCAFFOLD)]).empty
    # The test bites: without knowledge of the scaffold they would be.
    assert len(report_similarity.alike(left)) >= 1


def test_what_the_chapter_gave_and_the_class_wrote_is_no_copy():
    assert report_similarity.alike(sheet(a=ONE, b=RENAMED), [("code", ONE)]).empty
    short = 'totals = orders.groupby("customer", as_index=False)["spent"].sum()'
    assert report_similarity.alike(sheet(**{f"s{n}": short for n in range(9)})).empty


def test_what_is_common_weighs_less_than_what_is_rare():
    common = {f"s{n}": ONE + f"\nx{n} = [{n}]" for n in range(8)}
    own = "\n".join(f"value.step{n}(left{n}.apart, 'k{n}')" for n in range(12))
    mixed = {"a": ONE + own, "b": ONE + own.replace("step", "walk").replace("'k", "'m").replace("apart", "near")}
    alone = report_similarity.alike(sheet(**mixed), threshold=0.0)
    crowd = report_similarity.alike(sheet(**mixed, **common), threshold=0.0)
    crowd = crowd[(crowd["first"] == "a") & (crowd["second"] == "b")]
    assert crowd["similarity"].iloc[0] < alone["similarity"].iloc[0] / 2


def test_written_answers_are_compared_in_both_languages():
    text = "我们应该先照顾最好的客户，因为他们带来了大部分的销售额。 Keep them with a call, not a coupon."
    answers = pd.DataFrame(
        [("a", "q8", "markdown", text), ("b", "q8", "markdown", "**" + text.replace("，", " , ") + "**")],
        columns=["student", "cell", "kind", "source"],
    )
    assert report_similarity.alike(answers).loc[0, "similarity"] > 0.95


def test_code_that_is_no_python_is_compared_all_the_same():
    slip = "def best(orders:\n" + ONE
    pairs = report_similarity.alike(sheet(a=slip, b=slip.replace("spent", "money")))
    assert pairs.loc[0, "similarity"] > 0.95


def test_likeness_does_not_depend_on_the_order_of_the_class():
    table = sheet(a=ONE, b=OTHER, c=RENAMED, d=ONE)
    pd.testing.assert_frame_equal(report_similarity.alike(table), report_similarity.alike(table[::-1]))


# ---------------------------------------------------------------------------------------------------------------------
# the page


@pytest.fixture(scope="module")
def page(data):
    return report_page.page(data, LAB, data["heading"])


def test_the_page_needs_no_network_and_runs_no_script(page):
    outside = page.replace("http://www.w3.org/", "")  # names of XML, fetched by nobody
    assert not re.search(r"https?://|<script|<link|<img|@import|url\((?!\"data:|#)", outside)
    assert "default-src 'none'" in page
    assert page.rstrip().endswith("</html>")


def test_students_text_is_escaped(page):
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "王&lt;b&gt;芳&lt;/b&gt;" in page
    assert "<b>芳" not in page


def test_chinese_has_a_font_in_the_page(page):
    assert "欧阳修" in page
    assert 'src: url("data:font/woff;base64,' in page


def test_hidden_tests_and_values_are_not_in_the_page(page, course):
    source = nbformat.read(course / "solutions" / LAB / f"{LAB}.ipynb", 4)
    hidden = next(cell.source for cell in source.cells if cell.id == "test_q1_hidden")
    assert "1749977" in hidden
    for secret in ("1749977", "4711", "HIDDEN TESTS", "secret code", "MARK SCHEME", "1 point for the channel"):
        assert secret not in page


def test_the_page_says_what_waits_and_that_likeness_is_no_verdict(page):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "A place to look, never a verdict." in text
    assert "1 answer of 1 student to grade by hand" in text
    assert "2026005 赵云 was handed in but not graded" in text
    assert "2026002 王&lt;b&gt;芳&lt;/b&gt; test_q1_hidden stopped by itself (KeyError)" in text
    assert "6 students: 4 graded, 1 handed in but not graded, 1 handed in nothing." in text
    assert "3 of 4 filed mistakes came up." in text
    assert "With fewer than 20 hand-ins a correlation says little." in text


def test_control_characters_of_a_student_do_not_reach_the_page(data):
    errors = data["sentences"].assign(sentence="a\x00b\u202ecd")
    text = report_page.page({**data, "sentences": errors}, LAB, "Lab")
    assert "abcd" in text
    text.encode("utf-8")


def test_one_hand_in_makes_a_page(data):
    alone = {**data, "points": data["points"].head(1), "grades": data["grades"].head(5)}
    assert "1 graded hand-in." in report_page.page(alone, LAB, "Lab")


# ---------------------------------------------------------------------------------------------------------------------
# the command


def test_the_command_writes_the_page_and_the_points(course, monkeypatch, capsys, tmp_path):
    assert run(course, monkeypatch, LAB, "--out", tmp_path / "r", "--bom") == 0
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == [f"{LAB}.html", f"{LAB}_points.csv"]
    written = (tmp_path / "r" / f"{LAB}_points.csv").read_bytes()
    assert written.startswith(b"\xef\xbb\xbf")
    assert "2026003,欧阳,修,2.0,3.0,4.0,2.0,11.0,12.0,graded\n" in written.decode("utf-8-sig")
    said = capsys.readouterr().out
    assert "4 graded, mean 7.8 of 12 points; 1 waiting for a grader; 1 not graded; 1 late; 1 pair of" in said
    assert run(course, monkeypatch, LAB, "--out", tmp_path / "r", "--csv") == 0
    assert not (tmp_path / "r" / f"{LAB}_points.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_reading_changes_nothing_that_counts(course, data):
    before = {path: path.read_bytes() for path in course.rglob("*") if path.suffix in (".ipynb", ".yaml")}
    report_command.figures(course, LAB)
    assert before == {path: path.read_bytes() for path in course.rglob("*") if path.suffix in (".ipynb", ".yaml")}


def test_the_same_class_gives_the_same_page(course, page):
    again = report_command.figures(course, LAB)
    assert report_page.page(again, LAB, again["heading"]) == page


def test_anonymous_files_hold_neither_ids_nor_names(course, monkeypatch, tmp_path):
    assert run(course, monkeypatch, LAB, "--out", tmp_path, "--csv", "--anonymous") == 0
    files = list(tmp_path.iterdir())
    assert sorted(path.name for path in files) == [f"{LAB}_anonymous.html", f"{LAB}_anonymous_points.csv"]
    for path in files:
        text = re.sub(r"base64,[^\"]+", "", path.read_text(encoding="utf-8"))
        for student, (last, first) in CLASS.items():
            assert student not in text
            assert not (last and last + first in text)
        assert "娜" not in text  # not in the sentence of the check either
        assert re.search(r"Student [1-6]\b", text)
        assert str(course) not in text
    rows = (tmp_path / f"{LAB}_anonymous_points.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith("student_id,q1_clean")
    assert [row.split(",")[0] for row in rows[1:]] == [f"Student {n}" for n in range(1, 7)]


def test_numbers_do_not_follow_the_ids():
    students = [f"{n:04}" for n in range(200)]
    numbers = report.numbers_for(students)
    assert sorted(set(numbers.values())) == sorted(f"Student {n:03}" for n in range(1, 201))
    assert [numbers[student] for student in students] != sorted(numbers.values())
    assert numbers != report.numbers_for(students)


def test_the_figures_are_the_same_without_names(course, data):
    hidden = report_command.figures(course, LAB, anonymous=True)
    assert sorted(hidden["points"].sum(axis=1)) == sorted(data["points"].sum(axis=1))
    assert hidden["mistakes_seen"].equals(data["mistakes_seen"])
    assert sorted(hidden["hand_ins"]["status"]) == sorted(data["hand_ins"]["status"])


@pytest.mark.parametrize("broken", ["replace", "write_bytes"])
def test_nothing_half_written_stays_when_it_is_interrupted(monkeypatch, tmp_path, broken):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, broken, stop)
    with pytest.raises(KeyboardInterrupt):
        report_command.write_all(tmp_path / "reports" / "lab", {"a.html": b"new"})
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    (tmp_path / "a.html").write_bytes(b"old")
    monkeypatch.setattr(Path, broken, stop)
    with pytest.raises(KeyboardInterrupt):
        report_command.write_all(tmp_path, {"a.html": b"new"})
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]
    assert (tmp_path / "a.html").read_bytes() == b"old"


def test_csv_of_a_spreadsheet_holds_no_formula():
    text = report.csv_text(
        pd.DataFrame({"student_id": ["=cmd()", "@x", "-1", "2026, 1"], "total": [1.5, -1.0, np.nan, 0]})
    )
    assert text == "student_id,total\n'=cmd(),1.5\n'@x,-1.0\n'-1,\n\"2026, 1\",0.0\n"


# ---------------------------------------------------------------------------------------------------------------------
# what may be missing


@pytest.fixture
def empty(blank, tmp_path):
    return shutil.copytree(blank, tmp_path / "course")


def test_an_unknown_lab_is_named_with_those_that_there_are(empty, monkeypatch, capsys):
    assert run(empty, monkeypatch, "lab00_tinny") == 1
    assert f"There is no lab 'lab00_tinny' in {empty / 'solutions'}. There is: {LAB}." in capsys.readouterr().err


def test_without_a_gradebook_the_way_to_one_is_said_and_none_is_made(empty, monkeypatch, capsys):
    assert run(empty, monkeypatch, LAB) == 1
    assert "There is no gradebook" in capsys.readouterr().err
    assert not (empty / "gradebook.db").exists()
    assert not (empty / "reports").exists()


def test_a_lab_that_the_gradebook_does_not_know(empty):
    (empty / "none.db").rename(empty / "gradebook.db")
    with pytest.raises(CourseError, match=f"does not know {LAB}: run `cimlab release {LAB}`"):
        report_read.gather(empty, LAB)


def test_nobody_graded_yet(empty):
    book = make_gradebook(empty, tiny_lab.notebook(), LAB, {"a": ("", "")})
    with pytest.raises(CourseError, match="Nobody's hand-in of lab00_tiny has been graded yet"):
        report_read.gather(empty, LAB)
    book.add_submission(LAB, "a")
    book.close()
    with pytest.raises(CourseError, match="cimlab grade lab00_tiny"):
        report_read.gather(empty, LAB)


def test_a_damaged_gradebook_is_told_in_plain_words(empty):
    (empty / "gradebook.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(CourseError, match=r"cannot be read \(.*\)\. If a grading run"):
        report_read.gather(empty, LAB)


def test_out_that_is_a_file(course, monkeypatch, capsys, tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert run(course, monkeypatch, LAB, "--out", tmp_path / "file") == 1
    assert "is a file: --out takes a folder" in capsys.readouterr().err


def test_a_damaged_graded_notebook_and_absent_mistakes_do_not_stop_the_report(empty):
    book = make_gradebook(empty, tiny_lab.notebook(), LAB, {"a": ("", ""), "b": ("", "")})
    hand_in(book, empty, LAB, "a", full())
    hand_in(book, empty, LAB, "b", full())
    book.close()
    (empty / "autograded" / "b" / LAB / f"{LAB}.ipynb").write_text("{", encoding="utf-8")
    (empty / "solutions" / LAB / "mistakes.yaml").unlink()
    for step, moment in (("submitted", "2026-10-13 09:00:00 UTC"), ("autograded", "2026-10-12 09:00:00 UTC")):
        (empty / step / "a" / LAB / "timestamp.txt").write_text(moment, encoding="utf-8")
    (empty / "submitted" / "stranger" / LAB).mkdir(parents=True)  # collected, never graded: not in the gradebook
    found = report_command.figures(empty, LAB)
    assert list(found["points"].index) == ["a"]
    assert found["hand_ins"].loc["stranger", "status"] == "handed in but not graded: see .nbgrader.log"
    assert ("b", "was handed in but not graded; .nbgrader.log has the reason") in found["review"]
    assert ("a", "has handed in again since: `cimlab grade` takes the new hand-in") in found["review"]
    assert found["notes"][0].startswith(
        f"No filed mistakes could be recognised. {Path('solutions', LAB, 'mistakes.yaml')}"
    )
    assert "No filed mistakes could be recognised." in report_page.page(found, LAB, "Lab")


def test_repairs_and_ended_kernels_are_to_be_looked_at(empty):
    book = make_gradebook(empty, tiny_lab.notebook(), LAB, {"a": ("", "")})
    hand_in(book, empty, LAB, "a", full(), {}, {"test_q1_clean": ("KernelDied", "Python was ended.")})
    book.close()
    path = empty / "autograded" / "a" / LAB / f"{LAB}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    broken = {"output_type": "error", "ename": "CheckFailed", "evalue": "half a \ud83d", "traceback": []}
    next(cell for cell in notebook["cells"] if cell["id"] == "test_q2_totals")["outputs"] = [broken]
    note = {"cell_type": "markdown", "id": "repair-report", "metadata": {}, "source": ["**What**\n", "- put back"]}
    notebook["cells"].insert(0, note)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    found = report_command.figures(empty, LAB)
    assert [why for _, why in found["review"]] == ["put back", "cells could not run to their end (KernelDied)"]
    assert found["unnamed"] == [("a", "q2_totals")]
    assert "half a ?" in report_page.page(found, LAB, "Lab")


# ---------------------------------------------------------------------------------------------------------------------
# what nbgrader itself leaves behind


@pytest.mark.grading
def test_a_hand_in_graded_by_nbgrader_is_read(tmp_path):
    course = tiny_lab.write_course(tmp_path, labs=False)
    release(course, [LAB])
    notebook = nbformat.read(course / "labs" / LAB / f"{LAB}.ipynb", 4)
    for cell in notebook.cells:
        if cell.id == "q1_clean":
            cell.source = 'def clean(phone):\n    return phone.replace(" ", "")'
        if cell.id == "q3_why":
            cell.source = "一个客户是一个人。"
    notebook.cells = [cell for cell in notebook.cells if cell.id != "test_q2_totals"]  # the grader puts it back
    folder = course / "submitted" / "li_na" / LAB
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{LAB}.ipynb")
    assert open_api(course).autograde(LAB, "li_na")["success"]
    found = report_command.figures(course, LAB)
    assert found["points"].loc["li_na"].tolist()[:3] == [2, 0, 0]
    assert found["grades"].loc[found["grades"]["waits"], "cell"].tolist() == ["q3_why", "q4_task"]
    assert found["mistakes_seen"]["mistake"].tolist() == ["keeps the hyphen"]
    written = found["answers"].set_index("cell").loc["q3_why"]
    assert (written["kind"], written["source"]) == ("markdown", "一个客户是一个人。")
    assert any("`test_q2_totals`: was missing; put back" in why for _, why in found["review"])
    assert "1749977" not in report_page.page(found, LAB, "Lab")
