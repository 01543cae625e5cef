"""Chapter 6, persons: RFM, cohorts, Pareto, loyalty, attention, value, wallet, Net Promoter Score."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimlab import load
from cimlab.analysis import (
    RFM_SEGMENTS,
    attention_table,
    cohort_counts,
    cohort_table,
    estimate_wallet,
    loyalty_summary,
    loyalty_table,
    pareto_curve,
    pareto_shares,
    rfm,
    rfm_octants,
    rfm_scores,
    rfm_segments,
    share_of_wallet,
    value_matrix,
    value_table,
)

ORDERS = pd.DataFrame(
    {
        "order_id": ["o1", "o2", "o3", "o4", "o5", "o6"],
        "customer_id": ["b", "a", "a", None, "b", "c"],
        "ordered_at": pd.to_datetime(
            ["2026-01-05 09:00", "2026-02-10 23:59", "2026-04-10 00:00", "2026-04-11 10:00", "2026-04-30 23:59",
             "2026-05-01 00:00"]
        ),
        "amount": [10.0, 20.0, 40.0, 99.0, 30.0, 7.0],
        "store_id": ["ST02", "ST02", "ST01", "ST01", "ST02", "ST01"],
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def orders():
    return load("orders")


# ---- RFM -------------------------------------------------------------------------------------------------------------


def test_rfm_looks_back_from_a_day():
    table = rfm(ORDERS, "2026-04-30")
    assert table.to_numpy().tolist() == [["a", 20, 2, 60.0], ["b", 0, 2, 40.0]], "c came a day later, o4 is nobody's"
    assert rfm(ORDERS, "2026-05-01")["customer_id"].tolist() == ["a", "b", "c"]
    renamed = rfm(ORDERS.rename(columns={"customer_id": "card"}), "2026-04-30", customer="card")
    assert renamed.columns.tolist() == ["card", "recency", "frequency", "monetary"]
    lines = pd.concat([ORDERS, ORDERS[ORDERS["order_id"] == "o2"].assign(amount=5.0)])
    assert rfm(lines, "2026-04-30").loc[0, ["frequency", "monetary"]].tolist() == [2, 65], "an order counts once"
    with pytest.raises(ValueError, match=r"no column 'customer_id' says whose order it is: name yours, customer="):
        rfm(load("orders"), "2026-06-30")
    with pytest.raises(ValueError, match="no known customer bought anything up to 2020-01-01"):
        rfm(ORDERS, "2020-01-01")


def test_scores_are_fifths_and_equal_values_share_one():
    table = pd.DataFrame({"recency": range(10), "frequency": [1] * 6 + [2, 3, 4, 9], "monetary": np.arange(10.0)})
    scored = rfm_scores(table)
    assert scored["r_score"].tolist() == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1], "the latest is the best"
    assert scored["m_score"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert scored["f_score"].tolist() == [1, 1, 1, 1, 1, 1, 4, 4, 5, 5]
    assert scored["cell"].tolist()[:2] == ["511", "511"]
    assert rfm_scores(table, bins=2)["m_score"].tolist() == [1] * 5 + [2] * 5


def test_every_cell_is_one_segment():
    grid = pd.DataFrame([(r, f) for r in range(1, 6) for f in range(1, 6)], columns=["r_score", "f_score"])
    inside = [
        grid["r_score"].between(*cells["r"]) & grid["f_score"].between(*cells["f"]) for cells in RFM_SEGMENTS.values()
    ]
    assert sum(part.astype("int64") for part in inside).tolist() == [1] * 25
    named = rfm_segments(grid).set_index(["r_score", "f_score"])["segment"]
    assert named.notna().all() and set(named) == set(RFM_SEGMENTS)
    assert named[5, 5] == "champions" and named[1, 1] == "hibernating" and named[1, 5] == "cannot lose"
    assert named[5, 1] == "new" and named[4, 1] == "promising" and named[2, 3] == "at risk"
    with pytest.raises(ValueError, match="made for scores from 1 to 5"):
        rfm_segments(grid + 1)


def test_octants_are_around_the_mean():
    table = pd.DataFrame(
        [(r, f, m) for m in (100.0, 1.0) for r in (1, 99) for f in (9, 1)], columns=["recency", "frequency", "monetary"]
    )
    groups = rfm_octants(table)
    assert groups["group"].tolist() == [
        "important value", "important develop", "important keep", "important win back",
        "general value", "general develop", "general keep", "general win back",
    ]  # fmt: skip
    assert groups["group_zh"].iloc[[0, 3, 6]].tolist() == ["重要价值客户", "重要挽留客户", "一般保持客户"]


@settings(deadline=None)
@given(
    values=st.lists(st.tuples(st.integers(0, 700), st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=40),
    bins=st.integers(1, 7),
)
def test_scores_of_any_customers_keep_their_order(values, bins):
    table = pd.DataFrame(values, columns=["recency", "frequency", "monetary"])
    scored = rfm_scores(table, bins)
    for measure, score, sign in [("recency", "r", -1), ("frequency", "f", 1), ("monetary", "m", 1)]:
        steps = scored.assign(key=sign * scored[measure]).sort_values("key")
        assert steps[f"{score}_score"].is_monotonic_increasing and steps[f"{score}_score"].between(1, bins).all()
        assert steps.groupby("key")[f"{score}_score"].nunique().eq(1).all()


# ---- cohorts ---------------------------------------------------------------------------------------------------------


def test_cohorts_by_hand():
    counts = cohort_counts(ORDERS, "2026-05-31").astype({"cohort": "str"})
    assert counts[["cohort", "age", "size", "customers", "revenue"]].to_numpy().tolist() == [
        ["2026-01", 0, 1, 1, 10], ["2026-01", 1, 1, 0, 0], ["2026-01", 2, 1, 0, 0], ["2026-01", 3, 1, 1, 30],
        ["2026-01", 4, 1, 0, 0],
        ["2026-02", 0, 1, 1, 20], ["2026-02", 1, 1, 0, 0], ["2026-02", 2, 1, 1, 40], ["2026-02", 3, 1, 0, 0],
        ["2026-05", 0, 1, 1, 7],
    ]  # fmt: skip
    table = cohort_table(cohort_counts(ORDERS, "2026-05-31"))
    assert table.loc["2026-02"].tolist() == pytest.approx([1, 0, 1, 0, np.nan], nan_ok=True)
    quarters = cohort_table(cohort_counts(ORDERS, "2026-05-31", period="Q"), "revenue_per_customer")
    assert quarters.loc["2026Q1"].tolist() == [15, 35]
    assert len(cohort_counts(ORDERS, "2026-05-31", period="W")) == 21 + 16 + 5
    with pytest.raises(ValueError, match="no value 'retained' to lay out"):
        cohort_table(counts, "retained")
    with pytest.raises(ValueError, match="duplicate"):
        cohort_table(pd.concat([counts, counts]))


def test_cohorts_of_the_retailer_add_up(orders):
    counts = cohort_counts(orders, "2026-06-30", customer="customer_ref")
    known = orders.dropna(subset="customer_ref")
    assert counts["revenue"].sum() == pytest.approx(known["amount"].sum())
    assert counts.drop_duplicates("cohort")["size"].sum() == known["customer_ref"].nunique()
    assert counts.loc[counts["age"] == 0, "retention"].eq(1).all() and counts["retention"].between(0, 1).all()
    assert len(counts) == 24 * 25 / 2, "24 months make a triangle"
    early = cohort_counts(orders, "2025-06-30", customer="customer_ref")
    assert len(early) == 12 * 13 / 2
    both = early.merge(counts, on=["cohort", "age"])
    assert both["retention_x"].tolist() == both["retention_y"].tolist(), "the past does not change"


# ---- Pareto ----------------------------------------------------------------------------------------------------------


def test_pareto_by_hand():
    table = pd.DataFrame({"customer_id": list("abcde"), "monetary": [5.0, 60.0, 20.0, 10.0, 5.0]})
    curve = pareto_curve(table, "monetary")
    assert curve["customer_id"].tolist() == ["b", "c", "d", "a", "e"]
    assert curve["value_share"].tolist() == pytest.approx([0.6, 0.8, 0.9, 0.95, 1])
    shares = pareto_shares(table, "monetary", parts=[0.01, 0.2, 1])
    assert shares["customers"].tolist() == [1, 1, 5]
    assert shares["value_share"].tolist() == pytest.approx([0.6, 0.6, 1])
    assert shares["times"].tolist() == pytest.approx([60, 3, 1])
    with pytest.raises(ValueError, match="customer_id must be unique: one row per customer, not one per order"):
        pareto_curve(pd.concat([table, table]), "monetary")
    with pytest.raises(ValueError, match="must be 0 or more everywhere"):
        pareto_curve(table.assign(monetary=[-1, 60, 20, 10, 5]), "monetary")
    with pytest.raises(ValueError, match=r"\(20 % is 0.2\), not \[20\]"):
        pareto_shares(table, "monetary", parts=[20])


def test_the_retailers_best_fifth_brings_two_thirds(orders):
    table = rfm(orders, "2026-06-30", customer="customer_ref")
    shares = pareto_shares(table, "monetary", customer="customer_ref").set_index("part")["value_share"]
    assert shares.is_monotonic_increasing and 0.55 < shares[0.20] < 0.75


# ---- loyalty, attention ----------------------------------------------------------------------------------------------


def test_loyalty_by_hand():
    extra = ORDERS.iloc[[0, 0, 0]].assign(
        order_id=["o7", "o8", "o9"], customer_id="b", store_id=["ST01", "ST01", None],
        ordered_at=pd.to_datetime(["2026-01-06", "2026-02-01", "2026-02-02"]),
    )  # fmt: skip
    table = loyalty_table(pd.concat([ORDERS, extra]), "2026-05-31").set_index("customer_id")
    assert table.loc["b", ["orders", "repeat", "tenure"]].tolist() == [5, True, 146]
    assert table.loc["b", "days_between"] == pytest.approx(115 / 4)
    assert table.loc["b", ["main_place", "share_of_visits"]].tolist() == ["ST01", 0.5], "of 4 visits with a place"
    assert table.loc["a", "days_between"] == 59 and table.loc["a", "main_place"] == "ST01"
    assert table.loc["c", "repeat"] == False and np.isnan(table.loc["c", "days_between"])  # noqa: E712
    summary = loyalty_summary(table).iloc[0]
    assert summary["repeat_rate"] == pytest.approx(2 / 3) and summary["orders_per_customer"] == pytest.approx(8 / 3)
    assert summary["tenure"] == 110 and summary["share_of_visits"] == 0.5
    assert loyalty_table(ORDERS, "2026-04-30")["customer_id"].tolist() == ["a", "b"]


def test_attention_by_hand_and_on_the_web_shop():
    events = pd.DataFrame(
        [
            ("s1", "W1", "2026-06-01 10:00", "view", "P1"),
            ("s1", "W1", "2026-06-01 10:01", "add_to_cart", "P1"),
            ("s1", "W1", "2026-06-01 10:01", "add_to_cart", "P4"),
            ("s1", "W1", "2026-06-01 10:02", "purchase", None),
            ("s2", "W1", "2026-06-11 09:00", "search", None),
            ("s2", "W1", "2026-06-11 09:01", "view", "P2"),
            ("s2", "W1", "2026-06-11 09:02", "remove_from_cart", "P3"),
            ("s3", None, "2026-06-12 09:01", "view", "P2"),
            ("s4", "W1", "2026-07-01 09:01", "view", "P2"),
        ],
        columns=["session_id", "account_id", "happened_at", "event", "product_id"],
    ).assign(happened_at=lambda table: pd.to_datetime(table["happened_at"]))
    table = attention_table(events, "2026-06-30", customer="account_id")
    assert table.to_numpy().tolist() == [["W1", 2, 2, 3, 1, 2, 1, 19]]
    web = load("web_events")
    seen = attention_table(web, "2026-06-30", customer="account_id")
    logged_in = web.dropna(subset="account_id")
    assert len(seen) == logged_in["account_id"].nunique()
    assert seen["views"].sum() == logged_in["event"].eq("view").sum()
    assert seen["days_since"].between(0, 30).all()


def test_the_recommendation_score_is_that_of_chapter_2():
    from cimlab import analysis, collection

    assert analysis.net_promoter_score is collection.net_promoter_score
    assert "net_promoter_score" in analysis.__all__


# ---- value -----------------------------------------------------------------------------------------------------------

LINES = pd.DataFrame(
    {
        "order_id": ["o1", "o2", "o2", "o3", "o5"],
        "product_id": ["P1", "P1", "P2", "P2", "P1"],
        "quantity": [1, 1, 2, 8, 3],
        "amount": [10.0, 10.0, 10.0, 40.0, 30.0],
    }
)
PRODUCTS = pd.DataFrame({"product_id": ["P1", "P2"], "unit_cost": [7.0, 3.0]})


def test_profit_is_what_is_left():
    returns = pd.DataFrame(
        {"order_id": ["o3", "o3"], "returned_on": pd.to_datetime(["2026-04-20", "2026-05-02"]), "refund": [5.0, 5.0]}
    )
    table = value_table(ORDERS, LINES, PRODUCTS, "2026-04-30", returns=returns).set_index("customer_id")
    assert table.loc["a", ["orders", "revenue", "cost", "refunds", "profit"]].tolist() == [2, 60, 37, 5, 18]
    assert table.loc["b", ["revenue", "cost", "profit"]].tolist() == [40, 28, 12]
    assert table.loc["b", "margin"] == 0.3 and table.index.tolist() == ["a", "b"]
    lately = value_table(ORDERS, LINES, PRODUCTS, "2026-04-30", days=21).set_index("customer_id")
    assert lately["revenue"].to_dict() == {"a": 40, "b": 30}, "21 days are 10 to 30 April"
    with pytest.raises(ValueError, match="the cost of order o6 is not known"):
        value_table(ORDERS, LINES, PRODUCTS, "2026-05-01")


def test_the_retailers_profit_adds_up(orders):
    lines, products = load("order_lines"), load("products")
    table = value_table(
        orders, lines, products, "2026-06-30", days=730, returns=load("returns"), customer="customer_ref"
    )
    known = lines[lines["order_id"].isin(orders.loc[orders["customer_ref"].notna(), "order_id"])]
    assert table["revenue"].sum() == pytest.approx(known["amount"].sum())
    cost = (known["quantity"] * known["product_id"].map(products.set_index("product_id")["unit_cost"])).sum()
    assert table["cost"].sum() == pytest.approx(cost)
    assert 0.05 < table["profit"].sum() / table["revenue"].sum() < 0.4


def test_value_matrix():
    table = pd.DataFrame({"now": [9.0, 9, 1, 1, None], "later": [9.0, 1, 9, 1, 9]})
    groups = value_matrix(table, "now", "later")["group"]
    assert groups.tolist()[:4] == ["platinum", "gold", "iron", "lead"] and pd.isna(groups[4])
    assert value_matrix(table, "now", "later", cuts=(0, 0))["group"].tolist()[:4] == ["platinum"] * 4


def test_wallets():
    table = pd.DataFrame({"city": list("xxxxy"), "spend": [10.0, 20, 30, 40, 7]})
    guessed = estimate_wallet(table, "spend", ["city"], quantile=0.5)
    assert guessed["wallet"].tolist() == [25, 25, 30, 40, 7]
    share = share_of_wallet(guessed, "spend", "wallet", by="city")
    assert share["share"].tolist() == pytest.approx([100 / 120, 1]) and share["gap"].tolist() == [20, 0]
    whole = share_of_wallet(guessed, "spend", "wallet")
    assert whole.to_numpy().tolist() == [[5, 107, 127, pytest.approx(107 / 127), 20]]
    with pytest.raises(ValueError, match="in 1 rows spend is more than wallet"):
        share_of_wallet(guessed.assign(wallet=[25, 25, 30, 39, 7]), "spend", "wallet")
