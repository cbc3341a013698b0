"""The examples run by ``pullback run``, as a user would run them; and training goes as it goes in PyTorch."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pullback as pb
from pullback.alias import torch_is_pullback

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(script, *arguments, cwd):
    command = [sys.executable, "-m", "pullback", "run", EXAMPLES / script, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def test_the_tour_agrees_with_calculus_and_shows_both_lines(tmp_path):
    done = run("autograd_tour.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "stops agree with calculus" in done.stdout and done.stderr == ""
    assert len(re.findall(r"autograd_tour\.py:\d+ in written_in_place", done.stdout)) == 2
    assert "y = torch.exp(x)" in done.stdout and "y += 1" in done.stdout


def test_digits_are_learnt_saved_and_loaded(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    done = run("digits.py", "--quick", "--out", "here", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path / "here")) == ["loss.png", "predictions.png", "weights.safetensors"]
    assert "epoch   2/2" in done.stdout and "it predicts the same" in done.stdout and "\x1b" not in done.stdout
    assert all((tmp_path / "here" / name).read_bytes()[:4] == b"\x89PNG" for name in ("loss.png", "predictions.png"))


@pytest.mark.slow
def test_the_digits_goal_is_reached(tmp_path):
    pytest.importorskip("sklearn")
    done = run("digits.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert float(re.search(r"read ([\d.]+)%", done.stdout)[1]) >= 97


@pytest.mark.skipif(os.name != "posix", reason="sends an interrupt as POSIX systems do")
def test_an_interruption_leaves_nothing_half_written(tmp_path):
    pytest.importorskip("sklearn")
    command = [
        sys.executable,
        "-u",
        "-m",
        "pullback",
        "run",
        EXAMPLES / "digits.py",
        "--epochs",
        "1000",
        "--out",
        "here",
    ]
    heard = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs do not hear it
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "preexec_fn": heard}
    with subprocess.Popen(command, cwd=tmp_path, **pipes) as process:
        assert any("epoch" in line for line in process.stdout), process.stderr.read()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted" in errors and "Traceback" not in errors
    assert os.listdir(tmp_path / "here") == []


@pytest.mark.parametrize(
    "arguments, words", [(["--epochs", "0"], "--epochs must be at least 1"), (["--epoch", "x"], "invalid int")]
)
def test_bad_arguments_are_explained(arguments, words, tmp_path):
    done = run("digits.py", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and words in done.stderr


# -- one example a subject: each ends with an error where it does not reach its goal ------------------------------------

SUBJECTS = (
    "finetune", "char_rnn", "gpt", "gan", "vae", "reinforce", "dqn", "pinn", "neural_ode", "hyper_gradients",
    "per_sample_gradients", "laplace",
)  # fmt: skip


def reaches_its_goal(name, *arguments, cwd):
    """Run an example, and look for its progress, its picture, and what it says that it reached."""
    pytest.importorskip("sklearn")
    done = run(f"{name}.py", *arguments, "--out", "here", cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^reached .+: [-\d.e+]+ \(goal: at (least|most) ", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^ +\d+/\d+   ", done.stdout, re.MULTILINE)) >= 8 and "\x1b" not in done.stdout
    if importlib.util.find_spec("matplotlib"):
        assert (cwd / "here" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    return done.stdout


@pytest.mark.parametrize("name", SUBJECTS)
def test_an_example_reaches_its_goal_in_a_few_seconds(name, tmp_path):
    reaches_its_goal(name, "--quick", cwd=tmp_path)


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_other_cells_learn_to_write_too(cell, tmp_path):
    reaches_its_goal("char_rnn", "--quick", "--cell", cell, cwd=tmp_path)


def test_examples_are_short():
    lengths = {name: len((EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()) for name in SUBJECTS}
    assert max(lengths.values()) < 150, lengths


# -- the same training in both libraries -------------------------------------------------------------------------------


def example(library_is_ours):
    """digits.py as a module of one library or the other."""
    spec = importlib.util.spec_from_file_location("digits_example", EXAMPLES / "digits.py")
    module = importlib.util.module_from_spec(spec)
    if not library_is_ours:
        spec.loader.exec_module(module)
        return module
    real = {name: sys.modules.pop(name) for name in list(sys.modules) if name == "torch" or name.startswith("torch.")}
    try:
        with torch_is_pullback():
            spec.loader.exec_module(module)
            module.load_images()  # scikit-learn looks for torch, too
    finally:
        sys.modules.update(real)
    return module


class Silent:
    def step(self):
        pass

    def epoch(self, number, loss, correct):
        pass


def curve(digits, library, steps=30):
    library.manual_seed(0)
    images = np.random.default_rng(0).random((64 * steps, 1, 8, 8), "f4")
    labels = (images[:, 0, :, :4].sum((1, 2)) > images[:, 0, :, 4:].sum((1, 2))).astype("i8")
    dataset = digits.TensorDataset(library.tensor(images), library.tensor(labels))
    held_out, _ = digits.random_split(dataset, [10, len(dataset) - 10])
    return digits.train(digits.DigitReader(), dataset, held_out, 1, Silent())


def test_thirty_steps_of_training_are_pytorchs(torch):
    pytest.importorskip("sklearn")
    ours, theirs = curve(example(True), pb), curve(example(False), torch)
    assert len(ours) == 30
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
