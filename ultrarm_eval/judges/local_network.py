"""A network in this process: its device, dtype, weights and batches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ultrarm_eval.checkpoints.checkpoint import DTYPES, Checkpoint
from ultrarm_eval.checkpoints.device import check_memory, resolve_device
from ultrarm_eval.checkpoints.quantization import BYTES_PER_WEIGHT, checked_quantization
from ultrarm_eval.checkpoints.stored_quantization import require_usable
from ultrarm_eval.engine.engine import Capabilities
from ultrarm_eval.engine.kernels.choice import EAGER, FLASH, SDPA, Place, checked_attention
from ultrarm_eval.engine.plan import PADDED, Plan
from ultrarm_eval.engine.reads import Compose
from ultrarm_eval.engine.runner import Runner
from ultrarm_eval.engine.token_budget import token_budget
from ultrarm_eval.engine.torch_engine import BatchLimits, TorchEngine
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.computation import Computation
from ultrarm_eval.setting import AUTO
from ultrarm_eval.settings import CheckpointSettings
from ultrarm_eval.text_format.tokens import Tokens

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Computing:
    """How and where a network computes.

    Attributes:
        device: The device.
        dtype: The body's dtype.
        parallelize: Whether weights are spread over all GPUs and the CPU.
        compiled: Whether norms and MLPs are compiled.
        attention: The requested attention implementation.
        quantization: The quantization of the weights, if any.
    """

    device: torch.device
    dtype: torch.dtype
    parallelize: bool
    compiled: bool
    attention: str
    quantization: str | None

    @property
    def own_attention(self) -> str | None:
        """Transformers' name of the attention of a padded batch; its own choice if None."""
        return None if self.attention == AUTO else self.attention

    @classmethod
    def of(
        cls,
        given: CheckpointSettings,
        checkpoints: Sequence[Checkpoint],
        *,
        checks_memory: bool = True,
    ) -> Computing:
        """Where and how checkpoints are computed according to the settings.

        Args:
            given: The settings.
            checkpoints: All checkpoints whose weights are loaded; the judge's own first.
            checks_memory: Whether weights that do not fit into memory are rejected.

        Raises:
            UltrarmEvalError: The device does not exist, does not support a setting, or has less
                memory than the weights need.
        """
        if given.torch_compile and given.parallelize:
            raise ConfigurationError(
                "torch_compile and parallelize cannot be combined. Remove one of the two."
            )
        own = checkpoints[0]
        device, dtype = resolve_device(given.device), DTYPES.get(given.dtype, own.stored_dtype)
        for checkpoint in checkpoints:
            if checkpoint.is_quantized:
                _require_usable(checkpoint, given, device, dtype, is_run=checks_memory)
        computing = cls(
            device,
            dtype,
            parallelize=given.parallelize,
            compiled=given.torch_compile,
            attention=_capping(
                checked_attention(given.attn_implementation, Place(own.config, device, dtype)),
                own.config,
            ),
            quantization=checked_quantization(given.quantization, device, dtype),
        )
        if checks_memory:
            check_memory(
                sum(map(computing.bytes_of, checkpoints)),
                device,
                parallelize=given.parallelize,
                dtype=dtype,
                is_quantized=given.quantization is not None,
            )
        return computing

    def bytes_of(self, checkpoint: Checkpoint) -> int:
        """Memory that a checkpoint's weights need."""
        if self.quantization is None:
            return checkpoint.weight_bytes(self.dtype)
        layers = checkpoint.layer_parameters()
        embedded = checkpoint.parameter_count() - layers
        return layers * BYTES_PER_WEIGHT + embedded * self.dtype.itemsize


def _require_usable(
    checkpoint: Checkpoint,
    given: CheckpointSettings,
    device: torch.device,
    dtype: torch.dtype,
    *,
    is_run: bool,
) -> None:
    """Rejects weights that are stored quantized, if they cannot be used here."""
    if given.quantization is not None:
        raise ConfigurationError(
            f"quantization={given.quantization}: the weights of {checkpoint.name} are stored "
            "quantized already. Remove this setting."
        )
    if getattr(checkpoint.config, "quantization_config", {}).get("load_in_8bit"):
        logger.warning(
            "%s: its weights are stored in LLM.int8, which handles outliers per batch, so rewards "
            "depend slightly on the other texts in a batch. max_batch_size=1 computes each text "
            "on its own.",
            checkpoint.name,
        )
    if is_run and require_usable(checkpoint.name, checkpoint.config, device, dtype):
        logger.info(
            "%s: its weights are stored in 8 bits, which %s does not support: they are converted "
            "to bfloat16 when they are loaded.",
            checkpoint.name,
            device,
        )


