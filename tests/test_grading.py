"""Repairing hand-ins, reading names and mistakes, releasing whole or not at all, and what `cimlab prove` must find."""

import copy
import json
import os
import re
import shutil
import time
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from nbformat import v4

from cimlab.__main__ import main
from cimlab.grading import collect, course, mistakes, release, repair, zygote
from cimlab.grading.execute import ExecuteAll, stop_heartbeat
from cimlab.grading.feedback import split_hidden
from cimlab.grading.prove import judge_sheet, make_sheets
from cimlab.grading.quick_start import warm_kernels
from tests import tiny_lab
from tests.tiny_lab import LAB


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_lab.write_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def handed_in(tiny):
    return nbformat.read(tiny / "labs" / LAB / f"{LAB}.ipynb", as_version=4)


@pytest.fixture
def lab(handed_in):
    """What the gradebook knows of the tiny lab."""
    stubs = {cell.id: cell.source for cell in handed_in.cells}
    cells = []
    for cell in tiny_lab.notebook().cells:
        settings = cell.metadata.get("nbgrader")
        if settings:
            source = cell.source if settings["locked"] else stubs[cell.id]
            flags = {key: settings[key] for key in ("grade", "solution", "locked", "task")}
            more = {"visible": split_hidden(source)[0], "checksum": "0" * 32, "points": settings.get("points")}
            cells.append({"name": cell.id, "cell_type": cell.cell_type, "source": source, **flags, **more})
    return cells


def ids(notebook):
    return [cell.id for cell in notebook.cells]


def by_id(notebook):
    return {cell.id: cell for cell in notebook.cells}


# --- repair ----------------------------------------------------------------------------------------------------------


def test_a_hand_in_in_order_needs_no_repair(handed_in, lab):
    before = ids(handed_in)
    assert repair.repair(handed_in, lab) == []
    assert ids(handed_in) == before
    assert "BEGIN HIDDEN TESTS" in by_id(handed_in)["test_q1_hidden"].source
    assert by_id(handed_in)["q1_clean"].source == "def clean(phone):\n    ...  # your code here"


def test_lost_metadata_comes_back_by_the_id(handed_in, lab):
    whole = copy.deepcopy(handed_in)
    for cell in handed_in.cells:
        cell.metadata = {}
    assert repair.repair(handed_in, lab)[0].endswith("metadata was lost; found by the id of the cell.")
    repair.repair(whole, lab)
    assert [cell.metadata for cell in handed_in.cells] == [cell.metadata for cell in whole.cells]


def test_cells_without_ids_are_found_by_text_and_place(handed_in, lab):
    released = copy.deepcopy(handed_in.cells)
    cells = by_id(handed_in)
    cells["q1_clean"].source, cells["q3_why"].source = "def clean(phone):\n    return phone", "One person, one row."
    handed_in.cells.insert(3, nbformat.v4.new_markdown_cell("a note"))
    for number, cell in enumerate(handed_in.cells):
        cell.metadata, cell.id = {}, f"new-{number}"
    (note,) = repair.repair(handed_in, lab, released)
    assert note.endswith("metadata and id were lost; found by text and place.")
    found = {
        cell.metadata["nbgrader"]["grade_id"]: cell.source for cell in handed_in.cells if "nbgrader" in cell.metadata
    }
    assert set(found) == {cell["name"] for cell in lab}
    assert found["q1_clean"] == "def clean(phone):\n    return phone"
    assert found["q3_why"] == "One person, one row."


def test_copies_lose_their_metadata_and_the_original_stays(handed_in, lab):
    for name in ("test_q1_clean", "q1_clean"):
        twin = copy.deepcopy(by_id(handed_in)[name])
        twin.id, twin.source = f"{name}-copy", "1 / 0"
        handed_in.cells.insert(1, twin)
    (note,) = repair.repair(handed_in, lab)
    assert note == "`q1_clean`, `test_q1_clean`: stood there more than once; the copies are ordinary cells now."
    assert "nbgrader" not in by_id(handed_in)["q1_clean-copy"].metadata
    assert by_id(handed_in)["test_q1_clean"].metadata.nbgrader.grade_id == "test_q1_clean"
    assert by_id(handed_in)["test_q1_clean-copy"].source == "1 / 0"


