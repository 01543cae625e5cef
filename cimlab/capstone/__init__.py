"""The capstone (综合实训): how a customer database and the profiles made of it are judged, against the truth.

    bands             the criteria, and how many points a measured value is worth
    checkpoints       data sets from which one goes on whose own answer does not carry the next part
    dashboard_widget  the finished base on one page, as a role sees it: figures, a customer, quality, consent, segments
    paper             the decision paper, out of Markdown and computed numbers, as a page and as a PDF
    score_database    linkage, purchases, surviving values
    score_tables      constraints, lineage, the report of quality, the dictionary
    score_protection  access under attack, consent at a day, erasure, a backup that can be restored
    score_profiles    labels and segments, against what came later and what was planted
    score_models      a model with its leaks, its hold-out and its calibration; the numbers of a paper

Each function takes what a student hands in, as plain tables or the path of a SQLite base, and the truth beside it. It
loads nothing by itself (the checkpoints do), and returns one row per criterion: criterion, measure, value, band,
points, of, sentence.

Every name below can be imported from here: ``from cimlab.capstone import score_linkage``.
"""

from cimlab._lazy import lazy_names

_HOME = {
    "bands": [
        "CRITERIA",
        "LEAST_LINKAGE",
        "REPORT_COLUMNS",
        "SHARE_WITHOUT_LINKAGE",
        "bands_table",
        "judge",
        "limit_points",
        "sum_points",
    ],
    "checkpoints": ["BASE_AT", "MORE_TABLES", "OWN_BASES", "add_tables", "checkpoint", "is_checkpoint", "own_base"],
    "dashboard_widget": ["Dashboard", "dashboard"],
    "paper": ["Paper", "fill_numbers", "numbers_in", "parse_paper", "write_paper"],
    "score_database": ["owner_of_customers", "score_linkage", "score_purchases", "score_survivors"],
    "score_tables": [
        "FIELDS",
        "quality_figures",
        "score_constraints",
        "score_dictionary",
        "score_lineage",
        "score_quality",
    ],
    "score_protection": ["known_by", "score_access", "score_backup", "score_consent", "score_erasure"],
    "score_profiles": ["later_behaviour", "score_labels", "score_segments"],
    "score_models": ["FUTURE_COLUMNS", "score_holdout", "score_leaks", "score_numbers"],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
