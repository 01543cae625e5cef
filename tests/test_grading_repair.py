"""A table of damages: what was handed in, and what comes of it – graded, graded after repair, or needs review.

Most of it runs without a kernel: the repaired notebook is worked through in this process, so that a kind of damage
costs milliseconds. A few go through nbgrader itself at the end.
"""

import copy
import io
import json
import subprocess
import sysconfig
import zipfile
from pathlib import Path

import nbformat
import pytest

from cimlab.grading import collect, repair, repair_cells, repair_files
from cimlab.grading.course import open_api
from cimlab.grading.feedback import split_hidden
from cimlab.grading.release import release
from tests import broken, tiny_lab
from tests.tiny_lab import LAB

RIGHT = 6  # the automatic points of the tiny lab
CLEAN = 'def clean(phone):\n    return phone.replace(" ", "").replace("-", "")'
WHY = "One person is one customer, however many orders."


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return tiny_lab.write_course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def wanted(course):
    return repair_files.student_versions(course, LAB)


@pytest.fixture(scope="module")
def lab(wanted):
    """What the gradebook knows of the tiny lab."""
    stubs = {cell.id: cell.source for cell in wanted[LAB]}
    cells = []
    for cell in tiny_lab.notebook().cells:
        settings = cell.metadata.get("nbgrader")
        if settings:
            source = cell.source if settings["locked"] else stubs[cell.id]
            flags = {key: settings[key] for key in ("grade", "solution", "locked", "task")}
            more = {"visible": split_hidden(source)[0], "checksum": "0" * 32, "points": settings.get("points")}
            cells.append({"name": cell.id, "cell_type": cell.cell_type, "source": source, **flags, **more})
    return cells


@pytest.fixture
def right(course):
    """A right hand-in, with a written answer."""
    return broken.filled(course, LAB, q3_why=WHY)


def by_id(notebook):
    return {cell.id: cell for cell in notebook.cells}


def ids(notebook):
    return [cell.id for cell in notebook.cells]


def text_of(notebook):
    return nbformat.writes(notebook)


