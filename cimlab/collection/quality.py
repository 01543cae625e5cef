"""Measure what a channel delivers (数据质量): six dimensions, the usable records, and what each of them costs.

================  ============================================================  ==========
completeness      how many cells are filled, of those that should be            完整性
validity          how many filled cells can be right at all                     有效性
uniqueness        how many different values, of those that must differ          唯一性
consistency       how many records do not contradict themselves                 一致性
timeliness        how many values are young enough to be true still             及时性
accuracy          how many values are true: needs the truth, or a better source  准确性
================  ============================================================  ==========
"""

import pandas as pd

from cimlab.collection.rules import CHANNEL_COSTS, QUALITY_RULES

DIMENSIONS = ["completeness", "validity", "uniqueness", "consistency", "timeliness", "accuracy"]


def quality_report(table, rules, today, truth=None):
    """Measure the quality of a channel, field by field.

    Parameters
    ----------
    table : pandas.DataFrame
        What a reader returned.
    rules : dict
        What is measured: ``QUALITY_RULES["till"]`` or rules of your own of that form.
    today : str or pandas.Timestamp
        The day from which the age of a record is counted.
    truth : pandas.DataFrame, optional
        The true values, or those of a better source: the key of the channel and some of its fields, one row a record.

    Returns
    -------
    pandas.DataFrame
        One row a field of the rules: the six dimensions as shares from 0 to 1; missing where there is nothing to
        measure by.

    Raises
    ------
    ValueError
        If the table lacks a column that the rules name, or the truth has no key or a key twice.

    Examples
    --------
    >>> from cimlab.collection import as_phone
    >>> cards = pd.DataFrame({"card": ["A", "B", "C"], "phone": ["174 0123 4567", "1740", None],
    ...                       "made_on": pd.to_datetime(["2026-01-01", "2020-01-01", "2026-01-01"])})
    >>> rules = {"key": "card", "date": "made_on",
    ...          "fields": {"phone": {"needed": True, "read": as_phone, "max_age_days": 730}}}
    >>> quality_report(cards, rules, today="2026-06-30").round(2).T
    field         phone
    completeness   0.67
    validity       0.50
    uniqueness      NaN
    consistency     NaN
    timeliness     0.50
    accuracy        NaN
    """
    _check_columns(table, rules, truth)
    age = (pd.Timestamp(today) - table[rules["date"]]).dt.days
    rows = {}
    for field, rule in rules["fields"].items():
        true = None
        if truth is not None and field in truth and field != rules["key"]:
            true = table[rules["key"]].map(truth.set_index(rules["key"])[field])
        rows[field] = _measure_field(table, field, rule, age, true)
    return pd.DataFrame.from_dict(rows, orient="index", columns=DIMENSIONS).rename_axis("field").astype("float64")


def quality_by_channel(tables, today, rules=None, truths=None):
    """Measure several channels: each dimension as the mean of the fields for which it was measured.

    Parameters
    ----------
    tables : dict
        Channel → the table that its reader returned.
    today : str or pandas.Timestamp
        The day from which the age of a record is counted.
    rules : dict, optional
        Channel → what is measured; `QUALITY_RULES` when left out.
    truths : dict, optional
        Channel → its true values.

    Returns
    -------
    pandas.DataFrame
        One row a channel: records and the six dimensions.

    Examples
    --------
    >>> import cimlab
    >>> from cimlab.collection import read_bought_list, read_reviews
    >>> tables = {"bought_list": read_bought_list(cimlab.locate("bought_list")),
    ...           "reviews": read_reviews(cimlab.locate("reviews"))}
    >>> quality_by_channel(tables, today="2026-06-30")["validity"].idxmax()
    'reviews'
    """
    rows = {}
    for channel, table in tables.items():
        truth = (truths or {}).get(channel)
        report = quality_report(table, _of_channel(rules, channel), today, truth)
        rows[channel] = {"records": len(table)} | report.mean().to_dict()
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("channel")


