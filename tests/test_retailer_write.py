"""Writing an edition: every form read back as it was made, the same bytes each time, whole or not at all."""

import concurrent.futures
import datetime
import errno
import functools
import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types
import zipfile
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cimlab
from cimlab import datasets
from cimlab.__main__ import main
from cimlab.retailer import card, command, files, folders, read_truth, run, students, workbook, write
from cimlab.retailer.draws import read_settings
from cimlab.retailer.students import derive_seed, read_students
from cimlab.retailer.write import write_edition
from tests import small_core
from tests.small_core import COMMON, DICTIONARY, TABLES, TRUTH, fake_table, make_common_tables, make_tables

ROOT = Path(__file__).parents[1]
CORE, REAL = small_core.__name__, run.CORE
REFERENCES = functools.cache(card.write_references)

# --- what the tests share ---------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_other_edition(monkeypatch):
    for variable in ("CIMLAB_DATA", "CIMLAB_SEED"):
        monkeypatch.delenv(variable, raising=False)
    # the command asks the stand-in too
    monkeypatch.setattr(run, "CORE", CORE)
    # the sources of all numbers are the same for each edition
    monkeypatch.setattr(card, "write_references", REFERENCES)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of eight persons, so that a small edition has many parts."""
    monkeypatch.setitem(read_settings("write"), "block", 8)


def make(folder, truth=None, customers=20, seed=3, **more):
    return write_edition(folder, truth, customers=customers, seed=seed, core=CORE, **more)


def listing(folder):
    """The bytes of every file below a folder, hidden ones too."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def load_all(folder, monkeypatch):
    """Every table of an edition, sorted as the dictionary says."""
    monkeypatch.setenv("CIMLAB_DATA", str(folder))
    frames = {}
    for name in cimlab.tables()["table"]:
        order = DICTIONARY["tables"][name]["order"]
        frames[name] = cimlab.load(name).sort_values(order, kind="stable", ignore_index=True)
    return frames


def expect(name, section, tables):
    """The frame that a table should come back as, by a way of its own: plain Python values."""
    specification = DICTIONARY[section][name]
    rows = sorted(tables[name].to_pylist(), key=lambda row: [row[column] for column in specification["order"]])
    frame = {}
    for column, facts in specification["columns"].items():
        values = [row[column] for row in rows]
        required = len(facts) > 4 and facts[4].get("required")
        kinds = {
            "string": "str",
            "integer": "int64" if required else "Int64",
            "number": "float64",
            "boolean": "bool",
        }
        frame[column] = pd.Series(values, dtype=kinds.get(facts[0], "datetime64[us]"))
    return pd.DataFrame(frame)


