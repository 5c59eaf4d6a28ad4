"""Settings of judges, each declared once.

A field of a settings class is a setting with all that is known of it: its default, the values it
can have, what `--help` and the README say, and whether rewards depend on it (`identifies`) or it
says how and where they are computed (`describes`). Constructors, options, errors, labels of pages
and what exports tell are made from these declarations.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ultrarm_eval.errors import ConfigurationError, unknown_choice

AUTO = "auto"
DTYPES = ("float32", "bfloat16", "float16")
SPECIAL_TOKENS = ("text", "parse")
SYSTEM_TURNS = ("error", "fold", "drop")
BATCHINGS = ("shared", "packed", "padded")
ATTENTIONS = ("flash_attention_2", "torch_varlen", "flex_attention", "sdpa", "eager")
QUANTIZATIONS = ("int8", "fp8")
REWARDBENCH = "rewardbench"
REDUCTIONS = ("mean", "sum")
AGGREGATES = ("min", "product", "last", "mean")
#: Separators of steps that have names, and what stands before one's own that is like a name.
SEPARATORS = ("blank-line", "line", "step")
TEXT_SEPARATOR = "text:"
#: Where a token's logit is read: at the end of the conversation, or where an answer would begin.
END, ANSWER = POSITIONS = ("end", "answer")
LAYOUTS = ("qwen2-prm", "skywork-prm", "math-shepherd", "rlhflow-prm")

_METADATA = "setting"

S = TypeVar("S", bound="CheckpointSettings")


@dataclass(frozen=True)
class Setting:
    """What is known of a setting.

    Attributes:
        name: Its name in `--model_args`, in Python and in results.
        kind: The type of its values: `str`, `int`, `float` or `bool`.
        default: Its value where none is given; None leaves it to the judge.
        help: What it is, in a line.
        values: What the README says of its values.
        choices: The values it can have; empty if they cannot be listed.
        identifies: Whether rewards depend on it.
        label: What pages call it.
        is_brief: Whether a one-line note has room for it.
        is_given: Whether a user can give it; otherwise judges report it.
        metavar: What stands for a value in `--help`.
    """

    name: str
    kind: type
    default: Any = None
    help: str = ""
    values: str = ""
    choices: tuple[str, ...] = ()
    identifies: bool = False
    label: str = ""
    is_brief: bool = False
    is_given: bool = True
    metavar: str | None = None

    @property
    def option(self) -> str:
        """Its option on command lines."""
        return f"--{self.name.replace('_', '-')}"


def _setting(
    kind: type, default: Any = None, *, check: Callable[[str, Any], Any] | None = None, **about: Any
) -> Any:
    """Declares a setting as a field of a settings class."""
    about = {"kind": kind, "default": default, **about}
    return dataclasses.field(default=default, metadata={_METADATA: about, "check": check})


def settings_in(settings_class: type) -> dict[str, Setting]:
    """The settings that a class declares, by name, in their order."""
    return {
        field.name: Setting(
            **{"name": field.name, "label": field.name, **field.metadata[_METADATA]}
        )
        for field in dataclasses.fields(settings_class)
    }


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} is True or False, not {value!r}.")
    return value


def _count(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).isdecimal() or int(str(value)) < 1:
        raise ConfigurationError(f"{name} is a whole number of at least 1, not {value!r}.")
    return int(str(value))


def _one_of(*choices: str) -> Callable[[str, Any], Any]:
    def check(name: str, value: Any) -> Any:
        if value is not None and value not in choices:
            raise unknown_choice(name, value, choices)
        return value

    return check


def _dtype(name: str, value: object) -> str:
    dtype = str(value).removeprefix("torch.")
    if dtype not in (AUTO, *DTYPES):
        raise unknown_choice(name, value, (AUTO, *DTYPES))
    return dtype


def _text(_: str, value: object) -> str | None:
    return None if value is None else str(value)


def _token(name: str, value: object) -> str | None:
    if value is None:
        return None
    text = str(value)
    if isinstance(value, bool | float) or not text:
        raise ConfigurationError(
            f"{name} is the id of a token or its text, not {value!r}; the text of one that looks "
            f"like a number stands in quotes: {name}=\"'1'\"."
        )
    return text


def _beta(name: str, value: object) -> float:
    number = _number(value)
    if not 0 < number < math.inf:
        raise ConfigurationError(f"{name} is a number above 0, not {value!r}.")
    return number


def _seed(name: str, value: object) -> int:
    if not str(value).isdecimal():
        raise ConfigurationError(f"{name} is a whole number of at least 0, not {value!r}.")
    return int(str(value))


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return math.nan


@dataclass(frozen=True, kw_only=True)
class CheckpointSettings:
    """Settings of every judge that reads a checkpoint.

    Raises:
        ConfigurationError: A value is not allowed, whatever the checkpoint is.
    """

    pretrained: str | None = _setting(
        str,
        check=_text,
        help="checkpoint: folder, hub id, or 'demo'; not for judges without weights",
        values="`openbmb/UltraRM-13b`, a folder, a hub id, `demo`",
        metavar="DIR",
    )
    revision: str | None = _setting(
        str,
        check=_text,
        help="hub revision of the checkpoint",
        values="hub branch, tag or commit",
        identifies=True,
        is_brief=True,
    )
    peft: str | None = _setting(
        str,
        check=_text,
        help="PEFT adapter (LoRA) on the checkpoint: folder or hub id",
        values="an adapter that PEFT saved (LoRA, DoRA), a folder or a hub id: merged into "
        "`pretrained` before scoring; `pretrained=ADAPTER` alone finds its base in "
        "adapter_config.json",
        identifies=True,
        is_brief=True,
        metavar="DIR",
    )
    peft_revision: str | None = _setting(
        str,
        check=_text,
        help="hub revision of the adapter",
        identifies=True,
    )
    template: str | None = _setting(
        str,
        check=_text,
        help="how prompt and completion become one text",
        values="`ultrarm` (the model card's), `ultrarm-one-newline` (its examples'), `rewardbench` "
        "(with EOS), `raw` (the completion alone), `mistral` and `eurus-card` (Eurus-RM's), `chat` "
        "(the tokenizer's), a Jinja file; one that writes two different answers alike, or does too "
        "much for one conversation (loops in loops), is refused",
        identifies=True,
        is_brief=True,
    )
    dtype: str = _setting(
        str,
        AUTO,
        check=_dtype,
        help="auto, float32, bfloat16 or float16",
        values="`auto` (as the config says; float32 if it says nothing), `float32`, `bfloat16`, "
        "`float16`; final norm and head are always float32",
        choices=(AUTO, *DTYPES),
        identifies=True,
        is_brief=True,
    )
    special_tokens: str | None = _setting(
        str,
        check=_one_of(*SPECIAL_TOKENS),
        values="`text`: a `</s>` in an answer is text; `parse`: it becomes the control token, as "
        "in the published tutorial. Other added tokens (`<think>`, `<tool_call>`) are tokens in "
        "both, as models write them, and texts that spell them are counted (`spelled_added`)",
        choices=SPECIAL_TOKENS,
        identifies=True,
        label="special tokens in texts",
    )
    system: str | None = _setting(
        str,
        check=_one_of(*SYSTEM_TURNS),
        help="a system turn: as it is, put before the user's turn, or left out",
        values="`error`: a template that refuses a system turn stops the run before anything is "
        "scored; `fold`: its text goes in front of the user's turn; `drop`: left out; both counted",
        choices=SYSTEM_TURNS,
        identifies=True,
        label="system turns",
    )
    max_length: int | None = _setting(
        int,
        help="most tokens of a text",
        values="2048 or the model's positions, whichever is less; longer texts are cut on the "
        "left, counted and reported",
        identifies=True,
        is_brief=True,
    )
    batch_size: int | str | None = _setting(
        str,
        help="most texts at once, or auto",
        values="texts and tokens computed at once; `auto`, and 1, which lm-eval passes when you "
        "name none, leave only the token budget, which is found from the device's free memory; "
        "where memory runs out it is halved and the run goes on",
    )
    max_batch_tokens: int | None = _setting(int, check=_count)
    max_batch_size: int | str | None = _setting(str, check=_count)
    batching: str = _setting(
        str,
        AUTO,
        check=_one_of(AUTO, *BATCHINGS),
        values="`auto`; `shared`: what texts have in common at their start (a prompt and its "
        "completions) is computed once, without padding; `packed`: without padding; `padded`",
        choices=(AUTO, *BATCHINGS),
    )
    attn_implementation: str = _setting(
        str,
        AUTO,
        values="`auto`: the fastest that is there and gives the right answer on a small tree; "
        "`flash_attention_2` (the package flash-attn), `torch_varlen` (torch 2.10 and newer, on a "
        "GPU), `flex_attention`, `sdpa`; `eager` with padding",
        choices=(AUTO, *ATTENTIONS),
    )
    torch_compile: bool = _setting(
        bool,
        False,
        check=_flag,
        values="`False`, `True`: compile norms and MLPs; rewards move in the last bits",
    )
    quantization: str | None = _setting(
        str,
        check=_one_of(*QUANTIZATIONS),
        values='none; `int8` (bitsandbytes, `pip install "ultrarm-eval[int8]"`), `fp8` (a GPU of '
        "compute capability 8.9; transformers 5 takes its kernels from the package kernels); other "
        "rewards, see `ultrarm-eval verify`",
        choices=QUANTIZATIONS,
        identifies=True,
        is_brief=True,
    )
    parity: str | None = _setting(
        str,
        check=_one_of(REWARDBENCH),
        values="none; `rewardbench`: texts as in RewardBench's official runs (template, EOS, "
        "special tokens, 2,048 tokens cut on the left)",
        choices=(REWARDBENCH,),
        identifies=True,
        is_brief=True,
    )
    score_store: str | None = _setting(
        str,
        help="keeps every reward there as it comes: a run that is started again goes on",
        values="a file (SQLite) that keeps every reward; what it holds when a run begins is not "
        "computed again, with the same weights and settings. Every row has a checksum: a damaged "
        "one is computed anew and counted (`store_rows_damaged`)",
        metavar="FILE",
    )
    parallelize: bool = _setting(
        bool, False, check=_flag, values="`False`, `True`: spread over all devices"
    )
    device: str | None = _setting(str, help="cpu, cuda, cuda:N (default: first GPU, else CPU)")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check = field.metadata["check"]
            if check is not None:
                object.__setattr__(self, field.name, check(field.name, getattr(self, field.name)))

    @property
    def max_texts(self) -> int | None:
        """The most texts of a batch; None for `auto` and for lm-eval's default of 1."""
        size = self.batch_size
        limit = None if size is None or str(size).startswith(AUTO) else _count("batch_size", size)
        limits = (None if limit == 1 else limit, self.max_batch_size)
        return min((int(one) for one in limits if one is not None), default=None)


