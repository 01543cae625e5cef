"""Step 5, import (导入): a template to fill in, a check of every cell, and nothing half-loaded."""

import io
import warnings
from datetime import date, datetime, time
from pathlib import Path

import pandas as pd

from cimlab.database.codes import credit_code_status, id_number_status, standardise_codes
from cimlab.database.forms import form_columns, needed
from cimlab.database.names import pinyin_names, standardise_names
from cimlab.database.schema import BASE
from cimlab.database.standardise import (
    standardise_addresses,
    standardise_cities,
    standardise_dates,
    standardise_emails,
    standardise_genders,
    standardise_phones,
)
from cimlab.database.tables import fill_database, read_table
from cimlab.database.text import clean_text

ERROR_COLUMNS = ["file", "row", "column", "value", "reason", "remedy"]

# A row that agrees with another one on all columns of a key is the same customer, firm or purchase.
SAME = {
    "customer_file": [["id_number"], ["name_pinyin", "phone"]],
    "enterprise_file": [["credit_code"]],
    "transactions": [["order_id"]],
}


def check_workbook(path, table, engine=None):
    """Check a filled-in template and say of every bad cell what is wrong and what to do.

    Parameters
    ----------
    path : str or pathlib.Path
        The .xlsx file.
    table : str
        "customer_file", "enterprise_file" or "transactions".
    engine : sqlalchemy.Engine, optional
        The base, to find rows that are there already and customers that are not.

    Returns
    -------
    good_rows : pandas.DataFrame
        Rows without any error, standardised; the index is the row number that Excel shows.
    errors : pandas.DataFrame
        file, row (as Excel shows it; 1 is the header), column, value, reason, remedy; empty when all is well.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such file, or it is not an Excel workbook.

    Examples
    --------
    >>> import tempfile
    >>> from cimlab.database import write_template
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_template(Path(folder) / "firms.xlsx", "enterprise_file")
    ...     good_rows, errors = check_workbook(path, "enterprise_file")
    >>> len(good_rows), len(errors)
    (0, 0)
    """
    columns = form_columns(table)
    path = Path(path)
    typed, faults = _read_sheet(path, [column.name for column in columns])
    good = pd.DataFrame(index=typed.index)
    if not faults:
        for column in columns:
            good[column.name], found = _check_column(typed[column.name], column)
            faults += found
        if "name_pinyin" in BASE.tables[table].columns:
            good.insert(1, "name_pinyin", pinyin_names(good["name"]))
        faults += _find_repeats(good, table)
        if engine is not None:
            faults += _find_in_base(good, table, engine)
    errors = pd.DataFrame(faults, columns=ERROR_COLUMNS[1:])
    errors.insert(0, "file", path.name)
    errors = errors.drop_duplicates().sort_values("row", kind="stable", ignore_index=True)
    return good[~good.index.isin(errors["row"])] if 1 not in set(errors["row"]) else good.iloc[0:0], errors


def import_workbook(engine, path, table, accept_good_rows=False, on=None):
    """Load a filled-in template into the base: the whole file, or nothing.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From `create_database`.
    path : str or pathlib.Path
        The .xlsx file.
    table : str
        "customer_file", "enterprise_file" or "transactions". New customers and enterprises get the next free number.
    accept_good_rows : bool
        True loads the rows without an error when others have one; still all of these or none.
    on : datetime.date or str, optional
        The day to write as updated_on. Default: today.

    Returns
    -------
    pandas.DataFrame
        One row: file, table, rows (filled in), good, bad, loaded, message.

    Raises
    ------
    ValueError
        The database refused a row; nothing was loaded.

    Examples
    --------
    >>> import tempfile
    >>> from cimlab.database import create_database
    >>> engine = create_database(":memory:")
    >>> from cimlab.database import write_template
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_template(Path(folder) / "firms.xlsx", "enterprise_file")
    ...     import_workbook(engine, path, "enterprise_file").loc[0, "message"]
    'Nothing to load: no row is filled in.'
    >>> engine.dispose()
    """
    good, errors = check_workbook(path, table, engine)
    bad = errors["row"].nunique()
    load = good if not bad or accept_good_rows else good.iloc[0:0]
    if len(load):
        fill_database(engine, **{table: _with_assigned(load, table, engine, on)})
    if bad:
        rows = "1 row needs" if bad == 1 else f"{bad} rows need"
        message = f"{rows} mending (see check_workbook); {len(load) or 'nothing'} loaded."
    else:
        message = f"All {len(load)} rows loaded." if len(load) else "Nothing to load: no row is filled in."
    report = {"file": Path(path).name, "table": table, "rows": len(good) + bad, "good": len(good), "bad": bad}
    return pd.DataFrame([report | {"loaded": len(load), "message": message}])


def _read_sheet(path, names):
    """Return the filled-in cells as typed (index: row of the sheet) and what is wrong with the header."""
    from openpyxl import load_workbook

    try:
        with warnings.catch_warnings():
            # openpyxl warns of decorations that other programs write and it does not know; the cells it reads well.
            warnings.simplefilter("ignore", UserWarning)
            book = load_workbook(io.BytesIO(path.read_bytes()), data_only=True)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}: check the name and the folder") from None
    except Exception as error:  # whatever openpyxl meets in a broken file, the remedy is one
        raise ValueError(
            f"{path.name} cannot be read as an Excel workbook: open it in Excel or WPS and save it as .xlsx"
        ) from error
    rows = list(book.worksheets[0].iter_rows(values_only=True)) or [()]
    header = ["" if value is None else str(value).strip() for value in rows[0]]
    while header and not header[-1]:
        header.pop()
    faults = []
    for name in names:
        if header.count(name) != 1:
            reason = "the column is missing" if name not in header else "the column stands there more than once"
            faults.append((1, name, "", reason, "use the header of the template, unchanged"))
    for name in header:
        if name not in names:
            faults.append((1, name, name, "the table has no such column", "delete the column or correct its header"))
    cells = {name: [row[header.index(name)] for row in rows[1:]] for name in names if name in header}
    typed = pd.DataFrame(cells, index=pd.RangeIndex(2, len(rows) + 1, name="row"), dtype="object")
    filled = typed.map(lambda value: value is not None and str(value).strip() != "").any(axis="columns")
    return typed[filled], faults


