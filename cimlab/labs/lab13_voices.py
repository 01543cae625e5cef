"""Lab 13: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import numpy as np
import pandas as pd

import cimlab
from cimlab import checks, collection, mining

NOW = pd.Timestamp("2026-06-21 12:00")
DOWN = (pd.Timestamp("2026-06-20 12:00"), NOW)
GOOD = ["好", "快", "不错", "满意", "实惠", "新鲜", "nice", "love", "good"]
BAD = ["差", "慢", "烂", "坏", "贵", "怪", "awful", "slow", "poor"]
TOPICS = {
    "delivery": ["快递", "物流", "送货", "发货", "deliver"],
    "packaging": ["包装", "盒子", "箱子", "pack"],
    "price": ["价格", "便宜", "贵", "实惠", "price"],
    "taste": ["味道", "口味", "好吃", "taste"],
}


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    Returns
    -------
    reviews : pandas.DataFrame
        Indexed by review_id: text (missing for many), stars (1 to 5).
    counts : pandas.DataFrame
        Lines sold: 24 months × articles.
    events : pandas.DataFrame
        What visitors of the web shop did: session_id, account_id, happened_at, event, product_id. On 20 June from noon
        to noon no purchase went through, as if the payment page had failed.

    Examples
    --------
    >>> reviews, counts, events = prepare()
    >>> len(counts), reviews.columns.tolist()
    (24, ['text', 'stars'])
    """
    reviews = cimlab.load("reviews").set_index("review_id")[["text", "stars"]]
    lines = cimlab.load("order_lines").merge(cimlab.load("orders")[["order_id", "ordered_at"]])
    lines = lines.merge(cimlab.load("products")[["product_id", "name"]])
    counts = mining.count_periods(lines, "ordered_at", "name")
    events = cimlab.load("web_events")[["session_id", "account_id", "happened_at", "event", "product_id"]]
    failed = events["event"].eq("purchase") & events["happened_at"].between(*DOWN)
    return reviews, counts, events[~failed].reset_index(drop=True)


def checkouts(events, wait="15min"):
    """Return how each checkout ended, in the order in which that was known.

    Parameters
    ----------
    events : pandas.DataFrame
    wait : str
        A checkout without a purchase after this time has failed.

    Returns
    -------
    pandas.DataFrame
        known_at, failed (bool).

    Examples
    --------
    >>> checkouts(prepare()[2]).columns.tolist()
    ['known_at', 'failed']
    """
    return mining.checkout_outcomes(events, wait)[["known_at", "failed"]]


def moves(counts):
    """Return for each article the change of its share (per cent a year) and the p-value of that, judged alone.

    Parameters
    ----------
    counts : pandas.DataFrame

    Returns
    -------
    pandas.DataFrame
        Indexed by the article: change, p.

    Examples
    --------
    >>> moves(prepare()[1]).columns.tolist()
    ['change', 'p']
    """
    return mining.trend_table(counts)[["change", "p"]]


def board(reviews, counts, events):
    """Return the figures of question 8: the four topics, the articles, and the watch at four levels.

    Returns
    -------
    tuple of (pandas.DataFrame, pandas.Series, pandas.DataFrame)

    Examples
    --------
    >>> topics, articles, watch = board(*prepare())
    >>> watch.columns.tolist()
    ['delay', 'false alarms a month']
    """
    found = mining.topic_sentiment(reviews["text"])
    topics = mining.topic_report(found, stars=reviews["stars"])[["texts", "share_negative", "low", "high", "stars"]]
    trends = mining.trend_table(counts)
    articles = {"articles": len(trends), "p below .05": int((trends["p"] < 0.05).sum())}
    articles["left after the adjustment"] = int(trends["moves"].ne("steady").sum())
    incident = pd.DataFrame({"begins": [DOWN[0]], "ends": [DOWN[1]]})
    rows = {}
    for level in (0.1, 0.01, 0.001):
        seen, false = mining.judge_alerts(mining.failing_checkouts(events, usual_share(events), level=level), incident)
        rows[level] = {"delay": seen["delay"].iloc[0], "false alarms a month": false}
    return topics.round(2), pd.Series(articles, name="articles"), pd.DataFrame(rows).T.rename_axis("level")


