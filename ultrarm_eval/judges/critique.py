"""The judge that writes a critique and takes its overall score for the reward: UltraCM.

`openbmb/UltraCM-13b` was trained to write a score of 1 to 10 and feedback on an answer. The prompt
is a Jinja file that a user can replace.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.engine.engine import Capabilities
from ultrarm_eval.engine.generation_runner import GenerationRunner, Sampling
from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.engine.token_rewards import TokenRewards
from ultrarm_eval.errors import ConfigurationError, ScoreStoreError
from ultrarm_eval.judges.critique_score import read_score
from ultrarm_eval.judges.critique_text import Critique, CritiquedReward
from ultrarm_eval.judges.language_model import LanguageModelJudge
from ultrarm_eval.judges.settings import checked_count
from ultrarm_eval.judges.token_judge import no_token_rewards
from ultrarm_eval.messages import Prompt
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template import Template, get_template
from ultrarm_eval.text_format.tokens import Tokens

logger = logging.getLogger(__name__)

_PROMPT = Path(__file__).with_name("critique_prompt.jinja")
_MAX_NEW_TOKENS = 512


class CritiqueJudge(LanguageModelJudge):
    """Scores completions by the overall score of critiques that a language model writes."""

    name = "critique"
    may_abstain = True
    default_checkpoint = "openbmb/UltraCM-13b"

    def __init__(
        self,
        pretrained: str | None = None,
        *,
        samples: int = 1,
        temperature: float | None = None,
        max_new_tokens: int = _MAX_NEW_TOKENS,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        """Checks the settings and prepares the tokenizer.

        Args:
            pretrained: A folder or a hub id.
            samples: Critiques of each answer; the mean of their readable scores is the reward.
            temperature: 0 (the likeliest tokens) for one sample and 1 for several if None.
            max_new_tokens: The most tokens of a critique.
            seed: Of the samples.
            **settings: See `CheckpointJudge`; the template is the prompt, a Jinja file.

        Raises:
            UltrarmEvalError: A setting, the checkpoint or the device cannot be used.
        """
        count = checked_count("samples", samples) or 1
        heat = _checked_temperature(temperature, count)
        tokens = checked_count("max_new_tokens", max_new_tokens) or _MAX_NEW_TOKENS
        if not str(seed).isdecimal():
            raise ConfigurationError(f"seed is a whole number of at least 0, not {seed!r}.")
        self._sampling = Sampling(count, heat, tokens, int(seed))
        self._written: dict[bytes, Critique] = {}
        super().__init__(pretrained, **settings)

    def score_stream(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> Iterator[tuple[int, float]]:
        """Yields (index, reward) as they come, each a `CritiquedReward`.

        Where no critique has a readable score it is not a number, and is counted.
        """
        given = prompts if isinstance(prompts, str) else _asked(prompts)
        unreadable = 0
        for index, reward in super().score_stream(given, completions):
            unreadable += math.isnan(reward)
            (encoded,) = self._encoder.encode([given[index]], [completions[index]])
            yield index, CritiquedReward(reward, self._written.get(encoded.tokens.identity))
        if unreadable:
            self._counts.add_unreadable(unreadable)
            logger.warning(
                "%d of %d answers have no critique with a readable overall score of 1 to 10: no "
                "score is guessed. More samples (samples=4), another template, or a model that was "
                "trained to write critiques leave fewer of them.",
                unreadable,
                len(completions),
            )

    def rewards_after_tokens(self, prompt: Prompt, completion: str) -> TokenRewards:
        """Refused: a critique is of a whole answer.

        Raises:
            ConfigurationError: Always.
        """
        raise no_token_rewards(self.name, "a critique is of a whole answer")

    def _read(self, text: Tokens, written: tuple[str, ...]) -> float:
        """The reward of a text; what was written is kept."""
        critique = Critique(written, tuple(map(read_score, written)))
        self._written[text.identity] = critique
        store = self._opened_store()
        try:
            if store is not None:
                store.add_critique(text.identity, critique.as_json())
        except ScoreStoreError as error:
            # The run has it; a later one writes it anew.
            logger.warning("%s The run goes on without it.", error)
        return critique.reward

    def _stored(self, store: ScoreStore, texts: Sequence[bytes]) -> dict[bytes, float]:
        """The rewards that a store holds with the critiques that they were read from."""
        written = store.find_critiques(texts)
        self._written.update((ids, Critique.from_json(text)) for ids, text in written.items())
        return {ids: reward for ids, reward in store.find(texts).items() if ids in written}

    def _keeps_unreadable(self) -> bool:
        return True

    def _find_template(self, requested: str | None) -> Template:
        if requested is not None:
            return super()._find_template(requested)
        # Its path says nothing about the rewards: its source does.
        return replace(get_template(str(_PROMPT), self._tokenizer), name="critique")

    def _positions(self) -> int | None:
        positions = super()._positions()
        if positions is None:
            return None
        left = positions - self._sampling.max_new_tokens
        if left < 1:
            raise ConfigurationError(
                f"max_new_tokens={self._sampling.max_new_tokens} leaves no room for a prompt: "
                f"{self._checkpoint.name} has {positions} positions."
            )
        return left

    def _make_encoder(self, loaded: LoadedTokenizer, **options: Any) -> TextEncoder:
        return TextEncoder(loaded.tokenizer, self._template, **options)

    def _capabilities(self) -> Capabilities:
        return Capabilities()

    def _identifying(self) -> dict[str, Any]:
        sampling = {**vars(self._sampling)}
        return {**super()._identifying(), "judge": self.name, **sampling}

    def _load_runner(self) -> GenerationRunner:
        model = self._load_language_model(self._checkpoint)
        return GenerationRunner(model, self._tokenizer, self._sampling, self._read)

    def settings(self) -> dict[str, Any]:
        """The settings the rewards depend on, and what happened to the texts."""
        return {**super().settings(), **vars(self._sampling)}


def _asked(prompts: Sequence[Prompt]) -> list[Prompt]:
    """Prompts that the critique's own prompt can quote: without one, an empty instruction."""
    return ["" if prompt is None else prompt for prompt in prompts]


def _checked_temperature(temperature: object, samples: int) -> float:
    if temperature is None:
        return 0.0 if samples == 1 else 1.0
    try:
        heat = float(str(temperature))
    except ValueError:
        heat = math.nan
    if not 0 <= heat < math.inf or (heat == 0 and samples > 1):
        raise ConfigurationError(
            f"temperature={temperature!r} is not allowed with samples={samples}: it is a number of "
            "at least 0, and above 0 for several samples, which would be all the same."
        )
    return heat
