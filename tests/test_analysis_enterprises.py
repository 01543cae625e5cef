"""Chapter 7, enterprises: business, operating and credit situation, ageing, score and terms, and the test in time."""

import numpy as np
import pandas as pd
import pytest

from cimlab import load
from cimlab.analysis import (
    CREDIT_POINTS,
    ageing_table,
    business_situation,
    credit_score,
    credit_situation,
    credit_terms,
    operating_situation,
    paid_after,
    score_on,
    terms_profit,
)
from cimlab.retailer import read_truth

YEARS = pd.DataFrame(
    {
        "enterprise_id": ["E2", "E1", "E1", "E1"],
        "year": [2025, 2025, 2023, 2024],
        "employees": [5, 12, 10, 11],
        "revenue": [50.0, 121.0, 100.0, 110.0],
        "profit": [-5.0, 12.1, 5.0, 5.5],
        "assets": [40.0, 200.0, 200.0, 200.0],
        "current_assets": [20.0, 120.0, 100.0, 100.0],
        "inventory": [10.0, 30.0, 20.0, 20.0],
        "receivables": [5.0, 24.2, 20.0, 20.0],
        "liabilities": [44.0, 80.0, 80.0, 80.0],
        "current_liabilities": [40.0, 60.0, 50.0, 50.0],
        "equity": [-4.0, 120.0, 120.0, 120.0],
    }
)


def orders(*rows):
    table = pd.DataFrame(
        rows, columns=["enterprise_id", "ordered_on", "terms_days", "amount", "paid_on", "paid"]
    )  # fmt: skip
    table[["ordered_on", "paid_on"]] = table[["ordered_on", "paid_on"]].apply(pd.to_datetime)
    return table.assign(due_on=table["ordered_on"] + pd.to_timedelta(table["terms_days"], unit="D"))


BOOK = orders(
    ("E1", "2026-01-01", 30, 100.0, "2026-01-21", 100.0),  # ten days early
    ("E1", "2026-01-01", 30, 100.0, "2026-02-20", 100.0),  # twenty days late
    ("E1", "2026-03-02", 30, 200.0, "2026-05-01", 50.0),  # due 1 April, in part, 150 open for 60 days on 31 May
    ("E1", "2026-05-20", 30, 80.0, None, 0.0),  # not yet due
    ("E2", "2026-01-01", 0, 400.0, None, 0.0),  # open for 150 days
    ("E3", "2026-05-30", 60, 60.0, "2026-06-15", 60.0),  # paid after the day
)


def test_growth_and_margins_by_hand():
    table = business_situation(YEARS).set_index(["enterprise_id", "year"])
    assert table.index.tolist() == [("E1", 2023), ("E1", 2024), ("E1", 2025), ("E2", 2025)]
    assert table["revenue_growth"].tolist() == pytest.approx([np.nan, 0.1, 0.1, np.nan], nan_ok=True)
    assert table.loc[("E1", 2025), ["net_margin", "return_on_assets", "return_on_equity"]].tolist() == pytest.approx(
        [0.1, 0.0605, 12.1 / 120]
    )
    assert table.loc[("E2", 2025), "net_margin"] == -0.1
    assert np.isnan(table.loc[("E2", 2025), "return_on_equity"]), "a loss on negative equity is no profit"
    gap = business_situation(YEARS[YEARS["year"] != 2024])
    assert gap["revenue_growth"].isna().all(), "two years apart is no yearly growth"
    with pytest.raises(ValueError, match="E2 has two rows for 2025: keep one"):
        business_situation(pd.concat([YEARS, YEARS.head(1)]))


def test_turnover_liquidity_and_leverage_by_hand():
    table = operating_situation(YEARS).set_index(["enterprise_id", "year"])
    sound = table.loc[("E1", 2025)]
    assert sound["asset_turnover"] == pytest.approx(0.605) and sound["inventory_turnover"] == pytest.approx(121 / 30)
    assert sound["receivable_days"] == pytest.approx(365 * 0.2)
    assert sound[["current_ratio", "quick_ratio", "debt_ratio"]].tolist() == [2, 1.5, 0.4]
    assert sound["debt_to_equity"] == pytest.approx(2 / 3) and sound["short_debt_share"] == 0.75
    weak = table.loc[("E2", 2025)]
    assert weak["debt_ratio"] == pytest.approx(1.1) and np.isnan(weak["debt_to_equity"])


