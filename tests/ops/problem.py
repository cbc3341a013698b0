"""A case as a function of arrays, for the tests of derivatives."""

import numpy as np
from cases import flat, function_of, quiet, tracked

import pullback
from numeric import array, noise

HUGE = 1e100  # sums of such overflow

# Operations that read one triangle of Hermitian matrices, and those that take a triangular one: what they move within.
HERMITIAN = ("linalg_eigh", "linalg_eigvalsh", "linalg_cholesky", "linalg_cholesky_ex", "cholesky")
TRIANGULAR = {"cholesky_solve": 1, "cholesky_inverse": 0}
# Complex vectors have phases, on which a random loss depends: these have tests of their own in test_factorizations.py.
HAVE_PHASES = ("linalg_eigh", "linalg_svd")


def projection(case, number):
    """What makes of any direction one in which the function of a leaf is defined; None where that is every direction."""
    if case.op.name in HERMITIAN or case.kwargs.get("hermitian") is True:
        return lambda array: array + np.conj(np.swapaxes(array, -1, -2))
    if TRIANGULAR.get(case.op.name) == number:
        return lambda array: triangular(array, case.kwargs.get("upper"))
    return None


def triangular(array, upper):
    """The triangle, with a real diagonal."""
    diagonal = np.eye(array.shape[-1]) * array
    return (np.triu if upper else np.tril)(array) - (1j * diagonal.imag if np.iscomplexobj(array) else 0)


class Problem:
    """A case in one dtype: ``primals`` are the leaves to differentiate by, ``cotangents`` random ones for the outputs.

    Invariant: everything taken and given is an array or a list of arrays, whichever library computes. Outputs are those
    that have a derivative.
    """

    def __init__(self, case, dtype="float64"):
        self.case, self.dtype = case, dtype
        self.leaves = case.arrays(dtype)
        for number in case.diff:
            project = projection(case, number)
            if project and case.op.name not in HERMITIAN:
                self.leaves[number] = project(self.leaves[number])
        self.primals = [np.asarray(self.leaves[i]) for i in case.diff]
        self.rng = np.random.default_rng(case.seed)
        result = flat(self.call(pullback, tensors(pullback, self.primals, True)))
        self.places = [i for i, out in enumerate(result) if getattr(out, "requires_grad", False)]
        self.values = [array(result[i]) for i in self.places]
        self.cotangents = self.like(self.values)
        self.tangents = self.like(self.primals)

    @property
    def is_exact(self):
        """Whether finite differences can be taken: outputs are numbers (the mean of none is not), and of full precision."""
        within = all(float(np.abs(value).max(initial=0.0)) < HUGE for value in self.values)
        return within and all(value.dtype.name in ("float64", "complex128") for value in self.values)

    def like(self, arrays):
        """Random arrays of the same shapes and dtypes; in the place of primals, such as these may move along."""
        drawn = [noise(self.rng, a) for a in arrays]
        for number, primal in zip(self.case.diff, self.primals, strict=True):
            project = projection(self.case, number)
            if project:
                drawn = [project(d) if a is primal else d for a, d in zip(arrays, drawn, strict=True)]
        return drawn

    def call(self, lib, primals, function=None):
        """The result for tensors in the place of the primals."""
        given = dict(zip(self.case.diff, primals, strict=True))
        every = [given[i] if i in given else self.constant(lib, i) for i in range(len(self.leaves))]
        return self.case.call(function or function_of(self.case.op), every, lib)

    def constant(self, lib, i):
        name = self.case.dtypes[i]
        return lib.tensor(self.leaves[i], dtype=None if name == "float64" else getattr(lib, name))

    def outputs(self, *primals):
        """The outputs for tensors, as a function that transforms can take."""
        result = flat(self.call(pullback, primals))
        return tuple(result[i] for i in self.places)

    def evaluate(self, primals):
        """The outputs at other primals."""
        return [array(out) for out in self.outputs(*tensors(pullback, primals))]

    def pull(self, lib, primals, cotangents, function=None):
        """The gradients of <cotangents, outputs>."""
        with quiet():
            inputs = tensors(lib, primals, True)
            outputs = tracked(self.call(lib, inputs, function))
            found = lib.autograd.grad(outputs, inputs, tensors(lib, cotangents), materialize_grads=True)
        return [array(g) for g in found]

    def pull_twice(self, lib, weights, function=None):
        """The gradients of <weights, gradients> by the primals, and by the cotangents."""
        with quiet():
            inputs, given = tensors(lib, self.primals, True), tensors(lib, self.cotangents, True)
            outputs = tracked(self.call(lib, inputs, function))
            first = lib.autograd.grad(outputs, inputs, given, create_graph=True, materialize_grads=True)
            pairs = [(g, w) for g, w in zip(first, tensors(lib, weights), strict=True) if g.requires_grad]
            rows, weighted = [g for g, _ in pairs], [w for _, w in pairs]
            found = lib.autograd.grad(rows, [*inputs, *given], weighted, materialize_grads=True)
        return [array(g) for g in found]

    def push(self, tangents):
        """The outputs' derivative in a direction, by forward mode."""
        primals = tuple(tensors(pullback, self.primals))
        _, pushed = pullback.func.jvp(self.outputs, primals, tuple(tensors(pullback, tangents)))
        return [array(t) for t in pushed]


def tensors(lib, arrays, requires_grad=False):
    return [lib.tensor(np.asarray(a), requires_grad=requires_grad) for a in arrays]


def exact_problems_of(case, kinds=("float64", "complex128", "mixed")):
    """Those of :func:`problems_of` whose outputs are finite numbers of full precision."""
    return (problem for problem in problems_of(case, kinds) if problem.is_exact)


def problems_of(case, kinds=("float64", "complex128", "mixed")):
    """The case in each dtype that its operation accepts and gives differentiable outputs for."""
    for kind in kinds:
        if kind != "float64" and (case.op.real or "float64" not in case.dtypes):
            continue
        if kind == "mixed" and len(case.diff) < 2:
            continue
        if kind != "float64" and case.op.name in HAVE_PHASES:
            continue
        try:
            problem = Problem(case, kind)
        except (RuntimeError, TypeError, NotImplementedError, ValueError):
            if kind == "float64":
                raise
            continue
        if problem.places:
            yield problem
