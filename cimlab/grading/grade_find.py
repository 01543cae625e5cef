"""What `cimlab grade` finds in submitted/: whose hand-ins there are, what is in them, and whether they have changed.

The files of a hand-in come from a stranger. They are copied once, file by file, by `take`; everything after that works
on the copy. Links, pipes and devices are refused, and so is what is too much; a fingerprint of the bytes tells whether
a hand-in is another one than the one graded before.
"""

import ast
import fnmatch
import glob
import hashlib
import itertools
import os
import re
import stat
from pathlib import Path

MOST_FILES, MOST_DEPTH, MOST_BYTES = 2_000, 20, 200_000_000
TIME, NO_TIME = "timestamp.txt", "timestamp.unreadable.txt"
PACKAGE = Path(__file__).resolve().parents[1]
CHUNK = 1 << 20


class Refused(Exception):
    """A hand-in that is not even opened; the text says why and what to do."""


def hand_ins(coursedir, lab, step="submitted"):
    """Return {student: folder of the hand-in}, in the order of the ids.

    Parameters
    ----------
    coursedir : nbgrader.coursedir.CourseDirectory
    lab : str
    step : str
        "submitted", "autograded" or "feedback".
    """
    place = getattr(coursedir, f"{step}_directory")
    pattern = coursedir.format_path(place, "*", glob.escape(lab))
    name = coursedir.format_path(place, "(?P<student>[^/\\\\]+)", re.escape(lab), escape=True)
    found = {}
    for path in glob.glob(pattern):  # noqa: PTH207
        match = re.fullmatch(name, path)
        if match and Path(path).is_dir():
            found[match["student"]] = Path(path)
    return dict(sorted(found.items()))


def set_aside_time(folder):
    """Rename a timestamp.txt that holds no time: Formgrader would show nobody's hand-in any more."""
    from nbgrader.utils import parse_utc

    path = folder / TIME
    try:
        facts = path.lstat()
        if folder.is_symlink() or folder.parent.is_symlink():
            return
        if stat.S_ISREG(facts.st_mode) and facts.st_size < 1_000:
            parse_utc(path.read_text(encoding="utf-8").strip())
            return
    except FileNotFoundError:
        return
    except (ValueError, OverflowError):
        pass
    path.replace(folder / NO_TIME)


def take(folder, target=None, ignore=(), largest=MOST_BYTES):
    """Read all files of a hand-in, copy them if a target is given, and return what identifies them.

    Parameters
    ----------
    folder : pathlib.Path
        The hand-in.
    target : pathlib.Path, optional
        A folder that is not there yet.
    ignore : iterable of str
        Patterns of names that are neither copied nor counted, as in nbgrader's `CourseDirectory.ignore`.
    largest : int
        Bytes; a larger file is left out, a larger notebook refused.

    Returns
    -------
    (str, list of str)
        The fingerprint, and a sentence for each file that was left out.

    Raises
    ------
    Refused
        If it holds a link, a pipe or a device, cannot be read, or is too much.
    """
    folder, notes, total = Path(folder), [], 0
    if folder.is_symlink() or folder.parent.is_symlink():
        raise Refused("the folder of the hand-in is a symbolic link. Put the files themselves there.")
    try:
        files = _files(folder, tuple(ignore))
        digest = hashlib.sha256()
        for name, size in files:
            digest.update(os.fsencode(name) + b"\0")
            if size > largest and name.lower().endswith(".ipynb"):
                raise Refused(
                    f"the notebook {name} is too large ({size / 1e6:.0f} MB): clear its outputs, or ask the "
                    "student to hand it in again without them."
                )
            if size > largest:
                notes.append(f"{name} was left out, it is too large ({size / 1e6:.0f} MB)")
                digest.update(str(size).encode() + b"\0")
                continue
            total += size
            if total > MOST_BYTES:
                raise Refused(f"the files are too large (more than {MOST_BYTES // 1_000_000} MB in all).")
            digest.update(_copy(folder, name, target, largest))
    except OSError as error:
        raise Refused(f"a file cannot be read ({error.strerror or error}).") from None
    if target is not None:
        target.mkdir(parents=True, exist_ok=True)
    return digest.hexdigest(), notes


