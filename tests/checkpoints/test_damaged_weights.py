"""Weight files with flipped bits: the same rewards, or an error."""

import contextlib
import random
import shutil
import zipfile

import pytest
import torch
from safetensors.torch import load_file

from ultrarm_eval import load_judge
from ultrarm_eval.errors import CheckpointError, UltrarmEvalError

TEXTS = (["q", "the question"], ["the sky", "the answer two"])


def flip(path, position, bit):
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


@pytest.fixture
def copy(checkpoint, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(checkpoint, folder)
    return folder


def rewards_of(folder):
    return load_judge(str(folder), judge="ultrarm", device="cpu").score(*TEXTS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "number",
    [
        10,
        pytest.param(40, marks=pytest.mark.slow),
        pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.campaign]),
    ],
)
def test_a_flipped_bit_of_a_pickle_never_changes_a_reward(checkpoint, copy, number):
    expected = rewards_of(copy)
    chance = random.Random(0)
    shards = sorted(path.name for path in copy.glob("*.bin"))
    for _ in range(number):
        path = copy / chance.choice(shards)
        position, bit = chance.randrange(path.stat().st_size), chance.randrange(8)
        flip(path, position, bit)
        with contextlib.suppress(CheckpointError):
            assert rewards_of(copy) == pytest.approx(expected, abs=1e-6), (path.name, position, bit)
        path.write_bytes((checkpoint / path.name).read_bytes())


def test_a_flipped_bit_in_the_head_is_named_with_its_file(copy):
    for path in copy.glob("*.bin"):
        with zipfile.ZipFile(path) as archive:
            part = max(archive.infolist(), key=lambda info: info.file_size)
            start = part.header_offset
            content = archive.read(part)
        place = path.read_bytes().index(content, start)
        flip(path, place + len(content) // 2, 6)
        with pytest.raises(CheckpointError, match=f"because {path.name}.*CRC-32"):
            load_judge(str(copy))
        flip(path, place + len(content) // 2, 6)


def test_pickles_without_checksums_are_read(copy):
    from torch.serialization import set_crc32_options

    expected = rewards_of(copy)
    set_crc32_options(False)
    try:
        for path in copy.glob("*.bin"):
            torch.save(torch.load(path, weights_only=True), path)
    finally:
        set_crc32_options(True)
    assert rewards_of(copy) == expected
    for path in copy.glob("*.bin"):
        # As torch wrote before version 1.6.
        state = torch.load(path, weights_only=True)
        torch.save(state, path, _use_new_zipfile_serialization=False)
    assert rewards_of(copy) == expected


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", [10, pytest.param(60, marks=pytest.mark.slow)])
def test_a_damaged_header_of_safetensors_is_an_error_of_our_own(write_model, number):
    folder = write_model("AutoModelForSequenceClassification", "llama", num_labels=1)
    path = folder / "model.safetensors"
    sound = path.read_bytes()
    length = 8 + int.from_bytes(sound[:8], "little")
    names = set(load_file(path))
    chance = random.Random(0)
    for _ in range(number):
        flip(path, chance.randrange(length), chance.randrange(8))
        with contextlib.suppress(UltrarmEvalError):
            load_judge(str(folder), judge="sequence-classification", device="cpu").score(*TEXTS)
        path.write_bytes(sound)
    assert set(load_file(path)) == names


@pytest.mark.parametrize("held", [["a list"], {"a": 5}, {5: torch.ones(1)}, "text"])
def test_a_pickle_that_holds_something_else(copy, held):
    (copy / "pytorch_model.bin.index.json").unlink()
    torch.save(held, copy / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="cannot be read as plain tensors"):
        load_judge(str(copy))


def test_a_file_of_the_hubs_cache_is_compared_with_its_name(checkpoint, tmp_path):
    import hashlib

    snapshot, blobs = tmp_path / "snapshots" / "abc", tmp_path / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for file in checkpoint.iterdir():
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.copy(file, blobs / digest)
        (snapshot / file.name).symlink_to(blobs / digest)
    judge = load_judge(str(snapshot), device="cpu")
    assert len(judge.fingerprint()) == 64
    config = (snapshot / "config.json").resolve()
    config.write_text(config.read_text() + "\n")
    with pytest.raises(CheckpointError, match=r"config\.json differs from the file on the hub"):
        load_judge(str(snapshot), device="cpu").fingerprint()
