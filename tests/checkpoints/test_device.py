import pytest
import torch

from ultrarm_eval.checkpoints.device import check_memory, resolve_device
from ultrarm_eval.errors import DeviceError

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@no_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7"])
def test_a_cuda_device_that_does_not_exist_is_an_error(device):
    with pytest.raises(DeviceError, match=f"'{device}' does not exist. CUDA devices here: none"):
        resolve_device(device)


@pytest.mark.parametrize("device", ["gpu", "cpu:", "xpu:0", "meta"])
def test_what_is_no_supported_device_is_an_error(device):
    with pytest.raises(DeviceError, match="Use cpu, mps, cuda or cuda:N"):
        resolve_device(device)


def test_memory_that_suffices_is_no_error():
    check_memory(1, torch.device("cpu"), parallelize=False, dtype=torch.float32)


@pytest.fixture
def ten_gib(monkeypatch):
    from ultrarm_eval.checkpoints import device

    monkeypatch.setattr(device, "_free_everywhere", lambda *_, parallelize: 10 * 2**30)


@pytest.mark.parametrize(
    ("needed", "dtype", "advice"),
    [
        (16, torch.float32, r"Use dtype=bfloat16 \(8\.0 GiB\) or a device with more memory"),
        (16, torch.bfloat16, "Use a device with more memory"),
        (64, torch.float32, "Use a device with more memory"),
    ],
)
def test_too_little_memory_names_need_supply_and_only_what_helps(ten_gib, needed, dtype, advice):
    message = rf"need {needed}\.0 GiB, but cpu has only 10\.0 GiB free\. {advice}\."
    with pytest.raises(DeviceError, match=message):
        check_memory(needed * 2**30, torch.device("cpu"), parallelize=False, dtype=dtype)


def test_spreading_is_advised_where_all_devices_together_suffice(monkeypatch):
    from ultrarm_eval.checkpoints import device

    monkeypatch.setattr(
        device, "_free_everywhere", lambda *_, parallelize: (99 if parallelize else 10) * 2**30
    )
    with pytest.raises(DeviceError, match="Use parallelize=True"):
        check_memory(20 * 2**30, torch.device("cpu"), parallelize=False, dtype=torch.bfloat16)
