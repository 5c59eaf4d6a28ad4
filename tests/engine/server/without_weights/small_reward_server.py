"""A small server of rewards in a thread, which speaks the three protocols and can misbehave."""

from __future__ import annotations

import asyncio
import base64
import math
import struct
import threading
from collections.abc import Callable, Sequence

from aiohttp import web


class RewardServer:
    """Answers with `score` of token ids until it is closed.

    Attributes:
        requests: The JSON bodies of the requests for values, in the order they came.
        headers: Their headers.
        change: Called with (ids, values) before values are sent; gives others, or a response.
        raw: Whether a request's wish for raw values is heeded.
        models: What `/v1/models` lists.
    """

    def __init__(self, score, tokenizer=None, *, model="demo", max_model_len=4096, port=0):
        self.score, self.tokenizer, self.port = score, tokenizer, port
        self.requests, self.headers = [], []
        self.change: Callable[[list[list[int]], list[float]], object] | None = None
        self.raw, self.delay, self.takes_ids, self.has_pooling = True, 0.0, True, True
        self.key = None
        self.models = [{"id": model, "root": model, "max_model_len": max_model_len}]
        self.info = {
            "model_id": model,
            "model_dtype": "float32",
            "model_type": {"reranker": {}},
            "max_input_length": max_model_len,
            "max_client_batch_size": 32,
            "version": "1.8",
        }
        self.vocabulary = 10**6
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._started.wait(20)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._thread.is_alive():
            self.close()

    def _serve(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main())
        self._loop.close()

    async def _main(self):
        self._stop = asyncio.Event()
        app = web.Application(middlewares=[self._allow], client_max_size=2**28)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/version", self._version)
        app.router.add_get("/get_model_info", self._model_info)
        app.router.add_get("/info", self._info)
        app.router.add_post("/tokenize", self._tokenize)
        app.router.add_post("/pooling", self._pooling)
        app.router.add_post("/classify", self._classify)
        app.router.add_post("/predict", self._predict)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        await runner.cleanup()

    @web.middleware
    async def _allow(self, request, handler):
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            words = f"no access with {request.headers.get('Authorization')}"
            return web.json_response({"error": {"message": words}}, status=401)
        return await handler(request)

    async def _models(self, _):
        return web.json_response({"object": "list", "data": self.models})

    async def _version(self, _):
        return web.json_response({"version": "0.32.0"})

    async def _model_info(self, _):
        return web.json_response({"model_path": self.models[0]["id"], "is_generation": False})

    async def _info(self, _):
        return web.json_response(self.info)

    async def _tokenize(self, request):
        body = await request.json()
        if self.tokenizer is None:
            return web.json_response({}, status=404)
        if "inputs" in body:
            return web.json_response(
                [[{"id": i} for i in self.tokenizer(t)] for t in body["inputs"]]
            )
        return web.json_response({"tokens": self.tokenizer(body["prompt"])})

    async def _values(self, request, texts: Sequence[list[int]], *, raw: bool):
        self.headers.append(dict(request.headers))
        await asyncio.sleep(self.delay)
        if any(one >= self.vocabulary for ids in texts for one in ids):
            return web.json_response(
                {"error": {"message": "token id out of vocabulary"}}, status=400
            )
        values = [self.score(ids) for ids in texts]
        if not (raw and self.raw):
            values = [1 / (1 + math.exp(-value)) for value in values]
        return values if self.change is None else self.change(texts, values)

    async def _pooling(self, request):
        if not self.has_pooling:
            return web.json_response({"detail": "Not Found"}, status=404)
        body = await request.json()
        self.requests.append(body)
        values = await self._values(request, body["input"], raw=body["use_activation"] is False)
        if isinstance(values, web.Response):
            return values
        coded = [base64.b64encode(struct.pack("<f", one)).decode() for one in values]
        return self._numbered("data", coded, body["input"])

    async def _classify(self, request):
        body = await request.json()
        self.requests.append(body)
        if "input" in body:
            values = await self._values(request, body["input"], raw=body["use_activation"] is False)
            if isinstance(values, web.Response):
                return values
            return self._numbered("probs", [[one] for one in values], body["input"])
        if "input_ids" in body and not self.takes_ids:
            return web.json_response({"error": {"message": "text is missing"}}, status=400)
        texts = (
            body["input_ids"] if "input_ids" in body else [self.tokenizer(t) for t in body["text"]]
        )
        values = await self._values(request, texts, raw=True)
        if isinstance(values, web.Response):
            return values
        counts = [len(ids) for ids in texts]
        return web.json_response(
            [
                {"embedding": [value], "meta_info": {"prompt_tokens": count}}
                for value, count in zip(values, counts, strict=False)
            ]
        )

    async def _predict(self, request):
        body = await request.json()
        self.requests.append(body)
        if len(body["inputs"]) > self.info["max_client_batch_size"]:
            return web.json_response({"error": "batch size"}, status=422)
        texts = [self.tokenizer(text) for (text,) in body["inputs"]]
        values = await self._values(request, texts, raw=body["raw_scores"])
        if isinstance(values, web.Response):
            return values
        headers = {"x-compute-tokens": str(sum(map(len, texts)))}
        found = [[{"score": value, "label": "LABEL_0"}] for value in values]
        return web.json_response(found, headers=headers)

    def _numbered(self, name, values, texts):
        data = [{"index": i, name: value} for i, value in enumerate(values)]
        usage = {"prompt_tokens": sum(map(len, texts))}
        return web.json_response({"data": data, "usage": usage})
