"""What it costs that every recorded operation notes the line that called it, as a share of the operation's time.

    python benchmarks/lines.py [--rounds N]

The function of an operation is written twice, with and without the lines that note the calling code and instruction; rounds of both
alternate, and the median of their ratios is printed. The same for a write in place, which also notes its region.
"""

import argparse
import statistics
import timeit
from typing import Any

import pullback as torch
from pullback.ops.table import TABLE
from pullback.tape import fast, inplace, storage

NOTES = fast.STAMP
BARE = "\nnode.tick = tick()\nnode.code = None\nnode.lasti = 0\n"


def functions(name: str) -> tuple:
    """An operation's function as it is, and without noting lines."""
    made = []
    for stamp in (NOTES, BARE):
        fast.STAMP = stamp
        made.append(fast.write(TABLE[name]))
    fast.STAMP = NOTES
    return tuple(made)


def ratio(with_notes: Any, without: Any, rounds: int) -> float:
    number = 20_000
    found = []
    for _ in range(rounds):
        noted, bare = (timeit.timeit(f, number=number) for f in (with_notes, without))
        found.append(noted / bare)
    return statistics.median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    rounds = parser.parse_args().rounds
    x, y = (torch.tensor([1.0, 2.0, 3.0], requires_grad=True) for _ in range(2))
    for name, args in (("mul", (x, y)), ("exp", (x,)), ("sum_all", (x,))):
        noting, bare = functions(name)
        share = ratio(lambda f=noting, a=args: f(*a), lambda f=bare, a=args: f(*a), rounds)
        print(f"{name:10} recorded, with and without its line: {share:.3f}")
    z = torch.tensor([1.0, 2.0, 3.0])
    here, place = storage.here, storage.here()

    def write(noting: bool) -> None:
        storage.here = inplace.here = here if noting else lambda depth=0: place
        z.add_(0.0)

    print(
        f"{'add_':10} of three elements, likewise:          {ratio(lambda: write(True), lambda: write(False), rounds):.3f}"
    )
    storage.here = inplace.here = here


if __name__ == "__main__":
    main()
