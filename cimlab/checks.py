"""What a lab's test cells call: look at a student's answer and say in one sentence what is wrong with it.

A check says nothing when the answer is right. Otherwise it raises `CheckFailed`, whose text is all that the notebook,
nbgrader's Validate button and the feedback page show: no lines of test code, no traceback.

==============  ================================================================================================
`answer`        fetch a variable that the student had to make
`equal`         compare a value (number, text, date, list, set, dict, Series, DataFrame) with the right one
`table`         look at the form of a table only: columns, rows, key, kinds of values
`call`          run a student's function safely and return its result
`cases`         run a student's function on several inputs and compare the results
`refuses`       something must be refused (a constraint of a database, a rule)
`accepts`       something must be possible (so that refusing everything is no answer)
`require`       any other condition, with its sentence
==============  ================================================================================================

Each comparison goes from coarse to fine: kind of value, then shape and columns, then the key, then the kinds of the
columns, then the values. A *recognised mistake* (`mistakes=[(wrong value, sentence), …]`) gets its own sentence before
the general one.
"""

import contextlib
import copy
import datetime
import difflib
import dis
import functools
import io
import linecache
import warnings

import numpy as np
import pandas as pd

from cimlab import _compare as c
from cimlab import _neighbours
from cimlab._compare import CheckFailed

__all__ = ["CheckFailed", "accepts", "answer", "call", "call_often", "cases", "equal", "refuses", "require", "table"]


