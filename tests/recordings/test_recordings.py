"""Commands on the demo's and on made-up data give what they gave when they were recorded.

The recordings are made anew by

    python scripts/recordings.py record --venv .venv --inputs tests/recordings/inputs \\
        --only KEPT -o RECORDING
    python scripts/recordings.py keep RECORDING --only KEPT -o tests/recordings/kept

with the names of the folders of `kept` for KEPT, separated by commas.
"""

import importlib
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[1] / "scripts"
KEPT = sorted(path.parent.name for path in HERE.glob("kept/*/command.json"))
# Other versions of libraries round a reward otherwise in its last bits.
TOLERANCE = 1e-5
# What the harness and the libraries say themselves, which is another thing in each version.
OF_VERSIONS = [
    ("run-*", "stderr:*"),
    ("run-*", "stdout:line 1"),
    ("run-*", "out/*/results_*:$.*_version"),
    ("run-*", "out/*/results_*:$.results.*.name"),
    ("run-*", "out/*/results_*:$.results.*.sample_len"),
    ("run-*", "out/*/results_*:$.group_subtasks*"),
    ("run-*", "out/*/results_*:$.configs.*.metadata.config_source"),
    ("run-*", "out/*/results_*:$* (order of fields)"),
]


@pytest.mark.slow
def test_commands_give_what_was_recorded(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    commands, comparison, recording = (
        importlib.import_module(f"recorded.{name}")
        for name in ("commands", "comparison", "recording")
    )
    recording.record(
        commands.chosen(commands.ALL, ",".join(KEPT)),
        Path(sys.prefix),
        HERE / "inputs",
        tmp_path / "now",
        jobs=2,
        timeout=1200,
    )
    found = comparison.compare(HERE / "kept", tmp_path / "now", tolerance=TOLERANCE)
    expected = [comparison.Expected(*places, "version") for places in OF_VERSIONS]
    unexpected, _ = comparison.sorted_out(found, expected)
    # An export holds it too, in lines of YAML.
    assert [str(d) for d in unexpected if "lm_eval_version: " not in d.before] == []
