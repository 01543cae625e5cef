"""The retailer as a whole.

The same content from one seed however it is cut, harmless values, people and purchases like life.

What is typed and why stands in test_retailer_dirt, firms, calls, voices and files in tests of their own, figures
against those of real retailers in test_truth.
"""

import ast
import filecmp
import os
import re
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import cimlab
from cimlab.__main__ import main
from cimlab.retailer import block, edition, people, purchases, read_truth
from cimlab.retailer.draws import FOLDER, ONE, Draws, quantile_tables, read_settings, split_entries
from cimlab.retailer.people import emails, make_people
from cimlab.retailer.world import id_text, join_texts, make_world

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def data_of_the_course():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CIMLAB_DATA", raising=False)
        patch.delenv("CIMLAB_SEED", raising=False)
        yield


@pytest.fixture(scope="module")
def truth():
    return {name: read_truth(name) for name in read_settings("dictionary")["truth"]}


@pytest.fixture(scope="module")
def records(truth):
    """All records of persons in the shop's own channels, one row each: as typed, with the true person."""
    frames = []
    for source, table, key in (
        ("till", "members", "member_id"),
        ("web", "web_accounts", "account_id"),
        ("call", "calls", "call_id"),
    ):
        frame = cimlab.load(table).rename(columns={"full_name": "name", "caller_name": "name", key: "record_id"})
        frames.append(frame.assign(source=source))
    return pd.concat(frames).merge(truth["entity_map"], validate="one_to_one")


@pytest.fixture(scope="module")
def orders():
    return cimlab.load("orders")


@pytest.fixture(scope="module")
def buyers(orders, truth):
    """The true person of each order."""
    known = orders["customer_ref"].map(truth["entity_map"].set_index("record_id")["person_id"])
    return known.fillna(orders["order_id"].map(truth["anonymous_orders"].set_index("order_id")["person_id"]))


def digits(phones):
    """The digits of numbers as typed, without the code of the country; '' for a blank."""
    wide = str.maketrans("０１２３４５６７８９", "0123456789")
    return (
        phones.fillna("")
        .map(lambda text: re.sub(r"\D", "", text.translate(wide)))
        .str.replace("^(00)?86", "", regex=True)
    )


# --- the same content ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("again")
    assert main(["generate", str(folder / "datasets"), "--truth", str(folder / "truth")]) == 0
    return folder


@pytest.mark.parametrize("name", ["datasets", "truth"])
def test_the_committed_files_are_what_the_generator_makes(regenerated, name):
    committed = sorted(path.name for path in (ROOT / name).iterdir())
    assert sorted(path.name for path in (regenerated / name).iterdir()) == committed
    same, different, unreadable = filecmp.cmpfiles(ROOT / name, regenerated / name, committed, shallow=False)
    assert (different, unreadable) == ([], []), "run `cimlab generate datasets --truth truth` and look at the changes"
    assert len(same) == len(committed)


def test_another_seed_makes_other_people():
    data, _ = edition.make_tables(1, "normal", 0, 40)
    other, _ = edition.make_tables(2, "normal", 0, 40)
    assert data["members"] != other["members"]
    assert edition.make_common_tables(1)["stores"] == edition.make_common_tables(2)["stores"]


