"""The `cimlab` command: one door to everything that is done from a terminal."""

import argparse
import importlib
import sys

from cimlab import __version__

# name → (module that holds `add_arguments(parser)` and `run(arguments) -> int`, one line of help)
COMMANDS = {
    "doctor": ("cimlab.doctor", "check this machine: an OK line or a remedy for each thing"),
    "generate": ("cimlab.retailer.command", "make the retailer's data from a seed"),
    "verify": ("cimlab.retailer.verify_command", "check the files of an edition against their data dictionary"),
    "release": ("cimlab.grading.release", "make the student versions of the labs from solutions/"),
    "prove": ("cimlab.grading.prove", "prove that the labs mark right and wrong answers as intended"),
    "grade": ("cimlab.grading.grade", "grade the new and changed hand-ins of a lab, several at once, isolated"),
    "preview": (
        "cimlab.grading.preview",
        "show whose marks a changed lab would change, before anything is written",
    ),
    "feedback": ("cimlab.grading.feedback_command", "make a feedback page for each student of a graded lab"),
    "own": (
        "cimlab.grading.own_data_command",
        "give each student a retailer of their own: seeds, and what is right for whom",
    ),
    "report": (
        "cimlab.grading.report_command",
        "report on a graded lab: questions, mistakes, late and waiting work, likeness",
    ),
    "kit": ("cimlab.grading.kit", "pack what a student gets (no solutions, no truth) into one zip file"),
}


def build_parser(only=None):
    """Return the argument parser; `only` loads the arguments of that one command (the others cost time to import)."""
    parser = argparse.ArgumentParser(prog="cimlab", description="The course kit for customer information management.")
    parser.add_argument("--version", action="version", version=f"cimlab {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name == only:
            importlib.import_module(module).add_arguments(command)
    return parser


def main(argv=None):
    """Run one command and return its exit status: 0 done, 1 the answer is no, 2 the command line was wrong."""
    argv = sys.argv[1:] if argv is None else list(argv)
    only = next((word for word in argv if word in COMMANDS), None)
    if only and COMMANDS[only][0].startswith("cimlab.grading"):
        from cimlab.grading.quick_start import spare_address_parsers

        spare_address_parsers()
    arguments = build_parser(only).parse_args(argv)
    return importlib.import_module(COMMANDS[arguments.command][0]).run(arguments)


if __name__ == "__main__":
    sys.exit(main())
