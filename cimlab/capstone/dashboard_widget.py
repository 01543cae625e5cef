"""The dashboard (仪表板) of a finished customer database: what a manager opens on Monday morning.

It works in a notebook, and as a page of its own under voila. Everything is read from one SQLite file; names and numbers
come through the door of a role (`security.open_as`), so that the page never holds what the role may not see.
"""

from contextlib import contextmanager
from pathlib import Path

import ipywidgets
from IPython.display import display

from cimlab.capstone import dashboard_groups as groups
from cimlab.capstone import dashboard_pages as pages
from cimlab.capstone import dashboard_tables as tables

STILL = "To search, and to see more than these figures, run this notebook in JupyterLab, or give the command "
TABS = ["Customer 客户统一视图", "Quality 数据质量", "Consent 同意", "Segments 分群"]
# The picture that stands still gives way where the live one is on the page (as in `cimlab.widgets`).
_GIVE_WAY = """<style>
:is(.jp-OutputArea, .cell_output, body):has(.cimlab-live) .cimlab-still,
.jp-OutputArea-child:has(+ .jp-OutputArea-child .cimlab-still):not(:has(.cimlab-live)) {display: none}
.cimlab-busy {opacity: 0.4}
</style>"""


def dashboard(base, products=None, roles=("manager", "service")):
    """Show a finished customer database.

    Parameters
    ----------
    base : str or pathlib.Path
        A SQLite file with the tables customer_file, customer_source and transactions; and, if they are there,
        transaction_lines, consent_state, lineage, quality_report, labels (customer_id, label, weight, source) and
        segments (customer_id, segment).
    products : pandas.DataFrame, optional
        product_id, category: for the labels that speak of what somebody likes to buy.
    roles : sequence of str
        Who may look, of `VIEWERS`; the first is chosen at the beginning. With one role there is nothing to choose: so a
        page is given to those who may not see more.

    Returns
    -------
    Dashboard
        A widget. Its ``controls`` are role, search, customer, tab, purpose and view.

    Raises
    ------
    FileNotFoundError, ValueError
        The file is not there, or lacks a table; there is no such role.

    References
    ----------
    Few, S. (2006). Information Dashboard Design. O'Reilly: the few figures that matter, at one look.

    Examples
    --------
    >>> import sqlite3
    >>> import tempfile
    >>> from contextlib import closing
    >>> script = '''
    ...     CREATE TABLE customer_file (customer_id, name); INSERT INTO customer_file VALUES ('K1', '李明');
    ...     CREATE TABLE customer_source (record_id, source, customer_id); INSERT INTO customer_source
    ...     VALUES ('M1', 'till', 'K1'); CREATE TABLE transactions (order_id, customer_id, channel, ordered_at, amount);
    ...     INSERT INTO transactions VALUES ('o1', 'K1', 'till', '2026-06-30 10:00', 9.9);'''
    >>> with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(f"{folder}/base.db")) as door:
    ...     _ = door.executescript(script)
    ...     board = dashboard(f"{folder}/base.db")
    >>> board.controls["customer"].options
    (('K1 · 李*', 'K1'),)
    """
    return Dashboard(base, products, roles)


