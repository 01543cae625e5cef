"""Security and privacy (客户信息安全): who may see what, what an attacker gets, and what is owed to the person.

One small file a lesson::

    grades        grades of information against roles (分级管理)
    access        what a role sees of a table: rows, columns, masks (访问控制)
    audit         an audit trail in which tampering shows (审计)
    policy        a policy as a file, its clauses checked (管理制度)
    attacks       the re-identification of a "harmless" release (重新识别)
    deidentify    pseudonyms, k-anonymity, l-diversity, t-closeness (去标识化)
    rights        copy, correction, erasure across every table, retention (个人权利)

Every name below can be imported from here: ``from cimlab.security import audit_trail``.
"""

from cimlab._lazy import lazy_names

_HOME = {
    "grades": [
        "CONFLICTS",
        "GRADES",
        "ROLES",
        "access_matrix",
        "check_separation",
        "least_privilege",
        "plain_matrix",
        "rights_report",
        "roles_table",
    ],
    "access": [
        "GUARDS",
        "MASKS",
        "ROW_RULES",
        "attack_queries",
        "mask_report",
        "mask_value",
        "open_as",
        "try_attacks",
        "view_name",
        "view_sql",
    ],
    "audit": [
        "MISUSE_RULES",
        "TRAIL_COLUMNS",
        "append_entry",
        "chain_entries",
        "entry_hash",
        "find_misuse",
        "publish_head",
        "read_trail",
        "verify_trail",
        "write_trail",
    ],
    "policy": ["DEFAULT_POLICY", "RISK_GRADES", "check_policy", "policy_checks", "read_policy", "risk_score"],
    "attacks": [
        "class_sizes",
        "guess_pseudonyms",
        "homogeneity_attack",
        "journalist_risk",
        "link_attack",
        "link_report",
        "prosecutor_risk",
        "trace_attack",
        "unique_share",
    ],
    "deidentify": [
        "generalise",
        "k_anonymity",
        "l_diversity",
        "make_k_anonymous",
        "noisy_count",
        "pseudonyms",
        "risk_utility_curve",
        "spend_budget",
        "t_closeness",
        "utility_lost",
    ],
    "rights": [
        "KEPT_FOR_BOOKS",
        "RECORD_COLUMNS",
        "apply_retention",
        "check_erased",
        "consent_withdrawn_effect",
        "copy_of_data",
        "correct_value",
        "erase_person",
        "find_person",
        "retention_due",
    ],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
