"""mypy refuses the built-in `sum` where it may add floats, and nowhere else."""

from pathlib import Path

import pytest

CHECKER = Path(__file__).parents[2] / "scripts" / "exact_sums.py"
REFUSED = "sum() of floats has another last digit from Python 3.12 on"
CODE = """
from collections import Counter
from fractions import Fraction
from typing import Any

def sums(unknown: Any, floats: list[float], named: dict[str, Any]) -> None:
    sum([1, 2])
    sum(one == 1 for one in [1, 2])
    sum(map(len, [[1]]))
    sum([Fraction(1, 2)], Fraction(0))
    sum((Counter[str](),), Counter[str]())
    named["whole"] = sum(int(one) for one in floats)
    0.5 / sum(int(one) for one in floats)
    sum(floats)  # refused
    sum(floats, 0.0)  # refused
    sum([1, 2.0])  # refused
    sum(one * 2 for one in floats)  # refused
    sum(map(float, [1, 2]))  # refused
    sum({"a": 0.5}.values())  # refused
    sum(unknown)  # refused
    sum(one for one in unknown)  # refused
    named["rounded"] = sum(float(one) for one in [1, 2])  # refused
"""


@pytest.mark.slow
def test_sums_that_may_be_of_floats_are_refused(tmp_path):
    api = pytest.importorskip("mypy.api")
    (tmp_path / "code.py").write_text(CODE, encoding="utf-8")
    config = tmp_path / "mypy.ini"
    config.write_text(
        f"[mypy]\nplugins = {CHECKER}\nenable_error_code = deprecated\n", encoding="utf-8"
    )
    said, trouble, _ = api.run(
        [
            "--config-file",
            str(config),
            "--cache-dir",
            str(tmp_path / "c"),
            str(tmp_path / "code.py"),
        ]
    )
    assert trouble == ""
    refused = [int(line.split(":")[1]) for line in said.splitlines() if REFUSED in line]
    lines = CODE.splitlines()
    assert refused == [n for n, line in enumerate(lines, 1) if line.endswith("# refused")]
    assert f"Found {len(refused)} errors" in said