def _files(folder, ignore):
    """Return the name and the size of each regular file, sorted; refuse everything else."""
    found, waiting, seen = [], [(folder, "", 0)], 0
    while waiting:
        place, prefix, depth = waiting.pop()
        if depth > MOST_DEPTH:
            raise Refused(f"there are folders in folders, more than {MOST_DEPTH} deep.")
        with os.scandir(place) as entries:
            listed = list(itertools.islice(entries, MOST_FILES + 1))
        for entry in listed:
            seen += 1
            if seen > MOST_FILES:
                raise Refused(f"there are more than {MOST_FILES} files.")
            name, facts = prefix + entry.name, entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(facts.st_mode) or getattr(entry, "is_junction", bool)():
                raise Refused(f"{name} is a symbolic link, which may lead anywhere: look at it before you delete it.")
            if any(fnmatch.fnmatch(entry.name, pattern) for pattern in ignore):
                continue
            if stat.S_ISDIR(facts.st_mode):
                waiting.append((Path(entry.path), f"{name}/", depth + 1))
            elif stat.S_ISREG(facts.st_mode):
                found.append((name, facts.st_size))
            else:
                raise Refused(f"{name} is a pipe, a socket or a device: look at it before you delete it.")
    return sorted(found)


def _copy(folder, name, target, largest):
    """Copy one file, which may meanwhile have become something else; return the digest of its bytes."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(folder / name, flags), "rb") as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise Refused(f"{name} is no ordinary file.")
        copy = None
        if target is not None:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            copy = (target / name).open("xb")
        try:
            while block := source.read(CHUNK):
                size += len(block)
                if size > largest:
                    raise Refused(f"{name} grew while it was read.")
                digest.update(block)
                if copy:
                    copy.write(block)
        finally:
            if copy:
                copy.close()
    return digest.digest()


# ---------------------------------------------------------------------------------------------------------------------
# The version of a lab


def lab_version(cells, imports, files=()):
    """Return a fingerprint of everything that decides the marks: cells, checks, files of the lab, data.

    Parameters
    ----------
    cells : iterable
        What the gradebook holds of the lab's cells, in any form whose `repr` is the same each time.
    imports : list of str
        The import statements of the lab's own cells; the modules of cimlab among them are read.
    files : iterable of str
        The lab's other files, which are given to students.
    """
    digest = hashlib.sha256(repr(sorted(cells, key=repr)).encode("utf-8", "replace"))
    for path in [*course_modules(imports), *sorted(map(Path, files))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(_edition())
    return digest.hexdigest()


def course_modules(imports):
    """Return the files of the package that import statements name, and what these import in their turn.

    Of a subpackage all files are taken: which of its names are used is not looked at. The wings are left out: what the
    retailer makes has a fingerprint of its own.

    Examples
    --------
    >>> found = course_modules(["import pandas", "from cimlab import checks"])
    >>> [path.name for path in found if "compare" in path.name or "check" in path.name]
    ['_compare.py', 'checks.py']
    >>> course_modules(["import pandas", "from cimlab.retailer import draws"])
    []
    """
    found, waiting = set(), list(imports)
    while waiting:
        new = {path for name in _imported(waiting.pop()) for path in _files_of(name)} - found
        found |= new
        waiting += [path.read_text(encoding="utf-8") for path in new]
    return sorted(found)


def _imported(source):
    """Return the names that import statements could mean, those in functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


def _files_of(name):
    package, *parts = name.split(".")
    if package != PACKAGE.name or parts[:1] in (["retailer"], ["grading"]):
        return []
    place = PACKAGE.joinpath(*parts)
    if parts in ([], ["labs"]):
        return place.glob("__init__.py")
    return [place.with_suffix(".py")] if place.with_suffix(".py").is_file() else place.rglob("*.py")


def _edition():
    """The descriptor of the data holds the digest of each table."""
    from cimlab.datasets import DESCRIPTOR, data_folder

    try:
        return hashlib.sha256((data_folder() / DESCRIPTOR).read_bytes()).digest()
    except FileNotFoundError:
        return b""
