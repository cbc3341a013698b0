"""How an update runs on arrays: many small parameters gathered into one block, large ones cut into several.

NumPy's cost is a call for a small array, and memory for a large one; a block is long enough for the first and fits the
cache. Parameters keep their arrays: a block is a copy, and what it gives is written back. Invariant: the results do not
depend on the blocks, for the updates are element by element.
"""

from collections.abc import Callable, Iterator
from math import prod

from numpy import concatenate, copyto, empty, empty_like, ndarray

BLOCK = 1 << 17  # elements: enough that calls of NumPy cost little, and few enough for the caches

Arrays = dict[str, ndarray]  # of one parameter: "param", "grad", and its state's by name
Update = Callable[[Arrays], Arrays]  # what is new, by name; nothing is written


def runs(members: list[Arrays]) -> Iterator[list[Arrays]]:
    """Divide parameters into runs of about a block's size."""
    run: list[Arrays] = []
    size = 0
    for member in members:
        count = member["param"].size
        if run and size + count > BLOCK:
            yield run
            run, size = [], 0
        run.append(member)
        size += count
    if run:
        yield run


def update_run(run: list[Arrays], update: Update) -> None:
    """Update parameters and their states' arrays in place; arrays that are new are added to the members."""
    if len(run) > 1:
        update_gathered(run, update)
    elif run[0]["param"].size > BLOCK and all(array.flags.c_contiguous for array in run[0].values()):
        update_cut(run[0], update)
    else:
        keep(run[0], update(run[0]))


def update_gathered(run: list[Arrays], update: Update) -> None:
    flat = {name: concatenate([member[name].ravel() for member in run]) for name in run[0]}
    shapes = [member["param"].shape for member in run]
    for name, value in update(flat).items():
        if name not in run[0]:
            for member in run:
                member[name] = empty_like(member["param"])
        begin = 0
        for member, shape in zip(run, shapes, strict=True):
            end = begin + prod(shape)
            copyto(member[name], value[begin:end].reshape(shape), "unsafe")
            begin = end


def update_cut(member: Arrays, update: Update) -> None:
    flat = {name: array.reshape(-1) for name, array in member.items()}
    for begin in range(0, member["param"].size, BLOCK):
        part = slice(begin, begin + BLOCK)
        for name, value in update({name: array[part] for name, array in flat.items()}).items():
            if name not in flat:
                member[name] = empty(member["param"].shape, member["param"].dtype)
                flat[name] = member[name].reshape(-1)
            copyto(flat[name][part], value, "unsafe")


def keep(member: Arrays, found: Arrays) -> None:
    """Write what an update gave for one parameter."""
    for name, value in found.items():
        if name not in member:  # a result of its own, or the gradient
            member[name] = empty(value.shape, member["param"].dtype)
        copyto(member[name], value, "unsafe")
