"""The forms in which a table is written: CSV, JSON lines, text notes, a workbook, and Parquet.

Each form of a small edition is what the channel of the table would hand over; `cimlab.load` reads them all. The bytes
depend on the rows alone.
"""

import csv
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cimlab.retailer.draws import read_settings
from cimlab.retailer.workbook import format_workbook

SUFFIXES = {"csv": ".csv", "jsonl": ".jsonl", "notes": ".txt", "xlsx": ".xlsx"}
TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "date": pa.date32(),
    "datetime": pa.timestamp("s"),
    "boolean": pa.bool_(),
}
MINUTES, SECONDS = "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"
ISO_SECONDS = "%Y-%m-%dT%H:%M:%S"


def conform(table, specification, name="the table"):
    """Return a table with exactly the columns and types of the dictionary; None gives one without rows.

    Parameters
    ----------
    table : pyarrow.Table or None
    specification : dict
        The entry of the table in the dictionary.
    name : str
        What to call it in a message.

    Raises
    ------
    ValueError
        If a column is missing, unknown or cannot take its type.
    """
    columns = specification["columns"]
    if table is None:
        return pa.table({column: pa.array([], TYPES[facts[0]]) for column, facts in columns.items()})
    if table.column_names != list(columns):
        odd = sorted(set(table.column_names) ^ set(columns)) or "their order"
        raise ValueError(f"{name} does not have the columns of the dictionary: {odd}")
    arrays = []
    for column, facts in columns.items():
        array, kind = table[column], TYPES[facts[0]]
        # text may come as numbers into a list of words, which Parquet keeps as it is
        fits = array.type == kind or (facts[0] == "string" and pa.types.is_dictionary(array.type))
        try:
            arrays.append(array if fits else array.cast(kind))
        except pa.ArrowInvalid as error:
            raise ValueError(f"{name}, column {column!r}: {error}") from None
    return pa.table(arrays, names=list(columns))


def file_name(name, specification):
    """Return the name of a table's file in a small edition."""
    return specification.get("file", name + SUFFIXES[specification.get("form", "csv")])


def sort_rows(table, specification):
    """Return the rows in the order that the dictionary says, whatever order they came in."""
    table = table.combine_chunks().sort_by([(column, "ascending") for column in specification["order"]])
    return table.combine_chunks()


def format_file(name, table, specification):
    """Return the bytes of a table in its own form.

    Parameters
    ----------
    name : str
        Name of the table.
    table : pyarrow.Table
        Its rows, in order.
    specification : dict
        The entry of the table in the dictionary.

    Returns
    -------
    bytes
    """
    form = specification.get("form", "csv")
    if form == "jsonl":
        return format_json_lines(table, specification, read_settings("write")["paths"][name])
    if form == "notes":
        return format_notes(table, specification, read_settings("write")["layouts"][name])
    if form == "xlsx":
        return format_sheets(table, specification)
    return format_csv(table, specification)


def describe_file(name, table, specification):
    """Return the form of a table's file and what a reader must know of it: paths, layout, the formats of its times."""
    form = specification.get("form", "csv")
    facts = {"format": form}
    if form == "jsonl":
        facts["paths"] = read_settings("write")["paths"][name]
    if form == "notes":
        facts["notes"] = read_settings("write")["layouts"][name]
    return facts | {
        "times": {column: time_format(table[column], form) for column in of_type(specification, "datetime")}
    }


def of_type(specification, *kinds):
    """Return the columns of these types."""
    return [column for column, facts in specification["columns"].items() if facts[0] in kinds]


# --- values as text -------------------------------------------------------------------------------------------------


def time_format(column, form="csv"):
    """Return the format in which the times of a column are written: with seconds only where there are any."""
    if form == "jsonl":
        return ISO_SECONDS
    stamps = pc.cast(pc.drop_null(pc.cast(column, TYPES["datetime"])), pa.int64())
    some = pc.any(pc.not_equal(pc.subtract(stamps, pc.multiply(pc.divide(stamps, 60), 60)), 0)).as_py()
    return SECONDS if some else MINUTES


def time_texts(column, form="csv"):
    """Return times as text, None for a blank."""
    texts = pc.cast(pc.cast(column, TYPES["datetime"]), pa.string())
    wanted = time_format(column, form)
    if wanted == MINUTES:
        texts = pc.utf8_slice_codeunits(texts, 0, 16)
    if wanted == ISO_SECONDS:
        texts = pc.replace_substring(texts, " ", "T")
    return texts.to_pylist()


def number_texts(column, unit):
    """Return numbers as text: money to the cent, all others with the digits they have; None for a blank."""
    values = column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    values = np.asarray(values, dtype=np.float64)
    blank = np.isnan(values)
    # a figure with more digits than cents keeps them: nothing may be lost in a file
    cents = unit.endswith("CNY") and bool(((np.rint(values * 100) / 100 == values) | blank).all())
    digits = "{:.2f}".format if cents else shortest
    return [None if none else digits(value) for value, none in zip(values.tolist(), blank.tolist(), strict=True)]


def shortest(value):
    """Return a number with the digits it needs: 0.1, 0."""
    return repr(value).removesuffix(".0")