# --- every form gives back what was put in ----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["files", "parquet"])
def edition(request, tmp_path_factory):
    """An edition of 20 persons of three blocks, in both forms, with its truth."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(read_settings("write"), "block", 8)
        make(folder / "data", folder / "truth", form=request.param)
    return folder


@pytest.mark.parametrize("name", TABLES)
def test_a_table_comes_back_as_it_was_made(edition, monkeypatch, name):
    monkeypatch.setenv("CIMLAB_DATA", str(edition / "data"))
    made = make_common_tables(3) | make_tables(3, "normal", 0, 20, truth=False)[0]
    order = DICTIONARY["tables"][name]["order"]
    found = cimlab.load(name).sort_values(order, kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(found, expect(name, "tables", made))


@pytest.mark.parametrize("name", TRUTH)
def test_the_truth_comes_back_as_it_was_made(edition, name):
    made = make_tables(3, "normal", 0, 20, truth=True)[1]
    found = read_truth(name, edition / "truth")
    found = found.sort_values(DICTIONARY["truth"][name]["order"], kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(found, expect(name, "truth", made))


def test_files_are_in_the_order_of_the_dictionary(tmp_path, monkeypatch):
    make(tmp_path / "data", form="files")
    monkeypatch.setenv("CIMLAB_DATA", str(tmp_path / "data"))
    for name in TABLES:
        frame, order = cimlab.load(name), DICTIONARY["tables"][name]["order"]
        pd.testing.assert_frame_equal(frame, frame.sort_values(order, kind="stable", ignore_index=True))


def test_each_file_has_the_form_of_its_channel(tmp_path):
    folder = tmp_path / "data"
    make(folder, form="files")
    assert (folder / "bought_list.csv").read_bytes().decode("gb18030").startswith("编号;姓名;性别;")
    assert (folder / "questionnaire.csv").read_bytes().startswith(b"\xef\xbb\xbf" + "序号,会员卡号,".encode())
    assert (folder / "business_register.tsv").read_text(encoding="utf-8").startswith("credit_code\tname\t")
    assert re.match(r"\[C\d+\] 2026-01-01 \d\d:\d\d \w+\n", (folder / "calls.txt").read_text(encoding="utf-8"))
    event = (folder / "web_events.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert re.search(r'"session":\{"id":".*","device":"phone",.*"at":"2026-\d\d-\d\dT\d\d:\d\d:00"', event)
    assert b"\r\n" not in (folder / "stores.csv").read_bytes()


def test_numbers_are_written_with_their_decimals():
    money = pa.chunked_array([[1.5, None, 12.34, 1234567.0]])
    assert files.number_texts(money, "CNY") == ["1.50", None, "12.34", "1234567.00"]
    assert files.number_texts(money, "10,000 CNY") == ["1.50", None, "12.34", "1234567.00"]
    rates = pa.chunked_array([[0.1, 0.0, 0.30000000000000004]])
    assert files.number_texts(rates, "fraction") == ["0.1", "0", "0.30000000000000004"]
    assert files.number_texts(pa.chunked_array([[0.125]]), "CNY") == ["0.125"], "nothing is lost"


def test_times_have_seconds_only_where_there_are_any():
    whole = pa.chunked_array([pa.array([datetime.datetime(2026, 1, 2, 3, 4), None], pa.timestamp("s"))])
    split = pa.chunked_array([pa.array([datetime.datetime(2026, 1, 2, 3, 4, 5), None], pa.timestamp("s"))])
    assert files.time_texts(whole) == ["2026-01-02 03:04", None]
    assert files.time_texts(split) == ["2026-01-02 03:04:05", None]
    assert files.time_texts(whole, "jsonl") == ["2026-01-02T03:04:00", None]


def test_a_table_without_rows_is_a_table_too(tmp_path, monkeypatch):
    def nothing(seed, level, start, stop, *, truth, only=None):
        return {"orders": fake_table("orders", DICTIONARY["tables"]["orders"], [])}, {}

    monkeypatch.setattr(small_core, "make_tables", nothing)
    make(tmp_path / "data", customers=1, form="files")
    frames = load_all(tmp_path / "data", monkeypatch)
    assert {name for name, frame in frames.items() if len(frame)} == set(COMMON)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["amount"]), "orders does not have the columns of the dictionary.*amount"),
        (lambda table: table.rename_columns([*table.column_names[:-1], "sum"]), "orders does not have .*amount.*sum"),
        (lambda table: table.set_column(5, "amount", pa.array(["x"])), "orders, column 'amount'"),
    ],
)
def test_a_table_that_does_not_fit_the_dictionary_is_refused(change, message):
    specification = DICTIONARY["tables"]["orders"]
    with pytest.raises(ValueError, match=message):
        files.conform(change(fake_table("orders", specification, [1])), specification, "orders")


def test_the_workbook_is_a_workbook_whatever_the_clock_says(tmp_path):
    rows = {"first": [("a", datetime.date(2026, 6, 30), None), (" <b>&\r\n ", None, "𠮷")], "second": []}
    content = workbook.format_workbook(["x", "y", "z"], rows)
    (tmp_path / "book.xlsx").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "book.xlsx") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2026, 1, 1, 0, 0, 0)}
        assert archive.testzip() is None
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    assert book.sheetnames == ["first", "second"]
    found = list(book["first"].iter_rows(values_only=True))
    assert found[0] == ("x", "y", "z")
    assert found[1] == ("a", datetime.datetime(2026, 6, 30), None)
    assert found[2][0].replace("\r\n", "\n").replace("\r", "") == " <b>&\n "
    assert book["first"]["B2"].number_format == "yyyy\\-mm\\-dd"
    with pytest.raises(ValueError, match="cell A2 holds a character"):
        workbook.format_workbook(["x"], {"first": [("\x01",)]})


# --- Parquet ----------------------------------------------------------------------------------------------------------


def test_parquet_is_in_parts_with_the_encodings_of_its_columns(tmp_path, small_blocks):
    written = make(tmp_path / "data", form="parquet")
    parts = sorted((tmp_path / "data" / "orders").iterdir())
    assert [path.name for path in parts] == [f"part-0000{n}.parquet" for n in range(3)]
    assert [pq.read_metadata(path).num_rows for path in parts] == [16, 16, 8]
    assert [path.name for path in (tmp_path / "data" / "stores").iterdir()] == ["part-00000.parquet"]
    group = pq.read_metadata(parts[0]).row_group(0)
    columns = {group.column(place).path_in_schema: group.column(place) for place in range(group.num_columns)}
    assert all(column.compression == "ZSTD" for column in columns.values())
    assert "RLE_DICTIONARY" in columns["channel"].encodings
    assert "RLE_DICTIONARY" not in columns["order_id"].encodings
    assert "DELTA_BINARY_PACKED" in columns["ordered_at"].encodings
    assert columns["ordered_at"].statistics.min == datetime.datetime(2026, 1, 1, 14, 21)
    assert columns["amount"].statistics.has_min_max
    orders = next(info for info in written[0][1] if info["table"] == "orders")
    assert orders["rows"] == 40
    assert orders["bytes"] == sum(path.stat().st_size for path in parts)


def test_duckdb_reads_the_folder_that_locate_names(edition, monkeypatch):
    monkeypatch.setenv("CIMLAB_DATA", str(edition / "data"))
    place = cimlab.locate("orders")
    source = f"read_parquet('{place}/*.parquet')" if place.is_dir() else f"read_csv('{place}')"
    found = duckdb.connect().execute(f"select count(*), count(distinct order_id) from {source}").fetchone()
    assert found == (40, 40)


def test_the_form_follows_from_the_size():
    assert write.make_plan(20_000, 1)["form"] == "files"
    assert write.make_plan(20_001, 1)["form"] == "parquet"
    assert write.make_plan(20_001, 1, form="files")["form"] == "files"


# --- the same content, however it is made -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["files", "parquet"])
def test_two_processes_write_the_bytes_of_one(tmp_path, small_blocks, form):
    make(tmp_path / "a", tmp_path / "at", form=form)
    make(tmp_path / "b", tmp_path / "bt", form=form, jobs=2)
    assert listing(tmp_path / "a") == listing(tmp_path / "b")
    assert listing(tmp_path / "at") == listing(tmp_path / "bt")


def test_dask_workers_write_the_bytes_of_one_process(tmp_path, small_blocks, monkeypatch):
    class Client:
        """What is used of distributed.Client, with the threads of the standard library."""

        def __init__(self, address, timeout):
            assert address == "tcp://here:1"
            self.pool = concurrent.futures.ThreadPoolExecutor(2)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.pool.shutdown()

        def map(self, task, items, pure):
            return [self.pool.submit(task, item) for item in items]

        def cancel(self, futures):
            pass

    fake = types.SimpleNamespace(Client=Client, as_completed=concurrent.futures.as_completed)
    monkeypatch.setitem(sys.modules, "distributed", fake)
    make(tmp_path / "a", form="parquet")
    make(tmp_path / "b", form="parquet", engine="dask", scheduler="tcp://here:1")
    assert listing(tmp_path / "a") == listing(tmp_path / "b")


@pytest.mark.parametrize("form", ["files", "parquet"])
@pytest.mark.parametrize(("setting", "size"), [("block", 8), ("step", 8)])
def test_how_it_is_cut_changes_no_row(tmp_path, monkeypatch, form, setting, size):
    make(tmp_path / "whole", form=form)
    monkeypatch.setitem(read_settings("write"), setting, size)
    make(tmp_path / "cut", form=form)
    if form == "files":
        assert listing(tmp_path / "whole") == listing(tmp_path / "cut")
    whole, cut = load_all(tmp_path / "whole", monkeypatch), load_all(tmp_path / "cut", monkeypatch)
    for name, frame in whole.items():
        pd.testing.assert_frame_equal(frame, cut[name])


def test_both_forms_hold_the_same(tmp_path, monkeypatch):
    make(tmp_path / "files", form="files")
    make(tmp_path / "parquet", form="parquet")
    as_files = load_all(tmp_path / "files", monkeypatch)
    for name, frame in load_all(tmp_path / "parquet", monkeypatch).items():
        pd.testing.assert_frame_equal(frame, as_files[name])


@pytest.mark.parametrize("form", ["files", "parquet"])
def test_only_some_tables(tmp_path, monkeypatch, form):
    make(tmp_path / "all", form=form)
    make(tmp_path / "some", form=form, tables=["order_lines", "orders", "stores"])
    wanted = {"orders", "order_lines", "stores", "datapackage.json", "croissant.json", "README.md"}
    assert {path.name.removesuffix(".csv") for path in (tmp_path / "some").iterdir()} == wanted
    monkeypatch.setenv("CIMLAB_DATA", str(tmp_path / "some"))
    assert cimlab.tables()["table"].tolist() == ["stores", "orders", "order_lines"]
    whole = load_all(tmp_path / "all", monkeypatch)["orders"]
    pd.testing.assert_frame_equal(load_all(tmp_path / "some", monkeypatch)["orders"], whole)
    resource = datasets.find_resource(datasets.read_descriptor(tmp_path / "some"), "order_lines")
    assert [key["reference"]["resource"] for key in resource["schema"]["foreignKeys"]] == ["orders"]


def test_tables_without_persons_need_no_persons(tmp_path, monkeypatch):
    monkeypatch.setattr(small_core, "make_tables", None)
    make(tmp_path / "data", tables=["stores", "products"])
    assert load_all(tmp_path / "data", monkeypatch).keys() == {"stores", "products"}


# --- whole or not at all ----------------------------------------------------------------------------------------------


def fail_at(monkeypatch, number, error):
    """Let the writing of the file with this number fail, from 1; return the list of files tried."""
    tried, write_file = [], run.write_file

    def fail(path, content):
        tried.append(path.name)
        if len(tried) == number:
            raise error
        return write_file(path, content)

    for module in (run, write, folders):
        monkeypatch.setattr(module, "write_file", fail)
    return tried


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "part"
    assert run.write_file(path, b"first") == [5, f"sha256:{hashlib.sha256(b'first').hexdigest()}"]

    def fail(*_):
        raise full_disk()

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        run.write_file(path, b"second")
    assert listing(tmp_path) == {"new/part": b"first"}


def full_disk():
    return OSError(errno.ENOSPC, "No space left on device", "somewhere/part-00001.parquet.tmp")


def test_an_interrupted_run_goes_on(tmp_path, small_blocks, monkeypatch):
    make(tmp_path / "expected", tmp_path / "expected-truth", form="parquet")
    arguments = {"folder": tmp_path / "out" / "data", "truth": tmp_path / "out" / "truth", "form": "parquet"}
    with monkeypatch.context() as patch:
        # the second block of three: 5 for the plans and the first tables, then 22 + 10 and a marker for each block
        fail_at(patch, 60, full_disk())
        with pytest.raises(OSError, match="No space left"):
            make(**arguments)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".data-unfinished", ".truth-unfinished"]
    assert not list((tmp_path / "out").rglob("*.tmp"))
    said, begun, make_part = [], [], run.make_part

    def count(job):
        begun.append(job["number"])
        return make_part(job)

    monkeypatch.setattr(write, "make_part", count)
    make(**arguments, say=said.append)
    assert begun == [1, 2]
    assert said == ["Going on with a run that was interrupted: 1 of 3 parts are done."]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["data", "truth"]
    assert listing(tmp_path / "out" / "data") == listing(tmp_path / "expected")
    assert listing(tmp_path / "out" / "truth") == listing(tmp_path / "expected-truth")


@pytest.mark.parametrize("other", [{"seed": 4}, {"level": "clean"}, {"customers": 21}, {"tables": ["orders"]}])
def test_a_run_with_other_arguments_starts_afresh(tmp_path, small_blocks, monkeypatch, other):
    with monkeypatch.context() as patch:
        fail_at(patch, 60, full_disk())
        with pytest.raises(OSError, match="No space left"):
            make(tmp_path / "data", form="parquet")
    said = []
    make(tmp_path / "data", form="parquet", **other, say=said.append)
    make(tmp_path / "expected", form="parquet", **other)
    assert said == []
    assert listing(tmp_path / "data") == listing(tmp_path / "expected")


def test_a_run_of_another_version_starts_afresh(tmp_path, small_blocks, monkeypatch):
    with monkeypatch.context() as patch:
        fail_at(patch, 60, full_disk())
        with pytest.raises(OSError, match="No space left"):
            make(tmp_path / "data", form="parquet")
    monkeypatch.setattr(run, "generator_version", lambda: "another")
    monkeypatch.setattr(write, "generator_version", lambda: "another")
    said = []
    make(tmp_path / "data", form="parquet", say=said.append)
    assert said == []


def test_a_part_that_was_cut_off_is_made_again(tmp_path, small_blocks, monkeypatch):
    with monkeypatch.context() as patch:
        fail_at(patch, 60, full_disk())
        with pytest.raises(OSError, match="No space left"):
            make(tmp_path / "data", form="parquet")
    part = tmp_path / ".data-unfinished" / "edition" / "orders" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-5])
    make(tmp_path / "data", form="parquet")
    make(tmp_path / "expected", form="parquet")
    assert listing(tmp_path / "data") == listing(tmp_path / "expected")


SCRIPT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may start what runs behind it with Ctrl-C ignored
from cimlab.retailer.draws import read_settings
from cimlab.retailer.write import write_edition
if __name__ == "__main__":
    read_settings("write")["block"] = 8
    core, jobs = "tests.small_core", int(sys.argv[2])
    write_edition(sys.argv[1], customers=20, seed=3, form="parquet", core=core, jobs=jobs)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
def test_a_killed_run_leaves_nothing_and_goes_on(tmp_path, small_blocks, monkeypatch):
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    environment = {**os.environ, "CIMLAB_TEST_KILL": "16", "PYTHONPATH": str(ROOT)}
    command_line = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "data"), "1"]
    killed = subprocess.run(command_line, env=environment, capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "data").exists()
    said = []
    make(tmp_path / "data", form="parquet", say=said.append)
    assert said == ["Going on with a run that was interrupted: 2 of 3 parts are done."]
    make(tmp_path / "expected", form="parquet")
    assert listing(tmp_path / "data") == listing(tmp_path / "expected")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
def test_a_killed_process_of_the_run_is_told(tmp_path, small_blocks, monkeypatch):
    monkeypatch.setenv("CIMLAB_TEST_KILL", "8")
    with pytest.raises(OSError, match="ended from outside, perhaps for want of memory; try again with fewer --jobs"):
        make(tmp_path / "data", form="parquet", jobs=2)
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the processes in /proc")
@pytest.mark.parametrize("end", [signal.SIGINT, getattr(signal, "SIGKILL", None)])
def test_the_processes_end_with_the_command(tmp_path, end):
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    environment = {**os.environ, "CIMLAB_TEST_SLEEP": "60", "PYTHONPATH": str(ROOT)}
    command_line = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "data"), "2"]
    with subprocess.Popen(command_line, env=environment, stderr=subprocess.DEVNULL) as process:
        children = wait_for(lambda: busy_children(process.pid), "two processes")
        process.send_signal(end)
        process.wait(timeout=20)
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children) or None, "their end")


def busy_children(parent):
    """The two processes of the pool: the children that multiprocessing has started to work."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="utf-8").split()
    workers = [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return workers if len(workers) == 2 else None


def wait_for(ask, what):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if (answer := ask()) is not None:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"no sign of {what}")


