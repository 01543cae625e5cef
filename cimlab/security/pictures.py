"""Pictures of a drill and of an incident: lines of time."""

from cimlab.analysis.columns import need
from cimlab.security.backup_drill import read_disaster


def draw_drill(backups, disaster, choice, title="Which backup, and what is lost", ax=None):
    """Draw the day: the backups, the moment of the fault, and the hours that are lost.

    Parameters
    ----------
    backups : pandas.DataFrame
        As `play_day` returns them.
    disaster, choice : dict
        As in `choose_backup`.
    title : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    from cimlab.plots.style import PALETTE, axes_for, set_title

    kind, made, noticed = read_disaster(disaster)
    ax = axes_for(ax, figsize=(8, 3.2))
    zero = made.normalize()

    def hours(moment):
        return (moment - zero).total_seconds() / 3600

    for row in backups.itertuples():
        good = row.backup == choice["backup"]
        wide = max(0.25, hours(row.finished_at) - hours(row.starts_at))
        shade = PALETTE[0] if good else "#BBBBBB"
        ax.barh(row.backup, wide, left=hours(row.starts_at), height=0.5, color=shade, edgecolor="#333333")
        says = "chosen" if good else choice["rejected"].get(row.backup, "older than the chosen one")
        side = {"ha": "left"} if hours(row.starts_at) < 12 else {"ha": "right"}
        at = hours(row.starts_at) + wide + 0.3 if side["ha"] == "left" else hours(row.starts_at) - 0.3
        ax.text(at, row.backup, says, va="center", **side, bbox={"color": "white", "pad": 1}, zorder=3)
    stopped = noticed if kind == "delete" else made
    if choice["backup"] is not None:
        lost = (hours(choice["starts_at"]), hours(stopped))
        ax.axvspan(*lost, color=PALETTE[1], alpha=0.25, zorder=0, label=f"work lost: {choice['hours_lost']:.1f} hours")
    ax.axvline(hours(made), color="black", linewidth=2, label=f"{kind}: made")
    if noticed > made:
        ax.axvline(hours(noticed), color="black", linestyle="--", linewidth=2, label="noticed")
    ax.set(xlim=(0, max(24, hours(noticed) + 1)), xlabel=f"Hour of {zero:%d %B %Y}")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=3)
    set_title(ax, title)
    return ax


def draw_incident(steps, clocks, title="From finding to learning", ax=None):
    """Draw the steps of an incident on one line of time, and the deadlines that ran.

    Parameters
    ----------
    steps, clocks : pandas.DataFrame
        As `incident_timeline` returns them. Deadlines of 0 hours ("immediately") are not drawn.
    title : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from cimlab.security import incident_timeline
    >>> draw_incident(*incident_timeline({"found": "2026-06-30 08:00"})).get_xlabel()
    'Hours since it was found'
    """
    from cimlab.plots.style import PALETTE, axes_for, set_title

    need(steps, ["step", "at", "hours"], "table of steps")
    ax = axes_for(ax, figsize=(8, 3.4))
    found = steps["at"].iloc[0]
    late = clocks[clocks["kept"].notna()]
    due = (late["due_at"] - found).dt.total_seconds() / 3600
    end = max([24.0, *steps["hours"], *due]) * 1.12
    ax.hlines(0, 0, end, color="#333333", linewidth=1)
    ax.plot(steps["hours"], [0] * len(steps), "o", color=PALETTE[0], markersize=8)
    for number, (step, hours) in enumerate(zip(steps["step"], steps["hours"], strict=True)):
        height = 1.25 - 0.2 * number  # a later stalk stays below the words of an earlier one
        ax.vlines(hours, 0, height, color="#999999", linewidth=1)
        ax.text(hours, height, f" {step}, {hours:.0f} h ", va="center", ha="right" if hours > 0.8 * end else "left")
    for number, (hours, law, article, kept) in enumerate(
        zip(due, late["law"], late["article"], late["kept"], strict=True)
    ):
        ax.plot([hours, hours], [-0.15, 0.15], linestyle="-", color="#8A3B00", linewidth=3)
        ax.text(
            hours,
            -0.4 - 0.3 * number,
            f"{law} {article}: {hours:.0f} h, {'kept' if kept else 'missed'}",
            ha="right" if hours > end / 2 else "left",
            color="#8A3B00",
        )
    ax.set(xlim=(-end * 0.02, end), ylim=(-1.2, 1.4), yticks=[], xlabel="Hours since it was found")
    ax.grid(False)
    ax.spines["left"].set_visible(False)
    set_title(ax, title)
    return ax