def answer(names, name, kind=None):
    """Return the variable that a question asked for, or say why there is none.

    Parameters
    ----------
    names : dict
        The student's names; in a notebook always ``globals()``.
    name : str
        The variable or function that the task names.
    kind : type or tuple of type or "function", optional
        What it has to be, for example ``pandas.DataFrame``.

    Returns
    -------
    object
        The student's value itself, not a copy.

    Raises
    ------
    CheckFailed
        If the name is missing, still ``...``, None or of another kind.

    Examples
    --------
    >>> answer({"phones": ["+8617400123456"]}, "phones", list)
    ['+8617400123456']
    >>> answer({"phone": []}, "phones")
    Traceback (most recent call last):
    cimlab.checks.CheckFailed: `phones` is not there yet: run your answer cell first (and look whether it stopped with
    an error). There is a name `phone`: is it misspelt?
    """
    if name not in names:
        own = [other for other in names if not other.startswith("_")]
        near = difflib.get_close_matches(name, own, n=1, cutoff=0.75)
        hint = f" There is a name `{near[0]}`: is it misspelt?" if near else ""
        raise CheckFailed(
            f"`{name}` is not there yet: run your answer cell first (and look whether it stopped with an error).{hint}"
        )
    value = names[name]
    if value is ...:
        raise CheckFailed(f"`{name}` is still `...`: write your answer in its cell and run the cell.")
    if value is None:
        raise CheckFailed(
            f"`{name}` is None, that is, nothing. Some methods change a table in place and return None: "
            "assign the result of an expression that returns a value."
        )
    if kind == "function":
        if not callable(value):
            raise CheckFailed(f"`{name}` is {c.kind_of(value)}; the task asks for a function: `def {name}(…):`.")
    elif kind is not None and type(value) not in (kind if isinstance(kind, tuple) else (kind,)):
        wanted = " or ".join(c.kind_name(k) for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise CheckFailed(f"`{name}` is {c.kind_of(value)}; the task asks for {wanted}.{c.kind_hint(value, wanted)}")
    return value


def equal(got, expected, name, *, by=None, row=None, tolerance=1e-6, mistakes=(), reveal=True):
    """Compare a student's value with the right one.

    Parameters
    ----------
    got : object
        The student's value.
    expected : bool, int, float, str, date, list, tuple, set, dict, pandas.Series, pandas.DataFrame or None
        The right value. A whole number may stand for a float, never the other way round.
    name : str
        What the student calls it.
    by : "index", str or list of str, optional
        How rows find each other: by the labels of the index, or by the key column(s) of a table. By default by
        position, so that the order counts; with `by` it does not.
    row : str, optional
        What one row stands for, such as ``"one per customer"``; said when the number of rows is wrong.
    tolerance : float
        Relative and absolute tolerance for numbers.
    mistakes : iterable of (object or callable, str or callable)
        Recognised mistakes. The first member is the wrong value, or a function of the student's value that returns
        True for the mistake; the second is the sentence, or a function of the student's value that returns it.
    reveal : bool
        False for hidden tests: say what kind of mistake it is, but neither the expected value nor where it occurs.

    Raises
    ------
    CheckFailed
        If the values are not the same; the text names the first difference.

    Examples
    --------
    >>> equal(1204, 1204, "customers_found")
    >>> equal(12.04, 1204, "customers_found")
    Traceback (most recent call last):
    cimlab.checks.CheckFailed: `customers_found` is a number with decimals (float); the task asks for a whole number
    (int).
    >>> equal(0.12, 12.0, "share", mistakes=[(0.12, "`share` is a fraction; the task asks for per cent.")])
    Traceback (most recent call last):
    cimlab.checks.CheckFailed: `share` is a fraction; the task asks for per cent.
    >>> equal([3, 1], [1, 3], "ranks")
    Traceback (most recent call last):
    cimlab.checks.CheckFailed: `ranks` holds the right values in another order than the task asks for.
    >>> right = pd.DataFrame({"customer": ["C1", "C2"], "spent": [20.0, 35.0]})
    >>> equal(right[::-1], right, "totals", by="customer")
    >>> equal(right.assign(spent=[20.0, 3.5]), right, "totals", by="customer", reveal=False)
    Traceback (most recent call last):
    cimlab.checks.CheckFailed: `totals`, column `spent`: 1 of 2 rows is not right, for example one that is too small.
    """
    _neighbours.record(expected, name)
    try:
        c.compare(got, expected, c.Place(f"`{name}`", reveal, tolerance, by, row))
    except CheckFailed as failure:
        copied = _neighbours.copied(got, name)
        raise c.recognised(got, mistakes, tolerance, by) or (CheckFailed(copied) if copied else failure) from None


def table(got, name, *, columns=None, rows=None, key=None, kinds=None, row=None, mistakes=()):
    """Look at the form of a table, where more than one content may be right.

    Parameters
    ----------
    got : object
        The student's value; has to be a pandas.DataFrame.
    name : str
        What the student calls it.
    columns : list of str, optional
        The columns it has to have, in any order; further ones are reported too.
    rows : int, optional
        The number of rows.
    key : str or list of str, optional
        The column(s) that must be neither blank nor repeated.
    kinds : dict of str to str, optional
        Kind of each column: ``"text"``, ``"whole number"``, ``"number"``, ``"date"`` or ``"true/false"``.
    row : str, optional
        What one row stands for, such as ``"one per customer"``.
    mistakes : iterable of (object or callable, str or callable)
        Recognised mistakes, as in `equal`.

    Returns
    -------
    pandas.DataFrame
        The table itself.

    Raises
    ------
    CheckFailed
        If the form is not as asked.

    Examples
    --------
    >>> customers = pd.DataFrame({"customer_id": ["C1", "C1"], "phone": ["a", "b"]})
    >>> table(customers, "customers", columns=["customer_id", "phone"], key="customer_id", row="one per customer")
    Traceback (most recent call last):
    cimlab.checks.CheckFailed: In `customers` the key `customer_id` is repeated: 'C1' stands in 2 rows; the task asks
    for one per customer.
    """
    place = c.Place(f"`{name}`", True, 0, None, row)
    try:
        c.require_kind(got, pd.DataFrame, place)
        if columns is not None:
            c.compare_columns(got, columns, place)
        keys = c.as_list(key)
        if keys:
            c.compare_columns(got[[c for c in got.columns if c in keys]], keys, place)
            c.check_key(got, keys, place)
        if rows is not None and len(got) != rows:
            raise CheckFailed(c.rows_sentence(len(got), rows, place))
        for column, kind in (kinds or {}).items():
            c.compare_columns(got[[c for c in got.columns if c == column]], [column], place)
            c.compare_kind(got[column], kind, place.at(f", column `{column}`"))
    except CheckFailed as failure:
        raise c.recognised(got, mistakes, 1e-6, None) or failure from None
    return got


def call(function, *arguments, name=None, may_change=False, **keywords):
    """Run a student's function on copies of the arguments and return what it returns.

    What the function prints and warns about is kept out of the test cell: nbgrader would give no points for a test
    that writes to stderr.

    Parameters
    ----------
    function : callable
        The student's function.
    *arguments, **keywords
        What it is called with. The function gets copies.
    name : str, optional
        What the student calls it; by default the function's own name.
    may_change : bool
        True if the function may change what it is given.

    Returns
    -------
    object
        The function's result.

    Raises
    ------
    CheckFailed
        If the function is not written yet, stops with an error, exits, or changes what it was given.

    Examples
    --------
    >>> def clean(phone):
    ...     return phone["number"]
    >>> call(clean, "1740 0123456")
    Traceback (most recent call last):
    cimlab.checks.CheckFailed: `clean('1740 0123456')` stops with TypeError: string indices must be integers, not 'str'
    (in your line `return phone["number"]`).
    """
    name = name or getattr(function, "__name__", "your function")
    if not callable(function):
        raise CheckFailed(f"`{name}` is {c.kind_of(function)}; the task asks for a function.")
    told = _call_told(name, arguments, keywords)
    given = [_copied(value) for value in arguments]
    given_keywords = {key: _copied(value) for key, value in keywords.items()}
    quiet = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            warnings.simplefilter("ignore")
            result = function(*given, **given_keywords)
    except NotImplementedError:
        raise CheckFailed(
            f"`{name}` is not written yet: put your code in the place of `raise NotImplementedError`."
        ) from None
    except KeyboardInterrupt:
        raise CheckFailed(f"`{told()}` was stopped because it ran too long: is there a loop that never ends?") from None
    except SystemExit:
        raise CheckFailed(f"`{told()}` ends Python (`exit` or `quit`): a function ends with `return`.") from None
    except CheckFailed:
        raise
    except Exception as error:
        line = _line_of(error, function)
        where = f" (in your line `{line}`)" if line else ""
        raise CheckFailed(f"`{told()}` stops with {_error_text(error)}{where}.") from None
    if result is None and _does_nothing(function):
        raise CheckFailed(f"`{name}` does nothing yet: write your code in the place of `...` and run the cell.")
    if not may_change:
        for before, after in zip([*arguments, *keywords.values()], [*given, *given_keywords.values()], strict=True):
            if not _untouched(before, after):
                raise CheckFailed(
                    f"`{name}` changes {c.kind_of(before)} that it was given; "
                    "work on a copy (`.copy()`) and return that."
                )
    return result


def call_often(function, *arguments, times, name=None, **keywords):
    """Call a student's function many times with the same arguments, as a simulation does.

    Where the function runs in another process (see `cimlab.grading.apart`) all calls but the first are one message.

    Parameters
    ----------
    function : callable
        The student's function.
    *arguments, **keywords
        What it is called with. A generator of random numbers goes on from call to call.
    times : int
        How often; at least once.
    name : str, optional
        How it is called in sentences.

    Returns
    -------
    list
        The results, in the order of the calls.

    Raises
    ------
    CheckFailed
        As `call`.

    Examples
    --------
    >>> dice = np.random.default_rng(1)
    >>> len(set(call_often(lambda dice: dice.integers(6), dice, times=50)))
    6
    """
    name = name or getattr(function, "__name__", "your function")
    results = [call(function, *arguments, name=name, **keywords)]
    elsewhere = getattr(type(function), "often", None)  # a function has no such attribute; what stands for one may
    if elsewhere is None:
        return results + [call(function, *arguments, name=name, **keywords) for _ in range(times - 1)]
    return results + call(functools.partial(elsewhere, function, times - 1), *arguments, name=name, **keywords)


def cases(function, examples, *, name=None, by=None, tolerance=1e-6, mistakes=(), reveal=True):
    """Run a student's function on several inputs and compare each result with the right one.

    Parameters
    ----------
    function : callable
        The student's function.
    examples : iterable of (arguments, expected) or (arguments, expected, hint)
        The arguments as a tuple (one argument may stand alone), the right result, and what to think of if it is wrong.
    name : str, optional
        What the student calls it; by default the function's own name.
    by, tolerance, mistakes
        As in `equal`; a mistake is looked for in the result of each case.
    reveal : bool
        False for hidden tests: give the hint and the kind of mistake, neither the input nor the expected result.

    Raises
    ------
    CheckFailed
        For the first case that is wrong.

    Examples
    --------
    >>> def country_code(phone):
    ...     return "+86" + phone
    >>> cases(country_code, [("17400123456", "+8617400123456")])
    >>> cases(country_code, [("+8617400123456", "+8617400123456", "does it begin with a country code already?")])
    Traceback (most recent call last):
    cimlab.checks.CheckFailed: `country_code('+8617400123456')` is '+86+8617400123456'; expected '+8617400123456'.
    Does it begin with a country code already?
    """
    name = name or getattr(function, "__name__", "your function")
    examples = list(examples)
    none_is_an_answer = any(example[1] is None for example in examples)
    for arguments, expected, *hint in examples:
        arguments = arguments if isinstance(arguments, tuple) else (arguments,)
        hint = f" {hint[0][0].upper()}{hint[0][1:]}" if hint and hint[0] else ""
        where = _call_text(name, arguments, {}) if reveal else f"{name}(…)"
        try:
            got = call(function, *arguments, name=name)
            if got is None and expected is not None and not none_is_an_answer:
                raise CheckFailed(f"`{where}` returns None, that is, nothing: is a `return` missing?")
            equal(got, expected, where, by=by, tolerance=tolerance, mistakes=mistakes, reveal=reveal)
        except CheckFailed as failure:
            text = str(failure) if reveal else str(failure).replace(_call_text(name, arguments, {}), where)
            raise CheckFailed(text + hint) from None


def refuses(action, sentence, error=Exception):
    """Check that something cannot be done, for example that a database refuses a wrong row.

    Parameters
    ----------
    action : callable
        Tries to do it; called without arguments. For a database it should open its own transaction
        (``with engine.begin() as connection: …``), so that nothing remains of the attempt.
    sentence : str
        What to tell the student when it was possible.
    error : type or tuple of type
        The exceptions that count as a refusal.

    Raises
    ------
    CheckFailed
        If `action` succeeds, or fails for another reason.

    Examples
    --------
    >>> refuses(lambda: int("none"), "Text must be refused.", ValueError)
    >>> refuses(lambda: int("1"), "The database takes a second customer with the same phone: is UNIQUE missing?")
    Traceback (most recent call last):
    cimlab.checks.CheckFailed: The database takes a second customer with the same phone: is UNIQUE missing?
    """
    try:
        action()
    except CheckFailed:
        raise
    except error:
        return
    except Exception as other:
        raise CheckFailed(f"{sentence} It was refused, but for another reason: {_error_text(other)}.") from None
    raise CheckFailed(sentence)


def accepts(action, sentence):
    """Check that something can be done, for example that a database takes a right row; return its result.

    Parameters
    ----------
    action : callable
        Does it; called without arguments.
    sentence : str
        What to tell the student when it was not possible; the error is added.

    Returns
    -------
    object
        What `action` returns.

    Raises
    ------
    CheckFailed
        If `action` raises an exception.

    Examples
    --------
    >>> accepts(lambda: 6 / 3, "Six can be divided by three.")
    2.0
    >>> accepts(lambda: 6 / 0, "A right row must be accepted.")
    Traceback (most recent call last):
    cimlab.checks.CheckFailed: A right row must be accepted. The error was ZeroDivisionError: division by zero.
    """
    try:
        return action()
    except CheckFailed:
        raise
    except Exception as error:
        raise CheckFailed(f"{sentence} The error was {_error_text(error)}.") from None


def require(condition, sentence):
    """Check any other condition.

    Parameters
    ----------
    condition : bool
        Has to be exactly True (Python's or numpy's).
    sentence : str
        What to tell the student otherwise.

    Raises
    ------
    CheckFailed
        If `condition` is anything but True.

    Examples
    --------
    >>> require(2 > 1, "Two is more than one.")
    >>> require(1 > 2, "`threshold` has to lie between 0 and 1.")
    Traceback (most recent call last):
    cimlab.checks.CheckFailed: `threshold` has to lie between 0 and 1.
    """
    if not (condition is True or (type(condition) is np.bool_ and bool(condition))):
        raise CheckFailed(sentence)


def choices(chosen, right, words, *, place, elsewhere, absent, reveal=True):
    """Check a dict in which each key was given one of a few words.

    Parameters
    ----------
    chosen : dict
        What the student wrote: key → word.
    right : dict
        Key → (the right word, a hint for who chose another one).
    words : sequence of str
        The words that there are.
    place : str
        What a key is called, with ``{}`` for the key: ``"`kinds[{}]`"``.
    elsewhere : str
        What it is called in a hidden check, which names no key.
    absent : str
        What to say of a key that is not there.
    reveal : bool
        Whether keys may be named; not in a hidden check.

    Raises
    ------
    CheckFailed
        At the first key that is absent, has no word, an unknown or a wrong one.

    Examples
    --------
    >>> right = {"amount": ("behavioural", "To buy is to *do* something.")}
    >>> told = {"place": "`kinds[{}]`", "elsewhere": "A field", "absent": "`kinds` needs all fields."}
    >>> choices({"amount": "behavioural"}, right, ["descriptive", "behavioural"], **told)
    >>> choices({"amount": "descriptive"}, right, ["descriptive", "behavioural"], **told)
    Traceback (most recent call last):
    cimlab.checks.CheckFailed: `kinds['amount']` is 'descriptive'; that is not right. To buy is to *do* something.
    """
    listed, many = ", ".join(map(repr, words)), _NUMBERS[len(words)]
    for key, (word, hint) in right.items():
        where = place.format(repr(key)) if reveal else elsewhere
        require(key in chosen, f"{where} is not there: {absent}")
        own = chosen[key]
        require(own is not None and own is not ..., f"{where} is not chosen yet: write one of the {many} words.")
        told = repr(own) if reveal or own in words else "another word"
        require(own in words, f"{where} is {told}; the {many} words are {listed}.")
        require(own == word, f"{where} is {told}; that is not right. {hint}")


_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_CONTAINERS = (list, tuple, dict, set)
_UNCHANGING = {bool, int, float, str, bytes, datetime.date, pd.Timestamp, np.random.Generator}  # as they are shown
_FEW = 20  # members; to look through more of them takes longer than to show the first ones
_NOTHING = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}  # what Python makes of a body of `...`


