"""What makes the instructor's commands quick, and changes nothing in what comes out."""

import contextlib
import sys


def spare_address_parsers():
    """Have jsonschema, which nbformat imports, do without the library that checks internationalised web addresses.

    That library makes 38 parsers while it is imported: 1.3 s of a processor, more than all of nbgrader, in each command
    and each process that grades. No schema of a notebook asks for such an address; jsonschema is content without it.
    To be called before nbformat is imported; afterwards nothing changes.

    Examples
    --------
    >>> spare_address_parsers()
    """
    sys.modules.setdefault("rfc3987_syntax", None)


@contextlib.contextmanager
def warm_kernels(source):
    """Start a process that has a lab's libraries imported and its first cells run: kernels are forked from it.

    Parameters
    ----------
    source : dict of str to nbformat.NotebookNode
        The notebooks of the lab.

    Yields
    ------
    dict
        The environment variables by which the kernels of a process are forked from it; empty where that cannot be had.

    Examples
    --------
    >>> with warm_kernels({}) as variables:
    ...     set(variables) <= {"CIMLAB_ZYGOTE", "JUPYTER_DEFAULT_PROVISIONER_NAME"}
    True
    """
    from cimlab.grading.grade_zygotes import common_cells, student_imports
    from cimlab.grading.zygote import NAME, VARIABLE, lab_imports, start_zygote, warm_available

    if warm_available() is not None:
        yield {}
        return
    notebooks = list(source.values())
    imports = [statement for notebook in notebooks for statement in lab_imports(notebook)]
    try:
        zygote = start_zygote(student_imports(common_cells(notebooks), dict.fromkeys(imports)))
    except RuntimeError:  # then each kernel begins anew, and it takes longer
        yield {}
        return
    with contextlib.closing(zygote):
        yield {VARIABLE: zygote.path, "JUPYTER_DEFAULT_PROVISIONER_NAME": NAME}