def zipped(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return stream.getvalue()


def graded(notebook):
    """Work through a repaired notebook; return (automatic points, text of the written answer)."""
    names, points, written = {}, 0, None
    for cell in notebook.cells:
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("grade_id") == "q3_why":
            written = cell.source
        if cell.cell_type != "code":
            continue
        try:
            exec(compile(cell.source, "cell", "exec"), names)
        except Exception:
            continue
        if settings.get("grade") and not settings.get("solution"):
            points += settings["points"]
    return points, written


def outcome(folder, wanted, lab):
    """Return (points or None, written answer, notes, reasons to look at it) of a hand-in."""
    layout = repair_files.lay_out(folder, wanted)
    if LAB not in layout.notebooks:
        return None, None, [], layout.review
    notebook, notes = (
        repair.read_hand_in(folder / f"{LAB}.ipynb")
        if _in_course(folder)
        else (
            copy.deepcopy(layout.notebooks[LAB]),
            layout.notes[LAB],
        )
    )
    notes = [*notes, *repair.repair(notebook, lab, wanted[LAB])]
    nbformat.validate(notebook)
    return (*graded(notebook), notes, layout.review)


def _in_course(folder):
    return any((up / "nbgrader_config.py").is_file() for up in folder.parents)


# ---------------------------------------------------------------------------------------------------------------------
# the file


def files_of_a_hand_in(kind, notebook):
    """Return {path in the folder: bytes} for a kind of damage of the file."""
    text = text_of(notebook)
    raw = json.loads(text)
    for cell in raw["cells"]:
        cell.pop("id", None)
    old4 = json.dumps({**raw, "nbformat_minor": 0})
    old3 = nbformat.writes(nbformat.convert(nbformat.reads(old4, as_version=4), 3), version=3)
    other = copy.deepcopy(notebook)
    by_id(other)["q1_clean"].source = "def clean(phone):\n    return phone"
    inner = zipped(**{f"lab03__{LAB}.ipynb": text})
    return {
        "in order": {f"{LAB}.ipynb": text},
        "windows line ends": {f"{LAB}.ipynb": text.replace("\n", "\r\n")},
        "windows line ends in the cells": {f"{LAB}.ipynb": text.replace("\\n", "\\r\\n")},
        "byte order mark": {f"{LAB}.ipynb": b"\xef\xbb\xbf" + text.encode()},
        "UTF-16": {f"{LAB}.ipynb": text.encode("utf-16")},
        "UTF-16 without a mark": {f"{LAB}.ipynb": text.encode("utf-16-le")},
        "GB 18030": {f"{LAB}.ipynb": text.replace("One person", "一个人").encode("gb18030")},
        "format 4.0": {f"{LAB}.ipynb": old4},
        "format 3": {f"{LAB}.ipynb": old3},
        "format 5": {f"{LAB}.ipynb": text.replace('"nbformat": 4', '"nbformat": 5')},
        "strange minor": {f"{LAB}.ipynb": text.replace('"nbformat_minor": 5', '"nbformat_minor": "x"')},
        "no kernelspec": {f"{LAB}.ipynb": json.dumps({**json.loads(text), "metadata": {}})},
        "renamed": {"2023010203_李娜 (1).ipynb": text},
        "json": {f"{LAB}.json": text},
        "text": {f"{LAB}.ipynb.txt": text},
        "no ending": {LAB: text},
        "in a folder": {f"my work/labs/{LAB}.ipynb": text},
        "in a zip file": {"work.zip": zipped(**{f"{LAB}.ipynb": text})},
        "in a zip file in a zip file": {"work.zip": zipped(inner_dot_zip=inner)},
        "zip file with the name of a notebook": {f"{LAB}.ipynb": inner},
        "with other files": {f"{LAB}.ipynb": text, "data.json": '{"a": 1}', "notes.txt": "a", "x.csv": "a,b"},
        "an untouched one beside it": {f"{LAB}.ipynb": None, f"{LAB} (1).ipynb": text},
        "a copy beside it": {f"{LAB}.ipynb": text, f"{LAB}-Copy1.ipynb": text},
        "another version beside it": {f"{LAB}.ipynb": text, f"{LAB}-Copy1.ipynb": text_of(other)},
        "a checkpoint beside it": {
            f"{LAB}.ipynb": text,
            f".ipynb_checkpoints/{LAB}-checkpoint.ipynb": text_of(other),
        },
        "two versions, none named right": {"a.ipynb": text, "b.ipynb": text_of(other)},
        "cut off": {f"{LAB}.ipynb": text[: len(text) // 2]},
        "cut off and renamed": {"mine.ipynb": text[: len(text) // 2]},
        "empty": {f"{LAB}.ipynb": ""},
        "PDF": {f"{LAB}.ipynb": b"%PDF-1.7 ..."},
        "damaged zip file": {"work.zip": inner[:200]},
        "RAR archive": {"work.rar": b"Rar!..."},
        "no notebook": {"answers.docx": b"PK\x03\x04word/"},
        "nothing": {},
        "another lab": {f"{LAB}.ipynb": text_of(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]))},
    }[kind]


TAKEN = "was taken for"
FILES = [
    # damage, points (None: not graded), part of a note (None: nothing to repair), part of a reason to look
    ("in order", RIGHT, None, None),
    ("windows line ends", RIGHT, None, None),
    ("windows line ends in the cells", RIGHT, None, None),
    ("byte order mark", RIGHT, None, None),
    ("UTF-16", RIGHT, "UTF-16", None),
    ("UTF-16 without a mark", RIGHT, "UTF-16", None),
    ("GB 18030", RIGHT, "GB 18030", None),
    ("format 4.0", RIGHT, None, None),
    ("format 3", RIGHT, "old format 3", None),
    ("format 5", RIGHT, "unknown format 5", None),
    ("strange minor", RIGHT, None, None),
    ("no kernelspec", RIGHT, None, None),
    ("renamed", RIGHT, TAKEN, None),
    ("json", RIGHT, TAKEN, None),
    ("text", RIGHT, TAKEN, None),
    ("no ending", RIGHT, TAKEN, None),
    ("in a folder", RIGHT, TAKEN, None),
    ("in a zip file", RIGHT, TAKEN, None),
    ("in a zip file in a zip file", RIGHT, "`work.zip/inner.zip/lab03/lab00_tiny.ipynb` was taken for", None),
    ("zip file with the name of a notebook", RIGHT, TAKEN, None),
    ("with other files", RIGHT, None, None),
    ("an untouched one beside it", RIGHT, "(1).ipynb` was taken for", None),
    ("a copy beside it", RIGHT, None, None),
    ("another version beside it", RIGHT, "not graded, because another one counts: `lab00_tiny-Copy1.ipynb`", None),
    ("a checkpoint beside it", RIGHT, None, None),
    ("two versions, none named right", None, None, "several different notebooks of lab00_tiny: `a.ipynb`, `b.ipynb`"),
    ("cut off", None, None, "damaged or cut off"),
    ("cut off and renamed", None, None, "damaged or cut off"),
    ("empty", None, None, "the file is empty"),
    ("PDF", None, None, "a PDF, not a notebook"),
    ("damaged zip file", None, None, "cannot be unpacked"),
    ("RAR archive", None, None, "cannot be unpacked"),
    ("no notebook", None, None, "there is no notebook in the hand-in"),
    ("nothing", None, None, "there is no notebook in the hand-in"),
    ("another lab", None, None, "holds nothing of this lab"),
]


@pytest.mark.parametrize(("kind", "points", "note", "reason"), FILES, ids=[row[0] for row in FILES])
def test_damaged_files(kind, points, note, reason, right, wanted, lab, tmp_path):
    for name, data in files_of_a_hand_in(kind, right).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text_of(nbformat.v4.new_notebook(cells=wanted[LAB])) if data is None else data
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    got, written, notes, review = outcome(tmp_path, wanted, lab)
    about_file = [text for text in notes if "metadata" not in text]
    assert got == points
    assert (note in " ".join(about_file)) if note else not about_file
    assert (reason in " ".join(review)) if reason else not review
    assert points is None or written.endswith("is one customer, however many orders.")
    # What was handed in is as it was; a second look comes to the same.
    assert {path: path.read_bytes() for path in before} == before
    again = outcome(tmp_path, wanted, lab)
    assert (again[0], again[1]) == (got, written)


def test_what_is_made_in_the_folder_gives_way_to_a_new_hand_in(right, wanted, lab, tmp_path):
    (tmp_path / "mine.ipynb").write_text(text_of(broken_answer(right)), encoding="utf-8")
    assert outcome(tmp_path, wanted, lab)[0] == 3
    assert (tmp_path / f"{LAB}.ipynb").is_file()
    (tmp_path / "mine.ipynb").write_text(text_of(right), encoding="utf-8")
    assert outcome(tmp_path, wanted, lab)[0] == RIGHT
    assert b"copy_of_hand_in" in (tmp_path / f"{LAB}.ipynb").read_bytes()


def broken_answer(notebook):
    notebook = copy.deepcopy(notebook)
    by_id(notebook)["q1_clean"].source = "def clean(phone):\n    return None"
    return notebook


def test_links_and_bombs_are_not_followed(right, wanted, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / f"{LAB}.ipynb").write_text(text_of(right), encoding="utf-8")
    folder = tmp_path / "hand-in"
    folder.mkdir()
    (folder / "link.ipynb").symlink_to(tmp_path / "elsewhere" / f"{LAB}.ipynb")
    (folder / "folder").symlink_to(tmp_path / "elsewhere")
    assert repair_files.find(folder, wanted).review == [
        "there is no notebook in the hand-in. Ask the student to hand it in again."
    ]
    monkeypatch.setattr(repair_files, "ALL", 1000)
    (folder / "bomb.zip").write_bytes(zipped(a_dot_ipynb=" " * 2000))
    assert "`bomb.zip/a.ipynb` is too large to be unpacked" in repair_files.find(folder, wanted).review
    nested = zipped(a_dot_txt="a")
    for _ in range(repair_files.DEPTH):
        nested = zipped(n_dot_zip=nested)
    (folder / "bomb.zip").write_bytes(nested)
    assert "too deep to look into" in repair_files.find(folder, wanted).review[0]


def test_each_notebook_of_a_capstone_is_found_by_what_is_in_it(right, wanted, tmp_path):
    second = copy.deepcopy(right)
    for number, cell in enumerate(second.cells):
        cell.id = f"b{number}"
        cell.source = f"# part B, cell {number}, with a text of its own"
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"]["grade_id"] = f"b{number}"
    both = {"cap_database": wanted[LAB], "cap_profiles": second.cells}
    (tmp_path / "teil2.ipynb").write_text(text_of(second), encoding="utf-8")
    layout = repair_files.lay_out(tmp_path, both)
    assert (layout.places, layout.missing) == ({"cap_profiles": "teil2.ipynb"}, ["cap_database"])
    # Even under the name of the other one.
    (tmp_path / "cap_profiles.ipynb").unlink()
    (tmp_path / "cap_profiles.ipynb").write_text(text_of(right), encoding="utf-8")
    layout = repair_files.lay_out(tmp_path, both)
    assert layout.places == {"cap_database": "cap_profiles.ipynb", "cap_profiles": "teil2.ipynb"}
    assert (layout.missing, layout.review) == ([], [])


def test_a_reader_takes_the_notebook_that_counts(course, right, tmp_path):
    folder = tmp_path / "submitted" / "lina" / LAB
    folder.mkdir(parents=True)
    for name in ("nbgrader_config.py", "labs"):
        (tmp_path / name).symlink_to(course / name)
    (folder / f"{LAB}.ipynb").write_text(text_of(broken.read(course, "labs", LAB)), encoding="utf-8")
    (folder / "done.ipynb").write_text(text_of(right), encoding="utf-8")
    notebook, notes = repair.read_hand_in(folder / f"{LAB}.ipynb")
    assert by_id(notebook)["q3_why"].source == WHY
    assert notes == ["`done.ipynb` was taken for `lab00_tiny.ipynb`"]
    (folder / f"{LAB}.ipynb").write_text('{"cells": [], "nbformat": 4}', encoding="utf-8")
    (folder / "done.ipynb").unlink()
    with pytest.raises(repair.UnreadableNotebook, match="holds nothing of this lab"):
        repair.read_hand_in(folder / f"{LAB}.ipynb")


# ---------------------------------------------------------------------------------------------------------------------
# the cells


def damage(notebook):
    """Return {kind: a function that does it to (cells by id, notebook)}."""

    def as_colab(cells, notebook):
        notebook.metadata = {"colab": {"provenance": []}, "kernelspec": {"name": "python3", "display_name": "Python 3"}}
        for cell in notebook.cells:
            cell.metadata = {"id": cell.id, "outputId": "5d1c"}
            cell.id = f"x{len(cell.source)}-{id(cell)}"

    def as_vs_code(cells, notebook):
        for cell in notebook.cells:
            cell.metadata = {"vscode": {"languageId": "python"}}
            cell.id = f"vs-{id(cell)}"

    def copied(cells, notebook):
        for cell in copy.deepcopy(notebook.cells):
            if "nbgrader" in cell.metadata:
                cell.id = f"twin-{cell.id}"
                notebook.cells.append(cell)

    def split_answer(cells, notebook):
        at = ids(notebook).index("q1_clean")
        first, second = (
            "separators = ' -'",
            "def clean(phone):\n    return ''.join(c for c in phone if c not in separators)",
        )
        twin = copy.deepcopy(cells["q1_clean"])
        cells["q1_clean"].source, twin.source, twin.id = first, second, "half"
        notebook.cells.insert(at + 1, twin)

    def split_test(cells, notebook):
        twin = copy.deepcopy(cells["test_q2_totals"])
        lines = twin.source.split("\n")
        twin.id, twin.source, cells["test_q2_totals"].source = "half", "\n".join(lines[2:]), "\n".join(lines[:2])
        notebook.cells.insert(ids(notebook).index("test_q2_totals") + 1, twin)

    def merged(keep):
        def change(cells, notebook):
            whole = cells["q1_clean"].source + "\n\n" + cells["test_q1_clean"].source
            cells[keep].source = whole
            gone = {"q1_clean", "test_q1_clean"} - {keep}
            notebook.cells = [cell for cell in notebook.cells if cell.id not in gone]

        return change

    def three_merged(cells, notebook):
        parts = ["q1_clean", "test_q1_clean", "about_q2", "q2_totals", "test_q2_totals"]
        code = [part for part in parts if part != "about_q2"]
        cells["test_q2_totals"].source = "\n\n".join(cells[part].source for part in code)
        cells["test_q2_totals"].metadata = {}
        notebook.cells = [cell for cell in notebook.cells if cell.id not in parts[:-1]]

    def own_cell(place, source, kind="code"):
        def change(cells, notebook):
            new = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
            stub = notebook_of_stubs[place[0]]
            cells[place[0]].source = stub
            at = ids(notebook).index(place[1]) + place[2] if place[1] else len(notebook.cells)
            notebook.cells.insert(at, new(source, id="own"))

        return change

    def moved_to_the_end(cells, notebook):
        notebook.cells.remove(cells["q1_clean"])
        notebook.cells.append(cells["q1_clean"])

    notebook_of_stubs = {
        "q1_clean": "def clean(phone):\n    ...  # your code here",
        "q3_why": "*Write your answer here.*",
    }
    return {
        "saved by Colab": as_colab,
        "saved by VS Code": as_vs_code,
        "all cells copied": copied,
        "answer split in two": split_answer,
        "test split in two": split_test,
        "answer and test merged into the answer": merged("q1_clean"),
        "answer and test merged into the test": merged("test_q1_clean"),
        "two questions merged into one cell": three_merged,
        "answer typed below the scaffold": own_cell(("q1_clean", "q1_clean", 1), CLEAN),
        "answer typed above the scaffold": own_cell(("q1_clean", "q1_clean", 0), CLEAN),
        "answer typed below its tests": own_cell(("q1_clean", "test_q1_hidden", 1), CLEAN),
        "answer typed at the end": own_cell(("q1_clean", None, 0), CLEAN),
        "answer cell moved to the end": moved_to_the_end,
        "text typed below the answer cell": own_cell(("q3_why", "q3_why", 1), WHY, "markdown"),
        "text typed above the answer cell": own_cell(("q3_why", "q3_why", 0), WHY, "markdown"),
    }


CELLS = [
    ("saved by Colab", "metadata was lost; found by the id"),
    ("saved by VS Code", "metadata and id were lost; found by text and place"),
    ("all cells copied", "stood there more than once"),
    ("answer split in two", "stood there more than once"),
    ("test split in two", "the text had been changed; the original was put back"),
    ("answer and test merged into the answer", "`test_q1_clean`: was merged with another cell; parted again"),
    ("answer and test merged into the test", "`test_q1_clean`: was merged with another cell; parted again"),
    ("two questions merged into one cell", "was merged with another cell; parted again"),
    ("answer typed below the scaffold", None),
    ("answer typed above the scaffold", "`q1_clean`: the answer stood in a cell above the scaffold; it was taken in"),
    ("answer typed below its tests", "`test_q1_clean`, `test_q1_hidden`: stood above the answer that it marks"),
    ("answer typed at the end", "`test_q1_clean`, `test_q1_hidden`: stood above the answer that it marks"),
    ("answer cell moved to the end", "`test_q1_clean`, `test_q1_hidden`: stood above the answer that it marks"),
    ("text typed below the answer cell", "`q3_why`: the answer stood in a cell beside it; it was taken in"),
    ("text typed above the answer cell", "`q3_why`: the answer stood in a cell beside it; it was taken in"),
]


@pytest.mark.parametrize(("kind", "note"), CELLS, ids=[row[0] for row in CELLS])
def test_damaged_cells(kind, note, right, wanted, lab):
    damage(right)[kind](by_id(right), right)
    notebook = repair.read_notebook(text_of(right).encode())
    notes = repair.repair(notebook, lab, wanted[LAB])
    assert graded(notebook) == (RIGHT, WHY)
    assert (note in " ".join(notes)) if note else notes == []
    nbformat.validate(notebook)
    names = [cell.metadata["nbgrader"]["grade_id"] for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert sorted(names) == sorted(cell["name"] for cell in lab)  # each once


def test_a_wrong_answer_stays_wrong_wherever_it_stands(right, wanted, lab):
    for kind in ("answer typed at the end", "answer typed above the scaffold", "answer cell moved to the end"):
        notebook = copy.deepcopy(right)
        damage(notebook)[kind](by_id(notebook), notebook)
        for cell in notebook.cells:
            cell.source = cell.source.replace('.replace("-", "")', "")
        repair.repair(notebook, lab, wanted[LAB])
        assert graded(notebook)[0] == RIGHT - 1, kind


def test_what_is_in_order_is_left_alone(right, wanted, lab):
    # Own cells, a second definition, a test tried out in a cell of one's own: nobody's business.
    right.cells.insert(4, nbformat.v4.new_code_cell("clean = None", id="own"))
    right.cells.append(nbformat.v4.new_code_cell(tiny_lab.TEST_Q1, id="tried"))
    right.cells.append(nbformat.v4.new_markdown_cell("My notes", id="repair-report"))
    before = ids(right)
    assert repair.repair(right, lab, wanted[LAB]) == []
    assert ids(right) == [*before[:-1], f"handed-in-report-{len(before) - 1}"]  # nobody speaks for the grader


def test_what_a_cell_makes():
    made = repair_cells.names_made("import re\na, b = 1, 2\nfor c in []:\n    d = 1\nclass E: ...\nx: int = 3\nf(y)")
    assert made == {"a", "b", "c", "E", "x"}


# ---------------------------------------------------------------------------------------------------------------------
# collecting


@pytest.mark.parametrize(
    ("folders", "stem", "student", "file"),
    [
        (["2023010203 李娜", "lab03"], "capstone_profiles", "2023010203", "capstone_profiles"),
        (["export", "li_na", "lab 3", "work"], "capstone_database (2)", "li_na", "capstone_database"),
        (["li_na"], "part A", "li_na", "part A"),
        ([], "2023010203_李娜_capstone_profiles", "2023010203", "capstone_profiles"),
        (["Na Li_2417_assignsubmission_file_", "labs"], "x", "2417", "x"),
    ],
)
def test_names_of_folders_and_of_several_notebooks(folders, stem, student, file):
    found = collect.read_name(folders, stem, "capstone", ["capstone_database", "capstone_profiles"])
    assert found == {"student_id": student, "file_id": f"{file}.ipynb"}


def nbgrader(course, *arguments):
    program = Path(sysconfig.get_path("scripts"), "nbgrader")
    return subprocess.run([program, *arguments], cwd=course, capture_output=True, encoding="utf-8", timeout=300)


@pytest.mark.grading
def test_from_a_platform_to_the_gradebook(tmp_path):
    course = tiny_lab.write_course(tmp_path, labs=False)
    release(course, [LAB])
    right = broken.filled(course, LAB, q3_why=WHY)
    text = text_of(right)
    archive = course / "downloaded" / LAB / "archive"
    archive.mkdir(parents=True)
    with zipfile.ZipFile(archive / "export.zip", "w") as export:
        export.writestr(f"2023010201 李娜/{LAB}.ipynb", text_of(broken.read(course, "labs", LAB)))
        export.writestr(f"2023010201 李娜/{LAB} (1).ipynb", text)
        export.writestr("2023010202 王伟/work.zip", zipped(**{f"lab0__{LAB}_dot_ipynb_dot_txt": text}))
        export.writestr(f"2023010202 王伟/__MACOSX/._{LAB}.ipynb", b"\0")
        export.writestr(f"2023010203_张敏_{LAB}.ipynb", text[:900])
        export.writestr("2023010204_赵强.zip", b"PK\x03\x04damaged")
    plugin = "--ZipCollectApp.extractor_plugin=cimlab.grading.collect.LmsExtractor"
    done = nbgrader(course, "zip_collect", LAB, plugin)
    assert done.returncode == 0, done.stderr
    assert "2023010204_赵强 cannot be unpacked" in done.stderr
    handed_in = sorted(path.relative_to(course / "submitted").as_posix() for path in course.glob("submitted/*/*/*"))
    assert handed_in == [
        f"2023010201/{LAB}/{LAB} (1).ipynb",
        f"2023010201/{LAB}/{LAB}.ipynb",
        f"2023010202/{LAB}/{LAB}.ipynb",
        f"2023010203/{LAB}/{LAB}.ipynb",
    ]
    old = course / "submitted" / "2023010205" / LAB / "mine.ipynb"  # without a kernelspec, and without ids
    old.parent.mkdir(parents=True)
    old.write_text(next(iter(files_of_a_hand_in("format 3", right).values())), encoding="utf-8")
    before = {path: path.read_bytes() for path in course.glob("submitted/*/*/*")}
    api = open_api(course)
    assert not api.autograde(LAB, "*")["success"]  # one could not be read
    points = {"2023010201": RIGHT, "2023010202": RIGHT, "2023010203": None, "2023010205": RIGHT}
    assert broken.scores(course, LAB) == points
    assert {path: path.read_bytes() for path in before} == before
    notebook = nbformat.read(course / "autograded" / "2023010201" / LAB / f"{LAB}.ipynb", as_version=4)
    told = [f"`{LAB} (1).ipynb` was taken for `{LAB}.ipynb`."]
    assert repair.repairs(notebook) == told
    assert notebook.cells[0].id == repair.REPORT
    assert told[0] in notebook.cells[0].source
    assert repair.repairs(nbformat.read(course / "labs" / LAB / f"{LAB}.ipynb", as_version=4)) == []
    path = course / "autograded" / "2023010205" / LAB / f"{LAB}.ipynb"
    told = repair.repairs(nbformat.read(path, as_version=4))
    assert told[:2] == ["The notebook was in the old format 3.", "`mine.ipynb` was taken for `lab00_tiny.ipynb`."]
