"""Whose hand-in is it? The names that learning platforms give to files, for `nbgrader zip_collect`.

The export of the platform goes into ``downloaded/<lab>/archive/``, zipped or not; then ``nbgrader zip_collect <lab>``.

===================  ==================================================================================================
Platform             Form (what is taken as the student's id is in capitals)
===================  ==================================================================================================
Blackboard           ``lab03_LINA_attempt_2026-10-12-20-15-00_lab03_database.ipynb``
Canvas               ``nali_2417_88031_lab03_database-1.ipynb``, with ``_late`` or ``_LATE`` after the name: 2417
Moodle               ``Na Li_2417_assignsubmission_file_/lab03_database.ipynb``, or all in the file's name: 2417
Chaoxing and others  ``2023010203_李娜_lab03_database.ipynb``, ``李娜-2023010203-lab03_database.ipynb``: 2023010203
one folder each      ``2023010203 李娜/lab03_database.ipynb``: 2023010203; ``li_na/lab03_database.ipynb``: li_na
===================  ==================================================================================================

Copies such as ``lab03_database (1).ipynb`` and ``lab03_database-1.ipynb`` are collected as ``lab03_database.ipynb``.
A student may have put the notebook into folders, into zip files, or have saved it as ``.json`` or ``.ipynb.txt``.
"""

import json
import re
import zipfile
from pathlib import Path, PurePosixPath

from nbgrader.plugins import ExtractorPlugin, FileNameCollectorPlugin

from cimlab.grading.repair_files import DEPTH, LARGEST, entry_name, is_skipped

NUMBER = r"(?P<student_id>[A-Za-z]{0,3}\d{4,})"  # a student number, perhaps with letters before it
FILE_FORMS = [
    r"(?:[^_]+_)*?(?P<student_id>[^_]+)_attempt_(?P<timestamp>\d{4}(?:-\d\d){5})_.+",
    r"[^_]+_(?:late_)?(?P<student_id>\d+)_\d+_(?!assignsubmission).+",
    r".+_(?P<student_id>\d+)_assignsubmission_file_?.*",
    rf"{NUMBER}[_\-\s]+.+",
    rf"[^_\-\s\d]+[_\-\s]+{NUMBER}[_\-\s]+.+",
    rf"{NUMBER}",
]
FOLDER_FORMS = [
    r".+_(?P<student_id>\d+)_assignsubmission_.+",
    rf"{NUMBER}(?:[_\-\s]+.*)?",
    rf"[^_\-\s\d]+[_\-\s]+{NUMBER}",
]
ANY_FOLDER = r"(?P<student_id>[\w\-]+)"
# Folders that a student makes below the own one; their names are nobody's.
NOBODY = re.compile(
    r"(archive|extracted|labs?|notebooks?|work|src|submissions?|hand-?ins?|作业.*|实验.*|lab\W?\d+.*)", re.IGNORECASE
)


class LmsExtractor(ExtractorPlugin):
    """Unpack what a learning platform exports: zip files in zip files, Chinese names, notebooks saved as text.

    One damaged file is named and left out; nbgrader's own extractor stops there, and the class is not collected.
    """

    def extract(self, archive_path, extracted_path):
        paths = [path for path in sorted(Path(archive_path).rglob("*")) if path.is_file() and not path.is_symlink()]
        if not paths:
            self.log.warning("No files found in directory: %s", archive_path)
        for path in paths:
            folder = Path(extracted_path, path.parent.relative_to(archive_path))
            if path.suffix.lower() == ".zip":
                self._unpack(path, folder / path.stem, 0)
            elif path.stat().st_size > LARGEST:
                self.log.warning("%s is too large and was left out", path)
            else:
                self._write(path.name, path.read_bytes(), folder)

    def _unpack(self, file, folder, depth):
        try:
            with zipfile.ZipFile(file) as archive:
                for entry in archive.infolist():
                    parts = [part for part in PurePosixPath(entry_name(entry)).parts if part not in ("/", "..")]
                    if entry.is_dir() or not parts or is_skipped("/".join(parts)):
                        continue
                    if entry.file_size > LARGEST and not parts[-1].lower().endswith(".zip"):
                        self.log.warning("%s in %s is too large and was left out", parts[-1], folder)
                        continue
                    # What Windows forbids in names of files must not stop the class there.
                    place = Path(folder, *(re.sub(r'[<>:"|?*\x00-\x1f]', "-", part).strip(" .") for part in parts[:-1]))
                    with archive.open(entry) as inside:
                        if parts[-1].lower().endswith(".zip") and depth < DEPTH:
                            self._unpack(inside, place / parts[-1][:-4], depth + 1)
                        else:
                            self._write(parts[-1], inside.read(LARGEST), place)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, ValueError) as error:
            self.log.warning("%s cannot be unpacked (%s): ask the student to hand it in again", folder, error)

    def _write(self, name, data, folder):
        """Write a file; a notebook saved as text or JSON gets the ending of a notebook."""
        name = re.sub(r'[<>:"|?*\x00-\x1f]', "-", name)
        if name.lower().endswith((".ipynb.txt", ".ipynb.json")):
            name = name[: name.lower().index(".ipynb")] + ".ipynb"
        elif name.lower().endswith((".json", ".txt")) and _is_notebook(data):
            name = f"{Path(name).stem}.ipynb"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _is_notebook(data):
    try:
        raw = json.loads(data)
    except ValueError:
        return False
    return isinstance(raw, dict) and "nbformat" in raw and ("cells" in raw or "worksheets" in raw)


