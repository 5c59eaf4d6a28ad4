"""Loads a checkpoint's tokenizer so that it gives the same ids on every transformers version.

A folder with a `tokenizer.model` alone is read differently by transformers 4 and 5 (seen with
4.50 and 5.23): `AutoTokenizer` of 5 converts it to a generic tokenizer without BOS and without
sentencepiece's dummy prefix. Llama's own class, with `add_bos_token` set, gives the ids of
sentencepiece itself.

A tokenizer.json is what the model was trained with. transformers 4 reads it as it is; classes of
transformers 5 take only its vocabulary and split texts their own way, and `AutoTokenizer` takes
`Qwen2Tokenizer` for every model of type qwen2, whatever its files name (DeepSeek-R1-Distill-Qwen
has Llama's class and another pre-tokenizer; seen with 5.23). Its generic class ignores
`add_bos_token`, which Llama's class obeys.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ultrarm_eval.checkpoints import internlm2_tokenizer
from ultrarm_eval.checkpoints.adapters import Adapter
from ultrarm_eval.checkpoints.fields import require_tokenizer_values
from ultrarm_eval.checkpoints.files import Fetch, read_json
from ultrarm_eval.checkpoints.foreign_errors import as_checkpoint_error
from ultrarm_eval.checkpoints.own_code import is_own_tokenizer, refuse_own_tokenizer
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.errors import CheckpointError

logger = logging.getLogger(__name__)

__all__ = ["LoadedTokenizer"]

#: Files from which transformers builds a tokenizer; one of them is required.
VOCABULARY_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spm.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
# A byte-level tokenizer is compared with its tokenizer.json on these. They begin with a space, so
# that an `add_prefix_space` in tokenizer_config.json, which counts, makes no difference.
_PROBES = (
    " In 2024, 1234567 people didn't say 'no': it'S 3.14%!\n\n  A list:\n\t- one;\r\n - two  ",
    " Caf\u00e9, cafe\u0301, \u4f60\u597d\uff0c\u4e16\u754c\u3002 \u0440\u0438! \u0e2a\u0e31",
    " def f(x_1): return x**2  # 10_000\n    camelCase HTTPServer v2.0.1 a/b \U0001f600\ufb01",
)
_SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token")
#: JSON files that configure it.
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
        """The tokenizer's EOS id; the model's if a tokenizer.json alone names none."""
        if self.tokenizer.eos_token_id is not None:
            return int(self.tokenizer.eos_token_id)
        configured = getattr(config, "eos_token_id", None)
        return configured if isinstance(configured, int) else None


class TokenizerOwner(Protocol):
    """An object with a tokenizer: a checkpoint, also before its weights are inspected."""

    @property
    def name(self) -> str:
        """The folder or hub id."""
        ...

    @property
    def revision(self) -> str | None:
        """The hub revision."""
        ...

    @property
    def fetch(self) -> Fetch:
        """How to get its files by name."""
        ...

    @property
    def config(self) -> Any:
        """Its configuration."""
        ...

    @property
    def adapter(self) -> Adapter | None:
        """The adapter that is merged into it, if there is one."""
        ...


@dataclass(frozen=True)
class _Source:
    """Where a tokenizer's files are.

    Attributes:
        name: The folder or hub id.
        revision: The hub revision.
        fetch: How to get its files.
        present: The vocabulary files that exist.
        options: Further options of transformers' loading.
    """

    name: str
    revision: str | None
    fetch: Fetch
    present: list[str]
    options: dict[str, Any]


def _sources(checkpoint: TokenizerOwner) -> list[_Source]:
    """Where a checkpoint's tokenizer may be: with an adapter, or with its base."""
    places: list[Any] = [one for one in (checkpoint.adapter, checkpoint) if one is not None]
    # An adapter's folder has no config.json, where transformers looks for the tokenizer's class.
    return [
        _Source(
            place.name,
            place.revision,
            place.fetch,
            [file for file in VOCABULARY_FILES if place.fetch(file) is not None],
            _config_as_read(checkpoint) if place is checkpoint else {"config": checkpoint.config},
        )
        for place in places
    ]


def _config_as_read(checkpoint: TokenizerOwner) -> dict[str, Any]:
    """The configuration, where transformers would not read config.json as it is."""
    from transformers import CONFIG_MAPPING

    path = checkpoint.fetch("config.json")
    if path is None:
        return {}
    stated, config = read_json(path), checkpoint.config
    is_known = stated.get("model_type", "") in (*CONFIG_MAPPING, "")
    is_as_stated = stated.get("problem_type") == getattr(config, "problem_type", None)
    return {} if is_known and is_as_stated else {"config": config}


