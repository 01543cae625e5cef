"""Enterprise customers: codes, names, records, orders and payment, yearly figures, the register, the truth."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cimlab.retailer.draws import Draws, read_settings
from cimlab.retailer.enterprises import make_enterprise_tables
from cimlab.retailer.firm_accounts import make_orders, make_years, working_days
from cimlab.retailer.firms import INDUSTRIES, PAYMENTS, SIZES, STRANGERS, make_basics, make_firms
from cimlab.retailer.people import phone_numbers
from cimlab.retailer.world import CATEGORIES, CITIES, FIRST_DAY, REFERENCE_DATE, REFERENCE_DAY

DRAWS = Draws(20260630)
FIRMS = 4000
CLASSES = list(PAYMENTS)
# Provinces and other first levels of GB/T 2260, and what a code of a firm may begin with.
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
    91,
}


def make_tables(start, stop, level="normal"):
    return make_enterprise_tables({"world": {"draws": DRAWS, "level": level}, "firms": (start, stop)})


@pytest.fixture(scope="module")
def tables():
    return make_tables(0, FIRMS)


@pytest.fixture(scope="module")
def data(tables):
    return {name: table.to_pandas() for name, table in tables[0].items()}


@pytest.fixture(scope="module")
def truth(tables):
    return {name: table.to_pandas() for name, table in tables[1].items()}


@pytest.fixture(scope="module")
def orders(data, truth):
    """The orders with the true firm, how it pays and its standing, and days late."""
    firm = truth["enterprises"].set_index("enterprise_id")["firm_id"]
    frame = (
        data["enterprise_orders"]
        .assign(firm_id=lambda f: f["enterprise_id"].map(firm))
        .merge(truth["firms"], on="firm_id")
    )
    days = {column: pd.to_datetime(frame[column]) for column in ("ordered_on", "due_on", "paid_on")}
    frame = frame.assign(**days, payment=frame["payment"].astype(str))
    return frame.assign(
        late=(frame["paid_on"] - frame["due_on"]).dt.days, waited=(frame["paid_on"] - frame["ordered_on"]).dt.days
    )


@pytest.fixture(scope="module")
def years(data, truth):
    firm = truth["enterprises"].set_index("enterprise_id")["firm_id"]
    frame = data["enterprise_years"].assign(firm_id=lambda f: f["enterprise_id"].map(firm))
    return frame.merge(truth["firms"].drop(columns="employees"), on="firm_id").assign(
        payment=lambda f: f["payment"].astype(str)
    )


@pytest.fixture(scope="module")
def firms():
    return make_firms(DRAWS, np.arange(FIRMS))


# --- the tables ------------------------------------------------------------------------------------------------------

ARROW = {
    "string": lambda kind: (
        pa.types.is_string(kind) or (pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type))
    ),
    "integer": pa.types.is_integer,
    "number": pa.types.is_floating,
    "date": pa.types.is_date32,
    "boolean": pa.types.is_boolean,
}
MADE = ("enterprises", "enterprise_contacts", "enterprise_orders", "enterprise_years", "business_register")
TRUE = ("enterprises", "firms", "contacts", "ledger")


@pytest.mark.parametrize("part,name", [(0, name) for name in MADE] + [(1, name) for name in TRUE])
def test_a_table_is_as_the_dictionary_says(tables, part, name):
    spec, table = read_settings("dictionary")[("tables", "truth")[part]][name], tables[part][name]
    assert table.column_names == list(spec["columns"])
    assert table.num_rows > 100
    frame = table.to_pandas()
    assert not frame[spec["key"]].duplicated().any()
    for column, (kind, _, _, _, *extra) in spec["columns"].items():
        values, rules = frame[column], extra[0] if extra else {}
        assert ARROW[kind](table.schema.field(column).type), (column, table.schema.field(column).type)
        assert not rules.get("required") or values.notna().all(), column
        assert "enum" not in rules or set(values.dropna()) == set(rules["enum"]), column
        assert "pattern" not in rules or values.str.fullmatch(rules["pattern"]).all(), column
        assert "minimum" not in rules or values.min() >= rules["minimum"], column


def test_every_key_leads_somewhere(data, truth):
    records = set(data["enterprises"]["enterprise_id"])
    for name in ("enterprise_contacts", "enterprise_orders", "enterprise_years"):
        assert set(data[name]["enterprise_id"]) <= records
    # somebody is noted with each record
    assert set(data["enterprise_contacts"]["enterprise_id"]) == records == set(truth["enterprises"]["enterprise_id"])
    assert set(truth["contacts"]["record_id"]) == set(data["enterprise_contacts"]["contact_id"])
    known = set(truth["firms"]["firm_id"])
    assert set(truth["enterprises"]["firm_id"]) == known
    assert set(truth["contacts"]["firm_id"]) <= known
    assert len(known) == FIRMS


@pytest.mark.parametrize("cut", [50, 1, 37])
def test_it_does_not_matter_where_the_firms_are_cut(cut):
    whole, parts = make_tables(0, 100), [make_tables(0, cut), make_tables(cut, 100)]
    for place in (0, 1):
        for name, table in whole[place].items():
            keys = [(column, "ascending") for column in table.column_names[:2]]
            joined = pa.concat_tables([part[place][name] for part in parts])
            plain = pa.schema([(field.name, field.type if not pa.types.is_dictionary(field.type) else pa.string())
                               for field in table.schema])  # fmt: skip
            assert table.cast(plain).sort_by(keys).equals(joined.cast(plain).sort_by(keys)), name


def test_a_block_without_a_firm_has_empty_tables():
    empty, one = make_tables(5, 5), make_tables(5, 6)
    for place in (0, 1):
        for name, table in empty[place].items():
            assert table.num_rows == 0
            assert table.schema == one[place][name].schema, name


def test_a_firm_alone_is_the_same_firm(firms):
    few = make_firms(DRAWS, np.array([7, 3, 3000]))
    for key in ("name", "credit_code", "legal_representative"):
        assert few[key].to_pylist() == [firms[key][row].as_py() for row in (7, 3, 3000)]
    start, stop = few["first_contact"][1:3]
    first, last = firms["first_contact"][3], firms["first_contact"][4]
    for key in ("name", "email", "position"):
        assert few["contacts"][key][start:stop].to_pylist() == firms["contacts"][key][first:last].to_pylist()


# --- codes, names, numbers -------------------------------------------------------------------------------------------


def organisation_check(code):
    """The check character of GB 11714, written down apart from the package."""
    total = sum(int(character, 36) * weight for character, weight in zip(code, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    return {10: "X", 11: "0"}.get(11 - total % 11, str(11 - total % 11))


def test_credit_codes_are_right_and_of_no_real_region(data, truth):
    from stdnum.cn import uscc

    codes = pd.concat(
        [truth["enterprises"].drop_duplicates("firm_id")["credit_code"], data["business_register"]["credit_code"]]
    )
    codes = codes.drop_duplicates()
    assert len(codes) > 1.4 * FIRMS
    assert all(uscc.is_valid(code) for code in codes)
    assert (codes.str[:4] == "9199").all()
    assert 99 not in REAL_REGIONS
    assert (codes.str[8:16].map(organisation_check) == codes.str[16]).all()


def test_a_wrong_code_would_be_seen(truth):
    from stdnum.cn import uscc

    code = truth["enterprises"]["credit_code"][0]
    assert not uscc.is_valid(code[:10] + ("1" if code[10] == "0" else "0") + code[11:])


def test_old_firms_have_a_code_of_digits(data):
    """Since 2015-10-01 one licence holds one code, which begins with MA after the region."""
    register = data["business_register"]
    old = pd.to_datetime(register["founded_on"]) < "2015-10-01"
    assert 0.05 < old.mean() < 0.6
    assert register.loc[old, "credit_code"].str[8:16].str.fullmatch("[0-9]{8}").all()
    assert register.loc[~old, "credit_code"].str[8:10].eq("MA").all()


def test_each_firm_has_its_own_code(firms):
    strangers = make_basics(DRAWS, np.arange(FIRMS) + STRANGERS)
    codes = firms["credit_code"].to_pylist() + strangers["credit_code"].to_pylist()
    assert len(set(codes)) == 2 * FIRMS


def test_the_name_tells_city_and_business(firms):
    for place in range(0, FIRMS, 29):
        city, brand, business, form = (firms[key][place].as_py() for key in ("city_short", "brand", "business", "form"))
        assert firms["name"][place].as_py() == city + brand + business + form
        assert CITIES[firms["city"][place]] == f"{city}市"
        assert business in read_settings("firms")["industries"][INDUSTRIES[firms["industry"][place]]]["words"].split()
        assert form.endswith("公司")
    names = pd.Series(firms["name"].to_pylist())
    assert names.duplicated(keep=False).mean() < 0.01


def test_positions_fit_the_part_in_the_decision(firms):
    contacts = firms["contacts"]
    lead = (contacts["place"] == 0) & firms["principal"][contacts["firm"]]
    names = np.array(contacts["name"].to_pylist())
    assert (names[lead] == np.array(firms["legal_representative"].to_pylist())[contacts["firm"][lead]]).all()
    leads = set(np.array(contacts["position"].to_pylist())[lead])
    assert leads == {"总经理", "董事长", "执行董事", "店长"}
    assert (contacts["part"][lead] == 0).all()
    cooks = np.array(contacts["position"].to_pylist()) == "厨师长"
    kitchens = [INDUSTRIES.index(name) for name in ("catering", "hotel")]
    assert cooks.any()
    assert np.isin(firms["industry"][contacts["firm"][cooks]], kitchens).all()
    # the owner of a small shop buys himself, a large firm sends a buyer
    share = [firms["principal"][firms["size"] == size].mean() for size in range(len(SIZES))]
    assert share == sorted(share, reverse=True)
    counts = np.diff(firms["first_contact"])
    assert counts.min() == 1
    assert counts.max() == 4


def test_telephone_numbers_are_valid_and_nobody_elses(firms):
    import phonenumbers

    numbers = firms["contacts"]["phone"]
    assert len(set(numbers.tolist())) == len(numbers)
    text = pd.Series(numbers).astype(str)
    assert text.str.fullmatch(r"1740[0-5]\d{6}|1349\d{7}").all()
    for number in text[::97]:
        parsed = phonenumbers.parse(number, "CN")
        assert phonenumbers.is_valid_number(parsed)
        assert phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.MOBILE
    # private persons take their numbers from the other end
    assert not set(numbers.tolist()) & set(phone_numbers(DRAWS, np.arange(FIRMS * 9)).tolist())


def test_addresses_of_e_mail_are_each_ones_own_and_reach_nobody(firms):
    addresses = pd.Series(firms["contacts"]["email"].to_pylist())
    assert 0.75 < addresses.notna().mean() < 0.89
    addresses = addresses.dropna()
    assert addresses.is_unique
    numbers = addresses.str.extract(r"(\d+)@")[0].groupby(firms["contacts"]["firm"][addresses.index]).unique()
    assert (numbers.str.len() == 1).all()
    assert numbers.str[0].is_unique
    assert addresses.str.fullmatch(r"[a-z]+(\.[a-z]+){1,2}[0-9]+@example\.(com|net|org)").all()


# --- records ---------------------------------------------------------------------------------------------------------


def test_about_a_fifth_of_the_firms_is_there_twice_from_both_sources(data, truth):
    records = data["enterprises"].merge(truth["enterprises"][["enterprise_id", "firm_id"]])
    copies = records.groupby("firm_id").agg(records=("enterprise_id", "size"), sources=("source", "nunique"))
    assert 0.20 < (copies["records"] > 1).mean() < 0.24
    assert set(copies["records"]) == {1, 2, 3}
    assert (copies.loc[copies["records"] > 1, "sources"] == 2).all()
    assert 0.45 < (records["source"] == "sales").mean() < 0.55
    days = pd.to_datetime(records["updated_on"])
    assert days.between("2022-01-01", "2026-06-30").all()
    people = truth["enterprises"].groupby("firm_id")["contact_phone"].nunique()
    assert 0.1 < (people[copies["records"] > 1] > 1).mean() < 0.35


def test_the_ledger_gives_the_clean_values_back_cell_for_cell(data, truth):
    clean = truth["contacts"].rename(columns={"record_id": "contact_id"})
    tables = [("enterprises", "enterprise_id", truth["enterprises"]), ("enterprise_contacts", "contact_id", clean)]
    for name, key, clean in tables:
        columns = [
            column for column in clean.columns if column in data[name].columns and column not in (key, "firm_id")
        ]
        typed = data[name].set_index(key)[columns].astype(object).fillna("")
        clean = clean.set_index(key)[columns].loc[typed.index].fillna("")
        ledger = truth["ledger"][
            truth["ledger"]["record_id"].isin(typed.index) & truth["ledger"]["field"].isin(columns)
        ]
        listed = ledger.set_index(["record_id", "field"])["clean_value"].astype(object).fillna("")
        changed = {(record, field) for field in columns for record in typed.index[typed[field] != clean[field]]}
        assert set(listed.index) == changed
        assert 0.15 < len(changed) / typed.size < 0.5
        assert all(clean.loc[record, field] == value for (record, field), value in listed.items())
    # positions are not in the truth: the ledger alone has them
    assert {"position", "credit_code", "email"} <= set(truth["ledger"]["field"])


def test_a_clean_edition_is_clean():
    data, truth = make_tables(0, 200, "clean")
    assert truth["ledger"].num_rows == 0
    pd.testing.assert_frame_equal(
        data["enterprises"].to_pandas()[["name", "credit_code", "contact_name", "contact_phone"]],
        truth["enterprises"].to_pandas()[["name", "credit_code", "contact_name", "contact_phone"]],
    )


def test_errors_of_one_salesman_in_one_year_come_together():
    """The firms of one sitting share an error level, so its records differ more between sittings than by chance."""
    from cimlab.retailer.enterprises import make_records

    firms = make_firms(DRAWS, np.arange(20_000))
    records = make_records(DRAWS, firms)
    ledger = make_tables(0, 20_000)[1]["ledger"].to_pandas()
    slips = ledger[ledger["operation"].str.contains("digit|homophone|check_character|letter_o")]
    count = pd.Series(records["id"].to_pylist()).isin(slips["record_id"]).astype(int)
    by = count.groupby(records["sitting"]).agg(["sum", "size"])
    by = by[by["size"] >= 10]
    assert len(by) > 200
    expected = count.mean()
    excess = ((by["sum"] - by["size"] * expected) ** 2 / (by["size"] * expected * (1 - expected))).mean()
    assert excess > 1.3


def test_salesmen_write_notes_in_two_languages_and_some_that_they_must_not(data):
    people = data["enterprise_contacts"].merge(data["enterprises"][["enterprise_id", "source"]])
    noted = people["manner"].notna().groupby(people["source"].astype(str)).mean()
    assert 0.8 < noted["sales"] < 0.9
    assert 0.2 < noted["exhibition"] < 0.4
    notes = people["manner"].dropna()
    english = notes.str.fullmatch(r"[ -~]+")
    assert 0.18 < english.mean() < 0.27
    assert notes[~english].str.endswith("。").all()
    assert notes[english].str.endswith(".").all()
    settings = read_settings("firms")["notes"]
    private = "|".join(map(re.escape, settings["zh"]["sensitive"] + settings["en"]["sensitive"]))
    assert 0.012 < notes.str.contains(private, case=False).mean() < 0.04
    assert notes.nunique() > 0.2 * len(notes)


# --- orders and payment ----------------------------------------------------------------------------------------------


def test_orders_add_up(orders):
    assert (orders["due_on"] == orders["ordered_on"] + pd.to_timedelta(orders["terms_days"], unit="D")).all()
    assert set(orders["terms_days"]) == {0, 30, 60, 90}
    assert (orders["paid"] <= orders["amount"]).all()
    assert (orders["paid_on"].isna() == (orders["paid"] == 0)).all()
    paid = orders.dropna(subset="paid_on")
    assert (paid["paid_on"] >= paid["ordered_on"]).all()
    assert paid["paid_on"].max() <= pd.Timestamp(REFERENCE_DATE)
    assert orders["ordered_on"].between("2024-07-01", "2026-06-30").all()
    assert set(orders["category"]) <= set(CATEGORIES)
    cents = orders[["amount", "paid"]] * 100
    assert np.allclose(cents, cents.round())


def test_firms_order_at_their_rate_and_a_few_order_most(orders, truth):
    firms = truth["firms"].set_index("firm_id")
    counts = orders.groupby("firm_id").size().reindex(firms.index, fill_value=0)
    assert abs(counts.sum() / (2 * firms["orders_per_year"].sum()) - 1) < 0.02
    # a Poisson process around each firm's own rate
    expected = 2 * firms["orders_per_year"]
    assert 0.9 < (((counts - expected) ** 2).sum() / expected.sum()) < 1.1
    assert counts.var() / counts.mean() > 5
    assert 0.03 < (counts == 0).mean() < 0.2
    best = orders.groupby("firm_id")["amount"].sum().sort_values(ascending=False)
    assert best.head(FIRMS // 5).sum() / best.sum() > 0.7
    means = orders.groupby(orders["size"].astype(str))["amount"].mean()
    assert means["micro"] < means["small"] < means["medium"] < means["large"]


def test_offices_order_on_working_days_before_the_feasts(orders):
    days = orders["ordered_on"]
    assert (days.dt.day_of_week >= 5).mean() < 0.04
    feast = days.between("2025-10-01", "2025-10-08") | days.between("2025-01-28", "2025-02-04")
    assert feast.mean() < 0.004
    months = days.dt.month.value_counts()
    assert months[1] > 1.5 * months[2]
    assert months[9] > 1.3 * months[10]
    # 2026-02-14 is a Saturday that was worked for the Spring Festival
    start = (pd.Timestamp("2026-02-14") - pd.Timestamp("1970-01-01")).days
    assert working_days(np.arange(start, start + 2)).tolist() == [True, False]
    assert working_days(np.arange(FIRST_DAY, REFERENCE_DAY + 1)).mean() == pytest.approx(250 / 365, abs=0.01)


def test_what_firms_buy_fits_their_industry(orders, data, truth):
    industry = truth["enterprises"].set_index("enterprise_id")["industry"]
    goods = pd.crosstab(orders["enterprise_id"].map(industry), orders["category"].astype(str), normalize="index")
    assert goods["fruit and vegetables"].idxmax() == "catering"
    assert goods["household"].idxmax() == "property"
    assert goods["personal care"].idxmax() in ("hotel", "health")
    for entry in read_settings("firms")["industries"].values():
        assert set(entry["buys"]) <= set(CATEGORIES)


def test_who_pays_worse_pays_later(orders):
    """Both in days past due and in days since the order, and each class collects less than the one before."""
    grouped = orders.groupby("payment")
    late, waited = grouped["late"].mean()[CLASSES], grouped["waited"].mean()[CLASSES]
    assert (late.diff().dropna() > 5).all(), late
    assert waited.is_monotonic_increasing, waited
    due = orders[orders["due_on"] <= pd.Timestamp(REFERENCE_DATE)].groupby("payment")
    collected = (due["paid"].sum() / due["amount"].sum())[CLASSES]
    assert collected.is_monotonic_decreasing, collected
    assert collected["prompt"] > 0.98
    assert collected["defaults"] < 0.7


def test_the_whole_pays_as_firms_in_china_do(orders):
    """Atradius 2024: a little over a third of the invoices late, three weeks past due; bad debts about 3 %."""
    due = orders[orders["due_on"] <= pd.Timestamp(REFERENCE_DATE)]
    assert 0.30 < ((due["late"] > 0) | due["paid_on"].isna()).mean() < 0.42
    assert 17 < due.loc[due["late"] > 0, "late"].mean() < 28
    old = due[due["due_on"] <= pd.Timestamp(REFERENCE_DATE) - pd.Timedelta(days=180)]
    assert 0.015 < 1 - old["paid"].sum() / old["amount"].sum() < 0.05
    part = (due["paid"] > 0) & (due["paid"] < due["amount"])
    assert 0.01 < part.mean() < 0.06


def test_the_ageing_table_has_every_column(orders):
    reference = pd.Timestamp(REFERENCE_DATE)
    open_ = (orders["amount"] - orders["paid"]).where(lambda rest: rest > 0)
    edges = [-1000, 0, 30, 60, 90, 180, 1000]
    age = pd.cut((reference - orders["due_on"]).dt.days, edges)
    table = open_.groupby(age, observed=False).count()
    assert (table > 20).all(), table
    # every order not yet due and not paid is in the first column
    assert table.iloc[0] == table.max()


def rank_chance(first, second):
    """Chance that one of the first is above one of the second (area under the curve)."""
    ranks = pd.concat([first, second]).rank()[: len(first)]
    return (ranks.sum() - len(first) * (len(first) + 1) / 2) / (len(first) * len(second))


def test_the_standing_can_be_found_from_behaviour(orders):
    firms = orders.groupby("firm_id").agg(late=("late", "mean"), n=("late", "count"), score=("credit_score", "first"))
    firms = firms[firms["n"] >= 5]
    assert len(firms) > 500
    assert -0.9 < firms["late"].corr(firms["score"], method="spearman") < -0.55


def test_ratios_tell_defaulters_from_prompt_payers_but_not_surely(years):
    last = years[years["year"] == 2025]
    ratios = {
        "margin": -last["profit"] / last["revenue"],
        "leverage": last["liabilities"] / last["assets"],
        "current ratio": -last["current_assets"] / last["current_liabilities"],
        "quick ratio": (last["inventory"] - last["current_assets"]) / last["current_liabilities"],
    }
    for name, ratio in ratios.items():
        chance = rank_chance(ratio[last["payment"] == "defaults"], ratio[last["payment"] == "prompt"])
        assert 0.7 < chance < 0.95, (name, chance)
        middle = ratio.groupby(last["payment"]).median()[CLASSES]
        assert middle.is_monotonic_increasing, (name, middle)


# --- yearly figures --------------------------------------------------------------------------------------------------


def test_the_figures_of_a_year_add_up(years):
    assert np.allclose(years["assets"], years["liabilities"] + years["equity"], atol=1e-6)
    for part, whole in (
        ("current_assets", "assets"),
        ("inventory", "current_assets"),
        ("receivables", "current_assets"),
        ("current_liabilities", "liabilities"),
    ):
        assert (years[part] <= years[whole]).all(), part
        assert (years[part] >= 0).all(), part
    assert (years["inventory"] + years["receivables"] < years["current_assets"]).all()
    assert (years["revenue"] > 0).all()
    figures = years[["revenue", "profit", "assets", "liabilities", "equity", "inventory"]] * 100
    assert np.allclose(figures, figures.round(), atol=1e-4)


def test_equity_moves_by_the_profit_that_was_kept(years):
    frame = years.sort_values(["firm_id", "year"])
    before = frame.groupby("firm_id")[["equity", "year"]].shift()
    follows = frame["year"] == before["year"] + 1
    kept = (frame["equity"] - before["equity"])[follows]
    profit = frame["profit"][follows]
    # nobody pays money in; a loss is borne in full
    assert (kept <= profit + 1e-6).all()
    loss = (profit < 0) & (frame["liabilities"][follows] > 0.081 * frame["assets"][follows])
    assert loss.sum() > 50
    assert np.allclose(kept[loss], profit[loss])
    payout = read_settings("firms")["statements"]["payout"] / 1000
    gain = (
        (profit > 1)
        & (before["equity"][follows] > 0)
        & (frame["liabilities"][follows] > 0.081 * frame["assets"][follows])
    )
    assert gain.sum() > 1000
    assert np.allclose(kept[gain], profit[gain] * (1 - payout), atol=0.011)
    assert 0.1 < (years["profit"] < 0).mean() < 0.25
    assert 0 < (years["equity"] < 0).mean() < 0.02


def test_who_hands_in_figures(years, data, truth, firms):
    record = truth["enterprises"].groupby("firm_id")["enterprise_id"].size()
    assert years.groupby("firm_id")["enterprise_id"].nunique().max() == 1
    assert 0.8 < years["firm_id"].nunique() / len(record) < 0.93
    register = data["business_register"].merge(truth["enterprises"], on="credit_code")
    founded = register.drop_duplicates("firm_id").set_index("firm_id")["founded_on"].map(lambda day: day.year)
    assert (years["firm_id"].map(founded).dropna() < years["year"][years["firm_id"].isin(founded.index)]).all()
    last = years[years["year"] == 2025].set_index("firm_id")["employees"]
    assert (last == truth["firms"].set_index("firm_id")["employees"].loc[last.index]).all()


def test_years_and_orders_are_made_from_the_firms_alone(firms):
    few = make_firms(DRAWS, np.arange(40, 60))
    rows = np.isin(make_orders(DRAWS, firms)["firm"], np.arange(40, 60))
    assert make_orders(DRAWS, few)["amount"].tolist() == make_orders(DRAWS, firms)["amount"][rows].tolist()
    rows = np.isin(make_years(DRAWS, firms)["firm"], np.arange(40, 60))
    assert make_years(DRAWS, few)["equity"].tolist() == make_years(DRAWS, firms)["equity"][rows].tolist()


# --- the register ----------------------------------------------------------------------------------------------------


def test_most_customers_stand_in_the_register_among_half_as_many_others(data, truth):
    register, firms = data["business_register"], truth["enterprises"].drop_duplicates("firm_id").merge(truth["firms"])
    listed = firms["credit_code"].isin(register["credit_code"])
    assert (listed == firms["registered"]).all()
    assert 0.91 < listed.mean() < 0.95
    others = ~register["credit_code"].isin(firms["credit_code"])
    assert 0.45 < others.sum() / FIRMS < 0.55
    both = register.merge(firms, on="credit_code", suffixes=("", "_true"))
    for column in ("name", "legal_representative", "city"):
        assert (both[column] == both[f"{column}_true"]).all(), column
    known = {entry["register"]: name for name, entry in read_settings("firms")["industries"].items()}
    assert (both["industry"].map(known) == both["industry_true"]).all()


def test_weak_firms_have_a_bad_state_in_the_register(data, truth):
    firms = truth["enterprises"].drop_duplicates("firm_id").merge(truth["firms"])
    both = data["business_register"].merge(firms, on="credit_code")
    bad = (both["status"].astype(str) != "in business").groupby(both["payment"].astype(str)).mean()
    assert bad["prompt"] < 0.05
    assert bad["defaults"] > 3 * bad["prompt"]


def test_registered_addresses_lie_in_their_city(data):
    register = data["business_register"]
    for city, rows in register.groupby("city"):
        entries = read_settings("places")["cities"][city]["districts"]
        districts = "|".join(entry if isinstance(entry, str) else entry[0] for entry in entries)
        form = rf"{city}({districts})\w{{2}}(路|街|大道|巷)\d+号\w+(大厦|广场|中心|产业园)\d+层\d+室"
        assert rows["address"].str.fullmatch(form).all(), city
    assert register["registered_capital"].min() >= 10
    assert pd.to_datetime(register["founded_on"]).between("1990-01-01", "2024-06-30").all()


def test_sizes_are_as_their_limits_say(truth):
    firms = truth["firms"]
    for size, rule in read_settings("firms")["sizes"].items():
        employees = firms.loc[firms["size"].astype(str) == size, "employees"]
        low, high = rule["employees"]
        assert employees.between(low, high).all()
        assert abs(len(employees) / FIRMS * 100 - rule["share"]) < 3
    shares = firms["payment"].astype(str).value_counts(normalize=True)
    assert shares.is_monotonic_decreasing
    assert shares.index.tolist() == CLASSES
    assert 0.03 < shares["defaults"] < 0.1
