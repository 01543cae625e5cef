"""Lab 10: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import numpy as np
import pandas as pd

import cimlab
from cimlab import checks, profiles

TODAY = pd.Timestamp("2026-06-30")
HORIZON = 90
TEST_AT = TODAY - pd.Timedelta(days=HORIZON)
CUTOFFS = pd.date_range(end=TEST_AT, periods=7, freq="45D")
FEATURES = ["recency", "frequency", "recent_orders", "monetary", "tenure"]
EDGES = [0.0, 0.1, 0.2, 0.3, 0.5, 1.0]

# The columns of the colleague's table, and what the colleague wrote beside each.
MEANING = {
    "days_since_last": "Days from the last order up to the cutoff, to the cutoff",
    "days_to_next": "Days from the cutoff to the next order; 999 if there is none",
    "orders_file": "Number of orders in the order file (exported on 30 June 2026)",
    "orders_90": "Number of orders in the 90 days up to the cutoff",
    "basket": "Mean CNY of an order, all orders up to the cutoff",
    "tier": "Grade in the member table of 30 June 2026, by purchases of 12 months: 0 (no card) to 3 (gold)",
    "first_channel": "Where the first order of all was placed: 1 shop, 0 web",
    "refunds_file": "CNY paid back for orders up to the cutoff (returns table of 30 June 2026)",
    "messages": "Messages sent to the customer in campaigns that started by the cutoff",
    "clicked": "1 if the customer clicked in the message of 20 May 2026, else 0",
    "refunds_then": "CNY paid back up to the cutoff",
    "shop_rate": "Share of the customers of the same shop (or the web) who bought in the 90 days after the cutoff",
    "member_days": "Days from the opening of the card or account to the cutoff",
    "spend_2026": "CNY spent in the first half of 2026",
    "weekend": "Share of the orders up to the cutoff that were placed on a Saturday or Sunday",
    "record_age": "Days since the record of card or account was last changed, looked up on 30 June 2026",
}


def new_model():
    """Return a logistic regression that has not learned yet: logarithms, one scale for all, then the regression.

    Examples
    --------
    >>> new_model().fit([[1.0], [2.0], [30.0], [40.0]], [True, True, False, False]).predict([[1.5], [50.0]]).tolist()
    [True, False]
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    return make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression(max_iter=1000))


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    A customer is here a card or an account, so that the lab starts at once. Calls are left out, since each has a
    number of its own.

    Returns
    -------
    orders : pandas.DataFrame
        order_id, customer_id (missing for a purchase without a card), ordered_at, amount (CNY).
    history : pandas.DataFrame
        One row per cutoff and customer who bought in the 365 days up to it: cutoff, customer_id, the columns of
        `FEATURES` (made of these 365 days only, so that each cutoff looks back equally far), bought (True if a
        purchase followed within 90 days).
    scored : pandas.DataFrame
        One row per customer on the last cutoff: customer_id, score (0 to 1, of a model that learned from cutoffs whose
        90 days were over), bought, marketing (the last entry of the consent ledger by then; missing without one).
    candidates : pandas.DataFrame
        One row per customer on the last cutoff: customer_id, the columns of `MEANING`, bought.
    book : pandas.DataFrame
        One row per column of `candidates`: column, meaning, auc_alone.

    Examples
    --------
    >>> orders, history, scored, candidates, book = prepare()
    >>> history["cutoff"].nunique(), scored.columns.tolist()
    (7, ['customer_id', 'score', 'bought', 'marketing'])
    """
    orders = cimlab.load("orders").query("channel != 'call'").rename(columns={"customer_ref": "customer_id"})
    since = orders["ordered_at"].dt.normalize()
    years = {day: orders[since > day - pd.Timedelta(days=365)] for day in CUTOFFS}
    parts = [profiles.repurchase_table(years[day], day, HORIZON).assign(cutoff=day) for day in CUTOFFS]
    history = pd.concat(parts, ignore_index=True).astype({"bought": "bool"})
    history = history[["cutoff", "customer_id", *FEATURES, "bought"]]
    test = history[history["cutoff"] == TEST_AT].reset_index(drop=True)
    learned = history[history["cutoff"] <= TEST_AT - pd.Timedelta(days=HORIZON)]
    score = new_model().fit(learned[FEATURES], learned["bought"]).predict_proba(test[FEATURES])[:, 1].round(3)
    scored = test[["customer_id"]].assign(score=score, bought=test["bought"])
    scored["marketing"] = scored["customer_id"].map(last_entries("marketing"))
    candidates = colleague(orders, test)
    orders = orders[["order_id", "customer_id", "ordered_at", "amount"]].reset_index(drop=True)
    return orders, history, scored, candidates, book_of(candidates)


def last_entries(purpose):
    """Return the last entry (given, withdrawn) of the ledger for a purpose up to the last cutoff, by customer.

    Examples
    --------
    >>> sorted(last_entries("marketing").unique())
    ['given', 'withdrawn']
    """
    ledger = cimlab.load("consents").query("purpose == @purpose").sort_values("recorded_at", kind="stable")
    ledger = ledger[ledger["recorded_at"] < TEST_AT + pd.Timedelta(days=1)]
    return ledger.groupby("customer_ref")["action"].last()


def colleague(orders, test):
    """Return the table that a colleague has put together for the customers of the last cutoff."""
    own = orders[orders["customer_id"].isin(test["customer_id"])].sort_values("ordered_at", kind="stable")
    return pd.concat([_from_orders(own, test), _from_tables(own, test)], axis=1)[
        ["customer_id", *MEANING, "bought"]
    ].copy()


def _from_orders(own, test):
    """Return the columns of the colleague's table that come from orders alone."""
    who = test["customer_id"]
    after = own["ordered_at"] >= TEST_AT + pd.Timedelta(days=1)
    known, later = own[~after], own[after]
    spent = own.loc[own["ordered_at"].dt.year == TODAY.year].groupby("customer_id")["amount"].sum()
    following = (later.groupby("customer_id")["ordered_at"].min().dt.normalize() - TEST_AT).dt.days
    recent = known[known["ordered_at"] >= TEST_AT - pd.Timedelta(days=HORIZON - 1)].groupby("customer_id").size()
    each = known.groupby("customer_id")
    place = each["store_id"].last().reindex(who).fillna("web").reset_index(drop=True)
    weekend = (known["ordered_at"].dt.day_of_week >= 5).groupby(known["customer_id"]).mean()
    return pd.DataFrame(
        {
            "customer_id": who,
            "days_since_last": test["recency"],
            "days_to_next": who.map(following).fillna(999).astype("int64"),
            "orders_file": who.map(own.groupby("customer_id").size()),
            "orders_90": who.map(recent).fillna(0).astype("int64"),
            "basket": who.map(each["amount"].mean()).round(2),
            "first_channel": who.map(each["channel"].first()).eq("till").astype("int64"),
            "shop_rate": test["bought"].groupby(place).transform("mean").round(3),
            "spend_2026": who.map(spent).fillna(0.0).round(2),
            "weekend": who.map(weekend).round(3),
            "bought": test["bought"],
        }
    )


