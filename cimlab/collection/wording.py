"""Look for faults in the wording of questions (问卷措辞), English and Chinese, by rules of words.

The rules find what stands in the words; they do not understand the question. Each find is a reason to read the question
again, not yet a fault, and a question without a find still needs a pretest.
"""

import re

import pandas as pd

# fault → (what to do, English words, Chinese words): regular expressions
WORDING_RULES = {
    "double-barrelled": (
        "Ask one thing at a time: make two questions of it.",
        r"(?<!between )\b\w+ (?:and|or) (?!over\b|under\b|above\b|more\b|less\b|not\b)\w+",
        r"[\u4e00-\u9fff]{1,4}(?:以及|并且|和(?![谐平气])|(?<!参)与|(?<!以)及(?!时|格)|或者)[\u4e00-\u9fff]{1,4}",
    ),
    "leading": (
        "Take out praise, blame and what others think; offer both sides.",
        r"don't you|do you agree that|wouldn't you|isn't it|as everyone knows|obviously|surely|most people|"
        r"how much do you (?:like|love|enjoy)|"
        r"\b(?:excellent|wonderful|great|outstanding|award-winning|terrible|famous|popular)\b",
        r"难道|您?是否同意|众所周知|大家都|大多数人|不觉得|深受[\u4e00-\u9fff]{0,4}喜爱|优质的?|贴心的?|出色的?|优秀的?|"
        r"著名的?|热情的|糟糕的|显然|有多(?:喜欢|满意)",
    ),
    "negation": (
        "Ask it without a no: who disagrees with a denial must think twice.",
        r"\b(?:not|never|no|without|nobody|nothing|hardly|un(?:happy|satisfied|likely|willing|able))\b|n't\b",
        r"不(?![同久过仅])|没有?|未(?!来)|无法|从来?不|并非|非(?=[\u4e00-\u9fff])",
    ),
    "vague": (
        "Say how often, since when, how much: “in the last 30 days”, “at least once a week”.",
        r"\b(?:often|regularly|frequently|usually|sometimes|recently|lately|many|much|several|few|some|normally|generally"
        r"|good|okay)\b",
        r"经常|常常|时常|有时|偶尔|最近|近来|平时|一般|通常|很多|许多|一些|大概|左右|合适|适当|相关|等等",
    ),
    "too long": ("Cut it: in the street nobody hears more than 20 words.", r"^(?:\S+\s+){20,}\S+", r"^.{41,}"),
}
# These look like a fault and are none: yes-or-no forms of Chinese, ends of a scale.
HARMLESS = (
    r"是不是|有没有|会不会|能不能|可不可以|要不要|愿不愿意|好不好|非常|不满意到|从不满意|满意或不满意|如何|"
    r"not at all|how much(?! do you (?:like|love|enjoy))|how many|as much|yes or no|male or female|agree or disagree"
)


def wording_faults(questions):
    """Find double-barrelled, leading, negative, vague and too long questions.

    Parameters
    ----------
    questions : list of str or pandas.Series
        The questions, Chinese or English, without their answers.

    Returns
    -------
    pandas.DataFrame
        One row a find: question (its text), fault, found (the words), advice. Empty if nothing was found.

    References
    ----------
    Dillman, D. A., Smyth, J. D. and Christian, L. M. (2014). *Internet, Phone, Mail, and Mixed-Mode Surveys*, 4th ed.,
    chapter 4.

    Examples
    --------
    >>> questions = ["Do you like our prices and staff?", "您最近是不是经常来店里？", "How old are you?"]
    >>> wording_faults(questions)[["question", "fault", "found"]]
                                question             fault             found
    0  Do you like our prices and staff?  double-barrelled  prices and staff
    1                       您最近是不是经常来店里？             vague            最近, 经常
    """
    rows = []
    for question in questions:
        text = re.sub(HARMLESS, "", question, flags=re.IGNORECASE)
        language = 2 if re.search(r"[\u4e00-\u9fff]", question) else 1
        for fault, rule in WORDING_RULES.items():
            found = re.findall(rule[language], text.strip(), flags=re.IGNORECASE)
            if found:
                words = f"{len(question.split()) if language == 1 else len(question)} words or signs"
                rows.append([question, fault, words if fault == "too long" else ", ".join(found), rule[0]])
    return pd.DataFrame(rows, columns=["question", "fault", "found", "advice"], dtype="str")
