"""The rights of the person (个人权利): a copy, a correction, an erasure across every table.

PIPL arts. 44-47 and GDPR arts. 15-17 give them to the person, not to a card: all records of a person must be found. A
map says in which columns record ids stand; a table that is not in the map is not searched, and so data survive.
Every function works on copies: the tables that went in stay as they were, and if it stops, nothing is half done.
"""

import re
import unicodedata

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need

# Table → where a record id (member_id, account_id, call_id, …) stands: a column, or (column, table) for rows that hang
# on the rows found in another table, which comes before. An empty list: looked at, no record id is in it.
RECORD_COLUMNS = {
    "members": ["member_id"],
    "web_accounts": ["account_id"],
    "calls": ["call_id"],
    "bought_list": ["list_no"],
    "exhibition": ["card_no"],
    "enterprise_contacts": ["contact_id"],
    "consents": ["customer_ref"],
    "orders": ["customer_ref"],
    "order_lines": [("order_id", "orders")],
    "returns": [("order_id", "orders")],
    "web_events": ["account_id", ("order_id", "orders")],
    "campaign_contacts": ["member_id"],
    "tickets": ["call_id"],
    "labelled_calls": ["call_id"],
    "reviews": ["account_id", ("order_id", "orders")],
    "survey_invitations": ["member_id"],
    "questionnaire": ["member_id"],
    "reviewed": ["record_id"],
}

# Table → columns that are blanked in the rows that stay, and why they stay.
KEPT_FOR_BOOKS = {
    "orders": (["customer_ref"], "accounts: vouchers are kept for 30 years (会计档案管理办法)"),
    "order_lines": ([], "accounts: the lines of a voucher"),
    "returns": ([], "accounts: the refund of a voucher"),
}


def find_person(tables, who, person):
    """Find all rows of a person in all tables of the map.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
    who : dict of str to list
        Table → columns with record ids, as in `RECORD_COLUMNS`. Each table of the map must be there.
    person : list of str or str
        The record ids of the person, as matching found them, such as two cards and an account.

    Returns
    -------
    dict of str to pandas.DataFrame
        Table → the rows of the person (perhaps none), with their index.

    Raises
    ------
    ValueError
        No record id is given, or the map names a table or a column that is not there.

    Examples
    --------
    >>> tables = {"orders": pd.DataFrame({"order_id": ["O1", "O2"], "customer_ref": ["M1", "M2"]}),
    ...     "order_lines": pd.DataFrame({"order_id": ["O1", "O1", "O2"], "amount": [5.0, 7.0, 9.0]})}
    >>> who = {"orders": ["customer_ref"], "order_lines": [("order_id", "orders")]}
    >>> find_person(tables, who, "M1")["order_lines"]["amount"].tolist()
    [5.0, 7.0]
    """
    return {name: tables[name][mask].copy() for name, mask in _masks(tables, who, person).items()}


def copy_of_data(tables, who, person):
    """Hand a person a copy of what is held of him (right of access, PIPL art. 45, GDPR art. 15).

    Parameters
    ----------
    tables, who, person
        As for `find_person`.

    Returns
    -------
    tuple of (dict of str to pandas.DataFrame, pandas.DataFrame)
        The rows of the tables that hold any, numbered from 0; and the overview, one row for each table of `tables`:
        table, rows, searched (bool: in the map), columns (text). Tables that were not searched must be looked through
        by hand before one writes "this is all".

    Examples
    --------
    >>> tables = {"members": pd.DataFrame({"member_id": ["M1", "M2"], "name": ["刘美娟", "孙雪云"]}),
    ...     "stores": pd.DataFrame({"store_id": ["ST01"]})}
    >>> copied, overview = copy_of_data(tables, {"members": ["member_id"]}, ["M1"])
    >>> overview
         table  rows  searched          columns
    0  members     1      True  member_id, name
    1   stores     0     False
    """
    found = find_person(tables, who, person)
    rows = []
    for name in tables:
        count = len(found.get(name, ()))
        rows.append((name, count, name in found, ", ".join(map(str, tables[name].columns)) if count else ""))
    copied = {name: part.reset_index(drop=True) for name, part in found.items() if len(part)}
    return copied, pd.DataFrame(rows, columns=["table", "rows", "searched", "columns"])


