"""Read the file of a hand-in that is not quite as it should be: its encoding, its notebook format, its cells."""

import functools
import json

import nbformat

AGAIN = "Ask the student to hand it in again."
OFFICE = (b"[Content_Types].xml", b"word/", b"xl/")


class UnreadableNotebook(Exception):
    """A hand-in that no repair can read; it is not graded, and the class goes on."""


def read_notebook(data):
    """Return the notebook in the bytes of a file.

    Parameters
    ----------
    data : bytes
        UTF-8 with or without byte order mark, UTF-16, or GB 18030 (what a Chinese Windows editor may save).

    Returns
    -------
    nbformat.NotebookNode
        In nbformat 4; each cell has an id and what the format asks of it.

    Raises
    ------
    UnreadableNotebook
        If the file is empty or is no notebook; the text says what to ask of the student.

    Examples
    --------
    >>> read_notebook(b"")
    Traceback (most recent call last):
    cimlab.grading.repair_read.UnreadableNotebook: the file is empty. Ask the student to hand it in again.
    >>> read_notebook('{"cells": [], "metadata": {}, "nbformat": 4}'.encode("utf-16")).nbformat
    4
    """
    return read_with_notes(data)[0]


@functools.lru_cache(maxsize=16)
def read_released(data):
    """Return the cells in the bytes of a student version, as a tuple: the same cells each time, only to be looked at.

    Each hand-in of a class is compared with them more than once.
    """
    return tuple(read_notebook(data).cells)


def read_with_notes(data):
    """Return the notebook in the bytes of a file, and what was unusual about the file.

    Parameters
    ----------
    data : bytes
        As in `read_notebook`.

    Returns
    -------
    nbformat.NotebookNode
    list of str
        One line for each thing that was put right; empty for a file in order.

    Raises
    ------
    UnreadableNotebook
        As `read_notebook`.

    Examples
    --------
    >>> read_with_notes('{"cells": [], "metadata": {}, "nbformat": 4}'.encode("utf-16"))[1]
    ['the file was not in UTF-8 but in UTF-16']
    """
    if not data.strip(b"\0 \t\r\n"):
        raise UnreadableNotebook(f"the file is empty. {AGAIN}")
    if data.startswith(b"PK"):
        kind = "an Office document" if any(mark in data for mark in OFFICE) else "a zip archive or an Office document"
        raise UnreadableNotebook(f"the file is {kind} with the name of a notebook. {AGAIN}")
    for magic, kind in ((b"%PDF", "a PDF"), (b"Rar!", "a RAR archive"), (b"7z\xbc\xaf", "a 7z archive")):
        if data.startswith(magic):
            raise UnreadableNotebook(f"the file is {kind}, not a notebook. {AGAIN}")
    text, notes = _decode(data)
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableNotebook(f"the file is damaged or cut off, it is no JSON ({error}). {AGAIN}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("cells", raw.get("worksheets")), list):
        raise UnreadableNotebook(f"the file is JSON but no notebook. {AGAIN}")
    return _as_version_4(raw, notes), notes


def _decode(data):
    """Return the text of a file, and a list with its encoding if that is none of the usual ones."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace"), ["the file was not in UTF-8 but in UTF-16"]
    if data[:2] in (b"{\0", b"\0{"):
        text = data.decode("utf-16-le" if data[1] == 0 else "utf-16-be", errors="replace")
        return text, ["the file was not in UTF-8 but in UTF-16"]
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        text = data.decode("gb18030", errors="replace")
        lost = "; characters that could not be read became \N{REPLACEMENT CHARACTER}" * ("\ufffd" in text)
        return text, [f"the file was not in UTF-8 but in another encoding, taken for GB 18030{lost}"]


def _as_version_4(raw, notes):
    """Return the notebook node, with everything that nbformat 4.5 asks for and an editor may have left out."""
    if "worksheets" in raw or raw.get("nbformat") in (1, 2, 3):
        notes.append(f"the notebook was in the old format {raw.get('nbformat', 3)}")
        try:
            raw = nbformat.convert(nbformat.from_dict({"nbformat_minor": 0, **raw}), 4)
        except Exception as error:  # the converter of old notebooks knows no errors of its own
            raise UnreadableNotebook(f"the notebook is in an old format and damaged ({error!r}). {AGAIN}") from None
    elif raw.get("nbformat") != 4:
        notes.append(f"the notebook was in the unknown format {str(raw.get('nbformat'))[:20]}")
    notebook = nbformat.from_dict({**raw, "nbformat": 4, "nbformat_minor": 5})
    if not isinstance(notebook.get("metadata"), dict):
        notebook.metadata = nbformat.from_dict({})
    notebook.metadata.pop("cimlab", None)  # the grader's own notes stand there
    seen = set()
    cells = []
    for number, cell in enumerate(notebook.cells):
        if isinstance(cell, dict):
            cells.append(_whole_cell(cell, number, seen))
    notebook.cells = cells
    return notebook


def _whole_cell(cell, number, seen):
    """Return one cell with all that the format asks for; `seen` holds the ids so far."""
    metadata = cell.get("metadata") if isinstance(cell.get("metadata"), dict) else {}
    source = cell.get("source", "")
    source = "".join(map(str, source)) if isinstance(source, list) else str(source)
    kind = cell.get("cell_type") if cell.get("cell_type") in ("code", "markdown", "raw") else "markdown"
    clean = {"cell_type": kind, "metadata": metadata, "source": source.replace("\r\n", "\n").replace("\r", "\n")}
    # Colab moves the id into the metadata. A second cell of the same id is a copy.
    name = str(cell.get("id") or metadata.get("id") or "")
    clean["id"] = name if _is_id(name) and name not in seen else f"handed-in-{number}"
    seen.add(clean["id"])
    if kind == "code":
        clean |= {"outputs": [], "execution_count": None}
    if kind != "code" and isinstance(cell.get("attachments"), dict):
        clean["attachments"] = cell["attachments"]
    return nbformat.from_dict(clean)


def _is_id(text):
    return 0 < len(text) <= 64 and all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in text)