@dataclass(frozen=True, kw_only=True)
class LikelihoodSettings(CheckpointSettings):
    """Settings of `likelihood`."""

    reduction: str = _setting(
        str,
        "mean",
        check=_one_of(*REDUCTIONS),
        help="mean or sum over the completion's tokens",
        choices=REDUCTIONS,
        identifies=True,
    )


@dataclass(frozen=True, kw_only=True)
class PreferenceSettings(CheckpointSettings):
    """Settings of `dpo`."""

    reference: str | None = _setting(
        str,
        check=_text,
        help="the model that the training began with: folder or hub id",
        identifies=True,
        is_brief=True,
        metavar="DIR",
    )
    reference_revision: str | None = _setting(
        str, check=_text, help="hub revision of the reference", identifies=True
    )
    beta: float = _setting(
        float, 1.0, check=_beta, help="the factor of the difference", identifies=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reference is None:
            raise ConfigurationError(
                "judge=dpo compares with the model that the training began with: name it by the "
                "judge's setting reference=DIR (ultrarm-eval: --judge-args reference=DIR)."
            )


@dataclass(frozen=True, kw_only=True)
class CritiqueSettings(CheckpointSettings):
    """Settings of `critique`."""

    samples: int = _setting(
        int,
        1,
        check=lambda name, value: _count(name, value) or 1,
        help="critiques of each answer; the mean of their readable scores is the reward",
        identifies=True,
    )
    temperature: float | None = _setting(
        float,
        help="0, the likeliest tokens, for one sample and 1 for several if not given",
        identifies=True,
    )
    seed: int = _setting(int, 0, check=_seed, help="of the samples", identifies=True)
    max_new_tokens: int = _setting(
        int,
        512,
        check=lambda name, value: _count(name, value) or 512,
        help="most tokens of a critique",
        identifies=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "temperature", _temperature(self.temperature, self.samples))


@dataclass(frozen=True, kw_only=True)
class ProcessSettings(CheckpointSettings):
    """Settings of `process`."""

    layout: str = _setting(
        str,
        AUTO,
        check=_one_of(AUTO, *LAYOUTS),
        help="how steps are written and read; auto asks the checkpoint",
        choices=(AUTO, *LAYOUTS),
        identifies=True,
        is_brief=True,
    )
    aggregate: str | None = _setting(
        str,
        check=_one_of(*AGGREGATES),
        help="what the rewards of steps become; the layout's own if not given",
        choices=AGGREGATES,
        identifies=True,
        is_brief=True,
    )
    separator: str | None = _setting(
        str,
        check=lambda name, value: _separator(name, value),
        help="where steps end: blank-line, line, step ('Step 1:' begins one), or a text of one's "
        r"own (\n is a newline); the layout's own if not given",
        identifies=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.parity is not None:
            raise ConfigurationError(
                f"judge=process has no parity={self.parity}: RewardBench's official runs have no "
                "process reward models. Leave parity out."
            )


@dataclass(frozen=True, kw_only=True)
class TokenLogitSettings(CheckpointSettings):
    """Settings of `token-logit`."""

    token: str = _setting(
        str,
        "0",
        check=_token,
        help="the token whose logit is the reward: its id, or its text, in quotes if that is a "
        "number",
        identifies=True,
        is_brief=True,
    )
    contrast: str | None = _setting(
        str,
        check=_token,
        help="a second token, whose logit is taken off: the reward is the log odds of the two",
        identifies=True,
        is_brief=True,
    )
    position: str = _setting(
        str,
        END,
        check=_one_of(*POSITIONS),
        help="end: the conversation's last token; answer: where an answer would begin, behind the "
        "conversation (template=chat) or behind a question about it (template=FILE.jinja)",
        choices=POSITIONS,
        identifies=True,
        is_brief=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.position == ANSWER and self.parity is not None:
            raise ConfigurationError(
                f"parity={self.parity} does not go with position={ANSWER}: RewardBench's official "
                "runs read the end of the conversation. Leave one of them out."
            )


def _separator(name: str, value: object) -> str | None:
    if value is None or value in SEPARATORS:
        return None if value is None else str(value)
    text = str(value)
    meant = difflib.get_close_matches(text.lower().replace("_", "-"), SEPARATORS, 1, 0.75)
    if not text.removeprefix(TEXT_SEPARATOR):
        raise ConfigurationError(
            f"{name}={text!r} is empty: it is one of {', '.join(SEPARATORS)}, or a text."
        )
    if meant and not text.startswith(TEXT_SEPARATOR):
        raise ConfigurationError(
            f"{name}={text!r}: did you mean {meant[0]}? If steps end with this text, write "
            f"{name}={TEXT_SEPARATOR}{text}."
        )
    return text


def _temperature(given: object, samples: int) -> float:
    if given is None:
        return 0.0 if samples == 1 else 1.0
    heat = _number(given)
    if not 0 <= heat < math.inf or (heat == 0 and samples > 1):
        raise ConfigurationError(
            f"temperature={given!r} is not allowed with samples={samples}: it is a number of at "
            "least 0, and above 0 for several samples, which would be all the same."
        )
    return heat


@dataclass(frozen=True, kw_only=True)
class NormalizeSettings(CheckpointSettings):
    """Settings of `openrlhf`."""

    normalize: bool = _setting(
        bool,
        False,
        check=_flag,
        help="rewards are (r - mean) / std, by config.json's mean and std",
        identifies=True,
    )


@dataclass(frozen=True, kw_only=True)
class NamedHeadSettings(CheckpointSettings):
    """Settings of `value-head`."""

    head: str | None = _setting(
        str,
        check=_text,
        help="the head's weight, v_head.weight, or how the names of its weights begin, v_head; "
        "FILE:NAME where it is in a file of its own",
        identifies=True,
        is_brief=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.head or "").strip("."):
            raise ConfigurationError(
                "judge=value-head reads the head that you name: head=v_head.weight, or how the "
                "names of its weights begin, head=v_head. ultrarm-eval inspect-checkpoint shows "
                "what a checkpoint has."
            )


#: The settings classes of the judges of this package.
SETTINGS_CLASSES = (
    CheckpointSettings,
    LikelihoodSettings,
    PreferenceSettings,
    CritiqueSettings,
    ProcessSettings,
    NormalizeSettings,
    NamedHeadSettings,
    TokenLogitSettings,
)

# What judges of this package report beside the settings that they were given: before all of these,
# behind `peft_revision`, behind `max_length`, and behind all.
_NAME = Setting("judge", str, identifies=True, label="judge", is_brief=True, is_given=False)
_OF_ADAPTERS = (
    Setting("base", str, identifies=True, label="base of the adapter", is_given=False),
    Setting("base_revision", str, identifies=True, label="base_revision", is_given=False),
)
_OF_TEXTS = (
    Setting("truncation", str, identifies=True, label="truncation", is_given=False),
    Setting("appends_eos", bool, identifies=True, label="appends_eos", is_given=False),
)
_OF_COMPUTING = (
    Setting("recommended_max_length", dict, label="max_length by the checkpoint", is_given=False),
    Setting("parameters", int, label="parameters", is_given=False),
    Setting("weights_digest", str, label="weights (SHA-256 or commit)", is_given=False),
    Setting("counts", dict, label="counts", is_given=False),
    Setting("scoring_seconds", float, label="seconds of the model", is_given=False),
)


def known_settings() -> dict[str, Setting]:
    """Everything that judges of this package can be given or report, by name."""
    listed = [_NAME]
    for setting in settings_in(CheckpointSettings).values():
        listed += [setting, *(_OF_TEXTS if setting.name == "max_length" else ())]
        listed += _OF_ADAPTERS if setting.name == "peft_revision" else ()
    for settings_class in SETTINGS_CLASSES:
        listed += settings_in(settings_class).values()
    return {setting.name: setting for setting in (*listed, *_OF_COMPUTING)}


def identifying(*, given: bool = False) -> list[str]:
    """Names of what rewards of judges of this package depend on, in the order of labels.

    Args:
        given: Only of those that a user can give.
    """
    return [s.name for s in known_settings().values() if s.identifies and (s.is_given or not given)]


def make_settings(settings_class: type[S], given: Mapping[str, Any], judge: str) -> S:
    """The settings of a judge.

    Args:
        settings_class: The judge's settings class.
        given: What the user set, by name.
        judge: The judge, for messages.

    Raises:
        ConfigurationError: The judge has no such setting, or a value is not allowed.
    """
    require_known(given, settings_in(settings_class), judge)
    return settings_class(**given)


def require_known(given: Iterable[str], allowed: Iterable[str], judge: str) -> None:
    """Refuses settings that a judge does not have.

    Args:
        given: Names that the user set.
        allowed: Names that the judge has.
        judge: The judge, for messages.

    Raises:
        ConfigurationError: There is such a one; the message names the closest.
    """
    names = set(allowed)
    for name in given:
        if name not in names:
            raise unknown_choice(f"setting of judge {judge!r}:", name, names)


def settings_table() -> str:
    """The README's table of settings, as Markdown; settings of one sentence share a row."""
    rows = ["| setting | values (default first) |", "|---|---|"]
    for setting in settings_in(CheckpointSettings).values():
        if setting.values:
            names = "`batch_size`, `max_batch_tokens`" if setting.name == "batch_size" else None
            rows.append(f"| {names or f'`{setting.name}`'} | {setting.values} |")
    return "\n".join(rows) + "\n"
