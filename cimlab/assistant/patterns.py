"""What personal data look like in a text: patterns, and what a text is reduced to before they are tried.

A pattern finds what has a form: numbers, addresses of e-mail, a surname with a title. Names have none; they are known
from the tables (see `masking`). All lists are there to be read and extended. To mask too much costs a little accuracy,
to mask too little tells a stranger who called: so every pattern here rather takes too much.
"""

import re
import unicodedata

from cimlab.database.names import COMMON_SURNAMES, COMPOUND_SURNAMES

MOST_SIGNS = 4000  # a longer text is no note of a call
_DIGITS = str.maketrans("零〇○洞一幺二两三四五六七八九拐勾壹贰叁肆伍陆柒捌玖", "00001122345678979123456789")
_UMLAUTS = str.maketrans("üÜǖǘǚǜ", "vVvvvv")
_WORDS = "zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple"
_BETWEEN = r"(?:开头|中间|最后|尾号|then|ends|and|[\s().,，。、;；:：/|*_·–—~+-]){0,6}"
_HAN = r"\u3400-\u9fff"
SURNAME = f"(?:{'|'.join(sorted(COMPOUND_SURNAMES))}|[{COMMON_SURNAMES}])"
_STRONG_TITLES = "先生|女士|小姐|太太|阿姨|师傅|老师|同学|大姐|大哥|大爷|大妈|奶奶|爷爷|叔叔|伯伯"
_TITLES = "经理|总(?!部|是|共|之|算|体|台|店|的|要)|主任|会计|店长|医生|老板|律师|教授|主管|厂长|院长|校长|局长|某"
_ANNOUNCED = (
    r"我叫|名叫|名字叫|名字是|叫做|姓名|联系人|收件人|收货人|我是|本人是|my name is|name is|named|i am|i'm|signed"
)
_ACCOUNTS = (
    "微信|wechat|weixin|vx|wx|qq|支付宝|alipay|whatsapp|telegram|护照|passport|身份证|id card|银行卡|bank card|卡号"
)
_UNITS = (
    r"\d+[-_]?(?:kg|g|ml|l|cm|mm|cny|rmb|am|pm|gb|h|min|minutes|days?|weeks?|months?|pcs|packs?|percent|th|st|nd|rd)"
)

# Surname and sign of a given name, and yet a word of every day. Left alone unless the tables hold it as a name.
_COMMON = """
    万一 于可 于是 付清 付给 任一 余庆 关于 关心 关爱 单一 单子 古城 古文 叶子 向来 周一 周三 周二 周五 周六 周四
    周天 周年 周日 周边 和平 夏天 夏志 安全 安心 安静 容易 左右 常常 常新 平安 应该 康乐 康宁 成功 成长 房子 文明
    文静 方便 方子 施工 时光 易于 林子 林立 柳林 桂花 桂香 梅子 武林 毛巾 江东 江北 江南 江山 池子 温柔 牛丽 甘心
    田子 田林 白云 白天 白玉 白菜 白雪 石子 石英 程序 符文 简单 米子 米粉 米红 花生 苏打 苏杰 解决 许可 谷雨 路子
    车子 金华 金子 金玉 金红 青红 马上 高兴 高峰 高新 高明 高级 鲁莽 黄玉 黄红 黄金 黎明 齐全 龙井 龙华
"""
COMMON_WORDS = set(_COMMON.split())

