"""Segments: three methods, many criteria, names, value and moves, against scikit-learn and against planted groups."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, davies_bouldin_score, silhouette_score
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from cimlab import mining, profiles
from tests.outside import complete_journey

FRAME = {"habit": ["frequency"], "basket": ["basket"], "price": ["on_offer"]}


@pytest.fixture(scope="module")
def planted():
    """Three groups far from each other, 40, 30 and 20 customers, in two variables."""
    random = np.random.default_rng(5)
    centres = np.repeat([[0, 0], [8, 0], [0, 8]], [40, 30, 20], axis=0)
    index = pd.Index([f"K{number:03d}" for number in range(90)], name="customer_id")
    return pd.DataFrame(centres + random.normal(0, 0.7, (90, 2)), index=index, columns=["x", "y"])


@pytest.fixture(scope="module")
def truth(planted):
    return pd.Series(np.repeat(["many", "some", "few"], [40, 30, 20]), index=planted.index)


@pytest.fixture(scope="module")
def cloud():
    """No groups: even points."""
    return pd.DataFrame(np.random.default_rng(7).uniform(0, 1, (150, 2)), columns=["x", "y"])


@pytest.fixture(scope="module")
def judged(planted):
    return mining.choose_k(planted, ks=[2, 3, 4], rounds=4, draws=5)


class TestMethods:
    @pytest.mark.parametrize("method", mining.SEGMENT_METHODS)
    def test_each_method_finds_what_is_far_apart(self, planted, truth, method):
        found = mining.segment_customers(planted, 3, method)
        assert adjusted_rand_score(truth, found) == 1
        assert found.value_counts().to_dict() == {"C1": 40, "C2": 30, "C3": 20}, "the largest is C1"
        assert found.name == "cluster" and found.index.equals(planted.index)

    @pytest.mark.parametrize("method", mining.SEGMENT_METHODS)
    def test_the_order_of_the_rows_does_not_matter(self, cloud, method):
        shuffled = cloud.sample(frac=1, random_state=3)
        found = mining.segment_customers(cloud, 4, method)
        again = mining.segment_customers(shuffled, 4, method)
        assert again.index.equals(shuffled.index)
        pd.testing.assert_series_equal(again.sort_index(), found)

    def test_the_methods_are_those_of_scikit_learn(self, cloud):
        values = cloud.to_numpy()
        direct = {
            "k-means": KMeans(4, n_init=10, random_state=1).fit_predict(values),
            "Ward": AgglomerativeClustering(4, linkage="ward").fit_predict(values),
            "mixture": GaussianMixture(4, n_init=5, max_iter=500, reg_covar=0.01, random_state=1).fit_predict(values),
        }
        for method, labels in direct.items():
            assert adjusted_rand_score(labels, mining.segment_customers(cloud, 4, method)) == 1, method

    def test_agreement_is_a_mirror(self, cloud):
        table = mining.compare_methods(cloud, 4)
        assert list(table) == list(table.index) == list(mining.SEGMENT_METHODS)
        assert np.allclose(table, table.T) and np.allclose(np.diag(table), 1)
        pair = [mining.segment_customers(cloud, 4, method) for method in ("k-means", "Ward")]
        assert table.loc["Ward", "k-means"] == pytest.approx(adjusted_rand_score(*pair))
        assert table.loc["Ward", "k-means"] < 0.95, "even points are cut in several ways"

    def test_bad_input(self, planted):
        with pytest.raises(ValueError, match="no method 'kmeans'; choose one of k-means, Ward, mixture"):
            mining.segment_customers(planted, 3, "kmeans")
        for method in mining.SEGMENT_METHODS:
            with pytest.raises(ValueError, match=r"choose 2 or more|choose k from 2"):
                mining.segment_customers(planted, 1, method)
            with pytest.raises(ValueError, match="5 customers"):
                mining.segment_customers(planted.head(5), 3, method)
        blank = planted.copy()
        blank.iloc[2, 1] = np.nan
        with pytest.raises(ValueError, match="y has blanks"):
            mining.segment_customers(blank, 3)
        with pytest.raises(ValueError, match="K000 stands there twice"):
            mining.segment_customers(pd.concat([planted, planted.head(1)]), 3)


class TestHowMany:
    def test_every_criterion_is_that_of_scikit_learn(self, planted, judged):
        row = judged.set_index("k").loc[4]
        labels = mining.segment_customers(planted, 4)
        total = ((planted - planted.mean()) ** 2).to_numpy().sum()
        assert row["within"] == pytest.approx(KMeans(4, n_init=10, random_state=1).fit(planted).inertia_ / total)
        assert row["silhouette"] == pytest.approx(silhouette_score(planted, labels))
        assert row["calinski_harabasz"] == pytest.approx(calinski_harabasz_score(planted, labels))
        assert row["davies_bouldin"] == pytest.approx(davies_bouldin_score(planted, labels))
        mixture = GaussianMixture(4, n_init=5, max_iter=500, reg_covar=0.01, random_state=1).fit(planted.to_numpy())
        assert row["bic"] == pytest.approx(mixture.bic(planted.to_numpy()))
        assert row["smallest"] == pytest.approx(labels.value_counts().min() / len(labels))

    def test_no_groups_is_the_first_row(self, judged):
        assert judged["k"].tolist() == [1, 2, 3, 4]
        first = judged.iloc[0]
        assert first["within"] == 1 and first[["gap", "gap_error", "bic"]].notna().all()
        assert first[["silhouette", "calinski_harabasz", "davies_bouldin", "stability", "smallest"]].isna().all()

    def test_all_agree_on_what_is_far_apart(self, judged):
        best = mining.best_k(judged).set_index("criterion")["k"]
        assert best.drop("stability").eq(3).all(), best
        assert judged.set_index("k").loc[3, "stability"] == 1

    def test_each_rule_by_a_table_made_by_hand(self):
        judged = pd.DataFrame(
            {
                "k": [1, 2, 3, 4],
                "within": [1.0, 0.4, 0.3, 0.25],
                "silhouette": [np.nan, 0.2, 0.3, 0.1],
                "calinski_harabasz": [np.nan, 9, 8, 10],
                "davies_bouldin": [np.nan, 1.0, 1.2, 0.9],
                "gap": [0.1, 0.2, 0.5, 0.52],
                "gap_error": [0.01, 0.01, 0.01, 0.05],
                "bic": [90, 70, 60, 65],
                "stability": [np.nan, 0.9, 0.8, 0.7],
            }
        )
        expected = {"elbow": 2, "silhouette": 3, "calinski_harabasz": 4, "davies_bouldin": 4}
        expected |= {"gap": 3, "bic": 3, "stability": 2}
        assert mining.best_k(judged).set_index("criterion")["k"].to_dict() == expected
        assert mining.best_k(judged.sample(frac=1, random_state=1)).equals(mining.best_k(judged))
        with pytest.raises(ValueError, match="best_k needs the column bic"):
            mining.best_k(judged.drop(columns="bic"))

    def test_the_gap_by_hand(self, cloud):
        """Tibshirani, Walther and Hastie (2001): mean log W of the boxes less log W; s = sd · √(1 + 1/B)."""
        found = mining.gap_statistic(cloud, ks=[1, 3], draws=4, seed=2).set_index("k")
        random = np.random.default_rng(2)
        boxes = [random.uniform(cloud.min(), cloud.max(), cloud.shape) for _ in range(4)]
        logs = [np.log(((box - box.mean(axis=0)) ** 2).sum()) for box in boxes]
        own = np.log(((cloud - cloud.mean()) ** 2).to_numpy().sum())
        assert found.loc[1, "gap"] == pytest.approx(np.mean(logs) - own)
        assert found.loc[1, "gap_error"] == pytest.approx(np.std(logs) * np.sqrt(1.25))

    def test_the_gap_says_one_where_there_are_no_groups(self, cloud):
        best = mining.best_k(mining.choose_k(cloud, ks=[2, 3, 4, 5], rounds=2)).set_index("criterion")["k"]
        assert best["gap"] == 1 and best["silhouette"] > 1, "only the gap can say that there are none"

    def test_the_same_at_every_call(self, planted, judged):
        again = mining.choose_k(planted.sample(frac=1, random_state=9), ks=[4, 3, 2], rounds=4, draws=5)
        pd.testing.assert_frame_equal(again, judged)


class TestStability:
    def test_far_apart_stays_and_a_forced_cut_dissolves(self, planted):
        right = mining.segment_stability(planted, 3, rounds=8)
        assert right["cluster"].tolist() == ["C1", "C2", "C3"] and right["customers"].tolist() == [40, 30, 20]
        assert right["jaccard"].min() > 0.99
        forced = mining.segment_stability(planted, 5, rounds=8)
        assert forced["jaccard"].min() < 0.8 and (forced["worst"] <= forced["jaccard"]).all()

    def test_it_is_the_best_overlap(self, cloud):
        table = mining.segment_stability(cloud, 3, rounds=1, seed=4).set_index("cluster")
        random = np.random.default_rng(4)
        drawn = cloud.to_numpy()[random.integers(0, 150, 150)]
        again = KMeans(3, n_init=5, random_state=int(random.integers(2**31))).fit(drawn).predict(cloud.to_numpy())
        whole = mining.segment_customers(cloud, 3, seed=4)
        for name in table.index:
            own = set(np.flatnonzero(whole == name))
            others = [set(np.flatnonzero(again == number)) for number in range(3)]
            assert table.loc[name, "jaccard"] == pytest.approx(max(len(own & o) / len(own | o) for o in others))


class TestPartitions:
    def test_scores_and_table(self, planted, truth):
        found = mining.segment_customers(planted, 3)
        scores, table = mining.compare_partitions(found, truth)
        assert scores.to_dict() == {"customers": 90, "ari": 1, "nmi": pytest.approx(1)}
        assert table.loc["C3"].to_dict() == {"few": 20, "many": 0, "some": 0}

    def test_who_is_missing_in_one_is_left_out(self, planted, truth):
        scores, table = mining.compare_partitions(mining.segment_customers(planted, 3).head(60), truth.tail(80))
        assert scores["customers"] == table.to_numpy().sum() == 50

    def test_chance_gives_nothing(self, planted, truth):
        mixed = [pd.Series(np.random.default_rng(seed).permutation(truth), index=truth.index) for seed in range(40)]
        scores = pd.DataFrame([mining.compare_partitions(found, truth)[0] for found in mixed])
        assert abs(scores["ari"].mean()) < 0.01 < scores["nmi"].mean()

    def test_bad_input(self, truth):
        with pytest.raises(ValueError, match="no customer stands in both"):
            mining.compare_partitions(truth.rename(lambda name: f"x{name}"), truth)
        with pytest.raises(ValueError, match="K000 has two groups"):
            mining.compare_partitions(truth, pd.concat([truth, truth.head(1)]))


@pytest.fixture(scope="module")
def customers():
    """Twelve customers: four who come often, four with large baskets, four as all."""
    return pd.DataFrame(
        {
            "customer_id": [f"K{number:02d}" for number in range(12)],
            "frequency": [20, 22, 21, 23, 4, 5, 4, 5, 5, 4, 5, 4],
            "basket": [50.0, 55, 52, 51, 200, 210, 190, 205, 50, 54, 51, 53],
            "on_offer": [0.1, 0.2] * 6,
            "city": "X",
        }
    )


@pytest.fixture(scope="module")
def segments(customers):
    return pd.Series(np.repeat(["C1", "C2", "C3"], 4), index=customers["customer_id"])


class TestNames:
    def test_a_name_is_what_differs(self, customers, segments):
        named = mining.name_segments(customers, segments, ["frequency", "basket"]).set_index("cluster")
        assert named.loc["C1", "name"] == "high frequency, low basket"
        assert named.loc["C2", "name"] == "high basket, low frequency"
        assert named.loc["C1", "why"].startswith("frequency 22 (all 10)")
        assert named["customers"].tolist() == [4, 4, 4]

    def test_own_words_and_limits(self, customers, segments):
        words = {"frequency": ("rare", "frequent"), "basket": ("small basket", "large basket")}
        named = mining.name_segments(customers, segments, ["frequency", "basket"], words, most=1)
        assert named["name"].tolist() == ["frequent", "large basket", "small basket"]
        far = mining.name_segments(customers, segments, ["on_offer"])
        assert far["name"].tolist() == ["no mark (C1)", "no mark (C2)", "no mark (C3)"], "no two have one name"

    def test_texts_give_no_names(self, customers, segments):
        assert "city" not in "".join(mining.name_segments(customers, segments)["why"])
        with pytest.raises(ValueError, match="city holds no numbers; leave it out, or make shares of it"):
            mining.name_segments(customers, segments, ["frequency", "city"])
        with pytest.raises(ValueError, match="name_segments needs the column visits"):
            mining.name_segments(customers, segments, ["visits"])


class TestMoves:
    def test_scaled_like_itself_is_scaled(self, customers):
        ours = mining.scale_like(customers, customers, FRAME)
        pd.testing.assert_frame_equal(ours, profiles.scale_frame(customers, FRAME))

    def test_the_yardstick_stays(self, customers):
        """Who scales each day by itself sees no change where all bought twice as often."""
        later = customers.assign(frequency=2 * customers["frequency"])
        moved = mining.scale_like(later, customers, FRAME)["frequency"]
        assert (moved > profiles.scale_frame(customers, FRAME)["frequency"]).all()
        assert moved.max() <= 3

    def test_back_to_the_own_segment(self, planted):
        segments = mining.segment_customers(planted, 3)
        assert mining.assign_segments(planted, segments, planted).equals(segments)
        placed = mining.assign_segments(planted, segments, pd.DataFrame({"x": [7.0], "y": [0.5]}, index=["new"]))
        assert placed.to_dict() == {"new": "C2"}

    def test_moves_are_counted_with_those_who_come_and_go(self):
        before = pd.Series({"a": "C1", "b": "C1", "c": "C2", "d": "C2"})
        moves = mining.segment_moves(before, pd.Series({"a": "C1", "b": "C2", "c": "C2", "e": "C1"}))
        assert moves.loc["C1"].to_dict() == {"C1": 1, "C2": 1, "none": 0}
        assert moves.loc["C2", "none"] == 1 and moves.loc["none", "C1"] == 1
        assert moves.to_numpy().sum() == 5

    def test_bad_input(self, planted, customers):
        segments = mining.segment_customers(planted, 3)
        with pytest.raises(ValueError, match=r"the others have \['x'\], the segments were made of \['x', 'y'\]"):
            mining.assign_segments(planted, segments, planted[["x"]])
        with pytest.raises(ValueError, match="30 customers of `scaled` have no segment"):
            mining.assign_segments(planted, segments.head(60), planted)
        with pytest.raises(ValueError, match="K000 stands twice in `after`"):
            mining.segment_moves(segments, pd.concat([segments, segments.head(1)]))
        with pytest.raises(ValueError, match="basket has blanks"):
            mining.scale_like(customers.assign(basket=np.nan), customers, FRAME)
        with pytest.raises(ValueError, match="basket is the same for all"):
            mining.scale_like(customers, customers.assign(basket=1.0), FRAME)


@pytest.fixture(scope="module")
def lines():
    rows = [("a", "2026-01-05", 100.0), ("a", "2026-03-31 23:00", 50.0), ("b", "2026-02-01", 50.0)]
    rows += [("c", "2026-01-20", 40.0), ("s", "2026-01-09", 60.0)]
    rows += [("a", "2026-04-01 00:00", 30.0), ("c", "2026-04-10", 10.0), ("b", "2026-04-11", 99.0)]
    table = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"])
    return table.assign(
        ordered_at=pd.to_datetime(table["ordered_at"], format="mixed"), order_id=table.index.astype("str")
    )


class TestValue:
    SEGMENTS = pd.Series({"a": "C1", "b": "C1", "c": "C2"})

    def test_before_and_after_by_hand(self, lines):
        """Ten days after 31 March end with 10 April: the purchase of the 11th is not among them."""
        values = mining.segment_values(lines, self.SEGMENTS, "2026-03-31", days=10).set_index("cluster")
        first = values.loc["C1"]
        assert first[["customers", "revenue", "each"]].tolist() == [2, 200, 100]
        assert first["share_customers"] == 0.5 and first["share_revenue"] == pytest.approx(200 / 300)
        assert first["bought_next"] == 0.5 and first["next_each"] == 15
        error = 1.96 * np.std([30, 0], ddof=1) / np.sqrt(2)
        assert first["next_low"] == 0 and first["next_high"] == pytest.approx(15 + error)
        assert values.loc["none", "customers"] == 1 and values.loc["none", "revenue"] == 60
        assert values["share_customers"].sum() == pytest.approx(1) and values["share_revenue"].sum() == pytest.approx(1)

    def test_days_that_are_not_over_say_nothing(self, lines):
        values = mining.segment_values(lines, self.SEGMENTS, "2026-03-31", days=12)
        assert values[["bought_next", "next_each", "next_low", "next_high"]].isna().all(axis=None)
        assert values["revenue"].sum() == 300

    def test_what_comes_after_the_day_changes_nothing_before_it(self, lines):
        columns = ["cluster", "customers", "revenue", "share_revenue", "each"]
        cut = lines[lines["ordered_at"] < "2026-04-01"]
        whole, short = (mining.segment_values(rows, self.SEGMENTS, "2026-03-31", 10) for rows in (lines, cut))
        pd.testing.assert_frame_equal(whole[columns], short[columns])

    def test_the_first_rule_that_holds_decides(self):
        profile = pd.DataFrame(
            {
                "cluster": ["C1", "C2", "C3", "C4"],
                "customers": [10, 10, 10, 10],
                "next_each": [300.0, 60.0, 90.0, 10.0],
                "on_offer": [0.5, 0.6, 0.1, 0.1],
                "share_web": [0.5, 0.5, 0.9, 0.5],
            }
        )
        told = mining.suggest_actions(profile).set_index("cluster")
        starts = {"C1": "look after them", "C2": "announce offers", "C3": "the next offer in", "C4": "automatic"}
        for cluster, start in starts.items():
            assert told.loc[cluster, "action"].startswith(start)
        assert told.loc["C1", "reason"] == "next_each is 300, of all 115 (× 2.6)"
        turned = mining.suggest_actions(profile, mining.SEGMENT_ACTIONS.iloc[::-1]).set_index("cluster")
        assert turned.loc["C1", "action"].startswith("announce"), "the order is the policy"

    def test_of_all_is_weighed_by_customers(self):
        profile = pd.DataFrame({"cluster": ["C1", "C2"], "customers": [90, 10], "next_each": [10.0, 110.0]})
        told = mining.suggest_actions(profile, mining.SEGMENT_ACTIONS.head(1))
        assert told["reason"].tolist() == ["no rule applies", "next_each is 110, of all 20 (× 5.5)"]
        assert told["action"].iloc[0] == "the leaflet for all"

    def test_bad_input(self, lines):
        with pytest.raises(ValueError, match="nobody with a segment had bought by 2025-01-01"):
            mining.segment_values(lines, self.SEGMENTS, "2025-01-01")
        with pytest.raises(ValueError, match="has no column amount"):
            mining.segment_values(lines.drop(columns="amount"), self.SEGMENTS, "2026-03-31")
        profile = pd.DataFrame({"cluster": ["C1"], "customers": [1], "next_each": [np.nan]})
        with pytest.raises(ValueError, match="suggest_actions needs the column on_offer and share_web"):
            mining.suggest_actions(profile)
        with pytest.raises(ValueError, match="next_each is missing for a segment"):
            mining.suggest_actions(profile, mining.SEGMENT_ACTIONS.head(1))
        with pytest.raises(ValueError, match="above or below"):
            mining.suggest_actions(profile, mining.SEGMENT_ACTIONS.head(1).assign(side="over"))


# ---- data that nobody here made --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def households():
    """Of each household of the Complete Journey: baskets, mean basket (US dollars), part of the spend on offer."""
    sales = complete_journey()
    sales["saved"] = sales[["retail_disc", "coupon_disc", "coupon_match_disc"]].sum(axis=1) > 0
    each = sales.groupby("household_id")
    table = pd.DataFrame({"frequency": each["basket_id"].nunique(), "spent": each["sales_value"].sum()})
    table["basket"] = table["spent"] / table["frequency"]
    table["on_offer"] = sales["sales_value"].where(sales["saved"], 0).groupby(sales["household_id"]).sum()
    table["on_offer"] /= table["spent"]
    return table[table["spent"] > 0].reset_index().rename(columns={"household_id": "customer_id"})


@pytest.mark.outside
def test_households_of_the_complete_journey_fall_into_the_groups_of_scikit_learn(households):
    """Same groups up to their names, and the same inertia, as scikit-learn gives when it is called directly."""
    scaled = profiles.scale_frame(households, FRAME)
    assert len(scaled) > 2_400
    total = ((scaled - scaled.mean()) ** 2).to_numpy().sum()
    judged = profiles.compare_k(scaled, ks=[4], rounds=1)
    values = np.log1p(households[["frequency", "basket"]]).join(households["on_offer"])
    values = ((values - values.mean()) / values.std(ddof=0)).clip(-3, 3).to_numpy()
    with threadpool_limits(1):
        direct = KMeans(4, n_init=10, random_state=1).fit(values)
        longer = KMeans(4, n_init=30, random_state=2).fit(values)
    ours = mining.segment_customers(scaled, 4).reindex(households["customer_id"])
    assert pd.crosstab(direct.labels_, ours.to_numpy()).gt(0).sum().tolist() == [1, 1, 1, 1], "the same up to the names"
    assert direct.inertia_ < 1.001 * longer.inertia_, "ten beginnings are enough"
    assert judged["within"].item() * total == pytest.approx(direct.inertia_, rel=1e-6)
    centres = scaled.groupby(ours.reindex(scaled.index)).transform("mean")
    assert ((scaled - centres) ** 2).to_numpy().sum() == pytest.approx(direct.inertia_, rel=1e-5)


@pytest.mark.outside
def test_ward_on_the_households_is_that_of_scipy(households):
    from scipy.cluster.hierarchy import fcluster, linkage

    scaled = profiles.scale_frame(households.sort_values("customer_id").head(600), FRAME)
    labels = fcluster(linkage(scaled.sort_index().to_numpy(), "ward"), 4, "maxclust")
    ours = mining.segment_customers(scaled, 4, "Ward").sort_index()
    assert adjusted_rand_score(labels, ours) == 1
