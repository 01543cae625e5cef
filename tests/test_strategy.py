"""Strategy, systems and cases: each figure against one computed another way, each promise attacked."""

import subprocess
import sys
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import cimlab
from cimlab import strategy
from cimlab.strategy import (
    ASSESSMENT,
    CASES,
    COSTS,
    KINDS,
    SCORES,
    STAGE_TABLES,
    STAGES,
    WEIGHTS,
    break_point,
    business_case,
    case_answer,
    case_data,
    compare_assessments,
    cost_of_duplicates,
    cost_of_ownership,
    draw_assessments,
    draw_timeline,
    draw_tornado,
    effort,
    find_failure,
    journey_steps,
    rank_reversals,
    score_assessment,
    self_service_share,
    sensitivity,
    stage_data,
    tornado,
    touchpoints,
    value_of_point,
    weighted_scores,
)

NAMES = ["orders", "calls", "tickets", "web_events", "campaign_contacts", "campaigns", "reviews", "questionnaire"]


@pytest.fixture(scope="module")
def tables():
    return {name: cimlab.load(name) for name in [*NAMES, "members", "consents"]}


@pytest.fixture(scope="module")
def who():
    return cimlab.load("reviewed").rename(columns={"person_no": "customer_id"})


@pytest.fixture(scope="module")
def touches(tables, who):
    return touchpoints(tables, who)


def test_the_package_is_lazy_and_whole():
    heavy = "{'sklearn', 'scipy', 'statsmodels', 'matplotlib', 'pandas'}"
    code = f"import sys; from cimlab import strategy; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    odd = [name for name in strategy.__all__ if not (callable(getattr(strategy, name)) or name.isupper())]
    assert not odd and set(strategy.__all__) <= set(dir(strategy))


# ---------------------------------------------------------------------------------------------------------- assessment
def test_the_questions_are_whole_and_in_both_languages():
    assert ASSESSMENT["question_id"].is_unique and ASSESSMENT.notna().all(axis=None)
    assert ASSESSMENT["question_zh"].str.contains(r"[\u4e00-\u9fff]").all() and (ASSESSMENT["weight"] > 0).all()
    assert ASSESSMENT.groupby("group")["factor"].nunique().to_dict() == {"principle": 6, "step": 1, "success factor": 5}
    assert ASSESSMENT.groupby("factor").size().min() >= 2
    assert (ASSESSMENT["one"] != ASSESSMENT["five"]).all()
    turned = ASSESSMENT[ASSESSMENT["reversed"]]
    assert ASSESSMENT["reversed"].dtype == bool and turned["question_id"].tolist() == ["P6", "S4", "F9"]
    assert (turned["group"].nunique(), (ASSESSMENT.groupby("factor")["reversed"].mean() < 1).all()) == (3, True)


def points_of(answers):
    """Turn the answers by hand: in a reversed question 1 is the best."""
    turned = set(ASSESSMENT.loc[ASSESSMENT["reversed"], "question_id"])
    return pd.Series({name: 6 - given if name in turned else given for name, given in answers.items()})


def test_scores_are_weighted_means_and_the_weakest_comes_first():
    rng = np.random.default_rng(1)
    answers = pd.Series(rng.integers(1, 6, len(ASSESSMENT)), index=ASSESSMENT["question_id"])
    scored, points = score_assessment(answers), points_of(answers)
    for row in scored.itertuples():
        part = ASSESSMENT[ASSESSMENT["factor"] == row.factor]
        assert row.score == pytest.approx(np.average(points[part["question_id"]], weights=part["weight"]))
    assert scored["score"].is_monotonic_increasing and (scored["missing"] == 0).all()
    assert scored["score"].equals(scored["if_worst"])
    pd.testing.assert_frame_equal(scored, score_assessment(answers.sample(frac=1, random_state=2).to_dict()))


def test_a_missing_answer_cannot_hide():
    """Who leaves out the bad questions gets a fine score; the missing weight and the worst case show it."""
    honest = {"P9": 1, "P10": 5}
    hidden = {"P10": 5}
    secure = {name: score_assessment(given).set_index("factor").loc["secure"] for name, given in
              (("honest", honest), ("hidden", hidden))}  # fmt: skip
    assert secure["hidden"]["score"] == 5 > secure["honest"]["score"] == pytest.approx(2.6)
    assert secure["hidden"]["answered"] == pytest.approx(0.4) and secure["hidden"]["missing"] == 1
    assert secure["hidden"]["if_worst"] == secure["honest"]["if_worst"] == pytest.approx(2.6)
    nothing = score_assessment(hidden)
    assert nothing["score"].isna().sum() == 11 and nothing["factor"].iloc[0] == "secure"


