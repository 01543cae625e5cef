"""A small stand-in for the core of the retailer: rows of every table, made from its columns alone."""

import datetime
import os
import re
import signal
import time

import pyarrow as pa

from cimlab.retailer.draws import read_settings
from cimlab.retailer.files import TYPES

DICTIONARY = read_settings("dictionary")
TABLES, TRUTH = list(DICTIONARY["tables"]), list(DICTIONARY["truth"])
# Text that a careless form would not give back.
TRICKY = [
    "王女士 called",
    'a "quoted", comma; semicolon\tand tab',
    "two\nlines\n\nand an empty one",
    "caller: not a label",
    "phone: 1740",
    "back\\slash \\n",
    " blanks around ",
    "NA",
    "null",
    "[C0000000] 2026-01-01 00:00 order",
    "ends in \r\nwindows",
    "<b> & 'x' 𠮷┋",
    "0012",
]
COMMON = {"stores": 3, "products": 5, "promotions": 4, "campaigns": 2}


def fake_value(column, facts, number):
    """The value of a column in a row; every seventh is blank where it may be."""
    kind, unit, _, _, *extra = facts
    rules = extra[0] if extra else {}
    if not rules.get("required") and (number + len(column)) % 7 == 0:
        return None
    if "enum" in rules:
        return rules["enum"][number % len(rules["enum"])]
    if kind == "string":
        return TRICKY[(number + len(column)) % len(TRICKY)]
    if kind == "integer":
        return rules.get("minimum", 0) + number % 3
    if kind == "number":
        return (number % 90 + 10) / (100 if unit else 128)
    if kind == "boolean":
        return number % 2 == 0
    day = datetime.datetime(2026, 1, 1, 9, 30) + datetime.timedelta(minutes=97 * number)
    return day.date() if kind == "date" else day


def fake_key(rules, number):
    """A text of eight characters or so that is different for each row."""
    letter = re.match(r"\[?(\w+)", rules.get("pattern", "K"))[1]
    return f"{letter[0]}{number:07d}"


def fake_table(name, specification, numbers):
    columns = {}
    for column, facts in specification["columns"].items():
        rules = facts[4] if len(facts) > 4 else {}
        if column == specification["key"][0]:
            values = [number + 1 if facts[0] == "integer" else fake_key(rules, number) for number in numbers]
        else:
            values = [fake_value(column, facts, number) for number in numbers]
        columns[column] = pa.array(values, TYPES[facts[0]])
    return pa.table(columns)


def make_common_tables(seed):
    return {name: fake_table(name, DICTIONARY["tables"][name], range(rows)) for name, rows in COMMON.items()}


def make_tables(seed, level, start, stop, *, truth, only=None):
    """Two rows a person, in an order that is not that of the file."""
    if os.environ.get("CIMLAB_TEST_KILL") == str(start):
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("CIMLAB_TEST_SLEEP"):
        time.sleep(float(os.environ["CIMLAB_TEST_SLEEP"]))
    numbers = [2 * person + k for person in range(start, stop) for k in (1, 0)]
    numbers = [number * 1000 + seed % 1000 for number in numbers]
    wanted = [name for name in TABLES if name not in COMMON and (only is None or name in only)]
    data = {name: fake_table(name, DICTIONARY["tables"][name], numbers) for name in wanted}
    return data, {name: fake_table(name, DICTIONARY["truth"][name], numbers) for name in TRUTH} if truth else {}
