"""Lab 17: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import io

import numpy as np
import pandas as pd

import cimlab
from cimlab import checks, database, mining, strategy

TODAY = pd.Timestamp("2026-06-30")
RATE = 0.08
LEAST = {"security": 3}
WEIGHTS = strategy.WEIGHTS
SCORES = strategy.SCORES.drop(columns="cost")
PROMISE = {"duplicates": 30, "churn": 6, "consent": 5}
FORM = [
    ("A1", "organisation and culture", "The management decides with customer figures each week.", 2, False, 2),
    ("A2", "organisation and culture", "Staff are praised for filled fields, true or not.", 1, True, 4),
    ("A3", "security and technology", "All systems share one key for a customer.", 3, False, 1),
    ("A4", "security and technology", "Restoring a backup was tried this year.", 2, False, 4),
    ("A5", "security and technology", "Everybody in the firm can see every field.", 2, True, None),
    ("A6", "cross-department work", "Each department keeps a file of its own.", 2, True, 5),
    ("A7", "cross-department work", "It is settled who decides on a disputed value.", 1, False, 2),
    ("A8", "cross-department work", "Sales and service see the same record.", 2, False, None),
    ("A9", "people", "The quality of the data is somebody's job.", 2, False, 3),
    ("A10", "people", "A share out of ten answers is taken for certain.", 1, True, 2),
    ("A11", "adaptability", "The data can be taken out and moved.", 2, False, None),
    ("A12", "adaptability", "A new field takes a year.", 1, True, 2),
]
COSTS = pd.DataFrame(
    [
        ("cloud suite", "setting up", 3000.0, "firm", "once", 0, 0.00),
        ("cloud suite", "fee", 3.0, "customer", "yearly", 1, 0.05),
        ("on-premise package", "licence and computers", 9000.0, "firm", "once", 0, 0.00),
        ("on-premise package", "upkeep", 2200.0, "firm", "yearly", 1, 0.02),
        ("on-premise package", "new computers", 3500.0, "firm", "once", 4, 0.00),
        ("own build", "programming", 14000.0, "firm", "once", 0, 0.00),
        ("own build", "programmer, in part", 5000.0, "firm", "yearly", 1, 0.04),
        ("packaged CDP", "joining the channels", 5000.0, "firm", "once", 0, 0.00),
        ("packaged CDP", "fee", 1.5, "customer", "yearly", 1, 0.05),
        ("open source", "setting up and hardening", 4000.0, "firm", "once", 0, 0.00),
        ("open source", "upkeep", 2400.0, "firm", "yearly", 1, 0.03),
    ],
    columns=["kind", "item", "amount", "per", "times", "year", "growth"],
)


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    Returns
    -------
    form : pandas.DataFrame
        The self-assessment, one row a statement: question_id, factor, statement, weight, reversed (True: it is bad
        when it is true), answer (1 not at all to 5 fully; missing if left blank).
    events : pandas.DataFrame
        What visitors of the web shop did in the last 30 days: session_id, account_id, happened_at, event.
    orders : pandas.DataFrame
        Of two years and all channels: order_id, channel, customer_ref, ordered_at, amount, margin (CNY).
    calls : pandas.DataFrame
        call_id, caller (a number as it is dialled; missing if not known), topic, called_at.

    Examples
    --------
    >>> form, events, orders, calls = prepare()
    >>> len(form), calls.columns.tolist()
    (12, ['call_id', 'caller', 'topic', 'called_at'])
    """
    columns = ["question_id", "factor", "statement", "weight", "reversed", "answer"]
    form = pd.DataFrame(FORM, columns=columns).astype({"answer": "float64"})
    events = cimlab.load("web_events")[["session_id", "account_id", "happened_at", "event"]]
    lines = cimlab.load("order_lines").merge(cimlab.load("products")[["product_id", "unit_cost"]], on="product_id")
    lines["margin"] = lines["amount"] - lines["quantity"] * lines["unit_cost"]
    orders = cimlab.load("orders").merge(lines.groupby("order_id", as_index=False)["margin"].sum(), on="order_id")
    calls = cimlab.load("calls")
    calls["caller"] = database.standardise_phones(calls["phone"])
    kept = ["order_id", "channel", "customer_ref", "ordered_at", "amount", "margin"]
    return form, events, orders[kept], calls[["call_id", "caller", "topic", "called_at"]]


def last_year(orders):
    """Return the orders of the last 12 months with a card or an account: those of the active customers."""
    known = orders[orders["channel"].isin(["till", "web"])].dropna(subset="customer_ref")
    return known[known["ordered_at"] >= TODAY + pd.Timedelta(days=1) - pd.DateOffset(years=1)]


def active_customers(orders):
    """Count the cards and accounts that bought in the last 12 months."""
    return int(last_year(orders)["customer_ref"].nunique())


def turn_costs(costs):
    """Turn costs into points, the dearest 1 and the cheapest 5."""
    return 1 + 4 * (costs.max() - costs) / (costs.max() - costs.min())


def present_values(orders):
    """Return what each kind of system costs over five years in money of today (CNY): a Series by kind."""
    table = costs_one_by_one(COSTS, active_customers(orders), RATE)
    return table.set_index("kind")["present_value"].reindex(SCORES.index)


def points(orders):
    """Return the points of each kind on all five criteria, the costs turned round already."""
    return SCORES.assign(cost=turn_costs(present_values(orders)))


def draw_weights(draws=1000, seed=17):
    """Return how as many managers might hand out points for the criteria, around the weights of the board.

    Each row is a draw from a Dirichlet distribution, times the number of points that this manager handed out.
    """
    chance = np.random.default_rng(seed)
    names = sorted(WEIGHTS.index)
    shares = chance.dirichlet(WEIGHTS[names] * 20, size=draws)
    return pd.DataFrame(shares * chance.choice([10, 20, 50, 100], size=(draws, 1)), columns=names)


