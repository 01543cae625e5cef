"""The course's explorers: move a control and see at once what a decision does.

Each returns an `Explorer`: controls, a sentence with the numbers, and a picture. Where nothing can be moved, as on a
printed page or in a notebook that was run by a program, the sentence and the picture of the first choice stand there
instead::

    explorers     threshold_explorer (chapter 3), forecast_explorer (chapter 5), rfm_explorer (chapter 6)
    clusters      cluster_explorer (chapter 9)
    profit        profit_explorer (chapter 10)
    choice        choice_explorer (chapter 17)
"""

from cimlab._lazy import lazy_names

_HOME = {
    "choice": ["choice_explorer"],
    "clusters": ["cluster_explorer"],
    "explorers": ["forecast_explorer", "rfm_explorer", "threshold_explorer"],
    "profit": ["profit_explorer"],
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOME)
