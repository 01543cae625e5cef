"""A retailer of one's own: made once and whole, the same for grader and student; a neighbour's number is told apart."""

import argparse
import concurrent.futures
import functools
import json
import os
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

import cimlab
from cimlab import _neighbours, _own, checks, datasets
from cimlab.grading import grade_dask, own_data, own_data_command
from cimlab.grading.course import CourseError, open_api, register
from cimlab.retailer import folders
from tests import broken, tiny_lab
from tests.tiny_lab import LAB

FEW = 60  # customers: half a second


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(cache, monkeypatch):
    """An empty cache, small retailers, no variable from outside."""
    for name in (_own.VARIABLE, own_data.DATA, _neighbours.OTHERS, _neighbours.RECORD):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(_own.CACHE, str(cache))
    monkeypatch.setattr(_own, "own_folder", functools.partial(_own.own_folder, customers=FEW))


# --- the student's side ----------------------------------------------------------------------------------------------


def test_the_seed_makes_the_retailer_once(monkeypatch, capsys):
    shipped = datasets.data_folder()
    monkeypatch.setenv("CIMLAB_SEED", "11")
    first = cimlab.load("orders")
    assert "Your retailer is made, once" in capsys.readouterr().out
    assert cimlab.load("orders").equals(first)
    assert capsys.readouterr() == ("", "")
    folder = datasets.data_folder()
    assert folder == _own.own_folder(11) != shipped
    monkeypatch.setenv("CIMLAB_SEED", "12")
    assert not cimlab.load("orders").equals(first)
    # Data of the instructor's choice go before.
    monkeypatch.setenv("CIMLAB_DATA", str(folder))
    assert cimlab.load("orders").equals(first)


def test_the_seed_of_a_kit_stands_in_a_file(monkeypatch, tmp_path):
    monkeypatch.setattr(_own, "__file__", str(tmp_path / "cimlab" / "_own.py"))
    assert _own.own_seed() is None
    (tmp_path / "own_seed.txt").write_text("\ufeff 1234567890123 \n", encoding="utf-8")
    assert _own.own_seed() == 1234567890123
    monkeypatch.setenv("CIMLAB_SEED", "12")
    assert _own.own_seed() == 12
    monkeypatch.setenv("CIMLAB_SEED", "twelve")
    with pytest.raises(ValueError, match="CIMLAB_SEED holds 'twelve'; the seed of a retailer is a whole number"):
        cimlab.load("orders")


def test_the_envelope_of_an_own_retailer_opens(monkeypatch):
    monkeypatch.setenv("CIMLAB_SEED", "11")
    assert set(cimlab.load("members")["member_id"]) <= set(cimlab.envelope("entity_map")["record_id"])


def test_what_is_interrupted_leaves_nothing(monkeypatch):
    from cimlab.retailer import write

    def stop(*arguments, **keywords):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(write, "replace_folders", stop)
        with pytest.raises(KeyboardInterrupt):
            _own.own_folder(13)
    folder = _own.cache_folder() / "retailers" / f"{cimlab.__version__}-13-{FEW}"
    assert not folder.exists()
    assert _own.own_folder(13) == folder
    assert len(datasets.read_table(folder, datasets.find_resource(datasets.read_descriptor(folder), "stores"))) > 0


def test_two_notebooks_at_once_make_one_retailer(cache):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # the lock is one between open files, not processes
        places = list(pool.map(_own.own_folder, [14, 14]))
    assert places[0] == places[1]
    assert len(datasets.read_descriptor(places[0])["resources"]) > 5
    assert [path.name for path in (cache / "retailers").glob("*-14-*")] == [f"{cimlab.__version__}-14-{FEW}"]


def test_a_folder_that_another_notebook_clears_away_has_a_size(tmp_path, monkeypatch):
    work = tmp_path / "work"
    for name in ("first", "second"):
        (work / name).mkdir(parents=True)
        (work / name / "part").write_bytes(b"12345")
    (work / "plan.json").write_bytes(b"123")
    assert folders.size_of(work) == 13
    scandir, gone = os.scandir, work / "second"

    def cleared(place):  # it goes between the listing of the folder above and its own
        if Path(place) == gone and gone.exists():
            gone.rename(tmp_path / "cleared")
        return scandir(place)

    monkeypatch.setattr(os, "scandir", cleared)
    assert folders.size_of(work) == 8
    assert not gone.exists()


