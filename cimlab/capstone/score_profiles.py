"""Part B, the profiles: are labels true of what came later, do segments tell what drives the customers apart?"""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import after, need
from cimlab.capstone.bands import judge
from cimlab.capstone.score_database import owner_of_customers

_NAN = float("nan")
COMMON, RARE = 0.6, 0.005  # a label that more or fewer customers have tells nobody from others
SEGMENTS, SIZES = (3, 8), (0.03, 0.6)  # how many segments, and how large each (share of the customers)
LEAST_LIFT, LEAST_HOLDERS = 1.2, 20


def later_behaviour(lines, cutoff, customers):
    """Measure what each customer did after a day: what labels of that day are held against.

    Parameters
    ----------
    lines : pandas.DataFrame
        As `profiles.purchase_lines` returns it, for a day at the end of the data.
    cutoff : datetime.date or str
        The last day that the labels may know.
    customers : iterable of str
        Who is judged.

    Returns
    -------
    pandas.DataFrame
        By customer_id: orders, spend (CNY), 0 without a purchase; on_offer (share of the spend), weekend, share_till,
        share_web, share_call (of the purchases) and "share_" and each category (of the spend): missing without one.

    Examples
    --------
    >>> lines = pd.DataFrame({"customer_id": "K1", "order_id": ["o1", "o2"], "channel": "web", "category": "baby",
    ...     "amount": [30.0, 70.0], "discount": [0, 0.2], "ordered_at": pd.to_datetime(["2026-01-05", "2026-04-04"])})
    >>> later_behaviour(lines, "2026-03-31", ["K1", "K2"])[["orders", "spend", "on_offer", "weekend"]].values.tolist()
    [[1.0, 70.0, 1.0, 1.0], [0.0, 0.0, nan, nan]]
    """
    columns = ["customer_id", "order_id", "channel", "category", "amount", "discount", "ordered_at"]
    rows = need(lines, columns, "table of lines")
    rows = rows[rows["ordered_at"] >= after(cutoff)]
    who, spend = rows["customer_id"], rows.groupby("customer_id")["amount"].sum()
    heads = rows.drop_duplicates("order_id")
    table = pd.DataFrame({"orders": heads.groupby("customer_id").size(), "spend": spend})
    table["on_offer"] = rows["amount"].where(rows["discount"] > 0, 0).groupby(who).sum() / spend
    weekend = heads["ordered_at"].dt.day_of_week >= 5
    table["weekend"] = weekend.groupby(heads["customer_id"]).mean()
    for channel in ("till", "web", "call"):
        table[f"share_{channel}"] = heads["channel"].eq(channel).groupby(heads["customer_id"]).mean()
    for category in sorted(lines["category"].dropna().unique()):
        table[f"share_{category}"] = rows["amount"].where(rows["category"] == category, 0).groupby(who).sum() / spend
    table = table.reindex(pd.Index(list(customers), name="customer_id").unique()).astype("float64")
    table[["orders", "spend"]] = table[["orders", "spend"]].fillna(0)
    return table


def score_labels(labels, claims, later, cutoff):
    """Judge labels: how many customers they reach, and whether what they claim is true of the days after them.

    Parameters
    ----------
    labels : pandas.DataFrame
        customer_id, label, seen_on (the newest day that supports it).
    claims : pandas.DataFrame
        What each label says of the days to come: label, outcome (a column of `later`), direction ("more", "less").
    later : pandas.DataFrame
        As `later_behaviour` returns it; its customers are those who could have a label.
    cutoff : datetime.date or str
        The last day that the labels may know. One label that knows a later day, and none is worth a point for lift.

    Returns
    -------
    pandas.DataFrame
        Two rows of the report: coverage (a label that more than 60 % or fewer than 0.5 % have does not count), and the
        share of the labels whose claim is true: at least 20 customers with it, 1.2 times as much (or as little) as the
        others, and no chance (two standard errors). With fewer than five labels, at most 2 points for lift.

    Examples
    --------
    >>> later = pd.DataFrame({"orders": [5.0, 6.0] * 15 + [1.0, 2.0] * 30}, index=[f"K{n}" for n in range(90)])
    >>> labels = pd.DataFrame({"customer_id": later.index[:30], "label": "comes often", "seen_on": "2026-03-01"})
    >>> claims = pd.DataFrame({"label": ["comes often"], "outcome": ["orders"], "direction": ["more"]})
    >>> score_labels(labels, claims, later, "2026-03-31")[["value", "points"]].round(2).values.tolist()
    [[0.33, 1.0], [1.0, 2.0]]
    """
    mine = need(labels, ["customer_id", "label", "seen_on"], "table of labels")
    mine = mine[mine["customer_id"].isin(later.index)]
    share = mine.drop_duplicates(["customer_id", "label"])["label"].value_counts() / max(len(later), 1)
    telling = share.index[share.between(RARE, COMMON)]
    reached = mine.loc[mine["label"].isin(telling), "customer_id"].nunique() / max(len(later), 1)
    says = f"{reached:.0%} of {len(later)} customers have one of {len(telling)} labels that tell them from others."
    coverage = judge("label coverage", reached, says)
    return pd.concat([coverage, _score_lift(mine, claims, later, cutoff, telling)], ignore_index=True)


