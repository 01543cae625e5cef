"""Integrate (整合): one row per customer from many records, and for each value where it came from."""

import pandas as pd

from cimlab.database.match import _columns

# Which record speaks for each field. "with:address" keeps a city and a street of the same record together.
CUSTOMER_RULES = {
    "name": "most complete",
    "name_pinyin": "with:name",
    "surname": "with:name",
    "gender": "vote",
    "birth_date": "vote",
    "phone": "newest",
    "email": "newest",
    "address": "newest",
    "city": "with:address",
    "id_number": "priority:till>web>call",
}


def merge_records(records, clusters, rules=None):
    """Merge the records of each customer by survivorship rules, and keep the lineage (血缘) of each value.

    Missing values never win. The rules:

    - ``newest``: the record with the latest updated_at;
    - ``priority:web>till>call``: the first source of the list that has a value, and its newest record;
    - ``vote``: the value that most records hold;
    - ``most complete``: a Chinese text before a Latin one (pinyin cannot be turned back), then the longest;
    - ``with:<field>``: the value of the record that won that field, even if it is missing there.

    Ties go to the newest record, then to the smallest record_id.

    Parameters
    ----------
    records : pandas.DataFrame
        record_id, source, updated_at and the fields, standardised.
    clusters : pandas.DataFrame
        record_id, customer_id, as returned by `cluster_pairs`.
    rules : dict of str to str, optional
        Field to rule. Default: `CUSTOMER_RULES`.

    Returns
    -------
    customers : pandas.DataFrame
        customer_id, the fields, records (how many were merged) and updated_at (the newest); one row per customer.
    lineage : pandas.DataFrame
        customer_id, field, value (text), record_id, source, rule, decided_by ("only value", "all agree", "rule",
        "tie: newest", "tie: record_id") and rejected (the other values, with the record of each).

    Raises
    ------
    ValueError
        An unknown rule, a missing column, or a record without a customer.

    References
    ----------
    Bleiholder, J. and Naumann, F. (2009). Data fusion. ACM Computing Surveys 41(1).

    Examples
    --------
    >>> records = pd.DataFrame({
    ...     "record_id": ["r1", "r2"], "source": ["till", "web"], "phone": ["+8617400000001", "+8617400000002"],
    ...     "updated_at": pd.to_datetime(["2024-01-01", "2025-01-01"])})
    >>> clusters = pd.DataFrame({"record_id": ["r1", "r2"], "customer_id": ["K000001", "K000001"]})
    >>> customers, lineage = merge_records(records, clusters, {"phone": "newest"})
    >>> customers[["customer_id", "phone", "records"]]
      customer_id           phone  records
    0     K000001  +8617400000002        2
    >>> lineage[["record_id", "decided_by", "rejected"]]
      record_id decided_by             rejected
    0        r2       rule  +8617400000001 (r1)
    """
    rules = CUSTOMER_RULES if rules is None else rules
    rows = _columns(records, ["record_id", "source", "updated_at", *rules]).merge(clusters, on="record_id", how="left")
    homeless = rows.loc[rows["customer_id"].isna(), "record_id"]
    if len(homeless):
        raise ValueError(f"{len(homeless)} records have no customer in `clusters`, the first is {homeless.iloc[0]!r}")
    winners = {}
    for field, rule in rules.items():
        if not rule.startswith("with:"):
            winners[field] = _winners(rows, field, rule)
    for field, rule in rules.items():
        if rule.startswith("with:"):
            winners[field] = _same_record(rows, field, rule, winners)
    lineage = pd.concat([_lineage(rows, winners[field], field, rule) for field, rule in rules.items()])
    lineage = lineage.sort_values("customer_id", kind="stable", ignore_index=True)
    customers = rows.groupby("customer_id").agg(records=("record_id", "size"), updated_at=("updated_at", "max"))
    for field in rules:
        customers[field] = winners[field].set_index("customer_id")[field]
    return customers[[*rules, "records", "updated_at"]].reset_index(), lineage


def _winners(rows, field, rule):
    """Return the winning row of each customer for one field, with the column `decided_by`."""
    ranked = rows[rows[field].notna()].copy()
    ranked["_rank"] = _rank(ranked, field, rule)
    ranked = ranked.sort_values(["_rank", "updated_at", "record_id"], ascending=[False, False, True])
    best = ranked.groupby("customer_id")[["_rank", "updated_at"]].transform("first")
    rivals = ranked[ranked["_rank"] == best["_rank"]]  # as good by the rule
    newest = rivals[rivals["updated_at"] == best.loc[rivals.index, "updated_at"]]  # and as new
    winner = ranked.drop_duplicates("customer_id").set_index("customer_id")
    values = {name: part.groupby("customer_id")[field].agg(["size", "nunique"]) for name, part in
              [("all", ranked), ("rivals", rivals), ("newest", newest)]}  # fmt: skip
    winner["decided_by"] = "rule"
    winner.loc[values["rivals"]["nunique"] > 1, "decided_by"] = "tie: newest"
    winner.loc[values["newest"]["nunique"] > 1, "decided_by"] = "tie: record_id"
    winner.loc[values["all"]["nunique"] == 1, "decided_by"] = "all agree"
    winner.loc[values["all"]["size"] == 1, "decided_by"] = "only value"
    return winner.reset_index()


def _rank(rows, field, rule):
    """Return a number per row: the higher, the better by the rule."""
    if rule == "newest":
        return rows["updated_at"].rank(method="dense")
    if rule == "vote":
        return rows.groupby(["customer_id", field])[field].transform("size")
    if rule == "most complete":
        text = rows[field].astype("str")
        return text.str.contains("[\u4e00-\u9fff]") * 1000 + text.str.len()
    if rule.startswith("priority:"):
        order = rule.removeprefix("priority:").split(">")
        return rows["source"].map({source: -place for place, source in enumerate(order)}).fillna(-len(order))
    rules = "newest, vote, most complete, priority:<source>><source>, with:<field>"
    raise ValueError(f"the field {field!r} has the unknown rule {rule!r}; choose one of: {rules}")


def _same_record(rows, field, rule, winners):
    leader = rule.removeprefix("with:")
    if leader not in winners:
        raise ValueError(f"the field {field!r} goes with {leader!r}, which needs a rule of its own")
    chosen = winners[leader]["record_id"]
    return rows[rows["record_id"].isin(chosen) & rows[field].notna()].assign(decided_by=f"with {leader}")


def _lineage(rows, winner, field, rule):
    won = winner[["customer_id", field, "record_id", "source", "decided_by"]].rename(columns={field: "value"})
    others = rows[["customer_id", "record_id", field]].dropna().merge(won[["customer_id", "value"]], on="customer_id")
    others = others[others[field] != others["value"]].sort_values("record_id")
    text = _as_text(others[field]) + " (" + others["record_id"] + ")"
    rejected = text.groupby(others["customer_id"]).agg("; ".join)
    return won.assign(
        field=field,
        value=_as_text(won["value"]),
        rule=rule,
        rejected=won["customer_id"].map(rejected).astype("str").fillna(""),
    )[["customer_id", "field", "value", "record_id", "source", "rule", "decided_by", "rejected"]]


def _as_text(values):
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.dt.strftime("%Y-%m-%d").astype("str")
    return values.astype("str")