def test_hash_randomisation_changes_nothing(tmp_path):
    folders = []
    for hash_seed in ("1", "2"):
        folders.append(tmp_path / hash_seed)
        arguments = ["generate", str(folders[-1] / "d"), "--truth", str(folders[-1] / "t"), "--customers", "80"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-m", "cimlab", *arguments]
        subprocess.run(command, env=environment, check=True, cwd=ROOT, capture_output=True)
    for part in ("d", "t"):
        names = [path.name for path in (folders[0] / part).iterdir()]
        assert filecmp.cmpfiles(folders[0] / part, folders[1] / part, names, shallow=False)[1:] == ([], [])


@pytest.fixture(scope="module")
def whole():
    return edition.make_tables(11, "normal", 0, 400)


@pytest.mark.parametrize("cut", [8, 200, 312])
def test_the_content_does_not_depend_on_where_the_work_is_cut(whole, cut):
    first, second = edition.make_tables(11, "normal", 0, cut), edition.make_tables(11, "normal", cut, 400)
    for tables, one, two in zip(whole, first, second, strict=True):
        assert tables.keys() == one.keys() == two.keys()
        for name, table in tables.items():
            together = pa.concat_tables(
                [one[name].unify_dictionaries(), two[name].unify_dictionaries()], promote_options="permissive"
            )
            assert sorted(map(repr, together.to_pylist())) == sorted(map(repr, table.to_pylist())), name


def test_the_first_customers_of_a_larger_world_are_those_of_a_smaller_one(whole):
    """Also where a household or a block is cut in the middle: what a table says of the first 100 persons stays."""
    small = edition.make_tables(11, "normal", 0, 100)
    kept = set(small[1]["persons"]["person_id"].to_pylist())
    large = whole[1]["persons"].to_pandas()
    assert large[large["person_id"].isin(kept)].to_dict("records") == small[1]["persons"].to_pandas().to_dict("records")
    for name, key in (
        ("members", "member_id"),
        ("orders", "order_id"),
        ("consents", "consent_id"),
        ("reviews", "review_id"),
    ):
        rows = {row[key]: row for row in whole[0][name].to_pylist()}
        for row in small[0][name].to_pylist():
            assert rows[row[key]] == row, name


def test_a_block_cannot_cut_a_household():
    with pytest.raises(ValueError, match="multiple of 8"):
        block.make_block(make_world(1), 4, 20)


def test_a_table_alone_is_the_same_as_with_all_others(whole):
    for name in (
        "order_lines",
        "orders",
        "members",
        "returns",
        "reviews",
        "enterprises",
        "bought_list",
        "questionnaire",
    ):
        alone = edition.make_tables(11, "normal", 0, 400, truth=False, only={name})
        assert alone[1] == {}
        assert list(alone[0]) == [name]
        assert alone[0][name] == whole[0][name], name


def test_compiled_code_gives_the_same_bits(monkeypatch):
    pytest.importorskip("numba", reason="the accelerator (pip install 'cimlab[fast]') is not installed")
    from cimlab.retailer import compiled

    world, results = make_world(3), []
    for limit in (10**9, 1):
        monkeypatch.setattr(purchases, "WORTH_COMPILING", limit)
        results.append(block.make_block(world, 0, 3000, {"texts", "cards", "lines", "orders"}))
    assert max(results[0]["people"]["counted"]) > compiled.FEW
    for part in ("people", "contacts", "records", "orders", "lines"):
        assert results[0][part].keys() == results[1][part].keys()
        for name, column in results[0][part].items():
            assert np.array_equal(column, results[1][part][name]), (part, name)


def test_the_orders_are_the_same_whatever_else_is_made():
    """With less needed, less is made on the way."""
    world = make_world(3)
    whole, lean = (block.make_block(world, 0, 1600, needs) for needs in (block.ALL, {"lines"}))
    for part in ("people", "contacts", "orders", "lines"):
        assert lean[part].keys() <= whole[part].keys()
        for name, column in lean[part].items():
            assert np.array_equal(column, whole[part][name]), (part, name)


@pytest.mark.parametrize("start", [0, 2**16 - 40, 2**22 + 7])
def test_a_person_is_the_same_without_the_neighbours(start):
    """Every third row: some first adults and some elder brothers are not among them."""
    rows = start + np.arange(2000)
    whole, some = make_people(Draws(3), rows), make_people(Draws(3), rows[::3])
    for name in whole.keys() - {"email_words", "email_shift"}:
        assert np.array_equal(whole[name][::3], some[name]), name
    assert emails(whole).take(pa.array(np.arange(0, 2000, 3))) == emails(some)


def test_the_customer_master_holds_the_clean_persons():
    """Which the benchmark makes in another way, without what it does not need."""
    master = people.make_master(Draws(11), 0, 400).to_pandas()
    truth = edition.make_tables(11, "normal", 0, 400)[1]["persons"].to_pandas()
    truth["address"] = truth["city"].astype(str) + truth["address"]
    for name in master.columns:
        assert (
            master[name].astype(object).where(master[name].notna(), None).tolist()
            == truth[name].astype(object).where(truth[name].notna(), None).tolist()
        ), name


def test_a_draw_depends_on_its_place_only():
    draws, rows = Draws(7), np.arange(1000)
    whole = draws.bits("table", "column", rows)
    draws.bits("table", "other", rows)
    assert np.array_equal(draws.bits("table", "column", rows[400:500]), whole[400:500])
    assert np.array_equal(draws.bits("table", "column", rows[::-1]), whole[::-1])
    assert len({number for draw in range(20) for number in draws.bits("t", "c", rows, draw).tolist()}) == 20_000


def test_draws_have_the_bits_that_they_always_had():
    """Recorded once: another value here means that every edition ever made is another one."""
    draws, rows = Draws(20260630), np.arange(3)
    assert draws.bits("person", "birth", rows).tolist() == RECORDED["bits"]
    assert draws.ids("O", rows).view("S8").tolist() == RECORDED["ids"]
    assert draws.quantile("rate", "person", "rate", rows).tolist() == RECORDED["rate"]


RECORDED = {
    "bits": [6321320371759671763, 337089473195239858, 10823167238468653538],
    "ids": [b"OZPX64", b"OCE89T", b"O195NE"],
    "rate": [74014, 3458, 131645],
}


def test_draws_are_even():
    counts = np.bincount(Draws(1).below(10, "even", "digit", np.arange(20_000)))
    assert ((counts > 1850) & (counts < 2150)).all()  # 2000 ± 3.5 standard deviations
    words = Draws(1).words("even", "words", np.arange(20_000)).astype(np.int64)
    assert np.abs(np.corrcoef(words) - np.eye(4)).max() < 0.03
    assert np.abs(words.mean(axis=1) / 32768 - 1).max() < 0.02


@pytest.mark.parametrize("share", [-5, 0, 1, 333, 999, 1000, 2000])
def test_a_chance_of_a_thousand_is_a_number_below_a_thousand(share):
    draws, rows = Draws(4), np.arange(20_000)
    numbers = draws.below(1000, "chance", "x", rows)
    assert np.array_equal(draws.chance(share, "chance", "x", rows), numbers < share)
    assert np.array_equal(draws.chance(np.full(len(rows), share), "chance", "x", rows), numbers < share)


def test_texts_are_joined_from_pieces():
    pieces, codes = pa.array(["", "王", "小", "明"]), np.array([[1, 3], [0, 0], [2, 1]], dtype=np.int32)
    assert join_texts(pieces, codes).to_pylist() == ["王明", "", "小王"]
    mask = np.array([True, False, False, True, False])
    assert join_texts(pieces, codes, mask).to_pylist() == [None, "王明", "", None, "小王"]
    assert join_texts(pieces, codes[:0]).to_pylist() == []
    assert join_texts(pieces, codes[:0], np.ones(2, dtype=bool)).to_pylist() == [None, None]


@pytest.mark.parametrize("start", [0, 2**25, 2**25 - 50])
def test_identifiers_may_be_blank(start):
    ids, mask = Draws(1).ids("M", start + np.arange(100)), np.arange(100) % 3 == 0
    expected = [None if none else text for text, none in zip(id_text(ids).to_pylist(), mask, strict=True)]
    assert id_text(ids, mask).to_pylist() == expected


def test_identifiers_are_shuffled_and_unique():
    for start, length in ((0, 5), (2**25 + 77, 7), (2**25 - 500, None)):
        ids = Draws(1).ids("M", start + np.arange(200_000))
        texts = id_text(ids[:1000])
        assert len(np.unique(ids)) == 200_000
        assert texts.to_pylist() == [text.decode() for text in ids[:1000].view("S8").tolist()]
        assert all(re.fullmatch(r"M[0-9A-HJKMNP-TV-Z]{5,7}", text) for text in texts.to_pylist())
        assert {len(text) - 1 for text in texts.to_pylist()} == ({length} if length else {5, 7})
        assert len({text[:4] for text in texts.to_pylist()}) > 900, "neighbours look alike"
    blank = id_text(ids[:4], np.array([True, False, True, False]))
    assert blank.null_count == 2


def test_a_shuffle_holds_each_number_once():
    for size in (1, 2, 7, 1000, 4097):
        assert sorted(Draws(3).permute(np.arange(size), size, "x").tolist()) == list(range(size))


@pytest.mark.parametrize(
    ("name", "mean", "sd"),
    [
        ("rate", 1, (1 / 0.55) ** 0.5),
        ("exponential", 1, 1),
        ("lognormal_30", 1, 0.3069),
        ("lognormal_45", 1, 0.4737),
        ("lognormal_90", 1, 1.1167),
        ("normal", 0, 1),
    ],
)
def test_draws_have_the_mean_and_spread_of_their_distribution(name, mean, sd):
    """Of the gamma distribution of shape 0.55, the exponential, log-normal (sqrt(e^(s²) − 1)) and normal one."""
    values = Draws(5).quantile(name, "test", name, np.arange(400_000)) / ONE
    assert values.mean() == pytest.approx(mean, abs=0.01 * max(sd, 1))
    assert values.std() == pytest.approx(sd, rel=0.03)


def test_the_quantile_tables_are_what_the_command_makes(tmp_path):
    """Within one unit: another version of scipy may round another way."""
    pytest.importorskip("scipy")
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import make_quantiles
    finally:
        sys.path.pop(0)
    for name, distribution in make_quantiles.DISTRIBUTIONS.items():
        assert np.abs(quantile_tables()[name] - make_quantiles.make_table(distribution)).max() <= 1, name
    rows = np.loadtxt(FOLDER / "poisson.csv", delimiter=",", skiprows=1, dtype=np.int64)
    assert np.abs(rows - np.array(make_quantiles.make_poisson())).max() <= 8


@pytest.mark.parametrize("mean", [0.004, 0.3, 2.5, 40])
def test_poisson_numbers_have_their_mean_and_variance(mean):
    counts = Draws(2).poisson(np.full(200_000, int(mean * ONE)), "test", "poisson", np.arange(200_000))
    assert counts.mean() == pytest.approx(int(mean * ONE) / ONE, rel=0.02, abs=0.001)
    assert counts.var() == pytest.approx(mean, rel=0.05, abs=0.001)
    assert not Draws(2).poisson(np.zeros(1000, dtype=np.int64), "test", "poisson", np.arange(1000)).any()


# Modules that only look at finished data, or write it: floats and clocks do no harm there.
NOT_IN_THE_DATA_PATH = {
    "command",
    "facts",
    "facts_baskets",
    "facts_measure",
    "card",
    "croissant",
    "page",
    "sources",
    "verify",
    "queries",
    "verify_command",
    "run",
    "write",
    "folders",
    "students",
    "truth",
    "files",
    "workbook",
}
# They round otherwise on other processors or with other versions of numpy.
FLOAT_FUNCTIONS = {
    "log",
    "log2",
    "log10",
    "log1p",
    "exp",
    "exp2",
    "expm1",
    "sqrt",
    "power",
    "float_power",
    "sin",
    "cos",
    "tanh",
    "random",
    "default_rng",
    "RandomState",
    "Generator",
    "mean",
    "std",
    "var",
}


def test_nothing_in_the_data_path_can_differ_between_machines():
    """No clock, no running random stream, no float mathematics that other processors round otherwise."""
    banned = {"random", "math", "uuid", "time", "secrets", "pandas", "scipy"}
    paths = [path for path in FOLDER.glob("*.py") if path.stem not in NOT_IN_THE_DATA_PATH]
    assert len(paths) > 15
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module.split(".")[0]]
            assert not banned & set(names), path.name
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("now", "today", "utcnow"), path.name
                assert not (node.attr in FLOAT_FUNCTIONS and ast.unparse(node.value) in ("np", "np.random")), (
                    f"{path.name}:{node.lineno}"
                )
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not is_path(node):
                divisor = ast.unparse(node.right)
                assert divisor in ALLOWED_DIVISORS, f"{path.name}:{node.lineno} reckons in floats: … / {divisor}"