def test_of_two_written_answers_the_written_one_counts(handed_in, lab):
    twin = copy.deepcopy(by_id(handed_in)["q3_why"])
    twin.id, twin.source = "mine", "One person, one row."
    handed_in.cells.insert(-1, twin)
    repair.repair(handed_in, lab)
    assert by_id(handed_in)["mine"].metadata.nbgrader.grade_id == "q3_why"
    assert "nbgrader" not in by_id(handed_in)["q3_why"].metadata


def test_a_deleted_test_comes_back_after_everything_written_for_its_question(handed_in, lab):
    own = nbformat.v4.new_code_cell("clean = str.strip", id="own")
    handed_in.cells = [cell for cell in handed_in.cells if not cell.id.startswith("test_")]
    handed_in.cells.insert(ids(handed_in).index("q1_clean") + 1, own)
    (note,) = repair.repair(handed_in, lab)
    assert note == "`test_q1_clean`, `test_q1_hidden`, `test_q2_totals`: was missing; put back."
    order = ids(handed_in)
    assert order.index("own") < order.index("test_q1_clean") < order.index("test_q1_hidden") < order.index("q2_totals")
    assert order.index("q2_totals") < order.index("test_q2_totals")


def test_a_students_own_cell_in_the_place_of_a_deleted_test_is_left_alone(handed_in, lab):
    released = copy.deepcopy(handed_in.cells)
    place = ids(handed_in).index("test_q1_clean")
    handed_in.cells[place] = nbformat.v4.new_code_cell("def clean(phone):\n    return phone", id="own")
    assert repair.repair(handed_in, lab, released) == ["`test_q1_clean`: was missing; put back."]
    assert by_id(handed_in)["own"].source == "def clean(phone):\n    return phone"
    assert ids(handed_in).index("own") < ids(handed_in).index("test_q1_clean")


def test_a_deleted_preparation_comes_back_first_and_a_deleted_answer_waits_for_a_grader(handed_in, lab):
    handed_in.cells = [cell for cell in handed_in.cells if cell.id not in ("setup", "q3_why", "q1_clean")]
    repair.repair(handed_in, lab)
    order = ids(handed_in)
    assert order[0] == "setup"
    assert "q1_clean" not in order  # nothing to grade in it: its tests say that `clean` is not there
    answer = by_id(handed_in)["q3_why"]
    assert answer.source != next(cell["source"] for cell in lab if cell["name"] == "q3_why")


def test_changed_tests_types_and_points_are_put_right(handed_in, lab):
    cells = by_id(handed_in)
    cells["test_q1_clean"].source = "pass"
    cells["test_q1_clean"].metadata["tags"] = ["skip-execution"]
    cells["test_q2_totals"].metadata["nbgrader"]["points"] = 99
    cells["q1_clean"].cell_type = "raw"
    notes = repair.repair(handed_in, lab)
    assert notes == [
        "`q1_clean`: had become a raw cell; it is a code cell again.",
        "`test_q1_clean`: the text had been changed; the original was put back.",
        "`test_q2_totals`: the grading settings had been changed; they were put back.",
    ]
    assert "checks.cases" in cells["test_q1_clean"].source
    assert "tags" not in cells["test_q1_clean"].metadata
    assert cells["test_q2_totals"].metadata.nbgrader.points == 3
    assert cells["q1_clean"].outputs == []
    nbformat.validate(handed_in)


