"""A retailer of their own for each student, while they are graded: whose seed is it, and what is right for the others.

In the folder of the course stands either ``seeds.csv`` (columns student_id and seed, as written by `cimlab generate
--for-students` beside the truth), or ``secret.txt``: one line of text, from which and from the id of a student the seed
follows. With neither, every hand-in is graded with the data of the course. Both files stay with the instructor.
"""

import concurrent.futures
import csv
import functools
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cimlab import _neighbours, _own
from cimlab.grading.course import CONFIG, CourseError, open_folders
from cimlab.grading.kernel import DATA

SEEDS, SECRET = "seeds.csv", "secret.txt"
FOLDER = "own_data"  # of the course: what is right for whom, for each lab; can be made again
CROWDED = 0.05  # share of the whole numbers between the least and the largest of a class that are right for somebody
MOST = 100_000  # characters of an environment variable, well below what systems allow


def has_own_data(course):
    """Return whether the students of a course have retailers of their own."""
    return any((Path(course) / name).is_file() for name in (SEEDS, SECRET))


def need_seeds(course):
    """Refuse a course in which students have no retailers of their own.

    Raises
    ------
    CourseError
        With what to write, and where.
    """
    if not has_own_data(course):
        raise CourseError(
            f"There is neither {SECRET} nor {SEEDS} in {course}: write a line that nobody guesses into {SECRET}, and "
            "keep a copy of it."
        )


def everybody(course):
    """Return the ids of the students that a course knows: those of seeds.csv; without it, those of the gradebook.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course.

    Returns
    -------
    list of str
        In the order of seeds.csv; those of the gradebook in that of their ids.

    Raises
    ------
    CourseError
        If nobody is known.
    """
    students = list(_read_seeds(Path(course) / SEEDS, _time_of(Path(course) / SEEDS)))
    if students:
        return students
    address = open_folders(course).db_url
    if not address.startswith("sqlite:") or Path(address.removeprefix("sqlite:///")).is_file():  # else it would be made
        from nbgrader.api import Gradebook

        with Gradebook(address) as gradebook:
            students = sorted(student.id for student in gradebook.students)
    if not students:
        raise CourseError(
            f"No student is known: there is no {SEEDS} in {course}, and nobody is in the gradebook. Name the students, "
            "or give a list of them."
        )
    return students


def seed_of(course, student):
    """Return the seed of a student's retailer, or None where students have none of their own.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course.
    student : str
        The id of the student.

    Raises
    ------
    CourseError
        If the student is not in seeds.csv and there is no secret, or a file cannot be used.
    """
    course = Path(course)
    seeds = _read_seeds(course / SEEDS, _time_of(course / SEEDS))
    if student in seeds:
        return seeds[student]
    try:
        secret = (course / SECRET).read_text(encoding="utf-8-sig").strip()
    except OSError:
        secret = ""
    if secret:
        from cimlab.retailer.students import derive_seed

        return derive_seed(secret, student)
    if seeds:
        raise CourseError(f"{course / SEEDS} has no seed for {student}: add a line, or a {SECRET}.")
    return None


@functools.lru_cache(maxsize=4)
def _read_seeds(path, _changed):
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        return {row["student_id"].strip(): int(row["seed"]) for row in rows}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CourseError(f"{path} has to have the columns student_id and seed, a whole number in each line.") from None


def _time_of(path):
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def environment(course, lab, student):
    """Return the environment variables with which a student's hand-in is graded; the retailer is made if need be.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course.
    lab, student : str

    Returns
    -------
    dict of str to str
        CIMLAB_SEED, CIMLAB_DATA (the folder of the edition) and CIMLAB_OTHERS (see `cimlab._neighbours`), or nothing
        where students have no data of their own.

    Raises
    ------
    CourseError
        As `seed_of`.
    """
    seed = seed_of(course, student)
    if seed is None:
        return {}
    found = {_own.VARIABLE: str(seed), DATA: str(_own.own_folder(seed))}
    others = others_than(course, lab, student)
    return found | ({_neighbours.OTHERS: others} if others else {})


def check_seed(folder):
    """Refuse the folder of a hand-in, submitted/STUDENT/LAB, if the others have seeds and this student has none.

    Raises
    ------
    CourseError
        As `seed_of`.
    """
    course = next((up for up in Path(folder).parents if (up / CONFIG).is_file()), None)
    if course:
        seed_of(course, Path(folder).parent.name)


