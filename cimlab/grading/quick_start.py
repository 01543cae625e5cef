"""What the instructor's commands do without, so that they begin sooner."""

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