def test_who_ticks_one_column_all_the_way_down_betrays_himself():
    """All 5 would be a perfect firm; the questions that were asked the other way round pull the score down."""
    all_five = score_assessment(dict.fromkeys(ASSESSMENT["question_id"], 5)).set_index("factor")
    assert all_five.loc["complete", "score"] == pytest.approx((2 * 5 + 2 * 1) / 4)
    assert all_five.loc["lawful", "score"] == 5 and all_five["score"].iloc[0] < 5
    plain = ASSESSMENT.drop(columns="reversed")
    assert (score_assessment(dict.fromkeys(ASSESSMENT["question_id"], 5), plain)["score"] == 5).all()
    best = points_of(dict.fromkeys(ASSESSMENT["question_id"], 5))
    assert (score_assessment(best)["score"] == 5).all()
    blank = score_assessment({"P5": 5}).set_index("factor").loc["complete"]
    assert blank["score"] == 5 and blank["if_worst"] == pytest.approx(3)  # a blank counts as the worst, not as a 1 → 5
    summary, differ = compare_assessments({"P6": 1, "P5": 3}, {"P6": 5, "P5": 3})
    assert summary["shift"] == -2 and differ[["first", "second"]].to_numpy().tolist() == [[5, 1]]


def test_the_picture_of_two_raters_shows_both_and_what_they_left_out():
    raters = {"sales": {"P1": 4, "P2": 4, "P3": 5, "P4": 1}, "service": {"P1": 2, "P6": 5, "P5": 5}}
    ax = draw_assessments(raters, "Two raters")
    factors = ASSESSMENT["factor"].unique().tolist()
    assert [label.get_text() for label in ax.get_yticklabels()] == factors
    full, part = ax.lines[2], ax.lines[3]
    given = dict(zip(full.get_ydata(), full.get_xdata(), strict=True))
    assert given[factors.index("customer first")] == 2 and given[factors.index("complete")] == 3
    assert np.isnan(given[factors.index("secure")])
    hollow = {factors[row] for row, x in zip(part.get_ydata(), part.get_xdata(), strict=True) if x == x}
    assert hollow == {"customer first"} and part.get_markerfacecolor() == "white"
    assert ax.get_xlabel().startswith("score") and ax.get_title() == "Two raters"
    plt.close("all")
    with pytest.raises(ValueError, match="at least one rater"):
        draw_assessments({}, "Nobody")
    with pytest.raises(ValueError, match="raters"):
        draw_assessments({str(n): {"P1": 3} for n in range(9)}, "Too many")
    with pytest.raises(ValueError, match="P1 is 6"):
        draw_assessments({"a": {"P1": 6}}, "Wrong")


def test_kappa_is_that_of_the_formula_and_sees_what_equal_answers_do_not():
    rng = np.random.default_rng(3)
    first = pd.Series(rng.integers(1, 6, len(ASSESSMENT)), index=ASSESSMENT["question_id"])
    second = (first + rng.integers(-1, 2, len(first))).clip(1, 5)
    summary, differences = compare_assessments(first, second)
    one, two = points_of(first), points_of(second)
    apart = (one - two) ** 2
    chance = ((one.to_numpy()[:, None] - two.to_numpy()[None, :]) ** 2).mean()
    assert summary["kappa"] == pytest.approx(1 - apart.mean() / chance)
    assert summary["same"] == pytest.approx((first == second).mean()) and len(differences) == (first != second).sum()
    far, _ = compare_assessments(first, 6 - first)
    assert far["kappa"] < -0.8
    flat, none = compare_assessments(dict.fromkeys(first.index, 4), dict.fromkeys(first.index, 4))
    assert flat["same"] == 1 and np.isnan(flat["kappa"]) and none.empty
    best = points_of(dict.fromkeys(first.index, 5))
    assert np.isnan(compare_assessments(best, best)[0]["kappa"])
    _, order = compare_assessments({"P1": 1, "P2": 5, "P3": 3}, {"P1": 2, "P2": 1, "P3": 3, "P4": 2})
    assert order["question_id"].tolist() == ["P2", "P1"] and order["difference"].tolist() == [-4, 1]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"P99": 3}, "no question P99"),
        ({"P1": 6}, "P1 is 6"),
        ({"P1": 2.5}, "P1 is 2.5"),
        (pd.Series([1, 2], index=["P1", "P1"]), "P1 is answered twice"),
    ],
)
def test_wrong_answers_are_named(answers, says):
    with pytest.raises(ValueError, match=says):
        score_assessment(answers)
    with pytest.raises(ValueError, match=says):
        compare_assessments(answers, {"P1": 1})


def test_other_mistakes_in_assessments_are_named():
    with pytest.raises(ValueError, match="no question that both"):
        compare_assessments({"P1": 1}, {"P2": 1})
    with pytest.raises(ValueError, match="weight above 0"):
        score_assessment({}, ASSESSMENT.assign(weight=0))
    with pytest.raises(ValueError, match="no column weight"):
        score_assessment({}, ASSESSMENT.drop(columns="weight"))