def figures(orders):
    """Return the figures of question 7, measured on the data; only `lost` is assumed.

    Parameters
    ----------
    orders : pandas.DataFrame
        As `prepare` returns them.

    Returns
    -------
    pandas.Series
        records (cards and accounts), cards, mailings (a record and year), message_cost, coupon, order_margin (CNY),
        response (share of the treated that bought), uplift (that share less the holdout's), lost (share of the
        responses that are lost if the message comes twice), customers, revenue (CNY a customer and year), margin_rate,
        part_of_year, churn (share of the year before's customers who did not buy in the last year).
    """
    contacts, campaigns = cimlab.load("campaign_contacts"), cimlab.load("campaigns")
    tills = orders[orders["channel"] == "till"].dropna(subset="customer_ref")
    bought = tills.rename(columns={"customer_ref": "customer_id"})
    asked = contacts.rename(columns={"member_id": "customer_id"})
    audience = mining.campaign_outcomes(asked, campaigns, bought)
    sent = audience[audience["treated"]].merge(campaigns[["campaign_id", "coupon", "cost_per_contact"]])
    cards, accounts = len(cimlab.load("members")), len(cimlab.load("web_accounts"))
    year = last_year(orders)
    before = orders[(orders["ordered_at"] < year["ordered_at"].min()) & orders["channel"].isin(["till", "web"])]
    customers = set(before["customer_ref"].dropna())
    values = {
        "records": cards + accounts,
        "cards": cards,
        "mailings": len(campaigns) / 2,
        "message_cost": sent["cost_per_contact"].mean(),
        "coupon": sent["coupon"].mean(),
        "order_margin": tills["margin"].mean(),
        "response": sent["bought"].mean(),
        "uplift": mining.pool_campaigns(audience)["difference"].iloc[0],
        "lost": 0.2,
        "customers": active_customers(orders),
        "revenue": year["amount"].sum() / active_customers(orders),
        "margin_rate": year["margin"].sum() / year["amount"].sum(),
        "part_of_year": 0.5,
        "churn": 1 - len(customers & set(year["customer_ref"])) / len(customers),
    }
    return pd.Series(values, dtype="float64").round(4)


def project(orders, kind="packaged CDP", kept=1.0, worth=None):
    """Return what a kind of system costs today (CNY), and what it brings at the end of each of five years (a list).

    `kept` is which part of `PROMISE` (points less duplicates, less churn, more consent) comes true; in year 1 it is
    half of that. From what the points are worth (`worth`, if known already) the yearly costs are taken away.
    """
    worth = worth or points_one_by_one(figures(orders))
    promised = kept * sum(PROMISE[name] * worth[name] for name in PROMISE)
    paid = payments(COSTS[COSTS["kind"] == kind], active_customers(orders))
    yearly = [sum(amount for year, amount in paid if year == when) for when in range(6)]
    return yearly[0], [promised * (0.5 if when == 1 else 1.0) - yearly[when] for when in range(1, 6)]


def board(orders):
    """Return the figures of question 8: the kinds of system that are allowed, and the points that they promise.

    kinds: score, wins (share of the drawn weights), cost (present value, CNY), npv_half, npv_promised and npv_more
    (CNY, if half, all, or one and a half of the promise comes true), payback (year; missing if never), needed (share
    of the promise at which it just pays). worth: points, worth (CNY a point and year), share of the promised gain.
    """
    scores = choice_one_by_one(SCORES, present_values(orders), WEIGHTS, LEAST).set_index("kind")
    out = [kind for kind in SCORES.index if kind not in scores.index]
    firm = firm_one_by_one(points(orders), draw_weights(), out).set_index("kind")
    kinds = scores.join(firm["wins"]).assign(cost=present_values(orders))
    each = points_one_by_one(figures(orders))
    for name, kept in {"npv_half": 0.5, "npv_promised": 1.0, "npv_more": 1.5}.items():
        kinds[name] = [judge_one_by_one(*project(orders, kind, kept, each), RATE)[0] for kind in kinds.index]
    kinds["payback"] = [judge_one_by_one(*project(orders, kind, 1.0, each), RATE)[1] for kind in kinds.index]
    kinds["needed"] = kinds["cost"] / (kinds["npv_promised"] + kinds["cost"])
    worth = pd.DataFrame({"points": PROMISE, "worth": each})
    gains = worth["points"] * worth["worth"]
    shown = kinds.astype({"payback": "Int64"}).style.format(precision=2, na_rep="never", thousands=",")
    shown = shown.set_caption("Over five years, in CNY; in year 1 only half of the promised gain comes.")
    return shown, worth.assign(share=gains / gains.sum()).round(2)


def told(right, key, *mistakes, order=None):
    """Return the recognised mistakes of a table: those given, and those that every table has.

    `key` is the column by which rows find each other. A mistake is a wrong table (or what makes it), the column that
    shows it, and the sentence; `order` is what to say when only the order of the rows is wrong.
    """
    good = right.set_index(key)
    shares = [name for name in ("share", "answered", "wins") if name in right]
    mistakes += tuple(
        (right.assign(**{name: 100 * right[name]}), name, f"`{name}` is in per cent; a fraction is asked for.")
        for name in shares
    )
    no_key = f"`{key}` is the index; a column is asked for: `reset_index()`."
    found = [(lambda got: key not in got.columns and got.index.name == key, no_key)]
    found += [(_looks_like(table, good, name, key), sentence) for table, name, sentence in mistakes]
    if order:
        found.append((lambda got: all(_equals(got.set_index(key)[name], good[name]) for name in good), order))
    return found


def _equals(own, wrong):
    """Say whether two columns hold the same numbers under the same labels."""
    own, wrong = own.astype("float64"), wrong.astype("float64")
    return len(own) == len(wrong) and np.allclose(own.reindex(wrong.index), wrong, equal_nan=True)


def _looks_like(table, good, name, key):
    """Return a function that says whether a student's table has this wrong column; only it makes the wrong table."""

    def looks(got):
        wrong = (table() if callable(table) else table).set_index(key)[name]
        return _equals(got.set_index(key)[name], wrong) and not _equals(good[name], wrong)

    return looks


