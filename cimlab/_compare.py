"""How the checks compare a student's value with the right one, and the words for a difference.

The public half is `cimlab.checks`; nothing here is for use in a notebook.
"""

import contextlib
import itertools
import math
import numbers
import reprlib
import textwrap
import unicodedata
from datetime import date, datetime

import numpy as np
import pandas as pd
from pandas.api import types as dtypes_of

from cimlab import _alike


class CheckFailed(AssertionError):
    """An answer is not right (yet); the text of the exception is a sentence for the student.

    Jupyter shows only that sentence, because a beginner cannot use the traceback of a test and a hidden test must not
    be seen through it.

    Examples
    --------
    >>> CheckFailed("`phones` is still `...`.")._render_traceback_()
    ['`phones` is still `...`.']
    """

    def _render_traceback_(self):
        # IPython asks for this method by name and sends its lines instead of the traceback.
        lines = str(self).splitlines() or ["This answer is not right yet."]
        return ["\n".join(textwrap.fill(line, 110, break_long_words=False, break_on_hyphens=False) for line in lines)]


CheckFailed.__module__ = "cimlab.checks"  # where a reader of an error message will look for it


class Place:
    """Where a comparison stands (the words for it) and how it is made.

    Where it is `brief`, nobody reads the sentence: the first difference ends the comparison, and is not explained.
    """

    def __init__(self, words, reveal, tolerance, by=None, row=None, brief=False):
        self.words, self.reveal, self.tolerance, self.by, self.row = words, reveal, tolerance, by, row
        self.brief = brief

    def at(self, more):
        return Place(self.words + more, self.reveal, self.tolerance, brief=self.brief)


def compare(got, expected, place):
    if isinstance(expected, pd.DataFrame):
        compare_tables(got, expected, place)
    elif isinstance(expected, pd.Series):
        compare_series(got, expected, place)
    elif isinstance(expected, (list, tuple)):
        compare_sequences(got, expected, place)
    elif isinstance(expected, (set, frozenset)):
        require_kind(got, type(expected), place)
        compare_members(set(got), set(expected), place, "value")
    elif isinstance(expected, dict):
        require_kind(got, dict, place)
        compare_members(set(got), set(expected), place, "key")
        for key in expected:
            compare(got[key], expected[key], place.at(f"[{shown(key)}]" if place.reveal else ", one of its values"))
    else:
        difference = difference_of(got, expected, place.tolerance)
        if difference is None:
            return
        if difference.startswith("!"):  # another kind of value: the sentence is complete
            raise CheckFailed(f"{place.words} is {difference[1:]}.")
        # Outside of tables None is None: a beginner has written it, or has to.
        own, right = ("None" if value is None else shown(value) for value in (got, expected))
        told = f"; expected {right}" if place.reveal else ": it is not right"
        if not place.reveal and difference != "blank":
            told += f", it is {difference}"
        raise CheckFailed(f"{place.words} is {own}{told}.{remark_on(difference) if place.reveal else ''}")


def compare_sequences(got, expected, place):
    require_kind(got, type(expected), place)
    if len(got) != len(expected):
        raise CheckFailed(f"{place.words} has {counted(len(got), 'value')}{expected_count(len(expected), place)}.")
    if _alike.same_lists(got, expected, place.tolerance):
        return
    for position, (own, right) in enumerate(zip(got, expected, strict=True)):
        try:
            compare(own, right, place.at(f"[{position}]" if place.reveal else ", one of its values"))
        except CheckFailed:
            if not place.brief and same_members(got, expected, place.tolerance):
                raise CheckFailed(
                    f"{place.words} holds the right values in another order than the task asks for."
                ) from None
            raise


def compare_members(got, expected, place, what):
    odd = [member for member in got if type(plain_of(member)) not in (*_PLAIN, tuple, type(None))]
    if odd:
        raise CheckFailed(f"{place.words} holds {kind_of(odd[0])}; that cannot be compared.")
    missing, extra = expected - got, got - expected
    for members, verb in ((missing, "lacks"), (extra, "should not have")):
        if members:
            example = f", for example {shown(sorted(members, key=str)[0])}" if place.reveal or verb != "lacks" else ""
            raise CheckFailed(f"{place.words} {verb} {counted(len(members), what)}{example}.")


def compare_series(got, expected, place):
    require_kind(got, pd.Series, place)
    if len(got) != len(expected):
        raise CheckFailed(rows_sentence(len(got), len(expected), place))
    label = None
    if place.by is not None:
        got, expected = align(got.to_frame("value"), expected.to_frame("value"), "index", place)
        label = expected.index
        got, expected = got["value"], expected["value"]
    compare_kind(got, column_kind(expected), place)
    compare_values(got, expected, label, place)


