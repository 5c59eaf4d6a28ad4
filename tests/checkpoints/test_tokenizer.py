"""Tokenizers without a tokenizer.json, as transformers reads them; and a tokenizer.json itself."""

import json

import pytest
import transformers

from ultrarm_eval import load_judge
from ultrarm_eval.errors import CheckpointError

WORDS = ["the", "question", "answer", "sky", "blue", "a", "b", "##s", "is"]
SMALL = {"num_labels": 1, "pad_token_id": 0, "vocab_size": 400}


def word_pieces(folder):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")


def byte_pairs(folder):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<|endoftext|>", "<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 9, trainer)
    tokenizer.model.save(str(folder))


def sentence_pieces(name):
    def write(folder):
        import sentencepiece

        corpus = folder / "corpus.txt"
        corpus.write_text("\n".join([" ".join(WORDS)] * 200))
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus),
            model_prefix=str(folder / "pieces"),
            vocab_size=60,
            model_type="unigram",
            hard_vocab_limit=False,
            minloglevel=2,
        )
        corpus.unlink()
        (folder / "pieces.vocab").unlink()
        (folder / "pieces.model").rename(folder / name)

    return write


CASES = {
    "bert": (word_pieces, {"type_vocab_size": 2}),
    "electra": (word_pieces, {"type_vocab_size": 2, "embedding_size": 32}),
    "roberta": (byte_pairs, {"type_vocab_size": 1, "max_position_embeddings": 258}),
    "gpt2": (byte_pairs, {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}),
    "qwen2": (byte_pairs, {}),
    "deberta-v2": (sentence_pieces("spm.model"), {"type_vocab_size": 0}),
    "xlm-roberta": (
        sentence_pieces("sentencepiece.bpe.model"),
        {"type_vocab_size": 1, "max_position_embeddings": 258},
    ),
}


def make(write_model, family):
    write, values = CASES[family]
    folder = write_model("AutoModelForSequenceClassification", family, **{**SMALL, **values})
    for path in folder.iterdir():
        if path.name not in ("config.json", "model.safetensors"):
            path.unlink()
    write(folder)
    return folder


@pytest.mark.few(3)
@pytest.mark.parametrize("family", list(CASES))
def test_the_ids_and_rewards_are_those_of_transformers(write_model, family):
    import torch

    folder = make(write_model, family)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    judge = load_judge(
        str(folder), judge="sequence-classification", device="cpu", template="raw", max_length=200
    )
    texts = ["the sky is blue", "a question"]
    with torch.no_grad():
        expected = [model(**tokenizer([t], return_tensors="pt")).logits.item() for t in texts]
    assert judge.score([None] * 2, texts) == pytest.approx(expected, abs=1e-5)


def test_prompt_and_completion_are_a_pair(write_model):
    import torch

    folder = make(write_model, "bert")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        inputs = tokenizer("the question", "the sky is blue", return_tensors="pt")
        expected = model(**inputs).logits.item()
    judge = load_judge(str(folder), judge="sequence-classification", device="cpu", max_length=200)
    assert judge.score(["the question"], ["the sky is blue"]) == pytest.approx([expected], abs=1e-5)


def test_the_vocabulary_is_part_of_the_fingerprint(write_model):
    folder = make(write_model, "deberta-v2")
    judge = {
        "judge": "sequence-classification",
        "device": "cpu",
        "template": "raw",
        "max_length": 200,
    }
    first = load_judge(str(folder), **judge).fingerprint()
    (folder / "spm.model").unlink()
    sentence_pieces("spm.model")(folder)
    same = load_judge(str(folder), **judge).fingerprint()
    (folder / "added_tokens.json").write_text(json.dumps({"<new>": 399}))
    assert first == same != load_judge(str(folder), **judge).fingerprint()