def test_strange_metadata_stops_nothing(handed_in, lab):
    cells = by_id(handed_in)
    cells["q1_clean"].metadata["nbgrader"] = "lost"
    cells["about_q1"].metadata["nbgrader"] = {"grade_id": "from-another-lab", "grade": True}
    repair.repair(handed_in, lab)
    assert cells["q1_clean"].metadata.nbgrader.solution is True
    assert "nbgrader" not in cells["about_q1"].metadata


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"\0\0\0\0", "the file is empty"),
        (b"PK\x03\x04zip", "zip archive or an Office document"),
        (b'{"cells": [', "damaged or cut off"),
        (b"[1, 2]", "JSON but no notebook"),
        (b'{"name": 1}', "JSON but no notebook"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(data, reason):
    with pytest.raises(repair.UnreadableNotebook, match=reason):
        repair.read_notebook(data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_other_encodings_are_read(encoding):
    raw = {"cells": [{"cell_type": "markdown", "source": ["客户", "名册"]}], "metadata": {}, "nbformat": 4}
    data = json.dumps(raw, ensure_ascii=False).encode(encoding)
    assert repair.read_notebook(data).cells[0].source == "客户名册"


def test_half_broken_cells_become_valid():
    cells = [
        {"cell_type": "code", "source": "1\r\n2", "id": "same", "outputs": "none"},
        {"cell_type": "code", "source": [1], "id": "same", "metadata": None},
        {"cell_type": "diagram", "id": "not allowed!"},
        "no cell",
    ]
    notebook = repair.read_notebook(json.dumps({"cells": cells, "metadata": [], "nbformat": 5}).encode())
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells] == ["same", "handed-in-1", "handed-in-2"]
    assert notebook.cells[0].source == "1\n2"


def test_the_notebook_format_of_old_is_read():
    cell = {"cell_type": "code", "input": "1 + 1", "language": "python", "outputs": []}
    raw = {"worksheets": [{"cells": [cell], "metadata": {}}], "metadata": {"name": "x"}, "nbformat": 3}
    assert repair.read_notebook(json.dumps(raw).encode()).cells[0].source == "1 + 1"


def test_only_one_doubtless_notebook_takes_the_place_of_the_missing_one(tmp_path):
    def hand_in(student, *names):
        folder = tmp_path / student / LAB
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_text("{}", encoding="utf-8")
        notebooks = sorted(map(str, folder.glob("*.ipynb")))
        repair.find_notebook(LAB, "*", notebooks)
        return (folder / f"{LAB}.ipynb").exists(), len(notebooks)

    assert hand_in("renamed", "final version (2).ipynb") == (True, 2)
    assert hand_in("two", "a.ipynb", "b.ipynb") == (False, 2)
    assert hand_in("fine", f"{LAB}.ipynb") == (True, 1)


# --- collecting ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "stem", "student", "file"),
    [
        ("export", "lab03_lina_attempt_2026-10-12-20-15-00_lab03_database", "lina", "lab03_database"),
        ("export", "nali_2417_88031_lab03_database-1", "2417", "lab03_database"),
        ("export", "nali_LATE_2417_88031_lab03_database", "2417", "lab03_database"),
        ("Na Li_2417_assignsubmission_file_", "lab03_database", "2417", "lab03_database"),
        ("export", "Na Li_2417_assignsubmission_file_lab03_database", "2417", "lab03_database"),
        ("export", "2023010203_李娜_lab03_database", "2023010203", "lab03_database"),
        ("export", "2023010203-李娜-lab03_database(1)", "2023010203", "lab03_database"),
        ("export", "李娜_2023010203_lab03_database", "2023010203", "lab03_database"),
        ("2023010203 李娜", "lab03_database", "2023010203", "lab03_database"),
        ("李娜-2023010203", "实验三", "2023010203", "实验三"),
        ("li_na", "lab03_database (1)", "li_na", "lab03_database"),
        ("extracted", "2023010203", "2023010203", "2023010203"),
    ],
)
def test_names_of_learning_platforms(folder, stem, student, file):
    found = collect.read_name(folder, stem, "lab03_database")
    assert (found["student_id"], found["file_id"]) == (student, f"{file}.ipynb")


def test_a_name_without_a_student_is_left_out_and_a_time_is_read():
    assert collect.read_name("extracted", "lab03_database", "lab03_database") is None
    found = collect.read_name("x", "Lab 3_lina_attempt_2026-10-12-20-15-00_lab03_database", "lab03_database")
    assert found["timestamp"] == "2026-10-12 20:15:00"


# --- mistakes --------------------------------------------------------------------------------------------------------


