"""Data from outside: fairs and a bought list hold known people as they were then, and strangers nobody can mix up."""

from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cimlab.retailer import external, fair_notes
from cimlab.retailer import firms as companies
from cimlab.retailer import people as persons
from cimlab.retailer.block import make_block
from cimlab.retailer.draws import Draws, read_settings
from cimlab.retailer.world import CATEGORIES, REFERENCE_DAY, iso_dates, make_world

PERSONS, SMALL = 12_288, 3_000
MAKERS = {"exhibition": external.make_exhibition_rows, "bought_list": external.make_bought_rows}
KEYS = {"exhibition": "card_no", "bought_list": "list_no"}
TYPED = {
    "exhibition": ["name", "firm", "position", "phone", "email"],
    "bought_list": ["name", "gender", "age_band", "phone", "city", "address"],
}


world = cache(make_world)


def make(start=0, stop=PERSONS, seed=3, level="normal"):
    return make_block(world(seed, level), start, stop, needs={"texts"})


@pytest.fixture(scope="module")
def block():
    return make()


@pytest.fixture(scope="module")
def made(block):
    """For each table: (data, truth) at the normal level."""
    return {name: maker(block) for name, maker in MAKERS.items()}


@pytest.fixture(scope="module")
def frames(made):
    """Each table with the truth about who it is, by number."""
    return {name: frame(name, data, truth) for name, (data, truth) in made.items()}


@pytest.fixture(scope="module")
def clean():
    """Each table as it is at the level at which nothing is wrong, by number."""
    block = make(level="clean")
    return {name: maker(block)[0][name].to_pandas().set_index(KEYS[name]) for name, maker in MAKERS.items()}


def frame(name, data, truth):
    table = data[name].to_pandas().set_index(KEYS[name])
    return table.join(truth["entity_map"].to_pandas().set_index("record_id"), validate="one_to_one")


@pytest.fixture(scope="module")
def people(block):
    """The persons of the block by id: the clean values that the tests need."""
    people = block["people"]
    columns = {
        "person_id": persons.person_ids(block["world"]["draws"], people["row"]).view("S8").astype(str),
        "name": persons.full_names(people),
        "phone": persons.phones_text(people["phone"]),
        "former_phone": persons.phones_text(people["former_phone"]),
        "changed": pd.to_datetime(iso_dates(people["phone_changed_on"]).to_pylist()),
        "address": persons.addresses(people),
        "former_address": persons.former_addresses(people),
        "moved": pd.to_datetime(iso_dates(people["moved_on"]).to_pylist()),
        "email": persons.emails(people),
        "birth": pd.to_datetime(iso_dates(people["birth"]).to_pylist()),
        "favourites": [{CATEGORIES[c] for c in row} for row in people["favourites"]],
    }
    return pd.DataFrame(columns).set_index("person_id")


# --- the form of the tables ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_the_columns_are_those_of_the_dictionary(made, name):
    table = made[name][0][name]
    columns = read_settings("dictionary")["tables"][name]["columns"]
    assert table.column_names == list(columns)
    types = {"string": pa.string(), "date": pa.date32()}
    for column_name, (kind, _, _, _, *extra) in columns.items():
        column, rules = table[column_name].combine_chunks(), extra[0] if extra else {}
        if isinstance(column, pa.DictionaryArray):
            column = column.cast(pa.string())
        assert column.type == types[kind], column_name
        assert not (rules.get("required") and column.null_count), column_name
        if "enum" in rules:
            assert set(column.to_pylist()) == set(rules["enum"]), column_name
        if "pattern" in rules:
            assert pc.all(pc.match_substring_regex(column, f"^{rules['pattern']}$")).as_py(), column_name
    assert len(set(table[KEYS[name]].to_pylist())) == len(table)


@pytest.mark.parametrize("name", MAKERS)
def test_the_truth_has_the_columns_of_the_dictionary(made, name):
    for table_name, table in made[name][1].items():
        assert table.column_names == list(read_settings("dictionary")["truth"][table_name]["columns"])
    assert set(made[name][1]) == {"entity_map", "ledger"} | ({"contacts"} if name == "exhibition" else set())
    numbers = made[name][0][name][KEYS[name]].to_pylist()
    assert sorted(made[name][1]["entity_map"]["record_id"].to_pylist()) == sorted(numbers)


