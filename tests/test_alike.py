"""That columns compared at once are told the same sentences as columns compared value by value."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cimlab import _alike, _compare, checks
from cimlab.checks import CheckFailed

TEXTS = ["", "a", "A", " a", "ａ", "é", "é", "12", "顾客"]
FLOATS = [
    0.0,
    -0.0,
    1.0,
    1.0 + 1e-7,
    1.0 + 1e-6,
    1.0 + 1.5e-6,
    1.1,
    100.0,
    -1.0,
    1e-7,
    5e-324,
    1e308,
    -1e308,
    np.inf,
    -np.inf,
]
WHOLE = [0, 1, -1, 2, 100, 2**53, 2**53 + 1, 2**63 - 1]
TIMES = [pd.Timestamp("2026-01-02"), pd.Timestamp("2026-01-02 03:04:05.000001"), pd.Timestamp("1700-01-01")]
SPANS = [pd.Timedelta(0), pd.Timedelta("1D"), pd.Timedelta("1us")]
BLANKS = [None, np.nan, pd.NA, pd.NaT]


class SlyText(str):
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        return True


class SlyKind(type):
    """A class that calls itself `str`, in the very words of `str`."""

    def __eq__(cls, other):
        return True

    def __hash__(cls):
        return hash(str)


class Sly(metaclass=SlyKind):
    __hash__ = None

    def __eq__(self, other):
        return True


OBJECTS = [
    *("a", "1", 1, 0, True, False, 1.0, 0.0, 2.5, b"a", datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2)),
    *(TIMES[0], TIMES[0].tz_localize("UTC"), SPANS[1], pd.Period("2026-01", "M"), pd.Period("2026", "Y")),
    *(np.int64(1), np.float64(1), np.bool_(True), np.datetime64("2026-01-02"), SlyText("a"), Sly()),
    *([], ["a"], [1], [True], [1.0, None], (1, 2), {"a": 1}, {"a": True}, {1, 2}),
]
# dtype → the values to draw from
KINDS = {
    "int64": WHOLE,
    "int8": WHOLE[:5],
    "uint8": [0, 1, 2, 100],
    "uint64": [*WHOLE[:2], *WHOLE[3:], 2**64 - 1],
    "float64": [*FLOATS, None],
    "float32": [0.0, 1.0, 1.1, -1.0, None],
    "longdouble": [0.0, 1.0, 1.1],
    "bool": [True, False],
    "Int64": [*WHOLE, None],
    "UInt8": [0, 1, 2, None],
    "Float64": [*FLOATS, None],
    "boolean": [True, False, None],
    "str": [*TEXTS, None],
    "string[python]": [*TEXTS, None],
    "string[pyarrow]": [*TEXTS, None],
    "str python": [*TEXTS, None],
    "category": [*TEXTS, None],
    "ordered": [1, 2, 3, None],
    "category of objects": [1, "1", 2.5, None],
    "datetime64[ns]": [*TIMES, None],
    "datetime64[us]": [*TIMES, None],
    "datetime64[s]": [TIMES[0], TIMES[2], None],
    "datetime64[us, UTC]": [time.tz_localize("UTC") for time in TIMES] + [None],
    "datetime64[us, Asia/Shanghai]": [time.tz_localize("UTC") for time in TIMES] + [None],
    "timedelta64[us]": [*SPANS, None],
    "timedelta64[ns]": [*SPANS, None],
    "period[M]": [pd.Period("2026-01", "M"), pd.Period("2026-02", "M"), None],
    "int64[pyarrow]": [*WHOLE, None],
    "double[pyarrow]": [1.0, 1.1, None],
    "Sparse[float]": [0.0, 1.0, np.nan],
    "object": [*OBJECTS, *BLANKS],
    "object texts": [*TEXTS, *BLANKS],
    "object whole": [*WHOLE[:5], None],
    "object floats": [*FLOATS, *BLANKS],
    "object truth": [True, False, None],
    "object dates": [datetime.date(2026, 1, 2), datetime.date(2026, 1, 3), *BLANKS],
    "object times": [*TIMES, *BLANKS],
    "object spans": [*SPANS, *BLANKS],
    "object periods": [pd.Period("2026-01", "M"), pd.Period("2026-02", "M"), *BLANKS],
    "object lists": [[], ["a"], ["a", None], [1], [1.0], [True], [[1]]],
}
ALWAYS_SLOW = ["uint64", "longdouble", "category of objects", "Sparse[float]", "object", "object lists"]
WITH_BLANKS = ["float64", "float32", "Int64", "UInt8", "Float64", "boolean", "str", "string[pyarrow]"]
WITH_BLANKS += [kind for kind in KINDS if kind.startswith(("datetime64", "timedelta64"))]


def column(kind, values):
    """Return a column of one of the kinds above."""
    if kind.startswith("object") or kind == "category of objects":
        cells = np.empty(len(values), object)
        for i, value in enumerate(values):  # one by one, since numpy would make a table of lists
            cells[i] = value
        made = pd.Series(cells, dtype="object")
        return made.astype("category") if kind == "category of objects" else made
    if kind == "ordered":
        return pd.Series(pd.Categorical(values, categories=[3, 1, 2], ordered=True))
    if kind == "str python":
        return pd.Series(values, dtype=pd.StringDtype("python", na_value=np.nan))
    return pd.Series(values, dtype=kind)


def said(got, expected, **keywords):
    """Return the sentence of a comparison, or the name of another exception, or None."""
    try:
        return checks.equal(got, expected, "it", **keywords)
    except CheckFailed as failure:
        return str(failure)
    except Exception as error:  # then both ways have to fail
        return type(error)


def said_slowly(got, expected, **keywords):
    """Return the sentence that the rules say without the help of `cimlab._alike`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_alike, "rows_in_doubt", lambda *arguments: None)
        for name in ("same_lists", "same_index", "is_arrow_text"):
            patch.setattr(_alike, name, lambda *arguments: False)
        patch.setattr(_alike, "types_of", lambda values, plain: {type(plain(v)) for v in values} - {type(None)})
        patch.setattr(pd.DataFrame, "duplicated", lambda table, keys: pd.Series([True]))
        return said(got, expected, **keywords)