@pytest.mark.parametrize(
    ("system", "variables", "place"),
    [
        ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/cimlab"),
        ("linux", {"CIMLAB_CACHE": "/mine"}, "/mine"),
        ("darwin", {}, "Library/Caches/cimlab"),
    ],
)
def test_where_the_cache_is(system, variables, place, monkeypatch):
    monkeypatch.setattr(_own.sys, "platform", system)
    for name in ("CIMLAB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert _own.cache_folder().as_posix().endswith(place)


# --- whose seed is it ------------------------------------------------------------------------------------------------


def test_seeds_come_from_a_list_or_from_a_secret(tmp_path):
    from cimlab.retailer.students import derive_seed

    assert own_data.seed_of(tmp_path, "lina") is None
    assert own_data.environment(tmp_path, LAB, "lina") == {}
    assert not own_data.has_own_data(tmp_path)
    (tmp_path / "seeds.csv").write_text("\ufeffstudent_id,seed\nlina,11\nwang,12\n", encoding="utf-8")
    assert own_data.seed_of(tmp_path, "wang") == 12
    with pytest.raises(CourseError, match="has no seed for zhao"):
        own_data.seed_of(tmp_path, "zhao")
    (tmp_path / "secret.txt").write_text("平安 2027\n", encoding="utf-8")
    assert own_data.seed_of(tmp_path, "zhao") == derive_seed("平安 2027", "zhao") != derive_seed("平安 2027", "lina")
    assert own_data.seed_of(tmp_path, "lina") == 11
    (tmp_path / "seeds.csv").write_text("id,seed\nlina,11\n", encoding="utf-8")
    with pytest.raises(CourseError, match="has to have the columns student_id and seed"):
        own_data.seed_of(tmp_path, "lina")


def test_the_grader_and_a_folder_made_for_a_student_hold_the_same(tmp_path):
    from cimlab.retailer.students import write_class

    write_class(["lina"], tmp_path / "each", tmp_path / "truth", customers=FEW, seed=830174)
    course = tmp_path / "course"
    course.mkdir()
    (course / "seeds.csv").write_bytes((tmp_path / "truth" / "seeds.csv").read_bytes())
    (tmp_path / "by-secret").mkdir()
    (tmp_path / "by-secret" / "secret.txt").write_text("830174", encoding="utf-8")
    seed = own_data.seed_of(course, "lina")
    assert seed == own_data.seed_of(tmp_path / "by-secret", "lina")
    own, made = _own.own_folder(seed), tmp_path / "each" / "lina"
    for name in ("orders.csv", "members.csv"):
        assert (own / name).read_bytes() == (made / name).read_bytes()


# --- a neighbour's number --------------------------------------------------------------------------------------------

TABLE = pd.DataFrame({"city": ["A", "B"], "sales": [1204.55, 83.21]})


@pytest.mark.parametrize(
    ("right", "copied"),
    [
        (1234.567, 1234.567),
        (1234.567, 1234.57),
        (1234.567, 1235),
        (0.341523, 0.3415),
        (np.float64(0.341523), 0.341523),
        (12041, 12041),
        (np.int64(12041), 12041),
        ([1204.5, 2.0, 3.0], [1204.5, 2.0, 3.0]),
        (TABLE, TABLE[::-1].reset_index(drop=True)),
        (TABLE.set_index("city")["sales"], TABLE.set_index("city")["sales"]),
        ({"a": 0.34152, "b": 2}, {"b": 2, "a": 0.34152}),
    ],
)
def test_a_copied_answer_gets_its_own_sentence(right, copied, monkeypatch):
    others = {"share": _neighbours.fingerprints(right)}
    monkeypatch.setenv("CIMLAB_OTHERS", json.dumps(others))
    expected = 99.5 if not isinstance(right, (pd.DataFrame, pd.Series, list, dict)) else type(right)()
    with pytest.raises(checks.CheckFailed, match=r"^`share` is the right answer for another retailer, not for yours"):
        checks.equal(copied, expected, "share")
    with pytest.raises(checks.CheckFailed, match=r"^`other` "):
        checks.equal(copied, expected, "other")
    # A recognised mistake goes first; a right answer is right.
    with pytest.raises(checks.CheckFailed, match="per cent"):
        checks.equal(copied, expected, "share", mistakes=[(lambda got: True, "in per cent")])
    checks.equal(right, right, "share")


@pytest.mark.parametrize("common", [7, 0.5, 0.34, 100, True, None, "Beijing", [1204, 2], [1, 2, 3], TABLE.head(0)])
def test_what_is_common_says_nothing(common):
    assert _neighbours.fingerprints(common) == []


def test_nothing_is_looked_up_without_the_variable_or_with_a_damaged_one(monkeypatch):
    assert _neighbours.copied(1234.5, "share") is None
    for text in ("{", "[]", '{"share": 3}'):
        monkeypatch.setenv("CIMLAB_OTHERS", text)
        assert _neighbours.copied(1234.5, "share") is None


def test_counts_that_lie_near_one_another_are_no_evidence():
    assert own_data._is_crowded({1201, 1204, 1207, 1212})
    assert not own_data._is_crowded({1201, 98412, 55120})
    assert not own_data._is_crowded({1201})


# --- the class -------------------------------------------------------------------------------------------------------


def own_question():
    """Return the tiny lab with a question whose answer is another one for each student."""
    notebook = tiny_lab.notebook()
    cells = {cell.id: cell for cell in notebook.cells}
    cells["setup"].source += '\n\nimport cimlab\n\nbought = cimlab.load("orders")'
    cells["q2_totals"].source = '### BEGIN SOLUTION\ntotal = float(bought["amount"].sum())\n### END SOLUTION'
    cells["test_q2_totals"].source = (
        'total = checks.answer(globals(), "total", float)\n'
        'checks.equal(total, float(bought["amount"].sum()), "total")\n'
        'checks.equal(2 + 2, 4, "four")'
    )
    return notebook


@pytest.fixture
def course(tmp_path, cache):
    course = tiny_lab.write_course(tmp_path, notebook=own_question(), labs=False)
    (course / "secret.txt").write_text("830174", encoding="utf-8")
    return course


def total_of(course, student):
    folder = _own.own_folder(own_data.seed_of(course, student))
    return float(pd.read_csv(folder / "orders.csv")["amount"].sum())


@pytest.mark.grading
def test_a_class_with_own_data_is_graded_and_a_copied_number_is_told(course, monkeypatch):
    register(course, [LAB])
    assert own_data.find_answers(course, LAB, ["lina"]) == []
    assert own_data.find_answers(course, LAB, ["lina", "wang"], jobs=2) == ["total"]  # the same for all tells nothing
    with monkeypatch.context() as patch:  # nothing is made twice
        patch.setattr(own_data, "_run_solution", None)
        assert own_data.find_answers(course, LAB, ["lina", "wang"]) == ["total"]
    others = json.loads(own_data.environment(course, LAB, "wang")["CIMLAB_OTHERS"])
    assert set(others["total"]) == set(_neighbours.fingerprints(total_of(course, "lina")))
    assert not set(others["total"]) & set(_neighbours.fingerprints(total_of(course, "wang")))
    for student, text in {
        "lina": 'total = float(bought["amount"].sum())',
        "wang": f"total = {total_of(course, 'lina'):.2f}",
    }.items():
        folder = course / "submitted" / student / LAB
        folder.mkdir(parents=True)
        nbformat.write(broken.filled(course, LAB, q2_totals=text), folder / f"{LAB}.ipynb")
    monkeypatch.setenv("CIMLAB_DATA", str(datasets.data_folder()))
    assert open_api(course).autograde(LAB, "*")["success"]
    assert broken.scores(course, LAB) == {"lina": 6, "wang": 3}
    graded = nbformat.read(course / "autograded" / "wang" / LAB / f"{LAB}.ipynb", as_version=4)
    test = next(cell for cell in graded.cells if cell.id == "test_q2_totals")
    assert test.outputs[0].evalue.startswith("`total` is the right answer for another retailer")


@pytest.mark.grading
def test_cimlab_grade_takes_the_data_of_each_student_and_grades_again_with_others(course):
    from cimlab.grading.grade import grade

    (course / "secret.txt").unlink()
    (course / "seeds.csv").write_text("student_id,seed\nlina,11\nwang,12\n", encoding="utf-8")
    register(course, [LAB])
    for student in ("lina", "wang"):
        folder = course / "submitted" / student / LAB
        folder.mkdir(parents=True)
        answer = broken.filled(course, LAB, q2_totals=f"total = {total_of(course, 'lina')}")
        nbformat.write(answer, folder / f"{LAB}.ipynb")
    done = grade(course, LAB)
    assert {row["student"]: row["score"] for row in done["rows"]} == {"lina": 6, "wang": 3}
    (course / "seeds.csv").write_text("student_id,seed\nlina,11\nwang,11\n", encoding="utf-8")
    done = grade(course, LAB)
    assert {row["student"]: row["score"] for row in done["rows"]} == {"wang": 6} and done["unchanged"] == 1


def test_a_worker_on_another_machine_makes_the_retailer_there(monkeypatch, tmp_path):
    monkeypatch.setenv(_own.CACHE, str(tmp_path))
    told = {_own.VARIABLE: "21", own_data.DATA: "/of/another/machine", "LANG": "C"}
    here = grade_dask.with_data_of_here(told)
    assert here == told | {own_data.DATA: str(_own.own_folder(21))}
    assert Path(here[own_data.DATA]).is_relative_to(tmp_path) and Path(here[own_data.DATA], "orders.csv").is_file()


def test_the_command(course, tmp_path, monkeypatch, capsys):
    parser = argparse.ArgumentParser()
    own_data_command.add_arguments(parser)
    monkeypatch.chdir(course)
    (tmp_path / "class.csv").write_text("student_id\nlina\n王伟\n", encoding="utf-8")
    assert own_data_command.run(parser.parse_args(["--class", str(tmp_path / "class.csv")])) == 0
    assert "own_seed.txt for 2 students" in capsys.readouterr().out
    handed_out = (course / "own_data" / "seeds" / "王伟" / "own_seed.txt").read_text(encoding="utf-8")
    assert int(handed_out) == own_data.seed_of(course, "王伟")
    (course / "submitted" / "lina" / LAB).mkdir(parents=True)
    monkeypatch.setattr(own_data, "_run_solution", lambda *arguments: [])
    assert own_data_command.run(parser.parse_args([LAB])) == 0
    assert "1 students; a neighbour's answer can be told in none" in capsys.readouterr().out
    assert own_data_command.run(parser.parse_args([])) == 1
    (course / "secret.txt").unlink()
    assert own_data_command.run(parser.parse_args([LAB])) == 1
    assert "write a line that nobody guesses into secret.txt" in capsys.readouterr().err


@pytest.mark.grading
def test_the_kernel_has_the_seed_and_the_process_that_grades_does_not(course, monkeypatch):
    register(course, [LAB])
    folder = course / "submitted" / "lina" / LAB
    folder.mkdir(parents=True)
    text = 'import os\n\nprint(os.environ["CIMLAB_SEED"], os.environ["CIMLAB_DATA"])'
    nbformat.write(broken.filled(course, LAB, q2_totals=text), folder / f"{LAB}.ipynb")
    monkeypatch.setenv("CIMLAB_DATA", str(datasets.data_folder()))
    before = dict(os.environ)
    assert open_api(course).autograde(LAB, "*")["success"]
    assert dict(os.environ) == before
    graded = nbformat.read(course / "autograded" / "lina" / LAB / f"{LAB}.ipynb", as_version=4)
    answer = next(cell for cell in graded.cells if cell.id == "q2_totals")
    seed = own_data.seed_of(course, "lina")
    assert answer.outputs[0].text.split() == [str(seed), str(_own.own_folder(seed))]


def test_a_student_without_a_seed_is_named_and_not_graded(course):
    from cimlab.grading import repair

    (course / "secret.txt").unlink()
    (course / "seeds.csv").write_text("student_id,seed\nlina,11\n", encoding="utf-8")
    folder = course / "submitted" / "zhao" / LAB
    folder.mkdir(parents=True)
    nbformat.write(own_question(), folder / f"{LAB}.ipynb")
    with pytest.raises(repair.UnreadableNotebook, match=r"was not graded: .*seeds.csv has no seed for zhao"):
        repair.NotebookReader().from_filename(str(folder / f"{LAB}.ipynb"))


def test_a_solution_that_does_not_run_on_somebodys_data_is_named(course, monkeypatch):
    path = course / "solutions" / LAB / f"{LAB}.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("cimlab.load", "cimlab.lode"), encoding="utf-8")
    with pytest.raises(CourseError, match=r"The solution of lab00_tiny does not run on .*lode"):
        own_data.find_answers(course, LAB, ["lina"])
