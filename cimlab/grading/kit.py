"""`cimlab kit`: pack what a student gets into one zip file, the same bytes each time; or one for each student."""

import shutil
import stat
import sys
import tempfile
import zipfile
from pathlib import Path

from cimlab import _own
from cimlab._whole import whole_file
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
ALL = object()  # --class without a list
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
        help="(default: %(default)s); of several kits each has the student's id in its name: OUT-ID.zip",
    )
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="another edition of the retailer (made by `cimlab generate FOLDER`)"
    )
    own = parser.add_mutually_exclusive_group()
    own.add_argument(
        "--students",
        nargs="+",
        metavar="ID",
        help="a kit for each of these students, with the seed of a retailer of their own (see `cimlab own`)",
    )
    own.add_argument(
        "--class",
        dest="members",
        nargs="?",
        const=ALL,
        type=Path,
        metavar="FILE",
        help="the same for a list of students (as for `cimlab own`); without FILE: for all of seeds.csv, or of the "
        "gradebook if there is none",
    )
    parser.epilog = (
        f"A student's kit holds one file more, {_own.FILE}: whoever unpacks it has that retailer in cimlab.load, and "
        "nothing has to be set. Neither secret.txt nor the seed of anybody else is in a kit."
    )


def run(arguments):
    try:
        course = find_course()
        if arguments.students or arguments.members:
            made = _pack_students(course, arguments)
            size = max(path.stat().st_size for path in made.values()) / 1e6
            names = ", ".join(path.name for path in list(made.values())[:3]) + ", …" * (len(made) > 3)
            said = (
                f"{len(made)} kit{'s' * (len(made) != 1)} ({names}), {size:.1f} MB each. Give each student their own."
            )
            place = arguments.out.parent
        else:
            names = pack(course, arguments.out, arguments.data)
            size = arguments.out.stat().st_size / 1e6
            said, place = f"{len(names)} files, {size:.1f} MB. Students unpack it and follow README.md.", arguments.out
    except (CourseError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{place}: {said}\n")
    return 0


def _pack_students(course, arguments):
    """Make the kits that were asked for."""
    if arguments.data:
        raise CourseError(
            "--data is for the kit of a whole class. A student's kit holds a seed, and cimlab.load makes a retailer of "
            "that: leave --data out."
        )
    if arguments.members is ALL:
        from cimlab.grading.own_data import everybody

        return pack_each(course, arguments.out, everybody(course))
    if arguments.members:
        from cimlab.retailer.students import read_students

        return pack_each(course, arguments.out, read_students(arguments.members))
    swallowed = next((word for word in arguments.students if word.endswith(".zip")), None)
    if swallowed:
        raise CourseError(f"{swallowed} is no student's id: write {swallowed} before --students.")
    return pack_each(course, arguments.out, arguments.students)


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
    with whole_file(out) as place, zipfile.ZipFile(place, "w") as archive:
        for name in sorted(files):
            archive.writestr(_entry(name), files[name].read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return sorted(files)


def pack_each(course, out, students):
    """Write a kit for each student: the course, and the seed of the student's own retailer.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course, with secret.txt or seeds.csv (see `cimlab.grading.own_data`).
    out : pathlib.Path
        The kit of student ID is called as this file, with -ID before its ending.
    students : list of str
        Their ids, as they are in submitted/ when they are graded.

    Returns
    -------
    dict of str to pathlib.Path
        Student → zip file. The same seed gives the same bytes.

    Raises
    ------
    CourseError
        As `pack`; or if an id is not fit for the name of a file, or a student has no seed. Then nothing is written.
    """
    from cimlab.grading import own_data

    own_data.need_seeds(course)
    check_ids(students)
    seeds = {student: own_data.seed_of(course, student) for student in students}
    made = {}
    with tempfile.TemporaryDirectory(prefix="cimlab-") as folder:
        common = Path(folder, "kit.zip")
        pack(course, common)  # once; what is the student's own comes behind it
        out.parent.mkdir(parents=True, exist_ok=True)
        for student, seed in seeds.items():
            made[student] = out.with_name(f"{out.stem}-{student}{out.suffix}")
            with whole_file(made[student]) as place:
                shutil.copyfile(common, place)
                with zipfile.ZipFile(place, "a") as archive:
                    archive.writestr(_entry(f"{TOP}/{_own.FILE}"), f"{seed}\n", zipfile.ZIP_DEFLATED, 9)
    return made


def check_ids(students):
    """Refuse ids that cannot be in the name of a file on every system, or of which two would give one name.

    Raises
    ------
    CourseError
        With the first of them.

    Examples
    --------
    >>> check_ids(["2023010203", "李娜"])
    >>> check_ids(["../exam"])
    Traceback (most recent call last):
    ...
    cimlab.grading.course.CourseError: '../exam' cannot be a student's id: it has to fit into the name of a file.
    """
    from cimlab.retailer.students import find_faults

    seen = set()
    for student in students:
        if find_faults([(1, student)]):
            raise CourseError(f"{student!r} cannot be a student's id: it has to fit into the name of a file.")
        if student.casefold() in seen:
            raise CourseError(
                f"{student!r} stands there twice (small and capital letters count as the same): once is enough."
            )
        seen.add(student.casefold())


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
