"""A real HTTP server that computes rewards, speaks the three protocols and can misbehave.

In this process it runs in a thread of its own; run as a script it is a process that can be killed:
`python reward_server.py CHECKPOINT --port N --protocol vllm --log FILE`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.engine.server.misbehaviour import Fault, Ids
from tests.engine.server.protocols import Asked, Protocol, RefusedError, VllmProtocol
from tests.engine.server.served_checkpoint import ServedCheckpoint
from tests.engine.server.served_function import ServedFunction
from tests.engine.server.text_protocols import SglangProtocol, TeiProtocol

PROTOCOLS: dict[str, Callable[[], Protocol]] = {
    "vllm": VllmProtocol,
    "sglang": SglangProtocol,
    "tei": TeiProtocol,
}
#: Seconds after which a server that does not start or end hangs, on a busy machine too.
_LONGEST = 120


@dataclass(frozen=True)
class Seen:
    """A request that came.

    Attributes:
        path: Where to.
        headers: Its headers.
        asked: What it asked for, as JSON; None if there was nothing.
        texts: The token ids that were asked for; None where it was no request to score.
    """

    path: str
    headers: dict[str, str]
    asked: Any
    texts: tuple[Ids, ...] | None = None


class RewardServer:
    """The server, in a thread.

    Attributes:
        model: What computes: a checkpoint, or a function of the ids.
        key: The key that it asks for; None for no key.
        missing_paths: Paths that are not there, as in other versions.
        seen: Every request that came.
        computed: How often each text was computed and its answer sent whole.
        url: Where it listens; the same again after `kill` and `start`.
    """

    def __init__(
        self,
        model: ServedCheckpoint | ServedFunction,
        protocol: Protocol | str = "vllm",
        *,
        key: str | None = None,
        missing_paths: Sequence[str] = (),
        port: int = 0,
    ) -> None:
        self.model, self.key, self.missing_paths = model, key, tuple(missing_paths)
        self.protocol = PROTOCOLS[protocol]() if isinstance(protocol, str) else protocol
        self.seen: list[Seen] = []
        self.computed: Counter[Ids] = Counter()
        self.on_computed: Callable[[Sequence[Ids]], None] = lambda _: None
        self._faults: list[Fault] = []
        self._port = port
        self._worker = ThreadPoolExecutor(1)
        self._loop: asyncio.AbstractEventLoop | None = None
        # A test and a thread of a fault may end the same server at once.
        self._ending = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def scored(self) -> list[Seen]:
        """The requests to score."""
        return [one for one in self.seen if one.texts is not None]

    def misbehave(self, *faults: Fault) -> None:
        """Tells what to do wrong from the next request on, instead of what was told before."""
        self._faults = list(faults)

    def behave(self) -> None:
        """Nothing wrong any more."""
        self._faults = []

    def forget(self) -> None:
        """Forgets what came."""
        self.seen.clear()
        self.computed.clear()

    def __enter__(self) -> RewardServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def start(self) -> None:
        """Begins to listen."""
        with self._ending:
            ready = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
            self._thread.start()
            if not ready.wait(_LONGEST):
                raise RuntimeError("The reward server of the tests did not start.")

    def kill(self) -> None:
        """Stops listening and cuts every connection, as a process that is killed."""
        with self._ending:
            if self._loop is None:
                return
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_LONGEST)
            if self._thread.is_alive():
                raise RuntimeError("The reward server of the tests did not end.")
            self._loop = None

    def serve(self) -> None:
        """Listens in this thread until the process ends."""
        self._run(threading.Event())

    def _run(self, ready: threading.Event) -> None:
        self._loop = loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(self._listen())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(self._end())
        loop.close()

    async def _listen(self) -> None:
        app = web.Application(client_max_size=self.protocol.max_body)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def _end(self) -> None:
        for site in list(self._runner.sites):
            await site.stop()
        # Who was accepted just before is a connection, and can be cut, two rounds later.
        for _ in range(2):
            await asyncio.sleep(0)
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        # A transport that was cut closes its socket in the next round.
        await asyncio.sleep(0)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        asked = json.loads(body) if body else None
        path, headers = request.path, dict(request.headers)
        try:
            if path in self.missing_paths:
                raise RefusedError(404, {"detail": "Not Found"})
            guarded = self.key is not None and self.protocol.wants_key(path)
            if guarded and headers.get("Authorization") != f"Bearer {self.key}":
                self.seen.append(Seen(path, headers, asked))
                raise RefusedError(401, self.protocol.unauthorized)
            if path not in self.protocol.scoring:
                self.seen.append(Seen(path, headers, asked))
                return _answered(200, self.protocol.look_up(path, asked, self.model))
            return await self._score(request, asked, headers)
        except RefusedError as refusal:
            return _answered(refusal.status, refusal.body)

    async def _score(
        self, request: web.Request, body: Any, headers: dict[str, str]
    ) -> web.StreamResponse:
        protocol, model, path = self.protocol, self.model, request.path
        asked = protocol.read(path, body, model)
        texts = tuple(map(tuple, asked.texts))
        self.seen.append(Seen(path, headers, body, texts))
        faults = [fault for fault in self._faults if fault.applies()]
        for fault in faults:
            instead = await fault.instead(request, texts)
            if instead is not None:
                return instead
            asked.texts = [list(fault.ids(tuple(ids), model.bos_id)) for ids in asked.texts]
        protocol.check(asked.texts, model)
        rewards = await asyncio.get_running_loop().run_in_executor(
            self._worker, model.rewards, asked.texts
        )
        answer = json.dumps(self._answer(path, asked, texts, rewards, faults)).encode()
        length = len(answer)
        for fault in faults:
            answer = fault.body(answer)
            length = fault.sent(len(answer))
        headers = protocol.headers(asked)
        return await self._send(request, answer, length, texts, headers)

    def _answer(
        self,
        path: str,
        asked: Asked,
        texts: Sequence[Ids],
        rewards: list[float],
        faults: Sequence[Fault],
    ) -> Any:
        if asked.has_activation or any(fault.activates for fault in faults):
            rewards = [1 / (1 + math.exp(-one)) for one in rewards]
        encode, is_list = asked.encode, asked.encode is list
        for fault in faults:
            rewards = fault.rewards(texts, rewards)
        items = self.protocol.items(path, asked, rewards)
        spoiled = [fault for fault in faults if type(fault).value is not Fault.value]
        if spoiled and all(map(math.isfinite, rewards) if is_list else [True]):

            def spoil(values: list[float]) -> Any:
                value = encode(values)
                for fault in spoiled:
                    value = fault.value(value)
                return value

            asked.encode = spoil
            items = self.protocol.items(path, asked, rewards)
        for fault in faults:
            items = fault.items(items)
        return self.protocol.envelope(path, asked, items, self.model)

    async def _send(
        self,
        request: web.Request,
        answer: bytes,
        length: int,
        texts: Sequence[Ids],
        headers: dict[str, str],
    ) -> web.StreamResponse:
        if length >= len(answer):
            self.computed.update(texts)
            self.on_computed(texts)
            return web.Response(body=answer, headers=headers)
        response = web.StreamResponse(headers=headers)
        response.content_length = len(answer)
        await response.prepare(request)
        await response.write(answer[:length])
        if request.transport is not None:
            request.transport.abort()
        return response


def _answered(status: int, body: Any) -> web.Response:
    if isinstance(body, str):
        return web.Response(status=status, text=body)
    plain = dict(body) if isinstance(body, Mapping) else body
    return web.json_response(plain, status=status)


def main() -> None:
    """Serves a checkpoint in this process; writes down every text that it computed."""
    from ultrarm_eval.judges.loading import load_judge

    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--protocol", choices=PROTOCOLS, default="vllm")
    parser.add_argument("--log", type=Path, required=True)
    given = parser.parse_args()
    model = ServedCheckpoint(load_judge(given.checkpoint, judge="auto"))
    server = RewardServer(model, given.protocol, port=given.port)
    with given.log.open("a", encoding="utf-8", buffering=1) as log:
        server.on_computed = lambda texts: print(json.dumps(texts), file=log)
        server.serve()


if __name__ == "__main__":
    main()
