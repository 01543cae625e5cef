"""How each form of file is read with the types of the data dictionary; `cimlab.load` is the door to it.

Every reader returns a DataFrame and raises ValueError with the place (line, sheet, column) of the first misfit.
"""

import csv
import json
import re
import warnings
from datetime import date, datetime
from pathlib import Path

import pandas as pd

# What one word of the dictionary is in pandas. A column of whole numbers that may be blank is the nullable Int64.
DTYPES = {"string": "str", "integer": "int64", "number": "float64", "boolean": "bool"}
NULLABLE = {"integer": "Int64", "boolean": "boolean"}
DATES = ("date", "datetime")
# The same words in a message.
KINDS = {"string": "allowed", "integer": "a whole number", "boolean": "true or false"}
ENCODINGS = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "gb18030": "GB 18030"}
# What a cell may be where a file keeps more than text.
PYTHON = {"integer": {int}, "number": {int, float}, "boolean": {bool}}
# The first line of a call in a file of notes.
CALL = re.compile(r"\[([^\]]+)\] (\d{4}-\d{2}-\d{2} \d{2}:\d{2}(?::\d{2})?) (.+)")
ESCAPES = {"n": "\n", "r": "\r"}


def read_file(path, resource):
    """Read the file (or the folder of Parquet parts) of one resource.

    Parameters
    ----------
    path : pathlib.Path
        What `cimlab.locate` returns.
    resource : dict
        The entry of the table in the descriptor.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    ValueError
        If something does not fit the dictionary; the message says where.
    """
    fields = resource["schema"]["fields"]
    kind = form_of(resource)
    if kind == "parquet":
        return read_parts(path.parent, resource["path"], fields)
    if kind == "jsonl":
        return read_json_lines(path, fields, resource.get("paths", {}))
    if kind == "txt":
        return read_notes(path, fields, resource["notes"])
    if kind == "xlsx":
        return read_workbook(path, fields, resource)
    encoding = resource.get("encoding", "utf-8")
    header = resource.get("header", [field["name"] for field in fields])
    options = {
        # utf-8-sig: a spreadsheet that saved the file again has put a mark in front of it
        "encoding": "utf-8-sig" if encoding == "utf-8" else encoding,
        "delimiter": resource.get("dialect", {}).get("delimiter", ","),
    }
    check_header(path, header, **options)
    try:
        return read_cells(path, fields, **options)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not {ENCODINGS.get(encoding, encoding)} text (byte {error.start})") from None
    except (ValueError, TypeError, OverflowError, pd.errors.ParserWarning) as error:
        raise ValueError(find_fault(path, fields, **options) or str(error)) from None


def form_of(resource):
    """Return the form of a table's file, by the end of its name."""
    path = resource["path"]
    return (path if isinstance(path, str) else path[0]).rsplit(".", 1)[-1].lower()


def is_required(field):
    """Return whether a field must not be blank."""
    return bool(field.get("constraints", {}).get("required"))


def pandas_type(field):
    """Return the pandas dtype with which a field is read; dates are read as text and converted after."""
    if field["type"] in NULLABLE and not is_required(field):
        return NULLABLE[field["type"]]
    return DTYPES.get(field["type"], "str")


def check_required(frame, fields):
    """Raise ValueError if a column that must be filled has a blank."""
    for field in fields:
        if is_required(field) and frame[field["name"]].isna().any():
            raise ValueError(f"column {field['name']!r} has blank cells")


# --- CSV --------------------------------------------------------------------------------------------------------------


def check_header(path, expected, encoding, delimiter):
    """Raise ValueError if the first line of a CSV file does not name the expected columns."""
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        found = next(csv.reader(file, delimiter=delimiter), [])
    if found != expected:
        raise ValueError(
            f"its first line should name the columns {', '.join(expected)}; it reads {', '.join(found)[:200]!r}"
        )


