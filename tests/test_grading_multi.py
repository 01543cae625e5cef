"""A lab of two notebooks, with partial credit: released, proved, packed, graded and written to the list of marks."""

import csv
import zipfile

import nbformat
import pytest
import yaml
from nbgrader.api import Gradebook

from cimlab.__main__ import main
from cimlab.grading import course, kit, mistakes, release
from cimlab.grading.course import answer_of_tests, lab_points
from cimlab.grading.prove import judge_sheet, prove
from tests import tiny_lab
from tests.test_grading_class import nbgrader

LAB = "finale"
PARTS = ("finale_base", "finale_paper")
SETUP = "from cimlab import checks\n\nMATCHES = {1: 2, 3: 4, 5: 6, 7: 8}"
A1 = "### BEGIN SOLUTION\npairs = dict(MATCHES)\n### END SOLUTION"
TEST_A1 = 'pairs = checks.answer(globals(), "pairs", dict)'
TEST_A1_HIDDEN = """\
pairs = checks.answer(globals(), "pairs", dict)
### BEGIN HIDDEN TESTS
found = sum(pairs.get(one) == two for one, two in MATCHES.items())
print(f"You found {found} of {len(MATCHES)} pairs" + ", so customers stand twice." * (found < len(MATCHES)))
1.5 * found
### END HIDDEN TESTS"""
B1 = "### BEGIN SOLUTION\nanswer = 42\n### END SOLUTION"
TEST_B1 = 'checks.equal(checks.answer(globals(), "answer", int), 42, "answer")'

MISTAKES = """\
- name: half of the pairs
  why: the rule is too strict
  cell: a1_pairs
  source: "pairs = {1: 2, 3: 4}"
  points: {test_a1_pairs_hidden: 3}
  says: You found 2 of 4   pairs, so customers
- name: one or two pairs
  why: chance decides
  cell: a1_pairs
  source: "pairs = {1: 2}"
  points: {test_a1_pairs_hidden: [1.5, 3]}
  says: you found 1 of 4
- name: a list
  why: pairs are thought to be a list
  cell: a1_pairs
  source: "pairs = list(MATCHES)"
  points: {test_a1_pairs: 0, test_a1_pairs_hidden: 0}
  says: "`pairs`"
- name: off by one
  why: counted from 0
  cell: b1_answer
  source: answer = 41
  points: {test_b1_answer: 0}
  says: "`answer` is 41"
- name: a word
  why: the number is written out
  cell: b1_answer
  source: answer = "forty-two"
  points: {test_b1_answer: 0}
  says: whole number
"""


def parts():
    """The two notebooks of the lab; both prepare their data in a cell of the same name."""
    cell, text = tiny_lab.cell, tiny_lab.text
    base = [
        text("title", "# A finale\n\nPart A."),
        cell("setup", SETUP, locked=True),
        cell("a1_pairs", A1, solution=True),
        cell("test_a1_pairs", TEST_A1, grade=True, locked=True, points=1),
        cell("test_a1_pairs_hidden", TEST_A1_HIDDEN, grade=True, locked=True, points=6),
    ]
    paper = [
        text("title", "# A finale\n\nPart B."),
        cell("setup", SETUP, locked=True),
        cell("b1_answer", B1, solution=True),
        cell("test_b1_answer", TEST_B1, grade=True, locked=True, points=3),
        cell("b2_paper", "My paper.", "markdown", grade=True, solution=True, points=5),
    ]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    made = [nbformat.v4.new_notebook(cells=cells, metadata=kernel) for cells in (base, paper)]
    return dict(zip(PARTS, made, strict=True))


def write_course(folder, notebooks=None, filed=MISTAKES, labs=True):
    """Make a course that holds the tiny lab and the finale."""
    tiny_lab.write_course(folder, labs=False)
    (folder / "solutions" / LAB).mkdir()
    for name, notebook in (notebooks or parts()).items():
        nbformat.write(notebook, folder / "solutions" / LAB / f"{name}.ipynb")
    (folder / "solutions" / LAB / "mistakes.yaml").write_text(filed, encoding="utf-8", newline="\n")
    if labs:
        release.release(folder, course.lab_names(folder), gradebook=False)
    return folder


@pytest.fixture(scope="module")
def finale(tmp_path_factory):
    return write_course(tmp_path_factory.mktemp("course"))


def cells(notebooks):
    return {cell.id: cell for notebook in notebooks.values() for cell in notebook.cells}


