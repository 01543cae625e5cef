"""What to show to whom, against what everybody buys (推荐): scores of articles, lists of them, and the judge.

Every method gives one table of scores, customers × articles. In `lists`, `recommend` makes lists of it, and
`judge_recommendations` holds them against later purchases. So all methods are judged alike.
"""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need


def purchase_matrix(lines, item="name", customer="customer_id", order="order_id", items=None):
    """Count in how many orders each customer bought each article: customers × articles.

    Parameters
    ----------
    lines : pandas.DataFrame
        One row per article of an order, with the columns `customer`, `order` and `item`; lines of nobody are left out.
    item, customer, order : str
        Names of the columns. With ``customer="order_id"`` the rows are baskets.
    items : list, optional
        The columns to return, so that two periods have the same; those that were bought when left out.

    Returns
    -------
    pandas.DataFrame
        Of int; the index holds the customers, the columns the articles, both sorted.

    Raises
    ------
    ValueError
        A column is not there, nothing was bought by anybody known, or an article is not among `items`.

    Examples
    --------
    >>> lines = pd.DataFrame({"customer_id": ["K1", "K1", "K2", None], "order_id": ["o1", "o2", "o3", "o4"],
    ...                       "name": ["Rice", "Rice", "Lager", "Rice"]})
    >>> purchase_matrix(lines)
    name         Lager  Rice
    customer_id
    K1               0     2
    K2               1     0
    """
    bought = need(lines, [customer, order, item], "table of lines").dropna(subset=[customer, item]).drop_duplicates()
    if bought.empty:
        raise ValueError(f"no line has a {customer} and a {item}: nothing was bought by anybody known")
    strange = sorted(set(bought[item]) - set(items)) if items is not None else []
    if strange:
        raise ValueError(f"{len(strange)} articles were bought that are not among `items`, the first is {strange[0]}")
    matrix = pd.crosstab(bought[customer], bought[item])
    columns = sorted(items) if items is not None else sorted(matrix.columns)
    return matrix.reindex(columns=pd.Index(columns, name=item), fill_value=0)


def popular_scores(matrix, segment=None, prior=10, counted=None):
    """Score the articles by how many customers bought them: the baseline (基准) that all others must beat.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Customers × articles, as returned by `purchase_matrix`.
    segment : pandas.Series, optional
        The segment of each customer (the index): then what is popular in it counts. Who has none gets the list of all.
    prior : float
        So many customers as all are, on average, are added to each segment: a small one is drawn towards all.
    counted : pandas.DataFrame, optional
        The purchases that say what is popular, if they are not those of `matrix`: those of the same season, or, for
        customers who have bought nothing yet, those of all others.

    Returns
    -------
    pandas.DataFrame
        Customers × articles: the share that bought it, 0 to 1.

    Raises
    ------
    ValueError
        The articles of `counted` are others than those of `matrix`.

    Examples
    --------
    >>> matrix = pd.DataFrame({"Lager": [1, 0, 0], "Rice": [2, 5, 0]}, index=["K1", "K2", "K3"])
    >>> popular_scores(matrix).loc["K3"].round(2).to_dict()
    {'Lager': 0.33, 'Rice': 0.67}
    >>> popular_scores(matrix, pd.Series({"K1": "bar"}), prior=0).loc["K1"].to_dict()
    {'Lager': 1.0, 'Rice': 1.0}
    """
    matrix, held = need_matrix(matrix), need_matrix(matrix if counted is None else counted) > 0
    if set(held.columns) != set(matrix.columns):
        raise ValueError("`matrix` and `counted` have different articles: make both with the same items=…")
    held = held[matrix.columns]
    share = held.mean()
    everybody = pd.DataFrame(np.tile(share, (len(matrix), 1)), index=matrix.index, columns=matrix.columns)
    if segment is None:
        return everybody
    inside = held.astype("float64").groupby(segment.reindex(held.index))
    drawn = (inside.sum() + prior * share).div(inside.size() + prior, axis=0)
    return drawn.reindex(segment.reindex(matrix.index)).set_axis(matrix.index).fillna(everybody)


