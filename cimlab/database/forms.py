"""Step 5, import: the template (模板) that people fill in."""

from pathlib import Path

from cimlab._whole import whole_file
from cimlab.database.schema import BASE

FORM_TABLES = ("customer_file", "enterprise_file", "transactions")
FORM_ROWS = 1000  # rows of the template that carry drop-downs


def write_template(path, table):
    """Write an Excel template (模板) for new rows of a table.

    The first sheet is to be filled in from row 2 on: notes on the header, drop-downs where there is a choice, the text
    format where Excel would eat a leading zero or the end of a long number. The second sheet holds the rule of each
    column and an example; it is never imported.

    Parameters
    ----------
    path : str or pathlib.Path
        Where to write the .xlsx file; an older file there is replaced.
    table : str
        "customer_file", "enterprise_file" or "transactions".

    Returns
    -------
    pathlib.Path
        The path.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_template(Path(folder) / "new_customers.xlsx", "customer_file").name
    'new_customers.xlsx'
    """
    from openpyxl import Workbook
    from openpyxl.comments import Comment
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    columns = form_columns(table)
    book = Workbook()
    sheet = book.active
    sheet.title = "data"
    rules = book.create_sheet("rules")
    rules.append(["column", "what to write", "required", "example (not imported)"])
    for place, column in enumerate(columns, start=1):
        letter, ask = get_column_letter(place), column.info
        head = sheet.cell(row=1, column=place, value=column.name)
        head.font, head.comment = Font(bold=True), Comment(ask["rule"], "cimlab")
        sheet.column_dimensions[letter].width = max(14, len(ask["example"]) + 4)
        if ask["choices"]:
            listed = f'"{",".join(ask["choices"])}"'
            choice = DataValidation(type="list", formula1=listed, allow_blank=not needed(column))
            choice.error, choice.errorTitle = f"Choose one of {listed}", column.name
            sheet.add_data_validation(choice)
            choice.add(f"{letter}2:{letter}{FORM_ROWS + 1}")
        if ask["kind"] not in ("date", "datetime", "number"):
            sheet.column_dimensions[letter].number_format = "@"
        rules.append([column.name, ask["rule"], "yes" if needed(column) else "no", ask["example"]])
    sheet.freeze_panes = "A2"
    for letter, width in zip("ABCD", (16, 60, 10, 26), strict=True):
        rules.column_dimensions[letter].width = width
    return _save(book, Path(path))


def form_columns(table):
    """Return the columns of a table that people fill in (SQLAlchemy columns, with the rule of each in `info`)."""
    if table not in FORM_TABLES:
        raise ValueError(f"there is no template for {table!r}; choose one of: {', '.join(FORM_TABLES)}")
    return [column for column in BASE.tables[table].columns if column.info["kind"] != "assigned"]


def needed(column):
    """Tell whether a cell of the column must be filled in."""
    return not column.nullable and column.server_default is None


def _save(book, path):
    try:
        with whole_file(path) as place:
            book.save(place)
    except PermissionError as error:
        raise PermissionError(f"cannot write {path}: is it open in Excel? Close it there and try again") from error
    return path
