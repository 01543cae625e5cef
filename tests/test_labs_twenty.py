"""A class of twenty is graded to the end, in every lab.

A file of its own: much of it waits for the time-out of an endless loop, while another process proves the labs.
"""

import shutil
import sys

import pytest

from cimlab.grading.release import release
from tests import broken
from tests.test_grading_class import nbgrader
from tests.test_labs import LABS, ROOT


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
