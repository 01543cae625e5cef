"""The dashboard: what its tables say of a small base, what each role sees, and what happens when somebody clicks."""

import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import pandas as pd
import pytest
from matplotlib import rcParams

from cimlab import database
from cimlab.capstone import add_tables, dashboard, own_base
from cimlab.capstone import dashboard_groups as groups
from cimlab.capstone import dashboard_pages as pages
from cimlab.capstone import dashboard_tables as tables
from cimlab.labs import capstone_database
from tests import notebooks as nb

DAY = pd.Timestamp("2026-06-30")
COUNT = 60
PHONE, NUMBER = "+8617402010123", "990101199001011230"


def people():
    """K01 is described by hand; the others exist so that there are groups."""
    file = pd.DataFrame({"customer_id": [f"K{n:02d}" for n in range(1, COUNT + 1)]})
    file = file.assign(
        name="王芳", name_pinyin="wang fang", gender="F", city="上海", tier="basic", updated_on=DAY.date()
    )
    file = file.assign(birth_date=None, phone=None, email=None, id_number=None, address=None).astype("object")
    first = {
        "name": "李小明",
        "name_pinyin": "li xiaoming",
        "gender": "M",
        "birth_date": pd.Timestamp("1990-01-01").date(),
        "phone": PHONE,
        "email": "ming@example.com",
        "id_number": NUMBER,
        "city": "杭州",
        "address": "西湖区青溪路12号",
        "tier": "gold",
    }
    for column, value in first.items():
        file.loc[0, column] = value
    return file


def purchases():
    """Half buy often in shops, half online on offer; K02 bought once, long ago; one purchase is nobody's."""
    rows = []
    for n in range(3, COUNT + 1):
        often = n % 2
        for month in range(1, 7 if often else 3):
            rows.append(
                (f"K{n:02d}", "till" if often else "web", f"2026-0{month}-1{n % 9}", 200.0 + n if often else 40.0 + n)
            )
    rows += [
        ("K01", "till", "2025-06-30", 100.0),
        ("K01", "web", "2025-07-01", 20.0),
        ("K01", "till", "2026-06-30", 7.0),
        ("K02", "call", "2024-08-01", 9.0),
        (None, "till", "2026-01-01", 5000.0),
    ]
    orders = pd.DataFrame(rows, columns=["customer_id", "channel", "ordered_at", "amount"])
    orders["ordered_at"] = pd.to_datetime(orders["ordered_at"]) + pd.Timedelta(hours=18)
    return orders.assign(order_id=[f"O{n}" for n in range(len(orders))], store_id=None)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "xudong_customers.db"
    engine = database.create_database(path)
    file, orders = people(), purchases()
    records = pd.DataFrame(
        {"customer_id": file["customer_id"], "record_id": "M" + file["customer_id"], "source": "till"}
    )
    more = pd.DataFrame({"customer_id": "K01", "record_id": ["W1", "C1"], "source": ["web", "call"]})
    lines = orders[["order_id", "amount"]].assign(
        line_no=1, product_id="P1", quantity=1, unit_price=orders["amount"], discount=orders["channel"].eq("web") * 0.2
    )
    database.fill_database(
        engine,
        customer_file=file,
        customer_source=pd.concat([records, more]),
        transactions=orders,
        transaction_lines=lines,
    )
    states = pd.DataFrame(
        [
            ("K01", "marketing", "given"),
            ("K01", "profiling", "given"),
            ("K02", "marketing", "given"),
            ("K03", "marketing", "withdrawn"),
            ("K02", "profiling", "withdrawn"),
        ],
        columns=["customer_id", "purpose", "state"],
    )
    rest = [(name, "marketing", "never given") for name in file["customer_id"][3:]]
    rest += [(name, "profiling", "never given") for name in file["customer_id"][2:]]
    lineage = pd.DataFrame(
        [("K01", "phone", "W1", "newest"), ("K01", "name", "MK01", "vote")],
        columns=["customer_id", "field", "record_id", "rule"],
    )
    quality = pd.DataFrame(
        [
            ("before", "phone", 0.9, 0.8, 0.7),
            ("before", "city", 0.9, 1.0, 0.1),
            ("after", "phone", 0.95, 1.0, 0.9),
            ("after", "city", 0.5, 1.0, 0.1),
        ],
        columns=["stage", "field", "completeness", "validity", "uniqueness"],
    )
    add_tables(
        engine,
        consent_state=pd.concat([states, pd.DataFrame(rest, columns=states.columns)]),
        lineage=lineage,
        quality_report=quality,
    )
    engine.dispose()
    return path


