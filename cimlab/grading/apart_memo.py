"""What a test computes without the hand-in is computed once for the class.

A hidden test first works out what is right, then compares it with what the hand-in says; the first is the same for
everybody, and often most of the time that grading takes. `learn` runs those parts of the tests of a lab before a kernel
of an examiner is forked (see `grade_zygotes.start_examiners`), and keeps what they make; `install` has a kernel take
it.

A part is a run of statements, or a call, that names nothing of the hand-in's. What it makes is kept under a fingerprint
of all that it reads: a test that finds other values there computes anew. A part is left alone if it makes or reads
anything but plain values, tables and functions, changes what it reads, leaves another random state, opens files other
than those of the course and its libraries, or makes something else at a second time. A function that it makes is kept
with what it closes over, as that was then.
"""

import ast
import builtins
import collections
import contextlib
import functools
import hashlib
import io
import os
import pickle
import sys
import time
import types
from pathlib import Path

from cimlab.grading import grade_modules, grade_ready
from cimlab.grading.apart_known import by_value
from cimlab.grading.apart_parts import BARRED, Cell, Part, digest_of, mentioned

LEAST = 0.005  # seconds: what takes less is not worth a fingerprint
MOST_BYTES = 20_000_000  # of what one part makes
SECONDS = 60  # for all tests of a lab
_kept = {}  # (digest of the cell, number of the part) → {fingerprint of what it reads: what it makes, pickled}
_cells = {}  # digest → cell
_texts, _trees = {}, {}  # source → what IPython makes of it; that → the tree that a kernel runs
_now = {}  # in a kernel: its names, and what was found last


class Unclear(Exception):
    """A value has no fingerprint: it is not plain."""


# ---------------------------------------------------------------------------------------------------------------------
# Fingerprints


def fingerprint(names, loads, stores=()):
    """Return a digest of what a part reads.

    Parameters
    ----------
    names : dict
        The namespace; nothing is asked of a hand-in.
    loads : list of str
    stores : set of str
        These need not be there yet.

    Raises
    ------
    Unclear
        If something is not plain, or not there.
    """
    found = []
    for name in loads:
        try:
            value = dict.__getitem__(names, name)
        except KeyError:
            if name in stores or hasattr(builtins, name):
                found.append((name, None, None))
                continue
            raise Unclear(name) from None
        found.append((name, *_what(value, names, set())))
    return hashlib.blake2b(_pickled(found, by_value), digest_size=20).digest()


def _what(value, names, seen):
    if isinstance(value, types.ModuleType):
        if sys.modules.get(value.__name__) is value and value.__name__ not in ("time", "os"):
            return "module", value.__name__
        raise Unclear(value.__name__)
    if isinstance(value, types.FunctionType) and value.__module__ == "__main__":
        return "function", _own_function(value, names, seen)
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        known = sys.modules.get(value.__module__)
        if known is not None and getattr(known, value.__qualname__, None) is value:
            return "known", (value.__module__, value.__qualname__)
        raise Unclear(value.__qualname__)
    if _is_plain(value):
        return "value", value
    raise Unclear(type(value).__name__)


def _is_plain(value):
    generator = type(value).__name__ == "Generator" and type(value).__module__.startswith("numpy")
    return generator or grade_ready.is_plain(value)


def _own_function(function, names, seen):
    """A function that the test itself has defined: its code, and what that reads."""
    if function.__closure__ or function in seen:
        raise Unclear(function.__name__)
    seen.add(function)
    read, code = [], function.__code__
    for name in sorted(_globals_of(code)):
        if name in BARRED:
            raise Unclear(name)
        if dict.__contains__(names, name):
            read.append((name, *_what(dict.__getitem__(names, name), names, seen)))
        elif not hasattr(builtins, name):
            read.append((name, "missing", None))
    defaults = [_what(one, names, seen) for one in (function.__defaults__ or ())]
    if function.__kwdefaults__:
        raise Unclear(function.__name__)
    return _text_of(code), defaults, read


def _globals_of(code):
    found = set(code.co_names)
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            found |= _globals_of(one)
    return found


def _text_of(code):
    constants = [_text_of(one) if isinstance(one, types.CodeType) else repr(one) for one in code.co_consts]
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars, code.co_argcount, code.co_flags


def _pickled(value, dumps):
    try:
        return dumps(value)
    except Exception as error:
        raise Unclear(str(error)) from None


# ---------------------------------------------------------------------------------------------------------------------
# Before a kernel is forked


def learn(tests, answers, names):
    """Begin to run the parts of the tests of a lab that name nothing of a hand-in.

    It is done in two copies of this process, side by side, of which nothing else remains.

    Parameters
    ----------
    tests : list of str
        The test cells, in their order.
    answers : list of str
        What answer cells define.
    names : dict
        What the first cells of the lab have defined; they stay as they are.

    Returns
    -------
    callable
        Waits for both, has this process keep what both have made alike, and returns the modules that came with it.
    """

    def learned():
        before = set(sys.modules)
        return _learn(tests, answers, dict(names)), grade_modules.new_modules(before)

    both = [grade_modules.in_a_copy(learned, 2 * SECONDS) for _ in range(2)]

    def remember():
        found, modules = zip(*(wait() or ({}, []) for wait in both), strict=True)
        _remember(_alike(*found), tests, answers)
        return list(dict.fromkeys(name for some in modules for name in some))

    return remember


def _alike(one, other):
    """Return what two runs have made alike: what draws numbers or asks for the time is not among it."""
    alike = collections.defaultdict(dict)
    for part, made in one.items():
        for read, data in made.items():
            if (second := other.get(part, {}).get(read)) and _settled(second) == _settled(data):
                alike[part][read] = data
    return dict(alike)


