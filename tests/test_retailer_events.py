"""The web shop's log: every web order is the end of a visit, visits look like visits, no cut of rows changes one."""

from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cimlab.retailer import events, queries, visits
from cimlab.retailer.block import make_block
from cimlab.retailer.draws import read_settings
from cimlab.retailer.world import CATEGORIES, REFERENCE_DAY, SEGMENTS, make_world

PERSONS, SMALL = 12_288, 3_000
NEEDS = {"texts", "cards", "lines", "orders"}


world = cache(make_world)


def make(start, stop, seed=3):
    return make_block(world(seed), start, stop, needs=NEEDS)


@pytest.fixture(scope="module")
def block():
    return make(0, PERSONS)


@pytest.fixture(scope="module")
def table(block):
    return events.make_events_table(block)


@pytest.fixture(scope="module")
def log(table):
    return table.to_pandas().astype({"event": str, "device": str, "source": str})


@pytest.fixture(scope="module")
def sessions(log):
    """One row a visit."""
    marked = log.assign(**{name: log["event"] == name for name in ("purchase", "add_to_cart", "checkout")})
    return marked.groupby("session_id").agg(
        events=("event", "size"),
        account=("account_id", "first"),
        bought=("purchase", "any"),
        cart=("add_to_cart", "any"),
        start=("happened_at", "min"),
        device=("device", "first"),
        source=("source", "first"),
    )


@pytest.fixture(scope="module")
def web_orders(block):
    """The web orders of the days of the log: order_id, account, minute, articles."""
    orders, records, lines = block["orders"], block["records"], block["lines"]
    at = np.flatnonzero(
        (orders["channel"] == 1) & (orders["day"] > REFERENCE_DAY - 30) & (orders["day"] <= REFERENCE_DAY)
    )
    articles = [
        {f"P{product + 1:04d}" for product in lines["product"][first : first + count]}
        for first, count in zip(orders["first_line"][at], orders["line_count"][at], strict=True)
    ]
    return pd.DataFrame(
        {
            "order_id": orders["id"][at].view("S8").astype(str),
            "account": records["id"][orders["record"][at]].view("S8").astype(str),
            "minute": pd.to_datetime(orders["at"][at], unit="m"),
            "articles": articles,
        }
    ).set_index("order_id")


# --- the form of the table -----------------------------------------------------------------------------------------


def test_the_columns_are_those_of_the_dictionary(table):
    columns = read_settings("dictionary")["tables"]["web_events"]["columns"]
    assert table.column_names == list(columns)
    types = {"string": pa.string(), "datetime": pa.timestamp("s")}
    for name, (kind, _, _, _, *extra) in columns.items():
        column, rules = table[name].combine_chunks(), extra[0] if extra else {}
        if isinstance(column, pa.DictionaryArray):
            column = column.cast(pa.string())
        assert column.type == types[kind], name
        assert not (rules.get("required") and column.null_count), name
        if "enum" in rules:
            assert set(column.drop_null().to_pylist()) == set(rules["enum"]), name
        if "pattern" in rules:
            assert pc.all(pc.match_substring_regex(column.drop_null(), f"^{rules['pattern']}$")).as_py(), name


def test_every_event_has_its_own_number_and_visits_count_from_one(log):
    assert log["event_id"].is_unique
    number = (log.groupby("session_id").cumcount() + 1).astype(str)
    assert (log["event_id"] == log["session_id"] + "-" + number).all()


def test_a_visit_has_one_device_one_source_and_one_account(log):
    for column in ("device", "source", "account_id"):
        values = log[column].fillna("")
        assert (values == values.groupby(log["session_id"]).transform("first")).all(), column


def test_each_kind_of_event_fills_its_own_columns(log):
    about_articles = log["event"].isin(["view", "add_to_cart", "remove_from_cart"])
    assert (log["product_id"].notna() == about_articles).all()
    assert (log["query"].notna() == (log["event"] == "search")).all()
    assert (log["order_id"].notna() == (log["event"] == "purchase")).all()
    assert not (log["query"] == "").any()


# --- time ----------------------------------------------------------------------------------------------------------


def test_the_log_holds_the_last_thirty_days(log):
    assert log["happened_at"].min() >= pd.Timestamp("2026-06-01")
    assert log["happened_at"].max() < pd.Timestamp("2026-07-01")
    assert log["happened_at"].dt.date.nunique() == 30


def test_events_of_a_visit_are_seconds_to_minutes_apart(log):
    gaps = log.groupby("session_id")["happened_at"].diff().dt.total_seconds().dropna()
    assert gaps.min() >= 0
    assert (gaps < 2).mean() < 0.001, "only a visit that is cut at midnight may have none"
    assert gaps.max() <= read_settings("events")["steps"]["most_seconds"]
    assert 15 < gaps.median() < 40


