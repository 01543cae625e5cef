"""What the readers of the channels share: open a file, give each column its type, and say where a file is damaged.

While a table is read, its index says where each row stands in the file ("line 17"), so that a message can name the
place; `set_types` puts an ordinary index back.
"""

import csv
import io
import json
from pathlib import Path

import pandas as pd

MEND = "Correct it in a copy of the file, or have the channel export the file again."
KINDS = {
    "key": "a value",
    "whole": "a whole number",
    "whole or blank": "a whole number",
    "number": "a number",
    "date": "a date such as 2026-06-30",
    "time": "a time such as 2026-06-30 17:05",
}


def damaged(path, place, what):
    """Return the error that says which file is damaged, where, and what to do."""
    return ValueError(f"{Path(path).name}, {place}: {what}. {MEND}")


def read_text(path, encoding="utf-8-sig"):
    """Return the text of a file; utf-8-sig is UTF-8 with or without the mark that spreadsheets put in front."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {path}. Ask for its place with cimlab.locate, for example cimlab.locate('calls')."
        )
    try:
        text = path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        name = "GB 18030" if encoding == "gb18030" else "UTF-8"
        what = f"this is not {name} text; the file was saved in another encoding, perhaps by a spreadsheet"
        raise damaged(path, f"byte {error.start}", what) from None
    if not text.strip():
        raise damaged(path, "line 1", "the file is empty")
    return text


def read_cells(path, columns, sep=",", encoding="utf-8-sig"):
    """Return the cells of a file as text, blank cells as missing; `columns` are the titles that are expected."""
    rows = csv.reader(io.StringIO(read_text(path, encoding)), delimiter=sep)
    cells, places, start = [], [], 1
    try:
        for row in rows:
            if start == 1 and row != columns:
                raise damaged(path, "line 1", _say_titles(row, columns))
            if len(row) != len(columns):
                raise damaged(path, f"line {start}", f"{len(row)} cells, but there are {len(columns)} columns")
            cells.append(row)
            places.append(f"line {start}")
            start = rows.line_num + 1  # a cell in quotation marks may go over several lines
    except csv.Error as error:
        what = f"this cannot be read ({error}); is a quotation mark not closed?"
        raise damaged(path, f"line {start}", what) from None
    return pd.DataFrame(cells[1:], columns=columns, index=places[1:], dtype="str").replace("", float("nan"))


def _say_titles(found, expected):
    missing, unknown = (
        [title for title in expected if title not in found],
        [title for title in found if title not in expected],
    )
    if not missing and not unknown:
        return f"the columns stand in another order; it should be {', '.join(expected)}"
    return (
        f"the columns should be {', '.join(expected)}; missing: {', '.join(missing) or 'none'}, unknown: "
        f"{', '.join(map(repr, unknown))[:120] or 'none'} (signs that cannot be read mean another encoding)"
    )


def read_json_lines(path, columns):
    """Return JSON objects, one a line, as a flat table; `columns` maps where a value stands (a.b) to its column."""
    records, places = [], []
    for number, line in enumerate(read_text(path).rstrip("\n").split("\n"), start=1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise damaged(path, f"line {number}", f"this is no JSON ({error.msg}, sign {error.pos + 1})") from None
        if not isinstance(record, dict):
            raise damaged(path, f"line {number}", f"{line[:40]!r} is no JSON object, which stands in {{ }}")
        records.append(record)
        places.append(f"line {number}")
    flat = pd.json_normalize(records).set_index(pd.Index(places))
    # The first column is the number of the record: a file without it is another file.
    if next(iter(columns)) not in flat.columns:
        raise damaged(path, "line 1", f"no value {next(iter(columns))!r}; there are {', '.join(flat.columns)}")
    return flat.reindex(columns=list(columns)).rename(columns=columns)


def set_types(table, path, types):
    """Give each column its type: the one that `types` says (a word of `KINDS`), text where it says nothing."""
    typed = {}
    for column, values in table.items():
        kind = types.get(column, "text")
        typed[column] = _convert(values, kind)
        wrong = typed[column].isna() & (values.notna() | (kind not in ("text", "whole or blank")))
        if wrong.any():
            value = values[wrong].iloc[0]
            what = f"the cell is blank, it needs {KINDS[kind]}" if pd.isna(value) else f"{value!r} is not {KINDS[kind]}"
            raise damaged(path, f"{wrong.idxmax()}, column {column}", what)
        if kind == "whole":
            typed[column] = typed[column].astype("int64")
    return pd.DataFrame(typed).reset_index(drop=True)


def _convert(values, kind):
    if kind in ("text", "key"):
        return values.astype("str")
    if kind in ("date", "time"):
        shape = "%Y-%m-%d" if kind == "date" else "ISO8601"
        return pd.to_datetime(values, format=shape, errors="coerce").astype("datetime64[us]")
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    return numbers if kind == "number" else numbers.where(numbers % 1 == 0).astype("Int64")
