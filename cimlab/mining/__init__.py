"""Data mining (数据挖掘): what the customers will do, what they buy together, which offer works, what they say.

One small file a method::

    segments      groups of customers: scale, choose k, prove stable, name, act (客户细分)
    prediction    who will buy again, who will leave: labels in time, a model, its scores (行为预测)
    judging       is the score right, and what does it earn: calibration, lift, profit, explanation
    baskets       what is bought together: support, confidence, lift (购物篮分析)
    recommending  what to show to whom, against what everybody buys (推荐)
    experiments   an A/B test planned and read rightly (A/B 测试)
    response      who answers an offer because of it: response and uplift (响应与提升)
    offers        the next best offer for each customer (下一个最佳提议)
    texts         topics and sentiment of reviews (文本挖掘)
    trends        what grows and what falls (趋势分析)
    monitoring    events as they come, an alert, a response (近实时监测)

Every name below can be imported from here: ``from cimlab.mining import segment_customers``.
"""

from cimlab._lazy import lazy_names

_HOME = {
    "segments": [],
    "prediction": [],
    "judging": [],
    "baskets": [],
    "recommending": [],
    "experiments": [],
    "response": [],
    "offers": [],
    "texts": [],
    "trends": [],
    "monitoring": [],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