@pytest.mark.parametrize("moment", ["while the truth is written", "while the truth is put in place"])
def test_nothing_is_half_written(tmp_path, capsys, monkeypatch, moment):
    out, truth_folder = tmp_path / "data", tmp_path / "answers"
    arguments = ["generate", str(out), "--truth", str(truth_folder), "--customers", "20"]
    assert main(arguments) == 0
    before = listing(out), listing(truth_folder)
    capsys.readouterr()
    if moment == "while the truth is written":
        write_descriptor = write.write_descriptor

        def fail(folder, section, *rest):
            if section == "truth":
                raise full_disk()
            write_descriptor(folder, section, *rest)

        monkeypatch.setattr(write, "write_descriptor", fail)
    else:
        replace = Path.replace

        def fail(path, target):
            if path.name == "edition" and target.name == "answers":
                raise PermissionError("the file is open in another program")
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", fail)
    assert main([*arguments, "--seed", "2"]) == 1
    assert "Nothing was changed" in capsys.readouterr().err
    assert (listing(out), listing(truth_folder)) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers", "data"]


def test_what_a_killed_run_had_moved_aside_comes_back(tmp_path, small_blocks, monkeypatch):
    make(tmp_path / "data", seed=1)
    before = listing(tmp_path / "data")
    work = folders.work_of(tmp_path / "data")
    work.mkdir()
    (tmp_path / "data").rename(work / "old")
    fail_at(monkeypatch, 2, full_disk())
    with pytest.raises(OSError, match="No space left"):
        make(tmp_path / "data", seed=2)
    assert listing(tmp_path / "data") == before


