"""Write the marks of a class so that a spreadsheet reads them and no mark is missing without a reason."""

import csv
from pathlib import Path

from nbgrader.api import MissingEntry
from nbgrader.plugins import ExportPlugin

COLUMNS = [
    "assignment",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "timestamp",
    "score",
    "max_score",
    "status",
]
GRADED = "graded"
WAITING = "waits for a grader"
UNREAD = "handed in but not graded: see .nbgrader.log"
NOTHING = "nothing handed in"
ABSENT = "not handed in"  # one of several notebooks


class MarksCsv(ExportPlugin):
    """CSV of all marks. Unlike nbgrader's own it gives no 0 to a hand-in that could not be graded.

    The file is UTF-8 with a byte order mark, by which Excel shows Chinese names; names with commas are quoted.
    """

    def export(self, gradebook):
        target = Path(self.to or "grades.csv")
        temporary = target.with_name(target.name + ".tmp")
        with temporary.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self._rows(gradebook))
        temporary.replace(target)
        self.log.info("Marks written to %s", target)

    def _rows(self, gradebook):
        assignments, students = map(str, self.assignment), map(str, self.student)
        assignments, students = set(assignments), set(students)
        for assignment in gradebook.assignments:
            for student in sorted(gradebook.students, key=lambda student: student.id):
                if (assignments and assignment.name not in assignments) or (students and student.id not in students):
                    continue
                yield self._row(gradebook, assignment, student)

    def _row(self, gradebook, assignment, student):
        row = {
            "assignment": assignment.name,
            "student_id": student.id,
            "last_name": student.last_name,
            "first_name": student.first_name,
            "email": student.email,
            "max_score": assignment.max_score,
        }
        try:
            submission = gradebook.find_submission(assignment.name, student.id)
        except MissingEntry:
            return {**row, "score": 0.0, "status": NOTHING}
        row["timestamp"] = submission.timestamp
        if not self._is_graded(assignment, student):
            return {**row, "score": "", "status": UNREAD}
        score = max(0.0, submission.score - (submission.late_submission_penalty or 0.0))
        status = WAITING if submission.needs_manual_grade else GRADED
        absent = [
            name for name in self._notebooks(assignment) if not (self._graded(assignment, student) / name).exists()
        ]
        return {**row, "score": score, "status": f"{status}; {ABSENT}: {', '.join(absent)}" if absent else status}

    def _notebooks(self, assignment):
        """Return the notebooks that a hand-in has to hold. With one there is no doubt: it is there or nothing is."""
        names = sorted(f"{notebook.name}.ipynb" for notebook in assignment.notebooks)
        return names if len(names) > 1 else []

    def _graded(self, assignment, student):
        course = self.parent.coursedir
        return Path(course.format_path(course.autograded_directory, student.id, assignment.name))

    def _is_graded(self, assignment, student):
        return self._graded(assignment, student).is_dir()
