"""Trends and the watch over events: what moves, what does not, and when it could be known."""

import numpy as np
import pandas as pd
import pytest

import cimlab
from cimlab.mining import (
    abandoned_carts,
    answer_alerts,
    count_periods,
    decompose,
    failing_checkouts,
    find_step,
    judge_alerts,
    replay,
    trend_table,
    watch_counts,
)

NOON = pd.Timestamp("2026-06-20 12:00")


@pytest.fixture(scope="module")
def events():
    return cimlab.load("web_events")


@pytest.fixture(scope="module")
def lines():
    orders = cimlab.load("orders")[["order_id", "ordered_at"]]
    return cimlab.load("order_lines").merge(orders).merge(cimlab.load("products")[["product_id", "category"]])


def poisson(rng, means, months=36):
    index = pd.period_range("2023-01", periods=months, freq="M")
    return pd.DataFrame({name: rng.poisson(mean) for name, mean in means.items()}, index=index)


# -------------------------------------------------------------------------------------------------------------- trends
def test_every_row_is_counted_once(lines):
    counts = count_periods(lines, "ordered_at", "category")
    assert counts.to_numpy().sum() == len(lines)
    assert len(counts) == 24 and str(counts.index[0]) == "2024-07"


def test_a_trend_is_found_with_its_size():
    growth = 100 * 1.5 ** (np.arange(36) / 12)  # half as much again every year
    counts = poisson(np.random.default_rng(3), {"grows": growth, "a": [4000] * 36, "b": [4000] * 36})
    table = trend_table(counts)
    assert table.loc["grows", "moves"] == "grows"
    assert table.loc[["a", "b"], "change"].between(-4, 0).all()  # what one gains, the shares of the others lose
    assert table.loc["grows", "low"] < 50 < table.loc["grows", "high"]


def test_what_moves_all_alike_is_no_trend_of_one():
    season = 1000 * (1.2 + np.sin(np.arange(36) * np.pi / 6)) * 1.4 ** (np.arange(36) / 12)
    counts = poisson(np.random.default_rng(4), {"a": season, "b": season, "c": season})
    assert set(trend_table(counts)["moves"]) == {"steady"}


def test_chance_alone_moves_few_articles_after_the_adjustment():
    rng = np.random.default_rng(5)
    tables = [trend_table(poisson(rng, {n: [50] * 36 for n in range(40)})) for _ in range(5)]
    raw = np.mean([table["p"].lt(0.05).mean() for table in tables])
    moved = sum(table["moves"].ne("steady").sum() for table in tables)
    assert 0.02 < raw < 0.09 and moved <= 3


def test_counts_that_scatter_more_are_less_certain():
    calm = poisson(np.random.default_rng(6), {"a": [100] * 36, "b": [5000] * 36})
    wild = calm.assign(a=np.where(np.arange(36) % 2, 40, 160))
    width = [float(table.loc["a", "high"] - table.loc["a", "low"]) for table in map(trend_table, (calm, wild))]
    assert width[1] > 2 * width[0]


def test_an_article_that_was_never_sold_has_no_trend():
    counts = poisson(np.random.default_rng(7), {"a": [100] * 36, "b": [100] * 36}).assign(c=0)
    assert trend_table(counts).index.tolist().count("c") == 0


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (pd.DataFrame({"a": [1] * 9, "b": [1] * 9}), "needs periods"),
        (pd.DataFrame({"a": [1] * 9}, index=pd.period_range("2026-01", periods=9, freq="M")), "9 periods of 1 group"),
    ],
)
def test_what_shows_no_trend_is_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        trend_table(counts)


def test_the_parts_add_up_and_the_week_is_found():
    rng = np.random.default_rng(8)
    week = np.tile([0, 0, 0, 0, 5, 9, 9], 12)
    values = pd.Series(50 + week + rng.normal(0, 1, 84), index=pd.period_range("2026-01-01", periods=84, freq="D"))
    parts, strength = decompose(values, season=7)
    assert np.allclose(parts[["trend", "season", "rest"]].sum(axis=1), parts["value"])
    assert strength["season"] > 0.9 > 0.5 > strength["trend"]


