"""Find the notebooks of a lab in what was handed in: other names, folders, zip files, text files, copies.

Nothing that was handed in is changed. `find` only looks; `lay_out` puts a copy under the right name where that is
missing, with a mark by which it is known again.
"""

import contextlib
import io
import shutil
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import nbformat

from cimlab.grading.repair_read import UnreadableNotebook, read_released, read_with_notes

# What is looked into, and how far: a zip file of a few kB may hold more than any disk.
ENDINGS = (".ipynb", ".json", ".txt", ".ipynb_", "")
LARGEST = 60_000_000  # bytes of one file
ALL = 200_000_000  # bytes of everything that is unpacked
MOST = 2_000  # files
DEPTH = 3  # zip files in zip files
SKIPPED = {"__MACOSX", ".ipynb_checkpoints", "__pycache__", ".git", "feedback"}
# A notebook that holds less of a lab than this is none of it; every lab has a cell `setup`.
ENOUGH = 0.2
LONG = 20  # characters by which a text is known again


@dataclass
class Layout:
    """What was found in a hand-in: the notebooks, and what has to be said of it."""

    notebooks: dict = field(default_factory=dict)  # name → nbformat.NotebookNode
    places: dict = field(default_factory=dict)  # name → where it stood, for example "work.zip/lab03/a.ipynb"
    notes: dict = field(default_factory=dict)  # name → sentences on what was put right
    missing: list = field(default_factory=list)  # names of notebooks that the lab has and the hand-in has not
    review: list = field(default_factory=list)  # why somebody has to look, as sentences


def student_versions(course, lab):
    """Return {name of a notebook of a lab: the cells of its student version}.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course, with labs/.
    lab : str
        The assignment; a capstone has several notebooks.
    """
    folder = Path(course) / "labs" / lab
    return {path.stem: list(read_released(path.read_bytes())) for path in sorted(folder.glob("*.ipynb"))}


def find(folder, wanted):
    """Find the notebooks of a lab in the folder of a hand-in.

    A notebook is known by its cells (ids, grade ids, texts), not by its name. Of several of one lab the same content
    counts once, one with answers goes before an untouched one, then one under the right name goes before others; what
    is still in doubt is left to a person.

    Parameters
    ----------
    folder : pathlib.Path
        What was handed in.
    wanted : dict of str to list of nbformat.NotebookNode
        As `student_versions` returns it; a list may be empty where the student version is not known.

    Returns
    -------
    Layout
    """
    found, told = [], []
    _collect(Path(folder), found, told)
    originals = [one for one in found if not one["ours"]]
    found = originals or found
    layout = Layout(review=[] if found else told)
    for one in found:
        one["fits"] = _best_fit(one["notebook"], wanted) if one["notebook"] else None
    for name, released in wanted.items():
        mine = [one for one in found if one["fits"] == name]
        if not released:  # nothing to compare with: only a notebook that is alone, or has the name
            mine = [one for one in found if one["notebook"]]
            mine = [one for one in mine if one["stem"] == name] or (mine if len(wanted) == 1 else [])
        _choose(name, mine, released, layout)
    # What could not be read may be the very notebook that is missing.
    unread = [f"`{one['place']}`: {one['reason']}" for one in found if one["reason"]]
    foreign = [one["place"] for one in found if one["notebook"] and one["fits"] is None and any(wanted.values())]
    if layout.missing:
        layout.review += unread
        if foreign and not layout.notebooks:
            names = ", ".join(f"`{place}`" for place in foreign)
            layout.review.append(f"{names}: holds nothing of this lab. Is it the notebook of another one?")
        if not found and not told:
            layout.review.append("there is no notebook in the hand-in. Ask the student to hand it in again.")
    return layout


def lay_out(folder, wanted):
    """Put copies of the notebooks that stand elsewhere, or under other names, where nbgrader looks for them.

    Parameters
    ----------
    folder : pathlib.Path
        What was handed in, or a copy of it. No file that is there is changed or removed, except copies made before.
    wanted : dict of str to list of nbformat.NotebookNode
        As in `find`.

    Returns
    -------
    Layout
        As `find` returns it.
    """
    layout = find(folder, wanted)
    for name, notebook in layout.notebooks.items():
        target = Path(folder) / f"{name}.ipynb"
        if layout.places[name] != target.name and (not target.exists() or _is_ours(target)):
            copy = nbformat.from_dict({**notebook, "metadata": {**notebook.metadata, "cimlab": {"copy_of_hand_in": 1}}})
            target.unlink(missing_ok=True)
            nbformat.write(copy, target)
    # A file that cannot be read gets the right name too, so that nbgrader comes to it and says what is wrong with it.
    damaged = [path for path in sorted(Path(folder).glob("*.ipynb")) if not path.is_symlink()]
    if len(wanted) == len(layout.missing) == len(damaged) == 1 and damaged[0].stem not in wanted:
        shutil.copy(damaged[0], damaged[0].with_name(f"{layout.missing[0]}.ipynb"))
        layout.places[layout.missing[0]] = damaged[0].name
    return layout


# ---------------------------------------------------------------------------------------------------------------------
# Looking into folders and zip files


def _collect(folder, found, told):
    """Append all that may be a notebook to `found`, and to `told` what cannot be looked into."""
    budget = {"bytes": ALL, "files": MOST}
    for path in sorted(folder.rglob("*"), key=lambda path: (len(path.parts), path.as_posix())):
        place = path.relative_to(folder).as_posix()
        if is_skipped(place) or path.is_symlink() or any(up.is_symlink() for up in path.parents if up != folder):
            continue
        if path.is_file() and path.name != "timestamp.txt":
            budget["files"] -= 1
            if path.stat().st_size > LARGEST or budget["files"] < 0:
                told.append(f"`{place}` is too large, or there are too many files")
            elif path.suffix.lower() in (*ENDINGS, ".zip", ".rar", ".7z"):
                _look(place, path.read_bytes(), found, told, budget, 0)


