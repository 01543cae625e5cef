"""Reviews in the web shop: what customers write of their own accord.

Each buyer has an experience with each article: a score on the normal scale. From it follow the stars that the buyer
would give (a bell) and the chance that he or she writes at all (high at both ends). The J shape of the written stars is
the outcome of that choice; no share of written stars stands anywhere. All rates stand in `voices.yaml`.

References
----------
Hu, N., Pavlou, P., Zhang, J. (2009). Overcoming the J-shaped distribution of product reviews. CACM 52(10).
"""

import numpy as np
import pyarrow as pa

from cimlab.retailer.catalogue import product_ids
from cimlab.retailer.draws import ONE, by_limit, read_settings
from cimlab.retailer.voice_texts import LANGUAGES, SENTIMENTS, TOPICS, group_table, languages, write_texts
from cimlab.retailer.world import CATEGORIES, MINUTES, REFERENCE_DAY, THINGS, enum_column, id_text, time_column

LINES = 1024  # room for the lines of one order in a key
MILLION = 1_000_000


# ----------------------------------------------------------------------------------------------------------- who writes
def review_propensity(world, people):
    """Return the chance that each person reviews a bought article that was neither good nor bad.

    Parameters
    ----------
    world : dict
    people : dict of arrays
        `row` and `age` are used.

    Returns
    -------
    numpy.ndarray of int64
        Per thousand. Most people never write, a few write often; the young more than the old.
    """
    settings = read_settings("voices")["reviews"]
    levels = np.array([level for level, _ in settings["base"]])
    weights = [weight for _, weight in settings["base"]]
    base = levels[world["draws"].weighted(weights, "person", "review base", people["row"])]
    return base * by_limit(settings["by_age"], people["age"]) // 100


def interpolate(points, scores):
    """Return whole numbers on the straight lines between points, flat beyond the first and the last.

    Parameters
    ----------
    points : list of [int, int]
        Score in thousandths of a standard deviation, and the number there.
    scores : array of int64
        In units of 1/65536 of a standard deviation.

    Returns
    -------
    numpy.ndarray of int64

    Examples
    --------
    >>> interpolate([[-1000, 50], [0, 10], [1000, 30]], np.array([-200000, 0, 32768, 200000])).tolist()
    [50, 10, 20, 30]
    """
    places, numbers = (np.array(column, dtype=np.int64) for column in zip(*points, strict=True))
    at = np.clip(scores * 1000 >> 16, places[0], places[-1])
    left = np.clip(np.searchsorted(places, at, side="right") - 1, 0, len(places) - 2)
    rise, run = numbers[left + 1] - numbers[left], places[left + 1] - places[left]
    return numbers[left] + rise * (at - places[left]) // run