def _rows(text, columns):
    """Read a small table: rows end with a semicolon, "-" is missing, and `…_at` is a time of 2026."""
    table = pd.read_csv(io.StringIO(text.replace(";", "\n")), sep=r"\s+", names=columns.split(), na_values="-")
    times = [name for name in table if name.endswith("_at")]
    return table.assign(**{name: pd.to_datetime("2026-" + table[name].astype("str")) for name in times})


# ---------------------------------------------------------------------------------------------------------- question 1
def few_answers():
    """Return the form of the visible check of question 1."""
    text = """Q1 people 3 False 5; Q2 people 1 True 5; Q3 people 2 False -; Q4 technology 2 True 2;
        Q5 technology 1 True -; Q6 technology 3 False 1; Q7 culture 1 False -; Q8 culture 2 True -;
        Q9 teamwork 1 True 3; Q10 teamwork 4 False 4"""
    return _rows(text, "question_id factor weight reversed answer").sample(frac=1, random_state=4)


def any_form(seed, rows=40):
    """Return a form that is filled in by chance."""
    chance = np.random.default_rng(seed)
    form = pd.DataFrame({"question_id": [f"R{n}" for n in range(rows)]})
    form["factor"] = chance.choice(["a", "b", "c", "d", "e", "f"], rows)
    form["weight"] = chance.choice([1, 2, 3, 5], rows)
    form["reversed"] = chance.random(rows) < 0.4
    form["answer"] = np.where(chance.random(rows) < 0.2, np.nan, chance.integers(1, 6, rows))
    return form


def factors_one_by_one(form, turn=6, blank=None, early=None, weighted=True, divide=True):
    """Go through the form statement by statement: the slow way; the other arguments make it wrong.

    `turn` less the answer turns it round (0: not at all), `blank` is put for a blank after the turning, `early` before.
    """
    rows = []
    for factor, part in form.groupby("factor"):
        got, known, asked = 0.0, 0.0, 0.0
        for row in part.itertuples():
            asked += row.weight
            answer = early if pd.isna(row.answer) and early is not None else row.answer
            answer = turn - answer if row.reversed and turn else answer
            answer = blank if pd.isna(answer) and blank is not None else answer
            weight = row.weight if weighted else 1
            if not pd.isna(answer):
                got, known = got + weight * answer, known + weight
        answered = part.loc[part["answer"].notna(), "weight"].sum() / asked
        rows.append((factor, answered, (got / known if divide else got) if known else np.nan))
    return pd.DataFrame(rows, columns=["factor", "answered", "score"]).sort_values("score", ignore_index=True)


def overall_one_by_one(form, **wrong):
    """Return the score of the form as if it were of one factor."""
    return float(factors_one_by_one(form.assign(factor="all"), **wrong)["score"].iloc[0])


def factor_mistakes(form):
    """Return the wrong tables that students get, each with its sentence."""
    right = factors_one_by_one(form)
    counted = form.groupby("factor")["answer"].agg(lambda answers: answers.notna().mean())

    def wrong(sentence, **how):
        return lambda: factors_one_by_one(form, **how), "score", sentence

    return [
        (
            lambda got: len(got) == right["score"].notna().sum() < len(right),
            "A factor without any answer is missing in your table; its `score` is missing, its row is not.",
        ),
        *told(
            right,
            "factor",
            wrong("You take a 5 for good everywhere. Where `reversed` is True, turn it round: 6 − answer.", turn=0),
            wrong("5 − answer makes a 5 a 0. On a scale from 1 to 5 take 6 − answer.", turn=5),
            wrong("A blank is no answer, and no 0: leave the statement out, with its weight.", blank=0),
            wrong("A blank became 0, and turned round 6, better than best. Leave blanks out.", early=0),
            wrong("A blank is not a 3 either: leave the statement out.", blank=3),
            wrong("This is the plain mean: multiply by `weight`, divide by the weights *answered*.", weighted=False),
            wrong("This is the sum: divide by the weights of the answered statements.", divide=False),
            (
                right.assign(answered=right["factor"].map(counted)),
                "answered",
                "`answered` counts statements; the share of the *weight* is asked for.",
            ),
            (right.assign(answered=1.0), "answered", "`answered` is 1 everywhere: did you fill blanks before?"),
            order="The values are right, but not the order: the weakest factor first (`sort_values`).",
        ),
    ]


def overall_mistakes(form):
    """Return the wrong overall scores that students get, each with its sentence."""
    return [
        (
            float(factors_one_by_one(form)["score"].mean()),
            "This is the mean of the factors' scores: a factor with one answer counts as much as one with ten. Go back "
            "to the statements.",
        ),
        (overall_one_by_one(form, weighted=False), "This is the plain mean of the answers: the weights are missing."),
        (overall_one_by_one(form, turn=0), "The reversed statements are not turned round."),
        (overall_one_by_one(form, blank=0), "A blank counts as 0: leave it out, with its weight."),
        (overall_one_by_one(form, early=0), "A blank became 0, and turned round 6: leave it out."),
    ]


def check_score(names):
    """Question 1."""
    score_factors = checks.answer(names, "score_factors", "function")
    overall = checks.answer(names, "overall", "function")
    form = few_answers()
    got, right = checks.call(score_factors, form), factors_one_by_one(form)
    what = "score_factors(ten_statements)"
    checks.equal(got, right, what, row="one per factor", mistakes=factor_mistakes(form))
    right = overall_one_by_one(form)
    checks.equal(checks.call(overall, form), right, "overall(ten_statements)", mistakes=overall_mistakes(form))


