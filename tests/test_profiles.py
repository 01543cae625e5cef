"""Chapter on profiles: variables, key variables, clusters, limits, fairness, and what all of it finds of the truth."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_rand_score

from cimlab import load, profiles
from cimlab.profiles import (
    FRAME,
    PROFILE_LIMITS,
    TABLES,
    VARIABLES,
    age_bands,
    check_profile,
    choose_variables,
    cluster_customers,
    cluster_stability,
    compare_k,
    describe_clusters,
    gather_variables,
    label_rates,
    may_profile,
    purchase_lines,
    refuse_profile,
    rule_labels,
    scale_frame,
)
from cimlab.retailer import read_truth

DAY = "2026-06-30"


@pytest.fixture(scope="module")
def tables():
    return {name: load(name) for name in TABLES}


@pytest.fixture(scope="module")
def who():
    """Return the true owner of each record: here the profile is judged, not the matching."""
    owners = read_truth("entity_map").dropna(subset="person_id")
    return owners.rename(columns={"person_id": "customer_id"})[["record_id", "customer_id"]]


@pytest.fixture(scope="module")
def customers(who):
    persons = read_truth("persons").rename(columns={"person_id": "customer_id"})
    return persons[persons["customer_id"].isin(who["customer_id"])]


@pytest.fixture(scope="module")
def variables(customers, who, tables):
    return gather_variables(customers, who, tables, DAY)


@pytest.fixture(scope="module")
def traits(variables):
    return read_truth("traits").set_index("person_id").loc[variables["customer_id"]].reset_index()


# ---- variables -------------------------------------------------------------------------------------------------------


def test_the_names_come_lazily_and_a_wrong_one_is_told():
    assert all(hasattr(profiles, name) for name in profiles.__all__)
    assert set(profiles.__all__) <= set(dir(profiles))
    with pytest.raises(AttributeError, match=r"has no attribute 'tagcloud'; it has: CATEGORIES"):
        profiles.tagcloud  # noqa: B018


def test_every_variable_is_explained_and_in_the_table(variables):
    assert variables.columns.tolist() == ["customer_id", *VARIABLES["variable"]]
    assert VARIABLES.notna().all(axis=None) and VARIABLES["variable"].is_unique
    assert set(VARIABLES["kind"]) == {"static", "dynamic"}
    sources = {name for row in VARIABLES["source"] for name in row.split(", ")} - {"customer file"}
    assert sources <= set(TABLES)
    assert check_profile(variables).empty, "the variables themselves are such as a profile may hold"


def test_variables_of_one_customer_by_hand(tables, who, variables, customers):
    row = variables.loc[variables["frequency"].idxmax()]
    refs = who.loc[who["customer_id"] == row["customer_id"], "record_id"]
    orders = tables["orders"][tables["orders"]["customer_ref"].isin(refs)]
    lines = tables["order_lines"].merge(orders[["order_id"]]).merge(tables["products"][["product_id", "category"]])
    assert row["frequency"] == len(orders)
    assert row["monetary"] == pytest.approx(orders["amount"].sum())
    assert row["basket"] == pytest.approx(orders["amount"].mean())
    assert row["articles"] == pytest.approx(lines["quantity"].sum() / len(orders))
    assert row["on_offer"] == pytest.approx(lines.loc[lines["discount"] > 0, "amount"].sum() / lines["amount"].sum())
    assert row["share_till"] == pytest.approx((orders["channel"] == "till").mean())
    pet = lines.loc[lines["category"] == "pet", "amount"].sum() / lines["amount"].sum()
    assert row["share_pet"] == pytest.approx(pet)
    full = (lines["unit_price"] * lines["quantity"]).sum() / lines["quantity"].sum()
    assert row["pack_price"] == pytest.approx(full)
    back = tables["returns"].merge(lines[["order_id", "line_no"]]).drop_duplicates(["order_id", "line_no"])
    assert row["returned"] == pytest.approx(len(back) / len(lines))
    assert row["recency"] == (pd.Timestamp(DAY) - orders["ordered_at"].max().normalize()).days
    calls = tables["calls"][tables["calls"]["call_id"].isin(refs)]
    assert row["calls"] == len(calls)
    assert row["complaints"] == tables["tickets"]["call_id"].isin(calls["call_id"]).sum()
    events = tables["web_events"][tables["web_events"]["account_id"].isin(refs)]
    assert row["visits"] == events["session_id"].nunique()
    cards = tables["members"][tables["members"]["member_id"].isin(refs)]
    assert row["tier"] in cards["tier"].tolist()


def test_shares_add_up_and_nothing_is_known_of_who_never_bought(variables):
    never = variables["frequency"] == 0
    assert never.any() and variables.loc[never, "on_offer"].isna().all() and variables.loc[never, "basket"].isna().all()
    assert variables.loc[never, "monetary"].eq(0).all()
    shares = variables.loc[~never].filter(like="share_")
    channels = ["share_till", "share_web", "share_call"]
    assert np.allclose(shares[channels].sum(axis=1), 1) and np.allclose(shares.drop(columns=channels).sum(axis=1), 1)


def test_nothing_of_later_days_is_known(customers, who, tables):
    cut = "2025-06-30"
    then = gather_variables(customers, who, tables, cut)
    ended = pd.Timestamp(cut) + pd.Timedelta(days=1)
    when = {"orders": "ordered_at", "calls": "called_at", "tickets": "opened_at", "web_events": "happened_at"}
    when |= {"returns": "returned_on", "members": "joined_on", "web_accounts": "registered_on"}
    when |= {"questionnaire": "submitted_at"}
    known = {name: rows[rows[when[name]] < ended] if name in when else rows for name, rows in tables.items()}
    campaigns = tables["campaigns"]
    over = campaigns["starts_on"] + pd.to_timedelta(campaigns["window_days"], unit="D") < ended
    sent = tables["campaign_contacts"]
    known["campaign_contacts"] = sent[sent["campaign_id"].isin(campaigns.loc[over, "campaign_id"])]
    assert 0 < len(known["campaign_contacts"]) < len(sent)
    pd.testing.assert_frame_equal(then, gather_variables(customers, who, known, cut))
    assert then["visits"].sum() == 0 and then["tenure"].min() >= 0


def test_the_window_ends_and_begins(customers, who, tables):
    year = gather_variables(customers, who, tables, DAY, days=365)
    orders = tables["orders"][tables["orders"]["customer_ref"].isin(who["record_id"])]
    assert year["frequency"].sum() == (orders["ordered_at"] >= "2025-07-01").sum()


def test_faults_of_the_tables_are_told(customers, who, tables):
    with pytest.raises(ValueError, match=r"`tables` lacks members: \{name: cimlab.load\(name\)"):
        gather_variables(customers, who, {name: tables[name] for name in TABLES[1:]}, DAY)
    with pytest.raises(ValueError, match="has a customer twice"):
        gather_variables(pd.concat([customers, customers.head(1)]), who, tables, DAY)
    twice = pd.concat([who, who.head(1).assign(customer_id="X")])
    with pytest.raises(ValueError, match=f"the record {who['record_id'].iloc[0]} belongs to two customers"):
        gather_variables(customers, twice, tables, DAY)
    with pytest.raises(ValueError, match="no known customer bought anything up to 2020-01-01"):
        gather_variables(customers, who, tables, "2020-01-01")


def test_age_bands_hold_no_child_and_no_impossible_age():
    born = pd.Series(
        pd.to_datetime(["2012-06-30", "2012-07-01", "2001-07-01", "2001-06-30", "1961-06-30", "1900-01-01"])
    )
    assert age_bands(born, DAY).fillna("-").tolist() == ["14-24", "-", "14-24", "25-34", "65+", "-"]


def test_key_variables():
    table = pd.DataFrame(
        {"customer_id": range(100), "a": range(100), "b": np.arange(100) ** 3, "c": [0] * 96 + [1] * 4}
    )
    table = table.assign(d=[None] * 51 + list(range(49)), e=[1, 2] * 50, f=["x"] * 60 + ["y"] * 40, g=-table["a"])
    report = choose_variables(table).set_index("variable")["verdict"]
    assert report.to_dict() == {
        "a": "keep",
        "b": "near duplicate",
        "c": "near constant",
        "d": "too blank",
        "e": "keep",
        "f": "keep",
        "g": "near duplicate",
    }
    assert choose_variables(table, ["b", "a"])["verdict"].tolist() == ["keep", "near duplicate"], "the first stays"
    assert choose_variables(table, ["d"], filled=0.4)["verdict"].tolist() == ["keep"]


def test_key_variables_of_the_retailer(variables):
    verdict = choose_variables(variables).set_index("variable")["verdict"]
    assert verdict["monetary"] == "near duplicate" and verdict["share_web"] == "near duplicate"
    assert verdict["satisfaction"] == "too blank" and verdict["share_call"] == "near constant"
    assert verdict["frequency"] == "keep"


# ---- frame and clusters ----------------------------------------------------------------------------------------------


def test_each_side_of_the_frame_counts_the_same(variables):
    buyers = variables[variables["frequency"] >= 3]
    scaled = scale_frame(buyers)
    weight = {side: scaled[columns].var(ddof=0).sum() for side, columns in FRAME.items()}
    assert all(0.85 < value <= 1.0001 for value in weight.values()), weight
    assert scaled.index.tolist() == buyers["customer_id"].tolist()
    assert scaled["basket"].abs().max() <= 3
    with pytest.raises(ValueError, match=r"basket.*customers have a blank there.*frequency ≥ 3"):
        scale_frame(variables)
    with pytest.raises(ValueError, match="on_offer is the same for all"):
        scale_frame(buyers.assign(on_offer=0.2))
    with pytest.raises(ValueError, match="stands in two sides"):
        scale_frame(buyers, {"a": ["basket"], "b": ["basket"]})


def blobs(seed=3):
    draws = np.random.default_rng(seed)
    centres = np.repeat([[0, 0], [6, 0], [0, 6]], [90, 60, 30], axis=0)
    index = pd.Index([f"K{number:03d}" for number in range(180)], name="customer_id")
    return pd.DataFrame(centres + draws.normal(size=(180, 2)), columns=["x", "y"], index=index)


def test_clusters_are_found_named_by_size_and_stable():
    scaled = blobs()
    found = cluster_customers(scaled, 3)
    assert found.value_counts().to_dict() == pytest.approx({"C1": 90, "C2": 60, "C3": 30}, abs=3)
    assert found.iloc[0] == "C1" and found.iloc[-1] == "C3"
    assert cluster_customers(scaled, 3).equals(found)
    assert cluster_stability(scaled, 3, rounds=5).min() > 0.9
    noise = pd.DataFrame(np.random.default_rng(1).normal(size=(180, 6)))
    assert cluster_stability(noise, 6, rounds=5).mean() < 0.6, "where there are no groups, they do not come back"
    table = compare_k(scaled, range(2, 6), rounds=3).set_index("k")
    assert table["silhouette"].idxmax() == 3
    assert table["within"].is_monotonic_decreasing and table["within"].between(0, 1).all()
    with pytest.raises(ValueError, match="1 clusters divide nothing"):
        cluster_customers(scaled, 1)
    with pytest.raises(ValueError, match="3 customers are too few for 2 clusters"):
        cluster_customers(scaled.head(3), 2)


def test_clusters_are_described_by_what_lifts_them():
    table = pd.DataFrame({"customer_id": list("abcdef"), "spend": [1, 1, 1, 5, 5, 5.0], "same": 2.0})
    table["city"] = ["X", "X", None, "Y", "Y", "X"]
    clusters = pd.Series(["C1"] * 3 + ["C2"] * 2, index=list("abcde"))
    found = describe_clusters(table, clusters).set_index(["cluster", "trait"])
    assert found.loc[("C2", "spend"), ["value", "overall", "customers"]].tolist() == [5, 2.6, 2], "f is in no cluster"
    assert found.loc[("C1", "spend"), "lift"] == pytest.approx(1 / 2.6)
    assert found.loc[("C1", "city = X"), ["value", "customers"]].tolist() == [1, 2], "who has no city is not counted"
    assert np.isnan(found.loc[("C1", "same"), "distance"])
    assert found.loc["C1"].index[-1] == "same", "what tells nothing stands last"
    with pytest.raises(ValueError, match="is the index of `clusters` the customer_id"):
        describe_clusters(table, clusters.reset_index(drop=True))


# ---- against the truth -----------------------------------------------------------------------------------------------


def test_clusters_of_the_retailer_are_stable_but_not_its_hidden_segments(variables, traits):
    """Stable is not true: the hidden segments overlap so far that no method finds them in so few purchases."""
    buyers = variables["frequency"] >= 3
    scaled = scale_frame(variables[buyers])
    found = cluster_customers(scaled, 4)
    assert cluster_stability(scaled, 4, rounds=8).mean() > 0.6
    agreement = adjusted_rand_score(traits.loc[buyers, "segment"], found)
    assert -0.02 < agreement < 0.15


def test_variables_show_what_drives_the_customers(variables, traits):
    often = variables["frequency"] >= 5
    mine, true = variables[often], traits[often]
    assert spearmanr(mine["frequency"], true["orders_per_year"])[0] > 0.5
    assert spearmanr(mine["basket"], true["basket_factor"])[0] > 0.4
    assert spearmanr(mine["on_offer"], true["price_sensitivity"])[0] > 0.05


def test_category_labels_are_favourites_far_more_often_than_by_chance(tables, who, traits):
    lines = purchase_lines(tables["orders"], tables["order_lines"], tables["products"], who, DAY)
    rules = profiles.RULES[profiles.RULES["condition"].str.startswith("category")]
    labels = rule_labels(lines, DAY, rules)
    category = rules.set_index("label")["condition"].str.extract("'(.+)'", expand=False)
    liked = traits.set_index("person_id")["favourites"].str.split("|")
    labels = labels[labels["customer_id"].isin(liked.index)]
    pairs = zip(labels["label"].map(category), labels["customer_id"].map(liked), strict=True)
    right = np.mean([name in favourites for name, favourites in pairs])
    assert right > 0.6 > 2 * liked.str.len().mean() / len(profiles.CATEGORIES)


# ---- what a profile must not hold ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("id_number", "identity number"),
        ("IdNumber", "identity number"),
        ("身份证号", "identity number"),
        ("name", "name or contact"),
        ("phone", "name or contact"),
        ("home address", "name or contact"),
        ("birth_date", "exact birth date"),
        ("health_state", "health"),
        ("probably pregnant", "health"),
        ("可能怀孕", "health"),
        ("Religion", "religion"),
        ("是穆斯林", "religion"),
        ("ethnic group", "specific identity"),
        ("fingerprint", "biometrics"),
        ("credit card number", "financial account"),
        ("gps_lat", "exact whereabouts"),
        ("行踪轨迹", "exact whereabouts"),
    ],
)
def test_forbidden_fields_are_named_with_their_rule(name, rule):
    as_column = check_profile(pd.DataFrame({"customer_id": ["K1"], name: [1]}))
    assert as_column["rule"].tolist() == [rule]
    assert as_column["law"].str.startswith("PIPL article").all()
    as_label = check_profile(pd.DataFrame({"customer_id": ["K1", "K2"], "label": [name, "buys online"]}))
    assert as_label[["where", "field", "customers", "rule"]].to_numpy().tolist() == [["label", name, 1, rule]]


@pytest.mark.parametrize(
    "name",
    [
        *("faithful customer", "buys late", "buys longlife milk", "gold card", "segment_name", "traced order", "city"),
        *("爱买母婴用品", "generous", "irises", "basket"),
    ],
)
def test_harmless_names_pass(name):
    assert check_profile(pd.DataFrame({"customer_id": ["K1"], name: [1], "label": [name]})).empty


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("刘 990409196712161685", "identity number"),
        ("99040919671216168X", "identity number"),
        ("call 17401234567", "name or contact"),
        ("+8617401234567", "name or contact"),
        ("li@example.com", "name or contact"),
        ("30.27415, 120.15515", "exact whereabouts"),
    ],
)
def test_forbidden_values_are_found_in_any_column(value, rule):
    found = check_profile(pd.DataFrame({"customer_id": ["K1", "K2", "K2"], "note": [None, value, value]}))
    assert found[["where", "field", "customers", "rule"]].to_numpy().tolist() == [["value", "note", 1, rule]]


def test_harmless_values_pass():
    notes = ["order_lines O1RG4K-1, O1RG4K-2 (28): spend in 365 days is 1322", "2026-06-30", "12.5, 13.5", "1499 days"]
    assert check_profile(pd.DataFrame({"customer_id": "K1", "source": notes})).empty


def test_every_rule_of_the_limits_can_be_found():
    assert PROFILE_LIMITS.notna().all(axis=None) and PROFILE_LIMITS["rule"].is_unique
    assert {"PIPL article 28", "PIPL articles 28, 31", "PIPL articles 13, 14"} <= set(PROFILE_LIMITS["law"])


def test_children_and_customers_without_consent_are_found():
    labels = pd.DataFrame({"customer_id": ["K1", "K1", "K2", "K3"], "label": "buys online"})
    born = pd.Series(pd.to_datetime(["2012-07-01", "2012-06-30", None]), index=["K1", "K2", "K3"])
    consent = pd.DataFrame({"customer_id": ["K1", "K2"], "allowed": [True, False]})
    found = check_profile(labels, consent, born, DAY).set_index("rule")["customers"]
    assert found.to_dict() == {"child under 14": 1, "no consent for profiling": 2}
    with pytest.raises(
        ValueError, match=r"must not hold this:\n- customer birth date \(1 customers\): child under 14, PIPL"
    ):
        refuse_profile(labels, birth_date=born, as_of=DAY)
    assert refuse_profile(labels) is labels
    with pytest.raises(ValueError, match="give as_of"):
        check_profile(labels, birth_date=born)
    with pytest.raises(ValueError, match="no column customer_id; it has: label"):
        check_profile(labels[["label"]])


def test_the_customer_file_as_it_stands_is_refused(customers):
    with pytest.raises(ValueError, match=r"column id_number .*: identity number, PIPL articles 6, 28"):
        refuse_profile(customers)


def test_consent_of_a_customer_with_several_records():
    rows = [["M1", "given", "2025-01-01"], ["W1", "given", "2025-02-01"], ["W1", "withdrawn", "2025-03-01"]]
    rows += [["M2", "withdrawn", "2025-01-01"], ["M2", "given", "2025-02-01"]]
    ledger = pd.DataFrame(rows, columns=["customer_ref", "action", "recorded_at"])
    ledger = ledger.assign(purpose="profiling", method="web form", notice_version="v2")
    ledger["recorded_at"] = pd.to_datetime(ledger["recorded_at"])
    extra = ledger.tail(1).assign(customer_ref="M3", purpose="marketing")
    clusters = pd.DataFrame(
        {"record_id": ["M1", "W1", "M2", "W2", "M3"], "customer_id": ["K1", "K1", "K2", "K2", "K3"]}
    )
    for day, states in (("2025-02-15", ["given"] * 2), ("2025-04-01", ["withdrawn", "given"])):
        state = may_profile(pd.concat([ledger, extra]), clusters, day).set_index("customer_id")
        assert state["state"].tolist() == [*states, "never given"]
        assert state["allowed"].tolist() == [name == "given" for name in [*states, "-"]]


# ---- fairness --------------------------------------------------------------------------------------------------------


def test_rates_by_group_against_published_intervals():
    groups = pd.Series(["a"] * 263 + ["b"] * 263 + [None], index=[f"K{number}" for number in range(527)])
    labels = pd.DataFrame({"customer_id": [*groups.index[:81], *groups.index[263:278], "K526", "X"], "label": "x"})
    table = label_rates(labels, "x", groups).set_index("group")
    assert table["customers"].tolist() == [263, 263] and table["labelled"].tolist() == [81, 15]
    # Newcombe (1998), Statistics in Medicine 17: 81/263 by the Wilson score method.
    assert table.loc["a", ["low", "high"]].tolist() == pytest.approx([0.2553, 0.3662], abs=5e-5)
    assert table.loc["b", "ratio"] == pytest.approx(15 / 81)
    spread = 1.959964 * np.sqrt(1 / 81 - 1 / 263 + 1 / 15 - 1 / 263)
    assert table.loc["b", ["ratio_low", "ratio_high"]].tolist() == pytest.approx(
        [15 / 81 * np.exp(-spread), 15 / 81 * np.exp(spread)]
    )
    assert table["verdict"].tolist() == ["reference", "lower"]
    assert label_rates(labels, "x", groups, reference="b")["verdict"].tolist() == ["higher", "reference"]


def test_few_customers_prove_nothing_and_none_is_a_number_too():
    groups = pd.Series(["a"] * 10 + ["b"] * 10 + ["c"] * 200, index=range(220))
    labels = pd.DataFrame({"customer_id": [*range(5), *range(10, 13)], "label": "x"})
    table = label_rates(labels, "x", groups).set_index("group")
    assert table["verdict"].to_dict() == {"a": "reference", "b": "too few to say", "c": "lower"}
    assert table.loc["c", ["rate", "ratio", "ratio_low"]].tolist() == [0, 0, 0] and 0 < table.loc["c", "ratio_high"] < 1
    with pytest.raises(ValueError, match="nobody of the group 'c' has the label"):
        label_rates(labels, "x", groups, reference="c")
    with pytest.raises(ValueError, match="there is no group 'd'; the groups are: a, b, c"):
        label_rates(labels, "x", groups, reference="d")
    with pytest.raises(ValueError, match="nobody has the label 'y'; there are: x"):
        label_rates(labels, "y", groups)
    with pytest.raises(ValueError, match="no customer has a group"):
        label_rates(labels, "x", pd.Series([None] * 3))