# (kind, how it is told in a report, pattern). Tried on the text in small letters with Chinese digits as digits.
_DAY = r"(?:19|20)\d\d\s*年\s*\d{1,2}\s*月(?:\s*\d{1,2}\s*[日号])?|(?<!\d)(?:19|20)\d\d[-./]\d{1,2}[-./]\d{1,2}(?!\d)"
_AT, _DOT = r"(?:@|\(at\)|\[at\]|\sat\s|艾特)", r"(?:\.|\(dot\)|\[dot\]|\sdot\s|点)"
_END = r"(?:尾号|末四位|后四位|last four|ends?(?: in| with)?|ending(?: in| with)?)\D{0,3}\d{3,6}"
_ACCOUNT = rf"(?:{_ACCOUNTS})\s*(?:号码|号|账号|id|no\.?|number)?\s*(?:是|为|:|=|is)?\s*[a-z0-9][a-z0-9_.-]{{3,}}"
_MIXED = rf"(?<![a-z0-9])(?!{_UNITS}(?![a-z0-9]))(?=[a-z_-]*\d)(?=[\d_-]*[a-z])[a-z0-9_-]{{5,}}"
_STREET = rf"[{_HAN}]{{0,12}}(?:路|街|大道|道|巷|弄|胡同|里)\s?\d{{1,5}}\s?(?:号|弄)"
_HOUSE = rf"(?:[{_HAN}\d\s-]{{0,24}}(?:室|楼|栋|幢|单元|座|\d))?"
_BLOCK = rf"[{_HAN}]{{0,6}}\d+\s?(?:栋|幢|号楼|单元|室)(?:\s?\d+\s?(?:单元|室|号)?)*"
_ROAD = r"\b(?:no\.?\s?)?\d+\s+(?:[a-z]+\s){1,3}(?:road|rd|street|st|lane|avenue|ave)\b"
_ROOM = r"\b(?:room|flat|apartment|apt|unit|building)\s?(?:no\.?\s?)?\d+\w*"
_TITLED = rf"(?:{SURNAME}[{_HAN}]{{1,2}}|{SURNAME}|[{_HAN}])(?:{_STRONG_TITLES})|{SURNAME}[{_HAN}]{{0,2}}?(?:{_TITLES})"
_FAMILIAR = rf"(?<![{_HAN}])[小老阿]{SURNAME}(?![{_HAN}]{{0,1}}[店路街])"
_MISTER = r"\b(?:mr|mrs|ms|miss|dr|madam|auntie|uncle)\b\.?\s*[a-z]+(?:[\s-][a-z]+)?"
_XIANSHENG = r"\b[a-z]+\s(?:xiansheng|nvshi|nushi|xiaojie)\b"
PATTERNS = [
    ("EMAIL", "form of an e-mail", rf"[a-z0-9_.+-]+\s?{_AT}\s?[a-z0-9_-]+(?:\s?{_DOT}\s?[a-z][a-z0-9_-]*)+"),
    ("DATE", "form of a date", _DAY),
    ("NUMBER", "six digits or more", rf"\+?\(?\d(?:{_BETWEEN}\d){{5,}}[x]?"),
    ("NUMBER", "digits as words", rf"\b(?:{_WORDS})(?:[\s,-]+(?:{_WORDS})){{5,}}\b"),
    ("PHONE", "digits as words", rf"\b(?:(?:{_WORDS})[\s,-]+){{2,}}\d(?:{_BETWEEN}\d){{3,}}"),
    ("PHONE", "digits as words", rf"\d(?:{_BETWEEN}\d){{3,}}[\s,-]+(?:{_WORDS})(?:[\s,-]+(?:{_WORDS}))+\b"),
    ("PHONE", "end of a number", _END),
    ("ACCOUNT", "account or document", _ACCOUNT),
    ("ID", "letters and digits mixed", _MIXED),
    ("ADDRESS", "street and number", _STREET + _HOUSE),
    ("ADDRESS", "block or room", f"{_BLOCK}|{_ROAD}|{_ROOM}"),
    ("NAME", "name with a title", _TITLED),
    ("NAME", "name with a title", f"{_FAMILIAR}|{_MISTER}|{_XIANSHENG}"),
    ("NAME", "name with a title", rf"[{_HAN}]\W{{0,2}}(?:先\W{{0,2}}生|女\W{{0,2}}士|小\W{{0,2}}姐|太\W{{0,2}}太)"),
    ("NAME", "announced name", rf"(?:{_ANNOUNCED})\s*[:是为]?\s*{SURNAME}[{_HAN}]{{1,2}}"),
]
# Between a Chinese sign and a Latin letter re sees no border of a word: "Chen Xiuzhi来电".
_EDGE = r"(?:(?<![A-Za-z0-9_])(?=[A-Za-z0-9_])|(?<=[A-Za-z0-9_])(?![A-Za-z0-9_]))"
PATTERNS = [(kind, how, re.compile(pattern.replace(r"\b", _EDGE))) for kind, how, pattern in PATTERNS]

# Tried on the text as it is written: capitals count.
CAPITALS = re.compile(
    rf"{_EDGE}[A-Z][a-z]+(?:[\s'-]+[A-Z][a-z]+)+{_EDGE}|(?i:my name is|name is|named|signed)\s+([A-Z][a-z]+)"
)

# What makes it unsure whether all was masked: then nothing is sent.
_TELLS_NAME = r"(?:我叫|名叫|名字叫|名字是|姓名|收件人|收货人|my name is)\s*[:是为]?\s*(?!\[|不|写|错|改)\w"
_TELLS_ACCOUNT = r"(?:微信号|wechat id|qq号|支付宝账号)(?!\s*(?:是|:)?\s*\[)"
_CODE = r"&#?\w+;|%[0-9a-f]{2}%|\\[ux][0-9a-f]{2}|[a-z0-9+/_]{24,}"
PIECES = "a number may stand in it in pieces"
DOUBTS = {
    "an @ is left that is in no address of e-mail": re.compile(r"@|艾特"),
    PIECES: re.compile(r"\d(?:\D{0,12}\d){6,}|\d{3,}\D{1,60}\d{3,}"),
    "a part of it is written in code": re.compile(_CODE),
    "a name is announced that was not recognised": re.compile(_TELLS_NAME),
    "an account is announced that was not recognised": re.compile(_TELLS_ACCOUNT),
}


