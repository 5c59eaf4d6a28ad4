"""The three protocols, as their servers speak them: what is read, answered and refused, and how.

Written from the servers' sources, not from our client: vLLM 0.32.0 (`vllm/entrypoints/pooling`,
`serve/tokenize`, `serve/exception_handling`, `serve/middleware/authenticate.py`), sglang
(`python/sglang/srt/entrypoints/http_server.py`, `managers/io_struct.py`) and text-embeddings-inference
at 0d124dc (`router/src/http/{server,types}.rs`, `router/src/lib.rs`, `core/src/tokenization.rs`).
"""

from __future__ import annotations

import base64
import math
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tests.engine.server.served_checkpoint import ServedCheckpoint

#: What encodes the value of an item, and may be replaced by a fault.
Encode = Callable[[list[float]], Any]


class RefusedError(Exception):
    """A request that a server refuses.

    Attributes:
        status: The HTTP status.
        body: What stands in the answer: a JSON value, or a text.
    """

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body


@dataclass
class Asked:
    """What a request asks for.

    Attributes:
        texts: The token ids of each text.
        has_activation: Whether a sigmoid is put over the rewards.
        encode: Makes the value of an item.
        is_alone: Whether a single text was asked for, and not a list.
    """

    texts: list[list[int]]
    has_activation: bool = False
    encode: Encode = list
    is_alone: bool = False


class Protocol(ABC):
    """How a server is spoken to.

    Attributes:
        scoring: Paths of requests that are scored.
        guarded: Beginnings of the paths that want a key, where one is set; `/health` never does.
        unauthorized: What stands in an answer to a wrong key.
        max_body: The most bytes of a request.
    """

    scoring: tuple[str, ...]
    guarded: tuple[str, ...] = ("/",)
    unauthorized: Any = MappingProxyType({"error": "Unauthorized"})
    max_body: int = 2**30

    @abstractmethod
    def read(self, path: str, asked: Any, model: ServedCheckpoint) -> Asked:
        """What a request asks for; raises `RefusedError`."""

    @abstractmethod
    def check(self, texts: Sequence[Sequence[int]], model: ServedCheckpoint) -> None:
        """Refuses texts that it cannot compute; raises `RefusedError`."""

    @abstractmethod
    def items(self, path: str, asked: Asked, rewards: Sequence[float]) -> list[Any]:
        """What is answered of each text; raises `RefusedError`."""

    @abstractmethod
    def envelope(self, path: str, asked: Asked, items: list[Any], model: ServedCheckpoint) -> Any:
        """The whole answer."""

    @abstractmethod
    def look_up(self, path: str, asked: Any, model: ServedCheckpoint) -> Any:
        """The answer to any other request; raises `RefusedError`."""

    def headers(self, asked: Asked) -> dict[str, str]:
        """The headers of an answer."""
        return {"Content-Type": "application/json"}

    def wants_key(self, path: str) -> bool:
        """Whether a path is guarded by a key, where one is set."""
        return path.startswith(self.guarded) and path != "/health"


def texts_of(value: Any) -> tuple[list[Any], bool] | None:
    """Texts or lists of ids, and whether it was a single one; None if they are neither."""
    if isinstance(value, str):
        return [value], True
    if not isinstance(value, list):
        return None
    if value and all(type(one) is int for one in value):
        return [value], True
    is_ids = all(isinstance(one, list) and all(type(i) is int for i in one) for one in value)
    return (value, False) if is_ids or all(isinstance(one, str) for one in value) else None


