"""Step 2, the frame of a profile (画像框架) and its clusters (聚类): scale, group, prove stable, describe."""

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from cimlab.analysis.columns import need

# The sides from which a customer is looked at, and the variables that measure each. Put in your own.
FRAME = {
    "habit": ["frequency", "recency"],
    "basket": ["basket"],
    "price": ["on_offer", "pack_price"],
    "channel": ["share_web"],
}
LOGGED = ("frequency", "recency", "monetary", "basket", "articles", "pack_price", "visits", "views")


def scale_frame(table, frame=None, logged=LOGGED, limit=3.0):
    """Bring the variables of a frame to one scale, so that each side of the customer counts the same.

    Each variable gets mean 0 and standard deviation 1, a skewed one after its logarithm was taken; what lies further
    than `limit` standard deviations out is set there, so that one odd customer makes no cluster of his own. Then the
    variables of a side are divided by the square root of their number: a side with eleven variables weighs no more than
    a side with one.

    Parameters
    ----------
    table : pandas.DataFrame
        customer_id and the variables, without blanks: choose the customers who bought, or fill the blanks first.
    frame : dict of str to list of str, optional
        Side → its variables; `FRAME` when left out.
    logged : tuple of str
        Variables (0 or more) of which log(1 + x) is taken.
    limit : float
        In standard deviations.

    Returns
    -------
    pandas.DataFrame
        One row per customer (the index is customer_id), one column per variable of the frame.

    Raises
    ------
    ValueError
        A column is not there, has blanks, or is the same for all.

    Examples
    --------
    >>> table = pd.DataFrame({"customer_id": ["a", "b"], "basket": [10.0, 90.0], "on_offer": [0.1, 0.5]})
    >>> scale_frame(table, {"basket": ["basket"], "price": ["on_offer"]}).round(2)
                 basket  on_offer
    customer_id
    a              -1.0      -1.0
    b               1.0       1.0
    """
    frame = FRAME if frame is None else frame
    columns = [column for side in frame.values() for column in side]
    if len(set(columns)) < len(columns):
        raise ValueError("a variable stands in two sides of the frame: leave it in one")
    values = need(table, ["customer_id", *columns], "table of variables").set_index("customer_id").astype("float64")
    blank = values.columns[values.isna().any()].tolist()
    if blank:
        raise ValueError(
            f"{', '.join(blank)}: {int(values.isna().any(axis=1).sum())} customers have a blank there, and a distance "
            "to nothing cannot be measured. Choose those who bought (frequency ≥ 3, say), or fill the blanks"
        )
    values = values.apply(lambda column: np.log1p(column) if column.name in logged else column)
    spread = values.std(ddof=0)
    if spread.eq(0).any():
        raise ValueError(f"{', '.join(spread.index[spread.eq(0)])} is the same for all customers: leave it out")
    scaled = ((values - values.mean()) / spread).clip(-limit, limit)
    for side in frame.values():
        scaled[side] /= np.sqrt(len(side))
    return scaled


def cluster_customers(scaled, k, seed=1):
    """Group the customers by k-means into k clusters (K均值聚类), the largest is called C1.

    Parameters
    ----------
    scaled : pandas.DataFrame
        As returned by `scale_frame`.
    k : int
        Number of clusters.
    seed : int

    Returns
    -------
    pandas.Series of str
        The cluster of each customer, "C1" to "Ck", by customer_id.

    Raises
    ------
    ValueError
        k is below 2, or there are too few customers.

    References
    ----------
    MacQueen, J. (1967). Some methods for classification and analysis of multivariate observations. Arthur, D. and
    Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding.

    Examples
    --------
    >>> scaled = pd.DataFrame({"basket": [-1.0, -1.1, -0.9, 2.0]}, index=pd.Index(list("abcd"), name="customer_id"))
    >>> cluster_customers(scaled, 2).tolist()
    ['C1', 'C1', 'C1', 'C2']
    """
    return name_by_size(pd.Series(_fit(scaled, k, seed).labels_, index=scaled.index))


def name_by_size(number):
    """Call the groups C1, C2 … from the largest on; of equal ones the lower number comes first.

    Examples
    --------
    >>> name_by_size(pd.Series([7, 3, 3])).tolist()
    ['C2', 'C1', 'C1']
    """
    order = number.value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable").index
    return number.map({old: f"C{new}" for new, old in enumerate(order, start=1)}).astype("str").rename("cluster")


def cluster_stability(scaled, k, rounds=20, seed=1):
    """Group resampled customers again and again, and measure how far the groups agree with the first ones (稳定性).

    Each round draws as many customers as there are, with replacement, groups them, and puts all customers into the
    groups found. The adjusted Rand index compares that with the clusters of all customers: 1 is the same groups, 0 is
    what chance gives. Below about 0.6, another draw of customers would give other groups.

    Parameters
    ----------
    scaled : pandas.DataFrame
        As returned by `scale_frame`.
    k : int
        Number of clusters.
    rounds : int
        Number of draws.
    seed : int

    Returns
    -------
    pandas.Series of float
        The adjusted Rand index of each round.

    References
    ----------
    Hubert, L. and Arabie, P. (1985). Comparing partitions. Hennig, C. (2007). Cluster-wise assessment of cluster
    stability. Computational Statistics & Data Analysis 52.

    Examples
    --------
    >>> scaled = pd.DataFrame({"x": [0.0, 0.1] * 20 + [5.0, 5.1] * 20})
    >>> float(cluster_stability(scaled, 2, rounds=5).min())
    1.0
    """
    draws = np.random.default_rng(seed)
    whole = _fit(scaled, k, seed).labels_
    values = scaled.to_numpy()
    agreement = []
    with threadpool_limits(1):
        for _ in range(rounds):
            drawn = values[draws.integers(0, len(values), len(values))]
            seed_again = int(draws.integers(2**31))
            again = KMeans(k, n_init=5, random_state=seed_again).fit(drawn).predict(values)
            agreement.append(adjusted_rand_score(whole, again))
    return pd.Series(agreement, name="agreement")