def _score_lift(labels, claims, later, cutoff, telling):
    late = labels[pd.to_datetime(labels["seen_on"]) >= after(cutoff)]
    if len(late):
        told = f"“{late['label'].iloc[0]}” and {late['label'].nunique() - 1} more labels"
        says = f"{told} were seen after {pd.Timestamp(cutoff).date()}: what is told there is known, not foretold."
        return judge("label lift", _NAN, says, "Make the labels with the rows up to that day only.")
    if labels.empty:
        return judge("label lift", _NAN, "There is no label.")
    claims = need(claims, ["label", "outcome", "direction"], "table of claims").drop_duplicates("label")
    claims = claims.set_index("label")
    names = sorted(labels["label"].unique())
    lifts = {
        name: _lift(name, set(labels.loc[labels["label"] == name, "customer_id"]), claims, later) for name in names
    }
    true = {name: name in telling and lift[1] for name, lift in lifts.items()}
    failed = [f"{name} ({lifts[name][0]})" for name in names if not true[name]]
    says = f"{sum(true.values())} of {len(names)} labels say something true of the days after them."
    says += f" Not so: {', '.join(failed[:3])}{' …' if len(failed) > 3 else ''}." if failed else ""
    few = 2 if len(names) < 5 else None
    says += " There are fewer than five labels." if few else ""
    return judge("label lift", sum(true.values()) / len(names), says, at_most=few)


def _lift(label, holders, claims, later):
    """Return how a label fares, in words, and whether its claim is true."""
    measured = measure_claim(label, holders, claims, later)
    if measured is None:
        return "claims nothing that can be measured", False
    number, lift, enough, true = measured
    if not enough:
        return f"{number} customers can be measured", False
    return f"{claims.loc[label, 'outcome']} {lift:.2f} times that of the others", true


def measure_claim(label, holders, claims, later):
    """Hold the claim of a label against what came later.

    Parameters
    ----------
    label : str
    holders : iterable of str
        The customer_id of those who have it.
    claims : pandas.DataFrame
        outcome, direction, by label.
    later : pandas.DataFrame
        As `later_behaviour` returns it.

    Returns
    -------
    tuple of (int, float, bool, bool) or None
        Holders who can be measured; their mean of the outcome over that of the others (infinite where the others have
        none of it); whether both are enough; whether the claim is true, as `score_labels` says it. None if the label
        claims nothing that `later` measures.

    Examples
    --------
    >>> later = pd.DataFrame({"orders": [6.0, 7.0] * 10 + [2.0, 3.0] * 10}, index=range(40))
    >>> claims = pd.DataFrame({"outcome": ["orders"], "direction": ["more"]}, index=["comes often"])
    >>> measure_claim("comes often", range(20), claims, later)
    (20, 2.6, True, True)
    >>> measure_claim("comes often", range(3), claims, later)[2:]
    (False, False)
    """
    if label not in claims.index or claims.loc[label, "outcome"] not in later:
        return None
    outcome, direction = claims.loc[label, ["outcome", "direction"]]
    values = later[outcome].dropna()
    has = values.index.isin(list(holders))
    some, rest = values[has], values[~has]
    lift = float(some.mean() / rest.mean()) if rest.mean() else np.inf
    if min(len(some), len(rest)) < LEAST_HOLDERS:
        return len(some), lift, False, False
    far = abs(some.mean() - rest.mean()) > 2 * np.sqrt(some.var() / len(some) + rest.var() / len(rest))
    held = lift >= LEAST_LIFT if direction == "more" else lift <= 1 / LEAST_LIFT
    return len(some), lift, True, bool(held and far)


