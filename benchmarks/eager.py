"""The cost of eager operations on small tensors, beside torch in the same process.

    python benchmarks/eager.py [--rounds N] [--check]

Each line times one piece of work in Pullback and in torch on alternate rounds, and prints the median of the rounds'
ratios, torch time / pullback time: above 1, Pullback is faster. Absolute times on a shared machine are noise; they
are printed for orientation. ``--check`` exits with 1 where a ratio is below its target.
"""

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import pullback


def work(torch: Any) -> dict[str, Callable]:
    """The pieces of work, for one of the two libraries."""
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = torch.tensor([1.0, 1.0, 1.0], requires_grad=True)
    a, b = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0, requires_grad=True)
    p, q = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0, 1.0])

    def product_and_square() -> None:
        (a * b + b**2).backward()

    def chain() -> None:
        z = x
        for _ in range(100):
            z = z * y
        z.backward(q)

    def add() -> None:
        x + y

    def multiply() -> None:
        p * q

    return {
        "x*y + y**2 and backward": product_and_square,
        "chain of 100 multiplications and backward": chain,
        "a + b with grad": add,
        "a * b without grad": multiply,
    }


TARGETS = {
    "x*y + y**2 and backward": 4.0,
    "chain of 100 multiplications and backward": 1.8,
    "a + b with grad": 1.5,
    "a * b without grad": 1.0,
}
REPEATS = {"chain of 100 multiplications and backward": 20}


def seconds(function: Callable, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - start) / repeats


def compare(ours: Callable, theirs: Callable, repeats: int, rounds: int) -> tuple[float, float, float]:
    """Median ratio, and each library's median seconds, over rounds that alternate between the two."""
    pairs = []
    for f in (ours, theirs):
        seconds(f, repeats)  # warm up
    for _ in range(rounds):
        pairs.append((seconds(ours, repeats), seconds(theirs, repeats)))
    ratio = statistics.median(t / o for o, t in pairs)
    return ratio, statistics.median(o for o, _ in pairs), statistics.median(t for _, t in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description="Eager overhead beside torch.")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a ratio is below its target")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("this benchmark needs torch beside Pullback: pip install torch==2.13.0")
        return 2
    torch.set_num_threads(1)
    ours, theirs = work(pullback), work(torch)
    missed = 0
    gc.collect()
    gc.freeze()
    print(f"{'work':45} {'pullback':>10} {'torch':>10} {'ratio':>7} {'target':>7}")
    for name, target in TARGETS.items():
        ratio, mine, other = compare(ours[name], theirs[name], REPEATS.get(name, 1000), options.rounds)
        missed += ratio < target
        print(f"{name:45} {mine * 1e6:8.2f}µs {other * 1e6:8.2f}µs {ratio:7.2f} {target:7.1f}")
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
