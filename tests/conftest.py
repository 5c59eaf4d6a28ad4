"""Small real artefacts that the tests share: a tokenizer, checkpoints, and where real data lies."""

from __future__ import annotations

import gc
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import hypothesis
import pytest

#: Set by `make campaign`, which tries drawn examples in their full number.
FULL_EXAMPLES = bool(os.environ.get("ULTRARM_EVAL_FULL_EXAMPLES"))


def examples(number: int) -> int:
    """How many examples Hypothesis draws: a third of them but at least 15, and all in a campaign."""
    return number if FULL_EXAMPLES else max(number // 3, min(number, 15))


# No test is timed: a busy machine takes longer.
hypothesis.settings.register_profile("untimed", deadline=None, max_examples=examples(100))
hypothesis.settings.load_profile("untimed")

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
TINY_LLAMA = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_WORDS = [
    "the",
    "a",
    "human",
    "assistant",
    "answer",
    "question",
    "word",
    "list",
    "number",
    "one",
    "two",
    "sky",
    "blue",
    "green",
]


_BROWSER_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
#: Files whose tests take minutes. Begun last, one of them keeps one worker busy when the other has
#: nothing left.
_TAKE_MINUTES = (
    "tests/docs/test_pages_run.py",
    "tests/lm_eval_plugin/test_processes.py",
    "tests/examples/test_example_scripts.py",
    "tests/packaging/",
)


def once_each(cases: list[Any]) -> list[Any]:
    """Cases of a test in which every value of every parameter stands, as few as that takes."""
    # Their numbers in `indices` are those of the cases.
    values = {
        case: {(name, id(value)) for name, value in case.callspec.params.items()} for case in cases
    }
    missing: set[Any] = set().union(*values.values())
    chosen: list[Any] = []
    while missing:
        chosen.append(max(cases, key=lambda case: len(values[case] & missing)))
        missing -= values[chosen[-1]]
    return chosen


def _quick_cases(cases: list[Any]) -> list[Any]:
    """The cases that stay quick of a test that is marked `product` or `few`."""
    few = cases[0].get_closest_marker("few")
    return cases[: few.args[0]] if few is not None else once_each(cases)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of many cases of a test most are slow, and files that take minutes are first."""
    tests: dict[str, list[Any]] = {}
    for item in items:
        is_slow = item.get_closest_marker("slow") is not None
        if not is_slow and any(item.get_closest_marker(name) for name in ("product", "few")):
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in tests.values():
        for case in set(cases) - set(_quick_cases(cases)):
            case.add_marker(pytest.mark.slow)

    def place(item: pytest.Item) -> int:
        found = (i for i, name in enumerate(_TAKE_MINUTES) if item.nodeid.startswith(name))
        return next(found, len(_TAKE_MINUTES))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Keeps what is loaded for the whole run out of Python's searches for garbage.

    Half a million objects of libraries and tests are searched again and again otherwise.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright, of which a process can have only one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed (Debian's package of that name)")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=executable, args=list(_BROWSER_ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def sentencepiece_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sentencepiece model in Llama's layout."""
    import sentencepiece

    folder = tmp_path_factory.mktemp("sentencepiece")
    corpus = folder / "corpus.txt"
    lines = [" ".join(_WORDS[i % len(_WORDS) :] + _WORDS[: i % 5]) for i in range(200)]
    corpus.write_text("\n".join([*lines, "Human: x </ s> <s <unk", "Assistant: 0123456789"] * 3))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=400,
        model_type="bpe",
        byte_fallback=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        minloglevel=2,
    )
    return folder / "tokenizer.model"


@pytest.fixture(scope="session")
def reward_model() -> Any:
    """A randomly initialised reward model whose rewards differ clearly between texts."""
    import torch
    from transformers import LlamaConfig

    from ultrarm_eval import LlamaRewardModel

    torch.manual_seed(0)
    model = LlamaRewardModel(LlamaConfig(**TINY_LLAMA, num_key_value_heads=2)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
        model.regression_head.weight.normal_()
        model.model.norm.weight.uniform_(0.5, 1.5)
    return model


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, sentencepiece_model: Path) -> Path:
    """UltraRM's layout on the hub: pickled shards with an index, and a tokenizer.model alone."""
    return tmp_path_factory.mktemp("checkpoint")


