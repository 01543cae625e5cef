"""`cimlab kit`: pack what a student gets into one zip file, the same bytes each time."""

import os
import stat
import sys
import tempfile
import zipfile
from pathlib import Path

from cimlab.grading.course import CourseError, find_course, lab_names
from cimlab.grading.release import check

TOP = "cimlab-course"  # the folder that a student finds after unpacking
# What is packed is named, so that nothing else can slip in: no solutions/, truth/, tests/, no gradebook, no hand-ins.
FOLDERS = ("chapters", "labs", "cimlab", "LICENSES")
FILES = (
    "start.py",
    "Makefile",
    "pyproject.toml",
    "requirements.txt",
    "environment.yml",
    "nbgrader_config.py",
    "index.ipynb",
    "dashboard.ipynb",
    "README.md",
    "LICENSE",
    "CITATION.cff",
    "docs/images/*",
)
JUNK = {"__pycache__", ".ipynb_checkpoints", ".DS_Store", "Thumbs.db", "work", "_datasets"}
KINDS = {
    ".py",
    ".ipynb",
    ".csv",
    ".tsv",
    ".xlsx",
    ".json",
    ".jsonl",
    ".html",
    ".md",
    ".txt",
    ".yaml",
    ".yml",
    ".toml",
    ".ttf",
    ".otf",
    ".png",
    ".svg",
    ".css",
}


def add_arguments(parser):
    parser.add_argument(
        "out",
        nargs="?",
        type=Path,
        default=Path("dist", f"{TOP}.zip"),
        metavar="OUT.zip",
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="another edition of the retailer (made by `cimlab generate FOLDER`)"
    )


def run(arguments):
    try:
        names = pack(find_course(), arguments.out, arguments.data)
    except (CourseError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    size = arguments.out.stat().st_size / 1e6
    sys.stdout.write(f"{arguments.out}: {len(names)} files, {size:.1f} MB. Students unpack it and follow README.md.\n")
    return 0


def pack(course, out, data=None):
    """Write the student's kit.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course.
    out : pathlib.Path
        The zip file to write.
    data : pathlib.Path, optional
        Folder with the edition of the data; by default datasets/ of the course.

    Returns
    -------
    list of str
        The names in the zip file.

    Raises
    ------
    CourseError
        If labs/ is out of step with solutions/ (it might hold somebody's answers), or the data are not there.
    """
    data = Path(data or course / "datasets")
    if not (data / "datapackage.json").is_file():
        raise CourseError(f"{data} holds no edition of the data (no datapackage.json): make one by `cimlab generate`.")
    differences = check(course, lab_names(course))
    if differences:
        raise CourseError("\n".join([*differences, "Run `cimlab release` first; nothing was packed."]))
    files = {f"{TOP}/{path.relative_to(course).as_posix()}": path for path in _course_files(course)}
    files |= {f"{TOP}/datasets/{path.relative_to(data).as_posix()}": path for path in _tree(data)}
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=".kit-")
    os.close(handle)
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name in sorted(files):
                archive.writestr(_entry(name), files[name].read_bytes(), zipfile.ZIP_DEFLATED, 9)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(out)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return sorted(files)


def _course_files(course):
    for pattern in FILES:
        yield from (path for path in course.glob(pattern) if path.is_file())
    for folder in FOLDERS:
        yield from _tree(course / folder)


def _tree(folder):
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        plain = not JUNK.intersection(parts) and not any(part.startswith(".") for part in parts)
        if path.is_file() and plain and (path.suffix.lower() in KINDS or not path.suffix):
            yield path


def _entry(name):
    # A fixed time and fixed rights: the bytes depend on the content alone, on every system.
    entry = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    return entry
