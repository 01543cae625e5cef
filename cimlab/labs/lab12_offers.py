"""Lab 12: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

from math import ceil, sqrt
from statistics import NormalDist

import numpy as np
import pandas as pd

import cimlab
from cimlab import checks, collection, mining

TODAY = pd.Timestamp("2026-06-30")
QUIET_DAYS = 60
BUDGET = 20
KNOWN = ["recency", "frequency", "basket", "messages", "opened_before"]


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    Returns
    -------
    contacts : pandas.DataFrame
        One row a campaign and card: campaign_id, member_id, arm, opened, clicked.
    campaigns : pandas.DataFrame
        As they come.
    purchases : pandas.DataFrame
        One row a purchase at a till with a card: member_id, ordered_at, amount and margin (CNY).
    audience : pandas.DataFrame
        The contacts, with what each bought, what was known before, and the score of question 6.

    Examples
    --------
    >>> contacts, campaigns, purchases, audience = prepare()
    >>> len(contacts) == len(audience), len(campaigns)
    (True, 6)
    """
    contacts, campaigns = cimlab.load("campaign_contacts"), cimlab.load("campaigns")
    lines = cimlab.load("order_lines").merge(cimlab.load("products")[["product_id", "unit_cost"]], on="product_id")
    lines["margin"] = lines["amount"] - lines["quantity"] * lines["unit_cost"]
    orders = cimlab.load("orders").dropna(subset="customer_ref")
    orders = orders[orders["channel"] == "till"].rename(columns={"customer_ref": "member_id"})
    orders = orders.merge(lines.groupby("order_id", as_index=False)["margin"].sum(), on="order_id")
    purchases = orders[["member_id", "ordered_at", "amount", "margin"]]
    asked, bought = (table.rename(columns={"member_id": "customer_id"}) for table in (contacts, purchases))
    audience = mining.campaign_outcomes(asked, campaigns, bought)
    audience = mining.known_before(audience, bought, audience).rename(columns={"customer_id": "member_id"})
    audience["bought_before"] = times_bought(audience["frequency"])
    past = mining.compare_arms(audience[audience["campaign_id"] < "CA06"], by="bought_before")["difference"]
    return contacts, campaigns, purchases, audience.assign(score=audience["bought_before"].map(past))


def times_bought(frequency):
    """Return the group of each number of purchases.

    Examples
    --------
    >>> times_bought(pd.Series([0, 2, 7])).tolist()
    ['never', '2', '5 and more']
    """
    names = ["never", "1", "2", "3-4", "5 and more"]
    return pd.cut(frequency, [-1, 0, 1, 2, 4, np.inf], labels=names).astype("str")


def quiet_tests():
    """Return 2,000 tests of a message that changes nothing: tests × looks, the z of each.

    Examples
    --------
    >>> quiet_tests().shape
    (2000, 14)
    """
    return mining.simulate_looks(looks=14, people=100, rate=0.05)


def offers_today(campaigns, purchases, audience):
    """Return what each offer would add for each card today, and whether the card may be written to.

    Parameters
    ----------
    campaigns, purchases, audience : pandas.DataFrame
        As `prepare` returns them.

    Returns
    -------
    options : pandas.DataFrame
        One row a card and offer: member_id, offer, uplift (added chance to buy), value (margin of one purchase, CNY),
        cost (CNY: the message, and the coupon times the chance that it is used).
    cards : pandas.DataFrame
        One row a card: member_id, consent, days (since the last message; missing if there was none).

    Examples
    --------
    >>> contacts, *others = prepare()
    >>> options, cards = offers_today(*others)
    >>> len(options) == 6 * len(cards)
    True
    """
    bought = purchases.groupby("member_id")
    cards = pd.DataFrame({"customer_id": sorted(audience["member_id"].unique())})
    known = cards["customer_id"].map(bought.size()).fillna(0)
    groups = mining.shrink_to_mean(mining.compare_arms(audience, by="bought_before"))
    rates = groups[["holdout_rate", "shrunk"]].set_axis(["base", "uplift"], axis=1)
    cards = cards.assign(group=times_bought(known)).join(rates, on="group")
    cards["value"] = cards["customer_id"].map(bought["margin"].sum()).fillna(0) + 5 * purchases["margin"].mean()
    cards["value"] = (cards["value"] / (known + 5)).round(2)
    strength = mining.shrink_to_mean(mining.compare_arms(audience, by="campaign_id"))["shrunk"]
    offers = campaigns.set_index("campaign_id").rename(columns={"name": "offer", "cost_per_contact": "cost"})
    gains = mining.offer_gains(cards, offers.assign(strength=strength / strength.mean()))
    gains = gains.merge(cards[["customer_id", "value"]], on="customer_id").round({"uplift": 5, "spend": 3})
    names = {"customer_id": "member_id", "spend": "cost"}
    options = gains.rename(columns=names)[["member_id", "offer", "uplift", "value", "cost"]]
    return options, consent_today(cards["customer_id"], audience)


def consent_today(members, audience):
    """Return what the ledger says of each card today, and how long ago it got its last message."""
    state = collection.consent_state(cimlab.load("consents"), TODAY + pd.Timedelta("1D"), purposes=["marketing"])
    state = state.drop_duplicates("customer_ref").set_index("customer_ref")["state"]
    last = audience[audience["treated"]].groupby("member_id")["starts_on"].max()
    days = (TODAY - members.map(last)).dt.days
    consent = members.map(state).fillna("never given").astype("str")
    return pd.DataFrame({"member_id": members, "consent": consent, "days": days.astype("float64")})


