"""`cimlab own`: a retailer of their own for each student – the seeds to hand out, and what is right for whom."""

import os
import sys
from pathlib import Path

from cimlab.grading.course import CourseError, find_course, lab_names, open_folders


def add_arguments(parser):
    parser.add_argument("labs", nargs="*", metavar="LAB", help="find out what is right for whom in these labs")
    parser.add_argument(
        "--class",
        dest="members",
        type=Path,
        metavar="FILE",
        help="a list of students (as for `cimlab generate --for-students`): write the file with each one's seed",
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where these files go (default: own_data/seeds)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="solutions at once")
    parser.epilog = (
        "Needs secret.txt (one line that nobody guesses) or seeds.csv in the folder of the course; keep both to "
        "yourself. A student puts own_seed.txt into the folder of the course, or gets a kit that holds it (`cimlab kit "
        "--students`): cimlab.load then makes the retailer of that seed, and the grader uses the same one. The "
        "envelope of such a retailer is open to its student."
    )


def run(arguments):
    from cimlab.grading import own_data

    try:
        course = find_course()
        own_data.need_seeds(course)
        if not arguments.labs and not arguments.members:
            raise CourseError("Name a lab, or a list of students by --class.")
        if arguments.members:
            _hand_out(course, arguments.members, arguments.out or course / own_data.FOLDER / "seeds")
        for lab in lab_names(course, arguments.labs) if arguments.labs else []:
            _find(course, lab, arguments.jobs)
    except (CourseError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _hand_out(course, members, out):
    from cimlab import _own
    from cimlab.grading import own_data
    from cimlab.retailer.students import read_students

    students = read_students(members)
    for student in students:
        path = out / student / _own.FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{own_data.seed_of(course, student)}\n", encoding="utf-8")
    sys.stdout.write(f"{out}: {_own.FILE} for {len(students)} students, each in a folder of their own.\n")


def _find(course, lab, jobs):
    from tqdm import tqdm

    from cimlab.grading import own_data
    from cimlab.grading.grade_find import hand_ins

    students = list(hand_ins(open_folders(course), lab))
    if not students:
        raise CourseError(f"Nobody has handed in {lab} yet: there is nothing in submitted/.")

    def progress(items):
        return tqdm(items, desc=lab, total=len(students), unit="student", disable=not sys.stderr.isatty())

    names = own_data.find_answers(course, lab, students, jobs, progress)
    told = ", ".join(names) if names else "none: its checks look at functions, or at data that are the same for all"
    sys.stdout.write(f"{lab}: {len(students)} students; a neighbour's answer can be told in {told}.\n")
