"""The satisfaction survey: who is asked, who answers, what they tick and write.

Everyone who is asked has an answer in mind; whether it is sent depends on age, sex, satisfaction and how the person is
asked. So the raw answers are biased in a known way, and `make_answers` gives those of all who were asked to compare
with. All rates and cut points stand in `voices.yaml`.

References
----------
Groves, R. (2006). Nonresponse rates and nonresponse bias in household surveys. Public Opinion Quarterly 70(5).
Meade, A., Craig, S. (2012). Identifying careless responses in survey data. Psychological Methods 17(3).
"""

from functools import cache

import numpy as np
import pyarrow as pa

from cimlab.retailer.draws import by_limit, read_settings
from cimlab.retailer.voice_texts import SENTIMENTS, groups, languages, write_texts
from cimlab.retailer.voices import cut, draw_from, interpolate
from cimlab.retailer.world import (
    CALL,
    MINUTES,
    THINGS,
    TILL,
    WEB,
    date_column,
    day_of,
    enum_column,
    id_text,
    time_column,
    year_month_day,
)

GENDERS = ("F", "M")
AGE_GROUPS = ("under 25", "25-34", "35-44", "45-59", "60 and over")
AGE_STEPS = [[24, 0], [34, 1], [44, 2], [59, 3], [999, 4]]  # ages up to, and the group
LIKERT = ("q1_quality", "q2_price", "q3_staff", "q4_delivery", "q5_returns", "q6_overall")
NONE = -1  # nothing ticked
COPIES = 16  # room for the cards of one person in the number of an answer
CARDS_BITS = 30  # rows of persons have 26 bits, copies of a card 4


