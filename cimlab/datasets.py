"""The only door to data: the tables of the synthetic retailer Xudong (旭东) as pandas DataFrames.

The types come from the data dictionary (`datapackage.json` beside the files), never from a guess: a phone number such
as ``0086-1740…`` stays text, a blank cell is a missing value, a date is a date.
"""

import difflib
import json
import os
from pathlib import Path

import pandas as pd

from cimlab import _own
from cimlab._forms import form_of, read_file

__all__ = ["describe", "load", "locate", "tables"]

DESCRIPTOR = "datapackage.json"


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


def locate(name):
    """Say where the file of a table is, for those who want to open it themselves.

    Parameters
    ----------
    name : str
        Name of a table; `tables` lists them.

    Returns
    -------
    pathlib.Path
        The file; of a table in Parquet the folder with its parts.

    Raises
    ------
    ValueError
        If there is no such table.
    FileNotFoundError
        If the file is not there.

    Examples
    --------
    >>> import cimlab
    >>> cimlab.locate("stores").name
    'stores.csv'
    """
    folder = data_folder()
    return find_file(folder, find_resource(read_descriptor(folder), name))


def tables():
    """List the tables of the retailer.

    Returns
    -------
    pandas.DataFrame
        One row per table: `table`, `rows`, `columns` (their number), `meaning`, `channel` (which one collects it; blank
        for the retailer's own books), `structure` (structured, semi-structured or unstructured) and `file`.

    Examples
    --------
    >>> import cimlab
    >>> "orders" in cimlab.tables()["table"].tolist()
    True
    """
    rows = []
    for resource in read_descriptor(data_folder())["resources"]:
        path = resource["path"]
        file = path if isinstance(path, str) else f"{Path(path[0]).parent.as_posix()}/*{Path(path[0]).suffix}"
        numbers = [resource["rows"], len(resource["schema"]["fields"])]
        words = [resource["description"], resource.get("channel", ""), resource.get("structure", ""), file]
        rows.append([resource["name"], *numbers, *words])
    return pd.DataFrame(rows, columns=["table", "rows", "columns", "meaning", "channel", "structure", "file"])


def data_folder():
    """Return the folder of the data: that of CIMLAB_DATA, else of the own seed, of the checkout, of the package."""
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
    seed = _own.own_seed()
    if seed is not None:
        return _own.own_folder(seed)
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
    wanted = name.strip().lower().split(".")[0] if isinstance(name, str) else ""
    near = difflib.get_close_matches(wanted, names, n=2, cutoff=0.5)
    hint = f" Did you mean {' or '.join(repr(match) for match in near)}?" if near else ""
    raise ValueError(f"There is no table {name!r}.{hint} The tables are: {', '.join(names)}.")


def find_file(folder, resource):
    """Return the file of a table, or the folder of its Parquet parts; raise FileNotFoundError if one is missing."""
    parts = [resource["path"]] if isinstance(resource["path"], str) else resource["path"]
    path = Path(folder, parts[0])
    if form_of(resource) == "parquet":
        path = path.parent
    for part in parts:
        if not Path(folder, part).is_file():
            raise FileNotFoundError(
                f"{Path(folder, part)} is not there, though the data dictionary names it. {remedy(path)}"
            )
    return path


def read_table(folder, resource):
    """Read the file of one resource with the types of its fields."""
    path = find_file(folder, resource)
    try:
        frame = read_file(path, resource)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}. {remedy(path)}") from None
    if len(frame) != resource["rows"]:
        raise ValueError(
            f"{path} is damaged: it has {len(frame):,} rows, the data dictionary says {resource['rows']:,}. "
            f"{remedy(path)}"
        )
    return frame


def remedy(path):
    """Say how to get an undamaged file back."""
    if os.environ.get("CIMLAB_DATA", "").strip():
        return f"Make the folder again with `cimlab generate {path.parent}`."
    if _own.own_seed() is not None:
        return f"Delete the folder {path.parent}; it is made again."
    return f"Get it back with `git checkout -- datasets/{path.name}`, or download the course again."
