"""Rows against columns (行存储与列存储), and files in partitions (分区): how a table lies on the disk."""

import tempfile
from pathlib import Path
from urllib.parse import quote, unquote

import pandas as pd

from cimlab.plots.style import need_columns


def column_bytes(path):
    """Say how many bytes each column takes in a Parquet file, from its metadata: no value is read.

    Parameters
    ----------
    path : str or pathlib.Path
        A Parquet file, or a folder with Parquet files in it (at any depth), which are added up.

    Returns
    -------
    pandas.DataFrame
        A row a column, in the order of the file, `column` as the index: `bytes` (as they lie on the disk, compressed),
        `unpacked` (bytes before compression), `share` (of the bytes of all columns). The file is a little larger than
        their sum: the metadata is in it, too. A partition column of a folder stands in the names of the folders and
        takes no bytes.

    Raises
    ------
    ValueError
        There is no Parquet file.

    References
    ----------
    Apache Parquet, *File Format*: row groups, column chunks, ``total_compressed_size``.

    Examples
    --------
    >>> table = pd.DataFrame({"city": ["上海"] * 1000, "amount": range(1000)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table.to_parquet(Path(folder, "sales.parquet"))
    ...     sizes = column_bytes(Path(folder, "sales.parquet"))
    >>> sizes.index.tolist(), bool(sizes.loc["city", "bytes"] < sizes.loc["amount", "bytes"])
    (['city', 'amount'], True)
    """
    import pyarrow.parquet as pq

    rows = []
    for file in parquet_files(path):
        metadata = pq.read_metadata(file)
        for group in range(metadata.num_row_groups):
            for number in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(number)
                rows.append([chunk.path_in_schema, chunk.total_compressed_size, chunk.total_uncompressed_size])
    sizes = pd.DataFrame(rows, columns=["column", "bytes", "unpacked"])
    sizes = sizes.groupby("column", sort=False).sum().astype("int64")
    return sizes.assign(share=sizes["bytes"] / max(1, sizes["bytes"].sum()))


def row_groups(path, column):
    """List the row groups (行组) of a Parquet file with the least and the greatest value of one column.

    These statistics stand in the file. A query that asks for values outside [least, greatest] skips the group unread.

    Parameters
    ----------
    path : str or pathlib.Path
        A Parquet file, or a folder with Parquet files in it.
    column : str

    Returns
    -------
    pandas.DataFrame
        A row a row group: `file`, `group` (from 0), `rows`, `least`, `greatest` (missing if the file has no statistics
        of the column), `bytes` of the column.

    Raises
    ------
    ValueError
        There is no Parquet file, or no such column.

    Examples
    --------
    >>> table = pd.DataFrame({"amount": range(1000)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table.to_parquet(Path(folder, "sales.parquet"), row_group_size=500)
    ...     groups = row_groups(folder, "amount")
    >>> groups[["file", "group", "rows", "least", "greatest"]]
                file  group  rows  least  greatest
    0  sales.parquet      0   500      0       499
    1  sales.parquet      1   500    500       999
    """
    import pyarrow.parquet as pq

    rows = []
    for file in parquet_files(path):
        metadata = pq.read_metadata(file)
        names = metadata.schema.names
        if column not in names:
            raise ValueError(f"row_groups: {file.name} has no column {column}; it has: {', '.join(names)}")
        name = file.relative_to(path).as_posix() if Path(path).is_dir() else file.name
        for group in range(metadata.num_row_groups):
            chunk = metadata.row_group(group).column(names.index(column))
            known = chunk.statistics is not None and chunk.statistics.has_min_max
            ends = [chunk.statistics.min, chunk.statistics.max] if known else [None, None]
            rows.append([name, group, metadata.row_group(group).num_rows, *ends, chunk.total_compressed_size])
    return pd.DataFrame(rows, columns=["file", "group", "rows", "least", "greatest", "bytes"])


def compare_forms(table, columns):
    """Write a table by rows (CSV) and by columns (Parquet), and count what a question about some columns must read.

    In a CSV file the values of one row stand side by side: who wants one column reads all of them. In a Parquet file
    the values of one column stand side by side, and equal or similar neighbours can be packed tightly.

    Parameters
    ----------
    table : pandas.DataFrame
    columns : list of str
        The columns that the question needs.

    Returns
    -------
    pandas.DataFrame
        Index "CSV", "Parquet": `size` of the whole file, `read` for the question, both in bytes, `share` = read / size.

    Raises
    ------
    ValueError
        A column is missing, or the table is empty.

    Examples
    --------
    >>> table = pd.DataFrame({"city": ["上海", "北京"] * 2000, "note": [f"note {n}" for n in range(4000)]})
    >>> forms = compare_forms(table, ["city"])
    >>> bool(forms.loc["CSV", "share"] == 1), bool(forms.loc["Parquet", "share"] < 0.1)
    (True, True)
    """
    columns = [columns] if isinstance(columns, str) else list(columns)
    need_columns(table, columns, "compare_forms")
    with tempfile.TemporaryDirectory() as folder:
        rows, cols = Path(folder, "table.csv"), Path(folder, "table.parquet")
        table.to_csv(rows, index=False)
        table.to_parquet(cols, index=False)
        read = [rows.stat().st_size, int(column_bytes(cols)["bytes"].reindex(columns).sum())]
        forms = pd.DataFrame({"size": [rows.stat().st_size, cols.stat().st_size], "read": read})
    return forms.assign(share=forms["read"] / forms["size"]).set_axis(["CSV", "Parquet"])


