"""The folders of an edition: what may be replaced, where the work is done, and how it is put in place.

All work is done in a hidden folder beside the target, on the same disk, so that one rename puts it in place. An edition
stands there whole or not at all, whatever stops the run.
"""

import contextlib
import errno
import json
import os
import shutil
from pathlib import Path

from cimlab.retailer.draws import read_settings
from cimlab.retailer.run import write_file

DATA_NAME, TRUTH_NAME = "xudong", "xudong-truth"
NAMES = {"data": DATA_NAME, "truth": TRUTH_NAME}
DESCRIPTOR = "datapackage.json"
OURS = {DESCRIPTOR, "README.md", "croissant.json", "planted.json"}
SEEDS = "seeds.csv"
# What a file manager or Jupyter leaves in a folder; nobody misses it.
JUNK = {".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints"}


# --- what may be written --------------------------------------------------------------------------------------------


def check_folders(folder, truth_folder=None, *, check=None):
    """Return the folders to write as absolute paths, or raise ValueError if one of them must not be written.

    `check(folder, name)` says whether what stands in a folder may be replaced: `check_replaceable` if not given.
    """
    check = check or check_replaceable
    data = Path(folder).resolve()
    check(data, DATA_NAME)
    if truth_folder is None:
        return [data]
    truth = Path(truth_folder).resolve()
    if data == truth or data in truth.parents or truth in data.parents:
        raise ValueError(f"the truth must stay apart from the data: {truth} and {data} lie in one another.")
    check(truth, TRUTH_NAME)
    return [data, truth]


def check_replaceable(folder, name):
    """Raise ValueError unless the folder is missing, empty, or holds nothing but an edition of ours."""
    if is_free(folder):
        return
    ours = list_edition(folder, name)
    if not ours:
        raise ValueError(
            f"{folder} is not empty and is no edition made by this command; name another folder or an empty one."
        )
    found = {path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()}
    strange = sorted(path.as_posix() for path in found - ours if not JUNK.intersection(path.parts))
    if strange:
        raise ValueError(f"{folder} holds {strange[0]!r}, which this command did not make; move it away first.")


def is_free(folder):
    """Return whether nothing stands in the place of a folder; raise ValueError if nothing ever may."""
    if folder == Path.cwd() or folder in Path.cwd().parents:
        where = "the folder you are in" if folder == Path.cwd() else "a folder above the one you are in"
        raise ValueError(f"{folder} is {where}; name another one, since it is replaced as a whole.")
    if not folder.exists():
        return True
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file; name a folder.")
    return all(path.name in JUNK for path in folder.iterdir())


def list_edition(folder, name):
    """Return the files of an edition of ours as relative paths; none if the folder is no such edition."""
    try:
        descriptor = json.loads((folder / DESCRIPTOR).read_text(encoding="utf-8-sig"))
        if descriptor["name"] != name:
            return set()
        paths = [resource["path"] for resource in descriptor["resources"]]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    flat = [part for path in paths for part in ([path] if isinstance(path, str) else path)]
    return {Path(part) for part in [*flat, *OURS]}


# --- the hidden folder in which the work is done ----------------------------------------------------------------------


def work_of(target):
    """Return the hidden folder beside a target in which it is made."""
    return target.with_name(f".{target.name}-unfinished")


