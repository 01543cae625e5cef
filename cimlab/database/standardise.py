"""Step 3, standardise (标准化): one way to write a phone, an e-mail, a date, a gender, a place and a pack size.

Every function takes a column and returns a column with the same index. Missing stays missing. What cannot be read
becomes missing: a missing value can be asked for again, a wrong one is believed. `standardisation_report` shows what
was lost that way.
"""

import re
from functools import lru_cache

import pandas as pd

from cimlab.database.codes import standardise_codes
from cimlab.database.names import pinyin_names, standardise_names, surnames
from cimlab.database.text import by_value, clean_text, has_chinese

GENDERS = {
    "F": ["f", "female", "woman", "女", "女性", "女士", "小姐", "太太", "ms", "mrs", "miss", "2"],
    "M": ["m", "male", "man", "男", "男性", "先生", "mr", "1"],
}  # 1 and 2 are the codes of GB/T 2261.1 and ISO/IEC 5218

# Cities that are known in Latin letters too; pinyin itself comes from pypinyin.
_CITY_LIST = """
北京 上海 天津 重庆 广州 深圳 成都 杭州 武汉 南京 西安 苏州 长沙 郑州 青岛 沈阳 大连 宁波
厦门 福州 济南 合肥 昆明 长春 石家庄 太原 南昌 南宁 贵阳 兰州 海口 三亚 珠海 佛山 东莞 中山
惠州 无锡 常州 南通 徐州 扬州 温州 嘉兴 绍兴 金华 泉州 烟台 潍坊 洛阳 宜昌 襄阳 株洲 湘潭
岳阳 桂林 柳州 银川 西宁 唐山 保定 赣州 九江 芜湖
"""
CITIES_IN_LATIN = {"harbin": "哈尔滨", "haerbin": "哈尔滨", "hohhot": "呼和浩特", "urumqi": "乌鲁木齐", "lhasa": "拉萨",
                   "hongkong": "香港", "macau": "澳门", "macao": "澳门"}  # fmt: skip

# One unit of each: how many g, ml or pieces it is.
SIZE_UNITS = {
    "g": (1, "g"), "克": (1, "g"), "kg": (1000, "g"), "千克": (1000, "g"), "公斤": (1000, "g"), "斤": (500, "g"),
    "两": (50, "g"), "mg": (0.001, "g"), "ml": (1, "ml"), "毫升": (1, "ml"), "cl": (10, "ml"), "l": (1000, "ml"),
    "升": (1000, "ml"), "piece": (1, "piece"), "pieces": (1, "piece"), "pc": (1, "piece"), "pcs": (1, "piece"),
    "个": (1, "piece"), "只": (1, "piece"), "件": (1, "piece"), "片": (1, "piece"), "包": (1, "piece"),
    "袋": (1, "piece"), "盒": (1, "piece"), "瓶": (1, "piece"), "支": (1, "piece"), "枚": (1, "piece"),
    "卷": (1, "piece"), "抽": (1, "piece"), "双": (1, "piece"), "条": (1, "piece"), "pack": (1, "piece"),
    "rolls": (1, "piece"), "roll": (1, "piece"), "sheets": (1, "piece"), "bags": (1, "piece"), "bag": (1, "piece"),
}  # fmt: skip

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"


def standardise_phones(series, region="CN"):
    """Write each phone number in the international form E.164: ``+8617401234567``.

    Parameters
    ----------
    series : pandas.Series
        Numbers as typed: spaces, dashes, +86, 0086, full-width digits …
    region : str
        Country (ISO 3166) to assume where no country code is written.

    Returns
    -------
    pandas.Series
        dtype ``str``, same index. A number that cannot exist (a digit short, letters inside) becomes missing.

    References
    ----------
    ITU-T E.164. Numbering plans: Google's libphonenumber (``phonenumbers``).

    Examples
    --------
    >>> standardise_phones(pd.Series(["１７４０-１２３-４５６７", "0086 174 0123 4567", "1740123456", None])).tolist()
    ['+8617401234567', '+8617401234567', nan, nan]
    """
    return by_value(series, lambda text: _one_phone(text, region))


def standardise_emails(series):
    """Write each e-mail address in small letters; an address that cannot exist becomes missing.

    Parameters
    ----------
    series : pandas.Series
        Addresses as typed.

    Returns
    -------
    pandas.Series
        dtype ``str``, same index.

    References
    ----------
    RFC 5321, RFC 5322 and RFC 6531 as read by ``email-validator`` (no look-up on the network).

    Examples
    --------
    >>> standardise_emails(pd.Series(["Zeng.GF＠Example.COM ", "zeng@example", "zeng example.com"])).tolist()
    ['zeng.gf@example.com', nan, nan]
    """
    return by_value(series, _one_email)


