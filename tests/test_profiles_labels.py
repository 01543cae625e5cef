"""Chapter on profiles: labels with weight and lineage, a model's label, fading, coverage, conflicts, change."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from cimlab import load, profiles
from cimlab.profiles import (
    EXCLUSIVE,
    HALF_LIFE,
    LABEL_COLUMNS,
    RULES,
    check_rules,
    combine_labels,
    decay_labels,
    fact_labels,
    label_changes,
    label_conflicts,
    label_coverage,
    model_labels,
    profile_stability,
    purchase_lines,
    repurchase_scores,
    repurchase_table,
    resolve_conflicts,
    rule_labels,
    supporting_lines,
)
from cimlab.profiles.labels import check_labels, cite

DAY = "2026-06-30"


def lines_of(*rows):
    """Make lines of purchases: (customer, order, day, category, channel, amount, discount)."""
    names = ["customer_id", "order_id", "ordered_at", "category", "channel", "amount", "discount"]
    table = pd.DataFrame(rows, columns=names).assign(line_no=1, product_id="P1", quantity=1, unit_price=1.0)
    return table.assign(ordered_at=pd.to_datetime(table["ordered_at"]))


LINES = lines_of(
    ("K1", "o1", "2026-05-01 09:00", "baby", "web", 60.0, 0.0),
    ("K1", "o2", "2026-06-30 23:59", "snacks", "web", 40.0, 0.2),
    ("K1", "o3", "2026-07-01 00:00", "baby", "web", 900.0, 0.0),  # a day later: not known yet
    ("K1", "o0", "2025-06-30 23:59", "pet", "web", 900.0, 0.0),  # 366 days back: out of the window
    ("K2", "o4", "2026-06-01 09:00", "baby", "till", 50.0, 0.0),  # one purchase is no evidence
    ("K3", "o5", "2025-12-31 09:00", "pet", "till", 50.0, 0.0),
)


def rule(**changes):
    base = {"label": "x", "label_zh": "某", "condition": "category == 'baby'", "window": 365}
    return pd.DataFrame(
        [{**base, "measure": "share of spend", "at_least": 0.25, "full": 0.8, "evidence": 2, **changes}]
    )


def label(customer, name, kind="rule", weight=0.5, seen_on="2026-06-30"):
    row = [customer, name, "某", kind, weight, pd.Timestamp(seen_on), pd.Timestamp(seen_on), "orders o1"]
    return pd.DataFrame([row], columns=LABEL_COLUMNS)


@pytest.fixture(scope="module")
def known():
    tables = [load(name) for name in ("orders", "order_lines", "products")]
    records = pd.concat([load("members")["member_id"], load("web_accounts")["account_id"]])
    return purchase_lines(*tables, pd.DataFrame({"record_id": records, "customer_id": records}), DAY)


# ---- facts -----------------------------------------------------------------------------------------------------------


def test_facts_come_from_records_and_name_them():
    members = pd.DataFrame({"member_id": ["M1", "M2", "M3", "M4"], "tier": ["gold", "gold", "basic", "gold"]})
    members["joined_on"] = pd.to_datetime(["2025-05-05", "2024-01-05", "2024-01-06", "2024-01-07"])
    who = pd.DataFrame({"record_id": ["M1", "M2", "M3"], "customer_id": ["K1", "K1", "K2"]})
    names = {"gold": ("gold card", "金卡会员")}
    found = fact_labels(members, who, "member_id", "tier", names, "joined_on", "members")
    assert len(found) == 1 and found.columns.tolist() == LABEL_COLUMNS, "M4 belongs to nobody, basic has no label"
    row = found.iloc[0]
    assert row[["customer_id", "label", "label_zh", "kind", "weight"]].tolist() == [
        "K1",
        "gold card",
        "金卡会员",
        "fact",
        1,
    ]
    assert [row["since"], row["seen_on"]] == [pd.Timestamp("2024-01-05"), pd.Timestamp("2025-05-05")]
    assert row["source"] == "members M2, M1 (2): tier is gold"
    with pytest.raises(
        ValueError, match=r"no record of members .* has tier in \['platinum'\]; it has 'gold', 'basic', …"
    ):
        fact_labels(members, who, "member_id", "tier", {"platinum": ("p", "白")}, "joined_on", "members")
    assert cite(["a", "b", "a", "c", "d"]) == "a, b, c, … (4)"


# ---- rules -----------------------------------------------------------------------------------------------------------


def test_what_the_help_on_rules_names_can_be_printed():
    names = set(re.findall("`([A-Z_]+)`", rule_labels.__doc__))
    assert {"MEASURES", "RULE_COLUMNS", "RULES"} <= names <= set(profiles.__all__)
    assert set(RULES["measure"]) <= set(profiles.MEASURES) and list(RULES) == profiles.RULE_COLUMNS


def test_a_rule_looks_back_over_its_window_and_no_further():
    found = rule_labels(LINES, DAY, rule())
    assert found["customer_id"].tolist() == ["K1"], "K2 has bought once only"
    row = found.iloc[0]
    assert row["weight"] == pytest.approx(0.6 / 0.8)
    assert (
        row["source"]
        == "order_lines o1-1 (1): share of spend where category == 'baby' in 365 days is 0.6, at least 0.25"
    )
    assert row["since"] == row["seen_on"] == pd.Timestamp("2026-05-01")
    assert rule_labels(LINES, DAY, rule(evidence=1))["customer_id"].tolist() == ["K1", "K2"]
    assert rule_labels(LINES, DAY, rule(at_least=0.61)).empty
    assert rule_labels(LINES, DAY, rule(at_least=0.6))["weight"].tolist() == [0.75], "at least holds at the limit"
    assert rule_labels(LINES, DAY, rule(full=0.5))["weight"].tolist() == [1], "a weight is never above 1"
    wide = rule_labels(LINES, DAY, rule(window=366, condition="category == 'pet'")).set_index("customer_id")
    assert wide.loc["K1", "weight"] == 1 and len(rule_labels(LINES, DAY, rule(condition="category == 'pet'"))) == 0
    assert rule_labels(LINES, "2026-07-01", rule())["weight"].tolist() == [1], "the next day knows the next purchase"


@pytest.mark.parametrize(
    ("measure", "condition", "at_least", "full", "told"),
    [
        ("orders", "", 2, 4, {"K1": 0.5}),
        ("spend", "", 75, 200, {"K1": 0.5}),
        ("share of orders", "channel == 'web'", 0.5, 1, {"K1": 1.0}),
        ("share of spend", "discount > 0", 0.4, 1, {"K1": 0.4}),
        ("days since", "", 100, 362, {"K3": 0.5}),
    ],
)
def test_each_measure(measure, condition, at_least, full, told):
    found = rule_labels(
        LINES, DAY, rule(measure=measure, condition=condition, at_least=at_least, full=full, evidence=1)
    )
    assert found.set_index("customer_id")["weight"].to_dict() == told


def test_a_silence_begins_when_it_is_long_enough_and_is_seen_today():
    found = rule_labels(LINES, DAY, RULES[RULES["label"] == "long away"]).iloc[0]
    assert [found["since"], found["seen_on"]] == [pd.Timestamp("2026-06-29"), pd.Timestamp(DAY)]
    assert "o5-1 (1)" in found["source"] and found["weight"] == pytest.approx(181 / 365, abs=1e-4)


def test_no_rule_met_gives_an_empty_table_that_still_combines():
    none = rule_labels(LINES, DAY, rule(condition="category == 'drinks'"))
    assert none.empty and none.columns.tolist() == LABEL_COLUMNS
    assert combine_labels(none).empty and len(combine_labels(none, label("K1", "y"))) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"measure": "sum"}, r"rule 'x': the measure 'sum' is unknown; choose one of: orders"),
        ({"at_least": 0.9}, "rule 'x': at_least is 0.9 and full is 0.8"),
        ({"at_least": 0}, "rule 'x': at_least is 0 and full"),
        ({"window": 0}, "rule 'x': the window is 0 days"),
        ({"condition": "group == 'baby'"}, r"rule 'x': the condition .* cannot be read .*the columns are: customer_id"),
        ({"condition": "category =="}, "rule 'x': the condition .* cannot be read"),
    ],
)
def test_a_rule_that_cannot_be_applied_is_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        rule_labels(LINES, DAY, rule(**changes))


def test_the_tables_of_rules_are_checked():
    check_rules(RULES)
    with pytest.raises(ValueError, match="the label 'likes fruit' has two rules"):
        check_rules(pd.concat([RULES, RULES.head(1)]))
    with pytest.raises(ValueError, match="no column evidence"):
        check_rules(RULES.drop(columns="evidence"))
    assert {name for names in EXCLUSIVE.values() for name in names} - set(RULES["label"]) == {
        *("basic card", "silver card", "gold card", "likely to return")
    }


def test_the_lineage_leads_back_to_the_records(known):
    labels = rule_labels(known, DAY)
    check_labels(labels)
    assert labels["source"].str.match(r"order_lines \w+-\d+.* \(\d+\): ").all()
    for row in labels.groupby("label").head(2).itertuples():
        behind = supporting_lines(known, row.label, row.customer_id, DAY)
        assert set(behind["customer_id"]) == {row.customer_id} and len(behind)
        cited = row.source.split("order_lines ")[1].split(",")[0].split(" (")[0]
        assert cited in (behind["order_id"] + "-" + behind["line_no"].astype("str")).tolist()
        if row.label.startswith("likes "):
            mine = known[(known["customer_id"] == row.customer_id) & (known["ordered_at"] >= "2025-07-01")]
            share = behind["amount"].sum() / mine["amount"].sum()
            assert row.weight == pytest.approx(min(share / 0.6, 1), abs=1e-3) and share >= 0.25
    with pytest.raises(ValueError, match="no rule makes the label 'rich'; there are: likes fruit"):
        supporting_lines(known, "rich", "K1", DAY)


def test_labels_are_checked_when_they_are_combined():
    good = label("K1", "x")
    assert combine_labels(label("K2", "x"), good, label("K1", "y", weight=0.9))["label"].tolist() == ["y", "x", "x"]
    for wrong, says in (
        (good.assign(weight=1.2), "weight of label 'x' of customer K1 is 1.2"),
        (good.assign(weight=np.nan), "weight of label 'x' of customer K1 is nan"),
        (good.assign(kind="guess"), "kind 'guess' is unknown; choose one of: fact, rule, model"),
        (good.assign(source=None), "row 0 of the labels lacks"),
        (pd.concat([good, good]), "customer K1 has the label 'x' twice"),
        (good.drop(columns="since"), "no column since"),
    ):
        with pytest.raises(ValueError, match=says):
            combine_labels(wrong)


# ---- model -----------------------------------------------------------------------------------------------------------


def test_what_the_model_knows_ends_at_the_day_and_what_it_predicts_begins_after():
    lines = lines_of(
        ("K1", "o1", "2026-01-01 09:00", "baby", "web", 10.0, 0.0),
        ("K1", "o2", "2026-01-10 23:59", "baby", "web", 20.0, 0.0),
        ("K1", "o3", "2026-02-09 23:59", "baby", "web", 40.0, 0.0),
        ("K2", "o4", "2026-01-05 09:00", "baby", "web", 10.0, 0.0),
        ("K2", "o5", "2026-02-10 00:00", "baby", "web", 10.0, 0.0),
    )
    table = repurchase_table(lines, "2026-01-10", horizon=30).set_index("customer_id")
    assert table.loc["K1", ["recency", "frequency", "monetary", "tenure"]].tolist() == [0, 2, 30, 9]
    assert table["bought"].tolist() == [True, False], "the 30th day counts, the 31st does not"
    assert repurchase_table(lines, "2026-01-12", horizon=30)["bought"].isna().all(), "the horizon is not over yet"
    with pytest.raises(ValueError, match="nobody had bought by 2020-01-01"):
        repurchase_table(lines, "2020-01-01")


def test_the_future_does_not_leak_into_the_model(known):
    scores, report = repurchase_scores(known, "2026-03-31")
    cut, again = repurchase_scores(known[known["ordered_at"] < "2026-04-01"], "2026-03-31")
    pd.testing.assert_frame_equal(scores, cut)
    pd.testing.assert_frame_equal(report, again)


def test_the_score_finds_who_buys_again(known):
    scores, report = repurchase_scores(known, "2026-03-31")
    row = report.iloc[0]
    assert row["trained_at"] == pd.Timestamp("2025-10-02") and row["tested_at"] == pd.Timestamp("2025-12-31")
    assert 0.7 < row["auc"] < 0.9 and row["brier"] < 0.95 * row["brier_base"]
    assert row["predicted"] == pytest.approx(row["bought"], abs=0.05)
    truth = scores["customer_id"].isin(
        known.loc[known["ordered_at"].between("2026-04-01", "2026-06-29"), "customer_id"]
    )
    assert roc_auc_score(truth, scores["score"]) == pytest.approx(row["auc"], abs=0.06), "as good as the test said"


def test_a_model_that_cannot_be_fitted_says_why(known):
    with pytest.raises(ValueError, match="200 days ahead need purchases from 600 days before 2025-12-31"):
        repurchase_scores(known, "2025-12-31", horizon=200)
    with pytest.raises(ValueError, match="the purchases end before 2026-09-30"):
        repurchase_scores(known, "2026-09-30")


def test_model_labels_keep_score_and_source():
    scores = pd.DataFrame({"customer_id": ["K1", "K2"], "score": [0.5, 0.49]})
    found = model_labels(scores, "likely to return", "可能复购", DAY, "logistic regression")
    assert found["customer_id"].tolist() == ["K1"] and found["weight"].tolist() == [0.5]
    assert found["source"].item() == "model logistic regression: score 0.50, at least 0.5"
    assert found["kind"].item() == "model" and len(combine_labels(found)) == 1
    for bad, source, says in (
        (scores.assign(score=1.5), "m", "not between 0 and 1"),
        (scores.assign(score=0.2), "m", "nobody reaches a score of 0.5; the highest is 0.20"),
        (scores, " ", "needs its source"),
    ):
        with pytest.raises(ValueError, match=says):
            model_labels(bad, "x", "某", DAY, source)


# ---- keeping ---------------------------------------------------------------------------------------------------------


def test_weights_halve_with_the_half_life():
    labels = combine_labels(
        label("K1", "a", weight=0.8, seen_on="2026-01-01"),
        label("K2", "b", "fact", 1.0, "2016-01-01"),
        label("K3", "c", "model", 0.8, "2026-04-01"),
        label("K4", "d", weight=0.1, seen_on="2025-01-01"),
    )
    now = decay_labels(labels, DAY).set_index("label")
    assert now["weight"].to_dict() == {"a": 0.4, "b": 1.0, "c": 0.4}, "d has faded away"
    assert now["weight_then"].tolist() == [0.8, 1.0, 0.8]
    assert decay_labels(labels, DAY, {"a": 60})["weight"].iloc[0] == 0.1, "a label goes before its kind"
    assert decay_labels(labels, DAY, {"rule": None}, least=0)["weight"].tolist() == [0.8, 1, 0.4, 0.1]
    assert HALF_LIFE["fact"] is None
    with pytest.raises(ValueError, match="the half-life of a must be above 0 days"):
        decay_labels(labels, DAY, {"a": 0})
    with pytest.raises(ValueError, match="2 labels were seen after 2025-12-31"):
        decay_labels(labels, "2025-12-31")


def test_coverage_counts_customers():
    labels = combine_labels(label("K1", "a"), label("K2", "a", weight=0.7), label("K1", "b"), label("K9", "a"))
    report = label_coverage(labels, ["K1", "K2", "K3", "K4"]).set_index("label")
    assert report["customers"].to_dict() == {"a": 2, "b": 1, "any label": 2}, "K9 is not asked for"
    assert report["coverage"].to_dict() == {"a": 0.5, "b": 0.25, "any label": 0.5}
    assert report.loc["a", "weight"] == pytest.approx(0.6)
    with pytest.raises(ValueError, match="there are no customers"):
        label_coverage(labels, [])


def test_conflicts_are_found_and_resolved():
    labels = combine_labels(
        label("K1", "buys online", weight=0.7),
        label("K1", "buys in shops", weight=0.9),
        label("K1", "spends much"),
        label("K2", "long away", weight=0.6, seen_on="2026-01-01"),
        label("K2", "likely to return", "model", weight=0.6),
        label("K3", "buys online"),
    )
    found = label_conflicts(labels)
    assert found[["customer_id", "group", "keep"]].to_numpy().tolist() == [
        ["K1", "channel", "buys in shops"],
        ["K2", "outlook", "likely to return"],  # as heavy, but seen later
    ]
    assert found["weights"].tolist() == ["0.9, 0.7", "0.6, 0.6"]
    left = resolve_conflicts(labels)
    assert len(left) == 4 and label_conflicts(left).empty
    assert left.loc[left["customer_id"] == "K1", "label"].tolist() == ["buys in shops", "spends much"]
    assert label_conflicts(labels, {}).empty and resolve_conflicts(labels, {}).equals(labels)


def test_change_from_month_to_month():
    before = combine_labels(label("K1", "a"), label("K1", "b"), label("K2", "a"), label("K3", "b"))
    after = combine_labels(label("K1", "a", weight=0.1), label("K1", "c"), label("K2", "a"), label("K4", "a"))
    table = label_changes(before, after).set_index("label")
    assert table.loc["a"].tolist() == [2, 3, 2, 1, 0, 1 / 3]
    assert table.loc["b", ["before", "after", "kept", "gained", "lost", "changed"]].tolist() == [2, 0, 0, 0, 2, 1]
    assert table.loc["all labels"].tolist() == [4, 4, 2, 2, 2, 4 / 6]
    alike = profile_stability(before, after).set_index("customer_id")
    assert alike["alike"].to_dict() == {"K1": 1 / 3, "K2": 1, "K3": 0, "K4": 0}
    assert alike.loc["K1", ["before", "after"]].tolist() == [2, 2]
    assert label_changes(before, before)["changed"].eq(0).all()


def test_most_of_the_profiles_of_the_retailer_hold_for_a_month(known):
    june, may = rule_labels(known, DAY), rule_labels(known, "2026-05-31")
    changed = label_changes(may, june).set_index("label")["changed"]
    assert 0.05 < changed["all labels"] < 0.35
    assert changed["hunts offers"] > changed["long away"], "what a few purchases tell is less stable than a silence"
    assert 0.7 < profile_stability(may, june)["alike"].mean() < 0.97
