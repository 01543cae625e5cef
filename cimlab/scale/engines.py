"""Open the tables of an edition on an embedded engine (DuckDB) or on a distributed one (Spark), by the same names."""

import atexit
import contextlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import pandas as pd

ENGINES = ("duckdb", "spark")
JAVA = (17, 22)  # the Java versions, from and to, on which Spark 4.0 starts: later ones took away what it calls
INSTALL = "pip install 'cimlab[spark]'"


def missing_spark():
    """Say what Spark lacks on this machine; nothing is started, so it is quick.

    Returns
    -------
    str or None
        None if Spark can be started, else a sentence that says what is missing and how to get it.

    Examples
    --------
    >>> reason = missing_spark()
    >>> reason is None or reason.startswith(("Spark", "Java"))
    True
    """
    if not importlib.util.find_spec("pyspark"):
        return f"Spark is not installed: {INSTALL}, and Java {JAVA[0]}. Everything else works without it."
    java = find_java()
    if java is None:
        return f"Java is not there, and Spark needs it: install Java {JAVA[0]} (a JRE), or set JAVA_HOME to its folder."
    version = java_version(java)
    if version is not None and not JAVA[0] <= version <= JAVA[1]:
        return (
            f"Java {version} is here, Spark needs {JAVA[0]} to {JAVA[1]}: install Java {JAVA[0]}, set JAVA_HOME to it."
        )
    return None


def find_java():
    """Return the program `java` that Spark would start, or None: that of JAVA_HOME, else the first one on the path."""
    home = os.environ.get("JAVA_HOME", "").strip()
    found = shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")
    return Path(found) if found else None


def java_version(java):
    """Return the main version of a Java by the file `release` in its folder; None if there is none to read."""
    release = Path(java).resolve().parent.parent / "release"
    try:
        found = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', release.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return int(found.group(1)) if found else None


