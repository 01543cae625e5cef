"""Two kernels talk: each asks the other for values and calls its functions; only plain data cross (`apart_values`).

A `Talk` stands at either end of a socket. While one side waits for an answer it answers the other's questions: a test
calls a student's function, which calls a function that the test has given it. What is no data is lent: it stays where
it is, and the other side gets a `StandIn` (`apart_stands`), which asks for methods and public attributes by message.
"""

import contextlib
import io
import json
import struct
import sys
import types
import warnings

import numpy as np

from cimlab.checks import CheckFailed, _does_nothing
from cimlab.grading import apart_known
from cimlab.grading.apart_errors import describe, raise_again
from cimlab.grading.apart_stands import (
    CHANGEABLE,
    SPECIAL,
    StandIn,
    differs,
    lacks,
    snapshot,
    special_method_of,
    stand_in,
)
from cimlab.grading.apart_values import CannotCross, pack, unpack

LONGEST = 96_000_000  # bytes of one message
MOST_LENT = 100_000  # things that one side lends
MOST_TIMES = 100_000  # that one message has a function called
FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, np.ufunc)
NEVER = (types.ModuleType, types.FrameType, types.CodeType, types.TracebackType)


GONE = (
    "Your code could not be asked: Python was ended by it, or did not answer in time. Is there a loop that never ends, "
    "or an `exit`?"
)


class Lost(Exception):
    """The other side has gone, or talks nonsense."""


