"""``python -m tests.fuzz --programs N [--seed S] [--jobs J]``: fuzz, and print what was found."""

import argparse
import multiprocessing
import sys
import time
from collections import Counter

from .program import as_script
from .run import run_chunk

CHUNK = 50


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz Pullback against torch.")
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the first program; the others' follow")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--failures", type=int, default=20, help="stop after so many unexplained differences")
    options = parser.parse_args()
    began = time.perf_counter()
    summary = Summary()
    for outcomes in chunks(options):
        for outcome in outcomes:
            summary.add(outcome)
        summary.progress(time.perf_counter() - began)
        if len(summary.failures) >= options.failures:
            break
    summary.finish(time.perf_counter() - began)
    return 1 if summary.failures else 0


class Summary:
    """What was found so far."""

    def __init__(self):
        self.programs = self.statements = self.refused = 0
        self.known, self.failures = Counter(), []

    def add(self, outcome):
        self.programs += 1
        self.statements += len(outcome.statements)
        self.refused += len(outcome.refused)
        if outcome.known is not None:
            self.known[outcome.known] += 1
        elif outcome.difference is not None:
            self.failures.append(outcome)
            print(f"\n# seed {outcome.seed}: {outcome.difference}\n{as_lines(outcome)}", flush=True)

    def progress(self, seconds):
        print(
            f"\r{self.programs} programs, {len(self.failures)} unexplained, {self.programs / seconds:.0f}/s",
            end="",
            file=sys.stderr,
            flush=True,
        )

    def finish(self, seconds):
        print(
            f"\n{self.programs} programs, {self.statements} statements ({self.refused} refused by both), {seconds:.0f} s"
        )
        for name, count in self.known.most_common():
            print(f"{count:6} differ on purpose: {name}")
        print(f"{len(self.failures):6} unexplained" + "".join(f"\n       seed {f.seed}" for f in self.failures))
        if self.failures:
            print("\nThe shortest:\n\n" + as_script(min((f.statements for f in self.failures), key=len)))


def as_lines(outcome):
    return "\n".join(f"    {line}" for statement in outcome.statements for line in statement.split("\n"))


def chunks(options):
    """The outcomes of all programs, chunk by chunk."""
    starts = range(options.seed, options.seed + options.programs, CHUNK)
    tasks = [(s, min(CHUNK, options.seed + options.programs - s)) for s in starts]
    if options.jobs == 1:
        yield from map(run_chunk, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        yield from pool.imap(run_chunk, tasks)


if __name__ == "__main__":
    sys.exit(main())
