"""Step 3, label (标签化): fact labels from a record, rule labels from declared rules, and what all labels share.

A label row says of one customer: label and label_zh; kind (fact, rule or model); weight, 0 to 1, how strongly it holds;
since, the day from which it holds; seen_on, the newest day that supports it, from which it fades; and source, where it
comes from: the table with its records and the rule, or the model.
"""

import pandas as pd

from cimlab.analysis.columns import after, need
from cimlab.profiles.variables import owners
from cimlab.profiles.words import CATEGORIES

LABEL_COLUMNS = ["customer_id", "label", "label_zh", "kind", "weight", "since", "seen_on", "source"]
KINDS = ["fact", "rule", "model"]
MEASURES = ["orders", "share of orders", "spend", "share of spend", "days since"]
RULE_COLUMNS = ["label", "label_zh", "condition", "window", "measure", "at_least", "full", "evidence"]

_NAMES = {"fruit and vegetables": "fruit", "kitchen and small appliances": "kitchen goods", "dairy and eggs": "dairy"}
_NAMES |= {"rice and noodles": "rice and noodles", "household": "household goods", "baby": "baby goods"}
_NAMES |= {"pet": "pet goods"}
# condition: a query on the lines of `purchase_lines`, blank for all. window: days back. From at_least on the label
# holds, at full its weight is 1. evidence: least number of purchases in the window, so that one basket makes no trait.
RULES = pd.DataFrame(
    [
        *(
            [
                f"likes {_NAMES.get(name, name)}",
                f"爱买{zh}",
                f"category == '{name}'",
                365,
                "share of spend",
                0.25,
                0.6,
                2,
            ]
            for name, zh in CATEGORIES.items()
        ),
        ["hunts offers", "爱买促销", "discount > 0", 365, "share of spend", 0.3, 0.7, 3],
        ["pays full price", "原价购买", "discount == 0", 365, "share of spend", 0.98, 1.0, 3],
        ["buys online", "偏好网店", "channel == 'web'", 365, "share of orders", 0.7, 1.0, 2],
        ["buys in shops", "偏好门店", "channel == 'till'", 365, "share of orders", 0.7, 1.0, 2],
        ["buys at weekends", "周末购物", "ordered_at.dt.day_of_week >= 5", 365, "share of orders", 0.6, 1.0, 3],
        ["comes often", "高频购买", "", 180, "orders", 5, 12, 5],
        ["spends much", "高消费", "", 365, "spend", 1000, 3000, 2],
        ["long away", "长期未购", "", 730, "days since", 180, 365, 1],
    ],
    columns=RULE_COLUMNS,
)


def fact_labels(table, clusters, owner, column, names, since, source, record=None):
    """Take labels straight from the records (事实标签): who has the value has the label, with weight 1.

    Parameters
    ----------
    table : pandas.DataFrame
        The records, such as ``cimlab.load("members")``.
    clusters : pandas.DataFrame
        record_id, customer_id: which card, account or call is whose.
    owner : str
        Column that holds the record_id: member_id, account_id, call_id.
    column : str
        Column whose value makes the label.
    names : dict
        Value → (label, label in Chinese).
    since : str
        Column with the day of the record.
    source : str
        Name of the table, for the lineage.
    record : str, optional
        Column that numbers the records, for the lineage; `owner` when left out.

    Returns
    -------
    pandas.DataFrame
        The columns of `LABEL_COLUMNS`, one row per customer and label. source names the table, the records (three at
        most, and how many) and the value.

    Raises
    ------
    ValueError
        A column is not there, or no record has one of the values.

    Examples
    --------
    >>> members = pd.DataFrame({"member_id": ["M1", "M2"], "tier": ["gold", "basic"],
    ...                         "joined_on": pd.to_datetime(["2024-01-05", "2024-01-06"])})
    >>> who = pd.DataFrame({"record_id": ["M1", "M2"], "customer_id": ["K1", "K1"]})
    >>> names = {"gold": ("gold card", "金卡会员")}
    >>> fact_labels(members, who, "member_id", "tier", names, "joined_on", "members")[["label", "weight", "source"]]
           label  weight                        source
    0  gold card     1.0  members M1 (1): tier is gold
    """
    record = record or owner
    rows = need(table, [owner, record, column, since], f"{source} table")
    rows["customer_id"] = rows[owner].map(owners(clusters))
    known = rows[rows["customer_id"].notna() & rows[column].isin(list(names))].sort_values([since, record])
    if known.empty:
        there = ", ".join(map(repr, rows[column].dropna().unique()[:5]))
        raise ValueError(
            f"no record of {source} with a customer has {column} in {list(names)}; it has {there}, …: check the values "
            "of `names`, and whether `clusters` holds these records"
        )
    each = known.groupby(["customer_id", column])
    found = each[since].agg(["min", "max"]).join(each[record].agg(cite).rename("cited")).reset_index()
    found["source"] = f"{source} " + found["cited"] + f": {column} is " + found[column].astype("str")
    labels = found.assign(
        label=found[column].map({value: name[0] for value, name in names.items()}),
        label_zh=found[column].map({value: name[1] for value, name in names.items()}),
        kind="fact",
        weight=1.0,
        since=found["min"].dt.normalize(),
        seen_on=found["max"].dt.normalize(),
    )
    return _tidy(labels)