def group_scores(matrix, groups, prior=5):
    """Score the articles by the groups of goods that the customer buys, and within a group by what is popular.

    Two plain counts: the share of the customer's purchases that falls into each group, and the share of the group's
    buyers that an article has. Who has bought little is drawn towards what all buy.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Customers × articles, as returned by `purchase_matrix`.
    groups : pandas.Series
        The group of each article (the index holds the articles).
    prior : float
        So many purchases as all make, on average, are added to each customer's own.

    Returns
    -------
    pandas.DataFrame
        Customers × articles; the scores of a customer sum to 1.

    Raises
    ------
    ValueError
        An article has no group.

    Examples
    --------
    >>> matrix = pd.DataFrame({"Lager": [5, 0], "Rice": [0, 4], "Flour": [0, 1]}, index=["K1", "K2"])
    >>> group_scores(matrix, pd.Series({"Lager": "drinks", "Rice": "rice", "Flour": "rice"})).round(2)
        Lager  Rice  Flour
    K1   0.75  0.12   0.12
    K2   0.25  0.38   0.38
    """
    matrix = need_matrix(matrix)
    group = groups.reindex(matrix.columns)
    if group.isna().any():
        raise ValueError(f"the article {group.index[group.isna()][0]} has no group: give one for each column")
    popular = (matrix > 0).sum()
    within = (popular / popular.groupby(group).transform("sum")).fillna(0)
    bought = matrix.T.groupby(group).sum().T
    everybody = bought.sum() / bought.to_numpy().sum()
    share = (bought + prior * everybody).div(bought.sum(axis=1) + prior, axis=0)
    return pd.DataFrame(share[group].to_numpy() * within.to_numpy(), index=matrix.index, columns=matrix.columns)


def again_scores(matrix):
    """Score the articles by how often the customer bought them: "buy again". What is popular decides between equals.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Customers × articles, as returned by `purchase_matrix`.

    Returns
    -------
    pandas.DataFrame
        Customers × articles: orders with it, and less than 1 for what is popular.

    Examples
    --------
    >>> matrix = pd.DataFrame({"Lager": [1, 0], "Rice": [0, 2]}, index=["K1", "K2"])
    >>> again_scores(matrix).round(2).loc["K2"].to_dict()
    {'Lager': 0.25, 'Rice': 2.25}
    """
    return need_matrix(matrix) + popular_scores(matrix) / 2


def similar_items(matrix):
    """Say for each two articles how far the same customers buy them: the cosine of their columns (余弦相似度).

    Each column is a list of who bought (1) or not (0). The cosine is the number of customers of both articles, divided
    by the square root of (customers of the one × customers of the other): 0 is none in common, 1 the same ones.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Customers × articles, or baskets × articles.

    Returns
    -------
    pandas.DataFrame
        Articles × articles, 0 to 1, symmetric; 0 on the diagonal, since an article does not recommend itself.

    References
    ----------
    Sarwar, B., Karypis, G., Konstan, J., Riedl, J. (2001). Item-based collaborative filtering recommendation
    algorithms. WWW.

    Examples
    --------
    >>> matrix = pd.DataFrame({"Lager": [1, 3, 0], "Peanuts": [1, 1, 1]}, index=["K1", "K2", "K3"])
    >>> similar_items(matrix).round(2).loc["Lager"].to_dict()
    {'Lager': 0.0, 'Peanuts': 0.82}
    """
    held = (need_matrix(matrix) > 0).to_numpy("float64")
    both = held.T @ held
    buyers = np.diag(both)
    size = np.sqrt(np.outer(buyers, buyers))
    cosine = np.divide(both, size, out=np.zeros_like(both), where=size > 0)
    np.fill_diagonal(cosine, 0)
    return pd.DataFrame(cosine, index=matrix.columns, columns=matrix.columns)