class LmsCollector(FileNameCollectorPlugin):
    """Tell the student and the notebook from the name of a file in an export of a learning platform."""

    def collect(self, submitted_file):
        path = Path(submitted_file)
        if path.suffix.lower() not in self.valid_ext or is_skipped(path.name) or is_skipped(path.parent.name + "/x"):
            return None
        if not hasattr(self, "_plan"):
            self._plan = self._make_plan()
        found = self._plan.get(path) or self._read(path)
        if found is None:
            self.log.warning("No student id in the name %s: give the file or its folder the student's number.", path)
        return found

    def _make_plan(self):
        """Return {path: what `read_name` says}; a second notebook of a student keeps a name of its own.

        Which of them counts is seen when they are graded (`repair_files.find`). nbgrader would stop at the second one.
        """
        groups = {}
        for path in self._root().rglob("*.ipynb"):
            found = self._read(path)
            if found and "timestamp" not in found:  # with a time, nbgrader takes the newest
                groups.setdefault((found["student_id"], found["file_id"]), []).append((path, found))
        plan = {}
        for (student, name), members in groups.items():
            members.sort(key=lambda member: (len(member[0].name), member[0].as_posix()))
            for number, (path, found) in enumerate(members):
                plan[path] = found if number == 0 else {**found, "file_id": f"{Path(name).stem} ({number}).ipynb"}
            if len(members) > 1:
                self.log.warning("%s has handed in %d notebooks that may be %s", student, len(members), name)
        return plan

    def _root(self):
        return Path(self.parent._format_collect_path(self.parent.extracted_directory))

    def _read(self, path):
        course, lab = self.parent.coursedir, self.parent.coursedir.assignment_id
        released = Path(course.format_path(course.release_directory, ".", lab))
        try:
            folders = path.parent.relative_to(self._root()).parts
        except ValueError:
            folders = (path.parent.name,)
        return read_name(folders, path.stem, lab, [book.stem for book in released.glob("*.ipynb")])


def read_name(folders, stem, lab, notebooks=()):
    """Return whose notebook it is and under which name it is collected.

    Parameters
    ----------
    folders : str or sequence of str
        The folders in which the file lies, the outermost first.
    stem : str
        The name of the file without ``.ipynb``.
    lab : str
        The assignment that is collected.
    notebooks : sequence of str
        The names of its notebooks, where they are known; a capstone has several.

    Returns
    -------
    dict of str to str or None
        student_id and file_id, and timestamp where the name holds one; None if there is no student in the names.

    Examples
    --------
    >>> read_name("archive", "2023010203_李娜_lab03_database", "lab03_database")
    {'student_id': '2023010203', 'file_id': 'lab03_database.ipynb'}
    >>> read_name(["export", "li_na", "lab03"], "lab03_database (1)", "lab03_database")
    {'student_id': 'li_na', 'file_id': 'lab03_database.ipynb'}
    """
    folders = [folders] if isinstance(folders, str) else list(folders)
    matches = [re.fullmatch(form, stem, re.IGNORECASE) for form in FILE_FORMS]
    # The innermost folder with a number; else the innermost whose name may be somebody's.
    matches += [re.fullmatch(form, folder, re.IGNORECASE) for folder in folders[::-1] for form in FOLDER_FORMS]
    matches += [re.fullmatch(ANY_FOLDER, folder) for folder in folders[::-1] if not _is_nobodys(folder, lab)]
    match = next((match for match in matches if match), None)
    if match is None or match["student_id"].lower() in ("archive", "extracted"):
        return None
    found = match.groupdict()
    # Which notebook a file of another name is, is seen by its content when it is graded (see `repair_files.find`).
    named = [name for name in sorted(notebooks or [lab], key=len, reverse=True) if name.lower() in stem.lower()]
    found["file_id"] = f"{named[0] if named else stem}.ipynb"
    if "timestamp" in found:
        day, clock = found["timestamp"][:10], found["timestamp"][11:].replace("-", ":")
        found["timestamp"] = f"{day} {clock}"
    return found


def _is_nobodys(folder, lab):
    return folder == lab or bool(NOBODY.fullmatch(folder))
