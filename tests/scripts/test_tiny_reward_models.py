"""The command that writes tiny published checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.tiny_reward_models import main, published_kinds


def test_every_kind_and_variant_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out.split("\n")
    for kind, module in published_kinds().items():
        assert any(line.startswith(kind) for line in listed)
        for variant in getattr(module, "VARIANTS", {}):
            assert f"  {kind}:{variant}" in listed


def test_a_variant_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grm:linear", "-o", str(tmp_path / "grm")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "grm")
    config = json.loads((tmp_path / "grm/config.json").read_text(encoding="utf-8"))
    assert config["vhead_layer_type"] == "linear"
    assert (tmp_path / "grm/model.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["grm"], "give a KIND and -o FOLDER"),
        (["nobody", "-o", "x"], "unknown kind 'nobody'; allowed: .*armorm"),
        (["grm:cubic", "-o", "x"], "grm has no variant 'cubic'; allowed: grm:linear"),
        (["urm:cubic", "-o", "x"], "urm has no variant 'cubic'; allowed: none"),
        (["grm", "-o", "."], "is not empty; give a new folder"),
    ],
)
def test_what_it_cannot_write_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    import re

    assert re.search(message, capsys.readouterr().err)
