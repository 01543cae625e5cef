"""The house style of the course's pictures, and the few charts that several chapters share.

Colours are told apart by colour-blind readers, and lines differ in dash and marker, areas in hatch, so that a grey
print still shows which is which. A small Chinese font is part of the package: labels such as 客户 are drawn on every
machine. Each chart draws a table as the chapters make it, and returns the axes, so that you can add to the picture::

    style     use_house_style, and the colours, dashes, markers and hatches
    bars      bar, stacked_bar, intervals
    curves    lines, forecast, threshold_curve, pareto
    fields    scatter, radar, heatmap, cohort_heatmap
    judging   calibration, profit

Every name can be used from here: ``from cimlab import plots``, then ``plots.bar(...)``.
"""

from cimlab.plots.bars import bar, intervals, stacked_bar
from cimlab.plots.curves import forecast, lines, pareto, threshold_curve
from cimlab.plots.fields import cohort_heatmap, heatmap, radar, scatter
from cimlab.plots.judging import calibration, profit
from cimlab.plots.style import DASHES, FONT_FAMILY, FONT_FILE, HATCHES, MARKERS, PALETTE, use_house_style

__all__ = [
    "DASHES",
    "FONT_FAMILY",
    "FONT_FILE",
    "HATCHES",
    "MARKERS",
    "PALETTE",
    "bar",
    "calibration",
    "cohort_heatmap",
    "forecast",
    "heatmap",
    "intervals",
    "lines",
    "pareto",
    "profit",
    "radar",
    "scatter",
    "stacked_bar",
    "threshold_curve",
    "use_house_style",
]