def score_segments(segments, customers, sources, entity_map, traits):
    """Judge segments: can one work with their sizes, and do they tell what drives the customers apart?

    Behaviour shows what drives a person through much noise, so that nobody comes near 1: what counts is how far the
    segments are from a division by chance, which gets 0.

    Parameters
    ----------
    segments : pandas.Series
        The segment of each customer, by customer_id.
    customers : iterable of str
        Who had to have a segment; one without counts as in none that one can work with.
    sources, entity_map : pandas.DataFrame
        As for `score_linkage`.
    traits : pandas.DataFrame
        The truth: person_id, segment, orders_per_year, basket_factor, future_spend (numbers).

    Returns
    -------
    pandas.DataFrame
        Two rows of the report: sizes (0 if there are not 3 to 8 segments), and the mean share of variance explained (ω²
        without the part of chance) of the logarithms of three traits.

    References
    ----------
    Hays, W. (1963). Statistics for psychologists (ω²). Hubert, L. and Arabie, P. (1985). Comparing partitions (the
    adjusted Rand index that the sentence tells).

    Examples
    --------
    >>> who = [f"K{n}" for n in range(60)]
    >>> sources = pd.DataFrame({"record_id": who, "customer_id": who, "person_id": who})
    >>> traits = pd.DataFrame({"person_id": who, "segment": ["a", "b", "c"] * 20,
    ...     "orders_per_year": [1, 5, 9] * 20, "basket_factor": [1, 2, 3] * 20, "future_spend": [1, 90, 900] * 20})
    >>> found = pd.Series(["a", "b", "c"] * 20, index=who)
    >>> score_segments(found, who, sources, sources, traits)["value"].tolist()
    [1.0, 1.0]
    """
    from cimlab.mining import compare_partitions

    everybody = pd.Index(list(customers)).unique()
    mine = segments[segments.index.isin(everybody)].dropna()
    if mine.index.has_duplicates:
        raise ValueError(f"{mine.index[mine.index.duplicated()][0]} has two segments: one row per customer is needed")
    share = mine.value_counts() / max(len(everybody), 1)
    fits = float(share[share.between(*SIZES)].sum())
    number = len(share)
    says = f"{number} segments; the smallest holds {share.min():.1%}, the largest {share.max():.1%} of the customers, "
    says = f"{says}{1 - share.sum():.0%} have none." if number else "There is no segment."
    sizes = judge("segment sizes", fits if SEGMENTS[0] <= number <= SEGMENTS[1] else 0.0, says)
    owner = owner_of_customers(sources, entity_map)
    truth = need(traits, ["person_id", "segment", *_TRAITS], "table of traits").set_index("person_id")
    truth = truth.reindex(owner.to_numpy()).set_axis(owner.index)
    both = truth.join(mine.rename("found"), how="inner").dropna(subset=["found", "segment"])
    if both["found"].nunique() < 2 or len(both) < 0.3 * len(everybody):
        words = f"Only {len(both)} of {len(everybody)} customers can be judged, in {both['found'].nunique()} segments."
        return pd.concat([sizes, judge("segment contents", _NAN, words)], ignore_index=True)
    told = {words: _explained(both["found"], both[name]) for name, words in _TRAITS.items()}
    ari = compare_partitions(both["found"], both["segment"])[0]["ari"]
    best, worst = max(told, key=told.get), min(told, key=told.get)
    words = f"The segments explain {told[best]:.0%} of {best}, and {told[worst]:.0%} of {worst}; with the planted "
    words += f"segments they agree by {ari:.2f} (adjusted Rand index; 0 is chance, 1 the same)."
    contents = judge("segment contents", float(np.mean(list(told.values()))), words)
    return pd.concat([sizes, contents], ignore_index=True)


# Trait → what it is called. Price sensitivity is left out: no division by behaviour tells it (ω² below 0.04).
_TRAITS = {
    "orders_per_year": "how often people buy",
    "basket_factor": "the size of the baskets",
    "future_spend": "next year's spend",
}


def _explained(groups, values):
    """Return ω², the share of the variance of the logarithms that groups explain, less that by chance; 0 or more."""
    values = np.log1p(values.astype("float64"))
    total = ((values - values.mean()) ** 2).sum()
    within = ((values - values.groupby(groups).transform("mean")) ** 2).sum()
    k, mean_square = groups.nunique(), within / max(len(values) - groups.nunique(), 1)
    return float(max(0.0, (total - within - (k - 1) * mean_square) / (total + mean_square))) if total else 0.0
