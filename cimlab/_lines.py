"""Files of JSON lines: a log or a trail, of which each line is an entry of its own."""

import json
from pathlib import Path


def read_lines(path, columns, what):
    """Read the columns of each line, in order.

    Parameters
    ----------
    path : str or pathlib.Path
    columns : list of str
    what : str
        What a line should be, for the message.

    Returns
    -------
    list of list

    Raises
    ------
    ValueError
        A line is none; the message says which.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "log.jsonl").write_text('{"at": 1, "who": "E07"}', encoding="utf-8")
    ...     read_lines(Path(folder, "log.jsonl"), ["who", "at"], "line of a log")
    [['E07', 1]]
    """
    rows, lines = [], Path(path).read_text(encoding="utf-8").split("\n")  # a text may hold U+2028: no splitlines
    for number, line in enumerate(lines[:-1] if not lines[-1] else lines, start=1):
        try:
            row = json.loads(line)
            rows.append([row[column] for column in columns])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{Path(path).name}, line {number} is no {what}") from error
    return rows
