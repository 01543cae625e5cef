"""Chapter 5, predict: by experience, analogy, inertia and relation."""

import numpy as np
import pandas as pd
import pytest

from cimlab import load
from cimlab.analysis import (
    backtest,
    delphi_rounds,
    exponential_smoothing,
    forecast_by_analogy,
    holt_winters,
    linear_trend,
    moving_average,
    pool_estimates,
    predict_by_regression,
    regression_fit,
    regression_table,
    residual_checks,
    score_forecasts,
    seasonal_naive,
    seasonal_trend,
    three_point,
)

# ---- experience and analogy ------------------------------------------------------------------------------------------


def test_three_points_and_a_pool():
    asked = pd.DataFrame({"expert": ["a", "b"], "low": [60, 90], "likely": [100, 120], "high": [140, 150]})
    judged = three_point(asked)
    assert judged["expected"].tolist() == [100, 120]
    assert judged["sd"].tolist() == pytest.approx([80 / 6, 10])
    pool = pool_estimates(judged).iloc[0]
    assert pool["expected"] == 110 and pool["sd_between"] == 10
    assert pool["sd"] == pytest.approx(np.sqrt((80 / 6) ** 2 / 2 + 100 / 2 + 100))
    assert pool["high"] - pool["low"] == pytest.approx(4 * pool["sd"])
    assert pool_estimates(judged.assign(trust=[3, 1]), weight="trust")["expected"].iloc[0] == 105
    with pytest.raises(ValueError, match="in row 1 the estimates are not in order"):
        three_point(asked.assign(low=[60, 130]))
    with pytest.raises(ValueError, match="a weight is 0 or more"):
        pool_estimates(judged.assign(trust=[0, 0]), weight="trust")


def delphi(*rounds):
    rows = [(number, f"e{k}", value) for number, answers in enumerate(rounds, 1) for k, value in enumerate(answers)]
    return pd.DataFrame(rows, columns=["round", "expert", "estimate"])


def test_delphi_stops_when_near_and_still():
    table = delphi_rounds(delphi([50, 100, 200], [150, 160, 170], [150, 160, 165]))
    assert table["median"].tolist() == [100, 160, 160]
    assert table["spread"].tolist() == pytest.approx([75 / 100, 10 / 160, 7.5 / 160])
    assert table["moved"].tolist() == pytest.approx([np.nan, 0.6, 0], nan_ok=True)
    assert table["stop"].tolist() == [False, False, True], "round 2 is near, but it has moved"
    assert not delphi_rounds(delphi([100, 100, 100]))["stop"].any(), "one round shows no standstill"
    assert not delphi_rounds(delphi([50, 100, 200], [50, 100, 200]))["stop"].any(), "still, but far from each other"
    strict = delphi_rounds(delphi([150, 160, 170], [150, 160, 165]), spread=0.04)
    assert not strict["stop"].any()


def test_delphi_refuses_double_and_empty_answers():
    answers = delphi([50, 100], [60, 90])
    with pytest.raises(ValueError, match="expert e0 answered twice in round 1"):
        delphi_rounds(pd.concat([answers, answers.head(1)]))
    with pytest.raises(ValueError, match="an estimate is missing or not above 0"):
        delphi_rounds(answers.assign(estimate=[1, 2, 3, None]))


def test_analogy_scales_by_what_has_begun():
    old = pd.Series([10.0, 20.0, 40.0, 30.0], index=["w1", "w2", "w3", "w4"])
    table = forecast_by_analogy(old, begun=pd.Series([6.0, 9.0]))
    assert table["forecast"].tolist() == [5, 10, 20, 15]
    assert table["actual"].tolist()[:2] == [6, 9] and table["actual"].isna().sum() == 2
    assert forecast_by_analogy(old, factor=0.5)["forecast"].tolist() == [5, 10, 20, 15]
    for wrong in ({}, {"begun": old, "factor": 1}):
        with pytest.raises(ValueError, match=r"give either begun .* or factor"):
            forecast_by_analogy(old, **wrong)
    with pytest.raises(ValueError, match="begun has 5 periods, comparable 4"):
        forecast_by_analogy(old, begun=pd.Series([1.0] * 5))


# ---- inertia ---------------------------------------------------------------------------------------------------------