def test_a_series_with_a_gap_or_too_short_is_refused():
    with pytest.raises(ValueError, match="too few for a season of 12"):
        decompose(pd.Series([1.0] * 20))
    with pytest.raises(ValueError, match="the value at 3 is missing"):
        decompose(pd.Series([1.0, 2.0, 3.0, None] * 8), season=7)


def test_the_rise_of_prices_is_found_in_its_week(lines):
    usual = lines.groupby("product_id")["unit_price"].transform("mean")
    weekly = (lines["unit_price"] / usual).groupby(lines["ordered_at"].dt.to_period("W")).mean()
    step = find_step(weekly)
    planted = pd.Timestamp(cimlab.envelope("planted")["prices_rose_on"])
    assert step["at"] == planted.to_period("W") and step["change"] > 0 and step["p"] == 0.001


def test_noise_has_no_step():
    found = [find_step(pd.Series(np.random.default_rng(n).normal(size=40)), draws=199)["p"] for n in range(20)]
    assert np.mean(np.array(found) < 0.05) <= 0.2 < np.mean(found)


def test_a_step_needs_values_on_both_sides():
    with pytest.raises(ValueError, match="needs 10 values"):
        find_step(pd.Series([1.0] * 9))


# ----------------------------------------------------------------------------------------------------------- the watch
def test_the_replay_loses_nothing_and_keeps_the_order(events):
    shuffled = events.sample(frac=1, random_state=1)
    pieces = list(replay(shuffled, "6h"))
    again = pd.concat([piece for _, piece in pieces])
    assert again["happened_at"].is_monotonic_increasing and set(again["event_id"]) == set(events["event_id"])
    assert all((piece["happened_at"] < until).all() for until, piece in pieces)
    assert len(pieces) == 30 * 4


def test_an_event_without_a_time_is_refused(events):
    with pytest.raises(ValueError, match="event 5 has no happened_at"):
        list(replay(events.assign(happened_at=events["happened_at"].mask(events.index == 5))))


def test_a_cart_is_left_when_nothing_was_bought(events):
    carts = abandoned_carts(events)
    bought = set(events.loc[events["event"] == "purchase", "session_id"])
    added = set(events.loc[events["event"] == "add_to_cart", "session_id"])
    assert not set(carts["session_id"]) & bought and set(carts["session_id"]) <= added
    assert (carts["alert_at"] - carts["since"] == pd.Timedelta("60min")).all()


def test_an_emptied_cart_is_not_left():
    times = pd.to_datetime(["2026-06-01 08:00", "2026-06-01 08:01", "2026-06-02 08:00"])
    frame = {"session_id": ["S1", "S1", "S2"], "account_id": "W1", "happened_at": times, "product_id": "P1"}
    visits = pd.DataFrame(frame | {"event": ["add_to_cart", "remove_from_cart", "view"]})
    assert abandoned_carts(visits).empty


@pytest.mark.parametrize("watch", [abandoned_carts, lambda events: failing_checkouts(events, usual=0.02, level=0.01)])
def test_the_watch_knows_nothing_of_the_future(events, watch):
    """Cut off at any moment, the alerts up to then are the same."""
    whole = watch(events)
    assert len(whole) >= 3
    for moment in pd.to_datetime(["2026-06-10 12:00", "2026-06-18 21:30", "2026-06-25 00:00"]):
        known = events[events["happened_at"] <= moment]
        last = known["happened_at"].max()
        pd.testing.assert_frame_equal(watch(known), whole[whole["alert_at"] <= last])


def test_a_payment_that_fails_is_seen_within_hours_and_a_good_month_gives_no_alarm(events):
    assert failing_checkouts(events, usual=0.13).empty
    broken = events[~(events["event"].eq("purchase") & events["happened_at"].between(NOON, NOON + pd.Timedelta("1D")))]
    alerts = failing_checkouts(broken, usual=0.13)
    incident = pd.DataFrame({"begins": [NOON], "ends": [NOON + pd.Timedelta("1D")]})
    judged, false = judge_alerts(alerts, incident)
    assert judged["seen"].all() and judged["delay"].iloc[0] < pd.Timedelta("12h") and false == 0