def rule_labels(lines, as_of, rules=None):
    """Give the labels whose declared rule a customer meets (规则标签).

    Parameters
    ----------
    lines : pandas.DataFrame
        As returned by `purchase_lines`.
    as_of : datetime.date or str
        The last day that counts.
    rules : pandas.DataFrame, optional
        One row per rule with the columns of `RULE_COLUMNS`; `RULES` when left out. label, label_zh; condition (a pandas
        query on the lines; blank for all), window (days back), measure (one of `MEASURES`), at_least (from there on the
        label holds), full (there the weight is 1), evidence (least number of purchases in the window).

    Returns
    -------
    pandas.DataFrame
        The columns of `LABEL_COLUMNS`. weight is the measured value divided by `full`, at most 1. since is the first
        and seen_on the newest purchase that supports the label. `supporting_lines` fetches all of them.

    Raises
    ------
    ValueError
        A rule lacks a column, is unknown, cannot be read, or has numbers that do not fit.

    Examples
    --------
    >>> lines = pd.DataFrame({"customer_id": "K1", "order_id": ["o1", "o2"], "line_no": 1, "amount": [30.0, 70.0],
    ...     "category": ["baby", "snacks"], "ordered_at": pd.to_datetime(["2026-05-01 09:00", "2026-06-01 09:00"])})
    >>> found = rule_labels(lines, "2026-06-30", RULES[RULES["label"] == "likes baby goods"])
    >>> found[["label_zh", "weight", "seen_on"]]
         label_zh  weight    seen_on
    0  爱买母婴用品     0.5 2026-05-01
    >>> found["source"].item()
    "order_lines o1-1 (1): share of spend where category == 'baby' in 365 days is 0.3, at least 0.25"
    """
    rules = RULES if rules is None else rules
    check_rules(rules)
    parts = [_apply_rule(lines, rule, as_of) for rule in rules.itertuples(index=False)]
    parts = [part for part in parts if len(part)]
    return _tidy(pd.concat(parts, ignore_index=True)) if parts else _empty()


def check_rules(rules):
    """Refuse a table of rules that cannot be applied, in a sentence that names the rule.

    Examples
    --------
    >>> check_rules(RULES.assign(at_least=2.0).head(1))
    Traceback (most recent call last):
    ...
    ValueError: rule 'likes fruit': at_least is 2 and full is 0.6; at_least must be above 0 and not above full
    """
    need(rules, RULE_COLUMNS, "table of rules")
    for rule in rules.itertuples(index=False):
        fault = None
        if rule.measure not in MEASURES:
            fault = f"the measure {rule.measure!r} is unknown; choose one of: {', '.join(MEASURES)}"
        elif not 0 < rule.at_least <= rule.full:
            fault = (
                f"at_least is {rule.at_least:g} and full is {rule.full:g}; at_least must be above 0 and not above full"
            )
        elif rule.window < 1:
            fault = f"the window is {rule.window} days; it must be 1 or more"
        if fault:
            raise ValueError(f"rule {rule.label!r}: {fault}")
    if rules["label"].duplicated().any():
        raise ValueError(f"the label {rules['label'][rules['label'].duplicated()].iloc[0]!r} has two rules; keep one")


