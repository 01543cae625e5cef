"""Step 1, extract: the records of every channel in one table with one set of columns."""

import pandas as pd

RECORD_COLUMNS = [
    "record_id",
    "source",
    "name",
    "gender",
    "birth_date",
    "phone",
    "email",
    "city",
    "address",
    "id_number",
    "updated_at",
]

_HONORIFIC = r"(先生|女士|小姐|太太|(?i:\b(?:mr|mrs|ms|miss)\b))"


def extract_records(members, web_accounts, calls):
    """Put members, web accounts and calls under one another, with the same columns and the values as typed.

    Nothing is cleaned here, so that every later change can be traced to what the channel delivered. A call says
    no gender, but its 先生 or 女士 does: that word is taken over into `gender`.

    Parameters
    ----------
    members : pandas.DataFrame
        The member programme of the tills (table ``members``).
    web_accounts : pandas.DataFrame
        The accounts of the web shop (table ``web_accounts``).
    calls : pandas.DataFrame
        The notes of the call centre (table ``calls``).

    Returns
    -------
    pandas.DataFrame
        record_id, source ("till", "web", "call"), name, gender, birth_date, phone, email, city, address, id_number
        (all text) and updated_at (datetime64). One row per record; what a channel does not ask is missing.

    Raises
    ------
    ValueError
        A table lacks a column, or two records have the same id.

    Examples
    --------
    >>> import cimlab
    >>> records = extract_records(cimlab.load("members"), cimlab.load("web_accounts"), cimlab.load("calls"))
    >>> records["source"].unique().tolist()
    ['till', 'web', 'call']
    """
    till = _one_source(members, "members", "till", {"member_id": "record_id", "updated_on": "updated_at"})
    web_names = {"account_id": "record_id", "full_name": "name", "updated_on": "updated_at"}
    web = _one_source(web_accounts, "web_accounts", "web", web_names)
    call_names = {"call_id": "record_id", "caller_name": "name", "called_at": "updated_at"}
    call = _one_source(calls, "calls", "call", call_names)
    call["gender"] = call["name"].str.extract(_HONORIFIC, expand=False)
    records = pd.concat([till, web, call], ignore_index=True)
    twice = records.loc[records["record_id"].duplicated(), "record_id"]
    if len(twice):
        raise ValueError(f"{len(twice)} record ids occur twice, the first is {twice.iloc[0]!r}: an id must be unique")
    return records


def _one_source(table, table_name, source, names):
    absent = sorted(set(names) - set(table.columns))
    if absent:
        raise ValueError(f"the table {table_name} has no column {', '.join(absent)}; it has {', '.join(table.columns)}")
    records = table.rename(columns=names).reindex(columns=RECORD_COLUMNS)
    text = [column for column in RECORD_COLUMNS if column != "updated_at"]
    records[text] = records[text].astype("str")
    records["source"] = source
    records["updated_at"] = pd.to_datetime(records["updated_at"]).astype("datetime64[us]")
    return records
