"""The judge that writes a critique and uses its overall score as the reward: UltraCM.

`openbmb/UltraCM-13b` was trained to write a score of 1 to 10 and feedback on an answer. The prompt
is a Jinja file that a user can replace.
"""

from __future__ import annotations

import json
import logging
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ultrarm_eval.checkpoints.causal_language_model import CausalLanguageModel
from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.engine.engine import Capabilities, Computed
from ultrarm_eval.engine.generation_runner import GenerationRunner, Sampling
from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.engine.token_rewards import TokenRewards
from ultrarm_eval.errors import ConfigurationError, ScoreStoreError
from ultrarm_eval.judge_settings import CritiqueSettings
from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.loading import no_token_rewards
from ultrarm_eval.judges.local_network import Computing
from ultrarm_eval.judges.reward_head import LanguageModelHead
from ultrarm_eval.messages import Prompt
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.jinja_template import CHAT_TEMPLATE
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.template_lookup import get_template
from ultrarm_eval.text_format.tokens import Tokens

logger = logging.getLogger(__name__)

_PROMPT = Path(__file__).with_name("critique_prompt.jinja")

LOWEST, HIGHEST = 1.0, 10.0

_NUMBER = r"\[?\s*(\d+(?:\.\d+)?)(?!\d)(?:\s*/\s*(\d+))?"
# The prompt may end where the score begins; text after that line is another critique.
_AT_START = re.compile(rf"\s*\**{_NUMBER}[\]*.]*[ \t]*(?=\n|$)")
_BEGINS = re.compile(rf"\s*{_NUMBER}")
_NAMED = re.compile(rf"overall\s+score\W{{0,4}}?\s*{_NUMBER}", re.IGNORECASE)
# "[1-10]" repeats the requested format and is not a score.
_RANGE = re.compile(r"[ \t]*(?:-|–|to\b)[ \t]*\d")  # noqa: RUF001


