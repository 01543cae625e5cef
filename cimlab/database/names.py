"""Names of people: one spelling for what was typed in two scripts and in two orders."""

import re
from functools import lru_cache

from cimlab.database.text import by_value, has_chinese

# Surnames whose reading differs from the everyday reading of the character. This is the only place for them.
SURNAME_READINGS = {
    "曾": "zeng", "单": "shan", "解": "xie", "仇": "qiu", "查": "zha", "区": "ou", "盖": "ge", "翟": "zhai",
    "朴": "piao", "缪": "miao", "员": "yun", "覃": "qin", "种": "chong", "繁": "po", "秘": "bi", "折": "she",
    "黑": "he", "召": "shao", "祭": "zhai", "乐": "yue", "洗": "xian", "句": "gou", "都": "du", "么": "yao",
    "卜": "bu", "隗": "wei", "阚": "kan", "牟": "mu", "粘": "nian", "佴": "nai", "重": "chong", "乜": "nie",
}  # fmt: skip

_COMPOUND = (
    "欧阳司马诸葛上官夏侯东方皇甫尉迟公孙慕容令狐司徒万俟单于澹台长孙宇文钟离淳于轩辕端木南宫独孤百里拓跋闻人申屠太史鲜于"
    "呼延公羊赫连濮阳司空西门东郭南门左丘梁丘第五"
)
COMPOUND_SURNAMES = {_COMPOUND[i : i + 2] for i in range(0, len(_COMPOUND), 2)}

# The surnames that more than nine in ten people in China bear; needed to tell "Guofan Zeng" from "Zeng Guofan".
COMMON_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔"
    "谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文施洪辛柯"
    "庄温牛樊葛邢安齐单解仇查区盖翟章鲁倪庞俞聂焦耿关霍包左柳甘祝欧游尤岳季翁骆殷詹费卓宁裴路管符喻柴蒙凌涂饶"
)

SYLLABLE = (
    "(?:(?:[bpmfdtnlgkhjqxrzcsyw]|zh|ch|sh)"
    "(?:iang|iong|uang|ang|eng|ing|ong|ian|iao|uai|uan|ai|an|ao|ei|en|er|ia|ie|in|iu|ou|ua|ue|ui|un|uo|ve|a|e|i|o|u|v)|ang|ai|an|ao|ei|en|er|ou)"
)

HONORIFICS_ZH = re.compile(r"(先生|女士|小姐|太太|老师|师傅|阿姨|同学|经理)$")
HONORIFICS_EN = re.compile(r"^(mr|mrs|ms|miss|dr)\b\.?\s*|[\s,]+(mr|mrs|ms|miss|dr)\.?$", re.IGNORECASE)


def standardise_names(series):
    """Write each name in one way: half-width, one space, no honorific (先生, 女士, Mr, Ms).

    A name keeps its script: 曾国藩 stays Chinese, Zeng Guofan stays Latin. What holds a digit is no name and
    becomes missing.

    Parameters
    ----------
    series : pandas.Series
        Names as typed.

    Returns
    -------
    pandas.Series
        dtype ``str``, same index; missing where there was no readable name.

    References
    ----------
    Christen, P. (2012). Data Matching, chapter 3. Springer.

    Examples
    --------
    >>> import pandas as pd
    >>> standardise_names(pd.Series(["曾　国藩 先生", "ms. LI  mei", "曾先生", "13800"])).tolist()
    ['曾国藩', 'Li Mei', '曾', nan]
    """
    return by_value(series, _standard_name)


def pinyin_names(series):
    """Spell each name in pinyin, the surname first: ``zeng guofan``.

    Chinese characters are read by ``pypinyin``; the surname is read by `SURNAME_READINGS`, since 曾 is *zeng* as a
    surname and *céng* elsewhere. A name typed in Latin letters in either order ("Guofan Zeng", "ZENG Guofan",
    "Zeng, Guofan") is turned round when only one of its ends can be a surname; otherwise it is kept as typed. A name
    run together (Zengguofan) is cut, surname first, where only one cut makes sense.
    ü is written v.

    Parameters
    ----------
    series : pandas.Series
        Names as typed or as returned by `standardise_names`.

    Returns
    -------
    pandas.Series
        dtype ``str``: ``"surname givenname"``, or the surname alone when no more is known; same index.

    References
    ----------
    GB/T 28039-2011, The Chinese phonetic alphabet spelling rules for Chinese names.

    Examples
    --------
    >>> import pandas as pd
    >>> pinyin_names(pd.Series(["曾国藩", "Guofan Zeng", "欧阳修", "单女士", "吕布", None])).tolist()
    ['zeng guofan', 'zeng guofan', 'ouyang xiu', 'shan', 'lv bu', nan]
    """
    return by_value(series, _one_pinyin)