def test_two_runs_do_not_write_one_folder(tmp_path, capsys):
    work = folders.work_of(tmp_path / "data")
    work.mkdir()
    with folders.lock(work):
        assert main(["generate", str(tmp_path / "data"), "--customers", "5"]) == 1
        assert "another `cimlab generate` is writing" in capsys.readouterr().err
        assert work.is_dir()
    assert main(["generate", str(tmp_path / "data"), "--customers", "5"]) == 0


@pytest.mark.parametrize("form", ["files", "parquet"])
def test_an_edition_is_replaced_as_a_whole(tmp_path, form, small_blocks):
    out = tmp_path / "edition"
    make(out, seed=1, form="parquet")
    (out / ".DS_Store").write_bytes(b"x")
    make(out, seed=2, form=form, customers=10)
    make(tmp_path / "expected", seed=2, form=form, customers=10)
    assert listing(out) == listing(tmp_path / "expected")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edition", "expected"]


@pytest.mark.parametrize("place", ["my notes.txt", "orders/mine.parquet"])
def test_a_strange_file_in_an_edition_is_not_lost(tmp_path, capsys, place):
    out = tmp_path / "edition"
    make(out, form="parquet")
    (out / place).write_text("mine", encoding="utf-8")
    before = listing(out)
    assert main(["generate", str(out), "--customers", "20", "--seed", "2"]) == 2
    assert f"{place!r}, which this command did not make" in capsys.readouterr().err
    assert listing(out) == before


