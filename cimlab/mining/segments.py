"""Segments (客户细分): three ways to group, many ways to choose their number, and what a group is worth believing.

The variables are gathered and scaled by ``profiles.gather_variables`` and ``profiles.scale_frame``.
"""

import numpy as np
import pandas as pd

SEGMENT_METHODS = ("k-means", "Ward", "mixture")

# Which k each criterion calls the best, in words.
RULES = {
    "elbow": "farthest below the line between its ends",
    "silhouette": "highest",
    "calinski_harabasz": "highest",
    "davies_bouldin": "lowest",
    "gap": "first that the next does not clearly beat",
    "bic": "lowest",
    "stability": "highest",
}


def segment_customers(scaled, k, method="k-means", seed=1):
    """Group the customers into k segments by one of three methods; the largest is called C1.

    k-means (K均值聚类) puts each customer to the nearest centre. Ward's method, a hierarchical one (层次聚类),
    begins with as many groups as customers and joins the two whose union adds least to the variance within. A Gaussian
    mixture (高斯混合模型) takes each group for a bell of its own width and slant.

    Parameters
    ----------
    scaled : pandas.DataFrame
        As returned by ``profiles.scale_frame``: the index is customer_id. The order of the rows does not matter.
    k : int
        Number of segments.
    method : str
        One of `SEGMENT_METHODS`.
    seed : int
        For k-means and the mixture, which begin at random.

    Returns
    -------
    pandas.Series of str
        The segment of each customer, "C1" to "Ck", by customer_id. A mixture may leave a segment empty.

    Raises
    ------
    ValueError
        The method is unknown, a value is blank, k is below 2, or there are too few customers.

    References
    ----------
    MacQueen, J. (1967); Ward, J. H. (1963). Hierarchical grouping to optimize an objective function. Journal of the
    American Statistical Association 58; Fraley, C. and Raftery, A. E. (2002). Model-based clustering, the same 97.

    Examples
    --------
    >>> scaled = pd.DataFrame({"basket": [-1.0, -1.1, -0.9, 2.0]}, index=pd.Index(list("abcd"), name="customer_id"))
    >>> segment_customers(scaled, 2, method="Ward").tolist()
    ['C1', 'C1', 'C1', 'C2']
    """
    from sklearn.cluster import AgglomerativeClustering
    from threadpoolctl import threadpool_limits

    from cimlab.profiles.clusters import cluster_customers, name_by_size

    values = _settle(scaled)
    if method not in SEGMENT_METHODS:
        raise ValueError(f"there is no method {method!r}; choose one of {', '.join(SEGMENT_METHODS)}")
    if method == "k-means":
        return cluster_customers(values, k, seed).reindex(scaled.index)
    if k < 2 or len(values) < 2 * k:
        raise ValueError(f"{len(values)} customers and {k} segments: choose k from 2 to half of the customers")
    with threadpool_limits(1):
        if method == "Ward":
            number = AgglomerativeClustering(k, linkage="ward").fit_predict(values)
        else:
            number = _fit_mixture(values, k, seed).predict(values.to_numpy())
    return name_by_size(pd.Series(number, index=values.index)).reindex(scaled.index)