def standardise_dates(series, earliest="1900-01-01", latest="2100-12-31"):
    """Read each date; what is unreadable, ambiguous or outside the limits becomes missing (NaT).

    05/06/1990 is 5 June in one country and 6 May in another, 90-01-05 can be 1890 or 1990: both are ambiguous.
    25/12/1990 is not: there is no 25th month.

    Parameters
    ----------
    series : pandas.Series
        Dates as typed: 1990-01-05, 1990/1/5, 19900105, 1990年1月5日, 5 Jan 1990 …
    earliest, latest : str
        The first and the last date that can be right.

    Returns
    -------
    pandas.Series
        dtype ``datetime64[us]``, same index.

    References
    ----------
    ISO 8601-1:2019; GB/T 7408.

    Examples
    --------
    >>> days = pd.Series(["1990年1月5日", "19900105", "25/12/1990", "05/06/1990", "1990-02-30"])
    >>> standardise_dates(days).astype("str").tolist()
    ['1990-01-05', '1990-01-05', '1990-12-25', nan, nan]
    """
    if pd.api.types.is_datetime64_any_dtype(series):
        dates = series.astype("datetime64[us]").dt.normalize()
    else:
        dates = pd.to_datetime(by_value(series, _one_date), format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")
    return dates.where(dates.between(earliest, latest))


def standardise_genders(series):
    """Write each gender as F or M; anything else becomes missing.

    Parameters
    ----------
    series : pandas.Series
        Genders as typed: F, female, 女, 先生, Ms …

    Returns
    -------
    pandas.Series
        dtype ``str``: "F", "M" or missing; same index.

    References
    ----------
    GB/T 2261.1-2003 and ISO/IEC 5218 (1 is male, 2 is female).

    Examples
    --------
    >>> standardise_genders(pd.Series(["女", "male", "先生", "x", None])).tolist()
    ['F', 'M', 'M', nan, nan]
    """
    meaning = {word: gender for gender, words in GENDERS.items() for word in words}
    return by_value(series, lambda text: meaning.get(text.lower().rstrip(".")))


def standardise_cities(series):
    """Write each city by its short Chinese name: 上海市, 上海 and Shanghai are 上海.

    A place that the kit's table does not know is kept as typed, without 省 and 市.

    Parameters
    ----------
    series : pandas.Series
        Cities as typed.

    Returns
    -------
    pandas.Series
        dtype ``str``, same index.

    Examples
    --------
    >>> standardise_cities(pd.Series(["上海市", "SHANGHAI", "广东省广州市", "Xi'an", "London"])).tolist()
    ['上海', '上海', '广州', '西安', 'London']
    """
    return by_value(series, _one_city)


def standardise_addresses(series):
    """Write each address in one way: half-width, no spaces, no commas, 号 for #, 栋 and 室, without the city.

    Parameters
    ----------
    series : pandas.Series
        Addresses as typed.

    Returns
    -------
    pandas.Series
        dtype ``str``, same index.

    Examples
    --------
    >>> typed = pd.Series(["杭州市人民路 １２ #，3 栋 502 室", "人民路12号3-502", "12  Renmin Rd.,  Room 502"])
    >>> standardise_addresses(typed).tolist()
    ['人民路12号3栋502室', '人民路12号3栋502室', '12 renmin road room 502']
    """
    return by_value(series, _one_address)


def standardise_sizes(series):
    """Read each pack size as a quantity in g, ml or pieces.

    Parameters
    ----------
    series : pandas.Series
        Sizes as typed: "500 g", "0.5kg", "1斤", "6 x 330ml" …

    Returns
    -------
    pandas.DataFrame
        quantity (float64) and unit ("g", "ml" or "piece"); both missing where the text cannot be read; same index.

    References
    ----------
    International System of Units; 1 斤 = 500 g and 1 两 = 50 g (State Council of China, 1959).

    Examples
    --------
    >>> standardise_sizes(pd.Series(["0.5kg", "1斤", "6 x 330ml", "large"]))
       quantity unit
    0     500.0    g
    1     500.0    g
    2    1980.0   ml
    3       NaN  NaN
    """
    sizes = by_value(series, _one_size).str.split(" ", expand=True).reindex(columns=[0, 1])
    return pd.DataFrame({"quantity": sizes[0].astype("float64"), "unit": sizes[1].astype("str")}, index=series.index)


def standardise_records(records):
    """Standardise every field of a table of records and add the name in pinyin and the surname.

    Parameters
    ----------
    records : pandas.DataFrame
        As returned by `extract_records`.

    Returns
    -------
    pandas.DataFrame
        The same columns and rows, standardised (birth_date as datetime64), and the new columns name_pinyin and
        surname.

    Examples
    --------
    >>> import cimlab
    >>> from cimlab.database import extract_records
    >>> raw = extract_records(cimlab.load("members"), cimlab.load("web_accounts"), cimlab.load("calls"))
    >>> standardise_records(raw)["gender"].dropna().unique().tolist()
    ['F', 'M']
    """
    return records.assign(
        name=standardise_names(records["name"]),
        gender=standardise_genders(records["gender"]),
        birth_date=standardise_dates(records["birth_date"]),
        phone=standardise_phones(records["phone"]),
        email=standardise_emails(records["email"]),
        city=standardise_cities(records["city"]),
        address=standardise_addresses(records["address"]),
        id_number=standardise_codes(records["id_number"]),
        name_pinyin=pinyin_names(records["name"]),
        surname=surnames(pinyin_names(records["name"])),
    )


def standardisation_report(before, after):
    """Count, field by field, what standardising did: filled, changed, and lost.

    Parameters
    ----------
    before, after : pandas.DataFrame
        The table before and after; only columns of both are compared. Same index.

    Returns
    -------
    pandas.DataFrame
        field, filled_before, filled_after, changed (a value that is written differently now), became_missing (typed
        but not readable). Counts of rows.

    Examples
    --------
    >>> raw = pd.DataFrame({"phone": ["17401234567", "1740", None]})
    >>> standardisation_report(raw, raw.assign(phone=standardise_phones(raw["phone"])))
       field  filled_before  filled_after  changed  became_missing
    0  phone              2             1        1               1
    """
    rows = []
    for field in [column for column in before.columns if column in after.columns]:
        old, new = before[field].replace("", None), after[field]
        kept = old.notna() & new.notna()
        rows.append(
            {
                "field": field,
                "filled_before": int(old.notna().sum()),
                "filled_after": int(new.notna().sum()),
                "changed": int((old[kept].astype("str") != new[kept].astype("str")).sum()),
                "became_missing": int((old.notna() & new.isna()).sum()),
            }
        )
    return pd.DataFrame(rows)


def _one_phone(text, region):
    import phonenumbers

    # The library would read letters as the keys of an old telephone; here a letter is a typing error.
    if re.search(r"[A-Za-z]", re.sub(r"(?i)\b(tel|phone|mobile)\b|ext.*$", "", text)):
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, 0) if phonenumbers.is_valid_number(number) else None  # 0 = E.164


