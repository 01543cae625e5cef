"""Stand-ins for what stays in the other kernel: to call one, or to ask for an attribute, sends a message."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from cimlab.grading import apart_known
from cimlab.grading.apart_errors import ANSWER, raise_again
from cimlab.grading.apart_values import CannotCross

SPECIAL = ("__call__", "__getitem__", "__len__", "__iter__", "__contains__", "__bool__", "__enter__", "__exit__",
           "__float__", "__int__", "__add__", "__sub__", "__mul__", "__truediv__", "__lt__", "__gt__")  # fmt: skip
CHANGEABLE = (list, dict, set, bytearray, pd.DataFrame, pd.Series, np.ndarray, np.random.Generator)
# Classes of these are never claimed by a stand-in: checks ask for them to know that a value is data.
OWN_CLASSES = ("builtins", "pandas", "numpy", "datetime", "cimlab", "tests", "types", "collections", "pathlib")


def nothing():
    """Has the code of a function that is not written yet."""


def something():
    """Has the code of any other function."""
    return len(ANSWER)


class StandIn:
    """Stands for something of the other side: to call it, or to ask for its attributes, sends a message."""

    def __init__(self, talk, number):
        object.__setattr__(self, "_talk", talk)
        object.__setattr__(self, "_number", number)

    def __getattr__(self, name):
        if name.startswith("_") or isinstance(self, StandInFunction):
            raise AttributeError(lacks("function" if isinstance(self, StandInFunction) else type(self).__name__, name))
        return self._talk.ask_for("get", of=self._number, name=name)

    def __setattr__(self, name, value):
        if name.startswith("__"):
            object.__setattr__(self, name, value)
            return
        raise AttributeError(f"{name!r} of something of the other side cannot be set.")

    def __copy__(self):
        return self

    def __deepcopy__(self, _):
        return self

    def __reduce__(self):
        raise TypeError("This stands for something of the other side.")

    def __repr__(self):
        return f"<{type(self).__name__} of the hand-in>"

    def _use(self, question, name, arguments, keywords, **more):
        talk = self._talk
        given = [*arguments, *keywords.values()]
        paths = [one for one in given if isinstance(one, Path) and talk.files and talk.files.push(one)]
        packed = {key: talk.pack(one) for key, one in keywords.items()}
        more |= {"name": name} if name else {}
        own = [talk.pack(one) for one in arguments]
        message = talk.exchange({"ask": question, "of": self._number, "args": own, "keywords": packed, **more})
        for place, value in (message.get("changed") or {}).items():
            if str(place).isdigit() and int(place) < len(given):
                change(given[int(place)], talk.unpack(value))
        for path in paths:
            talk.files.pull(talk.files.theirs_of(path), path)
        if "error" in message:
            raise_again(message["error"])
        return talk.unpack(message.get("value"))


def lacks(kind, name):
    return f"{kind!r} object has no attribute {name!r}"


class StandInFunction(StandIn):
    """Stands for a function."""

    def __call__(self, *arguments, **keywords):
        return self._use("call", None, arguments, keywords)

    def often(self, times, *arguments, **keywords):
        """Have the function called many times with the same arguments (see `cimlab.checks.call_often`)."""
        return self._use("often", None, arguments, keywords, times=times)


def _special_method(name):
    def method(self, *arguments):
        result = self._use("special", name, arguments, {})
        return iter(result) if name == "__iter__" else result

    method.__name__ = name
    return method


def _call_method(self, *arguments, **keywords):
    return self._use("call", None, arguments, keywords)


def stand_in(talk, number, packed):
    name = "".join(sign for sign in str(packed.get("n", "")) if sign.isprintable())[:80] or "object"
    if packed["t"] == "function":
        function = StandInFunction(talk, number)
        function.__name__ = name
        function.__qualname__ = name
        code = (nothing if packed.get("empty") is True else something).__code__
        function.__code__ = code.replace(co_filename=ANSWER)
        return function
    methods = {special: _special_method(special) for special in SPECIAL if special in (packed.get("can") or ())}
    if "__call__" in methods:
        methods["__call__"] = _call_method
    real = _known_class(str(packed.get("m", "")), name)
    if real is not None:
        methods["__class__"] = property(lambda _: real)
    made = type(name, (StandIn,), methods)
    thing = made(talk, number)
    if packed.get("own"):
        thing.__name__ = str(packed["own"])
    return thing


def _known_class(module, name):
    """Return a class of a library that is imported here already, so that `isinstance` works for its stand-in."""
    if module.split(".")[0] in OWN_CLASSES:
        return None
    found = vars(sys.modules[module]).get(name) if module in sys.modules else None
    return found if isinstance(found, type) else None


def special_method_of(owner, name):
    if name == "__iter__":
        return lambda: list(owner)
    return getattr(owner, name)


# ---------------------------------------------------------------------------------------------------------------------
# What a function did to its arguments


def snapshot(value):
    if isinstance(value, (pd.DataFrame, pd.Series)):
        return value.copy(deep=False)  # pandas copies on write: this keeps the old values
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return value.tobytes()
    if isinstance(value, np.random.Generator):
        return pickle.dumps(value.bit_generator.state)
    return None


def differs(value, was, sent, talk):
    if isinstance(value, (pd.DataFrame, pd.Series)):
        return not _same_table(value, was)
    if was is not None:
        return snapshot(value) != was
    try:
        return json.dumps(talk.pack(value)) != json.dumps(sent)
    except (CannotCross, RecursionError, ValueError):
        return False


def _same_table(one, other):
    if type(one) is not type(other):
        return False
    if apart_known.same(one, other):
        return True
    same = one.index.equals(other.index) and one.equals(other)
    return same and (one.ndim == 1 or one.columns.equals(other.columns))


def change(value, new):
    """Make a value what the function of the other side has made of it."""
    if type(value) is not type(new):
        return
    if isinstance(value, (pd.DataFrame, pd.Series)):
        value._mgr = new._mgr
        if value.ndim == 1:
            value.name = new.name
    elif isinstance(value, (list, bytearray)):
        value[:] = new
    elif isinstance(value, dict):
        was = dict(value)
        value.clear()
        for key, one in new.items():  # a table in it that is as before remains the same object: a test may ask for that
            kept = isinstance(one, (pd.DataFrame, pd.Series)) and key in was and _same_table(was[key], one)
            value[key] = was[key] if kept else one
    elif isinstance(value, set):
        value.clear()
        value.update(new)
    elif isinstance(value, np.ndarray):
        if value.shape == new.shape:
            value[...] = new
    elif isinstance(value, np.random.Generator) and type(value.bit_generator) is type(new.bit_generator):
        value.bit_generator.state = new.bit_generator.state
