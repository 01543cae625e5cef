"""What a student gets, and what a student must not get."""

import shutil
import zipfile
from pathlib import Path

import pytest

from cimlab.grading.course import CourseError
from cimlab.grading.kit import FILES, TOP, pack
from tests import tiny_lab

ROOT = Path(__file__).resolve().parent.parent
SECRET = (
    "solutions",
    "truth",
    "tests",
    "benchmarks",
    "gradebook",
    "submitted",
    "autograded",
    "mistakes",
    "instructors",
)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The real course in which the tiny lab is the only one, with everything about that a teacher leaves lying."""
    folder = tiny_lab.write_course(tmp_path_factory.mktemp("course"))
    for pattern in FILES:
        for path in ROOT.glob(pattern):
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    for name in ("cimlab", "datasets", "LICENSES"):
        shutil.copytree(ROOT / name, folder / name)
    secrets = ["truth/persons.csv", "tests/test_x.py", "gradebook.db", "submitted/1/lab/lab.ipynb", "grades.csv"]
    secrets += [
        "docs/instructors.md",
        "cimlab/__pycache__/x.pyc",
        "labs/.ipynb_checkpoints/x.ipynb",
        "chapters/work/x.csv",
    ]
    for name in [*secrets, "chapters/03_database.ipynb"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_the_kit_holds_the_course_and_nothing_of_the_teacher(course, tmp_path):
    names = pack(course, tmp_path / "kit.zip")
    with zipfile.ZipFile(tmp_path / "kit.zip") as archive:
        assert sorted(archive.namelist()) == names
        assert archive.testzip() is None
    inside = {name.removeprefix(f"{TOP}/") for name in names}
    wanted = {
        "start.py",
        "requirements.txt",
        "pyproject.toml",
        "README.md",
        "index.ipynb",
        "nbgrader_config.py",
        "LICENSE",
    }
    wanted |= {f"labs/{tiny_lab.LAB}/{tiny_lab.LAB}.ipynb", "chapters/03_database.ipynb"}
    wanted |= {"datasets/datapackage.json", "datasets/members.csv", "cimlab/checks.py", "cimlab/fonts/OFL.txt"}
    assert wanted <= inside
    parts = {part for name in inside for part in Path(name).parts}
    assert not [part for part in parts for secret in SECRET if part.startswith(secret) and not part.endswith(".py")]
    assert not parts & {"__pycache__", ".ipynb_checkpoints", "work", "grades.csv", "test_x.py"}
    # Every file of the package is there: its kinds are named in kit.py, and a new kind must not be forgotten.
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "cimlab").rglob("*") if path.is_file()}
    assert {name for name in package if "__pycache__" not in name and "_datasets" not in name} <= inside


def test_the_same_course_gives_the_same_bytes(course, tmp_path):
    pack(course, tmp_path / "one.zip")
    (course / "start.py").touch()
    pack(course, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_class_gets_its_own_edition_of_the_data(course, tmp_path):
    edition = tmp_path / "edition"
    shutil.copytree(ROOT / "datasets", edition)
    (edition / "members.csv").write_text("own", encoding="utf-8")
    pack(course, tmp_path / "kit.zip", edition)
    with zipfile.ZipFile(tmp_path / "kit.zip") as archive:
        assert archive.read(f"{TOP}/datasets/members.csv") == b"own"
    with pytest.raises(CourseError, match="holds no edition of the data"):
        pack(course, tmp_path / "none.zip", tmp_path)


def test_a_lab_with_somebodys_answers_is_not_packed(course, tmp_path):
    lab = course / "labs" / tiny_lab.LAB / f"{tiny_lab.LAB}.ipynb"
    right = lab.read_bytes()
    lab.write_bytes(right.replace(b"your code here", b"my answer"))
    with pytest.raises(CourseError, match="Run `cimlab release` first; nothing was packed"):
        pack(course, tmp_path / "kit.zip")
    lab.write_bytes(right)
    assert list(tmp_path.iterdir()) == []
