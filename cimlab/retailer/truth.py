"""The door to the truth, for tests and instructors; a student's kit has no truth."""

from pathlib import Path

from cimlab import datasets


def read_truth(name, folder=None):
    """Load one table of the truth.

    Parameters
    ----------
    name : str
        `entity_map` (which record is whose), `persons`, `traits`, `ledger` (every typed cell that is wrong) and others;
        the README of the folder lists them.
    folder : path-like, optional
        Folder of the truth, in CSV or Parquet; that of the checkout if not given.

    Returns
    -------
    pandas.DataFrame
        Typed as `cimlab.load` types a table.

    Raises
    ------
    FileNotFoundError
        If the truth is not there: it is neither in a student's kit nor in an installed package.
    ValueError
        If there is no such table, or a file is damaged.

    Examples
    --------
    >>> read_truth("entity_map").columns.tolist()
    ['record_id', 'person_id', 'household_id']
    """
    folder = Path(__file__).resolve().parents[2] / "truth" if folder is None else Path(folder)
    if not (folder / datasets.DESCRIPTOR).is_file():
        raise FileNotFoundError(
            f"The truth is not in {folder}. It comes with a checkout of the repository only; "
            "for an edition of your own make it with `cimlab generate OUT --truth DIR` and name that folder."
        )
    return datasets.read_table(folder, datasets.find_resource(datasets.read_descriptor(folder), name))