def _from_tables(own, test):
    """Return the columns of the colleague's table that come from cards, accounts, returns and campaigns."""
    who = test["customer_id"]
    cards = cimlab.load("members").set_index("member_id")
    accounts = cimlab.load("web_accounts").rename(columns={"registered_on": "joined_on"}).set_index("account_id")
    records = pd.concat([cards, accounts])
    returns = cimlab.load("returns").merge(own[["order_id", "customer_id", "ordered_at"]], on="order_id")
    returns = returns[returns["ordered_at"] < TEST_AT + pd.Timedelta(days=1)]
    by_then = returns[returns["returned_on"] <= TEST_AT]
    sent = cimlab.load("campaign_contacts").query("arm == 'treated'").merge(cimlab.load("campaigns"), on="campaign_id")
    earlier = sent[sent["starts_on"] <= TEST_AT]
    clicked = sent.loc[(sent["starts_on"] > TEST_AT) & sent["clicked"], "member_id"]
    return pd.DataFrame(
        {
            "tier": who.map(records["tier"]).map({"basic": 1, "silver": 2, "gold": 3}).fillna(0).astype("int64"),
            "refunds_file": who.map(returns.groupby("customer_id")["refund"].sum()).fillna(0.0).round(2),
            "messages": who.map(earlier.groupby("member_id").size()).fillna(0).astype("int64"),
            "clicked": who.isin(clicked).astype("int64"),
            "refunds_then": who.map(by_then.groupby("customer_id")["refund"].sum()).fillna(0.0).round(2),
            "member_days": (TEST_AT - who.map(records["joined_on"])).dt.days,
            "record_age": (TODAY - who.map(records["updated_on"])).dt.days,
        }
    )


def book_of(candidates):
    """Return what each column of the colleague's table means, and how well it foretells alone.

    Parameters
    ----------
    candidates : pandas.DataFrame
        As `prepare` returns it.

    Returns
    -------
    pandas.DataFrame
        column, meaning, auc_alone: 0.5 is chance, 1 is never wrong; a column that falls counts as one that rises.
    """
    from sklearn.metrics import roc_auc_score

    alone = [roc_auc_score(candidates["bought"], candidates[column].fillna(-1)) for column in MEANING]
    told = [round(max(auc, 1 - auc), 2) for auc in alone]
    return pd.DataFrame({"column": list(MEANING), "meaning": list(MEANING.values()), "auc_alone": told})


def options(scored, cost, value, successes):
    """Return what contacts would have brought, if everybody who is worth it by the score had been contacted.

    Parameters
    ----------
    scored : pandas.DataFrame
        As `prepare` returns it.
    cost, value : float
        CNY for each contact, and for each purchase that it brings.
    successes : list of float
        Which part of the buyers is thought to buy once more because of the contact.

    Returns
    -------
    pandas.DataFrame
        One row per success: least_score (below it a contact costs more than it is expected to bring), contacts,
        expected (CNY, by the scores), earned (CNY, by who bought), random (CNY, as many contacts drawn by lot), all
        (CNY, everybody who agreed), best_afterwards (contacts, chosen when the answer is known).

    Examples
    --------
    >>> scored = pd.DataFrame({"customer_id": ["a", "b"], "score": [0.8, 0.1], "bought": [True, False],
    ...                        "marketing": ["given", "given"]})
    >>> options(scored, cost=2, value=25, successes=[0.3])[["contacts", "earned"]].iloc[0].tolist()
    [1.0, 5.5]
    """
    agreed = scored[scored["marketing"].eq("given")].sort_values("score", ascending=False)
    rows = []
    for success in successes:
        gain = value * success
        chosen = agreed[agreed["score"] >= cost / gain]
        curve = np.append(0.0, gain * agreed["bought"].cumsum() - cost * np.arange(1, len(agreed) + 1))
        rows.append(
            {
                "success": success,
                "least_score": cost / gain,
                "contacts": len(chosen),
                "expected": (gain * chosen["score"] - cost).sum(),
                "earned": (gain * chosen["bought"] - cost).sum(),
                "random": len(chosen) * (gain * agreed["bought"].mean() - cost),
                "all": curve[-1],
                "best_afterwards": curve.argmax(),
            }
        )
    return pd.DataFrame(rows).set_index("success")


