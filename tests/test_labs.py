"""Every lab marks right and wrong answers as its author intends."""

from pathlib import Path

import pytest

from cimlab.grading.course import lab_names
from cimlab.grading.prove import as_table, prove

ROOT = Path(__file__).resolve().parent.parent
LABS = lab_names(ROOT)


@pytest.mark.grading
@pytest.mark.parametrize("lab", LABS)
def test_solution_full_release_none_mistakes_exact_and_labs_in_step(lab):
    result = prove(ROOT, lab, jobs=2)
    assert not result["breaches"], "\n" + as_table(result)
