"""Chapters 3 and 4, build and keep the customer database (客户数据库的建立与维护).

The steps of the two chapters, each a small module::

    extract       collect the records of all channels in one table
    standardise   one way to write a name, a phone, a date, an address
    repair        mend what is wrong and fill what is missing, where one reading is left
    plans         how a database finds a row, with an index and without
    match         find the records of one person: block, compare, weigh, link, cluster
    merge         one row per customer, with the origin of each value
    tables        the customer file, the roster, the transactions, for people and for firms
    importing     a template, filled in and checked, nothing half-loaded
    view          one customer as sales, service and marketing see him
    upkeep        update, verify, back up, restore, and prove the restore

Every name below can be imported from here: ``from cimlab.database import link_records``.
"""

from cimlab._lazy import lazy_names

_HOME = {
    "extract": ["extract_records"],
    "text": ["clean_text"],
    "codes": ["credit_code_status", "id_number_status", "standardise_codes"],
    "standardise": [
        "standardisation_report",
        "standardise_addresses",
        "standardise_cities",
        "standardise_dates",
        "standardise_emails",
        "standardise_genders",
        "standardise_phones",
        "standardise_records",
        "standardise_sizes",
    ],
    "repair": ["repair_missing", "repair_typed", "repair_values"],
    "plans": ["query_plan"],
    "match": ["candidate_pairs", "compare_pairs", "match_weights"],
    "linkage": ["CUSTOMER_BLOCKS", "CUSTOMER_FIELDS", "link_records"],
    "cluster": ["cluster_pairs", "find_conflicts"],
    "scoring": ["pairs_in_groups", "score_pairs", "score_thresholds", "true_pairs"],
    "enterprises": ["ENTERPRISE_BLOCKS", "ENTERPRISE_RULES", "standardise_enterprises"],
    "tables": [
        "create_database",
        "fill_database",
        "make_customer_file",
        "make_enterprise_file",
        "make_enterprise_transactions",
        "make_transactions",
        "open_history",
        "read_table",
    ],
    "view": ["single_customer_view"],
    "validation": ["customer_rules", "enterprise_rules", "validate"],
    "forms": ["write_template"],
    "importing": ["check_workbook", "import_workbook"],
    "upkeep": ["TIER_SPEND", "assign_tiers", "customer_as_of", "update_customers", "verify_customers"],
    "backup": ["back_up", "fingerprint", "prove_restore", "restore"],
    "merge": ["CUSTOMER_RULES", "merge_records"],
    "names": ["pinyin_names", "standardise_names", "surnames"],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
