"""One program after another: written, run on both libraries, compared, and shrunk where they differ."""

import random
from dataclasses import dataclass, field

from .compare import Difference, compare_errors, compare_runs
from .differences import reason_for
from .program import Run, quiet
from .statements import Writer


@dataclass
class Outcome:
    """What came of one program: its statements, and the first difference, with its name where it is on purpose."""

    seed: int | None
    often: bool = True
    statements: list = field(default_factory=list)
    difference: Difference | None = None
    known: str | None = None
    refused: list = field(default_factory=list)  # the numbers of statements that raised in both
    errors: tuple = (None, None)  # what the last statement raised


def run_program(seed, pullback, torch):
    """Write a program and run it, until the libraries differ or it ends."""
    rng = random.Random(seed)
    theirs = Run(torch)
    length, often = rng.randint(5, 60), rng.random() < 0.7
    return drive(seed, written(rng, length, theirs, often), Run(pullback), theirs, often)


def written(rng, length, run, often):
    """Statements, one after the other, that fit what PyTorch's tensors are. As looking at these may change them, the
    writer has its own where the comparison does not look after each statement."""
    run = run if often else Run(run.torch)
    writer = Writer(rng, run, often)
    for _ in range(length):
        statement = writer.next()
        yield statement
        if not often and run.do(statement) is not None and "backward" in statement:
            run.forget_grads()


def replay(statements, pullback, torch, often=True, seed=None):
    """Run a given program."""
    return drive(seed, iter(statements), Run(pullback), Run(torch), often)


def drive(seed, source, mine, theirs, often):
    """Run statements on both. ``often``: look at all there is after each one, and not only at the end (to look at a
    view brings its history up to date, which may hide a mistake)."""
    outcome = Outcome(seed, often)
    for at, statement in enumerate(source):
        outcome.statements.append(statement)
        errors = outcome.errors = mine.do(statement), theirs.do(statement)
        outcome.difference = compare_errors(at, *errors)
        if outcome.difference is None:
            if errors[1] is not None:
                outcome.refused.append(at)
            if errors[1] is not None and "backward" in statement:
                mine.forget_grads()
                theirs.forget_grads()
            outcome.difference = next(compare_runs(at, mine, theirs, often), None)
        if outcome.difference is not None:
            break
    else:
        outcome.difference = next(compare_runs(len(outcome.statements) - 1, mine, theirs), None)
    if outcome.difference is not None:
        outcome.known = reason_for(outcome, mine, theirs)
        outcome.errors = (None, None)  # tracebacks hold all of the program
    return outcome


def shrink(outcome, pullback, torch, attempts=600):
    """The shortest program found by leaving out statements that shows a difference of the same aspect."""
    statements, aspect = outcome.statements, outcome.difference.aspect
    size = max(len(statements) // 2, 1)
    while size and attempts > 0:
        start, progress = len(statements) - size, False
        while start >= 0 and attempts > 0:
            fewer = statements[:start] + statements[start + size :]
            attempts -= 1
            found = replay(fewer, pullback, torch, outcome.often, outcome.seed)
            if found.difference is not None and found.known is None and found.difference.aspect == aspect:
                statements, outcome, progress = found.statements, found, True
            start -= size
        size = size if progress and size == 1 else size // 2
    return outcome


def run_chunk(task):
    """Run some programs, and shrink what differs."""
    import torch

    import pullback

    torch.set_num_threads(1)
    start, count = task
    with quiet():
        outcomes = [run_program(seed, pullback, torch) for seed in range(start, start + count)]
        return [o if o.difference is None or o.known else shrink(o, pullback, torch) for o in outcomes]