def board(campaigns, purchases, audience):
    """Return the figures of question 8.

    Parameters
    ----------
    campaigns, purchases, audience : pandas.DataFrame
        As `prepare` returns them.

    Returns
    -------
    effects : pandas.DataFrame
        The uplift of each campaign and of all, what a message earned, and how well the score ranks the last audience.
    report : pandas.DataFrame
        The offers within the budget, and why the others get none.
    needed : int
        People in each arm to see half of the pooled uplift.

    Examples
    --------
    >>> effects, report, needed = board(*prepare()[1:])
    >>> len(effects)
    9
    """
    interval = ["difference", "low", "high"]
    pooled = mining.pool_campaigns(audience)
    terms = audience[["campaign_id"]].join(campaigns.set_index("campaign_id"), on="campaign_id")
    spent = (terms["coupon"] * audience["bought"] + terms["cost_per_contact"]) * audience["treated"]
    earned = mining.compare_money(audience.assign(earned=audience["margin"] - spent), "earned")
    last = audience[audience["campaign_id"] == "CA06"]
    ranked = mining.judge_uplift(last, ["score"], runs=200)[["qini", "low", "high"]].set_axis(interval, axis=1)
    points = pd.concat([mining.compare_arms(audience, by="campaign_id")[interval], pooled[interval], ranked]) * 100
    points.index = [*campaigns["campaign_id"], "all campaigns", "Qini of the score in CA06"]
    points["unit"] = "buyers per 100"
    money = earned[interval].set_axis(["earned, all campaigns"]).assign(unit="CNY a message")
    options, cards = offers_today(campaigns, purchases, audience)
    report = report_offers(options, cards, BUDGET)
    base = audience.loc[~audience["treated"], "bought"].mean()
    needed = people_needed(base, pooled["difference"].iloc[0] / 2)
    return pd.concat([points, money]).round(2), report, needed


def report_offers(options, cards, budget):
    """Count what the offers send, cost and gain, and why the other cards get none."""
    chosen = choose_one_by_one(options, cards, budget)
    rows = chosen.groupby("offer").agg(cards=("offer", "size"), cost=("cost", "sum"), gain=("gain", "sum"))
    quiet = ~(cards["days"] < QUIET_DAYS)
    agreed = cards["consent"] == "given"
    reasons = {"no consent": (~agreed).sum(), "a message in the last 60 days": (agreed & ~quiet).sum()}
    reasons["no offer pays, or beyond the budget"] = len(cards) - len(chosen) - sum(reasons.values())
    none = pd.DataFrame({"cards": reasons, "cost": 0.0, "gain": 0.0})
    return pd.concat([rows.sort_values("gain", ascending=False), none]).round(1).rename_axis("offer")


def same(wrong, by=None):
    """Return a function that says whether a student's table or Series is this wrong one."""

    def found(got):
        own, other = got, wrong
        if by is not None:
            own, other = own.set_index(by), other.set_index(by)
            own = own.loc[other.index, other.columns]
        elif isinstance(wrong, pd.DataFrame):
            own = own[list(other.columns)]
        else:
            own = own.loc[other.index]
        return len(got) == len(wrong) and all(
            np.allclose(own_column.astype("float64"), other_column.astype("float64"), equal_nan=True)
            if pd.api.types.is_numeric_dtype(other_column)
            else own_column.tolist() == other_column.tolist()
            for own_column, other_column in _columns_of(own, other)
        )

    return found


def _columns_of(own, other):
    """Pair the columns of two tables, or two Series."""
    if isinstance(other, pd.Series):
        return [(own, other)]
    return [(own[name], other[name]) for name in other.columns]


# ---------------------------------------------------------------------------------------------------------- question 1
def few_contacts():
    """Return contacts, campaigns and purchases of the visible check of question 1."""
    campaigns = pd.DataFrame(
        {"campaign_id": ["C1", "C2"], "starts_on": pd.to_datetime(["2026-03-01", "2026-03-10"]), "window_days": [7, 10]}
    )
    opened = {"C1": "AC", "C2": "GH"}
    arms = [("C1", "treated", "ABCDE"), ("C1", "holdout", "FGHI"), ("C2", "treated", "FGH"), ("C2", "holdout", "ABCDE")]
    rows = [(name, card, arm, arm == "treated" and card in opened[name]) for name, arm, cards in arms for card in cards]
    contacts = pd.DataFrame(rows, columns=["campaign_id", "member_id", "arm", "opened"])
    bought = [
        ("A", "03-03 10:00"),
        ("A", "03-03 18:00"),
        ("A", "03-05 09:00"),
        ("B", "03-07 20:00"),
        ("D", "03-08 09:00"),
        ("E", "02-28 19:00"),
        ("F", "03-01 08:00"),
        ("F", "03-19 21:00"),
        ("G", "03-12 12:00"),
        ("B", "03-11 12:00"),
        ("B", "03-12 17:00"),
        ("D", "03-20 08:00"),
        ("X", "03-02 08:00"),
    ]
    purchases = pd.DataFrame(bought, columns=["member_id", "ordered_at"])
    purchases["ordered_at"] = pd.to_datetime("2026-" + purchases["ordered_at"])
    return contacts.sample(frac=1, random_state=3), campaigns, purchases.assign(amount=20.0)


