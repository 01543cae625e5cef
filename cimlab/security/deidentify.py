"""De-identification (去标识化): pseudonyms with a key, coarser values, k-anonymity.

Each step is answered by an attack of `cimlab.security.attacks`: what is released is attacked again before it goes out.
Pseudonymised data are still personal data (PIPL art. 73, GDPR art. 4(5)): whoever has the key can undo it.
"""

import hashlib
import hmac
import itertools

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need
from cimlab.security.attacks import class_sizes


def pseudonyms(ids, key, length=16):
    """Replace each id by a keyed hash (HMAC-SHA-256): the same for one key, another for another key.

    Parameters
    ----------
    ids : pandas.Series
        Text or whole numbers; missing stays missing.
    key : bytes or str
        At least 16 bytes that nobody can guess (``secrets.token_bytes(32)``), kept apart from the data.
    length : int
        Hexadecimal characters that are kept, 8 to 64.

    Returns
    -------
    pandas.Series of str
        With the index and the name of `ids`.

    Raises
    ------
    ValueError
        The key or `length` is too short, ids are fractions, or two ids get one pseudonym (take a larger `length`).

    References
    ----------
    Krawczyk, H., Bellare, M. and Canetti, R. (1997). HMAC: keyed-hashing for message authentication. RFC 2104.

    Examples
    --------
    >>> ids = pd.Series(["MQ16TQ", "MQ66V0", "MQ16TQ"])
    >>> pseudonyms(ids, key="sixteen bytes or more").nunique()
    2
    """
    key = key.encode() if isinstance(key, str) else key
    if len(key) < 16 or not 8 <= length <= 64:
        raise ValueError(f"a key of 16 bytes or more and a length of 8 to 64 are needed, not {len(key)} and {length}")
    ids = pd.Series(ids)
    if pd.api.types.is_float_dtype(ids) and ids.notna().any():
        raise ValueError("these ids are numbers with decimals: read them as text (dtype=str), or 7 becomes 7.0")
    known = ids.dropna().unique()
    made = {value: hmac.new(key, str(value).encode(), hashlib.sha256).hexdigest()[:length] for value in known}
    if len(set(made.values())) < len(made):
        raise ValueError(f"two ids got one pseudonym of {length} characters: take a larger length")
    return ids.map(made).astype("str")


def generalise(table, rules):
    """Make values coarser: bands for ages, a region for a city, the month for the day.

    Parameters
    ----------
    table : pandas.DataFrame
    rules : dict of str to tuple
        Column → (kind, what it needs): ``("band", [18, 35, 60])`` the bands that begin there, as "18-34", "60+";
        ``("map", {"宁波": "浙江"})`` a region, "other" for what is not named; ``("start", 3)`` the first characters;
        ``("month",)``, ``("year",)`` of a time; ``("top", 5000)`` nothing above; ``("round", 100)`` to the nearest 100;
        ``("drop",)`` without the column. Missing stays missing.

    Returns
    -------
    pandas.DataFrame
        A new table with the same columns, but for those that are dropped.

    Raises
    ------
    ValueError
        A column is not there, or a rule is not known or does not fit its column.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [17, 34, 71], "city": ["宁波", "杭州", "上海"], "spend": [120.0, 90.0, 9000.0]})
    >>> generalise(table, {"age": ("band", [18, 35, 60]), "city": ("map", {"宁波": "浙江", "杭州": "浙江"}),
    ...     "spend": ("top", 1000)})
         age   city   spend
    0    <18     浙江   120.0
    1  18-34     浙江    90.0
    2    60+  other  1000.0
    """
    need(table, list(rules), "table")
    coarse = table.copy()
    for column, (kind, *argument) in rules.items():
        if kind == "drop":
            coarse = coarse.drop(columns=column)
        elif kind not in _KINDS:
            raise ValueError(f"{column}: the rule {kind!r} is not known; there are: drop, {', '.join(_KINDS)}")
        else:
            try:
                coarse[column] = _KINDS[kind](table[column], *argument)
            except (TypeError, AttributeError) as error:
                held = table[column].dtype
                raise ValueError(f"{column}: the rule {(kind, *argument)} does not fit a column of {held}") from error
    return coarse


def k_anonymity(table, quasi):
    """Return the size of the smallest class: every record hides among at least k - 1 others.

    Parameters
    ----------
    table : pandas.DataFrame
    quasi : list of str

    Returns
    -------
    int

    References
    ----------
    Sweeney, L. (2002). k-anonymity: a model for protecting privacy. International Journal of Uncertainty, Fuzziness and
    Knowledge-Based Systems 10(5).

    Examples
    --------
    >>> k_anonymity(pd.DataFrame({"age": [30, 30, 61], "city": "宁波"}), ["age", "city"])
    1
    """
    return int(class_sizes(table, quasi).min())


