"""Do two answers say the same? Deep comparison, and other inputs like those that a test gave to a function."""

import contextlib
import copy
import math
import numbers
import re
import types

import numpy as np
import pandas as pd

VARIATIONS = 50
DAY = re.compile(r"\d{4}-\d\d-\d\d")
MOST_ROWS = 1000  # a longer table is varied on so many of its rows


def same(one, other):
    """Tell whether two values are the same, all that they hold included; numbers to nine digits.

    Of tables the order of columns, the index and the kind of a number (1, 1.0) do not count; the order of rows does.

    Examples
    --------
    >>> same({"n": 1, "parts": [0.1 + 0.2, None]}, {"n": 1.0, "parts": [0.3, float("nan")]})
    True
    >>> same([1, 2], [2, 1]), same(True, 1), same("1", 1)
    (False, False, False)
    """
    if isinstance(one, pd.DataFrame):
        if not isinstance(other, pd.DataFrame) or len(one) != len(other) or sorted(map(str, one)) != sorted(
            map(str, other)
        ):  # fmt: skip
            return False
        if one.columns.has_duplicates or other.columns.has_duplicates:
            return list(one) == list(other) and same(one.to_numpy().tolist(), other.to_numpy().tolist())
        return all(column in other and same(one[column].tolist(), other[column].tolist()) for column in one)
    if isinstance(one, (pd.Series, pd.Index, np.ndarray)) and isinstance(other, type(one)):
        labelled = isinstance(one, pd.Series) and not isinstance(one.index, pd.RangeIndex)
        return same(one.tolist(), other.tolist()) and (not labelled or same(one.index.tolist(), other.index.tolist()))
    if isinstance(one, dict):
        return isinstance(other, dict) and set(one) == set(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return isinstance(other, type(one)) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (set, frozenset)):
        return isinstance(other, (set, frozenset)) and one == other
    return _same_value(one, other)


def _same_value(one, other):
    if _is_blank(one) or _is_blank(other):
        return _is_blank(one) and _is_blank(other)
    if isinstance(one, (bool, np.bool_)) or isinstance(other, (bool, np.bool_)):
        return isinstance(one, (bool, np.bool_)) and isinstance(other, (bool, np.bool_)) and bool(one) == bool(other)
    if isinstance(one, numbers.Number) and isinstance(other, numbers.Number):
        if isinstance(one, numbers.Real) and isinstance(other, numbers.Real):
            return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
        return one == other
    if hasattr(one, "__dict__") and type(one) is type(other) and type(one).__eq__ is object.__eq__:
        return same(vars(one), vars(other))
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:
        return False


def _is_blank(value):
    return value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def copied(value):
    """Return a copy, so that nothing can change the original; what cannot be copied is given as it is."""
    if isinstance(value, (pd.DataFrame, pd.Series)):
        return value.copy()
    if isinstance(value, (types.FunctionType, types.ModuleType, type)):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


def variations(calls, constants, number=VARIATIONS):
    """Make inputs like those of the recorded calls of a function.

    What is put in was seen in a call: a column keeps its values, a blank comes only where blanks were, rows are doubled
    only where rows were alike. The numbers in the answer's code (a step of 600 CNY, say) and in the call are put
    in with their neighbours, and columns get values of one another: a fault may show at a tie or a step only.

    Parameters
    ----------
    calls : list of (tuple, dict)
        Arguments and keywords of each recorded call.
    constants : list of float
        The numbers in the code of the answer.
    number : int
        How many inputs to make.

    Returns
    -------
    list of (tuple, dict)
        Always the same for the same calls.
    """
    rng = np.random.default_rng(11)
    return [_varied(calls[turn % len(calls)], calls, constants, rng) for turn in range(number)] if calls else []


def _varied(call, calls, constants, rng):
    arguments, keywords = call
    others = [[one[0][place] for one in calls if len(one[0]) > place] for place in range(len(arguments))]
    given = [*arguments, *keywords.values()]
    numbers_given = [value for value in given if type(value) in (int, float)]
    steps = [*constants, *numbers_given], _moments(given, constants)
    new = [_vary(value, seen, steps, rng) for value, seen in zip(arguments, others, strict=True)]
    return tuple(new), {key: _vary(value, [value], steps, rng) for key, value in keywords.items()}


def _moments(values, constants):
    """Return the days that a call names, and those about them: a day, a year, or as many days as the code says."""
    found = []
    for value in values:
        day = isinstance(value, pd.Timestamp) or (isinstance(value, str) and DAY.match(value))
        moment = pd.to_datetime(value, errors="coerce") if day else pd.NaT
        if moment is not pd.NaT and moment.tzinfo is None and 1900 < moment.year < 2200:
            days = {0, 1, *(int(number) for number in constants if 0 < number < 1000)}
            about = [moment + pd.Timedelta(days=sign * day) for day in sorted(days) for sign in (1, -1)]
            years = [time + pd.DateOffset(years=sign) for time in about[:3] for sign in (1, -1)]
            found += [*about, *years, moment.normalize()]
    return found