def test_a_folder_of_somebody_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.docx").write_bytes(b"years of work")
    for arguments in ([], ["--for-students", str(tmp_path / "class.csv")]):
        (tmp_path / "class.csv").write_text("a1\n", encoding="utf-8")
        assert main(["generate", str(tmp_path / "mine"), "--customers", "20", *arguments]) == 2
        assert "name another folder" in capsys.readouterr().err
    assert listing(tmp_path / "mine") == {"thesis.docx": b"years of work"}


@pytest.mark.parametrize("truth_folder", ["out", "out/truth", "."])
def test_the_truth_must_not_lie_with_the_data(tmp_path, capsys, truth_folder):
    arguments = ["generate", str(tmp_path / "out"), "--truth", str(tmp_path / truth_folder), "--customers", "20"]
    assert main(arguments) == 2
    assert "the truth must stay apart" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_data_is_not_written_over_the_truth(tmp_path, capsys):
    make(tmp_path / "d", tmp_path / "t")
    assert main(["generate", str(tmp_path / "t"), "--customers", "20"]) == 2
    assert "is no edition" in capsys.readouterr().err


def test_a_file_or_the_present_folder_is_no_place(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert main(["generate", str(tmp_path / "file"), "--customers", "20"]) == 2
    assert "is a file" in capsys.readouterr().err
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for out, words in ((".", "the folder you are in"), ("..", "a folder above")):
        assert main(["generate", out, "--customers", "20"]) == 2
        assert words in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert main(["generate", str(tmp_path / "file" / "out"), "--customers", "5"]) in (1, 2)
    assert "file" in capsys.readouterr().err
    mkdir = Path.mkdir

    def refuse(path, *rest, **more):
        if path.name.endswith("-unfinished"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return mkdir(path, *rest, **more)

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert main(["generate", str(tmp_path / "new" / "deep" / "out"), "--customers", "5"]) == 1
    told = capsys.readouterr().err
    assert "Permission denied" in told
    assert "or the folder that of another user?" in told
    assert "Nothing was changed" in told
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# --- room on the disk -------------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_not_begun(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=80_000_000))
    assert main(["generate", str(tmp_path / "out"), "--size", "XL", "--yes"]) == 1
    told = capsys.readouterr().err
    assert re.search(r"does not fit on the disk: about [\d.]+ GB in .*out, 80 MB free", told)
    assert "Nothing was changed" in told
    assert list(tmp_path.iterdir()) == []


def test_a_large_edition_is_announced_and_a_very_large_one_asked_for(tmp_path, capsys, monkeypatch):
    asked = []
    stdin = types.SimpleNamespace(isatty=lambda: True, readline=lambda: asked.append(1) or "n\n")
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=10**15))
    assert main(["generate", str(tmp_path / "out"), "--size", "XL"]) == 1
    told = capsys.readouterr().err
    assert re.search(r"This will take about [\d.]+ GB in .*out, 1,000,000 GB free", told)
    assert told.endswith("Go on? [y/N] Nothing was changed.\n")
    assert asked == [1]
    monkeypatch.setattr(command, "write", lambda *_: [])
    assert main(["generate", str(tmp_path / "out"), "--size", "XL", "--yes"]) == 0
    assert main(["generate", str(tmp_path / "out"), "--size", "L"]) == 0
    assert "This will take about" in capsys.readouterr().err
    assert main(["generate", str(tmp_path / "out"), "--size", "S"]) == 0
    assert capsys.readouterr().err == ""
    assert asked == [1]


