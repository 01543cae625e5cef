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
"""

import re
from pathlib import Path

from nbgrader.plugins import FileNameCollectorPlugin

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
    r"(?P<student_id>[\w\-]+)",
]


class LmsCollector(FileNameCollectorPlugin):
    """Tell the student and the notebook from the name of a file in an export of a learning platform."""

    def collect(self, submitted_file):
        path = Path(submitted_file)
        if path.suffix.lower() not in self.valid_ext or path.name.startswith("."):
            return None
        found = read_name(path.parent.name, path.stem, self.parent.coursedir.assignment_id)
        if found is None:
            self.log.warning("No student id in the name %s: give the file or its folder the student's number.", path)
        return found


def read_name(folder, stem, lab):
    """Return whose notebook it is and under which name it is collected.

    Parameters
    ----------
    folder : str
        The name of the folder in which the file lies.
    stem : str
        The name of the file without ``.ipynb``.
    lab : str
        The assignment that is collected.

    Returns
    -------
    dict of str to str or None
        student_id and file_id, and timestamp where the name holds one; None if there is no student in the names.

    Examples
    --------
    >>> read_name("archive", "2023010203_李娜_lab03_database", "lab03_database")
    {'student_id': '2023010203', 'file_id': 'lab03_database.ipynb'}
    >>> read_name("li_na", "lab03_database (1)", "lab03_database")
    {'student_id': 'li_na', 'file_id': 'lab03_database.ipynb'}
    """
    matches = [re.fullmatch(form, stem, re.IGNORECASE) for form in FILE_FORMS]
    if folder not in ("archive", "extracted"):  # nbgrader's own folders say nothing about students
        matches += [re.fullmatch(form, folder, re.IGNORECASE) for form in FOLDER_FORMS]
    match = next((match for match in matches if match), None)
    if match is None:
        return None
    found = match.groupdict()
    # In a folder with one notebook of a wrong name, autograde finds it (see repair.find_notebook).
    found["file_id"] = f"{lab if lab.lower() in stem.lower() else stem}.ipynb"
    if "timestamp" in found:
        day, clock = found["timestamp"][:10], found["timestamp"][11:].replace("-", ":")
        found["timestamp"] = f"{day} {clock}"
    return found
