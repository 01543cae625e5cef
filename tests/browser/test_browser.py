"""The course as a person sees it: JupyterLab, nbgrader's buttons and the formgrader in Chromium."""

import re
import subprocess
import sys

import nbformat
import pytest

from tests import notebooks as nb

pytestmark = pytest.mark.browser

LAB = "lab03_database"
RELEASE = f"labs/{LAB}/{LAB}.ipynb"
SOLUTION = f"solutions/{LAB}/{LAB}.ipynb"


NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"


def open_notebook(page, path):
    """Open a notebook in JupyterLab and wait until its kernel can take work."""
    page.goto(f"{page.url.split('/lab')[0]}/lab/tree/{path}?reset")  # reset: no tabs of an earlier visit
    page.locator(f"{NOTEBOOK} h1").first.wait_for()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").first.wait_for(state="attached")


def choose(page, menu, item):
    """Choose one item of the menu bar."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{re.escape(item)}$")).click()


# What a notebook knows of its cells, also of those that are not drawn: [code cells that have not run, errors].
CELLS = """() => {
    const code = window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model).filter(
        model => model.type === "code" && model.sharedModel.getSource().trim());
    const failed = code.filter(model => model.toJSON().outputs.some(output => output.output_type === "error"));
    return [code.filter(model => model.executionCount === null).length, failed.length];
}"""


def run_all(page):
    """Run a notebook from top to bottom and wait for its end: for each cell, or for the one that fails."""
    in_all = waiting = page.evaluate(CELLS)[0]
    for turn in range(1000):
        if turn == 0 or (turn == 240 and waiting == in_all):  # a person, too, would try once more after a minute
            choose(page, "Run", "Run All Cells")
        page.wait_for_timeout(250)
        waiting, failed = page.evaluate(CELLS)
        if failed or not waiting:
            return wait_until_idle(page)
    raise AssertionError(f"{waiting} cells have not run after four minutes")


def wait_until_idle(page):
    """Wait until nothing runs any more: between two cells the kernel is idle for a moment, too."""
    quiet = 0
    for _ in range(1000):
        page.wait_for_timeout(250)
        idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").count() > 0
        quiet = quiet + 1 if idle else 0
        if quiet == 8:
            return
    raise AssertionError("the notebook has not come to an end after four minutes")


def validate(page):
    """Press nbgrader's button and return what its window says."""
    page.locator(".jp-ToolbarButtonComponent", has_text="Validate").click()
    dialog = page.locator(".jp-Dialog-content", has_text="Validation Results")
    dialog.wait_for()
    return dialog.inner_text()


def close_dialog(page):
    page.locator(".jp-Dialog button.jp-mod-accept").click()


def test_front_door_leads_to_the_chapter_and_the_lab(page, pictures):
    open_notebook(page, "index.ipynb")
    run_all(page)
    pictures(page, "page_index")
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    link = page.locator(".jp-MarkdownOutput a", has_text=re.compile("lab", re.I)).first
    link.click()
    page.locator(f"{NOTEBOOK} h1", has_text="Lab").first.wait_for()


def read_through(page, shoot, drawn, controls):
    """Scroll through a notebook as a reader does; return what was seen: faults, pictures, controls.

    JupyterLab draws only the cells in sight, so that a look from one place sees a part. On a busy machine it draws
    late: where fewer pictures or controls were seen than there are, the reader goes through it again, and slower.
    """
    seen = {"faults": set(), "pictures": set(), "controls": 0}
    for pause in (250, 1000, 4000):
        scroll_through(page, shoot, pause, seen)
        if len(seen["pictures"]) >= drawn and bool(seen["controls"]) >= controls:
            break
    return seen


def scroll_through(page, shoot, pause, seen):
    panel = page.locator(f"{NOTEBOOK} .jp-WindowedPanel-outer").first
    panel.evaluate("panel => panel.scrollTo(0, 0)")
    at_rest = 0
    for step in range(80):
        page.wait_for_timeout(pause)
        shoot(page, f"{step:02d}")
        for mime in ("error", "stderr"):
            found = page.locator(f"{NOTEBOOK} [data-mime-type='application/vnd.jupyter.{mime}']").all_inner_texts()
            seen["faults"] |= {f"{text[:300]} … {text[-600:]}" for text in found if text}
        drawn = page.locator(f"{NOTEBOOK} .jp-OutputArea-output img")
        sources = "all => all.filter(i => i.naturalWidth > 100).map(i => i.src.slice(-300))"
        seen["pictures"] |= set(drawn.evaluate_all(sources))
        seen["controls"] = max(
            seen["controls"], page.locator(f"{NOTEBOOK} .jupyter-widgets :is(.noUi-handle, select)").count()
        )
        before = panel.evaluate("panel => panel.scrollTop")
        panel.evaluate("panel => panel.scrollBy(0, 700)")
        moved = panel.evaluate("panel => panel.scrollTop") > before + 1
        at_rest = 0 if moved else at_rest + 1  # what is not drawn yet has no height: the end may be none
        if at_rest == 2:
            return
    raise AssertionError("the notebook has no end")