def usual_share(events):
    """Return the share of the checkouts that failed before the payment page did."""
    ended = checkouts(events)
    return float(ended.loc[ended["known_at"] < DOWN[0], "failed"].mean())


# ---------------------------------------------------------------------------------------------------------- question 1
def few_texts():
    """Return the texts of the visible check of question 1, and the two lists of words."""
    texts = [
        "味道不错,很好",
        "快递慢",
        "好是好,就是慢,还贵",
        "so GOOD",
        None,
        "一般般",
        "好好好,但是太差又慢",
        "a+b is bad (really)",
    ]
    return (
        pd.Series(texts, index=[f"V{n}" for n in range(1, 9)], name="text"),
        ["好", "不错", "good"],
        ["慢", "差", "贵", "bad"],
    )


def mood_by_words(texts, good, bad):
    """Count words text by text: the slow way, to check the fast one."""
    moods = []
    for text in texts:
        if pd.isna(text):
            moods.append(None)
            continue
        score = sum(word.lower() in text.lower() for word in good) - sum(word.lower() in text.lower() for word in bad)
        moods.append("positive" if score > 0 else "negative" if score < 0 else "neutral")
    return pd.Series(moods, index=texts.index, dtype="str")


def mood_is(**moods):
    """Return a function that says whether the student's moods hold these values."""

    def found(got):
        own = pd.Series(got)
        return all(str(own.get(name)) == value for name, value in moods.items())

    return found


MOOD_MISTAKES = [
    (lambda got: isinstance(got, pd.DataFrame), "One mood a text is asked for: a Series, not a table."),
    (
        lambda got: pd.api.types.is_numeric_dtype(pd.Series(got)),
        "Your answer holds numbers. Name the moods: `positive` above 0, `negative` below, else `neutral`.",
    ),
    (mood_is(V2="positive", V1="negative"), "The moods are the wrong way round: above 0 is `positive`."),
    (
        mood_is(V5="neutral"),
        "V5 has no text, so nothing is known about its mood: it stays missing, and is not `neutral`. Take "
        "`.where(texts.notna())` at the end.",
    ),
    (
        mood_is(V4="neutral"),
        "V4 says GOOD in capital letters. Compare in lower case: `texts.str.lower()`, or `case=False`.",
    ),
    (
        mood_is(V3="positive"),
        "V3 holds one good word and two bad ones, and you call it positive. Subtract: good words minus bad words.",
    ),
    (
        mood_is(V7="positive"),
        "V7 says 好 three times, and two different bad words. Each word counts once: ask whether it is *in* the text "
        "(`str.contains`), not how often (`str.count`).",
    ),
    (
        mood_is(V3="neutral"),
        "V3 holds one good word and two bad ones: more bad than good is `negative`. Count the *words*; that both lists "
        "occur does not make it neutral.",
    ),
]


def check_find_mood(names):
    """Question 1."""
    find_mood = checks.answer(names, "find_mood", "function")
    texts, good, bad = few_texts()
    got = checks.call(find_mood, texts, good, bad)
    right = mood_by_words(texts, good, bad)
    checks.equal(got, right, "find_mood(eight_texts, good, bad)", by="index", mistakes=MOOD_MISTAKES)


# ---------------------------------------------------------------------------------------------------------- question 2
def few_answers():
    """Return labels and answers of the visible check of question 2."""
    labels = ["positive"] * 6 + ["negative"] * 3 + [None]
    answers = ["positive"] * 5 + ["negative", "negative", "neutral", None, "positive"]
    return pd.Series(labels, dtype="str"), pd.Series(answers, dtype="str")


