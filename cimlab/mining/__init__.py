"""Data mining (数据挖掘): what the customers will do, what they buy together, which offer works, what they say.

One small file a method::

    segments      groups of customers: three methods, how many, how stable (客户细分)
    segment_actions  … and what one does with them: names, moves, value, an action
    prediction    who will buy again, who will leave: labels in time, a model, its scores (行为预测)
    leaks         what a feature may not know (数据泄漏)
    judging       is the score right: ranking, calibration, lift
    profits       what it earns: break-even, profit curve, its bands (利润曲线)
    baskets       what is bought together: support, confidence, lift (购物篮分析)
    recommending  what to show to whom, against what everybody buys (推荐)
    lists         … as a short list with its reason, judged by what is bought later
    experiments   an A/B test read rightly: holdout, balance, difference (A/B 测试)
    planning      … and planned: sample size, power, no peeking
    response      who answers an offer because of it: response and uplift (响应与增量)
    uplift        … and whether an uplift model is right: the uplift curve (增量曲线)
    offers        the next best offer for each customer (下一个最佳提议)
    texts         the mood of reviews, by words and by a model (情感分析)
    topics        what they are about, and the mood of each topic (主题)
    trends        what grows and what falls (趋势分析)
    monitoring    events as they come, an alert, a response (近实时监测)

Every name below can be imported from here: ``from cimlab.mining import segment_customers``.
"""

from cimlab._lazy import lazy_names

_HOME = {
    "segments": [
        "SEGMENT_METHODS",
        "best_k",
        "choose_k",
        "compare_methods",
        "compare_partitions",
        "gap_statistic",
        "segment_customers",
        "segment_stability",
    ],
    "segment_actions": [
        "SEGMENT_ACTIONS",
        "assign_segments",
        "name_segments",
        "scale_like",
        "segment_moves",
        "segment_values",
        "suggest_actions",
    ],
    "prediction": [
        "FEATURES",
        "MODEL_METHODS",
        "fit_model",
        "importance_table",
        "label_customers",
        "oversample",
        "predict_scores",
        "split_in_time",
        "stack_cutoffs",
    ],
    "leaks": ["compare_without_future", "scan_features"],
    "judging": ["calibration_table", "compare_scores", "judge_scores", "lift_table", "recalibrate"],
    "profits": ["best_contacts", "break_even", "profit_bands", "profit_curve"],
    "baskets": ["basket_table", "count_pairs", "mine_rules", "pair_lifts", "sift_rules"],
    "recommending": [
        "again_scores",
        "factor_scores",
        "group_scores",
        "popular_scores",
        "purchase_matrix",
        "similar_items",
        "similar_scores",
    ],
    "lists": [
        "compare_hits",
        "explain_recommendations",
        "hide_one",
        "judge_recommendations",
        "recommend",
        "recommendation_hits",
        "split_purchases",
    ],
    "experiments": ["balance_table", "campaign_outcomes", "compare_arms", "compare_money", "pool_campaigns"],
    "planning": [
        "false_alarm_rate",
        "power_of_test",
        "sample_size",
        "simulate_looks",
        "smallest_effect",
        "stopping_bounds",
    ],
    "response": ["RESPONSE_FEATURES", "known_before", "response_scores", "simulate_audience", "uplift_scores"],
    "uplift": ["curve_band", "judge_uplift", "qini_coefficient", "uplift_curve"],
    "offers": ["choose_offers", "may_contact", "offer_gains", "offer_report", "shrink_to_mean"],
    "texts": ["judge_readers", "learning_curve", "star_sentiment", "telling_pieces"],
    "topics": ["TOPIC_WORDS", "split_clauses", "topic_model", "topic_report", "topic_sentiment"],
    "trends": ["count_periods", "decompose", "find_step", "trend_table"],
    "monitoring": [
        "ALERT_COLUMNS",
        "abandoned_carts",
        "answer_alerts",
        "checkout_outcomes",
        "failing_checkouts",
        "judge_alerts",
        "replay",
        "watch_counts",
    ],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
