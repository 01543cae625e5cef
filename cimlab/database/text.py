"""Small helpers for columns of text that somebody typed: the ground that the other modules of this chapter stand on."""

import unicodedata

# What people type when they have nothing to type. A value that only looks filled is worse than an empty one.
BLANK_WORDS = {"", "-", "--", "/", ".", "?", "n/a", "null", "none", "unknown", "无", "没有", "不详", "未知", "保密"}


def clean_text(series):
    """Return the column as text: half-width, without spaces at the ends, and missing where nothing was said.

    NFKC turns full-width letters and digits (１３８, ＠) into the usual ones. A number that Excel made of a phone
    (``17401234567.0``) loses its ``.0``.

    Parameters
    ----------
    series : pandas.Series
        Any column: text, numbers, dates or mixed.

    Returns
    -------
    pandas.Series
        dtype ``str``, same index, same name.

    References
    ----------
    Unicode Standard Annex #15, Unicode Normalization Forms.

    Examples
    --------
    >>> import pandas as pd
    >>> clean_text(pd.Series(["　ＡＢＣ１２３ ", "无", None, 17401234567.0])).tolist()
    ['ABC123', nan, nan, '17401234567']
    """
    return by_value(series, lambda value: value)


def by_value(series, read):
    """Apply `read` to each distinct cleaned value once; what it answers with None becomes missing.

    Parameters
    ----------
    series : pandas.Series
        Any column.
    read : callable
        Takes one cleaned, non-blank text and returns a text, or None for "I cannot read this".

    Returns
    -------
    pandas.Series
        dtype ``str``, same index, same name.

    Examples
    --------
    >>> import pandas as pd
    >>> by_value(pd.Series(["a", " a", None]), str.upper).tolist()
    ['A', 'A', nan]
    """
    answers = {}
    for value in series.dropna().unique():
        text = _one_text(value)
        answer = None if text is None else read(text)
        answers[value] = None if answer is None else _one_text(answer)  # what is left may be blank, or need joining
    return series.astype("object").map(answers).astype("str")


def is_blank(value):
    """Tell whether a cell says nothing: missing, empty, or a word such as 无 or n/a.

    Examples
    --------
    >>> is_blank(None), is_blank(" 无 "), is_blank("0")
    (True, True, False)
    """
    return value is None or value != value or _one_text(value) is None  # NaN is not equal to itself


def has_chinese(text):
    """Tell whether the text holds at least one Chinese character.

    Examples
    --------
    >>> has_chinese("曾 Guofan"), has_chinese("Zeng Guofan")
    (True, False)
    """
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def _one_text(value):
    text = unicodedata.normalize("NFKC", str(value)).strip()
    if isinstance(value, float) and text.endswith(".0"):
        text = text[:-2]
    return None if text.lower() in BLANK_WORDS else text