def make_k_anonymous(table, quasi, k, sensitive=None, least=1, method="mondrian"):
    """Change the quasi-identifiers until every class has at least k records, and `least` sensitive values.

    Parameters
    ----------
    table : pandas.DataFrame
        With an index that does not repeat.
    quasi : list of str
    k : int
        1 or more.
    sensitive : str, optional
    least : int
        Different values of `sensitive` in each class (distinct l-diversity).
    method : {"mondrian", "suppress"}
        "mondrian": the table is cut at the median of the column that is widest (by the ranks of its values), again and
        again, as long as both parts are large enough; then each column shows what its part holds ("18–25", "宁波|杭州",
        "*" for everything). "suppress": the records of small classes are left out; use it after `generalise`.

    Returns
    -------
    pandas.DataFrame
        A new table with the index and the order of the old one; a missing value shows as "missing" (mondrian).

    Raises
    ------
    ValueError
        Even the whole table is too small, or has too few sensitive values.

    References
    ----------
    LeFevre, K., DeWitt, D. and Ramakrishnan, R. (2006). Mondrian multidimensional k-anonymity. ICDE 2006 (strict form).

    Examples
    --------
    >>> table = pd.DataFrame({"age": [18, 25, 60, 71], "city": ["宁波", "宁波", "上海", "宁波"]})
    >>> make_k_anonymous(table, ["age", "city"], 2)
         age   city
    0  18–25     宁波
    1  18–25     宁波
    2  60–71      *
    3  60–71      *
    """
    wanted, quasi = need(table, [*quasi, *([sensitive] if sensitive else [])], "table"), list(quasi)
    if k < 1 or not quasi or sensitive in quasi or method not in ("mondrian", "suppress"):
        raise ValueError("give k of 1 or more, quasi-identifiers without the sensitive one, mondrian or suppress")
    if table.index.has_duplicates or (least > 1 and not sensitive):
        raise ValueError("the index must not repeat, and `least` needs a sensitive column")
    secret = pd.factorize(wanted[sensitive], use_na_sentinel=False)[0] if sensitive else np.zeros(len(table), int)

    def enough(rows):
        return len(rows) >= k and len(np.unique(secret[rows])) >= least

    if method == "suppress":
        grouped = wanted.groupby(quasi, dropna=False, observed=True).indices.values()
        kept = [rows for rows in grouped if enough(rows)]
        if kept:
            return table.iloc[np.sort(np.concatenate(kept))].copy()
    if method == "suppress" or not enough(np.arange(len(table))):
        raise ValueError(f"no class of {k} records with {least} sensitive values can be made of {len(table)} records")
    columns = [ranked(table[column]) for column in quasi]
    parts = _cut(np.column_stack([rank for rank, _ in columns]), enough)
    hidden = table.copy()
    for at, column in enumerate(quasi):
        rank, values = columns[at]
        label = np.empty(len(table), dtype=object)
        for rows in parts:
            label[rows] = _label(values, np.unique(rank[rows]))
        hidden[column] = pd.Series(label, index=table.index, dtype="str")
    return hidden


def _band(column, edges):
    edges = sorted(edges)
    names = [f"<{edges[0]}", *(f"{a}-{b - 1}" for a, b in itertools.pairwise(edges)), f"{edges[-1]}+"]
    return pd.cut(column, [-np.inf, *edges, np.inf], right=False, labels=names).astype("str")


_KINDS = {
    "band": _band,
    "map": lambda column, regions: column.map(regions).fillna("other").where(column.notna()),
    "start": lambda column, length: column.str[:length],
    "month": lambda column: column.dt.strftime("%Y-%m"),
    "year": lambda column: column.dt.strftime("%Y"),
    "top": lambda column, most: column.clip(upper=most),
    "round": lambda column, step: (column / step).round() * step,
}


def ranked(column):
    """Return the rank of each value among the different values (missing last) and these values."""
    code, values = pd.factorize(column, sort=True, use_na_sentinel=False)
    return code, list(values)


def _cut(ranks, enough):
    """Cut all rows into parts that cannot be cut again (Mondrian); return the row numbers of each part."""
    whole = np.maximum(np.ptp(ranks, axis=0), 1)
    waiting, done = [np.arange(len(ranks))], []
    while waiting:
        rows = waiting.pop()
        mine = ranks[rows]
        for column in np.argsort(-np.ptp(mine, axis=0) / whole, kind="stable"):
            middle = np.sort(mine[:, column])[(len(rows) - 1) // 2]
            cuts = [mine[:, column] <= middle, mine[:, column] < middle]
            halves = next(([rows[c], rows[~c]] for c in cuts if enough(rows[c]) and enough(rows[~c])), None)
            if halves:
                waiting += halves
                break
        else:
            done.append(rows)
    return done


def _label(values, held):
    """Write what a part holds: one value, a range of numbers or times, a list of words, or * for everything."""
    inside = [values[at] for at in held]
    if len(held) == len(values) > 1:
        return "*"
    there = [value for value in inside if not pd.isna(value)]
    words = [_word(value) for value in there]
    if len(there) > 1 and isinstance(there[0], int | float | np.number | pd.Timestamp):
        words = [f"{words[0]}–{words[-1]}"]
    return "|".join(words + ["missing"] * (len(there) < len(inside)))


def _word(value):
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else str(value)
    return str(int(value)) if isinstance(value, float | np.floating) and value == int(value) else str(value)
