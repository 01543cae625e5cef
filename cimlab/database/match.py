"""Step 3, match (匹配): find the records that belong to one person.

First by hand, as in the chapter: `candidate_pairs` (blocking), `compare_pairs`, `match_weights`. Then `link_records`
does the same with the library Splink, which also learns the weights from the data without any labels.
"""

import numpy as np
import pandas as pd

PAIR = ["record_id_a", "record_id_b"]


def candidate_pairs(records, blocks):
    """Pair every two records that agree on all columns of at least one block (blocking, 分块).

    Comparing everybody with everybody grows with the square of the records: 4,000 records make 8 million pairs.
    Two records of one person nearly always share something, so only such pairs are compared.

    Parameters
    ----------
    records : pandas.DataFrame
        With record_id and the columns of the blocks.
    blocks : list of list of str
        Each inner list is one block: the columns on which a pair must agree. A missing value agrees with nothing.

    Returns
    -------
    pandas.DataFrame
        record_id_a, record_id_b (a before b), each pair once, sorted.

    Raises
    ------
    ValueError
        A block names a column that is not there.

    References
    ----------
    Christen, P. (2012). Data Matching, chapter 4. Springer.

    Examples
    --------
    >>> people = pd.DataFrame({"record_id": ["r1", "r2", "r3"], "phone": ["1", "1", None], "city": ["x", "y", "y"]})
    >>> candidate_pairs(people, [["phone"], ["city"]])
      record_id_a record_id_b
    0          r1          r2
    1          r2          r3
    """
    found = []
    for block in blocks:
        keys = _columns(records, ["record_id", *block]).dropna()
        pairs = keys.merge(keys, on=block, suffixes=("_a", "_b"))
        found.append(pairs.loc[pairs["record_id_a"] < pairs["record_id_b"], PAIR])
    return pd.concat(found).drop_duplicates().sort_values(PAIR, ignore_index=True)


def compare_pairs(records, pairs, fields):
    """Compare the two records of each pair, field by field.

    Parameters
    ----------
    records : pandas.DataFrame
        With record_id and the fields.
    pairs : pandas.DataFrame
        With record_id_a and record_id_b.
    fields : dict of str to str
        Column to kind of comparison: "exact" (1 equal, 0 not) or "name" (Jaro-Winkler similarity, from 0 to 1).

    Returns
    -------
    pandas.DataFrame
        The pairs and one column per field: similarity from 0 to 1, missing where one of the values is missing.

    References
    ----------
    Winkler, W. E. (1990). String comparator metrics and enhanced decision rules in the Fellegi-Sunter model of record
    linkage. Computed by ``rapidfuzz``.

    Examples
    --------
    >>> people = pd.DataFrame({"record_id": ["r1", "r2"], "name": ["zeng guofan", "zeng guofen"], "city": ["x", None]})
    >>> pairs = pd.DataFrame({"record_id_a": ["r1"], "record_id_b": ["r2"]})
    >>> compare_pairs(people, pairs, {"name": "name", "city": "exact"}).round(2)
      record_id_a record_id_b  name  city
    0          r1          r2  0.96   NaN
    """
    from rapidfuzz.distance import JaroWinkler

    values = _columns(records, ["record_id", *fields]).set_index("record_id")
    left, right = (values.loc[pairs[side]].reset_index(drop=True) for side in PAIR)
    compared = pairs[PAIR].reset_index(drop=True)
    for field, kind in fields.items():
        both = left[field].notna() & right[field].notna()
        if kind == "exact":
            similarity = (left[field] == right[field]).astype("float64")
        elif kind == "name":
            couples = zip(left[field].where(both, ""), right[field].where(both, ""), strict=True)
            similarity = pd.Series([JaroWinkler.similarity(a, b) for a, b in couples], dtype="float64")
        else:
            raise ValueError(f"the field {field!r} is to be compared as {kind!r}; choose 'exact' or 'name'")
        compared[field] = similarity.where(both)
    return compared


def match_weights(comparison, m, u, agree=0.9):
    """Weigh the evidence of each pair: log2(m/u) for a field that agrees, log2((1-m)/(1-u)) for one that does not.

    m is how often the field agrees when the two records are one person (1 minus the error rate); u is how often it
    agrees when they are two persons (chance). A missing value is no evidence: 0.

    Parameters
    ----------
    comparison : pandas.DataFrame
        As returned by `compare_pairs`.
    m, u : dict of str to float
        The two probabilities per field, each between 0 and 1 (exclusive).
    agree : float
        The similarity from which on a field counts as agreeing.

    Returns
    -------
    pandas.DataFrame
        record_id_a, record_id_b, one weight per field in bits, and `weight`, their sum.

    References
    ----------
    Fellegi, I. P. and Sunter, A. B. (1969). A theory for record linkage. JASA 64(328), 1183-1210.

    Examples
    --------
    >>> seen = pd.DataFrame({"record_id_a": ["r1"], "record_id_b": ["r2"], "name": [0.96], "city": [0.0]})
    >>> match_weights(seen, m={"name": 0.8, "city": 0.9}, u={"name": 0.05, "city": 0.2}).round(1)
      record_id_a record_id_b  name  city  weight
    0          r1          r2   4.0  -3.0     1.0
    """
    fields = [column for column in comparison.columns if column not in PAIR]
    for field in fields:
        if field not in m or field not in u or not (0 < m[field] < 1 and 0 < u[field] < 1):
            raise ValueError(f"the field {field!r} needs a probability between 0 and 1 in both m and u")
    weights = comparison[PAIR].copy()
    for field in fields:
        for_agreement, against = np.log2(m[field] / u[field]), np.log2((1 - m[field]) / (1 - u[field]))
        weight = np.where(comparison[field] >= agree, for_agreement, against)
        weights[field] = np.where(comparison[field].isna(), 0.0, weight)
    return weights.assign(weight=weights[fields].sum(axis="columns"))


def _columns(records, columns):
    absent = [column for column in columns if column not in records.columns]
    if absent:
        raise ValueError(f"the records have no column {', '.join(absent)}; they have {', '.join(records.columns)}")
    return records[list(dict.fromkeys(columns))]