class CritiqueJudge(CheckpointJudge):
    """Scores completions by the overall scores in critiques that a language model writes."""

    name = "critique"
    may_abstain = True
    settings_class = CritiqueSettings
    given: CritiqueSettings
    architecture = CausalLanguageModel()
    gives_token_rewards = False
    default_template = CHAT_TEMPLATE
    default_checkpoint = "openbmb/UltraCM-13b"

    @classmethod
    def takes(cls) -> str:
        """See `CheckpointJudge.takes`."""
        return f"{super().takes()} that writes critiques; its prompt is `template=FILE.jinja`"

    @classmethod
    def reads(cls) -> str:
        """See `CheckpointJudge.reads`."""
        return (
            "the mean of the readable overall scores (1 to 10) in its critiques. It abstains from "
            "an answer without a readable score. The samples contain the critiques under `judged`"
        )

    def make_head(self, loaded: LoadedTokenizer) -> WrittenScore:
        """See `CheckpointJudge.make_head`."""
        given = self.given
        sampling = Sampling(
            given.samples, float(given.temperature or 0), given.max_new_tokens, given.seed
        )
        return WrittenScore(self.checkpoint, loaded.tokenizer, sampling, self.opened_store)

    def judgements(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> Iterator[tuple[int, Judgement]]:
        """Yields (index, judgement) as they are computed, each with its critiques.

        An answer whose critiques have no readable score is counted as an abstention.
        """
        given = prompts if isinstance(prompts, str) else _asked(prompts)
        unreadable = 0
        for index, judgement in super().judgements(given, completions):
            unreadable += judgement.unscored
            yield index, judgement
        if unreadable:
            self._counts.add_unreadable(unreadable)
            logger.warning(
                "%d of %d answers have no critique with a readable overall score of 1 to 10: the "
                "judge abstains, and metrics exclude them. To reduce abstentions, use more "
                "samples (samples=4), another template, or a model trained to write critiques.",
                unreadable,
                len(completions),
            )

    def rewards_after_tokens(self, prompt: Prompt, completion: str) -> TokenRewards:
        """Not supported: a critique scores a complete answer.

        Raises:
            ConfigurationError: Always.
        """
        raise no_token_rewards(self.name, "a critique scores a complete answer")


class WrittenScore(LanguageModelHead):
    """The mean of the overall scores in critiques."""

    name = CritiqueJudge.name
    may_lack = True

    def __init__(
        self,
        checkpoint: Checkpoint,
        tokenizer: Any,
        sampling: Sampling,
        store: Callable[[], ScoreStore | None],
    ) -> None:
        """Takes the checkpoint and how it writes.

        Args:
            checkpoint: The language model.
            tokenizer: Its tokenizer.
            sampling: How it samples.
            store: Opens the store of critiques, if there is one.
        """
        super().__init__(checkpoint)
        self._tokenizer, self._sampling, self._store = tokenizer, sampling, store
        self._written: dict[bytes, Judgement] = {}

    def capabilities(self) -> Capabilities:
        """See `RewardHead.capabilities`."""
        return Capabilities()

    def settings(self) -> dict[str, Any]:
        """See `RewardHead.settings`."""
        return {**vars(self._sampling)}

    def template(self, requested: str | None, default: str, tokenizer: Any) -> Template:
        """See `RewardHead.template`."""
        if requested is not None:
            return get_template(requested, tokenizer)
        # Its path does not identify the rewards: its source does.
        return replace(get_template(str(_PROMPT), tokenizer), name=self.name)

    def positions(self) -> int | None:
        """See `RewardHead.positions`, minus those that the critique needs."""
        positions = super().positions()
        if positions is None:
            return None
        left = positions - self._sampling.max_new_tokens
        if left < 1:
            raise ConfigurationError(
                f"max_new_tokens={self._sampling.max_new_tokens} leaves no room for a prompt: "
                f"{self.checkpoint.name} has {positions} positions. Use a smaller max_new_tokens."
            )
        return left

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> TextEncoder:
        """See `RewardHead.encoder`."""
        return TextEncoder(loaded.tokenizer, template, **options)

    def runner(self, computing: Computing, batching: str) -> GenerationRunner:
        """See `RewardHead.runner`."""
        model = self.load(self.checkpoint, computing)
        return GenerationRunner(model, self._tokenizer, self._sampling, self._read)

    def judgement(self, text: Tokens, computed: Computed) -> Judgement:
        """See `RewardHead.judgement`."""
        return self._written[text.identity]

    def stored(self, store: ScoreStore, texts: Sequence[bytes]) -> dict[bytes, Computed]:
        """See `RewardHead.stored`: only those stored with their critiques."""
        written = store.find_details(texts)
        self._written.update((text, _from_json(line)) for text, line in written.items())
        rewards = store.find(texts)
        return {text: Computed(reward) for text, reward in rewards.items() if text in written}

    def _read(self, text: Tokens, written: tuple[str, ...]) -> float:
        """The reward of a text; its critiques are kept."""
        judgement = self._written[text.identity] = _mean(written, [*map(read_score, written)])
        store = self._store()
        try:
            if store is not None:
                store.add_details({text.identity: _as_json(judgement)})
        except ScoreStoreError as error:
            # This run has the reward; a later run writes it again.
            logger.warning("%s The run continues without storing critiques.", error)
        return judgement.reward


def _asked(prompts: Sequence[Prompt]) -> list[Prompt]:
    """Prompts for the critique's prompt template; an empty instruction if there is no prompt."""
    return ["" if prompt is None else prompt for prompt in prompts]


def read_score(critique: str) -> float | None:
    """The score in a critique; None if there is no readable one.

    Args:
        critique: The text that the model wrote after its prompt.
    """
    found = _AT_START.match(critique) or _NAMED.search(critique) or _BEGINS.match(critique)
    if found is None or _RANGE.match(critique, found.end()):
        return None
    score, out_of = float(found[1]), found[2]
    if out_of not in (None, "10") or not LOWEST <= score <= HIGHEST:
        return None
    return score


def _mean(texts: Sequence[str], scores: Sequence[float | None]) -> Judgement:
    """The mean of the readable scores in an answer's critiques; an abstention if there is none."""
    read = [score for score in scores if score is not None]
    value = statistics.fmean(read) if read else None
    return Judgement(value, tuple(texts), {"scores": list(scores)})


def _as_json(judgement: Judgement) -> str:
    """A judgement as a line of a score store."""
    return json.dumps({"texts": judgement.explanation, **judgement.extra})


def _from_json(line: str) -> Judgement:
    values = json.loads(line)
    return _mean(values["texts"], values["scores"])
