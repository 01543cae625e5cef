"""What the explorers of `cimlab.widgets` share: controls above a picture that follows them."""

import base64
import html
from functools import partial

import ipywidgets
from IPython.display import display
from matplotlib.figure import Figure

from cimlab.plots.style import as_png, house_style

STILL = "To move the controls, open this notebook in JupyterLab and run the cell."
LOOK = {"style": {"description_width": "130px"}, "layout": {"width": "440px"}}  # of a control with its label
# The picture that stands still gives way where the one that moves is on the page. Where JupyterLab has no kernel that
# knows the controls, it writes an error in their place: a reader who only reads is spared it.
_STYLE = """<style>
:is(.jp-OutputArea, .cell_output):has(.cimlab-live) .cimlab-still,
.jp-OutputArea-child:has(+ .jp-OutputArea-child .cimlab-still):not(:has(.cimlab-live)) {display: none}
</style>"""
# While a slow choice is worked out, the old picture is pale.
_PALE = "<style>.cimlab-busy {opacity: 0.4}</style>"


class Explorer(ipywidgets.VBox):
    """Controls above a sentence and a picture that follow them.

    Parameters
    ----------
    controls : dict of str to ipywidgets.Widget
        What the reader moves, by name. All work with the keyboard: Tab to reach one, arrow keys to move it.
    draw : function
        Takes the axes to draw on, and the values of the controls by their names; returns a sentence.
    follow : function, optional
        Takes the name of the control that was moved, and sets the others that depend on it.

    Attributes
    ----------
    controls : dict of str to ipywidgets.Widget
        ``explorer.controls["threshold"].value = 0.5`` moves the control as a hand does.
    sentence : str
        The numbers in words, for the present choice; also the alternative text of the picture.
    picture : bytes
        The picture for the present choice, as a PNG.

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> def draw(ax, sales):
    ...     plots.bar(pd.Series({"shop": sales}), "Sales", "CNY", ax=ax)
    ...     return f"The shop sold goods for {sales} CNY."
    >>> explorer = Explorer({"sales": ipywidgets.IntSlider(value=5, description="Sales")}, draw)
    >>> explorer.controls["sales"].value = 8
    >>> explorer.sentence
    'The shop sold goods for 8 CNY.'
    """

    def __init__(self, controls, draw, follow=None):
        self.controls, self._draw, self._follow = controls, draw, follow
        self._view, self._busy = ipywidgets.HTML(), False
        super().__init__([*controls.values(), self._view])
        self.add_class("cimlab-live")
        self._show()
        for name, control in controls.items():
            control.observe(partial(self._moved, name), names="value")

    def _moved(self, name, _):
        if self._busy:  # the controls that follow another one move too, but one picture is enough
            return
        self._busy = True
        self._view.add_class("cimlab-busy")
        try:
            if self._follow is not None:
                self._follow(name)
            self._show()
        finally:
            self._view.remove_class("cimlab-busy")
            self._busy = False

    def _show(self):
        # Not pyplot's figure: no window, nothing that the notebook would show once more below the cell.
        with house_style():
            figure = Figure(figsize=(8, 4.5), layout="constrained")
            values = {name: control.value for name, control in self.controls.items()}
            self.sentence = self._draw(figure.subplots(), **values)
            self.picture = as_png(figure)
        self._view.value = _PALE + self._page()

    def _page(self):
        """Return the sentence and the picture as HTML."""
        # As wide as a figure of the notebook's own.
        words, data = html.escape(self.sentence), base64.b64encode(self.picture).decode("ascii")
        image = f'<img alt="{words}" src="data:image/png;base64,{data}" style="width: 800px; max-width: 100%">'
        return f'<p style="max-width: 800px; line-height: 1.4; margin: 6px 0">{words}</p>{image}'

    def _ipython_display_(self):
        """Show the explorer, and after it the picture that stands still."""
        live = self._repr_mimebundle_()
        display({**live, "text/plain": "", "text/html": "<!-- the controls of an explorer -->"}, raw=True)
        still = f'{_STYLE}<div class="cimlab-still">{self._page()}<p><em>{STILL}</em></p></div>'
        png = base64.b64encode(self.picture).decode("ascii")
        display({"text/html": still, "image/png": png, "text/plain": f"{self.sentence} {STILL}"}, raw=True)