def compare_tables(got, expected, place):
    require_kind(got, pd.DataFrame, place)
    compare_columns(got, list(expected.columns), place)
    label = None
    if place.by is not None:
        if place.by != "index":
            check_key(got, as_list(place.by), place)
        if len(got) != len(expected):
            raise CheckFailed(rows_sentence(len(got), len(expected), place))
        got, expected = align(got, expected, place.by, place)
        label = expected.index
    elif len(got) != len(expected):
        raise CheckFailed(rows_sentence(len(got), len(expected), place))
    for column in expected.columns:
        compare_kind(got[column], column_kind(expected[column]), place.at(f", column `{column}`"))
    for column in expected.columns:
        compare_values(got[column], expected[column], label, place.at(f", column `{column}`"))


def compare_values(got, expected, label, place):
    """Compare two columns whose rows stand side by side; `label` names the rows, otherwise they are counted."""
    rows = _alike.rows_in_doubt(got, expected, place.tolerance)
    if rows == []:
        return
    if rows is None:
        rows, pairs = range(len(got)), zip(got.tolist(), expected.tolist(), strict=True)
    else:
        pairs = zip(got.iloc[rows].tolist(), expected.iloc[rows].tolist(), strict=True)
    differences = (difference_of(own, right, place.tolerance) for own, right in pairs)
    wrong = ((i, difference) for i, difference in zip(rows, differences, strict=True) if difference)
    wrong = list(itertools.islice(wrong, 1 if place.brief else None))
    if not wrong:
        return
    count = f"{len(wrong):,} of {counted(len(got), 'row')} {'is' if len(wrong) == 1 else 'are'} not right"
    i, difference = wrong[0]
    difference = difference.removeprefix("!")
    if not place.reveal:
        raise CheckFailed(f"{place.words}: {count}, for example one that is {difference}.")
    if label is None and len(wrong) > 1 and same_members(got.tolist(), expected.tolist(), place.tolerance):
        raise CheckFailed(f"{place.words} holds the right values in another order than the task asks for.")
    where = f"row {i} (counted from 0)" if label is None else label_text(label, i)
    raise CheckFailed(
        f"{place.words}: {count}. The first is {where}: yours is {shown(plain_of(got.iloc[i]))}, "
        f"expected {shown(plain_of(expected.iloc[i]))}.{remark_on(difference)}"
    )


def align(got, expected, by, place):
    """Return both tables in the same order of their keys, after checking that the keys are the same."""
    keys = as_list(by)
    if by != "index":
        got, expected = got.set_index(keys, drop=False), expected.set_index(keys, drop=False)
    elif got.index.has_duplicates:
        raise CheckFailed(f"The index of {place.words} is repeated: {shown(got.index[got.index.duplicated()][0])}.")
    if _alike.same_index(got.index, expected.index):
        return got, expected
    words = "the index" if by == "index" else " and ".join(f"`{key}`" for key in keys)
    missing, extra = expected.index.difference(got.index), got.index.difference(expected.index)
    if len(missing) or len(extra):
        parts = []
        if len(missing):
            parts.append(f"{len(missing):,} missing" + (f", for example {shown(missing[0])}" if place.reveal else ""))
        if len(extra):
            parts.append(f"{len(extra):,} that should not be there, for example {shown(extra[0])}")
        raise CheckFailed(f"{place.words} has other values in {words} than expected: {'; '.join(parts)}.")
    return got.loc[expected.index], expected


def check_key(got, keys, place):
    words = " and ".join(f"`{key}`" for key in keys)
    blank = got[keys].isna().any(axis=1)
    if blank.any():
        raise CheckFailed(f"In {place.words} the key {words} is blank in {counted(int(blank.sum()), 'row')}.")
    # Cheaper than to count; Python objects are left to `groupby`, which does not take all of them (a list).
    if not any(map(dtypes_of.is_object_dtype, got[keys].dtypes)) and not got.duplicated(keys).any():
        return
    counts = got.groupby(keys, sort=False).size()
    if len(counts) and counts.max() > 1:
        asked = f"; the task asks for {place.row}" if place.row else ""
        raise CheckFailed(
            f"In {place.words} the key {words} is repeated: {shown(counts.idxmax())} stands in "
            f"{counts.max():,} rows{asked}."
        )