def facts(history, scored):
    """Return what is known of the model and of those it scores, for the last question.

    Parameters
    ----------
    history, scored : pandas.DataFrame
        As `prepare` returns them.

    Returns
    -------
    pandas.Series
        Customers and consents, mean score and share who bought, AUC, and by which factor the odds change with one
        standard deviation more of (the logarithm of) a feature, the others being equal.
    """
    from sklearn.metrics import roc_auc_score

    test = history[history["cutoff"] == TEST_AT]
    learned = history[history["cutoff"] <= TEST_AT - pd.Timedelta(days=HORIZON)]
    model = new_model().fit(learned[FEATURES], learned["bought"])
    agreed = scored["marketing"].eq("given")
    profiling = scored["customer_id"].map(last_entries("profiling")).eq("given")
    told = {
        "customers": len(scored),
        "agreed to messages": agreed.sum(),
        "agreed to messages and profiling": (agreed & profiling).sum(),
        "no entry on messages": scored["marketing"].isna().sum(),
        "mean score": scored["score"].mean(),
        "share who bought": scored["bought"].mean(),
        "AUC of the model": roc_auc_score(scored["bought"], scored["score"]),
        "AUC of recency": roc_auc_score(test["bought"], -test["recency"]),
    }
    factors = np.exp(model[-1].coef_[0])
    told |= {f"odds × for more {name}": factor for name, factor in zip(FEATURES, factors, strict=True)}
    return pd.Series(told, name="value").astype("float64").round(2)


def purchases(rows):
    """Return a small table of orders from (customer, time, amount); the numbers of the orders are made up."""
    table = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"])
    table["ordered_at"] = pd.to_datetime(table["ordered_at"], format="mixed")
    table.insert(0, "order_id", [f"o{number}" for number in range(1, len(table) + 1)])
    return table


def has(column, **values):
    """Return a function that says whether a table holds these values in a column, by the name of the customer."""

    def found(got):
        own = got.set_index("customer_id")[column]
        return all(np.isclose(float(own.get(name, np.nan)), value) for name, value in values.items())

    return found


def without(name):
    """Return a function that says whether a customer is not in a table."""
    return lambda got: name not in set(got["customer_id"])


def within(name):
    """Return a function that says whether a customer is in a table."""
    return lambda got: name in set(got["customer_id"])


ONE_PER_CUSTOMER = (
    lambda got: got["customer_id"].dropna().duplicated().any(),
    "A customer stands in several rows, one for each order. One row per *customer* is asked for.",
)
NOBODY = (
    lambda got: got["customer_id"].isna().any(),
    "Your table has a row without a customer. Purchases without a card belong to nobody: leave them out.",
)


def few_ahead():
    """Return the orders of the visible check of question 1; the cutoff is 31 March 2026, the horizon 30 days."""
    rows = [("A", "2026-03-10"), ("A", "2026-04-15"), ("B", "2026-03-31 21:30"), ("C", "2025-12-01")]
    rows += [("C", "2026-04-30 22:00"), ("D", "2026-04-05"), ("E", "2025-03-31 18:00"), ("E", "2026-04-03")]
    rows += [("F", "2025-04-01 08:00"), ("G", "2026-02-02"), ("G", "2026-05-01 00:00"), ("H", "2026-01-05 10:00")]
    rows += [("H", "2026-01-05 17:00"), ("H", "2026-04-02"), ("H", "2026-04-03"), (None, "2026-03-01")]
    return purchases([(*row, 10.0) for row in [*rows, (None, "2026-04-02")]])


def check_look_ahead(names):
    """Question 1."""
    look_ahead = checks.answer(names, "look_ahead", "function")
    right = pd.DataFrame({"customer_id": list("ABCFGH"), "bought": [True, False, True, False, False, True]})
    mistakes = [
        NOBODY,
        ONE_PER_CUSTOMER,
        (
            lambda got: set(got["customer_id"]) == set("ACH"),
            "Only those who bought are left. Who did *not* buy is half of what a model learns from: keep all, with "
            "False.",
        ),
        (
            within("D"),
            "D came after the cutoff. On that day nobody knew D, so that nobody can foretell what D does: keep "
            "customers of the year *before* only.",
        ),
        (within("E"), "E's last order was 365 days before the cutoff: the year up to the cutoff begins a day later."),
        (without("F"), "F bought on the first of the 365 days, which counts: `day > cutoff - pd.Timedelta(days=365)`."),
        (
            without("B"),
            "B bought on the cutoff at 21:30, which counts as before. `ordered_at <= cutoff` compares with midnight: "
            "cut off the time of day first (`.dt.normalize()`).",
        ),
        (
            has("bought", B=1),
            "B bought on the evening *of* the cutoff only. That is known, not foretold: the horizon begins on the day "
            "after.",
        ),
        (
            lambda got: pd.api.types.is_numeric_dtype(got["bought"]) and not pd.api.types.is_bool_dtype(got["bought"]),
            "`bought` is a number; True or False is asked for: `customer_id.isin(…)` gives it.",
        ),
        (
            has("bought", G=1),
            "G bought on the day *after* the horizon is over: the last day that counts is `cutoff` + `horizon` days.",
        ),
        (
            has("bought", C=0),
            "C bought on the evening of the last day of the horizon, which counts to its end: cut off the time of day "
            "first.",
        ),
    ]
    got = checks.call(look_ahead, few_ahead(), pd.Timestamp("2026-03-31"), 30)
    what = "look_ahead(few_orders, 31 March 2026, 30)"
    checks.equal(got, right, what, by="customer_id", row="one per customer", mistakes=mistakes)


