"""Readings of memory: right where there is a device, silent where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import psutil
import pytest

from nbasr import memory
from nbasr.memory import _host, _nvidia, readings

LINUX = sys.platform.startswith("linux")
MB = 1_000_000


def test_the_cpu_is_read_as_psutil_reads_it():
    reading = memory.read("cpu")
    assert reading.total_bytes == psutil.virtual_memory().total or _host.limits()
    assert 0 < reading.free_bytes < reading.total_bytes
    assert reading.allocated_bytes == pytest.approx(psutil.Process().memory_info().rss, rel=0.05)
    assert (reading.device, reading.source, reading.reserved_bytes) == ("cpu", "psutil", None)
    assert reading.name
    assert reading.load is None or 0 <= reading.load <= 1
    assert memory.devices()[-1].device == "cpu"


def test_what_the_process_holds_grows_with_what_it_holds():
    before = memory.used_bytes("cpu")
    block = np.ones(100 * MB, np.uint8)
    assert memory.used_bytes("cpu") - before == pytest.approx(block.nbytes, abs=20 * MB)
    assert memory.process_bytes() == pytest.approx(memory.used_bytes("cpu"), abs=20 * MB)


@pytest.mark.skipif(not LINUX, reason="only Linux counts a peak that can be set back")
def test_a_peak_is_remembered_until_it_is_reset():
    memory.reset_peak("cpu")
    before = memory.used_bytes("cpu")
    block = np.ones(100 * MB, np.uint8)
    del block
    peak = memory.peak_bytes("cpu")
    assert peak is not None
    assert peak - before == pytest.approx(100 * MB, abs=20 * MB)
    memory.reset_peak("cpu")
    peak = memory.peak_bytes("cpu")
    assert peak is not None
    assert peak - before < 50 * MB


def test_where_the_peak_cannot_be_reset_none_is_told(monkeypatch, tmp_path):
    memory.reset_peak("cpu")
    monkeypatch.setattr(readings, "_PROC", tmp_path / "not mounted")
    memory.reset_peak("cpu")
    assert memory.peak_bytes("cpu") is None
    monkeypatch.undo()
    assert memory.peak_bytes("cpu") is None  # the mark there is that of the whole life


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "mps", "nonsense"])
def test_a_device_that_is_not_there_has_nothing(device):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        device = "cuda:77"
    reading = memory.read(device)
    assert (reading.total_bytes, reading.free_bytes, reading.source) == (0, 0, "")
    assert "no such device" in repr(reading)
    assert memory.free_bytes(device) == 0
    assert memory.used_bytes(device) == 0
    memory.reset_peak(device)
    assert memory.peak_bytes(device) is None


def test_a_kernel_without_torch_need_not_import_it():
    code = (
        "import sys; from nbasr import memory;"
        "light = not {'psutil', 'numpy', 'torch'} & set(sys.modules);"
        "memory.devices(); memory.read(); memory.room_bytes('cpu'); memory.memory();"
        "memory.reset_peak(); memory.peak_bytes(); memory.used_bytes(); memory.clean();"
        "print(light, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("device", "place"),
    [("cpu", ("cpu", 0)), ("cuda", ("cuda", 0)), ("CUDA:1", ("cuda", 1)), ("mps", ("mps", 0))],
)
def test_a_device_name_has_a_kind_and_a_number(device, place):
    assert readings.place(device) == place


# Control groups ---------------------------------------------------------------------------------


def group(folder: Path, files: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name).write_text(f"{value}\n")


def v2(limit: object, used: int, files: int) -> dict[str, object]:
    stat = f"anon 1\ninactive_file {files}\nactive_file 3"
    return {"memory.max": limit, "memory.current": used, "memory.stat": stat}


@pytest.mark.skipif(not LINUX, reason="control groups are Linux's")
def test_a_containers_limit_counts_and_the_files_it_can_drop_do_not(tmp_path):
    (tmp_path / "own").write_text("0::/kubepods/pod1\n")
    group(tmp_path / "kubepods" / "pod1", v2("max", 900, 0))
    group(tmp_path / "kubepods", v2(2000, 900, 400))
    assert _host.limits(tmp_path, tmp_path / "own") == [(2000, 500)]


@pytest.mark.skipif(not LINUX, reason="control groups are Linux's")
def test_inside_a_container_the_limit_is_at_the_root(tmp_path):
    (tmp_path / "own").write_text("5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n")
    stat = "total_inactive_file 100"
    files = {"memory.limit_in_bytes": 3000, "memory.usage_in_bytes": 700, "memory.stat": stat}
    group(tmp_path / "memory", files)
    assert _host.limits(tmp_path, tmp_path / "own") == [(3000, 600)]
    group(tmp_path / "memory", files | {"memory.limit_in_bytes": 9223372036854771712})
    assert _host.limits(tmp_path, tmp_path / "own") == []


def test_a_container_has_no_more_than_its_limit(monkeypatch):
    monkeypatch.setattr(_host, "limits", lambda: [(5000, 1200), (4000, 1200)])
    assert memory.free_bytes("cpu") == 2800
    assert memory.read("cpu").total_bytes == 4000
    monkeypatch.setattr(_host, "limits", lambda: [(5000, 6000)])
    assert memory.free_bytes("cpu") == 0


@pytest.mark.skipif(not LINUX, reason="control groups are Linux's")
@hypothesis.given(text=st.text(max_size=40), limit=st.text(max_size=20))
def test_strange_control_groups_are_no_mistake(text, limit, tmp_path_factory):
    root = tmp_path_factory.mktemp("groups")
    (root / "own").write_text("0::/a\n" + text, encoding="utf-8")
    (root / "a").mkdir()
    (root / "a" / "memory.max").write_text(limit, encoding="utf-8")
    assert _host.limits(root, root / "own") == []  # one file of three is there


# NVIDIA -----------------------------------------------------------------------------------------


@pytest.fixture
def two_gpus(monkeypatch):
    """Stand in for the driver of a machine with two GPUs, by NVML's own names."""
    gpus = {
        n: types.SimpleNamespace(uuid=f"GPU-{n}{n}{n}-x", total=(n + 1) * 8000 * MB) for n in (0, 1)
    }
    mine, other = os.getpid(), 2**22 + 5

    def process(pid: int, size: int | None) -> types.SimpleNamespace:
        return types.SimpleNamespace(pid=pid, usedGpuMemory=size)

    def fail(*_: object) -> None:
        raise RuntimeError("Not Supported")

    nvml = types.ModuleType("pynvml")
    nvml.__dict__.update(
        NVML_TEMPERATURE_GPU=0,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda n: gpus[n],
        nvmlDeviceGetHandleByUUID=fail,
        nvmlDeviceGetUUID=lambda gpu: gpu.uuid,
        nvmlDeviceGetName=lambda gpu: b"Tesla T4",  # older NVML gives bytes
        nvmlDeviceGetMemoryInfo=lambda gpu: types.SimpleNamespace(
            total=gpu.total, free=gpu.total - 3000 * MB
        ),
        nvmlDeviceGetTemperature=lambda gpu, kind: 61,
        nvmlDeviceGetUtilizationRates=fail,
        nvmlDeviceGetComputeRunningProcesses=lambda gpu: [
            process(mine, 2000 * MB),
            process(other, 900 * MB),
        ],
        nvmlDeviceGetGraphicsRunningProcesses=lambda gpu: [process(other, None)],
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    _nvidia._nvml.cache_clear()
    yield nvml
    _nvidia._nvml.cache_clear()


def test_nvml_tells_of_each_gpu_and_of_other_processes(two_gpus):
    first, second, cpu = memory.devices()
    assert (first.device, second.device, cpu.device) == ("cuda:0", "cuda:1", "cpu")
    assert (first.name, first.source, first.temperature_c) == ("Tesla T4", "NVML", 61.0)
    assert (first.total_bytes, first.free_bytes) == (8000 * MB, 5000 * MB)
    assert second.total_bytes == 16000 * MB
    assert first.load is None  # this GPU does not tell
    assert [(one.name, one.bytes) for one in first.others] == [("another process", 900 * MB)]
    assert "900 MB by others, 61 °C" in repr(first)


@pytest.mark.parametrize(
    ("listed", "totals"),
    [("1,0", [16000, 8000]), ("GPU-111", [16000]), ("", []), ("0,9,1", [8000]), ("-1", [])],
)
def test_gpus_are_those_that_cuda_shows_in_its_order(two_gpus, monkeypatch, listed, totals):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    assert [gpu.total_bytes // MB for gpu in _nvidia.gpus()] == totals
    for n, total in enumerate(totals):
        found = _nvidia.gpu(n)
        assert found is not None
        assert found.total_bytes == total * MB
    assert _nvidia.gpu(len(totals)) is None


def test_of_a_gpu_that_is_shared_out_the_slices_are_shown(two_gpus):
    small = types.SimpleNamespace(total=4000 * MB, uuid="MIG-1")

    def slice_of(gpu: types.SimpleNamespace, n: int) -> types.SimpleNamespace:
        if n != 1:
            raise RuntimeError("Not Found")
        return small

    two_gpus.nvmlDeviceGetMigMode = lambda gpu: (int(gpu.uuid.startswith("GPU-0")), 0)
    two_gpus.nvmlDeviceGetMaxMigDeviceCount = lambda gpu: 3
    two_gpus.nvmlDeviceGetMigDeviceHandleByIndex = slice_of
    assert [gpu.total_bytes // MB for gpu in _nvidia.gpus()] == [4000, 16000]


def test_a_lost_gpu_is_not_shown(two_gpus):
    two_gpus.nvmlDeviceGetMemoryInfo = two_gpus.nvmlDeviceGetUtilizationRates
    assert [reading.device for reading in memory.devices()] == ["cpu"]


@pytest.fixture
def first_of_two(two_gpus, monkeypatch):
    """Stand in for a torch that works on the first of two GPUs, by torch's own names."""
    torch = pytest.importorskip("torch")
    asked = []

    def free_and_total(index: int) -> tuple[int, int]:
        asked.append(index)  # and CUDA now holds some 400 MB of that GPU
        return 7000 * MB, 8000 * MB

    stand_in = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 2,
        "current_device": lambda: 0,
        "get_device_properties": lambda n: types.SimpleNamespace(uuid=f"{n}", name="T4"),
        "memory_allocated": lambda n: 100 * MB * (n == 0),
        "memory_reserved": lambda n: 150 * MB * (n == 0),
        "max_memory_allocated": lambda n: 120 * MB * (n == 0),
        "mem_get_info": free_and_total,
    }
    for name, function in stand_in.items():
        monkeypatch.setattr(torch.cuda, name, function)
    return asked


def test_to_look_at_a_gpu_that_is_not_used_takes_nothing_of_it(first_of_two):
    first, second, _ = memory.devices()
    assert (first.free_bytes, second.free_bytes) == (7000 * MB, 13000 * MB)
    assert memory.free_bytes("cuda:1") == 13000 * MB
    assert memory.room_bytes("cuda:1") == 13000 * MB - memory.CONTEXT_BYTES
    assert memory.room_bytes("cuda:0") == 7050 * MB
    assert set(first_of_two) == {0}


def test_a_number_that_no_gpu_has_is_no_mistake(first_of_two):
    assert memory.free_bytes("cuda:7") == memory.used_bytes("cuda:7") == 0
    assert memory.peak_bytes("cuda:7") is None
    memory.reset_peak("cuda:7")
    assert memory.read("cuda:7").source == ""


def test_after_an_error_of_cuda_the_driver_is_still_read(first_of_two, monkeypatch):
    import torch

    def fail(_: int) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "mem_get_info", fail)
    reading = memory.read("cuda:0")
    assert (reading.free_bytes, reading.allocated_bytes) == (5000 * MB, 100 * MB)


def test_in_a_container_this_process_is_told_by_what_it_holds():
    def process(pid: int, size: int | None) -> memory.ProcessReading:
        return memory.ProcessReading(pid, "", size)

    mine = process(os.getpid(), 5)
    low, high, higher = process(-1, 700), process(-2, 1500), process(-3, 9000)
    assert readings.mine((low, mine), 600) is mine
    assert readings.mine((higher, low, high), 1000) is high
    assert readings.mine((higher, low, high), 0) is None  # it holds nothing of this GPU
    assert readings.mine((process(-4, None),), 1000) is None


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for nvidia-smi is a shell script")
def test_gputil_is_read_where_nvml_is_not_there(monkeypatch, tmp_path):
    pytest.importorskip("setuptools")  # brings distutils, which GPUtil imports, since Python 3.12
    gputil = pytest.importorskip("GPUtil", exc_type=ImportError)
    line = "0, GPU-1, 37, 8192, 2048, 6144, 550.1, NVIDIA A10, [N/A], Disabled, Disabled, [N/A]"
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho '{line}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    _nvidia._nvml.cache_clear()
    try:
        assert gputil.getGPUs()
        gpu, _ = memory.devices()
    finally:
        _nvidia._nvml.cache_clear()
    assert (gpu.device, gpu.name, gpu.source) == ("cuda:0", "NVIDIA A10", "GPUtil")
    assert (gpu.total_bytes, gpu.free_bytes) == (8192 << 20, 6144 << 20)
    assert (gpu.load, gpu.temperature_c, gpu.others) == (0.37, None, ())


@pytest.mark.parametrize("broken", [None, types.ModuleType("GPUtil")])
def test_a_gputil_that_cannot_be_imported_or_used_is_no_mistake(monkeypatch, broken):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setitem(sys.modules, "GPUtil", broken)
    _nvidia._nvml.cache_clear()
    try:
        assert _nvidia.gpus() == ()
    finally:
        _nvidia._nvml.cache_clear()


@pytest.mark.gpu
def test_torch_and_the_driver_agree_on_a_gpu():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    free = memory.free_bytes("cuda")
    memory.reset_peak("cuda")
    before = memory.used_bytes("cuda")
    block = torch.zeros(256 << 20, dtype=torch.uint8, device="cuda")
    assert memory.used_bytes("cuda") - before == block.nbytes
    assert memory.peak_bytes("cuda") == before + block.nbytes
    del block
    torch.cuda.synchronize()
    # Reserved and not given out counts as free; the context is taken between the two readings.
    assert abs(memory.free_bytes("cuda") - free) < 2 * memory.CONTEXT_BYTES
    reading = memory.read("cuda")
    assert reading.total_bytes >= torch.cuda.mem_get_info()[1] * 0.95
    assert reading.peak_bytes == before + (256 << 20)