def f1_of(labels, answers, name):
    """Return precision, recall and F1 of one class, counted pair by pair."""
    pairs = [(a, b) for a, b in zip(labels, answers, strict=True) if pd.notna(a)]
    both = sum(a == name == b for a, b in pairs)
    labelled, given = sum(a == name for a, _ in pairs), sum(b == name for _, b in pairs)
    return both / given if given else 0.0, both / labelled, 2 * both / (labelled + given)


def mean_of(labels, answers, which=2):
    """Return the mean of precision (0), recall (1) or F1 (2) over the classes of the labels."""
    return float(np.mean([f1_of(labels, answers, name)[which] for name in sorted(set(labels.dropna()))]))


def f1_mistakes(labels, answers):
    """Return the wrong numbers that students get, each with its sentence."""
    known = labels.notna()
    sizes = labels.value_counts(normalize=True)
    kinds = sorted(set(labels.dropna()) | set(answers.dropna()))
    filled = known & answers.notna()
    return [
        (
            float((labels[known] == answers[known]).mean()),
            "This is the accuracy: the share of right answers. It flatters who always says the commonest "
            "mood. Work out "
            "F1 for each mood first, then take their mean.",
        ),
        (
            float((labels == answers).mean()),
            "This is the accuracy, and it counts a text without a label as wrong. Leave it out, and work out "
            "F1 for each "
            "mood.",
        ),
        (
            float(sum(sizes[name] * f1_of(labels, answers, name)[2] for name in sizes.index)),
            "You weigh the moods by their number, so that the many praises drown the few complaints. Each mood counts "
            "alike: the plain mean.",
        ),
        (
            mean_of(labels[filled], answers[filled]),
            "You left out the text that got no answer. It has a label, and it was not found: it is wrong, "
            "and lowers the "
            "recall.",
        ),
        (
            float(np.sum([f1_of(labels, answers, name)[2] for name in set(labels.dropna())]) / len(kinds)),
            "You count a mood that stands in no label. Take the classes of the *labels* that are known.",
        ),
        (mean_of(labels, answers, 0), "This is the mean *precision*. F1 is `2 * both / (labelled + answered)`."),
        (mean_of(labels, answers, 1), "This is the mean *recall*. F1 is `2 * both / (labelled + answered)`."),
        (
            float(np.mean([2 * f for f in [f1_of(labels, answers, n)[2] / 4 for n in sorted(set(labels.dropna()))]])),
            "Your F1 is half of what it should be: `2 * both / (labelled + answered)`.",
        ),
    ]


def check_mean_f1(names):
    """Question 2."""
    mean_f1 = checks.answer(names, "mean_f1", "function")
    labels, answers = few_answers()
    got = checks.call(mean_f1, labels, answers)
    right = mean_of(labels, answers)
    checks.equal(got, right, "mean_f1(ten_labels, ten_answers)", mistakes=f1_mistakes(labels, answers))


# ---------------------------------------------------------------------------------------------------------- question 3
def few_reviews():
    """Return the reviews and topics of the visible check of question 3."""
    rows = [
        ("价格贵,贵死了,价格乱", 1),
        ("包装好,价格好", 5),
        ("Price ok", 4),
        (None, 1),
        ("味道(很)好", 5),
        ("packed badly", 2),
        ("没话说", 3),
        ("价格不贵", 4),
    ]
    reviews = pd.DataFrame(rows, columns=["text", "stars"], index=[f"V{n}" for n in range(1, 9)])
    return reviews, {
        "price": ["价格", "贵", "price"],
        "packaging": ["包装", "pack"],
        "taste": ["(很)", "味道"],
        "service": ["客服"],
    }


def stars_by_topic(reviews, topics):
    """Look through the texts one by one: the slow way, to check the fast one."""
    rows = []
    for topic, words in topics.items():
        stars = [
            star
            for text, star in zip(reviews["text"], reviews["stars"], strict=True)
            if pd.notna(text) and any(word.lower() in text.lower() for word in words)
        ]
        rows.append((topic, len(stars), float(np.mean(stars)) if stars else np.nan))
    return pd.DataFrame(rows, columns=["topic", "reviews", "stars"])