def _does_nothing(function):
    """Tell whether a function is still the scaffold of the lab: a docstring, `...` or `pass`, and no more."""
    with contextlib.suppress(Exception):  # not written in Python, or something that only looks like a function
        return {step.opname for step in dis.get_instructions(function)} <= _NOTHING
    return False


def _show_argument(value):
    if isinstance(value, float) and np.isnan(value):
        return "NaN"
    if callable(value):
        return getattr(value, "__name__", "…")
    if isinstance(value, (pd.DataFrame, pd.Series)):
        return "table" if isinstance(value, pd.DataFrame) else "column"
    return "None" if value is None else c.shown(value)


def _call_text(name, arguments, keywords):
    shown = [_show_argument(value) for value in arguments]
    shown += [f"{key}={_show_argument(value)}" for key, value in keywords.items()]
    return f"{name}({', '.join(shown)})"


def _call_told(name, arguments, keywords):
    """Return a function that tells the call as it was made, for the case that a sentence needs it.

    A table inside a dict takes milliseconds to show, so that is put off, unless the function that is called could
    alter what would be shown afterwards.
    """
    if all(map(_lasting, (*arguments, *keywords.values()))):
        return lambda: _call_text(name, arguments, keywords)
    text = _call_text(name, arguments, keywords)
    return lambda: text