QUARTERS = pd.period_range("2023Q1", periods=12, freq="Q")
PATTERN = pd.Series(np.tile([80.0, 100.0, 120.0, 100.0], 3), index=QUARTERS)
METHODS = {
    "naive": seasonal_naive,
    "trend": linear_trend,
    "season": lambda past, ahead: seasonal_trend(past, ahead, season=4),
    "mean": moving_average,
    "smooth": exponential_smoothing,
    "winters": lambda past, ahead: holt_winters(past, ahead, season=4),
}


@pytest.mark.parametrize("name", METHODS)
def test_forecasts_are_for_the_coming_periods(name):
    for index, coming in [
        (QUARTERS, ["2026Q1", "2026Q2", "2026Q3"]),
        (pd.date_range("2026-01-01", periods=12, freq="D"), ["2026-01-13", "2026-01-14", "2026-01-15"]),
        (pd.RangeIndex(12), [12, 13, 14]),
    ]:
        ahead = METHODS[name](pd.Series(PATTERN.to_numpy(), index=index), 3)
        assert ahead.index.equals(type(index)(coming, freq=index.freq) if hasattr(index, "freq") else pd.Index(coming))
        assert ahead.name == "forecast" and ahead.notna().all()


def test_forecasts_by_hand():
    assert seasonal_naive(PATTERN, 6, season=4).tolist() == [80, 100, 120, 100, 80, 100]
    assert seasonal_naive(PATTERN, 2, season=1).tolist() == [100, 100]
    line = pd.Series(np.arange(5.0, 35.0, 3.0))
    assert linear_trend(line, 2).tolist() == pytest.approx([35, 38])
    assert moving_average(line, 2, window=2).tolist() == [30.5, 30.5]
    half = exponential_smoothing(pd.Series([10.0, 20.0, 40.0, 40.0]), 1, alpha=1.0)
    assert half.tolist() == [40]


def test_season_and_trend_go_on_together():
    times = np.arange(24)
    grows = pd.Series((100 + 5 * times) * np.tile([0.8, 1.0, 1.3, 0.9], 6), index=pd.RangeIndex(24))
    coming = (100 + 5 * np.arange(24, 28)) * [0.8, 1.0, 1.3, 0.9]
    assert seasonal_trend(grows, 4, season=4).to_numpy() == pytest.approx(coming, rel=0.02)
    assert holt_winters(grows, 4, season=4, damped=False).to_numpy() == pytest.approx(coming, rel=0.05)
    assert np.abs(linear_trend(grows, 4).to_numpy() / coming - 1).max() > 0.15, "a line knows no season"
    # A season of odd length, and one that the line alone would take for a trend.
    assert seasonal_trend(pd.Series([1.0, 2, 6] * 3), 3, season=3).tolist() == pytest.approx([1, 2, 6])
    with pytest.raises(ValueError, match="the trend line falls to 0 or below"):
        seasonal_trend(pd.Series(np.arange(9.0, 1.0, -1.0)), 9, season=2)


def test_forecasts_are_quiet_on_dull_series():
    """Warnings are errors here: a series that is flat, or 0, or exact, gives a forecast and no noise."""
    for values in (np.zeros(12), np.full(12, 7.0), np.arange(12.0) + 1, PATTERN.to_numpy()):
        for name in ("smooth", "winters", "trend", "mean"):
            ahead = METHODS[name](pd.Series(values), 2)
            assert np.isfinite(ahead).all(), (name, values)
    assert holt_winters(pd.Series(np.full(12, 7.0)), 3, season=4).tolist() == pytest.approx([7, 7, 7])


def test_forecasts_say_what_is_wrong():
    with pytest.raises(ValueError, match="this method needs 24 periods of the past or more, there are 12"):
        holt_winters(PATTERN, 3)
    with pytest.raises(ValueError, match="the value of 2023Q2 is missing"):
        linear_trend(PATTERN.mask(PATTERN.index == "2023Q2"), 1)
    with pytest.raises(ValueError, match="alpha is a weight from 0 to 1, not 2"):
        exponential_smoothing(PATTERN, 1, alpha=2)
    with pytest.raises(ValueError, match="after 2023Q1 comes 2023Q3"):
        linear_trend(PATTERN.drop(pd.Period("2023Q2")), 1)


