"""`cimlab generate`: make the retailer's data from a seed, at any size."""

import errno
import os
import sys
import time
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from pathlib import Path

from cimlab.retailer.draws import read_settings

SEED_VARIABLE = "CIMLAB_SEED"
LEVELS = ("clean", "light", "normal", "heavy")
FORMS = ("files", "parquet")
ENGINES = ("processes", "dask")
EPILOG = """\
examples:
  cimlab generate ../shop                               3,000 persons as files that you can open
  cimlab generate ../big --size L --jobs 4              a million persons as Parquet, on four cores
  cimlab generate ../class --seed 830174 --truth ../class-truth
                                                        another retailer for a class, and its answers
  cimlab generate ../each --for-students class.csv --seed 830174 --truth ../each-truth
                                                        another one for each student
  cimlab generate ../lines --size XL --tables orders,order_lines

The same seed gives the same content on every machine, whatever --jobs and --engine. Read the data with cimlab.load()
after setting the environment variable CIMLAB_DATA to OUT. Nothing is written to OUT unless all of it can be; a run that
was interrupted goes on when the same command is given again."""


def add_arguments(parser):
    """Add the arguments of `cimlab generate` to an argparse parser."""
    settings = read_settings("write")
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument(
        "out", metavar="OUT", type=Path, help="folder for the data; an edition that stands there is replaced"
    )
    add_content(parser, settings)
    add_targets(parser)


def add_content(parser, settings):
    """Add the arguments that say what is made."""
    add, sizes = parser.add_argument, settings["sizes"]
    number = parser.add_mutually_exclusive_group()
    number.add_argument(
        "--customers",
        metavar="N",
        type=read_customers,
        default=settings["customers"],
        help=f"number of persons, 1 to {settings['most_customers']:,} (default {settings['customers']:,})",
    )
    words = ", ".join(f"{name} {persons:,}" for name, persons in sizes.items())
    number.add_argument("--size", choices=list(sizes), help=f"the same in a word: {words}")
    add(
        "--seed",
        metavar="S",
        type=read_seed,
        # argparse reads a default that is text with `type`, so that a wrong variable gets the same message
        default=os.environ.get(SEED_VARIABLE, "").strip() or settings["seed"],
        help=f"a whole number (default: the environment variable {SEED_VARIABLE}, else {settings['seed']})",
    )
    add("--level", choices=LEVELS, default=settings["level"], help="how dirty the records are (default %(default)s)")
    add(
        "--form",
        choices=FORMS,
        help="files that you can open (CSV, JSON lines, a workbook and others), or Parquet in parts "
        f"(default: files up to {settings['files_up_to']:,} persons, Parquet above)",
    )
    add("--tables", metavar="A,B", type=read_tables, help="write only these tables of the data (default: all)")


def add_targets(parser):
    """Add the arguments that say for whom it is made and who does the work."""
    add, cores = parser.add_argument, count_cores()
    add(
        "--truth",
        metavar="DIR",
        type=Path,
        help="also write the truth (who is who, the clean values) into this folder; keep it from students",
    )
    add(
        "--for-students",
        metavar="FILE",
        type=Path,
        help="make an edition for each student, OUT/<id>/: FILE is a CSV with a column student_id, or a list of ids; "
        "with --truth the seeds are in DIR/seeds.csv",
    )
    add("--jobs", metavar="J", type=read_jobs, default=cores, help=f"processes (default: the cores, here {cores})")
    add("--engine", choices=ENGINES, default="processes", help="who does the work (default %(default)s)")
    add(
        "--scheduler",
        metavar="ADDRESS",
        help="for --engine dask: address of the scheduler (tcp://host:8786); its workers need the same cimlab and must "
        "see OUT under the same path",
    )
    add("--yes", action="store_true", help="do not ask before a very large edition")


# --- what stands on the command line ----------------------------------------------------------------------------------


def read_customers(text):
    """Return the number of persons that a word of the command line says."""
    number = read_seed(text.replace(",", "").replace("_", ""))
    most = read_settings("write")["most_customers"]
    if not 1 <= number <= most:
        raise ArgumentTypeError(f"{text} persons cannot be made; ask for 1 to {most:,}")
    return number


def read_seed(text):
    """Return the whole number that a word of the command line says."""
    try:
        return int(text)
    except ValueError:
        origin = f" (environment variable {SEED_VARIABLE})" if text == os.environ.get(SEED_VARIABLE) else ""
        raise ArgumentTypeError(f"{text!r}{origin} is not a whole number") from None


def read_jobs(text):
    """Return the number of processes that a word of the command line says."""
    number = read_seed(text)
    if number < 1:
        raise ArgumentTypeError(f"{text} processes cannot work; ask for 1 or more")
    return number


def read_tables(text):
    """Return the tables that a word of the command line names."""
    import difflib

    known = list(read_settings("dictionary")["tables"])
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ArgumentTypeError(f"there is no table {name!r}.{hint} The tables are: {', '.join(known)}")
    if not wanted:
        raise ArgumentTypeError("name at least one table")
    return wanted