@pytest.mark.parametrize("path", [path for path in nb.CHAPTERS if "00" not in path.stem], ids=lambda path: path.stem)
def test_chapter_runs_from_top_to_bottom(page, pictures, path):
    """All cells run, nothing is red, each picture is there, and a chapter with a widget shows its controls."""
    open_notebook(page, f"chapters/{path.name}")
    run_all(page)
    code = [cell.source for cell in nb.cells(nb.read(path), "code")]
    drawn = sum("plots." in source.replace("plots.use_", "") for source in code)
    controls = any("_explorer(" in source for source in code)
    seen = read_through(page, lambda page, step: pictures(page, f"page_{path.stem}_{step}"), drawn, controls)
    assert not seen["faults"]
    assert len(seen["pictures"]) >= drawn
    assert (seen["controls"] > 0) == controls


def test_student_runs_the_lab_and_is_told_what_is_missing(page, pictures):
    """The release as it comes: Validate names the first thing to do and does not say that all is well."""
    open_notebook(page, RELEASE)
    pictures(page, "page_lab")
    said = validate(page)
    pictures(page, "page_validate_release")
    close_dialog(page)
    assert "failed" in said
    assert "Success" not in said


def test_right_answers_pass_the_validate_button(page, pictures):
    open_notebook(page, SOLUTION)
    run_all(page)
    said = validate(page)
    pictures(page, "page_validate_solution")
    close_dialog(page)
    assert "Success! Your notebook passes all the tests." in said


@pytest.fixture(scope="session")
def erring_student(course):
    """A notebook in which each question is answered with its first filed mistake; returns its path and the mistakes."""
    import yaml

    listed = yaml.safe_load((nb.ROOT / "solutions" / LAB / "mistakes.yaml").read_text(encoding="utf-8"))
    first = {}
    for mistake in listed:
        if any(not test.endswith("_hidden") for test in mistake["points"]):
            first.setdefault(mistake["cell"], mistake)
    notebook = nb.read(course / RELEASE)
    for cell in notebook.cells:
        if cell.id in first:
            cell.source = first[cell.id]["source"]
    path = course / "labs" / LAB / "erring.ipynb"
    nbformat.write(notebook, path)
    return path.relative_to(course).as_posix(), list(first.values())


def test_each_mistake_gets_its_sentence_in_the_notebook(page, erring_student, pictures):
    """Shift+Enter through the whole lab, as a student does; below each wrong answer stands the sentence that helps."""
    path, mistakes = erring_student
    open_notebook(page, path)
    page.locator(f"{NOTEBOOK} h1").first.click()
    page.keyboard.press("Escape")
    errors = page.locator(f"{NOTEBOOK} .jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']")
    shown = {}
    for _ in nb.read(nb.ROOT / SOLUTION).cells:
        page.keyboard.press("Shift+Enter")
        wait_until_idle(page)
        # JupyterLab keeps only the cells near the window in the page, so each sentence is read when it comes up.
        for text in filter(None, errors.all_inner_texts()):
            if text not in shown:
                errors.filter(has_text=text.splitlines()[0]).first.scroll_into_view_if_needed()
                pictures(page, f"page_mistake_{len(shown) + 1:02d}")
                if text.startswith("m and u are swapped"):
                    pictures(page, "lab")  # the picture of the README
            shown[text] = None
    said = " ".join(" ".join(shown).split())
    unsaid = [mistake["name"] for mistake in mistakes if " ".join(mistake["says"].split()) not in said]
    assert not unsaid
    assert len(shown) == len(mistakes), "a question says something although its answer is right"
    assert "Traceback (most recent call last)" not in said


@pytest.fixture(scope="session")
def graded_class(course):
    """Three hand-ins graded by stock nbgrader: one right, one as released, one with a mistake in question 1."""
    nbgrader = [sys.executable, "-m", "nbgrader"]
    subprocess.run([*nbgrader, "generate_assignment", LAB, "--force"], cwd=course, check=True, capture_output=True)
    for student, source in (("li_na", SOLUTION), ("wang_fang", RELEASE)):
        folder = course / "submitted" / student / LAB
        folder.mkdir(parents=True)
        nbformat.write(nb.read(nb.ROOT / source), folder / f"{LAB}.ipynb")
    done = subprocess.run([*nbgrader, "autograde", LAB], cwd=course, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return ["li_na", "wang_fang"]


def test_instructor_sees_the_graded_class(page, graded_class, pictures):
    base = page.url.split("/lab")[0]
    page.goto(f"{base}/formgrader/manage_submissions/{LAB}")
    row = page.locator("tr", has_text="li_na")
    row.wait_for()
    pictures(page, "page_formgrader_class")
    automatic = sum(
        nb.grade(c)["points"]
        for c in nb.read(nb.ROOT / SOLUTION).cells
        if nb.grade(c).get("grade") and c.cell_type == "code"
    )
    assert f"{automatic}" in row.inner_text()
    assert re.search(r"\b0\b", page.locator("tr", has_text="wang_fang").inner_text())


def test_instructor_opens_the_written_question(page, graded_class, pictures):
    base = page.url.split("/lab")[0]
    page.goto(f"{base}/formgrader/gradebook/{LAB}/{LAB}")
    page.locator("table td a").first.click()
    page.locator("input.score").last.scroll_into_view_if_needed()
    pictures(page, "page_formgrader_written")
    assert page.locator("input.score").count() >= 1
