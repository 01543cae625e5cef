"""`cimlab doctor`: look at everything the course needs on this machine, and say what to do where something is wrong.

Each check is a function without arguments that returns a `Finding`. It never raises: `examine` turns an exception
into a finding too, so that one broken part does not hide the others.
"""

import contextlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from cimlab import __version__

PYTHONS = ((3, 11), (3, 13))
SERVER_EXTENSIONS = ("validate_assignment", "formgrader", "assignment_list")
LAB_EXTENSION = "@jupyter/nbgrader"
REINSTALL = "python start.py setup   (conda: conda env update -f environment.yml)"
DATA = "CIMLAB_DATA"
MARKS = {"ok": "OK ", "problem": "!! ", "note": "-- "}


class Finding(NamedTuple):
    """What one check found: status is "ok", "problem" (something needed is broken) or "note" (good to know)."""

    status: str
    detail: str
    remedy: str = ""


def check_python():
    """The version and the width of this Python."""
    here = f"{platform.python_version()}, {'64' if sys.maxsize > 2**32 else '32'}-bit, in {shorten(sys.prefix)}"
    if PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1] and sys.maxsize > 2**32:
        return Finding("ok", here)
    wanted = " to ".join(".".join(map(str, version)) for version in PYTHONS)
    return Finding("problem", here, f"install a 64-bit Python {wanted}, then: python start.py setup")


def requirements():
    """Return the packages that the course needs, as its own metadata states them (from pyproject.toml)."""
    from packaging.requirements import Requirement

    stated = [Requirement(text) for text in importlib.metadata.requires("cimlab") or []]
    return [need for need in stated if need.marker is None or need.marker.evaluate({"extra": ""})]


def version_of(package):
    """Return the installed version of a package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_packages():
    """Every package is there, in a version that the course is written for."""
    needs = requirements()
    wrong = []
    for need in needs:
        version = version_of(need.name)
        if version is None or not need.specifier.contains(version, prereleases=True):
            wrong.append(f"{need.name} {version or 'is missing'} (wanted {need.specifier})")
    if wrong:
        return Finding("problem", "; ".join(wrong), REINSTALL)
    return Finding("ok", f"{len(needs)} packages, each in a version that the course is written for")


def check_extensions():
    """JupyterLab has nbgrader's buttons, and its server answers them."""
    from jupyter_core.paths import jupyter_config_path, jupyter_path
    from jupyter_server.extension.config import ExtensionConfigManager
    from jupyterlab_server.config import get_federated_extensions, get_page_config

    wrong = []
    folders = jupyter_path("labextensions")
    if LAB_EXTENSION not in get_federated_extensions(folders):
        wrong.append(f"the lab extension {LAB_EXTENSION} is not installed")
    # where jupyterlab.commands.get_app_dir looks; importing that takes seconds
    lab = Path(os.environ.get("JUPYTERLAB_DIR") or Path(sys.prefix, "share", "jupyter", "lab"))
    disabled = get_page_config(folders, str(lab / "settings")).get("disabledExtensions", [])
    wrong += [f"{name} is disabled" for name in disabled if name.startswith(LAB_EXTENSION)]
    server = ExtensionConfigManager(read_config_path=jupyter_config_path()).get_jpserver_extensions()
    for name in SERVER_EXTENSIONS:
        if not server.get(f"nbgrader.server_extensions.{name}"):
            wrong.append(f"the server extension {name} is off")
    if wrong:
        remedy = f"jupyter labextension enable {LAB_EXTENSION}"
        remedy += "; jupyter server extension enable --sys-prefix --py nbgrader"
        return Finding("problem", "; ".join(wrong), remedy)
    return Finding("ok", f"nbgrader in JupyterLab: {', '.join(SERVER_EXTENSIONS)}")


