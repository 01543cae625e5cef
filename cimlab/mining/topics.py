"""What customers write about: topics by words, the mood of each topic, and topics that a method finds by itself."""

import pandas as pd

from cimlab.analysis.columns import need

# topic → words, parted by commas: read and extend them.
TOPIC_WORDS = {
    "delivery": """快递, 物流, 配送, 发货, 送货, 送到, 到货, 小哥, 驿站, 送上楼, 等了, 不用等, 这么快, 真快, 隔天,
        当天到, delivery, delivered, arrived, courier, shipping, parcel, on time, late""",
    "packaging": """包装, 包得, 盒子, 箱子, 外箱, 封口, 气泡, 里三层, 压了, 洒了, 漏了, 破损,
        packaging, packed, padding, box, leaked, crushed, sealed""",
    "price": """价格, 这价, 价钱, 的价, 高价, 低价, 涨价, 便宜, 贵, 实惠, 划算, 优惠, 降价, 打折, 花冤枉钱, 性价比,
        批发, price, cheap, cheaper, expensive, bargain, value for money, discount""",
    "quality": """质量, 品质, 做工, 正品, 假货, 瑕疵, 靠谱, 图片, 耐用, 坏了, 坏的, 新鲜, 过期, 差别,
        quality, broken, broke, smell, durable, fake, fresh, as described""",
    "service": """客服, 服务, 店员, 售后, 态度, 耐心, 退换, 退货手续, 热情, 有问必答, 排队, 结账,
        service, staff, helpful, polite, support, robot, exchange, refund""",
    "taste": """味道, 口味, 口感, 好吃, 难吃, 怪味, 原味, 腻, 齁, 淡, 咸, 甜, 脆, 香,
        taste, tasty, flavour, flavor, sweet, salty, delicious, bland""",
}
_BREAKS = (
    r"[,，。.!！?？;；~～…\s]+|但是|可是|不过|还好|就是|可惜|唯一|只有|倒是|\bbut\b|\bunfortunately\b|\bat least\b"
)


def split_clauses(texts):
    """Cut texts into clauses (分句), since one review praises the price and scolds the courier.

    Parameters
    ----------
    texts : pandas.Series

    Returns
    -------
    pandas.DataFrame
        text (index label of the text), clause; in the order of reading, empty ones and missing texts left out.

    Examples
    --------
    >>> split_clauses(pd.Series(["价格实惠,就是快递慢了点", None], index=["V1", "V2"]))
      text clause
    0   V1   价格实惠
    1   V1  快递慢了点
    """
    lower = texts.dropna().astype("str").str.normalize("NFKC").str.lower()
    english = lower.str.fullmatch(r"[\x00-\x7f‘’“”–—]+")
    # A blank parts Chinese clauses; between English words it parts nothing.
    marks = _BREAKS.replace(r"\s", "")
    parts = lower.where(english, lower.str.split(_BREAKS, regex=True)).where(
        ~english, lower.str.split(marks, regex=True)
    )
    long = parts.explode().dropna().str.strip()
    long = long[long != ""]
    return pd.DataFrame({"text": long.index, "clause": long.to_numpy()})


def topic_sentiment(texts, words=None):
    """Find in each clause which topic it is about and its mood (方面级情感): by words, for both.

    Parameters
    ----------
    texts : pandas.Series
    words : dict of str to str, optional
        Topic → words, parted by commas; `TOPIC_WORDS` when left out. Of several topics in one clause the one with most
        words counts, then the first of the list.

    Returns
    -------
    pandas.DataFrame
        One row a clause: text, clause, topic (missing where no word fits), sentiment.

    References
    ----------
    Hu, M. and Liu, B. (2004). Mining and summarizing customer reviews. KDD '04, 168–177.

    Examples
    --------
    >>> topic_sentiment(pd.Series(["价格实惠,客服敷衍"], index=["V1"]))[["clause", "topic", "sentiment"]]
      clause    topic sentiment
    0   价格实惠    price  positive
    1   客服敷衍  service  negative
    """
    from cimlab.collection import find_intents, find_sentiments

    table = split_clauses(texts)
    if table.empty:
        return table.assign(topic=pd.Series(dtype="str"), sentiment=pd.Series(dtype="str"))
    table["topic"] = find_intents(table["clause"], TOPIC_WORDS if words is None else words)
    table["sentiment"] = find_sentiments(table["clause"])
    return table


