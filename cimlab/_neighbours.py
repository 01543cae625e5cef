"""Numbers copied from somebody else: where each student has a retailer of their own, they are right for that one only.

While a class is graded, `CIMLAB_OTHERS` holds fingerprints of the answers that are right for other students (see
`cimlab.grading.own_data`): name of an answer → fingerprints. A failed check looks its value up there. Nothing is looked
up, and nothing costs time, where the variable is not set.
"""

import datetime
import hashlib
import json
import math
import os

OTHERS, RECORD = "CIMLAB_OTHERS", "CIMLAB_RECORD"
DIGITS = (6, 5, 4)  # a number that somebody copies may have been rounded; with fewer digits it may be chance
FEWEST = 3  # values in a table or list below which its parts are no evidence
SENTENCE = (
    "{name} is the right answer for another retailer, not for yours: each student's data are others. "
    "Compute it from the tables that `cimlab.load` gives you."
)


def copied(got, name):
    """Return the sentence for a value that is right for another student's retailer, or None.

    Parameters
    ----------
    got : object
        The student's wrong value.
    name : str
        What the check calls it.
    """
    text = os.environ.get(OTHERS)
    if not text:
        return None
    try:
        others = json.loads(text)
        known = set(others.get(name, ()))
        found = known and known.intersection(fingerprints(got))
    except Exception:  # a value of an unusual kind, or a damaged variable: then nothing can be said
        return None
    return SENTENCE.format(name=f"`{name}`" if "`" not in name else name) if found else None


def record(expected, name):
    """Note the fingerprints of a right answer in the file that CIMLAB_RECORD names; otherwise do nothing."""
    if path := os.environ.get(RECORD):
        line = {"name": name, "fingerprints": fingerprints(expected), "number": _whole(expected)}
        with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 (no import for what is hardly ever done)
            file.write(json.dumps(line) + "\n")


def fingerprints(value):
    """Return the fingerprints of a value, one for each number of digits; none if it is too common to say anything.

    Examples
    --------
    >>> len(fingerprints(0.341523)), len(fingerprints(0.3415)), len(fingerprints(0.34)), fingerprints(7)
    (3, 1, 0, [])
    >>> fingerprints(0.3415)[0] in fingerprints(0.341523)
    True
    >>> fingerprints([1204, "a"]), len(fingerprints([1204, "a", "b"]))
    ([], 1)
    """
    number = _number(value)
    if number is not None:
        texts = [f"{number:.{digits}g}" for digits in DIGITS if _digits(number) >= digits]
        return [_hash(f"n{text}") for text in texts]
    leaves = _leaves(value)
    if leaves is None or len(leaves) < FEWEST or not any(_digits(leaf) >= DIGITS[-1] for leaf in leaves):
        return []
    texts = sorted(f"{leaf:.6g}" if isinstance(leaf, float) else str(leaf) for leaf in leaves)
    return [_hash("t" + "\x1f".join(texts))]


def _hash(text):
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _number(value):
    """Return a number as float, or None for everything else."""
    value = value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0 else value
    if type(value) in (int, float) and math.isfinite(value):
        return float(value)
    return None


def _whole(value):
    """Return a whole number as it is, else None: counts of a class lie near one another and say little."""
    value = value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0 else value
    return value if type(value) is int else None


def _digits(value):
    """Return how many digits of a number say something; of a text none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return 0
    mantissa = f"{abs(value):.12g}".partition("e")[0].replace(".", "").lstrip("0")
    return len(mantissa.rstrip("0")) if isinstance(value, float) and value != int(value) else len(mantissa)


def _leaves(value):
    """Return the values in a table, list or dict, names included, in no order that matters; None for other things."""
    kind = type(value).__name__
    if kind == "DataFrame" and hasattr(value, "itertuples"):
        index = [] if type(value.index).__name__ == "RangeIndex" else list(value.index)
        return _flat([*index, *(part for column in value.columns for part in value[column].tolist())])
    if kind == "Series" and hasattr(value, "tolist"):
        return _flat([*list(value.index), *value.tolist()])
    if isinstance(value, dict):
        return _flat([*value, *value.values()])
    return _flat(list(value)) if isinstance(value, (list, tuple, set, frozenset)) else None


def _flat(parts):
    leaves = []
    for part in parts:
        number = _number(part)
        if number is not None:
            leaves.append(number)
        elif isinstance(part, (list, tuple, dict)):
            leaves += _leaves(part) or []
        elif part is None or isinstance(part, (str, bool, datetime.date)) or hasattr(part, "isoformat"):
            leaves.append(str(part))
    return leaves
