"""How good is a linkage? Precision and recall against records that people sorted by hand."""

import pandas as pd

from cimlab.database.match import PAIR, _columns


def pairs_in_groups(groups, by="customer_id"):
    """Return every pair of records of one group: what a clustering says is one person.

    Parameters
    ----------
    groups : pandas.DataFrame
        With record_id and the column `by`.
    by : str
        The group of each record; a record without a group is in no pair.

    Returns
    -------
    pandas.DataFrame
        record_id_a, record_id_b (a before b), sorted.

    Examples
    --------
    >>> groups = pd.DataFrame({"record_id": ["r1", "r2", "r3"], "customer_id": ["K1", "K2", "K1"]})
    >>> pairs_in_groups(groups)
      record_id_a record_id_b
    0          r1          r3
    """
    keys = _columns(groups, ["record_id", by]).dropna()
    pairs = keys.merge(keys, on=by, suffixes=("_a", "_b"))
    return pairs.loc[pairs["record_id_a"] < pairs["record_id_b"], PAIR].sort_values(PAIR, ignore_index=True)


def true_pairs(reviewed):
    """Return the pairs of records that the clerks found to be one person.

    Parameters
    ----------
    reviewed : pandas.DataFrame
        With record_id and person_no (table ``reviewed``).

    Returns
    -------
    pandas.DataFrame
        record_id_a, record_id_b (a before b), sorted.

    Examples
    --------
    >>> true_pairs(pd.DataFrame({"record_id": ["r1", "r2", "r3"], "person_no": [1, 1, 2]}))
      record_id_a record_id_b
    0          r1          r2
    """
    return pairs_in_groups(reviewed, by="person_no")


def score_pairs(pairs, reviewed):
    """Score found pairs against the reviewed records: precision, recall and F1.

    `reviewed` holds *every* record of a sample of the persons. So a pair can be judged as soon as one of its records
    was reviewed: if the other one was not, it belongs to somebody else and the pair is wrong. A pair with no reviewed
    record says nothing and is not counted. (If the sample were of records instead of persons, a partner could simply
    be missing from it, and precision could not be judged this way.)

    The precision is a careful one: a wrong pair across two persons can enter from either side, a right pair only with
    its one person. With a sample of 20 % a wrong pair is seen with probability 1 - 0.8 x 0.8 = 0.36, a right one with
    0.20, so that the real precision is higher. When all records are reviewed the figures are exact.

    Parameters
    ----------
    pairs : pandas.DataFrame
        record_id_a, record_id_b: found by any method, in any order.
    reviewed : pandas.DataFrame
        record_id, person_no.

    Returns
    -------
    pandas.DataFrame
        One row: precision (right pairs among the found), recall (found among the right), f1 (their harmonic mean),
        true_pairs, found_pairs (that can be judged), right_pairs. Precision is missing when nothing was found.

    References
    ----------
    Christen, P. (2012). Data Matching, chapter 7. Springer.

    Examples
    --------
    >>> reviewed = pd.DataFrame({"record_id": ["r1", "r2", "r3"], "person_no": [1, 1, 1]})
    >>> found = pd.DataFrame({"record_id_a": ["r1", "r3", "r8"], "record_id_b": ["r2", "r7", "r9"]})
    >>> score_pairs(found, reviewed).round(2)
       precision  recall  f1  true_pairs  found_pairs  right_pairs
    0        0.5    0.33 0.4           3            2            1
    """
    ordered = pd.DataFrame({PAIR[0]: pairs[PAIR].min(axis="columns"), PAIR[1]: pairs[PAIR].max(axis="columns")})
    known = set(reviewed["record_id"])
    judged = ordered[ordered[PAIR].isin(known).any(axis="columns")].drop_duplicates()
    truth = true_pairs(reviewed)
    right = len(judged.merge(truth, on=PAIR))
    precision = right / len(judged) if len(judged) else float("nan")
    recall = right / len(truth) if len(truth) else float("nan")
    f1 = 2 * right / (len(judged) + len(truth)) if len(judged) + len(truth) else float("nan")
    scores = {"precision": precision, "recall": recall, "f1": f1}
    return pd.DataFrame([scores | {"true_pairs": len(truth), "found_pairs": len(judged), "right_pairs": right}])


def score_thresholds(pairs, reviewed, thresholds=(0.01, 0.1, 0.5, 0.9, 0.99, 0.999)):
    """Score the pairs at several thresholds of probability: a higher one is more careful and finds less.

    Parameters
    ----------
    pairs : pandas.DataFrame
        record_id_a, record_id_b, probability.
    reviewed : pandas.DataFrame
        record_id, person_no.
    thresholds : iterable of float
        The least probability to keep a pair. `pairs` must reach down to the lowest one.

    Returns
    -------
    pandas.DataFrame
        One row per threshold, with the columns of `score_pairs`.

    Examples
    --------
    >>> reviewed = pd.DataFrame({"record_id": ["r1", "r2"], "person_no": [1, 1]})
    >>> found = pd.DataFrame({"record_id_a": ["r1", "r1"], "record_id_b": ["r2", "r9"], "probability": [0.9, 0.2]})
    >>> score_thresholds(found, reviewed, [0.1, 0.5])[["threshold", "precision", "recall"]]
       threshold  precision  recall
    0        0.1        0.5     1.0
    1        0.5        1.0     1.0
    """
    kept = {threshold: pairs[pairs["probability"] >= threshold] for threshold in thresholds}
    table = pd.concat([score_pairs(some, reviewed) for some in kept.values()], ignore_index=True)
    table.insert(0, "threshold", list(kept))
    return table