# -------------------------------------------------------------------------------------------------------------- stages
def test_each_stage_has_its_tables_and_they_are_counted(tables):
    assert STAGES["from_year"].is_monotonic_increasing and set(STAGE_TABLES["stage"]) == set(STAGES["stage"])
    data = stage_data(tables).set_index("table")
    assert (data["rows"] == [len(tables[name]) for name in data.index]).all()
    assert data.loc["orders", "first_day"] == tables["orders"]["ordered_at"].min().normalize()
    days = tables["web_events"]["happened_at"].dt.date
    assert data.loc["web_events", "rows_per_day"] == pytest.approx(len(days) / ((max(days) - min(days)).days + 1))
    by_rows, by_day = data["rows"].rank(), data["rows_per_day"].rank()
    assert by_rows["web_events"] < by_rows["members"] and by_day["web_events"] > by_day["members"]


def test_stage_data_counts_rows_without_a_day_and_says_what_is_wrong(tables):
    few = STAGE_TABLES[STAGE_TABLES["table"] == "orders"]
    orders = tables["orders"].head(10).copy()
    orders.loc[orders.index[:3], "ordered_at"] = pd.NaT
    assert stage_data({"orders": orders}, few)["undated"].tolist() == [3]
    none = stage_data({"orders": orders.iloc[:0]}, few)
    assert none["rows"].tolist() == [0] and none["first_day"].isna().all() and none["rows_per_day"].tolist() == [0]
    with pytest.raises(ValueError, match="no table orders; given: calls"):
        stage_data({"calls": tables["calls"]}, few)
    with pytest.raises(ValueError, match=r"orders\.ordered_at holds no dates"):
        stage_data({"orders": orders.astype({"ordered_at": "str"})}, few)


def test_the_timeline_starts_where_the_stages_do():
    ax = draw_timeline()
    assert [bar.get_x() for bar in ax.patches] == STAGES["from_year"].tolist()
    assert {bar.get_x() + bar.get_width() for bar in ax.patches} == {2026}
    assert ax.get_xlabel() == "year" and ax.get_title()
    inside = ax.get_window_extent(ax.figure.canvas.get_renderer())
    ax.figure.canvas.draw()
    assert all(inside.x0 <= text.get_window_extent().x0 for text in ax.texts)
    plt.close("all")
    with pytest.raises(ValueError, match="mobile, AI, cloud, CDP begins in 2013, not before 2010"):
        draw_timeline(until=2010)
    with pytest.raises(ValueError, match="needs the column added"):
        draw_timeline(STAGES.drop(columns="added"))


# ------------------------------------------------------------------------------------------------------------- journey
def test_the_funnel_only_narrows_where_the_plain_count_does_not(tables):
    steps = journey_steps(tables["web_events"], tables["orders"]).set_index("step")
    events = tables["web_events"]
    assert steps.loc["visit", "reached"] == events["session_id"].nunique()
    per = events.groupby("event")["session_id"].nunique()
    names = {"view": "view", "cart": "add_to_cart", "checkout": "checkout", "purchase": "purchase"}
    assert {step: steps.loc[step, "seen"] for step in names} == {step: per[event] for step, event in names.items()}
    web = steps.drop(index="repurchase")
    assert web["reached"].is_monotonic_decreasing and (steps["reached"] >= steps["seen"]).all()
    assert (web["reached"] > web["seen"]).any()  # carts without a view: the plain count loses them
    assert ((steps["low"] <= steps["share"]) & (steps["share"] <= steps["high"])).all()


def test_wilson_is_that_of_the_formula(tables):
    row = journey_steps(tables["web_events"], tables["orders"]).set_index("step").loc["checkout"]
    p, n, z = row["share"], row["of"], 1.959963984540054
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert row["low"] == pytest.approx((middle - half) / (1 + z**2 / n))
    assert row["high"] == pytest.approx((middle + half) / (1 + z**2 / n))


def test_repurchase_counts_only_purchases_that_could_be_followed():
    day = pd.Timestamp("2026-06-01 10:00")
    days = [0, 5, 0, 20, 28]
    orders = pd.DataFrame({"order_id": [f"O{n}" for n in range(5)], "customer_ref": ["W1", "M1", "W2", "W2", "W3"]})
    orders["ordered_at"] = [day + pd.Timedelta(days=n) for n in days]
    bought = orders[orders["customer_ref"].str.startswith("W")]
    events = pd.DataFrame({"session_id": "S" + bought["order_id"], "event": "purchase", "order_id": bought["order_id"]})
    events["happened_at"] = bought["ordered_at"]
    last = journey_steps(events, orders, days=10, as_of="2026-06-30").iloc[-1]
    assert (last["reached"], last["of"]) == (0, 2)  # O3 and O4 lie within ten days of the end
    who = pd.DataFrame({"record_id": ["W1", "M1", "W2", "W3"], "customer_id": ["K1", "K1", "K2", "K3"]})
    last = journey_steps(events, orders, days=10, as_of="2026-06-30", who=who).iloc[-1]
    assert (last["reached"], last["of"], last["share"]) == (1, 2, 0.5)  # the till purchase of the same person counts
    early = journey_steps(events, orders, days=10, as_of="2026-06-04").iloc[-1]
    assert early["of"] == 0 and np.isnan(early["share"]) and np.isnan(early["low"])
    shuffled = journey_steps(
        events.sample(frac=1, random_state=1), orders.iloc[::-1], days=10, as_of="2026-06-30", who=who
    )
    assert (shuffled["reached"].iloc[-1], shuffled["of"].iloc[-1]) == (1, 2)