def compare_columns(got, columns, place):
    missing = [column for column in columns if column not in got.columns]
    extra = [column for column in got.columns if column not in columns]
    if missing:
        own = ", ".join(f"`{column}`" for column in got.columns) or "no such column"
        if set(missing) <= set(got.index.names):
            raise CheckFailed(
                f"{place.words} has {quoted(missing)} in its index, not as a column: use `reset_index()`."
            )
        raise CheckFailed(f"{place.words} lacks the {columns_text(missing)}; it has {own}.")
    if extra:
        raise CheckFailed(f"{place.words} has the {columns_text(extra)}, which the task does not ask for.")
    if got.columns.has_duplicates:
        raise CheckFailed(f"{place.words} has the column `{got.columns[got.columns.duplicated()][0]}` twice.")


def compare_kind(got, kind, place):
    own = column_kind(got)
    if kind is None or own in (kind, "blank") or (own, kind) == ("whole number", "number"):
        return
    raise CheckFailed(f"{place.words} holds {KIND_OF_COLUMN.get(own, own)}; the task asks for {KIND_OF_COLUMN[kind]}.")


def require_kind(got, kind, place):
    if type(got) is not kind:
        wanted = kind_name(kind)
        raise CheckFailed(f"{place.words} is {kind_of(got)}; the task asks for {wanted}.{kind_hint(got, wanted)}")


def difference_of(got, expected, tolerance):
    """Return None if two single values are the same, else what kind of difference it is ("!…" = another kind)."""
    got, expected = plain_of(got), plain_of(expected)
    if expected is None or got is None:
        return None if got is expected else ("blank" if got is None else "not blank, although it should be")
    if type(expected) is float and type(got) is int:
        got = float(got)
    # The type comes before ==, so that an object which calls itself equal to everything is not.
    if type(got) is not type(expected):
        return f"!{kind_of(got)}; the task asks for {kind_of(expected)}"
    if type(expected) in (int, float):
        return number_difference(got, expected, tolerance)
    if type(expected) is str:
        return text_difference(got, expected)
    if type(expected) in (list, tuple, set, frozenset, dict):
        try:
            return compare(got, expected, Place("", False, tolerance))
        except CheckFailed:
            return "different inside"
    if got == expected:
        return None
    with contextlib.suppress(TypeError):  # one of two dates may carry a time zone
        if isinstance(expected, date):
            return "too early" if got < expected else "too late"
    return "another value"


def number_difference(got, expected, tolerance):
    if math.isclose(got, expected, rel_tol=tolerance, abs_tol=tolerance):
        return None
    if got and math.isclose(got, -expected, rel_tol=1e-6):
        return "right but for its sign"
    for factor in (100, 1000, 0.01, 0.001):
        if got and math.isclose(got, expected * factor, rel_tol=1e-6):
            return f"{factor:g} times the right value (per cent or fraction? another unit?)"
    if any(got == round(expected, digits) for digits in range(4)) and isinstance(expected, float):
        return "rounded (do not round before the end)"
    return "too small" if got < expected else "too large"


def text_difference(got, expected):
    if got == expected:
        return None
    if got.strip() == expected.strip():
        return "different only in the spaces at its ends"
    if got.casefold() == expected.casefold():
        return "different only in capital letters"
    if unicodedata.normalize("NFKC", got) == unicodedata.normalize("NFKC", expected):
        return "different only in full-width characters"
    if "".join(got.split()) == "".join(expected.split()):
        return "different only in its spaces"
    return "another text"


def remark_on(difference):
    """Return the kind of difference as a sentence where it tells more than the two values do."""
    plain = ("another", "too ", "blank", "not blank", "different inside")
    return "" if difference.startswith(plain) or "; the task asks" in difference else f" It is {difference}."


def same_members(got, expected, tolerance):
    """Are these the same values in another order? (For values that can be sorted.)"""
    try:
        got, expected = sorted(map(plain_of, got)), sorted(map(plain_of, expected))
    except TypeError:
        return False
    return all(difference_of(a, b, tolerance) is None for a, b in zip(got, expected, strict=True))


def recognised(got, mistakes, tolerance, by):
    """Return the failure of the first recognised mistake, or None."""
    for wrong, sentence in mistakes:
        try:
            if callable(wrong):
                found = bool(wrong(got))
            else:
                found = True
                compare(got, wrong, Place("", False, tolerance, by, brief=True))
        except Exception:  # a description that does not fit this value at all: it is not this mistake
            found = False
        if found:
            return CheckFailed(sentence(got) if callable(sentence) else sentence)
    return None


# ---------------------------------------------------------------------------------------------------------------------
# Words

