"""The engine that runs vLLM in this process: token ids go in, rewards are streamed."""

from __future__ import annotations

import math
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, NoReturn

from ultrarm_eval.engine.engine import Capabilities, ComputedBatch
from ultrarm_eval.engine.probe_texts import probe_texts
from ultrarm_eval.engine.raw_rewards import may_be_activated, why_not_raw
from ultrarm_eval.engine.served_model import ServedModel
from ultrarm_eval.engine.vllm_arguments import engine_arguments, require_possible
from ultrarm_eval.engine.vllm_installation import require_installed, version
from ultrarm_eval.engine.vllm_memory import require_room, warn_beside_evaluated_model
from ultrarm_eval.engine.vllm_models import VllmModel, vllm_model
from ultrarm_eval.engine.vllm_process import VllmProcess
from ultrarm_eval.engine_settings import TORCH, VLLM, EngineSettings
from ultrarm_eval.errors import ConfigurationError, ScoringError, TextRefusedError
from ultrarm_eval.setting import settings_in
from ultrarm_eval.settings import CheckpointSettings
from ultrarm_eval.text_format.tokens import Tokens

# Requests queued in vLLM per text that it computes at once, so that it never waits.
_HELD_FOR_ONE = 2


class VllmEngine:
    """Computes texts with vLLM, in processes that belong to this one.

    It is started by the first text, and stopped when it is deleted, or when this process ends.

    Attributes:
        capabilities: Only values of complete texts.
    """

    name = VLLM
    capabilities = Capabilities()

    def __init__(self, model: ServedModel, given: CheckpointSettings) -> None:
        """Checks what can be known before anything is loaded.

        Args:
            model: The checkpoint.
            given: The settings.

        Raises:
            ConfigurationError: vLLM is not installed, does not support this checkpoint, or does
                not support a setting.
            DeviceError: There are fewer GPUs than requested, or too little memory next to a loaded
                model.
        """
        require_installed()
        self._model, self._given = model, given
        self._as_served: VllmModel = vllm_model(model)
        require_possible(given, model)
        warn_beside_evaluated_model(model, given)
        self._process: VllmProcess | None = None
        self._close: weakref.finalize[..., Any] | None = None
        self._starting = threading.Lock()
        self._numbers = count()
        # Rewards of texts that another call of `compute` requested.
        self._arrived: dict[str, Any] = {}

    @property
    def version(self) -> str | None:
        """The version of vLLM."""
        return version()

    def identity(self) -> dict[str, Any]:
        """See `ultrarm_eval.engine.engine.Engine.identity`."""
        return {"engine": VLLM}

    def described(self) -> dict[str, Any]:
        """See `ultrarm_eval.engine.engine.Engine.described`."""
        settings = settings_in(EngineSettings).values()
        own = {one: getattr(self._given, one.name) for one in settings if one.engines == (VLLM,)}
        device = {} if self._process is None else {"device": self._process.device}
        given = {one.name: value for one, value in own.items() if value != one.default}
        return {**device, **given}

    def prepare(self) -> None:
        """Starts vLLM, once, and verifies that its rewards are raw.

        Raises:
            CheckpointError: Weights are damaged, or lack the head.
            ConfigurationError: vLLM does not start with it.
            DeviceError: There is too little memory.
            ScoringError: Its rewards are not raw.
        """
        with self._starting:
            if self._process is None:
                self._start()

    def _start(self) -> None:
        model = self._model
        model.checkpoint.require_sound_weights()
        require_room(model, self._given)
        arguments = engine_arguments(model, self._given, self._as_served)
        process = VllmProcess(model, arguments)
        try:
            self._require_raw(process)
        except BaseException:
            process.stop()
            raise
        self._process = process
        # Also if it is deleted while this process continues: workers use GPU memory.
        self._close = weakref.finalize(self, process.stop)

    def close(self) -> None:
        """Ends vLLM's processes; the next text starts it again."""
        if self._close is not None:
            self._close()
        self._process = self._close = None

    def witness(self) -> None:
        """See `Engine.witness`: the weights are read here."""

    def compute(self, texts: Sequence[Tokens]) -> Iterator[ComputedBatch]:
        """See `ultrarm_eval.engine.engine.Engine.compute`; rewards are float32 values.

        Texts of one prompt are requested one after the other, so that their common prefix is in
        vLLM's prefix cache; cached tokens do not count as computed.
        """
        self.prepare()
        process = self._process
        if process is None:
            raise ScoringError("vLLM was stopped.")
        # Tokens after the one whose output is used do not matter: texts can become equal.
        places: dict[Tokens, list[int]] = {}
        for index, text in enumerate(texts):
            places.setdefault(self._model.as_read(text), []).append(index)
        waiting = deque(sorted(places, key=lambda text: text.packed))
        asked: dict[str, Tokens] = {}
        refused: tuple[str, int] | None = None
        most = _HELD_FOR_ONE * process.texts_at_once
        try:
            while waiting or asked:
                while waiting and len(asked) < most:
                    text, number = waiting.popleft(), str(next(self._numbers))
                    why = process.ask(number, list(text))
                    if why is None:
                        asked[number] = text
                    elif refused is None:
                        refused = why, places[text][0]
                # All remaining texts may have been rejected.
                if asked and (batch := self._next_batch(process, asked, places)) is not None:
                    yield batch
        finally:
            process.forget(list(asked))
        if refused is not None:
            raise TextRefusedError(*refused)

    def compute_after_tokens(self, text: Tokens) -> NoReturn:
        """See `ultrarm_eval.engine.engine.Engine.compute_after_tokens`; not supported."""
        raise ScoringError(
            "vLLM computes the reward of a complete text, not one after each "
            "token. Use engine=torch."
        )

    def _next_batch(
        self, process: VllmProcess, asked: dict[str, Tokens], places: dict[Tokens, list[int]]
    ) -> ComputedBatch | None:
        """Results of a step of vLLM for the requested texts; they are removed from the queue."""
        if not self._arrived.keys() & asked.keys():
            self._arrived.update((one.number, one) for one in process.step())
        # Also results of another call's step.
        came = [self._arrived.pop(number) for number in list(asked) if number in self._arrived]
        indices: list[int] = []
        values: list[float] = []
        for one in came:
            of_text = places[asked.pop(one.number)]
            indices += of_text
            values += [one.reward] * len(of_text)
        return (
            ComputedBatch(indices, values, sum(int(one.tokens) for one in came)) if came else None
        )

    def _require_raw(self, process: VllmProcess) -> None:
        """Verifies that rewards are the head's raw outputs, without a sigmoid; see `why_not_raw`.

        vLLM applies no activation to a model that its own configuration marks as regression.
        """
        texts = [list(text) for text in probe_texts(self._model)]
        raw = process.rewards(texts, activated=False)
        if any(map(math.isnan, raw)):
            raise ScoringError(
                f"{self._model.checkpoint.name}: vLLM's reward of a probe text is not a number. "
                "Weights or activations overflowed: use dtype=bfloat16 or float32 instead of "
                "float16, and check that the checkpoint is not damaged."
            )
        if process.is_regression or not may_be_activated(raw):
            return
        again = process.rewards(texts, activated=False)
        why = why_not_raw(raw, again, process.rewards(texts, activated=True))
        if why is not None:
            raise ConfigurationError(
                f"{self._model.checkpoint.name}: vLLM {self.version}: {why}. Use engine={TORCH}."
            )