# ---------------------------------------------------------------------------------------------------------------------
# what is right for whom


def others_than(course, lab, student):
    """Return what `cimlab._neighbours` looks up for one student, as JSON: never what is right for that student."""
    path = Path(course) / FOLDER / f"{lab}.json"
    answers = {}
    for name, students in _telling(path, _time_of(path)).items():
        own = set(students.get(student, ()))
        others = {one for other, prints in students.items() if other != student for one in prints}
        if own and others - own:  # where nobody has recorded what is right for this student, nothing is said
            answers[name] = sorted(others - own)
    text = json.dumps(answers) if answers else ""
    return text if len(text) <= MOST else ""


@functools.lru_cache(maxsize=4)
def _telling(path, _changed):
    """Return answer → student → fingerprints, for the answers that are others for others."""
    found, numbers = {}, {}
    for student, known in _read_answers(path)["found"].items():
        for line in known["lines"]:
            prints = found.setdefault(line["name"], {}).setdefault(student, [])
            prints += [one for one in line["fingerprints"] if one not in prints]
            if line["number"] is not None:
                numbers.setdefault(line["name"], set()).add(line["number"])
    return {
        name: prints
        for name, prints in found.items()
        if len({tuple(sorted(own)) for own in prints.values()}) > 1 and not _is_crowded(numbers.get(name, ()))
    }


def _read_answers(path, solution=None):
    """Return what a file of right answers holds; nothing if it is not there or was made of another solution."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(kept["found"], dict) and solution in (None, kept["solution"]):
            return kept
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"solution": solution, "found": {}}


def find_answers(course, lab, students, jobs=1, progress=lambda items: items):
    """Run the solution of a lab on each student's retailer and keep fingerprints of what is right there.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course; own_data/LAB.json is written. What it holds already is not made again.
    lab : str
    students : list of str
    jobs : int
        Solutions that run at once.
    progress : callable
        Wraps what is worked through.

    Returns
    -------
    list of str
        The answers that are others for others: only there a neighbour's answer can be told.

    Raises
    ------
    CourseError
        If the solution does not run on somebody's data, with its last words.
    """
    from cimlab._whole import whole_file

    path = Path(course) / FOLDER / f"{lab}.json"
    kept = _read_answers(path, _hash_of(course, lab))
    seeds = {student: seed_of(course, student) for student in students}
    todo = [who for who, seed in seeds.items() if seed is not None and kept["found"].get(who, {}).get("seed") != seed]

    def run(student):
        return student, _run_solution(course, lab, _own.own_folder(seeds[student]))

    path.parent.mkdir(exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(max(1, jobs)) as pool:
        for student, lines in progress(pool.map(run, todo)):
            kept["found"][student] = {"seed": seeds[student], "lines": lines}
            with whole_file(path) as place:  # what is done stays done, whatever comes
                place.write_text(json.dumps(kept), encoding="utf-8")
    return sorted(_telling(path, _time_of(path)))


def _hash_of(course, lab):
    notebooks = sorted((Path(course) / "solutions" / lab).glob("*.ipynb"))
    return hashlib.blake2b(b"".join(path.read_bytes() for path in notebooks), digest_size=12).hexdigest()


def _is_crowded(numbers):
    """Return whether right whole numbers lie so near to one another that a wrong one hits one of them by chance."""
    return len(numbers) > 1 and len(numbers) / (max(numbers) - min(numbers) + 1) > CROWDED


def _run_solution(course, lab, data):
    """Run the solution in a process of its own; return what its checks have compared with."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "record.jsonl")
        for path in sorted((Path(course) / "solutions" / lab).glob("*.ipynb")):
            done = subprocess.run(
                [sys.executable, "-m", "cimlab.grading.own_data", str(path.absolute())],
                cwd=folder,
                env={**os.environ, DATA: str(data), _neighbours.RECORD: str(record), "MPLBACKEND": "Agg"},
                capture_output=True,
                encoding="utf-8",
                errors="replace",
            )
            if done.returncode:
                last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
                raise CourseError(f"The solution of {lab} does not run on {data}: {last}")
        if record.is_file():
            lines = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    return lines


def run_notebook(path):
    """Run the code of a notebook in this process, as IPython would; stop at the first error."""
    import nbformat
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            shell.run_cell(cell.source, silent=True).raise_error()


if __name__ == "__main__":
    run_notebook(sys.argv[1])
