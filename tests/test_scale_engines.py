"""Engines: the same analysis in pandas, on DuckDB and on Spark, with equal results; errors in plain words."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cimlab
from cimlab import analysis, mining, scale
from cimlab.scale import engines

ENGINES = ["duckdb", pytest.param("spark", marks=pytest.mark.spark)]
TODAY = "2026-06-30"


def awkward_orders():
    """Return orders with blanks, ties, money back, times at midnight, and customers with Chinese and Latin ids."""
    draw = np.random.default_rng(5)
    number = 900
    customers = np.array([*[f"C{each:03d}" for each in range(150)], "顾客一", "a", "Z", "é"], dtype="object")
    orders = pd.DataFrame(
        {
            "order_id": [f"o{each}" for each in draw.integers(0, 700, number)],  # some orders in several rows
            "customer_id": draw.choice(customers, number),
            "ordered_at": pd.Timestamp("2024-12-20") + pd.to_timedelta(draw.integers(0, 600, number), unit="D"),
            "amount": draw.choice([0.1, 0.2, 0.3, 19.9, 30.0, -30.0], number),
        }
    )
    orders["ordered_at"] += pd.to_timedelta(draw.choice([0, 1, 86_399], number), unit="s")
    orders.loc[draw.choice(number, 60, replace=False), "customer_id"] = None
    orders.loc[draw.choice(number, 60, replace=False), "amount"] = np.nan
    orders.loc[orders["customer_id"] == "C007", "amount"] = np.nan  # never a known amount
    orders.loc[draw.choice(number, 30, replace=False), "ordered_at"] = pd.NaT
    orders.loc[draw.choice(number, 30, replace=False), "order_id"] = None
    return orders


@pytest.fixture(scope="module")
def course():
    """The edition that comes with the course, and the awkward orders."""
    lines = cimlab.load("order_lines").merge(cimlab.load("products")[["product_id", "name"]], on="product_id")
    return {"orders": cimlab.load("orders"), "awkward": awkward_orders(), "lines": lines}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request, course):
    connection = scale.open_engine(request.param, course)
    yield connection
    scale.close_engine(connection)


def equal(got, right):
    pd.testing.assert_frame_equal(got, right, rtol=1e-12, atol=1e-12, check_dtype=False)


# ------------------------------------------------------------------------------------------------------------ analyses
@pytest.mark.parametrize("table", ["orders", "awkward"])
@pytest.mark.parametrize(("as_of", "bins"), [(TODAY, 5), ("2025-11-03", 4)])
def test_rfm_is_that_of_pandas(engine, course, table, as_of, bins):
    customer = "customer_ref" if table == "orders" else "customer_id"
    right = analysis.rfm(course[table], as_of, customer).round({"monetary": 2})
    right = analysis.rfm_scores(right, bins)
    got = scale.answer(scale.rfm_query(scale.take_table(engine, table), as_of, customer, bins))
    equal(got, right)
    assert (got.dtypes == right.dtypes).all()
    assert right["monetary"].duplicated().any() or table == "orders"  # there are ties to tell apart


def test_rfm_of_lines_counts_an_order_once(engine, course):
    lines = course["lines"].merge(course["orders"][["order_id", "customer_ref", "ordered_at"]], on="order_id")
    connection = scale.open_engine({"duckdb": "duckdb", "pyspark": "spark"}[engine.name], {"lines": lines})
    got = scale.answer(scale.rfm_query(scale.take_table(connection, "lines"), TODAY, "customer_ref"))
    scale.close_engine(connection)
    whole = scale.answer(scale.rfm_query(scale.take_table(engine, "orders"), TODAY, "customer_ref"))
    equal(got, whole)


@pytest.mark.parametrize("table", ["orders", "awkward"])
@pytest.mark.parametrize("period", ["M", "Q", "W"])
def test_cohorts_are_those_of_pandas(engine, course, table, period):
    customer = "customer_ref" if table == "orders" else "customer_id"
    for as_of in (TODAY, "2026-02-11"):
        right = analysis.cohort_counts(course[table], as_of, customer, period)
        right["cohort"] = right["cohort"].dt.start_time.astype("datetime64[us]")
        got = scale.answer(scale.cohort_query(scale.take_table(engine, table), as_of, customer, period))
        assert (right["customers"] == 0).any() or table == "orders" or period == "Q"
        equal(got, right.round({"revenue": 2}).assign(revenue_per_customer=got["revenue"] / got["size"]))
        assert np.allclose(got["revenue_per_customer"], right["revenue_per_customer"], rtol=1e-9)


@pytest.mark.parametrize("support", [0.001, 0.004])
def test_pairs_are_those_of_the_basket_table(engine, course, support):
    table = mining.basket_table(course["lines"])
    right = mining.mine_rules(table, support)
    got = scale.answer(scale.pairs_query(scale.take_table(engine, "lines"), "name", support=support))
    assert len(got) > 20
    pd.testing.assert_frame_equal(got, right, rtol=1e-9, atol=1e-12)
    counts = mining.count_pairs(table)
    assert all(counts.loc[row.antecedent, row.consequent] == row.n for row in got.itertuples())


def test_pairs_leave_blank_lines_out_and_count_twice_bought_once():
    lines = pd.DataFrame({"order_id": ["a", "a", "a", "b", None, "b"], "product_id": ["x", "y", "x", "x", "y", None]})
    connection = scale.open_engine("duckdb", {"lines": lines})
    got = scale.answer(scale.pairs_query(scale.take_table(connection, "lines"), support=0.5))
    right = mining.mine_rules(mining.basket_table(lines.dropna(), "product_id"), 0.5)
    pd.testing.assert_frame_equal(got, right)
    with pytest.raises(ValueError, match="must be a share"):
        scale.pairs_query(scale.take_table(connection, "lines"), support=0)
    with pytest.raises(ValueError, match="table of lines has no column name; it has: order_id, product_id"):
        scale.pairs_query(scale.take_table(connection, "lines"), item="name")
    scale.close_engine(connection)


def test_row_order_does_not_matter():
    orders = awkward_orders()
    answers = []
    for frame in (orders, orders.sample(frac=1, random_state=2)):
        connection = scale.open_engine("duckdb", {"orders": frame})
        answers.append(scale.answer(scale.rfm_query(scale.take_table(connection, "orders"), TODAY)))
        scale.close_engine(connection)
    pd.testing.assert_frame_equal(*answers)


def test_the_same_money_gets_the_same_score():
    """0.1 + 0.2 is not 0.3 in floating point: whoever spent the same must not be parted by that."""
    rows = [("a", 0.1), ("a", 0.2), ("b", 0.3), ("c", 0.3), ("d", 0.2), ("d", 0.1), ("e", 9.0)]
    orders = pd.DataFrame(rows, columns=["customer_id", "amount"]).assign(ordered_at=pd.Timestamp(TODAY))
    orders["order_id"] = orders.index.astype("str")
    connection = scale.open_engine("duckdb", {"orders": orders})
    got = scale.answer(scale.rfm_query(scale.take_table(connection, "orders"), TODAY))
    scale.close_engine(connection)
    assert got["m_score"].tolist() == [1, 1, 1, 1, 5]


def test_wrong_columns_and_periods_in_plain_words(course):
    connection = scale.open_engine("duckdb", {"orders": course["orders"]})
    orders = scale.take_table(connection, "orders")
    with pytest.raises(ValueError, match="name yours, customer=…; there is: order_id, channel"):
        scale.rfm_query(orders, TODAY)
    with pytest.raises(ValueError, match="orders table has no column amount"):
        scale.rfm_query(orders.drop("amount"), TODAY, "customer_ref")
    with pytest.raises(ValueError, match="no period 'D'; choose 'M', 'Q', 'W'"):
        scale.cohort_query(orders, TODAY, "customer_ref", "D")
    scale.close_engine(connection)


# ------------------------------------------------------------------------------------------------------------- engines
def test_paths_and_partitions(engine, course, tmp_path):
    """A file, a folder of parts, and a folder partitioned by month give what the frame gives."""
    orders = course["orders"]
    orders.to_parquet(tmp_path / "one.parquet", index=False)
    (tmp_path / "parts").mkdir()
    orders.iloc[:5000].to_parquet(tmp_path / "parts" / "part-0.parquet", index=False)
    orders.iloc[5000:].to_parquet(tmp_path / "parts" / "part-1.parquet", index=False)
    by_month = orders.assign(month=orders["ordered_at"].dt.strftime("%Y-%m"))
    by_month.to_parquet(tmp_path / "months", partition_cols=["month"], index=False)
    by_month["year"] = by_month["ordered_at"].dt.year
    by_month.to_parquet(tmp_path / "years", partition_cols=["year"], index=False)
    name = {"duckdb": "duckdb", "pyspark": "spark"}[engine.name]
    paths = {"one": tmp_path / "one.parquet", "parts": str(tmp_path / "parts"), "months": tmp_path / "months"}
    paths["years"] = tmp_path / "years"
    connection = scale.open_engine(name, paths)
    right = scale.answer(scale.rfm_query(scale.take_table(engine, "orders"), TODAY, "customer_ref"))
    for table in paths:
        equal(scale.answer(scale.rfm_query(scale.take_table(connection, table), TODAY, "customer_ref")), right)
    months = scale.take_table(connection, "months")
    assert months.schema()["month"].is_string()
    assert scale.take_table(connection, "years").schema()["year"].is_string()
    assert scale.answer(months.filter(months.month == "2026-06").count().as_table()).iloc[0, 0] == (
        by_month["month"].eq("2026-06").sum()
    )
    scale.close_engine(connection)


def test_duckdb_keeps_to_its_memory_and_cleans_up(tmp_path):
    draw = np.random.default_rng(1)
    many = pd.DataFrame({"key": draw.permutation(1_500_000), "text": "x" * 40})
    many.to_parquet(tmp_path / "many.parquet")
    connection = scale.open_engine("duckdb", {"many": tmp_path / "many.parquet"}, memory="80MB", threads=1)
    table = scale.take_table(connection, "many")
    spill = connection.cimlab_folder / "spill"
    seen = scale.answer(table.order_by("key").limit(3, offset=1_000_000))
    assert seen["key"].tolist() == [1_000_000, 1_000_001, 1_000_002]
    limit = connection.con.execute("SELECT current_setting('memory_limit'), current_setting('temp_directory')")
    assert limit.fetchone() == ("76.2 MiB", spill.as_posix())
    scale.close_engine(connection)
    assert not connection.cimlab_folder.exists()


def test_errors_of_engines_in_plain_words(tmp_path):
    (tmp_path / "orders.csv").write_text("order_id\no1\n", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no engine 'dask'; choose 'duckdb' or 'spark'"):
        scale.open_engine("dask", {})
    with pytest.raises(FileNotFoundError, match="the table 'orders' is not there"):
        scale.open_engine("duckdb", {"orders": tmp_path / "none"})
    for path in (tmp_path / "orders.csv", tmp_path / "empty"):
        with pytest.raises(ValueError, match=r"holds no Parquet: .*; give the frame instead"):
            scale.open_engine("duckdb", {"orders": path})
    with pytest.raises(ValueError, match="the table 'orders' is of type dict"):
        scale.open_engine("duckdb", {"orders": {"a": 1}})
    with pytest.raises(ValueError, match="'orders' cannot be written as Parquet"):
        scale.open_engine("duckdb", {"orders": pd.DataFrame({"a": [1, "x", None]}, dtype="object")})
    with pytest.raises(ValueError, match="memory='lots' is no size; write it as \"500MB\""):
        scale.open_engine("duckdb", {}, memory="lots")
    connection = scale.open_engine("duckdb", {"orders": pd.DataFrame({"a": [1]})})
    with pytest.raises(ValueError, match="no table 'members'; it has: orders"):
        scale.take_table(connection, "members")
    scale.close_engine(connection)


def test_no_folder_is_left_by_an_engine_that_did_not_open(tmp_path, monkeypatch):
    monkeypatch.setattr(engines.tempfile, "mkdtemp", lambda prefix: str(make(tmp_path / "engine")))

    def make(folder):
        folder.mkdir()
        return folder

    with pytest.raises(ValueError, match="of type int"):
        scale.open_engine("duckdb", {"orders": 3})
    assert list(tmp_path.iterdir()) == []


def fake_java(folder, version):
    """Make a folder that looks like that of a Java."""
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / ("java.exe" if os.name == "nt" else "java")
    program.write_text("no program\n", encoding="utf-8")
    program.chmod(0o755)
    if version:
        (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n', encoding="utf-8")
    return folder


def test_what_spark_lacks(tmp_path, monkeypatch):
    there = engines.importlib.util.find_spec

    def lacks(name):
        return None if name == "pyspark" else there(name)

    with monkeypatch.context() as patched:
        patched.setattr(engines.importlib.util, "find_spec", lacks)
        assert scale.missing_spark().startswith("Spark is not installed: pip install 'cimlab[spark]'")
        with pytest.raises(RuntimeError, match="Spark is not installed"):
            scale.open_engine("spark", {})
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "none"))
    assert scale.missing_spark().startswith("Java is not there")
    for version, fits in (("1.8.0_402", False), ("11.0.2", False), ("17.0.15", True), ("21", True), ("25.0.1", False)):
        monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / version, version)))
        reason = scale.missing_spark()
        assert (reason is None) == fits, reason
        assert fits or f"Java {version.removeprefix('1.').split('.')[0]} is here" in reason
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "unknown", None)))
    assert scale.missing_spark() is None


def test_asking_what_is_missing_imports_no_spark():
    code = "import sys; from cimlab.scale import missing_spark; missing_spark(); sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.spark
def test_spark_is_quiet_and_writes_nothing_here(tmp_path):
    """In a process of its own: the first start of Spark, in an empty working folder."""
    code = (
        "import pandas as pd\n"
        "from cimlab import scale\n"
        "orders = pd.DataFrame({'customer_id': ['a', 'b'], 'order_id': ['1', '2'], 'amount': [1.0, 2.0],\n"
        "                       'ordered_at': pd.Timestamp('2026-06-01')})\n"
        "engine = scale.open_engine('spark', {'orders': orders}, memory='600MB', master='local[1]')\n"
        "second = scale.open_engine('spark', {'orders': orders.head(1)})\n"
        "for each in (engine, second):\n"
        "    query = scale.rfm_query(scale.take_table(each, 'orders'), '2026-06-30')\n"
        "    print(len(scale.answer(query)))\n"
        "assert engine._session.sparkContext.master == 'local[1]'\n"
        "assert engine._session.sparkContext.uiWebUrl is None\n"
        "scale.close_engine(second)\n"
        "scale.close_engine(engine)\n"
        "print(engine.cimlab_folder.exists(), second.cimlab_folder.exists())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["2", "1", "False", "False"], "")
    assert list(Path(tmp_path).iterdir()) == []


@pytest.mark.spark
def test_spark_that_does_not_start_says_so():
    with pytest.raises(ValueError, match="Spark does not start with 100 MB"):
        scale.open_engine("spark", {}, memory="100MB")


# ----------------------------------------------------------------------------------------------------------- crossover
def pandas_question(tables):
    return analysis.rfm_scores(analysis.rfm(tables["orders"], TODAY, "customer_ref").round({"monetary": 2}))


def engine_question(connection):
    return scale.answer(scale.rfm_query(scale.take_table(connection, "orders"), TODAY, "customer_ref"))


def test_times_come_from_equal_answers(course):
    sizes = {300: {"orders": course["orders"].head(300)}, 900: {"orders": course["orders"].head(900)}}
    questions = {"pandas": pandas_question, "duckdb": engine_question}
    times = scale.time_engines(sizes, questions, rounds=2)
    assert times["engine"].tolist() == ["pandas", "duckdb"] * 4
    assert times["size"].tolist() == [300] * 4 + [900] * 4
    assert (times["question"] > 0).all()
    with pytest.raises(ValueError, match="pandas and duckdb differ at size 300"):
        scale.time_engines(sizes, questions | {"duckdb": lambda engine: engine_question(engine).iloc[::-1]}, rounds=1)
    with pytest.raises(ValueError, match="nothing to time"):
        scale.time_engines(sizes, questions, rounds=0)


def test_rounds_are_interleaved_and_parts_kept_apart():
    calls = []

    def ask(engine, tables, question):
        calls.append((engine, tables))
        return {"start": 10.0 * len(calls), "question": 1.0 * len(calls) ** 2, "answer": pd.DataFrame({"n": [1]})}

    times = scale.time_engines({10: "ten", 20: "twenty"}, {"a": None, "b": None}, rounds=3, ask=ask)
    assert calls == [("a", "ten"), ("b", "ten")] * 3 + [("a", "twenty"), ("b", "twenty")] * 3
    middle = scale.median_times(times)
    assert middle.to_numpy().tolist() == [
        [10, "a", 30.0, 9.0, 39.0],
        [10, "b", 40.0, 16.0, 56.0],
        [20, "a", 90.0, 81.0, 171.0],
        [20, "b", 100.0, 100.0, 200.0],
    ]


def known_times():
    rows = [[10, "pandas", 0.0, 1.0], [10, "duckdb", 1.5, 0.5], [99, "pandas", 0.0, 8.0], [99, "duckdb", 1.5, 0.5]]
    times = pd.DataFrame(rows, columns=["size", "engine", "start", "question"])
    return times.assign(total=times["start"] + times["question"])


def test_the_fastest_with_and_without_the_start():
    assert scale.find_fastest(known_times()).to_numpy().tolist() == [
        [10, "pandas", 1.0, "duckdb", 2.0],
        [99, "duckdb", 2.0, "pandas", 4.0],
    ]
    assert scale.find_fastest(known_times(), "question")["engine"].tolist() == ["duckdb", "duckdb"]
    with pytest.raises(ValueError, match="one engine only"):
        scale.find_fastest(known_times().query("engine == 'duckdb'"))


@pytest.mark.usefixtures("clean_matplotlib")
def test_the_picture_shows_both_and_names_its_axes():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = scale.draw_crossover(known_times())
        ax.figure.canvas.draw()
    lines = {line.get_label(): (line.get_linestyle(), line.get_ydata().tolist()) for line in ax.lines}
    assert lines["duckdb"] == ("-", [0.5, 0.5])
    assert lines["duckdb, with its start"] == ("--", [2.0, 2.0])
    assert len({line.get_marker() for line in ax.lines}) == 2
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale(), ax.get_yscale()) == (
        "customers",
        "seconds",
        "log",
        "log",
    )
    with pytest.raises(ValueError, match="draw_crossover needs the column total"):
        scale.draw_crossover(known_times().drop(columns="total"))
