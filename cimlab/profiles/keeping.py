"""Keep labels: let them fade (衰减), report their coverage (覆盖率), find conflicts (冲突), compare two months."""

import numpy as np
import pandas as pd

from cimlab.profiles.labels import check_labels

# After how many days half of the weight is left; None does not fade.
HALF_LIFE = {"fact": None, "rule": 180, "model": 90}
# Labels of which a customer can have one at a time.
EXCLUSIVE = {
    "price": ["hunts offers", "pays full price"],
    "channel": ["buys online", "buys in shops"],
    "activity": ["comes often", "long away"],
    "outlook": ["likely to return", "long away"],
    "grade": ["basic card", "silver card", "gold card"],
}


def decay_labels(labels, as_of, half_life=None, least=0.05):
    """Let the weights fade with the time since the label was last seen (时间衰减).

    The weight now is weight × 0.5 ** (days since seen_on / half-life).

    Parameters
    ----------
    labels : pandas.DataFrame
        As returned by `combine_labels`.
    as_of : datetime.date or str
    half_life : dict, optional
        Label or kind → days after which half of the weight is left, None for one that does not fade. A label goes
        before its kind. Default: `HALF_LIFE`.
    least : float
        A label whose weight has fallen below is dropped.

    Returns
    -------
    pandas.DataFrame
        The labels that are left, with the weight of today; `weight_then` holds the first one.

    Raises
    ------
    ValueError
        A half-life is not above 0, a kind has none, or a label was seen after the day.

    Examples
    --------
    >>> labels = pd.DataFrame([["K1", "likes pet goods", "爱买宠物用品", "rule", 0.8, "2026-01-01", "2026-01-01", "s"]],
    ...     columns=["customer_id", "label", "label_zh", "kind", "weight", "since", "seen_on", "source"])
    >>> labels["seen_on"] = pd.to_datetime(labels["seen_on"])
    >>> decay_labels(labels, "2026-06-30")[["label", "weight", "weight_then"]]
                 label  weight  weight_then
    0  likes pet goods     0.4          0.8
    """
    check_labels(labels)
    table = {**HALF_LIFE, **(half_life or {})}
    odd = {name: days for name, days in table.items() if days is not None and not days > 0}
    if odd:
        raise ValueError(f"the half-life of {', '.join(odd)} must be above 0 days, or None for one that does not fade")
    days = labels["label"].map({name: np.inf if value is None else float(value) for name, value in table.items()})
    kinds = labels["kind"].map({name: np.inf if value is None else float(value) for name, value in table.items()})
    age = (pd.Timestamp(as_of).normalize() - labels["seen_on"]).dt.days
    if age.lt(0).any():
        raise ValueError(
            f"{int(age.lt(0).sum())} labels were seen after {pd.Timestamp(as_of).date()}: make the labels for that "
            "day, or look at them from a later one"
        )
    now = labels["weight"] * 0.5 ** (age / days.fillna(kinds)).fillna(0)
    faded = labels.assign(weight=now.round(4), weight_then=labels["weight"])
    return faded[faded["weight"] >= least].reset_index(drop=True)


def label_coverage(labels, customers):
    """Report for how many customers each label holds (标签覆盖率).

    Parameters
    ----------
    labels : pandas.DataFrame
    customers : iterable of str
        The customers who could have labels; those outside are not counted.

    Returns
    -------
    pandas.DataFrame
        One row per label: label, label_zh, kind, customers, coverage (share), weight (mean); a last row "any label".

    Raises
    ------
    ValueError
        There are no customers.

    Examples
    --------
    >>> labels = pd.DataFrame([["K1", "gold card", "金卡会员", "fact", 1.0, None, None, "members M1"]],
    ...     columns=["customer_id", "label", "label_zh", "kind", "weight", "since", "seen_on", "source"])
    >>> label_coverage(labels, ["K1", "K2"])[["label", "customers", "coverage"]]
           label  customers  coverage
    0  gold card          1       0.5
    1  any label          1       0.5
    """
    check_labels(labels)
    everybody = pd.Index(list(customers)).unique()
    if everybody.empty:
        raise ValueError("there are no customers of whom the coverage could be a share")
    mine = labels[labels["customer_id"].isin(everybody)]
    each = mine.groupby(["label", "label_zh", "kind"])
    report = each.agg(customers=("customer_id", "nunique"), weight=("weight", "mean")).reset_index()
    report = report.sort_values(["customers", "label"], ascending=[False, True])
    total = {"label": "any label", "label_zh": "任一标签", "kind": "all", "customers": mine["customer_id"].nunique()}
    report = pd.concat([report, pd.DataFrame([{**total, "weight": mine["weight"].mean()}])], ignore_index=True)
    report["coverage"] = report["customers"] / len(everybody)
    return report[["label", "label_zh", "kind", "customers", "coverage", "weight"]]


