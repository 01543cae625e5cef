"""`cimlab generate`: make the retailer's data from a seed."""

import os
import sys
from pathlib import Path

DEFAULT_HELP = "Without --truth nobody, not even you, gets the answers. The same seed gives the same files on every machine."


def add_arguments(parser):
    """Add the arguments of `cimlab generate` to an argparse parser."""
    parser.epilog = DEFAULT_HELP
    parser.add_argument("out", metavar="OUT", type=Path, help="folder for the data; an edition that stands there is replaced")
    parser.add_argument("--customers", metavar="N", type=int, default=None, help="number of persons (default 1500)")
    parser.add_argument("--seed", metavar="S", type=int, default=None, help="whole number (default: CIMLAB_SEED, else 20260630)")
    parser.add_argument("--truth", metavar="DIR", type=Path, default=None, help="also write the truth, into this folder")


def run(arguments):
    """Make an edition; return 0 when done, 2 when the command line was wrong, 1 when the folder could not be written."""
    from tqdm import tqdm

    from cimlab.retailer.edition import DEFAULT_CUSTOMERS, DEFAULT_SEED, make_edition
    from cimlab.retailer.write import write_edition

    seed = arguments.seed if arguments.seed is not None else int(os.environ.get("CIMLAB_SEED") or DEFAULT_SEED)
    customers = arguments.customers or DEFAULT_CUSTOMERS

    def progress(rows, label):
        return tqdm(rows, desc=label, unit="", file=sys.stderr, leave=False)

    edition = make_edition(customers, seed, progress)
    write_edition(edition, arguments.out, arguments.truth, seed=seed, customers=customers)
    sys.stdout.write(f"{arguments.out}: written\n")
    return 0