def test_a_backtest_never_sees_what_it_predicts():
    seen = []

    def spy(past, ahead):
        seen.append((len(past), ahead))
        return pd.Series([past.iloc[-1]] * ahead)

    values = pd.Series(np.arange(10.0))
    tested = backtest(values, {"last": spy}, horizon=2, first=6)
    assert seen == [(6, 2), (7, 2), (8, 2)]
    assert tested["origin"].tolist() == [5, 5, 6, 6, 7, 7] and tested["step"].tolist() == [1, 2] * 3
    assert (tested["actual"] - tested["forecast"]).tolist() == [1, 2] * 3
    assert tested["period"].tolist() == [6, 7, 7, 8, 8, 9]
    assert backtest(values, {"last": spy}, first=6, every=2)["origin"].tolist() == [5, 7]
    with pytest.raises(ValueError, match="10 periods are too few: 10 to begin with, 1 to compare"):
        backtest(values, {"last": spy}, first=10)


def test_scores_by_hand_and_against_the_baseline():
    tested = pd.DataFrame(
        {"method": ["base", "new"] * 2, "forecast": [8.0, 11.0, 14.0, 21.0], "actual": [10.0, 10.0, 20.0, 20.0]}
    )
    scores = score_forecasts(tested, baseline="base").set_index("method")
    assert scores.index.tolist() == ["new", "base"]
    assert scores.loc["base", ["forecasts", "bias", "mae", "mape", "relative_mae"]].tolist() == pytest.approx(
        [2, -4, 4, 0.25, 1]
    )
    assert scores.loc["new", ["bias", "mae", "mape", "relative_mae"]].tolist() == pytest.approx([1, 1, 0.075, 0.25])
    zero = score_forecasts(tested.assign(actual=[0.0, 0, 20, 20]), baseline="base")
    assert zero["mape"].isna().all() and zero["mae"].notna().all()
    with pytest.raises(ValueError, match="the baseline 'seasonal naive' was not tested; tested: base, new"):
        score_forecasts(tested)


def test_the_right_method_wins_on_a_series_made_for_it():
    random = np.random.default_rng(3)
    times = np.arange(48)
    sales = pd.Series((200 + 4 * times) * np.tile(random.uniform(0.6, 1.4, 12), 4) + random.normal(0, 6, 48))
    methods = {"seasonal naive": seasonal_naive, "line": linear_trend}
    methods |= {"season": seasonal_trend, "winters": holt_winters}
    scores = score_forecasts(backtest(sales, methods, horizon=3, first=30, every=3)).set_index("method")
    assert scores.index[0] == "season"
    assert scores.loc["season", "relative_mae"] < 0.5 and scores.loc["winters", "relative_mae"] < 1
    assert scores.loc["line", "relative_mae"] > 1


def test_the_retailers_weekdays_beat_the_naive_forecast():
    orders = load("orders")
    days = orders.groupby(orders["ordered_at"].dt.to_period("D")).size()
    methods = {
        "seasonal naive": lambda past, ahead: seasonal_naive(past, ahead, season=7),
        "mean of four weeks": lambda past, ahead: moving_average(past, ahead, window=28),
        "season": lambda past, ahead: seasonal_trend(past, ahead, season=7),
    }
    scores = score_forecasts(backtest(days, methods, horizon=14, first=400, every=14)).set_index("method")
    assert scores.loc["season", "relative_mae"] < 0.85
    assert scores.index[0] == "season", "the day of the week is worth something, not only the mean"


# ---- relation --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weeks():
    random = np.random.default_rng(2)
    offers = random.choice(["coupon", "none", "poster"], 150)
    weeks = pd.DataFrame({"price": random.uniform(8, 12, 150), "offer": offers})
    lift = weeks["offer"].map({"coupon": 0, "none": -10, "poster": 5})
    return weeks.assign(packs=90 - 4 * weeks["price"] + lift + random.normal(0, 3, 150))


