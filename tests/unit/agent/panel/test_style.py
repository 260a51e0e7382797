"""The page's colours have enough contrast (WCAG AA), light and dark; the page loads nothing but its own files."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from agent.panel.server import STATIC

TEXT_ON = [
    ("ink", "ground"),
    ("ink", "surface"),
    ("ink", "sunken"),
    ("soft", "ground"),
    ("soft", "surface"),
    ("soft", "sunken"),
    ("soft", "good-tint"),
    ("soft", "bad-tint"),
    ("on-accent", "accent"),
    ("good", "surface"),
    ("good", "good-tint"),
    ("bad", "surface"),
    ("bad", "bad-tint"),
    ("warn", "surface"),
    ("warn", "warn-tint"),
    ("surface", "good"),
    ("surface", "bad"),
]
EDGES_ON = [("edge", "surface"), ("accent", "surface"), ("accent", "ground")]


def palettes() -> list[dict[str, str]]:
    """Light, then dark on top of it."""
    blocks = re.findall(r":root \{(.*?)\}", (STATIC / "panel.css").read_text(), re.DOTALL)
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in blocks)
    assert dark.keys() == light.keys()
    return [light, dark]


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[start:end], 16) / 255 for start, end in pairwise((1, 3, 5, 7))]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lower, upper = sorted((luminance(one), luminance(other)))
    return (upper + 0.05) / (lower + 0.05)


@pytest.mark.parametrize("palette", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_text_can_be_read(palette: int, text: str, ground: str) -> None:
    """4.5 to 1 for every pair in use."""
    colours = palettes()[palette]
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("palette", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), EDGES_ON)
def test_edges_of_controls_can_be_seen(palette: int, edge: str, ground: str) -> None:
    """3 to 1 for buttons' borders and the focus ring."""
    colours = palettes()[palette]
    assert contrast(colours[edge], colours[ground]) >= 3.0


@pytest.mark.parametrize("file", sorted(STATIC.iterdir()), ids=lambda file: file.name)
def test_files_name_nothing_on_the_internet(file: Path) -> None:
    """No address at all but the name of the SVG language."""
    text = file.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)
