"""gradcheck of operations with ten inputs, beside torch's slow and fast modes in the same process.

    python benchmarks/gradcheck.py [--rounds N] [--check]

Each row times one check in both libraries on alternate rounds, and prints the median of the rounds' ratios, torch time /
pullback time. Pullback's default mode accepts nothing that the slow check refuses, so that torch's slow mode is its
equal. ``--check`` exits with 1 where the fast mode is not five times faster than torch's slow one.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import pullback

TARGET = 5.0
GATES, PRODUCT = "LSTM cell with peepholes", "product of ten"


def operations(torch: Any) -> dict[str, tuple[Callable, list]]:
    """A function of ten inputs and the inputs: small ones, and those of a usual size for a check."""
    rng = np.random.default_rng(0)
    leaf = lambda *shape: torch.tensor(rng.uniform(0.5, 1.5, shape), requires_grad=True)

    def cell(x, h, c, w, u, b, d, p, q, r):
        gates = (x @ w + h @ u + b + d).chunk(4, 1)
        forget, enter = (gates[0] + p * c).sigmoid(), (gates[1] + q * c).sigmoid()
        c = forget * c + enter * gates[2].tanh()
        return (gates[3] + r * c).sigmoid() * c.tanh(), c

    def product(*xs):
        found = xs[0]
        for x in xs[1:]:
            found = found * x
        return found

    state, weights, biases = [leaf(3, 4) for _ in range(3)], [leaf(4, 16) for _ in range(2)], [leaf(16), leaf(16)]
    return {
        PRODUCT: (product, [leaf(3) for _ in range(10)]),
        GATES: (cell, [*state, *weights, *biases, *[leaf(4) for _ in range(3)]]),
    }


def seconds(function: Callable) -> float:
    start = time.perf_counter()
    assert function()
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description="gradcheck beside torch.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a fast mode misses its target")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("this benchmark needs torch beside Pullback: pip install torch==2.13.0")
        return 2
    torch.set_num_threads(1)
    ours, theirs = operations(pullback), operations(torch)
    missed = 0
    print(f"{'operation':27} {'pullback':10} {'torch':10} {'pullback':>10} {'torch':>10} {'ratio':>7}")
    for name in ours:
        for mine, other in ((True, False), (False, False), (True, True)):
            run = lambda name=name, mine=mine: pullback.autograd.gradcheck(*ours[name], fast_mode=mine)
            reference = lambda name=name, other=other: torch.autograd.gradcheck(*theirs[name], fast_mode=other)
            pairs = [(seconds(run), seconds(reference)) for _ in range(options.rounds + 1)][1:]
            ratio = statistics.median(t / o for o, t in pairs)
            missed += mine and not other and ratio < TARGET
            times = [statistics.median(column) * 1e3 for column in zip(*pairs, strict=True)]
            modes = f"{'fast' if mine else 'default':10} {'fast' if other else 'slow':10}"
            print(f"{name:27} {modes} {times[0]:8.1f}ms {times[1]:8.1f}ms {ratio:7.1f}")
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
