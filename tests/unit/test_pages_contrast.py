"""The tokens of the look are readable: WCAG 2.2, 1.4.3 (text 4.5:1)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STYLES = Path(__file__).parents[2] / "static/css"
CSS = (STYLES / "tokens.css").read_text()
TEXT = 4.5

LIGHT_BLOCK = CSS[CSS.index(":root {") : CSS.index("@media")]
SYSTEM_DARK_BLOCK = CSS[
    CSS.index("@media (prefers-color-scheme") : CSS.index(':root[data-theme="dark"]')
]
CHOSEN_DARK_BLOCK = CSS[
    CSS.index(':root[data-theme="dark"]') : CSS.index(':root[data-theme="light"]')
]


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block))


CATEGORIES = tokens((STYLES / "categories.css").read_text())
THEMES = {"light": tokens(LIGHT_BLOCK), "dark": tokens(SYSTEM_DARK_BLOCK)}


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_is_21_to_1() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ink", ["ink", "soft", "accent", "good", "warn", "bad"])
@pytest.mark.parametrize("ground", ["paper", "surface"])
def test_text_is_readable_on_every_ground(theme: str, ink: str, ground: str) -> None:
    colours = THEMES[theme]
    assert contrast(colours[ink], colours[ground]) >= TEXT


@pytest.mark.parametrize("theme", THEMES)
def test_text_on_the_strong_button_and_on_a_toast_is_readable(theme: str) -> None:
    colours = THEMES[theme]
    assert contrast(colours["accent-ink"], colours["accent"]) >= TEXT
    assert contrast(colours["paper"], colours["ink"]) >= TEXT


def test_numbers_on_seats_are_readable_in_black_or_white() -> None:
    for at in range(8):
        colour = CATEGORIES[f"cat-{at}"]
        assert max(contrast(colour, "#000000"), contrast(colour, "#ffffff")) >= TEXT


def test_the_systems_dark_and_the_chosen_dark_are_the_same() -> None:
    assert tokens(SYSTEM_DARK_BLOCK) == tokens(CHOSEN_DARK_BLOCK)
    assert len(tokens(CHOSEN_DARK_BLOCK)) == 10