def similar_scores(matrix, similar):
    """Score the articles by how like they are to those that were bought: item-item collaborative filtering (协同过滤).

    Parameters
    ----------
    matrix : pandas.DataFrame
        Customers × articles, or baskets × articles; bought once counts as much as bought often.
    similar : pandas.DataFrame
        Articles × articles, as returned by `similar_items`.

    Returns
    -------
    pandas.DataFrame
        Rows of `matrix` × articles: the similarities to what was bought, added up.

    Raises
    ------
    ValueError
        The two tables have different articles.

    Examples
    --------
    >>> similar = pd.DataFrame({"Lager": [0.0, 0.8], "Peanuts": [0.8, 0.0]}, index=["Lager", "Peanuts"])
    >>> similar_scores(pd.DataFrame({"Lager": [2], "Peanuts": [0]}, index=["K1"]), similar).loc["K1"].to_dict()
    {'Lager': 0.0, 'Peanuts': 0.8}
    """
    held = (need_matrix(matrix) > 0).astype("float64")
    if set(held.columns) != set(similar.columns) or set(similar.index) != set(similar.columns):
        raise ValueError("`matrix` and `similar` have different articles: make both with the same items=…")
    return held @ similar.loc[held.columns, held.columns]


def factor_scores(matrix, factors=8, regularization=0.1, rounds=15, seed=1):
    """Score the articles by hidden tastes, a few numbers for each: matrix factorisation (矩阵分解).

    Alternating least squares (ALS) for purchases that carry no stars, from the package implicit: a purchase says "likes
    it", more often with more weight; no purchase says "perhaps not", with little weight.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Customers × articles, as returned by `purchase_matrix`.
    factors : int
        Tastes. Too many learn the past by heart: choose the number on an earlier period, not on the one that judges.
    regularization : float
        Draws the tastes of those who bought little towards none.
    rounds : int
    seed : int
        The start is drawn by chance; the same seed gives the same scores, whatever the order of the rows.

    Returns
    -------
    pandas.DataFrame
        Customers × articles; without a unit, about 0 to 1.

    Raises
    ------
    ValueError
        The number of factors is below 1, or not below the number of customers and articles.

    References
    ----------
    Hu, Y., Koren, Y., Volinsky, C. (2008). Collaborative filtering for implicit feedback datasets. ICDM.

    Examples
    --------
    >>> matrix = pd.DataFrame({"Lager": [3, 2, 0], "Peanuts": [2, 2, 0], "Rice": [0, 0, 4]}, index=["K1", "K2", "K3"])
    >>> factor_scores(matrix, factors=2).loc["K3"].idxmax()
    'Rice'
    """
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    ordered = need_matrix(matrix).sort_index(axis=0).sort_index(axis=1)
    if not 1 <= factors < min(ordered.shape):
        raise ValueError(f"factors={factors}: choose 1 or more, and fewer than there are customers and articles")
    # implicit has threads of its own and warns of those of BLAS; only what is imported already is held to one
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=factors, regularization=regularization, iterations=rounds, num_threads=1, random_state=seed
        )
        model.fit(csr_matrix(ordered.to_numpy("float32")), show_progress=False)
        scores = model.user_factors.astype("float64") @ model.item_factors.T.astype("float64")
    return pd.DataFrame(scores.round(5), index=ordered.index, columns=ordered.columns).loc[matrix.index, matrix.columns]


def need_matrix(matrix):
    """Return the table of customers × articles, or say why it is none.

    Examples
    --------
    >>> need_matrix(pd.DataFrame({"Rice": [1.0, None]}, index=["K1", "K2"]))
    Traceback (most recent call last):
    ...
    ValueError: the number of customer K2 and article Rice is missing: fill it with 0 where nothing was bought
    """
    if not isinstance(matrix, pd.DataFrame) or matrix.empty:
        raise ValueError("a DataFrame is needed, a row per customer, a column per article: purchase_matrix(lines)")
    if not (matrix.index.is_unique and matrix.columns.is_unique):
        raise ValueError("a customer has two rows, or an article two columns: make it with purchase_matrix(lines)")
    blank = matrix.isna()
    if blank.any(axis=None):
        column = blank.any().idxmax()
        row = blank[column].idxmax()
        raise ValueError(
            f"the number of customer {row} and article {column} is missing: fill it with 0 where nothing was bought"
        )
    return matrix
