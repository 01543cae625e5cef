"""Step 3, repair (修复): wrong values and missing values, each change with its reason.

A value is repaired only where one reading is left; everything else becomes or stays missing, since a guess that looks
like a fact is believed. Nothing is lost: each function also returns a log of what it changed.
"""

import pandas as pd

from cimlab.database.codes import id_number_status, standardise_codes
from cimlab.database.standardise import (
    _cities_by_pinyin,
    standardise_cities,
    standardise_dates,
    standardise_emails,
    standardise_phones,
)
from cimlab.database.text import clean_text

LOG_COLUMNS = ["record_id", "field", "old", "new", "reason"]
DEFAULT_DATES = ("1900-01-01", "1990-01-01")  # what the programs of the tills write when nobody asks
YOUNGEST, OLDEST = 14, 110  # years; a child under 14 has no card of its own


def repair_typed(records, on):
    """Repair what was typed, before standardising, where only one reading is left.

    Values in the box of another one (an e-mail address under `phone`, the name under `city`) are put where they belong
    if that place is free; a comma in an e-mail address becomes a dot; a year of two digits gets its century if exactly
    one makes a customer of 14 to 110 years.

    Parameters
    ----------
    records : pandas.DataFrame
        As returned by `extract_records`: record_id, name, city, phone, email, id_number, birth_date as typed.
    on : datetime.date or str
        The day on which the age is counted.

    Returns
    -------
    repaired : pandas.DataFrame
        The same rows and columns, to be standardised.
    log : pandas.DataFrame
        record_id, field, old, new, reason: one row per value that was changed.

    References
    ----------
    Rahm, E. and Do, H. H. (2000). Data cleaning: problems and current approaches. IEEE Data Engineering Bulletin 23(4).

    Examples
    --------
    >>> typed = pd.DataFrame({"record_id": ["r1", "r2"], "name": ["曾国藩", "上海市"], "city": ["长沙市", "李梅"],
    ...     "phone": ["zeng@example.com", None], "email": [None, "li@example,com"], "id_number": None,
    ...     "birth_date": ["74-03-10", "03-04-05"]})
    >>> repaired, log = repair_typed(typed, on="2026-06-30")
    >>> repaired[["name", "city", "phone", "email", "birth_date"]].to_numpy().tolist()
    [['曾国藩', '长沙市', nan, 'zeng@example.com', '1974-03-10'], ['李梅', '上海市', nan, 'li@example.com', '03-04-05']]
    >>> log["reason"].value_counts().to_dict()
    {'in another box': 4, 'a comma for the dot': 1, 'year of two digits': 1}
    """
    moved = _out_of_the_wrong_box(records) | _names_and_cities(records)
    comma = records["email"].str.fullmatch(r"[^@\s]+@[\w-]+(,[\w-]+)+\s*", na=False)
    years = _two_digit_years(records["birth_date"], on)
    changes = [(field, values, "in another box") for field, values in moved.items()]
    changes.append(("email", records.loc[comma, "email"].str.replace(",", "."), "a comma for the dot"))
    changes.append(("birth_date", years, "year of two digits"))
    return _apply(records, changes)


def repair_values(records, on, default_dates=DEFAULT_DATES):
    """Repair standardised values that can be read and are wrong all the same.

    Default dates and birth dates that make nobody of 14 to 110 years become missing. Birth date and gender that
    contradict a right identity number follow the number: its check digit finds slips, a date has none.

    Parameters
    ----------
    records : pandas.DataFrame
        As returned by `standardise_records`: record_id, birth_date, gender, id_number.
    on : datetime.date or str
        The day on which the age is counted.
    default_dates : iterable of str
        Dates that a program writes when nobody says one.

    Returns
    -------
    repaired : pandas.DataFrame
        The same rows and columns.
    log : pandas.DataFrame
        record_id, field, old, new (missing where a value was taken away), reason.

    References
    ----------
    Rahm and Do (2000). GB 11643-1999 (the identity number holds birth date and gender).

    Examples
    --------
    >>> clean = pd.DataFrame({"record_id": ["r1", "r2"], "gender": ["F", None],
    ...                       "id_number": ["990101199001011230", None],
    ...                       "birth_date": pd.to_datetime(["1990-10-01", "2070-09-07"])})
    >>> repair_values(clean, on="2026-06-30")[1][["record_id", "field", "old", "new"]]
      record_id       field         old         new
    0        r2  birth_date  2070-09-07         NaN
    1        r1  birth_date  1990-10-01  1990-01-01
    2        r1      gender           F           M
    """
    born, told = records["birth_date"], _told_by_id_number(records)
    youngest, oldest = (pd.Timestamp(on) - pd.DateOffset(years=years) for years in (YOUNGEST, OLDEST))
    default = born.isin(pd.to_datetime(list(default_dates)))
    impossible = born.notna() & ~born.between(oldest, youngest) & ~default
    changes = [("birth_date", born.where(~default).loc[default], "default date")]
    changes.append(("birth_date", born.where(~impossible).loc[impossible], "impossible age"))
    for field in ("birth_date", "gender"):
        right = told[field]
        other = records[field].notna() & right.notna() & (records[field] != right)
        if field == "birth_date":
            other &= ~default & ~impossible
        changes.append((field, right[other], "the identity number says so"))
    return _apply(records, changes)


