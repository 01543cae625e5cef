"""`cimlab generate`: make the retailer's data from a seed."""

import os
import sys
from argparse import ArgumentTypeError
from pathlib import Path

from cimlab.retailer.edition import DEFAULT_CUSTOMERS, DEFAULT_SEED, MOST_CUSTOMERS

SEED_VARIABLE = "CIMLAB_SEED"


def add_arguments(parser):
    """Add the arguments of `cimlab generate` to an argparse parser."""
    parser.epilog = (
        "The same seed gives the same files on every machine. Read the data with cimlab.load() after setting the "
        "environment variable CIMLAB_DATA to OUT. Nothing is written unless all of it can be."
    )
    parser.add_argument(
        "out", metavar="OUT", type=Path, help="folder for the data; an edition that stands there is replaced"
    )
    parser.add_argument(
        "--customers",
        metavar="N",
        type=read_customers,
        default=DEFAULT_CUSTOMERS,
        help=f"number of persons (default {DEFAULT_CUSTOMERS})",
    )
    parser.add_argument(
        "--seed",
        metavar="S",
        type=read_seed,
        # argparse reads a default that is text with `type`, so that a wrong variable gets the same message
        default=os.environ.get(SEED_VARIABLE, "").strip() or DEFAULT_SEED,
        help=f"a whole number (default: the environment variable {SEED_VARIABLE}, else {DEFAULT_SEED})",
    )
    parser.add_argument(
        "--truth",
        metavar="DIR",
        type=Path,
        help="also write the truth (who is who, the clean values) into this folder; keep it from students",
    )


def read_customers(text):
    """Return the number of persons that a word of the command line says."""
    number = read_seed(text)
    if not 1 <= number <= MOST_CUSTOMERS:
        raise ArgumentTypeError(f"{text} persons cannot be made; ask for 1 to {MOST_CUSTOMERS:,}")
    return number


def read_seed(text):
    """Return the whole number that a word of the command line says."""
    try:
        return int(text)
    except ValueError:
        origin = f" (environment variable {SEED_VARIABLE})" if text == os.environ.get(SEED_VARIABLE) else ""
        raise ArgumentTypeError(f"{text!r}{origin} is not a whole number") from None


def run(arguments):
    """Make an edition; return 0 when it is written, 1 when a folder could not be, 2 when the command line was wrong."""
    from cimlab.retailer.write import check_folders, write_edition

    try:
        check_folders(arguments.out, arguments.truth)
    except ValueError as error:
        sys.stderr.write(f"cimlab generate: {error}\n")
        return 2
    try:
        edition = make_with_progress(arguments.customers, arguments.seed)
        write_edition(edition, arguments.out, arguments.truth, seed=arguments.seed, customers=arguments.customers)
    except OSError as error:
        sys.stderr.write(f"cimlab generate: {explain(error)}\nNothing was changed.\n")
        return 1
    sys.stdout.write(summarise(arguments, edition))
    return 0


def make_with_progress(customers, seed):
    """Make an edition under one progress bar on stderr."""
    from tqdm import tqdm

    from cimlab.retailer.edition import make_edition

    # The share of the time that each part takes, in per cent, is in `shares`.
    with tqdm(
        total=100, file=sys.stderr, bar_format="{desc:<9}{percentage:3.0f}%|{bar:40}| {elapsed}", leave=False
    ) as bar:
        shares = {"persons": 15, "records": 5, "orders": 45, "calls": 5, "dirt": 30}

        def progress(rows, label):
            bar.set_description_str(label)
            start, step = bar.n, max(len(rows) // 100, 1)
            for number, row in enumerate(rows):
                if number % step == 0:
                    bar.update(start + shares[label] * number / len(rows) - bar.n)
                yield row
            bar.update(start + shares[label] - bar.n)

        return make_edition(customers, seed, progress)


def explain(error):
    """Say in plain words why a folder could not be written."""
    if isinstance(error, PermissionError):
        return f"{error}. Is a file of that folder open in another program, or the folder that of another user?"
    return str(error)


def summarise(arguments, edition):
    """Return what was written, in words."""
    lines = []
    for folder, tables in zip((arguments.out, arguments.truth), edition, strict=True):
        if folder is not None:
            rows = sum(len(rows) for rows in tables.values())
            lines.append(f"{folder}: {len(tables)} tables, {rows:,} rows, seed {arguments.seed}.\n")
    if arguments.truth is None:
        lines.append("No truth was written; add --truth DIR for the answers.\n")
    return "".join(lines)