def few_back():
    """Return the orders of the visible check of question 2; the cutoff is 31 March 2026."""
    rows = [("a", "2024-11-01 10:00", 100.0), ("a", "2025-12-31 12:00", 30.0), ("a", "2026-01-01 09:00", 20.0)]
    rows += [("a", "2026-03-30 23:30", 50.0), ("b", "2025-05-05 10:00", 40.0), ("b", "2026-04-02 10:00", 500.0)]
    rows += [("c", "2026-03-31 20:00", 25.0), ("d", "2026-04-01 00:00", 70.0), ("e", "2025-03-31 11:00", 90.0)]
    rows += [("f", "2025-04-01 07:00", 10.0), ("f", "2025-04-01 19:00", 15.0), (None, "2026-03-02 12:00", 35.0)]
    return purchases(rows)


def check_look_back(names):
    """Question 2."""
    look_back = checks.answer(names, "look_back", "function")
    rows = [("a", 1, 3, 2, 100.0, 515), ("b", 330, 1, 0, 40.0, 330), ("c", 0, 1, 1, 25.0, 0)]
    rows += [("f", 364, 2, 0, 25.0, 364)]
    columns = ["customer_id", "recency", "orders_365", "orders_90", "spend_365", "tenure"]
    right = pd.DataFrame(rows, columns=columns)
    later = [("recency", -2), ("orders_365", 2), ("orders_90", 1), ("spend_365", 540)]
    mistakes = [
        NOBODY,
        ONE_PER_CUSTOMER,
        (within("d"), "d came after the cutoff: who looks back from that day cannot know d yet."),
        (
            lambda got: any(has(column, b=value)(got) for column, value in later),
            "b's order of 2 April is counted. It came *after* the cutoff: a feature that has seen it has seen the "
            "answer (leakage). Leave later orders out first of all.",
        ),
        (within("e"), "e's last order was 365 days before the cutoff: the year up to the cutoff begins a day later."),
        (
            lambda got: set(got["customer_id"]) == {"a", "c"},
            "Customers without an order in the last 90 days are lost. They belong in, with 0.",
        ),
        (
            without("c"),
            "c bought on the cutoff at 20:00, which counts. `ordered_at <= cutoff` compares with midnight: cut off the "
            "time of day first.",
        ),
        (without("f"), "f bought on the first of the 365 days, which counts: `day > cutoff - pd.Timedelta(days=365)`."),
        (
            lambda got: got["orders_90"].isna().any(),
            "`orders_90` is blank for who has no order in those days. The number is known, it is 0: `fillna(0)`.",
        ),
        (
            lambda got: has("recency", a=0)(got) or has("recency", c=-1)(got),
            "a bought on 30 March at 23:30. From that *day* to the cutoff it is 1 day; yours counts by the hour and "
            "loses one: `.dt.normalize()` first.",
        ),
        (
            has("orders_90", a=3),
            "a's order of 31 December is 90 days before the cutoff. Of the 90 days the cutoff is the last, so that "
            "the first is 1 January: `day > cutoff - pd.Timedelta(days=90)`.",
        ),
        (
            lambda got: has("spend_365", a=200)(got) or has("orders_365", a=4)(got),
            "a's order of 2024 is counted in `orders_365` or `spend_365`: these look back 365 days only.",
        ),
        (has("spend_365", a=100 / 3), "`spend_365` is the mean of an order; the sum of the year is asked for."),
        (
            has("tenure", a=90),
            "`tenure` begins with the first order of the *year*. a first bought in 2024: take all orders up to the "
            "cutoff here.",
        ),
        (
            lambda got: pd.api.types.is_float_dtype(got["orders_90"]),
            "`orders_90` has decimals; a count is a whole number: `fillna(0).astype(int)`.",
        ),
    ]
    got = checks.call(look_back, few_back(), pd.Timestamp("2026-03-31"))
    what = "look_back(few_orders, 31 March 2026)"
    checks.equal(got, right, what, by="customer_id", row="one per customer", mistakes=mistakes)


def compare_clean(clean, right, reveal=True):
    """Look at a list of columns: `right` is column → (whether it may stay, a hint for who decided otherwise)."""
    for column, (stays, hint) in right.items():
        what = f"`{column}`" if reveal else "One of the other eight columns"
        told = "is missing from `clean`, though it leaks nothing" if stays else "stands in `clean`, but it leaks"
        checks.require((column in clean) == stays, f"{what} {told}. {hint}")