# A whole number divided by one of these is rounded the same way everywhere (IEEE 754), and it is the last step.
ALLOWED_DIVISORS = {"ONE", "10.0", "100.0", "1000.0", "10000.0", "1000"}


def is_path(node):
    """`folder / "name"` is no division."""
    return any(sign in ast.unparse(node) for sign in ("/ '", "/ f'", "FOLDER"))


# --- harmless values -----------------------------------------------------------------------------------------------


REAL_REGIONS = {
    *range(11, 16),
    *range(21, 24),
    *range(31, 38),
    *range(41, 47),
    *range(50, 55),
    *range(61, 66),
    71,
    81,
    82,
    83,
    91,  # 91 begins the numbers of foreign residents
}


INVENTED = r"(1740[0-5]\d{5,6}|1349\d{6,7})"


def test_no_number_lies_outside_the_invented_ranges(records, truth):
    lists = [
        cimlab.load("bought_list")["phone"],
        cimlab.load("exhibition")["phone"],
        cimlab.load("enterprise_contacts")["phone"],
    ]
    clean = [truth["persons"]["phone"], truth["persons"]["former_phone"], truth["enterprises"]["contact_phone"]]
    noted = [truth["call_facts"]["phone"], truth["contacts"]["phone"]]
    numbers = digits(pd.concat([*clean, *noted]).dropna())
    assert numbers.str.fullmatch(INVENTED).all()
    typed = digits(pd.concat([records["phone"], cimlab.load("enterprises")["contact_phone"], *lists]).dropna())
    real = typed.str.fullmatch(r"1[3-9]\d{9}") & ~typed.str.fullmatch(INVENTED)
    assert not real.any(), typed[real].head().tolist()


