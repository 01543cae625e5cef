"""The letters of a paper: a font that is made for one text, and holds just what the text needs.

A PDF carries its font, or it shows Chinese as boxes on another machine. ReportLab embeds outlines of the TrueType kind
only; the font that ships with cimlab holds the other kind (CFF). So each letter that the text uses is drawn anew here:
out of cimlab's font, and what that lacks (a rare character of a name) out of a font of this machine that may be
embedded.
"""

import io
import re
import unicodedata
from pathlib import Path

from cimlab.plots.style import FONT_FILE

FACES = {"regular": (0, 0.0), "bold": (34, 0.0), "italic": (0, 0.2), "bolditalic": (34, 0.2)}  # how thick, how slanted
# Looked through in this order for what cimlab's own font lacks. DejaVu Sans comes with matplotlib.
FALLBACKS = ["Noto Sans CJK SC", "Source Han Sans SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", "SimHei",
             "WenQuanYi Zen Hei", "Arial Unicode MS", "DejaVu Sans"]  # fmt: skip
NO_SHAPE = "\u3164"  # a letter that is not seen: it parts a mark of bold from a sign of punctuation
_NO_LETTERS = re.compile(f"[\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff{NO_SHAPE}]")  # they have no shape of their own
_UNITS = 1000
_DAY = 3_692_304_000  # 2021-01-01, in seconds since 1904


def plain_letters(text):
    """Leave out the signs that have no shape of their own, such as the one that asks for a coloured picture.

    Examples
    --------
    >>> len(plain_letters("✓\\ufe0f"))
    1
    """
    return _NO_LETTERS.sub("", text)


def is_wide(letter):
    """Tell whether a letter is as wide as a Chinese character.

    Examples
    --------
    >>> is_wide("客"), is_wide("。"), is_wide("k"), is_wide("")
    (True, True, False, False)
    """
    return bool(letter) and unicodedata.east_asian_width(letter) in "WF"


def language_of(words):
    """Tell which language a paper is in, "zh-CN" or "en", by most of its letters.

    Examples
    --------
    >>> language_of("客户 CRM 挽留"), language_of("Whom to keep (客户)")
    ('zh-CN', 'en')
    """
    return "zh-CN" if sum(map(is_wide, words)) > sum(letter.isalpha() for letter in words) / 2 else "en"


def make_letters(text, faces=("regular",)):
    """Draw the letters of a text as TrueType fonts.

    Parameters
    ----------
    text : str
    faces : iterable of str
        Of "regular", "bold", "italic", "bolditalic". The font that ships with cimlab has one thickness; a bold letter
        is the letter drawn twice, the second a little to the right.

    Returns
    -------
    fonts : dict of str to bytes
        Face → the font file.
    missing : list of str
        The letters that no font of this machine has: a box stands for each.

    Raises
    ------
    ValueError
        There is no such face.

    References
    ----------
    The OpenType specification, tables glyf and cmap. SIL Open Font License 1.1: a font may be embedded in a document.

    Examples
    --------
    >>> fonts, missing = make_letters("客户 A\\U0010ffff")
    >>> list(fonts), missing
    (['regular'], ['\\U0010ffff'])
    """
    unknown = [face for face in faces if face not in FACES]
    if unknown:
        raise ValueError(f"make_letters: no face {unknown[0]!r}; there are: {', '.join(FACES)}")
    letters = sorted({letter for letter in plain_letters(text) if not unicodedata.category(letter).startswith("C")})
    letters += sorted({letter for letter in text if unicodedata.category(letter) in ("Co", "Cn")})
    found = _find_letters(letters)
    fonts = {face: _build(found, *FACES[face], face) for face in faces}
    return fonts, [letter for letter in letters if letter not in found]


def _find_letters(letters):
    """Return letter → (font, name of the glyph in it), looking into the own font first."""
    from fontTools.ttLib import TTFont

    found, lacking = {}, list(letters)
    for path, number in [(FONT_FILE, -1), *_font_files()]:
        if not lacking:
            break
        try:
            font = TTFont(io.BytesIO(Path(path).read_bytes()), fontNumber=number, lazy=True)
            names = font.getBestCmap() if path == FONT_FILE or _may_embed(font) else {}
        except Exception:
            continue
        here = [letter for letter in lacking if ord(letter) in names]
        found |= {letter: (font, names[ord(letter)]) for letter in here}
        lacking = [letter for letter in lacking if letter not in found]
    return found


def _font_files():
    """Yield (file, number in the file) of the machine's fonts that may help, the most fitting first."""
    from matplotlib import font_manager

    known = [font for font in font_manager.fontManager.ttflist if font.name in FALLBACKS and font.style == "normal"]
    known.sort(key=lambda font: (FALLBACKS.index(font.name), abs(_weight(font.weight) - 400), font.fname))
    for font in known:
        collection = Path(font.fname).suffix.lower() in (".ttc", ".otc")
        yield font.fname, getattr(font, "index", 0) if collection else -1


def _weight(weight):
    return weight if isinstance(weight, int) else 400


def _may_embed(font):
    """Tell whether the maker of a font allows documents to carry it (OpenType, OS/2 fsType, bit 1)."""
    return not font["OS/2"].fsType & 0x2


def _build(found, thick, slant, face):
    """Return a TrueType font of these letters."""
    from fontTools.fontBuilder import FontBuilder

    glyphs, widths = {".notdef": _box()}, {".notdef": _UNITS}
    sets = {id(font): font.getGlyphSet() for font, _ in found.values()}
    names = {letter: f"u{ord(letter):05X}" for letter in found}
    for letter, (font, name) in found.items():
        scale = _UNITS / font["head"].unitsPerEm
        glyphs[names[letter]] = _draw(sets[id(font)], name, scale, thick, slant)
        widths[names[letter]] = round(sets[id(font)][name].width * scale)
    builder = FontBuilder(_UNITS, isTTF=True)
    builder.font.recalcTimestamp = False
    builder.updateHead(created=_DAY, modified=_DAY)  # the same bytes on any day
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap({ord(letter): name for letter, name in names.items()})
    builder.setupGlyf(glyphs)
    table = builder.font["glyf"]
    builder.setupHorizontalMetrics({name: (width, getattr(table[name], "xMin", 0)) for name, width in widths.items()})
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    own = f"cimlabPaper-{face}"
    builder.setupNameTable(
        {"familyName": "cimlab Paper", "styleName": face, "psName": own, "uniqueFontIdentifier": own}
    )
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120, usWinAscent=1160, usWinDescent=320, sCapHeight=733)
    builder.setupPost(keepGlyphNames=False)
    stream = io.BytesIO()
    builder.save(stream)
    return stream.getvalue()


def _draw(glyphs, name, scale, thick, slant):
    """Draw a letter with the curves that TrueType knows."""
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.filterPen import DecomposingFilterPen
    from fontTools.pens.transformPen import TransformPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    for shift in (0, thick) if thick else (0,):
        curves = Cu2QuPen(pen, max_err=1, reverse_direction=True)
        moved = TransformPen(curves, (scale, 0, slant * scale, scale, shift - thick / 2, 0))
        glyphs[name].draw(DecomposingFilterPen(moved, glyphs))
    return pen.glyph()


def _box():
    """Draw what stands for a letter that is missing: an empty box."""
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    for low, high, way in ((60, 940, 1), (110, 890, -1)):
        corners = [(low, low - 120), (low, high - 120), (high, high - 120), (high, low - 120)][::way]
        pen.moveTo(corners[0])
        for corner in corners[1:]:
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()
