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
from ultrarm_eval.show.formats import count, difference, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

# Lengths further apart than this many times are shown by their logarithms.
_LOGARITHMIC = 20
# Ranks of more answers are shaded without numbers, and of still more have no chart.
_MOST_NUMBERED, _MOST_RANKS = 10, 32


@dataclass(frozen=True)
class Chart:
    """A chart with its texts.

    Attributes:
        title: What it shows, with its unit.
        reading: How to read it, in one line below the title.
        svg: The drawing.
        caption: The numbers that go with it, below the drawing.
    """

    title: str
    reading: str
    svg: Markup
    caption: str


def charts_of(task: TaskReport, name: str) -> Iterator[Chart]:
    """The charts of a task.

    Args:
        task: The task.
        name: Prefix of the ids in its charts, unique in the page.
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

    won, lost = ("won", "lost") if is_reference else ("correct", "incorrect")
    first, second = ("answer", "reference") if is_reference else ("chosen", "rejected")
    higher = "the model's answer" if is_reference else "the chosen answer"

    def plot(axes: Axes) -> None:
        edges, width = margins.edges, margins.edges[1] - margins.edges[0]
        middle = [(low + high) / 2 for low, high in itertools.pairwise(edges)]
        for label, colour, side in ((lost, WRONG, -1), (won, RIGHT, 1)):
            bars = [(x, n) for x, n in zip(middle, margins.counts, strict=True) if x * side > 0]
            axes.bar(
                [x for x, _ in bars], [n for _, n in bars], width * 0.92, color=colour, label=label
            )
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xlabel(f"margin: reward of {first} minus reward of {second}")
        axes.set_ylabel("pairs")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", linewidth=0.7)
        # Above the bars, of which there may be one anywhere.
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)

    ties = f", {count(margins.ties)} tied" if margins.ties else ""
    return Chart(
        f"Distribution of margins (reward of {first} minus {second})",
        f"To the right of 0, {higher} has the higher reward. The outermost bars include all "
        "margins beyond them.",
        draw(name, "Histogram of margins: number of pairs by margin", plot),
        f"{count(margins.right)} pairs {won}, {count(margins.wrong)} {lost}{ties}. Median margin: "
        f"{_number(margins.median_right)} over {won} pairs, {_number(margins.median_wrong)} over "
        f"{lost} pairs.",
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
        axes.set_xlabel("predicted accuracy: sigmoid(|margin|)")
        axes.set_ylabel("observed accuracy")
        axes.grid(linewidth=0.7)

    if calibration.temperature is None:
        temperature = "There is no best-fit temperature: no pair is ranked incorrectly."
        if calibration.nll >= 0.6931:
            temperature = "There is no best-fit temperature: the judge is no better than chance."
    else:
        temperature = (
            f"Best-fit temperature {calibration.temperature:.2f}: dividing the margins by it "
            f"changes the Bradley-Terry loss from {calibration.nll:.3f} to "
            f"{calibration.nll_at_temperature:.3f} nats."
        )
    return Chart(
        "Calibration (observed against predicted accuracy)",
        "On the dashed line the judge is calibrated, below it overconfident. Bars: 95 % intervals "
        "that treat pairs as independent.",
        draw(name, "Reliability diagram: observed against predicted accuracy", plot),
        f"Expected calibration error {difference(calibration.error, True)} points "
        f"({difference(calibration.error_by_chance, True)} expected from chance). {temperature}",
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
        axes.set_xlabel("length of the answer (characters)")
        axes.set_ylabel("reward")
        axes.grid(linewidth=0.7)

    follows = (
        ""
        if lengths.follows_length is None
        else f"The judge prefers the longer answer in {percent(lengths.follows_length)} of the "
        "pairs of unequal length. "
    )
    return Chart(
        "Reward by answer length (characters)",
        "Line: median reward of answers of about that length. Band: the middle half of the "
        "rewards.",
        draw(name, "Median reward by length of the answer", plot),
        f"{follows}Spearman's correlation of reward and length: {_number(lengths.correlation)}.",
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
                    text = percent(share, 0).removesuffix(" %")
                    axes.text(*place, text, ha="center", va="center", color=INK)
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
        excluded = (
            "1 prompt with another number is"
            if ranks.others == 1
            else (f"{count(ranks.others)} prompts with another number are")
        )
        others = f"; {excluded} excluded"
    return Chart(
        "Rank by reward against rank by rating (% of answers)",
        "Each row shows where the judge ranks the answers with that rank by rating; 1 is the best "
        "and the diagonal is agreement.",
        draw(name, "Rank by rating against rank by reward, in percent", plot),
        f"{count(ranks.prompts)} prompts with {ranks.completions} rated answers{others}.",
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
