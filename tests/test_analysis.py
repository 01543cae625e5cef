"""Chapter 5, compare and correlate: one indicator, several, and what goes together."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimlab import analysis, load
from cimlab.analysis import (
    compare_over_time,
    compare_with_peers,
    compare_with_plan,
    composite_index,
    correlate,
    correlate_all,
    radar_points,
    scale_indicators,
)

SHOPS = pd.DataFrame(
    {"sales": [10.0, 20.0, 40.0, 40.0], "complaints": [9, 1, 5, 5]}, index=["ST01", "ST02", "ST03", "ST04"]
)


def test_every_name_can_be_imported_and_nothing_heavy_comes_with_the_package():
    for name in analysis.__all__:
        assert getattr(analysis, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'rmf'; it has: CREDIT_POINTS, "):
        analysis.rmf  # noqa: B018
    code = "import sys; from cimlab.analysis import *; print({'scipy', 'statsmodels', 'matplotlib'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()", "scipy and statsmodels are imported where they are used"


# ---- one indicator ---------------------------------------------------------------------------------------------------


def test_plan_and_attainment():
    compared = compare_with_plan(pd.DataFrame({"sold": [90.0, 50.0], "goal": [100.0, 0.0]}), "sold", "goal")
    assert compared["difference"].tolist() == [-10, 50]
    assert compared["attainment"].tolist() == pytest.approx([0.9, np.nan], nan_ok=True)
    with pytest.raises(ValueError, match="has no column plan; it has: sold, goal"):
        compare_with_plan(compared[["sold", "goal"]], "sold")


def test_last_period_and_last_year():
    months = pd.period_range("2025-01", periods=14, freq="M")
    table = compare_over_time(pd.Series(np.arange(100.0, 114.0), index=months))
    assert table.loc["2026-02", ["value", "last_period", "year_before"]].tolist() == [113, 112, 101]
    assert table.loc["2026-02", "year_on_year"] == pytest.approx(113 / 101 - 1)
    assert table["year_before"].isna().sum() == 12 and table["change"].isna().sum() == 1
    assert np.isnan(compare_over_time(pd.Series([0.0, 5.0]), season=4).loc[1, "change"]), "not infinity"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pd.Series([1.0, 2.0], index=pd.PeriodIndex(["2026-01", "2026-03"], freq="M")), "after 2026-01 comes 2026-03"),
        (pd.Series([1.0, 2.0], index=[2, 1]), "after 2 comes 1"),
        (pd.Series([1.0, 2.0], index=["2026-01", "2026-02"]), "the index must count the periods"),
        (pd.Series([1.0, 2.0], index=pd.to_datetime(["2026-01-01", "2026-02-01"])), "the index must count the periods"),
        (pd.DataFrame({"a": [1.0]}), "must be a Series with one value per period, not a DataFrame"),
    ],
)
def test_periods_out_of_order_are_refused(values, said):
    with pytest.raises(ValueError, match=said):
        compare_over_time(values)


def test_peers_are_the_others_of_the_group():
    table = pd.DataFrame({"city": ["x", "x", "x", "y"], "sales": [60.0, 20.0, 40.0, 5.0]})
    compared = compare_with_peers(table, "sales", group="city")
    assert compared["peers"].tolist() == pytest.approx([30, 50, 40, np.nan], nan_ok=True)
    assert compared["rank"].tolist() == [1, 3, 2, 1]
    assert compare_with_peers(table, "sales")["peers"].tolist() == pytest.approx([65 / 3, 35, 85 / 3, 40])


# ---- several indicators ----------------------------------------------------------------------------------------------


def test_three_scales():
    z = scale_indicators(SHOPS, "z", lower_is_better=["complaints"])
    assert z["sales"].mean() == pytest.approx(0) and z["sales"].std(ddof=0) == pytest.approx(1)
    assert z["complaints"].idxmax() == "ST02"
    assert scale_indicators(SHOPS)["sales"].tolist() == pytest.approx([0, 1 / 3, 1, 1])
    assert scale_indicators(SHOPS, "rank")["sales"].tolist() == pytest.approx([0, 0.4, 1, 1])
    same = scale_indicators(pd.DataFrame({"a": [3, 3, None]}))["a"]
    assert same.tolist() == pytest.approx([0.5, 0.5, np.nan], nan_ok=True)
    assert SHOPS["complaints"].tolist() == [9, 1, 5, 5], "the table that came in is as it was"


def test_scales_say_what_is_wrong():
    with pytest.raises(ValueError, match=r"city is not a number: put names in the index, table.set_index\('city'\)"):
        scale_indicators(SHOPS.assign(city="x"))
    with pytest.raises(ValueError, match="names praise; the indicators are: sales, complaints"):
        scale_indicators(SHOPS, lower_is_better=["praise"])
    with pytest.raises(ValueError, match="'zscore' is unknown; choose 'z', 'min-max' or 'rank'"):
        scale_indicators(SHOPS, "zscore")


def test_index_is_the_weighted_mean_and_its_parts_add_up():
    index = composite_index(SHOPS, {"sales": 3, "complaints": 1}, lower_is_better=["complaints"])
    assert index.index.tolist() == ["ST03", "ST04", "ST02", "ST01"]
    assert index["index"].tolist() == pytest.approx([0.875, 0.875, 0.5, 0])
    assert index["rank"].tolist() == [1, 1, 3, 4]
    assert index[["sales", "complaints"]].sum(axis="columns").tolist() == pytest.approx(index["index"].tolist())
    gap = composite_index(SHOPS.assign(sales=[10, None, 40, 40]), {"sales": 3, "complaints": 1})
    assert np.isnan(gap.loc["ST02", "index"]), "half an index is none"
    with pytest.raises(ValueError, match="alone stand: complaint, complaints"):
        composite_index(SHOPS, {"sales": 1, "complaint": 1})
    with pytest.raises(ValueError, match="a weight is 0 or more"):
        composite_index(SHOPS, {"sales": 1, "complaints": -1})


def test_radar_is_closed():
    points = radar_points(SHOPS.assign(praise=1.0).astype("float64"))
    assert len(points) == 4 * 4
    first = points[points["name"] == "ST01"]
    assert first["indicator"].tolist() == ["sales", "complaints", "praise", "sales"]
    assert first["value"].iloc[0] == first["value"].iloc[-1]
    assert first["angle"].tolist() == pytest.approx([0, 2 * np.pi / 3, 4 * np.pi / 3, 2 * np.pi])
    with pytest.raises(ValueError, match="needs three indicators or more, not 2: draw bars instead"):
        radar_points(SHOPS)


# ---- correlation -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def visits():
    """Big shops have more of both: visits and thefts have nothing else to do with each other."""
    random = np.random.default_rng(4)
    size = random.normal(100, 20, 200)
    return pd.DataFrame(
        {"size": size, "visits": size + random.normal(0, 8, 200), "thefts": size + random.normal(0, 8, 200)}
    )


def test_pearson_and_spearman_are_those_of_scipy(visits):
    from scipy import stats

    found = correlate(visits, "visits", "thefts").iloc[0]
    known = stats.pearsonr(visits["visits"], visits["thefts"])
    interval = known.confidence_interval(0.95)
    assert found[["r", "low", "high"]].tolist() == pytest.approx([known.statistic, interval.low, interval.high])
    assert found["n"] == 200
    ranks = correlate(visits, "visits", "thefts", method="spearman").iloc[0]
    assert ranks["r"] == pytest.approx(stats.spearmanr(visits["visits"], visits["thefts"]).statistic)
    assert ranks["low"] < ranks["r"] < ranks["high"]
    assert ranks["high"] - ranks["low"] > found["high"] - found["low"], "ranks know less"
    wide = correlate(visits, "visits", "thefts", confidence=0.99).iloc[0]
    assert wide["low"] < found["low"] and wide["high"] > found["high"]


def test_partial_takes_the_third_out(visits):
    plain = correlate(visits, "visits", "thefts").iloc[0]
    partial = correlate(visits, "visits", "thefts", controls=["size"]).iloc[0]
    assert plain["r"] > 0.7 and abs(partial["r"]) < 0.15 and partial["low"] < 0 < partial["high"]
    # The formula of the textbooks for one control.
    r = visits.corr()
    a, b, c = r.loc["visits", "thefts"], r.loc["visits", "size"], r.loc["thefts", "size"]
    assert partial["r"] == pytest.approx((a - b * c) / np.sqrt((1 - b**2) * (1 - c**2)))
    assert partial["high"] == pytest.approx(np.tanh(np.arctanh(partial["r"]) + 1.959964 / np.sqrt(200 - 1 - 3)))


def test_an_interval_covers_as_often_as_it_says():
    random = np.random.default_rng(1)
    covered = []
    for _ in range(400):
        x = random.normal(size=40)
        y = 0.6 * x + 0.8 * random.normal(size=40)
        found = correlate(pd.DataFrame({"x": x, "y": y}), "x", "y").iloc[0]
        covered.append(found["low"] < 0.6 < found["high"])
    assert 0.92 < np.mean(covered) < 0.98


def test_correlation_at_the_edges():
    line = pd.DataFrame({"x": [1.0, 2, 3, 4, None], "y": [2.0, 4, 6, 8, 10], "same": 1.0, "word": list("abcde")})
    exact = correlate(line, "x", "y").iloc[0]
    assert exact[["n", "r", "low", "high"]].tolist() == [4, 1, 1, 1]
    assert correlate(line, "x", "same")["r"].isna().all()
    assert correlate(line, "x", "y", controls=["y"])["r"].isna().all(), "nothing is left of y"
    few = correlate(line.head(3), "x", "y", method="spearman").iloc[0]
    assert few["r"] == 1 and np.isnan(few["low"])
    with pytest.raises(ValueError, match="the column word holds no numbers"):
        correlate(line, "x", "word")
    with pytest.raises(ValueError, match="'kendall' is unknown"):
        correlate(line, "x", "y", method="kendall")


def test_all_pairs_the_closest_first(visits):
    pairs = correlate_all(visits.assign(word="x"))
    assert len(pairs) == 3 and pairs["r"].abs().is_monotonic_decreasing
    assert set(pairs.loc[2, ["x", "y"]]) == {"visits", "thefts"}
    left = correlate_all(visits, controls=["size"])
    assert left[["x", "y"]].to_numpy().tolist() == [["visits", "thefts"]]
    with pytest.raises(ValueError, match="a pair needs two columns of numbers; there is: size"):
        correlate_all(visits[["size"]])


NUMBERS = st.lists(st.integers(-50, 50), min_size=5, max_size=20)


@settings(deadline=None)
@given(x=NUMBERS, seed=st.integers(0, 9))
def test_any_numbers_give_a_correlation_or_none(x, seed):
    y = np.random.default_rng(seed).integers(-50, 50, len(x))
    table = pd.DataFrame({"x": x, "y": y, "z": np.arange(len(x))})
    for method in ("pearson", "spearman"):
        for controls in ([], ["z"]):
            found = correlate(table, "x", "y", method, controls).iloc[0]
            swapped = correlate(table, "y", "x", method, controls).iloc[0]
            assert np.isnan(found["r"]) or -1 <= found["low"] <= found["r"] <= found["high"] <= 1
            assert swapped["r"] == pytest.approx(found["r"], nan_ok=True, abs=1e-9)


# ---- Xudong ----------------------------------------------------------------------------------------------------------


def test_the_retailers_months_and_shops():
    orders = load("orders")
    months = orders.groupby(orders["ordered_at"].dt.to_period("M"))["amount"].sum()
    compared = compare_over_time(months)
    assert len(compared) == 24 and compared["year_on_year"].notna().sum() == 12
    till = orders[orders["channel"] == "till"].groupby("store_id")
    shops = pd.DataFrame({"revenue": till["amount"].sum(), "orders": till.size(), "basket": till["amount"].mean()})
    index = composite_index(shops, {"revenue": 2, "orders": 1, "basket": 1})
    assert len(index) == 12 and index["index"].between(0, 1).all()
    assert correlate(shops, "revenue", "orders")["low"].iloc[0] > 0.5
