"""An end of keeping (保存期限), and of using: retention rules, and what a withdrawal of consent changes.

Every function works on copies: the tables that went in stay as they were, and if it stops, nothing is half done.
"""

import pandas as pd

from cimlab.analysis.columns import need


def retention_due(tables, rules, today):
    """List what has been kept for longer than its period (保存期限; PIPL art. 19).

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
    rules : pandas.DataFrame
        One row a table: table, date_column, months (to keep from that date on), blank (columns to blank, joined by
        commas; "" erases the row), reason.
    today : str or datetime.date

    Returns
    -------
    pandas.DataFrame
        In the order of the rules: table, rows, due (rows whose last day is over; with `blank` only those that still
        hold something to blank), undated (without a date: no rule ever ends them), oldest, action, reason.

    Raises
    ------
    ValueError
        A rule names a table or column that is not there, a table twice, or a period that is no number of months.

    Examples
    --------
    >>> tables = {"calls": pd.DataFrame({"called_at": pd.to_datetime(["2024-06-29", "2024-06-30", None])})}
    >>> rules = pd.DataFrame({"table": ["calls"], "date_column": "called_at", "months": 24, "blank": "",
    ...     "reason": "claims"})
    >>> retention_due(tables, rules, today="2026-06-30")[["table", "rows", "due", "undated", "action"]]
       table  rows  due  undated action
    0  calls     3    1        1  erase
    """
    rows = []
    for rule, due, dates in _due_rows(tables, rules, today):
        action = f"blank {rule.blank}" if rule.blank else "erase"
        counts = (len(dates), int(due.sum()), int(dates.isna().sum()))
        rows.append((rule.table, *counts, dates.min(), action, rule.reason))
    return pd.DataFrame(rows, columns=["table", "rows", "due", "undated", "oldest", "action", "reason"])


def apply_retention(tables, rules, today, who=None):
    """Erase or blank what `retention_due` lists.

    Parameters
    ----------
    tables, rules, today
        As for `retention_due`.
    who : dict of str to list, optional
        A map as `RECORD_COLUMNS`: rows that hang on an erased row, as lines on their order, go with it.

    Returns
    -------
    tuple of (dict of str to pandas.DataFrame, pandas.DataFrame)
        New tables; the report: table, erased, blanked, reason ("hangs on …" for rows that went with others).

    Examples
    --------
    >>> tables = {"calls": pd.DataFrame({"called_at": pd.to_datetime(["2024-06-29", "2024-06-30"])})}
    >>> rules = pd.DataFrame({"table": ["calls"], "date_column": "called_at", "months": 24, "blank": "",
    ...     "reason": "claims"})
    >>> apply_retention(tables, rules, today="2026-06-30")[1]
       table  erased  blanked  reason
    0  calls       1        0  claims
    """
    new, rows, gone = {name: table.copy() for name, table in tables.items()}, [], {}
    for rule, due, _ in _due_rows(tables, rules, today):
        columns = _names(rule.blank)
        new[rule.table][columns] = new[rule.table][columns].mask(due)
        if not columns:
            gone[rule.table] = due
        rows.append((rule.table, 0 if columns else int(due.sum()), int(due.sum()) if columns else 0, rule.reason))
    for name, links in (who or {}).items():
        for column, parent in (link for link in links if isinstance(link, tuple)):
            if parent not in gone or name not in tables:
                continue
            keys = need(tables[parent], [column], f"table {parent}").loc[gone[parent], column].dropna()
            hanging = need(tables[name], [column], f"table {name}")[column].isin(keys)
            extra = hanging & ~gone.get(name, pd.Series(False, index=hanging.index))
            gone[name] = hanging | gone.get(name, False)
            if extra.any():
                rows.append((name, int(extra.sum()), 0, f"hangs on {parent}"))
    new |= {name: new[name][~mask].reset_index(drop=True) for name, mask in gone.items()}
    return new, pd.DataFrame(rows, columns=["table", "erased", "blanked", "reason"])