def rates_one_by_one(contacts, campaigns, purchases, first=0, more=0, opened=False, clock=False):
    """Ask contact by contact: the slow way, to check the fast one; the other arguments make it wrong.

    `first` is the first day that counts (None: from the beginning), `more` the days by which the window is too long,
    `opened` looks at those only who opened, and `clock` compares times, not days.
    """
    when = purchases.groupby("member_id")["ordered_at"].agg(list).to_dict()
    terms = campaigns.set_index("campaign_id")
    counts = {name: {"treated": [0, 0], "holdout": [0, 0]} for name in campaigns["campaign_id"]}
    for row in contacts.itertuples():
        if opened and row.arm == "treated" and not row.opened:
            continue
        start, window = terms.loc[row.campaign_id, "starts_on"], int(terms.loc[row.campaign_id, "window_days"]) + more
        gaps = [(time - start) if clock else (time.normalize() - start) for time in when.get(row.member_id, [])]
        last = pd.Timedelta(days=window - 1)
        counts[row.campaign_id][row.arm][0] += 1
        counts[row.campaign_id][row.arm][1] += any(
            gap <= last and (first is None or gap >= pd.Timedelta(days=first)) for gap in gaps
        )
    rows = [[name, *(arm[1] / arm[0] for arm in arms.values())] for name, arms in counts.items()]
    table = pd.DataFrame(rows, columns=["campaign_id", "treated", "holdout"])
    return table.assign(difference=table["treated"] - table["holdout"])


def _rates_of_rows(contacts, campaigns, purchases, how, once):
    """Return the rates of a merge that loses who never bought (`how` inner), or counts purchases (not `once`)."""
    seen = contacts.merge(campaigns, on="campaign_id").merge(purchases, on="member_id", how=how)
    days = (seen["ordered_at"].dt.normalize() - seen["starts_on"]).dt.days
    seen["bought"] = (days >= 0) & (days < seen["window_days"])
    if once:
        seen = seen.groupby(["campaign_id", "member_id", "arm"], as_index=False)["bought"].max()
    rates = seen.pivot_table(index="campaign_id", columns="arm", values="bought")[["treated", "holdout"]]
    return rates.assign(difference=rates["treated"] - rates["holdout"]).reset_index()


def rate_mistakes(given):
    """Return the wrong tables that students get, each with its sentence."""
    right = rates_one_by_one(*given)
    per_cent = right.assign(**{name: 100 * right[name] for name in ("treated", "holdout", "difference")})
    key = "campaign_id"
    return [
        (
            lambda got: "campaign_id" not in got.columns and got.index.name == "campaign_id",
            "`campaign_id` is the index; a column is asked for: `reset_index()`.",
        ),
        (lambda got: "arm" in got.columns, "One row a campaign is asked for, with a column for each arm: `pivot`."),
        (
            same(_rates_of_rows(*given, how="inner", once=True), key),
            "An inner merge loses the cards without any purchase. They did not buy: keep all contacts (`how='left'`).",
        ),
        (
            same(_rates_of_rows(*given, how="left", once=False), key),
            "You took the mean of a table with one row a *purchase*. Who buys twice is *one* buyer: mark first who "
            "bought (one row a campaign and card), then take the mean.",
        ),
        (same(per_cent, key), "Your rates are in per cent; fractions are asked for (0.1, not 10)."),
        (
            same(right.assign(difference=-right["difference"]), key),
            "Your `difference` has the wrong sign: treated minus holdout.",
        ),
        (
            same(rates_one_by_one(*given, opened=True), key),
            "You count among the treated only those who opened. The curious open, chance did not choose them: "
            "all who were in the arm count (intention to treat).",
        ),
        (
            same(rates_one_by_one(*given, more=1), key),
            "Your window is one day too long. The first day is day 0, so the last is day `window_days - 1`.",
        ),
        (
            same(rates_one_by_one(*given, clock=True), key),
            "A purchase on the evening of the last day is missing: `starts_on` is midnight. Compare days, with "
            "`ordered_at.dt.normalize()`.",
        ),
        (same(rates_one_by_one(*given, more=-1), key), "Your window ends one day too early."),
        (same(rates_one_by_one(*given, first=1), key), "The day on which the message goes out counts: it is day 0."),
        (
            same(rates_one_by_one(*given, first=None), key),
            "You count a purchase from before the campaign as an answer. It has to be on day 0 or later.",
        ),
        (
            same(rates_one_by_one(*given, first=None, more=9999), key),
            "You count whoever ever bought. Only the days of the campaign count.",
        ),
        (
            lambda got: got["treated"].gt(right["treated"]).any() or got["holdout"].gt(right["holdout"]).any(),
            "A rate is too high. Who buys twice is *one* buyer: mark first who bought at least once (one row a "
            "campaign and card), then take the mean.",
        ),
    ]


def check_arm_rates(names):
    """Question 1."""
    arm_rates = checks.answer(names, "arm_rates", "function")
    given = few_contacts()
    got = checks.call(arm_rates, *given)
    what = "arm_rates(contacts, campaigns, purchases)"
    right = rates_one_by_one(*given)
    checks.equal(got, right, what, by="campaign_id", row="one per campaign", mistakes=rate_mistakes(given))


