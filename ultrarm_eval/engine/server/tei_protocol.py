"""The HTTP API of text-embeddings-inference: `/predict`, with texts.

A request is `{"inputs": [[text], ...], "raw_scores": true, "truncate": false}`, the answer a list
of `[{"score", "label"}]` in the order of the texts, and the header `x-compute-tokens` contains the
number of tokens. `/info` contains the served model, its dtype, and the maximum size of a request
(text-embeddings-inference: `router/src/http/server.rs`, `router/src/http/types.rs`,
`router/src/lib.rs`). A value that is NaN fails the request with status 424, one text that is too
long with 422.
"""

from __future__ import annotations

from collections.abc import Sequence

from ultrarm_eval.engine.server.failures import FaultyError, UnusableServerError
from ultrarm_eval.engine.server.protocol import (
    LOOK_SECONDS,
    SentText,
    ServerFacts,
    ServerProtocol,
    as_value,
    chosen_model,
    require_tokens,
)

_PATH = "/predict"
_COUNT_DIGITS = 18


class TeiProtocol(ServerProtocol):
    """The protocol of text-embeddings-inference."""

    software = "text-embeddings-inference"
    switches_activation = True
    sends_text = True

    async def look(self) -> ServerFacts:
        """See `ServerProtocol.look`."""
        answer = await self.client.get("/info", LOOK_SECONDS)
        answer.require_ok("/info")
        info = answer.body
        if not isinstance(info, dict) or not isinstance(info.get("model_id"), str):
            raise FaultyError("/info does not name the served model")
        kinds = info.get("model_type")
        if isinstance(kinds, dict) and not {"reranker", "classifier"} & kinds.keys():
            raise UnusableServerError(
                f"it serves a model of type {', '.join(kinds)}, but rewards need a sequence "
                "classification model with a single label"
            )
        name = info.get("served_model_name")
        own = name if isinstance(name, str) else info["model_id"]
        return ServerFacts(
            model=chosen_model([(own, [info["model_id"]])], self._names),
            max_model_len=_count(info.get("max_input_length")),
            software=self.software,
            version=info["version"] if isinstance(info.get("version"), str) else None,
            dtype=info["model_dtype"] if isinstance(info.get("model_dtype"), str) else None,
            max_texts=_count(info.get("max_client_batch_size")),
        )

    async def tokenize(self, text: str) -> list[int] | None:
        """See `ServerProtocol.tokenize`."""
        body = {"inputs": [text], "add_special_tokens": True}
        answer = await self.client.post("/tokenize", body, LOOK_SECONDS)
        if not answer.is_ok or not isinstance(answer.body, list) or len(answer.body) != 1:
            return None
        tokens = answer.body[0]
        if not isinstance(tokens, list) or not all(isinstance(one, dict) for one in tokens):
            return None
        ids = [one.get("id") for one in tokens]
        return ids if all(isinstance(one, int) for one in ids) else None

    async def compute(self, texts: Sequence[SentText], *, activated: bool = False) -> list[float]:
        """See `ServerProtocol.compute`."""
        body = {
            "inputs": [[text.text] for text in texts],
            "raw_scores": not activated,
            "truncate": False,
        }
        answer = await self.client.post(_PATH, body)
        answer.require_ok(_PATH)
        if not isinstance(answer.body, list):
            raise FaultyError(f"{_PATH} did not return a list")
        if len(answer.body) != len(texts):
            raise FaultyError(f"it returned {len(answer.body)} values for {len(texts)} texts")
        read = answer.headers.get("x-compute-tokens", "")
        # Longer ones are not a count, and Python does not parse thousands of digits.
        is_count = read.isdecimal() and len(read) <= _COUNT_DIGITS
        require_tokens(int(read) if is_count else None, texts)
        return [_value(one) for one in answer.body]


def _value(predictions: object) -> float:
    if not isinstance(predictions, list) or not all(isinstance(one, dict) for one in predictions):
        raise FaultyError("its response contains something that is not a prediction")
    return as_value([one.get("score") for one in predictions])


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