def test_journey_mistakes_are_named(tables, who):
    events, orders = tables["web_events"], tables["orders"]
    with pytest.raises(ValueError, match="no column session_id"):
        journey_steps(events.drop(columns="session_id"), orders)
    with pytest.raises(ValueError, match="has no rows"):
        journey_steps(events.iloc[:0], orders)
    with pytest.raises(ValueError, match="confidence is a share"):
        journey_steps(events, orders, confidence=95)
    twice = pd.concat([who, who.head(1)])
    with pytest.raises(ValueError, match="stands twice"):
        journey_steps(events, orders, who=twice)
    with pytest.raises(ValueError, match="stands twice"):
        touchpoints(tables, twice)
    with pytest.raises(ValueError, match="at least one of the tables orders"):
        touchpoints({}, who)
    with pytest.raises(ValueError, match="give the table campaigns too"):
        touchpoints({"campaign_contacts": tables["campaign_contacts"]}, who)


def test_all_contacts_are_there_once_and_in_order(tables, touches):
    counts = touches["kind"].value_counts()
    for kind, name in (("order", "orders"), ("call", "calls"), ("ticket", "tickets"), ("review", "reviews")):
        assert counts[kind] == len(tables[name])
    assert counts["visit"] == tables["web_events"]["session_id"].nunique() < len(tables["web_events"])
    assert counts["message"] == (tables["campaign_contacts"]["arm"] == "treated").sum()
    assert counts["message"] < len(tables["campaign_contacts"])  # the held-out got none
    assert touches["record_id"].is_unique and touches["at"].notna().all()
    assert touches.groupby("customer_id")["at"].apply(lambda at: at.is_monotonic_increasing).all()
    first_unknown = touches["customer_id"].isna().to_numpy().argmax()
    assert touches["customer_id"].iloc[first_unknown:].isna().all()
    assert set(touches.loc[touches["direction"] == "out", "kind"]) == {"message"}
    parts = touches.dropna(subset=["part_of"])
    assert parts["part_of"].isin(touches["record_id"]).all() and set(parts["kind"]) == {"order", "ticket"}
    assert (parts.loc[parts["channel"] == "call", "kind"] == "order").sum() == (
        tables["orders"]["channel"] == "call"
    ).sum()


def test_touchpoints_do_not_hang_on_the_order_of_rows(tables, who, touches):
    mixed = {name: table.sample(frac=1, random_state=5) for name, table in tables.items()}
    pd.testing.assert_frame_equal(touches, touchpoints(mixed, who.iloc[::-1]))


def test_self_service_attacked_by_a_table_that_begins_late(touches, tables):
    """Visits are kept for 30 days: counting them makes the last month a success that is none."""
    plain = self_service_share(touches)
    wrong = self_service_share(touches, kinds=("order", "call", "visit"))
    assert wrong["share"].iloc[-1] - wrong["share"].iloc[:-1].mean() > 0.2
    assert abs(plain["share"].iloc[-1] - plain["share"].iloc[:-1].mean()) < 0.1
    orders, calls = tables["orders"], tables["calls"]
    assert plain["contacts"].sum() == len(orders) + len(calls) - (orders["channel"] == "call").sum()
    assert plain["self_service"].sum() == (orders["channel"] == "web").sum()
    assert ((plain["low"] < plain["share"]) & (plain["share"] < plain["high"])).all()


def test_effort_by_hand(tables, touches):
    measured = effort(touches, tables["tickets"]).set_index("measure")["value"]
    assert measured["calls_per_100_orders"] == pytest.approx(100 * len(tables["calls"]) / len(tables["orders"]))
    calls = touches[(touches["kind"] == "call") & touches["customer_id"].notna()]
    again = 0
    for _, mine in calls.groupby("customer_id")["at"]:
        moments = sorted(mine)
        again += sum((b - a).total_seconds() <= 7 * 86400 for a, b in pairwise(moments))
    assert measured["repeat_calls"] == again > 0 and measured["known_calls"] == len(calls)
    assert measured["open_tickets"] == tables["tickets"]["closed_at"].isna().sum() > 0
    assert measured["median_days"] > measured["median_closed"]


def test_open_cases_cannot_make_a_service_look_fast():
    touches = pd.DataFrame({"customer_id": ["K1"], "at": pd.to_datetime(["2026-06-01"]), "kind": ["call"]})
    opened = pd.Series(pd.Timestamp("2026-06-01"), index=range(10))
    closed = opened + pd.Timedelta(days=1)
    slow = pd.DataFrame({"opened_at": opened, "closed_at": closed.where(opened.index < 4)})
    measured = effort(touches, slow).set_index("measure")["value"]
    assert measured["median_closed"] == 1 and np.isnan(measured["median_days"])  # more than half are open: not known
    assert np.isnan(measured["calls_per_100_orders"]) and measured["repeat_share"] == 0
    with pytest.raises(ValueError, match="closed before it was opened"):
        effort(touches, slow.assign(closed_at=opened - pd.Timedelta(days=1)))