def cut(points, scores):
    """Return how many of the points (in thousandths) lie at or below each score (in units of 1/65536).

    Examples
    --------
    >>> cut([-1000, 1000], np.array([-70000, 0, 70000])).tolist()
    [0, 1, 2]
    """
    return np.searchsorted(np.array(points, dtype=np.int64) * ONE // 1000, scores, side="right")


def web_lines(block):
    """Return the positions of the lines that were bought in the web shop with an account: only they can be reviewed."""
    orders = block["orders"]
    fits = (orders["channel"] == 1) & (orders["record"] >= 0)
    return np.flatnonzero(fits[block["lines"]["order"]])


def line_facts(block, lines):
    """Return person (position in the block), article and key of lines given by position."""
    order = block["lines"]["order"][lines]
    key = block["orders"]["key"][order].astype(np.int64) * LINES + block["lines"]["line_no"][lines]
    return block["orders"]["person"][order], block["lines"]["product"][lines].astype(np.int64), key


def draw_experience(block, lines):
    """Return the experience of the buyer with the article of each line: satisfaction, quality and chance.

    Parameters
    ----------
    block : mapping
    lines : array of int64
        Positions of lines.

    Returns
    -------
    numpy.ndarray of int64
        In units of 1/65536 of a standard deviation.
    """
    weights, draws = read_settings("voices")["reviews"]["experience"], block["world"]["draws"]
    person, product, key = line_facts(block, lines)
    score = weights["satisfaction"] * block["people"]["satisfaction"][person]
    score = score + weights["quality"] * article_quality(block["world"])[product]
    score += weights["chance"] * draws.quantile("normal", "review", "chance", key)
    return score // weights["all"]


def article_quality(world):
    """Return the quality of each article: a draw, less the mean over what is sold: no edition has better goods."""
    shelf, categories = world["shelf"], read_settings("catalogue")["categories"]
    quality = world["draws"].quantile("normal", "product", "quality", np.arange(len(shelf["category"])))
    of_category = np.bincount(shelf["category"], weights=shelf["share"]).astype(np.int64)
    sold = np.array([categories[name]["share"] for name in CATEGORIES])[shelf["category"]] * 1000
    sold = sold * shelf["share"] // of_category[shelf["category"]]
    return quality - (quality * sold).sum() // sold.sum()


def would_be_stars(experience):
    """Return the stars from 1 to 5 that each buyer would give if all had to write: a bell."""
    return cut(read_settings("voices")["reviews"]["stars"], experience) + 1


def choose_written(block):
    """Return (lines, experience): the lines that are reviewed; the chance to write grows towards both ends.

    Most lines are sorted out by one draw, before their experience is known: no experience could make their buyer write.
    """
    settings = read_settings("voices")["reviews"]
    lines = web_lines(block)
    person, _, key = line_facts(block, lines)
    base = review_propensity(block["world"], block["people"])[person]
    luck = block["world"]["draws"].below(MILLION, "review", "write", key)
    possible = np.flatnonzero(luck < base * max(times for _, times in settings["writing"]))
    lines, base, luck = lines[possible], base[possible], luck[possible]
    experience = draw_experience(block, lines)
    written = luck < base * interpolate(settings["writing"], experience)
    return lines[written], experience[written]


# -------------------------------------------------------------------------------------------------------------- reviews
def make_review_tables(block):
    """Return the reviews of a block of persons, and what their writers truly felt.

    Parameters
    ----------
    block : mapping
        `world`, `people`, `records`, `orders` and `lines`.

    Returns
    -------
    tuple of dict of pyarrow.Table
        ({"reviews": …}, {"review_facts": …}), in the order of the block.
    """
    review = make_reviews(block)
    keep = np.flatnonzero((review["at"] < REFERENCE_DAY * MINUTES) & (review["number"] < THINGS))
    review = {name: column[keep] for name, column in review.items()}
    keys = block["people"]["row"][review["person"]] * THINGS + review["number"]
    review["id"] = block["world"]["draws"].ids("V", keys)
    texts, topic = review_texts(block, review)
    order = block["lines"]["order"][review["line"]]
    record = block["orders"]["record"][order]
    products = pa.array(product_ids(len(block["world"]["shelf"]["category"])), pa.string())
    data = {
        "review_id": id_text(review["id"]),
        "account_id": id_text(block["records"]["id"][record]),
        "order_id": id_text(block["orders"]["id"][order]),
        "product_id": products.take(pa.array(block["lines"]["product"][review["line"]])),
        "stars": pa.array(review["stars"].astype(np.int64)),
        "text": pa.array(texts, pa.string()),
        "reviewed_at": time_column(review["at"]),
        "helpful": pa.array(review["helpful"].astype(np.int64)),
    }
    truth = {
        "review_id": data["review_id"],
        "language": enum_column(review["language"], LANGUAGES),
        "topic": enum_column(topic, TOPICS),
        "sentiment": enum_column(review["sentiment"], SENTIMENTS),
        "experience": pa.array(review["experience"] / ONE),
    }
    return {"reviews": pa.table(data)}, {"review_facts": pa.table(truth)}


def make_reviews(block):
    """Return the facts of all reviews as arrays, those included that are not yet written at the reference date."""
    settings, draws = read_settings("voices")["reviews"], block["world"]["draws"]
    lines, experience = choose_written(block)
    person, _, key = line_facts(block, lines)
    stars = would_be_stars(experience)
    stars = np.where(draws.chance(settings["wrong_stars_per_1000"], "review", "wrong stars", key), 6 - stars, stars)
    mood = settings["mood"]
    feeling = mood["experience"] * experience + mood["chance"] * draws.quantile("normal", "review", "mood", key)
    review = {"line": lines, "person": person, "key": key, "experience": experience, "stars": stars}
    review["sentiment"] = cut(mood["cuts"], feeling // mood["all"])
    review["at"] = writing_times(draws, block["orders"]["day"][block["lines"]["order"][lines]], key)
    # Reviews of one person are numbered as they come, which is the same in every block: a person is never cut in two.
    review["number"] = np.arange(len(person)) - np.searchsorted(person, person, side="left")
    review["language"] = languages(draws, block["people"]["row"][person])
    review["silent"] = draws.chance(settings["no_text_per_1000"], "review", "no text", key)
    review["helpful"] = helpful_votes(draws, review)
    return review


def writing_times(draws, days, keys):
    """Return when reviews of orders of those days are written: minutes since 1970."""
    settings = read_settings("voices")["reviews"]
    delay = draw_from(draws, settings["delay"], "review", "delay", keys)
    hour = draw_from(draws, settings["hours"], "review", "hour", keys)
    return (days.astype(np.int64) + delay) * MINUTES + hour * 60 + draws.below(60, "review", "minute", keys)


def draw_from(draws, pairs, table, column, keys):
    """Return one of the numbers of a list of [number, weight] for each key."""
    numbers, weights = zip(*pairs, strict=True)
    return np.array(numbers, dtype=np.int64)[draws.weighted(weights, table, column, keys)]


def helpful_votes(draws, review):
    """Return how many readers found each review helpful: more for warnings and old ones, few for bare stars."""
    settings = read_settings("voices")["reviews"]
    mean = np.array(settings["helpful"], dtype=np.int64)[review["stars"] - 1] * ONE // 1000
    age = np.clip(REFERENCE_DAY - review["at"] // MINUTES, 0, settings["helpful_days"])
    mean = mean * age // settings["helpful_days"]
    mean = np.where(review["silent"], mean * settings["helpful_no_text_percent"] // 100, mean)
    spread = draws.quantile("lognormal_90", "review", "helpful spread", review["key"])
    return draws.poisson(mean * spread >> 16, "review", "helpful", review["key"])


def review_texts(block, review):
    """Return (texts, topics) of reviews; the text is None where only stars were given."""
    shelf, product = block["world"]["shelf"], block["lines"]["product"][review["line"]]
    group = group_table()[shelf["category"]][product]
    names = [shelf["name_zh"].tolist(), [name.lower() for name in shelf["name"].tolist()]]
    items = [names[language][p] for language, p in zip(review["language"].tolist(), product.tolist(), strict=True)]
    weights = read_settings("voices")["texts"]["topics"]
    voice = {name: review[name] for name in ("key", "language", "sentiment")} | {"group": group}
    texts, topic = write_texts(block["world"]["draws"], "review text", voice, items, weights)
    return [None if silent else text for text, silent in zip(texts, review["silent"].tolist(), strict=True)], topic