@pytest.fixture(scope="module")
def read(base):
    return tables.read_base(base)


def altered(base, path, script):
    """Return a copy of the base on which an SQL script was run."""
    path.write_bytes(base.read_bytes())
    with closing(sqlite3.connect(path)) as door:
        door.executescript(script)
    return path


# --- The tables ------------------------------------------------------------------------------------------------------


def test_head_figures_are_counted_right(read):
    figures = tables.head_figures(read).set_index("figure")
    year = purchases().query("ordered_at >= '2025-07-01'")
    assert figures["value"].to_dict() == {
        "customers": COUNT,
        "records linked": pytest.approx(3 / (COUNT + 2)),
        "active": COUNT - 1,
        "revenue, 12 months": pytest.approx(year["amount"].sum()),
        "consent": pytest.approx(2 / COUNT),
    }
    known = year.dropna(subset="customer_id")["amount"].sum() / year["amount"].sum()
    assert figures.loc["revenue, 12 months", "told"] == f"{known:.0%} from known customers"
    assert figures.loc["records linked", "told"] == "3 share a customer"


def test_a_year_ends_on_the_last_day(read):
    mine = tables.last_year(read).query("customer_id == 'K01'")
    assert mine["amount"].tolist() == [20.0, 7.0], "2025-06-30 is a day too early, the first of July is in"


def test_a_role_sees_what_its_work_needs(base):
    manager, service = (tables.read_as(base, role, DAY).iloc[0].to_dict() for role in ("manager", "service"))
    assert manager == {
        "customer_id": "K01",
        "name": "李*",
        "gender": "M",
        "birth_date": "30-39",
        "phone": "174****0123",
        "email": "m***@example.com",
        "id_number": "9****************0",
        "city": "杭州",
        "address": "***",
        "tier": "gold",
        "updated_on": "2026-06-30",
    }
    assert service["phone"] == PHONE and service["address"] == "西湖区青溪路12号" and service["name"] == "李小明"
    assert service["id_number"] == "9****************0"
    with pytest.raises(ValueError, match="there is no role 'owner'; there are: manager, service"):
        tables.read_as(base, "owner", DAY)


def test_a_search_looks_only_into_what_the_role_sees(base):
    """Else a search would tell whether a number is in the base, and whose it is."""
    manager, service = (tables.read_as(base, role, DAY) for role in ("manager", "service"))
    seen = {
        PHONE[-11:]: [0, 1],
        "小明": [0, 1],
        "xiaoming": [0, 1],
        "1990-01": [0, 1],
        NUMBER[2:10]: [0, 0],
        "李 杭州": [1, 1],
        "K01": [1, 1],
        "GOLD": [1, 1],
        "": [COUNT, COUNT],
        "(": [0, 0],
    }
    for words, found in seen.items():
        assert [tables.find_customers(rows, words)[1] for rows in (manager, service)] == found, words
    assert len(tables.find_customers(manager, "", most=7)[0]) == 7


def test_each_value_names_its_record(base, read):
    card = tables.card_values(tables.read_as(base, "service", DAY), read, "K01").set_index("field")
    assert card.loc["phone"].tolist() == [PHONE, "web", "W1", "newest"]
    assert card.loc["name"].tolist() == ["李小明", "till", "MK01", "vote"]
    assert card.loc["city"].tolist() == ["杭州", None, None, None]
    rows = tables.read_as(base, "manager", DAY)
    assert "name_pinyin" not in tables.card_values(rows, read, "K01")["field"].tolist()
    assert tables.card_values(rows, {**read, "lineage": None}, "K01")["record_id"].isna().all()
    with pytest.raises(ValueError, match="'K99' stands 0 times in the file"):
        tables.card_values(rows, read, "K99")