# ------------------------------------------------------------------------------------------------------------ choosing
def test_the_sum_is_weighted_and_a_hole_is_not_paid_for_by_a_price():
    table = weighted_scores(SCORES, WEIGHTS)
    assert table["score"].to_dict() == pytest.approx({k: (SCORES.loc[k] * WEIGHTS).sum() for k in SCORES.index})
    assert table["rank"].is_monotonic_increasing and list(SCORES.index) == KINDS["kind"].tolist()
    pd.testing.assert_frame_equal(table, weighted_scores(SCORES.iloc[::-1, ::-1], (WEIGHTS * 7).to_dict()))
    cheap = {"requirements": 0.1, "functions": 0.1, "performance": 0.1, "security": 0.1, "cost": 0.6}
    assert weighted_scores(SCORES, cheap).index[0] == "open source"
    kept = weighted_scores(SCORES, cheap, knock_out={"security": 3})
    assert kept.index[-1] == "open source" and kept["out"].iloc[-1] == "security" and np.isnan(kept["rank"].iloc[-1])
    assert kept["score"].iloc[-1] == kept["score"].max() and kept["rank"].iloc[0] == 1
    assert weighted_scores(SCORES, cheap, knock_out={"security": 9})["rank"].isna().all()


def test_sensitivity_is_a_count_of_draws():
    table = sensitivity(SCORES, WEIGHTS, draws=4000, seed=2)
    assert table["wins"].sum() == pytest.approx(1) and table.index[0] == weighted_scores(SCORES, WEIGHTS).index[0]
    criteria = sorted(WEIGHTS.index)
    drawn = np.random.default_rng(2).dirichlet(WEIGHTS[criteria] * 20, size=4000)
    best = (drawn @ SCORES[criteria].to_numpy().T).argmax(axis=1)
    share = pd.Series(best).value_counts(normalize=True).rename(dict(enumerate(SCORES.index)))
    assert table["wins"].to_dict() == pytest.approx(share.reindex(table.index).to_dict(), abs=1e-3)
    pd.testing.assert_frame_equal(table, sensitivity(SCORES.iloc[::-1, ::-1], WEIGHTS.iloc[::-1], draws=4000, seed=2))
    sure = sensitivity(SCORES, WEIGHTS, concentration=1e6)
    assert sure["wins"].iloc[0] == 1 and sensitivity(SCORES, WEIGHTS, concentration=2)["wins"].iloc[0] < 0.6
    twins = sensitivity(pd.DataFrame({"a": [3, 3], "b": [1, 1]}, index=["x", "y"]), {"a": 1, "b": 1})
    assert twins["wins"].tolist() == [0.5, 0.5] and twins["beats_first"].tolist() == [0, 0]


def test_an_option_that_is_worse_everywhere_never_wins():
    scores = pd.concat([SCORES, SCORES.loc[["cloud suite"]].sub(0.5).rename({"cloud suite": "copy"})])
    assert sensitivity(scores, WEIGHTS, draws=500).loc["copy", "wins"] == 0
    for criterion in WEIGHTS.index:
        assert "copy" not in set(break_point(scores, WEIGHTS, criterion)["winner"])


def test_a_criterion_without_weight_stays_without():
    none = WEIGHTS.where(WEIGHTS.index != "cost", 0)
    table = sensitivity(SCORES, none, draws=300)
    changed = sensitivity(SCORES.assign(cost=[1, 1, 1, 1, 50]), none, draws=300)
    pd.testing.assert_frame_equal(table, changed)


@pytest.mark.parametrize("seed", range(6))
def test_the_break_points_are_where_a_fine_grid_finds_them(seed):
    rng = np.random.default_rng(seed)
    scores = pd.DataFrame(rng.integers(1, 6, (6, 4)), columns=list("abcd"), index=list("uvwxyz"))
    weights = pd.Series(rng.random(4) + 0.1, index=list("abcd"))
    table = break_point(scores, weights, "c")
    assert table["from_weight"].iloc[0] == 0 and table["to_weight"].iloc[-1] == 1 and table["now"].sum() == 1
    assert (table["from_weight"].iloc[1:].to_numpy() == table["to_weight"].iloc[:-1].to_numpy()).all()
    assert (table["winner"] != table["winner"].shift()).all()
    others = weights.drop("c") / weights.drop("c").sum()
    for row in table.itertuples():
        for w in np.linspace(row.from_weight, row.to_weight, 9)[1:-1]:
            sums = w * scores["c"] + (1 - w) * (scores[others.index] @ others)
            assert sums[row.winner] == pytest.approx(sums.max(), abs=1e-9)
    now = table.loc[table["now"], "winner"].iloc[0]
    assert weighted_scores(scores, weights).loc[now, "rank"] == 1