def _capping(attention: str, config: Any) -> str:
    """The attention, if it caps attention scores like the model; transformers' SDPA does not.

    Raises:
        ConfigurationError: The user requested sdpa.
    """
    cap = getattr(config, "attn_logit_softcapping", None)
    if cap is None or attention not in (AUTO, SDPA):
        return attention
    said = (
        f"this {config.model_type} model caps attention scores at {cap}, which sdpa does not "
        "support"
    )
    if attention == SDPA:
        raise ConfigurationError(
            f"attn_implementation={SDPA}: {said}, so rewards would be wrong. Use {EAGER}, or "
            f"{FLASH} on a GPU."
        )
    logger.info("attn_implementation=%s: %s.", EAGER, said)
    return EAGER


class LocalNetwork(Computation):
    """A network in this process, loaded on first use and run by torch.

    Attributes:
        runner: The runner; None until the network is loaded.
        batching: How its texts are batched.
        device: The device really used.
    """

    engine: TorchEngine

    def __init__(
        self,
        load: Callable[[], Runner],
        computing: Computing,
        checkpoints: Sequence[Checkpoint],
        *,
        batching: str,
        max_texts: int | None,
        max_tokens: int | None,
        outputs_per_token: int,
        capabilities: Capabilities,
        compose: Compose | None,
    ) -> None:
        """Takes what is known before the weights are loaded.

        Args:
            load: Loads the weights.
            computing: Where and how it computes.
            checkpoints: All checkpoints whose weights are loaded; the judge's own first.
            batching: See `ultrarm_eval.engine.plan`.
            max_texts: The maximum number of texts per batch; no limit if None.
            max_tokens: The maximum number of tokens per batch; computed from the device's free
                memory if None.
            outputs_per_token: See `RewardHead.outputs_per_token`.
            capabilities: See `RewardHead.capabilities`.
            compose: See `RewardHead.compose`.
        """
        self.runner: Runner | None = None
        self.batching = batching
        self._load, self._computing, self._checkpoints = load, computing, checkpoints
        self._max_texts, self._max_tokens = max_texts, max_tokens
        self._outputs = outputs_per_token
        self._limits: BatchLimits | None = None
        self.device, self.dtype = computing.device, computing.dtype
        self.engine = TorchEngine(self.loaded, self.limits, batching, capabilities, compose)

    def load(self) -> Any:
        """See `Computation.load`."""
        return self.loaded().model

    def plan(self, texts: Sequence[Tokens]) -> Plan:
        """See `Computation.plan`."""
        return self.engine.plan(texts)

    def compute_alone(self, text: Tokens) -> float:
        """See `Computation.compute_alone`; in its own forward pass."""
        return self.engine.compute_alone(text)

    def settings(self) -> dict[str, Any]:
        """See `Computation.settings`."""
        computing = self._computing
        return {
            "device": "parallelized" if computing.parallelize else str(computing.device),
            "batching": self.batching,
            "attn_implementation": self.attention,
            "torch_compile": computing.compiled,
            "quantization": computing.quantization,
        }

    def loaded(self) -> Runner:
        """The runner; loads the weights on first use."""
        if self.runner is None:
            self.runner = self._load()
        return self.runner

    def limits(self) -> BatchLimits:
        """The limits of a batch; they shrink permanently if the device's memory runs out."""
        if self._limits is None and self._max_tokens:
            self._limits = BatchLimits(self._max_tokens, self._max_texts)
        elif self._limits is None:
            to_load = 0 if self.runner else sum(map(self._computing.bytes_of, self._checkpoints))
            budget = token_budget(
                self._checkpoints[0].config,
                self._computing.dtype,
                self._computing.device,
                bytes_to_load=to_load,
                outputs=self._outputs,
            )
            self._limits = BatchLimits(budget.batch, self._max_texts, budget.tree)
        return self._limits

    @property
    def attention(self) -> str:
        """The attention that was used, once something was computed; else the requested one."""
        found = None
        if self.runner is not None and self.batching == PADDED:
            found = getattr(self.runner.model.config, "_attn_implementation", None)
        elif self.runner is not None:
            found = getattr(self.runner, "kernel_name", None)
        return found or self._computing.attention
