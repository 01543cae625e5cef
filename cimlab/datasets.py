"""The only door to data: the tables of the synthetic retailer Xudong (旭东) as pandas DataFrames.

The types come from the data dictionary (`datapackage.json` beside the files), never from a guess: a phone number such as
``0086 1740…`` stays text, a blank cell is a missing value, a date is a date.
"""

import difflib
import json
import os
from pathlib import Path

import pandas as pd

__all__ = ["describe", "load", "tables"]

DESCRIPTOR = "datapackage.json"
# What one word of the dictionary is in pandas. A column of whole numbers that may be blank is the nullable Int64.
DTYPES = {"string": "str", "integer": "int64", "number": "float64", "boolean": "bool"}
DATES = ("date", "datetime")


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
        One row per row of the file. Text is `str`, whole numbers are `int64` (`Int64` where a cell may be blank), amounts are
        `float64` in CNY, dates are `datetime64[us]`. A blank cell is a missing value.

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
    """Return the folder of the data: that of CIMLAB_DATA, else the one of the checkout, else the one of the installed package."""
    package = Path(__file__).resolve().parent
    chosen = os.environ.get("CIMLAB_DATA", "").strip()
    if chosen:
        folder = Path(chosen).expanduser()
        if not (folder / DESCRIPTOR).is_file():
            raise FileNotFoundError(
                f"The environment variable CIMLAB_DATA is {chosen!r}, but {folder.absolute() / DESCRIPTOR} is not there. "
                "Set it to a folder made by `cimlab generate`, or remove it to use the data that comes with the course."
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
        frame = pd.read_csv(
            path,
            # utf-8-sig: a spreadsheet that saved the file again has put a mark in front of it
            encoding="utf-8-sig",
            dtype={field["name"]: pandas_type(field) for field in fields},
            keep_default_na=False,
            na_values={field["name"]: [""] for field in fields},
            float_precision="round_trip",
            index_col=False,
        )
        for field in fields:
            if field["type"] in DATES:
                text = frame[field["name"]]
                frame[field["name"]] = pd.to_datetime(text, format=field["format"]).astype("datetime64[us]")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is damaged: it is not UTF-8 text (byte {error.start}). {remedy(path)}") from None
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path} is damaged: {find_fault(path, fields) or error}. {remedy(path)}") from None
    if len(frame) != resource["rows"]:
        raise ValueError(
            f"{path} is damaged: it has {len(frame):,} rows, the data dictionary says {resource['rows']:,}. {remedy(path)}"
        )
    return frame


def pandas_type(field):
    """Return the pandas dtype with which a field is read; dates are read as text and converted after."""
    if field["type"] == "integer" and not field.get("constraints", {}).get("required"):
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
    """Return where the first cell stands that does not have the type of its field, in words; None if there is none."""
    frame = pd.read_csv(path, encoding="utf-8-sig", dtype="str", keep_default_na=False, on_bad_lines="skip", index_col=False)
    for field in fields:
        text = frame[field["name"]]
        if field["type"] in ("integer", "number"):
            values = pd.to_numeric(text, errors="coerce")
            bad = values.isna() | ((values % 1 != 0) if field["type"] == "integer" else False)
        elif field["type"] in DATES:
            bad = pd.to_datetime(text, format=field["format"], errors="coerce").isna()
        else:
            continue
        if not field.get("constraints", {}).get("required"):
            bad &= text != ""
        if bad.any():
            row = int(bad.to_numpy().argmax())
            kind = {"integer": "a whole number", "number": "a number"}.get(field["type"], f"a {field['type']}")
            return f"line {row + 2}, column {field['name']!r}: {text.iloc[row]!r} is not {kind}"
    return None


def remedy(path):
    """Say how to get an undamaged file back."""
    if os.environ.get("CIMLAB_DATA", "").strip():
        return f"Make the folder again with `cimlab generate {path.parent}`."
    return f"Get it back with `git checkout -- datasets/{path.name}`, or download the course again."
