"""The k-th derivative of a function by one jet, and by k nested jvps: operations run, and time.

    python benchmarks/higher_order.py [--order K] [--nested K]

Operations are counted in a trace of the work, and do not depend on the machine; the time is the best of three runs.
"""

import argparse
import time
from collections.abc import Callable

import pullback as torch
from pullback.compile import trace
from pullback.func import jet, jvp


def network(x: torch.Tensor) -> torch.Tensor:
    """A small network along a line."""
    return torch.tanh(torch.tanh(torch.sin(x * WEIGHTS)) @ MATRIX).sum()


WEIGHTS, MATRIX = torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 256).reshape(16, 16)


def by_jet(order: int) -> Callable:
    return lambda x: jet(network, (x,), ([torch.ones_like(x), *[None] * (order - 1)],))[1][-1]


def by_nesting(order: int) -> Callable:
    f: Callable = network
    for _ in range(order):
        f = push(f)
    return f


def push(f: Callable) -> Callable:
    return lambda x: jvp(f, (x,), (torch.ones_like(x),))[1]


def measured(f: Callable, x: torch.Tensor) -> tuple[int, float]:
    """Operations run, and seconds."""
    operations = len(trace(f, x).calls)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        f(x)
        best = min(best, time.perf_counter() - start)
    return operations, best


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--order", type=int, default=10)
    options.add_argument("--nested", type=int, default=7)
    given = options.parse_args()
    x = torch.tensor(0.3)
    print(f"{'order':>5} {'jet: operations':>16} {'ms':>8} {'nested: operations':>19} {'ms':>8}")
    for order in range(1, given.order + 1):
        count, seconds = measured(by_jet(order), x)
        row = f"{order:>5} {count:>16} {1000 * seconds:>8.1f}"
        if order <= given.nested:
            count, seconds = measured(by_nesting(order), x)
            row += f" {count:>19} {1000 * seconds:>8.1f}"
        print(row)


if __name__ == "__main__":
    main()