# ---------------------------------------------------------------------------------------------------------- question 2
def few_visits():
    """Return events, orders, the last day and the window of the visible check of question 2."""
    text = """S1 A 06-02T19:50:00 view,add_to_cart,checkout,purchase; S2 B 06-03T08:00:40 checkout,purchase;
        S3 C 06-04T10:00:00 view,view; S4 D 06-05T10:00:00 view,add_to_cart; S5 D 06-07T10:00:00 view,remove_from_cart;
        S6 E 06-09T10:00:00 search; S7 F 06-16T09:50:00 add_to_cart,checkout,purchase; S9 H 06-04T07:00:00 view;
        S8 G 06-25T21:00:00 view,add_to_cart,purchase; S10 I 06-08T12:00:00 view,add_to_cart;
        S11 - 06-08T13:00:00 view,add_to_cart; S12 J 06-11T11:00:00 add_to_cart,checkout; S13 K 06-03T19:59:00 view"""
    events = _rows(text, "session_id account_id happened_at event")
    events = events.assign(event=events["event"].str.split(",")).explode("event")
    events["happened_at"] += pd.to_timedelta(20 * events.groupby("session_id").cumcount(), unit="s")
    text = """A 06-02T19:51; A 06-16T22:00; B 06-03T08:00; B 06-20T08:00; C 05-20T11:00; F 06-16T09:51; G 06-25T21:01;
        G 06-28T21:00; H 06-10T09:00; H 06-10T18:00; I 05-30T09:00; I 06-12T09:00; M 06-12T10:00; - 06-12T10:00;
        K 06-03T20:00; K 06-17T09:00"""
    orders = _rows(text, "customer_ref ordered_at")
    orders["order_id"] = [f"O{n}" for n in range(len(orders))]
    return events.sample(frac=1, random_state=2), orders.sample(frac=1, random_state=2), TODAY, 14


def funnel_one_by_one(
    events, orders, as_of, days, since="day", later=True, observed=True, window=True, clock=False, edge=0
):
    """Follow account by account: the slow way, to check the fast one; the other arguments make it wrong.

    `since` is from when orders count ("day", "time", or "ever"), `later` lets a later step stand for an earlier one,
    `observed` leaves out the last orders, `clock` compares times, not days, and `edge` moves both bounds.
    """
    when = orders.dropna(subset="customer_ref").groupby("customer_ref")["ordered_at"].agg(sorted).to_dict()
    counts, judged, again = dict.fromkeys(["visit", "cart", "checkout", "order"], 0), 0, 0
    for account, part in events.dropna(subset="account_id").groupby("account_id"):
        start, seen = part["happened_at"].min(), set(part["event"])
        start = {"day": start.normalize(), "time": start, "ever": pd.Timestamp(0)}[since]
        times = [time if clock else time.normalize() for time in when.get(account, []) if time >= start]
        did = [True, "add_to_cart" in seen, "checkout" in seen, bool(times)]
        for step, name in enumerate(counts):
            counts[name] += any(did[step:]) if later else did[step]
        if times and (not observed or times[0] + pd.Timedelta(days=days + edge) <= as_of):
            judged += 1
            again += len(times) > 1 and (not window or times[1] - times[0] <= pd.Timedelta(days=days - edge))
    reached = [*counts.values(), again]
    of = [reached[0], *reached[:3], judged]
    table = pd.DataFrame({"step": [*counts, "second order"], "reached": reached, "of": of})
    return table.assign(share=[part / whole if whole else np.nan for part, whole in zip(reached, of, strict=True)])


DAYS = "Compare days, not times: `dt.normalize()` first."
BOUND = "Day `days` itself still counts: at most so many days, and `<=`, in both places."


def funnel_mistakes(events, orders, as_of, days):
    """Return the wrong tables that students get, each with its sentence."""
    right = funnel_one_by_one(events, orders, as_of, days)
    visits, sessions = right["reached"].iloc[0], events["session_id"].nunique()

    def wrong(name, sentence, **how):
        return lambda: funnel_one_by_one(events, orders, as_of, days, **how), name, sentence

    def first(count):
        return lambda got: got["reached"].iloc[0] == count != visits

    return [
        (first(len(events)), "Your first step counts events. Count accounts: `nunique`."),
        (first(sessions), "Your first step counts visits. Who comes twice is *one* account: count `account_id`."),
        (first(visits + 1), "One too many in the first step: who is not logged in is no account (`dropna`)."),
        *told(
            right,
            "step",
            wrong("reached", "You count orders from *before* the first visit: only from its day on.", since="ever"),
            wrong("reached", "`ordered_at` is cut to the minute. " + DAYS, since="time"),
            wrong("reached", "Some go past a step: it is reached if it *or a later one* was seen.", later=False),
            wrong("of", "The last orders cannot be judged: their window has not passed. Not in `of`.", observed=False),
            wrong("reached", "A second order counts however late: look at the days since the first.", window=False),
            wrong("reached", DAYS, clock=True),
            wrong("reached", BOUND, edge=1),
            wrong("of", BOUND, edge=1),
            (right.assign(of=visits), "of", "`of` is who could reach the step: those of the step *before*."),
            (right.assign(share=right["reached"] / visits), "share", "Asked is the share of the step *before*."),
            (right.assign(share=1 - right["share"]), "share", "This is the share *lost*; who goes on is asked."),
        ),
    ]


def check_funnel(names):
    """Question 2."""
    funnel = checks.answer(names, "funnel", "function")
    given = few_visits()
    got, right = checks.call(funnel, *given), funnel_one_by_one(*given)
    mistakes = funnel_mistakes(*given)
    checks.equal(got, right, "funnel(eleven_accounts, …)", row="one per step", mistakes=mistakes)


# ---------------------------------------------------------------------------------------------------------- question 3
def few_calls():
    """Return orders and calls of the visible check of question 3."""
    text = """X product 06-01T10:00; X complaint 06-08T18:00; X delivery 06-20T09:00; X return 06-25T09:00;
        Y points 06-03T12:00; Y points 06-23T12:00; Y complaint 06-29T12:00; Z order 06-10T09:00;
        Z delivery 06-10T15:00; - order 06-11T09:00; - complaint 06-12T09:00; W return 05-28T09:00;
        W account 06-04T08:00"""
    calls = _rows(text, "caller topic called_at")
    calls["call_id"] = [f"C{n}" for n in range(len(calls))]
    text = """till M1 05-03T10:00; web W1 05-31T23:50; till - 05-09T10:00; web W1 06-02T10:00; web W2 06-30T22:00;
        till M1 06-05T10:00; call C7 06-10T09:00; call C9 06-11T09:00"""
    orders = _rows(text, "channel customer_ref ordered_at")
    orders["order_id"] = [f"O{n}" for n in range(len(orders))]
    return orders.sample(frac=1, random_state=1), calls.sample(frac=1, random_state=1)