def correct_value(tables, who, person, table, column, value, on, log=None):
    """Correct a value in all rows of a person in one table, and note it (PIPL art. 46, GDPR art. 16).

    Parameters
    ----------
    tables, who, person
        As for `find_person`.
    table, column : str
        Where. Not a column of the map: that would cut the row off from the person.
    value : object
        The right value, of the kind of the column.
    on : str or pandas.Timestamp
        Day of the correction. It also goes to `updated_on` of the row if the table has that column, so that the newest
        value wins when records are merged.
    log : pandas.DataFrame, optional
        The log so far, to which the correction is added.

    Returns
    -------
    tuple of (dict of str to pandas.DataFrame, pandas.DataFrame)
        New tables; the log: on, table, row (index), column, before, after. Whoever got the wrong value must be told
        (GDPR art. 19): the log says what.

    Raises
    ------
    ValueError
        The person has no row there, or the value does not fit the column.

    Examples
    --------
    >>> tables = {"members": pd.DataFrame({"member_id": ["M1", "M2"], "city": ["宁波", "宁波"]})}
    >>> new, log = correct_value(tables, {"members": ["member_id"]}, "M1", "members", "city", "杭州", on="2026-06-30")
    >>> new["members"]["city"].tolist(), log[["row", "before", "after"]].values.tolist()
    (['杭州', '宁波'], [[0, '宁波', '杭州']])
    """
    mask = _masks(tables, who, person).get(table)
    if mask is None or not mask.any():
        raise ValueError(f"the person has no row in the table {table}: nothing to correct")
    if column in _columns_of(who, table):
        raise ValueError(f"{column} links the row to the person: correct the linking, not the column")
    before = need(tables[table], [column], f"table {table}").loc[mask, column]
    changed = tables[table].copy()
    try:
        changed.loc[mask, column] = value
        if "updated_on" in changed and column != "updated_on":
            changed.loc[mask, "updated_on"] = pd.Timestamp(on)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{value!r} does not fit the column {column} of {table} ({before.dtype})") from error
    noted = pd.DataFrame({"on": pd.Timestamp(on), "table": table, "row": before.index, "column": column})
    noted["before"] = pd.Series(before.to_list(), dtype=object)
    noted["after"] = pd.Series([value] * len(before), dtype=object)
    log = noted if log is None or log.empty else pd.concat([log, noted], ignore_index=True)
    return _copies(tables) | {table: changed}, log


def erase_person(tables, who, person, keep=None):
    """Erase a person from every table of the map; what the law keeps is cut off from the person (PIPL art. 47).

    Extracts and backup lists are tables too: hand them over with the others, and name them in the map.

    Parameters
    ----------
    tables, who, person
        As for `find_person`.
    keep : dict of str to tuple of (list of str, str), optional
        Table → (columns to blank, reason), as in `KEPT_FOR_BOOKS`; its rows stay. All other rows go. A row that stays
        must lose every column by which the map found it, or hang on a row that did.

    Returns
    -------
    tuple of (dict of str to pandas.DataFrame, pandas.DataFrame)
        New tables; the report, one row for each table of `tables`: table, found, erased, anonymised, reason.

    Raises
    ------
    ValueError
        No table has a row of the person (is the id right?), or a kept row would still hold his record id.

    Examples
    --------
    >>> tables = {"members": pd.DataFrame({"member_id": ["M1", "M2"], "name": ["刘美娟", "孙雪云"]}),
    ...     "orders": pd.DataFrame({"order_id": ["O1", "O2"], "customer_ref": ["M1", "M2"]}),
    ...     "mailing": pd.DataFrame({"name": ["刘美娟"]})}
    >>> who = {"members": ["member_id"], "orders": ["customer_ref"]}
    >>> new, report = erase_person(tables, who, "M1", keep={"orders": (["customer_ref"], "accounts")})
    >>> report
         table  found  erased  anonymised                         reason
    0  members      1       1           0
    1   orders      1       0           1                       accounts
    2  mailing      0       0           0  not searched: not in the map
    """
    keep = keep or {}
    masks = _masks(tables, who, person)
    if not any(mask.any() for mask in masks.values()):
        raise ValueError("no table holds a row of this person: are the record ids right, and is the map complete?")
    for name in keep:
        _check_kept(tables, who, keep, name)
    new, rows = _copies(tables), []
    for name in tables:
        mask = masks.get(name)
        found = 0 if mask is None else int(mask.sum())
        reason = "not searched: not in the map" if mask is None else ""
        if found and name in keep:
            columns, reason = keep[name]
            new[name][columns] = new[name][columns].mask(mask)
        elif found:
            new[name] = new[name][~mask].reset_index(drop=True)
        kept = found if name in keep else 0
        rows.append((name, found, found - kept, kept, reason))
    return new, pd.DataFrame(rows, columns=["table", "found", "erased", "anonymised", "reason"])