def test_the_small_edition_keeps_to_its_size():
    for seed in (1, 20260630):
        block = make(0, SMALL, seed)
        assert 100 < len(external.make_exhibition_rows(block)[0]["exhibition"]) < 180
        assert 400 < len(external.make_bought_rows(block)[0]["bought_list"]) <= 560


# --- the ledger ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_the_ledger_undoes_every_typed_cell(frames, made, clean, name):
    typed, right = frames[name], clean[name].loc[frames[name].index]
    ledger = made[name][1]["ledger"].to_pandas().astype({"field": str, "operation": str})
    assert not ledger.duplicated(["record_id", "field"]).any()
    assert set(ledger["field"]) == set(TYPED[name])
    ledger = ledger.set_index(["field", "record_id"])["clean_value"]
    for field in TYPED[name]:
        as_typed, as_is = typed[field].fillna(""), right[field].fillna("")
        changed = as_typed.index[as_typed != as_is]
        noted = ledger.loc[field]
        assert set(noted.index) == set(changed), field
        assert (noted.fillna("") == as_is[noted.index]).all(), field


@pytest.mark.parametrize("name", MAKERS)
def test_the_clean_level_has_no_ledger(name):
    _, truth = MAKERS[name](make(0, 2_048, level="clean"))
    assert len(truth["ledger"]) == 0


def test_clean_rows_are_the_persons_themselves(frames, clean, people):
    for name in MAKERS:
        known = frames[name].dropna(subset=["person_id"])
        right = people.loc[known["person_id"]]
        rows = clean[name].loc[known.index]
        for field in ("name", "phone"):
            assert (rows[field].to_numpy() == right[field].to_numpy()).all(), (name, field)
    rows, known = clean["exhibition"], frames["exhibition"].dropna(subset=["person_id"])
    emails = people.loc[known["person_id"], "email"].fillna("")
    assert (rows.loc[known.index, "email"].fillna("").to_numpy() == emails.to_numpy()).all()


# --- strangers -----------------------------------------------------------------------------------------------------


def test_no_stranger_has_a_number_or_address_of_the_world(block, frames, clean, people, made):
    firms = companies.make_firms(block["world"]["draws"], np.arange(*block["firms"]))
    taken = set(people["phone"]) | set(people["former_phone"].dropna())
    taken |= {str(number) for number in firms["contacts"]["phone"]}
    mails = set(people["email"].dropna()) | set(firms["contacts"]["email"].to_pylist())
    places = block["people"]["row"][:, None] * 4 + [
        external.PRIVATE,
        external.PRIVATE + 1,
        external.BOUGHT,
        external.FIRM,
    ]
    kept_free = external.strangers_numbers(block["world"]["draws"], places.ravel())
    kept_free = set(persons.phones_text(kept_free).to_pylist())
    assert not taken & kept_free
    contacts = made["exhibition"][1]["contacts"].to_pandas()
    customers = companies.firm_ids(block["world"]["draws"], firms["row"]).view("S8").astype(str)
    for name in MAKERS:
        strangers = frames[name].index[frames[name]["person_id"].isna()]
        strangers = strangers.difference(contacts["record_id"][contacts["firm_id"].isin(customers)])
        assert len(strangers) > 100
        assert set(clean[name].loc[strangers, "phone"]) <= kept_free, name
        if name == "exhibition":
            given = clean[name].loc[strangers, "email"].dropna()
            assert not set(given) & mails
            assert not given.str.contains(r"\d{8}").any(), "their addresses look like those of customers"


def test_strangers_are_people_like_others(clean, frames):
    listed, known = clean["bought_list"], frames["bought_list"]["person_id"].notna()
    for field in ("name", "gender", "city", "address"):
        assert listed.loc[known[known].index, field].notna().all()
        assert listed.loc[known[~known].index, field].notna().all()
    women = (listed["gender"] == "F").groupby(known).mean()
    assert abs(women[True] - women[False]) < 0.12
    hangzhou = (listed["city"] == "杭州市").groupby(known).mean()
    assert abs(hangzhou[True] - hangzhou[False]) < 0.06
    ages = listed["age_band"].groupby(known).nunique()
    assert (ages >= 6).all()
    assert listed["name"][~known].nunique() > 0.8 * (~known).sum()


