"""Tiny checkpoints of every kind of judge, with random weights that tell texts apart.

Configurations are written by hand, in words that every supported transformers reads.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VOCABULARY = 400
_CHAT = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '[' + m['role'] + '] ' + m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant] ' }}{% endif %}"
)
_DECODER = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "hidden_act": "silu",
    "max_position_embeddings": 1024,
    "rms_norm_eps": 1e-6,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
}
_ENCODER = {
    "vocab_size": 120,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "pad_token_id": 0,
    "torch_dtype": "float32",
}
_ONE_LABEL = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
_LINES = [
    "the human asked a question and the assistant wrote an answer about river and stone",
    "quiet lantern seven copper window gentle orbit paper engine garden maybe twelve salt amber",
    "Task Question Pair Message Binarized Human: Assistant: 0123456789 what is blue? The sky.",
]


def write(folder: Path) -> None:
    """Writes a folder for each checkpoint."""
    _model(folder / "ultrarm", "llama", "LlamaRewardModel", 1, head="regression_head.weight")
    _write_sentencepiece(folder / "ultrarm")
    _model(folder / "eurus", "mistral", "EurusRewardModel", 2, head="regression_head.weight")
    _model(folder / "llama-classifier", "llama", "LlamaForSequenceClassification", 3)
    _model(folder / "causal-lm", "llama", "LlamaForCausalLM", 4, head="lm_head.weight")
    _model(folder / "causal-lm-2", "llama", "LlamaForCausalLM", 5, head="lm_head.weight")
    for name in ("eurus", "llama-classifier", "causal-lm", "causal-lm-2"):
        _write_byte_tokenizer(folder / name)
    _model(folder / "encoder", "bert", "BertForSequenceClassification", 6)
    _write_pair_tokenizer(folder / "encoder")


def _model(folder: Path, family: str, architecture: str, seed: int, head: str = "") -> None:
    import torch
    import transformers
    from safetensors.torch import save_file

    config: dict[str, Any] = {
        **(_ENCODER if family == "bert" else _DECODER),
        **({} if head == "lm_head.weight" else _ONE_LABEL),
        "architectures": [architecture],
        "model_type": family,
    }
    if architecture == "LlamaForSequenceClassification":
        config["pad_token_id"] = 0
    loaded = transformers.AutoConfig.for_model(**config)
    classes = (
        transformers.AutoModelForCausalLM
        if head == "lm_head.weight"
        else transformers.AutoModelForSequenceClassification
    )
    torch.manual_seed(seed)
    model = classes.from_config(loaded)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1 and "norm" in name.lower():
                weight.uniform_(0.5, 1.5)
            else:
                weight.mul_(4)
    weights = {name: tensor.clone().contiguous() for name, tensor in model.state_dict().items()}
    weights = {name: weight for name, weight in weights.items() if "position_ids" not in name}
    if head == "regression_head.weight":
        weights[head] = weights.pop("score.weight")
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    _write(folder / "config.json", config)


def _write_sentencepiece(folder: Path) -> None:
    import sentencepiece

    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_LINES * 20),
        model_writer=buffer,
        model_type="bpe",
        vocab_size=VOCABULARY,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(buffer.getvalue())
    settings = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "legacy": True}
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    _write(folder / "tokenizer_config.json", {**settings, **special})


def _write_byte_tokenizer(folder: Path) -> None:
    """Pieces of bytes, BOS in front, and a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(_LINES * 20, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}
    _write_backend(folder, backend, {**special, "chat_template": _CHAT})


def _write_pair_tokenizer(folder: Path) -> None:
    """[CLS] prompt [SEP] completion [SEP], with token types."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    trainer = trainers.UnigramTrainer(
        vocab_size=120,
        special_tokens=special,
        unk_token=special[-1],
        show_progress=False,
    )
    backend.train_from_iterator(_LINES * 20, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    settings = {
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
    }
    _write_backend(folder, backend, settings)


def _write_backend(folder: Path, backend: Any, settings: Mapping[str, Any]) -> None:
    backend.save(str(folder / "tokenizer.json"))
    fixed = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512}
    _write(folder / "tokenizer_config.json", {**fixed, **settings})


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