def listed_columns(names):
    """Return the student's list of columns, after a look at its form."""
    clean = checks.answer(names, "clean", list)
    checks.require(len(clean) > 0, "`clean` is empty: a model needs something to learn from.")
    odd = [name for name in clean if name not in MEANING]
    checks.require(
        "bought" not in odd and "customer_id" not in odd,
        "`clean` holds `bought` or `customer_id`. The first is the answer itself, the second a number that says "
        "nothing: take names from `book` only.",
    )
    checks.require(not odd, f"`clean` holds {odd[:1]}, which is no `column` of `book`: spell the names as there.")
    checks.require(len(clean) == len(set(clean)), "A column stands in `clean` twice.")
    checks.require(
        len(clean) < len(MEANING),
        "`clean` holds all columns, but some of them leak. Ask of each: was this *value* there on 1 April 2026?",
    )
    return clean


def check_clean(names):
    """Question 3."""
    compare_clean(
        listed_columns(names),
        {
            "days_to_next": (False, "The next order is what you want to foretell."),
            "days_since_last": (True, "It looks at orders up to the cutoff only, and at no table that changed later."),
            "orders_file": (False, "The file was exported on 30 June: it counts the orders of the 90 days after, too."),
            "basket": (True, "It looks at orders up to the cutoff only; that it foretells little is no leak."),
            "tier": (
                False,
                "It is the grade of 30 June, made of purchases up to that day. That it foretells less than other "
                "columns does not make it known on 1 April.",
            ),
            "messages": (True, "These campaigns had started by the cutoff, and who was sent a message was known."),
            "clicked": (False, "The message went out on 20 May; on 1 April nobody had clicked."),
            "member_days": (True, "The opening day never changes: on 1 April it was the same as today."),
        },
    )


def few_history():
    """Return the history of the visible check of question 4; it is tested on 1 April 2026."""
    draw = np.random.default_rng(18)
    days = pd.to_datetime(["2025-10-03", "2026-01-01", "2026-02-15", "2026-04-01", "2026-05-16"])
    return invented_history(draw, days, 12)


def invented_history(draw, days, customers):
    """Return a history of invented customers; no two rows have the same `monetary`, so that rows can be told apart."""
    rows = len(days) * customers
    table = pd.DataFrame(
        {
            "cutoff": np.repeat(days, customers),
            "customer_id": [f"K{number}" for number in range(customers)] * len(days),
            "recency": draw.integers(0, 365, rows),
            "frequency": draw.geometric(0.3, rows),
            "recent_orders": draw.integers(0, 4, rows).astype("float64"),
            "monetary": draw.permutation(rows) * 7.5 + 10,
            "tenure": draw.integers(365, 700, rows),
        }
    )
    likely = table["frequency"] / (table["frequency"] + 1 + table["recency"] / 60)
    return table.assign(bought=(likely + draw.normal(0, 0.25, rows)) > 0.45).sample(frac=1, random_state=3)


class Spy:
    """A model for the check: it notes what it is shown, and scores by a fixed rule, whatever it has learned."""

    def __init__(self):
        self.made, self.learned, self.answers, self.scored, self.hard = False, None, None, [], False

    def make(self):
        self.made = True
        return self

    def fit(self, table, answers):
        self.learned, self.answers = table, np.asarray(answers)
        return self

    def predict_proba(self, table):
        self.scored.append(table)
        table = pd.DataFrame(table)
        if not {"recency", "frequency"} <= set(table.columns):
            raise ValueError("the model needs a table with the columns lab.FEATURES")
        chance = table["frequency"] / (table["frequency"] + 1 + table["recency"] / 90)
        return np.column_stack([1 - chance, chance])

    def decision_function(self, table):
        chance = self.predict_proba(table)[:, 1]
        return np.log(chance / (1 - chance))

    def predict(self, table):
        chance = self.predict_proba(table)[:, 1]
        self.scored.pop()
        self.hard = True
        return chance >= 0.5


def rows_of(history, table):
    """Return which rows of an invented history stand in a table, by the cutoff: a set of numbers of rows."""
    return set(history.index[history["monetary"].isin(table["monetary"])])


def evaluated(names, history, test_at):
    """Run the student's `evaluate` with a spy and return its result, after a look at what the spy was shown."""
    evaluate, spy = checks.answer(names, "evaluate", "function"), Spy()

    def make_model():
        return spy.make()

    got = checks.call(evaluate, history, test_at, make_model)
    checks.require(
        spy.made and spy.learned is not None,
        "`evaluate` teaches no model: the third argument is a *function*; call `make_model()`, then `fit`.",
    )
    checks.require(
        isinstance(spy.learned, pd.DataFrame),
        "`fit` needs a table with names: `train[lab.FEATURES]`, without `to_numpy()`.",
    )
    columns = list(spy.learned.columns)
    checks.require("bought" not in columns, "`fit` is shown `bought` among the features: that is the answer (leakage).")
    checks.require(
        columns == FEATURES, f"`fit` is shown the columns {columns}; the features are `lab.FEATURES`, in that order."
    )
    shown, over = rows_of(history, spy.learned), history["cutoff"] + pd.Timedelta(days=HORIZON)
    is_test = history["cutoff"] == test_at
    checks.require(
        not shown & set(history.index[is_test]),
        "The model learns from customers on whom it is tested (rows whose `cutoff` is `test_at`). It has seen the "
        "answers, and the AUC says nothing: split by *time*, not by lot.",
    )
    checks.require(
        not shown & set(history.index[history["cutoff"] > test_at]),
        "The model learns from cutoffs *after* `test_at`: on that day they lay in the future.",
    )
    checks.require(
        not shown & set(history.index[over > test_at]),
        "The model learns from a cutoff whose 90 days were not over on `test_at`. On that day nobody knew who would "
        "buy in them: take rows with `cutoff` + 90 days up to `test_at`.",
    )
    missing = set(history.index[over <= test_at]) - shown
    exact = missing and missing <= set(history.index[over == test_at])
    checks.require(not exact, "A cutoff whose 90 days end *on* `test_at` may be learned from: `<=`, not `<`.")
    checks.require(not missing, "The model learns from too few rows: take *all* cutoffs whose 90 days were over.")
    checks.require(
        spy.answers.tolist() == history.set_index("monetary")["bought"].loc[spy.learned["monetary"]].tolist(),
        "`fit` gets other answers than the `bought` of the rows it is shown.",
    )
    checks.require(
        bool(spy.scored) or not spy.hard,
        "AUC needs *scores*; `predict` gives only yes and no, and loses the order within each. Take "
        "`predict_proba(…)[:, 1]`.",
    )
    checks.require(bool(spy.scored), "The model is never asked: `predict_proba(test[lab.FEATURES])[:, 1]`.")
    seen = rows_of(history, spy.scored[-1])
    checks.require(
        not seen & shown,
        "The AUC is measured on rows from which the model has learned (in-sample): that says how well it *remembers*. "
        "Score the test rows.",
    )
    checks.require(
        seen == set(history.index[is_test]), "The model is tested on other rows than those whose `cutoff` is `test_at`."
    )
    return got