@pytest.mark.parametrize("blocks", [8, 65536])
def test_a_full_disk_is_told_and_what_is_kept(tmp_path, capsys, monkeypatch, blocks):
    monkeypatch.setitem(read_settings("write"), "block", blocks)
    fail_at(monkeypatch, 60 if blocks == 8 else 20, full_disk())
    out = tmp_path / "data"
    assert main(["generate", str(out), "--customers", "20", "--form", "parquet", "--jobs", "1"]) == 1
    told = capsys.readouterr().err
    assert "the disk is full. Free some space, or name a folder on another disk." in told
    assert not out.exists()
    if blocks == 8:
        assert f"The finished parts are kept in {folders.work_of(out)}: the same command goes on with them" in told
    else:
        assert "Nothing was changed" in told
        assert list(tmp_path.iterdir()) == []


def test_ctrl_c_is_told(tmp_path, capsys, monkeypatch):
    fail_at(monkeypatch, 20, KeyboardInterrupt())
    assert main(["generate", str(tmp_path / "data"), "--customers", "20", "--jobs", "1"]) == 130
    assert capsys.readouterr().err.endswith("cimlab generate: interrupted.\nNothing was changed.\n")
    assert list(tmp_path.iterdir()) == []


# --- an edition for each student --------------------------------------------------------------------------------------


@pytest.fixture
def class_file(tmp_path):
    path = tmp_path / "class.csv"
    path.write_text("name,student_id\n李娜,2023010203\nTom,li_na\n,\n", encoding="utf-8-sig")
    return path