def filed(**changes):
    entries = yaml.safe_load(tiny_lab.MISTAKES)
    entries[0] |= changes
    return yaml.safe_dump([{key: value for key, value in entries[0].items() if value is not None}, *entries[1:]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is missing: file at least 2 wrong answers"),
        ("- name: [", "is no YAML"),
        ("name: x", "has to be a list of mistakes"),
        ("- keeps the hyphen", "entry 1 is no mapping"),
        (filed(says=None), "entry 1 (keeps the hyphen): `says` is missing"),
        (filed(note="x"), "unknown key `note`"),
        (filed(points=["test_q1_hidden"]), "`points` has to be a mapping"),
        (filed(cell="q9"), "there is no answer cell 'q9'; there are q1_clean, q2_totals"),
        (filed(points={"test_q9": 0}), "there is no test 'test_q9'; there are test_q1_clean"),
        (filed(points={"test_q1_hidden": 5}), "test_q1_hidden gives 0 to 1 points, not 5"),
        (filed(points={"test_q1_hidden": "none"}), "not 'none'"),
        (filed(points={"test_q1_hidden": 1}), "loses no points, so it is no mistake"),
        (filed(name="no grouping"), "the name 'no grouping' stands there twice"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, text, said):
    path = tmp_path / "mistakes.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(course.CourseError) as caught:
        mistakes.read_mistakes(path, tiny_lab.notebook())
    assert said in str(caught.value)


def test_too_few_mistakes_and_tests_that_nobody_fails_are_gaps(tmp_path):
    path = tmp_path / "mistakes.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(tiny_lab.MISTAKES)[:2]), encoding="utf-8")
    entries, gaps = mistakes.read_mistakes(path, tiny_lab.notebook())
    assert len(entries) == 2
    assert gaps == [
        "mistakes.yaml: q2_totals has 0 filed mistakes; 2 are the least",
        "mistakes.yaml: no filed mistake fails test_q2_totals: nobody knows whether it bites",
    ]


# --- course and release ----------------------------------------------------------------------------------------------


def test_commands_say_where_they_have_to_be_called(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["release"]) == 1
    assert "go to the folder of the course" in capsys.readouterr().err
    (tmp_path / course.CONFIG).touch()
    assert main(["prove"]) == 1
    assert "needs the instructor's copy" in capsys.readouterr().err
    monkeypatch.chdir(tiny / "solutions")
    assert main(["release", "lab00_tini"]) == 1
    assert f"There is no lab 'lab00_tini' in {tiny / 'solutions'}. There is: {LAB}." in capsys.readouterr().err


def test_the_settings_find_alembic_and_the_data_wherever_they_are_used(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CIMLAB_DATA", "class2027")
    assert course.open_api(tiny).coursedir.db_url == f"sqlite:///{tiny / 'gradebook.db'}"
    assert os.environ["CIMLAB_DATA"] == str(tmp_path / "class2027")
    assert shutil.which("alembic")


def test_the_student_version_has_no_answers_and_the_ids_of_the_source(handed_in):
    text = nbformat.writes(handed_in)
    for secret in ("BEGIN SOLUTION", "HIDDEN", "MARK SCHEME", "single view", "groupby(", "one person"):
        assert secret not in text
    assert ids(handed_in) == ids(tiny_lab.notebook())


def test_release_is_whole_or_not_at_all(tmp_path, tiny, monkeypatch, capsys):
    folder = tmp_path / "course"
    shutil.copytree(tiny, folder)
    monkeypatch.chdir(folder)
    assert main(["release", "--check"]) == 0
    assert "in step" in capsys.readouterr().out
    student = folder / "labs" / LAB / f"{LAB}.ipynb"
    right = student.read_bytes()
    student.write_bytes(right.replace(b"your code", b"YOUR code"))
    (folder / "labs" / LAB / "answers.txt").touch()
    (folder / "labs" / "lab99_gone").mkdir()
    assert main(["release", "--check"]) == 1
    said = capsys.readouterr().out
    assert f"labs/{LAB}/{LAB}.ipynb: differs from what solutions/ gives" in said
    assert f"labs/{LAB}/answers.txt: does not come from solutions/" in said
    assert "labs/lab99_gone: there is no such lab in solutions/" in said
    assert release.release(folder, [LAB], gradebook=False) == [LAB]
    assert student.read_bytes() == right
    assert sorted(path.name for path in student.parent.iterdir()) == [student.name]  # neither mistakes nor answers
    assert not (folder / "gradebook.db").exists()

    broken = tiny_lab.notebook()
    broken.cells[3].source = "### BEGIN SOLUTION\nno end"
    nbformat.write(broken, folder / "solutions" / LAB / f"{LAB}.ipynb")
    assert main(["release"]) == 1
    said = capsys.readouterr().err
    assert (
        said == f"nbgrader cannot make the student version of {LAB}:\nRuntimeError: no end solution statement found\n"
    )
    assert student.read_bytes() == right


# --- prove -----------------------------------------------------------------------------------------------------------


@pytest.mark.grading
def test_prove_finds_each_kind_of_breach(tmp_path, monkeypatch, capsys):
    notebook = tiny_lab.notebook()
    cells = by_id(notebook)
    cells["test_q1_clean"].source = "checks.require(True, 'It never fails.')"  # does not bite: the release scores
    cells["test_q1_hidden"].source += "\nimport sys\nprint('noise', file=sys.stderr)"  # Validate would fail it
    cells["test_q2_totals"].source = "assert totals.spent.sum() == 35.5 and len(totals) == 2"  # says nothing
    entries = yaml.safe_load(tiny_lab.MISTAKES)
    entries[0]["points"] = {"test_q1_clean": 1}  # it loses test_q1_hidden
    entries[1]["says"] = "a sentence that no check says"
    folder = tiny_lab.write_course(tmp_path, notebook, yaml.safe_dump(entries[:3]))
    (folder / "labs" / LAB / f"{LAB}.ipynb").write_bytes(b"{}")
    monkeypatch.chdir(folder)
    assert main(["prove", "--jobs", "2"]) == 1
    said = capsys.readouterr().out
    for breach in (
        f"! labs/{LAB}/{LAB}.ipynb: differs from what solutions/ gives",
        "! mistakes.yaml: q2_totals has 1 filed mistakes; 2 are the least",
        "! solution: test_q1_hidden writes to stderr",
        "! student version: test_q1_clean gives 2 of 0 intended points",
        "! student version: test_q2_totals stops with NameError: name 'totals' is not defined",
        "! keeps the hyphen: test_q1_clean gives 2 of 1 intended points",
        "! keeps the hyphen: test_q1_hidden gives 0 of 1 intended points",
        "! returns nothing: no check says 'a sentence that no check says'; they say: ",
        "! no grouping: test_q2_totals stops with AssertionError",
    ):
        assert breach in said, said


@pytest.mark.grading
def test_prove_is_content_with_a_good_lab(tiny, monkeypatch, capsys):
    monkeypatch.chdir(tiny)
    assert main(["prove", LAB, "--jobs", "2"]) == 0
    said = capsys.readouterr().out
    assert "6 automatic points; 6 manual points are not proved here" in said
    assert said.count("  ok") == 6
    assert "1 lab, " in said.splitlines()[-1] and said.endswith("as intended\n")
    assert not (tiny / "gradebook.db").exists()


@pytest.mark.grading
def test_answers_that_disturb_one_another_are_graded_again_alone(tmp_path, monkeypatch, capsys):
    """Two wrong answers share a hand-in; here the first changes what the second one does."""
    entries = yaml.safe_load(tiny_lab.MISTAKES)
    entries[0]["source"] += "\nleft_behind = True\n"
    mean = 'orders.groupby("customer", as_index=False)["spent"].mean()'
    entries[2] |= {"source": f'totals = orders if "left_behind" in globals() else {mean}', "says": "yours is 7.75"}
    entries[3] |= {"source": f"totals = {mean}"}
    folder = tiny_lab.write_course(tmp_path, mistakes=yaml.safe_dump(entries))
    monkeypatch.chdir(folder)
    assert main(["prove", "--jobs", "2"]) == 0
    assert capsys.readouterr().out.count("  ok") == 6


@pytest.mark.grading
def test_alone_and_together_with_warm_kernels_and_cold_ones_say_the_same(tiny, monkeypatch, capsys):
    monkeypatch.chdir(tiny)
    said = []
    for way, warm in (([], True), (["--alone"], True), ([], False)):
        if not warm:
            monkeypatch.setattr(zygote, "warm_available", lambda: "not here")
        assert main(["prove", LAB, "--jobs", "2", *way]) == 0
        said.append([re.sub(r" +\d+\.\d  ", "  ", line) for line in capsys.readouterr().out.splitlines()[:-1]])
    assert said[0] == said[1] == said[2] and len(said[0]) == 8


def test_a_wrong_answer_that_costs_points_elsewhere_stays_alone():
    mistakes = yaml.safe_load(tiny_lab.MISTAKES)
    owner = course.answer_of_tests(tiny_lab.notebook())
    assert owner == {"test_q1_clean": "q1_clean", "test_q1_hidden": "q1_clean", "test_q2_totals": "q2_totals"}
    names = [[part["name"] for part in sheet] for sheet in make_sheets(mistakes, owner)]
    assert names == [["keeps the hyphen", "no grouping"], ["returns nothing", "mean instead of sum"]]
    mistakes[0]["points"]["test_q2_totals"] = 0
    names = [[part["name"] for part in sheet] for sheet in make_sheets(mistakes, owner)]
    assert names == [["returns nothing", "no grouping"], ["mean instead of sum"], ["keeps the hyphen"]]


def test_each_wrong_answer_of_a_sheet_is_judged_by_its_own_tests():
    points = {"test_a": 2, "test_b": 3, "test_c": 1}
    owner = {"test_a": "a", "test_b": "b", "test_c": "c"}
    sheet = [
        {"name": "first", "cell": "a", "points": {"test_a": 0}, "says": "of a"},
        {"name": "second", "cell": "b", "points": {"test_b": 1}, "says": "of b"},
    ]
    told = {
        name: [SimpleNamespace(ename="CheckFailed", evalue=f"a word of {name[-1]}")] for name in ("test_a", "test_b")
    }
    graded = {"failure": None, "got": {"test_a": 0, "test_b": 1, "test_c": 1}, "errors": told, "log": "", "seconds": 4}
    rows = judge_sheet(sheet, graded, points, owner)
    assert [(row["expected"], row["got"], row["seconds"], row["breaches"]) for row in rows] == [
        (4, 4, 2, []),
        (4, 4, 2, []),
    ]
    wrong = judge_sheet(sheet, graded | {"got": {"test_a": 0, "test_b": 3, "test_c": 0}}, points, owner)
    assert wrong[0]["breaches"] == ["test_c gives 0 of 1 intended points"]  # nobody's question counts with the first
    assert wrong[1]["breaches"] == ["test_b gives 3 of 1 intended points (a word of b)"]
    assert (wrong[0]["got"], wrong[1]["got"]) == (3, 6)
    silent = judge_sheet(sheet, graded | {"errors": {"test_b": told["test_a"]}}, points, owner)
    assert "no check says 'of a'; they say: nothing" in silent[0]["breaches"]
    assert "no check says 'of b'; they say: a word of a" in silent[1]["breaches"]
    dead = judge_sheet(sheet, graded | {"failure": "the kernel died"}, points, owner)
    assert [row["breaches"] for row in dead] == [["nbgrader could not grade it: the kernel died"]] * 2


@pytest.mark.grading
@pytest.mark.parametrize(("failures", "survives"), [(2, True), (3, False)])
def test_a_kernel_that_does_not_start_is_tried_again(monkeypatch, failures, survives):
    """On a busy machine two kernels may be given one port; a hand-in must not stay ungraded for that."""
    left = [failures]
    start = ExecuteAll.start_new_kernel_client

    def start_after_failures(self):
        if left[0]:
            left[0] -= 1
            self._cleanup_kernel()  # as nbclient does
            raise RuntimeError("Kernel died before replying to kernel_info")
        return start(self)

    monkeypatch.setattr(ExecuteAll, "start_new_kernel_client", start_after_failures)
    notebook = v4.new_notebook(cells=[v4.new_code_cell("6 * 7")])
    runner = ExecuteAll()
    runner.kernel_name = "python3"
    if not survives:
        with pytest.raises(RuntimeError, match="Kernel died"):
            runner.preprocess(notebook, {})
        return
    done, _ = runner.preprocess(notebook, {})
    assert done.cells[0].outputs[0].data["text/plain"] == "42"


def test_the_heartbeat_is_stopped_before_its_socket_is_closed(tmp_path, monkeypatch):
    """Else its thread ends with an error that nobody can read, once in a while."""
    from jupyter_client.manager import AsyncKernelManager
    from nbformat.v4 import new_code_cell, new_notebook

    runner, seen = ExecuteAll(kernel_name="python3"), []
    cleanup = AsyncKernelManager.cleanup_resources

    async def look_and_clean_up(manager, **settings):
        seen.append(runner.kc.hb_channel.is_alive())
        await cleanup(manager, **settings)

    monkeypatch.setattr(AsyncKernelManager, "cleanup_resources", look_and_clean_up)
    runner.preprocess(new_notebook(cells=[new_code_cell("1 + 1")]), {"metadata": {"path": str(tmp_path)}})
    assert seen == [False]


def test_a_heartbeat_that_is_stopped_before_it_begins_ends(monkeypatch):
    import zmq
    from jupyter_client.channels import HBChannel

    create = HBChannel._create_socket

    def create_slowly(channel):
        time.sleep(0.2)
        create(channel)

    monkeypatch.setattr(HBChannel, "_create_socket", create_slowly)
    with zmq.Context() as context:
        channel = HBChannel(context, None, "inproc://nobody")
        channel.start()
        stop_heartbeat(SimpleNamespace(hb_channel=channel))
        assert not channel.is_alive() and channel.socket is None


def test_without_a_process_for_warm_kernels_each_begins_anew(monkeypatch):
    def fail(*_):
        raise RuntimeError("The process for warm kernels did not start.")

    monkeypatch.setattr(zygote, "start_zygote", fail)
    with warm_kernels({"lab": tiny_lab.notebook()}) as variables:
        assert variables == {}