def repair_missing(records):
    """Fill what is missing where another field of the same record says it for certain: nothing else.

    Birth date and gender stand in a right identity number. A phone, an address or a birth date that nobody said stays
    missing: the mean of the others, or what most people have, would be an invented fact about a person.

    Parameters
    ----------
    records : pandas.DataFrame
        As returned by `standardise_records`: record_id, birth_date, gender, id_number.

    Returns
    -------
    repaired : pandas.DataFrame
        The same rows and columns.
    log : pandas.DataFrame
        record_id, field, old (missing), new, reason.

    References
    ----------
    GB 11643-1999. Little, R. and Rubin, D. (2019). Statistical Analysis with Missing Data, 3rd ed. Wiley (what filling
    in does to a report, which is another purpose).

    Examples
    --------
    >>> clean = pd.DataFrame({"record_id": ["r1", "r2"], "gender": ["M", None], "birth_date": pd.NaT,
    ...                       "id_number": ["990101199001011230", "990101199001011239"]})
    >>> repaired, log = repair_missing(clean)
    >>> repaired["birth_date"].astype("str").tolist()
    ['1990-01-01', nan]
    >>> len(log)
    1
    """
    told = _told_by_id_number(records)
    changes = []
    for field in ("birth_date", "gender"):
        blank = records[field].isna() & told[field].notna()
        changes.append((field, told.loc[blank, field], "from the identity number"))
    return _apply(records, changes)


def _apply(records, changes):
    """Write the changes (field, new values by row label, reason) and note them."""
    repaired, lines = records.copy(), []
    for field, new, reason in changes:
        line = {"record_id": records.loc[new.index, "record_id"], "field": field, "reason": reason}
        lines.append(pd.DataFrame(line | {"old": _text(records.loc[new.index, field]), "new": _text(new)}))
        repaired.loc[new.index, field] = new.astype(records[field].dtype)
    log = pd.concat(lines, ignore_index=True)[LOG_COLUMNS]
    return repaired, log.astype("str").where(log.notna())


def _text(values):
    if pd.api.types.is_datetime64_any_dtype(values):
        values = values.dt.strftime("%Y-%m-%d")
    return values.astype("str")


def _out_of_the_wrong_box(records):
    """Return {field: new values} for phones, e-mail addresses and identity numbers that stand in each other's box."""
    readers = {"phone": standardise_phones, "email": standardise_emails, "id_number": _right_numbers}
    free = {field: read(records[field]).isna() for field, read in readers.items()}
    moves = []
    for box in readers:
        typed = records.loc[free[box], box].dropna()
        for other in set(readers) - {box}:
            fits = typed[readers[other](typed).notna() & free[other].loc[typed.index]]
            moves += [(row, box, other, value) for row, value in fits.items()]
    moved = {field: {row: None for row, box, _, _ in moves if box == field} for field in readers}
    for row, _, other, value in moves:
        moved[other][row] = value
    return {field: pd.Series(values, dtype="str") for field, values in moved.items()}


def _names_and_cities(records):
    """Return the new names and cities of the records whose name and city changed places."""
    cities = set(_cities_by_pinyin().values())
    swapped = standardise_cities(records["name"]).isin(cities) & records["city"].notna()
    swapped &= ~standardise_cities(records["city"]).isin(cities)
    return {"name": records.loc[swapped, "city"], "city": records.loc[swapped, "name"]}


def _two_digit_years(typed, on):
    """Return the dates whose year has two digits and which can be read in one way only, as 1974-03-10."""
    text = clean_text(typed)
    parts = text.str.extract(r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{1,2})$").dropna()
    first, last = (pd.Timestamp(on) - pd.DateOffset(years=years) for years in (OLDEST, YOUNGEST))
    found = {}
    for row, three in zip(parts.index, parts.to_numpy().tolist(), strict=True):
        readings = {
            f"{century}{three[year].zfill(2)}-{three[month].zfill(2)}-{three[day].zfill(2)}"
            for century in ("19", "20")
            for year, month, day in ((0, 1, 2), (2, 1, 0), (2, 0, 1))
        }
        days = pd.to_datetime(pd.Series(sorted(readings)), format="%Y-%m-%d", errors="coerce").dropna()
        possible = days[days.between(first, last)]
        if len(possible) == 1:
            found[row] = f"{possible.iloc[0]:%Y-%m-%d}"
    return pd.Series(found, dtype="str")


def _told_by_id_number(records):
    """Return the birth date and the gender that stand in each right identity number."""
    numbers = _right_numbers(records["id_number"])
    born = standardise_dates(numbers.str[6:14])
    odd = numbers.str[16].isin(list("13579"))
    gender = pd.Series("F", index=numbers.index, dtype="str").mask(odd, "M").where(numbers.notna())
    return pd.DataFrame({"birth_date": born, "gender": gender})


def _right_numbers(typed):
    return standardise_codes(typed).where(id_number_status(typed) == "ok")
