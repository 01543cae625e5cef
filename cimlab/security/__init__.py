"""Security and privacy (客户信息安全): who may see what, what an attacker gets, and what is owed to the person.

One small file a lesson::

    grades        grades of information against roles (分级管理)
    masks         a part of a value is shown (脱敏)
    access        what a role sees of a table: rows, columns (访问控制)
    audit         an audit trail in which tampering shows (审计)
    rules         duties, stores and columns as rules in a text, enforced (访问规则)
    partners      a contract with a partner that a program keeps (合作伙伴)
    postgres      a PostgreSQL server of one's own (数据库服务器)
    server_access roles, column rights and row rules on the server (行级安全)
    intrusion     attacks on the server, by SQL and at the door (防火墙规则)
    tls           encryption on the way, and the man in the middle (传输加密)
    policy        a policy as a file, its clauses checked (管理制度)
    attacks       the re-identification of a "harmless" release (重新识别)
    deidentify    pseudonyms, coarser values, k-anonymity (去标识化)
    measures      l-diversity, t-closeness, the use that is lost (可用性损失)
    noise         differential privacy: answers with noise, within a budget (差分隐私)
    noise_attacks ask again and again, or with and without one person
    encryption    a whole base in an encrypted file (静态加密)
    sealing       single fields, each bound to its place, and a blind index (字段加密)
    keys          lost, shared, changed and erased keys (密钥管理)
    second_factor stolen passwords, and the code that makes them useless (双因素认证)
    vulnerabilities  the parts of the programs, and holes that are known (漏洞管理)
    backup_drill  a disaster with real files: what is lost, how long (备份与恢复演练)
    incident      a leak against the clock (应急响应)
    pictures      a drill and an incident, drawn
    rights        copy, correction, erasure across every table (个人权利)
    retention     an end of keeping, and what a withdrawal of consent changes (保存期限)
    duties        the duties under five laws, held against facts (合规义务)

Every name below can be imported from here: ``from cimlab.security import chain_entries``.
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
    "masks": ["MASKS", "mask_report", "mask_value"],
    "access": [
        "GUARDS",
        "ROW_RULES",
        "attack_queries",
        "open_as",
        "try_attacks",
        "view_name",
        "view_sql",
    ],
    "rules": [
        "EVERY_STORE",
        "NAIVE_MODEL",
        "RULE_MODEL",
        "granted_columns",
        "open_for",
        "read_rules",
        "rule_attacks",
        "rules_text",
        "try_rules",
    ],
    "partners": [
        "CONTRACT_KEYS",
        "PARTNER_MODEL",
        "check_contract",
        "contract_rules",
        "join_extracts",
        "partner_extract",
    ],
    "postgres": [
        "PostgresServer",
        "connect_postgres",
        "missing_postgres",
        "put_file",
        "reload_settings",
        "run_statements",
        "start_postgres",
        "stop_postgres",
    ],
    "server_access": [
        "SERVER_GUARDS",
        "add_accounts",
        "later_copy_sql",
        "load_server",
        "lock_sql",
        "open_sql",
    ],
    "intrusion": [
        "DOOR_COLUMNS",
        "attack_both",
        "check_doors",
        "server_attacks",
        "set_doors",
        "try_doors",
        "try_server_attacks",
    ],
    "tls": [
        "ask_phone",
        "client_context",
        "compare_lines",
        "encrypt_server",
        "make_authority",
        "make_certificate",
        "phone_service",
        "tap_line",
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
    "deidentify": ["generalise", "k_anonymity", "make_k_anonymous", "pseudonyms"],
    "measures": ["l_diversity", "risk_utility_curve", "t_closeness", "utility_lost"],
    "noise": [
        "noise_within",
        "noisy_count",
        "open_account",
        "private_count",
        "private_histogram",
        "private_sum",
        "spend_budget",
    ],
    "encryption": ["change_password", "encrypt_file", "open_encrypted", "steal_files"],
    "sealing": [
        "blind_index",
        "derive_key",
        "frequency_attack",
        "new_key",
        "open_column",
        "open_value",
        "seal_column",
        "seal_value",
        "value_places",
    ],
    "keys": ["join_shares", "person_keys", "readable", "rotate_column", "share_key", "shred_key"],
    "second_factor": [
        "COMMON_PASSWORDS",
        "check_password",
        "code_at",
        "enrol",
        "guess_chance",
        "guess_passwords",
        "hash_password",
        "log_in",
        "make_accounts",
        "new_salt",
        "verify_code",
    ],
    "vulnerabilities": [
        "AUDIT_COMMAND",
        "DEADLINES",
        "EXERCISE_LOCK",
        "bill_of_materials",
        "is_affected",
        "match_advisories",
        "read_advisories",
        "read_lock",
        "update_plan",
    ],
    "backup_drill": [
        "PLACES",
        "SCHEDULE",
        "check_321",
        "choose_backup",
        "make_operations",
        "play_day",
        "recover",
        "replay",
        "table_sums",
    ],
    "incident": [
        "DRILL_STEPS",
        "DUTIES",
        "affected_persons",
        "incident_timeline",
        "judge_order",
        "which_duties",
    ],
    "pictures": ["draw_drill", "draw_incident"],
    "noise_attacks": ["averaging_attack", "best_guess", "differencing_attack"],
    "rights": [
        "KEPT_FOR_BOOKS",
        "RECORD_COLUMNS",
        "check_erased",
        "copy_of_data",
        "correct_value",
        "erase_person",
        "find_person",
    ],
    "retention": ["apply_retention", "consent_withdrawn_effect", "retention_due"],
    "duties": ["check_duties", "duties_table", "transfer_route"],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
