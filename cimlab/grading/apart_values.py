"""How values cross between the kernel of a hand-in and that of its examiner: as plain data, never as code.

`pack` turns a value into lists, dicts, numbers and texts that JSON can hold, `unpack` makes it again. Columns of
numbers and times cross as the bytes of numpy arrays, texts as lists of texts. Nothing is pickled, nothing is imported,
no name of a class that the other side sends is called: who sends lies can send wrong data, and no more.

What is no data (a function, a model, a connection) stays where it is, and the other side gets a stand-in for it
(`apart_talk`).
"""

import base64
import datetime as dt
import decimal
import pathlib

import numpy as np
import pandas as pd

DEEPEST = 40  # lists within lists
MOST_ROWS = 20_000_000  # of an index that takes no room in a message
PLAIN = (bool, int, float, str, type(None))
NUMBERS = "biufc"
TIMES = "mM"
ENGINES = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")  # of random numbers


class CannotCross(Exception):
    """A value that cannot be handed over; the text says why."""


def pack(value, lend, known=None, depth=0):
    """Return a value as what JSON can hold.

    Parameters
    ----------
    value : object
    lend : callable
        Called with what is no data; returns a dict that names it to the other side.
    known : callable, optional
        Called with each table; returns a dict that names it to the other side if that has it already, or None.

    Returns
    -------
    None, bool, int, float, str, list or dict

    Examples
    --------
    >>> pack([1, (2.5, "x")], None)
    [1, {'t': 'tuple', 'v': [2.5, 'x']}]
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if depth > DEEPEST:
        raise CannotCross("It is nested too deeply, or holds itself.")

    def more(one):
        return pack(one, lend, known, depth + 1)

    if kind is list:
        return [more(one) for one in value]
    if known is not None and kind in (pd.DataFrame, pd.Series) and (packed := known(value)) is not None:
        return packed
    packer = _PACKERS.get(kind)
    if packer is not None:
        return packer(value, more)
    if isinstance(value, np.generic) and value.dtype.kind in NUMBERS + TIMES + "US":
        return {"t": "scalar", "d": value.dtype.str, "b": _text_of(value.tobytes())}
    if isinstance(value, pd.Index):
        return _pack_index(value, more)
    if isinstance(value, pathlib.PurePath):
        return {"t": "path", "v": str(value)}
    if value is pd.NA or value is pd.NaT or value is ...:
        return {"t": "only", "v": {id(pd.NA): "NA", id(pd.NaT): "NaT"}.get(id(value), "...")}
    if isinstance(value, np.random.Generator):
        engine = value.bit_generator
        if type(engine).__module__.startswith("numpy.random"):
            return {"t": "random", "n": type(engine).__name__, "v": more(engine.state)}
    return lend(value)


def unpack(packed, borrow, place=None, depth=0):
    """Make the value again that `pack` has packed.

    Parameters
    ----------
    packed : object
        What JSON gave.
    borrow : callable
        Called with a dict that names something of the other side; returns its stand-in.
    place : callable, optional
        Called with the text of a path; returns the path on this side.

    Raises
    ------
    CannotCross
        If this is nothing that `pack` makes.

    Examples
    --------
    >>> unpack([1, {"t": "tuple", "v": [2.5, "x"]}], None)
    [1, (2.5, 'x')]
    >>> unpack({"t": "os.system", "v": "ls"}, None)
    Traceback (most recent call last):
    cimlab.grading.apart_values.CannotCross: Of an unknown kind: 'os.system'.
    """
    if type(packed) in PLAIN:
        return packed
    if depth > DEEPEST:
        raise CannotCross("It is nested too deeply.")

    def more(one):
        return unpack(one, borrow, place, depth + 1)

    if type(packed) is list:
        return [more(one) for one in packed]
    kind = packed.get("t")
    if kind in ("function", "object", "yours", "module", "known"):
        return borrow(packed)
    if kind == "path":
        path = pathlib.Path(str(packed["v"]))
        return place(path) if place else path
    try:
        return _UNPACKERS[kind](packed, more)
    except KeyError as error:
        if kind in _UNPACKERS:
            raise CannotCross(f"Incomplete: {error}.") from None
        raise CannotCross(f"Of an unknown kind: {kind!r:.40}.") from None
    except (TypeError, ValueError, OverflowError, IndexError, AttributeError) as error:
        raise CannotCross(f"Not what its kind ({kind}) needs: {error!s:.200}.") from None


# ---------------------------------------------------------------------------------------------------------------------
# Arrays


def _text_of(data):
    return base64.b64encode(data).decode("ascii")


def _dtype_of(text, kinds=NUMBERS + TIMES + "US"):
    dtype = np.dtype(str(text))
    if dtype.kind not in kinds or dtype.hasobject or dtype.fields is not None:
        raise CannotCross(f"No plain kind of number: {text!r:.40}.")
    return dtype


def _pack_array(array, more):
    if array.dtype.kind in NUMBERS + TIMES + "US":
        return {"t": "array", "d": array.dtype.str, "s": list(array.shape), "b": _text_of(array.tobytes())}
    if array.dtype.kind == "O":
        return {"t": "objects", "s": list(array.shape), "v": [more(one) for one in array.ravel().tolist()]}
    raise CannotCross(f"An array of {array.dtype} cannot be handed over.")


def _unpack_array(packed, more):
    shape = tuple(int(length) for length in packed["s"])
    if len(shape) > 32 or any(length < 0 or length > 1 << 31 for length in shape):
        raise CannotCross("An array of an impossible shape.")
    if packed["t"] == "objects":
        flat = np.empty(len(packed["v"]), dtype=object)
        for place, one in enumerate(packed["v"]):
            flat[place] = more(one)
        return flat.reshape(shape)
    data = bytearray(base64.b64decode(packed["b"]))  # writable
    return np.frombuffer(data, dtype=_dtype_of(packed["d"])).reshape(shape)


def _pack_column(column, more):
    """Pack the values of a column or an index, whatever pandas keeps them in."""
    dtype, values = column.dtype, column.array
    if isinstance(dtype, np.dtype):
        array = column.to_numpy()
        return _pack_texts(array, more) if dtype.kind == "O" else _pack_array(array, more)
    if isinstance(dtype, pd.StringDtype):
        blank = "NA" if dtype.na_value is pd.NA else "nan"
        texts = values.to_numpy(dtype=object, na_value=None).tolist()
        return {"t": "texts", "k": dtype.storage, "n": blank, "v": texts}
    if isinstance(dtype, pd.CategoricalDtype):
        codes = _pack_array(np.asarray(values.codes), more)
        return {"t": "category", "c": _pack_index(values.categories, more), "o": bool(values.ordered), "v": codes}
    if isinstance(dtype, pd.DatetimeTZDtype):
        return {"t": "zoned", "z": str(dtype.tz), "u": dtype.unit, "v": _pack_array(values.asi8, more)}
    if isinstance(dtype, pd.PeriodDtype):
        return {"t": "periods", "f": str(dtype)[len("period[") : -1], "v": _pack_array(values.asi8, more)}
    if isinstance(dtype, pd.IntervalDtype):
        ends = [_pack_index(side, more) for side in (values.left, values.right)]
        return {"t": "intervals", "c": dtype.closed, "v": ends}
    if hasattr(values, "_mask") and hasattr(values, "_data"):  # Int64, boolean, Float32 …
        return {"t": "masked", "v": _pack_array(values._data, more), "m": _pack_array(values._mask, more)}
    if isinstance(dtype, pd.ArrowDtype):
        return {"t": "arrow", "d": str(dtype), "v": [more(one) for one in values.to_numpy(object, na_value=None)]}
    raise CannotCross(f"A column of the kind {dtype} cannot be handed over.")


def _pack_texts(array, more):
    values = array.tolist()
    kinds = {type(one) for one in values}
    if kinds <= {str, type(None)}:
        return {"t": "objects", "s": list(array.shape), "v": values}
    return _pack_array(array, more)


def _unpack_column(packed, more):
    kind = packed["t"]
    if kind in ("array", "objects"):
        return _unpack_array(packed, more)
    if kind == "texts":
        storage = packed["k"] if packed["k"] in ("python", "pyarrow") else "python"
        dtype = pd.StringDtype(storage, na_value=pd.NA if packed["n"] == "NA" else np.nan)
        if not {type(one) for one in packed["v"]} <= {str, type(None)}:
            raise CannotCross("A column of texts holds something else.")
        return pd.array(packed["v"], dtype=dtype)
    if kind == "category":
        codes = _unpack_array(packed["v"], more)
        dtype = pd.CategoricalDtype(_unpack_index(packed["c"], more), ordered=bool(packed["o"]))
        return pd.Categorical.from_codes(codes, dtype=dtype)
    if kind == "zoned":
        times = _unpack_array(packed["v"], more).astype("i8").view(f"M8[{_unit(packed['u'])}]")
        return pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(str(packed["z"])).array
    if kind == "periods":
        ordinals = _unpack_array(packed["v"], more).astype("i8")
        return pd.PeriodIndex.from_ordinals(ordinals, freq=str(packed["f"])).array
    if kind == "intervals":
        left, right = (_unpack_index(side, more) for side in packed["v"])
        return pd.arrays.IntervalArray.from_arrays(left, right, closed=str(packed["c"]))
    if kind == "masked":
        values, mask = (_unpack_array(packed[part], more) for part in "vm")
        kinds = {"b": pd.arrays.BooleanArray, "f": pd.arrays.FloatingArray}
        return kinds.get(values.dtype.kind, pd.arrays.IntegerArray)(values, mask.astype(bool))
    if kind == "arrow":
        return pd.array([more(one) for one in packed["v"]], dtype=pd.ArrowDtype.construct_from_string(packed["d"]))
    raise CannotCross(f"Of an unknown kind: {kind!r:.40}.")


def _unit(text):
    if text not in ("s", "ms", "us", "ns"):
        raise CannotCross(f"No unit of time: {text!r:.20}.")
    return text


# ---------------------------------------------------------------------------------------------------------------------
# Tables


def _pack_index(index, more):
    if isinstance(index, pd.RangeIndex):
        return {"t": "range index", "v": [index.start, index.stop, index.step], "n": more(index.name)}
    if isinstance(index, pd.MultiIndex):
        levels = [_pack_index(level, more) for level in index.levels]
        codes = [_pack_array(np.asarray(code), more) for code in index.codes]
        return {"t": "levels", "v": levels, "c": codes, "n": [more(name) for name in index.names]}
    return {"t": "index", "v": _pack_column(index, more), "n": more(index.name)}


def _unpack_index(packed, more):
    kind = packed["t"]
    if kind == "range index":
        index = pd.RangeIndex(*(int(end) for end in packed["v"]), name=more(packed["n"]))
        if len(index) > MOST_ROWS:
            raise CannotCross(f"It has more than {MOST_ROWS:,} rows.")
        return index
    if kind == "levels":
        levels = [_unpack_index(level, more) for level in packed["v"]]
        codes = [_unpack_array(code, more) for code in packed["c"]]
        return pd.MultiIndex(levels=levels, codes=codes, names=[more(name) for name in packed["n"]])
    values = _unpack_column(packed["v"], more)
    return pd.Index(values, dtype=values.dtype, name=more(packed["n"]), tupleize_cols=False)


def _pack_series(series, more):
    values, index = _pack_column(series, more), _pack_index(series.index, more)
    return {"t": "series", "v": values, "i": index, "n": more(series.name)}


def _unpack_series(packed, more):
    values = _unpack_column(packed["v"], more)
    return pd.Series(values, index=_unpack_index(packed["i"], more), dtype=values.dtype, name=more(packed["n"]))


def _pack_table(table, more):
    values = [_pack_column(table.iloc[:, place], more) for place in range(table.shape[1])]
    return {"t": "table", "c": _pack_index(table.columns, more), "i": _pack_index(table.index, more), "v": values}


def _unpack_table(packed, more):
    index = _unpack_index(packed["i"], more)
    columns = {}
    for place, one in enumerate(packed["v"]):
        values = _unpack_column(one, more)
        columns[place] = pd.Series(values, index=index, dtype=values.dtype)
    table = pd.DataFrame(columns, index=index)
    table.columns = _unpack_index(packed["c"], more)
    return table


# ---------------------------------------------------------------------------------------------------------------------
# The rest


def _many(kind, make):
    def packer(value, more):
        return {"t": kind, "v": [more(one) for one in value]}

    return packer, lambda packed, more: make([more(one) for one in packed["v"]])


def _pack_dict(value, more):
    return {"t": "dict", "k": [more(key) for key in value], "v": [more(one) for one in value.values()]}


def _unpack_dict(packed, more):
    keys, values = packed["k"], packed["v"]
    return dict(zip([more(key) for key in keys], [more(one) for one in values], strict=True))


def _pack_timestamp(value, more):
    zone = str(value.tz) if value.tz is not None else None
    return {"t": "timestamp", "v": value._value, "u": value.unit, "z": zone}


def _unpack_timestamp(packed, more):
    time = pd.Timestamp(np.datetime64(int(packed["v"]), _unit(packed["u"])))
    return time if packed["z"] is None else time.tz_localize("UTC").tz_convert(str(packed["z"]))


def _unpack_random(packed, more):
    engine = getattr(np.random, ENGINES[ENGINES.index(packed["n"])])(0)
    engine.state = more(packed["v"])
    return np.random.Generator(engine)


def _pack_zoned_time(value, more):
    if value.tzinfo is not None and value.tzinfo is not dt.UTC:
        return more(pd.Timestamp(value))
    return {"t": "datetime", "v": value.replace(tzinfo=None).isoformat(), "z": value.tzinfo is dt.UTC}


def _unpack_datetime(packed, more):
    return dt.datetime.fromisoformat(packed["v"]).replace(tzinfo=dt.UTC if packed["z"] else None)


_PACKERS = {
    tuple: _many("tuple", tuple)[0],
    set: _many("set", set)[0],
    frozenset: _many("frozenset", frozenset)[0],
    dict: _pack_dict,
    bytes: lambda value, _: {"t": "bytes", "v": _text_of(value)},
    bytearray: lambda value, _: {"t": "bytearray", "v": _text_of(value)},
    complex: lambda value, _: {"t": "complex", "v": [value.real, value.imag]},
    range: lambda value, _: {"t": "range", "v": [value.start, value.stop, value.step]},
    np.ndarray: _pack_array,
    pd.DataFrame: _pack_table,
    pd.Series: _pack_series,
    pd.Timestamp: _pack_timestamp,
    pd.Timedelta: lambda value, _: {"t": "timedelta64", "v": value._value, "u": value.unit},
    pd.Period: lambda value, _: {"t": "period", "v": value.ordinal, "f": value.freqstr},
    pd.Interval: lambda value, more: {"t": "interval", "v": [more(value.left), more(value.right)], "c": value.closed},
    dt.datetime: _pack_zoned_time,
    dt.date: lambda value, _: {"t": "date", "v": value.isoformat()},
    dt.time: lambda value, _: {"t": "time", "v": value.replace(tzinfo=None).isoformat()},
    dt.timedelta: lambda value, _: {"t": "timedelta", "v": [value.days, value.seconds, value.microseconds]},
    decimal.Decimal: lambda value, _: {"t": "decimal", "v": str(value)},
}
_UNPACKERS = {
    "tuple": _many("tuple", tuple)[1],
    "set": _many("set", set)[1],
    "frozenset": _many("frozenset", frozenset)[1],
    "dict": _unpack_dict,
    "bytes": lambda packed, _: base64.b64decode(packed["v"]),
    "bytearray": lambda packed, _: bytearray(base64.b64decode(packed["v"])),
    "complex": lambda packed, _: complex(*packed["v"]),
    "range": lambda packed, _: range(*(int(one) for one in packed["v"])),
    "array": _unpack_array,
    "objects": _unpack_array,
    "table": _unpack_table,
    "series": _unpack_series,
    "index": _unpack_index,
    "levels": _unpack_index,
    "range index": _unpack_index,
    "scalar": lambda packed, _: np.frombuffer(base64.b64decode(packed["b"]), dtype=_dtype_of(packed["d"]))[0],
    "only": lambda packed, _: {"NA": pd.NA, "NaT": pd.NaT, "...": ...}[packed["v"]],
    "timestamp": _unpack_timestamp,
    "timedelta64": lambda packed, _: pd.Timedelta(np.timedelta64(int(packed["v"]), _unit(packed["u"]))),
    "period": lambda packed, _: pd.Period(ordinal=int(packed["v"]), freq=str(packed["f"])),
    "interval": lambda packed, more: pd.Interval(*(more(one) for one in packed["v"]), closed=str(packed["c"])),
    "datetime": _unpack_datetime,
    "date": lambda packed, _: dt.date.fromisoformat(packed["v"]),
    "time": lambda packed, _: dt.time.fromisoformat(packed["v"]),
    "timedelta": lambda packed, _: dt.timedelta(*(int(one) for one in packed["v"])),
    "decimal": lambda packed, _: decimal.Decimal(packed["v"]),
    "random": _unpack_random,
}  # fmt: skip
