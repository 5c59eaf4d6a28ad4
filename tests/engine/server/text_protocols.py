"""sglang's protocol and text-embeddings-inference's; see `tests.engine.server.protocols`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tests.engine.server.protocols import Asked, Protocol, RefusedError, model_list, texts_of
from tests.engine.server.served_checkpoint import ServedCheckpoint


class SglangProtocol(Protocol):
    """sglang: `/classify` of texts (or token ids), `/model_info`, `/v1/models`; raw rewards.

    A list is answered with a list, each item with the tokens that were computed. With a key every
    path but `/health` wants it. Only newer versions have `/tokenize`.
    """

    scoring = ("/classify",)

    def __init__(self, *, takes_ids: bool = True, tokenizes: bool = False) -> None:
        self.takes_ids, self.tokenizes = takes_ids, tokenizes

    def read(self, path: str, asked: Any, model: ServedCheckpoint) -> Asked:
        names = ("text", "input_ids") if self.takes_ids else ("text",)
        given = [asked[name] for name in names if asked.get(name) is not None]
        texts = texts_of(given[0]) if len(given) == 1 else None
        if texts is None or not texts[0]:
            raise _refused_by_sglang("Either text, input_ids or input_embeds should be provided.")
        ids = [model.ids(one) if isinstance(one, str) else one for one in texts[0]]
        return Asked(ids, is_alone=texts[1])

    def check(self, texts: Sequence[Sequence[int]], model: ServedCheckpoint) -> None:
        for ids in texts:
            if not all(0 <= one < model.vocabulary_size for one in ids):
                raise _refused_by_sglang("The input_ids contain values outside the vocabulary.")
            if len(ids) > model.max_model_len:
                raise _refused_by_sglang(
                    f"The input ({len(ids)} tokens) is longer than the model's context length "
                    f"({model.max_model_len} tokens)."
                )

    def items(self, path: str, asked: Asked, rewards: Sequence[float]) -> list[Any]:
        if not all(map(math.isfinite, rewards)):
            # What cannot be written as JSON is found after the handler: FastAPI's plain 500.
            raise RefusedError(500, "Internal Server Error")
        return [
            {
                "embedding": asked.encode([reward]),
                "meta_info": {"id": str(index), "prompt_tokens": len(ids), "e2e_latency": 0.01},
            }
            for index, (reward, ids) in enumerate(zip(rewards, asked.texts, strict=True))
        ]

    def envelope(self, path: str, asked: Asked, items: list[Any], model: ServedCheckpoint) -> Any:
        return items[0] if asked.is_alone and items else items

    def look_up(self, path: str, asked: Any, model: ServedCheckpoint) -> Any:
        match path:
            case "/health":
                return ""
            case "/get_model_info" | "/model_info":
                return {
                    "model_path": model.root,
                    "tokenizer_path": model.root,
                    "is_generation": False,
                    "preferred_sampling_params": None,
                    "weight_version": "default",
                }
            case "/get_server_info" | "/server_info":
                return {
                    "model_path": model.root,
                    "served_model_name": model.name,
                    "dtype": model.dtype,
                    "context_length": model.max_model_len,
                    "version": "0.5.3",
                }
            case "/v1/models":
                return model_list(model, "sglang")
            case "/tokenize" if self.tokenizes:
                ids = model.ids(asked["prompt"])
                return {"tokens": ids, "count": len(ids), "max_model_len": model.max_model_len}
        raise RefusedError(
            404, {"object": "error", "message": "Not Found", "type": "404", "code": 404}
        )


def _refused_by_sglang(said: str) -> RefusedError:
    return RefusedError(400, {"error": {"message": said}})


class TeiProtocol(Protocol):
    """text-embeddings-inference: `/predict` of texts, `/info`, `/tokenize`.

    A sigmoid unless `raw_scores`; cut on the right unless `truncate` is false. What does not fit is
    422, NaN 424. With a key all but `/health` wants it, and 401 has no body.
    """

    scoring = ("/predict",)
    unauthorized = ""
    max_body = 2_000_000

    def __init__(self, *, max_client_batch_size: int = 32) -> None:
        self.max_client_batch_size = max_client_batch_size

    def read(self, path: str, asked: Any, model: ServedCheckpoint) -> Asked:
        inputs = asked.get("inputs") if isinstance(asked, dict) else None
        is_alone = isinstance(inputs, str)
        batch = [[inputs]] if is_alone else inputs
        if not batch or not isinstance(batch, list) or not all(map(_is_one_text, batch)):
            raise RefusedError(
                422, "Failed to deserialize the JSON body into the target type: inputs"
            )
        self._check_batch(len(batch))
        ids = [model.ids(one) for (one,) in batch]
        if asked.get("truncate") is not False:
            ids = [one[: model.max_model_len] for one in ids]
        return Asked(ids, has_activation=not asked.get("raw_scores", False), is_alone=is_alone)

    def check(self, texts: Sequence[Sequence[int]], model: ServedCheckpoint) -> None:
        for ids in texts:
            if len(ids) > model.max_model_len:
                raise _refused_by_tei(
                    422,
                    f"`inputs` must have less than {model.max_model_len} tokens. Given: {len(ids)}",
                    "Validation",
                )

    def items(self, path: str, asked: Asked, rewards: Sequence[float]) -> list[Any]:
        if any(map(math.isnan, rewards)):
            raise _refused_by_tei(424, "score is NaN", "Backend")
        # The value of an item is a number here, where the others have a list of one.
        values = [asked.encode([reward]) for reward in rewards]
        return [
            [{"score": one[0] if asked.encode is list else one, "label": "LABEL_0"}]
            for one in values
        ]

    def envelope(self, path: str, asked: Asked, items: list[Any], model: ServedCheckpoint) -> Any:
        return items[0] if asked.is_alone and items else items

    def headers(self, asked: Asked) -> dict[str, str]:
        counts = {"x-compute-type": "cpu", "x-compute-tokens": str(sum(map(len, asked.texts)))}
        return {**super().headers(asked), **counts}

    def look_up(self, path: str, asked: Any, model: ServedCheckpoint) -> Any:
        match path:
            case "/health":
                return ""
            case "/info":
                return self._info(model)
            case "/tokenize" if isinstance(asked, dict) and asked.get("inputs"):
                texts = asked["inputs"]
                texts = [texts] if isinstance(texts, str) else texts
                self._check_batch(len(texts))
                adds = asked.get("add_special_tokens", True)
                ids = [model.ids(one, add_special_tokens=adds) for one in texts]
                return [[_token(one, model) for one in text] for text in ids]
        raise RefusedError(404, "")

    def _info(self, model: ServedCheckpoint) -> Any:
        labels = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
        return {
            "model_id": model.root,
            "model_sha": None,
            "model_dtype": model.dtype,
            "served_model_name": model.name,
            "model_type": {"reranker": labels},
            "max_concurrent_requests": 512,
            "max_input_length": model.max_model_len,
            "max_batch_tokens": 16384,
            "max_batch_requests": None,
            "max_client_batch_size": self.max_client_batch_size,
            "auto_truncate": True,
            "tokenization_workers": 2,
            "version": "1.9.0",
            "sha": None,
            "docker_label": None,
        }

    def _check_batch(self, size: int) -> None:
        if size > self.max_client_batch_size:
            raise _refused_by_tei(
                422,
                f"batch size {size} > maximum allowed batch size {self.max_client_batch_size}",
                "Validation",
            )


def _is_one_text(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and isinstance(value[0], str)


def _token(token: int, model: ServedCheckpoint) -> dict[str, Any]:
    text = model.tokenizer.convert_ids_to_tokens(token)
    special = token in model.tokenizer.all_special_ids
    return {"id": token, "text": text, "special": special, "start": None, "stop": None}


def _refused_by_tei(status: int, said: str, kind: str) -> RefusedError:
    return RefusedError(status, {"error": said, "error_type": kind})