def text_columns(table, specification):
    """Return the columns as lists of text, None for a blank."""
    columns = {}
    for column, (kind, unit, *_) in specification["columns"].items():
        values = table[column]
        if kind == "number":
            columns[column] = number_texts(values, unit)
        elif kind == "datetime":
            columns[column] = time_texts(values)
        else:
            columns[column] = pc.cast(values, pa.string()).to_pylist()
    return columns


# --- the forms of a small edition -----------------------------------------------------------------------------------


def format_csv(table, specification):
    """Return the bytes of a CSV file, its lines ended by LF."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=specification.get("delimiter", ","), lineterminator="\n")
    writer.writerow(specification.get("header", list(specification["columns"])))
    writer.writerows(zip(*text_columns(table, specification).values(), strict=True))
    return text.getvalue().encode(specification.get("encoding", "utf-8"))


def format_json_lines(table, specification, paths):
    """Return the bytes of a file of JSON objects, one a line; a blank is left out.

    Parameters
    ----------
    table : pyarrow.Table
    specification : dict
        The entry of the table in the dictionary.
    paths : dict
        Column → its place in the object, such as ``session.device``.
    """
    columns = []
    for column, path in paths.items():
        kind = specification["columns"][column][0]
        values = table[column]
        if kind == "datetime":
            columns.append((path.split("."), time_texts(values, "jsonl")))
        elif kind == "date":
            columns.append((path.split("."), pc.cast(values, pa.string()).to_pylist()))
        else:
            columns.append((path.split("."), values.to_pylist()))
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    lines = []
    for row in range(table.num_rows):
        record = {}
        for (*groups, key), values in columns:
            if values[row] is not None:
                place = record
                for group in groups:
                    place = place.setdefault(group, {})
                place[key] = values[row]
        lines.append(encode(record) + "\n")
    return "".join(lines).encode()


def format_notes(table, specification, layout):
    r"""Return the bytes of a file of notes: a block each, one empty line between two blocks.

    The first line of a block is ``[number] time topic``; then come lines with a label, then the free text. A line break
    within a value is written ``\n`` (and ``\r``), a backslash ``\\``; a free text that would be taken for a line with a
    label begins with a backslash. So nothing is lost, whatever the note holds.
    """
    columns = text_columns(table, specification)
    number, time, topic = (columns[column] for column in layout["header"])
    labels = [(f"{label}: ", columns[column]) for label, column in layout["labels"].items()]
    starts = tuple(f"{label}:" for label in layout["labels"])
    blocks = []
    for row, note in enumerate(columns[layout["text"]]):
        lines = [f"[{number[row]}] {time[row]} {topic[row]}"]
        lines += [label + on_one_line(values[row]) for label, values in labels if values[row] is not None]
        if note:
            lines.append(("\\" if note.startswith(starts) else "") + on_one_line(note))
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks).encode()


def on_one_line(text):
    """Return a text without line breaks."""
    if "\\" in text or "\n" in text or "\r" in text:
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return text


def format_sheets(table, specification):
    """Return the bytes of a workbook with a sheet for each value of the column `sheet`."""
    by = specification["sheet"]
    columns = [column for column in specification["columns"] if column != by]
    dates = set(of_type(specification, "date"))
    texts = text_columns(table, specification)
    cells = [table[column].to_pylist() if column in dates else texts[column] for column in columns]
    rows = list(zip(*cells, strict=True))
    sheets = {}
    for title in specification["columns"][by][4]["enum"]:
        sheets[title] = [row for row, place in zip(rows, texts[by], strict=True) if place == title]
    return format_workbook(specification.get("header", columns), sheets)


# --- Parquet --------------------------------------------------------------------------------------------------------


def open_parquet(sink, schema, specification, name=None):
    """Return a writer of one part of a table: zstd 1, and for each column the encoding that is small and fast.

    Parameters
    ----------
    sink : file-like
    schema : pyarrow.Schema
    specification : dict
        The entry of the table in the dictionary.
    name : str, optional
        Name of the table, by which the settings know the columns of numbers that have many values.

    Returns
    -------
    pyarrow.parquet.ParquetWriter
        Columns of few different values are numbered (dictionary); days, times and whole numbers are written as
        differences; the lengths of identifiers, which are all the same, stand apart from them. The least and greatest
        value of a row group are noted where somebody may look for a range.
    """
    few = [field.name for field in schema if has_few_values(field, specification, name)]
    days = of_type(specification, "integer", "date", "datetime")
    encodings = dict.fromkeys(days, "DELTA_BINARY_PACKED")
    encodings |= {
        column: "DELTA_LENGTH_BYTE_ARRAY" for column in specification.get("key", [])[:1] if column not in days
    }
    return pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=few,
        column_encoding={column: encoding for column, encoding in encodings.items() if column not in few},
        write_statistics=[*days, *of_type(specification, "number")],
        # without Arrow's own schema every reader sees the same plain types
        store_schema=False,
    )


def has_few_values(field, specification, name=None):
    """Return whether a column has few different values: by its type, by the settings or by the dictionary."""
    settings = read_settings("write")
    kind, *facts = specification["columns"][field.name]
    if pa.types.is_dictionary(field.type) or field.name in settings["few_values"]:
        return True
    if kind == "number":
        return f"{name}.{field.name}" not in settings["many_values"]
    return kind == "string" and len(facts) > 3 and "enum" in facts[3]