def check_kernel():
    """The kernel "python3", in which notebooks run, is the Python of this environment."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Finding("problem", "there is no kernel python3", "python -m ipykernel install --sys-prefix")
    program = spec.argv[0]
    # A bare "python" is replaced by the Python that runs Jupyter; a full path may point to another environment.
    if Path(program).is_absolute() and not Path(program).is_relative_to(sys.prefix):
        remedy = f"delete the folder {spec.resource_dir}, or: python -m ipykernel install --sys-prefix"
        return Finding("problem", f"the kernel python3 belongs to another Python: {shorten(program)}", remedy)
    return Finding("ok", "the kernel python3 runs in this environment")


MOST_ROWS = 2_000_000  # of an edition that is read as a whole


def whose_data():
    """Say in words whose data `cimlab.load` gives here, without a seed or a name."""
    from cimlab import _own, datasets

    _, place = _own.find_seed()
    if os.environ.get(DATA, "").strip():
        beside = "" if place is None else f"; it goes before {_own.VARIABLE} and {_own.FILE}"
        return f"the retailer in {shorten(datasets.data_folder())} ({DATA}{beside})"
    if place is None:
        return "the retailer of the course"
    return f"your own retailer ({place if place == _own.VARIABLE else _own.FILE})"


def check_data():
    """The retailer's tables can be read, and whose they are."""
    from cimlab import datasets

    try:
        with contextlib.redirect_stdout(sys.stderr):  # an own retailer may be made now; JSON must stay JSON
            listed = datasets.tables()
        rows = int(listed["rows"].sum())
        # a large edition would fill the memory; that its dictionary can be read must do
        if rows < MOST_ROWS:
            rows = sum(len(datasets.load(name)) for name in listed["table"])
        return Finding("ok", f"{len(listed)} tables, {rows:,} rows: {whose_data()}")
    except (ValueError, OSError) as error:
        return Finding("problem", " ".join(str(error).split()), remedy_for_data())


def remedy_for_data():
    """Return what to do where the tables cannot be read."""
    from cimlab import _own

    if os.environ.get(DATA):
        return f"take {DATA} away, or let it name a folder with an edition of the data"
    if _own.find_seed()[1] is None:
        return "get the folder datasets/ again (git restore datasets, or unpack the course anew)"
    return (
        f"put {_own.FILE} or {_own.VARIABLE} right; a damaged retailer is made again when its folder is deleted; "
        f"{_own.CACHE} names another place for it"
    )


def check_font():
    """The pictures' Chinese font is there and holds the character 客."""
    from matplotlib.ft2font import FT2Font

    from cimlab.plots import FONT_FAMILY, FONT_FILE

    if not FONT_FILE.exists() or not FT2Font(str(FONT_FILE)).get_char_index(ord("客")):
        return Finding("problem", f"the font for Chinese is missing or damaged: {shorten(FONT_FILE)}", REINSTALL)
    return Finding("ok", f"{FONT_FAMILY} draws Chinese labels")


def is_writable(folder):
    """Tell whether a file can be made in the folder."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def check_folder():
    """Notebooks can be saved here."""
    here = Path.cwd()
    if not is_writable(here):
        return Finding("problem", f"cannot write to {shorten(here)}", "move the course to a folder of your own")
    return Finding("ok", f"can write to {shorten(here)}")


def check_runtime():
    """JupyterLab can keep its own files while it runs."""
    from jupyter_core.paths import jupyter_runtime_dir

    folder = Path(jupyter_runtime_dir())
    remedy = "take ownership of the folder, or set JUPYTER_RUNTIME_DIR to a folder that you can write to"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return Finding("problem", f"cannot make {shorten(folder)}: {error.strerror}", remedy)
    if not is_writable(folder):
        return Finding("problem", f"cannot write to {shorten(folder)}", remedy)
    return Finding("ok", f"Jupyter can write to {shorten(folder)}")


def exchange_folder():
    """Return nbgrader's exchange folder as nbgrader_config.py sets it: CIMLAB_EXCHANGE, or `exchange` in the course."""
    here = Path.cwd()
    course = next((folder for folder in (here, *here.parents) if (folder / "nbgrader_config.py").exists()), here)
    return Path(os.environ.get("CIMLAB_EXCHANGE") or course / "exchange")


def check_exchange():
    """Labs can be handed out and in through a folder that instructor and students share."""
    if os.name == "nt":
        return Finding("note", "nbgrader has no exchange on Windows: hand labs out and in as zip files")
    folder = exchange_folder()
    if folder.is_dir() and is_writable(folder):
        return Finding("ok", f"exchange folder {shorten(folder)}")
    state = "cannot be written to" if folder.is_dir() else "does not exist"
    if os.environ.get("CIMLAB_EXCHANGE"):
        remedy = "ask your instructor, or unset CIMLAB_EXCHANGE"
        return Finding("problem", f"the exchange folder of CIMLAB_EXCHANGE {state}: {shorten(folder)}", remedy)
    return Finding("note", f"no exchange folder; only a class that shares one machine needs it ({shorten(folder)})")


def check_disk():
    """There is room to work."""
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    if free < 0.5:
        return Finding("problem", f"{free:.1f} GB free on the disk", "make room: 0.5 GB at least")
    return Finding("ok", f"{free:.0f} GB free on the disk")