def _remember(found, tests, answers):
    """Keep what was learned, and the tests as kernels will run them: IPython reads each source twice, and slowly."""
    from IPython.core.inputtransformer2 import TransformerManager

    _kept.update(found)
    for source, tree in _parsed(tests):
        text = _texts[source] = TransformerManager().transform_cell(source)
        digest = digest_of(tree)
        if known := {number for cell, number in found if cell == digest}:
            cell = _cells[digest] = Cell(tree, answers, collections.Counter())
            _trees[text] = cell.live(tree, known)


def _parsed(tests):
    for source in tests:
        with contextlib.suppress(SyntaxError):  # a cell for IPython
            yield source, ast.parse(source)


def _learn(tests, answers, names):
    _places()
    trees = [tree for _, tree in _parsed(tests)]
    wanted = collections.Counter(name for tree in trees for name in mentioned(tree))
    found, until, said = {}, time.monotonic() + SECONDS, io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        for tree in trees:
            cell = Cell(tree, answers, wanted)
            with contextlib.suppress(Exception):
                _run_dry(cell, cell.dry, names, found, (until, said))
    return found


def _run_dry(cell, steps, names, found, ends):
    for step in steps:
        if isinstance(step, Part):
            _keep(cell, step, names, found, ends)
        elif isinstance(step, tuple):
            node, body, other = step
            if isinstance(node, ast.For):
                for item in eval(compile(ast.Expression(node.iter), "<iter>", "eval"), names):
                    names[_ITEM] = item
                    exec(_assignment(node.target), names)
                    _run_dry(cell, body, names, found, ends)
            else:
                true = eval(compile(ast.Expression(node.test), "<test>", "eval"), names)
                _run_dry(cell, body if true else other, names, found, ends)
        else:
            exec(compile(ast.Module([step], []), "<step>", "exec"), names)


_ITEM = "_item_of_the_loop"


def _assignment(target):
    value = ast.copy_location(ast.Name(_ITEM, ast.Load()), target)
    return compile(ast.fix_missing_locations(ast.Module([ast.Assign([target], value)], [])), "<for>", "exec")


def _keep(cell, part, names, found, ends):
    """Run a part; keep what it makes, if that is worth it and seems to depend on nothing else than what it reads."""
    try:
        before = fingerprint(names, part.loads, part.stores)
    except Unclear:
        before = None
    were = dict(names)
    until, said = ends
    state, printed, started = grade_ready.random_state(), said.tell(), time.perf_counter()
    with grade_ready.watching(_is_elsewhere) as seen:
        made = _made(part, names)
    if before is None or time.perf_counter() - started < LEAST or time.monotonic() > until:
        return
    with contextlib.suppress(Unclear):
        data = _pickled(made, _whole)
        if seen or len(data) > MOST_BYTES or said.tell() != printed or grade_ready.random_state() != state:
            return
        if not all(_is_plain(value) for value in made.values()) or _shares(made, names, part):
            return
        if fingerprint(were, part.loads, part.stores) != before:  # it has changed what it reads
            return
        found.setdefault((cell.digest, cell.parts.index(part)), {})[before] = data
        names.update({} if part.value else pickle.loads(data))  # as a kernel will have it


def _whole(value):
    """Pickle a value with the small functions in it, by which the helpers of many labs tell mistakes."""
    import cloudpickle

    return cloudpickle.dumps(value)


def _settled(data):
    """Return pickled data as they are once nothing in them is the same object by chance."""
    return _whole(pickle.loads(data))


def _made(part, names):
    if part.value:
        return {"": eval(part.code, names)}
    exec(part.code, names)
    return {name: names[name] for name in part.kept if name in names}


def _shares(made, names, part):
    """Return whether something that was made is, or holds, a container that was there before."""
    before = {id(one) for name in part.loads for one in _containers(names.get(name))}
    return any(id(one) in before for value in made.values() for one in _containers(value))


def _containers(value):
    if isinstance(value, dict | list | tuple | set):
        if not isinstance(value, tuple):
            yield value
        for one in value.values() if isinstance(value, dict) else value:
            yield from _containers(one)
    elif type(value).__module__.startswith(("pandas", "numpy")) and hasattr(value, "__setitem__"):
        yield value


def _is_elsewhere(path):
    """Return whether a file is neither of the course's data nor of the libraries."""
    return not any(Path(os.fsdecode(path)).absolute().is_relative_to(place) for place in _places())


@functools.cache
def _places():
    from cimlab.datasets import data_folder

    found = [sys.prefix, sys.base_prefix, Path(__file__).absolute().parents[1], "/usr"]
    with contextlib.suppress(FileNotFoundError):
        found.append(data_folder().absolute())
    return found


# ---------------------------------------------------------------------------------------------------------------------
# In the kernel


def install(shell, names):
    """Have a kernel of an examiner take what has been learned."""
    _now["names"] = names
    manager, compiler = shell.input_transformer_manager, shell.compile
    transform, parse = manager.transform_cell, compiler.ast_parse
    manager.transform_cell = lambda source: _texts.get(source) or transform(source)
    compiler.ast_parse = lambda text, *more, **named: _trees.get(text) or parse(text, *more, **named)


def give(digest, number):
    """Put what a run of statements makes into the namespace; return whether it is known."""
    if not is_there(digest, number):
        return False
    _now["names"].update(_now.pop("made"))
    return True


def is_there(digest, number):
    """Look whether it is known what a part makes of what it reads."""
    part = _cells[digest].parts[number]
    try:
        data = _kept[digest, number].get(fingerprint(_now["names"], part.loads, part.stores))
    except Unclear:
        return False
    if data is not None:
        _now["made"] = pickle.loads(data)
    return data is not None


def take(_digest, _number):
    """Return what `is_there` has found."""
    return _now.pop("made")[""]