def test_months_without_a_purchase_are_there(read):
    months = tables.monthly_orders(read, "K01")
    assert len(months) == 24 and [str(months.index[0]), str(months.index[-1])] == ["2024-07", "2026-06"]
    assert months.to_numpy().sum() == 127.0
    assert months.loc[pd.Period("2025-07"), "web"] == 20.0
    assert tables.monthly_orders(read, "K02").to_numpy().sum() == 9.0


def test_no_profile_without_consent(read):
    labels = pd.DataFrame(
        {"customer_id": ["K01", "K02", "K01"], "label": ["b", "x", "a"], "weight": [0.2, 1.0, 0.9], "source": "s"}
    )
    segments = pd.Series({"K01": "C1", "K02": "C2"})
    mine, segment, why = tables.profile_of(read, labels, segments, "K01")
    assert (mine["label"].tolist(), segment, why) == (["a", "b"], "C1", "")
    for customer, state in (("K02", "withdrawn"), ("K03", "never given")):
        mine, segment, why = tables.profile_of(read, labels, segments, customer)
        assert (len(mine), segment) == (0, None) and f"consent to profiling: {state}" in why
    assert "profiling: not known" in tables.profile_of({**read, "consent_state": None}, labels, segments, "K01")[2]


def test_quality_tells_what_became_lower(read):
    change = groups.quality_change(read["quality_report"])
    assert change[["dimension", "field"]].to_numpy().tolist() == [
        ["completeness", "phone"],
        ["completeness", "city"],
        ["validity", "phone"],
        ["validity", "city"],
        ["uniqueness", "phone"],
    ]
    page = pages.quality_page(change)
    assert "3 of 5 figures are higher than before. Lower: completeness of city 90% → 50%" in page


def test_consent_is_counted_by_purpose_channel_and_way(base, read):
    shares = groups.consent_shares(read)
    assert shares.loc["marketing"].tolist() == pytest.approx([2 / COUNT, 1 / COUNT, (COUNT - 3) / COUNT])
    channels = groups.consent_by_channel(read, "marketing")
    assert channels.index.tolist() == ["till", "web", "call"] and channels.loc["web", "given"] == 1
    ways = groups.reach(tables.read_as(base, "manager", DAY), read, "marketing").set_index("way")
    assert ways.loc["phone"].tolist() == [1, 1, 0]
    assert ways.loc["none of them"].tolist() == [1, 0, COUNT - 2]
    assert ways.loc["all customers"].tolist() == [2, 1, COUNT - 2]


def test_segments_are_found_named_and_described(read):
    table = groups.behaviour(read)
    often = table.set_index("customer_id").loc["K03"]
    assert often["frequency"] == 3.0 and often["basket"] == pytest.approx(203) and often["share_web"] == 0
    assert table.set_index("customer_id").loc["K04", "on_offer"] == 1.0
    segments = groups.find_segments(table, k=2)
    assert segments["K03"] == segments["K05"] != segments["K04"]
    told = groups.segment_table(table, segments)
    assert told["customers"].sum() == COUNT and told[["share", "revenue_share"]].sum().tolist() == pytest.approx([1, 1])
    assert re.fullmatch(r"C\d (come often|large baskets|pay full price|buy in shops)", told.index[0])
    with pytest.raises(ValueError, match="compare the customer_id of both"):
        groups.segment_table(table, pd.Series({"L1": "C1"}))


def test_a_segment_of_few_has_no_means(read):
    table = groups.behaviour(read)
    segments = pd.Series("many", index=table["customer_id"])
    segments.iloc[:9] = "few"
    told = groups.segment_table(table, segments)
    assert told.loc["few", ["frequency", "share_web"]].isna().all() and told.loc["many", "frequency"] > 0
    page = pages.segment_page(told, "profile")
    assert "nan" not in page.split("base64")[0] and page.count('<span class="none">–</span>') == 4


