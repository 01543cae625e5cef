"""Customer profiles (客户画像): from data to a picture that one can act on, in four steps.

The steps, each a small module::

    words         the variables and the tables that they come from
    variables     1 gather static and dynamic data, choose the key variables (关键变量)
    clusters      2 the frame: scale, cluster, prove stable, describe (聚类)
    labels        3 fact and rule labels, with weight and lineage (标签)
    models        3 model labels: a score with a time-based split
    keeping       fading, coverage, conflicts; how much changes from month to month
    limits        what a profile must not hold, and who may be profiled
    fairness      the rate of a label in each group
    cloud         4 the tag cloud (标签云)
    cards         4 persona cards for a segment and for a customer (画像卡)

Every name below can be imported from here: ``from cimlab.profiles import rule_labels``.
"""

from cimlab._lazy import lazy_names

_HOME = {
    "words": ["CATEGORIES", "CHANNELS", "TABLES", "VARIABLES"],
    "variables": ["age_bands", "choose_variables", "gather_variables", "purchase_lines"],
    "clusters": ["FRAME", "cluster_customers", "cluster_stability", "compare_k", "describe_clusters", "scale_frame"],
    "labels": [
        "LABEL_COLUMNS",
        "MEASURES",
        "RULES",
        "RULE_COLUMNS",
        "check_rules",
        "combine_labels",
        "fact_labels",
        "rule_labels",
        "supporting_lines",
    ],
    "models": ["model_labels", "repurchase_scores", "repurchase_table"],
    "keeping": [
        "EXCLUSIVE",
        "HALF_LIFE",
        "decay_labels",
        "label_changes",
        "label_conflicts",
        "label_coverage",
        "profile_stability",
        "resolve_conflicts",
    ],
    "limits": ["PROFILE_LIMITS", "check_profile", "may_profile", "refuse_profile"],
    "fairness": ["label_rates"],
    "cloud": ["cloud_words", "missing_glyphs", "place_words", "tag_cloud"],
    "cards": ["customer_persona", "persona_figure", "persona_html", "segment_persona"],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
