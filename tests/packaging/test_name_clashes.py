"""Built-in models win, and a class that registers itself does not clash with its own name."""

from __future__ import annotations

from typing import Any

import pytest


def test_built_in_model_wins(environment: Any) -> None:
    found = environment.probe(
        "import json; from lm_eval.api.registry import get_model;"
        "print(json.dumps(get_model('hf').__module__))"
    )

    assert found.value == "lm_eval.models.huggingface"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("third-party", "ThirdPartyLM"),
        ("third-party-elsewhere", "ReexportedLM"),
        ("third-party-nested", "Shelf.NestedLM"),
    ],
)
@pytest.mark.parametrize("imported", ["", "import lm_eval.models, tests_third_party.models;"])
def test_class_that_registers_itself_takes_its_placeholders_place(
    environment: Any, name: str, expected: str, imported: str
) -> None:
    found = environment.probe(
        f"import json; {imported} from lm_eval.api.registry import get_model;"
        f"print(json.dumps([get_model({name!r}).__qualname__, get_model({name!r}).__qualname__]))"
    )

    assert found.value == [expected, expected]


def test_another_class_of_that_name_still_clashes(environment: Any) -> None:
    found = environment.probe(
        """
import json
import lm_eval.models
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
class Other(LM):
    loglikelihood = loglikelihood_rolling = generate_until = None
try:
    register_model("third-party")(Other)
except ValueError as error:
    print(json.dumps(str(error)))
"""
    )

    assert "already registered" in found.value
