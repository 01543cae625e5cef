"""How a clean value is written down: the forms that `dirt.yaml` names.

An operation takes `(values, numbers, cells)` and returns the new texts: `values` is a pyarrow StringArray without
blanks, `numbers` holds 64 random bits for each of them, and `cells` says where they stand (see `texts.fact`). Most
operations rewrite whole columns; those marked `each` go text by text.
"""

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cimlab.retailer.draws import read_settings, split_entries
from cimlab.retailer.texts import by_word, detail, each, fact, join, pattern

FULL_WIDTH = str.maketrans("0123456789-", "０１２３４５６７８９－")
FIRM_FORMS = ("股份有限公司", "有限责任公司", "有限公司")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# --- names ---------------------------------------------------------------------------------------------------------


@each("surname")
def surname_apart(value, number, surname):
    """曾 国藩."""
    return f"{surname} {value[len(surname) :]}" if value.startswith(surname) else f"{value[0]} {value[1:]}"


def honorific(values, numbers, cells):
    """曾国藩先生."""
    return join(values, title(numbers, cells))


def surname_honorific(values, numbers, cells):
    """曾先生: only the surname is noted."""
    lengths = pc.utf8_length(fact(cells, "surname")).to_numpy()
    short = pc.utf8_slice_codeunits(values, 0, 1)
    if (lengths > 1).any():
        short = pc.if_else(pa.array(lengths > 1), pc.utf8_slice_codeunits(values, 0, 2), short)
    return join(short, title(numbers, cells))


def surname_english(values, numbers, cells):
    """Ms Zeng."""
    titles = pa.array(["Ms ", "Mr "]).take(pa.array(is_man(numbers, cells).astype(np.int8)))
    return join(titles, pc.utf8_capitalize(fact(cells, "surname_pinyin")))


@each("surname", "title")
def position_honorific(value, number, surname, title):
    """曾经理: a contact person by title."""
    titles = read_settings("dirt")["titles"].split()
    return value[: len(surname)] + (title or titles[number % len(titles)])


def is_man(numbers, cells):
    """Return True where the person is a man; where nobody knows the sex, a coin decides what the clerk took him for."""
    sex = fact(cells, "sex")
    return (numbers >> np.uint64(40)) % np.uint64(2) == 1 if sex is None else np.asarray(sex) == 1


def title(numbers, cells):
    """Return the form of address of each person: that of the facts, or by sex and year of birth."""
    known = fact(cells, "title")
    if known is not None:
        return known
    year, young = fact(cells, "birth_year"), np.zeros(len(numbers), dtype=np.int64)
    if year is not None:
        young = (np.asarray(year) >= detail("miss_born_from")) * (numbers % np.uint64(2) == 0)
    return pa.array(["女士", "小姐", "先生"]).take(pa.array(np.where(is_man(numbers, cells), 2, young)))


def romanised(numbers, cells):
    """Return (surname, given syllables joined by a space); ü is typed in one of three ways."""
    surname, given = fact(cells, "surname_pinyin"), fact(cells, "given_syllables")
    umlaut = pc.equal(surname, "lv")
    if pc.any(umlaut).as_py():
        ways = pa.array(detail("umlaut").split())
        ways = ways.take(pa.array(numbers % np.uint64(len(ways))))
        surname = pc.if_else(umlaut, ways, surname)
    return surname, given


def joined_given(given):
    """Return Guofan of guo fan."""
    return pc.utf8_capitalize(pc.replace_substring(given, " ", ""))


def pinyin(values, numbers, cells):
    """Zeng Guofan."""
    surname, given = romanised(numbers, cells)
    return join(pc.utf8_capitalize(surname), " ", joined_given(given))


def pinyin_given_first(values, numbers, cells):
    """Guofan Zeng."""
    surname, given = romanised(numbers, cells)
    return join(joined_given(given), " ", pc.utf8_capitalize(surname))


def pinyin_joined(values, numbers, cells):
    """zengguofan."""
    surname, given = romanised(numbers, cells)
    return join(surname, pc.replace_substring(given, " ", ""))


def pinyin_capitals(values, numbers, cells):
    """ZENG Guofan."""
    surname, given = romanised(numbers, cells)
    return join(pc.utf8_upper(surname), " ", joined_given(given))


def pinyin_spaced(values, numbers, cells):
    """Zeng Guo Fan."""
    surname, given = romanised(numbers, cells)
    return pc.utf8_title(join(surname, " ", given))


def pinyin_hyphen(values, numbers, cells):
    """Guo-fan Zeng."""
    surname, given = romanised(numbers, cells)
    return join(pc.utf8_capitalize(pc.replace_substring(given, " ", "-")), " ", pc.utf8_capitalize(surname))


def pinyin_comma(values, numbers, cells):
    """Zeng, Guofan."""
    surname, given = romanised(numbers, cells)
    return join(pc.utf8_capitalize(surname), ", ", joined_given(given))


def nickname(values, numbers, cells):
    """Lily Zeng: an English first name."""
    names = {sex: words.split() for sex, words in read_settings("names")["nicknames"].items()}
    number = (numbers >> np.uint64(8)).astype(np.int64)
    chosen = np.where(is_man(numbers, cells), number % len(names["M"]), len(names["M"]) + number % len(names["F"]))
    surname, _ = romanised(numbers, cells)
    return join(pa.array([*names["M"], *names["F"]]).take(pa.array(chosen)), " ", pc.utf8_capitalize(surname))


@each()
def traditional(value, number):
    """張偉 for 张伟."""
    return value.translate(traditional_table())