def _lasting(value, inside=False):
    """Tell whether a value is shown the same after a call: it never changes, or the function gets a copy of it all."""
    if not inside and isinstance(value, (pd.DataFrame, pd.Series)):
        return True  # shown as "table" or "column"
    if type(value) is pd.DataFrame:  # a copy of a table has its Python objects in common with it
        return not any(map(pd.api.types.is_object_dtype, [value.index.dtype, *value.dtypes]))
    if type(value) in _CONTAINERS and not inside and len(value) <= _FEW:
        parts = [*value, *value.values()] if type(value) is dict else value
        return all(_lasting(part, inside=True) for part in parts)
    return value is None or type(value) in _UNCHANGING


def _error_text(error):
    """Return "KeyError: 'phone'", cut to the first line (a database adds its whole statement)."""
    text = (str(error).splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {text}".removesuffix(": ").rstrip(".")


def _copied(value):
    # Data is copied; anything else (an engine, a connection, a function) is handed over as it is.
    return copy.deepcopy(value) if isinstance(value, (pd.DataFrame, pd.Series, np.ndarray, *_CONTAINERS)) else value


def _line_of(error, function):
    """Return the student's own line in which an error came up; "" if it is not known."""
    own = getattr(getattr(function, "__code__", None), "co_filename", None)
    frame, line = error.__traceback__, ""
    while frame is not None and own is not None:
        if frame.tb_frame.f_code.co_filename == own:
            line = linecache.getline(own, frame.tb_lineno).strip() or line
        frame = frame.tb_next
    return line


def _untouched(before, after):
    if isinstance(before, (pd.DataFrame, pd.Series)):
        same_names = isinstance(before, pd.Series) or before.columns.equals(after.columns)
        return same_names and before.index.equals(after.index) and before.equals(after)
    if isinstance(before, np.ndarray):
        return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
    if isinstance(before, _CONTAINERS):
        try:
            return bool(before == after)
        except ValueError:  # tables inside a list: their truth is not defined
            return True
    return True
