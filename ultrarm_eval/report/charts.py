"""The charts of a task's report."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from ultrarm_eval.report.lengths import LengthReport
from ultrarm_eval.report.margins import CalibrationReport, MarginReport
from ultrarm_eval.report.ranks import RankConfusion
from ultrarm_eval.report.task_report import TaskReport
from ultrarm_eval.runs.sample import REFERENCE
from ultrarm_eval.show.charts import INK, MUTED, NEUTRAL, RIGHT, WRONG, draw
from ultrarm_eval.show.formats import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

# Lengths further apart than this many times are shown by their logarithms.
_LOGARITHMIC = 20
# Ranks of more answers are shaded without numbers, and of still more have no chart.
_MOST_NUMBERED, _MOST_RANKS = 10, 32


@dataclass(frozen=True)
class Chart:
    """A chart and what is said below it.

    Attributes:
        title: Its heading.
        svg: The drawing.
        caption: What it shows.
    """

    title: str
    svg: Markup
    caption: str


def charts_of(task: TaskReport, name: str) -> Iterator[Chart]:
    """The charts of a task.

    Args:
        task: The task.
        name: Tells its charts apart from those of other tasks of the page.
    """
    is_reference = task.kind == REFERENCE
    if task.margins is not None:
        yield _margins(task.margins, f"{name}-m", is_reference=is_reference)
    if task.calibration is not None:
        yield _calibration(task.calibration, f"{name}-c")
    if task.lengths is not None:
        yield _lengths(task.lengths, f"{name}-l")
    if task.ranks is not None and task.ranks.completions <= _MOST_RANKS:
        yield _ranks(task.ranks, f"{name}-r")


def _margins(margins: MarginReport, name: str, *, is_reference: bool) -> Chart:
    from matplotlib.ticker import MaxNLocator

    won, lost = ("won", "lost") if is_reference else ("right", "wrong")

    def plot(axes: Axes) -> None:
        edges, width = margins.edges, margins.edges[1] - margins.edges[0]
        middle = [(low + high) / 2 for low, high in itertools.pairwise(edges)]
        for label, colour, side in ((lost, WRONG, -1), (won, RIGHT, 1)):
            bars = [(x, n) for x, n in zip(middle, margins.counts, strict=True) if x * side > 0]
            axes.bar(
                [x for x, _ in bars], [n for _, n in bars], width * 0.92, color=colour, label=label
            )
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xlabel("margin: reward of the better answer less that of the other")
        if is_reference:
            axes.set_xlabel("margin: reward of the answer less that of the reference")
        axes.set_ylabel("pairs")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", linewidth=0.7)
        # Above the bars, of which there may be one anywhere.
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)

    ties = f", {count(margins.ties)} with equal rewards" if margins.ties else ""
    return Chart(
        "Margins",
        draw(name, "Histogram of the margins", plot),
        f"{count(margins.right)} pairs {won}, {count(margins.wrong)} {lost}{ties}. Median margin "
        f"of the {won} ones {_number(margins.median_right)}, of the {lost} ones "
        f"{_number(margins.median_wrong)}. The outermost bars hold what lies beyond them.",
    )


def _calibration(calibration: CalibrationReport, name: str) -> Chart:
    def plot(axes: Axes) -> None:
        axes.plot([0.5, 1], [0.5, 1], color=NEUTRAL, linewidth=1, linestyle=(0, (4, 3)))
        known = [
            (b.mean_confidence, b.observed_frequency, b.interval)
            for b in calibration.bins
            if b.mean_confidence is not None
            and b.observed_frequency is not None
            and b.interval is not None
        ]
        for predicted, _, interval in known:
            axes.plot([predicted] * 2, [interval.low, interval.high], color=RIGHT, linewidth=1.2)
        axes.plot(
            [p for p, _, _ in known], [f for _, f, _ in known], "o", color=RIGHT, markersize=5
        )
        axes.set_xlim(0.49, 1.01)
        lowest = min([0.5, *(interval.low for _, _, interval in known)])
        axes.set_ylim(max(-0.02, lowest - 0.03), 1.02)
        axes.set_xlabel("predicted: sigmoid(|margin|)")
        axes.set_ylabel("favourite is the better answer")
        axes.grid(linewidth=0.7)

    if calibration.temperature is None:
        temperature = "No temperature fits: the favourites are never, or not more often, wrong."
        if calibration.nll >= 0.6931:
            temperature = "No temperature fits: the judge does no better than chance."
    else:
        temperature = (
            f"Margins divided by {calibration.temperature:.2f} fit best (loss "
            f"{calibration.nll:.3f}, then {calibration.nll_at_temperature:.3f} nats)."
        )
    return Chart(
        "Calibration",
        draw(name, "Predicted probability against observed frequency", plot),
        f"On the dashed line, margins mean what they say. Expected calibration error "
        f"{100 * calibration.error:.1f} points; chance alone gives "
        f"{100 * calibration.error_by_chance:.1f}. {temperature} Bars: 95 % intervals that take "
        "pairs for independent.",
    )


def _lengths(lengths: LengthReport, name: str) -> Chart:
    def plot(axes: Axes) -> None:
        x = [one.length for one in lengths.by_length]
        axes.fill_between(
            x,
            [one.low for one in lengths.by_length],
            [one.high for one in lengths.by_length],
            color=RIGHT,
            alpha=0.2,
            linewidth=0,
        )
        axes.plot(x, [one.median for one in lengths.by_length], "o-", color=RIGHT, markersize=4)
        if min(x) > 0 and max(x) / min(x) > _LOGARITHMIC:
            _logarithmic(axes, max(x) / min(x))
        axes.set_xlabel("length of the answer in characters")
        axes.set_ylabel("reward")
        axes.grid(linewidth=0.7)

    follows = (
        ""
        if lengths.follows_length is None
        else f"The judge prefers the longer answer in {100 * lengths.follows_length:.1f} % of the "
        "pairs of unequal length. "
    )
    return Chart(
        "Reward and length",
        draw(name, "Median reward by length of the answer", plot),
        f"Median and middle half of the rewards. {follows}Spearman's correlation of reward and "
        f"length {_number(lengths.correlation)}.",
    )


def _ranks(ranks: RankConfusion, name: str) -> Chart:
    def plot(axes: Axes) -> None:
        size = ranks.completions
        for row in range(size):
            for column in range(size):
                share = ranks.shares[row][column]
                colour = RIGHT if row == column else NEUTRAL
                axes.add_patch(_square(column, size - 1 - row, colour, 0.12 + 0.75 * share))
                if size <= _MOST_NUMBERED:
                    place = column + 0.5, size - 0.5 - row
                    axes.text(*place, f"{100 * share:.0f}", ha="center", va="center", color=INK)
        axes.set_xlim(0, size)
        axes.set_ylim(0, size)
        named = range(0, size, 1 + size // _MOST_NUMBERED)
        labels = [str(i + 1) for i in named]
        axes.set_xticks([i + 0.5 for i in named], labels)
        axes.set_yticks([size - 0.5 - i for i in named], labels)
        axes.set_xlabel("rank by reward")
        axes.set_ylabel("rank by rating")
        axes.spines["bottom"].set_color(MUTED)
        axes.spines["bottom"].set_visible(False)

    others = ""
    if ranks.others:
        left_out = (
            "1 prompt with another number is"
            if ranks.others == 1
            else (f"{count(ranks.others)} prompts with another number are")
        )
        others = f"; {left_out} left out"
    return Chart(
        "Ranks",
        draw(name, "Rank by rating against rank by reward, in percent", plot),
        f"Of the answers at each rank by rating, the percentage at each rank by reward; 1 is the "
        f"best. {count(ranks.prompts)} prompts with {ranks.completions} rated answers{others}.",
    )


def _logarithmic(axes: Axes, ratio: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    # Few decades need ticks between the powers of ten.
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if ratio < 200 else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _square(x: float, y: float, colour: str, alpha: float) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((x + 0.02, y + 0.02), 0.96, 0.96, color=colour, alpha=alpha, linewidth=0)


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.2f}"
