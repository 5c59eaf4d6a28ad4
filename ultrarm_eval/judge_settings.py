"""Settings of single judges, in addition to those of all judges that load a checkpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ultrarm_eval.errors import ConfigurationError, closest
from ultrarm_eval.setting import AUTO, as_count, as_flag, as_number, as_text, declared, one_of
from ultrarm_eval.settings import (
    AGGREGATES,
    ANSWER,
    END,
    LAYOUTS,
    POSITIONS,
    REDUCTIONS,
    SEPARATORS,
    TEXT_SEPARATOR,
    CheckpointSettings,
)


def _token(name: str, value: object) -> str | None:
    if value is None:
        return None
    text = str(value)
    if isinstance(value, bool | float) or not text:
        raise ConfigurationError(
            f"{name} must be a token's id or its text, not {value!r}. Put a text that looks like "
            f"a number in quotes: {name}=\"'1'\"."
        )
    return text


def _beta(name: str, value: object) -> float:
    number = as_number(value)
    if not 0 < number < math.inf:
        raise ConfigurationError(f"{name} must be a number above 0, not {value!r}.")
    return number


def _seed(name: str, value: object) -> int:
    if not str(value).isdecimal():
        raise ConfigurationError(f"{name} must be an integer of at least 0, not {value!r}.")
    return int(str(value))


def _separator(name: str, value: object) -> str | None:
    if value is None or value in SEPARATORS:
        return None if value is None else str(value)
    text = str(value)
    meant = closest(text.lower().replace("_", "-"), SEPARATORS, cutoff=0.75)
    if not text.removeprefix(TEXT_SEPARATOR):
        raise ConfigurationError(
            f"{name}={text!r} is empty. Use one of {', '.join(SEPARATORS)}, or a text."
        )
    if meant and not text.startswith(TEXT_SEPARATOR):
        raise ConfigurationError(
            f"{name}={text!r}: did you mean {meant}? If steps end with this text, write "
            f"{name}={TEXT_SEPARATOR}{text}."
        )
    return text


def _temperature(given: object, samples: int) -> float:
    if given is None:
        return 0.0 if samples == 1 else 1.0
    heat = as_number(given)
    if not 0 <= heat < math.inf or (heat == 0 and samples > 1):
        raise ConfigurationError(
            f"temperature={given!r} is not allowed with samples={samples}. It must be a number of "
            "at least 0, and above 0 for several samples, because greedy samples are identical."
        )
    return heat


@dataclass(frozen=True, kw_only=True)
class LikelihoodSettings(CheckpointSettings):
    """Settings of `likelihood`."""

    reduction: str = declared(
        str,
        "mean",
        check=one_of(*REDUCTIONS),
        help="mean: average log-likelihood per token of the completion; sum: total log-likelihood",
        choices=REDUCTIONS,
        identifies=True,
    )


@dataclass(frozen=True, kw_only=True)
class PreferenceSettings(CheckpointSettings):
    """Settings of `dpo`."""

    reference: str | None = declared(
        str,
        check=as_text,
        help="reference model (the model that DPO training started from): a folder or a hub id; "
        "required",
        identifies=True,
        is_brief=True,
        metavar="DIR",
    )
    reference_revision: str | None = declared(
        str, check=as_text, help="hub revision of the reference model", identifies=True
    )
    beta: float = declared(
        float, 1.0, check=_beta, help="factor of the difference of log-likelihoods", identifies=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reference is None:
            raise ConfigurationError(
                "judge=dpo needs the reference model, the model that DPO training started from. "
                "Set reference=DIR (in ultrarm-eval: --judge-args reference=DIR)."
            )


@dataclass(frozen=True, kw_only=True)
class CritiqueSettings(CheckpointSettings):
    """Settings of `critique`."""

    samples: int = declared(
        int,
        1,
        check=lambda name, value: as_count(name, value) or 1,
        help="number of critiques per answer; the reward is the mean of their readable scores",
        identifies=True,
    )
    temperature: float | None = declared(
        float,
        help="sampling temperature; default 0 (greedy) for one sample, 1 for several",
        identifies=True,
    )
    seed: int = declared(int, 0, check=_seed, help="random seed of the sampling", identifies=True)
    max_new_tokens: int = declared(
        int,
        512,
        check=lambda name, value: as_count(name, value) or 512,
        help="maximum number of tokens per critique",
        identifies=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "temperature", _temperature(self.temperature, self.samples))


@dataclass(frozen=True, kw_only=True)
class ProcessSettings(CheckpointSettings):
    """Settings of `process`."""

    layout: str = declared(
        str,
        AUTO,
        check=one_of(AUTO, *LAYOUTS),
        help="how the model reads steps: auto (detected from the checkpoint), qwen2-prm, "
        "skywork-prm, math-shepherd or rlhflow-prm",
        choices=(AUTO, *LAYOUTS),
        identifies=True,
        is_brief=True,
    )
    aggregate: str | None = declared(
        str,
        check=one_of(*AGGREGATES),
        help="how step rewards are combined into the answer's reward: min, product, last or mean; "
        "default: the layout's own",
        choices=AGGREGATES,
        identifies=True,
        is_brief=True,
    )
    separator: str | None = declared(
        str,
        check=lambda name, value: _separator(name, value),
        help="what separates steps: blank-line, line, step (a step begins with 'Step 1:'), or your "
        r"own text (\n is a newline); default: the layout's own separator",
        identifies=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.parity is not None:
            raise ConfigurationError(
                f"judge=process does not support parity={self.parity}: RewardBench has no "
                "official runs of process reward models. Remove parity."
            )


@dataclass(frozen=True, kw_only=True)
class TokenLogitSettings(CheckpointSettings):
    """Settings of `token-logit`."""

    token: str = declared(
        str,
        "0",
        check=_token,
        help="token whose logit is the reward: its id, or its text (in quotes if it looks like a "
        "number)",
        identifies=True,
        is_brief=True,
    )
    contrast: str | None = declared(
        str,
        check=_token,
        help="second token whose logit is subtracted, so that the reward is the log odds of the "
        "two tokens; default: none",
        identifies=True,
        is_brief=True,
    )
    position: str = declared(
        str,
        END,
        check=one_of(*POSITIONS),
        help="end: the logit at the conversation's last token; answer: the logit where an answer "
        "would begin, after the conversation (template=chat) or after a question about it "
        "(template=FILE.jinja)",
        choices=POSITIONS,
        identifies=True,
        is_brief=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.position == ANSWER and self.parity is not None:
            raise ConfigurationError(
                f"parity={self.parity} cannot be combined with position={ANSWER}: RewardBench's "
                "official runs use the logit at the end of the conversation. Remove one of the "
                "two."
            )


@dataclass(frozen=True, kw_only=True)
class NormalizeSettings(CheckpointSettings):
    """Settings of `openrlhf`."""

    normalize: bool = declared(
        bool,
        False,
        check=as_flag,
        help="True: rewards are (r - mean) / std, with mean and std from config.json",
        identifies=True,
    )


@dataclass(frozen=True, kw_only=True)
class NamedHeadSettings(CheckpointSettings):
    """Settings of `value-head`."""

    head: str | None = declared(
        str,
        check=as_text,
        help="name of the head's weight (v_head.weight) or the prefix of its weights' names "
        "(v_head); FILE:NAME if the head is in a separate file (value_head.bin:v_head.summary); "
        "required",
        identifies=True,
        is_brief=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.head or "").strip("."):
            raise ConfigurationError(
                "judge=value-head needs the name of the head: its weight (head=v_head.weight) or "
                "the prefix of its weights' names (head=v_head). ultrarm-eval inspect-checkpoint "
                "shows the weights of a checkpoint."
            )