def consent_withdrawn_effect(consents, uses, today, links=None):
    """Say what a withdrawal of consent changes: not what was done before it, all that comes after (PIPL art. 15).

    Parameters
    ----------
    consents : pandas.DataFrame
        The ledger: customer_ref, purpose, action (given, withdrawn), recorded_at.
    uses : pandas.DataFrame
        What was done with the data or is planned: customer_ref, purpose, used_at.
    today : str or pandas.Timestamp
        What is used at that time or later is planned, and judged by the consent that holds then.
    links : pandas.DataFrame, optional
        record_id, customer_id as matching found them: then all records of the *person* speak, whichever card or account
        is used. A record without a link stands for itself.

    Returns
    -------
    pandas.DataFrame
        The uses in their order, with consent ("given", "withdrawn", "never given") and effect ("stays lawful", "was
        unlawful", "may go on", "must stop"). The last word of each record holds; of a person's records one that
        withdraws is enough, else one that gives, as for ``collection.consent_of_customers``: in doubt for the person.
        What is recorded at the very moment does not count yet; of two words of one moment the later row does.

    Raises
    ------
    ValueError
        A column is not there, an action is not known, or a use has no time.

    Examples
    --------
    >>> ledger = pd.DataFrame({"customer_ref": "M1", "purpose": "marketing", "action": ["given", "withdrawn"],
    ...     "recorded_at": pd.to_datetime(["2025-01-01", "2026-01-01"])})
    >>> uses = pd.DataFrame({"customer_ref": "M1", "purpose": "marketing",
    ...     "used_at": pd.to_datetime(["2025-06-01", "2026-02-01", "2026-08-01"])})
    >>> consent_withdrawn_effect(ledger, uses, today="2026-06-30")["effect"].tolist()
    ['stays lawful', 'was unlawful', 'must stop']
    """
    ledger = need(consents, ["customer_ref", "purpose", "action", "recorded_at"], "consent ledger")
    asked = need(uses, ["customer_ref", "purpose", "used_at"], "table of uses")
    wrong = sorted(set(ledger["action"]) - {"given", "withdrawn"})
    if wrong or asked["used_at"].isna().any():
        raise ValueError(f"an action is given or withdrawn (not {wrong}), and every use needs a time")
    today = pd.Timestamp(today)
    asked["at"] = asked["used_at"].clip(upper=today).astype("datetime64[us]")
    consent = _consent_of_uses(ledger, asked, links)
    past = asked["used_at"].to_numpy() < today.to_datetime64()
    words = {(True, True): "stays lawful", (True, False): "was unlawful", (False, True): "may go on"}
    effect = [words.get((bool(was), state == "given"), "must stop") for was, state in zip(past, consent, strict=True)]
    return uses.assign(consent=consent, effect=effect)


def _names(text):
    return [name.strip() for name in str(text).split(",") if name.strip()]


def _due_rows(tables, rules, today):
    """Check all rules before anything is done; return for each: the rule, the rows that are due, their dates."""
    wanted = need(rules, ["table", "date_column", "months", "blank", "reason"], "table of rules").fillna({"blank": ""})
    if wanted["table"].duplicated().any():
        raise ValueError("a table has two rules: write one for each table")
    checked = []
    for rule in wanted.itertuples():
        if rule.table not in tables or not rule.months >= 0 or rule.months != int(rule.months):
            raise ValueError(f"the rule for {rule.table}: no such table, or {rule.months} is no number of whole months")
        table = need(tables[rule.table], [rule.date_column, *_names(rule.blank)], f"table {rule.table}")
        if not pd.api.types.is_datetime64_any_dtype(table[rule.date_column]):
            raise ValueError(f"the rule for {rule.table}: {rule.date_column} holds no dates: use pd.to_datetime")
        limit = pd.Timestamp(today).normalize() - pd.DateOffset(months=int(rule.months))
        due = table[rule.date_column] < limit
        if rule.blank:
            due &= table[_names(rule.blank)].notna().any(axis=1)
        checked.append((rule, due, table[rule.date_column]))
    return checked


def _consent_of_uses(ledger, asked, links):
    """Return for each use what all records of its person say together at that moment."""
    links = pd.DataFrame(columns=["record_id", "customer_id"]) if links is None else links
    person = need(links, ["record_id", "customer_id"], "links table").set_index("record_id")["customer_id"].to_dict()
    for table in (ledger, asked):
        table["person"] = [person.get(record, record) for record in table["customer_ref"]]
    ledger["recorded_at"] = ledger["recorded_at"].astype("datetime64[us]")
    ledger = ledger.sort_values("recorded_at", kind="stable")
    asked["use"] = range(len(asked))
    speak = ledger[["person", "purpose", "customer_ref"]].drop_duplicates()
    pairs = asked[["use", "person", "purpose", "at"]].merge(speak, on=["person", "purpose"])
    said = {"left_on": "at", "right_on": "recorded_at", "by": ["customer_ref", "purpose"], "allow_exact_matches": False}
    last = pd.merge_asof(pairs.sort_values("at", kind="stable"), ledger.drop(columns="person"), **said)
    words = ["never given", "given", "withdrawn"]  # the last one that is there holds
    strongest = (
        last["action"].astype("str").fillna(words[0]).map(words.index).astype("int64").groupby(last["use"]).max()
    )
    return [words[rank] for rank in strongest.reindex(range(len(asked)), fill_value=0)]