@dataclass(frozen=True)
class _Surveyed:
    """A checkpoint that is not opened yet; see `TokenizerOwner`."""

    name: str
    revision: str | None
    fetch: Fetch
    config: Any
    adapter: Adapter | None


def tokenizer_of(survey: Survey) -> LoadedTokenizer:
    """The tokenizer of a checkpoint that is not opened yet.

    Args:
        survey: Its small files.

    Raises:
        CheckpointError: There is no usable tokenizer.
    """
    from transformers import CONFIG_MAPPING

    with as_checkpoint_error(f"{survey.name}: its config.json cannot be read"):
        config = CONFIG_MAPPING[survey.model_type].from_dict(dict(survey.values))
    return load_tokenizer(
        _Surveyed(survey.name, survey.revision, survey.fetch, config, survey.adapter)
    )


def load_tokenizer(checkpoint: TokenizerOwner) -> LoadedTokenizer:
    """Loads the tokenizer of a checkpoint; its code, if it has any, is never executed.

    An adapter's tokenizer, and its chat template, take precedence over its base's.

    Raises:
        CheckpointError: There is no usable tokenizer.
    """
    sources = _sources(checkpoint)
    usable = [source for source in sources if source.present]
    if not usable:
        raise CheckpointError(
            f"{' and '.join(one.name for one in sources)}: there are no tokenizer files; looked "
            f"for {', '.join(VOCABULARY_FILES)}."
        )
    loaded = _loaded(checkpoint, usable[0])
    if len(sources) > 1:
        _take_chat_template(checkpoint, loaded.tokenizer, sources, usable)
    return loaded


@dataclass(frozen=True)
class TokenizerPlace:
    """The files of a checkpoint's tokenizer.

    Attributes:
        fetch: How to get them.
        stated: The content of tokenizer_config.json.
        is_as_stored: Whether it is read from a tokenizer.json, which other programs can read.
    """

    fetch: Fetch
    stated: dict[str, Any]
    is_as_stored: bool


def tokenizer_place(checkpoint: TokenizerOwner) -> TokenizerPlace:
    """The files of the tokenizer that `load_tokenizer` returns.

    Args:
        checkpoint: A checkpoint whose tokenizer was loaded.

    Raises:
        CheckpointError: A file cannot be read.
    """
    source = next(one for one in _sources(checkpoint) if one.present)
    stated = _stated(source, checkpoint.config)
    is_ours = is_own_tokenizer(stated, internlm2_tokenizer.CLASSES)
    is_llama = "tokenizer.model" in source.present and "tokenizer.json" not in source.present
    return TokenizerPlace(source.fetch, stated, not (is_ours or is_llama))


def _take_chat_template(
    checkpoint: TokenizerOwner, tokenizer: Any, sources: list[_Source], usable: list[_Source]
) -> None:
    """Gives a tokenizer the adapter's chat template; the base's where the adapter has none."""
    own = _chat_template(sources[0])
    if own is not None:
        tokenizer.chat_template = own
    elif not tokenizer.chat_template and len(usable) > 1:
        tokenizer.chat_template = _loaded(checkpoint, usable[1]).tokenizer.chat_template


def _chat_template(source: _Source) -> str | None:
    path = source.fetch("chat_template.jinja")
    if path is not None:
        with as_checkpoint_error(f"{path}: this cannot be read"):
            return path.read_text(encoding="utf-8")
    described = source.fetch("tokenizer_config.json")
    stated = None if described is None else read_json(described).get("chat_template")
    return stated if isinstance(stated, str) else None


def _loaded(checkpoint: TokenizerOwner, source: _Source) -> LoadedTokenizer:
    import transformers

    present = source.present
    stated = _stated(source, checkpoint.config)
    has_model, has_fast = "tokenizer.model" in present, "tokenizer.json" in present
    hint = (
        ""
        if has_fast
        else f" from only {', '.join(present)}; tokenizer.json (written by save_pretrained of its "
        "tokenizer), or tokenizer_class in tokenizer_config.json may be missing"
    )
    with as_checkpoint_error(f"{source.name}: its tokenizer cannot be loaded{hint}"):
        if is_own_tokenizer(stated, internlm2_tokenizer.CLASSES):
            tokenizer = _load_internlm2(source, stated)
        elif has_model and not has_fast:
            tokenizer = _load_llama(transformers, source, stated)
        else:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                source.name, revision=source.revision, trust_remote_code=False, **source.options
            )
            if has_fast:
                tokenizer = _as_stored(transformers, tokenizer, source, stated)
        # Some defects show only when it is first used.
        tokenizer("a")
        loaded = LoadedTokenizer(tokenizer, has_model)
        loaded.eos_id(checkpoint.config)
    return loaded