def alone_one_by_one(orders, calls, twice=False, shops=True, called=True):
    """Count contact by contact: the slow way; the other arguments make it wrong."""
    counts = {}
    for row in orders.itertuples():
        if (row.channel == "call" and not twice) or (row.channel == "till" and not shops):
            continue
        both = counts.setdefault(row.ordered_at.strftime("%Y-%m"), [0, 0])
        both[0] += 1
        both[1] += row.channel == "web"
    for time in calls["called_at"] if called else orders.loc[orders["channel"] == "call", "ordered_at"]:
        counts.setdefault(time.strftime("%Y-%m"), [0, 0])[0] += 1
    rows = [(month, *both, both[1] / both[0]) for month, both in sorted(counts.items())]
    return pd.DataFrame(rows, columns=["month", "contacts", "alone", "share"])


def alone_mistakes(orders, calls):
    """Return the wrong tables that students get, each with its sentence."""

    def wrong(sentence, **how):
        return lambda: alone_one_by_one(orders, calls, **how), "contacts", sentence

    return [
        (
            lambda got: isinstance(got["month"].dtype, pd.PeriodDtype),
            "`month` holds periods; texts such as '2026-06' are asked for: `dt.strftime('%Y-%m')`.",
        ),
        *told(
            alone_one_by_one(orders, calls),
            "month",
            wrong("An order by telephone and its call are *one* contact: leave the order out.", twice=True),
            wrong("The calls are missing: they are contacts too.", called=False),
            wrong("The purchases at the tills are missing: they are contacts too, with staff.", shops=False),
            order="The values are right, but not the order: the earliest month first.",
        ),
    ]


def again_one_by_one(
    calls, as_of, days, both=False, back=False, clock=False, edge=0, observed=True, cut=False, blank="no", topic=False
):
    """Look after each call for the next one: the slow way; the other arguments make it wrong.

    `both` counts the answer to a call as a repeat too, `back` marks the second call and not the first, `cut` loses
    the last days before it looks, `topic` wants the same topic, and `blank` makes unknown callers "one" or "own".
    """
    calls = calls.assign(day=calls["called_at"] if clock else calls["called_at"].dt.normalize())
    fits = calls["day"] + pd.Timedelta(days=days + edge) <= as_of
    callers = {"no": calls["caller"], "one": calls["caller"].fillna("nobody")}
    callers["own"] = calls["caller"].fillna(calls["call_id"])
    calls = calls.assign(caller=callers[blank], fits=fits | (not observed)).dropna(subset="caller")
    pool = calls[calls["fits"]] if cut else calls
    window, others, counts = pd.Timedelta(days=days - edge), {}, {}
    for row in pool.itertuples():
        others.setdefault(row.caller, []).append(row)
    for row in calls[calls["fits"]].itertuples():
        same = [call for call in others.get(row.caller, []) if call.topic == row.topic or not topic]
        later = any(call.called_at > row.called_at and call.day - row.day <= window for call in same)
        prior = any(call.called_at < row.called_at and row.day - call.day <= window for call in same)
        hit = later or prior if both else prior if back else later
        of = counts.setdefault(row.topic, [0, 0])
        of[0] += 1
        of[1] += bool(hit)
    rows = [(name, *of, of[1] / of[0]) for name, of in sorted(counts.items())]
    table = pd.DataFrame(rows, columns=["topic", "calls", "again", "share"])
    return table.sort_values("share", ascending=False, kind="stable", ignore_index=True)


def again_mistakes(calls, as_of, days):
    """Return the wrong tables that students get, each with its sentence."""

    def wrong(name, sentence, **how):
        return lambda: again_one_by_one(calls, as_of, days, **how), name, sentence

    unknown = "Nobody knows whether an unknown caller called again: leave calls without a `caller` out."
    return told(
        again_one_by_one(calls, as_of, days),
        "topic",
        wrong("calls", "The calls of the last days cannot be judged: their window has not passed.", observed=False),
        wrong("again", unknown, blank="one"),
        wrong("calls", unknown, blank="own"),
        wrong("again", "You count both calls of a pair; only the one that was *followed* was not settled.", both=True),
        wrong("again", "You mark the second call. Asked is the one that was *followed*: `shift(-1)`.", back=True),
        wrong("again", "The next call may lie in the last days: look for it first, leave out afterwards.", cut=True),
        wrong("again", "The next call counts whatever its topic.", topic=True),
        wrong("again", DAYS, clock=True),
        wrong("again", BOUND, edge=1),
        wrong("calls", BOUND, edge=1),
    )


def check_contacts(names):
    """Question 3."""
    self_service = checks.answer(names, "self_service", "function")
    called_again = checks.answer(names, "called_again", "function")
    orders, calls = few_calls()
    got, right = checks.call(self_service, orders, calls), alone_one_by_one(orders, calls)
    mistakes = alone_mistakes(orders, calls)
    checks.equal(got, right, "self_service(8_orders, 13_calls)", row="one per month", mistakes=mistakes)
    got, right = checks.call(called_again, calls, TODAY, 7), again_one_by_one(calls, TODAY, 7)
    what, mistakes = "called_again(13_calls, …)", again_mistakes(calls, TODAY, 7)
    checks.equal(got, right, what, by="topic", row="one per topic", mistakes=mistakes)
    ranked = got["share"].is_monotonic_decreasing
    checks.require(ranked, f"`{what}` is not ranked: the highest `share` first (`sort_values`).")


