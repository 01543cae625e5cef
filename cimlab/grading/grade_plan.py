"""What is to be graded in a lab, what each hand-in needs for it, and what is written of it (see `grade`)."""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cimlab.grading.course import CONFIG, CourseError, read_notebooks
from cimlab.grading.feedback import split_hidden

MARGIN = 90  # seconds for everything but the cells


@dataclass
class Task:
    """One hand-in on its way: a folder that is a course of its own (see `grade_engine`)."""

    student: str
    folder: Path
    hand_in: str  # fingerprint
    notes: list
    variables: dict  # of the environment, where the student has data of their own


class Plan:
    """What is to be graded, and what each task needs for it."""

    def __init__(self, course, folders, lab, rows, ledger):
        from nbgrader.utils import find_all_files

        from cimlab.grading import grade_find
        from cimlab.grading.zygote import lab_imports

        self.course, self.folders, self.lab, self.rows, self.ledger = course, folders, lab, rows, ledger
        self.imports = lab_imports(_lab_notebook(rows["source_cell"]))
        self.given = Path(folders.format_path(folders.source_directory, ".", lab))
        self.largest = folders.max_file_size * 1000
        cells = [tuple(sorted(row.items())) for name in rows for row in rows[name] if name != "assignment"]
        files = find_all_files(str(self.given), [*folders.ignore, "*.ipynb"])
        self.version = grade_find.lab_version(cells, self.imports, files)

    def new(self, found, force):
        """Return {student: why it is refused, or None} of what is new or has changed."""
        from cimlab.grading import grade_find

        verdicts, new = self.ledger.verdicts(), {}
        for student, path in found.items():
            with contextlib.suppress(OSError):
                grade_find.set_aside_time(path)
            reason = None
            try:
                hand_in, _ = grade_find.take(path, ignore=self.folders.ignore, largest=self.largest)
            except grade_find.Refused as refused:
                hand_in, reason = "refused", str(refused)
            old = verdicts.get(student)
            if force or old is None or (old["hand_in"], old["lab"]) != (hand_in, self.version_for(student)):
                new[student] = reason
        return new

    def version_for(self, student):
        """Return the fingerprint of the lab, with that of the student's own data where there are such."""
        from cimlab.grading import own_data

        with contextlib.suppress(CourseError):  # who has no seed is refused by `task`
            if (seed := own_data.seed_of(self.course, student)) is not None:
                return hashlib.sha256(f"{self.version} {seed}".encode()).hexdigest()
        return self.version

    def carry_out(self, new, jobs, isolation, scheduler, warm, say):
        """Grade and write; return what kind of kernels there were."""
        from tqdm import tqdm

        from cimlab.grading.grade_run import Pool

        tqdm.monitor_interval = 0  # no thread for it
        for student, reason in new.items():
            if reason is not None:
                self.save(student, "refused", {"failure": reason, "seconds": 0.0})
        students = [student for student, reason in new.items() if reason is None]
        if not students:
            return None
        with tempfile.TemporaryDirectory(prefix="cimlab-grade-", ignore_cleanup_errors=True) as work:
            work = Path(work).resolve()
            self.template(work)
            config = self.config(work, isolation, warm)
            jobs = max(1, min(jobs, len(students)))
            if scheduler:
                from cimlab.grading.grade_dask import Cluster

                pool = Cluster(config, scheduler)
            else:
                pool = Pool(config, jobs)
            bar = tqdm(total=len(students), desc=self.lab, unit="hand-in", disable=not sys.stderr.isatty())
            with pool, bar:
                for line in notices(pool.ready, isolation):
                    say(line)
                tasks = (one for student in students if (one := self.task(student, work)) is not None)
                for task, happened in pool.run(tasks):
                    self.finish(task, happened, config["deadline"])
                    bar.update()
        return pool.ready["kernels"]

    def config(self, template, isolation, warm):
        """Return what the process that grades is told."""
        from cimlab.grading import own_data
        from cimlab.grading.zygote import warm_available

        settings = self.folders.config
        seconds = settings.ExecuteAll.get("notebook_timeout", 300) if "ExecuteAll" in settings else 300
        reason = warm_available()
        return {
            "template": str(template),
            "lab": self.lab,
            "warm": warm and reason is None,
            "reason": reason,
            "isolation": isolation,
            "hidden": self.hidden(),
            "imports": self.imports,
            "sources": {row["name"]: row["source"] for row in self.rows["source_cell"]},
            "solution": model_cells(self.given),
            "own_data": own_data.has_own_data(self.course),
            "deadline": (seconds + MARGIN) * len(self.rows["notebook"]),
        }

    def hidden(self):
        """Return what the code of a student must never see."""
        from cimlab.grading import isolate, own_data

        steps = ("source", "submitted", "autograded", "feedback")
        paths = [Path(self.folders.root, getattr(self.folders, f"{step}_directory")) for step in steps]
        paths += [self.course / name for name in (own_data.SEEDS, own_data.SECRET, own_data.FOLDER)]
        paths += [self.course / "truth", Path(self.folders.db_url.removeprefix("sqlite:///"))]
        home = Path.home()
        if home != home.parent and not any(home.is_relative_to(place) for place in isolate.SYSTEM):
            paths.append(home)
        if os.environ.get("CIMLAB_TRUTH"):
            paths.append(Path(os.environ["CIMLAB_TRUTH"]))
        return [str(path.absolute()) for path in paths if path.exists()]

    def template(self, folder):
        """Put what all tasks share into the folder above them: settings, student version, the lab's other files."""
        from cimlab.grading.grade_write import make_private

        shutil.copy(self.course / CONFIG, folder)
        released = Path(self.folders.format_path(self.folders.release_directory, ".", self.lab))
        if released.is_dir():
            shutil.copytree(released, folder / "labs" / self.lab)
        left_out = shutil.ignore_patterns(*self.folders.ignore, "*.ipynb")
        shutil.copytree(self.given, folder / "solutions" / self.lab, ignore=left_out)
        make_private(folder / "gradebook.db", self.folders.course_id, self.rows)

    def task(self, student, work):
        """Return the task of a student, its files copied; None if they have become such as are refused."""
        from cimlab.grading import grade_find, own_data
        from cimlab.grading.grade_write import OF_HAND_IN, add_rows

        (work / "tasks").mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=work / "tasks"))
        source = Path(self.folders.format_path(self.folders.submitted_directory, student, self.lab))
        place = folder / "submitted" / student / self.lab
        try:
            hand_in, notes = grade_find.take(source, place, ignore=self.folders.ignore, largest=self.largest)
            variables = own_data.environment(self.course, self.lab, student)
        except (grade_find.Refused, CourseError) as reason:
            self.save(student, "refused", {"failure": str(reason), "seconds": 0.0})
            return None
        shutil.copy(work / "gradebook.db", folder)
        rows = self.ledger.rows_of(student)
        if rows["student"]:
            add_rows(folder / "gradebook.db", rows, OF_HAND_IN)
        return Task(student, folder, hand_in, notes, variables)

    def finish(self, task, happened, deadline):
        """Write what came out of a task, and remove its folder."""
        path = task.folder / "result.json"
        if path.is_file():
            result = json.loads(path.read_text(encoding="utf-8"))
        else:
            why = {
                "late": f"it was not done after {deadline} s, and was stopped.",
                "ended": "the grader itself was ended while it ran.",
            }.get(happened, "the grader ended without a result (out of memory?).")
            result = {"failure": why, "seconds": float(deadline) if happened == "late" else 0.0}
        graded = task.folder / "autograded" / task.student / self.lab
        result["repairs"] = [*task.notes, *result.get("repairs", [])]
        self.save(task.student, task.hand_in, result, graded if not result["failure"] else None)
        shutil.rmtree(task.folder, ignore_errors=True)

    def save(self, student, hand_in, result, folder=None):
        from cimlab.grading.grade_write import GRADED, REPAIRED, REVIEW

        repairs, doubts = result.get("repairs", []), result.get("doubts", [])
        if result["failure"]:
            verdict, reason = REVIEW, result["failure"]
        else:
            verdict = REVIEW if doubts else REPAIRED if repairs else GRADED
            reason = "; ".join([*doubts, *repairs])
        found = {"verdict": verdict, "reason": reason, "seconds": result["seconds"], "hand_in": hand_in}
        found |= {"lab": self.version_for(student), "marks": result.get("marks"), "timestamp": result.get("timestamp")}
        self.ledger.save(student, found, folder)
        self.note(student, verdict, reason, result.get("log", ""))

    def note(self, student, verdict, reason, log):
        """Add to the log of the course, where nbgrader writes too."""
        if reason or log.strip():
            with contextlib.suppress(OSError), (self.course / ".nbgrader.log").open("a", encoding="utf-8") as file:
                file.write(f"[cimlab grade] {self.lab}, {student}: {verdict}. {reason}\n{log}")


def _lab_notebook(cells):
    """Return the lab as a notebook, of what the gradebook holds: its cells that students cannot change."""
    import nbformat

    make = nbformat.v4.new_code_cell
    locked = {"nbgrader": {"locked": True, "solution": False}}
    texts = [cell["source"] or "" for cell in cells if cell["locked"] and cell["cell_type"] == "code"]
    return nbformat.v4.new_notebook(cells=[make(text, metadata=locked) for text in texts])


def model_cells(folder):
    """Return the code of the notebooks with the model answers, without hidden tests; [] if they cannot be read."""
    try:
        notebooks = read_notebooks(folder.parents[1], folder.name, folder.parent.name)
    except CourseError:
        return []
    return [
        [split_hidden(cell.source)[0] for cell in book.cells if cell.cell_type == "code"] for book in notebooks.values()
    ]


def notices(ready, isolation):
    """Return what an instructor has to know about how the code of students is run."""
    if ready["kernels"] == "isolated" or isolation == "off":
        return list(ready["why"])
    return [
        *ready["why"],
        "The code of students runs with your rights: it is not isolated. See docs/instructors.md for what that means.",
    ]