def test_every_clean_number_is_a_valid_mobile_number(truth):
    import phonenumbers

    for number in pd.concat([truth["persons"]["phone"], truth["enterprises"]["contact_phone"]]):
        parsed = phonenumbers.parse(number, "CN")
        assert phonenumbers.is_valid_number(parsed)
        assert phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.MOBILE


def test_a_stranger_shares_a_number_only_if_it_was_sold_again(truth):
    persons = truth["persons"]
    shared = persons[persons["phone"].duplicated(keep=False)]
    assert not shared[["phone", "household_id"]].drop_duplicates()["phone"].duplicated().any()
    again = persons[persons["phone"].isin(persons["former_phone"])]
    assert 1 <= len(again) <= 40
    elsewhere = pd.concat([truth["enterprises"]["contact_phone"], truth["contacts"]["phone"]])
    assert not set(elsewhere) & {*persons["phone"], *persons["former_phone"]} - set(
        truth["contacts"]["phone"][truth["contacts"]["firm_id"].isna()]
    )


def test_two_million_customers_have_as_many_numbers_and_addresses():
    for start in (0, 999_936, 1_999_936):
        people = make_people(Draws(9), np.arange(start, start + 4096), traits=False)
        assert pd.Series(emails(people).to_pandas()).dropna().is_unique
    rows = np.arange(2_000_000)
    from cimlab.retailer.people import phone_numbers

    assert len(np.unique(phone_numbers(Draws(9), rows))) == 2_000_000