def supporting_lines(lines, label, customer_id, as_of, rules=None):
    """Return the lines behind a rule label of a customer: the lineage (血缘) followed back to the records.

    Parameters
    ----------
    lines : pandas.DataFrame
        As returned by `purchase_lines`.
    label : str
        The label, as in the rules.
    customer_id : str
    as_of : datetime.date or str
        The same day as for the label.
    rules : pandas.DataFrame, optional
        `RULES` when left out.

    Returns
    -------
    pandas.DataFrame
        The rows of `lines` that the rule counted for the label.

    Raises
    ------
    ValueError
        There is no such rule.

    Examples
    --------
    >>> lines = pd.DataFrame({"customer_id": "K1", "order_id": ["o1", "o2"], "line_no": 1, "amount": [30.0, 70.0],
    ...     "category": ["baby", "snacks"], "ordered_at": pd.to_datetime(["2026-05-01 09:00", "2026-06-01 09:00"])})
    >>> supporting_lines(lines, "likes baby goods", "K1", "2026-06-30")["order_id"].tolist()
    ['o1']
    """
    rules = RULES if rules is None else rules
    chosen = rules[rules["label"] == label]
    if chosen.empty:
        raise ValueError(f"no rule makes the label {label!r}; there are: {', '.join(rules['label'])}")
    rule = next(chosen.itertuples(index=False))
    return _meeting(_window(lines[lines["customer_id"] == customer_id], rule, as_of), rule)


def cite(records):
    """Name up to three records and say how many there are.

    Examples
    --------
    >>> cite(["M1", "M2", "M3", "M4"])
    'M1, M2, M3, … (4)'
    """
    unique = list(dict.fromkeys(records))
    return ", ".join(map(str, unique[:3])) + (", …" if len(unique) > 3 else "") + f" ({len(unique)})"


def check_labels(labels):
    """Refuse a table of labels that is not one, in a sentence that says where.

    Examples
    --------
    >>> check_labels(pd.DataFrame([["K1", "x", "某", "fact", 1.5, None, None, "s"]], columns=LABEL_COLUMNS))
    Traceback (most recent call last):
    ...
    ValueError: the weight of label 'x' of customer K1 is 1.5; a weight lies between 0 and 1
    """
    need(labels, LABEL_COLUMNS, "table of labels")
    odd = labels[~labels["weight"].between(0, 1)]
    if len(odd):
        row = odd.iloc[0]
        raise ValueError(
            f"the weight of label {row['label']!r} of customer {row['customer_id']} is {row['weight']}; a weight lies "
            "between 0 and 1"
        )
    wrong = sorted(set(labels["kind"]) - set(KINDS))
    if wrong:
        raise ValueError(f"the kind {wrong[0]!r} is unknown; choose one of: {', '.join(KINDS)}")
    blank = labels[["customer_id", "label", "label_zh", "source"]].isna().any(axis=1)
    if blank.any():
        raise ValueError(f"row {labels.index[blank][0]} of the labels lacks its customer, its name or its source")
    twice = labels.duplicated(["customer_id", "label"])
    if twice.any():
        row = labels[twice].iloc[0]
        raise ValueError(f"customer {row['customer_id']} has the label {row['label']!r} twice: keep one of them")


def combine_labels(*tables):
    """Put tables of labels together and check them.

    Parameters
    ----------
    *tables : pandas.DataFrame
        With the columns of `LABEL_COLUMNS`.

    Returns
    -------
    pandas.DataFrame
        All rows, by customer_id, then the heaviest first.

    Raises
    ------
    ValueError
        A column is missing, a weight is not between 0 and 1, a kind is unknown, or a customer has a label twice.

    Examples
    --------
    >>> row = pd.DataFrame([["K1", "gold card", "金卡会员", "fact", 1.0, None, None, "members"]], columns=LABEL_COLUMNS)
    >>> len(combine_labels(row, row.assign(label="online", weight=0.4)))
    2
    """
    kept = [need(table, LABEL_COLUMNS, "table of labels") for table in tables if len(table)]
    labels = pd.concat(kept, ignore_index=True) if kept else _empty()
    check_labels(labels)
    return labels.sort_values(["customer_id", "weight", "label"], ascending=[True, False, True], ignore_index=True)


