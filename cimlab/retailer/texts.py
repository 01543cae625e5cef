"""Columns of texts: what the operations of the dirt are built from.

An operation takes `(values, numbers, cells)`, see `forms`. Here are the wrappers that make one of a function of a
single text, and the few things that pyarrow does not do with whole columns.
"""

from functools import cache, wraps

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cimlab.retailer.draws import read_settings, split_entries

# --- whole columns -------------------------------------------------------------------------------------------------


def as_text(values):
    """Return a column as a StringArray that has null where it is blank."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.DictionaryArray) or values.type != pa.string():
        values = values.cast(pa.string())
    empty = is_empty(values)
    return put(values, [], empty) if int(empty.sum()) > values.null_count else values


def is_empty(values):
    """Return True where a text is null or blank."""
    if not len(values):
        return np.zeros(0, dtype=bool)
    offsets = np.frombuffer(values.buffers()[1], dtype=np.int32)[values.offset : values.offset + len(values) + 1]
    empty = offsets[1:] == offsets[:-1]
    return empty | values.is_null().to_numpy(zero_copy_only=False) if values.null_count else empty


def put(values, pieces, empty=None):
    """Return a column with (positions, texts) put in their places, and null where `empty`."""
    if not pieces and empty is None:
        return values
    index, end = np.arange(len(values)), len(values)
    for rows, texts in pieces:
        index[rows] = np.arange(end, end + len(texts))
        end += len(texts)
    return pa.concat_arrays([values, *(texts for _, texts in pieces)]).take(pa.array(index, mask=empty))


def differ(first, second):
    """Return True where two columns differ; null and null are the same."""
    if first.null_count or second.null_count:
        first, second = pc.fill_null(first, ""), pc.fill_null(second, "")
    return pc.not_equal(first, second).to_numpy(zero_copy_only=False)


def detail(name):
    """Return one of the details of single operations in `dirt.yaml`."""
    return read_settings("dirt")["details"][name]


# --- operations ----------------------------------------------------------------------------------------------------


def fact(cells, name):
    """Return what is known of each cell under that name, or None where nobody knows it.

    Parameters
    ----------
    cells : dict
        `rows` (positions in the records), `facts` (arrays over all records, or functions of positions), `texts` (the
        columns that facts may be read from: the clean names under `name`).
    name : str
        Name of the fact. Surnames and readings that nobody gave are read from the name itself.
    """
    known = cells["facts"].get(name)
    if callable(known):
        return known(cells["rows"])
    if known is not None:
        return known.take(pa.array(cells["rows"])) if isinstance(known, pa.Array) else known[cells["rows"]]
    if name in ("surname", "surname_pinyin", "given_syllables"):
        names = cells["texts"]["name"].take(pa.array(cells["rows"])).to_pylist()
        return pa.array([read_name(text)[name] for text in names], pa.string())
    return None


def each(*names):
    """Make an operation of a function of one text: function(value, number, one value of each fact)."""

    def wrap(function):
        @wraps(function)
        def operation(values, numbers, cells):
            facts = [listed(fact(cells, name), len(values)) for name in names]
            return pa.array(list(map(function, values.to_pylist(), numbers.tolist(), *facts)), pa.string())

        return operation

    return wrap


def listed(values, count):
    """Return the values of a fact as a list; a list of None where nobody knows them."""
    return [None] * count if values is None else values.to_pylist() if hasattr(values, "to_pylist") else values.tolist()


def by_word(function):
    """Make an operation of a function of one text for a column that holds few different ones."""

    @wraps(function)
    def operation(values, numbers, cells):
        words = values.dictionary_encode()
        return pa.array([function(word) for word in words.dictionary.to_pylist()], pa.string()).take(words.indices)

    return operation


def pattern(text):
    """Make an operation that writes the characters of a number (of a date) in another order with others between them.

    In the pattern, `a` is the first character, `b` the second and so on; a capital stands for a character that is left
    out if it is a zero; all else is written as it is. `ij/fg/abcd` writes 1987-05-12 as 12/05/1987.
    """
    slots = [(None, byte) if not "a" <= character.lower() <= "r" else (character, None)
             for character in text for byte in character.encode()]  # fmt: skip

    def operation(values, numbers, cells):
        matrix, lengths = byte_matrix(values)
        out = np.empty((len(values), len(slots)), dtype=np.uint8)
        keep = np.ones(out.shape, dtype=bool)
        for place, (letter, byte) in enumerate(slots):
            if letter is None:
                out[:, place] = byte
                continue
            at = ord(letter.lower()) - ord("a")
            if at >= matrix.shape[1]:
                keep[:, place] = False
                continue
            out[:, place] = matrix[:, at]
            keep[:, place] = lengths > at
            if letter.isupper():
                keep[:, place] &= matrix[:, at] != ord("0")
        return from_bytes(out, keep)

    return operation


def byte_matrix(values):
    """Return the texts as a matrix of bytes, one row a text, and their lengths."""
    offsets = np.frombuffer(values.buffers()[1], dtype=np.int32)[values.offset : values.offset + len(values) + 1]
    data = np.frombuffer(values.buffers()[2], dtype=np.uint8)
    lengths = np.diff(offsets)
    width = int(lengths.max())
    if (lengths == width).all():
        return data[offsets[0] : offsets[-1]].reshape(-1, width), lengths
    places = np.minimum(offsets[:-1, None] + np.arange(width), len(data) - 1)
    return data[places], lengths


def from_bytes(matrix, keep):
    """Return texts of the bytes of each row of a matrix that are kept."""
    offsets = np.zeros(len(matrix) + 1, dtype=np.int32)
    np.cumsum(keep.sum(axis=1), out=offsets[1:])
    return pa.StringArray.from_buffers(len(matrix), pa.py_buffer(offsets), pa.py_buffer(matrix[keep]))


def join(*parts):
    """Return the parts one behind the other, text by text; a part may be one text for all."""
    return pc.binary_join_element_wise(*parts, "")


@cache
def surname_readings():
    """Return the reading of each surname."""
    return {surname: reading for surname, reading, _ in split_entries(read_settings("names")["surnames"])}


@cache
def character_readings():
    """Return the reading of each character of a given name."""
    entries = split_entries(read_settings("names")["pinyin"])
    return {character: reading for reading, characters in entries for character in characters}


def read_name(name):
    """Return surname, its reading, and the syllables of the given name, of a Chinese name.

    >>> read_name("欧阳静")
    {'surname': '欧阳', 'surname_pinyin': 'ouyang', 'given_syllables': 'jing'}
    """
    surname = name[:2] if len(name) > 2 and name[:2] in surname_readings() else name[:1]
    readings = character_readings()
    syllables = " ".join(readings.get(character, character) for character in name[len(surname) :])
    return {
        "surname": surname,
        "surname_pinyin": surname_readings().get(surname, readings.get(surname, surname)),
        "given_syllables": syllables,
    }
