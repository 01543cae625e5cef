"""Make the small Chinese font that the pictures use: cimlab/fonts/cimlabSansSC-Regular.otf (about 2 MB).

    python tools/make_font.py [NotoSansCJK-Regular.ttc]

Takes Noto Sans CJK SC (Debian: apt install fonts-noto-cjk; SIL Open Font License 1.1), keeps the 6,763 simplified
characters of GB 2312, the 5,401 common traditional ones of Big 5, Latin letters, Greek, punctuation and full-width
forms, and gives it a name of its own, as a changed font should have. Same font in, same bytes out. Needs fontTools,
which comes with Matplotlib.
"""

import sys
from itertools import product
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
TARGET = ROOT / "cimlab" / "fonts" / "cimlabSansSC-Regular.otf"
FAMILY = "cimlab Sans SC"
# numbers of the entries of a font's table of names
COPYRIGHT, FAMILY_ID, STYLE, UNIQUE, FULL, VERSION, POSTSCRIPT = range(7)
DESCRIPTION, LICENCE, ADDRESS = 10, 13, 14
# Latin, Greek, punctuation, arrows, full-width forms
RANGES = ((0x20, 0x7E), (0xA0, 0x17F), (0x391, 0x3C9), (0x2010, 0x203B), (0x2190, 0x2193), (0xFF01, 0xFF5E))
# minus and the like on axes, and characters that neither list holds
SINGLE = "−×÷≈≠≤≥±√∑∞·€¥￥镕堃喆昇祎玥珺玙翀頔淼犇麴仝仉焗"


def characters():
    """Return the code points to keep."""
    simplified = [bytes(pair).decode("gb2312", "ignore") for pair in product(range(0xA1, 0xF8), range(0xA1, 0xFF))]
    common = [bytes(pair).decode("big5", "ignore") for pair in product(range(0xA4, 0xC7), range(0x40, 0xFF))]
    kept = set(map(ord, "".join(simplified + common)))
    for first, last in RANGES:
        kept.update(range(first, last + 1))
    kept.update(map(ord, SINGLE))
    # every character that the retailer may use, in whatever edition
    for settings in (ROOT / "cimlab" / "retailer").glob("*.yaml"):
        kept.update(
            ord(character) for character in settings.read_text(encoding="utf-8") if "\u3400" <= character <= "\u9fff"
        )
    return kept


def rename(font):
    """Give the font its own family name, and say in it what it was made from."""
    names = font["name"]
    original = names.getDebugName(FULL)
    text = {
        COPYRIGHT: names.getDebugName(COPYRIGHT),
        FAMILY_ID: FAMILY,
        STYLE: "Regular",
        UNIQUE: "cimlabSansSC-Regular;1.000",
        FULL: FAMILY,
        VERSION: "Version 1.000",
        POSTSCRIPT: "cimlabSansSC-Regular",
        DESCRIPTION: f"A subset of {original}, {names.getDebugName(VERSION)}, made for the pictures of cimlab.",
        LICENCE: names.getDebugName(LICENCE),
        ADDRESS: names.getDebugName(ADDRESS),
    }
    names.names = []
    for identifier, value in text.items():
        names.setName(value, identifier, 3, 1, 0x409)
    cff = font["CFF "].cff
    cff.fontNames = [text[POSTSCRIPT]]
    top = cff.topDictIndex[0]
    top.FullName, top.FamilyName, top.Notice = text[FULL], FAMILY, text[COPYRIGHT]


def make(source, target):
    """Write the subset of `source` to `target`."""
    collection = TTCollection(source)
    font = next(font for font in collection.fonts if font["name"].getDebugName(1) == "Noto Sans CJK SC")
    options = subset.Options(layout_features=["kern"], hinting=False, name_IDs=["*"], notdef_outline=True)
    font.recalcTimestamp = False
    options.drop_tables += ["BASE", "VORG", "vhea", "vmtx"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters())
    subsetter.subset(font)
    rename(font)
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_suffix(".tmp")
    font.save(new, reorderTables=True)
    new.replace(target)


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE
    if not path.exists():
        sys.exit(f"{path} is not there. Debian: apt install fonts-noto-cjk; elsewhere give the path of the .ttc file.")
    make(path, TARGET)
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size / 1e6:.2f} MB\n")