def write_partitioned(table, folder, by, sort_by=(), row_group_size=100_000, most=100):
    """Write a table as Parquet files, one folder for each value of a column: ``month=2026-06/part-0.parquet``.

    DuckDB, Spark, pandas and others understand this layout (hive partitions) and open only the folders that a filter
    on the column asks for. The files are there whole or not at all: they are made beside the folder and put in its
    place at the end. The same rows give the same bytes, in whatever order they came.

    Parameters
    ----------
    table : pandas.DataFrame
    folder : str or pathlib.Path
        Where to write. A new or an empty folder, or one that an earlier call wrote: that is replaced.
    by : str
        Partition column (分区列): few values, and one that most questions filter by. Its values become names.
    sort_by : list of str, optional
        The rows of a file are sorted by these columns first, so that the statistics of its row groups exclude more.
    row_group_size : int
        Most rows in a row group.
    most : int
        Most values that `by` may have. Many small files are slower than one large one.

    Returns
    -------
    pandas.DataFrame
        What was written: `list_partitions` of the folder.

    Raises
    ------
    ValueError
        The folder holds other things, a column is missing, `by` holds blanks or too many values, or no column is left.

    References
    ----------
    Apache Hive, *Language Manual DDL*: partitioned tables.

    Examples
    --------
    >>> table = pd.DataFrame({"month": ["2026-05", "2026-06", "2026-06"], "amount": [10.0, 20.0, 30.0]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_partitioned(table, Path(folder, "sales"), by="month")[["partition", "file", "rows"]]
             partition                           file  rows
    0  month=2026-05  month=2026-05/part-0.parquet     1
    1  month=2026-06  month=2026-06/part-0.parquet     2
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder, sort_by = Path(folder), [sort_by] if isinstance(sort_by, str) else list(sort_by)
    need_columns(table, [by, *sort_by], "write_partitioned")
    _check_values(table, by, most)
    _check_folder(folder, by)
    rest = [column for column in table.columns if column != by]
    ordered = table.sort_values([by, *dict.fromkeys([*sort_by, *rest])], kind="stable", ignore_index=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        for value, part in ordered.groupby(by, sort=False):
            home = Path(beside, "new", f"{by}={quote(str(value), safe='')}")
            home.mkdir(parents=True)
            rows = pa.Table.from_pandas(part[rest], preserve_index=False)
            pq.write_table(rows, home / "part-0.parquet", row_group_size=row_group_size)
        if folder.exists():
            folder.rename(Path(beside, "old"))
        Path(beside, "new").rename(folder)
    return list_partitions(folder)


def _check_values(table, by, most):
    """Refuse a partition column that makes no sense."""
    if len(table.columns) < 2:
        raise ValueError(f"write_partitioned: beside {by}, which goes into the names, no column is left to write")
    if table[by].isna().any():
        row, blanks = table.index[table[by].isna()][0], int(table[by].isna().sum())
        raise ValueError(
            f"write_partitioned: {by} is blank in {blanks:,} rows (first: row {row}), so they belong into no folder; "
            f"fill the blanks with a word, or leave these rows out"
        )
    values = table[by].map(str).nunique()
    if values > most:
        raise ValueError(
            f"write_partitioned: {by} has {values:,} values, which would make {values:,} files of about "
            f"{len(table) / values:,.0f} rows each; partition by something coarser, such as the month (or set most=)"
        )


def _check_folder(folder, by):
    """Refuse a place where something else lies: it would be lost."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"write_partitioned: {folder} is a file; name a folder")
    for thing in sorted(folder.iterdir()) if folder.exists() else []:
        ours = thing.is_dir() and thing.name.startswith(f"{by}=")
        strange = [inner for inner in thing.iterdir() if inner.name != "part-0.parquet"] if ours else [thing]
        if strange:
            raise ValueError(
                f"write_partitioned: {folder} holds {strange[0].relative_to(folder)}, which is no partition of {by}; "
                "choose a new folder"
            )


def list_partitions(folder):
    """List the Parquet files under a folder with the partition in their names.

    Parameters
    ----------
    folder : str or pathlib.Path

    Returns
    -------
    pandas.DataFrame
        A row a file, by name: `partition` ("month=2026-06"), `file` (below the folder), `rows`, `bytes` of the file.

    Raises
    ------
    ValueError
        There is no Parquet file.
    """
    import pyarrow.parquet as pq

    rows = []
    for file in parquet_files(folder):
        below = file.relative_to(folder)
        rows.append([unquote(below.parent.as_posix()), below.as_posix(), pq.read_metadata(file).num_rows])
        rows[-1].append(file.stat().st_size)
    return pd.DataFrame(rows, columns=["partition", "file", "rows", "bytes"])


def parquet_files(path):
    """Return the Parquet file of this name, or all those under a folder, sorted by name.

    Examples
    --------
    >>> parquet_files("nowhere")
    Traceback (most recent call last):
    ...
    ValueError: there is no Parquet file (*.parquet) at nowhere
    """
    path = Path(path)
    found = [path] if path.is_file() else sorted(path.rglob("*.parquet"), key=lambda file: file.as_posix())
    if not found:
        raise ValueError(f"there is no Parquet file (*.parquet) at {path}")
    return found