def gap_statistic(scaled, ks=range(1, 9), draws=10, seed=1):
    """Compare the groups with those that k-means finds where there are none: in points spread evenly over the same box.

    Parameters
    ----------
    scaled : pandas.DataFrame
        As returned by ``profiles.scale_frame``.
    ks : iterable of int
        The numbers of segments to try; 1 means "no groups at all".
    draws : int
        How many boxes of even points.
    seed : int

    Returns
    -------
    pandas.DataFrame
        One row per k: k, gap (mean log of the variance within the even points, minus that of the data: higher is
        better), gap_error (its standard error, with the error of the draws in it).

    References
    ----------
    Tibshirani, R., Walther, G. and Hastie, T. (2001). Estimating the number of clusters in a data set via the gap
    statistic. Journal of the Royal Statistical Society B 63.

    Examples
    --------
    >>> scaled = pd.DataFrame({"x": [0.0, 0.1] * 20 + [5.0, 5.1] * 20})
    >>> gap_statistic(scaled, ks=[1, 2])["gap"].round(1).tolist()
    [-1.1, 5.3]
    """
    from threadpoolctl import threadpool_limits

    values, ks = _settle(scaled).to_numpy(), list(ks)
    random = np.random.default_rng(seed)
    low, high = values.min(axis=0), values.max(axis=0)
    boxes = [random.uniform(low, high, values.shape) for _ in range(draws)]
    with threadpool_limits(1):
        own = np.array([_log_within(values, k, seed) for k in ks])
        even = np.array([[_log_within(box, k, seed) for k in ks] for box in boxes])
    error = even.std(axis=0) * np.sqrt(1 + 1 / draws)
    return pd.DataFrame({"k": ks, "gap": even.mean(axis=0) - own, "gap_error": error})


def choose_k(scaled, ks=range(2, 9), rounds=10, draws=10, seed=1):
    """Judge several numbers of segments by all usual criteria at once.

    Parameters
    ----------
    scaled : pandas.DataFrame
        As returned by ``profiles.scale_frame``.
    ks : iterable of int
        The numbers to try, each 2 or more.
    rounds, draws : int
        Draws for the stability, and for the gap statistic, of each k.
    seed : int

    Returns
    -------
    pandas.DataFrame
        The first row is k = 1, no groups: only within, gap, gap_error and bic are known of it. Then one row per k:
        k, within (share of the variance left within the segments), silhouette (−1 to 1), calinski_harabasz (variance
        between over variance within), davies_bouldin (how near the segments are for their width, lower is better), gap
        and gap_error (`gap_statistic`), bic (of a Gaussian mixture, lower is better), stability (mean adjusted Rand
        index under resampling), smallest (share of the customers in the smallest segment).

    References
    ----------
    Caliński, T. and Harabasz, J. (1974). A dendrite method for cluster analysis. Communications in Statistics 3;
    Davies, D. L. and Bouldin, D. W. (1979). A cluster separation measure. IEEE Transactions on Pattern Analysis 1;
    Schwarz, G. (1978). Estimating the dimension of a model. Annals of Statistics 6.

    Examples
    --------
    >>> scaled = pd.DataFrame({"x": [0.0, 0.1] * 20 + [5.0, 5.1] * 20 + [9.0, 9.1] * 20})
    >>> choose_k(scaled, ks=[2, 3], rounds=3)[["k", "within", "silhouette", "stability"]].round(2)
       k  within  silhouette  stability
    0  1     1.0         NaN        NaN
    1  2     0.2        0.78        1.0
    2  3     0.0        0.99        1.0
    """
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score
    from threadpoolctl import threadpool_limits

    from cimlab import profiles

    values, ks = _settle(scaled), sorted(set(ks))
    table = profiles.compare_k(values, ks, rounds, seed).set_index("k")
    segments = {k: segment_customers(values, k, seed=seed) for k in ks}
    table["calinski_harabasz"] = [calinski_harabasz_score(values, segments[k]) for k in ks]
    table["davies_bouldin"] = [davies_bouldin_score(values, segments[k]) for k in ks]
    table = table.reindex([1, *ks])
    table.loc[1, "within"] = 1.0
    with threadpool_limits(1):
        table["bic"] = [_fit_mixture(values, k, seed).bic(values.to_numpy()) for k in table.index]
    table = table.join(gap_statistic(values, table.index, draws, seed).set_index("k")).reset_index()
    order = ["k", "within", "silhouette", "calinski_harabasz", "davies_bouldin", "gap", "gap_error", "bic", "stability"]
    return table[[*order, "smallest"]]


