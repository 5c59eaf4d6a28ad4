"""Settings that say which engine computes, and how; each engine refuses those of the others."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.setting import (
    AUTO,
    as_count,
    as_flag,
    as_number,
    as_text,
    declared,
    one_of,
    settings_in,
)

#: In this process by torch, in this process by vLLM, on servers.
TORCH, VLLM, SERVER = ENGINES = ("torch", "vllm", "server")
#: How servers are spoken to.
PROTOCOLS = ("vllm", "sglang", "tei")

_URL = re.compile(r"https?://[^\s/?#@,]+(/[^\s?#,]*)?")


def _urls(name: str, value: object) -> str | None:
    """Addresses of servers, joined by `;`, as they are asked: without a slash at the end."""
    if value is None:
        return None
    named = [one.strip().rstrip("/") for one in str(value).split(";") if one.strip()]
    given = [one.removesuffix("/v1").rstrip("/") for one in named]
    wrong = [one for one in given if not _URL.fullmatch(one)]
    if wrong or not given:
        raise ConfigurationError(
            f"{name} is the address of a server, such as http://127.0.0.1:8000, or several joined "
            f"by ';' and not by ',', without a user name, a password or a query; not "
            f"{str(value)!r}."
        )
    twice = [one for one in given if given.count(one) > 1]
    if twice:
        raise ConfigurationError(f"{name} names {twice[0]} twice.")
    return ";".join(given)


def _share(name: str, value: object) -> float | None:
    number = math.nan if isinstance(value, bool) else as_number(value)
    if value is not None and not 0 < number <= 1:
        raise ConfigurationError(f"{name} is a number above 0 and at most 1, not {value!r}.")
    return None if value is None else number


def _seconds(name: str, value: object) -> float:
    number = math.nan if isinstance(value, bool) else as_number(value)
    if not 0 < number < math.inf:
        raise ConfigurationError(f"{name} is a number of seconds above 0, not {value!r}.")
    return number


def _count_or_none(name: str, value: object) -> int:
    if isinstance(value, bool) or not str(value).isdecimal():
        raise ConfigurationError(f"{name} is a whole number of at least 0, not {value!r}.")
    return int(str(value))


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Which engine computes, and its settings.

    Raises:
        ConfigurationError: A value is not allowed, or is for another engine.
    """

    engine: str = declared(
        str,
        AUTO,
        check=one_of(AUTO, *ENGINES),
        help="what computes: torch (here), vllm (here, by vLLM) or server",
        values='`auto` (torch), `torch`; `vllm`: by vLLM in this process, `pip install "ultrarm-'
        'eval[vllm]"`; `server`: by servers that `base_url` names',
        choices=(AUTO, *ENGINES),
        identifies=True,
        is_brief=True,
    )
    tensor_parallel_size: int | None = declared(
        int,
        check=as_count,
        values="GPUs that each layer is split over",
        engines=(VLLM,),
    )
    pipeline_parallel_size: int | None = declared(
        int,
        check=as_count,
        values="GPUs that the layers are split over, one after the other",
        engines=(VLLM,),
    )
    data_parallel_size: int | None = declared(
        int,
        check=as_count,
        values="1: vLLM computes one copy of a model in one process; more are refused, with how to "
        "serve them (`vllm serve --data-parallel-size`)",
        engines=(VLLM,),
    )
    gpu_memory_utilization: float | None = declared(
        float,
        check=_share,
        values="the share of each GPU's memory that vLLM takes, above 0 and at most 1; its own "
        "default if not given",
        engines=(VLLM,),
    )
    max_num_seqs: int | None = declared(
        int, check=as_count, values="the most texts that vLLM computes at once", engines=(VLLM,)
    )
    max_num_batched_tokens: int | None = declared(
        int, check=as_count, values="the most tokens that vLLM computes at once", engines=(VLLM,)
    )
    enforce_eager: bool = declared(
        bool,
        False,
        check=as_flag,
        values="`False`, `True`: without CUDA graphs; starts sooner",
        engines=(VLLM,),
    )
    base_url: str | None = declared(
        str,
        check=_urls,
        help="servers that compute, joined by ';' (engine=server)",
        values="the servers, as `http://HOST:PORT`, several joined by `;` (quote it in a shell; "
        "`--model_args` splits at commas): balanced by load; one that dies is left out, its work "
        "redone by the others, and tried again",
        engines=(SERVER,),
        metavar="URL",
    )
    protocol: str = declared(
        str,
        PROTOCOLS[0],
        check=one_of(*PROTOCOLS),
        help="how the servers are spoken to: vllm, sglang or tei",
        values="`vllm` (token ids); `sglang`, `tei` (text-embeddings-inference): texts, which the "
        "server must tokenise as we do, else they are refused",
        choices=PROTOCOLS,
        engines=(SERVER,),
    )
    served_model: str | None = declared(
        str,
        check=as_text,
        help="the model's name on the servers, where it is not that of the checkpoint",
        values="the model's name on the servers, where it is not `pretrained`",
        engines=(SERVER,),
    )
    num_concurrent: int = declared(
        int,
        8,
        check=as_count,
        values="requests that each server works on at once",
        engines=(SERVER,),
    )
    request_timeout: float = declared(
        float, 600.0, check=_seconds, values="seconds that an answer may take", engines=(SERVER,)
    )
    max_retries: int = declared(
        int,
        8,
        check=_count_or_none,
        values="how often a request is sent again, later and later, where servers are busy, "
        "unreachable or fail",
        engines=(SERVER,),
    )
    api_key_env: str = declared(
        str,
        "ULTRARM_EVAL_API_KEY",
        check=as_text,
        values="the environment variable with the servers' key, if they ask for one; the key is "
        "never logged or kept",
        engines=(SERVER,),
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check = field.metadata["check"]
            if check is not None:
                checked = check(field.name, getattr(self, field.name))
                # Nothing is said by None, also where something else is usual.
                value = field.default if checked is None else checked
                object.__setattr__(self, field.name, value)
        for setting in settings_in(type(self)).values():
            is_given = getattr(self, setting.name) != setting.default
            if is_given and setting.engines and self.computed_by not in setting.engines:
                wanted = _either(setting.engines)
                raise ConfigurationError(
                    f"{setting.name} is for engine={wanted}; this run has engine="
                    f"{self.computed_by}. Set engine={wanted}, or leave {setting.name} out."
                )
        if self.computed_by == SERVER and self.base_url is None:
            raise ConfigurationError(
                "engine=server: name the servers, base_url=http://HOST:PORT, several joined by ';' "
                "(in a shell, quote the argument)."
            )

    @property
    def computed_by(self) -> str:
        """The engine that computes: `auto` is torch."""
        return TORCH if self.engine == AUTO else self.engine

    @property
    def base_urls(self) -> tuple[str, ...]:
        """The addresses of the servers, without a slash at the end."""
        return tuple((self.base_url or "").split(";")) if self.base_url else ()


def _either(engines: Sequence[str]) -> str:
    return " or ".join(engines)
