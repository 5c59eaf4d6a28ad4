"""The judge for models trained by direct preference optimisation: the reward they imply."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.foreign_errors import quoted
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer, load_tokenizer
from ultrarm_eval.engine.likelihood_runner import PreferenceRunner
from ultrarm_eval.errors import CheckpointError, ConfigurationError, ScoringError
from ultrarm_eval.judges.auto import open_for
from ultrarm_eval.judges.checkpoint_judge import positions_of
from ultrarm_eval.judges.language_model import LanguageModelJudge
from ultrarm_eval.text_format.completion_encoder import CompletionEncoder
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.tokens import EncodedText


class PreferenceJudge(LanguageModelJudge):
    """Scores completions by beta times the difference of summed log-likelihoods to a reference.

    Both models lie on the device, and read the same token ids.
    """

    name = "dpo"

    def __init__(
        self,
        pretrained: str | None = None,
        *,
        reference: str | None = None,
        reference_revision: str | None = None,
        beta: float = 1.0,
        **settings: Any,
    ) -> None:
        """Checks the settings and prepares the tokenizer.

        Args:
            pretrained: The trained model: a folder or a hub id.
            reference: The model that the training began with: a folder or a hub id.
            reference_revision: Hub revision of the reference.
            beta: The factor of the difference.
            **settings: See `CheckpointJudge`; the template is `chat` if none is named.

        Raises:
            UltrarmEvalError: A setting, a checkpoint or the device cannot be used.
        """
        if reference is None:
            raise ConfigurationError(
                "judge=dpo compares with the model that the training began with: name it by the "
                "judge's setting reference=DIR (ultrarm-eval: --judge-args reference=DIR)."
            )
        self._beta = _checked_beta(beta)
        self._reference = open_for(str(reference), reference_revision, self.architecture)
        super().__init__(pretrained, **settings)

    def _bytes_to_load(self) -> int:
        return super()._bytes_to_load() + self._bytes_of(self._reference)

    def _positions(self) -> int | None:
        both = map(positions_of, (self._checkpoint.config, self._reference.config))
        return min((positions for positions in both if positions is not None), default=None)

    def _make_encoder(self, loaded: LoadedTokenizer, **options: Any) -> TextEncoder:
        reference = load_tokenizer(self._reference).tokenizer
        ours, theirs = loaded.tokenizer.get_vocab(), reference.get_vocab()
        # Texts do not contain these: templates write them, or nothing does, as padding tokens.
        special = special_tokens(loaded.tokenizer) | special_tokens(reference)
        token = _differing_token(ours, theirs, special)
        if token is not None:
            raise CheckpointError(
                f"{self._reference.name}: its tokenizer has another vocabulary than "
                f"{self._checkpoint.name}'s, so the two cannot be compared token by token: "
                f"{quoted(token)} has the id {theirs.get(token)} and {ours.get(token)}. "
                "reference is the model that the training began with."
            )
        fewest = min(options["vocabulary_size"], self._reference.config.vocab_size)
        return SharedVocabularyEncoder(
            loaded.tokenizer,
            self._template,
            unshared={index: token for token, index in ours.items() if token not in theirs},
            **{**options, "vocabulary_size": fewest},
        )

    def _other_checkpoints(self) -> dict[str, Checkpoint]:
        return {"reference": self._reference}

    def _identifying(self) -> dict[str, Any]:
        return {**super()._identifying(), "judge": self.name, "beta": self._beta}

    def _load_runner(self) -> PreferenceRunner:
        return PreferenceRunner(
            self._load_language_model(self._checkpoint),
            self._load_language_model(self._reference),
            self._beta,
        )

    def settings(self) -> dict[str, Any]:
        """The settings the rewards depend on, and what happened to the texts."""
        return {
            **super().settings(),
            "beta": self._beta,
            "reference": self._reference.name,
            "reference_revision": self._reference.commit or self._reference.revision,
        }


class SharedVocabularyEncoder(CompletionEncoder):
    """Encodes texts for two models, and refuses those that only one of them has tokens for."""

    def __init__(
        self, tokenizer: Any, template: Template, *, unshared: Mapping[int, str], **options: Any
    ) -> None:
        """Prepares the tokenizer.

        Args:
            tokenizer: The trained model's.
            template: How prompt and completion become one text.
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
                f"Completion {number}: its text has the token {quoted(self._unshared[index])}, "
                "which the reference's tokenizer does not have, so the reference cannot say how "
                "likely it is. Leave such texts out, or name another template or reference."
            )
        return found


def special_tokens(tokenizer: Any) -> set[str]:
    """The special tokens of a tokenizer, whatever it calls them."""
    added = tokenizer.added_tokens_decoder.values()
    return {*tokenizer.all_special_tokens, *(str(token) for token in added if token.special)}


def _differing_token(
    ours: Mapping[str, int], theirs: Mapping[str, int], special: Collection[str]
) -> str | None:
    """A token that is not the same in both vocabularies; a special one may lack in one of them."""
    tokens = {index: token for token, index in theirs.items()}
    for token, index in ours.items():
        same_id = theirs.get(token, index if token in special else None) == index
        if not same_id or tokens.get(index, token) != token:
            return token
    return next((token for token in theirs if token not in ours and token not in special), None)


def _checked_beta(beta: object) -> float:
    try:
        number = float(str(beta))
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ConfigurationError(f"beta is a number above 0, not {beta!r}.")
    return number
