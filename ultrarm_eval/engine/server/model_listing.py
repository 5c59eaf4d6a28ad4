"""Model information of OpenAI-style servers: `/v1/models`, `/tokenize`, versions.

vLLM and sglang have these.
"""

from __future__ import annotations

from typing import Any

from ultrarm_eval.engine.server.failures import FaultyError, ServerFailure
from ultrarm_eval.engine.server.protocol import LOOK_SECONDS, ServerProtocol


async def listed_models(protocol: ServerProtocol) -> list[dict[str, Any]]:
    """The models of a server with OpenAI's `/v1/models`, each with its `id`.

    Raises:
        ServerFailure: It does not list them.
    """
    answer = await protocol.client.get("/v1/models", LOOK_SECONDS)
    answer.require_ok("/v1/models")
    cards = answer.body.get("data") if isinstance(answer.body, dict) else None
    if not isinstance(cards, list):
        raise FaultyError("/v1/models did not return a list of models")
    return [one for one in cards if isinstance(one, dict) and isinstance(one.get("id"), str)]


async def optional(protocol: ServerProtocol, path: str, name: str) -> str | None:
    """A value in a server's information, if present."""
    try:
        answer = await protocol.client.get(path, LOOK_SECONDS)
    except ServerFailure:
        return None
    said = answer.body.get(name) if answer.is_ok and isinstance(answer.body, dict) else None
    return said if isinstance(said, str) else None


def as_length(card: dict[str, Any]) -> int | None:
    """The maximum number of tokens per text in a model's entry of `/v1/models`."""
    length = card.get("max_model_len")
    return length if isinstance(length, int) and not isinstance(length, bool) else None


async def tokenized(protocol: ServerProtocol, model: str, text: str) -> list[int] | None:
    """The ids of a text by `/tokenize` of vLLM and sglang; None if it does not exist."""
    body = {"model": model, "prompt": text, "add_special_tokens": True}
    answer = await protocol.client.post("/tokenize", body, LOOK_SECONDS)
    if not answer.is_ok or not isinstance(answer.body, dict):
        return None
    tokens = answer.body.get("tokens")
    is_known = isinstance(tokens, list) and all(isinstance(one, int) for one in tokens)
    return tokens if is_known else None
