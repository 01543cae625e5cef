"""A class is graded to the end, in every lab, whatever its students hand in.

Three labs get the whole class of twenty: the first, the one with the slowest setup, the newest. In the others those
hand in whose marks depend on the cells of the lab: what was lost is found again by comparing the cells. The rest (a
damaged file, an endless loop, a dead kernel) is the same in every lab, and costs minutes each time. Their kernels are
forked from a warm process where that can be done; those of the three labs begin anew, as at an instructor's who has
plain nbgrader.

Two classes of tests, so that two processes share them; much of a class waits for the time-out of an endless loop.
"""

import shutil
import sys

import pytest

from cimlab.grading.course import read_notebooks
from cimlab.grading.quick_start import warm_kernels
from cimlab.grading.release import release
from tests import broken
from tests.test_grading_class import nbgrader
from tests.test_labs import LABS, ROOT

WHOLE = [LABS[0], "lab03_database", LABS[-1]]
OTHERS = [lab for lab in LABS if lab not in WHOLE]
BY_CELLS = ["right-own-cells", "wrong-1", "empty", "syntax-error", "test-deleted", "test-edited", "cells-copied"]
BY_CELLS += ["metadata-lost", "answer-markdown"]


def grade_class(lab, students, folder):
    """Hand in, grade, and compare the marks of everybody with the expected ones; return what nbgrader wrote."""
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    shutil.copytree(ROOT / "solutions" / lab, folder / "solutions" / lab)
    release(folder, [lab])
    hand_ins = broken.hand_ins(folder, lab)
    made = {student: hand_ins[student] for student in students}
    for student, hand_in in made.items():
        hand_in.write(folder, student, lab)
    done = nbgrader(folder, "autograde", lab)
    found = broken.scores(folder, lab)
    sys.stdout.write("\n" + broken.as_table(made, found) + "\n")
    assert found == {student: hand_in.points for student, hand_in in made.items()}, broken.as_table(made, found)
    return done


@pytest.mark.grading
class TestWholeClass:
    @pytest.mark.parametrize("lab", WHOLE)
    def test_twenty_hand_ins_get_the_expected_scores(self, lab, tmp_path):
        done = grade_class(lab, broken.TWENTY, tmp_path)
        assert done.stderr.count("There was an error processing assignment '") == 1  # the damaged file, by its name
        assert "for student 'damaged'" in done.stderr


@pytest.mark.grading
class TestWhatDependsOnTheLab:
    @pytest.mark.parametrize("lab", OTHERS)
    def test_hand_ins_get_the_expected_scores(self, lab, tmp_path, monkeypatch):
        with warm_kernels(read_notebooks(ROOT, lab)) as variables:
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            done = grade_class(lab, BY_CELLS, tmp_path)
        assert "There was an error processing assignment" not in done.stderr


def test_every_lab_and_every_kind_of_hand_in_is_graded():
    assert sorted([*WHOLE, *OTHERS]) == sorted(LABS) and len(set(WHOLE)) == 3
    assert set(BY_CELLS) <= set(broken.TWENTY)
