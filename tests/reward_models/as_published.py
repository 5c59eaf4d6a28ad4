"""Checks that every judge of a published type of reward model has to pass.

Checkpoints and reference forward passes are in `tests.reward_models.published`, which was written
from public sources, independently of the judges.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import load_file, save_file

from ultrarm_eval import load_judge
from ultrarm_eval.checkpoints.decoder_reward_model import DECODER_FAMILIES
from ultrarm_eval.errors import UltrarmEvalError
from ultrarm_eval.judges.auto import recognise

CONVERSATION = [
    {"role": "user", "content": "Name a river."},
    {"role": "assistant", "content": "The Elbe is one."},
    {"role": "user", "content": "And where does it end?"},
]
#: Prompts and completions: two answers to one prompt, a conversation, an empty answer, a long one.
TEXTS: tuple[tuple[Any, str], ...] = (
    ("What is 7 times 8?", "It is 56."),
    ("What is 7 times 8?", "It is 54, I think."),
    (CONVERSATION, "It flows into the North Sea."),
    ("Say nothing.", ""),
    ("What is 7 times 8?", "It is 56. " * 12),
)
TOLERANCE = 5e-5


def variants(module: ModuleType) -> dict[str, dict[str, Any]]:
    """How a kind is published: arguments of `build`, by name."""
    return {"plain": {}, **getattr(module, "VARIANTS", {})}


def texts(module: ModuleType) -> tuple[list[Any], list[str]]:
    """Prompts and completions for a kind."""
    prompts, completions = zip(*getattr(module, "TEXTS", TEXTS), strict=True)
    return list(prompts), list(completions)


def references(module: ModuleType, folder: Path) -> list[Any]:
    """What the reference pass says of the texts."""
    pairs = zip(*texts(module), strict=True)
    return [module.reference(folder, module.text_ids(folder, *pair)) for pair in pairs]


def equal(value: float) -> Any:
    """What a reward has to be."""
    return pytest.approx(value, abs=TOLERANCE * max(1.0, abs(value)))


def judge_of(folder: Path, name: str = "auto", **settings: Any) -> Any:
    """A judge on the CPU."""
    return load_judge(str(folder), judge=name, device="cpu", **settings)


class AsPublished:
    """The tests; a subclass names the kind, and its module has a fixture `folder`, built.

    Attributes:
        module: The fixture's module.
        judge: The judge's name.
        head: A weight of its head, as it is stored.
    """

    module: ClassVar[ModuleType]
    judge: ClassVar[str]
    head: ClassVar[str]

    def family(self, folder: Path) -> str:
        """What transformers calls the body's family."""
        return str(json.loads((folder / "config.json").read_text())["model_type"])

    @pytest.fixture(scope="class")
    def expected(self, folder: Path) -> list[Any]:
        return references(self.module, folder)

    def test_auto_recognises_it(self, folder: Path) -> None:
        assert recognise(str(folder)) == self.judge

    @pytest.mark.few(1)
    @pytest.mark.parametrize("settings", [{}, {"batching": "packed"}, {"batching": "padded"}])
    def test_rewards_and_objectives_are_the_references(
        self, folder: Path, expected: list[Any], settings: dict[str, Any]
    ) -> None:
        if settings.get("batching") == "packed" and self.family(folder) not in DECODER_FAMILIES:
            with pytest.raises(UltrarmEvalError, match="is not exact"):
                judge_of(folder, **settings)
            return
        judge = judge_of(folder, **settings)
        found = dict(judge.judgements(*texts(self.module)))
        for number, reference in enumerate(expected):
            assert found[number].reward == equal(reference.reward)
            objectives = found[number].extra.get("objectives", {})
            assert list(objectives) == list(reference.objectives)
            largest = max(map(abs, reference.objectives.values()), default=0.0)
            # An objective may be the small difference of large numbers.
            assert objectives == pytest.approx(
                reference.objectives, abs=TOLERANCE * max(1.0, largest)
            )

    def test_a_text_is_scored_alike_alone(self, folder: Path, expected: list[Any]) -> None:
        judge, (prompts, completions) = judge_of(folder), texts(self.module)
        for number, pair in enumerate(zip(prompts, completions, strict=True)):
            (alone,) = judge.score([pair[0]], [pair[1]])
            assert alone == equal(expected[number].reward)
        one_at_a_time = judge.score_one_at_a_time(prompts, completions)
        assert one_at_a_time == [equal(reference.reward) for reference in expected]

    @pytest.mark.slow
    def test_every_wrong_reading_would_be_seen(self, folder: Path, request: Any) -> None:
        variant = request.node.callspec.params["folder"]
        without_effect = getattr(self.module, "WITHOUT_EFFECT", {}).get(variant, set())
        prompts, completions = texts(self.module)
        found = judge_of(folder).score(prompts, completions)
        # The conversation first: on most texts some wrong readings are right.
        order = sorted(range(len(found)), key=lambda number: isinstance(prompts[number], str))
        rows = [self.module.text_ids(folder, prompts[n], completions[n]) for n in order]
        for name in self.module.MUTATIONS.keys() - without_effect:
            wrong = (_value(self.module.MUTATIONS[name], folder, row) for row in rows)
            differences = (abs(found[n] - value) for n, value in zip(order, wrong, strict=True))
            assert any(by > 1e-3 for by in differences), name

    @pytest.mark.slow
    def test_a_store_gives_everything_again(self, folder: Path, tmp_path: Path) -> None:
        store, given = str(tmp_path / "store.sqlite"), texts(self.module)
        first = dict(judge_of(folder, score_store=store).judgements(*given))
        again = judge_of(folder, score_store=store)
        assert dict(again.judgements(*given)) == first
        assert again.settings()["counts"]["computed_tokens"] == 0