# ---------------------------------------------------------------------------------------------------------- question 4
def few_kinds():
    """Return scores, costs, weights and the least scores of the visible check of question 4."""
    kinds = pd.Index(["suite", "package", "own", "open"], name="kind")
    scores = pd.DataFrame({"requirements": [4, 3, 5, 3], "security": [5, 3, 4, 2]}, index=kinds)
    costs = pd.Series({"open": 100.0, "suite": 300.0, "own": 500.0, "package": 200.0})
    return scores, costs, pd.Series({"cost": 5, "security": 2, "requirements": 3}), {"security": 3}


def choice_one_by_one(scores, costs, weights, least, turn=turn_costs, strict=False, scale=True):
    """Add up kind by kind: the slow way; the other arguments make it wrong."""
    cost, total = turn(costs), sum(weights) if scale else 1.0
    rows = []
    for kind in scores.index:
        own = {**scores.loc[kind].to_dict(), "cost": cost[kind]}
        if not any(own[name] < bound or (strict and own[name] == bound) for name, bound in least.items()):
            rows.append((kind, sum(weights[name] * own[name] for name in weights.index) / total))
    return pd.DataFrame(rows, columns=["kind", "score"]).sort_values("score", ascending=False, ignore_index=True)


def choice_mistakes(scores, costs, weights, least):
    """Return the wrong tables that students get, each with its sentence."""
    given = (scores, costs, weights, least)
    right, strict = choice_one_by_one(*given), choice_one_by_one(*given, strict=True)
    allowed = turn_costs(costs.reindex(right["kind"])).reindex(costs.index)
    ends = "The dearest kind gets 1 point and the cheapest 5: between them lie 4 points."

    def wrong(sentence, turn=turn_costs, scale=True):
        return lambda: choice_one_by_one(*given, turn=turn, scale=scale), "score", sentence

    return [
        (
            lambda got: len(got) == len(scores) > len(right),
            "A kind that fails a must is in your table. No sum can pay for a hole in security: leave it out.",
        ),
        (
            lambda got: len(got) == len(strict) < len(right),
            "A kind with exactly the least score is missing: it is *below* that a kind fails.",
        ),
        *told(
            right,
            "kind",
            wrong("The dear kinds get the high points: turn the costs round.", lambda costs: 6 - turn_costs(costs)),
            wrong("You add CNY to points: turn the costs into points from 1 to 5 first.", lambda costs: costs),
            wrong("You subtract CNY from points: turn the costs into points from 1 to 5 first.", lambda costs: -costs),
            wrong(ends, lambda costs: 5 * (turn_costs(costs) - 1) / 4),
            wrong(ends, lambda costs: turn_costs(costs) - 1),
            wrong("Cheapest and dearest are those of *all* kinds, also of the ones that fail.", lambda _: allowed),
            wrong("Your weights do not sum to 1: divide by their sum.", scale=False),
            wrong("The cost is missing in your sum: it is a criterion with a weight too.", lambda costs: 0 * costs),
            order="The scores are right, but not the order: the best first (`ascending=False`).",
        ),
    ]


def check_choose(names):
    """Question 4."""
    choose = checks.answer(names, "choose", "function")
    given = few_kinds()
    got, right = checks.call(choose, *given), choice_one_by_one(*given)
    row = "one per kind that is allowed"
    checks.equal(got, right, "choose(four_kinds, …)", row=row, mistakes=choice_mistakes(*given))


# ---------------------------------------------------------------------------------------------------------- question 5
def few_draws():
    """Return points, draws and who is out, of the visible check of question 5; in four draws two kinds are equal."""
    kinds = pd.Index(["suite", "package", "own", "open"], name="kind")
    table = {"requirements": [4, 3, 5, 5], "security": [5, 3, 4, 2], "cost": [3, 4, 1, 5]}
    rows = [
        (1, 1, 1),
        (10, 0, 0),
        (0, 10, 0),
        (2, 1, 1),
        (2, 2, 0),
        (0.3, 0.1, 0.1),
        (0.7, 0.5, 0.1),
        (0.9, 0.1, 0.4),
        (50, 10, 40),
    ]
    draws = pd.DataFrame(rows, columns=["cost", "requirements", "security"]).astype("float64")
    return pd.DataFrame(table, index=kinds), draws, ["open"]


def firm_one_by_one(points, draws, out, share=1, scale=True, align=True, best=None, lost=False):
    """Go from draw to draw: the slow way; the other arguments make it wrong.

    `share` 1 divides a win among equals, 0 gives it to the first, 2 to each; `scale` divides by the sum, `align`
    finds criteria by name, `best` are the kinds among which the best is looked for, and `lost` averages over the lost
    draws only.
    """
    kinds = [kind for kind in points.index if kind not in out]
    wins, regret = dict.fromkeys(kinds, 0.0), {kind: [] for kind in kinds}
    matrix = (points[list(draws.columns)] if align else points).to_numpy()
    for row in draws.to_numpy():
        sums = (matrix @ (row / row.sum() if scale else row)).round(9)
        sums = dict(zip(points.index, sums, strict=True))
        top = max(sums[kind] for kind in best or kinds)
        winners = [kind for kind in kinds if sums[kind] == top]
        for kind in winners[:1] if share == 0 else winners:
            wins[kind] += 1 / len(winners) if share == 1 else 1
        for kind in kinds:
            regret[kind].append(top - sums[kind])
    mean = {kind: float(np.mean([r for r in regret[kind] if r > 0 or not lost] or [0.0])) for kind in kinds}
    rows = [(kind, wins[kind] / len(draws), mean[kind]) for kind in kinds]
    table = pd.DataFrame(rows, columns=["kind", "wins", "regret"])
    return table.sort_values(["wins", "regret"], ascending=[False, True], ignore_index=True)