def best_k(judged):
    """Say which number of segments each criterion calls the best. They seldom agree; the choice is yours.

    Parameters
    ----------
    judged : pandas.DataFrame
        As returned by `choose_k`.

    Returns
    -------
    pandas.DataFrame
        criterion, k, rule (why this k), in the order of `RULES`.

    Raises
    ------
    ValueError
        A column is not there.

    References
    ----------
    Satopää, V. and others (2011). Finding a "kneedle" in a haystack (the elbow); others at `choose_k`.

    Examples
    --------
    >>> scaled = pd.DataFrame({"x": [0.0, 0.1] * 20 + [5.0, 5.1] * 20 + [9.0, 9.1] * 20})
    >>> best_k(choose_k(scaled, ks=[2, 3, 4], rounds=3)).set_index("criterion")["k"][["silhouette", "gap"]].tolist()
    [4, 3]
    """
    from cimlab.plots.style import need_columns

    columns = ["k", "within", *list(RULES)[1:], "gap_error"]
    need_columns(judged, columns, "best_k")
    table = judged.sort_values("k").set_index("k")
    steps = (table.index - table.index[0]) / (table.index[-1] - table.index[0])
    chord = table["within"].iloc[0] + steps * (table["within"].iloc[-1] - table["within"].iloc[0])
    beaten = table["gap"] < (table["gap"] - table["gap_error"]).shift(-1)
    chosen = {
        "elbow": (chord - table["within"]).idxmax(),
        "gap": (~beaten).idxmax(),
        "davies_bouldin": table["davies_bouldin"].idxmin(),
        "bic": table["bic"].idxmin(),
    }
    chosen |= {name: table[name].idxmax() for name, rule in RULES.items() if rule == "highest"}
    rows = [[name, int(chosen[name]), rule] for name, rule in RULES.items()]
    return pd.DataFrame(rows, columns=["criterion", "k", "rule"])


def compare_methods(scaled, k, methods=SEGMENT_METHODS, seed=1):
    """Say how far the methods agree with each other on who belongs together.

    Parameters
    ----------
    scaled : pandas.DataFrame
        As returned by ``profiles.scale_frame``.
    k : int
        Number of segments.
    methods : iterable of str
        Some of `SEGMENT_METHODS`.
    seed : int

    Returns
    -------
    pandas.DataFrame
        A row and a column for each method: the adjusted Rand index (调整兰德指数) of two of them, 1 for the same
        groups, 0 for what chance gives.

    Examples
    --------
    >>> scaled = pd.DataFrame({"x": [0.0, 0.1] * 20 + [5.0, 5.1] * 20})
    >>> compare_methods(scaled, 2, methods=["k-means", "Ward"])
             k-means  Ward
    k-means      1.0   1.0
    Ward         1.0   1.0
    """
    from sklearn.metrics import adjusted_rand_score

    found = {method: segment_customers(scaled, k, method, seed) for method in methods}
    rows = [[adjusted_rand_score(one, other) for other in found.values()] for one in found.values()]
    return pd.DataFrame(rows, index=list(found), columns=list(found))