def check_browser():
    """Chromium, for the tests that look at the pages."""
    names = (os.environ.get("CIMLAB_CHROMIUM"), "chromium", "chromium-browser")
    found = next((shutil.which(name) for name in names if name and shutil.which(name)), None)
    return Finding("note", f"Chromium: {found}" if found else "no Chromium; only the tests of the pages need it")


def check_spark():
    """Spark and Java, for one section of chapter 14."""
    from cimlab.scale import missing_spark

    return Finding("note", missing_spark() or "Spark can be started (chapter 14)")


def check_postgres():
    """A database server, for one section of chapter 15."""
    from cimlab.security import missing_postgres

    missing = missing_postgres()
    if missing:
        return Finding("note", f"{missing}. Only one section of chapter 15 uses it.")
    return Finding("note", "PostgreSQL can be started (chapter 15)")


def check_isolation():
    """Whether the code of hand-ins can be shut in, for instructors who grade with `cimlab grade`."""
    try:
        from cimlab.grading import bubblewrap, isolate, zygote
    except ImportError:  # a student's kit
        return Finding("note", "for instructors only")
    general = zygote.warm_available() or isolate.unfit_system()
    own, through = (
        general or available() for available in (isolate.isolation_available, bubblewrap.bubblewrap_available)
    )
    if own is None:
        return Finding("note", "hand-ins can be shut in (cimlab grade)")
    if through is None:
        return Finding("note", "hand-ins can be shut in by bubblewrap (cimlab grade)")
    why = general or f"{own} {through}"
    return Finding("note", f"hand-ins cannot be shut in here, which only instructors need. {why}")


CHECKS = {
    "Python": check_python,
    "packages": check_packages,
    "extensions": check_extensions,
    "kernel": check_kernel,
    "data": check_data,
    "font": check_font,
    "folder": check_folder,
    "Jupyter's files": check_runtime,
    "exchange": check_exchange,
    "disk": check_disk,
    "browser": check_browser,
    "Spark": check_spark,
    "PostgreSQL": check_postgres,
    "isolation": check_isolation,
}


def shorten(path):
    """Return a path with the home folder as ~, so that a pasted report does not hold the user's name."""
    text, home = str(path), str(Path.home())
    return "~" + text[len(home) :] if text == home or text.startswith(home + os.sep) else text


def examine(checks=None):
    """Run every check and return what each found.

    Parameters
    ----------
    checks : dict of str to callable, optional
        Name → function that returns a `Finding`; all checks of the course when left out.

    Returns
    -------
    list of dict
        One for each check: ``check``, ``status`` ("ok", "problem", "note"), ``detail``, ``remedy``.

    Examples
    --------
    >>> from cimlab import doctor
    >>> doctor.examine({"tea": lambda: doctor.Finding("problem", "the pot is empty", "boil water")})
    [{'check': 'tea', 'status': 'problem', 'detail': 'the pot is empty', 'remedy': 'boil water'}]
    """
    found = []
    for name, check in (CHECKS if checks is None else checks).items():
        try:
            finding = check()
        except Exception as error:
            lines = str(error).splitlines() or [""]
            finding = Finding("problem", f"{type(error).__name__}: {lines[0]}", REINSTALL)
        found.append({"check": name, **finding._asdict()})
    return found


def report(found):
    """Return the findings as text, a line for each and a line for each remedy."""
    width = max(len(one["check"]) for one in found)
    lines = []
    for one in found:
        lines.append(f"{MARKS[one['status']]} {one['check']:{width}}  {one['detail']}")
        if one["remedy"]:
            lines.append(f"    {'':{width}}  what to do: {one['remedy']}")
    problems = sum(one["status"] == "problem" for one in found)
    count = "Everything that the course needs is here." if not problems else f"To be put right: {problems}"
    return "\n".join([*lines, count])


def as_json(found):
    """Return the findings, the system and the versions of the packages as JSON, for an issue or a bug report."""
    try:
        versions = {need.name: version_of(need.name) for need in requirements()}
    except Exception as error:  # the report must come out most of all when something is broken
        versions = {"error": str(error)}
    system = {"cimlab": __version__, "python": platform.python_version(), "system": platform.platform()}
    return json.dumps({**system, "checks": found, "packages": versions}, indent=1, ensure_ascii=False)


def add_arguments(parser):
    """Declare the arguments of `cimlab doctor`."""
    parser.add_argument("--json", action="store_true", help="write all findings and versions as JSON, for a bug report")


def run(arguments):
    """Write what was found; return 1 when something that the course needs is broken."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a character still gets the report
    found = examine()
    sys.stdout.write((as_json(found) if arguments.json else report(found)) + "\n")
    return int(any(one["status"] == "problem" for one in found))