def test_labels_need_no_products_but_use_them(read):
    plain = groups.find_labels(read)
    assert {"hunts offers", "comes often"} & set(plain["label"]) and not plain["label"].str.startswith("likes").any()
    products = pd.DataFrame({"product_id": ["P1"], "category": ["baby"]})
    assert "likes baby goods" in set(groups.find_labels(read, products)["label"])
    assert groups.find_labels({**read, "transaction_lines": None}) is None


# --- The widget ------------------------------------------------------------------------------------------------------


def test_the_manager_is_shown_nothing_that_is_hidden(base):
    board = dashboard(base)
    board.controls["customer"].value = "K01"
    whole = str([widget.value for widget in board._views]) + str(board.controls["customer"].options)
    assert "174****0123" in whole and "web 网店 · W1" in whole
    for secret in (PHONE[3:], NUMBER, "小明", "xiaoming", "1990", "青溪"):
        assert secret not in whole, secret


def test_service_sees_the_phone_but_not_the_number(base):
    board = dashboard(base)
    board.controls["customer"].value = "K01"
    board.controls["role"].value = "service"
    assert board.controls["customer"].value == "K01", "the card stays when the role changes"
    assert PHONE in board._views[0].value and NUMBER not in board._views[0].value
    board.controls["role"].value = "manager"
    assert PHONE not in board._views[0].value


def test_search_narrows_and_one_hit_is_shown(base):
    board = dashboard(base, roles=["manager"])
    search, customer = board.controls["search"], board.controls["customer"]
    search.value = "上海"
    assert len(customer.options) == 50 and board._count.value == "<p>59 found; the first 50:</p>"
    search.value = "K42"
    assert customer.value == "K42" and "Customer K42" in board._views[0].value
    search.value = "nobody at all"
    assert customer.options == () and "0 found" in board._count.value
    assert "Customer K42" in board._views[0].value, "the card stays until another is chosen"


def test_a_click_draws_one_card(base, monkeypatch):
    board, drawn = dashboard(base), []
    monkeypatch.setattr(pages, "card_page", lambda customer, *_: drawn.append(customer) or "")
    board.controls["role"].value = "service"
    assert drawn == ["K01"]
    board.controls["search"].value = "上海"
    assert drawn == ["K01"], "a list of many is no choice"
    board.controls["customer"].value = "K09"
    assert drawn == ["K01", "K09"]


def test_tabs_are_drawn_when_they_are_opened(base):
    board = dashboard(base)
    assert [bool(view.value) for view in board._views] == [True, False, False, False]
    for number, words in (
        (1, "completeness of city"),
        (2, "2 customers may be contacted for marketing"),
        (3, "brings most"),
    ):
        board.controls["tab"].selected_index = number
        assert words in board._views[number].value and 'src="data:image/png' in board._views[number].value
    board.controls["purpose"].value = "profiling"
    assert "1 customer agreed to profiling" in board._views[2].value
    before = board._views[3].value
    board.controls["view"].value = "profile"
    assert board._views[3].value != before


def test_the_first_card_is_of_somebody_who_agreed(base):
    board = dashboard(base)
    assert board.controls["customer"].value == "K01"
    assert "Segment: <b>" in board._views[0].value


def test_own_labels_and_segments_come_first(base, tmp_path):
    script = """
        CREATE TABLE labels (customer_id, label, weight, source);
        INSERT INTO labels VALUES ('K01', 'my own <label>', 1, 's');
        CREATE TABLE segments (customer_id, segment);
        INSERT INTO segments SELECT customer_id, 'mine' FROM customer_file;"""
    board = dashboard(altered(base, tmp_path / "own.db", script))
    board.controls["tab"].selected_index = 3
    assert "my own &lt;label&gt;" in board._views[0].value and "Segment: <b>mine</b>" in board._views[0].value
    assert "The segment mine brings most: 100% of the revenue" in board._views[3].value


