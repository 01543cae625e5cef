"""Where two columns are the same without doubt, found for whole columns at once.

What is the same and what is not is decided in `cimlab._compare`, value by value; that takes a second for a table of
many rows, and a student waits for it in each check. So the plain cases are settled here, and only the rows that are
left go through those rules. Hence one promise: what is called the same here is the same by the rules as well. The
opposite need not hold: a row in doubt is left to the rules, and so is each column of a kind that is not listed here.
"""

import operator
from datetime import date

import numpy as np
import pandas as pd

FEWEST = 24  # rows below which the rules themselves take no longer
_BLANKS = (type(None), type(pd.NA), type(pd.NaT))
# Kinds whose values may stand in one column, such that two values which are == are of the same kind or both blank. (So
# no two kinds of number: 1 == True == 1.0.) Kinds are told by `id`: `==` of two classes is what their makers want it to
# be. NA is missing, because it is not == to anything, nor the contrary.
_FAMILIES = [
    frozenset(map(id, (*family, type(None))))
    for family in (
        (str, float),  # a float among texts is NaN, or at least no text
        (int,),
        (bool,),
        (date, float),
        (pd.Timestamp, type(pd.NaT)),
        (pd.Timedelta, type(pd.NaT)),
        (pd.Period, type(pd.NaT)),
    )
]
_KEPT = {str, bool, int, date, pd.Timestamp, pd.Timedelta, pd.Period, list, tuple, set, dict}


def rows_in_doubt(got, expected, tolerance):
    """Return the rows in which two columns may differ, or None if nothing can be said of them.

    Parameters
    ----------
    got, expected : pandas.Series
        Two columns whose rows stand side by side.
    tolerance : float
        Relative and absolute tolerance for numbers.

    Returns
    -------
    list of int or None
        The positions of the rows that are not the same without doubt.

    Examples
    --------
    >>> right = pd.Series([1.0, None, 3.0] * 10)
    >>> rows_in_doubt(right, right, 1e-6), rows_in_doubt(right.replace({3.0: 4.0}), right, 1e-6)[:3]
    ([], [2, 5, 8])
    """
    if len(got) < FEWEST or len(got) != len(expected) or not _usual(tolerance):
        return None
    own, right = _vector(got.array), _vector(expected.array)
    same = None if own is None or right is None else _same_vectors(own, right, tolerance)
    if same is None:
        same = _same_values(got.tolist(), expected.tolist())
    return None if same is None else np.flatnonzero(~same).tolist()


def same_lists(got, expected, tolerance):
    """Tell whether two lists or tuples of simple values are the same without doubt.

    Examples
    --------
    >>> same_lists(["C1", "C2"], ["C1", "C2"], 0), same_lists([1, 2], [1, True], 0), same_lists([[1]], [[1]], 0)
    (True, False, False)
    """
    if len(got) != len(expected) or not _usual(tolerance):
        return False
    same = _same_values(list(got), list(expected))
    return same is not None and bool(same.all())


def same_index(got, expected):
    """Tell whether two indexes hold the same labels in the same order, none of them blank or repeated.

    Indexes of Python objects are left to the rules: what such objects say of themselves is no proof.

    Examples
    --------
    >>> same_index(pd.Index(["C1", "C2"]), pd.Index(["C1", "C2"])), same_index(pd.Index([1, 2]), pd.Index([2, 1]))
    (True, False)
    """
    own, right = _levels(got), _levels(expected)
    if own is None or right is None or len(own) != len(right) or not all(map(_same_labels, own, right)):
        return False
    return got.equals(expected) and got.is_unique


def types_of(values, plain_of):
    """Return the types of values, blanks left out; `plain_of` is asked only where the type alone does not tell.

    Examples
    --------
    >>> sorted(kind.__name__ for kind in types_of(["a", None, 2, float("nan")], lambda value: None))
    ['int', 'str']
    """
    types = set(map(type, values))
    unsure = types.difference(_KEPT, _BLANKS)
    plain = {type(plain_of(value)) for value in values if type(value) in unsure} if unsure else set()
    return (types & _KEPT) | (plain - {type(None)})


def is_arrow_text(series):
    """Tell whether a column can hold nothing but texts and blanks, since they are not kept as Python objects."""
    return type(series.array) is pd.arrays.ArrowStringArray


def _vector(array):
    """Return the kind of a column, its values in a form that is compared at once, and which are blank; or None.

    The exact class is asked for, because a class made from it could call anything equal.
    """
    arrays, kind = pd.arrays, type(array)
    if kind is arrays.NumpyExtensionArray:
        return _numbers(np.asarray(array.to_numpy()), np.False_)
    if kind in (arrays.IntegerArray, arrays.FloatingArray, arrays.BooleanArray):
        fill = np.nan if kind is arrays.FloatingArray else 0
        return _numbers(array.to_numpy(dtype=array.dtype.numpy_dtype, na_value=fill), array.isna())
    if kind is arrays.DatetimeArray:
        return ("time" if array.tz is None else "time with zone"), array, array.isna()
    if kind is arrays.TimedeltaArray:
        return "duration", array, array.isna()
    return ("text", array, array.isna()) if kind is arrays.ArrowStringArray else None


def _numbers(values, blank):
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "b":
        return "true/false", values, blank
    if kind == "i" or (kind == "u" and size < 8):
        return "whole number", values.astype("int64", copy=False), blank
    if kind == "f" and size <= 8:
        values = values.astype("float64", copy=False)
        return "number", values, blank | np.isnan(values)
    return None


def _same_vectors(own, right, tolerance):
    (own_kind, own, own_blank), (kind, right, blank) = own, right
    if kind == "number" and own_kind in ("number", "whole number"):  # a whole number may stand for a float
        same = _close(own.astype("float64", copy=False), right, tolerance)
    elif kind == own_kind:
        same = own == right
        if not isinstance(same, np.ndarray):  # of two texts one of which may be NA
            same = same.to_numpy(dtype=bool, na_value=False)
    else:
        return None
    return (same & ~(own_blank | blank)) | (own_blank & blank)


def _close(own, right, tolerance):
    """`math.isclose` for whole columns: the same steps in the same order, so the same answers to the last bit."""
    with np.errstate(all="ignore"):
        apart = np.abs(right - own)
        near = (apart <= np.abs(tolerance * right)) | (apart <= np.abs(tolerance * own)) | (apart <= tolerance)
    return (own == right) | (near & np.isfinite(own) & np.isfinite(right))


def _same_values(own, right):
    """Return which values of two lists are == where that is enough, else None."""
    kinds = {*map(id, map(type, own)), *map(id, map(type, right))}
    if not any(kinds <= family for family in _FAMILIES):
        return None
    return np.fromiter(map(operator.eq, own, right), dtype=bool, count=len(own))


def _usual(tolerance):
    return isinstance(tolerance, (int, float)) and tolerance >= 0


def _levels(index):
    """Return the levels of an index, or None where it has blanks."""
    if type(index) is not pd.MultiIndex:
        return None if index.hasnans else [index]
    return None if any((codes < 0).any() for codes in index.codes) else index.levels


def _same_labels(own, right):
    """Tell whether two levels are of the same kind, and of one by whose labels `loc` finds rows (True selects)."""
    kinds = [found[0] for level in (own, right) if (found := _vector(level.array)) is not None]
    return len(kinds) == 2 and own.dtype == right.dtype and "true/false" not in kinds