def auc_of(answers, scores):
    """Return in which share of all pairs the buyer has the higher score, a tie counting half: the slow way."""
    buyers = [score for score, bought in zip(scores, answers, strict=True) if bought]
    others = [score for score, bought in zip(scores, answers, strict=True) if not bought]
    return sum((a > b) + 0.5 * (a == b) for a in buyers for b in others) / (len(buyers) * len(others))


def compare_evaluated(got, history, test_at, reveal=True):
    """Compare the two AUC of question 4 with the right ones, where the model is the spy."""
    test = history[history["cutoff"] == test_at]
    model = auc_of(test["bought"], Spy().predict_proba(test[FEATURES])[:, 1])
    right = {"model": float(model), "recency": float(auc_of(test["bought"], -test["recency"]))}
    mistakes = [
        (
            lambda got: np.isclose(got["recency"], 1 - right["recency"]),
            'AUC of "recency" is upside down: a *small* recency speaks for a purchase. Take `-test["recency"]`.',
        ),
        (
            lambda got: np.isclose(got["model"], 1 - right["model"]),
            'AUC of "model" is upside down: `predict_proba` has two columns, no and yes; take `[:, 1]`.',
        ),
        (
            lambda got: np.isclose(got["model"], right["recency"]) and np.isclose(got["recency"], right["model"]),
            "The two are changed over.",
        ),
        (
            lambda got: np.isclose(
                got["model"], auc_of(test["bought"], Spy().predict(test[FEATURES]).astype("float64"))
            ),
            "AUC is measured on yes and no. Hand over the scores themselves, `predict_proba(…)[:, 1]`, without a "
            "threshold.",
        ),
    ]
    name = "evaluate(few_history, 1 April 2026, make_model)" if reveal else "evaluate(another history)"
    checks.equal(got, right, name, mistakes=mistakes, reveal=reveal)


def check_evaluate(names):
    """Question 4."""
    history = few_history()
    compare_evaluated(evaluated(names, history, TEST_AT), history, TEST_AT)


def few_scores():
    """Return the scores of the visible check of question 5: eleven customers, four of whom bought."""
    scores = [0.4, 0.9, 0.2, 0.5, 0.05, 0.8, 0.1, 0.7, 0.3, 0.5, 0.15]
    bought = [score in (0.9, 0.7, 0.2) for score in scores]
    bought[3] = True
    return pd.DataFrame({"customer_id": [f"C{n}" for n in range(11)], "score": scores, "bought": bought})


def check_thresholds(names):
    """Question 5."""
    measure = checks.answer(names, "measure", "function")
    threshold_for = checks.answer(names, "threshold_for", "function")
    table = few_scores()
    right = {"precision": 3 / 5, "recall": 3 / 4, "accuracy": 8 / 11, "nobody": 7 / 11}

    def is_(**values):
        return lambda got: all(np.isclose(got[key], value) for key, value in values.items())

    mistakes = [
        (is_(precision=60.0), "These are per cent; the task asks for fractions."),
        (
            is_(precision=0.75, recall=0.6),
            "`precision` and `recall` are changed over: precision is the share of the *chosen* who bought, recall the "
            "share of the *buyers* who are chosen.",
        ),
        (
            is_(precision=2 / 3, recall=0.5),
            "Two customers have a score of exactly 0.5, and the threshold itself counts: `score >= threshold`.",
        ),
        (
            is_(nobody=4 / 11),
            '`nobody` is the accuracy of a model that says "nobody buys": it is right for all who did *not* buy.',
        ),
        (is_(accuracy=3 / 11), "`accuracy` also counts those who are *not* chosen and did not buy: they are right."),
        (is_(recall=3 / 11), "`recall` divides by all customers; it divides by those who bought."),
    ]
    checks.equal(checks.call(measure, table, 0.5), right, "measure(eleven_customers, 0.5)", mistakes=mistakes)
    none = {"precision": 0.0, "recall": 0.0, "accuracy": 7 / 11, "nobody": 7 / 11}
    blank = [
        (
            lambda got: np.isnan(got["precision"]),
            "Nobody has a score of 0.95, and 0 / 0 is not a number. The task says: `precision` is 0 then.",
        )
    ]
    checks.equal(checks.call(measure, table, 0.95), none, "measure(eleven_customers, 0.95)", mistakes=blank)
    lowest = (
        lambda got: np.isclose(got, 0.05),
        "The lowest score takes everybody, so that recall is 1. The *highest* threshold that reaches the recall is "
        "asked for.",
    )
    wrong = [
        lowest,
        (0.7, "At your threshold recall is 2/4, less than the 0.65 that is wanted: go on to the next lower score."),
        (0.2, "This threshold reaches the recall, but a higher one does, too: the highest is asked for."),
        (0.9, "Only one of four buyers has this score: recall, not precision, has to reach 0.65."),
        (0.75, "This is the recall that is reached; the *threshold* is asked for."),
        (
            lambda got: np.isclose(got, table["score"].quantile(0.35)),
            "This is a quantile of the scores of *all customers*. Recall counts the *buyers*: take their scores only.",
        ),
    ]
    what = "threshold_for(eleven_customers, 0.65)"
    checks.equal(checks.call(threshold_for, table, 0.65), 0.5, what, mistakes=wrong)
    exact = [lowest, (0.5, "At 0.7 recall is exactly 0.5, which is enough: `>=`, not `>`.")]
    what = "threshold_for(eleven_customers, 0.5)"
    checks.equal(checks.call(threshold_for, table, 0.5), 0.7, what, mistakes=exact)