def _window(lines, rule, as_of):
    end = after(as_of)
    return lines[(lines["ordered_at"] < end) & (lines["ordered_at"] >= end - pd.Timedelta(days=int(rule.window)))]


def _meeting(lines, rule):
    """Return the lines that meet the condition of a rule."""
    if not rule.condition:
        return lines
    try:
        return lines.query(rule.condition, engine="python")
    except Exception as error:  # whatever pandas says of a query that somebody typed
        has = ", ".join(lines.columns)
        raise ValueError(
            f"rule {rule.label!r}: the condition {rule.condition!r} cannot be read ({error}); the columns are: {has}"
        ) from None


def _measure(met, window, measure, as_of):
    """Return what a rule measures, for each customer with a line that meets it."""

    def by_customer(lines):
        return lines.groupby("customer_id")

    if measure == "days since":
        last = by_customer(met)["ordered_at"].max().dt.normalize()
        return (pd.Timestamp(as_of).normalize() - last).dt.days
    if measure.endswith("orders"):
        value, whole = (by_customer(part)["order_id"].nunique() for part in (met, window))
    else:
        value, whole = (by_customer(part)["amount"].sum() for part in (met, window))
    return (value / whole).dropna() if measure.startswith("share") else value


def _apply_rule(lines, rule, as_of):
    """Return the customers who meet one rule, with the weight and the source."""
    window = _window(lines, rule, as_of)
    orders = window.groupby("customer_id")["order_id"].nunique()
    window = window[window["customer_id"].map(orders) >= rule.evidence]
    met = _meeting(window, rule)
    value = _measure(met, window, rule.measure, as_of)
    value = value[value >= rule.at_least]
    if value.empty:
        return _empty()
    met = met[met["customer_id"].isin(value.index)].sort_values(["ordered_at", "order_id", "line_no"])
    if rule.measure == "days since":
        met = met[met["ordered_at"] == met.groupby("customer_id")["ordered_at"].transform("max")]
    name = met["order_id"].astype("str") + "-" + met["line_no"].astype("str")
    found = met.groupby("customer_id")["ordered_at"].agg(["min", "max"])
    where = f" where {rule.condition}" if rule.condition else ""
    told = value.reindex(found.index).map(lambda measured: f"{measured:.3g}" if measured < 100 else f"{measured:.0f}")
    cited = name.groupby(met["customer_id"]).agg(cite)
    source = f": {rule.measure}{where} in {rule.window} days is " + told + f", at least {rule.at_least:g}"
    since = found["min"].dt.normalize()
    if rule.measure == "days since":  # it holds from the day on which the silence became long enough
        since = since + pd.Timedelta(days=int(rule.at_least))
    return pd.DataFrame(
        {
            "label": rule.label,
            "label_zh": rule.label_zh,
            "kind": "rule",
            "weight": (value.reindex(found.index) / rule.full).clip(upper=1).round(4),
            "since": since,
            # A silence is seen until today; a habit was last seen in the newest purchase that shows it.
            "seen_on": pd.Timestamp(as_of).normalize() if rule.measure == "days since" else found["max"].dt.normalize(),
            "source": "order_lines " + cited + source,
        }
    ).reset_index()


def _tidy(labels):
    return labels[LABEL_COLUMNS].sort_values(["customer_id", "label"], ignore_index=True)


def _empty():
    """Return a table of labels without a row."""
    moments = dict.fromkeys(("since", "seen_on"), "datetime64[us]")
    texts = dict.fromkeys(("customer_id", "label", "label_zh", "kind", "source"), "str")
    return pd.DataFrame({column: [] for column in LABEL_COLUMNS}).astype({**texts, "weight": "float64", **moments})
