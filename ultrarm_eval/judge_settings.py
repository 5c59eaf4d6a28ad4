"""Settings of single judges, beside those of every judge that reads a checkpoint."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass

from ultrarm_eval.errors import ConfigurationError
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
            f"{name} is the id of a token or its text, not {value!r}; the text of one that looks "
            f"like a number stands in quotes: {name}=\"'1'\"."
        )
    return text


def _beta(name: str, value: object) -> float:
    number = as_number(value)
    if not 0 < number < math.inf:
        raise ConfigurationError(f"{name} is a number above 0, not {value!r}.")
    return number


def _seed(name: str, value: object) -> int:
    if not str(value).isdecimal():
        raise ConfigurationError(f"{name} is a whole number of at least 0, not {value!r}.")
    return int(str(value))


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
    heat = as_number(given)
    if not 0 <= heat < math.inf or (heat == 0 and samples > 1):
        raise ConfigurationError(
            f"temperature={given!r} is not allowed with samples={samples}: it is a number of at "
            "least 0, and above 0 for several samples, which would be all the same."
        )
    return heat


@dataclass(frozen=True, kw_only=True)
class LikelihoodSettings(CheckpointSettings):
    """Settings of `likelihood`."""

    reduction: str = declared(
        str,
        "mean",
        check=one_of(*REDUCTIONS),
        help="mean or sum over the completion's tokens",
        choices=REDUCTIONS,
        identifies=True,
    )


@dataclass(frozen=True, kw_only=True)
class PreferenceSettings(CheckpointSettings):
    """Settings of `dpo`."""

    reference: str | None = declared(
        str,
        check=as_text,
        help="the model that the training began with: folder or hub id",
        identifies=True,
        is_brief=True,
        metavar="DIR",
    )
    reference_revision: str | None = declared(
        str, check=as_text, help="hub revision of the reference", identifies=True
    )
    beta: float = declared(
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

    samples: int = declared(
        int,
        1,
        check=lambda name, value: as_count(name, value) or 1,
        help="critiques of each answer; the mean of their readable scores is the reward",
        identifies=True,
    )
    temperature: float | None = declared(
        float,
        help="0, the likeliest tokens, for one sample and 1 for several if not given",
        identifies=True,
    )
    seed: int = declared(int, 0, check=_seed, help="of the samples", identifies=True)
    max_new_tokens: int = declared(
        int,
        512,
        check=lambda name, value: as_count(name, value) or 512,
        help="most tokens of a critique",
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
        help="how steps are written and read; auto asks the checkpoint",
        choices=(AUTO, *LAYOUTS),
        identifies=True,
        is_brief=True,
    )
    aggregate: str | None = declared(
        str,
        check=one_of(*AGGREGATES),
        help="what an answer's reward is of its steps' rewards; the layout's own if not given",
        choices=AGGREGATES,
        identifies=True,
        is_brief=True,
    )
    separator: str | None = declared(
        str,
        check=lambda name, value: _separator(name, value),
        help="what steps end by: blank-line, line, step ('Step 1:' begins one), or a text of one's "
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

    token: str = declared(
        str,
        "0",
        check=_token,
        help="the token whose logit is the reward: its id, or its text, in quotes if that is a "
        "number",
        identifies=True,
        is_brief=True,
    )
    contrast: str | None = declared(
        str,
        check=_token,
        help="a second token, whose logit is taken off: the reward is the log odds of the two",
        identifies=True,
        is_brief=True,
    )
    position: str = declared(
        str,
        END,
        check=one_of(*POSITIONS),
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


@dataclass(frozen=True, kw_only=True)
class NormalizeSettings(CheckpointSettings):
    """Settings of `openrlhf`."""

    normalize: bool = declared(
        bool,
        False,
        check=as_flag,
        help="rewards are (r - mean) / std, by config.json's mean and std",
        identifies=True,
    )


@dataclass(frozen=True, kw_only=True)
class NamedHeadSettings(CheckpointSettings):
    """Settings of `value-head`."""

    head: str | None = declared(
        str,
        check=as_text,
        help="its weight, v_head.weight, or how the names of its weights begin, v_head; "
        "FILE:NAME where it is in a file of its own, value_head.bin:v_head.summary",
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
