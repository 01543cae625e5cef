"""Strategy, systems and cases (策略、系统与案例): how well a firm manages customer information, and what it is worth.

One small file a question::

    assessment    principles, steps and success factors as a self-assessment; do two raters agree (自评)
    stages        CRM's stages, and the data that each of them added (发展阶段)
    journey       the customer's journey measured: steps, contacts, self-service, effort (客户旅程)
    choosing      a choice between kinds of system: scores, weights, and how firm the winner is (选型)
    business      what it costs and earns: duplicates, churn, consent; net present value (商业论证)
    cases         eight cases, each with a question and a failure that one can compute (案例)
    case_tables   … and their tables

Every name below can be imported from here: ``from cimlab.strategy import weighted_scores``.
"""

from cimlab._lazy import lazy_names

_HOME = {
    "assessment": ["ASSESSMENT", "compare_assessments", "draw_assessments", "score_assessment"],
    "stages": ["STAGES", "STAGE_TABLES", "draw_timeline", "stage_data"],
    "journey": ["JOURNEY", "effort", "journey_steps", "self_service_share", "touchpoints"],
    "choosing": [
        "COSTS",
        "KINDS",
        "SCORES",
        "WEIGHTS",
        "break_point",
        "cost_of_ownership",
        "rank_reversals",
        "sensitivity",
        "weighted_scores",
    ],
    "business": ["business_case", "cost_of_duplicates", "draw_tornado", "tornado", "value_of_point"],
    "cases": ["CASES", "case_answer", "find_failure"],
    "case_tables": ["case_data"],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