def test_email_addresses_are_in_the_example_domains_or_unreadable(records, truth):
    from email_validator import EmailNotValidError, validate_email

    for address in truth["persons"]["email"].dropna():
        validate_email(address, check_deliverability=False, test_environment=True)
    assert truth["persons"]["email"].dropna().is_unique
    typed = records["email"].dropna().str.strip()
    safe = typed.str.lower().str.fullmatch(r"[a-z0-9._]+@example\.(com|net|org)")
    for address in typed[~safe]:
        with pytest.raises(EmailNotValidError):
            validate_email(address, check_deliverability=False)
    assert 0.9 < safe.mean() < 1


def test_identity_numbers_are_right_and_of_no_real_region(records, truth):
    from stdnum.cn import ric

    persons = truth["persons"]
    assert persons["id_number"].is_unique
    for number, born, gender in zip(persons["id_number"], persons["birth_date"], persons["gender"], strict=True):
        assert number[:2] == "99"
        assert ric.calc_check_digit(number) == number[-1]
        assert ric.get_birth_date(number) == born.date()
        assert int(number[16]) % 2 == (gender == "M")
    typed = records["id_number"].dropna()
    typed = typed[~digits(typed).str.fullmatch(INVENTED)]  # a phone that was typed in the wrong column
    assert not typed.str[:2].astype(int).isin(REAL_REGIONS).any()
    wrong = typed.map(
        lambda text: ric.calc_check_digit(text.replace(" ", "").upper().ljust(18, "0")[:18]) != text[-1].upper()
    )
    assert 0.02 < wrong.mean() < 0.12  # the rates of dirt.yaml add up to 7 %


def test_the_data_does_not_tell_who_is_who(truth):
    """A student's kit holds datasets/: no id of a person, household or firm may be in it."""
    ids = set(truth["persons"]["person_id"]) | set(truth["persons"]["household_id"]) | set(truth["firms"]["firm_id"])
    for path in (ROOT / "datasets").iterdir():
        if path.suffix in (".csv", ".tsv", ".txt", ".jsonl"):
            text = path.read_bytes().decode("gb18030" if path.name == "bought_list.csv" else "utf-8")
            assert not ids & set(re.findall(r"\b[NHF][0-9A-Z]{5,7}\b", text)), path.name
            assert not re.search("person_id|household_id|firm_id|ledger", text.split("\n", 1)[0]), path.name
    assert len(ids) > 3000


def test_neither_order_nor_ids_tell_who_belongs_together(truth, records):
    """Of records that follow one another in a file, no more belong to one household than by chance."""
    for source in ("till", "web", "call"):
        homes = records.loc[records["source"] == source, "household_id"].to_numpy()
        assert (homes[1:] == homes[:-1]).mean() < 0.02, source
    ids = truth["entity_map"].sort_values("record_id")["household_id"].to_numpy()
    assert (ids[1:] == ids[:-1]).mean() < 0.01
    numbers = cimlab.load("reviewed").merge(truth["entity_map"]).sort_values("person_no")["household_id"].to_numpy()
    apart = numbers[:-1][numbers[1:] != numbers[:-1]]
    assert len(set(apart)) > 0.8 * len(apart)