def few_groups():
    """Return the scores of the visible check of question 6; nobody has a score from 0.4 to 0.6."""
    scores = [0.7, 0.05, 0.2, 0.6, 0.15, 0.35, 1.0, 0.2, 0.1, 0.9, 0.3]
    bought = [False, False, True, True, True, False, True, False, False, True, False]
    return pd.DataFrame({"customer_id": [f"C{n}" for n in range(11)], "score": scores, "bought": bought})


def check_calibration(names):
    """Question 6."""
    calibration = checks.answer(names, "calibration", "function")
    brier_skill = checks.answer(names, "brier_skill", "function")
    table, edges = few_groups(), [0.0, 0.2, 0.4, 0.6, 1.0]
    rows = [(0.0, 3, 0.1, 1 / 3), (0.2, 4, 1.05 / 4, 1 / 4), (0.6, 4, 3.2 / 4, 3 / 4)]
    right = pd.DataFrame(rows, columns=["from", "n", "predicted", "observed"])

    def at(column, edge, value):
        return lambda got: np.isclose(got.set_index("from")[column].astype("float64")[edge], value)

    mistakes = [
        (
            lambda got: got["from"].dtype.name in ("category", "interval", "object"),
            "`from` holds intervals or categories; the lower edge itself is asked for, a number.",
        ),
        (
            lambda got: (got["n"] == 0).any(),
            "Nobody has a score from 0.4 to 0.6, so that there is no mean: leave the group out.",
        ),
        (
            at("n", 0.0, 5),
            "The two scores of exactly 0.2 stand in the group below. The lower edge belongs to its group.",
        ),
        (
            lambda got: 1.0 in set(got["from"].astype("float64")),
            "The score 1.0 has a group of its own; it belongs to the last group.",
        ),
        (at("n", 0.6, 3), "The score 1.0 is lost: the last group holds its upper edge, too."),
        (at("observed", 0.2, 1), "`observed` counts buyers; their share of the group is asked for."),
        (
            lambda got: np.allclose(got["predicted"].sort_values(), [0.1, 0.3, 0.8]),
            "`predicted` is the middle of the group; the mean of its scores is asked for.",
        ),
        (
            lambda got: np.allclose(got.set_index("from")[["predicted", "observed"]].loc[0.2], [1 / 4, 1.05 / 4]),
            "`predicted` and `observed` are changed over.",
        ),
    ]
    got = checks.call(calibration, table, edges)
    what = "calibration(eleven_customers, edges)"
    checks.equal(got, right, what, by="from", row="one per group with customers", mistakes=mistakes)
    error = (table["score"] - table["bought"]).to_numpy("float64")
    base = (0.3 - table["bought"]).to_numpy("float64")
    own = table["bought"].mean() - table["bought"].astype("float64")
    ratio, hard = (error**2).mean() / (base**2).mean(), (table["score"] >= 0.5) != table["bought"]
    wrong = [
        ((error**2).mean(), "This is the Brier score itself; how much of it is *saved* against one share for all?"),
        (ratio, "This is the ratio of the two Brier scores; the skill is 1 less that ratio."),
        (1 - (error**2).mean() / (own**2).mean(), PEEKING),
        (1 - np.abs(error).mean() / np.abs(base).mean(), "The differences have to be squared before the mean."),
        (1 - ratio**0.5, "You took roots: the skill compares the means of the *squares*."),
        (1 - hard.mean() / (base**2).mean(), "The scores became yes and no: square the scores less `bought`."),
        ((base**2).mean() - (error**2).mean(), "This is the difference of the two; divide it by that of one share."),
    ]
    what = "brier_skill(eleven_customers, 0.3)"
    checks.equal(checks.call(brier_skill, table, 0.3), float(1 - ratio), what, mistakes=wrong)


PEEKING = (
    "You compare with the share of buyers in the test itself, which nobody knew before. Compare with `share`, that is "
    "known from earlier."
)