def topic_row(topic, **values):
    """Return a function that says whether the row of a topic holds these values."""

    def found(got):
        own = got.set_index("topic").loc[topic]
        return all(np.isclose(float(own[name]), value) for name, value in values.items())

    return found


TOPIC_MISTAKES = [
    (
        lambda got: "topic" not in got.columns and got.index.name == "topic",
        "`topic` is the index of your table; it is asked for as a column: `.reset_index()`.",
    ),
    (
        lambda got: "service" not in set(got["topic"]),
        "`service` is missing. Nobody mentions it, and that is worth a row: 0 reviews, stars missing.",
    ),
    (
        topic_row("service", reviews=0, stars=0),
        "Nobody mentions `service`, so its `stars` are not known: missing (`NaN`), not 0.",
    ),
    (
        topic_row("price", reviews=6),
        "V1 holds 价格 and 贵, and you count it twice. A review counts once a topic: ask whether *any* of "
        "the words is in it.",
    ),
    (
        topic_row("price", reviews=8),
        "You count words. A review counts once a topic, however often it names it: `str.contains`, not `str.count`.",
    ),
    (
        topic_row("price", reviews=3),
        "A review is missing at `price`: V3 writes Price with a capital letter (`case=False`), or you took "
        "only the first "
        "word of the list.",
    ),
    (
        topic_row("packaging", reviews=3),
        "The review without a text is counted too: a missing text names nothing (`na=False`).",
    ),
    (
        lambda got: got["stars"].min() == got["stars"].max() and len(got) > 2,
        "All topics have the same stars: you took the mean of all reviews. Take that of the reviews that "
        "name the topic.",
    ),
]


def check_topic_stars(names):
    """Question 3."""
    topic_stars = checks.answer(names, "topic_stars", "function")
    reviews, topics = few_reviews()
    got = checks.call(topic_stars, reviews, topics)
    right = stars_by_topic(reviews, topics)
    checks.equal(
        got, right, "topic_stars(eight_reviews, topics)", by="topic", row="one per topic", mistakes=TOPIC_MISTAKES
    )


# ---------------------------------------------------------------------------------------------------------- question 4
def few_counts():
    """Return the counts of the visible check of question 4: 25 months, of which the middle one belongs to no year."""
    months = pd.period_range("2024-06", periods=25, freq="M")
    rice, tea = [1] * 6 + [30] * 6 + [7] * 13, [10] * 12 + [20] * 6 + [40] * 7
    return pd.DataFrame({"rice": rice, "tea": tea, "salt": [9] * 25}, index=months)


def growth_mistakes(counts):
    """Return the wrong answers that students get, each with its sentence."""
    first, last = counts.head(12), counts.tail(12)
    a, b = first.sum() / first.to_numpy().sum(), last.sum() / last.to_numpy().sum()
    shares = counts.div(counts.sum(axis=1), axis=0)
    rest = counts.iloc[12:]
    whole = counts.sum() / counts.to_numpy().sum()

    def like(wrong):
        return lambda got: (
            isinstance(got, pd.Series)
            and set(got.index) == set(wrong.index)
            and np.allclose(got.astype("float64"), wrong.reindex(got.index), atol=1e-9)
        )

    return [
        (lambda got: isinstance(got, pd.DataFrame), "One number an article is asked for: a Series, not a table."),
        (
            like(last.sum() / first.sum() - 1),
            "This is the growth of the *counts*. When everything grows, each article grows with it: compare "
            "its *share* of "
            "all lines.",
        ),
        (
            like(b - a),
            "This is the difference of the shares. How much larger is the share, as a part of what it was? Divide.",
        ),
        (like(100 * (b / a - 1)), "Your growth is in per cent; a fraction is asked for (0.5 for half as much again)."),
        (like(b / a), "This is how many times as large the share is; 1 means no growth, so subtract 1."),
        (like(a / b - 1), "Your growth looks backwards: the share of the *last* twelve months by that of the first."),
        (
            like(shares.tail(12).mean() / shares.head(12).mean() - 1),
            "You took the mean of the monthly shares, in which a month with few lines counts like one with "
            "many. Add up the "
            "twelve months first.",
        ),
        (
            like(rest.sum() / rest.to_numpy().sum() / a - 1),
            "The table has more than 24 months. The last twelve are `counts.tail(12)`, not all after the first twelve.",
        ),
        (like(b / whole - 1), "You compare with the whole time; the first twelve months are asked for."),
    ]


