"""`cimlab verify`: check the files of an edition against their descriptor."""

import sys
from pathlib import Path


def add_arguments(parser):
    """Add the arguments of `cimlab verify` to an argparse parser."""
    parser.epilog = "The exit status is 0 if all is well, 1 if a fault was found, 2 if there is nothing to check."
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, nargs="+", help="folder made by `cimlab generate`, of data or of truth"
    )


def run(arguments):
    """Check each folder and say what was found; return 0, 1 (a fault) or 2 (no edition in a folder)."""
    from cimlab.retailer.verify import check_edition

    worst = 0
    for folder in arguments.folder:
        try:
            faults = check_edition(folder)
        except (FileNotFoundError, NotADirectoryError):
            sys.stderr.write(f"cimlab verify: {folder} holds no datapackage.json; name a folder made by generate.\n")
            worst = 2
            continue
        except ValueError as error:
            sys.stderr.write(f"cimlab verify: {error}\n")
            worst = max(worst, 1)
            continue
        sys.stdout.write(summarise(folder, faults))
        worst = max(worst, int(len(faults) > 0))
    return worst


def summarise(folder, faults):
    """Return what was found in a folder, in words."""
    if not len(faults):
        return f"{folder}: all is well.\n"
    lines = [f"{folder}: {len(faults)} rule{'s are' if len(faults) > 1 else ' is'} broken.\n"]
    for fault in faults.itertuples():
        place = f"{fault.table}.{fault.column}" if fault.column else fault.table
        lines.append(f"  {place}: {fault.rule}: {fault.rows:,} row{'s' if fault.rows != 1 else ''}, {fault.example}\n")
    return "".join(lines)
