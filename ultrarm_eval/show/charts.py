"""Charts as SVG in the page's own colors, light or dark."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

# Placeholders for colors of the page, which CSS variables replace.
INK, MUTED, GRID = "#010203", "#010204", "#010205"
RIGHT, WRONG, NEUTRAL = "#010206", "#010207", "#010208"
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    RIGHT: "var(--right)",
    WRONG: "var(--wrong)",
    NEUTRAL: "var(--neutral)",
}
_IDS = re.compile(r'(\bid="|url\(#|href="#)')
_FONT = re.compile(r"font: ?[^;\"]*?(\d+(?:\.\d+)?)px [^;\"]*")
_FAMILY = re.compile(r"font-family: [^;\"]*")
_OWN_STYLE = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_OPENING = re.compile(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>')
_BETWEEN = re.compile(r">\s+<")
# In inches of 72 units of the page.
_SIZE = (5.0, 3.2)
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ultrarm-eval",
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "grid.color": GRID,
    # A name with a dollar sign is not a formula.
    "text.parse_math": False,
    # As everywhere else in a page.
    "axes.unicode_minus": False,
}


def draw(name: str, description: str, plot: Callable[[Axes], None]) -> Markup:
    """A chart as SVG for a page.

    Args:
        name: Prefix of the ids in the chart, unique in the page.
        description: What it shows, for a reader who cannot see it.
        plot: Draws it, in the colors of this module.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    written = io.StringIO()
    with mpl.rc_context():
        # The user's own settings would change the page.
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=_SIZE, layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        plot(axes)
        # No date: the same values give the same page.
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return Markup(_for_page(written.getvalue(), name, description))  # noqa: S704 - numbers, escaped


def _for_page(svg: str, name: str, description: str) -> str:
    svg = svg[svg.index("<svg") :]
    for own in (_OWN_STYLE, _METADATA):
        svg = own.sub("", svg, count=1)
    opening = f'<svg class="chart" role="img" aria-label="{escape(description)}" '
    svg = _OPENING.sub(lambda found: f"{opening}{found[1]}>", svg, count=1)
    svg = _IDS.sub(rf"\g<1>{name}-", svg)
    svg = _FONT.sub(r"font-size: \1px", svg)
    svg = _FAMILY.sub("font-family: inherit", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    return _BETWEEN.sub("><", svg)