def usable_records(table, rules, today):
    """Say of each record whether it can be used.

    It can, when every field that is needed is filled, can be read and is young enough, when nothing in it contradicts
    another, and when it is no repetition: of records with the same value in a needed field that must be unique, the
    one with the latest date counts.

    Parameters
    ----------
    table : pandas.DataFrame
        What a reader returned.
    rules : dict
        As in `quality_report`.
    today : str or pandas.Timestamp
        The day from which the age of a record is counted.

    Returns
    -------
    pandas.Series
        bool, with the index of the table.

    Examples
    --------
    >>> from cimlab.collection import as_phone
    >>> cards = pd.DataFrame({"card": ["A", "B", "C"], "phone": ["174 0123 4567", "17401234567", None],
    ...                       "made_on": pd.to_datetime(["2025-01-01", "2026-01-01", "2026-01-01"])})
    >>> rules = {"key": "card", "date": "made_on",
    ...          "fields": {"phone": {"needed": True, "read": as_phone, "unique": True}}}
    >>> usable_records(cards, rules, today="2026-06-30").tolist()
    [False, True, False]
    """
    _check_columns(table, rules)
    age = (pd.Timestamp(today) - table[rules["date"]]).dt.days
    usable = pd.Series(True, index=table.index)
    newest_first = table[rules["date"]].sort_values(ascending=False, kind="stable").index
    for field, rule in rules["fields"].items():
        if "agrees" in rule:
            usable &= ~rule["agrees"](table).eq(False)
        if not rule.get("needed"):
            continue
        read = _read(table[field], rule)
        usable &= (read.notna() | ~rule["when"](table)) if "when" in rule else read.notna()
        usable &= age <= rule.get("max_age_days", float("inf"))
        if rule.get("unique"):
            usable &= ~(read.loc[newest_first].duplicated() & read.loc[newest_first].notna())
    return usable


def cost_per_usable_record(tables, today, rules=None, costs=None):
    """Say what a record costs in each channel, and what one costs that can be used.

    Parameters
    ----------
    tables : dict
        Channel → the table that its reader returned.
    today : str or pandas.Timestamp
        The day from which the age of a record is counted.
    rules : dict, optional
        Channel → what is measured; `QUALITY_RULES` when left out.
    costs : pandas.DataFrame, optional
        By channel: fixed and per_record, in CNY; `CHANNEL_COSTS` when left out, assumed figures with their basis.

    Returns
    -------
    pandas.DataFrame
        One row a channel: records, usable, usable_share, cost, cost_per_record, cost_per_usable (CNY; missing where no
        record is usable).

    Raises
    ------
    ValueError
        If a channel has no rules or no costs.

    Examples
    --------
    >>> import cimlab
    >>> from cimlab.collection import read_bought_list
    >>> tables = {"bought_list": read_bought_list(cimlab.locate("bought_list"))}
    >>> costs = cost_per_usable_record(tables, today="2026-06-30").loc["bought_list"]
    >>> bool(costs["cost_per_usable"] > 5 * costs["cost_per_record"])  # most addresses are too old
    True
    """
    costs = CHANNEL_COSTS if costs is None else costs
    rows = {}
    for channel, table in tables.items():
        if channel not in costs.index:
            raise ValueError(f"There are no costs for the channel {channel!r}; costs has {', '.join(costs.index)}")
        usable = int(usable_records(table, _of_channel(rules, channel), today).sum())
        cost = costs.loc[channel, "fixed"] + costs.loc[channel, "per_record"] * len(table)
        rows[channel] = {
            "records": len(table),
            "usable": usable,
            "usable_share": usable / max(len(table), 1),
            "cost": cost,
            "cost_per_record": cost / max(len(table), 1),
            "cost_per_usable": cost / usable if usable else float("nan"),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("channel")


def _measure_field(table, field, rule, age, true):
    """Return the dimensions that can be measured for one field: dimension → share."""
    due = rule["when"](table) if "when" in rule else pd.Series(True, index=table.index)
    filled = table[field].notna() & due
    read = _read(table[field], rule)
    values = read[filled].dropna()
    measured = {"completeness": _share(filled, due)}
    if "read" in rule:
        measured["validity"] = _share(read.notna(), filled)
    if rule.get("unique") and len(values):
        measured["uniqueness"] = values.nunique() / len(values)
    if "agrees" in rule:
        agrees = rule["agrees"](table)
        measured["consistency"] = _share(agrees.eq(True), agrees.notna())
    if "max_age_days" in rule:
        measured["timeliness"] = _share(age <= rule["max_age_days"], filled)
    if true is not None:
        true = _read(true, rule)
        measured["accuracy"] = _share(read == true, filled & true.notna())
    return measured


def _read(values, rule):
    return rule["read"](values) if "read" in rule else values


def _share(part, whole):
    return (part & whole).sum() / whole.sum() if whole.any() else float("nan")


def _of_channel(rules, channel):
    rules = QUALITY_RULES if rules is None else rules
    if channel not in rules:
        raise ValueError(
            f"There are no quality rules for the channel {channel!r}; there are some for {', '.join(rules)}"
        )
    return rules[channel]


def _check_columns(table, rules, truth=None):
    wanted = [rules["key"], rules["date"], *rules["fields"]]
    missing = [column for column in wanted if column not in table.columns]
    if missing:
        raise ValueError(
            f"The rules name {', '.join(missing)}, but the table has the columns {', '.join(table.columns)}: "
            "are these the rules of another channel?"
        )
    if truth is not None and (rules["key"] not in truth or truth[rules["key"]].duplicated().any()):
        raise ValueError(f"The truth needs the column {rules['key']} (the key), with each record once.")
