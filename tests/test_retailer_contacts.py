"""The call centre of the retailer: calls, what operators write, the cases, and the consent ledger."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cimlab.retailer import consents, contacts, notes, phrasebook
from cimlab.retailer.block import make_block
from cimlab.retailer.draws import Draws, read_settings
from cimlab.retailer.world import FIRST_DAY, MINUTES, REFERENCE_DAY, make_world

PERSONS, CUT = 12_288, 4_096


@pytest.fixture(scope="module")
def world():
    return make_world(7)


@pytest.fixture(scope="module")
def block(world):
    return make_block(world, 0, PERSONS)


def write(block):
    return notes.make_notes(*(block[name] for name in ("world", "people", "orders", "lines", "calls")))


@pytest.fixture(scope="module")
def written(block):
    return write(block)


@pytest.fixture(scope="module")
def calls(block, written):
    """The calls as a frame, with notes and truth."""
    text, facts = written
    frame = pd.DataFrame({name: column for name, column in block["calls"].items() if name not in ("id", "language")})
    frame["note"] = text.to_pylist()
    frame["satisfaction"] = block["people"]["satisfaction"][frame["person"]] / 65536
    facts = facts.to_pandas().astype(object).rename(columns={"intent": "true_intent"})
    return pd.concat([frame, facts], axis=1)


@pytest.fixture(scope="module")
def tickets(block):
    return contacts.make_tickets_table(block).to_pandas()


@pytest.fixture(scope="module")
def ledger(block):
    return consents.make_consents_table(block).to_pandas()


@pytest.fixture(scope="module")
def settings():
    return read_settings("contacts")


def check_schema(table, name, part="tables"):
    """Hold a table against the dictionary: columns in order, types, required cells, allowed values."""
    columns = read_settings("dictionary")[part][name]["columns"]
    assert table.column_names == list(columns)
    types = {"string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "datetime": pa.timestamp("s")}
    for column, (kind, *_, extra) in ((c, [*spec, {}] if len(spec) == 4 else spec) for c, spec in columns.items()):
        values = table[column]
        if pa.types.is_dictionary(values.type):
            values = values.cast(pa.string())
        assert values.type == types[kind], column
        assert not (extra.get("required") and values.null_count), column
        values = values.drop_null().to_pylist()
        assert set(values) <= set(extra.get("enum", values)), column
        assert all(re.fullmatch(extra.get("pattern", ".*"), value) for value in values if kind == "string"), column
        assert min(values, default=1) >= extra["minimum"] if "minimum" in extra else True, column


# --- calls


def test_each_order_by_telephone_is_a_call_that_the_order_system_ticked(block):
    calls, orders = block["calls"], block["orders"]
    placed = np.flatnonzero(orders["channel"] == 2)
    assert len(placed) > 100
    back = contacts.calls_of_orders(calls, len(orders["key"]))
    assert (back[orders["channel"] != 2] == -1).all()
    for name in ("person", "at"):
        assert (calls[name][back[placed]] == orders[name][placed]).all()
    assert (calls["topic"][back[placed]] == contacts.TOPICS.index("order")).all()
    assert (calls["key"][back[placed]] % 512 < 256).all()


def test_calls_come_in_the_window_from_people_who_use_the_call_centre(block):
    calls, people = block["calls"], block["people"]
    day = calls["at"] // MINUTES
    since = people["since"][calls["person"]]
    assert ((day >= FIRST_DAY) & (day >= since) & (day <= REFERENCE_DAY)).all()
    assert (people["channels"][calls["person"]] & 4 > 0).all()
    assert set(np.unique(calls["person"])) == set(
        np.flatnonzero(people["channels"] & 4)
    )  # and nobody is without a call
    assert (np.diff(calls["key"]) > 0).all()
    assert len(np.unique(calls["id"])) == len(calls["id"])
    hours = calls["at"] % MINUTES // 60
    assert hours.min() >= 8
    assert hours.max() <= 19


def test_service_calls_and_complaints_rise_as_satisfaction_falls(calls):
    service = calls[calls["order"] < 0]
    band = pd.cut(service["satisfaction"], [-9, -1, 0, 1, 9])
    complaints = (service["true_intent"] == "complaint").groupby(band, observed=True).mean()
    assert (complaints.diff().dropna() < 0).all()
    assert complaints.iloc[0] > 3 * complaints.iloc[-1]
    per_caller = service.groupby(band, observed=True)["person"].agg(lambda people: len(people) / people.nunique())
    assert (per_caller.diff().dropna() < 0).all()
    negative = (service["sentiment"] == "negative").groupby(band, observed=True).mean()
    assert (negative.diff().dropna() < -0.05).all()


def test_what_people_call_about_follows_what_they_bought(block, calls):
    orders, about = block["orders"], calls[(calls["about"] >= 0) & (calls["order"] < 0)]
    gap = about["at"] // MINUTES - orders["day"][about["about"]]
    assert (orders["person"][about["about"]] == about["person"]).all()
    assert gap.min() >= 1
    assert gap.median() <= 10
    till = orders["channel"][about["about"]] == 0
    assert not (about["true_intent"][till] == "delivery").any()
    assert (about["true_intent"][~till] == "delivery").mean() > 0.25
    assert (calls["true_intent"][calls["about"] < 0] == "delivery").mean() < 0.06


def test_topics_are_mistaken_in_the_stated_share(calls, settings):
    service = calls[calls["order"] < 0]
    wrong = service["topic"] != service["intent"]
    stated = service["true_intent"].map(settings["calls"]["mistaken_per_1000"]).mean() / 1000
    assert wrong.mean() == pytest.approx(stated, abs=0.02)
    assert 0.08 < wrong.mean() < 0.2


def test_a_quarter_of_the_notes_is_english_and_two_operators_write_most_of_them(calls):
    english = calls["language"] == "en"
    assert 0.18 < english.mean() < 0.30
    assert english[calls["operator"] >= 6].mean() > 0.9
    assert english[calls["operator"] < 6].mean() < 0.05


# --- notes


def test_facts_follow_the_dictionary(written):
    check_schema(written[1], "call_facts", "truth")


def test_notes_are_filled_in(calls):
    assert calls["note"].str.len().min() >= 2
    assert not calls["note"].str.contains(r"[{}]").any()
    english = calls["language"] == "en"
    assert calls["note"].str.fullmatch(r"[\x00-\x7f]+")[english].all()
    assert calls["note"].str.contains(r"[一-鿿]")[~english].all()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_topic_has_a_dozen_ways_to_say_it(language):
    groups = phrasebook.list_groups(language)
    for topic in contacts.TOPICS:
        said = [line for name, lines in groups.items() if name[1] == topic and len(name) == 3 for line in lines]
        assert len(set(said)) == len(said) >= 12, topic
    for name in [name for name in groups if name[0] in ("plain", "oblique")]:
        assert len(groups[name]) >= 2, name


def test_notes_are_not_all_alike(calls):
    texts = calls["note"].head(1000).str.replace(r"[\d零一二三四五六七八九０-９]", "", regex=True)
    assert texts.nunique() > 950
    assert calls["note"].nunique() > 0.97 * len(calls)


def test_every_name_of_an_article_is_listed(world):
    listed = read_settings("phrases")["articles"]
    known = [name for name in world["shelf"]["name"] if str(name) in listed]
    assert len(known) > 0.8 * len(world["shelf"]["name"])
    assert all(len(names) == 4 for names in listed.values())


def test_an_unlisted_article_is_still_named():
    names = phrasebook.article_names(("Pickled garlic",), ("糖醋大蒜",))
    assert [column[0] for column in names] == [
        "糖醋大蒜",
        "大蒜",
        "糖醋大蒜",
        "pickled garlic",
        "garlic",
        "pickled garlic",
    ]


def test_a_phrase_with_too_much_to_fill_in_is_refused():
    with pytest.raises(ValueError, match="unknown are \\['colour'\\]"):
        phrasebook.split_phrase("a {colour} box")
    with pytest.raises(ValueError, match="4 things"):
        phrasebook.split_phrase("{day}{day}{day}{day}")


def plain_digits(note):
    """Return the digits of a note whatever the script, and nothing else."""
    for number, word in enumerate(phrasebook.WORDS):
        note = re.sub(rf"\b{word}\b", str(number), note)
    note = note.translate(str.maketrans(phrasebook.NUMERALS + phrasebook.FULL_WIDTH, "0123456789" * 2))
    return re.sub(r"\D", "", note)


def test_the_true_number_stands_in_the_note(calls):
    given = calls.dropna(subset=["phone"])
    assert 0.3 < len(given) / len(calls) < 0.5
    assert all(phone in plain_digits(note) for phone, note in zip(given["phone"], given["note"], strict=True))
    silent = calls[calls["phone"].isna()]["note"].map(plain_digits)
    assert not silent.str.contains(r"^1[37]\d{9}$").any()


def test_the_number_was_the_callers_or_a_relatives_on_that_day(block, calls):
    people, given = block["people"], calls.dropna(subset=["phone"])
    number = given["phone"].astype(np.int64).to_numpy()
    now, former, changed = (people[name][given["person"]] for name in ("phone", "former_phone", "phone_changed_on"))
    before = (former > 0) & (given["at"] // MINUTES < changed).to_numpy()
    assert before.sum() > 30
    own = np.where(before, former, now)
    assert 0.01 < (number != own).mean() < 0.08
    homes = pd.Series(people["household"])
    at_home = set(zip(homes, people["phone"], strict=True)) | set(zip(homes, people["former_phone"], strict=True))
    assert all(pair in at_home for pair in zip(homes[given["person"]], number, strict=True))


def test_a_changed_number_stands_beside_the_old_one(block, calls):
    said = calls[calls["subject"] == contacts.subject_number("account", "change")].dropna(subset=["phone"])
    former = block["people"]["former_phone"][said["person"]]
    said, former = said[said["phone"] != former.astype(str)], former[said["phone"] != former.astype(str)]
    both = [old > 0 and str(old) in plain_digits(note) for old, note in zip(former, said["note"], strict=True)]
    assert 5 < sum(both) < len(said)
    assert (said["phone"][both] != former[both].astype(str)).all()


def test_the_true_article_stands_in_the_note_and_was_bought_lately(block, world, calls):
    books = phrasebook.article_names(tuple(world["shelf"]["name"]), tuple(world["shelf"]["name_zh"]))
    named = calls.dropna(subset=["product_id"])
    assert 0.35 < len(named) / len(calls) < 0.65
    product = named["product_id"].str[1:].astype(int) - 1
    ways = [[names[number] for names in books] for number in product]
    assert all(any(way in note for way in some) for some, note in zip(ways, named["note"], strict=True))
    bought = set(zip(block["lines"]["order"], block["lines"]["product"], strict=True))
    order = named["about"][(named["about"] >= 0) & (named["true_intent"] != "product")]
    assert all(pair in bought for pair in zip(order, product[order.index], strict=True))


# A simple, honest parser: what a student writes in an afternoon.
PHONE = re.compile(r"(?<!\d)(?:\+?86[ -]?)?(1[3-9]\d)[ -]?(\d{4})[ -]?(\d{4})(?!\d)")
INTENTS = {
    "complaint": "投诉 排队 态度 赔偿 差价 多收 标价 收银价 多扣 扣了 满减 优惠券没 短信 推销 退订 广告 没人管 质量 "
    "假货 骂 难听 complain angry rude compensation overcharged twice queue messages advert unsubscribe sales quality "
    "fake fault staff late",
    "return": "退 换货 破损 坏 漏 压扁 不合适 取件 图片 换成 买多 "
    "refund return exchange damaged broken leaking crushed wrong torn unopened swap",
    "points": "积分 分 会员卡 补卡 卡 双倍 金卡 银卡 清零 points card double silver gold receipt",
    "account": "密码 账号 登录 验证码 注销 号码 资料 注册 生日 邮箱 信息 页面 小程序 app 名字 "
    "password account log register birthday data address app page record locked",
    "delivery": "快递 送 发货 物流 签收 包裹 收到 驿站 催单 送到 "
    "parcel courier deliver shipped tracking arrive box door delivery left waiting home",
    "product": "有没有 还有 货 保质期 补货 打折 活动 多少钱 包装 产地 保存 留一份 价 半价 团购 成分 买到 "
    "stock offer shelf price discount pack store cheaper coupon cost keep sold",
    "order": "订 下单 要 清单 再来 样 件 老样子 照 order ordered items list usual wants repeat ready",
}
MOODS = {
    "negative": "生气 激动 很冲 非常不满意 再也不来 骂 12315 失望 网上 着急 抱怨 气得 太差 发火 "
    "angry upset shouted not+satisfied never+come swore 12315 disappointed online impatient complaints hung bad",
    "positive": "很满意 谢谢 表扬 高兴 很好 夸 不错 感谢 推荐 开心 放心 下次还来 "
    "happy thanked praised pleased good glad again grateful recommend satisfied",
}


def read_phone(note):
    found = PHONE.search(note)
    return "".join(found.groups()) if found else None


def read_word(note, words, default):
    """Return the name with the most of its words in the note; the first one named if several have as many."""
    hits = {name: sum(word.replace("+", " ") in note for word in listed.split()) for name, listed in words.items()}
    best = max(hits, key=hits.get)
    return best if hits[best] else default


def recall(calls, shelf):
    """Return the share of what is there that the simple parser finds, by kind of field."""
    given, named = calls.dropna(subset=["phone"]), calls.dropna(subset=["product_id"])
    catalogue = sorted(
        [(str(name).lower(), number) for number, name in enumerate(shelf["name"])]
        + [(str(name), number) for number, name in enumerate(shelf["name_zh"])],
        key=lambda row: -len(row[0]),
    )
    product = named["note"].map(lambda note: next((f"P{n + 1:04d}" for name, n in catalogue if name in note), None))
    shown = calls[calls["sentiment"] != "neutral"]
    return {
        "phones": (given["note"].map(read_phone) == given["phone"]).mean(),
        "products": (product == named["product_id"]).mean(),
        "intents": (calls["note"].map(lambda note: read_word(note, INTENTS, "product")) == calls["true_intent"]).mean(),
        "moods": (shown["note"].map(lambda note: read_word(note, MOODS, "neutral")) == shown["sentiment"]).mean(),
    }


def test_a_simple_parser_finds_what_the_settings_say(calls, world, settings):
    found = recall(calls, world["shelf"])
    for field, (low, high) in settings["notes"]["recall_of_simple_parser"].items():
        assert low <= found[field] <= high, (field, found)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_fifth_of_the_spellings_is_hard_and_the_pattern_fails_on_just_these(settings, language):
    forms = settings["notes"]["spellings"][language]
    assert sum(weight for kind in ("easy", "hard") for weight, _ in forms[kind]) == 1000
    assert sum(weight for weight, _ in forms["hard"]) == 200
    digits = {"a": "174", "b": "0123", "c": "4567", "p": "1740", "q": "1234", "r": "567", "wa": "one seven four"}
    digits |= {"ha": "一七四", "hb": "零一二三", "hc": "四五六七", "fa": "１７４", "fb": "０１２３", "fc": "４５６７"}
    for kind in ("easy", "hard"):
        for _, form in forms[kind]:
            assert (read_phone(f"tel {form.format(**digits)}") == "17401234567") == (kind == "easy"), form


def test_the_number_of_a_paper_is_a_trap_but_no_number_of_a_telephone(calls):
    longest = calls["note"].str.findall(r"\d{11,}").explode().dropna()
    papers = longest[longest.str.len() == 12]
    assert len(papers) > 50
    assert papers.str.match(r"202[456](0[1-9]|1[012])[0-3]\d").all()
    assert not papers.str.contains(r"1[3-9]\d{9}").any()
    naive = calls["note"].str.extract(r"(\d{11})")[0]
    wrong = naive.notna() & (naive != calls["phone"])
    assert wrong.mean() > 0.02


def test_irony_politeness_and_negation_are_there(calls):
    traps = calls[
        calls["note"].str.contains("不是不满意|不是投诉|没有生气|not unhappy|not a complaint|not angry", regex=True)
    ]
    assert len(traps) > 10
    assert (traps["sentiment"] == "neutral").all()
    irony = calls[calls["note"].str.contains("效率真高|贴心|so efficient|punctuality", regex=True)]
    assert len(irony) > 10
    assert (irony["sentiment"] == "negative").all()


# --- cases


def test_tickets_follow_the_dictionary(block):
    check_schema(contacts.make_tickets_table(block), "tickets")


def test_a_case_hangs_on_its_call(tickets, calls):
    assert tickets["ticket_id"].is_unique
    assert tickets["call_id"].is_unique
    by_call = calls.set_index("call_id").loc[tickets["call_id"]]
    assert (tickets["opened_at"].astype("int64").to_numpy() == by_call["at"].to_numpy() * 60).all()
    opened = calls["call_id"].isin(tickets["call_id"]).groupby(calls["true_intent"]).mean()
    assert opened["complaint"] > 0.7
    assert opened["order"] == opened["product"] == 0
    assert 0.1 < opened["account"] < opened["return"] < opened["complaint"]


def test_a_case_ends_after_it_began_or_is_open(tickets):
    is_open = tickets["closed_at"].isna()
    assert (is_open == (tickets["outcome"] == "open")).all()
    assert 0.005 < is_open.mean() < 0.1
    closed = tickets[~is_open]
    assert (closed["closed_at"] > closed["opened_at"]).all()
    assert closed["closed_at"].max() < pd.Timestamp("2026-07-01")
    assert closed["closed_at"].dt.hour.between(9, 17).all()
    paid = tickets["outcome"].isin(["refund", "coupon"])
    assert (tickets["compensation"][~paid] == 0).all()
    assert (tickets["compensation"][paid] > 0).all()


def test_sales_days_make_a_backlog(tickets):
    hours = (tickets["closed_at"] - tickets["opened_at"]).dt.total_seconds() / 3600
    busy = contacts.busy_days()[tickets["opened_at"].to_numpy().astype("M8[D]").astype(int)]
    assert 0.05 < busy.mean() < 0.4
    assert hours[busy].median() > 1.5 * hours[~busy].median()
    assert hours.mean() > 1.4 * hours.median()  # a long tail


def test_a_refund_is_the_price_of_an_article(block, tickets):
    refunds = (tickets["compensation"][tickets["outcome"] == "refund"] * 100).round().astype(int)
    amounts = np.unique(block["lines"]["amount"])
    prices = np.concatenate([amounts, (amounts + 1) // 2])
    assert np.isin(refunds, prices).mean() > 0.8


def test_who_gives_stars_is_a_choice_of_the_pleased_and_the_cross(tickets):
    assert 0.05 < tickets["rating"].notna().mean() < 0.3
    # The same draws for everybody: only the experience differs.
    draws, key = Draws(1), np.arange(60_000)
    rows = np.random.default_rng(1).normal(size=len(key))
    outcome = key % 5
    stars = contacts.rating(draws, key, (rows * 65536).astype(np.int64), outcome, np.full(len(key), 60))
    answered = stars > 0
    by_quality = answered.reshape(-1, 5).mean(axis=0)  # refund, replacement, coupon, apology, rejected
    assert by_quality[4] > by_quality[2]
    assert answered[rows > 2].mean() > 1.3 * answered[np.abs(rows) < 0.5].mean()
    assert rows[stars == 1].mean() < rows[stars == 3].mean() < rows[stars == 5].mean()
    counts = np.bincount(stars)[1:]
    assert counts[2] < counts[0]
    assert counts[2] < counts[4]


# --- consent


def test_consents_follow_the_dictionary(block):
    check_schema(consents.make_consents_table(block), "consents")


def test_entries_are_in_order_and_nobody_withdraws_what_was_not_given(ledger):
    assert ledger["consent_id"].is_unique
    cells = ledger.groupby(["customer_ref", "purpose"], observed=True)
    assert (cells["recorded_at"].diff().dropna() > pd.Timedelta(0)).all()
    before = cells["action"].shift()
    assert (before[ledger["action"] == "withdrawn"] == "given").all()
    assert (cells["action"].first() == "given").all()
    assert 0.05 < (ledger["action"] == "withdrawn").mean() < 0.3


def test_an_entry_lies_in_the_life_of_its_record_and_of_its_notice(block, ledger, settings):
    records = block["records"]
    made = pd.Series(records["made_on"], index=records["id"].view("S8").astype(str))
    day = ledger["recorded_at"].to_numpy().astype("M8[D]").astype(int)
    assert (day >= made[ledger["customer_ref"]]).all()
    assert day.max() <= REFERENCE_DAY
    starts = pd.to_datetime(settings["consent"]["versions"])
    version = 1 + (ledger["recorded_at"].to_numpy()[:, None] >= starts.to_numpy()[None, 1:]).sum(axis=1)
    assert (ledger["notice_version"].str[1:].astype(int) == version).all()
    assert not (ledger["purpose"][version == 1] == "profiling").any()  # the first notice did not ask
    assert set(version) == {1, 2, 3}


def standing(block, ledger, purpose="marketing"):
    """Return for each record whether consent stands, and whether the ledger knows the record at all."""
    refs = block["records"]["id"].view("S8").astype(str)
    last = ledger[ledger["purpose"] == purpose].groupby("customer_ref")["action"].last()
    return pd.Series(refs).map(last) == "given", pd.Series(refs).isin(ledger["customer_ref"])


def test_some_records_have_no_entry_and_purposes_are_not_equally_liked(block, ledger):
    marketing, known = standing(block, ledger)
    assert 0.1 < 1 - known.mean() < 0.7
    shares = [standing(block, ledger, purpose)[0].mean() for purpose in consents.PURPOSES]
    assert shares[0] > 2 * shares[1] > 3 * shares[2]
    assert 0.25 < marketing.mean() < 0.7


def test_the_pleased_consent_more_and_the_cross_withdraw_more(block, ledger):
    records = block["records"]
    satisfaction = pd.Series(
        block["people"]["satisfaction"][records["person"]], index=records["id"].view("S8").astype(str)
    )
    marketing = standing(block, ledger)[0].to_numpy()
    assert marketing[satisfaction > 65536].mean() > marketing[satisfaction < -65536].mean() + 0.1
    mine = ledger[ledger["purpose"] == "marketing"]
    withdrew = mine[mine["action"] == "withdrawn"]["customer_ref"].unique()
    gave = satisfaction[mine["customer_ref"].unique()]
    rate = gave.index.isin(withdrew)
    assert rate[gave < -65536].mean() > 1.3 * rate[gave > 65536].mean()


def test_withdrawals_are_more_frequent_while_campaigns_run(ledger, settings):
    asked_again = ledger.groupby(["customer_ref", "recorded_at"])["action"].transform("size")
    tired = ledger[(ledger["action"] == "withdrawn") & (ledger["recorded_at"] >= "2025-07-01") & (asked_again == 1)]
    day = tired["recorded_at"].dt.normalize()
    length = settings["consent"]["campaign_days"]
    starts = [pd.Timestamp(row[3]) for row in read_settings("parameters")["campaigns"]["list"]]
    starts = [start for start in starts if start >= pd.Timestamp("2025-07-01")]
    near = sum(((day >= start) & (day < start + pd.Timedelta(days=length))).to_numpy().astype(int) for start in starts)
    in_campaign, other = (near > 0).sum() / (length * len(starts)), (near == 0).sum() / (365 - length * len(starts))
    assert in_campaign > 1.5 * other


def test_a_withdrawal_by_telephone_follows_a_call_and_some_calls_are_forgotten(block, ledger, calls):
    by_phone = ledger[ledger["method"] == "telephone"]
    assert len(by_phone) > 50
    assert (by_phone["action"] == "withdrawn").all()
    records = block["records"]
    person = pd.Series(records["person"], index=records["id"].view("S8").astype(str))[by_phone["customer_ref"]]
    minute = by_phone["recorded_at"].astype("int64").to_numpy() // 60
    told = [contacts.subject_number("complaint", "privacy"), contacts.subject_number("account", "close")]
    asked = calls[calls["subject"].isin(told)]
    pairs = set(zip(asked["person"], asked["at"] + 1, strict=True))
    assert all(pair in pairs for pair in zip(person, minute, strict=True))
    # Said, and not done: marketing still stands on some card of a person who told the operator to stop.
    still = standing(block, ledger)[0].to_numpy()
    assert 0.1 < pd.Series(still[np.isin(records["person"], asked["person"])]).mean() < 0.6


# --- one world, however it is cut


def shift(calls, people, orders):
    """Return calls with positions moved to those of a block that begins earlier."""
    moved = dict(calls, person=calls["person"] + people)
    return moved | {name: np.where(calls[name] >= 0, calls[name] + orders, -1) for name in ("order", "about")}


def test_another_cut_of_the_rows_changes_nothing(world, block, written):
    parts = [make_block(world, 0, CUT), make_block(world, CUT, PERSONS)]
    first = len(parts[0]["orders"]["key"])
    for name in block["calls"]:
        joined = np.concatenate([parts[0]["calls"][name], shift(parts[1]["calls"], CUT, first)[name]])
        assert np.array_equal(joined, block["calls"][name]), name
    pieces = [write(part) for part in parts]
    assert pa.concat_arrays([piece[0] for piece in pieces]).equals(written[0])
    tables = [(pa.concat_tables([piece[1] for piece in pieces]), written[1])]
    for make in (contacts.make_tickets_table, consents.make_consents_table):
        tables.append((pa.concat_tables([make(part) for part in parts]), make(block)))
    for joined, whole in tables:
        assert joined.unify_dictionaries().equals(whole.unify_dictionaries())


def test_another_seed_tells_other_stories(block, calls):
    other = make_block(make_world(8), 0, 512)
    text = write(other)[0].to_pylist()
    assert len(set(text) & set(calls["note"])) < 0.2 * len(text)


def empty(columns):
    return {name: column[:0] for name, column in columns.items()}


def test_people_without_orders_or_calls_are_no_trouble(world, block):
    quiet = dict(block, orders=empty(block["orders"]), lines=empty(block["lines"]))
    quiet["calls"] = contacts.make_calls(world, block["people"], block["records"], quiet["orders"])
    assert (quiet["calls"]["about"] == -1).all()
    text, facts = write(quiet)
    assert len(text) == facts.num_rows == len(quiet["calls"]["key"]) > 1000
    assert contacts.make_tickets_table(quiet).num_rows > 100
    quiet["people"] = dict(block["people"], channels=block["people"]["channels"] & 3)
    quiet["calls"] = contacts.make_calls(world, quiet["people"], block["records"], quiet["orders"])
    text, facts = write(quiet)
    assert len(quiet["calls"]["key"]) == len(text) == facts.num_rows == contacts.make_tickets_table(quiet).num_rows == 0
    assert consents.make_consents_table(quiet).num_rows > 1000