def test_one_winner_throughout_is_one_row():
    scores = pd.DataFrame({"a": [5, 1], "b": [5, 1]}, index=["x", "y"])
    table = break_point(scores, {"a": 1, "b": 1}, "a")
    assert table.to_dict("records") == [{"winner": "x", "from_weight": 0.0, "to_weight": 1.0, "now": True}]


def test_an_option_that_nobody_wants_decides_on_stretched_scales_only():
    assert len(rank_reversals(SCORES, WEIGHTS, scale="fixed")) == 0
    found = rank_reversals(SCORES, WEIGHTS)
    assert len(found) > 0
    without, above, below = found.iloc[0]

    def stretched(table):
        return ((table - table.min()) / (table.max() - table.min())) @ WEIGHTS

    full, less = stretched(SCORES), stretched(SCORES.drop(index=without))
    assert full[above] > full[below] and less[above] < less[below]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: weighted_scores(SCORES, {"cost": 1}), "name different criteria: functions"),
        (lambda: weighted_scores(SCORES, WEIGHTS * -1), "0 or more"),
        (lambda: weighted_scores(SCORES, WEIGHTS * 0), "at least one is above 0"),
        (lambda: weighted_scores(SCORES.astype(float).replace(1, np.nan), WEIGHTS), "own build is not scored"),
        (lambda: weighted_scores(pd.concat([SCORES, SCORES]), WEIGHTS), "cloud suite stands twice"),
        (lambda: weighted_scores(SCORES, WEIGHTS, {"beauty": 2}), "knock_out names beauty"),
        (lambda: sensitivity(SCORES, WEIGHTS, draws=0), "draws is 1 or more"),
        (lambda: break_point(SCORES, WEIGHTS, "beauty"), "no criterion 'beauty'"),
        (lambda: break_point(SCORES[["cost"]], {"cost": 1}, "cost"), "no criterion but cost"),
        (lambda: rank_reversals(SCORES, WEIGHTS, scale="log"), "range or fixed"),
        (lambda: cost_of_ownership(COSTS, 0, 0.1), "years is 1 or more"),
        (lambda: cost_of_ownership(COSTS.assign(times="weekly"), 3, 0.1), "'weekly'; say once or yearly"),
    ],
)
def test_mistakes_in_choosing_are_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_cost_of_ownership_by_hand():
    table = cost_of_ownership(COSTS, years=5, rate=0.06)
    fees = [180000 * 1.05**n for n in range(5)]
    assert table.loc["cloud suite", "paid"] == pytest.approx(120000 + sum(fees))
    today = 120000 + sum(fee / 1.06 ** (n + 1) for n, fee in enumerate(fees))
    assert table.loc["cloud suite", "present_value"] == pytest.approx(today)
    package = 450000 + 150000 / 1.06**4 + sum(110000 * 1.02**n / 1.06 ** (n + 1) for n in range(5))
    assert table.loc["on-premise package", "present_value"] == pytest.approx(package)
    spread = table["a_year"] * sum(1.06**-n for n in range(1, 6))
    assert spread.to_numpy() == pytest.approx(table["present_value"].to_numpy())
    flat = cost_of_ownership(COSTS, 5, 0.0)
    assert flat["paid"].to_numpy() == pytest.approx(flat["present_value"].to_numpy())
    # what is cheap at the start is not cheap in the end
    assert table["at_start"].idxmin() == "cloud suite" != table["present_value"].idxmin()
    short = cost_of_ownership(COSTS, 3, 0.06)
    assert short.loc["on-premise package", "paid"] == pytest.approx(450000 + 110000 * (1 + 1.02 + 1.02**2))


# ------------------------------------------------------------------------------------------------------------ business
def test_duplicates_cost_what_multiplying_says():
    table = cost_of_duplicates(2676, 0.08, 6, 0.08, 0.02, 0.3, 40.0).set_index("item")["cost"]
    assert table["wasted messages"] == pytest.approx(2676 * 0.08 * 6 * 0.08)
    assert table["answers lost"] == pytest.approx(2676 * 0.08 * 6 * 0.02 * 0.3 * 40)
    assert table["all"] == pytest.approx(table["wasted messages"] + table["answers lost"])
    assert cost_of_duplicates(2676, 0.0, 6, 0.08)["cost"].iloc[-1] == 0
    figures = {"records": 2676, "mailings": 6, "cost_per_mailing": 0.08, "response_rate": 0.02, "response_lost": 0.3,
               "margin_per_response": 40.0}  # fmt: skip
    more = cost_of_duplicates(duplicate_share=0.08, **figures)["cost"].iloc[-1]
    less = cost_of_duplicates(duplicate_share=0.07, **figures)["cost"].iloc[-1]
    assert value_of_point("duplicates", **figures) == pytest.approx(more - less)


