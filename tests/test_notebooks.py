"""The rules by which a chapter and a lab are written, held by machine so that reviews can be about teaching."""

import ast
import itertools
import re

import nbformat
import pytest

from tests import notebooks as nb

EVERY = [*nb.CHAPTERS, *nb.SOLUTIONS, nb.ROOT / "index.ipynb"]
# "Start here" takes ten minutes and teaches no topic: a form of its own.
START = [path for path in nb.CHAPTERS if path.stem.startswith("00")]
TAUGHT = [path for path in nb.CHAPTERS if path not in START]
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def name_of(path):
    return path.stem


def test_there_is_something_to_hold_to_the_rules():
    assert nb.CHAPTERS and nb.SOLUTIONS


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_file_is_clean(path):
    """Outputs, counters and random ids would make each save a change."""
    notebook = nb.read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids)), "two cells have one id"
    unnamed = [i for i in ids if not re.fullmatch(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)+|[a-z]+", i) or is_random(i)]
    assert not unnamed, f"cell ids must be names that a person chose: {unnamed}"
    for cell in nb.cells(notebook, "code"):
        assert cell.outputs == [] and cell.execution_count is None, f"{cell.id} carries an output"


def is_random(cell_id):
    return bool(re.fullmatch(r"[0-9a-f]{8}(-.*)?", cell_id))


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_headings_are_a_ladder(path):
    """A screen reader's user walks by headings: one H1, at the top, and no rung left out."""
    found = nb.headings(nb.read(path))
    levels = [level for level, _ in found]
    assert levels[0] == 1 and levels.count(1) == 1
    jumps = [title for (before, _), (level, title) in itertools.pairwise(found) if level > before + 1]
    assert not jumps


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_nothing_comes_from_outside(path):
    """Offline on any folder: data through `cimlab.load`, nothing from the network, no path that grading would break."""
    for cell in nb.cells(nb.read(path), "code"):
        for word in ("http", "ftp:", "read_csv(", "open(", "../", "%pip", "!pip", "urlopen", "datasets/"):
            assert word not in cell.source, f"{cell.id}: {word}"


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_warnings_and_magics_are_not_used_to_hide(path):
    for cell in nb.cells(nb.read(path), "code"):
        assert "filterwarnings" not in cell.source, cell.id
        try:
            ast.parse(cell.source)  # a magic is no Python
        except SyntaxError as error:
            pytest.fail(f"{cell.id} has a magic, or is no Python: {error}")


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_links_and_pictures(path):
    for cell in nb.cells(nb.read(path), "markdown"):
        for alternative, target in re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", cell.source):
            assert len(alternative) > 10, f"{cell.id}: the picture {target} has no text for those who cannot see it"
        for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#]+?)(?:#[^)]*)?\)", cell.source):
            if "://" not in target:
                # A lab is read in labs/<lab>/, as deep in the tree as its source in solutions/<lab>/.
                assert (path.parent / target).exists(), f"{cell.id} links to {target}, which is not there"


@pytest.mark.parametrize("path", TAUGHT, ids=name_of)
def test_chapter_keeps_its_size(path):
    notebook = nb.read(path)
    code = nb.cells(notebook, "code")
    lines = [len(nb.code_lines(cell)) for cell in code]
    word_count = sum(nb.words(cell.source) for cell in nb.cells(notebook, "markdown"))
    assert 30 <= len(notebook.cells) <= 45, f"{len(notebook.cells)} cells"
    assert 1200 <= word_count <= 1800, f"{word_count} words"
    assert 80 <= sum(lines) <= 130, f"{sum(lines)} lines of code"
    assert max(lines) <= 15
    long = {cell.id: nb.words(cell.source) for cell in nb.cells(notebook, "markdown") if nb.words(cell.source) > 120}
    assert not long, f"text cells over 120 words: {long}"
    assert nb.words(notebook.cells[0].source) <= 90, "the opening question takes at most 80 words and a title"


@pytest.mark.parametrize("path", TAUGHT, ids=name_of)
def test_chapter_has_its_parts(path):
    notebook = nb.read(path)
    number = int(path.stem[:2])
    title = notebook.cells[0].source.splitlines()[0]
    assert re.match(rf"# {number} · .+\(.*[\u4e00-\u9fff].*\)", title), "the title is `# N · Title (中文)`"
    assert "?" in notebook.cells[0].source, "a chapter opens with a question that a manager would ask"
    found = [text for _, text in nb.headings(notebook)]
    for part in ("You will be able to", "Setup", "Look at the data", "Where it goes wrong", "Recap", "Next"):
        assert part in found, f"no heading '{part}'"
    goals = next(cell.source for cell in notebook.cells if "## You will be able to" in cell.source)
    assert 3 <= len(re.findall(r"^- ", goals, flags=re.M)) <= 5
    assert re.search(r"\d+ minutes", goals)
    text = "\n".join(cell.source for cell in nb.cells(notebook, "markdown"))
    sections = text.count("**Try it**")
    assert 3 <= sections <= 5, f"{sections} times 'Try it'; one in each concept section"
    assert text.count("*What you see*") >= 4
    assert "> **Privacy**" in text
    assert len(set(CHINESE.findall(text))) >= 20, "key terms stand with their Chinese"
    setup = notebook.cells[[cell.source.startswith("## Setup") for cell in notebook.cells].index(True) + 1]
    assert setup.cell_type == "code" and len(nb.code_lines(setup)) <= 6


@pytest.mark.parametrize("path", START, ids=name_of)
def test_start_takes_ten_minutes(path):
    notebook = nb.read(path)
    word_count = sum(nb.words(cell.source) for cell in nb.cells(notebook, "markdown"))
    lines = [len(nb.code_lines(cell)) for cell in nb.cells(notebook, "code")]
    assert len(notebook.cells) <= 25 and word_count <= 900, f"{len(notebook.cells)} cells, {word_count} words"
    assert sum(lines) <= 50 and max(lines) <= 15, f"{sum(lines)} lines of code"
    found = [text for _, text in nb.headings(notebook)]
    assert "You will be able to" in found and "Next" in found


@pytest.mark.parametrize("path", nb.CHAPTERS, ids=name_of)
def test_every_picture_is_put_in_words(path):
    """The sentence after a figure is what a reader who cannot see it gets."""
    listed = nb.read(path).cells
    for cell, after in zip(listed, [*listed[1:], None], strict=True):
        if cell.cell_type == "code" and re.search(
            r"\bplots\.(?!use_)\w+\(|widgets\.\w+_explorer\(|\.plot[.(]|sns\.", cell.source
        ):
            assert after is not None and "*What you see*" in after.source, f"no words after the picture of {cell.id}"


@pytest.mark.parametrize("path", nb.CHAPTERS, ids=name_of)
def test_prose_says_why_so_that_comments_need_not(path):
    code = nb.cells(nb.read(path), "code")
    comments = sum(line.strip().startswith("#") for cell in code for line in cell.source.splitlines())
    assert comments <= 0.05 * sum(len(nb.code_lines(cell)) for cell in code)


@pytest.mark.notebooks
@pytest.mark.parametrize("path", [*nb.CHAPTERS, *nb.SOLUTIONS], ids=name_of)
def test_every_cell_runs_and_nothing_is_written_in_red(path, tmp_path):
    """From any folder; an error ends it, and no warning and no progress bar on stderr frightens a reader."""
    from nbclient import NotebookClient

    done = NotebookClient(nb.read(path), timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    red = [o.text for cell in nb.cells(done, "code") for o in cell.outputs if o.get("name") == "stderr"]
    assert not red


@pytest.mark.notebooks
@pytest.mark.parametrize("path", nb.LABS, ids=name_of)
def test_an_untouched_lab_fails_by_its_checks_only(path, tmp_path):
    """Who runs all cells before answering reads the sentences of the checks, not that None has no attribute."""
    from nbclient import NotebookClient

    resources = {"metadata": {"path": str(tmp_path)}}
    done = NotebookClient(nb.read(path), timeout=120, allow_errors=True, resources=resources).execute()
    failed = {cell.id: output.ename for cell in nb.cells(done, "code") for output in cell.outputs if "ename" in output}
    assert failed
    assert {cell: name for cell, name in failed.items() if not cell.startswith("test_") or name != "CheckFailed"} == {}


def lab_words(notebook):
    """Return how many words a student reads; written answers and their mark schemes are not counted."""
    return sum(nb.words(cell.source) for cell in nb.cells(notebook, "markdown") if not nb.grade(cell).get("grade"))


@pytest.mark.parametrize("path", nb.LAB_SOLUTIONS, ids=name_of)
def test_lab_keeps_its_size(path):
    notebook = nb.read(path)
    word_count = lab_words(notebook)
    assert path.stem == path.parent.name and path.stem.startswith("lab"), "a lab has the name of its folder"
    assert 20 <= len(notebook.cells) <= 35, f"{len(notebook.cells)} cells"
    assert 500 <= word_count <= 900, f"{word_count} words"
    assert 5 <= len(questions(notebook)) <= 8


@pytest.mark.parametrize("path", nb.CAPSTONE, ids=name_of)
def test_capstone_keeps_its_size(path):
    """About three hours a notebook; its tests on view have two lines, as their work stands in the package."""
    notebook = nb.read(path)
    assert path.stem.startswith("capstone_")
    assert len(notebook.cells) <= 45, f"{len(notebook.cells)} cells"
    assert lab_words(notebook) <= 2200, f"{lab_words(notebook)} words"
    assert questions(notebook)
    long = {
        cell.id: len(nb.code_lines(cell))
        for cell in nb.cells(notebook, "code")
        if cell.id.startswith("test_") and "HIDDEN TESTS" not in cell.source and len(nb.code_lines(cell)) > 2
    }
    assert not long, f"tests on view over two lines: {long}"


def test_capstone_is_one_assignment():
    graded = [
        nb.grade(cell)["grade_id"]
        for path in nb.CAPSTONE
        for cell in nb.read(path).cells
        if nb.grade(cell).get("grade") or nb.grade(cell).get("solution")
    ]
    assert len(graded) == len(set(graded)), "two graded cells of the capstone have one id"
    if len(nb.CAPSTONE) == 2:
        points = [nb.grade(cell).get("points", 0) for path in nb.CAPSTONE for cell in nb.read(path).cells]
        assert sum(points) == 120


def questions(notebook):
    """Return {label: (points told to the student, text of the question cell)}: `1` in a lab, `A1` in the capstone."""
    found = {}
    for cell in nb.cells(notebook, "markdown"):
        for label, points in re.findall(r"^## Question ([A-Z]?\d+) .*\((\d+) points?\)", cell.source, flags=re.M):
            found[label] = (int(points), cell.source)
    return found


def label_of(cell):
    """Return the question to which a graded cell belongs: `1` for test_q1_clean, `A1` for test_a1_pairs."""
    return re.match(r"(?:test_)?([a-z]\d+)_", cell.id).group(1).upper().removeprefix("Q")


@pytest.mark.parametrize("path", nb.SOLUTIONS, ids=name_of)
def test_lab_points_are_what_the_text_says(path):
    notebook = nb.read(path)
    told = {label: points for label, (points, _) in questions(notebook).items()}
    counted = dict.fromkeys(told, 0)
    for cell in notebook.cells:
        if nb.grade(cell).get("grade"):
            counted[label_of(cell)] += nb.grade(cell)["points"]
    assert counted == told
    total = sum(told.values())
    text = "\n".join(cell.source for cell in nb.cells(notebook, "markdown"))
    assert f"**{total} points**" in text, f"the lab's opening must say that it carries **{total} points**"


@pytest.mark.parametrize("path", nb.SOLUTIONS, ids=name_of)
def test_lab_cells_are_named_by_their_grade_id(path):
    notebook = nb.read(path)
    graded = [cell for cell in notebook.cells if nb.grade(cell).get("grade") or nb.grade(cell).get("solution")]
    assert graded
    for cell in graded:
        settings = nb.grade(cell)
        assert cell.id == settings["grade_id"]
        assert settings["schema_version"] == 3
        assert re.fullmatch(rf"(test_)?{'[ab]' if path in nb.CAPSTONE else 'q'}\d+_[a-z0-9_]+", cell.id)
        if settings["grade"] and not settings["solution"]:
            assert settings["locked"], f"{cell.id} can be edited by the student"


@pytest.mark.parametrize("path", nb.SOLUTIONS, ids=name_of)
def test_every_question_has_a_visible_check_and_says_what_is_hidden(path):
    notebook = nb.read(path)
    for label, (_, text) in questions(notebook).items():
        tests = [c for c in nb.cells(notebook, "code") if nb.grade(c).get("grade") and label_of(c) == label]
        if not tests:
            continue
        if path in nb.CAPSTONE:  # its checks on view carry no points: they look at the form, before the long grading
            assert any(c.id.startswith(f"test_{label.lower()}_") for c in nb.cells(notebook, "code") if c not in tests)
            continue
        hidden = [c for c in tests if "BEGIN HIDDEN TESTS" in c.source]
        visible = sum(nb.grade(c)["points"] for c in tests if c not in hidden)
        total = sum(nb.grade(c)["points"] for c in tests)
        assert visible > 0, f"question {label} gives no feedback before submission"
        if hidden:
            assert f"{visible} of {total}" in text, (
                f"question {label} must say: visible check gives {visible} of {total} points"
            )


@pytest.mark.parametrize("path", nb.SOLUTIONS, ids=name_of)
def test_no_check_without_a_sentence(path):
    """A bare assert tells a beginner nothing; a check goes through `cimlab.checks`, which always speaks."""
    for cell in nb.cells(nb.read(path), "code"):
        if nb.grade(cell).get("grade") and not nb.grade(cell).get("solution"):
            tree = ast.parse(cell.source)
            assert re.search(r"checks\.|lab\.check_|capstone\.", cell.source), f"{cell.id} checks nothing"
            if "HIDDEN TESTS" not in cell.source:
                assert len(nb.code_lines(cell)) <= 5, (
                    f"{cell.id}: Validate shows all of it above the sentence that helps"
                )
            for node in ast.walk(tree):
                assert not isinstance(node, ast.Assert), f"{cell.id}: use cimlab.checks instead of assert"


@pytest.mark.parametrize("path", nb.SOLUTIONS, ids=name_of)
def test_lab_has_a_written_question_with_a_mark_scheme(path):
    written = [c for c in nb.read(path).cells if nb.grade(c).get("grade") and nb.grade(c).get("solution")]
    assert written or path in nb.CAPSTONE  # there the paper stands in one of the two notebooks
    for cell in written:
        assert "=== BEGIN MARK SCHEME ===" in cell.source and "=== END MARK SCHEME ===" in cell.source


@pytest.mark.parametrize("path", nb.LABS, ids=name_of)
def test_release_holds_no_answer(path):
    text = path.read_text(encoding="utf-8")
    for word in ("BEGIN SOLUTION", "HIDDEN TESTS", "MARK SCHEME"):
        assert word not in text
    assert [p.name for p in path.parent.iterdir() if p.suffix in {".py", ".yaml", ".yml", ".md"}] == []