# ---------------------------------------------------------------------------------------------------------- question 2
def few_known():
    """Return the table of the visible check of question 2; `recency` has gaps."""
    return pd.DataFrame(
        {
            "treated": [True] * 6 + [False] * 4,
            "frequency": [1, 4, 0, 9, 3, 1, 2, 1, 5, 0],
            "recency": [10, 35, None, 60, 5, 90, 40, None, 15, 20],
            "basket": [40.0, 55.0, 60.0, 35.0, 42.0, 68.0, 50.0, 71.0, 44.0, 65.0],
        }
    ).sample(frac=1, random_state=1)


def smd_one_by_one(table, columns):
    """Work out the standardised mean difference column by column, with sums only."""
    result = {}
    for column in columns:
        moments = []
        for arm in (True, False):
            values = [value for value, own in zip(table[column], table["treated"], strict=True) if own == arm]
            values = [float(value) for value in values if pd.notna(value)]
            mean = sum(values) / len(values)
            moments.append((mean, sum((value - mean) ** 2 for value in values) / (len(values) - 1)))
        result[column] = (moments[0][0] - moments[1][0]) / sqrt((moments[0][1] + moments[1][1]) / 2)
    return pd.Series(result)


def smd_mistakes(table, columns):
    """Return the wrong Series that students get, each with its sentence."""
    arms = table.loc[table["treated"], columns], table.loc[~table["treated"], columns]
    gap, (one, two) = arms[0].mean() - arms[1].mean(), (arm.var() for arm in arms)
    right = smd_one_by_one(table, columns)
    whole, filled = table.dropna(subset=columns), table.fillna(0)
    return [
        (lambda got: isinstance(got, pd.DataFrame), "One number a column is asked for: a Series, not a table."),
        (
            same(gap),
            "These are plain differences of means, in days, times and CNY. Divide by the standard deviation, so that "
            "they can be compared.",
        ),
        (same(-right), "The signs are the wrong way round: treated minus holdout."),
        (lambda got: same(right.abs())(got), "You took away the sign (`abs`). Keep it: it says which arm has more."),
        (
            same(smd_one_by_one(filled, columns)),
            "You filled the gaps with 0. Nobody bought 0 days ago: leave what is missing out.",
        ),
        (
            same(smd_one_by_one(whole, columns)),
            "You dropped each row with a gap, also for the columns without one. `mean` and `var` leave gaps out by "
            "themselves.",
        ),
        (
            same(gap / table[columns].std()),
            "You divide by the standard deviation of both arms together. Take the variance of each arm, and the root "
            "of their mean.",
        ),
        (
            same(gap / np.sqrt(one / arms[0].count() + two / arms[1].count())),
            "You divide by the standard error: that is the t of a test, which grows with the number of people. Divide "
            "by the standard deviation.",
        ),
        (
            same(gap / ((np.sqrt(one) + np.sqrt(two)) / 2)),
            "You took the mean of the standard deviations. First the mean of the *variances*, then the root.",
        ),
        (same(gap / ((one + two) / 2)), "You divide by the variance: the root is missing."),
        (same(gap / np.sqrt(one + two)), "Divide the sum of the variances by 2 before the root."),
        (
            same(gap / np.sqrt((arms[0].var(ddof=0) + arms[1].var(ddof=0)) / 2)),
            "Your variance divides by n (numpy's way). Take that of pandas, by n - 1.",
        ),
    ]


def check_balance(names):
    """Question 2."""
    balance = checks.answer(names, "balance", "function")
    table, columns = few_known(), ["frequency", "recency", "basket"]
    got = checks.call(balance, table, columns)
    right, mistakes = smd_one_by_one(table, columns), smd_mistakes(table, columns)
    checks.equal(got, right, "balance(ten_people, columns)", by="index", mistakes=mistakes)


# ---------------------------------------------------------------------------------------------------------- question 3
def people_needed(base, effect, power=0.8, alpha=0.05, raw=False):
    """Return the people in each arm, with the normal quantiles of Python's own library."""
    quantile = NormalDist().inv_cdf
    other = base + effect
    middle = (base + other) / 2
    spread = quantile(1 - alpha / 2) * sqrt(2 * middle * (1 - middle))
    spread += quantile(power) * sqrt(base * (1 - base) + other * (1 - other))
    people = (spread / effect) ** 2
    return people if raw else ceil(people)


def size_mistakes(base, effect, power, alpha):
    """Return the wrong numbers that students get, each with its sentence."""
    quantile = NormalDist().inv_cdf
    right, raw = people_needed(base, effect, power, alpha), people_needed(base, effect, power, alpha, raw=True)
    other = base + effect
    middle, apart = base + effect / 2, base * (1 - base) + other * (1 - other)
    both = quantile(1 - alpha / 2) + quantile(power)
    wrong = [
        (2 * right, "This is the number of both arms together; that of *one* arm is asked for."),
        (people_needed(base, effect, power, 2 * alpha), "Your first z is that of a one-sided test: `alpha / 2`."),
        (
            people_needed(base, effect, 1 - power, alpha),
            "One of your z is below 0. The quantiles at `1 - alpha / 2` and at `power` are asked for.",
        ),
        (
            people_needed(base, effect, 0.5, alpha),
            "The power is missing. Without the second z the effect is seen in every second test only.",
        ),
        (people_needed(base, base * effect, power, alpha), "`effect` is in points of the rate: add it, 0.04 + 0.02."),
        (
            ceil(both**2 * apart / effect**2),
            "Your formula has the same spread twice. The first z goes with that of no effect, "
            "`sqrt(2 * middle * (1 - middle))`.",
        ),
        (
            ceil(both**2 * 2 * base * (1 - base) / effect**2),
            "You take the spread of `base` for both arms. The treated have the rate `base + effect`.",
        ),
        (
            ceil(16 * middle * (1 - middle) / effect**2),
            "This is the rule of thumb, which knows no other power or alpha.",
        ),
        (ceil(sqrt(raw)), "The square is missing."),
        (ceil(raw * abs(effect)), "Divide by the *square* of the effect."),
    ]
    return [
        (
            lambda got: isinstance(got, float),
            "People are whole: round *up*, and make an int of it: `int(np.ceil(…))`.",
        ),
        *[pair for pair in wrong if pair[0] != right],
        (right - 1, "Round *up*: with one less the power is not reached."),
    ]


