"""A plain workbook (.xlsx) whose bytes depend on its cells alone.

openpyxl would do, but it writes the time of day into each file, and other bytes where lxml is installed; the same data
should give the same file. A workbook is a zip file of a few XML parts (ECMA-376). Only the compressed bytes may differ
between versions of zlib, never the parts.
"""

import datetime
import io
import re
import zipfile
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
# The first day of the serial numbers of a spreadsheet, as far as days after February 1900 go.
DAY_ZERO = datetime.date(1899, 12, 30)
MOST_ROWS = 1_048_576
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
# Cell formats: 0 plain, 1 a date as 2026-06-30, 2 bold.
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def format_workbook(header, sheets):
    """Return the bytes of a workbook.

    Parameters
    ----------
    header : list of str
        The first row of every sheet.
    sheets : dict
        Title → rows; a cell is a str, a datetime.date, or None for an empty one.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If a sheet has more rows than a spreadsheet can hold, or a text a character that XML forbids.
    """
    parts = {"[Content_Types].xml": list_kinds(len(sheets))}
    parts["_rels/.rels"] = relate({"officeDocument": "xl/workbook.xml"})
    parts["xl/workbook.xml"] = list_sheets(sheets)
    links = [("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, len(sheets) + 1)]
    parts["xl/_rels/workbook.xml.rels"] = relate([*links, ("styles", "styles.xml")])
    parts["xl/styles.xml"] = STYLES
    for number, (title, rows) in enumerate(sheets.items(), 1):
        parts[f"xl/worksheets/sheet{number}.xml"] = format_sheet(title, header, rows)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            entry = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (HEAD + text).encode())
    return content.getvalue()


def list_kinds(sheets):
    """Return the part that says what kind each part is."""
    kinds = {"/xl/workbook.xml": "sheet.main", "/xl/styles.xml": "styles"}
    kinds |= {f"/xl/worksheets/sheet{number}.xml": "worksheet" for number in range(1, sheets + 1)}
    lines = [f'<Override PartName="{name}" ContentType="{KINDS}.{kind}+xml"/>' for name, kind in kinds.items()]
    return (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{"".join(lines)}</Types>'
    )


def relate(links):
    """Return a part that names other parts; `links` are pairs (kind, name)."""
    links = links.items() if isinstance(links, dict) else links
    lines = [
        f'<Relationship Id="rId{number}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(links, 1)
    ]
    return f'<Relationships xmlns="{RELATIONS}">{"".join(lines)}</Relationships>'


def list_sheets(sheets):
    """Return the part that names the sheets."""
    lines = [
        f'<sheet name="{escape(title, {chr(34): "&quot;"})}" sheetId="{number}" r:id="rId{number}"/>'
        for number, title in enumerate(sheets, 1)
    ]
    return f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{"".join(lines)}</sheets></workbook>'


def format_sheet(title, header, rows):
    """Return the part of one sheet; its first row stays in sight."""
    if len(rows) >= MOST_ROWS:
        raise ValueError(f"sheet {title!r} would have {len(rows):,} rows, a spreadsheet holds {MOST_ROWS - 1:,}")
    lines = [format_row(1, header, ' s="2"')]
    lines += [format_row(number, row) for number, row in enumerate(rows, 2)]
    pane = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    view = f'<sheetViews><sheetView workbookViewId="0">{pane}</sheetView></sheetViews>'
    return f'<worksheet xmlns="{MAIN}">{view}<sheetData>{"".join(lines)}</sheetData></worksheet>'


def format_row(number, cells, style=""):
    """Return one row; an empty cell is left out."""
    texts = []
    for place, cell in enumerate(cells):
        where = f"{column_letters(place)}{number}"
        if isinstance(cell, datetime.date):
            texts.append(f'<c r="{where}" s="1"><v>{(cell - DAY_ZERO).days}</v></c>')
        elif cell is not None:
            if FORBIDDEN.search(cell):
                raise ValueError(f"cell {where} holds a character that a workbook cannot keep: {cell!r}")
            text = escape(cell, {"\r": "&#13;"})
            space = ' xml:space="preserve"' if cell != cell.strip() else ""
            texts.append(f'<c r="{where}"{style} t="inlineStr"><is><t{space}>{text}</t></is></c>')
    return f'<row r="{number}">{"".join(texts)}</row>'


def column_letters(place):
    """Return the letters of a column from its place, 0 for A.

    >>> column_letters(0), column_letters(27)
    ('A', 'AB')
    """
    return (chr(64 + place // 26) if place >= 26 else "") + chr(65 + place % 26)
