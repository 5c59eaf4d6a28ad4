"""Loading a checkpoint's tokenizer so that it means the same on every transformers version.

A folder with a `tokenizer.model` alone is read differently by transformers 4 and 5 (seen with
4.50 and 5.23): `AutoTokenizer` of 5 converts it to a generic tokenizer without BOS and without
sentencepiece's dummy prefix. Llama's own class, told to add the BOS it always had, gives the ids
of sentencepiece itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.fields import require_tokenizer_values
from ultrarm_eval.checkpoints.files import read_json
from ultrarm_eval.checkpoints.foreign_errors import as_checkpoint_error
from ultrarm_eval.checkpoints.own_code import refuse_own_tokenizer
from ultrarm_eval.errors import CheckpointError

#: Files that transformers makes a tokenizer of; one of them has to be there.
VOCABULARY_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spm.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
#: JSON files that say how it is used.
DESCRIPTIONS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


@dataclass(frozen=True)
class LoadedTokenizer:
    """A tokenizer and where its vocabulary is from.

    Attributes:
        tokenizer: The Hugging Face tokenizer, with a fast backend.
        is_sentencepiece: Whether the checkpoint has a sentencepiece model, whose ids are then
            the true ones.
    """

    tokenizer: Any
    is_sentencepiece: bool

    def eos_id(self, config: Any) -> int | None:
        """The tokenizer's EOS; the model's where a tokenizer.json alone names none."""
        if self.tokenizer.eos_token_id is not None:
            return int(self.tokenizer.eos_token_id)
        configured = getattr(config, "eos_token_id", None)
        return configured if isinstance(configured, int) else None


def load_tokenizer(checkpoint: Checkpoint) -> LoadedTokenizer:
    """Loads the tokenizer of a checkpoint; its code, if it has any, is never executed.

    Raises:
        CheckpointError: There is no usable tokenizer.
    """
    import transformers

    present = [file for file in VOCABULARY_FILES if checkpoint.fetch(file) is not None]
    if not present:
        raise CheckpointError(
            f"{checkpoint.name}: there is no tokenizer; looked for {', '.join(VOCABULARY_FILES)}."
        )
    stated = _stated(checkpoint)
    has_model, has_fast = "tokenizer.model" in present, "tokenizer.json" in present
    hint = (
        ""
        if has_fast
        else f" from {', '.join(present)} alone; a tokenizer.json, as save_pretrained of its "
        "tokenizer writes, or tokenizer_class in tokenizer_config.json may be missing"
    )
    with as_checkpoint_error(f"{checkpoint.name}: its tokenizer cannot be loaded{hint}"):
        if has_model and not has_fast:
            tokenizer = _load_llama(transformers, checkpoint, stated)
        else:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                checkpoint.name,
                revision=checkpoint.revision,
                trust_remote_code=False,
                **_config_as_read(checkpoint),
            )
        # What is wrong with it can show when it is used first.
        tokenizer("a")
        loaded = LoadedTokenizer(tokenizer, has_model)
        loaded.eos_id(checkpoint.config)
    return loaded


def _config_as_read(checkpoint: Checkpoint) -> dict[str, Any]:
    """The configuration, where transformers would refuse what config.json says."""
    path = checkpoint.fetch("config.json")
    stated = None if path is None else read_json(path).get("problem_type")
    is_as_stated = stated == getattr(checkpoint.config, "problem_type", None)
    return {} if is_as_stated else {"config": checkpoint.config}


def _stated(checkpoint: Checkpoint) -> dict[str, Any]:
    """What tokenizer_config.json says, after all that describes the tokenizer was checked."""
    refuse_own_tokenizer(
        checkpoint.name, {"auto_map": getattr(checkpoint.config, "auto_map", None)}, "config.json"
    )
    stated: dict[str, Any] = {}
    for file in DESCRIPTIONS:
        path = checkpoint.fetch(file)
        if path is None:
            continue
        values = read_json(path)
        require_tokenizer_values(checkpoint.name, file, values)
        refuse_own_tokenizer(checkpoint.name, values, file)
        if file == "tokenizer_config.json":
            stated = values
    return stated


def _load_llama(transformers: Any, checkpoint: Checkpoint, stated: dict[str, Any]) -> Any:
    major = int(transformers.__version__.split(".")[0])
    llama = transformers.LlamaTokenizer if major >= 5 else transformers.LlamaTokenizerFast
    return llama.from_pretrained(
        checkpoint.name,
        revision=checkpoint.revision,
        # What transformers 4 took where nothing is stated, and UltraRM was trained with.
        add_bos_token=stated.get("add_bos_token", True),
    )
