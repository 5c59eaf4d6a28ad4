"""vLLM's HTTP API: token ids to `/pooling`, or to `/classify` if that does not exist.

`/pooling` returns float32 in base64, exact and including NaN; `/classify` returns numbers in JSON.
Both apply the model's activation, a sigmoid for one label, unless `use_activation` is false or the
model's configuration says otherwise (vllm 0.32.0: `entrypoints/pooling/base/protocol.py`,
`model_executor/layers/pooler/activations.py`). Texts are never truncated there: a text that is too
long is rejected.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import struct
from collections.abc import Sequence
from typing import Any

from ultrarm_eval.engine.server.failures import (
    FaultyError,
    RequestRefusedError,
    UnusableServerError,
)
from ultrarm_eval.engine.server.model_listing import (
    as_length,
    listed_models,
    optional,
    tokenized,
)
from ultrarm_eval.engine.server.protocol import (
    SentText,
    ServerFacts,
    ServerProtocol,
    as_value,
    chosen_model,
    in_order,
    require_tokens,
)

_POOLING, _CLASSIFY = "/pooling", "/classify"
_FLOAT = struct.calcsize("<f")


class VllmProtocol(ServerProtocol):
    """The protocol of vLLM."""

    software = "vllm"
    switches_activation = True

    # The path for values; found with the first texts.
    _path: str | None = None
    _model = ""

    async def look(self) -> ServerFacts:
        """See `ServerProtocol.look`."""
        models, version = await asyncio.gather(
            listed_models(self), optional(self, "/version", "version")
        )
        self._model = chosen_model([(one["id"], [one.get("root")]) for one in models], self._names)
        # The served model may have changed since the last request.
        self._path = None
        (card,) = (one for one in models if one["id"] == self._model)
        return ServerFacts(self._model, as_length(card), self.software, version)

    async def tokenize(self, text: str) -> list[int] | None:
        """See `ServerProtocol.tokenize`."""
        return await tokenized(self, self._model, text)

    async def compute(self, texts: Sequence[SentText], *, activated: bool = False) -> list[float]:
        """See `ServerProtocol.compute`."""
        if self._path is not None:
            return await self._ask(self._path, texts, activated=activated)
        try:
            values = await self._ask(_POOLING, texts, activated=activated)
        except (UnusableServerError, RequestRefusedError) as error:
            # An older vLLM has no task "classify" there, or it is switched off.
            try:
                values = await self._ask(_CLASSIFY, texts, activated=activated)
            except (UnusableServerError, RequestRefusedError) as other:
                raise type(other)(
                    f"{error}; {other}. Serve the reward model with `vllm serve MODEL --runner "
                    "pooling`."
                ) from other
            self._path = _CLASSIFY
            return values
        self._path = _POOLING
        return values

    async def _ask(self, path: str, texts: Sequence[SentText], *, activated: bool) -> list[float]:
        body: dict[str, Any] = {
            "model": self._model,
            "input": [list(text.ids) for text in texts],
            "use_activation": activated,
        }
        if path == _POOLING:
            body |= {"task": "classify", "encoding_format": "base64"}
            body |= {"embed_dtype": "float32", "endianness": "little"}
        answer = await self.client.post(path, body)
        answer.require_ok(path)
        if not isinstance(answer.body, dict):
            raise FaultyError(f"{path} did not return a JSON object")
        items = in_order(answer.body.get("data"), len(texts))
        usage = answer.body.get("usage")
        require_tokens(usage.get("prompt_tokens") if isinstance(usage, dict) else None, texts)
        return [_value(one.get("data" if path == _POOLING else "probs")) for one in items]


def _value(data: object) -> float:
    if not isinstance(data, str):
        return as_value(data)
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FaultyError("a value in its response is not base64") from error
    if not raw or len(raw) % _FLOAT:
        raise FaultyError(f"a value in its response has {len(raw)} bytes instead of {_FLOAT}")
    return as_value([number for (number,) in struct.iter_unpack("<f", raw)])