class VllmProtocol(Protocol):
    """vLLM: `/pooling` and `/classify` of token ids or texts, `/tokenize`, `/v1/models`.

    One bad text fails the whole request with 400. NaN is no JSON: 400, where a base64 answer shows
    it. A key is asked for under `/v1` alone. A single label gets a sigmoid unless a request or the
    model's `problem_type` says otherwise.
    """

    scoring = ("/pooling", "/classify")
    guarded = ("/v1", "/v2", "/inference", "/cohere")

    def __init__(self, *, is_regression: bool = False) -> None:
        self.is_regression = is_regression

    def read(self, path: str, asked: Any, model: ServedCheckpoint) -> Asked:
        texts = texts_of(asked.get("input")) if isinstance(asked, dict) else None
        if texts is None:
            raise _refused_by_vllm("1 validation error: input", kind="Bad Request")
        _require_model(asked, model)
        if "normalize" in asked:
            raise _refused_by_vllm("Parameter `normalize` was removed; use `use_activation`.")
        if asked.get("task") not in (None, "classify"):
            raise _refused_by_vllm(f"Unsupported task: {asked['task']!r}")
        if not texts[0]:
            raise _refused_by_vllm("You must pass at least one prompt")
        ids = [
            model.ids(one, add_special_tokens=asked.get("add_special_tokens", True))
            if isinstance(one, str)
            else one
            for one in texts[0]
        ]
        kept = asked.get("truncate_prompt_tokens")
        if kept is not None:
            # On the left, so that a BOS is the first token that is lost.
            ids = [one[-kept:] if kept > 0 else one for one in ids]
        activates = asked.get("use_activation")
        return Asked(
            ids,
            has_activation=not self.is_regression and activates is not False,
            encode=_encoding(asked) if path == "/pooling" else list,
        )

    def items(self, path: str, asked: Asked, rewards: Sequence[float]) -> list[Any]:
        in_json = asked.encode is list
        if in_json and not all(map(math.isfinite, rewards)):
            raise _refused_by_vllm("Out of range float values are not JSON compliant")
        if path == "/pooling":
            return [
                {"index": index, "object": "pooling", "data": asked.encode([reward])}
                for index, reward in enumerate(rewards)
            ]
        return [
            {"index": index, "label": "LABEL_0", "probs": asked.encode([reward]), "num_classes": 1}
            for index, reward in enumerate(rewards)
        ]

    def envelope(self, path: str, asked: Asked, items: list[Any], model: ServedCheckpoint) -> Any:
        tokens = sum(map(len, asked.texts))
        return {
            "id": f"{path[1:]}-1",
            "object": "list",
            "created": int(time.time()),
            "model": model.name,
            "data": items,
            "usage": {
                "prompt_tokens": tokens,
                "total_tokens": tokens,
                "completion_tokens": 0,
                "prompt_tokens_details": None,
            },
        }

    def look_up(self, path: str, asked: Any, model: ServedCheckpoint) -> Any:
        match path:
            case "/health":
                return ""
            case "/version":
                return {"version": "0.32.0"}
            case "/v1/models":
                return model_list(model, "vllm")
            case "/tokenize" if isinstance(asked, dict) and isinstance(asked.get("prompt"), str):
                _require_model(asked, model)
                ids = model.ids(
                    asked["prompt"], add_special_tokens=asked.get("add_special_tokens", True)
                )
                return {
                    "count": len(ids),
                    "max_model_len": model.max_model_len,
                    "tokens": ids,
                    "token_strs": None,
                }
            case "/tokenize":
                raise _refused_by_vllm("1 validation error: prompt", kind="Bad Request")
        raise _refused_by_vllm("Not Found", kind="Not Found", status=404)

    def check(self, texts: Sequence[Sequence[int]], model: ServedCheckpoint) -> None:
        for ids in texts:
            if not ids:
                raise _refused_by_vllm("The decoder prompt cannot be empty")
            wrong = [one for one in ids if not 0 <= one < model.vocabulary_size]
            if wrong:
                raise _refused_by_vllm(f"Token id {max(wrong)} is out of vocabulary")
            if len(ids) > model.max_model_len:
                raise _refused_by_vllm(
                    f"This model's maximum context length is {model.max_model_len} tokens. "
                    f"However, your prompt contains {len(ids)} input tokens."
                )


def _encoding(asked: dict[str, Any]) -> Encode:
    form = asked.get("encoding_format", "float")
    if form == "float":
        return list
    types = {"float32": "f", "float16": "e"}
    if form != "base64" or asked.get("embed_dtype", "float32") not in types:
        raise _refused_by_vllm(f"encoding_format {form}: not by this server of the tests")
    order = {"native": "=", "little": "<", "big": ">"}[asked.get("endianness", "native")]
    code = types[asked.get("embed_dtype", "float32")]

    def encode(values: list[float]) -> str:
        return base64.b64encode(struct.pack(f"{order}{len(values)}{code}", *values)).decode()

    return encode


def _refused_by_vllm(
    said: str, *, kind: str = "BadRequestError", status: int = 400
) -> RefusedError:
    return RefusedError(
        status, {"error": {"message": said, "type": kind, "param": None, "code": status}}
    )


def _require_model(asked: dict[str, Any], model: ServedCheckpoint) -> None:
    if asked.get("model") not in (None, "", model.name):
        said = f"The model `{asked['model']}` does not exist."
        raise _refused_by_vllm(said, kind="NotFoundError", status=404)


def model_list(model: ServedCheckpoint, owner: str) -> Any:
    card = {
        "id": model.name,
        "object": "model",
        "created": int(time.time()),
        "owned_by": owner,
        "root": model.root,
        "parent": None,
        "max_model_len": model.max_model_len,
    }
    return {"object": "list", "data": [card]}