def test_people_come_in_the_evening_and_for_the_sale(sessions):
    hours = sessions["start"].dt.hour.value_counts(normalize=True)
    assert hours[[20, 21, 22]].sum() > 4 * hours.reindex([2, 3, 4], fill_value=0).sum() + 0.2
    days = sessions["start"].dt.day.value_counts()
    assert days[[16, 17, 18]].mean() > 1.6 * days[[23, 24, 25]].mean()


# --- orders --------------------------------------------------------------------------------------------------------


def test_every_web_order_is_the_end_of_one_visit(log, web_orders):
    purchases = log[log["event"] == "purchase"].set_index("order_id")
    assert purchases.index.is_unique
    assert set(purchases.index) == set(web_orders.index)
    last = log.groupby("session_id")["event_id"].last()
    assert (last[purchases["session_id"]].to_numpy() == purchases["event_id"]).all()
    before = log["event"].shift().loc[log["event"] == "purchase"]
    assert (before == "checkout").all()


def test_a_purchase_has_the_minute_and_the_account_of_its_order(log, web_orders):
    purchases = log[log["event"] == "purchase"].set_index("order_id")
    orders = web_orders.loc[purchases.index]
    assert (purchases["happened_at"].dt.floor("min") == orders["minute"]).all()
    assert (purchases["account_id"] == orders["account"]).all()


def test_what_stays_in_the_cart_is_in_the_order(log, web_orders):
    bought = log.groupby("session_id")["order_id"].first().dropna()
    kept = log[log["session_id"].isin(bought.index)].query("event in ('add_to_cart', 'remove_from_cart')")
    signs = kept["event"].map({"add_to_cart": 1, "remove_from_cart": -1})
    left = signs.groupby([kept["session_id"], kept["product_id"]]).sum()
    assert left.isin([0, 1]).all()
    for session, product in left[left == 1].index:
        assert product in web_orders.loc[bought[session], "articles"]
    assert (left == 0).sum() > 5, "some articles are taken out again"
    assert (left == 1).sum() > 0.5 * len(bought)


def test_some_carts_are_left_and_bought_within_five_days(log, web_orders, sessions):
    left = log[log["session_id"].isin(sessions.index[~sessions["bought"]]) & (log["event"] == "add_to_cart")]
    later = left.merge(web_orders.reset_index(), left_on="account_id", right_on="account", suffixes=("", "_of_order"))
    wait = later["minute"] - later["happened_at"]
    soon = later[(wait > pd.Timedelta(0)) & (wait < pd.Timedelta(days=6))]
    found = soon[[product in articles for product, articles in zip(soon["product_id"], soon["articles"], strict=True)]]
    assert 0.1 < found["order_id_of_order"].nunique() / len(web_orders) < 0.35


# --- who comes -----------------------------------------------------------------------------------------------------


def test_conversion_and_left_carts_are_as_in_life(sessions):
    known = sessions["account"].notna()
    assert 0.20 < sessions.loc[known, "bought"].mean() < 0.35
    assert not sessions.loc[~known, "bought"].any()
    carts = sessions[sessions["cart"]]
    assert 0.66 < 1 - carts["bought"].mean() < 0.76


def test_the_small_edition_keeps_to_its_size():
    for seed in (1, 2, 20260630):
        assert 800 < len(events.make_events_table(make(0, SMALL, seed))) < 1_900


def test_some_visits_have_no_account_and_some_of_those_are_customers(block, sessions):
    assert 0.08 < sessions["account"].isna().mean() < 0.25
    made = visits.make_visits(block)
    assert (made["record"][made["stranger"]] == -1).all()
    assert 0.03 < (made["record"] < 0)[~made["stranger"]].mean() < 0.15


def test_an_account_is_used_by_its_owner_after_its_registration(block):
    made, records = visits.make_visits(block), block["records"]
    known = made["record"] >= 0
    record = made["record"][known]
    assert (records["person"][record] == made["person"][known]).all()
    assert (records["made_on"][record] <= made["day"][known]).all()
    assert (records["channel"][record] == 1).all()
    copies = records["copy"][record]
    assert (copies > 0).any() and (copies == 0).any()


def test_explorers_come_more_often_and_the_lost_less(block):
    made, people, orders = visits.make_visits(block), block["people"], block["orders"]
    looks = (made["order"] < 0) & ~made["stranger"]
    counts = np.bincount(made["person"][looks], minlength=PERSONS)
    web = people["channels"] & 2 > 0
    explorer = people["segment"] == SEGMENTS.index("online explorer")
    assert counts[web & explorer].mean() > 1.6 * counts[web & ~explorer].mean()
    assert counts[~web].sum() == 0
    last = np.full(PERSONS, -1)
    np.maximum.at(last, orders["person"], orders["day"])
    active = np.maximum(last, people["since"]) > REFERENCE_DAY - 100
    assert counts[web & active].mean() > 2 * counts[web & ~active].mean()