def test_regression_finds_what_was_put_in(weeks):
    table = regression_table(weeks, "packs", ["price", "offer"]).set_index("term")
    assert table.index.tolist() == ["const", "price", "offer: none", "offer: poster"]
    truth = pd.Series({"const": 90, "price": -4, "offer: none": -10, "offer: poster": 5})
    assert ((table["low"] < truth) & (truth < table["high"])).all()
    assert (table["p"] < 0.001).all()
    # Least squares by hand.
    design = np.column_stack(
        [np.ones(150), weeks["price"], weeks["offer"].eq("none"), weeks["offer"].eq("poster")]
    ).astype("float64")
    by_hand = np.linalg.solve(design.T @ design, design.T @ weeks["packs"])
    assert table["coefficient"].to_numpy() == pytest.approx(by_hand)
    fit = regression_fit(weeks, "packs", ["price", "offer"]).iloc[0]
    residuals = weeks["packs"] - design @ by_hand
    assert fit["r2"] == pytest.approx(1 - residuals.var() / weeks["packs"].var())
    assert fit["residual_sd"] == pytest.approx(np.sqrt((residuals**2).sum() / (150 - 4)))
    assert fit["n"] == 150 and fit["adjusted_r2"] < fit["r2"]


def test_predictions_use_the_words_of_the_past(weeks):
    coefficients = regression_table(weeks, "packs", ["price", "offer"]).set_index("term")["coefficient"]
    new = pd.DataFrame({"offer": ["poster", "poster"], "price": [10.0, 9.0]})
    told = predict_by_regression(weeks, "packs", ["price", "offer"], new)
    at_ten = coefficients["const"] + 10 * coefficients["price"] + coefficients["offer: poster"]
    assert told.loc[0, "predicted"] == pytest.approx(at_ten), "one word alone in the new rows is still that word"
    assert told.loc[1, "predicted"] == pytest.approx(at_ten - coefficients["price"])
    assert told["low"].lt(told["predicted"]).all() and told["predicted"].lt(told["high"]).all()
    seen = predict_by_regression(weeks, "packs", ["price", "offer"], weeks)
    inside = weeks["packs"].between(seen["low"], seen["high"]).mean()
    assert 0.9 < inside < 1, "the interval is for a single row, and holds about 95 %"
    with pytest.raises(ValueError, match="offer is 'radio' in a new row; known are only: coupon, none, poster"):
        predict_by_regression(weeks, "packs", ["price", "offer"], new.assign(offer="radio"))
    with pytest.raises(ValueError, match="a predictor is missing in the new rows"):
        predict_by_regression(weeks, "packs", ["price", "offer"], new.assign(price=[1.0, None]))


def test_residuals_betray_a_wrong_model(weeks):
    good = residual_checks(weeks, "packs", ["price", "offer"])
    assert good["ok"].all(), good
    random = np.random.default_rng(5)
    times = np.arange(120.0)

    def failed(target, **columns):
        table = pd.DataFrame({"x": times, **columns, "y": target})
        checks = residual_checks(table, "y", ["x", *columns])
        return set(checks.loc[~checks["ok"], "check"])

    noise = random.normal(0, 1, 120)
    assert not failed(times + noise)
    assert "straight line" in failed(times**2 / 50 + noise)
    assert "equal spread" in failed(times + noise * times / 20)
    assert "no memory" in failed(times + np.cumsum(noise))
    assert "normal residuals" in failed(times + np.exp(2 * noise))
    outlier = noise.copy()
    outlier[-1] += 60
    assert "no single row decides" in failed(times + outlier)
    assert failed(times + noise, twin=times + random.normal(0, 0.1, 120)) == {"predictors differ"}


def test_regression_says_what_is_wrong(weeks):
    cases = {
        "two of the terms say the same": (weeks.assign(euro=weeks["price"] / 8), "packs", ["price", "euro"]),
        "or one is constant: one": (weeks.assign(one=1.0), "packs", ["one"]),
        "2 complete rows are too few for 2 terms": (weeks.head(2), "packs", ["price"]),
        "the target offer holds no numbers": (weeks, "offer", ["price"]),
        r"predictors must be a list of columns, such as \['price'\]": (weeks, "packs", "price"),
        "has no column cost; it has: price": (weeks, "packs", ["cost"]),
        "the target packs cannot explain itself": (weeks, "packs", ["price", "packs"]),
    }
    for said, arguments in cases.items():
        with pytest.raises(ValueError, match=said):
            regression_table(*arguments)
    gap = weeks.assign(price=weeks["price"].where(weeks.index > 9))
    assert regression_fit(gap, "packs", ["price"])["n"].iloc[0] == 140


def test_a_yes_or_no_is_a_word(weeks):
    flag = weeks.assign(cheap=weeks["price"] < 10)
    assert regression_table(flag, "packs", ["cheap"])["term"].tolist() == ["const", "cheap: True"]