def compare_k(scaled, ks=range(2, 8), rounds=10, seed=1):
    """Compare several numbers of clusters by what each of them is good at.

    Parameters
    ----------
    scaled : pandas.DataFrame
        As returned by `scale_frame`.
    ks : iterable of int
        The numbers of clusters to try.
    rounds : int
        Draws for the stability of each.
    seed : int

    Returns
    -------
    pandas.DataFrame
        One row per k: k, within (part of the variance that is left within the clusters, lower is tighter), silhouette
        (−1 to 1, higher is clearer), smallest (share of the customers in the smallest cluster), stability (mean
        adjusted Rand index of `cluster_stability`).

    References
    ----------
    Rousseeuw, P. (1987). Silhouettes. Journal of Computational and Applied Mathematics 20.

    Examples
    --------
    >>> scaled = pd.DataFrame({"x": [0.0, 0.1] * 20 + [5.0, 5.1] * 20 + [9.0, 9.1] * 20})
    >>> compare_k(scaled, ks=[2, 3], rounds=3).round(2)
       k  within  silhouette  smallest  stability
    0  2     0.2        0.78      0.33        1.0
    1  3     0.0        0.99      0.33        1.0
    """
    total = ((scaled - scaled.mean()) ** 2).to_numpy().sum()
    rows = []
    for k in ks:
        fitted = _fit(scaled, k, seed)
        sizes = np.bincount(fitted.labels_)
        clear = silhouette_score(scaled, fitted.labels_, sample_size=min(len(scaled), 2000), random_state=seed)
        stable = cluster_stability(scaled, k, rounds, seed).mean()
        rows.append([k, fitted.inertia_ / total, clear, sizes.min() / len(scaled), stable])
    return pd.DataFrame(rows, columns=["k", "within", "silhouette", "smallest", "stability"])


def describe_clusters(table, clusters, columns=None):
    """Describe each cluster by what lifts it above the mean of all (特征提升).

    Parameters
    ----------
    table : pandas.DataFrame
        customer_id and the variables. A number is described by its mean, a text by the share of each of its values.
    clusters : pandas.Series
        The cluster of each customer, by customer_id; customers without one are left out.
    columns : list of str, optional
        The variables; all when left out. Take some that the clusters were not made of, such as age_band: what a cluster
        was made of must differ, and proves nothing.

    Returns
    -------
    pandas.DataFrame
        cluster, customers (how many have the value), trait ("basket", "city = 上海"), value (mean or share in the
        cluster), overall (of all), lift (value / overall), distance (value − overall in standard deviations), by
        cluster and by the size of the distance.

    Raises
    ------
    ValueError
        A column is not there, or no customer of the table has a cluster.

    Examples
    --------
    >>> table = pd.DataFrame({"customer_id": list("abcd"), "basket": [10.0, 10.0, 30.0, 30.0], "city": list("XXXY")})
    >>> describe_clusters(table, pd.Series({"a": "C1", "b": "C1", "c": "C2", "d": "C2"})).head(2).round(2)
      cluster  customers     trait  value  overall  lift  distance
    0      C1          2    basket   10.0    20.00  0.50     -1.00
    1      C1          2  city = X    1.0     0.75  1.33      0.58
    """
    columns = [column for column in table.columns if column != "customer_id"] if columns is None else list(columns)
    values = need(table, ["customer_id", *columns], "table of variables")
    cluster = values.pop("customer_id").map(clusters)
    values = values[cluster.notna()]
    cluster = cluster[cluster.notna()]
    if values.empty:
        raise ValueError("no customer of the table has a cluster: is the index of `clusters` the customer_id?")
    numbers = values.select_dtypes(["number", "bool"]).astype("float64")
    texts = [column for column in columns if column not in numbers]
    for column in texts:
        shares = pd.get_dummies(values[column], dtype="float64").where(values[column].notna(), np.nan)
        numbers = numbers.join(shares.rename(columns=lambda value, column=column: f"{column} = {value}"))
    overall, spread = numbers.mean(), numbers.std(ddof=0)
    parts = []
    for name, members in numbers.groupby(cluster):
        part = pd.DataFrame({"cluster": name, "customers": members.count(), "value": members.mean()})
        part = part.assign(overall=overall, lift=part["value"] / overall.where(overall != 0))
        part["distance"] = (part["value"] - overall) / spread.where(spread > 0)
        part = part.rename_axis("trait").reset_index()
        parts.append(part.sort_values("distance", key=abs, ascending=False, kind="stable"))
    order = ["cluster", "customers", "trait", "value", "overall", "lift", "distance"]
    return pd.concat(parts, ignore_index=True)[order]


def _fit(scaled, k, seed):
    """Fit k-means, or say why it cannot be done."""
    if k < 2:
        raise ValueError(f"{k} clusters divide nothing: choose 2 or more")
    if len(scaled) < 2 * k:
        raise ValueError(f"{len(scaled)} customers are too few for {k} clusters: choose fewer clusters")
    with threadpool_limits(1):  # on a busy machine several threads only wait for one another, fifty times as long
        return KMeans(k, n_init=10, random_state=seed).fit(scaled.to_numpy())
