"""An interpreter that never imports the harness does not notice us."""

from __future__ import annotations

from typing import Any

ADDED = """
import json, sys
print(json.dumps([sorted(name for name in sys.modules if name.startswith("ultrarm_eval")),
                  "typing" in sys.modules or "importlib.util" in sys.modules]))
"""


def test_start_imports_nothing(environment: Any) -> None:
    # `json` imports `re`, which needs neither of the two slow modules.
    assert environment.probe(ADDED).value == [[], False]


def test_site_can_be_processed_twice(environment: Any) -> None:
    found = environment.probe(
        "import json, site, sys, sysconfig;"
        "site.addsitedir(sysconfig.get_path('purelib'));"
        "import lm_eval.models; from lm_eval.api.registry import model_registry;"
        "names = [type(finder).__name__ for finder in sys.meta_path];"
        "print(json.dumps([names.count('HarnessFinder'), 'ultrarm' in model_registry]))"
    )

    assert found.value == [1, True]