@pytest.fixture(scope="session", autouse=True)
def _write_checkpoint(checkpoint: Path, reward_model: Any, sentencepiece_model: Path) -> None:
    write_sharded_pickles(checkpoint, reward_model)
    (checkpoint / "tokenizer.model").write_bytes(sentencepiece_model.read_bytes())


def write_sharded_pickles(folder: Path, model: Any, *, shards: int = 3) -> None:
    """Writes a model as `pytorch_model-0000i-of-0000n.bin` with an index and a config of 2023."""
    import torch

    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    names = sorted(state)
    weight_map = {}
    for shard in range(shards):
        file = f"pytorch_model-{shard + 1:05d}-of-{shards:05d}.bin"
        part = {name: state[name] for name in names[shard::shards]}
        torch.save(part, folder / file)
        weight_map.update(dict.fromkeys(part, file))
    index = {
        "metadata": {"total_size": sum(t.numel() * t.element_size() for t in state.values())},
        "weight_map": weight_map,
    }
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps(config_of_2023(model)))


def config_of_2023(model: Any) -> dict[str, Any]:
    """A config.json as transformers 4.31 wrote it (`torch_dtype`, no `rope_parameters`)."""
    config = model.config
    return {
        "architectures": ["LlamaRewardModel"],
        "model_type": "llama",
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.max_position_embeddings,
        "num_attention_heads": config.num_attention_heads,
        "num_hidden_layers": config.num_hidden_layers,
        "num_key_value_heads": config.num_key_value_heads,
        "rms_norm_eps": config.rms_norm_eps,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "transformers_version": "4.31.0",
        "vocab_size": config.vocab_size,
    }


@pytest.fixture
def real_pairs() -> Path:
    """1,000 real UltraFeedback pairs, where they lie beside the project."""
    path = SHARED_DATA / "ultrafeedback_binarized" / "test_prefs.jsonl"
    if not path.is_file():
        pytest.skip("the real pairs are not beside the project (../shared/data)")
    return path


def opened(data: Path | str, split: str = "test") -> Any:
    """Preference data, read by our own sources."""
    from ultrarm_eval.plugins import PluginRegistry, make_plugin_manager
    from ultrarm_eval.sources.preference_data import open_named_or_local

    sources = PluginRegistry(make_plugin_manager(load_entry_points=False)).sources()
    return open_named_or_local(str(data), split, sources)


def raw_row(
    instruction: Any = "What is blue?",
    answers: tuple[tuple[Any, Any], ...] = (("the sky", 5), ("grass", 1)),
    **fields: Any,
) -> dict[str, Any]:
    """A row in UltraFeedback's raw schema; each answer with one rating for all four aspects."""
    aspects = ("instruction_following", "honesty", "truthfulness", "helpfulness")
    return {
        "source": "sharegpt",
        "instruction": instruction,
        "models": [f"model-{i}" for i in range(len(answers))],
        "completions": [
            {
                "model": f"model-{i}",
                "response": text,
                "annotations": {aspect: {"Rating": str(rating)} for aspect in aspects},
                "overall_score": 5,
                "fine-grained_score": rating,
            }
            for i, (text, rating) in enumerate(answers)
        ],
        **fields,
    }


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Writes rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


class LengthJudge:
    """A judge without weights: the reward of a text is its length times a factor."""

    asked: ClassVar[list[str]] = []

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def score(self, prompts: Any, completions: list[str]) -> list[float]:
        type(self).asked += completions
        return [self.factor * len(text) for text in completions]

    def settings(self) -> dict[str, Any]:
        return {"factor": self.factor}

    def fingerprint(self) -> str:
        return f"length {self.factor}"


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """Registers a factory as the judge `length` of another package, and returns it."""
    from ultrarm_eval import plugins
    from ultrarm_eval.hookspecs import hookimpl

    def register_as_length(factory: Any) -> Any:
        class Plugin:
            @hookimpl
            def register_judges(self, register: Any) -> None:
                register("length", factory)

        manager = plugins.make_plugin_manager(load_entry_points=False)
        manager.register(Plugin(), name="third-party")
        found = plugins.PluginRegistry(manager)
        monkeypatch.setattr("ultrarm_eval.judges.loading.registry", lambda: found)
        factory.asked = []
        return factory

    return register_as_length