def firm_mistakes(points, draws, out):
    """Return the wrong tables that students get, each with its sentence."""
    right, everybody = firm_one_by_one(points, draws, out), list(points.index)
    inside = "A kind that is out still sets the best of a draw: leave it out *before* you look for the best."

    def wrong(name, sentence, **how):
        return lambda: firm_one_by_one(points, draws, out, **how), name, sentence

    return [
        (lambda got: len(got) == len(points) > len(right), "A kind that is out is in your table: leave it out."),
        (lambda got: len(got) < len(right), "A kind that never wins is missing: it has wins 0 (`reindex`)."),
        *told(
            right,
            "kind",
            wrong("wins", inside, best=everybody),
            wrong("regret", inside, best=everybody),
            wrong("wins", "`draws` has another order of criteria: find them by name, not by place.", align=False),
            wrong("wins", "A win of two equals counts for both in full: divide it by their number.", share=2),
            wrong("wins", "The first of two equals gets the whole win: `idxmax` does so. Share it.", share=0),
            wrong("regret", "A row of `draws` does not sum to 1: divide it by its sum (`axis=0`).", scale=False),
            wrong("regret", "The regret is the mean over *all* draws, also those won (regret 0).", lost=True),
            (right.assign(wins=len(draws) * right["wins"]), "wins", "`wins` counts; the share of the draws is asked."),
            (right.assign(regret=-right["regret"]), "regret", "Wrong sign: the best less the kind's own score."),
            order="The values are right, but not the order: most `wins` first.",
        ),
        (
            lambda got: (
                _looks_like(right, right.assign(regret=-1), "regret", "kind")(got) and abs(got["wins"].sum() - 1) < 1e-9
            ),
            "Equal scores may differ in the 16th digit, and then no win is shared: `round(9)` first.",
        ),
    ]


def check_firm(names):
    """Question 5."""
    how_firm = checks.answer(names, "how_firm", "function")
    given = few_draws()
    got, right = checks.call(how_firm, *given), firm_one_by_one(*given)
    mistakes = firm_mistakes(*given)
    checks.equal(got, right, "how_firm(four_kinds, nine_draws, …)", row="one per kind not out", mistakes=mistakes)


# ---------------------------------------------------------------------------------------------------------- question 6
def few_costs():
    """Return the costs of the visible check of question 6."""
    text = """bought licence 900 firm once 0 0; bought upkeep 50 firm yearly 1 0.02; bought computers 300 firm once 4 0;
        bought insurance 40 firm yearly 3 0.1; rented setting-up 100 firm once 0 0; rented fee 2 customer yearly 1 0.1;
        built programming 1500 firm once 0 0; built telling-customers 3 customer once 1 0"""
    return _rows(text, " ".join(COSTS.columns)).sample(frac=1, random_state=8)


def payments(costs, customers, years=5, grow="since", repeat=False, each=True, first=None, begin=0):
    """List the payments of each cost, year by year; the last five arguments make it wrong."""
    paid = []
    for row in costs.itertuples():
        amount = row.amount * (customers if row.per == "customer" and each else 1)
        for when in range(begin, years + 1):
            start = first if first is not None and row.times == "yearly" else row.year
            if when == start or (when > start and (row.times == "yearly" or repeat)):
                power = {"since": when - row.year, "today": when, "no": 0}[grow] if row.times == "yearly" else 0
                paid.append((when, amount * (1 + row.growth) ** power))
    return paid


def costs_one_by_one(costs, customers, rate, years=5, shift=0, **wrong):
    """Add up payment by payment: the slow way; `shift` and the further arguments make it wrong."""
    rows = []
    for kind, part in costs.groupby("kind"):
        paid = payments(part, customers, years, **wrong)
        value = sum(amount / (1 + rate) ** (when + shift) for when, amount in paid)
        rows.append((kind, sum(amount for _, amount in paid), value, value / customers))
    table = pd.DataFrame(rows, columns=["kind", "paid", "present_value", "per_customer"])
    return table.sort_values("present_value", ignore_index=True)


def cost_mistakes(costs, customers, rate, years=5):
    """Return the wrong tables that students get, each with its sentence."""
    right = costs_one_by_one(costs, customers, rate, years)

    def wrong(name, sentence, years=years, **how):
        return lambda: costs_one_by_one(costs, customers, rate, years, **how), name, sentence

    def by_customer(value, sentence):
        return right.assign(per_customer=value), "per_customer", sentence

    return told(
        right,
        "kind",
        wrong("paid", "Price growth is missing: a yearly amount grows by `growth` a year.", grow="no"),
        wrong("paid", "An amount grows from the year in which it is *first* paid, not from today.", grow="today"),
        wrong("paid", "What is paid `once` is repeated each year.", repeat=True),
        wrong("paid", "A cost per customer has to be taken times `customers`.", each=False),
        wrong("paid", "Yearly costs begin in their own `year`, not today (year 0).", first=0),
        wrong("paid", "Yearly costs begin in their own `year`, not all in year 1.", first=1),
        wrong("paid", "The last year is missing: yearly costs are paid at the end of it, too.", years=years - 1),
        wrong("paid", "One year too many: the last payment falls at the end of year `years`.", years=years + 1),
        wrong("paid", "What is paid today (year 0) is missing.", begin=1),
        wrong("present_value", "Year 0 is today: what is paid then is not discounted.", shift=1),
        wrong("present_value", "The end of year 1 is discounted once: divide by 1 + rate.", shift=-1),
        (right.assign(present_value=right["paid"]), "present_value", "Not discounted: divide by (1 + rate)^year."),
        by_customer(right["paid"] / customers, "`per_customer` is the *present value* by customer, not what is paid."),
        by_customer(right["per_customer"] / years, "`per_customer` is for all years: do not divide by `years`."),
        order="The values are right, but not the order: the cheapest by present value first.",
    )


def check_cost(names):
    """Question 6."""
    ownership = checks.answer(names, "ownership", "function")
    for given in ((few_costs(), 100, 0.08), (few_costs(), 40, 0.03, 3)):
        got, right = checks.call(ownership, *given), costs_one_by_one(*given)
        what = f"ownership(eight_costs, {', '.join(map(str, given[1:]))})"
        checks.equal(got, right, what, row="one per kind", mistakes=cost_mistakes(*given))