# --- truth is complete ---------------------------------------------------------------------------------------------


def test_every_record_has_its_person(records, truth):
    assert len(records) == sum(len(cimlab.load(table)) for table in ("members", "web_accounts", "calls"))
    assert set(records["person_id"]) == set(truth["persons"]["person_id"])
    homes = truth["persons"].set_index("person_id")["household_id"]
    assert (records["household_id"] == records["person_id"].map(homes)).all()
    others = {*cimlab.load("bought_list")["list_no"], *cimlab.load("exhibition")["card_no"]}
    assert set(truth["entity_map"]["record_id"]) == set(records["record_id"]) | others
    assert set(truth["enterprises"]["enterprise_id"]) == set(cimlab.load("enterprises")["enterprise_id"])
    assert set(truth["traits"]["person_id"]) == set(truth["persons"]["person_id"])


def test_the_review_holds_all_records_of_a_fifth_of_the_persons(truth):
    reviewed = cimlab.load("reviewed").merge(truth["entity_map"])
    pairs = reviewed[["person_no", "person_id"]].drop_duplicates()
    assert pairs["person_no"].is_unique
    assert pairs["person_id"].is_unique
    assert 0.17 < len(pairs) / len(truth["persons"]) < 0.23
    everything = truth["entity_map"][truth["entity_map"]["person_id"].isin(pairs["person_id"])]
    everything = everything[everything["record_id"].str[0].isin(list("MWC"))]
    assert set(everything["record_id"]) == set(reviewed["record_id"])


def test_every_order_has_its_buyer(orders, buyers, truth):
    assert buyers.notna().all()
    anonymous = orders[orders["customer_ref"].isna()]
    assert set(anonymous["order_id"]) == set(truth["anonymous_orders"]["order_id"])


# --- people look like people ---------------------------------------------------------------------------------------


def test_surnames_have_their_real_shares(truth):
    """Ministry of Public Security of China: the first five surnames are about 31 % of the people."""
    surnames = truth["persons"]["name"].str[0]
    assert 0.26 < surnames.isin(list("王李张刘陈")).mean() < 0.37
    compound = [entry[0] for entry in split_entries(read_settings("names")["surnames"]) if len(entry[0]) == 2]
    assert 0 < truth["persons"]["name"].str[:2].isin(compound).mean() < 0.01
    assert set("曾解任") <= set(surnames), "surnames with several readings are missing"


def test_names_fit_sex_and_age(truth):
    persons = truth["persons"]
    given = persons["name"].str[1:]
    women = given.str.contains("[婷娜娟芳媛莉娥妍]")
    assert (persons.loc[women, "gender"] == "F").all()
    old, young = (persons["birth_date"].dt.year < 1960), (persons["birth_date"].dt.year >= 1995)
    assert not given[young].str.contains("[秀桂淑]").any()
    assert not given[old].str.contains("[梓萱轩涵]").any()
    age = (pd.Timestamp("2026-06-30") - persons["birth_date"]).dt.days / 365.25
    assert age.between(16, 88).all()
    assert 0.45 < (persons["gender"] == "F").mean() < 0.62
    assert 0.15 < (age >= 60).mean() < 0.35


def test_households_share_home_and_name_as_families_do(truth):
    persons = truth["persons"].assign(surname=truth["persons"]["name"].str[0])
    homes = persons.groupby("household_id")
    assert not persons[["household_id", "address"]].drop_duplicates()["household_id"].duplicated().any()
    large = homes.filter(lambda home: len(home) > 1).groupby("household_id")
    assert 0.4 < (large["surname"].nunique() < large.size()).mean() < 0.8
    assert 0.01 < persons["phone"].duplicated(keep=False).mean() < 0.12
    assert (homes["name"].nunique() == homes.size()).mean() > 0.995


def test_the_channels_overlap_as_those_of_real_shoppers(records):
    """Harvard Business Review 2017: 73 % several channels, 20 % shop only, 7 % web only, of 46,000 shoppers."""
    used = records.groupby("person_id")["source"].agg(lambda sources: "+".join(sorted(set(sources))))
    assert 0.62 < used.str.contains("+", regex=False).mean() < 0.78
    assert 0.15 < (used == "till").mean() < 0.25
    assert 0.04 < (used == "web").mean() < 0.15