@contextlib.contextmanager
def open_work(targets, plan, *, keep):
    """Hold the working folders of a run: those of an interrupted run of the same plan, or new ones.

    Parameters
    ----------
    targets : list of pathlib.Path
        The folders of the data and, if it is written, of the truth.
    plan : dict
        What is made; a run goes on only with the work of an equal plan.
    keep : callable
        Says, when the run has failed, whether the work done so far is worth keeping.

    Yields
    ------
    list of pathlib.Path
        The working folders, one for each target. After the block they are gone, unless it failed and `keep()`.

    Raises
    ------
    OSError
        If a folder cannot be written, or if another run is writing it.
    """
    works = [work_of(target) for target in targets]
    made = make_parents(targets)
    kept = False
    with contextlib.ExitStack() as locks:
        try:
            for work, target in zip(works, targets, strict=True):
                work.mkdir(exist_ok=True)
                locks.enter_context(lock(work))
                put_back(work, target)
            if not all(read_json(work / "plan.json") == plan for work in works):
                for work in works:
                    clear(work)
                    write_file(work / "plan.json", json.dumps(plan).encode())
            yield works
        except BaseException as error:
            kept = not isinstance(error, BlockingIOError) and keep()
            if isinstance(error, BlockingIOError):
                works = []
            raise
        finally:
            locks.close()
            for work in [] if kept else works:
                shutil.rmtree(work, ignore_errors=True)
            for folder in reversed(made):
                with contextlib.suppress(OSError):
                    folder.rmdir()


def make_parents(targets):
    """Make the folders above the targets; return those that were not there, the upper one first."""
    made = []
    for target in targets:
        missing = [folder for folder in target.parents if not folder.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        made += reversed(missing)
    return made


@contextlib.contextmanager
def lock(work):
    """Hold a working folder against a second run; the system lets go of it when this process ends, however it ends."""
    with (work / "lock").open("a+b") as file:
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # some network disks know no locks: then nothing guards against a second run
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                text = f"another `cimlab generate` is writing in {work}; wait until it is done, or end it."
                raise BlockingIOError(text) from None
        yield


def put_back(work, target):
    """Put an edition back that a killed run had moved aside and not replaced."""
    if (work / "old").exists() and not target.exists():
        (work / "old").replace(target)


def clear(work):
    """Take everything out of a working folder but its lock."""
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


def read_json(path):
    """Return what a JSON file holds; None if it is missing or not whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def replace_folders(works, targets):
    """Put the made editions in the place of the targets; if one cannot be replaced, put all back as they were."""
    moved, put = [], []
    try:
        for work, target in zip(works, targets, strict=True):
            if target.exists():
                shutil.rmtree(work / "old", ignore_errors=True)
                target.replace(work / "old")
                moved.append((work / "old", target))
            (work / "edition").replace(target)
            put.append((work / "edition", target))
    except BaseException:
        for made, target in put:
            target.replace(made)
        for aside, target in moved:
            aside.replace(target)
        raise


# --- room on the disk -----------------------------------------------------------------------------------------------


def check_space(targets, needs):
    """Raise OSError if the disks do not have room for so many bytes in each target.

    Parameters
    ----------
    targets : list of pathlib.Path
    needs : list of int
        Bytes that will be written for each target.

    Returns
    -------
    str
        "about 1.9 GB in OUT, 41 GB free", a sentence for each target.
    """
    spare = read_settings("write")["spare"]
    disks, sentences = {}, []
    for target, need in zip(targets, needs, strict=True):
        there = next(folder for folder in target.parents if folder.exists())
        free = shutil.disk_usage(there).free
        sentences.append(f"about {say_bytes(need)} in {target}, {say_bytes(free)} free")
        disk = disks.setdefault(there.stat().st_dev, [free, 0])
        # what an interrupted run has left is there already, or goes
        disk[1] += max(need - size_of(work_of(target)), 0)
    for free, need in disks.values():
        if need + spare > free:
            raise OSError(
                f"it does not fit on the disk: {'; '.join(sentences)}. Free some space, name a folder on another disk, "
                "or ask for fewer --customers or --tables."
            )
    return "; ".join(sentences)


def size_of(folder):
    """Return the bytes of all files below a folder; another run may be clearing it away meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):  # unlike rglob, it goes on where a folder has gone
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(place, name).stat().st_size
    return total


def say_bytes(number):
    """Return a number of bytes in words.

    >>> say_bytes(1_940_000_000), say_bytes(41_000_000_000), say_bytes(900)
    ('1.9 GB', '41 GB', '1 kB')
    """
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if number >= size:
            amount = number / size
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:,.0f} {unit}"
    return f"{-(-number // 1000)} kB"