def _one_email(text):
    from email_validator import EmailNotValidError, validate_email

    try:
        return validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return None


def _one_date(text):
    text = re.sub(r"[ T]\d{1,2}:\d{2}.*$", "", text)  # a time of day behind the date
    if match := re.fullmatch(r"(\d{4})(\d{2})(\d{2})|(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?", text):
        year, month, day = (int(part) for part in match.groups() if part)
    elif match := re.fullmatch(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})", text):
        first, second, year = (int(part) for part in match.groups())
        if first <= 12 and second <= 12 and first != second:
            return None
        month, day = (second, first) if first > 12 else (first, second)
    elif match := re.fullmatch(r"(?i)(?:(\d{1,2})\s+)?([a-z]{3})[a-z]*\.?\s+(?:(\d{1,2}),?\s+)?(\d{4})", text):
        before, name, behind, year = match.groups()
        month, day = _MONTHS.find(name.lower()) // 4 + 1, int(before or behind or 0)
    else:
        return None
    return f"{int(year):04d}-{month:02d}-{day:02d}"  # that such a day exists is checked by pandas


def _one_city(text):
    if not has_chinese(text):
        letters = re.sub(r"(city|shi)?$", "", re.sub(r"[^a-z]", "", text.lower()))
        return _cities_by_pinyin().get(letters) or text.title()
    short = re.sub(r"\s", "", text)
    short = re.sub(r"^中国", "", short)
    short = re.sub(r"^\w{2,3}省|^\w{2,6}自治区", "", short) or short
    return re.sub(r"^(\w{2,}?)市.*$", r"\1", short)


@lru_cache(maxsize=1)
def _cities_by_pinyin():
    from pypinyin import lazy_pinyin

    return {"".join(lazy_pinyin(city)): city for city in _CITY_LIST.split()} | CITIES_IN_LATIN


def _one_address(text):
    text = re.sub(r"[,，、。;；]", " ", text)
    if has_chinese(text):
        text = re.sub(r"\s", "", text).replace("#", "号").lower()
        text = re.sub(r"^(\w{2,3}省)?[\u4e00-\u9fff]{2,5}?市", "", text) or text  # the city has a column of its own
        text = re.sub(r"(\d+)(?:号楼|幢|座|-(?=\d+室?$))", r"\1栋", text)
        return re.sub(r"(栋\d+)$", r"\1室", text)
    text = re.sub(r"\brd\b\.?", "road", re.sub(r"\bst\b\.?", "street", text.lower()))
    return " ".join(text.split())


def _one_size(text):
    text = re.sub(r"^半", "0.5", text)
    match = re.fullmatch(r"(?:(\d+)\s*[x×*]\s*)?(\d+(?:\.\d+)?)\s*([a-z]+|[\u4e00-\u9fff]+)", text.lower())
    if not match or match[3] not in SIZE_UNITS:
        return None
    factor, unit = SIZE_UNITS[match[3]]
    return f"{int(match[1] or 1) * float(match[2]) * factor:.10g} {unit}"


__all__ = [
    "clean_text",
    "pinyin_names",
    "standardisation_report",
    "standardise_addresses",
    "standardise_cities",
    "standardise_codes",
    "standardise_dates",
    "standardise_emails",
    "standardise_genders",
    "standardise_names",
    "standardise_phones",
    "standardise_records",
    "standardise_sizes",
    "surnames",
]  # fmt: skip
