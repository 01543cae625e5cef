"""The consent ledger (同意台账) read back: who had agreed to what at a moment, and who was written to without it.

Each row of the ledger is one act: consent was given or withdrawn. The last act before a moment holds at that moment; no
act means that consent was never given.
"""

import pandas as pd

PURPOSES = ("marketing", "profiling", "sharing")
STATES = ("given", "withdrawn", "never given")


def consent_state(consents, at, records=None, purposes=PURPOSES):
    """Say for each record and purpose whether consent held at a moment.

    Parameters
    ----------
    consents : pandas.DataFrame
        The table ``consents``: customer_ref, purpose, action (given, withdrawn), recorded_at, method, notice_version.
    at : str or pandas.Timestamp
        The moment; a date alone is its first minute. What was recorded at or after it does not count yet.
    records : list of str or pandas.Series, optional
        The records that are asked about; those of the ledger when left out.
    purposes : list of str, optional
        The purposes that are asked about.

    Returns
    -------
    pandas.DataFrame
        One row for each record and purpose: customer_ref, purpose, state ("given", "withdrawn" or "never given"),
        since, method, notice_version (missing where never given).

    Raises
    ------
    ValueError
        If the ledger lacks a column, holds a purpose or an action that is not known.

    Examples
    --------
    >>> ledger = pd.DataFrame({"customer_ref": ["M1", "M1"], "purpose": "marketing", "action": ["given", "withdrawn"],
    ...     "recorded_at": pd.to_datetime(["2025-01-01", "2026-01-01"]), "method": "web form", "notice_version": "v2"})
    >>> consent_state(ledger, at="2025-07-01", records=["M1", "M2"], purposes=["marketing"])[["customer_ref", "state"]]
      customer_ref        state
    0           M1        given
    1           M2  never given
    >>> consent_state(ledger, at="2026-07-01", purposes=["marketing"])["state"].tolist()
    ['withdrawn']
    """
    ledger = _check_ledger(consents)
    records = ledger["customer_ref"].unique() if records is None else pd.unique(pd.Series(records))
    asked = pd.MultiIndex.from_product([records, purposes], names=["customer_ref", "purpose"])
    last = ledger[ledger["recorded_at"] < pd.Timestamp(at)].drop_duplicates(["customer_ref", "purpose"], keep="last")
    state = last.set_index(["customer_ref", "purpose"]).reindex(asked).reset_index()
    state = state.rename(columns={"action": "state", "recorded_at": "since"})
    return state.assign(state=state["state"].fillna("never given"))[
        ["customer_ref", "purpose", "state", "since", "method", "notice_version"]
    ]


def consent_of_customers(state, owner):
    """Say what all records of each customer say together: one that withdraws is enough, else one that gives.

    Parameters
    ----------
    state : pandas.DataFrame
        As `consent_state` returns it, of one purpose.
    owner : pandas.Series
        Customer of each record, indexed by the record.

    Returns
    -------
    pandas.Series of str
        "given", "withdrawn" or "never given", by customer_id.

    Examples
    --------
    >>> state = pd.DataFrame({"customer_ref": ["M1", "W1", "M2"], "state": ["given", "withdrawn", "given"]})
    >>> consent_of_customers(state, pd.Series({"M1": "K1", "W1": "K1", "M2": "K2"})).to_dict()
    {'K1': 'withdrawn', 'K2': 'given'}
    """
    words = ["never given", "given", "withdrawn"]  # the last one that is there holds
    strongest = state["state"].map(words.index).groupby(state["customer_ref"].map(owner)).max()
    return strongest.map(dict(enumerate(words))).astype("str").rename("state").rename_axis("customer_id")


def check_contacts(contacts, campaigns, consents, purpose="marketing"):
    """Say of each message that was sent whether consent held on the day on which it went out.

    Parameters
    ----------
    contacts : pandas.DataFrame
        The table ``campaign_contacts``; only the arm "treated" got a message.
    campaigns : pandas.DataFrame
        The table ``campaigns``: campaign_id, starts_on, medium.
    consents : pandas.DataFrame
        The table ``consents``.
    purpose : str, optional
        The purpose that the message needs consent for.

    Returns
    -------
    pandas.DataFrame
        One row a message: campaign_id, member_id, starts_on, medium, state, since, notice_version (of the notice that
        was shown), allowed (bool).

    Raises
    ------
    ValueError
        If a campaign of the contacts is not in the table of campaigns.

    Examples
    --------
    >>> import cimlab
    >>> sent = check_contacts(*(cimlab.load(name) for name in ("campaign_contacts", "campaigns", "consents")))
    >>> sorted(sent["state"].unique())
    ['given', 'never given', 'withdrawn']
    """
    sent = contacts[contacts["arm"] == "treated"]
    unknown = sorted(set(sent["campaign_id"]) - set(campaigns["campaign_id"]))
    if unknown:
        raise ValueError(f"The campaigns {', '.join(unknown)} have contacts but do not stand in the table of campaigns")
    parts = []
    for campaign in campaigns.itertuples():
        mine = sent[sent["campaign_id"] == campaign.campaign_id]
        state = consent_state(consents, campaign.starts_on, mine["member_id"], [purpose]).set_index("customer_ref")
        mine = mine[["campaign_id", "member_id"]].assign(starts_on=campaign.starts_on, medium=campaign.medium)
        parts.append(mine.join(state[["state", "since", "notice_version"]], on="member_id"))
    checked = pd.concat(parts, ignore_index=True)
    return checked.assign(allowed=checked["state"] == "given")


def contact_report(checked):
    """Count the messages of each campaign that went out with and without consent.

    Parameters
    ----------
    checked : pandas.DataFrame
        As `check_contacts` returns it.

    Returns
    -------
    pandas.DataFrame
        By campaign: sent, given, withdrawn, never_given, share_without (0 to 1).

    Examples
    --------
    >>> checked = pd.DataFrame({"campaign_id": "CA01", "state": ["given", "withdrawn", "given", "never given"]})
    >>> contact_report(checked)
                 sent  given  withdrawn  never_given  share_without
    campaign_id
    CA01            4      2          1            1            0.5
    """
    counts = pd.crosstab(checked["campaign_id"], checked["state"])
    counts = counts.reindex(columns=list(STATES), fill_value=0)
    counts = counts.set_axis(["given", "withdrawn", "never_given"], axis=1)
    counts.insert(0, "sent", counts.sum(axis=1))
    return counts.assign(share_without=1 - counts["given"] / counts["sent"])


def _check_ledger(consents):
    columns = ["customer_ref", "purpose", "action", "recorded_at", "method", "notice_version"]
    missing = [column for column in columns if column not in consents]
    if missing:
        raise ValueError(f"The consent ledger lacks {', '.join(missing)}; it has {', '.join(consents.columns)}")
    wrong = sorted(set(consents["action"]) - {"given", "withdrawn"})
    if wrong:
        raise ValueError(f"An action must be given or withdrawn; the ledger also says {', '.join(map(repr, wrong))}")
    return consents[columns].sort_values("recorded_at", kind="stable")
