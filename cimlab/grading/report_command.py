"""`cimlab report LAB`: after grading, one page on the class – questions, mistakes, late and waiting work, likeness."""

import shutil
import sys
import tempfile
from pathlib import Path

from cimlab.grading.course import CourseError, find_course, lab_names, reports_folder


def add_arguments(parser):
    parser.add_argument("lab", metavar="LAB", help="a graded lab, for example lab03_database")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write (default: reports/LAB)")
    parser.add_argument("--csv", action="store_true", help="also the points of each question, for a learning platform")
    parser.add_argument("--bom", action="store_true", help="CSV by which Excel shows Chinese names (as --csv)")
    parser.add_argument("--anonymous", action="store_true", help="numbers in place of the students' ids and names")
    parser.epilog = (
        "Reads the gradebook and autograded/ and changes nothing there. The files hold personal data: keep them out of "
        "Git. The numbers of --anonymous are drawn anew each time; nobody can turn them back, you neither."
    )


def run(arguments):
    try:
        course = find_course()
        lab = lab_names(course, [arguments.lab])[0]
        out = reports_folder(course, lab, arguments.out)
        data = figures(course, lab, arguments.anonymous)
        files = make_files(data, lab, arguments.csv or arguments.bom, arguments.bom, arguments.anonymous)
        write_all(out, files)
    except (CourseError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"{out / name}\n" for name in files) + summary(data))
    return 0


def figures(course, lab, anonymous=False):
    """Read a graded lab and compute everything that the page shows.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course.
    lab : str
        Name of a lab that exists.
    anonymous : bool
        Numbers in place of the students, in sentences too.

    Returns
    -------
    dict
        What `report_read.gather` returns, and points, mistakes_seen, sentences, unnamed, pairs, shown (student → words
        for the page).

    Raises
    ------
    CourseError
        If there is nothing to report.
    """
    from cimlab.grading import report, report_read, report_similarity

    data = report_read.gather(course, lab)
    if anonymous:
        data = hide_students(data, report.numbers_for(data["hand_ins"].index))
    hand_ins = data["hand_ins"]
    names = hand_ins["last_name"] + hand_ins["first_name"].map(lambda name: name if not name.isascii() else f" {name}")
    data["shown"] = {student: f"{student} {name}".strip() for student, name in names.items()}
    data["points"] = report.points_table(data["grades"], data["cells"])
    named = report.name_mistakes(data["errors"], data["mistakes"])
    data["mistakes_seen"] = report.mistakes_seen(named, data["cells"])
    data["sentences"] = report.common_sentences(named)
    data["unnamed"] = report.unnamed(named, data["cells"])
    data["pairs"] = report_similarity.alike(data["answers"], data["given"])
    return data


def hide_students(data, numbers):
    """Put numbers in the place of ids and names everywhere, also in what checks and repairs said.

    Parameters
    ----------
    data : dict
        As `report_read.gather` returns it.
    numbers : dict of str to str
        Student → number.

    Returns
    -------
    dict
    """
    from cimlab.grading.report import without_names

    words = {student: number for student, number in numbers.items() if len(student) > 1}
    for student, row in data["hand_ins"].iterrows():
        last, first = row["last_name"], row["first_name"]
        for name in (last + first, f"{last} {first}", f"{first} {last}", first + last, first, last):
            # One Chinese character, or two letters, stand in too many other words.
            if len(name.strip()) > (2 if name.isascii() else 1):
                words[name.strip()] = numbers[student]
    hand_ins = data["hand_ins"].rename(index=numbers).sort_index().assign(last_name="", first_name="")
    renamed = {"hand_ins": hand_ins, "minutes": {numbers[name]: value for name, value in data["minutes"].items()}}
    for part in ("grades", "errors", "answers"):
        renamed[part] = data[part].assign(student=data[part]["student"].map(numbers))
    hidden = [without_names(sentence, words) for sentence in renamed["errors"]["sentence"]]
    renamed["errors"] = renamed["errors"].assign(sentence=hidden)
    renamed["review"] = sorted((numbers[student], without_names(why, words)) for student, why in data["review"])
    return {**data, **renamed}


def make_files(data, lab, with_csv, with_mark, anonymous):
    """Return {name of a file: its bytes}."""
    from cimlab.grading.report import csv_text, marks
    from cimlab.grading.report_page import page

    stem = f"{lab}_anonymous" if anonymous else lab
    files = {f"{stem}.html": page(data, lab, data["heading"]).encode("utf-8")}
    if with_csv:
        columns = ["status", "penalty"] if anonymous else ["last_name", "first_name", "status", "penalty"]
        table = marks(data["points"], data["cells"], data["hand_ins"][columns])
        files[f"{stem}_points.csv"] = csv_text(table).encode("utf-8-sig" if with_mark else "utf-8")
    return files


def write_all(out, files):
    """Write files into a folder: all of them are whole, or nothing has changed.

    Parameters
    ----------
    out : pathlib.Path
        Made if it is not there; other files in it stay.
    files : dict of str to bytes
    """
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    temporary = None
    try:
        out.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=out, prefix=".report-"))
        for name, content in files.items():
            (temporary / name).write_bytes(content)
            (temporary / name).chmod(0o600)  # marks are nobody else's business
        for name in files:
            (temporary / name).replace(out / name)
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        for folder in made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def summary(data):
    """Return the lines that the terminal shows."""
    from cimlab.grading.export import UNREAD

    totals, waiting = data["points"].sum(axis=1), data["grades"].loc[data["grades"]["waits"], "student"].nunique()
    late = int((data["hand_ins"]["late"] > 0).sum())
    unread = int((data["hand_ins"]["status"] == UNREAD).sum())
    parts = [f"{len(totals)} graded, mean {totals.mean():.1f} of {data['cells']['max'].sum():g} points"]
    parts += [f"{number} {words}" for number, words in (
        (waiting, "waiting for a grader"), (unread, "not graded"), (late, "late"),
        (len(data["pairs"]), f"pair{'s' * (len(data['pairs']) != 1)} of hand-ins to lay side by side"),
    ) if number]  # fmt: skip
    return "; ".join(parts) + "\n"
