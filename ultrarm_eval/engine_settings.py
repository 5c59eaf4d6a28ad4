"""Settings that choose and configure the engine; each engine rejects the others' settings."""

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

#: torch in this process, vLLM in this process, or servers.
TORCH, VLLM, SERVER = ENGINES = ("torch", "vllm", "server")
#: The protocols of servers.
PROTOCOLS = ("vllm", "sglang", "tei")

_URL = re.compile(r"https?://[^\s/?#@,]+(/[^\s?#,]*)?")


def _urls(name: str, value: object) -> str | None:
    """Addresses of servers, joined by `;`, normalized: without a trailing slash."""
    if value is None:
        return None
    named = [one.strip().rstrip("/") for one in str(value).split(";") if one.strip()]
    given = [one.removesuffix("/v1").rstrip("/") for one in named]
    wrong = [one for one in given if not _URL.fullmatch(one)]
    if wrong or not given:
        raise ConfigurationError(
            f"{name} must be the address of a server, such as http://127.0.0.1:8000, or several "
            "addresses joined by ';' (not ','), without a user name, a password or a query; not "
            f"{str(value)!r}."
        )
    twice = [one for one in given if given.count(one) > 1]
    if twice:
        raise ConfigurationError(f"{name} contains {twice[0]} twice; name each server once.")
    return ";".join(given)


def _share(name: str, value: object) -> float | None:
    number = math.nan if isinstance(value, bool) else as_number(value)
    if value is not None and not 0 < number <= 1:
        raise ConfigurationError(f"{name} must be a number above 0 and at most 1, not {value!r}.")
    return None if value is None else number


def _seconds(name: str, value: object) -> float:
    number = math.nan if isinstance(value, bool) else as_number(value)
    if not 0 < number < math.inf:
        raise ConfigurationError(f"{name} must be a number of seconds above 0, not {value!r}.")
    return number


def _count_or_none(name: str, value: object) -> int:
    if isinstance(value, bool) or not str(value).isdecimal():
        raise ConfigurationError(f"{name} must be an integer of at least 0, not {value!r}.")
    return int(str(value))


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """The engine and its settings.

    Raises:
        ConfigurationError: A value is not allowed, or belongs to another engine.
    """

    engine: str = declared(
        str,
        AUTO,
        check=one_of(AUTO, *ENGINES),
        help="engine that computes rewards: torch or vllm (both in this process), or server",
        values="`auto` (torch); `torch`: in this process; `vllm`: vLLM in this process (`pip "
        'install "ultrarm-eval[vllm]"`); `server`: running servers, named by `base_url`',
        choices=(AUTO, *ENGINES),
        identifies=True,
        is_brief=True,
    )
    tensor_parallel_size: int | None = declared(
        int,
        check=as_count,
        values="1; number of GPUs that each layer is split over",
        engines=(VLLM,),
    )
    pipeline_parallel_size: int | None = declared(
        int,
        check=as_count,
        values="1; number of GPUs that the layers are distributed over as pipeline stages",
        engines=(VLLM,),
    )
    data_parallel_size: int | None = declared(
        int,
        check=as_count,
        values="1. vLLM runs one replica of a model per process, so larger values are rejected "
        "with the command that serves several replicas (`vllm serve --data-parallel-size`)",
        engines=(VLLM,),
    )
    gpu_memory_utilization: float | None = declared(
        float,
        check=_share,
        values="vLLM's default; the fraction of each GPU's memory that vLLM uses, above 0 and at "
        "most 1",
        engines=(VLLM,),
    )
    max_num_seqs: int | None = declared(
        int,
        check=as_count,
        values="vLLM's default; maximum number of texts in one vLLM step",
        engines=(VLLM,),
    )
    max_num_batched_tokens: int | None = declared(
        int,
        check=as_count,
        values="vLLM's default; maximum number of tokens in one vLLM step",
        engines=(VLLM,),
    )
    enforce_eager: bool = declared(
        bool,
        False,
        check=as_flag,
        values="`False`; `True`: run without CUDA graphs, which starts faster",
        engines=(VLLM,),
    )
    base_url: str | None = declared(
        str,
        check=_urls,
        help="servers of engine=server as http://HOST:PORT, several joined by ';'",
        values="none; the servers as `http://HOST:PORT`, several joined by `;` (quote the value "
        "in a shell). Requests are balanced by load. If a server fails, its requests go to the "
        "other servers, and it is retried later",
        engines=(SERVER,),
        metavar="URL",
    )
    protocol: str = declared(
        str,
        PROTOCOLS[0],
        check=one_of(*PROTOCOLS),
        help="API of the servers: vllm, sglang or tei",
        values="`vllm`: token ids are sent; `sglang`, `tei` (text-embeddings-inference): texts "
        "are sent. A text is rejected if the server does not tokenize it to the same token ids",
        choices=PROTOCOLS,
        engines=(SERVER,),
    )
    served_model: str | None = declared(
        str,
        check=as_text,
        help="the model's name on the servers, if it differs from pretrained",
        values="`pretrained`; the model's name on the servers",
        engines=(SERVER,),
    )
    num_concurrent: int = declared(
        int,
        8,
        check=as_count,
        values="number of concurrent requests to each server",
        engines=(SERVER,),
    )
    request_timeout: float = declared(
        float, 600.0, check=_seconds, values="timeout of a request in seconds", engines=(SERVER,)
    )
    max_retries: int = declared(
        int,
        8,
        check=_count_or_none,
        values="number of retries, with exponential backoff, if servers are busy, unreachable or "
        "return an error",
        engines=(SERVER,),
    )
    api_key_env: str = declared(
        str,
        "ULTRARM_EVAL_API_KEY",
        check=as_text,
        values="name of the environment variable that contains the servers' API key, if they need "
        "one. The key is never logged or stored",
        engines=(SERVER,),
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check = field.metadata["check"]
            if check is not None:
                checked = check(field.name, getattr(self, field.name))
                # None means "not set", also where the default is another value.
                value = field.default if checked is None else checked
                object.__setattr__(self, field.name, value)
        for setting in settings_in(type(self)).values():
            is_given = getattr(self, setting.name) != setting.default
            if is_given and setting.engines and self.computed_by not in setting.engines:
                wanted = _either(setting.engines)
                raise ConfigurationError(
                    f"{setting.name} is a setting of engine={wanted}, but this run has "
                    f"engine={self.computed_by}. Set engine={wanted}, or remove {setting.name}."
                )
        if self.computed_by == SERVER and self.base_url is None:
            raise ConfigurationError(
                "engine=server needs the addresses of the servers: base_url=http://HOST:PORT, "
                "several joined by ';' (quote the argument in a shell)."
            )

    @property
    def computed_by(self) -> str:
        """The engine that computes: `auto` is torch."""
        return TORCH if self.engine == AUTO else self.engine

    @property
    def base_urls(self) -> tuple[str, ...]:
        """The addresses of the servers, without a trailing slash."""
        return tuple((self.base_url or "").split(";")) if self.base_url else ()


def _either(engines: Sequence[str]) -> str:
    return " or ".join(engines)
