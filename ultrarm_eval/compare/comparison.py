"""The result of comparing runs: differences with their significance, and agreement of judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ultrarm_eval.compare.agreement import JudgesAgreement
from ultrarm_eval.compare.cautions import SettingDifference
from ultrarm_eval.compare.parts import Part

#: How the accuracies in the table of agreement differ from those in the table of differences.
ACCURACY_OF_PAIRS = (
    "Accuracy: the share of these pairs that a judge ranks correctly. Prompts with more pairs "
    "count more here than in the differences."
)
# Tolerance between equal values summed in another order.
_SAME = 1e-9


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs.

    Attributes:
        letter: Its letter in the tables.
        label: Its name, unique among the runs.
        model: The model's name in its results.
        settings: What its results depend on, as far as recorded.
        results: The names of its results files.
    """

    letter: str
    label: str
    model: str
    settings: Mapping[str, str]
    results: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A difference in the table.

    Attributes:
        task: The task's or the group's title.
        a: Letter of the first run.
        b: Letter of the second run.
        part: What is compared, and the difference.
        adjusted_p: The p-value after Holm's correction over all rows; None without a test,
            and for a subset that is too small.
        conclusion: The finding, in a sentence.
    """

    task: str
    a: str
    b: str
    part: Part
    adjusted_p: float | None = None
    conclusion: str = ""


@dataclass(frozen=True)
class AgreementRow:
    """The agreement of two judges on a task.

    Attributes:
        task: The task's title.
        a: Letter of the first run.
        b: Letter of the second run.
        agreement: The agreement.
    """

    task: str
    a: str
    b: str
    agreement: JudgesAgreement


@dataclass(frozen=True)
class Unmatched:
    """Documents of a task that only one of two runs has.

    Attributes:
        task: The task's title.
        a: Letter of the first run.
        b: Letter of the second run.
        matched: How many documents both have.
        only_a: How many only the first run has.
        only_b: How many only the second run has.
        first_a: lm-eval's indices of the first few that only the first run has, as text.
        first_b: The same for the second run.
    """

    task: str
    a: str
    b: str
    matched: int
    only_a: int
    only_b: int
    first_a: tuple[str, ...]
    first_b: tuple[str, ...]


@dataclass(frozen=True)
class NotShared:
    """A task that not all runs have.

    Attributes:
        task: Its title.
        runs: Letters of those that have it.
    """

    task: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """The comparison of several runs.

    Attributes:
        runs: The runs.
        tests: How many tests the p-values are corrected for.
        rows: The differences, of groups and then of tasks, by pair of runs, the whole task before
            its subsets.
        agreements: The agreement of judges.
        unmatched: Documents that only one run has.
        not_shared: Tasks that not all runs have.
        settings: Settings in which the runs differ.
        cautions: What limits the conclusions.
    """

    runs: tuple[ComparedRun, ...]
    tests: int
    rows: tuple[Row, ...]
    agreements: tuple[AgreementRow, ...]
    unmatched: tuple[Unmatched, ...]
    not_shared: tuple[NotShared, ...]
    settings: tuple[SettingDifference, ...]
    cautions: tuple[str, ...]

    @property
    def accuracies_are_told(self) -> bool:
        """Whether the differences are of the judges' accuracies over pairs.

        This is so where every document is one pair.
        """
        wholes = {(row.task, row.a, row.b): row.part for row in self.rows if row.part.name is None}
        return all(
            (part := wholes.get((row.task, row.a, row.b))) is not None
            and part.difference.documents == row.agreement.pairs
            and abs(part.difference.figure_a - row.agreement.accuracy_a) < _SAME
            and abs(part.difference.figure_b - row.agreement.accuracy_b) < _SAME
            for row in self.agreements
        )

    @property
    def small_parts(self) -> tuple[Row, ...]:
        """The rows of subsets that are too small to test; they are not shown."""
        return tuple(row for row in self.rows if row.part.is_too_small)

    @property
    def shown_rows(self) -> tuple[Row, ...]:
        """The other rows."""
        return tuple(row for row in self.rows if not row.part.is_too_small)

    def label(self, letter: str) -> str:
        """The name of a run."""
        return next(run.label for run in self.runs if run.letter == letter)