def _stated(source: _Source, config: Any) -> dict[str, Any]:
    """The content of tokenizer_config.json, after checking all files that describe a tokenizer."""
    refuse_own_tokenizer(
        source.name, {"auto_map": getattr(config, "auto_map", None)}, "config.json"
    )
    stated: dict[str, Any] = {}
    for file in DESCRIPTIONS:
        path = source.fetch(file)
        if path is None:
            continue
        values = read_json(path)
        require_tokenizer_values(source.name, file, values)
        # InternLM2's class is supported if it is built from a sentencepiece file.
        is_known = "tokenizer.model" in source.present
        known = internlm2_tokenizer.CLASSES if is_known else ()
        refuse_own_tokenizer(source.name, values, file, known)
        if file == "tokenizer_config.json":
            stated = values
    return stated


def _as_stored(
    transformers: Any, tokenizer: Any, source: _Source, stated: Mapping[str, Any]
) -> Any:
    """A tokenizer that reads texts as its files say, if it is a byte-level one.

    Args:
        transformers: The module.
        tokenizer: What `AutoTokenizer` made.
        source: The tokenizer's files.
        stated: The content of tokenizer_config.json.
    """
    from tokenizers import Tokenizer

    path = source.fetch("tokenizer.json")
    if path is None:
        raise CheckpointError(f"{source.name}: tokenizer.json was deleted while it was read.")
    # Building it again from a large file takes a second.
    if b"ByteLevel" not in path.read_bytes():
        return tokenizer
    generic = transformers.PreTrainedTokenizerFast
    # The generic class reads the file as it is.
    is_generic = type(tokenizer) is generic
    file = tokenizer.backend_tokenizer if is_generic else Tokenizer.from_file(str(path))
    if "ByteLevel" not in str(file.pre_tokenizer):
        return tokenizer
    made_class = type(tokenizer).__name__.removesuffix("Fast")
    stated_class = str(stated.get("tokenizer_class") or made_class).removesuffix("Fast")
    if not is_generic and not all(_splits_alike(tokenizer, file, text) for text in _PROBES):
        logger.info(
            "%s: transformers' %s splits texts differently from tokenizer.json; texts are split "
            "as the file says.",
            source.name,
            type(tokenizer).__name__,
        )
        made = tokenizer
        tokenizer = generic.from_pretrained(source.name, revision=source.revision)
        for name in _SPECIAL_TOKENS if stated_class == made_class else ():
            # The class has it where its files name none.
            token = getattr(made, name)
            if getattr(tokenizer, name) is None and token in tokenizer.get_vocab():
                setattr(tokenizer, name, token)
    if stated_class == "LlamaTokenizer" and type(tokenizer) is generic:
        if tokenizer.bos_token is not None:
            tokenizer.add_bos_token = stated.get("add_bos_token", True)
        if tokenizer.eos_token is not None:
            tokenizer.add_eos_token = stated.get("add_eos_token", False)
    return tokenizer


def _splits_alike(tokenizer: Any, file: Any, text: str) -> bool:
    # transformers obeys these settings of the file only where a call asks for them.
    file.no_truncation()
    file.no_padding()
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return bool(ids == file.encode(text, add_special_tokens=False).ids)


def _load_internlm2(source: _Source, stated: dict[str, Any]) -> Any:
    path = source.fetch("tokenizer.model")
    if path is None:
        raise CheckpointError(f"{source.name}: tokenizer.model was deleted while it was read.")
    said = {"chat_template": _chat_template(source), **stated}
    return internlm2_tokenizer.internlm2_tokenizer(source.name, path, said)


def _load_llama(transformers: Any, source: _Source, stated: dict[str, Any]) -> Any:
    major = int(transformers.__version__.split(".")[0])
    llama = transformers.LlamaTokenizer if major >= 5 else transformers.LlamaTokenizerFast
    return llama.from_pretrained(
        source.name,
        revision=source.revision,
        # The default of transformers 4, with which UltraRM was trained.
        add_bos_token=stated.get("add_bos_token", True),
    )
