"""Checks of a server before it gets requests, and each time that it comes back.

In this order, and in well under a second if a server is idle: the served model; that it tokenizes
like this package; that its values are raw rewards of one model, in the order of the texts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ultrarm_eval.engine.probe_texts import probe_texts
from ultrarm_eval.engine.served_model import ServedModel
from ultrarm_eval.engine.server.failures import (
    FaultyError,
    ImplausibleAnswerError,
    RequestRefusedError,
    UnusableServerError,
)
from ultrarm_eval.engine.server.probes import (
    Measured,
    Reference,
    require_agreement,
    require_raw,
    require_steady,
)
from ultrarm_eval.engine.server.protocol import (
    SentText,
    ServedNames,
    ServerFacts,
    ServerProtocol,
)
from ultrarm_eval.engine.server.sglang_protocol import SglangProtocol, takes_ids
from ultrarm_eval.engine.server.text_writer import NoSuchTextError, TextWriter
from ultrarm_eval.settings import CheckpointSettings

logger = logging.getLogger(__name__)

# Texts that different tokenizers encode differently, without control tokens.
_TOKENIZED = (
    "The quick brown fox jumps over the lazy dog. 12345 plus 678 is 13023.",
    "Human: def f(x): return x ** 2\n\nAssistant: Größe, naïve, 你好, привет, 🙂!",
)
# The number of tokens at the start of a text that may differ if ids are sent: converters of
# sentencepiece do not agree on the space before a text, and what a server would prepend does not
# matter then.
_START = 6
# The smallest request: a text and two probes.
_FEWEST_TEXTS = 3
# Fewer texts are not enough to check a server.
_FEWEST_PROBES = 4
# sglang reserves a few tokens of its context.
_SGLANG_FREE = 6


@dataclass(frozen=True)
class Checked:
    """A server that passed its checks.

    Attributes:
        facts: Its information about itself.
        measured: Its values of the probes.
    """

    facts: ServerFacts
    measured: Measured


class _InParts:
    """Requests values in requests that a server accepts."""

    def __init__(self, protocol: ServerProtocol, most: int | None) -> None:
        self.sends_text = protocol.sends_text
        self.switches_activation = protocol.switches_activation
        self._protocol, self._most = protocol, most

    async def compute(self, texts: Sequence[SentText], *, activated: bool = False) -> list[float]:
        most = self._most or len(texts)
        values: list[float] = []
        for start in range(0, len(texts), most):
            part = texts[start : start + most]
            values += await self._protocol.compute(part, activated=activated)
        return values


class StartChecks:
    """Checks servers of one model.

    Attributes:
        names: The model's possible names there.
        reference: The probes' values; None before the first servers were checked.
    """

    def __init__(self, model: ServedModel, given: CheckpointSettings) -> None:
        """Takes the model that servers have to serve.

        Args:
            model: The model.
            given: The settings of the run.
        """
        self._model, self.writer = model, TextWriter(model.tokenizer)
        self.names = ServedNames(given.served_model, _checkpoint_names(str(given.pretrained)))
        self.reference: Reference | None = None
        self._probes = [SentText(tuple(text)) for text in probe_texts(model)]
        if given.protocol != "vllm":
            written = map(self.try_to_write, self._probes)
            usable = [text for text in written if isinstance(text, SentText)]
            if len(usable) >= _FEWEST_PROBES:
                self._probes = [replace(text, text=None) for text in usable]
        self._last_id = min(len(model.tokenizer), int(model.checkpoint.config.vocab_size)) - 1

    async def check(self, protocol: ServerProtocol) -> Checked:
        """Checks everything that has to be right about a server.

        Raises:
            UnusableServerError: A check fails.
            ServerFailure: It does not respond.
        """
        facts = await protocol.look()
        self._require_facts(facts)
        try:
            probes = await self._as_sent(protocol)
            await self._require_same_tokens(protocol)
            measured = await self._measure(_InParts(protocol, facts.max_texts), probes)
        except ImplausibleAnswerError as error:
            raise UnusableServerError(str(error)) from error
        except RequestRefusedError as error:
            raise UnusableServerError(f"it rejects the probe texts: {error}") from error
        require_steady(measured)
        require_raw(measured)
        if self.reference is not None:
            require_agreement(self.reference, "the start of the run", measured, "it")
        return Checked(facts, measured)

    def agree(self, checked: Sequence[tuple[str, Checked]]) -> Reference:
        """The probes' values, after the servers were compared with each other.

        Args:
            checked: The address and the results of each; at least one.

        Raises:
            UnusableServerError: Two of them differ.
        """
        found = [one.measured for _, one in checked]
        probes = self._probes
        reference = Reference.of(probes, found, self._model.dtype)
        (first, _), *others = checked
        for url, one in others:
            require_agreement(reference, first, one.measured, url)
        return reference

    def try_to_write(self, text: SentText) -> SentText | str:
        """A text as it is sent to a server that accepts texts; the reason if it cannot be sent."""
        try:
            return replace(text, text=self.writer.write(text.ids))
        except NoSuchTextError as error:
            return str(error)

    def as_sent(self, text: SentText, protocol: ServerProtocol) -> SentText:
        """A probe as it is sent to a server.

        Raises:
            UnusableServerError: It accepts only texts, and no text has these ids.
        """
        written = self.try_to_write(text) if protocol.sends_text else text
        if isinstance(written, SentText):
            return written
        raise UnusableServerError(
            "it accepts only texts, not token ids, and no text produces the tokens of this judge: "
            f"{written}. Use a vLLM server, which accepts ids, or another template or "
            "special_tokens"
        )

    def _require_facts(self, facts: ServerFacts) -> None:
        most, wanted = facts.max_model_len, self._model.max_length
        if most is not None and most < wanted:
            raise UnusableServerError(
                f"it accepts texts of at most {most} tokens (max_model_len), but max_length is "
                f"{wanted}. Set max_length={most}, or start the server with a larger limit."
            )
        is_close = most is not None and most - _SGLANG_FREE < wanted
        if facts.software == SglangProtocol.software and most is not None and is_close:
            logger.warning(
                "sglang reserves %d tokens of its context of %d and will reject longer texts. Set "
                "max_length=%d, or start it with a larger --context-length.",
                _SGLANG_FREE,
                most,
                most - _SGLANG_FREE,
            )
        if facts.max_texts is not None and facts.max_texts < _FEWEST_TEXTS:
            raise UnusableServerError(
                f"it accepts {facts.max_texts} texts per request, but each text is sent with two "
                "probes that verify its value. Start it with --max-client-batch-size of at least "
                f"{_FEWEST_TEXTS}"
            )
        if facts.dtype is not None and facts.dtype != self._model.dtype:
            raise UnusableServerError(
                f"it computes in {facts.dtype}, but this run has dtype={self._model.dtype}. Set "
                f"dtype={facts.dtype}, or start the server with {self._model.dtype}."
            )

    async def _require_same_tokens(self, protocol: ServerProtocol) -> None:
        found = await asyncio.gather(*map(protocol.tokenize, _TOKENIZED))
        if protocol.sends_text and None in found:
            logger.warning(
                "%s accepts only texts and does not report how it tokenizes them. Compare its "
                "rewards with those of torch: `ultrarm-eval verify --engine server`.",
                protocol.client.url,
            )
        for text, ids in zip(_TOKENIZED, found, strict=True):
            if ids is None:
                continue
            ours = self.writer.ids(text)
            what = _other_tokens(ours, ids, exactly=protocol.sends_text)
            if what is not None:
                raise UnusableServerError(
                    f"according to its /tokenize it uses {what}: {ids[:8]} instead of {ours[:8]} "
                    f"for {text[:24]!r}. Check that it serves the checkpoint of pretrained with "
                    "its tokenizer."
                )

    async def _as_sent(self, protocol: ServerProtocol) -> list[SentText]:
        """The probes that can be sent to this server."""
        if isinstance(protocol, SglangProtocol):
            protocol.sends_text = not await takes_ids(protocol, self._probes[0])
        return [self.as_sent(probe, protocol) for probe in self._probes]

    async def _measure(self, protocol: _InParts, probes: list[SentText]) -> Measured:
        values = await protocol.compute(probes)
        # In another order, and at other positions of a batch.
        mixed = [*range(1, len(probes), 2), *reversed(range(0, len(probes), 2))]
        again, activated, _ = await asyncio.gather(
            protocol.compute([probes[i] for i in mixed]),
            self._activated(protocol, probes),
            self._require_vocabulary(protocol, probes[0]),
        )
        in_place = dict(zip(mixed, again, strict=True))
        return Measured(
            tuple(values),
            tuple(in_place[i] for i in range(len(probes))),
            None if activated is None else tuple(activated),
        )

    async def _activated(self, protocol: _InParts, probes: list[SentText]) -> list[float] | None:
        if not protocol.switches_activation:
            return None
        return await protocol.compute(probes, activated=True)

    async def _require_vocabulary(self, protocol: _InParts, probe: SentText) -> None:
        """Sends the largest token id: a smaller vocabulary does not have it."""
        if protocol.sends_text:
            return
        # Instead of another token: a probe may have the maximum length.
        kept = len(probe.ids) - 1
        head, tail = probe.ids[: min(1, kept)], probe.ids[2:]
        try:
            await protocol.compute([SentText((*head, self._last_id, *tail))])
        except (RequestRefusedError, FaultyError) as error:
            raise UnusableServerError(
                f"it rejects the token id {self._last_id}, the last of the checkpoint's "
                f"vocabulary: {error}. It serves a model with another vocabulary."
            ) from error


def _checkpoint_names(pretrained: str) -> tuple[str, ...]:
    folder = Path(pretrained)
    if not folder.is_dir():
        return (pretrained,)
    resolved = folder.resolve()
    return tuple(dict.fromkeys((pretrained, str(folder.absolute()), str(resolved), resolved.name)))


def _other_tokens(ours: Sequence[int], theirs: Sequence[int], *, exactly: bool) -> str | None:
    """How a server's tokens of a text differ from ours; None if they are equal."""
    if theirs == ours:
        return None
    if not exactly:
        pairs = zip(reversed(ours), reversed(theirs), strict=False)
        alike = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs)))
        if alike >= max(len(ours), len(theirs)) - _START:
            return None
    if theirs == ours[1:]:
        return "no BOS before a text, unlike the checkpoint's tokenizer"
    if theirs[1:] == ours:
        return "a token before a text that the checkpoint's tokenizer does not add"
    return "another tokenizer than the checkpoint's"