def test_credit_situation_by_hand():
    table = credit_situation(BOOK, "2026-05-31").set_index("enterprise_id")
    first = table.loc["E1"]
    assert first[["orders", "invoiced", "due", "open", "overdue"]].tolist() == [4, 480, 400, 230, 150]
    assert first["collection_rate"] == 250 / 400
    assert first["mean_days_to_pay"] == (20 + 50) / 2
    assert first["mean_days_past_due"] == pytest.approx((0 + 20 + 60) / 3)
    assert first["most_days_past_due"] == 60 and first["default_share"] == 0
    assert table.loc["E2", ["collection_rate", "default_share", "mean_days_past_due"]].tolist() == [0, 1, 150]
    assert table.loc["E3", "open"] == 60, "the payment of June is not known in May"
    assert table.loc["E3", ["collection_rate", "mean_days_past_due"]].isna().all(), "nothing was due"
    stricter = credit_situation(BOOK, "2026-05-31", default_after=30).set_index("enterprise_id")
    assert stricter.loc["E1", "default_share"] == 150 / 400
    before = credit_situation(BOOK, "2026-02-10").set_index("enterprise_id")
    assert before.loc["E1", ["orders", "due", "open"]].tolist() == [2, 200, 100]
    assert before.loc["E1", "mean_days_past_due"] == 5


def test_ageing_by_hand():
    table = ageing_table(BOOK, "2026-05-31")
    assert table["bucket"].tolist() == ["not yet due", "1-30", "31-60", "61-90", "over 90"]
    assert table["invoices"].tolist() == [2, 0, 1, 0, 1]
    assert table["open"].tolist() == [140, 0, 150, 0, 400]
    assert table["share"].sum() == pytest.approx(1)
    each = ageing_table(BOOK, "2026-05-31", edges=(59, 150), by="enterprise_id")
    assert each.columns.tolist() == ["enterprise_id", "not yet due", "1-59", "60-150", "over 150", "total"]
    assert each.to_numpy().tolist() == [["E2", 0, 0, 400, 0, 400], ["E1", 80, 0, 150, 0, 230], ["E3", 60, 0, 0, 0, 60]]
    nothing = ageing_table(BOOK.head(2), "2026-05-31")
    assert nothing["open"].sum() == 0 and nothing["share"].tolist() == [0] * 5
    with pytest.raises(ValueError, match="the edges of the buckets must rise from above 0"):
        ageing_table(BOOK, "2026-05-31", edges=(60, 30))


def test_score_by_hand():
    assert sum(rule["weight"] for rule in CREDIT_POINTS.values()) == 100
    best = {name: [rule["best"]] for name, rule in CREDIT_POINTS.items()}
    worst = {name: [rule["worst"]] for name, rule in CREDIT_POINTS.items()}
    middle = {name: [(rule["best"] + rule["worst"]) / 2] for name, rule in CREDIT_POINTS.items()}
    for values, score in [(best, 100), (worst, 0), (middle, 50)]:
        assert credit_score(pd.DataFrame(values))["score"].iloc[0] == pytest.approx(score)
    beyond = pd.DataFrame(best).assign(current_ratio=50.0, mean_days_past_due=400.0)
    assert credit_score(beyond)["score"].iloc[0] == pytest.approx(75), "no more than all points, no fewer than none"
    partly = credit_score(pd.DataFrame(best).assign(collection_rate=None, debt_ratio=0.9))
    assert partly["known"].iloc[0] == 0.75 and partly["score"].iloc[0] == pytest.approx(100 * 65 / 75)
    unknown = credit_score(pd.DataFrame(best) * np.nan)
    assert unknown["score"].isna().all() and unknown["known"].tolist() == [0]
    with pytest.raises(ValueError, match="the table of firms has no column revenue_growth"):
        credit_score(pd.DataFrame(best).drop(columns="revenue_growth"))
    with pytest.raises(ValueError, match="needs a best value other than its worst"):
        credit_score(pd.DataFrame({"a": [1]}), {"a": {"worst": 1, "best": 1, "weight": 1}})


