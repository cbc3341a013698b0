"""Comparing what a program left in the two libraries."""

from dataclasses import dataclass

import numpy as np

TOLERANCE, ROUGH = 1e-9, 1e-3  # relative; the latter where a program has float32 anywhere
FLAGS = ("requires_grad", "is_leaf", "retains_grad")


@dataclass
class Difference:
    """One thing that the libraries do not agree on, after a statement."""

    at: int  # the number of the statement
    aspect: str  # what differs: an exception, a value, a flag...
    name: str  # of the tensor
    mine: object
    theirs: object

    def __str__(self):
        return f"after statement {self.at}: {self.aspect} of {self.name}: {self.mine!r}, torch: {self.theirs!r}"


def array_of(tensor):
    return tensor.numpy(force=True)  # PyTorch's gradients may be lazily conjugated, or zeros without memory


def close(mine, theirs, tolerance):
    """Whether two arrays are equal up to rounding, relative to the largest element."""
    if mine.shape != theirs.shape:
        return False
    if mine.dtype.kind not in "fc":
        return bool((mine == theirs).all())
    if not mine.size:
        return True
    error = np.abs(mine - theirs)
    scale = np.abs(theirs).max()
    if (error <= tolerance * (1 + scale)).all():
        return True
    return bool(np.allclose(mine, theirs, rtol=tolerance, atol=tolerance, equal_nan=True))


def compare_tensors(at, name, mine, theirs, whole, tolerance):
    """Differences of one tensor: its values and, if ``whole``, all that autograd says of it."""
    if mine.shape != theirs.shape:
        yield Difference(at, "shape", name, tuple(mine.shape), tuple(theirs.shape))
        return
    dtypes = str(mine.dtype).split(".")[-1], str(theirs.dtype).split(".")[-1]
    if dtypes[0] != dtypes[1]:
        yield Difference(at, "dtype", name, *dtypes)
        return
    if not close(array_of(mine), array_of(theirs), tolerance):
        yield Difference(at, "value", name, array_of(mine), array_of(theirs))
    if not whole:
        return
    for flag in FLAGS:
        a, b = flag_of(mine, flag), flag_of(theirs, flag)
        if a != b and not (isinstance(a, Exception) and type(a) is type(b)):
            yield Difference(at, flag, name, a, b)
    yield from compare_grads(at, name, mine._grad, theirs._grad, tolerance)


def compare_versions(at, mine, theirs):
    """How often each tensor was written since its name was first seen: PyTorch also counts writes of its own, before."""
    a, b = mine.versions(), theirs.versions()
    for name in b:
        if a[name] != b[name]:
            yield Difference(at, "_version", name, a[name], b[name])


def flag_of(tensor, flag):
    try:
        return getattr(tensor, flag)
    except RuntimeError as error:
        return error.with_traceback(None)


def compare_grads(at, name, mine, theirs, tolerance):
    if (mine is None) != (theirs is None):
        yield Difference(at, "grad", name, mine, theirs)
    elif mine is not None:
        if not close(array_of(mine), array_of(theirs), tolerance):
            yield Difference(at, "grad", name, array_of(mine), array_of(theirs))
        elif mine.requires_grad != theirs.requires_grad:
            yield Difference(at, "grad's requires_grad", name, mine.requires_grad, theirs.requires_grad)


def compare_values(at, mine, theirs):
    """As :func:`compare_runs`, of values and gradients only."""
    return (d for d in compare_runs(at, mine, theirs) if d.aspect in ("value", "grad", "shape", "dtype"))


def compare_runs(at, mine, theirs, whole=True):
    """Differences of two runs: their tensors and their hooks' logs."""
    ours, others = mine.tensors(), theirs.tensors()
    if ours.keys() != others.keys():
        yield Difference(at, "names", "", sorted(ours), sorted(others))
        return
    yield from compare_versions(at, mine, theirs)
    seen, tolerance = set(), ROUGH if theirs.is_rough else TOLERANCE
    for name, tensor in others.items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield from compare_tensors(at, name, ours[name], tensor, whole, tolerance)
    yield from compare_logs(at, mine.scope["log"], theirs.scope["log"], tolerance)


def compare_logs(at, mine, theirs, tolerance):
    names = [n for n, _ in mine], [n for n, _ in theirs]
    if names[0] != names[1]:
        yield Difference(at, "hook calls", "log", *names)
        return
    for (name, a), (_, b) in zip(mine, theirs, strict=True):
        if not close(array_of(a), array_of(b), tolerance):
            yield Difference(at, "hook's gradient", name, array_of(a), array_of(b))


TELLING = (
    "to a single memory location",
    "function that returns multiple views",
    "has been modified by an inplace operation",
)


def compare_errors(at, mine, theirs):
    """The difference of what a statement raised, if there is one: the type, and of some kinds the words."""
    words = describe(mine) or "", describe(theirs) or ""
    if type(mine) is not type(theirs) or any(w in words[1] and w not in words[0] for w in TELLING):
        return Difference(at, "exception", "", describe(mine), describe(theirs))
    return None


def describe(error):
    return None if error is None else f"{type(error).__name__}: {error}"
