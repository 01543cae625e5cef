"""What a query really reads (执行计划): the plan of DuckDB, boiled down to what was read and what was left out.

The cheapest byte is the one that nobody reads. A query can leave out columns (column pruning, 列裁剪), blocks of rows
whose statistics exclude them (predicate push-down, 谓词下推) and whole files (partition pruning, 分区裁剪).
"""

import json

import pandas as pd

PLAN_COLUMNS = ["scan", "columns", "filters", "file_filters", "files_read", "files"]
PLAN_COLUMNS += ["row_groups_read", "row_groups", "rows_out", "filtered_later", "bytes_read"]


def read_plan(connection, query):
    """Run a query on DuckDB and say what it read: its plan (执行计划), boiled down to a row for each table it scanned.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection or Ibis backend of DuckDB
    query : str or Ibis table expression
        SQL (one SELECT), or a question in Ibis, of tables of this connection.

    Returns
    -------
    pandas.DataFrame
        A row a scan, with

        - `scan`: file or table; `columns`: those that are handed on, joined by ", " (those of a filter that is done in
          the scan are read, too, but not handed on);
        - `filters`: done in the scan, where the statistics of row groups may help; `file_filters`: done on the names of
          the folders, before any file is opened; blank if none;
        - `files_read` of `files`, `row_groups_read` of `row_groups` (in the files that were not excluded), missing
          where it is no file or table of DuckDB; `rows_out`: rows that left the scan;
        - `filtered_later`: conditions that the scan could not do, so that every row was handed on first (of the whole
          query); `bytes_read` (by the whole query, from files).

        No row: the query was answered from metadata or constants alone.

    Raises
    ------
    ValueError
        The connection is not DuckDB's, or its plan has another form than that of DuckDB 2.

    References
    ----------
    DuckDB, *Profile queries: EXPLAIN ANALYZE*; Raasveldt and Mühleisen (2019), *DuckDB: an embeddable analytical
    database*.

    Examples
    --------
    >>> import duckdb
    >>> connection = duckdb.connect()
    >>> made = connection.execute("create table sales as select range as id, range % 7 as shop from range(1000)")
    >>> read_plan(connection, "select sum(id) from sales where shop = 3")[["columns", "filters", "rows_out"]]
      columns     filters  rows_out
    0      id  (shop = 3)       143
    """
    if not isinstance(query, str):
        query = connection.compile(query)
    plain = getattr(connection, "con", connection)
    if type(plain).__module__.split(".")[0].lstrip("_") != "duckdb":
        raise ValueError("read_plan reads the plans of DuckDB; give a connection of DuckDB, or of Ibis to DuckDB")
    answer = plain.execute(f"explain (analyze, format json) {query.strip().rstrip(';')}").fetchall()
    plan = json.loads(answer[0][1])
    if plan.get("result") == "error":  # DuckDB 2 has no profile of a query that it answers without any scan
        return pd.DataFrame(columns=PLAN_COLUMNS)
    if "operator" not in plan:
        raise ValueError("read_plan knows the plans of DuckDB 2; update DuckDB (pip install --upgrade duckdb)")
    steps = list(_steps(plan["operator"]))
    later = " and ".join(step["extra_info"]["Expression"] for step in steps if step["type"] == "FILTER")
    scans = [_scan_row(step) for step in steps if step["type"] == "TABLE_SCAN"]
    found = pd.DataFrame(scans, columns=PLAN_COLUMNS[:-2])
    found["filtered_later"], found["bytes_read"] = later, plan["io"]["total_bytes_read"]
    counts = ["files_read", "files", "row_groups_read", "row_groups"]
    return found.astype(dict.fromkeys(counts, "Int64"))


def _steps(operators):
    """Walk a plan from the top down."""
    for step in operators:
        yield step
        yield from _steps(step.get("children", []))


def _scan_row(step):
    """Return what one scan of a plan says of itself."""
    said = step["extra_info"]

    def text(key, between=", "):
        value = said.get(key, "")
        return between.join(value) if isinstance(value, list) else value

    read = int(said["Total Files Read"]) if "Total Files Read" in said else None
    files = int(said["Scanning Files"].split("/")[1]) if "Scanning Files" in said else read
    groups = [step.get("row_groups_scanned"), step.get("total_row_groups_to_scan")]
    where = said.get("Filename(s)") or said.get("Table") or said.get("Function", "")
    counts = [read, files, *groups, step["intermediate_rows"]]
    return [where, text("Projections"), text("Filters", " and "), text("File Filters", " and "), *counts]


def draw_reads(plans, whole, title, ax=None):
    """Draw what each query read of the files: a bar of its bytes inside the outline of all bytes.

    Parameters
    ----------
    plans : dict of str to pandas.DataFrame
        What is asked → its `read_plan`, in the order of the bars.
    whole : int
        Bytes of all files, such as ``list_partitions(folder)["bytes"].sum()``.
    title : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Beside each bar stand the kilobytes, and how many files and row groups were read.

    Raises
    ------
    ValueError
        There is nothing to draw.
    """
    from cimlab.plots.style import PALETTE, axes_for, separate_thousands, set_title

    if not plans or not whole > 0:
        raise ValueError("draw_reads: give at least one plan, and the bytes of the files (whole), more than 0")
    ax = axes_for(ax, figsize=(9.5, 1.6 + 0.5 * len(plans)))
    read = [plan["bytes_read"].max() / 1e3 if len(plan) else 0 for plan in plans.values()]
    ax.barh(list(plans), whole / 1e3, color="white", edgecolor="#333333", linestyle="--")
    ax.barh(list(plans), read, color=PALETTE[0], height=0.55)
    for row, (kilobytes, plan) in enumerate(zip(read, plans.values(), strict=True)):
        words = f"{kilobytes:,.0f} kB"
        for what in ("files", "row_groups") if len(plan) else ():
            if plan[what].notna().all():
                words += f" · {plan[what + '_read'].sum()}/{plan[what].sum()} {what.replace('_', ' ')}"
        ax.annotate(words, (max(whole / 1e3, kilobytes), row), (6, 0), textcoords="offset points", va="center")
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set_xlim(0, 1.7 * max(whole / 1e3, *read))
    separate_thousands(ax.xaxis)
    ax.set(xlabel="kilobytes (kB) that were read (filled), of all (dashed)")
    set_title(ax, title)
    return ax
