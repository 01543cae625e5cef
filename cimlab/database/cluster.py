"""Step 3, match: from pairs to persons."""

import pandas as pd

from cimlab.database.match import PAIR, _columns, compare_pairs
from cimlab.database.names import SYLLABLE
from cimlab.database.scoring import pairs_in_groups
from cimlab.database.text import by_value


def cluster_pairs(records, pairs, apart=None):
    """Put the records that hang together by pairs into one customer (connected components, 连通分量).

    If A is B and B is C, then A is C. One wrong pair can so glue two persons together: a father and a son who share
    a phone, through a call of which only the surname was noted. With `apart` the strongest pairs are joined first,
    and a pair that would bring two records of `apart` under one customer is left out. The call then stays with the
    record that it fits best.

    Parameters
    ----------
    records : pandas.DataFrame
        With record_id; a record without a pair is a customer of its own.
    pairs : pandas.DataFrame
        record_id_a, record_id_b and, if there is one, probability.
    apart : pandas.DataFrame, optional
        record_id_a, record_id_b that cannot be one person, for example from `find_conflicts`.

    Returns
    -------
    pandas.DataFrame
        record_id, customer_id, in the order of `records`. Customers are numbered K000001, K000002 … by their smallest
        record_id, so that the same pairs give the same numbers.

    Raises
    ------
    ValueError
        A pair names a record that is not there.

    References
    ----------
    Christen, P. (2012). Data Matching, section 6.9. Springer. Wagstaff, K. et al. (2001), Constrained k-means
    clustering with background knowledge, ICML (the idea of pairs that cannot be linked).

    Examples
    --------
    >>> records = pd.DataFrame({"record_id": ["r1", "r2", "r3", "r4"]})
    >>> pairs = pd.DataFrame({"record_id_a": ["r1", "r2"], "record_id_b": ["r2", "r4"], "probability": [0.9, 0.8]})
    >>> cluster_pairs(records, pairs)["customer_id"].tolist()
    ['K000001', 'K000001', 'K000002', 'K000001']
    >>> father_and_son = pd.DataFrame({"record_id_a": ["r1"], "record_id_b": ["r4"]})
    >>> cluster_pairs(records, pairs, father_and_son)["customer_id"].tolist()
    ['K000001', 'K000001', 'K000002', 'K000003']
    """
    group = {record: {record} for record in _columns(records, ["record_id"])["record_id"]}
    enemies = {}
    for a, b in [] if apart is None else apart[PAIR].itertuples(index=False):
        enemies.setdefault(a, set()).add(b)
        enemies.setdefault(b, set()).add(a)
    for a, b in _strongest_first(pairs)[PAIR].itertuples(index=False):
        if a not in group or b not in group:
            raise ValueError(f"the pair {a}, {b} names a record that is not among the {len(group)} records")
        first, second = group[a], group[b]
        if first is second or any(enemies.get(record, set()) & second for record in first):
            continue
        first |= second
        group.update(dict.fromkeys(second, first))
    smallest = records["record_id"].map({record: min(members) for record, members in group.items()})
    number = {record: i + 1 for i, record in enumerate(sorted(smallest.unique()))}
    customer = smallest.map(number).map("K{:06d}".format).astype("str")
    return pd.DataFrame({"record_id": records["record_id"], "customer_id": customer})


def find_conflicts(records, pairs, least_similar=0.85):
    """Find the records that hang together by `pairs` and yet cannot be one person.

    Members of a family share the phone, the address and the surname; what tells them apart is the given name. Two
    records are in conflict when both given names are known in pinyin and differ clearly, or when the names are not the
    same and the genders or the years of birth differ. A name in another order (Li Hong, Hong Li) and an English name
    (Andy Li) say nothing.

    Parameters
    ----------
    records : pandas.DataFrame
        As returned by `standardise_records`: record_id, name_pinyin, gender, birth_date.
    pairs : pandas.DataFrame
        record_id_a, record_id_b.
    least_similar : float
        Given names with a Jaro-Winkler similarity below this differ clearly.

    Returns
    -------
    pandas.DataFrame
        record_id_a, record_id_b, for `cluster_pairs(..., apart=...)`.

    Examples
    --------
    >>> family = pd.DataFrame({
    ...     "record_id": ["r1", "r2", "r3"], "name_pinyin": ["zeng guofan", "zeng", "zeng jize"],
    ...     "gender": ["M", "M", "M"], "birth_date": pd.NaT})
    >>> same_phone = pd.DataFrame({"record_id_a": ["r1", "r2"], "record_id_b": ["r2", "r3"]})
    >>> find_conflicts(family, same_phone)
      record_id_a record_id_b
    0          r1          r3
    """
    given = records["name_pinyin"].str.split(" ").str[1].astype("str")
    known = records.assign(
        given=given.where(given.str.fullmatch(f"{SYLLABLE}{{1,2}}", na=False)),
        words=by_value(records["name_pinyin"], lambda name: " ".join(sorted(name.split()))),
        year=records["birth_date"].dt.year,
    )
    together = pairs_in_groups(cluster_pairs(records, pairs))
    seen = compare_pairs(known, together, {"given": "name", "words": "exact", "gender": "exact", "year": "exact"})
    other_name = (seen["words"] == 0) & (seen["given"] < least_similar)
    other_person = (seen["words"] == 0) & ((seen["gender"] == 0) | (seen["year"] == 0))
    return seen.loc[other_name | other_person, PAIR].reset_index(drop=True)


def _strongest_first(pairs):
    if "probability" not in pairs.columns:
        return pairs.sort_values(PAIR)
    return pairs.sort_values(["probability", *PAIR], ascending=[False, True, True])
