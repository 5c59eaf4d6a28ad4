"""The keys of `--metadata` that the tasks of this package read, each declared once.

Validation, hints for misspelled keys and the tables of the documentation use these declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.data.rows import read_shard
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges import DEFAULT_CHECKPOINT
from ultrarm_eval.rules import TIE_CREDITS, ComparisonRules, checked_min_gap, checked_ties
from ultrarm_eval.sources.ultrafeedback import ASPECTS, FINE_GRAINED, OVERALL

#: Which tasks read a key: those that compare pairs, those in which a judge scores generated
#: answers, and only `preference_pairs`.
PAIRS, GENERATIONS, OWN_PAIRS = "pairs", "generations", "own pairs"


@dataclass(frozen=True)
class MetadataKey:
    """A key of `--metadata`.

    Attributes:
        name: The key.
        tasks: The tasks that read it: `PAIRS`, `GENERATIONS` or `OWN_PAIRS`.
        help: What it does, in Markdown.
        values: The allowed values, in Markdown, if `choices` is not complete.
        default: The value if a run does not set it; see `shown_default`.
        shown_default: The default in words, if it depends on the task or the data.
        choices: The allowed names; empty if the values cannot be listed.
        check: Maps a given value to the validated value. Raises `ConfigurationError` for a value
            that is not allowed.
        in_generations: What it does in tasks that judge generations, if that differs from `help`.
        mistaken: Common wrong names that are too different for `difflib`.
    """

    name: str
    tasks: tuple[str, ...]
    help: str
    values: str = ""
    default: Any = None
    shown_default: str = ""
    choices: tuple[str, ...] = ()
    check: Callable[[Any], Any] = str
    in_generations: str = ""
    mistaken: tuple[str, ...] = ()

    def read(self, metadata: Mapping[str, Any]) -> Any:
        """The value in a run's metadata, checked; the default if it is missing or null.

        Raises:
            ConfigurationError: The value is not allowed.
        """
        given = metadata.get(self.name)
        return self.default if given is None else self.check(given)


def _text(name: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise ConfigurationError(f"--metadata {name}={value!r}: give a non-empty string.")
        return value

    return check


def _settings(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"--metadata judge_args={value!r}: give the judge's settings by name, for "
            'example {"dtype": "bfloat16", "device": "cuda:1"}.'
        )
    return value


def _number_of_answers(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(
            f"--metadata n={value!r}: give the number of answers per prompt, at least 1."
        )
    return value


DATA = MetadataKey(
    "data",
    (PAIRS, GENERATIONS),
    "The data to read instead of the task's own. A mapping names data for each task, by the name "
    "of a task, group or tag; the most specific name counts.",
    values='a JSON, JSONL or Parquet file, a folder, `demo`, or `{"TASK": "PATH", ...}`; for '
    "`preference_pairs` also a hub id",
    shown_default="the task's hub data set",
    check=lambda value: value,  # A mapping depends on the task's name; see `metadata.read_options`.
    in_generations="The data to read instead of the task's own. Prompts without answers are "
    "accepted if a file of references is given, and without one by `ultrafeedback_best_of_n` or "
    "with `reference=none`: `prompt` or `instruction` (a text or messages), or `messages`. "
    "`gsm8k_best_of_n` reads rows of `question` and `answer`.",
    mistaken=("dataset", "data_file", "data_files", "data_path"),
)
DATA_REVISION = MetadataKey(
    "data_revision",
    (PAIRS, GENERATIONS),
    "The revision of the task's hub data set. It cannot be combined with local data.",
    values="a branch, tag or commit",
    shown_default="the newest revision",
)
PREFERENCE = MetadataKey(
    "preference",
    (PAIRS, GENERATIONS),
    "The rating that orders the pairs of UltraFeedback. `fine_grained` is the mean of the four "
    "aspect ratings. Binarized data have one score and accept no preference.",
    shown_default=f"`{FINE_GRAINED}`",
    choices=(FINE_GRAINED, OVERALL, *ASPECTS),
    in_generations="The rating by which `reference` chooses the `best` or the `median` answer.",
    mistaken=("preferred",),
)
TIES = MetadataKey(
    "ties",
    (PAIRS,),
    "The credit of a pair with equal rewards: `half` gives one half, `wrong` gives none, which is "
    "RewardBench's rule. Benchmarks with their own rule reject it.",
    default=ComparisonRules.ties,
    shown_default=f"`{ComparisonRules.ties}`; a benchmark has its official rule",
    choices=tuple(TIE_CREDITS),
    check=checked_ties,
)
MIN_GAP = MetadataKey(
    "min_gap",
    (PAIRS,),
    "The smallest difference in rating of a pair that counts, exact in decimals. Pairs with equal "
    "ratings never count.",
    values="a number of at least 0",
    default=ComparisonRules.min_gap,
    check=checked_min_gap,
    mistaken=("gap", "min_margin"),
)
SHARD = MetadataKey(
    "shard",
    (PAIRS, GENERATIONS),
    '`"3/16"` reads every sixteenth row from the third on: one shard of a run split over machines. '
    "`ultrarm-eval merge` joins the results of all shards.",
    values='`"I/N"`',
    shown_default="all rows",
    check=read_shard,
    mistaken=("num_shards",),
)
JUDGE = MetadataKey(
    "judge",
    (GENERATIONS,),
    "The checkpoint of the judge that scores the answers.",
    values="a folder, a hub id or `demo`",
    shown_default=f"`{DEFAULT_CHECKPOINT}`",
    check=_text("judge"),
    mistaken=("judge_model",),
)
JUDGE_ARGS = MetadataKey(
    "judge_args",
    (GENERATIONS,),
    "Settings of the judge, as in `--model_args`. `judge` among them names the registered judge; "
    "`device` places it.",
    values='`{"dtype": "bfloat16", "device": "cuda:1", ...}`',
    shown_default="none; without `device` the GPU with the most free memory",
    check=_settings,
)
REFERENCE = MetadataKey(
    "reference",
    (GENERATIONS,),
    "The answer that the model's answer is compared with. `none` reports rewards without a "
    "comparison.",
    values="UltraFeedback: the name of a model in the data, `best` or `median` by the data's "
    "ratings, a file; AlpacaEval: `text_davinci_003`, `gpt4_1106_preview`, a file; `none` for both",
    shown_default="`gpt-4` for UltraFeedback, `text_davinci_003` for AlpacaEval",
    check=_text("reference"),
)
N = MetadataKey(
    "n",
    (GENERATIONS,),
    "The number of answers for each prompt in best-of-n tasks.",
    values="an integer of at least 1",
    shown_default="`repeats` of the task file: 16",
    check=_number_of_answers,
    mistaken=("best_of", "best_of_n", "num_samples", "n_samples", "repeats"),
)
SPLIT = MetadataKey(
    "split",
    (OWN_PAIRS,),
    "The split of a folder or hub data set with several.",
    values="the name of a split",
    shown_default="`train`",
)
CATEGORY = MetadataKey(
    "category",
    (OWN_PAIRS,),
    "A column of the data. Each of its values gets its own accuracy, `acc_VALUE`.",
    values="the name of a column",
    shown_default="none",
)

#: Every key by its name, in the order of messages.
KEYS = {
    key.name: key
    for key in (
        *(DATA, DATA_REVISION, PREFERENCE, TIES, MIN_GAP, SHARD),
        *(JUDGE, JUDGE_ARGS, REFERENCE, N),
        *(SPLIT, CATEGORY),
    )
}
