"""Chapter 2, collect customer information (客户信息的收集).

The steps of the chapter, each a small module::

    readers        open the file of each channel as what it is
    channels       say what a channel is: structured or not, which kinds of information, which fields
    quality        measure it in six dimensions, and say what a usable record costs
    rules          what the quality is measured by, and what the channels cost
    sampling       whom to ask, and how many answers are needed
    weighting      who did not answer, and what weights can repair
    questionnaire  choices, Cronbach's alpha, the Net Promoter Score
    wording        faults in the wording of questions
    consent        who had agreed to what, and who was written to without it
    plan           the collection plan checked: the minimum that is necessary
    extraction     fields out of free text by rules; their words are in `words`
    models         the same by a model that learns from examples
    scoring        one measure for both

Every name below can be imported from here: ``from cimlab.collection import read_call_notes``.
"""

from cimlab._lazy import lazy_names

_HOME = {
    "readers": [
        "read_bought_list",
        "read_call_notes",
        "read_exhibition",
        "read_questionnaire",
        "read_register",
        "read_reviews",
        "read_till",
        "read_web_events",
    ],
    "channels": ["CHANNELS", "describe_channel", "describe_channels", "describe_fields"],
    "fields": ["as_code", "as_date", "as_email", "as_gender", "as_number", "as_one_of", "as_phone"],
    "rules": ["CHANNEL_COSTS", "QUALITY_RULES"],
    "quality": ["cost_per_usable_record", "quality_by_channel", "quality_report", "usable_records"],
    "sampling": [
        "cluster_sample",
        "sample_size_mean",
        "sample_size_share",
        "simple_sample",
        "stratified_sample",
        "systematic_sample",
    ],
    "weighting": ["nonresponse_bias", "post_stratify", "rake", "response_rates", "weighted_mean"],
    "questionnaire": ["alpha_if_dropped", "cronbach_alpha", "net_promoter_score", "reverse_items", "split_choices"],
    "wording": ["WORDING_RULES", "wording_faults"],
    "consent": ["check_contacts", "consent_of_customers", "consent_state", "contact_report"],
    "plan": ["NEEDS", "PLAN_COLUMNS", "PLAN_RULES", "audit_plan"],
    "words": ["ALIASES", "INTENT_WORDS", "NEGATIVE", "POSITIVE"],
    "extraction": ["extract_by_rules", "find_intents", "find_phones", "find_products", "find_sentiments"],
    "models": ["predict_classes", "text_model"],
    "scoring": ["common_errors", "score_extraction"],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
