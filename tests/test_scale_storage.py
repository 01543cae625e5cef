"""Storage, plans, streams, places and costs: each promise of the docstrings, and the refusals."""

import hashlib
import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import cimlab
from cimlab import plots, scale


@pytest.fixture(scope="module")
def sales():
    draw = np.random.default_rng(1)
    day = pd.Timestamp("2026-01-01") + pd.to_timedelta(draw.integers(0, 360, 12_000), unit="D")
    table = pd.DataFrame({"line": np.arange(12_000), "day": day.astype("datetime64[us]")})
    table["month"] = table["day"].dt.strftime("%Y-%m")
    table["city"] = draw.choice(["上海", "北京", "a b/c%"], 12_000)
    table["amount"] = draw.integers(100, 9999, 12_000) / 100
    table["note"] = [hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() for n in range(12_000)]
    return table


@pytest.fixture(scope="module")
def lake(sales, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lake") / "by_month"
    scale.write_partitioned(sales, folder, by="month", sort_by="day", row_group_size=200)
    return folder


@pytest.fixture
def connection(lake):
    made = duckdb.connect()
    made.execute(f"create view sales as select * from read_parquet('{lake.as_posix()}/*/*.parquet')")
    yield made
    made.close()


@pytest.fixture(scope="module")
def events():
    return cimlab.load("web_events")


def digest(folder):
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*.p*")}


# --- storage


def test_column_bytes_adds_up_what_pyarrow_says(sales, lake, tmp_path):
    file = tmp_path / "one.parquet"
    sales.to_parquet(file, row_group_size=5000)
    sizes, metadata = scale.column_bytes(file), pq.read_metadata(file)
    groups = range(metadata.num_row_groups)
    assert len(groups) == 3
    expected = sum(metadata.row_group(g).column(4).total_compressed_size for g in groups)
    assert sizes.loc["amount", "bytes"] == expected and sizes["share"].sum() == pytest.approx(1)
    assert sizes["bytes"].sum() < file.stat().st_size < 1.1 * sizes["bytes"].sum()
    assert sizes.index.tolist() == sales.columns.tolist()
    assert "month" not in scale.column_bytes(lake).index, "a partition column takes no bytes"


def test_row_groups_give_the_ends_of_each(sales, lake):
    groups = scale.row_groups(lake, "day")
    assert groups["rows"].sum() == len(sales) and groups["rows"].max() == 200
    part = sales[sales["month"] == "2026-03"].sort_values("day")
    third = groups[groups["file"] == "month=2026-03/part-0.parquet"].iloc[2]
    assert (third["least"], third["greatest"]) == (part["day"].iloc[400], part["day"].iloc[599])
    with pytest.raises(ValueError, match="has no column dya; it has: line, day"):
        scale.row_groups(lake, "dya")


def test_compare_forms_reads_all_of_a_csv_and_a_column_of_parquet(sales):
    forms = scale.compare_forms(sales, ["amount"])
    assert forms.loc["CSV", "read"] == forms.loc["CSV", "size"]
    assert forms.loc["Parquet", "read"] < forms.loc["CSV", "read"] / 10
    everything = scale.compare_forms(sales, sales.columns)
    assert everything.loc["Parquet", "share"] > 0.9
    with pytest.raises(ValueError, match="needs the column price"):
        scale.compare_forms(sales, ["price"])


def test_partitions_hold_the_rows_and_do_not_hang_on_their_order(sales, lake, tmp_path):
    again = tmp_path / "again"
    scale.write_partitioned(
        sales.sample(frac=1, random_state=3), again, by="month", sort_by=["day"], row_group_size=200
    )
    assert digest(again) == digest(lake) and len(digest(lake)) == sales["month"].nunique()
    back = duckdb.sql(f"select * from read_parquet('{lake.as_posix()}/*/*.parquet') order by line").df()
    pd.testing.assert_frame_equal(back[sales.columns], sales, check_dtype=False)
    listed = scale.list_partitions(lake)
    assert listed["rows"].tolist() == sales.groupby("month").size().tolist()
    assert listed["partition"].iloc[0] == "month=2026-01"


def test_values_with_strange_signs_come_back(sales, tmp_path):
    scale.write_partitioned(sales, tmp_path / "cities", by="city")
    back = pd.read_parquet(tmp_path / "cities")
    assert back["city"].astype("str").value_counts().to_dict() == sales["city"].value_counts().to_dict()
    there = duckdb.sql(
        f"select city, count(*) n from read_parquet('{(tmp_path / 'cities').as_posix()}/*/*') group by 1"
    )
    assert dict(there.fetchall()) == sales["city"].value_counts().to_dict()
    assert "city=上海" in scale.list_partitions(tmp_path / "cities")["partition"].tolist()


def test_writing_again_replaces_and_leaves_nothing_beside(sales, tmp_path):
    scale.write_partitioned(sales, tmp_path / "f", by="month")
    scale.write_partitioned(sales[sales["month"] > "2026-10"], tmp_path / "f", by="month")
    assert len(scale.list_partitions(tmp_path / "f")) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_failure_leaves_the_old_files_whole(sales, tmp_path, monkeypatch):
    scale.write_partitioned(sales, tmp_path / "f", by="month")
    before, calls = digest(tmp_path / "f"), []

    def full(*arguments, **named):
        calls.append(1)
        if len(calls) == 3:
            raise OSError("disk full")
        return real(*arguments, **named)

    real = pq.write_table
    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(OSError, match="disk full"):
        scale.write_partitioned(sales.head(5000), tmp_path / "f", by="month")
    assert digest(tmp_path / "f") == before and [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_folder_with_other_things_is_refused(sales, tmp_path):
    (tmp_path / "thesis.docx").write_text("mine")
    with pytest.raises(ValueError, match=r"holds thesis\.docx, which is no partition of month; choose a new folder"):
        scale.write_partitioned(sales, tmp_path, by="month")
    inside = tmp_path / "f"
    scale.write_partitioned(sales, inside, by="month")
    (inside / "month=2026-01" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"notes\.txt"):
        scale.write_partitioned(sales, inside, by="month")
    with pytest.raises(ValueError, match="is a file"):
        scale.write_partitioned(sales, tmp_path / "thesis.docx", by="month")


def test_a_senseless_partition_is_refused(sales, tmp_path):
    with pytest.raises(ValueError, match=r"12,000 values.*12,000 files of about 1 rows each.*coarser"):
        scale.write_partitioned(sales, tmp_path / "f", by="line")
    with pytest.raises(ValueError, match=r"blank in 1 rows \(first: row 7\)"):
        scale.write_partitioned(sales.assign(city=sales["city"].where(sales.index != 7)), tmp_path / "f", by="city")
    with pytest.raises(ValueError, match="no column is left"):
        scale.write_partitioned(sales[["month"]], tmp_path / "f", by="month")
    with pytest.raises(ValueError, match="no Parquet file"):
        scale.column_bytes(tmp_path / "f")
    assert not (tmp_path / "f").exists()


# --- what a query reads


def test_columns_are_pruned(connection):
    one = scale.read_plan(connection, "select sum(amount) from sales;").iloc[0]
    every = scale.read_plan(connection, "select * from sales").iloc[0]
    assert one["columns"] == "amount" and set(every["columns"].split(", ")) >= {"line", "day", "amount", "note"}
    assert one["bytes_read"] < every["bytes_read"] / 2
    assert one["files_read"] == one["files"] == 12 and one["filters"] == one["file_filters"] == ""


def test_partitions_are_pruned_only_by_their_own_column(connection, sales):
    pruned = scale.read_plan(connection, "select sum(amount) from sales where month = '2026-06'").iloc[0]
    assert (pruned["files_read"], pruned["files"]) == (1, 12) and "month" in pruned["file_filters"]
    assert pruned["rows_out"] == (sales["month"] == "2026-06").sum()
    by_day = "select sum(amount) from sales where day >= '2026-06-01' and day < '2026-07-01'"
    other = scale.read_plan(connection, by_day).iloc[0]
    assert other["files_read"] == 12 and other["file_filters"] == "" and "day" in other["filters"]
    assert other["row_groups_read"] < other["row_groups"] / 6, "the statistics exclude what the names do not"
    assert pruned["bytes_read"] < other["bytes_read"]


def test_push_down_works_until_a_function_stands_around_the_column(connection):
    plain = scale.read_plan(connection, "select sum(amount) from sales where day = '2026-06-15'").iloc[0]
    hidden = "select sum(amount) from sales where strftime(day, '%m-%d') = '06-15'"
    hidden = scale.read_plan(connection, hidden).iloc[0]
    assert "strftime" in hidden["filters"] + hidden["filtered_later"] and plain["rows_out"] < 100
    assert plain["row_groups_read"] < hidden["row_groups_read"] == hidden["row_groups"]
    later = scale.read_plan(connection, "select sum(amount) from sales where amount * 2 > line").iloc[0]
    assert "line" in later["filtered_later"] and later["filters"] == "" and later["rows_out"] == 12_000


def test_plans_of_ibis_joins_and_of_no_scan(connection, lake):
    reader = scale.open_engine("duckdb", {"sales": lake})
    table = scale.take_table(reader, "sales")
    asked = table.filter(table.month == "2026-06").aggregate(total=table.amount.sum())
    sql = scale.read_plan(connection, "select sum(amount) from sales where month = '2026-06'")
    columns = ["columns", "file_filters", "files_read", "row_groups_read", "rows_out"]
    pd.testing.assert_frame_equal(scale.read_plan(reader, asked)[columns], sql[columns])
    two = scale.read_plan(connection, "select count(*) from sales a join sales b using (line)")
    assert len(two) == 2
    assert scale.read_plan(connection, "select 1 + 1 as two where false").empty
    scale.close_engine(reader)


def test_a_plan_needs_duckdb():
    import sqlite3

    base = sqlite3.connect(":memory:")
    with pytest.raises(ValueError, match="plans of DuckDB; give a connection"):
        scale.read_plan(base, "select 1")
    base.close()


def test_draw_reads_writes_what_was_read(connection, lake):
    whole = scale.list_partitions(lake)["bytes"].sum()
    asked = {"all": "select * from sales", "June": "select sum(amount) from sales where month = '2026-06'"}
    reads = {name: scale.read_plan(connection, sql) for name, sql in asked.items()}
    ax = scale.draw_reads(reads, whole, "What was read")
    words = [text.get_text() for text in ax.texts]
    assert "12/12 files" in words[0] and "1/12 files" in words[1]
    with pytest.raises(ValueError, match="at least one plan"):
        scale.draw_reads({}, whole, "nothing")


# --- streams


def test_arrivals_hang_on_the_event_and_the_seed_only(events):
    stream = scale.arrivals(events)
    pd.testing.assert_frame_equal(scale.arrivals(events.sample(frac=1, random_state=5)), stream)
    assert stream["arrived_at"].is_monotonic_increasing and len(stream) == len(events)
    delay = stream["arrived_at"] - stream["happened_at"]
    assert delay.min() > pd.Timedelta(0)
    assert 0.02 < (delay > pd.Timedelta("10min")).mean() < 0.08
    assert not scale.arrivals(events, seed=2).equals(stream)
    with pytest.raises(ValueError, match="between 0 and 1, not 5"):
        scale.arrivals(events, late_share=5)
    with pytest.raises(ValueError, match="happened_at is blank in row 3"):
        scale.arrivals(events.assign(happened_at=events["happened_at"].where(events.index != 3)))


def test_windows_hold_their_start_and_not_their_end():
    nine = pd.Timestamp("2026-06-01 09:00")
    assert scale.window_starts(nine, "1h") == [nine]
    assert scale.window_starts(nine - pd.Timedelta("1us"), "1h") == [nine - pd.Timedelta("1h")]
    assert len(scale.window_starts(nine, "1h", "20min")) == 3
    with pytest.raises(ValueError, match="no longer than the window"):
        scale.window_starts(nine, "1h", "2h")


@pytest.mark.parametrize("step", [None, "6h"])
@pytest.mark.parametrize("order", ["arrival", "event", "shuffled"])
def test_a_stream_comes_to_what_the_batch_says(events, step, order):
    stream = scale.arrivals(events).head(500)
    if order != "arrival":
        stream = stream.sort_values("happened_at") if order == "event" else stream.sample(frac=1, random_state=8)
    batch = scale.batch_windows(stream, "1D", step, by="event")
    corrected = scale.run_windows(stream, "1D", step, wait="0min", late="correct", by="event")["windows"]
    patient = scale.run_windows(stream, "1D", step, wait="60D", by="event")["windows"]
    for windows in (corrected, patient):
        pd.testing.assert_frame_equal(windows[["start", "end", "key", "events"]], batch, check_dtype=False)
    assert patient["late"].sum() == 0 and patient["closed_at"].isna().all()
    if order == "shuffled":
        assert corrected["late"].sum() > 50


@pytest.mark.parametrize("late", ["drop", "aside"])
def test_no_late_event_is_lost_in_silence(events, late):
    stream = scale.arrivals(events)
    ran = scale.run_windows(stream, "1h", wait="10min", late=late)
    windows = ran["windows"]
    assert windows["late"].sum() > 10
    assert windows["events"].sum() + windows["late"].sum() == len(events)
    whole = scale.batch_windows(events, "1h").set_index("start")["events"]
    assert ((windows["events"] + windows["late"]).to_numpy() == whole.to_numpy()).all()
    if late == "aside":
        assert len(ran["late"]) == windows["late"].sum() and ran["late"]["event_id"].is_unique
    else:
        assert ran["late"].empty


def test_late_by_hand():
    times = ["08:10", "08:55", "09:05", "08:20", "09:20", "08:30", "09:10"]
    stream = pd.DataFrame({"happened_at": pd.to_datetime([f"2026-06-01 {time}" for time in times])})
    windows = scale.run_windows(stream, "1h", wait="10min")["windows"]
    # 09:20 moves the watermark to 09:10 and closes eight o'clock; 08:20 came before that, 08:30 after.
    assert windows["events"].tolist() == [3, 3] and windows["late"].tolist() == [1, 0]
    assert windows["closed_at"].iloc[0] == pd.Timestamp("2026-06-01 09:10") and pd.isna(windows["closed_at"].iloc[1])


def test_a_window_is_closed_when_the_watermark_reaches_its_end():
    stream = pd.DataFrame(
        {"happened_at": pd.to_datetime([f"2026-06-01 {time}" for time in ["08:10", "09:10", "08:30"]])}
    )
    windows = scale.run_windows(stream, "1h", wait="10min")["windows"]
    assert windows["events"].tolist() == [1, 1] and windows["late"].tolist() == [1, 0]
    patient = scale.run_windows(stream, "1h", wait="11min")["windows"]
    assert patient["events"].tolist() == [2, 1] and patient["late"].tolist() == [0, 0]


def test_pieces_do_not_matter_and_the_past_stays(events):
    stream = scale.arrivals(events).head(400)
    whole = list(scale.stream_windows([stream], "1h", late="aside"))
    pieces = [stream.iloc[start : start + 7] for start in range(0, 400, 7)]
    assert list(scale.stream_windows(pieces, "1h", late="aside")) == whole
    sent = [said for said in whole if said["what"] == "window"]
    early = [said for said in scale.stream_windows([stream.head(200)], "1h") if said["what"] == "window"]
    assert early == sent[: len(early)] and 0 < len(early) < len(sent)


def test_waiting_costs_memory_and_saves_late_events(events):
    stream = scale.arrivals(events)
    short, long = (scale.run_windows(stream, "1h", wait=wait) for wait in ("1min", "6h"))
    assert short["windows"]["late"].sum() > long["windows"]["late"].sum()
    assert short["state"].mean() < long["state"].mean()
    kept = scale.run_windows(stream, "1h", wait="1min", late="correct")["state"]
    assert kept.is_monotonic_increasing or kept.iloc[-1] == scale.batch_windows(events, "1h").shape[0]
    assert len(kept) == len(events)


def test_sessions_of_a_stream_are_those_of_the_batch(events):
    known = scale.arrivals(events).dropna(subset="account_id").head(300)
    columns = ["who", "start", "end", "events"]
    batch = scale.batch_sessions(known).sort_values(columns, ignore_index=True)
    assert len(batch) > 30 and batch["events"].sum() == len(known)
    for stream in (known, known.sample(frac=1, random_state=4)):
        said = pd.DataFrame(list(scale.stream_sessions([stream], wait="60D")))
        assert set(said["what"]) == {"open"}
        pd.testing.assert_frame_equal(said[columns].sort_values(columns, ignore_index=True), batch)
    hasty = pd.DataFrame(list(scale.stream_sessions([known], wait="0min")))
    assert (
        hasty["events"].sum() == len(known) and (hasty["what"] == "late").any() and (hasty["what"] == "session").any()
    )


def test_a_late_event_joins_two_sessions_and_silence_ends_one():
    times = pd.to_datetime(["2026-06-01 08:00", "2026-06-01 08:50", "2026-06-01 08:25", "2026-06-01 09:20"])
    stream = pd.DataFrame({"account_id": "W1", "happened_at": times})
    said = list(scale.stream_sessions([stream], wait="1h"))
    assert [row["events"] for row in said] == [3, 1], "exactly the gap is silence enough"
    assert scale.batch_sessions(stream)["events"].tolist() == [3, 1]
    with pytest.raises(ValueError, match="account_id is blank in row 2"):
        list(scale.stream_sessions([stream.assign(account_id=["W1", "W1", None, "W1"])]))


def test_streams_refuse_what_they_cannot_place(events):
    with pytest.raises(ValueError, match="late is one of drop, aside, correct, not 'keep'"):
        list(scale.stream_windows([events], "1h", late="keep"))
    with pytest.raises(ValueError, match="needs the column mood"):
        list(scale.stream_windows([events], "1h", by="mood"))
    assert list(scale.stream_windows([events.head(0)], "1h")) == []


def test_pictures_of_streams(events):
    stream = scale.arrivals(events)
    windows = scale.run_windows(stream, "1h")["windows"].head(40)
    ax = scale.draw_windows(windows, "Events")
    assert sum(bar.get_height() for bar in ax.patches) == windows[["events", "late"]].sum().sum()
    assert scale.draw_arrivals(stream.head(60), "10min", "Arrivals").get_legend() is not None
    with pytest.raises(ValueError, match="overlap"):
        scale.draw_windows(scale.run_windows(stream.head(40), "2h", "1h")["windows"], "Events")


# --- places


@pytest.fixture(scope="module")
def placed():
    return scale.place_tables({name: cimlab.describe(name) for name in cimlab.tables()["table"]})


def test_every_table_has_a_place_a_reason_and_its_grade(placed):
    assert sorted(placed["table"]) == sorted(cimlab.tables()["table"])
    assert placed["why"].str.len().min() > 10 and (placed[["fresh", "asked_by"]] != "").all(axis=None)
    assert placed["home"].isin(scale.PLACES).all()
    carried = placed.explode("carried_to").dropna(subset="carried_to")
    assert (carried["carried_to"] != carried["home"]).all() and carried["carried_to"].isin(scale.PLACES).all()
    grades = placed.set_index("table")["grade"]
    assert (grades["members"], grades["stores"]) == ("high", "none")
    counts = scale.place_counts(placed)
    assert counts["chinese"].tolist() == ["业务数据库", "数据湖", "数据仓库", "客户数据平台"]
    assert counts.loc["data warehouse", "high"] == 0, "identity numbers do not go to the analysts"
    with pytest.raises(ValueError, match="knows no table secrets"):
        scale.place_tables({"secrets": cimlab.describe("stores")})
    with pytest.raises(ValueError, match="'top' is no grade"):
        scale.highest_grade(pd.DataFrame({"personal_data": ["top"]}))


def test_nothing_overlaps_in_the_picture_of_places(placed):
    plots.use_house_style()
    ax = scale.draw_places(placed)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
    for number, box in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert not box.overlaps(other), "two texts overlap"
    frames = [patch.get_window_extent() for patch in ax.patches if type(patch).__name__ == "FancyBboxPatch"]
    assert len(frames) == 4
    for box in boxes:
        inside = [f.x0 <= box.x0 and box.x1 <= f.x1 and f.y0 <= box.y0 and box.y1 <= f.y1 for f in frames]
        assert any(inside) or not any(box.overlaps(f) for f in frames), "a text sticks out of its box"


# --- costs


def test_cloud_cost_by_hand():
    prices = scale.lesson_prices()
    prices.loc["scan", "price"] = 40.0
    table = scale.cloud_cost({"storage_gb": 500, "scanned_tb": 3, "machine_hours": 10, "egress_gb": 20}, prices)
    assert table["cost"].tolist() == [75.0, 120.0, 30.0, 16.0, 241.0]
    assert scale.lesson_prices().loc["scan", "price"] == 35.0, "each call gives a fresh table"
    with pytest.raises(ValueError, match="knows no scan; a workload has"):
        scale.cloud_cost({"scan": 3}, prices)
    with pytest.raises(ValueError, match="scanned_tb is -1"):
        scale.cloud_cost({"scanned_tb": -1}, prices)
    with pytest.raises(ValueError, match="has no egress"):
        scale.cloud_cost({}, prices.drop(index="egress"))


def test_own_cost_by_hand():
    prices = scale.lesson_prices()
    changes = {"server": 36000.0, "server_months": 36.0, "power": 500.0, "care": 100.0, "care_hours": 3.0}
    for item, price in changes.items():
        prices.loc[item, "price"] = price
    assert scale.own_cost(prices).to_dict() == {"server": 1000.0, "power": 500.0, "care": 300.0, "total": 1800.0}
    assert scale.own_cost(prices, servers=2)["total"] == 3600.0


def test_at_the_break_even_both_cost_the_same():
    prices = scale.lesson_prices()
    fixed, storage = scale.own_cost(prices, servers=2)["total"], scale.cloud_cost({"storage_gb": 900}, prices)
    tb = scale.break_even(fixed, prices.loc["scan", "price"], storage.loc["total", "cost"])
    curve = scale.cost_curve([tb - 1, tb, tb + 1], prices, storage_gb=900, servers=2)
    difference = (curve["pay per TB"] - curve["own server"]).tolist()
    assert difference[0] < 0 < difference[2] and difference[1] == pytest.approx(0)
    assert scale.break_even(10, 5, always=20) == 0
    with pytest.raises(ValueError, match="price of a unit is 0"):
        scale.break_even(10, 0)
    with pytest.raises(ValueError, match="servers is 0"):
        scale.own_cost(prices, 0)


def test_scan_costs_follow_the_bytes():
    table = scale.scan_costs({"CSV": 4e9, "Parquet": 1e9}, 1000, scale.lesson_prices())
    assert table["cost"].tolist() == [140.0, 35.0] and table["saved"].tolist() == [0, 0.75]
    assert scale.scan_costs({"CSV": 4e9}, 0, scale.lesson_prices())["saved"].tolist() == [0]
    with pytest.raises(ValueError, match="at least one form"):
        scale.scan_costs({}, 10, scale.lesson_prices())


def test_the_package_is_light():
    code = "import sys, cimlab.scale; print(sorted({'duckdb', 'pyarrow', 'ibis', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