def test_strangers_numbers_stay_free_in_any_world():
    rows = np.arange(0, 700_000, 7)
    places = [rows * 4 + kind for kind in (external.PRIVATE, external.PRIVATE + 1, external.BOUGHT, external.FIRM)]
    numbers = external.strangers_numbers(Draws(1), np.concatenate(places))
    assert len(set(numbers.tolist())) == len(numbers)
    world = persons.phone_numbers(Draws(1), np.arange(0, 12_000_000, 11))
    assert not set(numbers.tolist()) & set(world.tolist())


# --- fairs ---------------------------------------------------------------------------------------------------------


def test_each_visit_lies_within_its_fair(frames):
    for fair in read_settings("external")["exhibition"]["fairs"]:
        days = pd.to_datetime(frames["exhibition"].query("fair == @fair['name']")["visited_on"])
        first = pd.Timestamp(fair["first_day"])
        assert set((days - first).dt.days) == set(range(len(fair["day_weights"])))


def test_private_visitors_members_and_firms_all_come(frames, clean):
    cards = frames["exhibition"]
    for_firm = clean["exhibition"]["firm"].notna().loc[cards.index]
    known = cards["person_id"].notna()
    assert not (for_firm & known).any()
    for share, low, high in ((known, 0.25, 0.55), (for_firm, 0.25, 0.5), (~for_firm & ~known, 0.15, 0.4)):
        assert low < share.mean() < high
    assert clean["exhibition"].loc[for_firm[for_firm].index, "position"].notna().all()
    assert clean["exhibition"].loc[for_firm[~for_firm].index, "position"].isna().all()
    again = cards[known].groupby("person_id")["fair"].nunique()
    assert 0.04 < (again == 2).mean() < 0.25


def test_people_of_the_city_come_more_often(frames, block):
    cards = frames["exhibition"].dropna(subset=["person_id"])
    people = block["people"]
    ids = persons.person_ids(block["world"]["draws"], people["row"]).view("S8").astype(str)
    city = pd.Series(persons.city_names(people["city"]).to_pylist(), index=ids)
    for fair in read_settings("external")["exhibition"]["fairs"]:
        home = city[cards.query("fair == @fair['name']")["person_id"]] == fair["city"]
        assert home.mean() > 2 * (city == fair["city"]).mean()


def test_those_who_came_for_a_firm_stand_in_the_contacts(made, clean, block):
    contacts = made["exhibition"][1]["contacts"].to_pandas().set_index("record_id")
    rows = clean["exhibition"].loc[contacts.index]
    for field in ("name", "phone", "email"):
        assert (rows[field].fillna("") == contacts[field].fillna("")).all()
    assert set(contacts.index) == set(clean["exhibition"].index[clean["exhibition"]["firm"].notna()])
    draws, numbers = block["world"]["draws"], np.arange(*block["firms"])
    firms = companies.make_firms(draws, numbers)
    names = dict(zip(companies.firm_ids(draws, numbers).view("S8").astype(str), firms["name"].to_pylist(), strict=True))
    customer = contacts["firm_id"].isin(list(names))
    assert 0.6 < customer.mean() < 0.95
    assert (contacts["firm_id"][customer].map(names) == rows["firm"][customer]).all()
    assert (rows["firm"] == rows["firm"].groupby(contacts["firm_id"]).transform("first")).all()
    assert not set(contacts["phone"][~customer]) & {str(number) for number in firms["contacts"]["phone"]}


def test_a_number_that_changed_since_is_noted_as_it_was(frames, made, people):
    ledger = made["exhibition"][1]["ledger"].to_pandas().astype({"field": str, "operation": str})
    stale = ledger[(ledger["field"] == "phone") & ledger["operation"].str.contains("stale")]
    cards = frames["exhibition"].loc[stale["record_id"]]
    changed = people.loc[cards["person_id"], "changed"].to_numpy()
    assert len(cards) > 3 and (changed > pd.to_datetime(cards["visited_on"]).to_numpy()).all()