def test_some_persons_are_in_one_channel_twice(records):
    """Hospital registers: AHIMA 10 %, ECRI 8 %, one group 5 %."""
    for source in ("till", "web"):
        copies = records[records["source"] == source].groupby("person_id").size()
        assert 0.05 <= (copies > 1).mean() <= 0.10, source


def test_people_are_made_from_what_the_truth_says(truth):
    """The texts of the persons agree with one another."""
    persons = truth["persons"]
    surnames = {entry[0]: entry[1] for entry in split_entries(read_settings("names")["surnames"])}
    readings = persons["name_pinyin"].str.split(" ").str[0]
    first = persons["name"].map(lambda name: surnames.get(name[:2], surnames.get(name[0])))
    assert (readings == first).all()
    parts = persons["name_pinyin"].str.split(" ", n=1, expand=True)
    local = persons["email"].dropna().str.replace(r"\d*@.*", "", regex=True)
    assert all(parts.loc[row, 0] in text for row, text in local.items())
    cities = read_settings("places")["cities"]
    for city, address in zip(persons["city"], persons["address"], strict=True):
        assert any(address.startswith(name) for name, _ in cities[city]["districts"]), (city, address)
    assert (persons["joined_on"] <= "2026-06-30").all()
    age = (persons["joined_on"] - persons["birth_date"]).dt.days / 365.25
    assert age.min() >= 16


# --- purchases like purchases --------------------------------------------------------------------------------------


def test_amounts_add_up_to_the_cent(orders):
    lines = cimlab.load("order_lines")

    def cents(amounts):
        return (amounts * 100).round().astype("int64")

    exact = [
        (quantity * Decimal(str(price)) * (1 - Decimal(str(discount)))).quantize(Decimal("0.01"), ROUND_HALF_UP)
        for quantity, price, discount in zip(lines["quantity"], lines["unit_price"], lines["discount"], strict=True)
    ]
    assert cents(lines["amount"]).tolist() == [int(amount * 100) for amount in exact]
    sums = cents(lines["amount"]).groupby(lines["order_id"]).sum()
    assert sums.reindex(orders["order_id"]).tolist() == cents(orders["amount"]).tolist()
    assert (
        lines.groupby("order_id")["line_no"]
        .agg(lambda numbers: list(numbers) == list(range(1, len(numbers) + 1)))
        .all()
    )
    assert not lines.duplicated(["order_id", "product_id"]).any()


def test_references_fit_the_channel_and_the_day(orders):
    letter = orders["channel"].map({"till": "M", "web": "W", "call": "C"})
    known = orders["customer_ref"].notna()
    assert (orders["customer_ref"].str[0] == letter)[known].all()
    assert (known | (orders["channel"] == "till")).all()
    assert (orders["store_id"].notna() == (orders["channel"] == "till")).all()
    assert orders["ordered_at"].is_monotonic_increasing
    assert orders["ordered_at"].between("2024-07-01", "2026-07-01", inclusive="left").all()
    first = {
        "M": cimlab.load("members").set_index("member_id")["joined_on"],
        "W": cimlab.load("web_accounts").set_index("account_id")["registered_on"],
    }
    for start, days in first.items():
        mine = orders[orders["customer_ref"].str.startswith(start, na=False)]
        assert (mine["ordered_at"] >= mine["customer_ref"].map(days)).all()
    by_call = orders[orders["channel"] == "call"]
    calls = cimlab.load("calls").set_index("call_id").loc[by_call["customer_ref"]]
    assert (calls["called_at"].to_numpy() == by_call["ordered_at"].to_numpy()).all()
    assert (calls["topic"] == "order").mean() > 0.8  # operators now and then tick another topic
    opened = orders["store_id"].map(cimlab.load("stores").set_index("store_id")["opened_on"])
    assert (opened.isna() | (opened <= orders["ordered_at"])).all()


def test_rows_come_in_the_order_of_the_dictionary():
    for table, column in (("members", "joined_on"), ("web_accounts", "registered_on"), ("calls", "called_at")):
        assert cimlab.load(table)[column].is_monotonic_increasing, table
    for table, made in (("members", "joined_on"), ("web_accounts", "registered_on")):
        frame = cimlab.load(table)
        assert (frame["updated_on"] >= frame[made]).all()
        assert (frame["updated_on"] <= "2026-06-30").all()