class Talk:
    """One end of the talk of two kernels.

    Parameters
    ----------
    connection : socket.socket
    names : callable, optional
        Called with the dict of a question about names or files; returns what is to be packed. Only the kernel of the
        hand-in answers such questions.
    trusting : bool
        Whether the other side may ask for anything that it names. The examiner is not: what it lends can be called,
        and has public attributes, nothing else.
    place : callable, optional
        Called with each path that arrives; returns the path on this side.
    """

    def __init__(self, connection, names=None, *, trusting=False, place=None):
        self.names, self.trusting, self.place = names, trusting, place
        self.connection = self.reader = None
        if connection is not None:
            self.continued(connection)
        self.files = None  # of the examiner: brings the files of paths to the other side and back
        self.lent, self.numbers, self.stand_ins = {}, {}, {}
        self.shared = set() if trusting else None  # digests of the tables that the other side has, once it was asked

    def continued(self, connection):
        """Go on at another socket; what was lent stays lent."""
        self.connection, self.reader = connection, connection.makefile("rb", 1 << 18)
        return self

    def close(self):
        """Leave the line."""
        if self.connection is not None:
            self.reader.close()
            self.connection.close()
            self.connection = self.reader = None

    # -- messages -----------------------------------------------------------------------------------------------------

    def send(self, message):
        self.send_text(_as_text(message))

    def send_text(self, text):
        try:
            self.connection.sendall(struct.pack("!I", len(text)) + text)
        except (OSError, AttributeError):
            raise Lost from None

    def receive(self):
        (length,) = struct.unpack("!I", self._read(4))
        if length > LONGEST:
            raise Lost(f"A message of {length:,} bytes.")
        try:
            message = json.loads(self._read(length))
        except (ValueError, RecursionError):
            raise Lost("A message that is none.") from None
        if type(message) is not dict:
            raise Lost("A message that is none.")
        return message

    def _read(self, length):
        try:
            data = self.reader.read(length)
        except OSError:
            raise Lost from None
        if len(data) < length:
            raise Lost
        return data

    # -- asking -------------------------------------------------------------------------------------------------------

    def ask(self, question, **more):
        """Ask the other side; answer its own questions until the answer comes; return it as it was packed.

        Raises
        ------
        Lost
            If there is nobody to ask.
        Exception
            What the other side says was raised there.
        """
        message = self.exchange({"ask": question, **more})
        if "error" in message:
            raise_again(message["error"])
        return message

    def exchange(self, question):
        """Send a question, answer those of the other side, and return its answer as it came."""
        try:
            self.send(question)
            while "ask" in (message := self.receive()):
                self.send_text(self.answer(message))
        except Lost:
            if self.trusting:
                raise
            raise CheckFailed(GONE) from None
        return message

    def ask_for(self, question, **more):
        """Ask the other side and return the value."""
        return self.unpack(self.ask(question, **more).get("value"))

    def listen(self):
        """Answer until the other side has no more questions."""
        while True:
            message = self.receive()
            if message.get("ask") == "end":
                return
            self.send_text(self.answer(message))

    def pack(self, value):
        return pack(value, self.lend, self.known)

    def unpack(self, packed):
        return unpack(packed, self.borrow, self.place)

    # -- answering ----------------------------------------------------------------------------------------------------

    def answer(self, message):
        """Return the answer to a question, as the text of a message; whatever goes wrong is part of it."""
        try:
            return _as_text(self._answer(message))
        except Lost:
            raise
        except CannotCross as error:
            told = {"type": "cimlab.checks.CheckFailed", "text": f"A value cannot be handed over: {error}"}
        except RecursionError:
            told = {"type": "builtins.RecursionError", "text": "maximum recursion depth exceeded"}
        except BaseException as error:
            told = describe(error, None)
        return _as_text({"error": told})

    def _answer(self, message):
        question = message["ask"]
        if question in ("call", "often", "get", "special"):
            return self._use(message)
        if self.names is None:
            raise CannotCross("This is not to be asked here.")
        return {"value": self.pack(self.names(message))}

    def _use(self, message):
        question, owner = message["ask"], self.lent[int(message["of"])]
        if question == "get":
            name = str(message["name"])
            if not self.trusting and (name.startswith("_") or isinstance(owner, (*FUNCTIONS, type, *NEVER))):
                raise AttributeError(lacks(type(owner).__name__, name))
            return {"value": self.pack(getattr(owner, name))}
        function = owner
        if question == "special":
            if message["name"] not in SPECIAL:
                raise AttributeError(str(message["name"])[:40])
            function = special_method_of(owner, message["name"])
        if question == "often" and not (self.trusting and 0 <= int(message["times"]) <= MOST_TIMES):
            raise CannotCross(f"Nothing is called {message['times']!s:.20} times.")
        return self._call(function, message, int(message["times"]) if question == "often" else None)

    def _call(self, function, message, times=None):
        arguments = [self.unpack(one) for one in message["args"]]
        keywords = {str(name): self.unpack(one) for name, one in message.get("keywords", {}).items()}
        packed = [*message["args"], *message.get("keywords", {}).values()]
        given = [*arguments, *keywords.values()]
        before = [snapshot(one) for one in given]
        quiet = io.StringIO()
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                warnings.simplefilter("ignore")
                results = [function(*arguments, **keywords) for _ in range(1 if times is None else times)]
                result = results[0] if times is None else results
            answer = {"value": self.pack(result)}
        except CannotCross:
            raise
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            # No line of a test is told to the hand-in.
            answer = {"error": describe(error, function if self.trusting else None)}
        changed = {}
        for place, (value, sent, was) in enumerate(zip(given, packed, before, strict=True)):
            if isinstance(value, CHANGEABLE) and differs(value, was, sent, self):
                changed[str(place)] = self.pack(value)
        return answer | ({"changed": changed} if changed else {})

    # -- lending and borrowing ----------------------------------------------------------------------------------------

    def known(self, table):
        """Return the dict that names a table which the other side has already, or None; only an examiner does."""
        digest = None if self.trusting else apart_known.digest_of(table)
        if digest is None:
            return None
        if self.shared is None:
            self.shared = set()  # while it asks
            told = self.ask_for("known")
            self.shared = {one for one in told if type(one) is str} if type(told) is list else set()
        return {"t": "known", "d": digest} if digest in self.shared else None

    def lend(self, value):
        """Return the dict that names something of this side to the other."""
        if isinstance(value, StandIn) and value._talk is self:
            return {"t": "yours", "of": value._number}
        if isinstance(value, types.ModuleType):
            return {"t": "module", "n": value.__name__}
        if isinstance(value, NEVER):
            raise CannotCross(f"It is of the kind {type(value).__name__}.")
        if not self.trusting and _is_engine_table(value):
            return _pack_engine_table(value, self)
        number = self.numbers.get(id(value))
        if number is None:
            if len(self.lent) >= MOST_LENT:
                raise CannotCross("Too many things are lent.")
            number = self.numbers[id(value)] = len(self.lent)
            self.lent[number] = value  # also keeps it alive, and so its id its own
        if isinstance(value, FUNCTIONS):
            name = getattr(value, "__name__", "function")
            return {"t": "function", "of": number, "n": str(name)[:80], "empty": _does_nothing(value)}
        kind = type(value)
        known = set().union(*(vars(one) for one in kind.__mro__))  # not hasattr: that looks into the metaclass too
        can = [name for name in SPECIAL if name in known]
        own = getattr(value, "__name__", "") if callable(value) else ""
        module = str(getattr(kind, "__module__", ""))[:200]
        return {"t": "object", "of": number, "m": module, "n": str(kind.__name__)[:80],
                "can": can, "own": str(own)[:80]}  # fmt: skip

    def borrow(self, packed):
        """Return the stand-in for something of the other side, or the thing itself if it is of this side."""
        kind = packed["t"]
        if kind == "known":
            table = apart_known.table_of(packed.get("d")) if self.trusting else None
            if table is None:
                raise CannotCross("A table that is said to be known is not.")
            return table
        if kind == "yours":
            return self.lent[int(packed["of"])]
        if kind == "module":
            found = sys.modules.get(str(packed["n"]))
            if not isinstance(found, types.ModuleType):  # the names of a test are in `__main__`, which is none
                raise CannotCross(f"The module {packed['n']!s:.80} is not known here.")
            return found
        if self.trusting and kind == "object" and "engine" in packed:
            return _unpack_engine_table(packed, self)
        number = int(packed["of"])
        if number not in self.stand_ins:
            if len(self.stand_ins) >= MOST_LENT:
                raise CannotCross("Too many things are lent.")
            self.stand_ins[number] = stand_in(self, number, packed)
        return self.stand_ins[number]


def _as_text(message):
    text = json.dumps(message, separators=(",", ":")).encode()
    if len(text) > LONGEST:
        raise CannotCross(f"It is larger than {LONGEST // 1_000_000} MB.")
    return text


# ---------------------------------------------------------------------------------------------------------------------
# Tables in an engine (Ibis): the rows cross, and stand in an engine of the hand-in's own kernel


def _is_engine_table(value):
    if not type(value).__module__.startswith("ibis.expr.types"):
        return False
    return hasattr(value, "to_pandas") and hasattr(value, "schema")


def _pack_engine_table(value, talk):
    kinds = [[name, str(kind)] for name, kind in value.schema().items()]
    return {"t": "object", "engine": kinds, "v": talk.pack(value.to_pandas())}


def _unpack_engine_table(packed, talk):
    import ibis

    schema = ibis.schema({str(name): str(kind) for name, kind in packed["engine"]})
    return ibis.memtable(talk.unpack(packed["v"]), schema=schema)