def count_cores():
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_arguments(arguments):
    """Raise ValueError if arguments do not go together."""
    if (arguments.engine == "dask") != (arguments.scheduler is not None):
        raise ValueError("--engine dask and --scheduler ADDRESS need one another.")
    if arguments.for_students and arguments.form == "parquet":
        raise ValueError("--for-students makes files, not Parquet; leave out --form.")
    if arguments.engine == "dask":
        try:
            import distributed  # noqa: F401
        except ImportError:
            raise ValueError(
                "Dask is not installed here. Install it with `pip install distributed`, or leave out --engine dask."
            ) from None


# --- the command ------------------------------------------------------------------------------------------------------


def run(arguments):
    """Make an edition.

    Returns
    -------
    int
        0 when it is written, 1 when it could not be, 2 when the command line was wrong, 130 after Ctrl-C.
    """
    if arguments.size:
        arguments.customers = read_settings("write")["sizes"][arguments.size]
    start = time.monotonic()
    try:
        check_arguments(arguments)
        students, needs = prepare(arguments)
    except ValueError as error:
        sys.stderr.write(f"cimlab generate: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"cimlab generate: {explain(error)}\nNothing was changed.\n")
        return 1
    if not confirm(arguments, needs):
        sys.stderr.write("Nothing was changed.\n")
        return 1
    try:
        written = write(arguments, students)
    except KeyboardInterrupt:
        sys.stderr.write(f"\ncimlab generate: interrupted.\n{say_state(arguments)}")
        return 130
    except (OSError, ValueError, MemoryError) as error:
        sys.stderr.write(f"cimlab generate: {explain(error)}\n{say_state(arguments)}")
        return 1
    sys.stdout.write(summarise(arguments, written, students, time.monotonic() - start))
    return 0


def prepare(arguments):
    """Check everything that can be checked before the work; return (students or None, (bytes needed, in words))."""
    from cimlab.retailer import folders
    from cimlab.retailer.students import check_class, read_students
    from cimlab.retailer.write import estimate, make_plan

    students = read_students(arguments.for_students) if arguments.for_students else None
    check = check_class if students else folders.check_replaceable
    targets = folders.check_folders(arguments.out, arguments.truth, check=check)
    form = "files" if students else arguments.form
    plan = make_plan(
        arguments.customers, arguments.seed, form=form, tables=arguments.tables, truth=arguments.truth is not None
    )
    needs = [need * len(students or [None]) for need in estimate(plan)]
    return students, (sum(needs), folders.check_space(targets, needs))


def confirm(arguments, needs):
    """Tell what a large edition will take; ask before a very large one if somebody is there to answer."""
    number, sentence = needs
    settings = read_settings("write")
    if number >= settings["tell_above"]:
        sys.stderr.write(f"This will take {sentence}.\n")
    if number < settings["ask_above"] or arguments.yes or not sys.stdin or not sys.stdin.isatty():
        return True
    sys.stderr.write("Go on? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def write(arguments, students):
    """Write the edition, or one for each student, under a progress bar."""
    common = {
        "customers": arguments.customers,
        "seed": arguments.seed,
        "level": arguments.level,
        "tables": arguments.tables,
        "progress": show_progress,
        "say": lambda text: sys.stderr.write(f"{text}\n"),
        "jobs": arguments.jobs,
        "engine": arguments.engine,
        "scheduler": arguments.scheduler,
    }
    if students:
        from cimlab.retailer.students import write_class

        return write_class(students, arguments.out, arguments.truth, **common)
    from cimlab.retailer.write import write_edition

    return write_edition(arguments.out, arguments.truth, form=arguments.form, **common)


def show_progress(items, total, label):
    """Yield items under a progress bar on stderr; none where stderr is no terminal."""
    from tqdm import tqdm

    yield from tqdm(items, total=total, desc=label, file=sys.stderr, unit="", leave=False, disable=None)


def explain(error):
    """Say in plain words why an edition could not be written."""
    if isinstance(error, MemoryError):
        return "the memory is full; try fewer --jobs."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full. Free some space, or name a folder on another disk."
    if isinstance(error, PermissionError):
        return f"{error}. Is a file of that folder open in another program, or the folder that of another user?"
    return str(error)


def say_state(arguments):
    """Say what a failed run left behind: nothing in OUT, perhaps finished parts beside it."""
    from cimlab.retailer.folders import work_of

    work = work_of(arguments.out.resolve())
    if not work.exists():
        return "Nothing was changed.\n"
    return (
        f"{arguments.out} was not changed. The finished parts are kept in {work}: the same command goes on with them. "
        "To give them up, delete that folder.\n"
    )


def summarise(arguments, written, students, seconds):
    """Return what was written, in words."""
    from cimlab.retailer.folders import say_bytes

    lines = []
    for folder, tables in written:
        rows, size = (sum(table[key] for table in tables) for key in ("rows", "bytes"))
        what = f"{len(students)} editions of {len(tables)} tables" if students else f"{len(tables)} tables"
        lines.append(f"{folder}: {what}, {rows:,} rows, {say_bytes(size)}, seed {arguments.seed}.")
        lines += [f"  {t['table']:<20}{t['rows']:>15,} rows{say_bytes(t['bytes']):>10}" for t in tables]
    if arguments.truth is None:
        lines.append(f"No truth {'and no seeds were' if students else 'was'} written; add --truth DIR for the answers.")
    lines.append(f"Made in {seconds:.1f} seconds.")
    return "\n".join(lines) + "\n"
