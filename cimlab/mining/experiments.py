"""Read an A/B test (A/B 测试) rightly: the arms, their balance, their difference, several campaigns together."""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need

# What statsmodels calls the intervals for the difference of two rates.
INTERVALS = {"newcombe": "newcomb", "wald": "wald", "agresti-caffo": "agresti-caffo"}


def campaign_outcomes(contacts, campaigns, purchases):
    """Say of everybody in an audience what he or she bought in the days of the campaign.

    Everybody stays in the arm to which chance put him, whether the message was opened or not: *intention to treat*
    (意向性分析). Who opens a message is no random part of the audience.

    Parameters
    ----------
    contacts : pandas.DataFrame
        campaign_id, customer_id, arm (treated, holdout); other columns are kept.
    campaigns : pandas.DataFrame
        campaign_id, starts_on, window_days.
    purchases : pandas.DataFrame
        One row a purchase: customer_id, ordered_at, amount (CNY) and margin (CNY).

    Returns
    -------
    pandas.DataFrame
        The contacts in their order, with starts_on, treated (bool), bought (bool), amount and margin (CNY, of all
        purchases of the window).

    Raises
    ------
    ValueError
        A column is missing, an arm or a campaign is unknown, or the purchases end before a window does.

    References
    ----------
    Kohavi, R., Tang, D., Xu, Y. (2020). Trustworthy Online Controlled Experiments. Cambridge University Press.

    Examples
    --------
    >>> contacts = pd.DataFrame({"campaign_id": "CA01", "customer_id": ["K1", "K2"], "arm": ["treated", "holdout"]})
    >>> campaigns = pd.DataFrame({"campaign_id": ["CA01"], "starts_on": pd.to_datetime(["2026-05-01"]),
    ...                           "window_days": [7]})
    >>> days = pd.to_datetime(["2026-05-07 20:00", "2026-05-08 09:00"])
    >>> purchases = pd.DataFrame({"customer_id": ["K1", "K2"], "ordered_at": days, "amount": 50.0, "margin": 20.0})
    >>> campaign_outcomes(contacts, campaigns, purchases)[["customer_id", "treated", "bought", "margin"]]
      customer_id  treated  bought  margin
    0          K1     True    True    20.0
    1          K2    False   False     0.0
    """
    need(contacts, ["campaign_id", "customer_id", "arm"], "table of contacts")
    window = need(campaigns, ["campaign_id", "starts_on", "window_days"], "campaigns table")
    bought = need(purchases, ["customer_id", "ordered_at", "amount", "margin"], "table of purchases")
    strange = set(contacts["arm"]) - {"treated", "holdout"}
    if strange:
        raise ValueError(f"an arm is treated or holdout, not {', '.join(map(str, sorted(strange, key=str)))}")
    table = contacts.drop(columns=["starts_on", "window_days"], errors="ignore").reset_index(drop=True)
    table = table.merge(window, on="campaign_id", how="left", validate="many_to_one")
    if table["starts_on"].isna().any():
        name = table.loc[table["starts_on"].isna(), "campaign_id"].iloc[0]
        raise ValueError(f"campaign {name} has contacts but does not stand in the campaigns table")
    end = table["starts_on"] + pd.to_timedelta(table["window_days"] - 1, unit="D")
    if (end > bought["ordered_at"].max().normalize()).any():
        name = table.loc[end.idxmax(), "campaign_id"]
        raise ValueError(f"the purchases end before the window of {name} does: wait, or leave that campaign out")
    rows = table[["customer_id", "starts_on", "window_days"]].reset_index(names="row").merge(bought, on="customer_id")
    days = (rows["ordered_at"].dt.normalize() - rows["starts_on"]).dt.days
    sums = rows[(days >= 0) & (days < rows["window_days"])].groupby("row")[["amount", "margin"]].sum()
    table["treated"] = table["arm"] == "treated"
    table["bought"] = table.index.isin(sums.index)
    return table.drop(columns="window_days").join(sums).fillna({"amount": 0.0, "margin": 0.0})


def balance_table(table, columns):
    """Check that chance made the two arms alike in what was known before (均衡性检查).

    Parameters
    ----------
    table : pandas.DataFrame
        treated (bool) and the columns.
    columns : list of str
        Numbers, or True and False, known *before* the campaign. A blank is left out of the mean.

    Returns
    -------
    pandas.DataFrame
        One row a column: treated, holdout (means), smd (the standardised mean difference: difference of the means in
        standard deviations), chance (what a random split of this size stays below 19 times in 20), balanced (smd does
        not exceed `chance`). The usual mark of 0.1 is for large samples; a small holdout passes it by chance.

    Raises
    ------
    ValueError
        A column is missing or holds no numbers, or there is only one arm.

    References
    ----------
    Austin, P. C. (2009). Balance diagnostics for comparing the distribution of baseline covariates between treatment
    groups in propensity-score matched samples. Statistics in Medicine 28(25).

    Examples
    --------
    >>> table = pd.DataFrame({"treated": [True, True, False, False], "recency": [10, 30, 20, 20]})
    >>> balance_table(table, ["recency"])[["column", "treated", "holdout", "smd", "balanced"]]
        column  treated  holdout  smd  balanced
    0  recency     20.0     20.0  0.0      True
    """
    need(table, ["treated", *columns])
    for column in columns:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise ValueError(f"{column} holds no numbers: make a column of True and False for each of its values")
    treated, holdout = _arms(table, list(columns))
    spread = np.sqrt((treated.var() + holdout.var()) / 2)
    difference = treated.mean() - holdout.mean()
    smd = (difference / spread).where(spread > 0, np.where(difference == 0, 0.0, np.inf * np.sign(difference)))
    chance = 1.96 * np.sqrt(1 / treated.count() + 1 / holdout.count())
    measures = {"treated": treated.mean(), "holdout": holdout.mean(), "smd": smd, "chance": chance}
    return pd.DataFrame({**measures, "balanced": smd.abs() <= chance}).rename_axis("column").reset_index()