def test_a_base_without_the_further_tables_is_shown_too(base, tmp_path):
    further = ("transaction_lines", "consent_state", "lineage", "quality_report")
    board = dashboard(altered(base, tmp_path / "small.db", "".join(f"DROP TABLE {name};" for name in further)))
    for number, name in ((1, "quality_report"), (2, "consent_state")):
        board.controls["tab"].selected_index = number
        assert f"The base has no table {name} with the columns" in board._views[number].value
    board.controls["tab"].selected_index = 3
    assert "brings most" in board._views[3].value
    assert "treat everything as not agreed to" in board._views[0].value


def test_what_a_base_cannot_show_is_said_in_its_place(base, tmp_path):
    script = "CREATE TABLE segments (customer_id, segment); INSERT INTO segments VALUES ('L1', 'of another base');"
    board = dashboard(altered(base, tmp_path / "odd.db", script))
    board.controls["tab"].selected_index = 3
    assert "This cannot be shown of this base: no customer who bought" in board._views[3].value
    board.controls["tab"].selected_index = 1
    assert "completeness of city" in board._views[1].value


def test_what_is_no_base_is_refused_in_plain_words(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no base none\.db"):
        dashboard(tmp_path / "none.db")
    (tmp_path / "text.db").write_text(
        "This is a text, and long enough to be taken for one by SQLite, as it seems. " * 9
    )
    with pytest.raises(ValueError, match="no SQLite base"):
        dashboard(tmp_path / "text.db")
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(ValueError, match=r"empty\.db has no table customer_file"):
        dashboard(tmp_path / "empty.db")
    with pytest.raises(ValueError, match="no role 'chief'; there are: manager, service"):
        dashboard(tmp_path / "empty.db", roles=["chief"])


def test_without_a_kernel_the_figures_stand_still(base, monkeypatch):
    shown = []
    monkeypatch.setattr("cimlab.capstone.dashboard_widget.display", lambda data, raw: shown.append(data))
    dashboard(base)._ipython_display_()
    assert "application/vnd.jupyter.widget-view+json" in shown[0]
    assert "<b>60</b>" in shown[1]["text/html"] and "python start.py dashboard" in shown[1]["text/html"]


def test_the_style_of_the_notebook_is_left_alone(base, clean_matplotlib):
    before = dict(rcParams)
    dashboard(base).controls["tab"].selected_index = 1
    assert dict(rcParams) == before


def test_a_value_with_html_signs_is_shown_as_it_is():
    figures = pd.DataFrame({"figure": ["a"], "value": [1], "text": ["<b>"], "told": ["&"]})
    assert "<b>&lt;b&gt;</b><small>&amp;</small>" in pages.tiles(figures)
    assert "&lt;script&gt;" in pages.grid(pd.DataFrame({"value": ["<script>"]}))


def test_the_own_base_is_found(tmp_path):
    assert own_base(tmp_path) is None
    live = tmp_path / "labs" / "capstone" / "capstone_files" / "live" / "base.db"
    live.parent.mkdir(parents=True)
    live.touch()
    assert own_base(tmp_path) == live  # as part A leaves it
    far = tmp_path / "labs" / "capstone" / "xudong_customers.db"
    far.touch()
    assert own_base(tmp_path) == far
    (tmp_path / "xudong_customers.db").touch()
    assert own_base(tmp_path) == tmp_path / "xudong_customers.db"


def test_the_own_base_is_where_part_a_leaves_it(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert capstone_database.receive_request(base, capstone_database.workplace()).base == own_base()
    code = "import sys; from cimlab.capstone import own_base; own_base(); print('ipywidgets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_the_notebook_is_short_and_holds_no_customer():
    """Outputs would carry a card out of the base; the page is made anew each time."""
    notebook = nb.read(nb.ROOT / "dashboard.ipynb")
    code = nb.cells(notebook, "code")
    assert 3 <= len(notebook.cells) <= 6 and "?" in notebook.cells[0].source.splitlines()[0]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert "widgets" not in notebook.metadata
    assert "own_base() or checkpoint(" in code[0].source and "dashboard(base" in code[-1].source
