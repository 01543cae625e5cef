"""What answers the examiner in the kernel of a hand-in (see `apart`): the names, values, functions and files there.

All of this runs where the student's code runs, which may have changed it: what it answers is believed as data only.
"""

import base64
import hashlib
import os
import stat
from pathlib import Path

from cimlab.grading.apart_known import known_digests
from cimlab.grading.apart_line import take_end
from cimlab.grading.apart_talk import Talk

MOST_FILES, PART = 2_000, 8_000_000
_kept = {}


def serve(token):
    """Answer the questions of one test."""
    shell = get_ipython()  # noqa: F821 (IPython's)
    names = shell.user_ns
    talk = _kept.get("talk")
    if talk is None:
        talk = _kept["talk"] = Talk(None, lambda question: answer(question, names, shell), trusting=True)
    try:
        talk.continued(take_end(token)).listen()
    finally:
        talk.close()


def answer(question, names, shell):
    """Return what a question about names or files asks for."""
    asked = question["ask"]
    if asked == "names":
        own = [name for name in names if not name.startswith("_") and name not in shell.user_ns_hidden]
        return {"names": own, "folder": str(Path.cwd()), "files": listing(Path.cwd())}
    if asked == "known":
        return known_digests()
    if asked == "name":
        return names[question["name"]]
    path = Path(str(question.get("path", "")))
    if asked == "there":
        return path.exists()
    if asked == "tree":
        return listing(path, hashed=True) if path.is_dir() else facts_of(path)
    if asked == "read":
        with path.open("rb") as file:
            file.seek(int(question["at"]))
            return base64.b64encode(file.read(PART)).decode("ascii")
    if asked == "write":
        write(path, base64.b64decode(question["data"]), question["at"])
        return None
    if asked == "remove":
        path.unlink(missing_ok=True)
        return None
    if asked == "folder":
        path.mkdir(parents=True, exist_ok=True)
        return None
    raise KeyError(asked)


def listing(folder, hashed=False):
    """Return the ordinary files below a folder: relative path → [size, time or digest]."""
    found = {}
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        for name in sorted(files):
            path = Path(root, name)
            try:
                facts = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(facts.st_mode):
                what = digest(path) if hashed else facts.st_mtime_ns
                found[path.relative_to(folder).as_posix()] = [facts.st_size, what]
            if len(found) >= MOST_FILES:
                return found
    return found


def facts_of(path):
    """Return [size, digest] of a file; None if there is none."""
    return [path.stat().st_size, digest(path)] if path.is_file() else None


def digest(path):
    """Return a hash of a file's content."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()


def write(path, data, at):
    """Write a part of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("r+b" if at else "wb") as file:
        file.seek(at)
        file.write(data)
