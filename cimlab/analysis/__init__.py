"""Chapters 5 to 7, analyse customer information (客户信息分析).

The three families of methods, what is measured on persons, and what on enterprises, each a small module::

    comparison     one indicator against plan, last period, last year, peers (对比分析)
    indicators     several indicators: one scale, an index with weights, a radar (综合指标)
    correlation    Pearson, Spearman and partial, with n and an interval (相关分析)
    judgement      prediction by experience (three points, Delphi) and by analogy (经验、类推预测)
    inertia        prediction by trend, smoothing and season (惯性预测)
    backtests      the back-test that judges a prediction, against the baseline (回测)
    relation       prediction by what goes with it: regression (逻辑关系预测)

    recency        recency, frequency, monetary value (RFM)
    cohorts        who came together, who stays (同期群)
    concentration  how much the best bring (帕累托)
    loyalty        tenure, repeat purchases, share of visits; attention in the web shop (忠诚度、关注度)
    value          profit of a customer, value matrix, share of wallet (客户价值)
    purchases      BG/NBD: who still buys, how often, and the hold-out that judges it
    lifetime       Gamma-Gamma and customer lifetime value (客户终身价值)

    firms          business and operating situation of an enterprise (经营状况、运营状况)
    credit         how an enterprise pays, ageing, a credit score and terms (信用状况)

    presenting     a dashboard, and a report of one page (分析结果的呈现)

Every name below can be imported from here: ``from cimlab.analysis import rfm``.
"""

from cimlab._lazy import lazy_names

_HOME = {
    "cimlab.collection": ["net_promoter_score"],  # chapter 2 asks the question, this chapter reads the answers
    "comparison": ["compare_over_time", "compare_with_peers", "compare_with_plan"],
    "indicators": ["composite_index", "radar_points", "scale_indicators"],
    "correlation": ["correlate", "correlate_all"],
    "judgement": ["delphi_rounds", "forecast_by_analogy", "pool_estimates", "three_point"],
    "inertia": [
        "exponential_smoothing",
        "holt_winters",
        "linear_trend",
        "moving_average",
        "seasonal_naive",
        "seasonal_trend",
    ],
    "backtests": ["backtest", "score_forecasts"],
    "relation": ["predict_by_regression", "regression_fit", "regression_table", "residual_checks"],
    "recency": ["RFM_SEGMENTS", "rfm", "rfm_octants", "rfm_scores", "rfm_segments"],
    "cohorts": ["cohort_counts", "cohort_table"],
    "concentration": ["pareto_curve", "pareto_shares"],
    "loyalty": ["attention_table", "loyalty_summary", "loyalty_table"],
    "value": ["estimate_wallet", "share_of_wallet", "value_matrix", "value_table"],
    "purchases": [
        "clv_summary",
        "expected_purchases",
        "fit_bgnbd",
        "holdout",
        "holdout_table",
        "probability_alive",
    ],
    "lifetime": ["customer_lifetime_value", "expected_average_value", "fit_gamma_gamma"],
    "firms": ["business_situation", "operating_situation"],
    "credit": [
        "CREDIT_POINTS",
        "CREDIT_TERMS",
        "ageing_table",
        "credit_score",
        "credit_situation",
        "credit_terms",
        "paid_after",
        "score_on",
        "terms_profit",
    ],
    "presenting": ["dashboard", "show_report", "write_report"],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