def few_contacts():
    """Return the table of the visible check of question 7: eight customers agreed, three of them bought."""
    rows = [("f", 0.2, False, "given"), ("a", 0.9, True, "given"), ("w", 0.95, True, "withdrawn")]
    rows += [("x", 0.85, True, None), ("c", 0.6, False, "given"), ("b", 0.8, True, "given")]
    rows += [("h", 0.05, False, "given"), ("d", 0.5, True, "given"), ("y", 0.55, True, None)]
    rows += [("e", 0.35, False, "given"), ("z", 0.4, True, "withdrawn"), ("g", 0.1, False, "given")]
    return pd.DataFrame(rows, columns=["customer_id", "score", "bought", "marketing"])


def check_plan(names):
    """Question 7."""
    gains, best_plan = (checks.answer(names, name, "function") for name in ("gains", "best_plan"))
    table = few_contacts()
    rows = [(1, 2, 2, 2 / 3, 8 / 3), (2, 2, 1, 1.0, 4 / 3), (3, 2, 0, 1.0, 0.0), (4, 2, 0, 1.0, 0.0)]
    right = pd.DataFrame(rows, columns=["part", "n", "bought", "gain", "lift"])

    def column(name, *values):
        return lambda got: np.allclose(got.sort_values("part")[name].astype("float64"), values)

    mistakes = [
        (
            lambda got: got["n"].sum() == 12,
            'All twelve customers are in it. Only who *agreed* may be contacted: `marketing` is "given".',
        ),
        (
            lambda got: got["n"].sum() == 10,
            'Ten customers are in it: two have no entry in the ledger. Silence is no consent: only "given" counts.',
        ),
        (lambda got: got["part"].min() == 0, "`part` begins at 0; the best part is number 1."),
        (column("bought", 0, 0, 1, 2), "Part 1 holds the *lowest* scores: sort with `ascending=False`."),
        (
            column("bought", 1, 1, 1, 0),
            "The parts are as they stand in the table: sort by `score` first, the largest at the top.",
        ),
        (
            column("gain", 2 / 3, 1 / 3, 0, 0),
            "`gain` is that of each part alone; it adds up from the best part on (`cumsum`).",
        ),
        (column("gain", 1, 0.5, 0, 0), "`gain` divides by the customers of the part; it is a share of all *buyers*."),
        (column("gain", 2, 3, 3, 3), "`gain` counts buyers; the share of all buyers is asked for."),
        (
            column("lift", 8 / 3, 2, 4 / 3, 1),
            "`lift` is that of all parts so far; the rate of each part alone is asked for, by the rate of all.",
        ),
        (column("lift", 1, 0.5, 0, 0), "`lift` is the rate of the part; divide it by the rate of all who agreed."),
        (
            column("lift", 12 / 7, 6 / 7, 0, 0),
            "`lift` is divided by the rate of all twelve customers; only those who agreed are in this.",
        ),
    ]
    got = checks.call(gains, table, 4)
    checks.equal(got, right, "gains(twelve_customers, 4)", by="part", row="one per part", mistakes=mistakes)
    compare_plan(best_plan, table)


def compare_plan(best_plan, table):
    """Look at the second half of question 7: contacts and profit for three prices."""

    def plan(contacts, profit):
        return lambda got: got["contacts"] == contacts and np.isclose(got["profit"], profit)

    wrong = [
        (
            lambda got: plan(6, 18.0)(got) or plan(8, 26.0)(got),
            'You contact customers who did not agree: only "given" counts, neither "withdrawn" nor a blank.',
        ),
        (plan(4, 52.0), "`success` is left out: only that part of the buyers buys because of the contact."),
        (plan(3, 12.0), "You sort by who bought, which nobody knows beforehand: sort by `score`."),
        (
            plan(8, 2.0),
            "You contact all who agreed. Sort by `score`, the largest first; further down a contact costs more than "
            "it brings, so take the number with the largest profit.",
        ),
        (plan(4, 12.0), "The cost is counted for buyers only; a contact costs, whether somebody buys or not."),
        (plan(3, 10.0), "`contacts` is one too few: position 0 of the curve is *one* contact. Put nobody before it."),
        (plan(5, 8.9), "`profit` is what the scores promise; take what came: `bought`."),
        (
            plan(5, 8.0),
            "You contact all whose score promises more than the cost. Asked for is the number that earned most: the "
            "top of the curve.",
        ),
        (plan(2, 8.0), "Two contacts earn 8 CNY, but four earn more: the curve may fall and rise again."),
    ]
    what = "best_plan(twelve_customers, 2, 20, 0.3)"
    got = checks.call(best_plan, table, 2, 20, 0.3)
    checks.equal(got, {"contacts": 4, "profit": 10.0}, what, mistakes=wrong)
    tie = [(plan(4, 4.0), "Two and four contacts earn the same: with equal profit take the fewer.")]
    what = "best_plan(twelve_customers, 2, 20, 0.2)"
    got = checks.call(best_plan, table, 2, 20, 0.2)
    checks.equal(got, {"contacts": 2, "profit": 4.0}, what, mistakes=tie)
    loss = [
        (
            lambda got: got["profit"] < 0 or got["contacts"] == 1,
            "Each contact loses money here. Contacting nobody earns 0: that has to be among the choices.",
        )
    ]
    what = "best_plan(twelve_customers, 7, 20, 0.3)"
    got = checks.call(best_plan, table, 7, 20, 0.3)
    checks.equal(got, {"contacts": 0, "profit": 0.0}, what, mistakes=loss)