def growth_of(counts):
    """Work out the growth article by article: the slow way."""
    first, last = counts.iloc[:12], counts.iloc[-12:]
    totals = [float(table.to_numpy().sum()) for table in (first, last)]
    return pd.Series(
        {name: (last[name].sum() / totals[1]) / (first[name].sum() / totals[0]) - 1 for name in counts.columns}
    )


def check_share_growth(names):
    """Question 4."""
    share_growth = checks.answer(names, "share_growth", "function")
    counts = few_counts()
    got = checks.call(share_growth, counts)
    right = growth_of(counts)
    checks.equal(got, right, "share_growth(25_months)", by="index", mistakes=growth_mistakes(counts))


# ---------------------------------------------------------------------------------------------------------- question 5
def few_p_values():
    """Return the p-values of the visible check of question 5."""
    p = {"milk": 0.024, "tea": 0.04, "rice": 0.001, "salt": 0.3, "oats": 0.011, "oil": 0.02, "eggs": 0.031, "soap": 0.8}
    return pd.Series(p, name="p")


def step_up(p, false_share):
    """Return the names that move by the rule of Benjamini and Hochberg, name by name."""
    ordered = sorted(p.items(), key=lambda item: item[1])
    last = max(
        [place for place, (_, value) in enumerate(ordered, 1) if value <= place * false_share / len(p)], default=0
    )
    return {name for name, _ in ordered[:last]}


def move_mistakes(p, false_share):
    """Return the wrong sets that students get, each with its sentence."""
    ordered = p.sort_values()
    limits = np.arange(1, len(p) + 1) * false_share / len(p)
    below = ordered.to_numpy() <= limits
    first_above = int(np.argmin(below)) if not below.all() else len(p)
    upside = np.arange(len(p), 0, -1) * false_share / len(p)
    return [
        (
            lambda got: not isinstance(got, set),
            "A set of names is asked for: `set(…)` around your result.",
        ),
        (
            set(p.index[p <= false_share]),
            "You compare each p-value with `false_share` itself. Of many articles that stand still some get "
            "a small p by "
            "chance: compare the *i*-th smallest with `i * false_share / n`.",
        ),
        (
            set(p.index[p <= false_share / len(p)]),
            "You compare all with the limit of the smallest (`false_share / n`, Bonferroni's rule). The "
            "*i*-th smallest has "
            "the limit `i * false_share / n`.",
        ),
        (
            set(ordered.index[:first_above]),
            "You stop at the first p-value above its limit. A later one lies below its own again: take the "
            "*last* place "
            "that holds, and all before it.",
        ),
        (
            set(ordered.index[below]),
            "You leave out an article that stands before the last place that holds. All up to that place "
            "move, also one "
            "that lies above its own limit.",
        ),
        (
            set(ordered.index[ordered.to_numpy() <= upside]),
            "Your limits begin with the largest. The *smallest* p-value has the *smallest* limit: sort upwards first.",
        ),
        (
            set(p.index[p.to_numpy() <= limits]),
            "You compare in the order of the table. Sort the p-values first (`sort_values`); the place counts.",
        ),
    ]


def check_real_moves(names):
    """Question 5."""
    real_moves = checks.answer(names, "real_moves", "function")
    p = few_p_values()
    got = checks.call(real_moves, p, 0.05)
    checks.equal(got, step_up(p, 0.05), "real_moves(eight_p_values, 0.05)", mistakes=move_mistakes(p, 0.05))
    nobody = p.clip(lower=0.2)
    none = [(lambda got: got is None, "Where no article moves the answer is an empty set: `set()`.")]
    checks.equal(checks.call(real_moves, nobody, 0.05), set(), "real_moves(large_p_values, 0.05)", mistakes=none)