# ---------------------------------------------------------------------------------------------------------- who answers
def survey_propensity(world, people):
    """Return the chance that each person answers a survey if asked, as a mean over the ways of asking.

    Parameters
    ----------
    world : dict
    people : dict of arrays
        `row`, `age`, `sex` and `satisfaction` are used.

    Returns
    -------
    numpy.ndarray of int64
        Per thousand. Older people, women, and the very satisfied and dissatisfied answer more.
    """
    settings = read_settings("voices")["survey"]
    base = np.where(
        people["sex"] == GENDERS.index("F"),
        by_limit(settings["women"], people["age"]),
        by_limit(settings["men"], people["age"]),
    )
    willing = draw_from(world["draws"], settings["willingness"], "person", "survey willingness", people["row"])
    percent = interpolate(settings["by_satisfaction"], people["satisfaction"]) * willing // 100
    return np.clip(base * percent // 100, *settings["limits"])


def invite(block):
    """Return the invitations of a block: a random tenth of the cards that were there before the survey.

    Returns
    -------
    dict of arrays
        `record` and `person` (positions), `key` (of the card), `way` (index into the ways of asking), `asked_on` (day),
        `chance` (of an answer, per thousand, with the way of asking), `answered`.
    """
    settings, draws, records = read_settings("voices")["survey"], block["world"]["draws"], block["records"]
    first, last = day_of(settings["first_day"]), day_of(settings["last_day"])
    cards = np.flatnonzero((records["channel"] == 0) & (records["made_on"] < first))
    chosen = draws.chance(settings["invited_per_1000"], "survey", "invited", records["key"][cards])
    asked = {"record": cards[chosen], "person": records["person"][cards[chosen]], "key": records["key"][cards[chosen]]}
    key, ways = asked["key"], settings["asked_by"]
    way = draws.weighted([facts["weight"] for facts in ways.values()], "survey", "way", key)
    # Who has no e-mail address gets a message on the telephone.
    no_mail = ~block["people"]["has_email"][asked["person"]]
    asked["way"] = np.where(no_mail & (way == place_of("email")), place_of("sms"), way)
    asked["asked_on"] = first + draws.below(last - first + 1, "survey", "asked on", key)
    percent = np.array([facts["percent"] for facts in ways.values()])[asked["way"]]
    persons = {name: block["people"][name][asked["person"]] for name in ("row", "age", "sex", "satisfaction")}
    asked["chance"] = np.minimum(survey_propensity(block["world"], persons) * percent // 100, 1000)
    asked["answered"] = draws.chance(asked["chance"], "survey", "answers", key)
    return asked


def ways_of_asking():
    """Return the names of the ways of asking."""
    return list(read_settings("voices")["survey"]["asked_by"])


def place_of(way):
    """Return the number of a way of asking."""
    return ways_of_asking().index(way)


# -------------------------------------------------------------------------------------------------------------- answers
def make_answers(block, asked):
    """Return what everyone who was asked has in mind to tick, whether it is sent or not.

    Parameters
    ----------
    block : mapping
    asked : dict of arrays
        From `invite`.

    Returns
    -------
    dict of arrays
        The seven items (−1: left blank), `careless` and `overlooked` (bool), `age_group` and `gender` (−1: not said),
        `q8_channels` (number of a combination), all in the order of `asked`.
    """
    settings, draws, key = read_settings("voices")["survey"], block["world"]["draws"], asked["key"]
    people = {
        name: block["people"][name][asked["person"]] for name in ("age", "sex", "birth", "channels", "satisfaction")
    }
    kind = by_limit(settings["kindness"], people["age"]) + settings["kindness_of_women"] * (people["sex"] == 0)
    feeling = people["satisfaction"] + (kind << 16) // 1000
    ticked = {item: tick(draws, item, feeling, key) for item in settings["items"]}
    answers = {"careless": draws.chance(settings["straight_line_per_1000"], "survey", "straight line", key)}
    answers["overlooked"] = draws.chance(settings["reversal_overlooked_per_1000"], "survey", "overlooked", key)
    ticked["q5_returns"] = np.where(answers["overlooked"], ticked["q5_returns"], 6 - ticked["q5_returns"])
    for item, facts in settings["items"].items():
        blank = draws.chance(facts["blank"], "survey", f"{item} blank", key) & ~answers["careless"]
        answer = np.where(answers["careless"], ticked["q1_quality"], ticked[item]) if item in LIKERT else ticked[item]
        answers[item] = np.where(blank, NONE, answer)
    answers["q4_delivery"] = np.where(people["channels"] & (WEB | CALL) > 0, answers["q4_delivery"], NONE)
    return answers | who_they_say_they_are(draws, people, asked) | {"q8_channels": tick_channels(draws, people, key)}


def tick(draws, item, feeling, key):
    """Return the answers to one item: the feeling and a chance of the item's own, cut at its points."""
    facts = read_settings("voices")["survey"]["items"][item]
    score = facts["own"] * feeling + facts["rest"] * draws.quantile("normal", "survey", item, key)
    return cut(facts["cuts"], score // facts["all"]) + (item in LIKERT)


def who_they_say_they_are(draws, people, asked):
    """Return the age group and gender ticked; −1 where the person does not say."""
    settings, age = read_settings("voices")["survey"], ages_on(people["birth"], asked["asked_on"])
    no_age = draws.chance(by_limit(settings["age_left_out"], age), "survey", "age left out", asked["key"])
    no_gender = draws.chance(settings["gender_left_out_per_1000"], "survey", "gender left out", asked["key"])
    return {
        "age_group": np.where(no_age, NONE, by_limit(AGE_STEPS, age)),
        "gender": np.where(no_gender, NONE, people["sex"].astype(np.int64)),
    }


def ages_on(birth, days):
    """Return ages in whole years on those days.

    Examples
    --------
    >>> ages_on(np.array([0, 0]), np.array([365 * 20 + 4, 365 * 20 + 5])).tolist()
    [19, 20]
    """
    (year, month, day), (birth_year, birth_month, birth_day) = year_month_day(days), year_month_day(birth)
    return year - birth_year - (month * 32 + day < birth_month * 32 + birth_day)


@cache
def channel_texts():
    """Return the texts of all combinations: shop, telephone (bits 0 and 1), way of coming to the web shop (× 4)."""
    web = ["", *(text for text, _ in read_settings("voices")["survey"]["web_as"])]
    order = ("门店", "网店", "小程序", "电话")
    texts = []
    for place in range(4 * len(web)):
        parts = {*(["门店"] if place & 1 else []), *(["电话"] if place & 2 else []), *web[place >> 2].split("┋")}
        texts.append("┋".join(part for part in order if part in parts) or None)
    return texts


def tick_channels(draws, people, key):
    """Return the combination of channels ticked (place in `channel_texts`): those truly used, some forgotten."""
    settings = read_settings("voices")["survey"]
    weights = [weight for _, weight in settings["web_as"]]

    def remembered(channel):
        forgotten = draws.chance(settings["forgotten_per_1000"], "survey", "forgotten", key, channel)
        return (people["channels"] & channel > 0) & ~forgotten

    web = np.where(remembered(WEB), 1 + draws.weighted(weights, "survey", "web as", key), 0)
    return remembered(TILL) + 2 * remembered(CALL) + 4 * web


# --------------------------------------------------------------------------------------------------------------- tables
def make_survey_tables(block):
    """Return the tables `survey_invitations` and `questionnaire` of a block of persons.

    Parameters
    ----------
    block : mapping
        `world`, `people` and `records`.

    Returns
    -------
    dict of pyarrow.Table
        In the order of the block; the numbers of the answers rise with the time of sending.
    """
    asked = invite(block)
    member = id_text(block["records"]["id"][asked["record"]])
    invitations = {
        "member_id": member,
        "asked_by": enum_column(asked["way"], ways_of_asking()),
        "asked_on": date_column(asked["asked_on"]),
        "answered": pa.array(asked["answered"]),
    }
    sent = np.flatnonzero(asked["answered"])
    asked = {name: column[sent] for name, column in asked.items()}
    answers = make_answers(block, asked)
    comments = make_comments(block, asked, answers)
    at = sending_times(block["world"]["draws"], asked)
    texts = pa.array(channel_texts(), pa.string())
    questionnaire = {
        "response_no": pa.array(response_numbers(block["world"]["draws"], asked, at)),
        "member_id": member.take(pa.array(sent)),
        "submitted_at": time_column(at),
        "seconds": pa.array(seconds_spent(block["world"]["draws"], asked, answers, comments)),
        "age_group": pa.array(AGE_GROUPS, pa.string()).take(ticked_column(answers["age_group"])),
        "gender": pa.array(GENDERS, pa.string()).take(ticked_column(answers["gender"])),
        **{item: ticked_column(answers[item]) for item in read_settings("voices")["survey"]["items"]},
        "q8_channels": texts.take(pa.array(answers["q8_channels"])),
        "q9_comment": pa.array(comments, pa.string()),
    }
    return {"survey_invitations": pa.table(invitations), "questionnaire": pa.table(questionnaire)}


def ticked_column(numbers):
    """Return ticked numbers as an Arrow column; null where nothing was ticked."""
    numbers = np.asarray(numbers, dtype=np.int64)
    return pa.array(numbers, mask=numbers == NONE)


def make_comments(block, asked, answers):
    """Return the comments of those who answered; None for most. The mood of a comment is that of the answer to q6."""
    settings, draws = read_settings("voices")["survey"], block["world"]["draws"]
    overall = np.where(answers["q6_overall"] == NONE, 3, answers["q6_overall"])
    chance = np.array(settings["comment"])[overall - 1]
    writes = draws.chance(chance, "survey", "comment", asked["key"]) & ~answers["careless"]
    at = np.flatnonzero(writes)
    language = languages(draws, block["people"]["row"][asked["person"][at]])
    voice = {
        "key": asked["key"][at],
        "language": language,
        "sentiment": np.select([overall[at] <= 2, overall[at] == 3], [0, 1], 2),
        "group": np.full(len(at), len(groups())),
    }
    items = ["goods" if english else "商品" for english in language.tolist()]
    weights = dict.fromkeys(SENTIMENTS, settings["comment_topics"])
    texts, _ = write_texts(draws, "survey comment", voice, items, weights, frame=False)
    comments = np.full(len(writes), None, dtype=object)
    comments[at] = texts
    return comments.tolist()


def sending_times(draws, asked):
    """Return when answers came, in minutes since 1970: at once if a clerk asked, mostly within a day to a link."""
    settings, key = read_settings("voices")["survey"], asked["key"]
    delay = draw_from(draws, settings["delay"], "survey", "delay", key)
    hour = draw_from(draws, settings["hours"]["link"], "survey", "hour", key)
    for way in ("at the till", "telephone"):
        here = asked["way"] == place_of(way)
        delay = np.where(here, 0, delay)
        hour = np.where(here, draw_from(draws, settings["hours"][way], "survey", f"hour {way}", key), hour)
    return (asked["asked_on"].astype(np.int64) + delay) * MINUTES + hour * 60 + draws.below(60, "survey", "minute", key)


def seconds_spent(draws, asked, answers, comments):
    """Return the seconds that each answer took: more with a comment, very few for those who tick one column down."""
    settings, key = read_settings("voices")["survey"]["seconds"], asked["key"]
    seconds = settings["least"] + (draws.quantile("lognormal_45", "survey", "seconds", key) * settings["mean"] >> 16)
    commented = np.array([comment is not None for comment in comments], dtype=bool)
    seconds += np.where(commented, draws.between(*settings["comment"], "survey", "seconds comment", key), 0)
    return np.where(
        answers["careless"], draws.between(*settings["careless"], "survey", "seconds careless", key), seconds
    )


def response_numbers(draws, asked, at):
    """Return the numbers of answers: the minute of sending since the survey began, then a shuffled number of the card.

    No two cards share the second part, so no two answers share a number, whatever block they are in; and the numbers
    rise with the time of sending. They have at most 14 digits, which every spreadsheet keeps.
    """
    start = day_of(read_settings("voices")["survey"]["first_day"]) * MINUTES
    card = asked["key"] // THINGS * COPIES + asked["key"] % COPIES
    return ((at - start) << CARDS_BITS) + draws.permute(card, 1 << CARDS_BITS, "response") + 1