def _vary(value, seen, steps, rng):
    if isinstance(value, pd.DataFrame):
        return _vary_table(value, [one for one in seen if isinstance(one, pd.DataFrame)], steps, rng)
    if isinstance(value, pd.Series):
        index = value.index
        table = _vary_table(value.to_frame("value"), [value.to_frame("value")], steps, rng, rows=index.is_unique)
        return table["value"].rename(value.name)
    if isinstance(value, list) and len(value) > 1 and rng.random() < 0.5:
        kept = sorted(rng.permutation(len(value))[: max(1, int(len(value) * rng.choice([0.5, 1])))])
        return [copied(value[place]) for place in kept]
    if rng.random() < 0.5:
        return copied(value)
    alike = [one for one in seen if type(one) is type(value)]
    if isinstance(value, (bool, str)) or not isinstance(value, (int, float, pd.Timestamp)):
        return copied(alike[rng.integers(len(alike))])
    if isinstance(value, pd.Timestamp):
        return value + pd.Timedelta(days=int(rng.choice([-31, -1, 0, 1])))
    low, high = min(alike), max(alike)
    near = [
        number for constant in steps[0] for number in (constant - 1, constant, constant + 1) if low <= number <= high
    ]
    near += [low, high, (low + high) / 2]
    return type(value)(near[rng.integers(len(near))])


def _vary_table(table, seen, steps, rng, rows=True):
    """Leave out, mix and (where the recorded tables have rows alike) double rows; then change some values."""
    new = table
    if rows:
        count = min(len(table), MOST_ROWS)
        part = int(count * rng.choice([1, 1, 1, 0.7, 0.3]))  # mostly all: rows of two tables belong together
        new = table.iloc[rng.permutation(len(table))[:part]]
        if rng.random() < 0.3:
            new = new.iloc[np.sort(rng.permutation(len(new)))]
        if len(new) and rng.random() < 0.3 and _has_twins(seen):
            new = pd.concat([new, new.iloc[[int(rng.integers(len(new)))]]])
        if isinstance(table.index, pd.RangeIndex) and rng.random() < 0.5:
            new = new.reset_index(drop=True)
    new = new.copy()
    for column in new.columns if new.columns.is_unique and len(new) else []:
        # A key stays a key.
        if rng.random() < 0.35 and not (table[column].is_unique and len(table) > 3 and _is_text(table[column])):
            new[column] = _vary_column(new, column, seen, steps, rng)
    return new


def _has_twins(seen):
    try:
        return any(one.duplicated().any() for one in seen)
    except TypeError:
        return False


def _is_text(values):
    return not pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_datetime64_any_dtype(values)


def _vary_column(table, column, seen, steps, rng):
    values, (constants, moments) = table[column].copy(), steps
    pool = pd.concat([one[column] for one in seen if column in one])
    filled = pool.dropna()
    if not len(filled) or pool.dtype != values.dtype:
        return values
    new = [filled.iloc[place] for place in rng.integers(len(filled), size=12)]
    if not _is_text(values) and not pd.api.types.is_bool_dtype(values):
        low, high = filled.min(), filled.max()
        if pd.api.types.is_datetime64_dtype(values):
            near = moments
        else:
            steps = (-1, -0.04, -0.004, 0, 0, 0.004, 0.04, 1) if pd.api.types.is_float_dtype(values) else (-1, 0, 0, 1)
            near = [constant + step for constant in constants for step in steps]
        alike = [other for other in table if other != column and table[other].dtype == values.dtype]
        ties = [value for other in alike for value in table[other].dropna().iloc[:3]]
        new += [value for value in [*near, *near, *ties] if low <= value <= high]
    places = np.sort(rng.permutation(len(values))[: max(1, int(len(values) * rng.choice([0.1, 0.5])))])
    chosen = [new[place] for place in rng.integers(len(new), size=len(places))]
    if pool.isna().any():
        chosen = [None if blank else value for value, blank in zip(chosen, rng.random(len(places)) < 0.3, strict=True)]
    if pd.api.types.is_integer_dtype(values):
        chosen = [value if value is None else int(value) for value in chosen]
    with contextlib.suppress(TypeError, ValueError):  # a kind of column that takes no such values stays as it was
        values.iloc[places] = pd.Series(chosen, dtype=values.dtype).to_numpy()
    return values