def _value(wrong: Any, folder: Path, row: list[int]) -> float:
    try:
        return float(wrong(folder, row))
    except (ValueError, IndexError):
        # A wrong reading that finds nothing in this text.
        return float("inf")


class HeadRefusals:
    """What is said of a head that is none, before weights are loaded; by class attributes as above.

    Attributes:
        called: The name of the folder.
        second: A weight that is a head of another kind.
    """

    module: ClassVar[ModuleType]
    judge: ClassVar[str]
    head: ClassVar[str]
    called: ClassVar[str] = "checkpoint"
    second: ClassVar[str] = "v_head.weight"

    @pytest.fixture
    def changed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Builds a checkpoint, changes its weights, and gives what the judge and auto say."""
        from ultrarm_eval.checkpoints import model_loading

        def never(*_: Any, **__: Any) -> None:
            raise AssertionError("weights were loaded")

        monkeypatch.setattr(model_loading, "_loaded", never)
        numbers = itertools.count()

        def change(alter: Any) -> Iterator[str]:
            folder = self.module.build(tmp_path / str(next(numbers)) / self.called)
            path, weights = stored(folder, self.head)
            alter(weights)
            write(path, weights)
            for judge in (self.judge, "auto"):
                with pytest.raises(UltrarmEvalError) as error:
                    judge_of(folder, judge)
                yield str(error.value)

        return change

    @property
    def _key(self) -> str:
        return self.head.rpartition(":")[2]

    def test_a_head_that_is_missing_is_named(self, changed: Any) -> None:
        for said in changed(lambda weights: weights.pop(self._key)):
            assert self._key in said

    @pytest.mark.slow
    def test_a_head_of_another_shape_is_named(self, changed: Any) -> None:
        def alter(weights: dict[str, torch.Tensor]) -> None:
            weights[self._key] = weights[self._key][..., :-1].clone()

        for said in changed(alter):
            assert self._key.split(".")[0] in said
            assert "shape" in said or "rows" in said

    @pytest.mark.few(1)
    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_a_head_that_is_not_finite_is_named(self, changed: Any, value: float) -> None:
        def alter(weights: dict[str, torch.Tensor]) -> None:
            weights[self._key].view(-1)[3] = value

        for said in changed(alter):
            assert self.head in said
            assert "not finite" in said

    @pytest.mark.slow
    def test_a_second_head_is_named(self, changed: Any) -> None:
        def alter(weights: dict[str, torch.Tensor]) -> None:
            weights[self.second] = torch.zeros(1, 16)

        if ":" in self.head:
            pytest.skip("this head has files of its own")
        for said in changed(alter):
            assert self.second in said


def stored(folder: Path, key: str) -> tuple[Path, dict[str, torch.Tensor]]:
    """The file that has a weight, and all weights of that file."""
    file, _, inner = key.rpartition(":")
    paths = [folder / file] if file else sorted(folder.glob("*.safetensors"))
    for path in paths or sorted(folder.glob("*.bin")):
        weights = load_file(path) if path.suffix == ".safetensors" else torch.load(path)
        if inner in weights:
            # Copies: the file may be written anew, and these would be what stands there then.
            return path, {name: weight.clone() for name, weight in weights.items()}
    raise KeyError(key)


def write(path: Path, weights: dict[str, torch.Tensor]) -> None:
    """Writes weights as `stored` found them."""
    if path.suffix == ".safetensors":
        save_file({k: w.contiguous() for k, w in weights.items()}, path, metadata={"format": "pt"})
    else:
        torch.save(weights, path)
    index = next(path.parent.glob("*.index.json"), None)
    if index is not None and path.name in index.read_text():
        written = json.loads(index.read_text())
        kept = {k: f for k, f in written["weight_map"].items() if f != path.name}
        written["weight_map"] = {**kept, **dict.fromkeys(weights, path.name)}
        index.write_text(json.dumps(written))