def topic_report(found, stars=None):
    """Count how often each topic is praised and scolded, with the interval of the scolded share.

    Parameters
    ----------
    found : pandas.DataFrame
        As `topic_sentiment` returns it: text, topic, sentiment.
    stars : pandas.Series of int, optional
        Stars of each text, by the same index label as `text`.

    Returns
    -------
    pandas.DataFrame
        One row a topic, most scolded first: topic, texts (that mention it), positive, negative (clauses),
        share_negative (of the clauses with a mood), low, high (95 % interval, Wilson); with `stars` also their mean
        over the texts that mention the topic.

    Raises
    ------
    ValueError
        A column is missing.

    References
    ----------
    Wilson, E. B. (1927). Probable inference. Journal of the American Statistical Association 22, 209–212.

    Examples
    --------
    >>> found = pd.DataFrame({"text": ["V1", "V2", "V3"], "topic": ["price", "price", "taste"],
    ...                       "sentiment": ["negative", "positive", "neutral"]})
    >>> topic_report(found)[["texts", "positive", "negative", "share_negative"]]
           texts  positive  negative  share_negative
    topic
    price      2         1         1             0.5
    taste      1         0         0             NaN
    """
    from statsmodels.stats.proportion import proportion_confint

    found = need(found, ["text", "topic", "sentiment"], "table of clauses").dropna(subset="topic")
    by_topic = found.groupby("topic")
    table = by_topic["text"].nunique().to_frame("texts")
    for mood in ("positive", "negative"):
        table[mood] = found["sentiment"].eq(mood).groupby(found["topic"]).sum().astype("int64")
    judged = table["positive"] + table["negative"]
    table["share_negative"] = table["negative"] / judged.where(judged > 0)
    low, high = proportion_confint(table["negative"], judged.where(judged > 0, 1), method="wilson")
    table["low"], table["high"] = low.where(judged > 0), high.where(judged > 0)
    if stars is not None:
        once = found.drop_duplicates(["text", "topic"])
        table["stars"] = once["text"].map(stars).groupby(once["topic"]).mean()
    return table.sort_values(["share_negative", "texts"], ascending=False, kind="stable")


def topic_model(texts, topics=6, words=6, seed=0):
    """Find topics without any list of words (主题模型): pieces that stand together, by non-negative factors.

    Parameters
    ----------
    texts : pandas.Series
        Missing ones are left out. Clauses give clearer topics than whole reviews, which speak of several things; drop
        repeated ones first, or a set phrase becomes a topic.
    topics : int
        How many; the method does not say, try some.
    words : int
        Pieces shown for each topic.
    seed : int

    Returns
    -------
    tuple of (pandas.DataFrame, pandas.Series)
        For each topic (numbered from 0, the largest first) its pieces, heaviest first, and the number of its texts; and
        for each text the number of its strongest topic.

    Raises
    ------
    ValueError
        There are fewer texts than topics.

    References
    ----------
    Lee, D. and Seung, H. (1999). Learning the parts of objects by non-negative matrix factorization. Nature 401,
    788–791.

    Examples
    --------
    >>> texts = pd.Series(["味道很好", "味道不错", "味道很怪", "快递很慢", "快递真快", "快递慢了"])
    >>> shown, strongest = topic_model(texts, topics=2, words=1)
    >>> sorted(shown["pieces"]), strongest.nunique()
    (['味道', '快递'], 2)
    """
    from sklearn.decomposition import NMF
    from sklearn.feature_extraction.text import TfidfVectorizer
    from threadpoolctl import threadpool_limits

    known = texts.dropna().astype("object")
    if len(known) < topics:
        raise ValueError(f"topic_model: {topics} topics need as many texts at least; there are {len(known)}")
    # Two or three signs: one says too little, four are whole phrases. English goes by whole words.
    vectorizer = TfidfVectorizer(analyzer=_pieces, min_df=2, max_df=0.5, sublinear_tf=True)
    with threadpool_limits(1):
        weights = vectorizer.fit_transform(known)
        model = NMF(topics, init="nndsvda", random_state=seed, max_iter=5000)
        strength = model.fit_transform(weights)
    strongest = pd.Series(strength.argmax(axis=1), index=known.index)
    order = strongest.value_counts().reindex(range(topics), fill_value=0).sort_values(ascending=False, kind="stable")
    names = vectorizer.get_feature_names_out()
    shown = pd.DataFrame(
        {
            "pieces": [_top_pieces(names, model.components_[topic], words) for topic in order.index],
            "texts": order.to_numpy(),
        }
    )
    number_of = {topic: number for number, topic in enumerate(order.index)}
    return shown.rename_axis("topic"), strongest.map(number_of).rename("topic")


def _pieces(text):
    """Return the English words and the Chinese pieces of two and three signs of a text."""
    import re

    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    found = []
    for run in re.findall(r"[a-z']+|[\u4e00-\u9fff]+", str(text).lower()):
        if run.isascii():
            found += [run] if run not in ENGLISH_STOP_WORDS else []
        else:
            found += [run[at : at + size] for size in (2, 3) for at in range(len(run) - size + 1)]
    return found


def _top_pieces(names, weights, words):
    """Return the heaviest pieces in one line; a piece that shares two signs with one already named says nothing new."""
    kept = []
    for at in sorted(range(len(names)), key=lambda at: (-weights[at], names[at])):
        name = names[at]
        if weights[at] > 0 and not any(_overlap(name, other) for other in kept):
            kept.append(name)
        if len(kept) == words:
            break
    return " ".join(kept)


def _overlap(name, other):
    """Say whether two Chinese pieces share a pair of signs; English words never do."""
    if name.isascii() or other.isascii():
        return False
    return any(name[at : at + 2] in other for at in range(len(name) - 1))