def test_consent_is_worth_its_uplift_not_its_answers():
    """Who counts every purchase after a message finds a gain where the messages lose money."""
    figures = {"customers": 3000, "mailings": 6, "margin_per_response": 30.0, "cost_per_mailing": 0.08}
    answered, without = 0.030, 0.028
    assert value_of_point("consent", uplift=answered, **figures) > 100
    assert value_of_point("consent", uplift=answered - without, **figures) < 0
    assert value_of_point("churn", customers=3000, margin_per_customer=200.0, part_of_year=1) == pytest.approx(6000)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: cost_of_duplicates(100, 5, 6, 0.1), "duplicate_share is a share between 0 and 1, not 5"),
        (lambda: cost_of_duplicates(-1, 0.1, 6, 0.1), "0 or more"),
        (lambda: value_of_point("weather"), "one of duplicates, churn, consent"),
        (lambda: value_of_point("churn", customers=1, margin_per_customer=1), "part_of_year is missing"),
        (
            lambda: value_of_point("churn", customers=1, margin_per_customer=1, part_of_year=1, moon=1),
            "moon is not wan",
        ),
        (lambda: value_of_point("churn", customers=1, margin_per_customer=1, part_of_year=50), "part_of_year"),
        (
            lambda: value_of_point(
                "consent", customers=1, mailings=1, uplift=3, margin_per_response=1, cost_per_mailing=1
            ),
            "uplift is a difference",
        ),
        (lambda: business_case(pd.DataFrame({"year": [], "amount": []}), 0.1), "there must be one"),
        (lambda: business_case(pd.DataFrame({"year": [0, 0.5], "amount": [1.0, 2.0]}), 0.1), "whole number"),
        (lambda: business_case(pd.DataFrame({"year": [0], "amount": [1.0]}), -1), "above -1"),
    ],
)
def test_mistakes_in_business_are_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def flows(*amounts):
    return pd.DataFrame({"year": range(len(amounts)), "amount": [float(amount) for amount in amounts]})


def test_npv_irr_and_payback_by_hand():
    case = business_case(flows(-1000, 300, 400, 500, 200), 0.08)
    assert case["npv"] == pytest.approx(-1000 + 300 / 1.08 + 400 / 1.08**2 + 500 / 1.08**3 + 200 / 1.08**4)
    assert business_case(flows(-1000, 300, 400, 500, 200), case["irr"])["npv"] == pytest.approx(0, abs=1e-6)
    assert case["payback"] == pytest.approx(2.6) and case["discounted_payback"] > case["payback"]
    apart = pd.concat([flows(-1000, 300, 400, 500, 200), flows(0, 50), flows(0, -50)]).sample(frac=1, random_state=1)
    pd.testing.assert_series_equal(case, business_case(apart, 0.08))
    assert business_case(pd.DataFrame({"year": [0, 3], "amount": [-100.0, 133.1]}), 0)["irr"] == pytest.approx(0.1)
    assert business_case(flows(-100, 30), 0.1)["irr"] == pytest.approx(-0.7)
    assert np.isnan(business_case(flows(-100, 30), 0.1)["payback"])
    assert business_case(flows(100, 30), 0.1)["payback"] == 0
    assert business_case(flows(-1, 1e6), 0.1)["irr"] == pytest.approx(1e6 - 1)


def test_several_rates_of_return_are_no_rate_of_return():
    """-100, 230, -132 has the rates 10 % and 20 %; between them it earns, outside it loses."""
    twice = flows(-100, 230, -132)
    assert business_case(twice, 0.10)["npv"] == pytest.approx(0) == pytest.approx(business_case(twice, 0.20)["npv"])
    case = business_case(twice, 0.15)
    assert np.isnan(case["irr"]) and case["sign_changes"] == 2 and case["npv"] > 0 > business_case(twice, 0.0)["npv"]
    assert np.isnan(case["payback"])  # the sum is above 0 for a while, and does not stay there
    assert np.isnan(business_case(flows(100, 30), 0.1)["irr"])
    thrice = business_case(
        flows(-1000, 3600, -4310, 1716), 0.1
    )  # 10, 20 and 30 %: an odd number of rates hides nothing
    assert thrice["sign_changes"] == 3 and np.isnan(thrice["irr"]) and thrice["npv"] == pytest.approx(0, abs=1e-9)


def test_the_tornado_turns_one_figure_at_a_time():
    ranges = pd.DataFrame(
        {"figure": ["a", "b", "c"], "low": [0.0, 1.0, 4.0], "likely": [1.0, 2.0, 5.0], "high": [4.0, 3.0, 6.0]}
    )

    def case(a, b, c):
        return a * b - c + 4

    table = tornado(case, ranges).set_index("figure")
    assert table.index[0] == "a" and table.loc["a", ["at_low", "at_high", "swing"]].tolist() == [-1, 7, 8]
    assert table["flips"].to_dict() == {"a": True, "b": False, "c": False}
    assert table["swing"].is_monotonic_decreasing
    pd.testing.assert_frame_equal(tornado(case, ranges), tornado(case, ranges.iloc[::-1]))
    # the blind spot: no figure but a flips the result alone; b and c together at their bad ends do
    assert case(1, 1, 6) < 0 < case(1, 2, 5)
    with pytest.raises(ValueError, match="a stands twice"):
        tornado(case, pd.concat([ranges, ranges.head(1)]))
    with pytest.raises(ValueError, match="b: likely must lie between"):
        tornado(case, ranges.assign(likely=[1.0, 9.0, 5.0]))