def check_people_per_arm(names):
    """Question 3."""
    people_per_arm = checks.answer(names, "people_per_arm", "function")
    for case in ((0.04, 0.02, 0.8, 0.05), (0.1, 0.05, 0.9, 0.01), (0.047, 0.022, 0.75, 0.1)):
        got = checks.call(people_per_arm, *case)
        what = f"people_per_arm{case}"
        checks.equal(got, people_needed(*case), what, tolerance=1e-9, mistakes=size_mistakes(*case))


# ---------------------------------------------------------------------------------------------------------- question 4
def few_looks():
    """Return the z of the visible check of question 4: eight tests, four looks; two lie at the bound itself."""
    rows = [
        [0.3, -2.4, 1.0, 0.2],
        [2.1, 2.2, 1.5, 0.9],
        [0.1, 0.4, 1.96, 1.2],
        [-0.8, -1.1, -1.7, -2.0],
        [0.2, 1.2, 0.8, -0.3],
        [1.0, 2.0, 2.3, 2.5],
        [-1.96, 0.1, 0.2, 0.6],
        [0.4, -0.6, 0.2, 0.1],
    ]
    return pd.DataFrame(rows, columns=pd.Index([1, 2, 3, 4], name="look"))


def stops_one_by_one(z, bound):
    """Walk through each test look by look: the slow way."""
    alone, stopped = [0] * z.shape[1], [0] * z.shape[1]
    for test in z.to_numpy():
        over = False
        for look, value in enumerate(test):
            over = over or abs(value) > bound
            alone[look] += abs(value) > bound
            stopped[look] += over
    table = pd.DataFrame({"alone": alone, "stopped": stopped}, index=z.columns)
    return table / len(z)


def stop_mistakes(z, bound):
    """Return the wrong tables that students get, each with its sentence."""
    right = stops_one_by_one(z, bound)
    alone, looks = right["alone"], np.arange(1, z.shape[1] + 1)

    def index_same(wrong):
        return lambda got: np.allclose(got[["alone", "stopped"]], wrong[["alone", "stopped"]])

    return [
        (
            lambda got: not isinstance(got, pd.DataFrame),
            "A table is asked for: one row a look, the columns `alone` and `stopped`.",
        ),
        (
            lambda got: len(got) == len(z) != z.shape[1],
            "Your table has one row a *test*; one row a *look* is asked for: take the mean over the tests.",
        ),
        (index_same(stops_one_by_one(z.clip(lower=0), bound)), "A z below the lower bound counts as well: take `abs`."),
        (
            index_same(right.assign(stopped=alone.cumsum())),
            "You add up the shares of the looks. A test over the bound on two days is stopped *once*: ask of each test "
            "whether it was over it so far.",
        ),
        (
            index_same(right.assign(stopped=alone.cummax())),
            "You take the highest share so far. Ask of each *test* whether it was over the bound so far, then take the "
            "mean.",
        ),
        (
            index_same(right.assign(stopped=1 - (1 - alone.iloc[0]) ** looks)),
            "Your formula takes the looks for independent. Each holds the people of the one before: count instead.",
        ),
        (
            index_same(right.assign(stopped=right["stopped"].iloc[-1])),
            "Each row of your `stopped` holds the end; at a look only this one and the *earlier* ones count.",
        ),
        (index_same(right.assign(stopped=alone)), "Your `stopped` forgets who was stopped at an earlier look."),
        (
            index_same(right.assign(stopped=right["stopped"].diff().fillna(alone))),
            "Your `stopped` holds the new ones only.",
        ),
        (index_same(stops_one_by_one(z, bound - 1e-9)), "*Above* the bound is asked for: `>`, not `>=`."),
        (index_same(right * len(z)), "You count tests; their *share* is asked for."),
        (index_same(1 - right), "You give the share of the tests that are *not* stopped."),
    ]


def check_early_stops(names):
    """Question 4."""
    early_stops = checks.answer(names, "early_stops", "function")
    z = few_looks()
    got = checks.call(early_stops, z, 1.96)
    right, mistakes = stops_one_by_one(z, 1.96), stop_mistakes(z, 1.96)
    checks.equal(got, right, "early_stops(eight_tests, 1.96)", by="index", row="one per look", mistakes=mistakes)