def compare_arms(table, outcome="bought", by=None, method="newcombe", level=0.95):
    """Measure the uplift (增量): the difference of two rates, with a confidence interval (置信区间).

    Parameters
    ----------
    table : pandas.DataFrame
        treated (bool) and the outcome (True or False).
    outcome : str
    by : str, optional
        Compare within each value of this column, which must have been known *before* the campaign. The more groups,
        the more of them look good by chance: raise `level` to ``1 - 0.05 / groups`` (Bonferroni).
    method : str
        "newcombe" (also right for few or no buyers), "wald" (the textbook's, too short for few buyers)
        or "agresti-caffo"; statsmodels reckons them.
    level : float
        Of the interval.

    Returns
    -------
    pandas.DataFrame
        One row a group, named by the index ("all" without `by`): treated, holdout (persons), treated_rate,
        holdout_rate, difference, low, high, error (a standard error that is not 0 where nobody bought), p_value (of
        the pooled two-sided z test that both rates are the same).

    Raises
    ------
    ValueError
        A column is missing, the outcome is not True or False, a group has only one arm, or the method is unknown.

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions. Statistics in
    Medicine 17. Agresti, A., Caffo, B. (2000). Simple and effective confidence intervals for proportions and
    differences of proportions. The American Statistician 54(4).

    Examples
    --------
    >>> treated = pd.DataFrame({"treated": True, "bought": [True] * 56 + [False] * 14})
    >>> holdout = pd.DataFrame({"treated": False, "bought": [True] * 48 + [False] * 32})
    >>> compare_arms(pd.concat([treated, holdout]))[["difference", "low", "high"]].round(4)
         difference     low    high
    all         0.2  0.0524  0.3339
    """
    from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

    if method not in INTERVALS:
        raise ValueError(f"no method {method!r}; there are: {', '.join(INTERVALS)}")
    counts = _count_arms(table, outcome, by)
    rows = []
    for both in counts.itertuples():
        one, many, zero, few = both.treated_bought, both.treated, both.holdout_bought, both.holdout
        interval = confint_proportions_2indep(one, many, zero, few, method=INTERVALS[method], alpha=1 - level)
        same = one + zero in (0, many + few)
        p_value = 1.0 if same else proportions_ztest([one, zero], [many, few])[1]
        shifted = [((hits + 1) / (size + 2), size + 2) for hits, size in ((one, many), (zero, few))]
        error = np.sqrt(sum(rate * (1 - rate) / size for rate, size in shifted))
        rates = one / many, zero / few
        rows.append([many, few, *rates, rates[0] - rates[1], *interval, error, p_value])
    names = ["treated", "holdout", "treated_rate", "holdout_rate", "difference", "low", "high", "error", "p_value"]
    return pd.DataFrame(rows, columns=names, index=counts.index)


def compare_money(table, value, level=0.95):
    """Measure what a message brought in money: the difference of two means, with Welch's interval.

    Parameters
    ----------
    table : pandas.DataFrame
        treated (bool) and the value.
    value : str
        A column of money (CNY a person), 0 for who bought nothing.
    level : float

    Returns
    -------
    pandas.DataFrame
        One row, named by `value`: treated_mean, holdout_mean, difference, low, high, p_value.

    Raises
    ------
    ValueError
        A column is missing, or an arm has fewer than two persons.

    References
    ----------
    Welch, B. L. (1947). The generalization of "Student's" problem when several different population variances are
    involved. Biometrika 34.

    Examples
    --------
    >>> table = pd.DataFrame({"treated": [True] * 4 + [False] * 4, "margin": [9.0, 0, 5, 6, 1, 0, 2, 1]})
    >>> compare_money(table, "margin").round(2)
            treated_mean  holdout_mean  difference   low  high  p_value
    margin           5.0           1.0         4.0 -1.81  9.81     0.12
    """
    from statsmodels.stats.weightstats import CompareMeans

    need(table, ["treated", value])
    treated, holdout = _arms(table, value)
    if min(len(treated), len(holdout)) < 2:
        raise ValueError("an arm has fewer than two persons: there is nothing to compare")
    both = CompareMeans.from_data(treated.to_numpy("float64"), holdout.to_numpy("float64"))
    low, high = both.tconfint_diff(alpha=1 - level, usevar="unequal")
    means = treated.mean(), holdout.mean()
    row = [*means, means[0] - means[1], low, high, both.ttest_ind(usevar="unequal")[1]]
    names = ["treated_mean", "holdout_mean", "difference", "low", "high", "p_value"]
    return pd.DataFrame([row], columns=names, index=[value])


