"""A language model as an assistant (大语言模型辅助) for profiles: always optional, always checked.

Everything here works without any model and without any network; that is the default. Who has an endpoint may name it::

    patterns   what personal data look like in a text
    masking    personal data become placeholders, and are put back only here (脱敏)
    endpoint   one question to a chat endpoint: masked, within limits, its answer checked
    logbook    what was sent, what came back, what it cost; in a file, and chained (审计)
    narrative  a profile in a few plain sentences, whose numbers are those that were given
    notes      fields out of notes of calls, and a measured comparison of the ways to get them
    drills     what the mask hides and the check sees, counted on cases made wrong on purpose
    standin    an actor on this machine that plays an endpoint, and its failures: no language model

Every name below can be imported from here: ``from cimlab.assistant import extract_notes``.
"""

from cimlab._lazy import lazy_names

_HOME = {
    "masking": ["known_persons", "mask_text", "masking_report", "reasons_not_to_send", "unmask_text"],
    "endpoint": ["ask_endpoint", "configured_endpoint", "open_endpoint"],
    "logbook": ["chain_log", "check_log", "read_log", "request_log", "write_log"],
    "narrative": ["check_narrative", "profile_facts", "strip_markup", "write_narrative"],
    "notes": ["compare_methods", "extract_notes", "read_fields"],
    "drills": ["drill_masking", "drill_narrative"],
    "standin": ["answer_sheet", "rough_tokens", "start_standin"],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
