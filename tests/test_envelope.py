"""The sealed envelope tells what was planted, and belongs to the data that is loaded."""

import pandas as pd
import pytest

import cimlab
from cimlab.retailer import read_truth
from cimlab.retailer.write import write_edition


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """An edition whose seed the instructor keeps, and its truth."""
    folder = tmp_path_factory.mktemp("kept")
    write_edition(folder / "data", folder / "truth", customers=60, seed=7)
    return folder


def test_it_holds_the_truth_of_the_checkout():
    for name in ("traits", "entity_map", "review_facts"):
        pd.testing.assert_frame_equal(cimlab.envelope(name), read_truth(name))


def test_each_call_gives_a_copy():
    opened = cimlab.envelope("traits")
    opened["segment"] = "changed"
    cimlab.envelope("planted")["pairs"].clear()
    assert "changed" not in set(cimlab.envelope("traits")["segment"])
    assert cimlab.envelope("planted")["pairs"]


def test_it_stays_sealed_where_the_seed_is_kept(kept, monkeypatch):
    monkeypatch.setenv("CIMLAB_DATA", str(kept / "data"))
    with pytest.raises(ValueError, match="your instructor keeps its seed"):
        cimlab.envelope("traits")


def test_it_opens_with_the_truth_that_the_instructor_hands_out(kept, monkeypatch):
    monkeypatch.setenv("CIMLAB_DATA", str(kept / "data"))
    monkeypatch.setenv("CIMLAB_TRUTH", str(kept / "truth"))
    assert cimlab.envelope("planted")["seed"] == 7
    assert len(cimlab.envelope("traits")) == 60


def test_the_truth_of_another_edition_is_refused(kept, monkeypatch):
    monkeypatch.setenv("CIMLAB_TRUTH", str(kept / "truth"))
    with pytest.raises(ValueError, match="truth of another edition"):
        cimlab.envelope("traits")


def test_a_folder_without_truth_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMLAB_TRUTH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="is no truth"):
        cimlab.envelope("traits")


def test_an_unknown_name_is_told_what_there_is():
    with pytest.raises(ValueError, match=r"planted, .*traits"):
        cimlab.envelope("segments")
