"""The judge for models trained with direct preference optimization (DPO): their implicit reward."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ultrarm_eval.checkpoints.causal_language_model import CausalLanguageModel
from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.foreign_errors import quoted
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer, load_tokenizer
from ultrarm_eval.engine.likelihood_runner import PreferenceRunner
from ultrarm_eval.errors import CheckpointError, ScoringError
from ultrarm_eval.judge_settings import PreferenceSettings
from ultrarm_eval.judges.advice import open_for
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.local_network import Computing
from ultrarm_eval.judges.reward_head import LanguageModelHead
from ultrarm_eval.text_format.completion_encoder import CompletionEncoder
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.jinja_template import CHAT_TEMPLATE
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.tokens import EncodedText


class PreferenceJudge(CheckpointJudge):
    """Scores completions by beta times the difference of summed log-likelihoods to a reference.

    Both models are on the device and get the same token ids.
    """

    name = "dpo"
    settings_class = PreferenceSettings
    given: PreferenceSettings
    architecture = CausalLanguageModel()
    default_template = CHAT_TEMPLATE

    @classmethod
    def takes(cls) -> str:
        """See `CheckpointJudge.takes`."""
        return (
            f"{super().takes()} trained with DPO, and its reference model (`reference=DIR`). The "
            "two vocabularies may differ in special tokens that no text uses"
        )

    @classmethod
    def reads(cls) -> str:
        """See `CheckpointJudge.reads`."""
        return (
            "`beta` times (summed log-likelihood of the completion minus that under the "
            "reference model)"
        )

    def open_others(self) -> dict[str, Checkpoint]:
        """See `CheckpointJudge.open_others`."""
        reference, revision = str(self.given.reference), self.given.reference_revision
        return {"reference": open_for(Survey(reference, revision), self.architecture)}

    def make_head(self, loaded: LoadedTokenizer) -> ImpliedReward:
        """See `CheckpointJudge.make_head`."""
        return ImpliedReward(self.checkpoint, self.others["reference"], self.given.beta)


class ImpliedReward(LanguageModelHead):
    """The implicit reward of direct preference optimization."""

    name = PreferenceJudge.name

    def __init__(self, checkpoint: Checkpoint, reference: Checkpoint, beta: float) -> None:
        """Takes the checkpoints.

        Args:
            checkpoint: The trained model.
            reference: The reference model, which training started from.
            beta: The factor of the difference of log-likelihoods.
        """
        super().__init__(checkpoint)
        self._reference, self._beta = reference, beta

    def settings(self) -> dict[str, Any]:
        """See `RewardHead.settings`."""
        return {
            "beta": self._beta,
            "reference": self._reference.name,
            "reference_revision": self._reference.commit or self._reference.revision,
        }

    def identity(self) -> dict[str, Any]:
        """See `RewardHead.identity`; the reference is identified by its weights."""
        return {"judge": self.name, "beta": self._beta}

    def positions(self) -> int | None:
        """See `RewardHead.positions`."""
        both = (self.checkpoint.positions, self._reference.positions)
        return min((positions for positions in both if positions is not None), default=None)

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> TextEncoder:
        """See `RewardHead.encoder`; both models get the same tokens.

        Raises:
            CheckpointError: The tokenizers have different vocabularies.
        """
        reference = load_tokenizer(self._reference).tokenizer
        ours, theirs = loaded.tokenizer.get_vocab(), reference.get_vocab()
        # Texts do not contain these: only templates write them, or nothing does (padding tokens).
        special = special_tokens(loaded.tokenizer) | special_tokens(reference)
        token = _differing_token(ours, theirs, special)
        if token is not None:
            raise CheckpointError(
                f"{self._reference.name}: its vocabulary differs from that of "
                f"{self.checkpoint.name}, so log-likelihoods cannot be compared token by token: "
                f"{quoted(token)} has {_id_in(theirs, token)} in the first and "
                f"{_id_in(ours, token)} in the second. Set reference to the model that training "
                "started from."
            )
        fewest = min(options["vocabulary_size"], self._reference.config.vocab_size)
        return SharedVocabularyEncoder(
            loaded.tokenizer,
            template,
            unshared={index: token for token, index in ours.items() if token not in theirs},
            **{**options, "vocabulary_size": fewest},
        )

    def runner(self, computing: Computing, batching: str) -> PreferenceRunner:
        """See `RewardHead.runner`."""
        return PreferenceRunner(
            self.load(self.checkpoint, computing),
            self.load(self._reference, computing),
            self._beta,
        )


class SharedVocabularyEncoder(CompletionEncoder):
    """Encodes texts for two models, and rejects texts with tokens that only one of them has."""

    def __init__(
        self, tokenizer: Any, template: Template, *, unshared: Mapping[int, str], **options: Any
    ) -> None:
        """Prepares the tokenizer.

        Args:
            tokenizer: The trained model's.
            template: The prompt template.
            unshared: The tokens, by id, that the reference's tokenizer does not have.
            **options: As for `CompletionEncoder`.

        Raises:
            ConfigurationError: See `CompletionEncoder`.
        """
        super().__init__(tokenizer, template, **options)
        self._unshared = dict(unshared)

    def _placed(self, whole: EncodedText, prompt: list[int], number: int) -> EncodedText:
        found = super()._placed(whole, prompt, number)
        for index in self._unshared.keys() & set(found.tokens):
            raise ScoringError(
                f"Completion {number}: its text contains the token "
                f"{quoted(self._unshared[index])}, which the reference's tokenizer does not have, "
                "so the reference has no likelihood for it. Remove such texts, or use another "
                "template or reference."
            )
        return found


def special_tokens(tokenizer: Any) -> set[str]:
    """All special tokens of a tokenizer."""
    added = tokenizer.added_tokens_decoder.values()
    return {*tokenizer.all_special_tokens, *(str(token) for token in added if token.special)}


def _id_in(vocabulary: Mapping[str, int], token: str) -> str:
    return f"the id {vocabulary[token]}" if token in vocabulary else "none"


def _differing_token(
    ours: Mapping[str, int], theirs: Mapping[str, int], special: Collection[str]
) -> str | None:
    """A token that differs between the vocabularies; special tokens may be missing in one."""
    tokens = {index: token for token, index in theirs.items()}
    for token, index in ours.items():
        same_id = theirs.get(token, index if token in special else None) == index
        if not same_id or tokens.get(index, token) != token:
            return token
    return next((token for token in theirs if token not in ours and token not in special), None)
