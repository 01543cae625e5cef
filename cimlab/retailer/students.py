"""An edition for each student of a class: their list, their seeds, their folders."""

import csv
import hashlib
import io
import re
import shutil
from pathlib import Path

from cimlab.retailer.folders import (
    JUNK,
    SEEDS,
    TRUTH_NAME,
    check_folders,
    check_replaceable,
    check_space,
    is_free,
    open_work,
    replace_folders,
    work_of,
)
from cimlab.retailer.run import run_tasks, write_file
from cimlab.retailer.write import build, estimate, make_plan

# Names of the column of the ids, the surest first; any of them in the first line makes it a header.
HEADERS = ("student_id", "学号", "student", "id", "student id", "student number", "number")
OTHER_HEADERS = ("name", "first_name", "last_name", "姓名", "班级", "email", "class")
# What cannot stand in the name of a folder on every system.
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST = 60
SHOWN = 5  # faults in one message


def read_students(path):
    """Read the ids of the students of a class.

    Parameters
    ----------
    path : path-like
        A CSV file with a column `student_id` (学号, id, …), or with the ids in its first column; also a plain list.
        UTF-8 or GB 18030; comma, semicolon or tab.

    Returns
    -------
    list of str
        The ids, in the order of the file.

    Raises
    ------
    ValueError
        If the file names nobody, or if an id is blank, there twice, or no name for a folder; with the lines.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gb18030", errors="replace")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(cell.strip() for cell in row)]
    place, rows = find_column(rows)
    students = [(line, row[place] if place < len(row) else "") for line, row in rows]
    faults = find_faults(students)
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise ValueError(f"{path}: {'; '.join(faults[:SHOWN])}{more}. Nothing was written.")
    if not students:
        raise ValueError(f"{path} names no student: give one id a line, or a CSV file with a column student_id.")
    return [student for _, student in students]


def find_column(rows):
    """Return (place of the column of ids, rows without the header)."""
    if not rows:
        return 0, []
    head = [cell.casefold() for cell in rows[0][1]]
    known = [name for name in HEADERS if name in head]
    if known:
        return head.index(known[0]), rows[1:]
    digits = [any(character.isdigit() for character in row[0]) for _, row in rows]
    # a first line with other names of columns, or one word above numbers only
    is_header = bool(set(head) & set(OTHER_HEADERS)) or (len(rows) > 1 and not digits[0] and all(digits[1:]))
    return 0, rows[1:] if is_header else rows


def find_faults(students):
    """Return in words which of (line, id) cannot be used."""
    faults, seen = [], {}
    for line, student in students:
        if not student:
            faults.append(f"line {line} has no id")
        elif FORBIDDEN.search(student) or RESERVED.fullmatch(student) or student[0] in ".-" or student[-1] == ".":
            faults.append(f"line {line}: {student!r} cannot be the name of a folder")
        elif len(student) > LONGEST:
            faults.append(f"line {line}: {student[:20]!r}… has more than {LONGEST} characters")
        elif student.casefold() in seen:
            faults.append(f"line {line}: {student!r} is already in line {seen[student.casefold()]}")
        seen.setdefault(student.casefold(), line)
    return faults


def derive_seed(seed, student):
    """Return the seed of a student's edition: below 2^48, so that a spreadsheet keeps it.

    >>> derive_seed(1, "2023010203") == derive_seed(1, "2023010203") != derive_seed(1, "2023010204")
    True
    """
    return int.from_bytes(hashlib.blake2b(f"cimlab student\x1f{seed}\x1f{student}".encode(), digest_size=6).digest())


def write_class(
    students,
    folder,
    truth_folder=None,
    *,
    customers,
    seed,
    level="normal",
    tables=None,
    core=None,
    progress=None,
    say=lambda text: None,
    **engine,
):
    """Write an edition of files for each student, `folder/<id>/`, all of them or none.

    Parameters
    ----------
    students : list of str
        What `read_students` returns.
    folder, truth_folder : path-like
        The truth goes to `truth_folder/<id>/`, the seeds to `truth_folder/seeds.csv`. The editions themselves do not
        tell their seed.
    customers, seed, level, tables, core, progress, say, **engine
        As in `cimlab.retailer.write.write_edition`; the seed of a student follows from `seed` and the id.

    Returns
    -------
    list of (pathlib.Path, list of dict)
        Each folder with the tables of all its editions.

    Raises
    ------
    ValueError, OSError
        As `write_edition`.
    """
    targets = check_folders(folder, truth_folder, check=check_class)
    plan = make_plan(customers, seed, level=level, form="files", tables=tables, truth=len(targets) > 1, core=core)
    plan |= {"tell_seed": False}
    check_space(targets, [need * len(students) for need in estimate(plan)])

    def is_worth_keeping():
        done = work_of(targets[0]) / "edition"
        return done.is_dir() and any(done.iterdir())

    with open_work(targets, plan | {"students": students}, keep=is_worth_keeping) as works:
        todo = [job for job in list_students(students, plan, works) if not is_done(job)]
        if len(todo) < len(students):
            say(f"Going on with a run that was interrupted: {len(students) - len(todo)} of {len(students)} are done.")
        progress = progress or (lambda items, total, label: items)
        for _ in progress(run_tasks(make_student, todo, **engine), len(todo), "students"):
            pass
        for work in works[1:]:
            lines = ["student_id,seed", *(f"{quote(student)},{derive_seed(seed, student)}" for student in students)]
            write_file(work / "edition" / SEEDS, ("\n".join(lines) + "\n").encode("utf-8-sig"))
        infos = [summarise(work / "edition") for work in works]
        replace_folders(works, targets)
    return list(zip(targets, infos, strict=True))


def list_students(students, plan, works):
    """Return the jobs of `make_student`."""
    jobs = []
    for student in students:
        own = plan | {"seed": derive_seed(plan["seed"], student)}
        jobs.append({"student": student, "plan": own, "works": [str(work) for work in works]})
    return jobs


def is_done(job):
    """Return whether the edition of a student is there from an earlier run; the data is moved last."""
    return Path(job["works"][0], "edition", job["student"]).is_dir()


def make_student(job):
    """Make the edition of one student: the task of a worker."""
    works = [Path(work, "students", job["student"]) for work in job["works"]]
    for work in works:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
    build(job["plan"], works)
    for work, whole in reversed(list(zip(works, job["works"], strict=True))):
        place = Path(whole, "edition", job["student"])
        place.parent.mkdir(exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        (work / "edition").replace(place)
        shutil.rmtree(work)


def summarise(folder):
    """Return the tables of all editions in a folder: their number, rows and bytes."""
    import json

    totals = {}
    for path in sorted(folder.glob("*/datapackage.json")):
        for resource in json.loads(path.read_text(encoding="utf-8"))["resources"]:
            total = totals.setdefault(resource["name"], {"table": resource["name"], "rows": 0, "bytes": 0})
            total["rows"] += resource["rows"]
            total["bytes"] += resource["bytes"]
    return list(totals.values())


def quote(text):
    """Return a cell of a CSV file."""
    return f'"{text}"' if "," in text else text


def check_class(folder, name):
    """Raise ValueError unless a folder is missing, empty, or holds nothing but editions of ours."""
    if is_free(folder):
        return
    for entry in sorted(folder.iterdir()):
        if entry.name in JUNK or (entry.name == SEEDS and name == TRUTH_NAME):
            continue
        if not entry.is_dir():
            raise ValueError(f"{folder} holds {entry.name!r}, which is no student's edition; name another folder.")
        check_replaceable(entry, name)