def test_visitors_look_at_what_they_like(block):
    made = visits.make_visits(block)
    articles = events.list_articles(block, made)
    own = (articles["product"] >= 0) & (articles["place"] >= events.OTHERS_FROM)
    category = block["world"]["shelf"]["category"][articles["product"]]
    likes = (block["people"]["favourites"][made["person"][articles["visit"]]] == category[:, None]).any(axis=1)
    stranger = made["stranger"][articles["visit"]]
    assert likes[own & ~stranger].mean() > likes[own & stranger].mean() + 0.3


def test_the_mini_program_runs_on_no_computer_and_people_keep_their_device(log, sessions):
    assert not ((log["source"] == "mini-program") & (log["device"] == "computer")).any()
    several = sessions.groupby("account").filter(lambda visits: len(visits) > 2)
    usual = several.groupby("account")["device"].agg(lambda devices: devices.value_counts(normalize=True).iloc[0])
    assert usual.mean() > 0.9


def test_buyers_come_by_themselves_and_strangers_by_advertising(sessions):
    direct = sessions["source"].isin(["direct", "mini-program"])
    assert direct[sessions["bought"]].mean() > 0.6
    assert direct[sessions["account"].isna()].mean() < direct[sessions["bought"]].mean() - 0.1


# --- queries -------------------------------------------------------------------------------------------------------


def test_every_article_can_be_searched_for():
    texts, in_vain = queries.query_texts()
    count = sum(len(facts["products"]) for facts in read_settings("catalogue")["categories"].values())
    assert in_vain == count * len(queries.FORMS) * 2
    assert len(texts) > in_vain + 15 and texts.null_count == 0
    assert all(text == text.strip() and text for text in texts.to_pylist())
    assert set(read_settings("events")["groups"]) == set(CATEGORIES)


def test_misspelt_queries_differ_from_all_right_ones():
    texts, in_vain = queries.query_texts()
    forms = np.array(texts.to_pylist()[:in_vain], dtype=object).reshape(-1, len(queries.FORMS), 2)
    right = {form: set(forms[:, queries.FORMS.index(form)].ravel()) for form in ("name", "english", "pinyin")}
    pairs = {"wrong": "name", "wrong_english": "english", "wrong_pinyin": "pinyin"}
    for wrong, form in pairs.items():
        both = right[form] & set(forms[:, queries.FORMS.index(wrong)].ravel())
        assert not both, wrong


def test_queries_are_mostly_chinese_with_english_pinyin_and_mistakes(log):
    asked = log["query"].dropna()
    chinese = asked.str.contains(r"[\u4e00-\u9fff]")
    assert 0.75 < chinese.mean() < 0.92
    assert asked.nunique() > 0.3 * len(asked)
    vain = set(read_settings("events")["unsold"].split())
    assert 0.08 < asked.isin(vain).mean() < 0.35
    texts, in_vain = queries.query_texts()
    forms = np.array(texts.to_pylist()[:in_vain], dtype=object).reshape(-1, len(queries.FORMS), 2)
    wrong = {text for form, name in enumerate(queries.FORMS) if "wrong" in name for text in forms[:, form].ravel()}
    assert 0.04 < asked.isin(wrong).mean() < 0.16


def test_a_search_finds_the_article_that_follows(block, log):
    following = log["product_id"].shift(-1).where(log["session_id"] == log["session_id"].shift(-1))
    asked = log[log["query"].notna() & following.notna()]
    names = block["world"]["shelf"]["name_zh"]
    number = {f"P{row + 1:04d}": name for row, name in enumerate(names)}
    exact = asked[asked["query"].isin(set(names))]
    assert len(exact) > 20
    assert (following[exact.index].map(number) == exact["query"]).mean() > 0.95


# --- any cut, any seed ---------------------------------------------------------------------------------------------


def test_no_cut_of_the_persons_changes_a_visit(table):
    cut = 4_096
    parts = [events.make_events_table(make(0, cut)), events.make_events_table(make(cut, PERSONS))]
    assert pa.concat_tables(parts).to_pylist() == table.to_pylist()


def test_blocks_of_one_household_work():
    tables = [events.make_events_table(make(start, start + 8)) for start in range(0, 96, 8)]
    together = events.make_events_table(make(0, 96))
    assert pa.concat_tables(tables).to_pylist() == together.to_pylist()
    assert {len(table) for table in tables} > {0}


def test_another_seed_gives_other_visits(table):
    other = events.make_events_table(make(0, SMALL, 4))
    assert len(set(other["session_id"].to_pylist()) & set(table["session_id"].to_pylist())) < 0.02 * len(other)