# ---------------------------------------------------------------------------------------------------------- question 5
def few_groups():
    """Return the table of the visible check of question 5: who answers best is not who is moved most."""
    parts = [("new", 10, 4, 5, 1), ("old", 8, 5, 4, 3), ("rare", 6, 1, 6, 0), ("lone", 3, 2, 0, 0)]
    rows = []
    for group, treated, answers, holdout, came in parts:
        rows += [(group, True, number < answers, number % 3 != 2) for number in range(treated)]
        rows += [(group, False, number < came, False) for number in range(holdout)]
    table = pd.DataFrame(rows, columns=["kind", "treated", "bought", "opened"])
    return table.sample(frac=1, random_state=4)


def uplift_one_by_one(table, by, shift=1):
    """Count group by group: the slow way. `shift` 0 makes the error that of the textbook."""
    counts = {}
    for group, treated, bought in table[[by, "treated", "bought"]].itertuples(index=False):
        arms = counts.setdefault(group, {True: [0, 0], False: [0, 0]})
        arms[bool(treated)][0] += 1
        arms[bool(treated)][1] += int(bought)
    rows = []
    for group, arms in counts.items():
        (many, answers), (few, came) = arms[True], arms[False]
        if many and few:
            error = sqrt(_variance(answers, many, shift) + _variance(came, few, shift))
            rows.append([group, many, few, answers / many - came / few, error])
    table = pd.DataFrame(rows, columns=["group", "treated", "holdout", "difference", "error"])
    return table.sort_values("difference", ascending=False, kind="stable", ignore_index=True)


def _variance(hits, size, shift):
    """Return the variance of a rate, with `shift` more buyers and twice as many more people."""
    rate = (hits + shift) / (size + 2 * shift)
    return rate * (1 - rate) / (size + 2 * shift)


def uplift_mistakes(table, by):
    """Return functions of the wrong tables that students get, each with its sentence."""
    right = uplift_one_by_one(table, by)
    known = right.set_index("group")
    treated, holdout = table[table["treated"]], table[~table["treated"]]
    response = treated.groupby(by)["bought"].mean().reindex(known.index)
    opened = treated[treated["opened"]].groupby(by)["bought"].mean().reindex(known.index)
    base = holdout.groupby(by)["bought"].mean().reindex(known.index)
    textbook = uplift_one_by_one(table, by, shift=0).set_index("group")["error"].reindex(known.index)

    def has(column, wrong):
        return lambda got: np.allclose(got.set_index("group")[column].reindex(known.index), wrong)

    variances = [_variance(hits, size, 1) for hits, size in _hits(table, by, known.index)]
    return [
        (
            lambda got: "group" not in got.columns,
            "The groups have to stand in a column named `group`: `rename_axis('group').reset_index()`.",
        ),
        (
            lambda got: len(set(got["group"]) - set(known.index)) > 0,
            "A group without both arms is in your table. Where nobody was left out nothing can be compared: leave it "
            "out.",
        ),
        (
            has("difference", response),
            "This is the response of the treated: how many would have bought anyway? Subtract the rate of the holdout "
            "of the *same* group.",
        ),
        (
            has("difference", response - holdout["bought"].mean()),
            "You subtract the rate of the whole holdout. Groups differ in who buys anyway: take the holdout of the "
            "*same* group.",
        ),
        (
            has("difference", opened - base),
            "You count among the treated only those who opened. All in the arm count (intention to treat).",
        ),
        (has("difference", -known["difference"]), "The sign is wrong: treated minus holdout."),
        (has("difference", 100 * known["difference"]), "Your difference is in per cent; a fraction is asked for."),
        (
            has("error", textbook),
            "Your error is the textbook's, which is 0 where nobody bought. Add 1 buyer and 2 people to each arm first.",
        ),
        (
            has("error", np.sqrt(variances[0]) + np.sqrt(variances[1])),
            "You add the two errors. Add the *variances*, and take the root of the sum.",
        ),
        (has("error", variances[0] + variances[1]), "This is the variance of the difference: the root is missing."),
        (
            has("treated", treated.groupby(by)["bought"].sum().reindex(known.index)),
            "`treated` and `holdout` are people, not buyers.",
        ),
        (
            lambda got: (
                got["group"].tolist() != right["group"].tolist()
                and np.allclose(got.set_index("group").reindex(known.index)[known.columns], known)
            ),
            "The groups are right, but not ranked: the highest difference first (`sort_values`).",
        ),
    ]


def _hits(table, by, groups):
    """Return buyers and people of each arm and group."""
    for arm in (True, False):
        found = table[table["treated"] == arm].groupby(by)["bought"].agg(["sum", "size"]).reindex(groups)
        yield found["sum"], found["size"]


def check_group_uplift(names):
    """Question 5."""
    group_uplift = checks.answer(names, "group_uplift", "function")
    table = few_groups()
    got = checks.call(group_uplift, table, "kind")
    right = uplift_one_by_one(table, "kind")
    mistakes = uplift_mistakes(table, "kind")
    checks.equal(got, right, "group_uplift(42_people, 'kind')", row="one per group", mistakes=mistakes)
    checks.refuses(
        lambda: group_uplift(table.copy(), "opened"),
        "`group_uplift(table, 'opened')` gives an answer. Who opens is known *after* the start, and nobody in the "
        "holdout can: raise a ValueError.",
        ValueError,
    )


# ---------------------------------------------------------------------------------------------------------- question 6
def few_scores():
    """Return the table of the visible check of question 6; two pairs of equal scores have both arms."""
    rows = [
        (9, True, True),
        (8, True, True),
        (8, False, False),
        (7, False, True),
        (6, True, False),
        (6, True, True),
        (5, False, False),
        (3, True, False),
        (3, False, True),
        (1, True, False),
    ]
    return pd.DataFrame(rows, columns=["score", "treated", "bought"]).sample(frac=1, random_state=5)


