"""Each number of the settings stands beside its source; places and calendar are what their headers say."""

from datetime import date, timedelta

import pytest
import yaml

from cimlab.retailer import sources
from cimlab.retailer.draws import read_settings

SETTINGS = """\
# A header with chosen in it, which counts for nothing.

# Weights (chosen, because).
first:
  a: 1
  b: [[x, 2], [y, 3]]

  c: 4         # UCI Online Retail
second: 5      # packs
# Rates of a study, 2017.
third: 6
fourth: 7
# What it means.
fifth: 8
sixth: {word: "# chosen", number: 9}
sixth_why: because
seventh:
  - [a, 1]     # chosen
  - [b, 2]     # Smith 2001
eighth:
  - [a, 1]     # chosen
  - [b, 2]
ninth:
  why: it is so
  deep: {a: 1}
  deeper:
    - {until: 3, mix: [1]}
words: 王 wang 7100
references:
  - [Names, "report of 2020"]
  - [1, 2]
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("settings")
    (folder / "test.yaml").write_text(SETTINGS, encoding="utf-8")
    return {path: (value, source) for _, path, value, source in sources.list_parameters(folder)}


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("first.a", "Weights (chosen, because)."),
        ("first.b", "Weights (chosen, because)."),
        ("first.c", "UCI Online Retail"),
        ("second", ""),
        ("third", "Rates of a study, 2017."),
        ("fourth", "Rates of a study, 2017."),
        ("fifth", ""),
        ("sixth", "because"),
        ("seventh", "chosen; Smith 2001"),
        ("eighth", ""),
        ("ninth.deep", "it is so"),
        ("ninth.deeper", "it is so"),
    ],
)
def test_the_nearest_source_of_a_number_is_found(found, path, source):
    assert found[path][1] == source


def test_only_numbers_are_parameters(found):
    assert not {"words", "sixth_why"} & set(found)
    assert not any(path.startswith("references") for path in found)
    assert found["first.b"][0] == [["x", 2], ["y", 3]]


def test_numbers_without_a_source_are_named(tmp_path):
    (tmp_path / "test.yaml").write_text(SETTINGS, encoding="utf-8")
    assert sources.find_unsourced(tmp_path) == [("test.yaml", name) for name in ("second", "fifth", "eighth")]
    assert sources.list_references(tmp_path) == [["Names", "report of 2020"], [1, 2]]


def test_the_page_shows_each_number_with_its_source(tmp_path):
    (tmp_path / "test.yaml").write_text(SETTINGS, encoding="utf-8")
    text = sources.write_parameters(tmp_path / "page.md", tmp_path)
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == text
    assert "| `first.a` | `1` | Weights (chosen, because). |" in text
    assert "| `second` | `5` | **no source** |" in text


@pytest.mark.parametrize("path", sorted(sources.FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_both_loaders_of_yaml_read_the_same(path):
    text = path.read_text(encoding="utf-8")
    assert yaml.load(text, Loader=yaml.SafeLoader) == yaml.load(text, Loader=yaml.CSafeLoader)


def test_every_number_of_the_retailer_has_a_source():
    missing = [f"{file}: {path}" for file, path in sources.find_unsourced()]
    assert not missing, "write the source, or chosen with the reason, beside:\n" + "\n".join(missing)


def test_the_page_of_parameters_is_in_step():
    made = sources.make_page(sources.list_parameters())
    assert sources.PAGE.read_text(encoding="utf-8") == made, "run python -m cimlab.retailer.sources"


# --- places ----------------------------------------------------------------------------------------------------------

CITIES = read_settings("places")["cities"]


def test_every_city_has_real_codes_and_its_own_invented_region():
    codes = [code for facts in CITIES.values() for _, code in facts["districts"]]
    assert len(codes) == len(set(codes))
    for city, facts in CITIES.items():
        assert city.endswith("市")
        digits = 2 if facts["code"] % 10_000 == 0 else 4
        for name, code in facts["districts"]:
            assert name.endswith("区")
            assert str(code)[:digits] == str(facts["code"])[:digits]
    regions = [facts["region"] for facts in CITIES.values()]
    assert regions == [f"{number:02d}" for number in range(1, len(CITIES) + 1)]


def test_the_shops_stand_in_the_first_cities_where_most_customers_live():
    shops = {store[1] for store in read_settings("catalogue")["stores"]}
    assert shops <= set(list(CITIES)[:12])
    shares = {city: facts["share"] for city, facts in CITIES.items()}
    assert sum(shares.values()) == 1000
    assert min(shares[city] for city in shops) > max(share for city, share in shares.items() if city not in shops)


# --- calendar --------------------------------------------------------------------------------------------------------

CALENDAR = read_settings("calendar")


@pytest.mark.parametrize("name", ["holidays", "special_days"])
def test_ranges_of_days_are_in_order_and_do_not_overlap(name):
    days = [day for start, end, *_ in CALENDAR[name] for day in (start, end)]
    assert days == sorted(days)
    ends = [end for _, end, *_ in CALENDAR[name]]
    assert all(end < entry[0] for end, entry in zip(ends, CALENDAR[name][1:], strict=False))


def test_the_calendar_covers_the_year_after_the_reference_date():
    last = read_settings("dictionary")["reference_date"]
    assert CALENDAR["last_day"] == date(last.year + 1, 6, 30)
    for name in ("holidays", "special_days"):
        assert CALENDAR["first_day"] <= CALENDAR[name][0][0]
        assert CALENDAR[name][-1][1] <= CALENDAR["last_day"]
    assert len(CALENDAR["weekday"]) == 7
    assert len(CALENDAR["month"]) == 12


def test_working_days_are_weekends_near_a_holiday_and_no_holiday():
    off = set()
    for start, end, *_ in CALENDAR["holidays"]:
        off |= {start + timedelta(days) for days in range((end - start).days + 1)}
    for day in CALENDAR["working_days"]:
        assert day.weekday() >= 5
        assert day not in off
        assert min(abs(day - other) for other in off) <= timedelta(12)


@pytest.mark.parametrize(
    "day",
    [
        date(2024, 11, 11),
        date(2025, 11, 11),
        date(2026, 11, 11),
        date(2025, 6, 18),
        date(2026, 6, 18),
        date(2027, 6, 18),
    ],
)
def test_the_great_sales_days_sell_more(day):
    weights = [weight for start, end, weight in CALENDAR["special_days"] if start <= day <= end]
    assert len(weights) == 1
    assert weights[0] > 150
