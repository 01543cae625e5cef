"""What a student must not see in the feedback: hidden tests, mark schemes, and the code of a test in a traceback."""

from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, NbGraderPreprocessor
from nbgrader.utils import is_grade, is_locked, is_task

# The errors whose traceback is nothing but a sentence (see checks.CheckFailed, execute and nbgrader_config.py).
SENTENCES = {"CheckFailed", "KernelDied", "NotRun", "TimeUp"}


class HideTests(NbGraderPreprocessor):
    """Take hidden tests and mark schemes out of the cells that nbgrader itself wrote, and cut their tracebacks.

    Only those cells: nbgrader's own preprocessors stop at a student's cell that happens to hold the marker words.
    """

    def preprocess(self, nb, resources):
        tests, scheme = ClearHiddenTests(parent=self), ClearMarkScheme(parent=self)
        for index, cell in enumerate(nb.cells):
            if is_task(cell):
                scheme.preprocess_cell(cell, resources, index)
            elif is_grade(cell) and is_locked(cell):
                tests.preprocess_cell(cell, resources, index)
                cut_tracebacks(cell)
        return nb, resources


def cut_tracebacks(cell):
    """Leave the last sentence of each error of a test cell, not the lines of code that led to it.

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_output
    >>> error = new_output("error", ename="KeyError", evalue="'phone'", traceback=["--> secret['phone']", "KeyError"])
    >>> cell = new_code_cell(outputs=[error])
    >>> cut_tracebacks(cell)
    >>> cell.outputs[0].traceback
    ["KeyError: 'phone'"]
    """
    for output in cell.get("outputs", []):
        if output.output_type == "error" and output.ename not in SENTENCES:
            output.traceback = [f"{output.ename}: {output.evalue}".removesuffix(": ")]