def check_erased(tables, who, person, also=()):
    """Attack an erasure: search every cell of every table, in the map or not, for what points at the person.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        All there are, extracts and backups too.
    who : dict of str to list
        The map with which the person was erased; it may be empty.
    person : list of str or str
        The record ids; found where they stand alone, not inside a longer id.
    also : list of (str or tuple of str)
        What the person is known by: phone, e-mail. Found as part of a text too, whatever the spaces, hyphens, width and
        case. A tuple must stand in one row as a whole: ``("刘美娟", "宁波")``, since a name alone finds namesakes.

    Returns
    -------
    pandas.DataFrame
        One row a find: table, row (index), column (several joined by " + "), value, in_map (bool: the map names this
        table, so the erasure missed a row; else nobody looked there). Empty if nothing is left. It holds personal data
        itself: do not keep it.

    Raises
    ------
    ValueError
        A value to look for is blank.

    Examples
    --------
    >>> tables = {"mailing": pd.DataFrame({"name": ["刘美娟", "孙雪云"], "note": ["call 1740 008-2279 (M1)", "M12"]})}
    >>> check_erased(tables, {}, "M1", also=["17400082279", ("刘美娟", "宁波")])
         table  row column        value  in_map
    0  mailing    0   note           M1   False
    1  mailing    0   note  17400082279   False
    """
    known = [(value,) if isinstance(value, str) else tuple(value) for value in also]
    if not all(parts and all(isinstance(part, str) and _plain(part) for part in parts) for parts in known):
        raise ValueError("each value to look for is a text that is not blank, or a tuple of such texts")
    finds = []
    for name, table in tables.items():
        texts = {column: _cells(table[column]) for column in table.columns}
        plain = {column: (code, [_plain(text) for text in cells]) for column, (code, cells) in texts.items()}
        for record in _ids(person):
            alone = re.compile(rf"(?<![0-9A-Za-z]){re.escape(record)}(?![0-9A-Za-z])")
            finds += _finds(name, table, [_held(texts, alone)], record)
        for parts in known:
            held = [_held(plain, re.compile(re.escape(_plain(part)))) for part in parts]
            finds += _finds(name, table, held, " + ".join(parts))
    found = pd.DataFrame(finds, columns=["table", "row", "column", "value"])
    return found.assign(in_map=found["table"].isin(list(who)))


def _ids(person):
    """Return the record ids of a person as a list of texts."""
    ids = [person] if isinstance(person, str) else list(person)
    if not ids or not all(isinstance(record, str) and record.strip() for record in ids):
        raise ValueError("give the record ids of the person: a text such as 'MQ16TQ', or a list of such texts")
    return ids


def _columns_of(who, name):
    """Return the columns of a table by which the map finds its rows."""
    return [link if isinstance(link, str) else link[0] for link in who.get(name, [])]


def _masks(tables, who, person):
    """Return for each table of the map which rows are the person's."""
    ids, masks = _ids(person), {}
    absent = sorted(set(who) - set(tables))
    if absent:
        raise ValueError(f"the map names {', '.join(absent)}, which is not among the tables: hand it over, or drop it")
    for name, links in who.items():
        if isinstance(links, str):
            raise ValueError(f"{name}: write the columns of the map as a list, [{links!r}]")
        table = tables[name]
        if table.index.has_duplicates:
            raise ValueError(f"the index of {name} repeats: reset_index(drop=True) first")
        mask = pd.Series(False, index=table.index)
        for link in links:
            column, keys = (link, ids) if isinstance(link, str) else (link[0], _parent_keys(tables, masks, name, link))
            mask |= need(table, [column], f"table {name}")[column].isin(keys)
        masks[name] = mask
    return masks


def _parent_keys(tables, masks, name, link):
    column, parent = link
    if parent not in masks:
        raise ValueError(f"{name} hangs on {parent}: put {parent} before it in the map")
    return need(tables[parent], [column], f"table {parent}").loc[masks[parent], column].dropna()


def _check_kept(tables, who, keep, name):
    """Stop if a row that is kept would still lead to the person."""
    if name not in who or name not in tables:
        raise ValueError(f"{name} is to be kept, but the map does not name it")
    blank = need(tables[name], list(keep[name][0]), f"table {name}").columns
    for link in who[name]:
        column, parent = (link, None) if isinstance(link, str) else link
        if column not in blank and parent not in keep:
            raise ValueError(f"{name} is to be kept, but {column} still leads to the person: blank it too")


def _copies(tables):
    return {name: table.copy() for name, table in tables.items()}


def _plain(text):
    """Return a text without what people type between the signs: width, case, spaces, hyphens, dots, brackets."""
    return re.sub(r"[\s\-‐-―_.()+·]", "", unicodedata.normalize("NFKC", text)).lower()


def _cells(column):
    """Return the number of each cell's value, and the different values as text; missing is empty."""
    code, values = pd.factorize(column, use_na_sentinel=False)
    return code, ["" if pd.api.types.is_scalar(value) and pd.isna(value) else str(value) for value in values]


def _held(texts, pattern):
    """Return for each column which cells hold the pattern."""
    hits = {column: [bool(pattern.search(text)) for text in cells] for column, (_, cells) in texts.items()}
    return {column: np.array(hits[column], dtype=bool)[code] for column, (code, _) in texts.items()}


def _finds(name, table, parts, value):
    """Return the rows in which each part stands in some column: table, row, columns, value."""
    frames = [pd.DataFrame(held, index=table.index).astype(bool) for held in parts]
    rows = pd.concat([frame.any(axis=1) for frame in frames], axis=1).all(axis=1)
    finds = []
    for at in rows.to_numpy().nonzero()[0]:
        columns = [str(next(column for column in frame if frame[column].iloc[at])) for frame in frames]
        finds.append((name, table.index[at], " + ".join(dict.fromkeys(columns)), value))
    return finds
