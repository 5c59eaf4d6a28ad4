"""The engine in this process by vLLM: texts go in as token ids, rewards stream out as they come."""

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

# Requests that vLLM holds for each text that it computes at once: while it computes some, the next
# are there. It does the same itself.
_HELD_FOR_ONE = 2
# How near two rewards are that one activation, or none, made of the same number.
_SAME = 1e-4


class VllmEngine:
    """Computes texts by vLLM, in processes that belong to this one.

    It is started by the first text, and stopped when it is dropped, or when this process ends.

    Attributes:
        capabilities: Values of whole texts alone.
    """

    name = VLLM
    capabilities = Capabilities()

    def __init__(self, model: ServedModel, given: CheckpointSettings) -> None:
        """Checks what can be known before anything is loaded.

        Args:
            model: The checkpoint.
            given: The settings.

        Raises:
            ConfigurationError: vLLM is not installed, does not read this checkpoint as we do, or
                does not take a setting.
            DeviceError: There are fewer GPUs than were asked for, or too little memory beside a
                model that is there already.
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
        # Rewards of texts that another call of `compute` asked for.
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
        """Starts vLLM, once, and sees to it that its rewards are raw.

        Raises:
            CheckpointError: Weights are damaged, or lack the head.
            ConfigurationError: vLLM does not start with it.
            DeviceError: There is too little memory.
            ScoringError: What it gives are no raw rewards.
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
        # Also where it is dropped while this process goes on: workers hold a GPU's memory.
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

        Those of one prompt are asked for one after the other, so that what they have in common is
        in vLLM's prefix cache; what was in there is not counted as computed.
        """
        self.prepare()
        process = self._process
        if process is None:
            raise ScoringError("vLLM was stopped.")
        # What is behind the token that is read plays no part: texts can become the same.
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
                # All that are left may have been refused.
                if asked and (batch := self._next_batch(process, asked, places)) is not None:
                    yield batch
        finally:
            process.forget(list(asked))
        if refused is not None:
            raise TextRefusedError(*refused)

    def compute_after_tokens(self, text: Tokens) -> NoReturn:
        """See `ultrarm_eval.engine.engine.Engine.compute_after_tokens`; a reward a text alone."""
        raise ScoringError("vLLM gives the reward of a whole text, and none after each token.")

    def _next_batch(
        self, process: VllmProcess, asked: dict[str, Tokens], places: dict[Tokens, list[int]]
    ) -> ComputedBatch | None:
        """What came by a step of vLLM, of those that were asked for; they are taken out there."""
        if not self._arrived.keys() & asked.keys():
            self._arrived.update((one.number, one) for one in process.step())
        # Also those that another call's step brought.
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
        """Sees to it that rewards come out as the head gives them, and not through a sigmoid.

        A value outside 0 to 1 is not a sigmoid's. Where there is none, the activation that vLLM
        applies when it is asked to has to make another number of it; of a head of regression,
        which has no activation, vLLM's own configuration has to say that it is one.
        """
        texts = [list(text) for text in probe_texts(self._model)]
        raw = process.rewards(texts, activated=False)
        if any(map(math.isnan, raw)):
            raise ScoringError(
                f"{self._model.checkpoint.name}: vLLM's reward of a probe is no number. Weights or "
                "activations overflowed: use dtype=bfloat16 or float32 rather than float16, and "
                "check that the checkpoint is undamaged."
            )
        if any(not 0 <= value <= 1 for value in raw) or process.is_regression:
            return
        activated = process.rewards(texts, activated=True)
        if any(abs(one - other) > _SAME for one, other in zip(raw, activated, strict=True)):
            return
        raise ConfigurationError(
            f"{self._model.checkpoint.name}: vLLM {self.version} gives {len(raw)} probes rewards "
            f"between {min(raw):.3g} and {max(raw):.3g} whether it is asked for raw ones or not, "
            f"so that they may have gone through a sigmoid. Use engine={TORCH}."
        )