def test_a_folder_with_notebooks_is_a_lab_and_all_are_released_and_packed(finale, tmp_path):
    (finale / "solutions" / "drafts").mkdir(exist_ok=True)  # no notebook: no lab
    assert course.lab_names(finale) == [LAB, tiny_lab.LAB]
    assert sorted(path.name for path in (finale / "labs" / LAB).iterdir()) == [f"{name}.ipynb" for name in PARTS]
    released = course.read_notebooks(finale, LAB, "labs")
    assert list(released) == list(PARTS)
    text = "".join(map(nbformat.writes, released.values()))
    assert "MATCHES" in text and not any(secret in text for secret in ("SOLUTION", "HIDDEN", "answer = 42"))
    assert release.check(finale, [LAB]) == []
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "datapackage.json").touch()
    kit.pack(finale, tmp_path / "kit.zip", tmp_path / "data")
    with zipfile.ZipFile(tmp_path / "kit.zip") as archive:
        assert {f"{kit.TOP}/labs/{LAB}/{name}.ipynb" for name in PARTS} <= set(archive.namelist())


def test_points_and_answers_are_counted_over_all_notebooks():
    notebooks = parts()
    assert lab_points(notebooks) == ({"test_a1_pairs": 1, "test_a1_pairs_hidden": 6, "test_b1_answer": 3}, 5)
    notebooks[PARTS[1]].cells.insert(2, tiny_lab.cell("test_b0", "1", grade=True, locked=True, points=1))
    owner = answer_of_tests(notebooks)
    assert owner["test_a1_pairs_hidden"] == "a1_pairs" and owner["test_b1_answer"] == "b1_answer"
    assert owner["test_b0"] is None  # no answer stands above it in its own notebook


def test_an_id_stands_once_in_all_notebooks(tmp_path, monkeypatch, capsys):
    notebooks = parts()
    cells({"paper": notebooks[PARTS[1]]})["b1_answer"].metadata["nbgrader"]["grade_id"] = "a1_pairs"
    folder = write_course(tmp_path, notebooks, labs=False)
    monkeypatch.chdir(folder)
    for command in ("release", "prove"):
        assert main([command, LAB]) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"solutions/{LAB}: two graded cells have the same id: 'a1_pairs' (in finale_base.ipynb")
        assert "and in finale_paper.ipynb). An id may stand only once in all notebooks of a lab" in said
    assert not (folder / "labs" / LAB).exists()


def test_a_file_that_is_no_notebook_is_named(tmp_path):
    folder = write_course(tmp_path, labs=False)
    (folder / "solutions" / LAB / "finale_paper.ipynb").write_text("Part B", encoding="utf-8")
    with pytest.raises(course.CourseError, match=f"solutions/{LAB}/finale_paper.ipynb cannot be read as a notebook"):
        release.release(folder, [LAB], gradebook=False)


# --- filed mistakes --------------------------------------------------------------------------------------------------


def read(tmp_path, points):
    filed = yaml.safe_load(MISTAKES)
    filed[1]["points"] = {"test_a1_pairs_hidden": points}
    path = tmp_path / "mistakes.yaml"
    path.write_text(yaml.safe_dump(filed), encoding="utf-8")
    return mistakes.read_mistakes(path, parts())


def test_mistakes_find_their_notebook_by_the_id_of_the_cell(tmp_path):
    entries, gaps = read(tmp_path, 1.5)
    assert [entry["cell"][:2] for entry in entries] == ["a1", "a1", "a1", "b1", "b1"] and gaps == []


def test_an_answer_without_a_test_needs_no_mistake(tmp_path):
    """The first of two steps may carry no points: what goes wrong there is filed with the second."""
    notebooks, step = parts(), tiny_lab.cell("a0_read", "### BEGIN SOLUTION\nx = 1\n### END SOLUTION", solution=True)
    notebooks[PARTS[0]].cells.insert(2, step)
    path = tmp_path / "mistakes.yaml"
    path.write_text(MISTAKES, encoding="utf-8")
    assert mistakes.read_mistakes(path, notebooks)[1] == []
    path.write_text(MISTAKES.replace("cell: b1_answer", "cell: a1_pairs"), encoding="utf-8")
    assert mistakes.read_mistakes(path, notebooks)[1] == [
        "mistakes.yaml: b1_answer has 0 filed mistakes; 2 are the least"
    ]