@cache
def traditional_table():
    """Return the old form of each character that has one."""
    return {ord(new): old for new, old in split_entries(read_settings("names")["traditional"])}


# --- gender, numbers, dates ----------------------------------------------------------------------------------------


@by_word
def chinese(value):
    """女, 男."""
    return {"F": "女", "M": "男"}.get(value, value)


@by_word
def english(value):
    """female, male."""
    return {"F": "female", "M": "male"}.get(value, value)


@by_word
def english_capital(value):
    """Female, Male."""
    return {"F": "Female", "M": "Male"}.get(value, value)


@by_word
def withheld(value):
    """保密: the customer chose not to say."""
    return "保密"


def capital(values, numbers, cells):
    """Zengguofan@Example.com; Catering."""
    return pc.replace_substring(pc.ascii_capitalize(values), "@e", "@E")


def capitals(values, numbers, cells):
    """ZENG@EXAMPLE.COM."""
    return pc.ascii_upper(values)


def lower(values, numbers, cells):
    """f; 99…x."""
    return pc.ascii_lower(values)


@each()
def full_width(value, number):
    """１７４…: digits of an input method left in Chinese mode."""
    return value.translate(FULL_WIDTH)


@each()
def english_date(value, number):
    """12 May 1987."""
    year, month, day = value.split("-")
    return f"{int(day)} {MONTHS[int(month) - 1]} {year}" if 1 <= int(month) <= 12 else value


spaced = pattern("abc defg hijk")  # a mobile number: 174 0123 4567
dashed = pattern("abc-defg-hijk")
plus86 = pattern("+86abcdefghijk")
plus86_spaced = pattern("+86 abc defg hijk")
zero86 = pattern("0086-abcdefghijk")
brackets = pattern("(+86)abcdefghijk")
slashes = pattern("abcd/Fg/Ij")  # a date: 1987/5/12
compact = pattern("abcdfgij")
dots = pattern("abcd.fg.ij")
chinese_date = pattern("abcd年Fg月Ij日")
day_first = pattern("ij/fg/abcd")
short_year = pattern("cd-fg-ij")
year_only = pattern("abcd")
id_spaced = pattern("abcdef ghijklmn opqr")  # an identity number: 990101 19870512 1234
code_spaced = pattern("abcdefgh ijklmnopq r")  # a credit code: 91990101 MA6RA7882 B


# --- places --------------------------------------------------------------------------------------------------------


@by_word
def short(value):
    """上海 for 上海市."""
    return value.removesuffix("市")


@by_word
def city_pinyin(value):
    """Shanghai."""
    return read_settings("places")["cities"].get(value, {}).get("pinyin", value)


@by_word
def city_pinyin_lower(value):
    """shanghai."""
    return read_settings("places")["cities"].get(value, {}).get("pinyin", value).lower()


def block_dash(values, numbers, cells):
    """…3-1202 for …3栋1202室."""
    return pc.utf8_rtrim(pc.replace_substring(values, "栋", "-"), characters="室")


def building(values, numbers, cells):
    """…3号楼1202 for …3栋1202室."""
    return pc.utf8_rtrim(pc.replace_substring(values, "栋", "号楼"), characters="室")


def with_city(values, numbers, cells):
    """The city, as of that time, before the address."""
    city = fact(cells, "city_then")
    return values if city is None else join(pc.fill_null(city, ""), values)


@each()
def no_district(value, number):
    """Without the district, if it ends in 区."""
    return value[value.find("区") + 1 :] if "区" in value[:8] else value


# --- firms ---------------------------------------------------------------------------------------------------------


@cache
def city_heads():
    """Return the names of the cities without 市, as the names of firms begin."""
    return tuple(city.removesuffix("市") for city in read_settings("places")["cities"])


def split_firm(value):
    """Return (city, brand and business, legal form) of the name of a firm; what is not there is blank.

    >>> split_firm("杭州云禾食品有限公司")
    ('杭州', '云禾食品', '有限公司')
    """
    city = next((head for head in city_heads() if value.startswith(head)), "")
    form = next((form for form in FIRM_FORMS if value.endswith(form)), "")
    return city, value[len(city) : len(value) - len(form)], form


@each()
def no_city(value, number):
    """云禾食品有限公司 for 杭州云禾食品有限公司."""
    return "".join(split_firm(value)[1:])


@each()
def short_firm(value, number):
    """云禾食品: brand and business."""
    return split_firm(value)[1]


@each()
def no_form(value, number):
    """杭州云禾食品公司."""
    city, body, form = split_firm(value)
    return f"{city}{body}{'公司' if form else ''}"


@each()
def city_brackets(value, number):
    """云禾食品(杭州)有限公司."""
    city, body, form = split_firm(value)
    return f"{body}({city}){form}" if city else value


@each()
def city_full_brackets(value, number):
    """云禾食品（杭州）有限公司."""
    city, body, form = split_firm(value)
    return f"{body}（{city}）{form}" if city else value


@by_word
def industry_zh(value):
    """餐饮 for catering."""
    return read_settings("firms")["industries"].get(value, {}).get("zh", value)


@cache
def positions():
    """Return the English side of a visiting card for each position that `firms.yaml` knows."""
    parts = read_settings("firms")["contact_persons"]["positions"].values()
    return {chinese: english[0].upper() + english[1:] for part in parts for chinese, english, _ in part}


@by_word
def position_english(value):
    """Purchasing manager for 采购经理."""
    return positions().get(value, value)
