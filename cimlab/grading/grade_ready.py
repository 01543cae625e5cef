"""What a lab prepares is prepared once for the class: the first cells of a lab are run before a kernel is forked.

The cells at the top of a lab, which students cannot change, load the data and compute what the questions start from:
the same for everybody, and in many labs most of the time. `warm` runs them in the zygote (see `zygote`); a kernel then
has the values, and takes them when it is asked to run the very same cell first. A cell is left to the kernel where
that could make a difference: if it prints or draws, writes files, starts processes, seeds a random generator, defines
functions, or makes anything else than plain values and tables.
"""

import ast
import builtins
import contextlib
import io
import os
import random
import sys
import types

PLAIN = ("builtins", "datetime", "decimal", "fractions", "numpy", "pandas", "re", "types")
DEPTH, MOST = 4, 100_000
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
IMPORTS = ast.Import | ast.ImportFrom
ACTS = ("os.mkdir", "os.remove", "os.rename", "os.symlink", "os.chdir", "subprocess.Popen", "os.fork")
ACTS += ("os.posix_spawn", "os.system", "socket.connect", "socket.bind", "sqlite3.connect", "tempfile.mkstemp")
ACTS += ("tempfile.mkdtemp", "shutil.copyfile", "shutil.rmtree")
_prepared = []  # (ast of the cell, names that it makes), in the order of the cells
_watch = {"on": False, "hooked": False, "seen": [], "also": None}


def warm(sources):
    """Run the first cells of a lab; keep what those make that a kernel may take.

    Parameters
    ----------
    sources : list of str
        The cells in their order; the first that cannot be kept ends it.
    """
    _prepared.clear()
    names = {"__name__": "__main__", "__builtins__": __builtins__}
    for source in sources:
        try:
            tree = ast.parse(source)
        except SyntaxError:  # magic
            return
        imported = {
            alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, IMPORTS) for alias in node.names
        }
        body = compile(_without_last(tree), "<setup>", "exec")
        before = dict(names)
        silent, drawn = _run(body, names)
        if silent and drawn:  # perhaps by what it has imported: once more, from the same names
            names = dict(before)
            silent, drawn = _run(body, names)
        made = {name: value for name, value in names.items() if name not in before or value is not before[name]}
        own = [value for name, value in made.items() if name not in imported]
        if not silent or drawn or "display(" in source or not all(map(is_plain, own)):
            return
        _prepared.append((ast.dump(ast.parse(source)), made))
        if "pandas" in sys.modules:
            from cimlab.grading import apart_known

            apart_known.keep(own)


def _run(body, names):
    """Run code; return whether it has left nothing outside its names, and whether it has drawn random numbers."""
    printed, state = io.StringIO(), _seed_anew()
    with (
        watching() as seen,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        _imports_draw_nothing(),
    ):
        exec(body, names)
    return not seen and not printed.getvalue(), random_state() != state


def _without_last(tree):
    """The last expression is for the eye: the kernel shows it itself."""
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        tree.body.pop()
    return tree


def is_plain(value, depth=0):
    """Return whether a value is the same in a forked process as if it had been made there.

    Examples
    --------
    >>> is_plain({"a": [1, 2.5, None]}), is_plain(open), is_plain(ast), is_plain(io.StringIO())
    (True, True, True, False)
    """
    if isinstance(value, types.ModuleType):
        return True
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        return value.__module__ != "__main__"  # what is defined in the cell looks for its names there
    if isinstance(value, str | bytes):
        text = value if isinstance(value, str) else os.fsdecode(value)
        return not text.startswith(("/", "\\", "~")) and len(text) < MOST
    if isinstance(value, dict | list | tuple | set | frozenset):
        parts = [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)
        return depth < DEPTH and len(parts) < MOST and all(is_plain(part, depth + 1) for part in parts)
    kind = type(value)
    return kind.__module__.split(".")[0] in PLAIN and kind.__name__ not in ("Generator", "RandomState")


def _seed_anew():
    """Begin with other random numbers: who seeds a generator does not leave it so. Each kernel does the same."""
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    return random_state()


@contextlib.contextmanager
def _imports_draw_nothing():
    """Put back the numbers that a library draws while it is imported: what a cell makes does not depend on them."""
    real = builtins.__import__

    def import_(name, *more, **named):
        if name in sys.modules:
            return real(name, *more, **named)
        numbers = sys.modules.get("numpy.random")
        own, theirs = random.getstate(), numbers.get_state() if numbers else None
        builtins.__import__ = real  # what it imports itself is a part of it
        try:
            return real(name, *more, **named)
        finally:
            builtins.__import__ = import_
            random.setstate(own)
            if numbers:
                numbers.set_state(theirs)

    builtins.__import__ = import_
    try:
        yield
    finally:
        builtins.__import__ = real


def random_state():
    numbers = sys.modules.get("numpy.random")
    return random.getstate(), repr(numbers.get_state()) if numbers else None


@contextlib.contextmanager
def watching(also=None):
    """Note what Python reports of files that are written, processes and connections.

    Files that are only read are noted if `also`, a function of the path, says so.
    """
    if not _watch["hooked"]:
        sys.addaudithook(_note)
        _watch["hooked"] = True
    _watch["seen"], _watch["also"] = [], also
    _watch["on"] = True
    try:
        yield _watch["seen"]
    finally:
        _watch["on"] = False


def _note(event, arguments):
    if not _watch["on"]:
        return
    place = arguments[0] if arguments else ""
    if event == "open" and isinstance(place, int):
        return  # a file that has been reported already
    only_read = event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITES)
    if only_read and not (_watch["also"] and _watch["also"](place)):
        return
    # In the last folder Python itself keeps what it has translated.
    if event in ("open", *ACTS) and "__pycache__" not in str(place):
        _watch["seen"].append(event)


# ---------------------------------------------------------------------------------------------------------------------
# In the kernel


class _Taker:
    """Changes the code of a cell before it is run: what is there already is fetched."""

    def __init__(self, shell):
        self.shell, self.next, self.known = shell, 0, set(shell.user_ns)

    def visit(self, tree):
        if self.next >= len(_prepared) or ast.dump(tree) != _prepared[self.next][0]:
            return tree
        if any(name not in self.known and not name.startswith("_") for name in self.shell.user_ns):
            return tree  # other code has run before: it may have changed what the cell would do
        fetch = f"__import__({__name__!r}, fromlist=['_']).give({self.next})"
        self.known |= set(_prepared[self.next][1])
        self.next += 1
        last = tree.body[-1:] if isinstance(tree.body[-1], ast.Expr) else []
        return ast.fix_missing_locations(ast.Module([*ast.parse(fetch).body, *last], tree.type_ignores))


def install(shell):
    """Have a kernel take what has been prepared."""
    if _prepared:
        shell.ast_transformers.append(_Taker(shell))


def give(number):
    get_ipython().user_ns.update(_prepared[number][1])  # noqa: F821 (IPython's)