def clean_text(text):
    """Return a text without the disguises that signs have: full width, accents, invisible signs, other digits.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Brackets that look like a placeholder become round: nobody may bring his own.

    Examples
    --------
    >>> clean_text("１７４\\u200b０２０１ zhāng lǚ ٣ [NAME_1]")
    '1740201 zhang lv 3 (NAME)'
    """
    text = unicodedata.normalize("NFKC", text).translate(_UMLAUTS)
    apart = unicodedata.normalize("NFD", text.replace("ǚ", "v")).replace("u\u0308", "v")
    signs = []
    for sign in apart:
        kind = unicodedata.category(sign)
        if kind in ("Mn", "Me", "Cf"):
            continue
        signs.append(" " if kind == "Cc" else str(unicodedata.decimal(sign)) if kind == "Nd" else sign)
    return re.sub(r"\[\s*([A-Za-z]+)[\s_]*\d+\s*\]", r"(\1)", unicodedata.normalize("NFC", "".join(signs)))


def shadow(text):
    """Return a text of the same length in small letters, with Chinese digits as digits.

    Examples
    --------
    >>> shadow("Call 一七四零")
    'call 1740'
    """
    small = "".join(sign.lower() if len(sign.lower()) == 1 else sign for sign in text)
    return small.translate(_DIGITS)


def squeeze(text):
    """Return the letters, signs and digits of a text without anything between, and the place of each.

    Examples
    --------
    >>> squeeze("张-美 娟!")
    ('张美娟', [0, 2, 4])
    """
    places = [place for place, sign in enumerate(text) if sign.isalnum()]
    return "".join(text[place].lower()[:1] for place in places), places


def number_kind(digits):
    """Say what a row of digits is: PHONE, IDENTITY, or NUMBER (a receipt, a card, a landline too short to know).

    Examples
    --------
    >>> [number_kind(digits) for digits in ("8617402010123", "0571-88123456", "33010219740810123x", "202407210839")]
    ['PHONE', 'PHONE', 'IDENTITY', 'NUMBER']
    """
    only = re.sub(r"[^\dx]", "", digits)
    if re.fullmatch(r"(?:0086|86)?1[3-9]\d{9}", only) or re.fullmatch(r"0[1-9]\d{8,10}", only):
        return "PHONE"
    return "IDENTITY" if re.fullmatch(r"\d{17}[\dx]", only) else "NUMBER"


def pattern_spans(text):
    """Find what has the form of personal data.

    Parameters
    ----------
    text : str
        As `clean_text` returns it.

    Returns
    -------
    list of (int, int, str, str)
        Start, end, kind, how it was found; they may overlap.

    Examples
    --------
    >>> sorted({(kind, start, end) for start, end, kind, how in pattern_spans("黄雪娟来电,打1740 201 0123, 请李总回")})
    [('NAME', 23, 25), ('PHONE', 7, 20)]
    """
    low, found = shadow(text), []
    for kind, how, pattern in PATTERNS:
        for match in pattern.finditer(low):
            if kind != "NUMBER" or how == "digits as words":
                found.append((*match.span(), kind, how))
                continue
            for start, end in _numbers_in(match[0]):
                found.append((match.start() + start, match.start() + end, number_kind(match[0][start:end]), how))
    for match in CAPITALS.finditer(text):
        start, end = match.span(1) if match[1] else match.span()
        found.append((start, end, "NAME", "words with capitals"))
    return found


def _numbers_in(row):
    """Part a receipt from the mobile number that follows it, and a mobile number from the "8 days" that follow it."""
    if number_kind(row) != "PHONE":
        if last := _PHONE_AT_END.search(row):
            return (0, last.start()), (last.start(), len(row))
        first = _PHONE_AT_START.match(row)
        if first and sum(sign.isdigit() for sign in row[first.end() :]) < 4:
            return ((0, first.end()),)
    return ((0, len(row)),)


_PHONE_AT_START = re.compile(rf"(?:\+?(?:00)?86[\s-]?)?1[3-9]\d(?:{_BETWEEN}\d){{8}}(?!\d)")
_PHONE_AT_END = re.compile(rf"(?<=\D)(?:\+?(?:00)?86[\s-]?)?1[3-9]\d(?:{_BETWEEN}\d){{8}}$")


def strange_letters(text):
    """Return the letters of scripts that no pattern here can read: neither Latin nor Chinese.

    Examples
    --------
    >>> strange_letters("мария 你好 hello")
    'аимря'
    """
    return "".join(sorted({sign for sign in text if sign.isalpha() and not _is_read(sign)}))


def _is_read(sign):
    return sign.isascii() or "\u3400" <= sign <= "\u9fff" or sign in "々〇○"