def test_the_picture_of_the_tornado_has_its_bars_where_the_results_are():
    table = pd.DataFrame({"figure": ["a", "b"], "at_low": [-1.0, 3.0], "at_high": [7.0, 1.0]})
    ax = draw_tornado(table, likely=2.0, title="a decides", unit="profit (CNY)")
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    assert [{start, end} for start, end in ends] == [{2, -1}, {2, 3}, {2, 7}, {2, 1}]
    assert [line.get_xdata()[0] for line in ax.lines] == [2, 0] and ax.get_xlabel() == "profit (CNY)"
    low, high = ax.get_legend_handles_labels()[0]
    assert low[0].get_hatch() == "//" and high[0].get_hatch() is None  # told apart in a grey print
    assert len(draw_tornado(table.assign(at_low=1.0), 2.0, "no sign changes", "CNY").lines) == 1
    plt.close("all")
    with pytest.raises(ValueError, match="needs the column at_high"):
        draw_tornado(table.drop(columns="at_high"), 2.0, "", "CNY")


# --------------------------------------------------------------------------------------------------------------- cases
ALL = CASES["case"].tolist()


@pytest.mark.parametrize("seed", [0, 7, 20260630])
@pytest.mark.parametrize("name", ALL)
def test_the_failure_is_found_where_it_is_and_only_there(name, seed):
    found = find_failure(name, case_data(name, seed))
    well = find_failure(name, case_data(name, seed, planted=False))
    assert found["found"].iloc[0] and not well["found"].iloc[0]
    assert found["found"].iloc[1:].isna().all() and found["value"].notna().all()


@pytest.mark.parametrize("name", ALL)
def test_the_tables_are_small_the_same_again_and_tell_nothing(name):
    data, again, other = case_data(name, 3), case_data(name, 3), case_data(name, 4)
    assert all(data[table].equals(again[table]) for table in data) and not all(data[t].equals(other[t]) for t in data)
    assert 100 < sum(len(table) for table in data.values()) < 1500
    assert {table: list(rows) for table, rows in data.items()} == {
        table: list(rows) for table, rows in case_data(name, 3, planted=False).items()
    }
    columns = " ".join(column for table in data.values() for column in table)
    assert not any(word in columns for word in ("planted", "stale", "fake", "truth", "quick"))
    mixed = {table: rows.sample(frac=1, random_state=1) for table, rows in data.items()}
    pd.testing.assert_frame_equal(find_failure(name, data), find_failure(name, mixed))


def test_the_cases_tell_the_question_and_not_the_answer():
    assert len(ALL) == 8 and CASES.notna().all(axis=None) and CASES["case_zh"].str.contains(r"[\u4e00-\u9fff]").all()
    for name in ALL:
        key, sentence = case_answer(name)
        told = " ".join(CASES.set_index("case").loc[name])
        assert key not in told and sentence not in told
    assert len({case_answer(name)[0] for name in ALL}) == 8


def test_each_case_deceives_who_looks_at_the_first_figure():
    """What the manager looks at seems well; the measure that matters does not."""
    look = {name: find_failure(name, case_data(name)).set_index("measure")["value"] for name in ALL}
    assert look["retailer"]["staff days with a login"] > 0.9 > 2 * look["retailer"]["entries in the new system"]
    assert look["finance"]["accounts closed"] < 0.1 < look["finance"]["accounts closed or silent"]
    failed = look["failed project"]
    assert failed["fields filled, after"] > 0.99 > failed["fields filled, before"]
    assert failed["correlation of forecast and sale, after"] < 0.5 < failed["correlation of forecast and sale, before"]
    clinic = look["clinic"]
    assert clinic["… of which the check by number stopped"] == 0 < clinic["prescriptions against a known allergy"]
    assert look["maker"]["ordered quantity that finds no stock with one key"] == 0
    hotel = find_failure("hotel", case_data("hotel", planted=False)).set_index("measure")["value"]
    again = "wishes of a guest that were told more than once"
    assert look["hotel"][again] > 0.7 > 0.3 > hotel[again]
    ratings = case_data("e-commerce")["ratings"]
    assert ratings.groupby("product_id")["stars"].mean().idxmax() in {"P0001", "P0002", "P0003"}


def test_case_mistakes_are_named():
    for call in (case_answer, case_data, lambda name: find_failure(name, {})):
        with pytest.raises(ValueError, match="no case 'casino'; choose one of bank"):
            call("casino")
    with pytest.raises(ValueError, match=r"find_failure\('bank'\) needs the table central; given: orders"):
        find_failure("bank", {"orders": pd.DataFrame()})
    data = case_data("bank")
    with pytest.raises(ValueError, match="central table has no column updated_on"):
        find_failure("bank", {**data, "central": data["central"].drop(columns="updated_on")})


def test_phones_of_the_cases_ring_nowhere():
    data = case_data("bank")
    assert pd.concat([data["central"]["phone"], data["branches"]["phone"]]).str.fullmatch(r"1740[0-5]\d{6}").all()
