"""The engine that uses servers of vLLM, sglang or text-embeddings-inference."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ultrarm_eval.engine.engine import Capabilities, ComputedBatch
from ultrarm_eval.engine.served_model import ServedModel
from ultrarm_eval.engine.server.client import ServerClient, open_session, read_key
from ultrarm_eval.engine.server.event_loop import EventLoop
from ultrarm_eval.engine.server.packing import pack
from ultrarm_eval.engine.server.pool import Pool
from ultrarm_eval.engine.server.protocol import ServerProtocol
from ultrarm_eval.engine.server.run import Run
from ultrarm_eval.engine.server.server import Server, State
from ultrarm_eval.engine.server.sglang_protocol import SglangProtocol
from ultrarm_eval.engine.server.start_checks import StartChecks
from ultrarm_eval.engine.server.tei_protocol import TeiProtocol
from ultrarm_eval.engine.server.vllm_protocol import VllmProtocol
from ultrarm_eval.engine.witness import Witness
from ultrarm_eval.engine_settings import SERVER
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.setting import AUTO
from ultrarm_eval.settings import CheckpointSettings
from ultrarm_eval.text_format.tokens import Tokens

logger = logging.getLogger(__name__)

_FLOAT32 = "float32"
_PROTOCOLS: dict[str, type[ServerProtocol]] = {
    "vllm": VllmProtocol,
    "sglang": SglangProtocol,
    "tei": TeiProtocol,
}
# Texts and tokens per request, unless the settings state them.
_MAX_TEXTS, _MAX_TOKENS = 64, 65_536
# A few texts are distributed over all servers, but not in smaller requests than this.
_FEWEST_TEXTS = 4
# Batches waiting for the consumer, per concurrent request of the servers.
_WAITING = 2


class _Connection:
    """An event loop and the servers used in it."""

    def __init__(self, model: ServedModel, given: CheckpointSettings) -> None:
        self.process = os.getpid()
        self.checks = StartChecks(model, given)
        self.key = read_key(given.api_key_env)
        self.loop = EventLoop("servers")
        self.writing = ThreadPoolExecutor(1, thread_name_prefix="writing")
        self.session: Any = None
        self._given = given

    async def open(self) -> Pool:
        given, checks = self._given, self.checks
        self.session = open_session()
        protocol = _PROTOCOLS[given.protocol]
        clients = [
            ServerClient(url, self.session, self.key, given.request_timeout)
            for url in given.base_urls
        ]
        servers = [
            Server(protocol(client, checks.names), given.num_concurrent) for client in clients
        ]
        pool = Pool(servers, checks, given.max_retries)
        await pool.open()
        return pool

    def close(self) -> None:
        # A forked process has neither the thread nor the connections.
        if os.getpid() != self.process:
            return
        self.loop.close(self._close_session)
        self.writing.shutdown(wait=False)

    async def _close_session(self) -> None:
        if self.session is not None:
            await self.session.close()


class ServerEngine:
    """Computes texts on servers.

    Attributes:
        capabilities: What it can do.
    """

    name = SERVER

    def __init__(self, model: ServedModel, given: CheckpointSettings) -> None:
        """Takes the model and the servers; no request is sent.

        Args:
            model: The model that the servers serve.
            given: The settings of the run.
        """
        self.capabilities = Capabilities()
        self._model, self._given = model, given
        self._lock = threading.Lock()
        self._connection: _Connection | None = None
        self._pool: Pool | None = None
        self._close: weakref.finalize[Any, Any] | None = None

    @property
    def version(self) -> str | None:
        """The servers' software versions; None before they are contacted."""
        facts = [one.facts for one in self._servers() if one.facts is not None]
        versions = {one.version for one in facts if one.version is not None}
        return ", ".join(sorted(versions)) or None

    def identity(self) -> dict[str, Any]:
        """See `ultrarm_eval.engine.engine.Engine.identity`."""
        return {"engine": SERVER, "protocol": self._given.protocol}

    def described(self) -> dict[str, Any]:
        """See `ultrarm_eval.engine.engine.Engine.described`."""
        given = self._given
        facts = [one.facts for one in self._servers() if one.facts is not None]
        lengths = [one.max_model_len for one in facts if one.max_model_len is not None]
        software = sorted({f"{one.software} {one.version or ''}".strip() for one in facts})
        return {
            "protocol": given.protocol,
            "base_url": given.base_url,
            "num_concurrent": given.num_concurrent,
            **({"served_model": facts[0].model} if facts else {}),
            **({"max_model_len": min(lengths)} if lengths else {}),
            **({"server_software": ", ".join(software)} if software else {}),
        }

    def prepare(self) -> None:
        """Connects to the servers and checks them, once in a process.

        Raises:
            ConfigurationError: A server cannot compute these rewards.
            ScoringError: None can be reached.
        """
        with self._lock:
            connection = self._connection
            if self._pool is not None and connection and connection.process == os.getpid():
                return
            self._pool = None
            if connection is None or connection.process != os.getpid():
                connection = _Connection(self._model, self._given)
                self._connection = connection
                self._close = weakref.finalize(self, connection.close)
            try:
                self._pool = connection.loop.wait_for(connection.open())
            except BaseException:
                self._drop()
                raise
            self._say()

    def witness(self) -> Witness | None:
        """See `ultrarm_eval.engine.engine.Engine.witness`: the values of the probes."""
        return None if self._pool is None else self._pool.reference.witness()

    def compute(self, texts: Sequence[Tokens]) -> Iterator[ComputedBatch]:
        """See `ultrarm_eval.engine.engine.Engine.compute`; each batch is one response."""
        self.prepare()
        connection, pool = self._connection, self._pool
        if connection is None or pool is None or not texts:
            return
        read = [self._model.as_read(text) for text in texts]
        run = Run(
            pool,
            read,
            pack(read, max_texts=self._max_texts(pool, len(read)), max_tokens=self._max_tokens()),
            connection.writing,
            _WAITING * len(pool.servers) * self._given.num_concurrent,
        )
        work = connection.loop.submit(run.work())
        try:
            while (result := run.results.get()) is not None:
                if isinstance(result, BaseException):
                    raise result
                connection.loop.call(run.taken)
                yield result
        finally:
            work.cancel()

    def compute_after_tokens(self, text: Tokens) -> list[float]:
        """See `ultrarm_eval.engine.engine.Engine.compute_after_tokens`: there are none.

        Raises:
            ScoringError: Always.
        """
        raise ScoringError(
            "engine=server computes one value per text, not one after each token. Use engine=torch."
        )

    def close(self) -> None:
        """Closes all connections; they are reopened when needed."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        close, self._close = self._close, None
        self._connection, self._pool = None, None
        if close is not None:
            close()

    def _servers(self) -> Sequence[Server]:
        return () if self._pool is None else self._pool.servers

    def _max_texts(self, pool: Pool, texts: int) -> int:
        given = self._given.max_texts or _MAX_TEXTS
        working = sum(one.state is State.WORKS for one in pool.servers) or 1
        even = -(-texts // (2 * working))
        return pool.most_texts(max(1, min(given, max(even, _FEWEST_TEXTS))))

    def _max_tokens(self) -> int:
        return self._given.max_batch_tokens or _MAX_TOKENS

    def _say(self) -> None:
        said = self.described()
        logger.info(
            "engine=server: %d of %d servers respond (%s), model %s. dtype=%s is taken from the "
            "settings, because vLLM and sglang do not report theirs; check it with `ultrarm-eval "
            "verify --engine server`.",
            sum(one.state is State.WORKS for one in self._servers()),
            len(self._servers()),
            said.get("server_software"),
            said.get("served_model"),
            self._model.dtype,
        )
        if self._given.dtype == AUTO and self._model.dtype == _FLOAT32:
            logger.warning(
                "dtype=auto is float32 for this checkpoint, but vLLM and sglang compute it in 16 "
                "bits by default. Start the servers with --dtype float32, or set dtype=bfloat16 "
                "or float16 to match the servers."
            )