def open_engine(name, tables, memory=None, master="local[2]", threads=None):
    """Open tables on an engine; what is then asked with Ibis is worked out there, not in pandas.

    Parameters
    ----------
    name : str
        "duckdb" (a library in this process) or "spark" (a program of its own, here or on a cluster).
    tables : dict of str to pandas.DataFrame or path
        Name → table. A path is a file of Parquet or a folder of such files, as `cimlab.locate` gives it for an edition
        in Parquet; also one partitioned in folders such as ``month=2026-06``, whose names become columns of text. A
        frame is first written as Parquet into a temporary folder, so that both engines read the same bytes.
    memory : str, optional
        What the engine may use, such as "500MB" or "2GB". DuckDB spills to disk what does not fit. Spark takes it for
        its driver at its first start in a process, and needs 500MB.
    master : str
        For Spark: "local[2]" is two threads on this machine, "spark://host:7077" a cluster, whose workers must see the
        files under the same path.
    threads : int, optional
        For DuckDB: how many threads; by default one a core.

    Returns
    -------
    ibis.backends.BaseBackend
        Take a table from it by `take_table` or ``connection.table("orders")``; close it by `close_engine`.

    Raises
    ------
    ValueError
        The engine is unknown, or a table is neither a frame nor a path of Parquet files, or `memory` is no size.
    FileNotFoundError
        A path is not there.
    RuntimeError
        Spark is missing or does not start; the message says why.

    References
    ----------
    Raasveldt, M. and Mühleisen, H. (2019). DuckDB: an Embeddable Analytical Database. SIGMOD.
    Zaharia, M. et al. (2016). Apache Spark: a unified engine for big data processing. CACM 59(11).

    Examples
    --------
    >>> engine = open_engine("duckdb", {"orders": pd.DataFrame({"order_id": ["o1", "o2"], "amount": [10.0, 25.0]})})
    >>> take_table(engine, "orders").columns
    ('order_id', 'amount')
    >>> close_engine(engine)
    """
    if name not in ENGINES:
        raise ValueError(f"there is no engine {name!r}; choose {' or '.join(map(repr, ENGINES))}")
    size = parse_memory(memory)
    if name == "spark" and (reason := missing_spark()):
        raise RuntimeError(reason)
    folder = Path(tempfile.mkdtemp(prefix="cimlab-engine-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # for those who do not close it
    try:
        files = {table: parquet_files(table, data, folder) for table, data in tables.items()}
        connection = open_duckdb(folder, size, threads) if name == "duckdb" else open_spark(folder, size, master)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    connection.cimlab_folder, connection.cimlab_tables = folder, sorted(tables)
    for table, (root, parts) in files.items():
        if name == "duckdb":
            hive = {"hive_partitioning": True, "hive_types_autocast": False}
            with without_old_names():
                connection.read_parquet(parts, table_name=table, **(hive if root.is_dir() else {}))
        else:
            connection._session.read.parquet(str(root)).createOrReplaceTempView(table)
    return connection


def close_engine(connection):
    """Close an engine and remove what it spilled; Spark is stopped by the connection that started it.

    Parameters
    ----------
    connection : ibis.backends.BaseBackend
        As returned by `open_engine`.

    Examples
    --------
    >>> close_engine(open_engine("duckdb", {}))
    """
    if connection.name == "pyspark":
        if connection.cimlab_started:
            connection._session.stop()
    else:
        connection.disconnect()
    shutil.rmtree(connection.cimlab_folder, ignore_errors=True)


def take_table(connection, name):
    """Take one table of an engine, or say which tables there are.

    Parameters
    ----------
    connection : ibis.backends.BaseBackend
        As returned by `open_engine`.
    name : str

    Returns
    -------
    ibis.expr.types.Table
        Nothing is read yet: an Ibis table is a question that is worked out when its answer is asked for.

    Raises
    ------
    ValueError
        There is no such table.

    Examples
    --------
    >>> engine = open_engine("duckdb", {"orders": pd.DataFrame({"order_id": ["o1"]})})
    >>> take_table(engine, "order")
    Traceback (most recent call last):
    ...
    ValueError: the engine has no table 'order'; it has: orders
    >>> close_engine(engine)
    """
    names = connection.cimlab_tables
    if name not in names:
        raise ValueError(f"the engine has no table {name!r}; it has: {', '.join(names) or 'none'}")
    with without_old_names():
        return connection.table(name)


@contextlib.contextmanager
def without_old_names():
    """Be silent about old names by which Ibis 12 and Spark 4.0 call DuckDB 2 and pandas 3: no reader can change them.

    Examples
    --------
    >>> with without_old_names():
    ...     warnings.warn("fetch_arrow_table() is deprecated", DeprecationWarning)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def parquet_files(table, data, folder):
    """Return the path of a table and its Parquet files; a frame is written first.

    Parameters
    ----------
    table : str
    data : pandas.DataFrame or path
    folder : pathlib.Path
        Where a frame is written.

    Returns
    -------
    tuple of (pathlib.Path, list of str)

    Examples
    --------
    >>> parquet_files("orders", ["o1", "o2"], Path("."))
    Traceback (most recent call last):
    ...
    ValueError: the table 'orders' is of type list; give a DataFrame, or the path of a Parquet file or folder
    """
    if isinstance(data, pd.DataFrame):
        path = folder / f"{table}.parquet"
        try:
            data.to_parquet(path, index=False, coerce_timestamps="us", allow_truncated_timestamps=True)
        except (ValueError, TypeError) as error:  # pyarrow's errors are of these kinds
            raise ValueError(f"the table {table!r} cannot be written as Parquet: {error}") from None
        return path, [path.as_posix()]
    if not isinstance(data, (str, os.PathLike)):
        raise ValueError(
            f"the table {table!r} is of type {type(data).__name__}; "
            "give a DataFrame, or the path of a Parquet file or folder"
        )
    path = Path(data).absolute()
    if not path.exists():
        raise FileNotFoundError(f"the table {table!r} is not there: {path}")
    parts = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not parts or parts[0].suffix != ".parquet":
        raise ValueError(f"the table {table!r} holds no Parquet: {path}; give the frame instead, as cimlab.load does")
    return path, [part.as_posix() for part in parts]


def parse_memory(memory):
    """Return a size such as "500MB" or "2 GB" in bytes; None stays None.

    Examples
    --------
    >>> parse_memory("500MB"), parse_memory("2 GB"), parse_memory(None)
    (500000000, 2000000000, None)
    >>> parse_memory("much")
    Traceback (most recent call last):
    ...
    ValueError: memory='much' is no size; write it as "500MB" or "2GB"
    """
    if memory is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([MG])B", str(memory).strip().upper())
    if not found:
        raise ValueError(f'memory={memory!r} is no size; write it as "500MB" or "2GB"')
    return int(float(found.group(1)) * {"M": 1e6, "G": 1e9}[found.group(2)])


def open_duckdb(folder, size, threads):
    """Connect to a DuckDB in this process, which spills into the folder."""
    import ibis

    limits = {"memory_limit": f"{size / 1e6:.0f}MB"} if size else {}
    limits |= {"threads": threads} if threads else {}
    return ibis.duckdb.connect(temp_directory=(folder / "spill").as_posix(), preserve_insertion_order=False, **limits)


def open_spark(folder, size, master):
    """Start Spark, or take the one that runs in this process, with tables of its own; nothing is said on the screen."""
    import ibis
    from pyspark.sql import SparkSession

    if size is not None and size < 500e6:
        raise ValueError(f"Spark does not start with {size / 1e6:.0f} MB: give it 500MB or more")
    running = SparkSession.getActiveSession()
    builder = SparkSession.builder.master(master).appName("cimlab")
    for key, value in spark_settings(folder, size, master).items():
        builder = builder.config(key, value)
    log = folder / "spark.log"
    try:
        with _errors_into(log):
            session = running or builder.getOrCreate()
    except Exception as error:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or str(error).splitlines()
        raise RuntimeError(f"Spark did not start: {lines[-1]}") from None
    session.sparkContext.setLogLevel("OFF")
    connection = ibis.pyspark.connect(session.newSession())
    connection.cimlab_started = running is None
    return connection


def spark_settings(folder, size, master):
    """Return what a quiet Spark is told that writes nowhere but into its folder.

    Examples
    --------
    >>> spark_settings(Path("temporary"), 1_000_000_000, "spark://host:7077")["spark.driver.memory"]
    '953m'
    """
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.catalogImplementation": "in-memory",  # no Hive: it would make a database in the working folder
        "spark.sql.warehouse.dir": (folder / "warehouse").absolute().as_uri(),
        "spark.local.dir": str(folder / "local"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.pyspark.python": sys.executable,
    }
    if size:
        settings["spark.driver.memory"] = f"{size // 2**20}m"
    if master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
        settings |= {"spark.sql.shuffle.partitions": "8"}  # 200 is for a cluster
    return settings


@contextlib.contextmanager
def _errors_into(log):
    """Let a program that is started here write its errors into a file, as long as it lives, and not on the screen."""
    kept = os.dup(2)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
