"""How nbgrader works on this course: `nbgrader …` in this folder, and the Formgrader and Validate of JupyterLab.

Each setting has its reason beside it. What is not set here is nbgrader's own default
(`nbgrader autograde --help-all` lists every setting).
"""

import contextlib
import os
import shutil
import sysconfig
import warnings
from pathlib import Path

c = get_config()  # noqa: F821 (nbgrader defines it)
course = Path(__file__).absolute().parent

# --- the folders -----------------------------------------------------------------------------------------------------

c.CourseDirectory.course_id = "cimlab"
c.CourseDirectory.root = str(course)
# An exercise is written once, in solutions/<lab>/<lab>.ipynb; labs/ is made from it by `cimlab release`. Lab names are
# flat: an assignment id with a slash corrupts the gradebook without a word.
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "labs"
# Never copied to students, nor from a hand-in: text twins of notebooks (they hold the answers), the filed mistakes
# and mutants, and Python files, because a hand-in with a file `pandas.py` would be imported instead of pandas.
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "__pycache__",
    "*.pyc",
    "*.py",
    "*.md",
    "*.qmd",
    "*.Rmd",
    "mistakes.*",
    "mutants.*",
    ".DS_Store",
    "Thumbs.db",
]
c.CourseDirectory.max_file_size = 20_000  # kB; a lab and its tables are far smaller
# nbgrader calls the command `alembic` when it makes a gradebook. Without this line that fails wherever the environment
# is used without being activated (`.venv/bin/nbgrader`, `make lab`).
if not shutil.which("alembic"):
    os.environ["PATH"] = sysconfig.get_path("scripts") + os.pathsep + os.environ.get("PATH", "")
# A class may have its own edition of the data; a hand-in runs in its own folder, where a relative path is another.
if os.environ.get("CIMLAB_DATA"):
    os.environ["CIMLAB_DATA"] = str(Path(os.environ["CIMLAB_DATA"]).absolute())
# nbgrader 0.9.6 under SQLAlchemy 2.1 warns at each run of something that does no harm.
warnings.filterwarnings("ignore", message="Object of type <Submitted")
# A class of a hundred fails in one place or another: keep the reasons. (The file is in .gitignore.)
if os.access(course, os.W_OK):
    c.NbGrader.logfile = str(course / ".nbgrader.log")

# --- making the student version --------------------------------------------------------------------------------------

# `...` and not `raise NotImplementedError`: it is valid Python where a function's body or a value belongs, nobody has
# to delete it, and the checks know it ("`phones` is still `...`").
c.ClearSolutions.code_stub = {"python": "...  # your code here"}
# Unchanged, a written answer gets 0 without a grader; any change waits for one.
c.ClearSolutions.text_stub = "*Write your answer here.*"

# --- the exchange: hand-out and hand-in on one machine (Linux and macOS; nbgrader has none on Windows) ---------------

c.Exchange.root = os.environ.get("CIMLAB_EXCHANGE") or str(course / "exchange")
if os.name == "posix" and "CIMLAB_EXCHANGE" not in os.environ:
    # Without the folder JupyterLab's assignment list greets everybody with an error.
    with contextlib.suppress(OSError):  # a course on a read-only disk has no exchange
        (course / "exchange").mkdir(exist_ok=True)
# A student's copy of the course has the labs here already; `nbgrader submit` takes them from where they are done.
c.Exchange.assignment_dir = str(course / "labs")

# --- collecting what an LMS exports ----------------------------------------------------------------------------------

# Moodle, Canvas, Blackboard, Chaoxing and plain "number_name_lab" names: see the module for the forms.
c.ZipCollectApp.collector_plugin = "cimlab.grading.collect.LmsCollector"
# Zip files within the zip file, folders, Chinese names from Windows; a damaged one is named and left out.
c.ZipCollectApp.extractor_plugin = "cimlab.grading.collect.LmsExtractor"

# --- grading ---------------------------------------------------------------------------------------------------------

# A notebook that was renamed is found; one in another encoding is read; one that cannot be read gets no score at all
# (never a silent 0), is named in the log, and the class goes on.
c.Autograde.pre_convert_hook = "cimlab.grading.repair.find_notebook"
c.Autograde.exporter_class = "cimlab.grading.repair.NotebookReader"
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    # Puts back what an editor or a student lost: metadata, test cells, cell types; drops copies. Its report stands at
    # the top of the graded notebook. It comes before nbgrader's own, which stop the class at a copied test cell.
    "cimlab.grading.repair.RepairCells",
    "nbgrader.preprocessors.DeduplicateIds",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    # nbgrader's Execute, but a dead kernel or an endless loop costs only what could not run.
    "cimlab.grading.execute.ExecuteAll",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",  # no late penalty is set: lateness is for the instructor to judge
    "nbgrader.preprocessors.CheckCellMetadata",
]
# nbgrader gives 0 for a test cell that wrote anything to stderr: a warning of pandas or a progress bar would cost the
# marks. Whether a test has failed is told by its exception alone, so all of stderr is dropped.
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = r"(?s).*"
# RepairCells has put missing cells where they belong; this catches what it may have overlooked.
c.OverwriteCells.add_missing_cells = True

c.Execute.timeout = 30  # seconds for one cell; the slowest cell of a solution takes a tenth of it
c.Execute.error_on_timeout = {
    "ename": "TimeUp",
    "evalue": "This cell was stopped because it ran too long: is there a loop that never ends?",
    "traceback": ["This cell was stopped because it ran too long: is there a loop that never ends?"],
}
c.Execute.iopub_timeout = 30  # on a busy machine the default of 4 s loses output at random
c.Execute.raise_on_iopub_timeout = False  # lost output is no reason to lose the hand-in
c.Execute.shutdown_kernel = "immediate"  # nothing is left to save; a fifth faster
# Otherwise each kernel warns of unencrypted talk. (`transport = "ipc"` is no way out: its sockets lie in the folder of
# the hand-in, where the grader does not find them.)
c.KernelManager.transport_encryption = "auto"

# --- feedback --------------------------------------------------------------------------------------------------------

# `nbgrader generate_feedback` and the Formgrader make the page of `cimlab feedback`: points, sentences, where to
# read again; no hidden test, no mark scheme, nothing out of a traceback.
c.GenerateFeedback.exporter_class = "cimlab.grading.feedback_page.FeedbackPage"

# --- marks -----------------------------------------------------------------------------------------------------------

# nbgrader's own CSV, readable by Excel, with a column that says why there is no mark.
c.ExportApp.plugin_class = "cimlab.grading.export.MarksCsv"
