"""Every lab marks right and wrong answers as its author intends."""

from pathlib import Path

import pytest

from cimlab.grading.course import lab_names, read_notebooks
from cimlab.grading.mistakes import read_mistakes
from cimlab.grading.prove import as_table, prove
from cimlab.grading.release import check

ROOT = Path(__file__).resolve().parent.parent
LABS = [name for name in lab_names(ROOT) if name.startswith("lab")]  # of one notebook each
OTHERS = [name for name in lab_names(ROOT) if name not in LABS]  # the capstone, of two


@pytest.mark.grading
@pytest.mark.parametrize("lab", LABS)
def test_solution_full_release_none_mistakes_exact_and_labs_in_step(lab):
    result = prove(ROOT, lab, jobs=2)
    assert not result["breaches"], "\n" + as_table(result)


@pytest.mark.parametrize("name", OTHERS)
def test_a_long_assignment_is_released_and_its_mistakes_are_filed(name):
    assert check(ROOT, [name]) == []
    entries, gaps = read_mistakes(ROOT / "solutions" / name / "mistakes.yaml", read_notebooks(ROOT, name))
    assert entries and gaps == []


@pytest.mark.grading
def test_capstone_tells_the_careful_from_the_lazy():
    """The answers that the capstone is made to tell apart; all of them, `cimlab prove capstone`, take half an hour."""
    typical = [
        "nobody linked",
        "everything that looks alike is linked",
        "the checkpoint's linkage",
        "features of today",
    ]
    result = prove(ROOT, "capstone", jobs=2, only=typical)
    assert not result["breaches"], "\n" + as_table(result)
    assert len(result["rows"]) == 2 + len(typical)
