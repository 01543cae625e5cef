"""Read the typed values of a field in one way, as far as measuring needs it; what cannot be right becomes missing.

The quality report uses these: a value that cannot be read is not valid, two values that read alike are a repetition,
and a value is accurate when it reads like the true one.
"""

import pandas as pd


def as_phone(values):
    """Read mobile numbers of mainland China: 11 digits, whatever stands between and in front of them.

    Parameters
    ----------
    values : pandas.Series

    Returns
    -------
    pandas.Series

    Examples
    --------
    >>> as_phone(pd.Series(["0086-174 0123 4567", "１７４０１２３４５６７", "1740123456", "174O1234567"])).tolist()
    ['17401234567', '17401234567', nan, nan]
    """
    digits = values.astype("str").str.normalize("NFKC").str.replace(r"[\s().+-]", "", regex=True)
    return digits.str.extract(r"^(?:0086|86)?(1[3-9]\d{9})$", expand=False)


def as_email(values):
    """Read e-mail addresses: one @, a dot behind it, no blanks; in small letters.

    Parameters
    ----------
    values : pandas.Series

    Returns
    -------
    pandas.Series

    Examples
    --------
    >>> as_email(pd.Series(["Wang@Example.COM ", "wang@example", "wang example.com"])).tolist()
    ['wang@example.com', nan, nan]
    """
    text = values.astype("str").str.normalize("NFKC").str.strip().str.lower()
    return text.where(text.str.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", na=False))


def as_date(values):
    """Read dates that begin with a year of four digits: 1990-01-05, 1990.1.5, 19900105, 1990年1月5日.

    Parameters
    ----------
    values : pandas.Series

    Returns
    -------
    pandas.Series
        dtype ``datetime64[us]``. A date with another order of day, month and year is not guessed.

    Examples
    --------
    >>> as_date(pd.Series(["1990年1月5日", "19900105", "5/1/1990", "1990-02-30"])).astype("str").tolist()
    ['1990-01-05', '1990-01-05', nan, nan]
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return values
    text = values.astype("str").str.normalize("NFKC").str.strip()
    parts = text.str.extract(r"^(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?$")
    plain = parts[0] + "-" + parts[1].str.zfill(2) + "-" + parts[2].str.zfill(2)
    return pd.to_datetime(plain, format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")


def as_gender(values):
    """Read genders as F or M.

    Parameters
    ----------
    values : pandas.Series

    Returns
    -------
    pandas.Series

    Examples
    --------
    >>> as_gender(pd.Series(["女", "Male", "f", "?"])).tolist()
    ['F', 'M', 'F', nan]
    """
    return values.str.strip().str.lower().map({"女": "F", "female": "F", "f": "F", "男": "M", "male": "M", "m": "M"})


def as_code(pattern):
    """Make a function that reads codes of one pattern.

    Parameters
    ----------
    pattern : str
        Regular expression that the whole value must fit.

    Returns
    -------
    function
        From a column to the column without the values that do not fit.

    Examples
    --------
    >>> as_code("M[0-9A-Z]{5,7}")(pd.Series(["MQ16TQ", "q16"])).tolist()
    ['MQ16TQ', nan]
    """
    return lambda values: values.where(values.astype("str").str.fullmatch(pattern, na=False))


def as_one_of(*allowed):
    """Make a function that reads values of a list.

    Parameters
    ----------
    *allowed
        The values that can be right.

    Returns
    -------
    function
        From a column to the column without the other values.

    Examples
    --------
    >>> as_one_of("phone", "tablet")(pd.Series(["phone", "fridge"])).tolist()
    ['phone', nan]
    """
    return lambda values: values.where(values.isin(allowed))


def as_number(low, high):
    """Make a function that reads numbers between two limits, both included.

    Parameters
    ----------
    low, high : float
        The least and the greatest value that can be right.

    Returns
    -------
    function
        From a column to the column without the other values.

    Examples
    --------
    >>> as_number(1, 5)(pd.Series([3, 7])).tolist()
    [3.0, nan]
    """
    return lambda values: values.where(values.between(low, high))