def read_cells(path, fields, encoding, delimiter):
    """Read a CSV file with the types of its fields; raise ValueError or ParserWarning at the first misfit."""
    names = [field["name"] for field in fields]
    with warnings.catch_warnings():
        # pandas only warns when a row has more cells than the first line, and loses them
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame = pd.read_csv(
            path,
            encoding=encoding,
            sep=delimiter,
            header=0,
            names=names,
            dtype={field["name"]: pandas_type(field) for field in fields},
            keep_default_na=False,
            na_values={name: [""] for name in names},
            index_col=False,
        )
    for field in fields:
        column = field["name"]
        if field["type"] in DATES:
            frame[column] = read_times(frame[column], field)
    check_required(frame, fields)
    return frame


def read_times(texts, field):
    """Return a column of text as dates."""
    return pd.to_datetime(texts, format=field["format"]).astype("datetime64[us]")


def find_fault(path, fields, encoding, delimiter):
    """Return in words where the first cell stands that does not fit its field; None if there is none."""
    with path.open(encoding=encoding, newline="") as file:
        rows = csv.reader(file, delimiter=delimiter)
        next(rows)
        for cells in rows:
            if len(cells) != len(fields):
                return f"line {rows.line_num} has {len(cells)} cells, {len(fields)} are expected"
            for field, cell in zip(fields, cells, strict=True):
                if not cell_fits(field, cell):
                    return f"line {rows.line_num}, {say_misfit(field, cell)}"
    return None


def say_misfit(field, cell):
    """Say that a cell does not fit its field."""
    return f"column {field['name']!r}: {cell!r} is not {KINDS.get(field['type'], 'a ' + field['type'])}"


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


# --- forms that keep more than text -----------------------------------------------------------------------------------


def make_frame(columns, fields, places):
    """Return values as a DataFrame with the types of its fields.

    Parameters
    ----------
    columns : dict
        Column → its values, None for a blank.
    fields : list of dict
        Fields of the descriptor.
    places : list of str
        Where each row stands ("line 3"), for messages.
    """
    frame = {}
    for field in fields:
        values = columns[field["name"]]
        allowed = PYTHON.get(field["type"], {str}) | (set() if is_required(field) else {type(None)})
        if not set(map(type, values)) <= allowed:
            row = next(number for number, value in enumerate(values) if type(value) not in allowed)
            raise ValueError(f"{places[row]}, {say_misfit(field, '' if values[row] is None else values[row])}")
        if field["type"] in DATES:
            try:
                frame[field["name"]] = read_times(pd.Series(values, dtype="str"), field)
            except ValueError as error:
                wrong = [row for row, value in enumerate(values) if not cell_fits(field, value or "")]
                place = f"{places[wrong[0]]}, {say_misfit(field, values[wrong[0]])}" if wrong else error
                raise ValueError(place) from None
        else:
            frame[field["name"]] = pd.Series(values, dtype=pandas_type(field))
    return pd.DataFrame(frame)