@pytest.fixture(autouse=True)
def short_columns_too(monkeypatch):
    monkeypatch.setattr(_alike, "FEWEST", 0)


@st.composite
def pairs(draw):
    """Two columns of the same or of two kinds, with the same values except for a few."""
    right = draw(st.sampled_from(list(KINDS)))
    own = draw(st.one_of(st.just(right), st.sampled_from(list(KINDS))))
    values = draw(st.lists(st.sampled_from(KINDS[right]), max_size=6))
    changed = list(values)
    for i in draw(st.lists(st.integers(0, 5), max_size=2)):
        if i < len(changed):
            changed[i] = draw(st.sampled_from(KINDS[own]))
    try:
        return column(own, changed), column(right, values)
    except (TypeError, ValueError, ArithmeticError, NotImplementedError, Warning):  # values that this kind cannot hold
        other = draw(st.lists(st.sampled_from(KINDS[own]), min_size=len(values), max_size=len(values)))
        return column(own, other), column(right, values)


@settings(max_examples=1500)
@given(pairs(), st.sampled_from([0, 1e-6, 0.2]), st.booleans())
@example((pd.Series([SlyText("b")], dtype="string[python]"), pd.Series(["a"], dtype="string[python]")), 0, True)
@example((pd.Series([SlyText("b"), "a"], dtype="object"), pd.Series(["a", "a"])), 0, True)
@example((pd.Series(["a", Sly()], dtype="object"), pd.Series(["a", "a"])), 0, True)
@example((pd.Series([1, True], dtype="object"), pd.Series([1, 1], dtype="object")), 0, True)
@example((pd.Series([0, None], dtype="Int64"), pd.Series([None, 0], dtype="Int64")), 0, True)
@example((pd.Series([2**53 + 1]), pd.Series([2.0**53])), 0, True)
def test_columns_are_told_the_same_as_value_by_value(pair, tolerance, reveal):
    got, expected = pair
    told = said(got, expected, tolerance=tolerance, reveal=reveal)
    assert told == said_slowly(got, expected, tolerance=tolerance, reveal=reveal)
    assert said(got.tolist(), expected.tolist(), reveal=reveal) == said_slowly(
        got.tolist(), expected.tolist(), reveal=reveal
    )
    mistakes = [(expected.iloc[::-1], "turned"), (expected, "right")]
    again = said(got, expected.iloc[::-1].reset_index(drop=True), mistakes=mistakes)
    assert again == said_slowly(got, expected.iloc[::-1].reset_index(drop=True), mistakes=mistakes)


