"""Settings of every judge that reads a checkpoint, each declared once.

Those that say which engine computes are in `engine_settings`, those of single judges in
`judge_settings`; what a declaration is, in `setting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ultrarm_eval.engine_settings import TORCH, EngineSettings
from ultrarm_eval.errors import unknown_choice
from ultrarm_eval.setting import AUTO, as_count, as_flag, as_text, declared, one_of, settings_in

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
#: How process reward models are laid out: first those that are all of a language model.
LANGUAGE_MODEL_LAYOUTS = ("math-shepherd", "rlhflow-prm")
LAYOUTS = ("qwen2-prm", "skywork-prm", *LANGUAGE_MODEL_LAYOUTS)

S = TypeVar("S", bound="CheckpointSettings")


def _dtype(name: str, value: object) -> str:
    dtype = str(value).removeprefix("torch.")
    if dtype not in (AUTO, *DTYPES):
        raise unknown_choice(name, value, (AUTO, *DTYPES))
    return dtype


@dataclass(frozen=True, kw_only=True)
class CheckpointSettings(EngineSettings):
    """Settings of every judge that reads a checkpoint.

    Raises:
        ConfigurationError: A value is not allowed, whatever the checkpoint is.
    """

    pretrained: str | None = declared(
        str,
        check=as_text,
        help="checkpoint: folder, hub id, or 'demo'; not for judges without weights",
        values="`openbmb/UltraRM-13b`, a folder, a hub id, `demo`",
        metavar="DIR",
    )
    revision: str | None = declared(
        str,
        check=as_text,
        help="hub revision of the checkpoint",
        values="hub branch, tag or commit",
        identifies=True,
        is_brief=True,
    )
    peft: str | None = declared(
        str,
        check=as_text,
        help="PEFT adapter (LoRA) on the checkpoint: folder or hub id",
        values="an adapter that PEFT saved (LoRA, DoRA), a folder or a hub id: merged into "
        "`pretrained` before scoring; `pretrained=ADAPTER` alone finds its base in "
        "adapter_config.json",
        identifies=True,
        is_brief=True,
        metavar="DIR",
    )
    peft_revision: str | None = declared(
        str,
        check=as_text,
        help="hub revision of the adapter",
        identifies=True,
    )
    template: str | None = declared(
        str,
        check=as_text,
        help="how prompt and completion become one text",
        values="`ultrarm` (the model card's), `ultrarm-one-newline` (its examples'), `rewardbench` "
        "(with EOS), `raw` (the completion alone), `mistral` and `eurus-card` (Eurus-RM's), `chat` "
        "(the tokenizer's), a Jinja file; one that writes two different answers alike, or does too "
        "much for one conversation (loops in loops), is refused",
        identifies=True,
        is_brief=True,
    )
    dtype: str = declared(
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
    special_tokens: str | None = declared(
        str,
        check=one_of(*SPECIAL_TOKENS),
        values="`text`: a `</s>` in an answer is text; `parse`: it becomes the control token, as "
        "in the published tutorial. Other added tokens (`<think>`, `<tool_call>`) are tokens in "
        "both, as models write them, and texts that spell them are counted (`spelled_added`)",
        choices=SPECIAL_TOKENS,
        identifies=True,
        label="special tokens in texts",
    )
    system: str | None = declared(
        str,
        check=one_of(*SYSTEM_TURNS),
        help="a system turn: as it is, put before the user's turn, or left out",
        values="`error`: a template that refuses a system turn stops the run before anything is "
        "scored; `fold`: its text goes in front of the user's turn; `drop`: left out; both counted",
        choices=SYSTEM_TURNS,
        identifies=True,
        label="system turns",
    )
    max_length: int | None = declared(
        int,
        help="most tokens of a text",
        values="2048 or the model's positions, whichever is less; longer texts are cut on the "
        "left, counted and reported",
        identifies=True,
        is_brief=True,
    )
    batch_size: int | str | None = declared(
        str,
        help="most texts at once, or auto",
        values="texts and tokens computed at once; `auto`, and 1, which lm-eval passes when you "
        "name none, leave only the token budget, which is found from the device's free memory "
        "(on a CPU 2,048, and 16,384 for a prompt with its answers); where memory "
        "runs out it is halved and the run goes on",
    )
    max_batch_tokens: int | None = declared(int, check=as_count)
    max_batch_size: int | str | None = declared(str, check=as_count)
    batching: str = declared(
        str,
        AUTO,
        check=one_of(AUTO, *BATCHINGS),
        values="`auto`; `shared`: what texts have in common at their start (a prompt and its "
        "completions) is computed once, without padding; `packed`: without padding; `padded`",
        choices=(AUTO, *BATCHINGS),
        engines=(TORCH,),
    )
    attn_implementation: str = declared(
        str,
        AUTO,
        values="`auto`: the fastest that is there and gives the right answer on a small tree; "
        "`flash_attention_2` (the package flash-attn), `torch_varlen` (torch 2.10 and newer, on a "
        "GPU), `flex_attention`, `sdpa`; `eager` with padding",
        choices=(AUTO, *ATTENTIONS),
        engines=(TORCH,),
    )
    torch_compile: bool = declared(
        bool,
        False,
        check=as_flag,
        values="`False`, `True`: compile norms and MLPs; rewards move in the last bits",
        engines=(TORCH,),
    )
    quantization: str | None = declared(
        str,
        check=one_of(*QUANTIZATIONS),
        values='none; `int8` (bitsandbytes, `pip install "ultrarm-eval[int8]"`), `fp8` (a GPU of '
        "compute capability 8.9; transformers 5 takes its kernels from the package kernels); other "
        "rewards, see `ultrarm-eval verify`",
        choices=QUANTIZATIONS,
        identifies=True,
        is_brief=True,
        engines=(TORCH,),
    )
    parity: str | None = declared(
        str,
        check=one_of(REWARDBENCH),
        values="none; `rewardbench`: texts as in RewardBench's official runs (template, EOS, "
        "special tokens, 2,048 tokens cut on the left)",
        choices=(REWARDBENCH,),
        identifies=True,
        is_brief=True,
    )
    score_store: str | None = declared(
        str,
        help="keeps every reward there as it comes: a run that is started again goes on",
        values="a file (SQLite) that keeps every reward; what it holds when a run begins is not "
        "computed again, with the same weights and settings. Every row has a checksum: a damaged "
        "one is computed anew and counted (`store_rows_damaged`)",
        metavar="FILE",
    )
    parallelize: bool = declared(
        bool,
        False,
        check=as_flag,
        values="`False`, `True`: spread over all devices",
        engines=(TORCH,),
    )
    device: str | None = declared(
        str, help="cpu, cuda, cuda:N (default: first GPU, else CPU)", engines=(TORCH,)
    )

    @property
    def max_texts(self) -> int | None:
        """The most texts of a batch; None for `auto` and for lm-eval's default of 1."""
        size = self.batch_size
        limit = None if size is None or str(size).startswith(AUTO) else as_count("batch_size", size)
        limits = (None if limit == 1 else limit, self.max_batch_size)
        return min((int(one) for one in limits if one is not None), default=None)


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
    of_engines = settings_in(EngineSettings)
    for setting in settings_in(CheckpointSettings).values():
        if setting.values and setting.name not in of_engines:
            names = "`batch_size`, `max_batch_tokens`" if setting.name == "batch_size" else None
            rows.append(f"| {names or f'`{setting.name}`'} | {setting.values} |")
    return "\n".join(rows) + "\n"


def engine_settings_table() -> str:
    """The README's table of the settings of engines, as Markdown."""
    rows = ["| setting | engine | values (default first) |", "|---|---|---|"]
    for setting in settings_in(EngineSettings).values():
        default = "" if setting.default in (None, False, AUTO) else f"`{setting.default}`: "
        said = setting.values if setting.choices else default + setting.values
        rows.append(f"| `{setting.name}` | {', '.join(setting.engines) or 'all'} | {said} |")
    return "\n".join(rows) + "\n"