def label_conflicts(labels, exclusive=None):
    """Find customers who have two labels that exclude each other (标签冲突).

    Parameters
    ----------
    labels : pandas.DataFrame
    exclusive : dict of str to list of str, optional
        Name of a group → its labels, of which a customer can have one; `EXCLUSIVE` when left out.

    Returns
    -------
    pandas.DataFrame
        One row per customer and group: customer_id, group, labels, weights, keep (the heaviest; then the one seen last;
        then the first of the alphabet).

    Examples
    --------
    >>> names = ["customer_id", "label", "label_zh", "kind", "weight", "since", "seen_on", "source"]
    >>> labels = pd.DataFrame([["K1", "hunts offers", "爱买促销", "rule", 0.6, None, None, "s"],
    ...                        ["K1", "pays full price", "原价购买", "rule", 0.9, None, None, "s"]], columns=names)
    >>> label_conflicts(labels)[["customer_id", "group", "labels", "keep"]]
      customer_id  group                         labels             keep
    0          K1  price  hunts offers, pays full price  pays full price
    """
    check_labels(labels)
    columns = ["customer_id", "group", "labels", "weights", "keep"]
    parts = [pd.DataFrame(columns=columns, dtype="str")]
    for group, names in (EXCLUSIVE if exclusive is None else exclusive).items():
        mine = labels[labels["label"].isin(names)]
        mine = mine[mine.duplicated("customer_id", keep=False)]
        best = mine.sort_values(["weight", "seen_on", "label"], ascending=[False, False, True])
        best = best.drop_duplicates("customer_id").set_index("customer_id")["label"]
        each = mine.sort_values("label").assign(told=mine["weight"].map("{:g}".format)).groupby("customer_id")
        rows = pd.DataFrame({"labels": each["label"].agg(", ".join), "weights": each["told"].agg(", ".join)})
        parts.append(rows.assign(group=group, keep=best).reset_index())
    found = pd.concat(parts, ignore_index=True)
    return found.sort_values(["customer_id", "group"], ignore_index=True)[columns]


def resolve_conflicts(labels, exclusive=None):
    """Keep of the labels that exclude each other the one that `label_conflicts` advises.

    Parameters
    ----------
    labels : pandas.DataFrame
    exclusive : dict of str to list of str, optional
        As for `label_conflicts`.

    Returns
    -------
    pandas.DataFrame
        The labels without the losers.

    Examples
    --------
    >>> names = ["customer_id", "label", "label_zh", "kind", "weight", "since", "seen_on", "source"]
    >>> labels = pd.DataFrame([["K1", "hunts offers", "爱买促销", "rule", 0.6, None, None, "s"],
    ...                        ["K1", "pays full price", "原价购买", "rule", 0.9, None, None, "s"]], columns=names)
    >>> resolve_conflicts(labels)["label"].tolist()
    ['pays full price']
    """
    exclusive = EXCLUSIVE if exclusive is None else exclusive
    lost = pd.Series(False, index=labels.index)
    for conflict in label_conflicts(labels, exclusive).itertuples():
        rivals = labels["label"].isin(exclusive[conflict.group]) & (labels["label"] != conflict.keep)
        lost |= rivals & (labels["customer_id"] == conflict.customer_id)
    return labels[~lost].reset_index(drop=True)


def label_changes(before, after):
    """Count how many labels came and went between two days (画像稳定性).

    Parameters
    ----------
    before, after : pandas.DataFrame
        Labels of the two days. Give both the same customers: who is new or gone changes too.

    Returns
    -------
    pandas.DataFrame
        One row per label and a last one "all labels": before, after, kept, gained, lost (numbers), changed (share of
        those who had it on either day that gained or lost it).

    Examples
    --------
    >>> names = ["customer_id", "label", "label_zh", "kind", "weight", "since", "seen_on", "source"]
    >>> june = pd.DataFrame([["K1", "buys online", "偏好网店", "rule", 0.8, None, None, "s"]], columns=names)
    >>> label_changes(june, june.assign(customer_id="K2"))[["label", "kept", "gained", "lost", "changed"]]
             label  kept  gained  lost  changed
    0  buys online     0       1     1      1.0
    1   all labels     0       1     1      1.0
    """
    counts = _moves(before, after, "label")
    table = pd.concat([counts.sort_index(), counts.sum().to_frame("all labels").T]).rename_axis("label").reset_index()
    table.insert(1, "before", table["kept"] + table["lost"])
    table.insert(2, "after", table["kept"] + table["gained"])
    moved = table["gained"] + table["lost"]
    return table.assign(changed=moved / (moved + table["kept"])).rename_axis(columns=None)


def profile_stability(before, after):
    """Measure for each customer how much of the profile is the same on two days.

    Parameters
    ----------
    before, after : pandas.DataFrame
        Labels of the two days.

    Returns
    -------
    pandas.DataFrame
        customer_id, before, after (numbers of labels), alike (labels on both days / labels on either day: the Jaccard
        index, 1 is unchanged), for all who have a label on either day.

    References
    ----------
    Jaccard, P. (1912). The distribution of the flora in the alpine zone. New Phytologist 11.

    Examples
    --------
    >>> names = ["customer_id", "label", "label_zh", "kind", "weight", "since", "seen_on", "source"]
    >>> june = pd.DataFrame([["K1", "buys online", "偏好网店", "rule", 0.8, None, None, "s"]], columns=names)
    >>> profile_stability(june, pd.concat([june, june.assign(label="long away")]))
      customer_id  before  after  alike
    0          K1       1      2    0.5
    """
    counts = _moves(before, after, "customer_id")
    measures = {"before": counts["kept"] + counts["lost"], "after": counts["kept"] + counts["gained"]}
    return pd.DataFrame({**measures, "alike": counts["kept"] / counts.sum(axis=1)}).reset_index()


def _moves(before, after, by):
    """Count the labels that were kept, gained and lost between two days, for each label or customer."""
    for labels in (before, after):
        check_labels(labels)
    keys = ["customer_id", "label"]
    both = before[keys].merge(after[keys], on=keys, how="outer", indicator="where")
    counts = pd.crosstab(both[by], both["where"].astype("str"))
    counts = counts.reindex(columns=["both", "right_only", "left_only"], fill_value=0)
    return counts.set_axis(["kept", "gained", "lost"], axis=1)