def pool_campaigns(table, outcome="bought", by="campaign_id", level=0.95):
    """Pool several campaigns: compare the arms within each, then average (分层分析).

    Rates of all rows together mislead where the campaigns differ in the share of the holdout *and* in how many buy
    anyway (Simpson's paradox). Here each campaign is a stratum with its own comparison.

    Parameters
    ----------
    table : pandas.DataFrame
        treated (bool), the outcome (True or False) and `by`.
    outcome, by : str
    level : float
        Of the interval.

    Returns
    -------
    pandas.DataFrame
        One row, "pooled": campaigns, difference (the rates' difference, weighted by Mantel and Haenszel), low, high,
        odds_ratio, p_value (Cochran-Mantel-Haenszel: the message changes nothing), p_differ (Cochran's Q: it does the
        same in each campaign; small says that the campaigns differ). A customer who is in two campaigns counts as two.

    Raises
    ------
    ValueError
        A column is missing, the outcome is not True or False, or a campaign has only one arm.

    References
    ----------
    Mantel, N., Haenszel, W. (1959). Statistical aspects of the analysis of data from retrospective studies of disease.
    JNCI 22. Greenland, S., Robins, J. M. (1985). Estimation of a common effect parameter from sparse follow-up data.
    Biometrics 41(1), for the interval.

    Examples
    --------
    >>> rows = [["CA01", True, 30, 70], ["CA01", False, 20, 80], ["CA02", True, 50, 50], ["CA02", False, 40, 60]]
    >>> parts = [pd.DataFrame({"campaign_id": name, "treated": arm, "bought": [True] * yes + [False] * no})
    ...          for name, arm, yes, no in rows]
    >>> pool_campaigns(pd.concat(parts))[["difference", "low", "high"]].round(3)
            difference    low   high
    pooled         0.1  0.009  0.191
    """
    from scipy.stats import chi2, norm
    from statsmodels.stats.contingency_tables import StratifiedTable

    counts = _count_arms(table, outcome, by)
    yes, many, hits, few = (
        counts[name].to_numpy("float64") for name in ("treated_bought", "treated", "holdout_bought", "holdout")
    )
    total = many + few
    weight = many * few / total
    difference = (weight * (yes / many - hits / few)).sum() / weight.sum()
    variance = (yes * (many - yes) * few**3 + hits * (few - hits) * many**3) / (many * few * total**2)
    error = np.sqrt(variance.sum()) / weight.sum()
    reach = norm.ppf(0.5 + level / 2) * error
    tables = [[[a, n - a], [c, m - c]] for a, n, c, m in zip(yes, many, hits, few, strict=True)]
    stratified = StratifiedTable(np.array(tables).transpose(1, 2, 0))
    each = compare_arms(table, outcome, by)
    apart = ((each["difference"] - difference) ** 2 / each["error"] ** 2).sum()
    row = {
        "campaigns": len(counts),
        "difference": difference,
        "low": difference - reach,
        "high": difference + reach,
        "odds_ratio": stratified.oddsratio_pooled,
        "p_value": stratified.test_null_odds().pvalue,
        "p_differ": chi2.sf(apart, len(counts) - 1) if len(counts) > 1 else np.nan,
    }
    return pd.DataFrame([row], index=["pooled"])


def _arms(table, columns):
    """Return the columns of the treated and of the holdout."""
    if table["treated"].dtype != bool:
        raise ValueError("the column treated must be True or False")
    arms = table.loc[table["treated"], columns], table.loc[~table["treated"], columns]
    if not len(arms[0]) or not len(arms[1]):
        raise ValueError(f"nobody is {'treated' if arms[1].size else 'in the holdout'}: two arms are needed")
    return arms


def _count_arms(table, outcome, by):
    """Count persons and buyers of each arm, for each group."""
    need(table, ["treated", outcome, *([by] if by else [])])
    _arms(table, outcome)
    if table[outcome].dtype != bool:
        raise ValueError(f"the outcome {outcome} must be True or False; for amounts use compare_money")
    table = table.assign(all="all") if by is None else table
    counts = {}
    for name, rows in (("treated", table[table["treated"]]), ("holdout", table[~table["treated"]])):
        each = rows.groupby(by or "all", observed=True)[outcome]
        counts |= {name: each.size(), f"{name}_bought": each.sum()}
    counts = pd.DataFrame(counts)
    if counts.isna().any(axis=None):
        name = counts.index[counts.isna().any(axis=1)][0]
        raise ValueError(f"the group {name} of {by} has only one arm: make fewer groups")
    return counts.astype("int64").rename_axis(by)