def test_terms_by_hand():
    scored = pd.DataFrame({"score": [80, 79.9, 65, 50, 49, 100, None], "known": [1, 1, 0.5, 1, 1, 0.4, 0]})
    table = credit_terms(scored.assign(monthly=100.0), "monthly")
    assert table["grade"].tolist() == ["A", "B", "B", "C", "D", "D", "D"]
    assert table["terms_days"].tolist() == [60, 30, 30, 15, 0, 0, 0]
    assert table["credit_limit"].tolist() == [300, 200, 200, 100, 0, 0, 0]
    two = {"yes": {"from": 60, "terms_days": 30, "months": 1}, "no": {"from": 0, "terms_days": 0, "months": 0}}
    assert credit_terms(scored.assign(monthly=1.0), "monthly", two)["grade"].tolist()[:4] == ["yes"] * 3 + ["no"]


def test_a_score_knows_no_more_than_its_day():
    later = BOOK.assign(paid_on=BOOK["paid_on"].fillna(pd.Timestamp("2026-07-15")), paid=BOOK["amount"])
    later = pd.concat([later, orders(("E1", "2026-06-20", 0, 9000.0, "2026-07-01", 9000.0))])
    years = pd.concat([YEARS, YEARS.tail(1).assign(year=2026, profit=-500.0)])
    for day, year in [("2025-04-29", 2023), ("2025-04-30", 2024), ("2026-05-31", 2025)]:
        known = score_on(later.assign(ordered_on=later["ordered_on"] - pd.Timedelta(days=500)), years, day)
        assert known.set_index("enterprise_id").loc["E1", "year"] == year
    changed = score_on(later, years, "2026-05-31")
    seen = later.assign(paid=later["paid"].where(later["paid_on"] <= "2026-05-31", 0.0))
    pd.testing.assert_frame_equal(changed, score_on(seen, YEARS, "2026-05-31"))
    none = score_on(BOOK, YEARS, "2026-05-31", statement_days=9999)
    assert none["year"].isna().all() and none["known"].max() == pytest.approx(0.65)


def test_what_came_after_by_hand():
    book = orders(
        ("E1", "2025-06-30", 30, 100.0, None, 0.0),  # placed on the day of the score: belongs to before
        ("E1", "2025-07-01", 30, 100.0, "2025-09-30", 60.0),
        ("E1", "2026-03-02", 29, 50.0, None, 0.0),  # due on 31 March, 91 days before the end
        ("E1", "2026-03-02", 30, 70.0, None, 0.0),  # due on 1 April, 90 days: too young to be lost
        ("E2", "2025-08-01", 0, 30.0, "2026-07-05", 30.0),  # paid after the end
    )
    table = paid_after(book, "2025-06-30", "2026-06-30")
    assert table.to_numpy().tolist() == [["E1", 2, 150, 90], ["E2", 1, 30, 30]]
    assert paid_after(book, "2026-06-01", "2026-06-30").empty


def test_the_cost_of_both_errors_by_hand():
    tested = pd.DataFrame({"score": [90, 60, 40, 80, np.nan], "known": [1, 1, 1, 0.4, np.nan]})
    tested = tested.assign(sold=[1000.0, 500.0, 400.0, 300.0, 200.0], lost=[0.0, 200.0, 0.0, 0.0, 0.0])
    table = terms_profit(tested, 0.2, [0, 50, 95])
    assert table["yes"].tolist() == [3, 2, 0], "who is hardly known, or not at all, gets no terms"
    assert table["wrong_yes"].tolist() == [1, 1, 0] and table["wrong_no"].tolist() == [2, 3, 4]
    assert table["lost"].tolist() == [200, 200, 0] and table["forgone"].tolist() == [100, 180, 380]
    assert table["profit"].tolist() == [200 - 100 + 80, 200 - 100, 0]
    stay = terms_profit(tested, 0.2, [50], stay=0.5)
    assert stay["profit"].iloc[0] == 100 + 0.5 * 180 and stay["forgone"].iloc[0] == 90
    assert terms_profit(tested, 0.2)["threshold"].tolist() == list(range(0, 100, 5))
    with pytest.raises(ValueError, match="the table of tested firms has no column lost"):
        terms_profit(tested.drop(columns="lost"), 0.2)


