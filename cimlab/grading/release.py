"""`cimlab release`: make the student versions of the labs from solutions/, by nbgrader."""

import contextlib
import shutil
import sys

from cimlab.grading.course import CourseError, find_course, lab_names, open_api, register, temporary_course


def add_arguments(parser):
    parser.add_argument("labs", nargs="*", metavar="LAB", help="for example lab03_database; all labs if none is named")
    parser.add_argument("--check", action="store_true", help="change nothing; exit status 1 if labs/ is out of step")
    parser.add_argument(
        "--no-gradebook",
        action="store_true",
        help="do not enter the lab in gradebook.db (autograding needs the entry, so by default it is made)",
    )
    parser.epilog = "labs/ is replaced as a whole or not at all. What you wrote into notebooks in labs/ is lost."


def run(arguments):
    try:
        course = find_course()
        labs = lab_names(course, arguments.labs)
        if arguments.check:
            differences = check(course, labs)
            for difference in differences:
                sys.stdout.write(f"{difference}\n")
            verdict = (
                "out of step: run `cimlab release`" if differences else f"in step with solutions/ ({len(labs)} labs)"
            )
            sys.stdout.write(f"labs/ is {verdict}\n")
            return 1 if differences else 0
        changed = release(course, labs, gradebook=not arguments.no_gradebook)
    except CourseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for lab in labs:
        sys.stdout.write(f"labs/{lab}: {'written' if lab in changed else 'unchanged'}\n")
    if not arguments.no_gradebook:
        sys.stdout.write("The gradebook knows these labs: `nbgrader autograde LAB` can grade them.\n")
    return 0


def release(course, labs, *, gradebook=True):
    """Make the student versions of some labs.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course.
    labs : list of str
        Names of folders in solutions/.
    gradebook : bool
        Also enter the labs in the gradebook of the course.

    Returns
    -------
    list of str
        The labs whose files changed.

    Raises
    ------
    CourseError
        If nbgrader cannot make one of them; then none is changed.
    """
    with temporary_course(course, labs) as temporary:
        register(temporary, labs)
        if gradebook:
            # The second time with the real gradebook, which may refuse (hand-ins exist and the cells are others).
            register(temporary, labs, gradebook=open_api(course).coursedir.db_url)
        changed = [lab for lab in labs if tree_differences(temporary / "labs" / lab, course / "labs" / lab)]
        _replace(temporary / "labs", course / "labs", changed)
    return changed


def check(course, labs):
    """Compare labs/ with what solutions/ gives now, byte for byte; return the differences as sentences."""
    with temporary_course(course, labs) as temporary:
        register(temporary, labs)
        differences = []
        for lab in labs:
            differences += tree_differences(temporary / "labs" / lab, course / "labs" / lab)
    known = set(lab_names(course))
    folders = (course / "labs").iterdir() if (course / "labs").is_dir() else []
    orphans = sorted(path.name for path in folders if path.is_dir() and path.name not in known)
    return differences + [f"labs/{name}: there is no such lab in solutions/" for name in orphans if name[0] != "."]


def tree_differences(right, own):
    """Compare two folders; return one sentence for each file that is missing, too many or different."""
    found = []
    rights, owns = _files(right), _files(own)
    for name in sorted(rights | owns):
        path = f"labs/{own.name}/{name}"
        if name not in owns:
            found.append(f"{path}: is missing")
        elif name not in rights:
            found.append(f"{path}: does not come from solutions/")
        elif (right / name).read_bytes() != (own / name).read_bytes():
            found.append(f"{path}: differs from what solutions/ gives")
    return found


def _files(folder):
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in names if ".ipynb_checkpoints" not in name}


def _replace(source, target, labs):
    """Put new folders in the place of old ones; if one cannot be moved, all old ones come back."""
    target.mkdir(exist_ok=True)
    moved = []
    try:
        for lab in labs:
            shutil.rmtree(target / f".{lab}.new", ignore_errors=True)
            shutil.copytree(source / lab, target / f".{lab}.new")
        for lab in labs:
            if (target / lab).exists():
                shutil.rmtree(target / f".{lab}.old", ignore_errors=True)
                (target / lab).rename(target / f".{lab}.old")
            moved.append(lab)
            (target / f".{lab}.new").rename(target / lab)
    except OSError as error:
        for lab in moved:
            with contextlib.suppress(OSError):
                shutil.rmtree(target / lab, ignore_errors=True)
                (target / f".{lab}.old").rename(target / lab)
        raise CourseError(f"labs/ could not be written and is unchanged: {error}") from None
    finally:
        for lab in labs:
            shutil.rmtree(target / f".{lab}.new", ignore_errors=True)
            shutil.rmtree(target / f".{lab}.old", ignore_errors=True)