# ---------------------------------------------------------------------------------------------------------- question 6
def few_events():
    """Return the events of the visible check of question 6; now is 12:00."""
    rows = [
        ("A", "W1", "08:00", "add_to_cart", "P1"),
        ("A", "W1", "08:05", "add_to_cart", "P2"),
        ("A", "W1", "08:06", "add_to_cart", "P2"),
        ("A", "W1", "08:09", "view", "P3"),
        ("B", "W2", "09:00", "add_to_cart", "P1"),
        ("B", "W2", "09:01", "remove_from_cart", "P1"),
        ("C", "W3", "09:30", "add_to_cart", "P1"),
        ("C", "W3", "09:40", "purchase", None),
        ("D", None, "11:00", "add_to_cart", "P4"),
        ("E", "W5", "11:01", "add_to_cart", "P4"),
        ("F", "W6", "10:00", "add_to_cart", "P5"),
        ("F", "W6", "10:01", "remove_from_cart", "P5"),
        ("F", "W6", "10:02", "add_to_cart", "P5"),
        ("F", "W6", "12:30", "purchase", None),
        ("G", "W7", "12:20", "add_to_cart", "P1"),
        ("H", "W8", "10:30", "view", "P1"),
    ]
    table = pd.DataFrame(rows, columns=["session_id", "account_id", "happened_at", "event", "product_id"])
    table["happened_at"] = pd.to_datetime("2026-06-01 " + table["happened_at"])
    return table.sample(frac=1, random_state=2), pd.Timedelta("60min"), pd.Timestamp("2026-06-01 12:00")


def carts_at(events, wait, now):
    """Walk through the events up to now, visit by visit: the slow way, to check the fast one."""
    visits = {}
    for row in events[events["happened_at"] <= now].sort_values("happened_at", kind="stable").itertuples():
        visit = visits.setdefault(row.session_id, {"account": row.account_id, "cart": set(), "bought": False})
        visit["last"] = row.happened_at
        if row.event == "add_to_cart":
            visit["cart"].add(row.product_id)
        elif row.event == "remove_from_cart":
            visit["cart"].discard(row.product_id)
        elif row.event == "purchase":
            visit["bought"] = True
    rows = [
        (name, visit["account"], visit["last"], len(visit["cart"]))
        for name, visit in visits.items()
        if visit["cart"] and not visit["bought"] and visit["last"] <= now - wait
    ]
    table = pd.DataFrame(rows, columns=["session_id", "account_id", "since", "articles"])
    return table.astype({"session_id": "str", "account_id": "str", "since": "datetime64[us]", "articles": "int64"})


def has_visit(name):
    """Return a function that says whether the visit stands in the student's table."""
    return lambda got: name in set(got["session_id"])


CART_MISTAKES = [
    (has_visit("C"), "Visit C bought, so its cart is not left: leave visits with a `purchase` out."),
    (
        has_visit("G"),
        "Visit G began at 12:20, after `now`. Nobody could know it: use events up to `now` only.",
    ),
    (has_visit("B"), "Visit B took its article out again (`remove_from_cart`): its cart is empty."),
    (
        has_visit("E"),
        "Visit E did something 59 minutes ago; an hour of silence is asked for: `since <= now - wait`.",
    ),
    (
        lambda got: "F" not in set(got["session_id"]),
        "Visit F is missing. At 12:00 nobody could know that it would buy at 12:30 (and it put its article back in at "
        "10:02): cut the events at `now` *first*, then look.",
    ),
    (
        lambda got: "D" not in set(got["session_id"]),
        "Visit D is missing: its last event is exactly an hour old (`<=`), and who is not logged in has left "
        "a cart too "
        "(`dropna=False`).",
    ),
    (
        lambda got: got["session_id"].duplicated().any(),
        "A visit stands in several rows, one for each event or article. One row a visit is asked for.",
    ),
    (
        lambda got: got.set_index("session_id")["articles"].get("A") == 3,
        "Visit A put P2 in twice: two different *articles* lie in the cart, not three.",
    ),
    (
        lambda got: str(got.set_index("session_id")["since"].get("A")) == "2026-06-01 08:06:00",
        "`since` is the time of the last event of the visit, also a view: visit A looked at P3 at 8:09.",
    ),
]


