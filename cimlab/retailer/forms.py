"""How a clean value is written down: the forms that `dirt.yaml` names.

Each takes (value, draw, record) and returns the new text; `draw(limit, label)` returns a whole number below the limit.
"""

from functools import cache

from cimlab.retailer.draws import read_settings, split_entries

FULL_WIDTH = str.maketrans("0123456789-", "０１２３４５６７８９－")


def spaced(value, draw, record):
    """174 0123 4567; 曾 国藩: the surname apart."""
    if value.isdigit():
        return f"{value[:3]} {value[3:7]} {value[7:]}"
    surname = surname_of(record)
    return f"{surname} {value[len(surname) :]}" if value.startswith(surname) else f"{value[0]} {value[1:]}"


def honorific(value, draw, record):
    """曾国藩先生."""
    return value + title(draw, record)


def surname_honorific(value, draw, record):
    """曾先生: only the surname is noted."""
    return value[: len(surname_of(record))] + title(draw, record)


def surname_english(value, draw, record):
    """Ms Zeng."""
    return ("Mr " if record["person"]["sex"] == "M" else "Ms ") + record["person"]["readings"][0].capitalize()


def firm_honorific(value, draw, record):
    """曾经理: the contact person by title."""
    return value[0] + ("经理", "总", "主任")[draw(3, "title")]


def title(draw, record):
    """Return the form of address of a person."""
    if record["person"]["sex"] == "M":
        return "先生"
    return "小姐" if record["person"]["birth"].year >= 1990 and draw(2, "title") else "女士"


def surname_of(record):
    """Return the surname of the person of a record; the first character of a contact person's name."""
    return record["person"]["surname"] if "person" in record else record["firm"]["contact_name"][0]


def romanised(draw, record):
    """Return (surname, given syllables); ü is typed in one of three ways."""
    surname, given = record["person"]["readings"]
    if surname == "lv":
        surname = ("lv", "lv", "lv", "lyu", "lu")[draw(5, "umlaut")]
    return surname, given


def pinyin(value, draw, record):
    """Zeng Guofan."""
    surname, given = romanised(draw, record)
    return f"{surname.capitalize()} {''.join(given).capitalize()}"


def pinyin_given_first(value, draw, record):
    """Guofan Zeng."""
    surname, given = romanised(draw, record)
    return f"{''.join(given).capitalize()} {surname.capitalize()}"


def pinyin_joined(value, draw, record):
    """zengguofan."""
    surname, given = romanised(draw, record)
    return surname + "".join(given)


def pinyin_capitals(value, draw, record):
    """ZENG Guofan."""
    surname, given = romanised(draw, record)
    return f"{surname.upper()} {''.join(given).capitalize()}"


def pinyin_spaced(value, draw, record):
    """Zeng Guo Fan."""
    surname, given = romanised(draw, record)
    return " ".join(part.capitalize() for part in (surname, *given))


def pinyin_hyphen(value, draw, record):
    """Guo-fan Zeng."""
    surname, given = romanised(draw, record)
    return f"{'-'.join(given).capitalize()} {surname.capitalize()}"


def pinyin_comma(value, draw, record):
    """Zeng, Guofan."""
    surname, given = romanised(draw, record)
    return f"{surname.capitalize()}, {''.join(given).capitalize()}"


def nickname(value, draw, record):
    """Lily Zeng: an English first name."""
    names = read_settings("names")["nicknames"][record["person"]["sex"]].split()
    return f"{names[draw(len(names), 'nickname')]} {romanised(draw, record)[0].capitalize()}"


def traditional(value, draw, record):
    """張偉 for 张伟."""
    return value.translate(traditional_table())


@cache
def traditional_table():
    """Return the old form of each character that has one."""
    return {ord(new): old for new, old in split_entries(read_settings("names")["traditional"])}


def chinese(value, draw, record):
    """女, 男."""
    return {"F": "女", "M": "男"}[value]


def english(value, draw, record):
    """female, male."""
    return {"F": "female", "M": "male"}[value]


def capital(value, draw, record):
    """Female; Zengguofan@Example.com; Catering."""
    if "@" in value:
        return "@".join(part.capitalize() for part in value.split("@"))
    return {"F": "Female", "M": "Male"}.get(value, value.capitalize())


def capitals(value, draw, record):
    """ZENG@EXAMPLE.COM."""
    return value.upper()


