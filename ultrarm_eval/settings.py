"""Settings shared by all judges that load a checkpoint, each declared once.

Engine settings are in `engine_settings`, settings of a single judge in `judge_settings`; `setting`
defines what a declaration is.
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
#: Named step separators, and the prefix for a custom separator that resembles one of the names.
SEPARATORS = ("blank-line", "line", "step")
TEXT_SEPARATOR = "text:"
#: Where a token's logit is read: at the end of the conversation, or where an answer would begin.
END, ANSWER = POSITIONS = ("end", "answer")
#: Layouts of process reward models; the first ones are complete language models.
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
    """Settings shared by all judges that load a checkpoint.

    Raises:
        ConfigurationError: A value is not allowed, whatever the checkpoint is.
    """

    pretrained: str | None = declared(
        str,
        check=as_text,
        help="checkpoint: a folder, a hub id or 'demo'; omit it for judges without weights",
        values="`openbmb/UltraRM-13b`; a folder, a hub id, or `demo` (the small judge that comes "
        "with the package)",
        metavar="DIR",
    )
    revision: str | None = declared(
        str,
        check=as_text,
        help="hub revision of the checkpoint: branch, tag or commit",
        values="the hub's default branch; a branch, tag or commit",
        identifies=True,
        is_brief=True,
    )
    peft: str | None = declared(
        str,
        check=as_text,
        help="PEFT adapter (LoRA, DoRA) for the checkpoint: a folder or a hub id",
        values="none; the folder or hub id of an adapter saved by PEFT (LoRA, DoRA). It is merged "
        "into `pretrained` before scoring. With only `pretrained=ADAPTER`, the base is read from "
        "adapter_config.json",
        identifies=True,
        is_brief=True,
        metavar="DIR",
    )
    peft_revision: str | None = declared(
        str,
        check=as_text,
        help="hub revision of the adapter: branch, tag or commit",
        identifies=True,
    )
    template: str | None = declared(
        str,
        check=as_text,
        help="prompt template: a name or a Jinja file",
        values="the judge's own template; `ultrarm` (from UltraRM's model card), "
        "`ultrarm-one-newline` (from the card's examples), `rewardbench` (RewardBench's, ends "
        "with EOS), `raw` (only the completion), `mistral` and `eurus-card` (Eurus-RM), `chat` "
        "(the tokenizer's chat template), or the path of a Jinja file. A template is rejected if "
        "it renders two different answers identically or needs too much computation for one "
        "conversation (nested loops)",
        identifies=True,
        is_brief=True,
    )
    dtype: str = declared(
        str,
        AUTO,
        check=_dtype,
        help="precision of the weights: auto (from config.json), float32, bfloat16 or float16",
        values="`auto` (the precision named in config.json, else float32), `float32`, `bfloat16`, "
        "`float16`. The final norm and the head always compute in float32",
        choices=(AUTO, *DTYPES),
        identifies=True,
        is_brief=True,
    )
    special_tokens: str | None = declared(
        str,
        check=one_of(*SPECIAL_TOKENS),
        help="special-token text in prompts and answers: plain text (text) or control tokens "
        "(parse)",
        values="`text`: special-token text such as `</s>` in a prompt or an answer stays plain "
        "text; `parse`: it becomes the control token, as in the published tutorial. Other added "
        "tokens (`<think>`, `<tool_call>`) become tokens with both values, as models write them; "
        "texts that contain them are counted (`spelled_added`)",
        choices=SPECIAL_TOKENS,
        identifies=True,
        label="special tokens in texts",
    )
    system: str | None = declared(
        str,
        check=one_of(*SYSTEM_TURNS),
        help="what to do if the template rejects a system turn: stop (error), prepend its text to "
        "the user's turn (fold), or remove it (drop)",
        values="`error`: a template that rejects a system turn stops the run before anything is "
        "scored; `fold`: the text of the system turn is put in front of the user's turn; `drop`: "
        "the system turn is removed. `fold` and `drop` are counted",
        choices=SYSTEM_TURNS,
        identifies=True,
        label="system turns",
    )
    max_length: int | None = declared(
        int,
        help="maximum number of tokens per text; longer texts are truncated on the left",
        values="the smaller of 2048 and the model's number of positions; the maximum number of "
        "tokens per text. Longer texts are truncated on the left, counted and reported",
        identifies=True,
        is_brief=True,
    )
    batch_size: int | str | None = declared(
        str,
        help="maximum number of texts per batch, or auto (limited by memory)",
        values="`auto`; the maximum number of texts and of tokens per batch. `batch_size=auto`, "
        "and 1, which lm-eval passes by default, leave only the token budget. Its default is "
        "computed from the device's free memory (on a CPU 2,048 tokens, and 16,384 for a prompt "
        "with its answers). If memory runs out, the budget is halved and the run continues",
    )
    max_batch_tokens: int | None = declared(
        int, check=as_count, help="maximum number of tokens per batch"
    )
    max_batch_size: int | str | None = declared(
        str, check=as_count, help="maximum number of texts per batch, also with batch_size=auto"
    )
    batching: str = declared(
        str,
        AUTO,
        check=one_of(AUTO, *BATCHINGS),
        help="how texts are batched: shared, packed or padded",
        values="`auto`: `shared`, or `padded` for models that need padding; `shared`: a prefix "
        "that texts share (a prompt with several completions) is computed once, without padding; "
        "`packed`: without padding; `padded`: texts are padded to equal length",
        choices=(AUTO, *BATCHINGS),
        engines=(TORCH,),
    )
    attn_implementation: str = declared(
        str,
        AUTO,
        help="attention implementation; auto: the fastest that works here",
        values="`auto`: the fastest implementation that is installed and passes a small "
        "correctness check on this device; `flash_attention_2` (needs the package flash-attn), "
        "`torch_varlen` (needs torch 2.10 or newer and a GPU), `flex_attention`, `sdpa`; `eager` "
        "(only with padding)",
        choices=(AUTO, *ATTENTIONS),
        engines=(TORCH,),
    )
    torch_compile: bool = declared(
        bool,
        False,
        check=as_flag,
        help="compile norms and MLPs with torch.compile",
        values="`False`; `True`: compile norms and MLPs with torch.compile. Rewards change in the "
        "last bits",
        engines=(TORCH,),
    )
    quantization: str | None = declared(
        str,
        check=one_of(*QUANTIZATIONS),
        help="quantize the weights: int8 or fp8; changes rewards",
        values='none; `int8` (bitsandbytes: `pip install "ultrarm-eval[int8]"`), `fp8` (needs a '
        "GPU of compute capability 8.9 or higher; transformers 5 also needs the package kernels). "
        "Quantization changes rewards: measure by how much with `ultrarm-eval verify`",
        choices=QUANTIZATIONS,
        identifies=True,
        is_brief=True,
        engines=(TORCH,),
    )
    parity: str | None = declared(
        str,
        check=one_of(REWARDBENCH),
        help="format texts as RewardBench's official runs do: rewardbench",
        values="none; `rewardbench`: format texts as RewardBench's official runs do (template, "
        "EOS, special tokens, truncation on the left to 2,048 tokens)",
        choices=(REWARDBENCH,),
        identifies=True,
        is_brief=True,
    )
    score_store: str | None = declared(
        str,
        help="SQLite file that keeps every reward as it is computed, so that an interrupted run "
        "can resume",
        values="none; an SQLite file that keeps every reward as it is computed. Rewards it "
        "already contains for the same weights and settings are not recomputed, so an interrupted "
        "run resumes. Each row has a checksum: a damaged row is recomputed and counted "
        "(`store_rows_damaged`)",
        metavar="FILE",
    )
    parallelize: bool = declared(
        bool,
        False,
        check=as_flag,
        help="distribute the weights over all GPUs and the CPU",
        values="`False`; `True`: distribute the weights over all GPUs and the CPU",
        engines=(TORCH,),
    )
    device: str | None = declared(
        str,
        help="cpu, mps, cuda or cuda:N (default: the first GPU, else the CPU)",
        engines=(TORCH,),
    )

    @property
    def max_texts(self) -> int | None:
        """The maximum number of texts per batch; None for `auto` and for lm-eval's default of 1."""
        size = self.batch_size
        limit = None if size is None or str(size).startswith(AUTO) else as_count("batch_size", size)
        limits = (None if limit == 1 else limit, self.max_batch_size)
        return min((int(one) for one in limits if one is not None), default=None)


def make_settings(settings_class: type[S], given: Mapping[str, Any], judge: str) -> S:
    """Makes the settings of a judge.

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
    """Rejects settings that a judge does not have.

    Args:
        given: Names that the user set.
        allowed: Names that the judge has.
        judge: The judge, for messages.

    Raises:
        ConfigurationError: There is such a setting; the message suggests the closest name.
    """
    names = set(allowed)
    for name in given:
        if name not in names:
            raise unknown_choice(f"setting of judge {judge!r}:", name, names)