def _look(place, data, found, told, budget, depth):
    name = PurePosixPath(place).name
    if data.startswith(b"PK\x03\x04") and not name.lower().endswith((".docx", ".xlsx", ".pptx")):
        _unpack(place, data, found, told, budget, depth)
        return
    if name.lower().endswith((".zip", ".rar", ".7z")):
        told.append(f"`{place}` cannot be unpacked. Ask the student for the notebook itself, or a zip file of it.")
        return
    is_notebook = ".ipynb" in name.lower()
    if not is_notebook and not data.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"{"):
        return
    stem = name[: name.lower().index(".ipynb")] if is_notebook else PurePosixPath(name).stem
    one = {"place": place, "stem": stem, "notebook": None, "reason": None, "notes": [], "ours": False}
    try:
        one["notebook"], one["notes"] = read_with_notes(data)
        one["ours"] = b'"copy_of_hand_in"' in data
    except UnreadableNotebook as reason:
        if not is_notebook:
            return  # a file of data
        one["reason"] = str(reason)
    found.append(one)


def _unpack(place, data, found, told, budget, depth):
    if depth >= DEPTH:
        told.append(f"`{place}`: zip files in zip files, too deep to look into")
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
                inside = f"{place}/{entry_name(entry)}"
                ending = PurePosixPath(inside).suffix.lower()
                if entry.is_dir() or is_skipped(inside) or ending not in (*ENDINGS, ".zip"):
                    continue
                budget["files"] -= 1
                budget["bytes"] -= entry.file_size
                if entry.file_size > LARGEST or budget["bytes"] < 0 or budget["files"] < 0:
                    told.append(f"`{inside}` is too large to be unpacked")
                    return
                with archive.open(entry) as file:
                    _look(inside, file.read(LARGEST), found, told, budget, depth + 1)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, ValueError) as error:
        why = "needs a password" if isinstance(error, RuntimeError) else "is damaged or of an unusual kind"
        told.append(f"`{place}` {why} and cannot be unpacked. Ask the student to hand it in again.")


def entry_name(entry):
    """Return the name of an entry; Chinese Windows writes GB 18030 where the zip format says code page 437."""
    name = entry.filename
    if not entry.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("gb18030")
    return name.replace("\\", "/").lstrip("/")


def is_skipped(place):
    parts = PurePosixPath(place).parts
    return any(part in SKIPPED for part in parts) or parts[-1].startswith((".", "~$"))


def _is_ours(path):
    return path.is_file() and not path.is_symlink() and b'"copy_of_hand_in"' in path.read_bytes()


# ---------------------------------------------------------------------------------------------------------------------
# Which notebook is it?


def share_of(notebook, released):
    """Return how much of a lab stands in a notebook: the share of the lab's cells known by id or by text.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Any notebook.
    released : list of nbformat.NotebookNode
        The cells of the student version.

    Returns
    -------
    float
        From 0 to 1.
    """
    ids, texts = set(), set()
    for cell in notebook.cells:
        settings = cell.metadata.get("nbgrader")
        ids |= {cell.id, settings.get("grade_id") if isinstance(settings, dict) else None}
        texts.add(cell.source.strip())
    lab = [cell for cell in released if "nbgrader" in cell.metadata]
    known = [cell.id in ids or (len(cell.source.strip()) >= LONG and cell.source.strip() in texts) for cell in lab]
    return sum(known) / len(lab) if lab else 0.0


def _best_fit(notebook, wanted):
    """Return the name of the notebook of the lab that this one is, or None."""
    shares = {name: share_of(notebook, released) for name, released in wanted.items()}
    best = max(shares, key=shares.get, default=None)
    return best if best is not None and shares[best] >= ENOUGH else None


def _choose(name, mine, released, layout):
    """Put the notebook that counts into the layout, or say why there is none."""
    different = {}
    for one in sorted(mine, key=lambda one: one["stem"] != name):
        different.setdefault(tuple(cell.source for cell in one["notebook"].cells), one)
    mine = list(different.values())
    begun = [one for one in mine if not _is_untouched(one["notebook"], released)]
    left_over = [one["place"] for one in mine if one not in begun] if begun else []
    mine = begun or mine[:1]
    if len(mine) > 1:
        named = [one for one in mine if one["stem"] == name]
        if len(named) != 1:
            names = ", ".join(f"`{one['place']}`" for one in mine)
            layout.missing.append(name)
            layout.review.append(f"several different notebooks of {name}: {names}. Take away those that do not count.")
            return
        left_over += [one["place"] for one in mine if one is not named[0]]
        mine = named
    if not mine:
        layout.missing.append(name)
        return
    one = mine[0]
    notes = list(one["notes"])
    if one["place"] != f"{name}.ipynb":
        notes.append(f"`{one['place']}` was taken for `{name}.ipynb`")
    if [place for place in left_over if place != f"{name}.ipynb"]:
        notes.append(f"not graded, because another one counts: {', '.join(f'`{place}`' for place in left_over)}")
    layout.notebooks[name], layout.places[name], layout.notes[name] = one["notebook"], one["place"], notes


def _is_untouched(notebook, released):
    """Return whether all answers of a notebook are as they were handed out."""
    stubs = {cell.id: cell.source.strip() for cell in released if cell.metadata.get("nbgrader", {}).get("solution")}
    texts = {cell.source.strip() for cell in released}
    if not stubs:
        return False
    return all(cell.source.strip() in texts or not cell.source.strip() for cell in notebook.cells)
