"""Tensors on disk: what was saved is loaded, others can read it, and a file is whole or not there."""

import os

import numpy as np
import pytest

import pullback as pb
from pullback import nn
from pullback.utils import safetensors

DTYPES = ["float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]


def tensors():
    rng = np.random.default_rng(0)
    made = {name: pb.tensor(rng.integers(0, 2, (2, 3))).to(getattr(pb, name)) for name in DTYPES}
    return made | {"scalar": pb.tensor(3.5), "empty": pb.zeros(0, 3), "turned": pb.arange(6.0).reshape(2, 3).t()}


def test_what_was_saved_is_loaded(tmp_path):
    saved = tensors()
    safetensors.save_file(saved, tmp_path / "t.safetensors", metadata={"made by": "a test"})
    loaded = safetensors.load_file(tmp_path / "t.safetensors")
    assert set(loaded) == set(saved)
    for name, tensor in saved.items():
        assert loaded[name].dtype is tensor.dtype and loaded[name].shape == tensor.shape, name
        assert loaded[name].tolist() == tensor.tolist(), name
    loaded["scalar"] += 1  # it can be written


def test_a_model_goes_to_disk_and_back(tmp_path):
    model, other = (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)) for _ in range(2))
    safetensors.save_file(model.state_dict(), tmp_path / "m")
    other.load_state_dict(safetensors.load_file(tmp_path / "m"))
    x = pb.randn(5, 3)
    assert model(x).tolist() == other(x).tolist()


def test_pytorch_reads_the_file(tmp_path, torch):
    theirs = pytest.importorskip("safetensors.torch")
    safetensors.save_file(tensors(), tmp_path / "t")
    for name, tensor in theirs.load_file(tmp_path / "t").items():
        assert str(tensor.dtype) == str(tensors()[name].dtype) and tensor.tolist() == tensors()[name].tolist(), name
    theirs.save_file({"x": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "u")
    assert safetensors.load_file(tmp_path / "u")["x"].dtype is pb.bfloat16


def test_an_interruption_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "t"
    safetensors.save_file({"x": pb.ones(1)}, path)
    before = path.read_bytes()

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        safetensors.save_file({"x": pb.zeros(1)}, path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["t"]


def test_others_may_read_the_file(tmp_path):
    safetensors.save_file({"x": pb.ones(1)}, tmp_path / "t")
    (tmp_path / "u").touch()
    assert (tmp_path / "t").stat().st_mode == (tmp_path / "u").stat().st_mode


def test_bad_use_says_what_is_wrong(tmp_path):
    with pytest.raises(TypeError, match="'x' is no Tensor but list"):
        safetensors.save_file({"x": [1.0]}, tmp_path / "t")
    assert os.listdir(tmp_path) == []
    (tmp_path / "text").write_text("this is no such file")
    with pytest.raises(RuntimeError, match="not a file in the safetensors format"):
        safetensors.load_file(tmp_path / "text")
    with pytest.raises(FileNotFoundError):
        safetensors.load_file(tmp_path / "nothing")
    with pytest.raises(RuntimeError, match="CPU"):
        safetensors.load(safetensors.save({}), "cuda")