_PLAIN = (bool, int, float, str, bytes, date, datetime, pd.Timestamp, pd.Timedelta)
_KIND_NAMES = {
    bool: "True or False (bool)",
    int: "a whole number (int)",
    float: "a number with decimals (float)",
    str: "a text (str)",
    list: "a list",
    tuple: "a tuple",
    set: "a set",
    frozenset: "a set (frozenset)",
    dict: "a dict",
    date: "a date",
    datetime: "a date and time",
    pd.Timestamp: "a date and time (Timestamp)",
    pd.DataFrame: "a table (DataFrame)",
    pd.Series: "a column (Series)",
    np.ndarray: "an array (numpy)",
    type(None): "None",
}
KIND_OF_COLUMN = {
    "text": "text",
    "whole number": "whole numbers",
    "number": "numbers",
    "date": "dates",
    "true/false": "True and False",
    "mixed": "a mixture of kinds",
    "blank": "only blanks",
}


def plain_of(value):
    """Return a value in the plain Python kind that it is compared in; blanks of all kinds become None."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.generic):
        value = pd.Timestamp(value) if isinstance(value, np.datetime64) else value.item()
    if type(value) is float and math.isnan(value):
        return None
    return pd.Timestamp(value) if type(value) is datetime else value


def column_kind(series):
    dtype = series.dtype
    if dtypes_of.is_bool_dtype(dtype):
        return "true/false"
    if dtypes_of.is_integer_dtype(dtype):
        return "whole number"
    if dtypes_of.is_float_dtype(dtype):
        return "number"
    if dtypes_of.is_datetime64_any_dtype(dtype):
        return "date"
    if _alike.is_arrow_text(series):
        return "text" if len(series) == 0 or series.notna().any() else "blank"
    values = _alike.types_of(series.tolist(), plain_of)
    if not values:
        # A column of blanks is of no kind, unless its dtype says so.
        return "text" if dtypes_of.is_string_dtype(dtype) and len(series) == 0 else "blank"
    kinds = {str: "text", bool: "true/false", int: "whole number", float: "number", pd.Timestamp: "date", date: "date"}
    found = {kinds.get(kind, "mixed") for kind in values}
    return found.pop() if len(found) == 1 else "mixed"


def kind_of(value):
    """Return the words for what kind of thing a value is."""
    value = plain_of(value)
    if type(value) is type:
        return f"the type `{value.__name__}` itself"
    if callable(value):
        return "a function (was it called, with brackets?)"
    return kind_name(type(value))


def kind_name(kind):
    return _KIND_NAMES.get(kind, f"of the type `{getattr(kind, '__name__', kind)}`")


def kind_hint(value, wanted):
    if value is None:
        return " Is a `return` missing?"
    if isinstance(value, pd.Series) and "DataFrame" in wanted:
        return " Two pairs of brackets, `table[[…]]`, or `reset_index()` make a table."
    if isinstance(value, pd.DataFrame) and "Series" in wanted:
        return " One pair of brackets, `table['…']`, takes one column."
    return ""


def shown(value, limit=60):
    """Return a value as it is shown in a sentence."""
    value = plain_of(value)
    if value is None:
        return "blank"
    if isinstance(value, pd.DataFrame):
        return f"a table of {len(value):,} rows and {counted(value.shape[1], 'column')}"
    if isinstance(value, pd.Series):
        return f"a column of {counted(len(value), 'value')}"
    if isinstance(value, pd.Timestamp):
        return str(value.date()) if value == value.normalize() else str(value)
    if type(value) is float:
        return f"{value:.10g}"
    if isinstance(value, (numbers.Number, date)):
        return str(value)
    text = repr(value) if type(value) is str else reprlib.repr(value)
    return text if len(text) <= limit else f"{text[: limit - 2]}…{text[0]}"


def label_text(label, i):
    names = [name for name in label.names if name is not None]
    value = label[i]
    if not names:
        return f"the row {shown(value)}"
    values = value if isinstance(value, tuple) else (value,)
    return ", ".join(f"{name} {shown(part)}" for name, part in zip(names, values, strict=True))


def rows_sentence(own, right, place):
    asked = f" ({place.row})" if place.row else ""
    if not place.reveal:
        return f"{place.words} has too {'many' if own > right else 'few'} rows{asked}."
    return f"{place.words} has {counted(own, 'row')}; expected {right:,}{asked}."


def expected_count(right, place):
    return f"; expected {right:,}" if place.reveal else ", which is not the right number"


def counted(number, what):
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def quoted(names):
    return ", ".join(f"`{name}`" for name in names)


def columns_text(names):
    return f"column{'' if len(names) == 1 else 's'} {quoted(names)}"


def as_list(names):
    return [] if names is None else [names] if isinstance(names, str) else list(names)