# ---- Xudong ----------------------------------------------------------------------------------------------------------


def separation(better, worse):
    """How often one drawn from the better has the higher score than one drawn from the worse (area under the ROC)."""
    pairs = np.subtract.outer(better.to_numpy(), worse.to_numpy())
    return (pairs > 0).mean() + (pairs == 0).mean() / 2


def test_the_retailers_books_agree_with_each_other():
    book = load("enterprise_orders")
    situation = credit_situation(book, "2026-06-30")
    ageing = ageing_table(book, "2026-06-30")
    assert situation["open"].sum() == pytest.approx((book["amount"] - book["paid"]).sum())
    assert ageing["open"].sum() == pytest.approx(situation["open"].sum())
    assert ageing["open"].iloc[1:].sum() == pytest.approx(situation["overdue"].sum(), rel=0.02)
    assert situation["collection_rate"].dropna().between(0, 1).all()


@pytest.fixture(scope="module")
def known():
    """The books by true firm, and how each pays; skipped where the truth is not there."""
    try:
        firm = read_truth("enterprises").set_index("enterprise_id")["firm_id"]
    except FileNotFoundError:
        pytest.skip("the truth is not part of a student's copy")
    book, years = (
        table.assign(firm_id=table["enterprise_id"].map(firm))
        for table in (load("enterprise_orders"), load("enterprise_years"))
    )
    return book, years.drop_duplicates(["firm_id", "year"]), read_truth("firms").set_index("firm_id")["payment"]


def test_xudong_the_score_separates_how_firms_pay(known):
    book, years, payment = known
    table = score_on(book, years, "2026-06-30", "firm_id")
    by_class = dict(list(table.groupby(table["firm_id"].map(payment))["score"]))
    means = [by_class[name].mean() for name in ("prompt", "slow", "late", "defaults")]
    assert means == sorted(means, reverse=True), means
    assert separation(by_class["prompt"], by_class["defaults"]) > 0.95
    assert separation(by_class["prompt"], by_class["late"]) > 0.85
    assert separation(by_class["slow"], by_class["defaults"]) > 0.85
    graded = credit_terms(table.assign(monthly=table["invoiced"] / 24), "monthly")
    trusted = graded["grade"].isin(["A", "B"])
    assert not trusted[graded["firm_id"].map(payment) == "defaults"].any()
    assert trusted[graded["firm_id"].map(payment) == "prompt"].mean() > 0.8


def test_xudong_the_score_of_last_year_foresees_who_pays(known):
    """The fair test: scored on what was known in June 2025, judged by the orders after that; today's score cheats."""
    book, years, _ = known
    outcome = paid_after(book, "2025-06-30", "2026-06-30", "firm_id").set_index("firm_id")
    bad = outcome["lost"] > 0.2 * outcome["sold"]
    assert bad.sum() >= 4
    honest, leaky = (
        score_on(book, years, day, "firm_id").set_index("firm_id")["score"].reindex(bad.index).dropna()
        for day in ("2025-06-30", "2026-06-30")
    )
    found = [
        separation(points[~bad.reindex(points.index)], points[bad.reindex(points.index)]) for points in (honest, leaky)
    ]
    assert 0.7 < found[0] < found[1]


def test_xudong_a_strict_threshold_costs_more_than_it_saves(known):
    book, years, _ = known
    score = score_on(book, years, "2025-06-30", "firm_id")[["firm_id", "score", "known"]]
    tested = paid_after(book, "2025-06-30", "2026-06-30", "firm_id").merge(score, on="firm_id", how="left")
    for stay in (0, 0.5, 0.8):
        profit = terms_profit(tested, 0.22, stay=stay).set_index("threshold")["profit"]
        assert profit.idxmax() < 80 and profit[95] < profit[80]