def read_lines(path):
    """Yield the lines of a UTF-8 file without their ends."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text (byte {error.start})") from None
    # Not splitlines: it also splits at signs that may stand in a text.
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def read_json_lines(path, fields, paths):
    """Read a file of JSON objects, one a line; `paths` says where in the object each column stands."""
    routes = {field["name"]: paths.get(field["name"], field["name"]).split(".") for field in fields}
    columns = {name: [] for name in routes}
    lines = read_lines(path)
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number} is no JSON ({error})") from None
        if not isinstance(record, dict):
            raise ValueError(f"line {number} is no JSON object")
        for name, route in routes.items():
            value = record
            for key in route:
                value = value.get(key) if isinstance(value, dict) else None
            columns[name].append(value)
    return make_frame(columns, fields, [f"line {number}" for number in range(1, len(lines) + 1)])


def read_notes(path, fields, layout):
    r"""Read a file of notes: blocks parted by an empty line; see `cimlab.retailer.files.format_notes`.

    The first line of a block is ``[number] time topic``, then come lines with a label, then the free text.
    """
    columns = {field["name"]: [] for field in fields}
    places, block, start = [], [], 1
    for number, line in enumerate([*read_lines(path), ""], 1):
        if line:
            block.append(line)
        elif block:
            found = read_block(block, layout, start)
            for name, values in columns.items():
                values.append(found.get(name))
            places.append(f"line {start}")
            block = []
        if not block:
            start = number + 1
    return make_frame(columns, fields, places)


def read_block(lines, layout, start):
    """Return the columns of one block of notes."""
    header = CALL.fullmatch(lines[0])
    if header is None:
        shape = "] ".join(["[" + layout["header"][0], " ".join(layout["header"][1:])])
        raise ValueError(f"line {start}: a block should begin with {shape!r}; it reads {lines[0][:80]!r}")
    found = dict(zip(layout["header"], header.groups(), strict=True))
    for number, line in enumerate(lines[1:], start + 1):
        if layout["text"] in found:
            raise ValueError(f"line {number} stands behind the note of its block: {line[:80]!r}")
        label, parted, value = line.partition(": ")
        column = layout["labels"].get(label) if parted else None
        if column and column not in found:
            found[column] = unescape(value) or None
        else:
            found[layout["text"]] = unescape(line)
    return found


def unescape(text):
    """Return a text with the line breaks that were written as backslashes."""
    if "\\" not in text:
        return text
    return re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[1]), text)


def read_workbook(path, fields, resource):
    """Read a workbook whose sheets are the values of one column."""
    import openpyxl

    by = next(field for field in fields if field["name"] == resource["sheet"])
    inner = [field for field in fields if field is not by]
    header = resource.get("header", [field["name"] for field in inner])
    columns, places = {field["name"]: [] for field in fields}, []
    try:
        book = openpyxl.load_workbook(path, data_only=True)
    except Exception as error:  # a damaged zip file or part can fail in any way
        raise ValueError(f"it is no workbook that can be read ({error})") from None
    for title in by["constraints"]["enum"]:
        if title not in book.sheetnames:
            raise ValueError(f"the sheet {title!r} is missing; there are {', '.join(map(repr, book.sheetnames))}")
        rows = book[title].iter_rows(values_only=True)
        found = [cell for cell in next(rows, ()) if cell is not None]
        if found != header:
            names = ", ".join(map(str, found))[:200]
            raise ValueError(f"sheet {title!r}: the first row should name {', '.join(header)}; it reads {names!r}")
        for number, row in enumerate(rows, 2):
            if any(cell is not None for cell in row):
                columns[by["name"]].append(title)
                for place, field in enumerate(inner):
                    columns[field["name"]].append(cell_value(row[place] if place < len(row) else None, field))
                places.append(f"sheet {title!r}, row {number}")
    return make_frame(columns, fields, places)


def cell_value(cell, field):
    """Return the cell of a workbook as the text that a file would hold; a date is a date there."""
    if isinstance(cell, date) and field["type"] in DATES:
        return cell.strftime(field["format"])
    return None if cell == "" else cell


# --- Parquet ----------------------------------------------------------------------------------------------------------


def read_parts(folder, parts, fields):
    """Read the parts of a Parquet table, one under the other."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
    # microseconds: what the same column of a CSV file becomes
    schema = pa.schema([(field["name"], kinds.get(field["type"], pa.timestamp("us"))) for field in fields])
    tables = []
    for part in [parts] if isinstance(parts, str) else parts:
        try:
            table = pq.ParquetFile(folder / part).read()
            if table.column_names == schema.names:
                table = table.cast(schema)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{Path(part).name} cannot be read ({error})") from None
        if table.column_names != schema.names:
            raise ValueError(f"{Path(part).name} has the columns {', '.join(table.column_names)}")
        tables.append(table)
    table = pa.concat_tables(tables)
    frame = {}
    for field in fields:
        nullable = {"integer": pd.Int64Dtype(), "boolean": pd.BooleanDtype()}.get(field["type"])
        mapper = (lambda _, kind=nullable: kind) if nullable is not None and not is_required(field) else None
        if is_required(field) and table[field["name"]].null_count:
            raise ValueError(f"column {field['name']!r} has blank cells")
        frame[field["name"]] = table[field["name"]].to_pandas(types_mapper=mapper)
    return pd.DataFrame(frame)
