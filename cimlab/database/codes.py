"""Numbers that carry their own check: the identity card number and the unified social credit code."""

import datetime
import re

from cimlab.database.text import by_value, is_blank

# The kit's people and firms live in an invented region, so that no number of theirs can belong to anybody.
INVENTED_REGION = "99"


def id_number_status(series):
    """Say of each identity number (公民身份号码) whether it can be right, and if not, why.

    Eighteen characters: region (6), birth date (8), serial (3), check digit. The check digit finds every single
    wrong digit and every swap of two neighbours, but a number that passes may still belong to somebody else.

    Parameters
    ----------
    series : pandas.Series
        Numbers as typed.

    Returns
    -------
    pandas.Series
        "ok", "wrong length" (not 17 digits and a digit or X), "unknown region", "wrong birth date",
        "wrong check digit" or "blank"; the first fault from left to right; same index.

    References
    ----------
    GB 11643-1999, Citizen identification number. ISO 7064 MOD 11-2. Regions: ``python-stdnum`` (``cn.ric``).

    Examples
    --------
    >>> import pandas as pd
    >>> numbers = pd.Series(["990101199001011230", "990101199001011239", "99010119900230123X", "123", None])
    >>> id_number_status(numbers).tolist()
    ['ok', 'wrong check digit', 'wrong birth date', 'wrong length', 'blank']
    """
    return _status(series, _id_number_fault)


def credit_code_status(series):
    """Say of each unified social credit code (统一社会信用代码) whether it can be right, and if not, why.

    Parameters
    ----------
    series : pandas.Series
        Codes as typed.

    Returns
    -------
    pandas.Series
        "ok", "wrong length", "wrong character", "wrong check character" or "blank"; same index.

    References
    ----------
    GB 32100-2015, Unified social credit identifier of legal entities (``python-stdnum``, ``cn.uscc``).

    Examples
    --------
    >>> import pandas as pd
    >>> credit_code_status(pd.Series(["91110000600037341L", "911100006000373410", "9111", ""])).tolist()
    ['ok', 'wrong check character', 'wrong length', 'blank']
    """
    return _status(series, _credit_code_fault)


def standardise_codes(series):
    """Write identity numbers and credit codes in one way: no spaces or dashes, capitals.

    A wrong number stays what it is: whether it can be right is asked of `id_number_status`. Only a text with other
    than ASCII characters becomes missing.

    Parameters
    ----------
    series : pandas.Series
        Numbers or codes as typed.

    Returns
    -------
    pandas.Series
        dtype ``str``, same index.

    Examples
    --------
    >>> import pandas as pd
    >>> standardise_codes(pd.Series(["9111 0000-6000 37341l", None])).tolist()
    ['91110000600037341L', nan]
    """
    return by_value(series, _one_code)


def _one_code(text):
    code = re.sub(r"[\s\-]", "", text).upper()
    return code if code and code.isascii() else None


def _status(series, fault):
    typed = series.map(lambda value: not is_blank(value))
    status = by_value(standardise_codes(series), fault)
    return status.fillna(typed.map({True: "wrong length", False: "blank"})).astype("str")


def _id_number_fault(number):
    from stdnum import numdb
    from stdnum.cn import ric

    if len(number) != 18 or not (number[:17].isascii() and number[:17].isdigit()) or number[17] not in "0123456789X":
        return "wrong length"
    if number[:2] != INVENTED_REGION and not _known_region(numdb.get("cn/loc"), number[:6]):
        return "unknown region"
    try:
        born = datetime.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return "wrong birth date"
    if born.year < 1900:
        return "wrong birth date"
    return "ok" if number[-1] == ric.calc_check_digit(number) else "wrong check digit"


def _known_region(regions, code):
    # The last part that the register could read: empty when the county is unknown, even if the province is known.
    return bool(regions.info(code)[-1][1])


def _credit_code_fault(value):
    from stdnum.cn import uscc
    from stdnum.exceptions import InvalidChecksum, InvalidFormat, InvalidLength

    try:
        uscc.validate(value)
    except InvalidLength:
        return "wrong length"
    except InvalidFormat:
        return "wrong character"
    except InvalidChecksum:
        return "wrong check character"
    return "ok"