def check_left_carts(names):
    """Question 6."""
    left_carts = checks.answer(names, "left_carts", "function")
    events, wait, now = few_events()
    got = checks.call(left_carts, events, wait, now)
    what = "left_carts(events, wait, now)"
    right = carts_at(events, wait, now)
    checks.equal(got, right, what, by="session_id", row="one per visit", mistakes=CART_MISTAKES)


# ---------------------------------------------------------------------------------------------------------- question 7
def few_outcomes():
    """Return the outcomes of the visible check of question 7."""
    failed = [True, True, False, True, False, True, True, True, True, False]
    return pd.DataFrame({"known_at": pd.date_range("2026-06-01 08:00", periods=10, freq="1h"), "failed": failed})


def alert_at(outcomes, usual, level):
    """Walk through the outcomes one by one."""
    run = 0
    for known_at, failed in outcomes[["known_at", "failed"]].itertuples(index=False):
        run = run + 1 if failed else 0
        if run and usual**run <= level * (1 + 1e-12):
            return known_at
    return None


def alert_mistakes(outcomes, usual, level):
    """Return the wrong moments that students get, each with its sentence."""
    failed = outcomes[outcomes["failed"]]
    needed = next(k for k in range(1, 99) if usual**k <= level * (1 + 1e-12))
    longer = alert_at(outcomes, usual, usual ** (needed + 1))
    right = alert_at(outcomes, usual, level)
    place = outcomes.index[outcomes["known_at"] == right][0]
    began = outcomes["known_at"].iloc[place - needed + 1]
    return [
        (
            failed["known_at"].iloc[needed - 1],
            "You count all failures since the beginning. A purchase that goes through ends the run: the "
            "payment works, so "
            "begin again at 0.",
        ),
        (
            failed["known_at"].iloc[0],
            "You alert at the first failure; some checkouts always fail. Alert when the chance of the whole run, "
            "`usual ** run`, is `level` or less.",
        ),
        (
            began,
            "This is when the run began. At that moment nobody could know it: return when the last failure of the run "
            "became known.",
        ),
        (
            longer,
            "Your alert comes one failure too late. With `usual ** run` exactly at `level` or below it is time: `<=`, "
            "counting this failure.",
        ),
        (
            outcomes["known_at"].iloc[-1],
            "This is the last moment of the table, or the last alert. The *first* moment is asked for: return at once.",
        ),
        (
            lambda got: isinstance(got, (int, np.integer)),
            "This is a place in the table; the moment is asked for: `known_at`.",
        ),
    ]


def check_first_alert(names):
    """Question 7."""
    first_alert = checks.answer(names, "first_alert", "function")
    outcomes = few_outcomes()
    for usual, level in ((0.1, 0.001), (0.5, 0.0625)):
        got = checks.call(first_alert, outcomes, usual, level)
        what = f"first_alert(ten_outcomes, usual={usual}, level={level})"
        checks.equal(got, alert_at(outcomes, usual, level), what, mistakes=alert_mistakes(outcomes, usual, level))
    quiet = outcomes.assign(failed=False)
    none = [(lambda got: got is not None, "When nothing fails there is no alert: return `None`.")]
    checks.equal(checks.call(first_alert, quiet, 0.1, 0.001), None, "first_alert(a_good_day, …)", mistakes=none)


def lexicon(texts):
    """Return the moods by the whole lexicon of chapter 2, for comparison.

    Examples
    --------
    >>> lexicon(pd.Series(["很好吃", "太差"])).tolist()
    ['positive', 'negative']
    """
    return collection.find_sentiments(texts)
