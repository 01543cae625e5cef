"""Masks (脱敏): show a part of a value, enough for the work, not enough to use it elsewhere."""

import re
import unicodedata

import pandas as pd

from cimlab.analysis.columns import need

HIDDEN = "***"  # for what cannot be read: a mask that does not know a value shows nothing of it

# Column → kind of mask. A column that is not here is hidden whole.
MASKS = {
    "name": "name", "full_name": "name", "caller_name": "name", "phone": "phone", "email": "email",
    "id_number": "id", "birth_date": "age", "address": "address",
}  # fmt: skip


def mask_value(value, kind, as_of=None):
    """Hide a part of one value. Equal values get equal masks; different ones often do too, and should.

    Parameters
    ----------
    value : str or None
    kind : str
        "name" (李*), "phone" (174****0123), "email" (l***@example.com), "id" (first and last character), "age" (age
        in years reached in the year of `as_of`, in tens), "address" (the city, if it is written) or "hide".
    as_of : str or datetime.date, optional
        Needed for "age".

    Returns
    -------
    str or None
        Nothing stays nothing. What has not the form of its kind becomes ``***``: people type a phone into the box of
        the name, and an unknown value must not come through. The number of stars says nothing about the length.

    Raises
    ------
    ValueError
        There is no such kind, or `as_of` is missing.

    Examples
    --------
    >>> [mask_value("174 0201 0123", "phone"), mask_value("李小明", "name"), mask_value("17402010123", "name")]
    ['174****0123', '李*', '***']
    >>> mask_value("1974年8月10日", "age", as_of="2026-06-30")
    '50-59'
    """
    if kind not in MASKERS:
        raise ValueError(f"mask_value: no mask {kind!r}; there are: {', '.join(MASKERS)}")
    if kind == "age" and as_of is None:
        raise ValueError("mask_value: an age band needs as_of, the day on which the age is counted")
    if pd.isna(value):
        return None
    text = " ".join(unicodedata.normalize("NFKC", str(value)).split())
    if not text:
        return None
    return _age(text, pd.Timestamp(as_of).year) if kind == "age" else MASKERS[kind](text)


def mask_report(table, masks=None, as_of=None):
    """Measure what a mask leaves: how many values are still the only one of their kind.

    A mask is no pseudonym: it should not be a key. Where most masked values are still unique, who knows the mask of a
    person finds the row.

    Parameters
    ----------
    table : pandas.DataFrame
    masks : dict of str to str, optional
        Column → kind; by default those of `MASKS` that the table has.
    as_of : str or datetime.date, optional
        Needed for "age".

    Returns
    -------
    pandas.DataFrame
        A row a column: mask, values (present), unique_before, unique_after (share of values that occur once), hidden
        (share shown as ``***``).

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> mask_report(pd.DataFrame({"name": ["李小明", "李娜", "王芳"]}))[["unique_before", "unique_after"]]
            unique_before  unique_after
    column
    name              1.0          0.33
    """
    masks = {column: kind for column, kind in MASKS.items() if column in table} if masks is None else masks
    need(table, list(masks), "table to mask")
    rows = []
    for column, kind in masks.items():
        before = table[column].dropna()
        after = before.map(lambda value, kind=kind: mask_value(value, kind, as_of))
        shares = [float((~values.duplicated(keep=False)).mean().round(2)) for values in (before, after)]
        rows.append((column, kind, len(before), *shares, float((after == HIDDEN).mean().round(2))))
    names = ["column", "mask", "values", "unique_before", "unique_after", "hidden"]
    return pd.DataFrame(rows, columns=names).set_index("column")


def _name(text):
    letters = bool(re.fullmatch(r"[^\W\d_][^\W\d_ .·'’-]*(?:[ .·,'’-]+[^\W\d_]+)*\.?", text))
    return f"{text[0]}*" if letters else HIDDEN


def _phone(text):
    digits = re.sub(r"^(?:\+?86|0086)(?=1\d{10}$)", "", re.sub(r"[ ().-]", "", text))
    return f"{digits[:3]}****{digits[-4:]}" if re.fullmatch(r"1[0-9]{10}", digits) else HIDDEN


def _email(text):
    match = re.fullmatch(r"([^@\s])[^@\s]*@([a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]+)", text, re.IGNORECASE)
    return f"{match[1]}***@{match[2].lower()}" if match else HIDDEN


def _id(text):
    return f"{text[0]}{'*' * 16}{text[-1].upper()}" if re.fullmatch(r"[0-9]{17}[0-9Xx]", text) else HIDDEN


def _age(text, year):
    years = re.findall(r"(?<!\d)(?:19|20)\d\d(?=\D|\d{4}(?!\d)|$)", text)
    age = year - int(years[0]) if len(years) == 1 else -1
    if not 0 <= age <= 110:
        return HIDDEN
    return "under 20" if age < 20 else "80 and over" if age >= 80 else f"{age // 10 * 10}-{age // 10 * 10 + 9}"


def _address(text):
    match = re.match(r"(?:\w{2,3}省)?(\w{2,3})市", text)
    return f"{match[1]}市" if match else HIDDEN


MASKERS = {
    "name": _name,
    "phone": _phone,
    "email": _email,
    "id": _id,
    "age": _age,
    "address": _address,
    "hide": lambda _: HIDDEN,
}
