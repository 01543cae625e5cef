"""The data are like a retailer's: each fact of `facts.yaml`, measured on the edition of the course, lies in its band.

The band and its source stand in that file; docs/retailer_facts.md shows the figures beside those of others. The same
facts are measured on a million persons if CIMLAB_SCALE=1 is set: there the bands are narrower, since chance is small.
It takes minutes, and gigabytes of disk and memory, so that it is not part of every run.
"""

import importlib.util
import os
from pathlib import Path

import pytest

import cimlab
from cimlab.__main__ import main
from cimlab.retailer import read_truth
from cimlab.retailer.facts import cohort_retention
from cimlab.retailer.facts_measure import (
    edition_tables,
    file_reader,
    listed_facts,
    measure,
    measure_all,
    parquet_reader,
)

ROOT = Path(__file__).parents[1]
FACTS = listed_facts()


@pytest.fixture(scope="module")
def edition():
    """The edition that comes with the course."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CIMLAB_DATA", raising=False)
        return edition_tables(file_reader(cimlab.load), file_reader(read_truth))


@pytest.fixture(scope="module")
def large_edition(tmp_path_factory):
    """A million persons."""
    folder = tmp_path_factory.mktemp("large")
    arguments = ["generate", str(folder / "data"), "--truth", str(folder / "truth"), "--size", "L"]
    assert main([*arguments, "--jobs", str(os.cpu_count() or 1), "--yes"]) == 0
    return edition_tables(parquet_reader(folder / "data"), parquet_reader(folder / "truth", "truth"))


def check(name, tables, band):
    value = measure(FACTS[name], tables)
    assert value is not None, f"{name}: the tables do not have what it is measured on"
    low, high = band
    fact = FACTS[name]
    assert low <= value <= high, f"{fact['fact']}: {value:.3f}, not in {low:g} to {high:g} ({fact['source']})"


@pytest.mark.parametrize("name", FACTS)
def test_the_edition_of_the_course_is_like_a_retailer(name, edition):
    check(name, edition, FACTS[name].get("small", FACTS[name]["band"]))


@pytest.mark.scale
@pytest.mark.skipif(os.environ.get("CIMLAB_SCALE") != "1", reason="takes minutes and gigabytes; set CIMLAB_SCALE=1")
@pytest.mark.parametrize("name", FACTS)
def test_a_million_persons_are_like_a_retailers_customers(name, large_edition):
    check(name, large_edition, FACTS[name]["band"])


def test_the_curve_of_retention_is_steep_then_flat(edition):
    """CDNOW: .131 in the first month, .091 in the third, .073 in the tenth."""
    curve = cohort_retention(edition["orders"], months=11)
    assert curve.iloc[:3].mean() > 1.15 * curve.iloc[-3:].mean()
    assert curve.iloc[5:8].mean() < 1.25 * curve.iloc[-3:].mean()


def test_each_band_holds_somebody_real():
    """A band is no wish: wherever real retailers were measured, one of them at least lies in it."""
    for name, fact in FACTS.items():
        real = [value for source, value in fact.get("measured", {}).items() if source != "tpcds"]
        assert not real or any(fact["band"][0] <= value <= fact["band"][1] for value in real), name


def test_the_benchmark_of_databases_is_no_retailer():
    """TPC-DS fails most of the facts that it can be measured on: the bands can tell."""
    measured = {name: fact["measured"]["tpcds"] for name, fact in FACTS.items() if "tpcds" in fact.get("measured", {})}
    failed = [name for name, value in measured.items() if not FACTS[name]["band"][0] <= value <= FACTS[name]["band"][1]]
    assert len(measured) >= 20
    assert len(failed) >= 0.6 * len(measured), failed


def test_the_page_of_facts_is_in_step(edition):
    """Its column of the large edition is measured now and then, and kept as it is."""
    specification = importlib.util.spec_from_file_location("make_facts_page", ROOT / "tools" / "make_facts_page.py")
    tool = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(tool)
    made = tool.make_page(measure_all(edition))
    assert made == tool.PAGE.read_text(encoding="utf-8"), "run `python tools/make_facts_page.py`"
