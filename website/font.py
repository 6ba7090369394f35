"""A font for formulas: without one, brackets and roots do not grow with what they hold (Android, Linux)."""

from importlib.resources import files
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

#: Latin, Greek, signs, arrows, operators, letters of mathematics.
_RANGES = ((0x20, 0x24F), (0x300, 0x3FF), (0x2000, 0x23FF), (0x27C0, 0x27FF), (0x2900, 0x2AFF), (0x1D400, 0x1D7FF))


def write_font(path: Path) -> None:
    """Write STIX Two Math (OFL-1.1, its notice inside), cut down to what formulas need, as WOFF."""
    with files("ziamath").joinpath("fonts/STIXTwoMath-Regular.ttf").open("rb") as source:
        font = TTFont(source)
        subsetter = subset.Subsetter(subset.Options(layout_features=["ssty"], hinting=False, name_IDs=["*"]))
        subsetter.populate(unicodes=[code for first, last in _RANGES for code in range(first, last + 1)])
        subsetter.subset(font)
        font.flavor = "woff"
        font.save(path)