def curve_one_by_one(table, score):
    """Take the best by score, step by step, and compare their arms each time: the slow way."""
    everybody = int(table["treated"].sum())
    rows = [[0.0, 0.0]]
    for bound in sorted(table[score].unique(), reverse=True):
        best = table[table[score] >= bound]
        treated, holdout = best[best["treated"]], best[~best["treated"]]
        if len(treated) and len(holdout):
            extra = treated["bought"].sum() - holdout["bought"].sum() * len(treated) / len(holdout)
            rows.append([len(best) / len(table), float(extra) / everybody])
    return pd.DataFrame(rows, columns=["share", "gain"])


def curve_mistakes(table, score):
    """Return the wrong curves that students get, each with its sentence."""
    right = curve_one_by_one(table, score)
    ordered = table.sort_values(score, ascending=False, kind="stable")
    steps = ordered.assign(
        many=ordered["treated"].cumsum(),
        few=(~ordered["treated"]).cumsum(),
        answers=(ordered["bought"] & ordered["treated"]).cumsum(),
        came=(ordered["bought"] & ~ordered["treated"]).cumsum(),
    ).drop_duplicates(score, keep="last")
    steps = steps[(steps["many"] > 0) & (steps["few"] > 0)]
    total = table["treated"].sum()

    def gain(wrong):
        return lambda got: len(got) == len(right) and np.allclose(got["gain"].iloc[1:], wrong)

    extra = steps["answers"] - steps["came"] * steps["many"] / steps["few"]
    return [
        (
            same(curve_one_by_one(table.assign(**{score: -table[score]}), score)),
            "You begin with the *lowest* score: sort downwards.",
        ),
        (
            lambda got: got["gain"].isin([np.inf, -np.inf]).any() or got["gain"].isna().any(),
            "Your curve holds a gain that is missing or endless: where one arm is still empty leave the row out.",
        ),
        (lambda got: got["share"].iloc[0] != 0, "The curve begins at nobody: a first row with share 0 and gain 0."),
        (
            lambda got: len(got) > len(right),
            "Your curve has too many rows. People with *equal* scores enter together: else the order in the table "
            "decides. Also leave out rows in which an arm is still empty.",
        ),
        (
            gain(steps["answers"] / total),
            "This is the curve of the response: the treated only. Subtract what the holdout bought.",
        ),
        (
            gain((steps["answers"] - steps["came"]) / total),
            "The arms have different sizes. Blow the buyers of the holdout up to the number of the treated: times "
            "treated / holdout so far.",
        ),
        (
            gain(steps["answers"] / steps["many"] - steps["came"] / steps["few"]),
            "This is the uplift *among* the best so far. The gain of the whole audience is asked for: divide by all "
            "treated.",
        ),
        (
            gain(extra / len(table)),
            "You divide by everybody; the extra buyers are those of the treated: divide by all treated.",
        ),
        (gain(extra), "You count extra buyers: divide by the number of all treated."),
        (
            lambda got: np.allclose(got["share"].iloc[1:], steps["many"] / total),
            "Your `share` is that of the treated; that of the audience, both arms, is asked for.",
        ),
        (
            lambda got: np.allclose(100 * right["share"], got["share"]),
            "Your `share` is in per cent; a fraction is asked for.",
        ),
    ]


BEST_MISTAKES = [
    (lambda got: got is None, "`best_share` returns None, that is, nothing: is a `return` missing?"),
    (lambda got: np.isclose(got, 2 / 6), "This is the highest gain. At which *share* is it reached?"),
    (lambda got: isinstance(got, (int, np.integer)), "This is the row (`idxmax`); the share in this row is asked for."),
    (1.0, "The curve is not highest at its end: who comes last, takes away from it."),
]


def check_uplift_curve(names):
    """Question 6."""
    uplift_curve = checks.answer(names, "uplift_curve", "function")
    best_share = checks.answer(names, "best_share", "function")
    table = few_scores()
    got = checks.call(uplift_curve, table, "score")
    right = curve_one_by_one(table, "score")
    what = "uplift_curve(ten_people, 'score')"
    checks.equal(got, right, what, row="one per score", mistakes=curve_mistakes(table, "score"))
    checks.equal(checks.call(best_share, right), 0.3, "best_share(curve)", mistakes=BEST_MISTAKES)


# ---------------------------------------------------------------------------------------------------------- question 7
def few_options():
    """Return options, cards and budget of the visible check of question 7."""
    rows = [
        ("K1", "coupon", 0.10, 40, 2.0),
        ("K1", "greeting", 0.04, 40, 0.1),
        ("K2", "coupon", 0.02, 30, 1.0),
        ("K2", "greeting", 0.001, 30, 0.1),
        ("K3", "coupon", 0.30, 60, 2.0),
        ("K3", "greeting", 0.02, 60, 0.1),
        ("K4", "coupon", 0.20, 60, 2.0),
        ("K4", "greeting", 0.03, 60, 0.1),
        ("K5", "coupon", 0.06, 20, 1.0),
        ("K5", "greeting", 0.05, 20, 0.1),
        ("K6", "coupon", 0.20, 50, 4.0),
        ("K6", "greeting", 0.02, 50, 0.1),
        ("K7", "coupon", 0.08, 25, 1.6),
        ("K7", "greeting", 0.01, 25, 0.2),
        ("K8", "coupon", 0.25, 50, 2.0),
        ("K8", "greeting", 0.02, 50, 0.1),
        ("K9", "coupon", 0.10, 30, 1.0),
        ("K9", "greeting", 0.01, 30, 0.1),
    ]
    options = pd.DataFrame(rows, columns=["member_id", "offer", "uplift", "value", "cost"]).astype({"value": "float64"})
    consent = ["given", "given", "withdrawn", "given", "given", "given", "given", "never given", "given"]
    days = [120, 90, 200, 30, None, 60, 200, None, None]
    cards = pd.DataFrame({"member_id": [f"K{n}" for n in range(1, 10)], "consent": consent, "days": days})
    return options.sample(frac=1, random_state=6), cards.sample(frac=1, random_state=7), 6.8


