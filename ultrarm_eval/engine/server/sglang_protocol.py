"""sglang's HTTP API: its own `/classify`, with token ids, or with texts if it does not accept ids.

The request is its `EmbeddingReqInput`, which takes `input_ids` as well as `text`; the answer is a
list of `{"embedding": [reward], "meta_info": {"prompt_tokens": ...}}` in the order of the texts
(sglang: `srt/entrypoints/http_server.py`, `srt/managers/io_struct.py`). Rewards are raw: a request
cannot switch an activation on or off. A text as long as its context is rejected, because a few
tokens are reserved; started with `--allow-auto-truncate` it truncates, which the token count
reveals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ultrarm_eval.engine.server.failures import (
    FaultyError,
    ImplausibleAnswerError,
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
    LOOK_SECONDS,
    SentText,
    ServerFacts,
    ServerProtocol,
    as_value,
    chosen_model,
    in_order,
    require_tokens,
)

_PATH = "/classify"


class SglangProtocol(ServerProtocol):
    """The protocol of sglang."""

    software = "sglang"
    switches_activation = False

    _model = ""

    async def look(self) -> ServerFacts:
        """See `ServerProtocol.look`."""
        models, info, version = await asyncio.gather(
            listed_models(self),
            self.client.get("/get_model_info", LOOK_SECONDS),
            optional(self, "/get_server_info", "version"),
        )
        said = info.body if info.is_ok and isinstance(info.body, dict) else {}
        if said.get("is_generation") is True:
            raise UnusableServerError(
                "it serves a model for text generation. Start it with --is-embedding, which is "
                "how sglang serves reward models."
            )
        self._model = chosen_model(
            [(one["id"], [one.get("root"), said.get("model_path")]) for one in models], self._names
        )
        (card,) = (one for one in models if one["id"] == self._model)
        return ServerFacts(self._model, as_length(card), self.software, version)

    async def tokenize(self, text: str) -> list[int] | None:
        """See `ServerProtocol.tokenize`."""
        return await tokenized(self, self._model, text)

    async def compute(self, texts: Sequence[SentText], *, activated: bool = False) -> list[float]:
        """See `ServerProtocol.compute`."""
        if self.sends_text:
            sent: dict[str, object] = {"text": [text.text for text in texts]}
        else:
            sent = {"input_ids": [list(text.ids) for text in texts]}
        answer = await self.client.post(_PATH, sent)
        answer.require_ok(_PATH)
        items = in_order(answer.body, len(texts))
        for item, text in zip(items, texts, strict=True):
            meta = item.get("meta_info")
            require_tokens(meta.get("prompt_tokens") if isinstance(meta, dict) else None, [text])
        return [as_value(item.get("embedding")) for item in items]


async def takes_ids(protocol: SglangProtocol, probe: SentText) -> bool:
    """Whether a server accepts token ids.

    Raises:
        ServerFailure: It does not respond at all.
    """
    try:
        await protocol.compute([probe])
    except (RequestRefusedError, FaultyError, ImplausibleAnswerError):
        return False
    return True
