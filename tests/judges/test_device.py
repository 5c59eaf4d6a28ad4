import logging

import pytest
import torch

from ultrarm_eval.errors import DeviceError
from ultrarm_eval.judges.device import check_memory, resolve_device

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@no_gpu
def test_the_harness_default_falls_back_to_the_cpu_and_says_so(caplog):
    with caplog.at_level(logging.WARNING):
        assert resolve_device("cuda:0") == torch.device("cpu")
    assert "No CUDA device here" in caplog.text


@no_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:1", "cuda:7"])
def test_any_other_cuda_device_that_does_not_exist_is_an_error(device):
    with pytest.raises(DeviceError, match=f"'{device}' does not exist; CUDA devices here: none"):
        resolve_device(device)


@pytest.mark.parametrize("device", ["gpu", "cpu:", "xpu:0", "meta"])
def test_what_is_no_supported_device_is_an_error(device):
    with pytest.raises(DeviceError, match="Allowed are cpu, mps, cuda and cuda:N"):
        resolve_device(device)


def test_memory_that_suffices_is_no_error():
    check_memory(1, torch.device("cpu"), parallelize=False)


def test_too_little_memory_names_need_and_supply():
    with pytest.raises(DeviceError, match=r"need 1024\.0 GiB and cpu has \d+\.\d GiB free"):
        check_memory(2**40, torch.device("cpu"), parallelize=False)