# ---------------------------------------------------------------------------------------------------------- question 7
def few_figures():
    """Return the figures of the visible check of question 7."""
    names = "records cards mailings message_cost coupon order_margin response uplift lost customers revenue margin_rate"
    values = [10000, 6000, 4, 0.1, 8, 30, 0.09, 0.04, 0.25, 3000, 400, 0.2, 0.5, 0.4]
    return pd.Series(values, index=[*names.split(), "part_of_year", "churn"], dtype="float64")


def points_one_by_one(figures, **changed):
    """Return what one point of each is worth, message by message and customer by customer."""
    f = {**figures, **changed}
    twice, kept, reached = 0.01 * f["records"], 0.01 * f["customers"], 0.01 * f["cards"]
    wasted = f["message_cost"] + f["response"] * f["lost"] * f["order_margin"]
    earned = f["uplift"] * f["order_margin"] - f["response"] * f["coupon"] - f["message_cost"]
    worth = {
        "duplicates": twice * f["mailings"] * wasted,
        "churn": kept * f["revenue"] * f["margin_rate"] * f["part_of_year"],
        "consent": reached * f["mailings"] * earned,
    }
    return {name: float(value) for name, value in worth.items()}


def point_mistakes(f):
    """Return the wrong answers that students give, each with its sentence."""
    right = points_one_by_one(f)

    def slip(name, sentence, times=1.0, **changed):
        value = times * points_one_by_one(f, **changed)[name]
        found = lambda got: not np.isclose(got[name], right[name]) and np.isclose(got[name], value)  # noqa: E731
        return found, f"{name.capitalize()}: {sentence}"

    real = f["coupon"] * f["uplift"] / f["response"]
    return [
        (lambda got: set(got) != set(right), "The keys are 'duplicates', 'churn' and 'consent', no others."),
        *[slip(name, "a point is 0.01: your value is a hundred times too high.", times=100) for name in right],
        slip("duplicates", "this is the postage only; the responses that are lost are missing.", lost=0),
        slip("duplicates", "the messages that are sent twice cost money too: `message_cost`.", message_cost=0),
        slip("duplicates", "not every response is lost when a message comes twice: times `lost`.", lost=1),
        slip("duplicates", "each record gets several messages a year: times `mailings`.", mailings=1),
        slip("duplicates", "they are among all `records`, not the cards only.", records=f["cards"]),
        slip("churn", "one *point* is 0.01; one per cent *of the churn* is less: leave `churn` out.", times=f["churn"]),
        slip("churn", "you count revenue; what a customer leaves is margin: times `margin_rate`.", margin_rate=1),
        slip("churn", "revenue, and per cent of the churn: take margin, and a point.", times=f["churn"], margin_rate=1),
        slip("churn", "who leaves, leaves during the year: times `part_of_year`.", part_of_year=1),
        slip("churn", "only active `customers` can be lost, not all records.", customers=f["records"]),
        slip("consent", "`response` counts who had bought anyway: the message adds `uplift`.", uplift=f["response"]),
        slip("consent", "who would have bought anyway uses the coupon too: response × coupon.", coupon=real),
        slip("consent", "the coupons cost money as well: response × `coupon`.", coupon=0),
        slip("consent", "the messages cost money as well: `message_cost`.", message_cost=0),
        slip("consent", "the cost of a message is to be taken away, not added.", message_cost=-f["message_cost"]),
        slip("consent", "each card gets several messages a year: times `mailings`.", mailings=1),
        slip("consent", "only `cards` get the campaigns, not all records.", cards=f["records"]),
    ]


def judge_one_by_one(investment, gains, rate, sign=-1, shift=0, discount=True):
    """Follow the account year by year: the slow way; the other arguments make it wrong."""
    account, back = sign * investment, None
    npv = account
    for year, gain in enumerate(gains, start=1):
        today = gain / (1 + rate) ** (year + shift)
        npv += today
        account += today if discount else gain
        if account >= 0 and back is None:
            back = year
    return float(npv), back


def judge_mistakes(*plan):
    """Return the wrong answers that students give, each with its sentence."""
    investment, gains, rate = plan
    npv, back = judge_one_by_one(*plan)
    plain = judge_one_by_one(*plan, discount=False)[1]

    def value(wrong, sentence):
        return lambda got: not np.isclose(got[0], npv) and np.isclose(got[0], wrong), sentence

    def year(wrong, sentence):
        return lambda got: np.isclose(got[0], npv) and got[1] is not None and got[1] == wrong != back, sentence

    return [
        value(judge_one_by_one(*plan, sign=1)[0], "The investment is money that goes *out*: take it away."),
        value(sum(gains) - investment, "Your NPV is not discounted: divide the gain of year n by (1 + rate)^n."),
        value(judge_one_by_one(*plan, shift=-1)[0], "The first gain comes at the *end* of year 1: divide by 1 + rate."),
        value(npv / (1 + rate), "You discount the investment, which is paid today."),
        value(npv + investment, "The investment is missing in your NPV."),
        year(plain, "This is the payback without interest: add up the *discounted* gains."),
        year(len(gains) if back is None else None, "What never pays back has no payback year: None."),
        year((back or 0) - 1, "Your payback is a year early: the first gain comes in year 1, not 0."),
        year((back or 0) + 1, "Your payback is a year late: count from 1, and a sum of exactly 0 is enough."),
    ]


def check_case(names):
    """Question 7."""
    worth_of_point = checks.answer(names, "worth_of_point", "function")
    judge = checks.answer(names, "judge", "function")
    figures = few_figures()
    got, right = checks.call(worth_of_point, figures), points_one_by_one(figures)
    checks.equal(got, right, "worth_of_point(other_figures)", mistakes=point_mistakes(figures))
    for plan in ((1000, [340, 340, 340, 200, 200], 0.12), (1000, [300, 300, 300], 0.1), (600, [300, 300, 50], 0.0)):
        got, right = checks.call(judge, *plan), judge_one_by_one(*plan)
        checks.equal(got, right, f"judge({', '.join(map(str, plan))})", mistakes=judge_mistakes(*plan))
