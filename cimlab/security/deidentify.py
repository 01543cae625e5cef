"""De-identification (去标识化): pseudonyms, coarser values, k-anonymity and its heirs, noise, and what all of it costs.

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
    columns = [_ranked(table[column]) for column in quasi]
    parts = _cut(np.column_stack([rank for rank, _ in columns]), enough)
    hidden = table.copy()
    for at, column in enumerate(quasi):
        rank, values = columns[at]
        label = np.empty(len(table), dtype=object)
        for rows in parts:
            label[rows] = _label(values, np.unique(rank[rows]))
        hidden[column] = pd.Series(label, index=table.index, dtype="str")
    return hidden


def l_diversity(table, quasi, sensitive):
    """Return how many sensitive values the poorest class holds, counted and weighed.

    Parameters
    ----------
    table : pandas.DataFrame
    quasi : list of str
    sensitive : str
        A missing value counts as a value.

    Returns
    -------
    dict
        distinct (int, the least number of different values), entropy (float, the least exp(entropy): as many values as
        if they were equally frequent; never above distinct).

    Raises
    ------
    ValueError
        The table has no row, a column is not there, or `sensitive` is one of the quasi-identifiers.

    References
    ----------
    Machanavajjhala, A. et al. (2007), as for `homogeneity_attack`.

    Examples
    --------
    >>> table = pd.DataFrame({"age": ["30-39"] * 4, "complaint": ["billing", "billing", "billing", "health"]})
    >>> {name: round(value, 2) for name, value in l_diversity(table, ["age"], "complaint").items()}
    {'distinct': 2, 'entropy': 1.75}
    """
    shares, _ = _shares(table, quasi, sensitive)
    entropy = -np.sum(shares * np.log(np.where(shares > 0, shares, 1)), axis=1)
    return {"distinct": int((shares > 0).sum(axis=1).min()), "entropy": float(np.exp(entropy.min()))}


def t_closeness(table, quasi, sensitive, ordered=None):
    """Return how far the worst class is from the whole table (earth mover's distance).

    Parameters
    ----------
    table : pandas.DataFrame
    quasi : list of str
    sensitive : str
    ordered : bool, optional
        The values have an order, and a step to the next one costs 1 / (values - 1); else every change costs 1. Numbers,
        times and ordered categories have one when left out.

    Returns
    -------
    float
        0 (each class is like the whole) to 1.

    Raises
    ------
    ValueError
        As for `l_diversity`.

    References
    ----------
    Li, N., Li, T. and Venkatasubramanian, S. (2007). t-closeness: privacy beyond k-anonymity and l-diversity. ICDE.

    Examples
    --------
    >>> table = pd.DataFrame({"age": ["30-39", "30-39", "60+", "60+"], "spend": [1, 2, 3, 3]})
    >>> t_closeness(table, ["age"], "spend"), t_closeness(table, ["age"], "spend", ordered=False)
    (0.375, 0.5)
    """
    shares, whole = _shares(table, quasi, sensitive)
    column = table[sensitive]
    if ordered is None:
        times = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
        ordered = times or bool(getattr(column.dtype, "ordered", False))
    if len(whole) == 1:
        return 0.0
    apart = shares - whole
    if ordered:
        return float(np.abs(np.cumsum(apart, axis=1)).sum(axis=1).max() / (len(whole) - 1))
    return float(np.abs(apart).sum(axis=1).max() / 2)


def utility_lost(before, after, quasi, value=None):
    """Say what a release is still good for, beside the table that it was made of.

    Parameters
    ----------
    before, after : pandas.DataFrame
        The rows of `after` have the index that they had in `before`; suppressed rows are not there.
    quasi : list of str
        Columns of both (of `before` only, where the release dropped one).
    value : str, optional
        A column of numbers whose means per group somebody wants to know.

    Returns
    -------
    dict
        suppressed (share of the records), certainty_lost (0 nothing, 1 everything: how many of the values each shown
        one stands for, on average), average_class (records in a class), discernibility (sum of the squared sizes; a
        suppressed record counts as a class of all), and with `value` mean_error: how far the means per group are off
        for somebody who spreads each record evenly over what its label stands for; on average over the records and the
        columns, as part of the overall mean.

    Raises
    ------
    ValueError
        A column is not there, or a row of the release is not one of `before` (by its index).

    References
    ----------
    Xu, J. et al. (2006). Utility-based anonymization using local recoding. KDD 2006 (normalized certainty penalty, here
    by ranks). Bayardo, R. and Agrawal, R. (2005). Data privacy through optimal k-anonymization. ICDE 2005.

    Examples
    --------
    >>> before = pd.DataFrame({"age": [18, 25, 60, 71], "spend": [10.0, 20.0, 50.0, 40.0]})
    >>> utility_lost(before, make_k_anonymous(before, ["age"], 2), ["age"], "spend")
    {'suppressed': 0.0, 'certainty_lost': 0.333..., 'average_class': 2.0, 'discernibility': 8, 'mean_error': 0.166...}
    """
    asked = [*quasi, *([value] if value else [])]
    old, shown = need(before, asked, "table before"), [column for column in quasi if column in after]
    if old.index.has_duplicates or after.index.has_duplicates or not after.index.isin(old.index).all():
        raise ValueError("each row of the release needs the index that it had before, and no index may repeat")
    gone = len(old) - len(after)
    wide = [_width(old[column], after.index, after[column]) if column in shown else 1.0 for column in quasi]
    sizes = class_sizes(after, shown) if shown else pd.Series(len(after), index=after.index)
    lost = {
        "suppressed": gone / len(old),
        "certainty_lost": float((np.mean(wide) * len(after) + gone) / len(old)),
        "average_class": float(len(after) / (1 / sizes).sum()),
        "discernibility": int(sizes.sum() + gone * len(old)),
    }
    if value:
        errors = [_mean_error(old, after[column], column, value) for column in shown]
        lost["mean_error"] = float(np.mean(errors) / abs(old[value].mean())) if errors else np.nan
    return lost


def risk_utility_curve(table, quasi, sensitive, ks=(1, 2, 5, 10, 20), least=1):
    """Make the table k-anonymous for several k: what the risk falls to, and what is left of the use.

    Parameters
    ----------
    table, quasi, sensitive, least
        As for `make_k_anonymous`.
    ks : iterable of int

    Returns
    -------
    pandas.DataFrame
        One row a k: k, smallest_class, mean_risk and max_risk (the prosecutor's), distinct (l-diversity), t, utility
        (1 - certainty_lost), and mean_error if `sensitive` is a number.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [18, 25, 60, 71], "spend": [10.0, 20.0, 50.0, 40.0]})
    >>> risk_utility_curve(table, ["age"], "spend", ks=[1, 2])[["k", "max_risk", "distinct", "utility"]].round(2)
       k  max_risk  distinct  utility
    0  1       1.0         1     1.00
    1  2       0.5         2     0.67
    """
    value = sensitive if pd.api.types.is_numeric_dtype(need(table, [sensitive])[sensitive]) else None
    rows = []
    for k in ks:
        release = make_k_anonymous(table, quasi, k, sensitive, least)
        sizes = class_sizes(release, quasi)
        lost = utility_lost(table, release, quasi, value)
        row = {"k": k, "smallest_class": int(sizes.min()), "mean_risk": (1 / sizes).mean(), "max_risk": 1 / sizes.min()}
        row |= {
            "distinct": l_diversity(release, quasi, sensitive)["distinct"],
            "t": t_closeness(release, quasi, sensitive),
        }
        row["utility"] = 1 - lost["certainty_lost"]
        rows.append(row | ({"mean_error": lost["mean_error"]} if value else {}))
    return pd.DataFrame(rows)


def noisy_count(value, epsilon, sensitivity, seed):
    """Add Laplace noise to a count (差分隐私). For teaching only: the last bits of the noise give the true value away.

    Parameters
    ----------
    value : float
    epsilon : float
        Above 0; the smaller, the more noise.
    sensitivity : float
        By how much one person can change the value: 1 for a count of persons, more for a count of orders.
    seed : int or numpy.random.Generator
        For several answers hand over one generator: two answers with the same seed have the same noise, and whoever
        knows a seed takes the noise off again.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Epsilon or the sensitivity is not above 0.

    References
    ----------
    Dwork, C. et al. (2006). Calibrating noise to sensitivity in private data analysis. TCC 2006. Mironov, I. (2012). On
    significance of the least significant bits for differential privacy. CCS 2012: why a library (OpenDP) is better.

    Examples
    --------
    >>> draw = np.random.default_rng(1)
    >>> answers = [noisy_count(100, 0.5, 1, draw) for _ in range(2000)]
    >>> bool(abs(np.mean(answers) - 100) < 0.3)
    True
    """
    if not (epsilon > 0 and sensitivity > 0):
        raise ValueError(f"epsilon and sensitivity must be above 0, not {epsilon} and {sensitivity}")
    even = np.random.default_rng(seed).uniform(-0.5, 0.5)
    return float(value - sensitivity / epsilon * np.sign(even) * np.log1p(-2 * abs(even)))


def spend_budget(queries, budget):
    """Keep the account of the privacy budget (隐私预算): the epsilons of all answers add up.

    Parameters
    ----------
    queries : list of tuple of (str, float)
        What is asked, and the epsilon of its answer, in the order of asking.
    budget : float
        Epsilon for all answers together.

    Returns
    -------
    pandas.DataFrame
        query, epsilon, answered (bool: it still fits in), spent, left.

    Raises
    ------
    ValueError
        An epsilon is not above 0.

    References
    ----------
    Dwork, C. and Roth, A. (2014). The algorithmic foundations of differential privacy, theorem 3.14.

    Examples
    --------
    >>> spend_budget([("members in 宁波", 0.4), ("the same again", 0.4), ("and again", 0.4)], budget=1.0)
                 query  epsilon  answered  spent  left
    0  members in 宁波      0.4      True    0.4   0.6
    1   the same again      0.4      True    0.8   0.2
    2        and again      0.4     False    0.8   0.2
    """
    rows, spent = [], 0.0
    for query, epsilon in queries:
        if not epsilon > 0:
            raise ValueError(f"{query}: an answer costs an epsilon above 0, not {epsilon}")
        answered = spent + epsilon <= budget * (1 + 1e-9)
        spent += epsilon if answered else 0.0
        rows.append((query, epsilon, answered, round(spent, 9), round(max(budget - spent, 0.0), 9)))
    return pd.DataFrame(rows, columns=["query", "epsilon", "answered", "spent", "left"])


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


def _shares(table, quasi, sensitive):
    """Return the shares of the sensitive values in each class (classes x values) and in the whole table."""
    if sensitive in quasi:
        raise ValueError(f"{sensitive} cannot be both: known to the attacker, and what he must not learn")
    wanted = need(table, [*quasi, sensitive], "table")
    group = wanted.groupby(list(quasi), dropna=False, observed=True).ngroup().to_numpy()
    code, values = pd.factorize(wanted[sensitive], sort=True, use_na_sentinel=False)
    if not len(wanted):
        raise ValueError("the table has no rows")
    counts = np.zeros((group.max() + 1, len(values)))
    np.add.at(counts, (group, code), 1)
    return counts / counts.sum(axis=1, keepdims=True), counts.sum(axis=0) / len(wanted)


def _ranked(column):
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


def _stands_for(old, kept, shown):
    """Return the label number of each kept row, and which of the old values each label stands for (labels x values)."""
    rank, values = _ranked(old)
    rank = pd.Series(rank, index=old.index).loc[kept].to_numpy()
    label = pd.factorize(shown, use_na_sentinel=False)[0]
    stands = np.zeros((label.max() + 1, len(values)), dtype=bool)
    stands[label, rank] = True
    if pd.api.types.is_numeric_dtype(old) or pd.api.types.is_datetime64_any_dtype(old):
        real = stands[:, : len(values) - int(old.isna().any())]  # a range stands for all that lies within
        real |= np.logical_or.accumulate(real, axis=1) & np.logical_or.accumulate(real[:, ::-1], axis=1)[:, ::-1]
    return label, stands


def _width(old, kept, shown):
    """Return for how many of the values a shown one stands, on average: 0 for one, 1 for all."""
    label, stands = _stands_for(old, kept, shown)
    return float((stands.sum(axis=1)[label] - 1).mean() / max(stands.shape[1] - 1, 1))


def _mean_error(old, shown, column, value):
    """Return how far the means per old value are off if each record is spread evenly over what its label stands for."""
    label, stands = _stands_for(old[column], shown.index, shown)
    spread = stands / stands.sum(axis=1, keepdims=True)
    amounts = old.loc[shown.index, value].to_numpy(dtype=float)
    there = ~np.isnan(amounts)
    sums, counts = (np.bincount(label[there], weight, len(stands)) for weight in (amounts[there], None))
    weight = counts @ spread
    told = np.divide(sums @ spread, weight, out=np.full(len(weight), np.nan), where=weight > 0)
    groups = old[value].groupby(_ranked(old[column])[0])
    off = np.abs(told - groups.mean().to_numpy())
    known = ~np.isnan(off)
    return float(np.average(off[known], weights=groups.size().to_numpy()[known])) if known.any() else np.nan
