"""A kit for each student: the seed in it, nothing of anybody else, and the whole way from the kit to the feedback."""

import argparse
import functools
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from cimlab import _own, doctor
from cimlab.grading import feedback_command, kit, own_data, own_data_command
from cimlab.grading.course import CourseError, register
from tests import broken, tiny_lab
from tests.test_own_data import own_question
from tests.tiny_lab import LAB

ROOT = Path(__file__).resolve().parent.parent
FEW = 60  # customers: half a second
SECRET = "平安 2027, which nobody guesses"


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    for name in (_own.VARIABLE, own_data.DATA):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course that is quickly packed (tests/test_kit.py has the real one), with what must not be in a kit."""
    (tmp_path / "course").mkdir()
    course = tiny_lab.write_course(tmp_path / "course", labs=False)
    shutil.copytree(course / "solutions", course / "labs")
    monkeypatch.setattr(kit, "check", lambda *arguments: [])
    (course / "datasets").mkdir()
    (course / "datasets" / "datapackage.json").write_text("{}", encoding="utf-8")
    (course / "secret.txt").write_text(SECRET, encoding="utf-8")
    (course / "own_seed.txt").write_text("17", encoding="utf-8")  # of an instructor who tries it out
    for student in ("lina", "wang"):
        folder = course / "own_data" / "seeds" / student
        folder.mkdir(parents=True)
        (folder / "own_seed.txt").write_text(f"{own_data.seed_of(course, student)}\n", encoding="utf-8")
    return course


def command(*words):
    parser = argparse.ArgumentParser()
    kit.add_arguments(parser)
    return kit.run(parser.parse_args(list(words)))


def contents(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name.removeprefix(f"{kit.TOP}/"): archive.read(name) for name in archive.namelist()}


# --- what is in it ---------------------------------------------------------------------------------------------------


def test_a_kit_holds_the_course_and_the_seed_of_its_student_alone(course, tmp_path):
    kit.pack(course, tmp_path / "plain.zip")
    made = kit.pack_each(course, tmp_path / "out" / "kit.zip", ["lina", "王伟"])
    assert {student: path.name for student, path in made.items()} == {"lina": "kit-lina.zip", "王伟": "kit-王伟.zip"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["kit-lina.zip", "kit-王伟.zip"]
    plain = contents(tmp_path / "plain.zip")
    assert "own_seed.txt" not in plain and f"labs/{LAB}/{LAB}.ipynb" in plain
    seeds = {student: str(own_data.seed_of(course, student)) for student in ("lina", "wang", "王伟")}
    for student, path in made.items():
        inside = contents(path)
        assert inside.pop("own_seed.txt").decode() == f"{seeds[student]}\n"
        assert inside == plain
        everything = b"\n".join([*inside.values(), *(name.encode() for name in inside)])
        for unwanted in (SECRET, *(seed for other, seed in seeds.items() if other != student)):
            assert unwanted.encode() not in everything


def test_the_same_seed_gives_the_same_bytes(course, tmp_path):
    first = kit.pack_each(course, tmp_path / "one" / "kit.zip", ["lina", "wang"])
    (course / "secret.txt").unlink()
    seeds = {student: contents(path)["own_seed.txt"].decode().strip() for student, path in first.items()}
    rows = [f"{student},{seed}" for student, seed in seeds.items()]
    (course / "seeds.csv").write_text("\n".join(["student_id,seed", *rows]), encoding="utf-8")
    again = kit.pack_each(course, tmp_path / "two" / "kit.zip", ["wang"])
    assert again["wang"].read_bytes() == first["wang"].read_bytes() != first["lina"].read_bytes()


def test_a_kit_that_was_not_finished_leaves_the_older_one(course, tmp_path, monkeypatch):
    made = kit.pack_each(course, tmp_path / "out" / "kit.zip", ["lina"])
    before = made["lina"].read_bytes()

    def stop(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(kit, "_entry", stop)
    with pytest.raises(KeyboardInterrupt):
        kit.pack_each(course, tmp_path / "out" / "kit.zip", ["lina"])
    assert made["lina"].read_bytes() == before
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["kit-lina.zip"]


def test_no_seed_lies_in_this_folder():
    assert not (ROOT / "own_seed.txt").exists()  # else every test would run on another retailer


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_names_students_in_three_ways(course, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(course)
    assert command("--student", "lina", "wang") == 0
    said = capsys.readouterr().out
    assert "2 kits" in said and "cimlab-course-lina.zip" in said
    assert sorted(path.name for path in (course / "dist").iterdir()) == [
        f"{kit.TOP}-{who}.zip" for who in ("lina", "wang")
    ]
    (tmp_path / "class.csv").write_text("学号,姓名\n2023010203,李娜\n", encoding="utf-8")
    assert command("dist/a.zip", "--class", str(tmp_path / "class.csv")) == 0
    assert (course / "dist" / "a-2023010203.zip").is_file()
    # Without a list: who stands in seeds.csv, else who is in the gradebook.
    assert command("dist/b.zip", "--class") == 1
    assert "No student is known" in capsys.readouterr().err
    assert not (course / "gradebook.db").exists()
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.add_student("zhao")
    assert command("dist/b.zip", "--class") == 0
    (course / "seeds.csv").write_text("student_id,seed\nli,11\n", encoding="utf-8")
    assert command("dist/c.zip", "--class") == 0
    assert sorted(path.name for path in (course / "dist").glob("[bc]-*")) == ["b-zhao.zip", "c-li.zip"]
    assert contents(course / "dist" / "c-li.zip")["own_seed.txt"] == b"11\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--students", "../wang"], "'../wang' cannot be a student's id"),
        (["--students", "lina", ""], "'' cannot be a student's id"),
        (["--students", "lina", "Lina"], "'Lina' stands there twice"),
        (["--students", "lina", "kit.zip"], "write kit.zip before --students"),
        (["--students", "lina", "--data", "datasets"], "--data"),
        (["--class", "absent.csv"], "absent.csv"),
    ],
)
def test_what_cannot_be_packed_is_said_and_nothing_is_written(course, monkeypatch, capsys, words, said):
    monkeypatch.chdir(course)
    assert command(*words) == 1
    assert said in capsys.readouterr().err
    assert not (course / "dist").exists()


def test_without_seeds_the_command_says_how_to_begin(course, monkeypatch, capsys):
    monkeypatch.chdir(course)
    (course / "secret.txt").unlink()
    assert command("--students", "lina") == 1
    assert "write a line that nobody guesses into secret.txt" in capsys.readouterr().err
    (course / "seeds.csv").write_text("student_id,seed\nwang,12\n", encoding="utf-8")
    assert command("--students", "wang", "lina") == 1
    assert "has no seed for lina" in capsys.readouterr().err
    assert not (course / "dist").exists()


# --- what the student has of it --------------------------------------------------------------------------------------


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    """A place in which cimlab finds its seed as in a kit."""
    monkeypatch.setattr(_own, "__file__", str(tmp_path / "cimlab" / "_own.py"))
    monkeypatch.setenv(_own.CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(_own, "own_folder", functools.partial(_own.own_folder, customers=FEW))
    return tmp_path


@pytest.mark.parametrize("content", [b"", b"twelve", b"-5", "12".encode("utf-16")])
def test_a_damaged_seed_is_said_with_what_to_do(unpacked, content):
    (unpacked / "own_seed.txt").write_bytes(content)
    with pytest.raises(ValueError, match=r"own_seed.txt holds .*a whole number. Take it from your kit again"):
        _own.own_seed()
    finding = doctor.check_data()
    assert finding.status == "problem" and "put own_seed.txt or CIMLAB_SEED right" in finding.remedy


def test_doctor_says_whose_retailer_it_is(unpacked, monkeypatch, capsys):
    assert doctor.check_data().detail.endswith("rows: the retailer of the course")
    (unpacked / "own_seed.txt").write_text("11", encoding="utf-8")
    assert doctor.check_data().detail.endswith("rows: your own retailer (own_seed.txt)")
    made = capsys.readouterr()
    assert made.out == "" and "Your retailer is made, once" in made.err  # `cimlab doctor --json` stays JSON
    monkeypatch.setenv("CIMLAB_SEED", "12")
    assert doctor.whose_data() == "your own retailer (CIMLAB_SEED)"
    monkeypatch.setenv("CIMLAB_DATA", str(_own.own_folder(11)))
    assert doctor.whose_data().endswith("(CIMLAB_DATA; it goes before CIMLAB_SEED and own_seed.txt)")
    assert "11" not in doctor.whose_data().rpartition("(")[2]
    assert doctor.check_data().status == "ok"


# --- the whole way ---------------------------------------------------------------------------------------------------

ASK = f"""
import functools
from pathlib import Path
import cimlab
from cimlab import _own
assert Path(cimlab.__file__).resolve().is_relative_to(Path.cwd().resolve()), cimlab.__file__
_own.own_folder = functools.partial(_own.own_folder, customers={FEW})
cimlab.load("stores")
print("total", float(cimlab.load("orders")["amount"].sum()))
"""


def work_in(kit_file, folder):
    """Unpack a kit as a student does, load the data in it, and return the number that the lab asks for."""
    with zipfile.ZipFile(kit_file) as archive:
        archive.extractall(folder)
    drop = (_own.VARIABLE, own_data.DATA)
    variables = {name: value for name, value in os.environ.items() if name not in drop}
    variables |= {"PYTHONPATH": str(folder / kit.TOP), _own.CACHE: str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=folder / kit.TOP, env=variables, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return float(re.search(r"^total (.+)$", done.stdout, re.MULTILINE)[1])


@pytest.mark.grading
def test_from_the_kit_to_the_feedback(tmp_path, monkeypatch, capsys):
    from cimlab.grading.grade import grade

    (tmp_path / "course").mkdir()
    course = tiny_lab.write_course(tmp_path / "course", notebook=own_question(), labs=False)
    register(course, [LAB])
    for name in ("cimlab", "datasets"):
        shutil.copytree(ROOT / name, course / name, ignore=shutil.ignore_patterns("__pycache__"))
    (course / "secret.txt").write_text(SECRET, encoding="utf-8")
    monkeypatch.chdir(course)
    monkeypatch.setenv(_own.CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(_own, "own_folder", functools.partial(_own.own_folder, customers=FEW))

    assert command("../kits/kit.zip", "--students", "lina", "wang") == 0
    totals = {who: work_in(tmp_path / "kits" / f"kit-{who}.zip", tmp_path / who) for who in ("lina", "wang")}
    assert totals["lina"] != totals["wang"]

    # Each types the number that came out; zhao has a retailer too, and types wang's.
    for student, total in {**totals, "zhao": totals["wang"]}.items():
        folder = course / "submitted" / student / LAB
        folder.mkdir(parents=True)
        nbformat.write(broken.filled(course, LAB, q2_totals=f"total = {total:.2f}"), folder / f"{LAB}.ipynb")
    parser = argparse.ArgumentParser()
    own_data_command.add_arguments(parser)
    assert own_data_command.run(parser.parse_args([LAB, "--jobs", "2"])) == 0
    assert "a neighbour's answer can be told in total." in capsys.readouterr().out
    done = grade(course, LAB)
    assert {row["student"]: row["score"] for row in done["rows"]} == {"lina": 6, "wang": 6, "zhao": 3}

    assert not feedback_command.write_pages(course, LAB)["failed"]
    pages = {path.parts[-3]: path.read_text(encoding="utf-8") for path in course.glob("feedback/*/*/*.html")}
    assert sorted(pages) == ["lina", "wang", "zhao"]
    sentence = "<code>total</code> is the right answer for another retailer, not for yours: each student"
    assert [student for student, page in pages.items() if sentence in page] == ["zhao"]
    for student in ("lina", "wang"):  # and nothing says whose number it was
        assert student not in pages["zhao"]


def test_a_student_without_a_seed_gets_no_kit(course, tmp_path):
    (course / "secret.txt").unlink()
    with pytest.raises(CourseError, match=r"neither secret.txt nor seeds.csv"):
        kit.pack_each(course, tmp_path / "kit.zip", ["lina"])