def choose_one_by_one(options, cards, budget):
    """Ask card by card, then spend: the slow way."""
    may = {row.member_id for row in cards.itertuples() if row.consent == "given" and not row.days < QUIET_DAYS}
    best = {}
    for row in options.sort_values(["member_id", "offer"]).itertuples():
        gain = row.uplift * row.value - row.cost
        if row.member_id in may and gain > 0 and gain > best.get(row.member_id, (0, 0, 0))[2]:
            best[row.member_id] = (row.offer, row.cost, gain)
    rows, spent = [], 0.0
    for card, (offer, cost, gain) in sorted(best.items(), key=lambda item: (-item[1][2] / item[1][1], item[0])):
        spent += cost
        if spent > budget + 1e-9:
            break
        rows.append((card, offer, cost, gain))
    return pd.DataFrame(rows, columns=["member_id", "offer", "cost", "gain"])


def chose(*cards):
    """Return a function that says whether one of these cards got an offer."""
    return lambda got: got["member_id"].isin(cards).any()


def lacks(*cards):
    """Return a function that says whether one of these cards got none."""
    return lambda got: not set(cards) <= set(got["member_id"])


def offered(card, offer):
    """Return a function that says whether this card got this offer."""
    return lambda got: (got["member_id"].eq(card) & got["offer"].eq(offer)).any()


CHOICE_MISTAKES = [
    (
        lambda got: got["member_id"].duplicated().any(),
        "A card got several offers. One offer a card: the one with the highest gain.",
    ),
    (chose("K3"), "K3 has withdrawn its consent and gets an offer nevertheless."),
    (chose("K8"), "K8 never gave consent. Who has said nothing has not agreed: only `given` counts."),
    (chose("K4"), "K4 got a message 30 days ago. It has to be left in peace for 60 days."),
    (chose("K2"), "K2 gets an offer that loses money: no offer, if its gain is not above 0."),
]
ALL_MISTAKES = [
    *CHOICE_MISTAKES,
    (
        lambda got: lacks("K5", "K9")(got) and not lacks("K6")(got),
        "K5 and K9 never got a message, so they may have one. Their `days` are missing, and `NaN >= 60` is False: "
        "allow for `isna()`.",
    ),
    (lacks("K6"), "K6 got its last message exactly 60 days ago: that is long enough (`>=`)."),
    (
        offered("K5", "coupon"),
        "K5 gets the offer with the highest uplift. Take the highest *gain*: uplift × value − cost.",
    ),
    (
        offered("K1", "greeting"),
        "K1 gets the offer with most gain for each CNY. For one card the highest gain decides; gain / cost only ranks "
        "the cards.",
    ),
    (lacks("K7"), "K7 is missing, though the budget is enough for all whose gain is above 0."),
]
BUDGET_MISTAKES = [
    (lambda got: got["cost"].sum() > 6.8 + 1e-9, "Your offers cost more than the budget: add up the costs (`cumsum`)."),
    (
        lambda got: set(got["member_id"]) == {"K5", "K9", "K6", "K7"},
        "K1 does not fit the budget any more, and you go on to K7. *Stop* at the first one that does not fit.",
    ),
    (
        lambda got: "K1" in set(got["member_id"]) and "K6" in set(got["member_id"]),
        "With the budget of 6.8 you write to K6 and K1, by gain. Rank by gain / cost: then each CNY brings most.",
    ),
    (
        lambda got: "K1" in set(got["member_id"]) and "K7" in set(got["member_id"]),
        "With the budget of 6.8 you spend on the cheapest, or in the order of the table. Rank by gain / cost, "
        "the highest first.",
    ),
    (
        lambda got: len(got) < 3,
        "With the budget of 6.8 you write to too few. Drop those who may not be written to *before* you spend.",
    ),
]


def check_next_offers(names):
    """Question 7."""
    next_offers = checks.answer(names, "next_offers", "function")
    options, cards, budget = few_options()
    told = {"by": "member_id", "row": "one per card with an offer"}
    got = checks.call(next_offers, options, cards, 1000)
    right = choose_one_by_one(options, cards, 1000)
    checks.equal(got, right, "next_offers(options, nine_cards, 1000)", mistakes=ALL_MISTAKES, **told)
    got = checks.call(next_offers, options, cards, budget)
    right = choose_one_by_one(options, cards, budget)
    mistakes = [*CHOICE_MISTAKES, *BUDGET_MISTAKES]
    checks.equal(got, right, f"next_offers(options, nine_cards, {budget})", mistakes=mistakes, **told)