@pytest.mark.parametrize("points", [[4], [3, 3], [4, 2], [0, 7], [-1, 3], [0, True], ["a", 3], [0, 1, 2], True, -1])
def test_a_range_is_two_numbers_of_points_the_smaller_first(tmp_path, points):
    with pytest.raises(course.CourseError, match="gives 0 to 6 points, not"):
        read(tmp_path, points)


def test_a_range_that_reaches_full_points_alone_is_no_mistake(tmp_path):
    with pytest.raises(course.CourseError, match="loses no points"):
        read(tmp_path, [2, 6])


def judge(points, says="so customers", ends="3.0", got=3, right_prints="You found 4 of 4 pairs", right_ends="6.0"):
    sheet = [{"name": "half", "cell": "a1_pairs", "points": {"test": points}, "says": says}]
    printed = {"test": "You found 2 of 4 pairs, so customers stand twice."}
    graded = {"failure": None, "got": {"test": got}, "errors": {}, "printed": printed, "ends": {"test": ends}}
    right = {"printed": {"test": right_prints}, "ends": {"test": right_ends} if right_ends else {}}
    row = judge_sheet(sheet, graded | {"log": "", "seconds": 1}, {"test": 6}, {"test": "a1_pairs"}, right)[0]
    return row["expected"], row["breaches"]


def test_partial_points_and_printed_words_are_judged():
    assert judge(3) == (3, [])
    assert judge([2, 3]) == ([2, 3], [])  # both ends are allowed
    assert judge([3, 5]) == ([3, 5], [])
    assert judge([3.5, 5])[1] == ["test gives 3 of 3.5-5 intended points"]
    assert judge([0, 2])[1] == ["test gives 3 of 0-2 intended points"]
    assert judge([2, 3], right_ends=None)[1] == ["test gives all points or none: file one number for it, not a range"]
    assert judge(3, says="nobody says")[1] == [
        "no check says 'nobody says'; they say: You found 2 of 4 pairs, so customers stand twice."
    ]
    # Words that a test prints for everybody, or although it gives full points, do not tell the mistake.
    assert "prints 'so customers' for the solution too" in judge(3, right_prints="Here: so customers stand")[1][0]
    assert "no check says 'so customers'; they say: nothing" in judge(6, got=6, ends="6.0")[1]


def test_an_end_that_nbgrader_takes_for_full_points_is_a_breach():
    assert judge(3, ends="np.float64(3.0)")[1] == [
        "test ends in 'np.float64(3.0)', for which nbgrader gives full points: end in a plain number, `float(...)`"
    ]


# --- by nbgrader itself ----------------------------------------------------------------------------------------------


@pytest.mark.grading
def test_prove_is_content_with_the_finale_and_finds_what_is_wrong_in_either_part(finale):
    result = prove(finale, LAB, jobs=2)
    assert result["breaches"] == []
    rows = {row["name"]: (row["expected"], row["got"]) for row in result["rows"]}
    assert rows == {
        "solution": (10, 10),
        "student version": (0, 0),
        "half of the pairs": (7, 7),
        "one or two pairs": ([5.5, 7], 5.5),
        "a list": (3, 3),
        "off by one": (7, 7),
        "a word": (7, 7),
    }
    assert result["manual"] == 5


@pytest.mark.grading
def test_a_class_is_graded_and_a_notebook_that_is_missing_stands_in_the_marks(tmp_path):
    folder = write_course(tmp_path, labs=False)
    release.release(folder, [LAB])
    solution, released = course.read_notebooks(folder, LAB), course.read_notebooks(folder, LAB, "labs")
    answers = cells(solution)
    for name, cell in cells(released).items():
        cell.source = answers[name].source if name in ("a1_pairs", "b1_answer") else cell.source
    for student, handed_in in {"whole": PARTS, "half": PARTS[:1]}.items():
        (folder / "submitted" / student / LAB).mkdir(parents=True)
        for name in handed_in:
            nbformat.write(released[name], folder / "submitted" / student / LAB / f"{name}.ipynb")
    done = nbgrader(folder, "autograde", LAB)
    assert done.returncode == 0, done.stderr
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        assert [gradebook.find_submission(LAB, who).score for who in ("whole", "half")] == [10, 7]
    assert nbgrader(folder, "export").returncode == 0
    with (folder / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["student_id"]: (row["score"], row["max_score"], row["status"]) for row in csv.DictReader(file)}
    assert rows["whole"] == ("10.0", "15.0", "graded")
    assert rows["half"] == ("7.0", "15.0", "graded; not handed in: finale_paper.ipynb")