def test_interests_are_mostly_true_favourites(frames, people):
    known = frames["exhibition"].dropna(subset=["person_id"])
    english = known[known["interest"].str.contains("[a-z]")]
    assert 0.15 < len(english) / len(known) < 0.35
    first = english["interest"].str.split(", ").str[0]
    assert set(first) <= set(CATEGORIES)
    hits = [
        interest in people.loc[person, "favourites"]
        for interest, person in zip(first, english["person_id"], strict=True)
    ]
    assert np.mean(hits) > 0.7
    counts = english["interest"].str.count(", ") + 1
    assert 0.25 < (counts > 1).mean() < 0.6 and counts.max() == 3


# --- notes ---------------------------------------------------------------------------------------------------------


def test_notes_are_in_two_languages_and_hardly_two_are_alike(frames):
    cards = frames["exhibition"]
    notes = cards["manner"].dropna()
    assert 0.85 < len(notes) / len(cards) < 0.97
    english = notes.str.fullmatch(r"[ -~]+")
    assert 0.15 < english.mean() < 0.35
    assert (english == cards.loc[notes.index, "interest"].str.contains("[a-z]")).all(), "a helper writes one language"
    assert notes.nunique() > 0.95 * len(notes)
    private = read_settings("external")["manner"]
    secret = notes.map(lambda note: any(text in note for words in private.values() for text in words["sensitive"]))
    assert 0.005 < secret.mean() < 0.05


def test_the_liking_fits_the_group_that_was_asked_for(frames, clean):
    cards, words = frames["exhibition"].dropna(subset=["manner"]), read_settings("external")
    named = {name: category for category, names in words["interests"].items() for name in [*names, category]}
    first = cards["interest"].str.split(r"[、/,]|(?<![a-z]) ", regex=True).str[0].map(named)
    assert first.notna().all()
    found = 0
    for number, (note, category) in enumerate(zip(cards["manner"], first, strict=True)):
        language = "en" if note.isascii() else "zh"
        kind = "wants" if pd.notna(clean["exhibition"].loc[cards.index[number], "firm"]) else "liking"
        fitting = any(text in note for text in words["manner"][language][kind][category])
        # A short phrase may be part of a longer one; what counts is that the right group is there if any is.
        others = [c for c in CATEGORIES if any(text in note for text in words["manner"][language][kind][c])]
        assert fitting or not others, note
        found += fitting
    assert 0.6 < found / len(cards) < 0.95


def test_looks_fit_sex_and_age():
    count = 4_000
    visitors = {
        "key": np.arange(count) * 512,
        "sex": np.arange(count) % 2,
        "age": np.where(np.arange(count) % 4 < 2, 21, 70),
        "interests": np.tile([[0, -1, -1]], (count, 1)),
        "english": np.arange(count) % 8 > 5,
    }
    notes = pd.Series(fair_notes.make_notes(Draws(1), visitors).to_pylist(), dtype=str)
    age = read_settings("external")["manner"]["zh"]["age"]
    man, old = visitors["sex"] == 1, visitors["age"] == 70
    for sex, limit, group in (
        ("F", 24, ~man & ~old),
        ("M", 24, man & ~old),
        ("F", 999, ~man & old),
        ("M", 999, man & old),
    ):
        # 像大学生 and 二十出头 are said of young women and men alike: the first phrase belongs to one group only.
        named = notes.str.contains(age[sex][limit][0], regex=False, na=False)
        assert named.any() and group[named].all(), (sex, limit)


# --- the bought list -----------------------------------------------------------------------------------------------


def test_half_of_the_list_are_strangers_and_some_stand_there_twice(frames, clean):
    listed = frames["bought_list"]
    known = listed["person_id"].notna()
    assert 0.42 < known.mean() < 0.58
    assert 0.07 < listed["person_id"].nunique() / PERSONS < 0.10
    person = clean["bought_list"].loc[listed.index, "phone"]
    twice = person[~known].duplicated()
    assert 0.04 < twice.mean() < 0.08
    assert 0.04 < 1 - listed["person_id"].nunique() / known.sum() < 0.08


