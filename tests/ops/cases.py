"""The table's sample calls as cases, one object each, which a test can call with either library in any dtype.

``CASES`` holds all of them, ``UNDECLARED`` the operations that have none, ``BROKEN`` those whose samples cannot be made.
"""

import operator
import re
import warnings
import zlib
from contextlib import contextmanager

import numpy as np
from samples import Maker, samples_of

import pullback
from pullback.dtypes import dtype as Dtype
from pullback.ops.table import OVERLOADS, TABLE
from pullback.tape.value import Tensor
from pullback.tensor import public_function

FREE = "float64"  # leaves of this dtype take the dtype that a test asks for


class Hole:
    """The place of a tensor in a call's arguments."""

    def __init__(self, number):
        self.number = number

    def __repr__(self):
        return f"#{self.number}"


def dig(value, leaves):
    """Put a hole where each tensor is, and collect the tensors."""
    if isinstance(value, Tensor):
        leaves.append(value)
        return Hole(len(leaves) - 1)
    if isinstance(value, (list, tuple)) and not isinstance(value, pullback.Size):
        return type(value)([dig(v, leaves) for v in value])
    return value


def fill(value, tensors, lib):
    """Put tensors back into the holes, and the library's own dtypes in the place of ours."""
    if isinstance(value, Hole):
        return tensors[value.number]
    if isinstance(value, Dtype):
        return getattr(lib, value.name)
    if isinstance(value, (list, tuple)):
        return type(value)([fill(v, tensors, lib) for v in value])
    return value


class Case:
    """One sample call of one operation: arguments with holes, and the arrays that go into them."""

    def __init__(self, op, number, sample, sibling=None):
        self.op, self.number, self.sibling = op, number, sibling
        tensors, owners = [], []
        self.args, self.kwargs = [], {}
        for name, value in zip(op.params, sample[0], strict=False):
            self.args.append(dig(value, tensors))
            owners += [name] * (len(tensors) - len(owners))
        for name, value in sample[1].items():
            self.kwargs[name] = dig(value, tensors)
            owners += [name] * (len(tensors) - len(owners))
        self.owners = owners  # of each leaf, its parameter's name
        self.dtypes = [t.dtype.name for t in tensors]
        self.leaves = [t.detach().numpy().copy() for t in tensors]

    def __str__(self):
        return f"{self.op.name}-{self.number}"

    @property
    def seed(self):
        return zlib.crc32(str(self).encode())

    @property
    def diff(self):
        """Numbers of the leaves that a derivative can be asked for."""
        kinds = ("float64", "complex128")
        pairs = enumerate(zip(self.owners, self.dtypes, strict=True))
        return [i for i, (owner, dtype) in pairs if owner in self.op.diff and dtype in kinds]

    @property
    def is_differentiable(self):
        return bool(self.diff) and not any(d in ("float32", "float16", "bfloat16") for d in self.dtypes)

    def arrays(self, dtype=FREE):
        """The leaves, the free ones in another dtype; of ``"mixed"``, the first is complex and the others real."""
        kinds = [dtype if d == FREE else d for d in self.dtypes]
        if dtype == "mixed":
            kinds = [("complex128" if i == min(self.diff) else FREE) if k == dtype else k for i, k in enumerate(kinds)]
        return [converted(a, k) if d == FREE else a for a, k, d in zip(self.leaves, kinds, self.dtypes, strict=True)]

    def dtypes_of(self, dtype):
        """The names of the leaves' dtypes, the free ones replaced."""
        return [dtype if d == FREE else d for d in self.dtypes]

    def tensors(self, lib, dtype=FREE, requires_grad=False):
        """The leaves as a library's tensors; floating ones among the differentiable may require grad."""
        made = []
        for i, (array, name) in enumerate(zip(self.arrays(dtype), self.dtypes_of(dtype), strict=True)):
            wanted = (
                requires_grad and self.owners[i] in self.op.diff and name.startswith(("float", "bfloat", "complex"))
            )
            made.append(lib.tensor(array, dtype=getattr(lib, name), requires_grad=wanted))
        return made

    def call(self, function, tensors, lib=pullback):
        """The call itself."""
        args = [fill(a, tensors, lib) for a in self.args]
        return function(*args, **{name: fill(a, tensors, lib) for name, a in self.kwargs.items()})

    def ours(self, tensors):
        return self.call(function_of(self.op), tensors)


def converted(array, dtype):
    """The array of another dtype: complex numbers with this real part, or distinct integers in the same order."""
    if dtype.startswith("complex"):
        return paired(array, np.roll(array, 1) if array.size > 1 else 0.5 * array)
    if dtype.startswith(("float", "bfloat")):
        return array
    ranks = np.argsort(np.argsort(array, axis=None)).reshape(array.shape)
    if dtype == "bool":
        return ranks % 2 == 1
    if dtype.startswith("u") or array.min(initial=1.0) > 0:
        return ranks + 1
    centred = ranks - array.size // 2
    return np.asarray(centred + (centred >= 0))  # no zero among them


