"""Every lab marks right and wrong answers as its author intends, and a class of twenty is graded to the end."""

import shutil
import sys
from pathlib import Path

import pytest

from cimlab.grading.course import lab_names
from cimlab.grading.prove import as_table, prove
from cimlab.grading.release import release
from tests import broken
from tests.test_grading_class import nbgrader

ROOT = Path(__file__).resolve().parent.parent
LABS = lab_names(ROOT)


@pytest.mark.grading
@pytest.mark.parametrize("lab", LABS)
def test_solution_full_release_none_mistakes_exact_and_labs_in_step(lab):
    result = prove(ROOT, lab, jobs=2)
    assert not result["breaches"], "\n" + as_table(result)


@pytest.mark.grading
@pytest.mark.parametrize("lab", LABS)
def test_twenty_hand_ins_get_the_expected_scores(lab, tmp_path):
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    shutil.copytree(ROOT / "solutions" / lab, tmp_path / "solutions" / lab)
    release(tmp_path, [lab])
    made = {student: broken.hand_ins(tmp_path, lab)[student] for student in broken.TWENTY}
    for student, hand_in in made.items():
        hand_in.write(tmp_path, student, lab)
    done = nbgrader(tmp_path, "autograde", lab)
    found = broken.scores(tmp_path, lab)
    sys.stdout.write("\n" + broken.as_table(made, found) + "\n")
    assert found == {student: hand_in.points for student, hand_in in made.items()}, broken.as_table(made, found)
    assert done.stderr.count("There was an error processing assignment '") == 1  # the damaged file, by its name
    assert "for student 'damaged'" in done.stderr