def test_the_list_shows_what_was_true_when_it_was_collected(frames, made, people):
    listed = frames["bought_list"].dropna(subset=["person_id"])
    day, right = pd.to_datetime(listed["collected_on"]).to_numpy(), people.loc[listed["person_id"]]
    old = right["changed"].to_numpy() > day
    digits = listed["phone"].str.replace(r"\D", "", regex=True).str.replace("^(00)?86", "", regex=True).fillna("")
    former = (digits == right["former_phone"].to_numpy()).to_numpy()
    assert old.sum() > 50
    assert former[old].mean() > 0.75 and not former[~old].any()
    moved = right["moved"].to_numpy() > day
    same = (listed["address"] == right["former_address"].to_numpy()).to_numpy()
    assert same[moved].mean() > 0.2 and not same[~moved].any()
    assert pd.to_datetime(frames["bought_list"]["collected_on"]).min() > pd.Timestamp("2020-06-01")
    assert day.max() <= np.datetime64("1970-01-01") + np.timedelta64(REFERENCE_DAY, "D")
    age = (pd.Timestamp("2026-06-30") - pd.to_datetime(frames["bought_list"]["collected_on"])).dt.days / 365.25
    assert 3 < age.median() < 5


def test_age_bands_are_those_of_the_day_mostly(frames, people):
    listed = frames["bought_list"].dropna(subset=["person_id"])
    assert 0.03 < listed["age_band"].isna().mean() < 0.10
    given = listed.dropna(subset=["age_band"])
    years = (pd.to_datetime(given["collected_on"]).to_numpy() - people.loc[given["person_id"], "birth"]) / pd.Timedelta(
        days=365.25
    )
    limits, names = zip(*read_settings("external")["bought"]["age_bands"], strict=True)
    at = np.searchsorted(np.array(limits) + 1, years.to_numpy(), side="right")
    off = np.abs(at - given["age_band"].map(names.index).to_numpy())
    assert 0.08 < (off > 0).mean() < 0.2 and off.max() <= 2
    assert years.min() > 15.9


def test_interests_of_the_dealer_tell_little(frames, people):
    settings = read_settings("external")["bought"]
    listed = frames["bought_list"]
    interests = listed["interests"].str.split("、")
    assert interests.map(len).between(1, 4).all() and (interests.map(len) == interests.map(set).map(len)).all()
    assert {name for row in interests for name in row} == {name for name, _ in settings["sold"]}
    known = listed.dropna(subset=["person_id"])
    own = people.loc[known["person_id"], "favourites"].map(lambda likes: {settings["names"][c] for c in likes})
    hits = [name in likes for row, likes in zip(interests[known.index], own, strict=True) for name in row]
    chance = [name in likes for row, likes in zip(interests[known.index], own.iloc[::-1], strict=True) for name in row]
    assert 0.2 < np.mean(hits) < 0.5
    assert np.mean(hits) > np.mean(chance) + 0.05


# --- any cut, any seed ---------------------------------------------------------------------------------------------


def rows_of(tables):
    return {name: sorted(map(str, table.to_pylist())) for name, table in tables.items()}


@pytest.mark.parametrize("name", MAKERS)
def test_no_cut_of_the_persons_changes_a_row(made, name):
    cut = 5_000
    first, second = MAKERS[name](make(0, cut)), MAKERS[name](make(cut, PERSONS))
    for whole, one, other in zip(made[name], first, second, strict=True):
        together = {key: rows_of({key: one[key]})[key] + rows_of({key: other[key]})[key] for key in whole}
        assert {key: sorted(rows) for key, rows in together.items()} == rows_of(whole)


@pytest.mark.parametrize("name", MAKERS)
def test_blocks_of_one_household_work(name):
    parts = [MAKERS[name](make(start, start + 8))[0][name] for start in range(0, 96, 8)]
    together = MAKERS[name](make(0, 96))[0][name]
    assert sorted(str(row) for part in parts for row in part.to_pylist()) == rows_of({name: together})[name]
    assert any(len(part) == 0 for part in parts) and len(together)


@pytest.mark.parametrize("name", MAKERS)
def test_another_seed_gives_other_rows(made, name):
    other = MAKERS[name](make(0, SMALL, 4))[0][name][KEYS[name]].to_pylist()
    assert len(set(other) & set(made[name][0][name][KEYS[name]].to_pylist())) < 0.05 * len(other)
