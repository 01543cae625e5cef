"""What runs in the kernel of the examiner (see `apart`): the names that a test finds, and where they come from.

A test is run with the names of the examiner's own: what the cells define that students cannot change, and what earlier
tests have defined. What an answer cell defines is asked of the kernel of the hand-in when the test reads it.
"""

import base64
import builtins
import json
import os
import sys
import tempfile
from pathlib import Path, PurePath

from cimlab.checks import CheckFailed
from cimlab.grading import apart_known, apart_memo, grade_modules
from cimlab.grading.apart_line import end_that_waits, free_the_socket
from cimlab.grading.apart_room import MOST_FILES, PART, facts_of, listing, write
from cimlab.grading.apart_talk import Lost, Talk

MOST_BYTES = 200_000_000  # of the files that are fetched
CODE = (".py", ".pyc", ".pyd", ".pyi", ".so", ".pth", ".dll", ".dylib")
_warm = {}


class Names(dict):
    """The names of a test; what is not there is asked of the hand-in."""

    desk = None

    def __missing__(self, name):
        desk = self.desk
        if desk is not None and name in desk.theirs():
            if name in desk.got:
                return desk.got[name]
            value = desk.got[name] = desk.ask("name", name=name)
            return value
        raise KeyError(name)

    def __contains__(self, name):
        return dict.__contains__(self, name) or (self.desk is not None and name in self.desk.theirs())

    def __iter__(self):
        own = list(dict.__iter__(self))
        return iter([*own, *(name for name in self.desk.theirs() if name not in own)] if self.desk else own)

    def get(self, name, default=None):
        try:
            return self[name]
        except KeyError:
            return default

    def keys(self):
        return dict.fromkeys(self).keys()

    def items(self):
        return {name: self[name] for name in self}.items()

    def values(self):
        return self.items().mapping.values()


class Desk:
    """What the examiner knows of one hand-in.

    Parameters
    ----------
    names : Names
    token : str
        Comes with the end of the line for each test.
    answers, reserved : list of str
        The names that answer cells define, and those that the examiner defines himself.
    """

    def __init__(self, names, token, answers, reserved):
        self.names, self.line, self.talk = names, None, None
        self.token, self.answers, self.reserved = token, set(answers), set(reserved)
        self.known, self.got = None, {}
        self.folder, self.files, self.fetched, self.apart = None, {}, 0, None

    # -- one test after the other -------------------------------------------------------------------------------------

    def begin(self, _cell):
        """Take the end of the line, if there is one: then the cell is a test."""
        self.line = end_that_waits(self.token)
        if self.line is None:
            return
        if self.talk is None:
            self.talk = Talk(None, place=self.placed)
            self.talk.files = self
        self.talk.continued(self.line)
        self.known, self.got = None, {}
        for name in self.answers:
            self.names.pop(name, None)

    def end(self):
        """Leave the line."""
        if self.line is None:
            return
        for name in self.answers:
            self.names.pop(name, None)
        self.got = {}
        try:
            self.talk.send({"ask": "end"})
        except Lost:
            pass
        finally:
            self.talk.close()
            self.line = None

    def theirs(self):
        """Return the names that are the hand-in's to define."""
        if self.line is None:
            return ()
        if self.known is None:
            self.known = ()  # while it asks
            told = self.ask("names")
            hidden = set(dir(builtins)) | (self.reserved - self.answers)
            names = [name for name in told["names"] if type(name) is str and name.isidentifier()][:20_000]
            own = [name for name in names if name not in hidden and not name.startswith("_")]
            self.known = dict.fromkeys([*own, *(name for name in names if name in self.answers)])
            self.bring_files(Path(str(told["folder"])), told["files"])
        return self.known

    def ask(self, question, **more):
        return self.talk.ask_for(question, **more)

    # -- files --------------------------------------------------------------------------------------------------------

    def bring_files(self, folder, files):
        """Fetch what the hand-in has written into its folder."""
        self.folder = folder
        if type(files) is not dict or not self.separate():
            return
        for name, facts in sorted(list(files.items())[:MOST_FILES], key=lambda one: one[1][0]):
            if self.files.get(name) == facts or name.endswith(".ipynb"):
                continue
            self.files[name] = facts
            if self.fetched + facts[0] <= MOST_BYTES:
                self.fetch_file(folder / name, Path.cwd() / name, facts[0])

    def separate(self):
        """Return whether the two kernels have separate files."""
        if self.apart is None:
            with tempfile.NamedTemporaryFile(prefix="cimlab-") as file:
                self.apart = not self.ask("there", path=file.name)
        return self.apart or Path.cwd() != self.folder

    def fetch_file(self, theirs, mine, size):
        """Fetch a file, which has `size` bytes if the hand-in says the truth; code is not fetched."""
        if not self.mine(mine) or mine.name.endswith(CODE):
            return
        at = 0
        while True:
            part = base64.b64decode(str(self.ask("read", path=str(theirs), at=at)))
            if size < 0 or self.fetched + max(size - at, len(part)) > MOST_BYTES:
                raise CheckFailed(f"The files that your code writes are larger than {MOST_BYTES // 1_000_000} MB.")
            write(mine, part, at)
            at += len(part)
            self.fetched += len(part)
            if len(part) < PART or at > size:
                return

    def mine(self, path):
        """Return whether the examiner may write there: in its own folder, or in that for temporary files."""
        real = Path(os.path.realpath(path))
        places = [Path(os.path.realpath(place)) for place in (Path.cwd(), tempfile.gettempdir())]
        return any(place in real.parents for place in places) and ".." not in PurePath(path).parts

    def placed(self, path):
        """Return where the file or folder of a path of the hand-in stands on this side, after fetching it."""
        if self.line is None or not path.is_absolute():
            return path
        here = path
        if self.folder is not None and self.folder in path.parents and self.folder != Path.cwd():
            here = Path.cwd() / path.relative_to(self.folder)
        if self.separate() and self.mine(here) and ".." not in path.parts:
            self.pull(path, here)
        return here

    def pull(self, theirs, mine):
        """Make a file or folder on this side what it is on the other."""
        tree = self.ask("tree", path=str(theirs))
        if type(tree) is list:
            if facts_of(mine) != tree:
                self.fetch_file(theirs, mine, int(tree[0]))
        elif type(tree) is dict:
            mine.mkdir(parents=True, exist_ok=True)
            own = listing(mine, hashed=True)
            for name in own.keys() - tree.keys():
                (mine / name).unlink()
            _remove_empty(mine, {PurePath(name) for name in tree})
            for name, facts in list(tree.items())[:MOST_FILES]:
                if own.get(name) != facts:
                    self.fetch_file(theirs / str(name), mine / str(name), int(facts[0]))
        elif mine.is_file():
            mine.unlink()

    def push(self, path):
        """Make a file or folder on the other side what it is on this one; return whether it was there."""
        if not path.is_absolute() or not self.separate() or not self.mine(path):
            return False
        theirs = self.theirs_of(path)
        if path.is_file():
            if self.ask("tree", path=str(theirs)) != facts_of(path):
                self.push_file(path, theirs)
        elif path.is_dir():
            tree, own = self.ask("tree", path=str(theirs)), listing(path, hashed=True)
            self.ask("folder", path=str(theirs))
            tree = tree if type(tree) is dict else {}
            for name in tree.keys() - own.keys():
                self.ask("remove", path=str(theirs / str(name)))
            for name, facts in own.items():
                if tree.get(name) != facts:
                    self.push_file(path / name, theirs / name)
        return True

    def theirs_of(self, path):
        """Return where a path of this side stands on the other."""
        inside = self.folder is not None and Path.cwd() in path.parents
        return self.folder / path.relative_to(Path.cwd()) if inside else path

    def push_file(self, path, theirs):
        data, at = path.read_bytes(), 0
        while at == 0 or at < len(data):
            part = base64.b64encode(data[at : at + PART]).decode("ascii")
            self.ask("write", path=str(theirs), data=part, at=at)
            at += PART