def test_each_student_gets_an_edition(tmp_path, class_file, capsys, monkeypatch):
    arguments = ["generate", str(tmp_path / "each"), "--for-students", str(class_file), "--customers", "10"]
    arguments += ["--truth", str(tmp_path / "truth"), "--seed", "7", "--jobs", "1"]
    assert main(arguments) == 0
    assert "2 editions of 26 tables" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "each").iterdir()) == ["2023010203", "li_na"]
    seeds = pd.read_csv(tmp_path / "truth" / "seeds.csv", dtype={"student_id": "str"})
    assert seeds["student_id"].tolist() == ["2023010203", "li_na"]
    assert seeds["seed"].tolist() == [derive_seed(7, "2023010203"), derive_seed(7, "li_na")]
    make(tmp_path / "alone", tmp_path / "alone-truth", customers=10, seed=int(seeds["seed"][0]))
    assert listing(tmp_path / "each" / "2023010203") == listing(tmp_path / "alone")
    assert listing(tmp_path / "truth" / "2023010203") == listing(tmp_path / "alone-truth")
    other = load_all(tmp_path / "each" / "li_na", monkeypatch)["members"]
    assert not load_all(tmp_path / "alone", monkeypatch)["members"].equals(other)
    # and again, over the first one
    assert main([*arguments[:-1], "2"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [
        "alone",
        "alone-truth",
        "each",
        "truth",
    ]


def test_no_seed_in_what_a_student_gets(tmp_path, class_file):
    main(["generate", str(tmp_path / "each"), "--for-students", str(class_file), "--customers", "10", "--seed", "7"])
    text = b"".join(listing(tmp_path / "each" / "li_na").values())
    assert str(derive_seed(7, "li_na")).encode() not in text
    assert datasets.read_descriptor(tmp_path / "each" / "li_na")["seed"] == "hidden"


def test_an_interrupted_class_goes_on(tmp_path, class_file, monkeypatch):
    ids = read_students(class_file)
    arguments = {"customers": 10, "seed": 7, "core": CORE}
    students.write_class(ids, tmp_path / "expected", tmp_path / "expected-truth", **arguments)
    with monkeypatch.context() as patch:
        fail_at(patch, 100, full_disk())
        with pytest.raises(OSError, match="No space left"):
            students.write_class(ids, tmp_path / "each", tmp_path / "truth", **arguments)
    assert not (tmp_path / "each").exists()
    said = []
    students.write_class(ids, tmp_path / "each", tmp_path / "truth", **arguments, say=said.append)
    assert said == ["Going on with a run that was interrupted: 1 of 2 are done."]
    assert listing(tmp_path / "each") == listing(tmp_path / "expected")
    assert listing(tmp_path / "truth") == listing(tmp_path / "expected-truth")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023010203\n2023010204\n", ["2023010203", "2023010204"]),
        ("student_id\nanna\nbob\n", ["anna", "bob"]),
        ("anna\r\nbob\r\n\r\n", ["anna", "bob"]),
        ("name;学号\n李娜;2023\n王芳;2024\n", ["2023", "2024"]),
        ("学生,班级\n2023,A\n2024,A\n", ["2023", "2024"]),
        ("Student\n2023\n2024\n", ["2023", "2024"]),
        ("id\tfirst_name\n7\tAnna\n", ["7"]),
        ('"a,b"\n', ["a,b"]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_lists_of_students_in_many_forms(tmp_path, text, expected, encoding):
    (tmp_path / "class.csv").write_bytes(text.encode(encoding))
    assert read_students(tmp_path / "class.csv") == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("student_id,name\n1,a\n,b\n", "line 3 has no id"),
        ("1\n2\n1\n", "line 3: '1' is already in line 1"),
        ("anna\nBob\nANNA\n", "line 3: 'ANNA' is already in line 1"),
        ("1\na/b\n", "line 2: 'a/b' cannot be the name of a folder"),
        ("1\na\\b\n", r"line 2: 'a\\\\b' cannot be"),
        ("..\n", r"line 1: '\.\.' cannot be"),
        (".hidden\n", "cannot be the name of a folder"),
        ("con\n", "cannot be the name of a folder"),
        ("x" * 61, "more than 60 characters"),
        ("", "names no student"),
        ("student_id\n", "names no student"),
        ("a/1\n" * 1 + "a/2\na/3\na/4\na/5\na/6\na/7\n", "and 2 more"),
    ],
)
def test_bad_ids_are_named_before_anything_is_written(tmp_path, capsys, text, fault):
    path = tmp_path / "class.csv"
    path.write_text(text, encoding="utf-8")
    assert main(["generate", str(tmp_path / "each"), "--for-students", str(path), "--customers", "5"]) == 2
    assert re.search(fault, capsys.readouterr().err)
    assert [entry.name for entry in tmp_path.iterdir()] == ["class.csv"]


def test_a_missing_list_is_told(tmp_path, capsys):
    assert main(["generate", str(tmp_path / "each"), "--for-students", str(tmp_path / "no.csv")]) == 1
    assert "no.csv" in capsys.readouterr().err


# --- the command ------------------------------------------------------------------------------------------------------


def test_generate_writes_an_edition_that_load_reads(tmp_path, monkeypatch, capsys):
    out = tmp_path / "new" / "edition"
    assert main(["generate", str(out), "--customers", "30", "--seed", "5"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"edition: 26 tables, [\d,]+ rows, [\d.]+ [kM]B, seed 5\.", told)
    assert re.search(r"\n  orders +60 rows +\d+ kB\n", told)
    assert "No truth was written" in told
    assert re.search(r"Made in \d+\.\d seconds", told)
    monkeypatch.setenv("CIMLAB_DATA", str(out))
    for table in cimlab.tables()["table"]:
        assert len(cimlab.load(table)) > 0, table
    assert [path.name for path in out.parent.iterdir()] == ["edition"]


def test_the_seed_may_come_from_the_environment(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CIMLAB_SEED", "77")
    main(["generate", str(tmp_path / "a"), "--customers", "2"])
    assert "seed 77" in capsys.readouterr().out
    main(["generate", str(tmp_path / "b"), "--customers", "2", "--seed", "78"])
    assert "seed 78" in capsys.readouterr().out
    monkeypatch.setenv("CIMLAB_SEED", "many")
    with pytest.raises(SystemExit) as caught:
        main(["generate", str(tmp_path / "c")])
    assert caught.value.code == 2
    assert "'many' (environment variable CIMLAB_SEED) is not a whole number" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "-5", "67108865", "1.5", "many"])
def test_a_wrong_number_of_customers_is_refused(tmp_path, capsys, number):
    with pytest.raises(SystemExit) as caught:
        main(["generate", str(tmp_path / "x"), f"--customers={number}"])
    assert caught.value.code == 2
    assert number in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tables", "order"], "there is no table 'order'. Did you mean 'orders'\\? The tables are: stores"),
        (["--tables", ","], "name at least one table"),
        (["--size", "XXL"], "invalid choice: 'XXL'"),
        (["--size", "M", "--customers", "5"], "not allowed with"),
        (["--jobs", "0"], "0 processes cannot work"),
        (["--level", "filthy"], "invalid choice: 'filthy'"),
        (["--form", "csv"], "invalid choice: 'csv'"),
    ],
)
def test_bad_arguments_are_named(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        main(["generate", str(tmp_path / "x"), *arguments])
    assert caught.value.code == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "dask"], "--engine dask and --scheduler ADDRESS need one another"),
        (["--scheduler", "tcp://x:1"], "--engine dask and --scheduler ADDRESS need one another"),
        (["--engine", "dask", "--scheduler", "tcp://x:1"], "Dask is not installed here. Install it with `pip install"),
        (["--for-students", "x.csv", "--form", "parquet"], "--for-students makes files, not Parquet"),
    ],
)
def test_arguments_that_do_not_go_together(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["generate", str(tmp_path / "x"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_sizes_have_names(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(command, "write", lambda arguments, _: asked.append(arguments.customers) or [])
    for size in ("S", "M", "L", "XL"):
        assert main(["generate", str(tmp_path / "x"), "--size", size, "--yes"]) == 0
    assert asked == [3_000, 100_000, 1_000_000, 10_000_000]


def test_help_names_every_argument(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["generate", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    words = "OUT --customers --size --seed --jobs --level --form --tables --truth --engine --scheduler --for-students"
    for word in [*words.split(), "--yes", "CIMLAB_SEED", "CIMLAB_DATA", "3,000", "examples:"]:
        assert word in text


def test_the_seed_is_told_where_the_truth_is_not_kept(tmp_path):
    public = read_settings("write")["seed"]
    for name, seed, truth, told in (("a", 5, None, 5), ("b", 5, "bt", "hidden"), ("c", public, "ct", public)):
        make(tmp_path / name, truth and tmp_path / truth, customers=2, seed=seed)
        assert datasets.read_descriptor(tmp_path / name)["seed"] == told
    assert datasets.read_descriptor(tmp_path / "bt")["seed"] == 5


def test_a_terminal_sees_the_progress(tmp_path, capsys, monkeypatch, small_blocks):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["generate", str(tmp_path / "x"), "--customers", "20", "--form", "parquet", "--jobs", "1"]) == 0
    assert re.search(r"parts: .*0%.*0/3 \[", terminal.getvalue())
    assert terminal.getvalue().endswith("\r"), "nothing is left of the bar"


# --- the core of the retailer, no stand-in ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """300 persons in both forms, with their truth."""
    folder = tmp_path_factory.mktemp("real")
    for form in ("files", "parquet"):
        out = folder / form
        write_edition(out, f"{out}-truth", customers=300, seed=11, form=form, core=REAL)
    return folder


def test_both_forms_of_the_real_tables_hold_the_same(real, monkeypatch):
    as_files = load_all(real / "files", monkeypatch)
    assert list(as_files) == TABLES
    for name, frame in load_all(real / "parquet", monkeypatch).items():
        pd.testing.assert_frame_equal(frame, as_files[name])
        texts = frame.select_dtypes("str")
        assert not (texts == "").any().any(), f"{name}: an empty text instead of a blank"


def test_both_forms_of_the_real_truth_hold_the_same(real):
    for name in TRUTH:
        order = DICTIONARY["truth"][name]["order"]
        frames = [read_truth(name, real / f"{form}-truth") for form in ("files", "parquet")]
        frames = [frame.sort_values(order, kind="stable", ignore_index=True) for frame in frames]
        pd.testing.assert_frame_equal(*frames)


def test_two_processes_and_small_blocks_make_the_real_bytes(real, tmp_path, monkeypatch):
    monkeypatch.setitem(read_settings("write"), "block", 96)
    out = tmp_path / "cut"
    write_edition(out, f"{out}-truth", customers=300, seed=11, core=REAL, jobs=2)
    assert listing(out) == listing(real / "files")
    assert listing(Path(f"{out}-truth")) == listing(real / "files-truth")


def test_the_estimate_is_near_what_is_written(tmp_path):
    written = {}
    for form in ("files", "parquet"):
        out = tmp_path / form
        found = write_edition(out, f"{out}-truth", customers=3000, seed=11, form=form, core=REAL)
        written[form] = [sum(info["bytes"] for info in infos) for _, infos in found]
    for form, parts in (("parquet", [written["parquet"]]), ("files", list(written.values()))):
        needs = write.estimate(write.make_plan(3000, 11, form=form, truth=True))
        for need, *sizes in zip(needs, *parts, strict=True):
            assert 0.6 < need / sum(sizes) < 1.6, "run `python tools/measure_bytes.py`"


# --- the door to the truth --------------------------------------------------------------------------------------------


def test_read_truth_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"The truth is not in .*--truth DIR"):
        read_truth("persons", tmp_path)
    make(tmp_path / "d", tmp_path / "t", customers=2)
    with pytest.raises(ValueError, match="Did you mean 'persons'"):
        read_truth("person", tmp_path / "t")