def test_files_that_transformers_makes_nothing_of_are_named(write_model):
    folder = make(write_model, "qwen2")
    config = json.loads((folder / "config.json").read_text())
    (folder / "vocab.json").unlink()
    with pytest.raises(
        CheckpointError, match="there are no tokenizer files; looked for tokenizer.json"
    ):
        load_judge(str(folder), judge="sequence-classification", device="cpu")
    (folder / "vocab.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"cannot be loaded from only vocab\.json"):
        load_judge(str(folder), judge="sequence-classification", device="cpu")
    assert config["model_type"] == "qwen2"


TEXT = " In 1234 places, we don't say Caf\u00e9; cafe\u0301\n\n  and it'S 42%"


def as_deepseek_distilled(folder, tokenizer_class, **stated):
    """Replaces the tokenizer by a byte-level one that splits otherwise than Qwen2's.

    It keeps numbers of three digits and does not compose characters.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(r"\p{N}{1,3}| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+"), "isolated")
    bytes_of = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_of])
    trainer = trainers.BpeTrainer(
        vocab_size=380,
        special_tokens=["<bos>", "<eos>", "<|endoftext|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT] * 3, trainer)
    for path in folder.iterdir():
        if path.name not in ("config.json", "model.safetensors"):
            path.unlink()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": tokenizer_class, **stated}
    (folder / "tokenizer_config.json").write_text(
        json.dumps({name: value for name, value in config.items() if value is not None})
    )
    return tokenizer


@pytest.mark.parametrize(
    ("family", "tokenizer_class", "stated", "special"),
    [
        (
            "qwen2",
            "LlamaTokenizerFast",
            {"bos_token": "<bos>", "eos_token": "<eos>", "add_bos_token": True},
            ("<bos>", "<eos>", None),
        ),
        (
            "llama",
            "LlamaTokenizer",
            {"bos_token": "<bos>", "eos_token": "<eos>", "add_bos_token": False},
            ("<bos>", "<eos>", None),
        ),
        (
            "llama",
            "LlamaTokenizerFast",
            {"bos_token": "<bos>", "eos_token": "<eos>"},
            ("<bos>", "<eos>", None),
        ),
        ("qwen2", "PreTrainedTokenizerFast", {"eos_token": "<eos>"}, (None, "<eos>", None)),
        ("qwen2", "Qwen2Tokenizer", {}, (None, "<|endoftext|>", "<|endoftext|>")),
        ("qwen2", None, {"pad_token": "<eos>"}, (None, "<|endoftext|>", "<eos>")),
    ],
)
def test_a_tokenizer_json_says_how_texts_are_split(
    write_model, family, tokenizer_class, stated, special, caplog
):
    import torch

    caplog.set_level("INFO")

    folder = write_model("AutoModelForSequenceClassification", family, **SMALL)
    stored = as_deepseek_distilled(folder, tokenizer_class, **stated)
    judge = load_judge(str(folder), judge="sequence-classification", device="cpu", template="raw")
    found = judge.tokenizer
    is_told = "splits texts differently from tokenizer.json" in caplog.text
    assert is_told == (family == "qwen2" and transformers.__version__ >= "5")
    expected = stored.encode(TEXT, add_special_tokens=False).ids
    assert found(TEXT, add_special_tokens=False)["input_ids"] == expected
    assert (found.bos_token, found.eos_token, found.pad_token) == special
    # Llama's class adds BOS unless its files say otherwise.
    has_bos = (tokenizer_class or "").startswith("Llama") and stated.get("add_bos_token", True)
    bos = [found.bos_token_id] if has_bos else []
    assert found(TEXT)["input_ids"] == bos + expected
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        reward = model(input_ids=torch.tensor([bos + expected])).logits.item()
    assert judge.score([None], [TEXT]) == pytest.approx([reward], abs=1e-5)


@pytest.mark.parametrize("stores_limits", [False, True])
def test_a_tokenizer_that_splits_as_its_file_says_keeps_its_class(write_model, stores_limits):
    from tokenizers import Tokenizer

    folder = write_model("AutoModelForSequenceClassification", "qwen2", **SMALL)
    for path in folder.iterdir():
        if path.name not in ("config.json", "model.safetensors"):
            path.unlink()
    byte_pairs(folder)
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    stored = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = stored.encode(TEXT, add_special_tokens=False).ids
    if stores_limits:
        # As training leaves them in the file.
        stored.enable_truncation(3)
        stored.enable_padding(length=500)
        stored.save(str(folder / "tokenizer.json"))
    judge = load_judge(str(folder), judge="sequence-classification", device="cpu", template="raw")
    assert type(judge.tokenizer).__name__.startswith("Qwen2Tokenizer")
    assert judge.tokenizer(TEXT, add_special_tokens=False)["input_ids"] == ids
    assert list(judge.encoded(None, TEXT))[: len(ids)] == ids


@pytest.mark.parametrize("is_byte_level", [True, False])
def test_a_file_that_is_read_as_it_is_is_not_read_again(write_model, is_byte_level, monkeypatch):
    import tokenizers

    folder = write_model("AutoModelForSequenceClassification", "llama", **SMALL)
    if is_byte_level:
        as_deepseek_distilled(folder, "PreTrainedTokenizerFast", eos_token="<eos>")
    else:
        assert "ByteLevel" not in (folder / "tokenizer.json").read_text()

    class OfTexts:
        from_str = staticmethod(tokenizers.Tokenizer.from_str)

    monkeypatch.setattr(tokenizers, "Tokenizer", OfTexts)
    judge = load_judge(str(folder), judge="sequence-classification", device="cpu", template="raw")
    assert judge.tokenizer(TEXT)["input_ids"]