def _check_column(typed, column):
    """Read one column; return its values and the faults as (row, column, value, reason, remedy)."""
    kind, name, rule = column.info["kind"], column.name, column.info["rule"]
    text = clean_text(typed)
    damaged = typed.map(lambda value: _excel_damage(value, kind))
    values, reasons = _read_kind(typed.where(damaged.isna()), column)
    faults = []
    for row in typed.index:
        if damaged[row] is not None and pd.notna(damaged[row]):
            remedy = f"format the cell as text and type it again; {rule}"
            faults.append((row, name, str(typed[row]), damaged[row], remedy))
        elif pd.isna(text[row]) and needed(column):
            faults.append((row, name, "", "is missing", f"fill it in: {rule}"))
        elif pd.notna(text[row]) and pd.isna(values[row]):
            faults.append((row, name, text[row], reasons[row], rule))
        elif pd.notna(values[row]) and getattr(column.type, "length", None) and len(values[row]) > column.type.length:
            faults.append((row, name, text[row], f"is longer than {column.type.length} characters", "shorten it"))
    if column.server_default is not None:
        values = values.fillna(column.server_default.arg)
    return values, faults


def _excel_damage(value, kind):
    """Say what Excel did to a cell, or None."""
    if isinstance(value, (datetime, date, time)) and kind not in ("date", "datetime"):
        return "Excel turned it into a date"
    if isinstance(value, (int, float)) and kind in ("id_number", "credit_code"):
        return "Excel turned it into a number and keeps only 15 digits of that"
    if isinstance(value, (int, float)) and kind in ("date", "datetime"):
        return "is a number, not a date"
    if isinstance(value, str) and kind in ("phone", "id_number", "credit_code") and "E+" in value.upper():
        return "Excel shortened the number, its last digits are lost"
    return None


def _read_kind(typed, column):
    """Return the standardised values and, for each, what to say if it could not be read."""
    kind, choices = column.info["kind"], column.info["choices"]

    def because(reason):
        return pd.Series(reason, index=typed.index, dtype="str")

    if kind in ("id_number", "credit_code"):
        status = id_number_status(typed) if kind == "id_number" else credit_code_status(typed)
        return standardise_codes(typed).where(status == "ok"), "has a " + status
    if kind == "choice":
        words = standardise_genders(typed) if choices == ("F", "M") else clean_text(typed).str.lower()
        return words.where(words.isin(choices)), because(f"is not one of {', '.join(choices)}")
    if kind == "number":
        numbers = pd.to_numeric(clean_text(typed), errors="coerce").astype("float64")
        return numbers.where(numbers >= 0), because("is not a number of 0 or more")
    if kind == "datetime":
        times = pd.to_datetime(clean_text(typed), format="ISO8601", errors="coerce")
        return times.astype("datetime64[us]"), because("is not a day and time")
    if kind == "date":
        return standardise_dates(typed), because("is not a date, or can be read in two ways")
    readers = {"phone": standardise_phones, "email": standardise_emails, "name": standardise_names,
               "city": standardise_cities, "address": standardise_addresses}  # fmt: skip
    says = {"phone": "is not a phone number that exists", "email": "is not an e-mail address", "name": "is not a name"}
    return readers.get(kind, clean_text)(typed), because(says.get(kind, "cannot be read"))


def _find_repeats(good, table):
    faults = []
    for key in SAME[table]:
        full = good[good[key].notna().all(axis="columns")]
        first_row = full.groupby(key)[key[0]].transform(lambda same: same.index[0])
        for row in full.index[first_row != full.index]:
            shown = " ".join(str(value) for value in full.loc[row, key])
            faults.append((row, key[-1], shown, f"is the same as row {first_row[row]}", "keep one of the two rows"))
    return faults


def _find_in_base(good, table, engine):
    base, faults = read_table(engine, table), []
    known = base.columns[0]
    for key in SAME[table]:
        full = good[good[key].notna().all(axis="columns")].reset_index()
        for hit in full.merge(base[[*dict.fromkeys([known, *key])]], on=key, suffixes=("", "_base")).to_dict("records"):
            shown = " ".join(str(hit[column]) for column in key)
            reason = f"is in the base already as {hit.get(f'{known}_base', hit[known])}"
            faults.append((hit["row"], key[-1], shown, reason, "delete the row, or update the base"))
    if table == "transactions":
        customers, remedy = set(read_table(engine, "customer_file")["customer_id"]), "correct it or leave it empty"
        for row, customer in good["customer_id"].dropna().items():
            if customer not in customers:
                faults.append((row, "customer_id", customer, "is not in the customer file", remedy))
    return faults


def _with_assigned(rows, table, engine, on):
    """Add what the base assigns: the next free number and the day."""
    if table == "transactions":
        return rows
    column, form = {"customer_file": ("customer_id", "K{:06d}"), "enterprise_file": ("enterprise_id", "E{:04d}")}[table]
    last = read_table(engine, table)[column].str[1:].astype("int64").max()
    start = 1 if pd.isna(last) else int(last) + 1
    numbers = [form.format(start + place) for place in range(len(rows))]
    return rows.assign(updated_on=pd.Timestamp(on or date.today()), **{column: numbers})
