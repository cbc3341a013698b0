"""The cost of anomaly mode: the time of a piece of work with it, as a multiple of the time without it.

    python benchmarks/anomaly.py [--rounds N] [--check]

Runs with and without alternate, and the ratio of their medians is printed, beside torch's own ratio for the same work in
the same process. ``--check`` exits with 1 where ours is above 1.3.
"""

import argparse
import gc
import statistics
import sys
import warnings
from collections.abc import Callable
from typing import Any

from eager import seconds

import pullback

LIMIT = 1.3


def work(torch: Any) -> dict[str, Callable]:
    """The pieces of work, for one of the two libraries."""
    x, y = (torch.tensor([1.0, 1.0, 1.0], requires_grad=True) for _ in range(2))
    ones = torch.ones(3)

    def chain() -> None:
        z = x
        for _ in range(100):
            z = z * y
        z.backward(ones)

    model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    data, target = torch.ones(64, 16), torch.ones(64, 1)

    def training_step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(data), target).backward()
        optimizer.step()

    a, b = (torch.ones(1000, 1000, requires_grad=True) for _ in range(2))

    def large() -> None:
        (torch.exp(a * b) * a + b).sum().backward()

    return {
        "chain of 100 small multiplications": chain,
        "training step of a small network": training_step,
        "elementwise on a million elements": large,
    }


def ratio(torch: Any, function: Callable, rounds: int) -> float:
    on, off = [], []
    for _ in range(rounds):
        off.append(seconds(function, 1))
        with torch.autograd.detect_anomaly():
            on.append(seconds(function, 1))
    return statistics.median(on) / statistics.median(off)


def main() -> int:
    parser = argparse.ArgumentParser(description="What anomaly mode costs, here and in torch.")
    parser.add_argument("--rounds", type=int, default=201)
    parser.add_argument("--check", action="store_true", help=f"exit with 1 where a ratio is above {LIMIT}")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    try:
        import torch

        torch.set_num_threads(1)
        theirs = work(torch)
    except ImportError:
        theirs = {}
    gc.collect()
    gc.freeze()
    worst = 0.0
    print(f"{'with anomaly mode / without':45} {'pullback':>9} {'torch':>7}")
    for name, function in work(pullback).items():
        rounds = max(options.rounds // 10, 1) if name.endswith("elements") else options.rounds
        ours = ratio(pullback, function, rounds)
        other = f"{ratio(torch, theirs[name], rounds):7.2f}" if theirs else "      -"
        worst = max(worst, ours)
        print(f"{name:45} {ours:9.2f} {other}")
    return 1 if options.check and worst > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