def lower(value, draw, record):
    """f; 99…x."""
    return value.lower()


def withheld(value, draw, record):
    """保密: the customer chose not to say."""
    return "保密"


def dashed(value, draw, record):
    """174-0123-4567."""
    return f"{value[:3]}-{value[3:7]}-{value[7:]}"


def plus86(value, draw, record):
    """+8617401234567."""
    return f"+86{value}"


def plus86_spaced(value, draw, record):
    """+86 174 0123 4567."""
    return f"+86 {value[:3]} {value[3:7]} {value[7:]}"


def zero86(value, draw, record):
    """0086-17401234567."""
    return f"0086-{value}"


def brackets(value, draw, record):
    """(+86)17401234567."""
    return f"(+86){value}"


def full_width(value, draw, record):
    """１７４…: digits of an input method left in Chinese mode."""
    return value.translate(FULL_WIDTH)


def date_parts(value):
    """Return (year, month, day) of an ISO date as texts."""
    return value.split("-")


def slashes(value, draw, record):
    """1987/5/12."""
    year, month, day = date_parts(value)
    return f"{year}/{int(month)}/{int(day)}"


def compact(value, draw, record):
    """19870512."""
    return value.replace("-", "")


def dots(value, draw, record):
    """1987.05.12."""
    return value.replace("-", ".")


def chinese_date(value, draw, record):
    """1987年5月12日."""
    year, month, day = date_parts(value)
    return f"{year}年{int(month)}月{int(day)}日"


def day_first(value, draw, record):
    """12/05/1987."""
    return "/".join(reversed(date_parts(value)))


def short_year(value, draw, record):
    """87-05-12."""
    return value[2:]


def english_date(value, draw, record):
    """12 May 1987."""
    year, month, day = date_parts(value)
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return f"{int(day)} {names[int(month) - 1]} {year}" if 1 <= int(month) <= 12 else value


def year_only(value, draw, record):
    """1987."""
    return value[:4]


def id_spaced(value, draw, record):
    """990101 19870512 1234."""
    return f"{value[:6]} {value[6:14]} {value[14:]}"


def code_spaced(value, draw, record):
    """91990101 MA6RA7882 B."""
    return f"{value[:8]} {value[8:17]} {value[17:]}".strip()


def short(value, draw, record):
    """上海 for 上海市."""
    return value.removesuffix("市")


def city_pinyin(value, draw, record):
    """Shanghai."""
    return read_settings("places")["cities"][value]["pinyin"]


def city_pinyin_lower(value, draw, record):
    """shanghai."""
    return city_pinyin(value, draw, record).lower()


def block_dash(value, draw, record):
    """…3-1202 for …3栋1202室."""
    return value.replace("栋", "-").removesuffix("室")


def building(value, draw, record):
    """…3号楼1202 for …3栋1202室."""
    return value.replace("栋", "号楼").removesuffix("室")


def with_city(value, draw, record):
    """The city, as of that time, before the address."""
    return record["city_then"] + value


def no_district(value, draw, record):
    """Without the district; all districts end in 区."""
    return value[value.index("区") + 1 :]


def no_city(value, draw, record):
    """云禾食品有限公司 for 杭州云禾食品有限公司."""
    return value.removeprefix(short(record["firm"]["city"], draw, record))


def short_firm(value, draw, record):
    """云禾食品: brand and business."""
    start = len(record["firm"]["city"]) - 1
    return value[start : start + len(record["firm"]["brand"] + record["firm"]["business"])]


def no_form(value, draw, record):
    """杭州云禾食品公司."""
    return value.replace("有限责任公司", "公司").replace("股份有限公司", "公司").replace("有限公司", "公司")


def city_brackets(value, draw, record):
    """云禾食品(杭州)有限公司."""
    city, head = short(record["firm"]["city"], draw, record), short_firm(value, draw, record)
    return f"{head}({city}){value[len(city + head) :]}"


def city_full_brackets(value, draw, record):
    """云禾食品（杭州）有限公司."""
    return city_brackets(value, draw, record).replace("(", "（").replace(")", "）")


def industry_zh(value, draw, record):
    """餐饮 for catering."""
    return read_settings("firms")["industries"][value]["zh"]


# A form of one name may mean another thing in another column.
NAMES_BY_COLUMN = {("city", "pinyin"): "city_pinyin", ("city", "pinyin_lower"): "city_pinyin_lower"}