def test_the_needed_run_is_that_of_the_formula():
    times = pd.date_range("2026-06-01 08:00", periods=30, freq="1h")
    checkouts = pd.DataFrame({"session_id": range(30), "happened_at": times, "event": "checkout"})
    for usual, level, needed in [(0.1, 0.001, 3), (0.5, 0.001, 10), (0.13, 0.001, 4)]:
        alert = failing_checkouts(checkouts, usual, level=level).iloc[0]
        assert alert["alert_at"] == times[needed - 1] + pd.Timedelta("15min")
    with pytest.raises(ValueError, match="share between 0 and 1"):
        failing_checkouts(checkouts, usual=0)


def test_a_purchase_ends_the_run():
    times = pd.date_range("2026-06-01 08:00", periods=5, freq="1h")
    checkouts = pd.DataFrame({"session_id": range(5), "happened_at": times, "event": "checkout"})
    bought = pd.DataFrame({"session_id": [2], "happened_at": [times[2] + pd.Timedelta("1min")], "event": "purchase"})
    assert failing_checkouts(pd.concat([checkouts, bought]), usual=0.1).empty
    assert len(failing_checkouts(checkouts, usual=0.1)) == 1


def test_a_day_unlike_others_raises_an_alert_and_does_not_become_normal():
    days = pd.date_range("2026-06-01", periods=30)
    counts = pd.Series(np.random.default_rng(9).poisson(40, 30), index=days)
    counts.iloc[20:23] = 90
    watched = watch_counts(counts, weight=1)
    assert watched["alert"].dropna().to_dict() == dict.fromkeys(days[20:23], "high")
    assert watched["expected"].iloc[-1] < 45


def test_a_small_weight_sees_a_slow_fall_that_single_days_hide():
    counts = pd.Series(np.r_[np.tile([40, 44, 36, 42, 38], 8), np.tile([30, 34, 28, 32, 31], 3)])
    slow, single = watch_counts(counts, learn=20, weight=0.2), watch_counts(counts, learn=20, weight=1)
    assert "low" in set(slow["alert"]) and single["alert"].isna().all()


def test_quiet_counts_give_few_alarms():
    counts = pd.Series(np.random.default_rng(10).poisson(40, 2000))
    assert watch_counts(counts, weight=1)["alert"].notna().mean() < 0.01


@pytest.mark.parametrize(
    ("counts", "settings", "message"),
    [
        ([1, None] * 10, {}, "without a gap"),
        ([5] * 20, {"learn": 20}, "learn=20"),
        ([5] * 20, {"weight": 0}, "weight=0"),
    ],
)
def test_counts_that_cannot_be_watched_are_refused(counts, settings, message):
    with pytest.raises(ValueError, match=message):
        watch_counts(pd.Series(counts), **settings)


def test_who_did_not_agree_gets_no_message(events):
    carts = abandoned_carts(events)
    answered = answer_alerts(carts, agreed=set(carts["about"].dropna().iloc[:40]))
    messages = answered[answered["answer"] == "message"]
    assert set(messages["about"]) <= set(carts["about"].dropna().iloc[:40])
    gaps = messages.sort_values("alert_at").groupby("about")["alert_at"].diff().dropna()
    assert (gaps >= pd.Timedelta("7D")).all()
    assert answered["answer"].notna().all() and len(answered) == len(carts)


def test_what_is_about_nobody_goes_to_the_person_on_duty():
    alerts = pd.DataFrame({"alert_at": [NOON], "rule": ["payment down?"], "about": [None]})
    assert answer_alerts(alerts, agreed=set())["answer"].tolist() == ["call the person on duty"]


def test_alerts_are_held_against_what_happened():
    alerts = pd.DataFrame({"alert_at": [NOON - pd.Timedelta("2h"), NOON + pd.Timedelta("3h")]})
    incidents = pd.DataFrame({"begins": [NOON, NOON + pd.Timedelta("9D")], "ends": [NOON + pd.Timedelta("1h")] * 2})
    incidents["ends"] = incidents["begins"] + pd.Timedelta("1h")
    judged, false = judge_alerts(alerts, incidents)
    assert judged["seen"].tolist() == [False, False] and false == 2
    judged, false = judge_alerts(alerts, incidents, until="2h")
    assert judged["seen"].tolist() == [True, False] and judged["delay"].iloc[0] == pd.Timedelta("3h") and false == 1
    with pytest.raises(ValueError, match="ends before it begins"):
        judge_alerts(alerts, incidents.assign(ends=NOON - pd.Timedelta("1D")))