def test_those_who_left_bought_nothing_after(orders, buyers, truth):
    lost = truth["traits"].set_index("person_id")["lost_on"].dropna()
    last = orders["ordered_at"].dt.normalize().groupby(buyers).max()
    both = last.index.intersection(lost.index)
    # a campaign may have made its one purchase on the very last days
    assert (last[both] <= lost[both]).mean() > 0.98
    traits = truth["traits"].set_index("person_id")
    assert (traits.loc[lost.index, "future_orders"] == 0).all()
    assert 0.25 < len(lost) / len(traits) < 0.75
    active = traits.drop(lost.index)
    assert active["orders_per_year"].corr(active["future_orders"], method="spearman") > 0.6
    assert ((active["future_spend"] > 0) == (active["future_orders"] > 0)).all()


def test_satisfied_customers_stay(truth):
    traits = truth["traits"]
    lost = traits["lost_on"].notna()
    assert traits.loc[lost, "satisfaction"].mean() < traits.loc[~lost, "satisfaction"].mean() - 0.1


def test_prices_follow_the_promotions():
    """A line has the discount of the offer of that week, and no other has one."""
    lines = cimlab.load("order_lines").merge(cimlab.load("orders")[["order_id", "ordered_at"]])
    lines["starts_on"] = lines["ordered_at"].dt.normalize() - pd.to_timedelta(
        lines["ordered_at"].dt.day_of_week, unit="D"
    )
    offers = cimlab.load("promotions")[["product_id", "starts_on", "discount"]]
    merged = lines.merge(offers, on=["product_id", "starts_on"], how="left", suffixes=("", "_offer"))
    assert (merged["discount_offer"].fillna(0) == merged["discount"]).all()
    assert 0.15 < (lines["discount"] > 0).mean() < 0.45


def test_returns_are_of_what_was_bought(orders):
    returns = cimlab.load("returns")
    merged = returns.merge(
        cimlab.load("order_lines"), on=["order_id", "line_no"], suffixes=("", "_line"), validate="one_to_one"
    )
    merged = merged.merge(orders[["order_id", "ordered_at"]])
    assert len(merged) == len(returns)
    assert (merged["quantity"] <= merged["quantity_line"]).all()
    assert (merged["refund"] <= merged["amount"] + 1e-9).all()
    days = (merged["returned_on"] - merged["ordered_at"].dt.normalize()).dt.days
    assert days.between(0, 20).all()


def test_the_holdout_is_random_and_the_effect_is_planted(truth, orders, buyers):
    """Treated and holdout do not differ before the campaign.

    Persuadable people buy more after it, sleeping dogs less.
    """
    contacts = cimlab.load("campaign_contacts").merge(truth["entity_map"], left_on="member_id", right_on="record_id")
    contacts = contacts.merge(truth["traits"][["person_id", "campaign_kind", "satisfaction"]], on="person_id")
    contacts = contacts.merge(cimlab.load("campaigns"), on="campaign_id")
    treated = contacts["arm"] == "treated"
    assert abs((~treated).mean() - contacts["holdout"].mean()) < 0.04
    assert abs(contacts.loc[treated, "satisfaction"].mean() - contacts.loc[~treated, "satisfaction"].mean()) < 0.12
    assert not contacts.loc[~treated, ["opened", "clicked"]].any().any()
    assert contacts.loc[contacts["clicked"], "opened"].all()
    bought = pd.DataFrame({"person_id": buyers, "at": orders["ordered_at"]}).merge(contacts, on="person_id")
    day = (bought["at"].dt.normalize() - bought["starts_on"]).dt.days
    inside = bought[(day >= 0) & (day < bought["window_days"])].drop_duplicates(["campaign_id", "person_id"])
    keys = inside.set_index(["campaign_id", "person_id"]).index
    contacts["answered"] = contacts.set_index(["campaign_id", "person_id"]).index.isin(keys)
    rates = contacts.groupby(["campaign_kind", "arm"])["answered"].mean().unstack()  # noqa: PD010 (nothing to pivot)
    effect = rates["treated"] - rates["holdout"]
    assert effect["persuadable"] > 0.08
    assert effect["persuadable"] == effect.max()
    by_arm = contacts.groupby("arm")["answered"].mean()
    assert by_arm["treated"] > by_arm["holdout"]


def test_the_tier_follows_from_what_the_card_bought(orders):
    spent = orders[orders["ordered_at"] >= "2025-07-01"].groupby("customer_ref")["amount"].sum().round(2)
    members = cimlab.load("members")
    amount = members["member_id"].map(spent).fillna(0)
    assert (members["tier"] == "gold").eq(amount >= 1500).all()
    assert (members["tier"] == "basic").eq(amount < 500).all()
    assert 15 < (members["tier"] == "gold").sum() < 0.1 * len(members)
