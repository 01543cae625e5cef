"""Write a file whole or not at all."""

from contextlib import contextmanager


@contextmanager
def whole_file(path):
    """Give a place beside `path` to write to; what was written gets the name of `path` when all went well.

    Parameters
    ----------
    path : pathlib.Path

    Yields
    ------
    pathlib.Path
        Where to write. If anything fails, it is removed, and an older file at `path` stays as it was.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_file(Path(folder, "report.html")) as place:
    ...         _ = place.write_text("all of it")
    ...     [file.name for file in Path(folder).iterdir()]
    ['report.html']
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