def _remove_empty(folder, kept):
    wanted = {parent for name in kept for parent in name.parents}
    for root, folders, files in os.walk(folder, topdown=False):
        inside = PurePath(root).relative_to(folder)
        if not folders and not files and inside not in wanted and inside != PurePath():
            Path(root).rmdir()


# ---------------------------------------------------------------------------------------------------------------------
# The kernel


def warm(cells, tests=(), answers=(), solution=()):
    """Run the cells that students cannot change before any kernel is made: all examiners of a lab begin with it.

    What model answers import is imported, and what the tests compute without an answer is computed, too (see
    `grade_modules` and `apart_memo`).

    Whatever would not survive a copy of the process (threads, files) is an error: then each examiner runs the cells.
    """
    names = Names({"__name__": "__main__", "__builtins__": builtins})
    usual, folder = tempfile.tempdir, tempfile.mkdtemp()
    tempfile.tempdir = folder
    try:
        for source in cells:
            if any(line.lstrip().startswith(("%", "!")) for line in source.splitlines()):
                raise ValueError("a cell for IPython")
            exec(compile(source, "<setup>", "exec"), names)
        if os.listdir(folder):  # noqa: PTH208
            raise ValueError("it writes files")
    finally:
        tempfile.tempdir = usual
    _warm.update(cells=list(cells), names=names)
    apart_known.keep(dict.values(names))
    imports = grade_modules.cell_imports(solution, names) if solution else None
    remember = apart_memo.learn(tests, answers, names)  # side by side
    if imports:
        modules = grade_modules.forkable(imports())
        grade_modules.tell(modules)
        grade_modules.load(modules)
    grade_modules.load(grade_modules.forkable([name for name in remember() if name not in sys.modules]))


def prepare(token, answers, reserved):
    """Make this kernel an examiner (see `Desk`); print the cells that are done already."""
    shell = get_ipython()  # noqa: F821 (IPython's)
    names = _warm.get("names", Names())
    tempfile.tempdir = None  # a room has another folder for it
    for name, value in shell.user_ns.items():
        names.setdefault(name, value)
    module = _Module()
    module.__dict__ = names
    shell.user_module, shell.user_ns = module, names
    sys.modules["__main__"] = module
    names.desk = Desk(names, token, answers, reserved)
    here = {"", ".", str(Path.cwd())}
    sys.path[:] = [path for path in sys.path if path not in here]
    apart_memo.install(shell, names)
    shell.events.register("pre_run_cell", names.desk.begin)
    shell.events.register("post_execute", names.desk.end)
    free_the_socket()
    sys.stdout.write(json.dumps(_warm.get("cells", [])))


class _Module:
    __spec__ = None
    __name__ = "__main__"
