"""Labels in time, leaks, scores and what they earn: against hand counts, scikit-learn, and data of others."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, f1_score, precision_score, recall_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cimlab import load, mining, plots
from tests.outside_churn import telco_churn

CUTOFFS = ["2025-06-30", "2025-09-30", "2025-12-31", "2026-03-31"]


@pytest.fixture(scope="module")
def orders():
    return load("orders").rename(columns={"customer_ref": "customer_id"})


@pytest.fixture(scope="module")
def stacked(orders):
    return mining.stack_cutoffs(orders, CUTOFFS)


@pytest.fixture(scope="module")
def parts(stacked):
    return mining.split_in_time(stacked, "2026-03-31")


@pytest.fixture(scope="module")
def model(parts):
    return mining.fit_model(parts[0], "repurchase")


@pytest.fixture(scope="module")
def judged(parts, model):
    """What came on the test window, and the score."""
    return parts[1]["repurchase"], mining.predict_scores(model, parts[1])


@pytest.fixture(scope="module")
def telco():
    return telco_churn()


@pytest.fixture
def few():
    """Three customers around the last day of 2025."""
    rows = [
        ("K1", "o1", "web", "2025-12-01 10:00", 10.0),
        ("K1", "o2", "till", "2025-12-31 23:59", 20.0),
        ("K1", "o3", "web", "2026-01-01 00:00", 40.0),
        ("K2", "o4", "till", "2025-12-30 10:00", 5.0),
        ("K2", "o5", "till", "2026-01-31 00:00", 5.0),
        ("K3", "o6", "till", "2024-12-31 23:59", 99.0),
        (None, "o7", "till", "2026-01-10 10:00", 7.0),
        ("K4", "o8", "till", "2026-02-20 10:00", 7.0),
    ]
    table = pd.DataFrame(rows, columns=["customer_id", "order_id", "channel", "ordered_at", "amount"])
    return table.assign(ordered_at=pd.to_datetime(table["ordered_at"]))


class TestLabels:
    def test_the_cutoff_parts_features_and_target(self, few):
        table = mining.label_customers(few, "2025-12-31", days=30).set_index("customer_id")
        assert list(table.index) == ["K1", "K2"], "K3 bought a day too early, K4 not yet"
        first = table.loc["K1"]
        assert first[["recency", "frequency", "monetary", "tenure", "share_web"]].tolist() == [0, 2, 30.0, 30, 0.5]
        assert first["repurchase"] and not first["churn"], "midnight belongs to the window"
        assert table.loc["K2", "churn"], "the 31st day is after the window of 30 days"
        assert table["until"].eq(pd.Timestamp("2026-01-30")).all()
        assert mining.label_customers(few, "2025-12-31", days=31)["repurchase"].tolist() == [True, True]
        assert "K3" in set(mining.label_customers(few, "2025-12-31", days=30, lookback=366)["customer_id"])

    def test_a_window_that_is_not_over_has_no_target(self, few):
        table = mining.label_customers(few, "2026-01-31", days=30)
        assert table[["repurchase", "churn"]].isna().all(axis=None)
        with pytest.raises(ValueError, match=r"the 30 days after 2026-01-31 are not over .* \(2026-02-20\)"):
            mining.stack_cutoffs(few, ["2026-01-31"], days=30)

    def test_a_lookback_before_the_data_is_refused(self, orders):
        with pytest.raises(ValueError, match=r"the 365 days up to 2025-06-29 begin before the data do \(2024-07-01\)"):
            mining.stack_cutoffs(orders, ["2025-06-29"])

    def test_stacked_is_one_below_the_other(self, orders, stacked):
        assert not stacked.duplicated(["customer_id", "cutoff"]).any()
        assert (stacked["churn"] == ~stacked["repurchase"]).all() and stacked["churn"].dtype == "bool"
        for cutoff in CUTOFFS:
            alone = mining.label_customers(orders, cutoff).drop(columns=["repurchase", "churn"])
            same = stacked[stacked["cutoff"] == cutoff].reset_index(drop=True)[alone.columns]
            pd.testing.assert_frame_equal(same, alone)

    def test_features_do_not_change_with_the_future(self, orders):
        def build(rows, cutoff):
            return mining.label_customers(rows, cutoff)[["customer_id", *mining.FEATURES]]

        found = mining.compare_without_future(build, orders, "2025-12-31")
        assert found["verdict"].eq("fine").all() and found["feature"].tolist() == mining.FEATURES

    def test_bad_input(self, few):
        with pytest.raises(ValueError, match="orders table has no column channel"):
            mining.label_customers(few.drop(columns="channel"), "2025-12-31")
        with pytest.raises(ValueError, match="nobody bought in the 365 days up to 2020-01-01"):
            mining.label_customers(few, "2020-01-01")


class TestSplit:
    def test_what_is_learned_lies_before_what_is_tested(self, stacked):
        for cutoff in CUTOFFS[1:]:
            train, test = mining.split_in_time(stacked, cutoff)
            assert train["until"].max() <= pd.Timestamp(cutoff) and test["cutoff"].eq(cutoff).all()
        train, _ = mining.split_in_time(stacked, "2025-12-31")
        assert train["cutoff"].nunique() == 2
        longer = stacked.assign(until=stacked["cutoff"] + pd.Timedelta(days=100))
        train, _ = mining.split_in_time(longer, "2025-12-31")
        assert set(train["cutoff"]) == {pd.Timestamp("2025-06-30")}, (
            "the window of the second cutoff overlaps the test, so it is left out"
        )

    def test_bad_input(self, stacked):
        with pytest.raises(ValueError, match="no cutoff 2026-01-01 in the table; there are: 2025-06-30, 2025-09-30"):
            mining.split_in_time(stacked, "2026-01-01")
        with pytest.raises(ValueError, match="no window was over on 2025-06-30"):
            mining.split_in_time(stacked, "2025-06-30")
        with pytest.raises(ValueError, match="stacked table has no column until"):
            mining.split_in_time(stacked.drop(columns="until"), "2025-06-30")


class TestModel:
    def test_logistic_is_that_of_scikit_learn(self, parts, judged):
        x, y = np.log1p(parts[0][mining.FEATURES].to_numpy()), parts[0]["repurchase"]
        theirs = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)
        told = theirs.predict_proba(np.log1p(parts[1][mining.FEATURES].to_numpy()))[:, 1]
        assert np.abs(judged[1] - told).max() < 1e-3

    @pytest.mark.parametrize("method", mining.MODEL_METHODS)
    def test_the_same_in_any_order_and_at_any_time(self, parts, method):
        once, again = (
            mining.fit_model(part, "repurchase", method=method) for part in (parts[0], parts[0].sample(frac=1))
        )
        first, second = (mining.predict_scores(each, parts[1]) for each in (once, again))
        assert np.abs(first - second).max() < 1e-9
        assert first.index.equals(parts[1].index) and first.name == "score"
        assert 0.6 < roc_auc_score(parts[1]["repurchase"], first) < 0.9

    def test_weights_raise_the_scores_and_keep_the_order(self, parts, judged):
        weighted = mining.predict_scores(mining.fit_model(parts[0], "repurchase", weighted=True), parts[1])
        assert weighted.mean() > judged[1].mean() + 0.1
        assert weighted.corr(judged[1], method="spearman") > 0.98

    def test_bad_input(self, parts):
        train = parts[0]
        for change, told in [
            ({"features": ["recency", "repurchase"]}, "the target repurchase is among the features"),
            ({"method": "forest"}, "method must be one of logistic, boosting, not 'forest'"),
            ({"features": ["recency", "visits"]}, "the table has no column visits"),
            ({"features": ["customer_id"]}, "the feature customer_id holds no numbers"),
        ]:
            with pytest.raises(ValueError, match=told):
                mining.fit_model(train, "repurchase", **change)
        with pytest.raises(ValueError, match="recency has 1 blanks"):
            mining.fit_model(train.assign(recency=train["recency"].where(train.index != 5)), "repurchase")
        with pytest.raises(ValueError, match="recency has values below 0"):
            mining.fit_model(train.assign(recency=-1), "repurchase")
        with pytest.raises(ValueError, match="repurchase is the same for all"):
            mining.fit_model(train[train["repurchase"]], "repurchase")
        with pytest.raises(ValueError, match=r"repurchase is missing in .* the window is not over"):
            mining.fit_model(train.assign(repurchase=pd.NA), "repurchase")
        with pytest.raises(ValueError, match="recency must be True or False"):
            mining.fit_model(train, "recency", ["tenure"])

    def test_oversampling_repeats_the_rare(self, parts):
        more = mining.oversample(parts[0], "repurchase")
        assert more["repurchase"].mean() == 0.5
        assert more.head(len(parts[0])).equals(parts[0]) and set(more.index) == set(parts[0].index)
        assert mining.oversample(parts[0], "churn")["churn"].mean() == 0.5, "the rare class may be False"

    def test_oversampling_before_the_split_lies(self, orders):
        """Copies of one row on both sides: a forest remembers them."""
        table = mining.label_customers(orders, "2026-03-31", days=30)
        table["repurchase"] = table["repurchase"].astype("bool")
        honest = forest_auc(table, mining.FEATURES, "repurchase")
        assert forest_auc(mining.oversample(table, "repurchase"), mining.FEATURES, "repurchase") > honest + 0.15

    def test_importance_finds_what_matters(self, parts, model):
        test = parts[1].assign(noise=np.random.default_rng(1).random(len(parts[1])))
        noisy = parts[0].assign(noise=np.random.default_rng(2).random(len(parts[0])))
        table = mining.importance_table(
            mining.fit_model(noisy, "repurchase", [*mining.FEATURES, "noise"]), test, "repurchase"
        )
        table = table.set_index("feature")
        assert (
            table.index[0] in ("frequency", "recency", "recent_orders") and abs(table.loc["noise", "importance"]) < 0.01
        )
        assert (table["low"] <= table["importance"]).all() and (table["importance"] <= table["high"]).all()
        one, two = (
            mining.importance_table(model, rows, "repurchase", 3) for rows in (parts[1], parts[1].sample(frac=1))
        )
        pd.testing.assert_frame_equal(one, two)


def forest_auc(table, features, target):
    """Return the mean AUC of a forest over three random folds."""
    aucs = []
    for train, test in StratifiedKFold(3, shuffle=True, random_state=1).split(table, table[target]):
        forest = RandomForestClassifier(100, random_state=1)
        forest.fit(table.iloc[train][features], table.iloc[train][target])
        aucs.append(roc_auc_score(table.iloc[test][target], forest.predict_proba(table.iloc[test][features])[:, 1]))
    return np.mean(aucs)


class TestLeaks:
    def test_a_planted_leak_is_found(self, orders, parts):
        last = orders.groupby("customer_id")["ordered_at"].max()
        leaky = parts[1].assign(silent=(pd.Timestamp("2026-06-30") - parts[1]["customer_id"].map(last)).dt.days)
        found = mining.scan_features(leaky, "repurchase", [*mining.FEATURES, "silent"]).set_index("feature")
        assert found.index[0] == "silent" and found.loc["silent", ["direction", "verdict"]].tolist() == [
            "low",
            "suspect",
        ]
        assert (found.drop("silent")["verdict"] == "fine").all()
        assert found.loc["recency", "auc"] == pytest.approx(1 - roc_auc_score(leaky["repurchase"], leaky["recency"]))
        assert mining.scan_features(leaky, "repurchase", ["recency"], limit=0.6)["verdict"].item() == "suspect"

    def test_a_quiet_leak_is_found_without_the_future(self, orders):
        def careless(rows, cutoff):
            rows = rows.dropna(subset="customer_id")
            known = rows[rows["ordered_at"] < pd.Timestamp(cutoff) + pd.Timedelta(days=1)].groupby("customer_id").size()
            mean = rows.groupby("customer_id")["amount"].mean().reindex(known.index)
            return pd.DataFrame({"orders": known, "mean": mean, "name": "same", "blank": np.nan}).reset_index()

        found = mining.compare_without_future(careless, orders, "2026-03-31").set_index("feature")
        assert found["verdict"].to_dict() == {"orders": "fine", "mean": "leak", "name": "fine", "blank": "fine"}
        assert found.loc["mean", "share"] == found.loc["mean", "changed"] / found.loc["mean", "customers"]

    def test_bad_input(self, orders, parts):
        with pytest.raises(ValueError, match="no row lies after 2026-06-30"):
            mining.compare_without_future(mining.label_customers, orders, "2026-06-30")
        with pytest.raises(ValueError, match="must return a column customer_id, with each customer once"):
            mining.compare_without_future(lambda rows, _: rows, orders, "2025-06-30")
        with pytest.raises(ValueError, match="holds no numbers"):
            mining.scan_features(parts[1], "repurchase", ["customer_id"])


class TestJudging:
    def test_measures_are_those_of_scikit_learn(self, judged):
        actual, score = judged
        told = mining.judge_scores(actual, score, threshold=0.4)
        said = score >= 0.4
        theirs = [roc_auc_score(actual, score), brier_score_loss(actual, score), (said == actual).mean()]
        assert told[["auc", "brier", "accuracy"]].tolist() == pytest.approx(theirs)
        theirs = [precision_score(actual, said), recall_score(actual, said), f1_score(actual, said)]
        assert told[["precision", "recall", "f1"]].tolist() == pytest.approx(theirs)
        assert told["accuracy_base"] == pytest.approx(1 - actual.mean()) and told["found"] == said.sum()

    def test_nobody_found_has_no_precision(self):
        told = mining.judge_scores([True, False], [0.2, 0.1])
        assert np.isnan(told["precision"]) and told["recall"] == 0

    def test_auc_with_ties_is_that_of_scikit_learn(self, judged):
        coarse = judged[1].round(1)
        table = mining.compare_scores(
            judged[0], {"coarse": coarse, "score": judged[1], "same": judged[1] * 2}, draws=100
        )
        assert table.loc[0, "auc"] == pytest.approx(roc_auc_score(judged[0], coarse))
        assert table.loc[0, ["gain", "gain_low", "gain_high"]].tolist() == [0, 0, 0]
        assert table.loc[1, ["auc", "low", "high"]].tolist() == table.loc[2, ["auc", "low", "high"]].tolist()
        assert (table["low"] < table["auc"]).all() and (table["auc"] < table["high"]).all()

    def test_the_interval_holds_what_theory_says(self):
        """Hanley and McNeil (1982): with independent normals, the standard error of an AUC is known."""
        draw = np.random.default_rng(3)
        actual = np.repeat([True, False], 300)
        score = draw.normal(size=600) + actual
        row = mining.compare_scores(actual, {"x": score}, draws=800).iloc[0]
        auc = row["auc"]
        one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
        error = np.sqrt((auc * (1 - auc) + 299 * (one - auc**2) + 299 * (two - auc**2)) / 300**2)
        assert (row["high"] - row["low"]) / 3.92 == pytest.approx(error, rel=0.15)

    def test_order_of_rows_plays_no_part(self, judged):
        actual, score = judged[0], judged[1].round(1)
        mixed = score.sample(frac=1, random_state=3).index
        pairs = [(actual, score), (actual[mixed], score[mixed])]
        for make in (
            lambda a, s: mining.lift_table(a, s),
            lambda a, s: mining.calibration_table(a, s),
            lambda a, s: mining.profit_curve(a, s, 100, 5, 0.1),
            lambda a, s: mining.profit_bands(a, s, 100, 5, 0.1, draws=20)[0],
            lambda a, s: mining.compare_scores(a, {"s": s}, draws=20),
        ):
            pd.testing.assert_frame_equal(make(*pairs[0]), make(*pairs[1]))

    def test_calibration_groups(self, judged):
        actual, score = judged
        table = mining.calibration_table(actual, score, bins=5)
        group = pd.qcut(score, 5, labels=False)
        assert table["actual"].tolist() == pytest.approx(actual.groupby(group).mean().tolist())
        assert table["predicted"].tolist() == pytest.approx(score.groupby(group).mean().tolist())
        assert table["customers"].sum() == len(actual) and table["group"].tolist() == [1, 2, 3, 4, 5]
        assert table["low"].lt(table["actual"]).all() and table["high"].gt(table["actual"]).all()
        assert (table["inside"] == table["predicted"].between(table["low"], table["high"])).all()
        assert len(mining.calibration_table(actual, np.full(len(actual), 0.3))) == 1

    def test_recalibration_mends_what_weights_broke(self, stacked):
        train, later = mining.split_in_time(stacked, "2025-12-31")
        test = stacked[stacked["cutoff"] == "2026-03-31"]
        model = mining.fit_model(train, "repurchase", weighted=True)
        raw, broken = mining.predict_scores(model, later), mining.predict_scores(model, test)
        before = mining.judge_scores(test["repurchase"], broken)
        for method in ("platt", "isotonic"):
            bent = mining.recalibrate(later["repurchase"], raw, method)(broken)
            after = mining.judge_scores(test["repurchase"], bent)
            assert after["brier"] < before["brier"] - 0.01 and abs(after["predicted"] - after["rate"]) < 0.03
            assert bent.index.equals(test.index)
        theirs = IsotonicRegression(out_of_bounds="clip").fit(raw, later["repurchase"]).predict(broken)
        assert np.abs(bent - theirs).max() < 1e-9
        assert mining.recalibrate(later["repurchase"], raw)([0.0, 0.5, 1.0]).tolist() == sorted(
            mining.recalibrate(later["repurchase"], raw)([0.0, 0.5, 1.0])
        )

    def test_lift_by_hand(self, judged):
        actual, score = judged
        table = mining.lift_table(actual, score)
        line = actual[score.sort_values(ascending=False).index].to_numpy()
        tenth = len(line) // 10
        assert table.loc[0, "hits"] == pytest.approx(line[: table.loc[0, "customers"]].sum())
        assert table.loc[0, "lift"] == pytest.approx(line[: table.loc[0, "customers"]].mean() / line.mean())
        assert set(table["customers"]) <= {tenth, tenth + 1} and table["customers"].sum() == len(line)
        assert table["hits"].sum() == line.sum() and table["gain"].iloc[-1] == pytest.approx(1)
        assert table["contacted"].iloc[-1] == 1 and table["lift_so_far"].iloc[-1] == pytest.approx(1)

    def test_equal_scores_give_equal_lift(self):
        table = mining.lift_table([True, False, False, False] * 10, np.zeros(40), parts=4)
        assert table["lift"].tolist() == pytest.approx([1] * 4)

    def test_bad_input(self, judged):
        actual, score = judged
        for wrong, told in [
            ((actual, score.head(3)), "different indexes"),
            ((actual.to_numpy(), score.head(3)), "outcomes and 3 scores"),
            ((actual, score + 1), "not between 0 and 1: take the probability"),
            ((actual, score.where(score < 0.5)), "scores are missing"),
            ((actual.where(score < 0.5), score), "must be True or False"),
            (([True, True], [0.1, 0.2]), "all 2 customers did the same"),
        ]:
            with pytest.raises(ValueError, match=told):
                mining.judge_scores(*wrong)
        with pytest.raises(ValueError, match="4 customers cannot be sorted into 10 parts"):
            mining.lift_table([True, False] * 2, [1, 2, 3, 4])
        with pytest.raises(ValueError, match="4 customers cannot be sorted into 0 groups"):
            mining.calibration_table([True, False] * 2, [0.1, 0.2, 0.3, 0.4], bins=0)
        with pytest.raises(ValueError, match="method must be platt or isotonic, not 'sigmoid'"):
            mining.recalibrate(actual, score, "sigmoid")
        with pytest.raises(ValueError, match="no score to compare"):
            mining.compare_scores(actual, {})


class TestProfit:
    def test_each_number_of_contacts_by_hand(self, judged):
        actual, score = judged
        curve = mining.profit_curve(actual, score, value=100, cost=5, success=0.2)
        line = actual[score.sort_values(ascending=False).index].to_numpy()
        for n in (1, 50, 700, len(line)):
            row = curve.loc[n]
            hits = line[:n].sum()
            told = row[["contacted", "hits", "precision", "recall", "profit"]].tolist()
            assert told == pytest.approx([n, hits, hits / n, hits / line.sum(), hits * 20 - n * 5])
        assert curve.loc[0, ["hits", "profit"]].tolist() == [0, 0] and len(curve) == len(line) + 1
        assert curve.loc[1, "score"] == score.max() and curve["score"].iloc[-1] == score.min()

    def test_best_is_the_highest_and_the_smallest(self):
        curve = mining.profit_curve([True, False, True, False], [4, 3, 2, 1], value=10, cost=5)
        assert curve["profit"].tolist() == [0, 5, 0, 5, 0]
        assert mining.best_contacts(curve)["contacted"] == 1
        nobody = mining.profit_curve([False, True], [2, 1], value=10, cost=9)
        assert mining.best_contacts(nobody)[["contacted", "profit"]].tolist() == [0, 0]

    def test_a_true_probability_needs_no_curve(self):
        """Where the score is the probability, the best number is all those above the break-even."""
        draw = np.random.default_rng(7)
        score = draw.random(40_000)
        curve = mining.profit_curve(draw.random(40_000) < score, score, value=50, cost=5, success=0.2)
        least = mining.break_even(50, 5, 0.2)
        assert least == 0.5
        near = curve.loc[(score >= least).sum(), "profit"]
        assert near > 0.99 * mining.best_contacts(curve)["profit"]

    def test_bands_hold_the_curve_and_narrow_with_more_customers(self, judged):
        actual, score = judged
        curve = mining.profit_curve(actual, score, 100, 5, 0.2)
        bands, best = mining.profit_bands(actual, score, 100, 5, 0.2)
        at = np.interp(bands["contacted"], curve["contacted"], curve["profit"])
        assert (bands["low"] <= at + 1e-9).all() and (at <= bands["high"] + 1e-9).all()
        assert best.between(0, len(actual)).all() and len(best) == 300
        end = 20 * np.sqrt(len(actual) * actual.mean() * (1 - actual.mean()))
        assert (bands["high"] - bands["low"]).iloc[-1] == pytest.approx(2 * 1.645 * end, rel=0.15), "a binomial count"
        again, _ = mining.profit_bands(actual, score, 100, 5, 0.2)
        pd.testing.assert_frame_equal(bands, again)

    def test_bad_input(self, judged):
        for numbers in ((0, 5, 0.1), (100, -1, 0.1), (100, 5, 0), (100, 5, 10)):
            with pytest.raises(
                ValueError, match="value must be above 0, cost 0 or more, success above 0 and at most 1"
            ):
                mining.profit_curve(*judged, *numbers)
        with pytest.raises(ValueError, match="profit curve has no column profit"):
            mining.best_contacts(pd.DataFrame({"contacted": [1]}))


class TestPictures:
    @pytest.fixture(autouse=True)
    def clean(self, clean_matplotlib):
        """Begin with Matplotlib as it is at the start."""

    def test_calibration_draws_what_came_over_what_was_promised(self, judged):
        table = mining.calibration_table(*judged, bins=5)
        ax = plots.calibration(
            {"model": table, "half": table.assign(predicted=table["predicted"] / 2)}, "Two", "bought"
        )
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert names == ["as promised", "model", "half"]
        drawn = ax.containers[0].lines[0]
        assert list(drawn.get_xdata()) == pytest.approx((100 * table["predicted"]).tolist())
        assert list(drawn.get_ydata()) == pytest.approx((100 * table["actual"]).tolist())
        assert (ax.get_title(), ax.get_ylabel()) == ("Two", "bought (%)")
        with pytest.raises(ValueError, match="calibration needs the column low"):
            plots.calibration(table.drop(columns="low"), "x")
        plt.close("all")

    def test_profit_marks_the_best_and_the_chosen(self, judged):
        curve = mining.profit_curve(*judged, 100, 5, 0.1)
        bands, _ = mining.profit_bands(*judged, 100, 5, 0.1, draws=20)
        ax = plots.profit(curve, "Profit", chosen=50, bands=bands)
        best = mining.best_contacts(curve)
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert names[0] == "90 % of the draws" and f"best: {best['contacted']:,.0f} contacted" in names[2]
        assert names[3] == f"chosen: 50 contacted, {curve.loc[50, 'profit']:,.0f} CNY"
        with pytest.raises(ValueError, match="9999 contacts are not in the curve"):
            plots.profit(curve, "x", chosen=9999)
        with pytest.raises(ValueError, match="profit needs the column profit"):
            plots.profit(bands, "x")
        plt.close("all")


@pytest.mark.outside
class TestTelco:
    """IBM's Telco data: published models reach an AUC of about .845 by logistic regression."""

    def test_logistic_regression_in_five_folds(self, telco):
        table, features = telco
        assert (len(table), int(table["churn"].sum())) == (7043, 1869)
        scored = []
        for train, test in StratifiedKFold(5, shuffle=True, random_state=1).split(table, table["churn"]):
            score = mining.predict_scores(mining.fit_model(table.iloc[train], "churn", features), table.iloc[test])
            scored.append((table.iloc[test]["churn"], score))
        aucs = [mining.judge_scores(*pair)["auc"] for pair in scored]
        assert np.mean(aucs) == pytest.approx(0.845, abs=0.014) and np.std(aucs) < 0.02
        actual, score = (pd.concat(part) for part in zip(*scored, strict=True))
        assert mining.calibration_table(actual, score)["gap"].abs().max() < 0.07
        assert 2.5 < mining.lift_table(actual, score).loc[0, "lift"] < 3.1

    def test_boosting_is_as_good(self, telco):
        table, features = telco
        train = table.sample(frac=0.8, random_state=1)
        test = table.drop(train.index)
        two = {
            way: mining.predict_scores(mining.fit_model(train, "churn", features, way), test)
            for way in mining.MODEL_METHODS
        }
        compared = mining.compare_scores(test["churn"], two, draws=200)
        assert compared["auc"].between(0.82, 0.87).all() and compared.loc[1, "gain"] == pytest.approx(0, abs=0.02)

    def test_oversampling_before_the_split_gives_the_too_good_auc(self, telco):
        table, features = telco
        assert forest_auc(table, features, "churn") == pytest.approx(0.825, abs=0.03)
        assert forest_auc(mining.oversample(table, "churn"), features, "churn") == pytest.approx(0.955, abs=0.025)

    def test_no_feature_alone_is_too_good(self, telco):
        table, features = telco
        assert mining.scan_features(table, "churn", features)["verdict"].eq("fine").all()