@settings(max_examples=500)
@given(pairs(), st.booleans(), st.permutations(range(6)), st.sampled_from([["key"], ["key", "n"], "index", None]))
@example((pd.Series([[]]), pd.Series([[]])), False, range(6), ["key"])
def test_rows_are_found_by_their_key_the_same(pair, shuffled, order, by):
    got, expected = (pd.DataFrame({"key": side, "n": range(len(side)), "v": 1.5}) for side in pair)
    if by == "index":
        got, expected = got.set_index("key"), expected.set_index("key")
    if shuffled:
        got = got.iloc[[i for i in order if i < len(got)]]
    assert said(got, expected, by=by) == said_slowly(got, expected, by=by)


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_pair_of_values_is_the_same_at_once_that_the_rules_tell_apart(kind):
    for other in KINDS:
        assert told_apart(kind, other) == []


def told_apart(kind, other):
    """Return the pairs of values of two kinds that are the same at once, but not by the rules."""
    grid = [(own, right) for own in KINDS[kind] for right in KINDS[other]]
    got, expected = column(kind, [own for own, _ in grid]), column(other, [right for _, right in grid])
    found = []
    for tolerance in (0, 1e-6):
        doubted = _alike.rows_in_doubt(got, expected, tolerance)
        sure = set(range(len(grid))) - set(range(len(grid)) if doubted is None else doubted)
        values = list(zip(got.tolist(), expected.tolist(), strict=True))
        found += [values[i] for i in sure if _compare.difference_of(*values[i], tolerance) is not None]
    return found


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ALWAYS_SLOW])
def test_a_right_column_is_not_looked_at_value_by_value(kind):
    right = column(kind, [value for value in KINDS[kind] if kind in WITH_BLANKS or not pd.isna(value)])
    assert _alike.rows_in_doubt(right, right.copy(), 0) == []


MANY = pd.MultiIndex.from_arrays


@pytest.mark.parametrize(
    ("own", "right", "same"),
    [
        (pd.Index(["a", "b"]), pd.Index(["a", "b"]), True),
        (pd.Index(["a", "b"]), pd.Index(["b", "a"]), False),
        (pd.RangeIndex(3), pd.Index([0, 1, 2]), True),
        (MANY([["a", "b"], [1, 2]]), MANY([["a", "b"], [1, 2]]), True),
        (MANY([["a", "b"], [1, 2]]), MANY([["a", "b"], [1, 3]]), False),
        (pd.Index(["a", "a"]), pd.Index(["a", "a"]), False),  # `align` has to say which label is repeated
        (pd.Index([1, 2]), pd.Index([1.0, 2.0]), False),
        (pd.Index([1.0, None]), pd.Index([1.0, None]), False),
        (MANY([["a", None], [1, 2]]), MANY([["a", None], [1, 2]]), False),
        (pd.Index([False, True]), pd.Index([False, True]), False),  # `loc` takes these for a choice of rows
        (pd.Index([SlyText("b"), "a"], dtype="object"), pd.Index(["a", "a"], dtype="object"), False),
        (pd.Index(["a", "b"]), MANY([["a", "b"]]), False),
    ],
)
def test_labels_are_the_same_only_without_doubt(own, right, same):
    assert _alike.same_index(own, right) is same
    got, expected = pd.DataFrame({"v": [1.5] * len(own)}, own), pd.DataFrame({"v": [1.5] * len(right)}, right)
    assert said(got, expected, by="index") == said_slowly(got, expected, by="index")


def test_only_the_rows_in_doubt_are_looked_at(monkeypatch):
    right = pd.DataFrame({"n": range(1000), "text": ["a"] * 1000, "x": np.linspace(0, 1, 1000)})
    looked = []
    usual = _compare.difference_of
    monkeypatch.setattr(_compare, "difference_of", lambda *values: looked.append(values) or usual(*values))
    checks.equal(right.copy(), right, "t", by="n")
    assert looked == []
    wrong = right.assign(x=right["x"].where(right["n"] != 7, 5.0))
    with pytest.raises(CheckFailed, match=r"column `x`: 1 of 1,000 rows is not right\. The first is n 7: yours is 5,"):
        checks.equal(wrong, right, "t", by="n")
    assert len(looked) == 1