class Dashboard(ipywidgets.VBox):
    """The figures at the top, and four tabs below. A tab is drawn when it is opened for the first time."""

    def __init__(self, base, products=None, roles=("manager", "service")):
        unknown = [role for role in roles if role not in tables.VIEWERS]
        if unknown or not roles:
            raise ValueError(f"there is no role {(unknown or ['at all'])[0]!r}; there are: {', '.join(tables.VIEWERS)}")
        self._base, self._products = base, products
        self._tables = tables.read_base(base)
        self._day = tables.last_day(self._tables)
        self._rows, self._kept, self._busy = {}, {}, False
        told = f"<p>Read from {Path(base).name}; the last day is {self._day.date()}.</p>"
        self._head = pages.tiles(tables.head_figures(self._tables)) + told
        self.controls = _make_controls(list(roles), self._tables)
        self._views = [ipywidgets.HTML() for _ in TABS]
        self._count = ipywidgets.HTML()
        tab = self.controls["tab"]
        tab.children = [self._customer_tab(), *self._other_tabs()]
        tab.titles = TABS
        super().__init__([ipywidgets.HTML(pages.STYLE + _GIVE_WAY + self._head), tab])
        self.add_class("cimlab-live")
        self.add_class("cimlab-board")
        self._find()
        self.controls["customer"].value = self._first_customer()
        self._show_customer()
        self._listen()

    def _customer_tab(self):
        role = [self.controls["role"]] if len(self.controls["role"].options) > 1 else []
        left = [*role, self.controls["search"], self._count, self.controls["customer"]]
        layout = ipywidgets.Layout(flex="0 0 270px", margin="0 18px 0 0")
        box = ipywidgets.Layout(flex_flow="row wrap", align_items="flex-start")
        right = ipywidgets.Box([self._views[0]], layout=ipywidgets.Layout(flex="1 1 480px", min_width="0"))
        return ipywidgets.Box([ipywidgets.VBox(left, layout=layout), right], layout=box)

    def _other_tabs(self):
        yield ipywidgets.VBox([self._views[1]])
        yield ipywidgets.VBox([self.controls["purpose"], self._views[2]])
        yield ipywidgets.VBox([self.controls["view"], self._views[3]])

    def _listen(self):
        """From here on the page follows the hand."""
        moves = {
            "role": self._change_role,
            "search": self._search,
            "customer": self._show_customer,
            "purpose": lambda: self._show_tab(2),
            "view": lambda: self._show_tab(3),
        }
        for name, move in moves.items():
            self.controls[name].observe(lambda _, move=move: move(), names="value")
        self.controls["tab"].observe(lambda change: self._open_tab(change["new"]), names="selected_index")

    def _see(self, role=None):
        """Return the customer file as a role sees it, by default the chosen one."""
        role = role or self.controls["role"].value
        if role not in self._rows:
            self._rows[role] = tables.read_as(self._base, role, self._day)
        return self._rows[role]

    def _keep(self, name, make):
        """Work something out once."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def _behaviour(self):
        return self._keep("behaviour", lambda: groups.behaviour(self._tables))

    def _segments(self):
        def make():
            own = self._tables["segments"]
            if own is not None:
                return own.drop_duplicates("customer_id").set_index("customer_id")["segment"]
            return groups.find_segments(self._behaviour())

        return self._keep("segments", make)

    def _labels(self):
        own = self._tables["labels"]
        return self._keep("labels", lambda: groups.find_labels(self._tables, self._products) if own is None else own)

    def _first_customer(self):
        """Choose whom to show first: of those who agreed to a profile, one who bought much in this year."""
        agreed = tables.given(self._tables, "profiling")
        year = tables.last_year(self._tables)
        year = year[year["customer_id"].isin(agreed)] if agreed else year
        spent = year.dropna(subset="customer_id").groupby("customer_id")["amount"].sum().sort_values(ascending=False)
        first = spent.index[0] if len(spent) else self._see()["customer_id"].iloc[0]
        self._offer(first)
        return first

    def _offer(self, customer_id):
        """Put a customer at the head of the list who is not in it."""
        customer = self.controls["customer"]
        if customer_id not in [value for _, value in customer.options]:
            customer.options = [(self._name(customer_id), customer_id), *customer.options]

    def _name(self, customer_id):
        row = self._see().set_index("customer_id").loc[customer_id]
        told = [row.get(column) for column in ("name", "city")]
        return " · ".join([customer_id, *(str(part) for part in told if isinstance(part, str))])

    def _find(self):
        """Fill the list with those who are found."""
        found, count = tables.find_customers(self._see(), self.controls["search"].value)
        columns = [found["customer_id"], *(found[name] for name in ("name", "city") if name in found)]
        names = [" · ".join(part for part in row if isinstance(part, str)) for row in zip(*columns, strict=True)]
        chosen = self.controls["customer"].value
        with self._quietly():
            self.controls["customer"].options = list(zip(names, found["customer_id"], strict=True))
            self.controls["customer"].value = chosen if chosen in set(found["customer_id"]) else None
        more = f"; the first {len(found)}:" if count > len(found) else "" if count else ": try fewer letters"
        self._count.value = f"<p>{count:,} found{more}</p>"
        return found["customer_id"].tolist(), count

    def _search(self):
        found, count = self._find()
        if count == 1:
            self.controls["customer"].value = found[0]

    def _change_role(self):
        shown = self._kept.get("shown")
        self._find()
        customer = self.controls["customer"]
        if shown and customer.value != shown:  # the card stays, though the search may not find it any more
            with self._quietly():
                self._offer(shown)
                customer.value = shown
        self._show_customer()

    @contextmanager
    def _quietly(self):
        """Change a control without a new picture for each step."""
        before, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = before

    def _show_customer(self):
        customer = self.controls["customer"].value
        if self._busy or customer is None:
            return
        self._kept["shown"] = customer
        with self._pale(0):
            agreed = tables.consent_of(self._tables, customer).get("profiling") == "given"
            known = (self._labels(), self._segments()) if agreed else (None, {})
            self._views[0].value = pages.card_page(
                customer,
                tables.card_values(self._see(), self._tables, customer),
                tables.consent_of(self._tables, customer),
                tables.profile_of(self._tables, *known, customer),
                tables.monthly_orders(self._tables, customer),
            )

    def _open_tab(self, number):
        if number and not self._views[number].value:
            self._show_tab(number)

    def _show_tab(self, number):
        with self._pale(number):
            self._views[number].value = [None, self._quality, self._consent, self._groups][number]()

    @contextmanager
    def _pale(self, number):
        """While a slow choice is worked out, the old page is pale; what goes wrong is said in its place."""
        self._views[number].add_class("cimlab-busy")
        try:
            yield
        except Exception as error:  # under voila nobody would see it
            self._views[number].value = pages.trouble(error)
        finally:
            self._views[number].remove_class("cimlab-busy")

    def _quality(self):
        if self._tables["quality_report"] is None:
            return _lacking("quality_report", tables.TABLES["quality_report"])
        return pages.quality_page(groups.quality_change(self._tables["quality_report"]))

    def _consent(self):
        purpose = self.controls["purpose"].value
        if purpose is None:
            return _lacking("consent_state", tables.TABLES["consent_state"])
        channels = groups.consent_by_channel(self._tables, purpose)
        ways = groups.reach(self._see("manager"), self._tables, purpose)
        return pages.consent_page(purpose, groups.consent_shares(self._tables), channels, ways)

    def _groups(self):
        told = groups.segment_table(self._behaviour(), self._segments())
        return pages.segment_page(told, self.controls["view"].value)

    def _ipython_display_(self):
        """Show the dashboard, and after it the figures that stand still."""
        display({**self._repr_mimebundle_(), "text/plain": "", "text/html": "<!-- a dashboard -->"}, raw=True)
        words = f"<p><em>{STILL}</em><code>python start.py dashboard</code><em>.</em></p>"
        still = f'<div class="cimlab-still cimlab-board">{self._head}{words}</div>'
        told = f"A dashboard. {STILL}python start.py dashboard."
        display({"text/html": f"{pages.STYLE}{_GIVE_WAY}{still}", "text/plain": told}, raw=True)


def _make_controls(roles, read):
    """Return what the reader moves, by name."""
    states = read["consent_state"]
    purposes = [] if states is None else sorted(states["purpose"].unique())
    wide, short = ipywidgets.Layout(width="262px"), {"description_width": "60px"}
    return {
        "role": ipywidgets.Dropdown(options=roles, value=roles[0], description="I am", layout=wide, style=short),
        "search": ipywidgets.Text(
            placeholder="number, name, city …", description="Search", layout=wide, style=short, continuous_update=True
        ),
        "customer": ipywidgets.Select(rows=16, layout=wide),
        "tab": ipywidgets.Tab(),
        "purpose": ipywidgets.Dropdown(options=purposes, description="Purpose", style=short),
        "view": ipywidgets.ToggleButtons(
            options=[("customers and revenue", "sizes"), ("what sets them apart", "profile")],
            value="sizes",
            style={"button_width": "auto"},
        ),
    }


def _lacking(name, columns):
    return f"<p>The base has no table {name} with the columns {', '.join(columns)}: make it, then open this again.</p>"
