"""The only door to data: the tables of the synthetic retailer Xudong (旭东) as pandas DataFrames.

The types come from the data dictionary (`datapackage.json` beside the files), never from a guess: a phone number such
as ``0086-1740…`` stays text, a blank cell is a missing value, a date is a date.
"""

import csv
import difflib
import json
import os
import warnings
from datetime import datetime
from pathlib import Path

import pandas as pd

__all__ = ["describe", "load", "tables"]

DESCRIPTOR = "datapackage.json"
# What one word of the dictionary is in pandas. A column of whole numbers that may be blank is the nullable Int64.
DTYPES = {"string": "str", "integer": "int64", "number": "float64", "boolean": "bool"}
DATES = ("date", "datetime")
# The same words in a message.
KINDS = {"string": "allowed", "integer": "a whole number", "boolean": "true or false"}


def load(name):
    """Load one table of the retailer.

    Every call reads the file again, so that you may change the frame as you like.

    Parameters
    ----------
    name : str
        Name of a table; `tables` lists them.

    Returns
    -------
    pandas.DataFrame
        One row per row of the file. Text is `str`, whole numbers are `int64` (`Int64` where a cell may be blank),
        amounts are `float64` in CNY, dates are `datetime64[us]`. A blank cell is a missing value.

    Raises
    ------
    ValueError
        If there is no such table, or if a file does not fit the data dictionary; the message says where.
    FileNotFoundError
        If a file or the folder is not there; the message says where it was looked for.

    Examples
    --------
    >>> import cimlab
    >>> cimlab.load("stores").columns.tolist()
    ['store_id', 'name', 'city', 'opened_on']
    >>> cimlab.load("members")["phone"].dtype
    <StringDtype(na_value=nan)>
    """
    folder = data_folder()
    return read_table(folder, find_resource(read_descriptor(folder), name))


def describe(name):
    """Say what each column of a table means: the data dictionary.

    Parameters
    ----------
    name : str
        Name of a table; `tables` lists them.

    Returns
    -------
    pandas.DataFrame
        One row per column: `column`, `type`, `unit`, `meaning`, and `personal_data`, the grade of the column:
        `none`, `general` (一般), `medium` (中) or `high` (高度机密).

    Raises
    ------
    ValueError
        If there is no such table.

    Examples
    --------
    >>> import cimlab
    >>> cimlab.describe("stores")[["column", "type", "personal_data"]]
          column    type personal_data
    0   store_id  string          none
    1       name  string          none
    2       city  string          none
    3  opened_on    date          none
    """
    resource = find_resource(read_descriptor(data_folder()), name)
    rows = [
        [field["name"], field["type"], field["unit"], field["description"], field["personalData"]]
        for field in resource["schema"]["fields"]
    ]
    return pd.DataFrame(rows, columns=["column", "type", "unit", "meaning", "personal_data"], dtype="str")


def tables():
    """List the tables of the retailer.

    Returns
    -------
    pandas.DataFrame
        One row per table: `table`, `rows`, `columns` (their number) and `meaning`.

    Examples
    --------
    >>> import cimlab
    >>> "orders" in cimlab.tables()["table"].tolist()
    True
    """
    resources = read_descriptor(data_folder())["resources"]
    rows = [[r["name"], r["rows"], len(r["schema"]["fields"]), r["description"]] for r in resources]
    return pd.DataFrame(rows, columns=["table", "rows", "columns", "meaning"])


def data_folder():
    """Return the folder of the data: that of CIMLAB_DATA, else that of the checkout, else that of the package."""
    package = Path(__file__).resolve().parent
    chosen = os.environ.get("CIMLAB_DATA", "").strip()
    if chosen:
        folder = Path(chosen).expanduser()
        if not (folder / DESCRIPTOR).is_file():
            raise FileNotFoundError(
                f"The environment variable CIMLAB_DATA is {chosen!r}, but {folder.absolute() / DESCRIPTOR} is not "
                "there. Set it to a folder made by `cimlab generate`, or remove it to use the data of the course."
            )
        return folder
    for folder in (package.parent / "datasets", package / "_datasets"):
        if (folder / DESCRIPTOR).is_file():
            return folder
    raise FileNotFoundError(
        f"The data is not there: {package.parent / 'datasets' / DESCRIPTOR} is missing. "
        "Download the course again, or make the data with `cimlab generate datasets`."
    )


