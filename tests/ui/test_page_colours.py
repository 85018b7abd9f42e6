"""Contrast of the style's own colours in both themes, by WCAG 2.1: computed, not looked at."""

from __future__ import annotations

import re

import pytest

from tests.ui.page_tab import THEMES
from ui.server.assets import STATIC, style

TEXT, GRAPHIC = 4.5, 3.0
CHIPS = [(word, f"{word}-soft") for word in ("good", "warn", "bad", "calm")]
ON_CARD = ("text", "muted", "up", "down", "a", "b", "good", "warn", "bad")
SERIES = tuple(f"c{i}" for i in range(6))
ON_FIELD = ("text", "muted", "down")


def light(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(theme: dict[str, str], front: str, back: str) -> float:
    high, low = sorted((light(theme[front]), light(theme[back])), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_formula_is_wcag_s() -> None:
    ends = {"black": "#000000", "white": "#ffffff", "grey": "#777777"}
    assert contrast(ends, "black", "white") == pytest.approx(21)
    assert contrast(ends, "grey", "white") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", ["", ".dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        *((front, "card", TEXT) for front in (*ON_CARD, *SERIES)),
        *((front, "field", TEXT) for front in ON_FIELD),
        *((front, back, TEXT) for front, back in CHIPS),
        ("edge", "card", GRAPHIC),
        ("b", "field", GRAPHIC),  # the ring of what has the focus
    ],
)
def test_colours_can_be_told_apart(name: str, front: str, back: str, least: float) -> None:
    assert contrast(THEMES[name], front, back) >= least


def test_both_themes_have_the_same_colours() -> None:
    assert set(THEMES[""]) == set(THEMES[".dark"])


def test_scripts_and_styles_use_colours_that_exist() -> None:
    text = style() + "".join(path.read_text() for path in STATIC.glob("*.js"))
    used = set(re.findall(r"var\(--tl-([\w-]+)\)", text))
    used |= set(re.findall(r'colour\("([\w-]+)"\)', text))
    assert used <= set(THEMES[""])
    assert set(THEMES[""]) <= used | set(SERIES) | {"up-soft", "down-soft"}