def paired(real, imag):
    """Complex numbers of these parts, infinite ones included."""
    made = np.empty(np.shape(real), np.complex128)
    made.real, made.imag = real, imag
    return made


def function_of(op):
    """The method of an operation that is only a method, else its public function, which internal ones have as well."""
    return getattr(Tensor, op.name) if op.method and not op.function else public_function(op)


# What stands in torch for operations that have no public name.
EQUIVALENTS = {
    "getitem": lambda torch: lambda input, index: input[index],
    "cast": lambda torch: lambda input, dtype: input.to(dtype),
    "copy": lambda torch: lambda input, source: input.clone().copy_(source),
}


def has_counterpart(case):
    op = case.op
    return op.function or op.method or op.name in EQUIVALENTS or overload_of(case) is not None


def overload_of(case):
    """The overloaded public name which, called as this case is, chooses this operation."""
    for name, record in OVERLOADS.items():
        if case.op.name.startswith(name) and chooses(record, case):
            return name
    return None


def chooses(record, case):
    tensors = case.tensors(pullback)
    args = [fill(a, tensors, pullback) for a in case.args]
    try:
        signature = inspect_signature(record)
        bound = signature.bind(*args, **{k: fill(v, tensors, pullback) for k, v in case.kwargs.items()})
        bound.apply_defaults()
        return record.choose(*bound.arguments.values())[0] is case.op
    except Exception:
        return False


def inspect_signature(record):
    import inspect

    return inspect.signature(eval(f"lambda {record.signature[1:-1]}: None"))


def counterpart(torch, case):
    """torch's function for a case."""
    op = case.op
    if op.name in EQUIVALENTS:
        return EQUIVALENTS[op.name](torch)
    record = op if op.function or op.method else OVERLOADS[overload_of(case)]
    for function in functions_of(torch, record):
        return function
    raise AssertionError(f"{case}: torch has no {record.name}")


def functions_of(torch, record):
    """torch's functions that a record may stand for, the nearest first: those at its homes, and those of its name."""
    if record.method and not record.function:
        yield getattr(torch.Tensor, record.name)
        return
    places = [home.partition(":")[::2] for home in record.homes]
    elsewhere = ("torch", "nn.functional", "special", "linalg", "fft", "Tensor")
    for space, own in [*places, *((space, "") for space in elsewhere)]:
        found = getattr(namespace(torch, space), own or record.name, None)
        if callable(found):
            yield found


def is_constant_in_torch(op):
    """Whether torch has no derivative of what has one here, and gives results without history."""
    return re.fullmatch("airy_ai|.*bessel_[a-z]+[01]|.*_polynomial_.*", op.name) is not None


def namespace(torch, name):
    return torch if name == "torch" else operator.attrgetter(name)(torch)


@contextmanager
def quiet():
    """Torch's own warnings are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def flat(result):
    """The values of a result, one after another."""
    if isinstance(result, (list, tuple)):
        return [v for r in result for v in flat(r)]
    return [result]


def tracked(result):
    """The outputs that have a derivative."""
    return [r for r in flat(result) if getattr(r, "requires_grad", False)]


def cases_of(op):
    """The cases of an operation, each with a sibling of the same shapes and other numbers."""
    pairs = zip(samples_of(op, Maker(seed_of(op))), samples_of(op, Maker(seed_of(op) + 1)), strict=True)
    return [Case(op, i, a, Case(op, i, b)) for i, (a, b) in enumerate(pairs)]


def seed_of(op):
    return zlib.crc32(op.name.encode())


def error_cases_of(op):
    return [(op, i, sample) for i, sample in enumerate(op.errors(Maker(seed_of(op))))] if op.errors else []


def collect(of):
    """What ``of`` gives for every operation, and the error for those where it fails."""
    found, broken = {}, {}
    for op in TABLE.values():
        try:
            found[op.name] = of(op)
        except Exception as error:
            broken[op.name] = f"{type(error).__name__}: {error}"
    return found, broken


_cases, BROKEN = collect(cases_of)
_errors, BROKEN_ERRORS = collect(error_cases_of)
CASES = [case for cases in _cases.values() for case in cases]
ERRORS = [error for errors in _errors.values() for error in errors]
# Operations that draw random numbers have tests of their own: no two calls agree.
UNDECLARED = [name for name, cases in _cases.items() if not cases and "generator" not in TABLE[name].params]
DIFFERENTIABLE = [case for case in CASES if case.is_differentiable]
# Vectors are determined up to a factor, and eigenvalues up to their order, by which implementations of LAPACK differ.
# test_factorizations.py compares them.
UP_TO_A_FACTOR = ("linalg_eig", "linalg_eigh", "linalg_svd", "linalg_eigvals")
COMPARABLE = [case for case in CASES if has_counterpart(case) and case.op.name not in UP_TO_A_FACTOR]