def read_descriptor(folder):
    """Return the descriptor (data dictionary) of a folder of tables as a dict."""
    path = Path(folder) / DESCRIPTOR
    try:
        descriptor = json.loads(path.read_text(encoding="utf-8-sig"))
        # These are what the functions above rely on.
        for resource in descriptor["resources"]:
            resource["name"], resource["path"], resource["rows"], resource["description"]
            for field in resource["schema"]["fields"]:
                field["name"], field["type"], field["unit"], field["description"], field["personalData"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error!r}). {remedy(path)}") from None
    return descriptor


def find_resource(descriptor, name):
    """Return the table called `name` from a descriptor, or say which names there are and which one is near."""
    names = [resource["name"] for resource in descriptor["resources"]]
    if name in names:
        return descriptor["resources"][names.index(name)]
    wanted = str(name).strip().lower().removesuffix(".csv")
    near = difflib.get_close_matches(wanted, names, n=2, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(match) for match in near)}?" if near else ""
    raise ValueError(f"There is no table {name!r}.{hint} The tables are: {', '.join(names)}.")


def read_table(folder, resource):
    """Read the CSV file of one resource with the types of its fields."""
    path = Path(folder) / resource["path"]
    fields = resource["schema"]["fields"]
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there, though the data dictionary names it. {remedy(path)}")
    check_header(path, [field["name"] for field in fields])
    try:
        frame = read_cells(path, fields)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is damaged: it is not UTF-8 text (byte {error.start}). {remedy(path)}") from None
    except (ValueError, TypeError, OverflowError, pd.errors.ParserWarning) as error:
        raise ValueError(f"{path} is damaged: {find_fault(path, fields) or error}. {remedy(path)}") from None
    if len(frame) != resource["rows"]:
        raise ValueError(
            f"{path} is damaged: it has {len(frame):,} rows, the data dictionary says {resource['rows']:,}. "
            f"{remedy(path)}"
        )
    return frame


def read_cells(path, fields):
    """Read a CSV file with the types of its fields; raise ValueError or ParserWarning at the first misfit."""
    with warnings.catch_warnings():
        # pandas only warns when a row has more cells than the first line, and loses them
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame = pd.read_csv(
            path,
            # utf-8-sig: a spreadsheet that saved the file again has put a mark in front of it
            encoding="utf-8-sig",
            dtype={field["name"]: pandas_type(field) for field in fields},
            keep_default_na=False,
            na_values={field["name"]: [""] for field in fields},
            index_col=False,
        )
    for field in fields:
        column = field["name"]
        if field["type"] in DATES:
            frame[column] = pd.to_datetime(frame[column], format=field["format"]).astype("datetime64[us]")
        if is_required(field) and frame[column].isna().any():
            raise ValueError(f"column {column!r} has blank cells")
    return frame


def is_required(field):
    """Return whether a field must not be blank."""
    return bool(field.get("constraints", {}).get("required"))


def pandas_type(field):
    """Return the pandas dtype with which a field is read; dates are read as text and converted after."""
    if field["type"] == "integer" and not is_required(field):
        return "Int64"
    return DTYPES.get(field["type"], "str")


def check_header(path, expected):
    """Raise ValueError if the first line of a CSV file does not name the expected columns."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        found = file.readline().rstrip("\r\n").split(",")
    if found != expected:
        raise ValueError(
            f"{path} is damaged: its first line should name the columns {', '.join(expected)}; "
            f"it reads {', '.join(found)[:200]!r}. {remedy(path)}"
        )


def find_fault(path, fields):
    """Return in words where the first cell stands that does not fit its field; None if there is none."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for cells in rows:
            if len(cells) != len(fields):
                return f"line {rows.line_num} has {len(cells)} cells, {len(fields)} are expected"
            for field, cell in zip(fields, cells, strict=True):
                if not cell_fits(field, cell):
                    kind = KINDS.get(field["type"], f"a {field['type']}")
                    return f"line {rows.line_num}, column {field['name']!r}: {cell!r} is not {kind}"
    return None


def cell_fits(field, cell):
    """Return whether the text of a cell can be read as the type of its field."""
    if cell == "":
        return not is_required(field)
    try:
        if field["type"] in DATES:
            datetime.strptime(cell, field["format"])
        elif field["type"] in ("integer", "number"):
            {"integer": int, "number": float}[field["type"]](cell)
        return field["type"] != "boolean" or cell in ("true", "false")
    except ValueError:
        return False


def remedy(path):
    """Say how to get an undamaged file back."""
    if os.environ.get("CIMLAB_DATA", "").strip():
        return f"Make the folder again with `cimlab generate {path.parent}`."
    return f"Get it back with `git checkout -- datasets/{path.name}`, or download the course again."