def surnames(pinyin):
    """Return the first word of names spelled by `pinyin_names`.

    Examples
    --------
    >>> import pandas as pd
    >>> surnames(pd.Series(["zeng guofan", "shan", None])).tolist()
    ['zeng', 'shan', nan]
    """
    return pinyin.str.split(" ").str[0].astype("str")


def _standard_name(text):
    text = " ".join(text.split())
    if has_chinese(text):
        text = HONORIFICS_ZH.sub("", text.replace(" ", "")).strip("·,.")
    else:
        text = HONORIFICS_EN.sub("", text).strip()
        # Only words typed all in capitals or all in small letters are changed: McDonald stays as it is.
        text = " ".join(w.capitalize() if w.isupper() or w.islower() else w for w in text.split())
    return text if text and not any(c.isdigit() for c in text) else None


def _one_pinyin(text):
    name = _standard_name(text)
    if name is None:
        return None
    if has_chinese(name):
        return _pinyin_of_chinese(name)
    # The capitals of the typed text still say which word is the surname; the standardised name has lost them.
    return _pinyin_of_latin(HONORIFICS_EN.sub("", text))


def _pinyin_of_chinese(name):
    from pypinyin import lazy_pinyin

    characters = "".join(c for c in name if has_chinese(c))
    surname = characters[:2] if characters[:2] in COMPOUND_SURNAMES and len(characters) > 1 else characters[:1]
    given = characters[len(surname) :]
    return " ".join(part for part in (_surname_reading(surname), "".join(lazy_pinyin(given))) if part)


def _surname_reading(surname):
    from pypinyin import lazy_pinyin

    return SURNAME_READINGS.get(surname) or "".join(lazy_pinyin(surname))


@lru_cache(maxsize=1)
def _surname_spellings():
    return {_surname_reading(s) for s in [*COMMON_SURNAMES, *SURNAME_READINGS, *COMPOUND_SURNAMES]}


def _pinyin_of_latin(name):
    words = [_one_umlaut(word) for word in re.sub(r"[^A-Za-zÜü ]", " ", name.replace("'", "").replace("-", "")).split()]
    if words and "," not in name and _ends_with_surname(words):
        words = [words[-1], *words[:-1]]
    spelled = [word.lower() for word in words]
    if len(spelled) == 1:
        spelled = _split_run_together(spelled[0])
    return " ".join(part for part in (spelled[0], "".join(spelled[1:])) if part) if spelled else None


def _split_run_together(word):
    """Cut zengguofan into zeng and guofan, where only one cut leaves a surname and one or two syllables."""
    if re.fullmatch(SYLLABLE, word):
        return [word]
    cuts = [place for place in range(2, len(word)) if word[:place] in _surname_spellings()]
    cuts = [place for place in cuts if re.fullmatch(f"{SYLLABLE}{{1,2}}", word[place:])]
    return [word[: cuts[0]], word[cuts[0] :]] if len(cuts) == 1 else [word]


def _ends_with_surname(words):
    first, last = words[0], words[-1]
    if first.isupper() != last.isupper():  # many forms ask for the surname in capitals: Guofan ZENG
        return last.isupper()
    known, first, last = _surname_spellings(), first.lower(), last.lower()
    if first in known or last in known:
        return first not in known
    # Two syllables are a given name, unless they are one of the few compound surnames.
    return bool(re.fullmatch(SYLLABLE * 2, first) and not re.fullmatch(SYLLABLE * 2, last))


def _one_umlaut(word):
    return re.sub(r"(?i)\b([ln])yu\b", r"\1v", word).replace("ü", "v").replace("Ü", "V")