def compare_partitions(found, given):
    """Compare the segments found with a grouping that was given: other segments, or the truth where it is known.

    Parameters
    ----------
    found, given : pandas.Series
        The group of each customer, by customer_id. Customers who are missing in one of the two are left out.

    Returns
    -------
    scores : pandas.Series
        customers (compared), ari (adjusted Rand index, 0 for chance, 1 for the same groups), nmi (normalised mutual
        information 标准化互信息, 0 to 1; above 0 by chance too where groups are small).
    table : pandas.DataFrame
        The contingency table (列联表): customers of each pair of groups, one row per group found.

    Raises
    ------
    ValueError
        No customer stands in both, or one stands twice.

    References
    ----------
    Hubert, L. and Arabie, P. (1985). Comparing partitions. Journal of Classification 2; Vinh, N. X., Epps, J. and
    Bailey, J. (2010). Information theoretic measures for clusterings comparison. Journal of Machine Learning Research
    11.

    Examples
    --------
    >>> found = pd.Series({"a": "C1", "b": "C1", "c": "C2", "d": "C2"})
    >>> scores, table = compare_partitions(found, pd.Series({"a": "web", "b": "web", "c": "shop", "d": "web"}))
    >>> scores.round(2).tolist(), table.loc["C2"].to_dict()
    ([4.0, 0.0, 0.34], {'shop': 1, 'web': 1})
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    for series in (found, given):
        if series.index.duplicated().any():
            twice = series.index[series.index.duplicated()][0]
            raise ValueError(f"{twice} has two groups in one of the two: one row per customer is needed")
    both = pd.concat({"found": found, "given": given}, axis=1, join="inner").dropna()
    if both.empty:
        raise ValueError("no customer stands in both groupings: is the index of both the customer_id?")
    ari = adjusted_rand_score(both["given"], both["found"])
    nmi = normalized_mutual_info_score(both["given"], both["found"])
    return pd.Series({"customers": len(both), "ari": ari, "nmi": nmi}), pd.crosstab(both["found"], both["given"])


def segment_stability(scaled, k, rounds=20, seed=1):
    """Say of each segment of k-means how much of it comes back when other customers are drawn.

    Each round draws as many customers as there are, with replacement, groups them, and puts all customers to the
    centres found. Of a segment, the most alike new group counts: their common customers over all of both (Jaccard).

    Parameters
    ----------
    scaled : pandas.DataFrame
        As returned by ``profiles.scale_frame``.
    k : int
        Number of segments.
    rounds : int
        Number of draws.
    seed : int

    Returns
    -------
    pandas.DataFrame
        One row per segment: cluster ("C1" …, as `segment_customers` names them), customers, jaccard (mean of the
        rounds; below 0.6 the segment dissolves, above 0.75 it stays), worst (the lowest round).

    References
    ----------
    Hennig, C. (2007). Cluster-wise assessment of cluster stability. Computational Statistics & Data Analysis 52.

    Examples
    --------
    >>> scaled = pd.DataFrame({"x": [0.0, 0.1] * 20 + [5.0, 5.1] * 10})
    >>> segment_stability(scaled, 2, rounds=5)
      cluster  customers  jaccard  worst
    0      C1         40      1.0    1.0
    1      C2         20      1.0    1.0
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    values = _settle(scaled)
    whole = segment_customers(values, k, seed=seed)
    random, points, kept = np.random.default_rng(seed), values.to_numpy(), []
    for _ in range(rounds):
        drawn = points[random.integers(0, len(points), len(points))]
        with threadpool_limits(1):
            again = KMeans(k, n_init=5, random_state=int(random.integers(2**31))).fit(drawn).predict(points)
        common = pd.crosstab(whole.to_numpy(), again)
        union = np.add.outer(common.sum(axis=1).to_numpy(), common.sum(axis=0).to_numpy()) - common
        kept.append((common / union).max(axis=1))
    kept = pd.DataFrame(kept)
    sizes = whole.value_counts().reindex(kept.columns)
    table = pd.DataFrame({"customers": sizes, "jaccard": kept.mean(), "worst": kept.min()})
    return table.rename_axis("cluster").reset_index()


def _settle(scaled):
    """Return the customers in the order of their ids, or say what no distance can be measured with."""
    if scaled.index.duplicated().any():
        raise ValueError(f"{scaled.index[scaled.index.duplicated()][0]} stands there twice: one row per customer")
    if scaled.isna().any(axis=None):
        blank = ", ".join(map(str, scaled.columns[scaled.isna().any()]))
        raise ValueError(f"{blank} has blanks, and a distance to nothing cannot be measured: fill or leave out")
    return scaled.sort_index()


def _fit_mixture(values, k, seed):
    """Fit a Gaussian mixture; a little is added to the widths, so that no bell shrinks to a needle on equal values."""
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(k, n_init=5, max_iter=500, reg_covar=0.01, random_state=seed).fit(values.to_numpy())


def _log_within(values, k, seed):
    """Return the log of the sum of squares within k groups."""
    from sklearn.cluster import KMeans

    return np.log(KMeans(k, n_init=5, random_state=seed).fit(values).inertia_)
