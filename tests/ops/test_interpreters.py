"""Every operation under vmap and as a traced program: alone, and with reverse mode inside and outside."""

import numpy as np
import pytest
from cases import CASES, DIFFERENTIABLE, flat

import pullback
from numeric import agree, array
from pullback.compile import trace
from pullback.tape.value import Tensor

BATCHABLE = [case for case in CASES if case.leaves]
each_case = pytest.mark.parametrize("case", BATCHABLE, ids=str)
each_differentiable = pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)

# The number of elements that these give is only known from the values that they get: a batch may have no one shape.
BY_VALUE = (
    "getitem",
    "index",
    "index_put",
    "masked_select",
    "nonzero",
    "nonzero_tuple",
    "unique",
    "unique_consecutive",
)


def outputs_of(case):
    """The operation's tensor outputs, as a function of its tensors."""

    def outputs(*tensors):
        return tuple(r for r in flat(case.ours(tensors)) if isinstance(r, Tensor))

    return outputs


def stacked(case, numbers, dim):
    """For each leaf, the batch of the case's and its sibling's arrays, or the leaf alone, and its ``in_dim``."""
    pairs = zip(case.leaves, case.sibling.leaves, strict=True)
    return [batch_of(pair, dim) if i in numbers else (pair[0], None) for i, pair in enumerate(pairs)]


def batch_of(pair, dim):
    dim = dim if pair[0].ndim else 0
    return np.stack(pair, dim), dim


def as_tensors(case, arrays):
    return [
        pullback.tensor(np.asarray(a), dtype=getattr(pullback, d)) for a, d in zip(arrays, case.dtypes, strict=True)
    ]


def each_of(case, numbers):
    """The elements of the batch, one after another."""
    for leaves in (case.leaves, case.sibling.leaves):
        yield as_tensors(case, [leaves[i] if i in numbers else own for i, own in enumerate(case.leaves)])


def choices(case):
    """Which leaves to batch: each alone, and all."""
    every = tuple(range(len(case.leaves)))
    return [(i,) for i in every] + ([every] if len(every) > 1 else [])


@each_case
def test_vmap_is_a_loop(case):
    function = outputs_of(case)
    for numbers in choices(case):
        want = [function(*tensors) for tensors in each_of(case, numbers)]
        for dim in (0, 1):
            arrays, in_dims = zip(*stacked(case, numbers, dim), strict=True)
            got = vmapped(case, function, in_dims, as_tensors(case, arrays)) if want[0] else ()
            if got is not None:
                compare(got, want, f"{case} vmap in_dims={in_dims}")


def vmapped(case, function, in_dims, tensors):
    """The batch of results, or None where the operation rightly says that there cannot be one."""
    try:
        return pullback.func.vmap(function, in_dims=in_dims)(*tensors)
    except RuntimeError as error:
        if case.op.name in BY_VALUE and "depends on the data" in str(error):
            return None
        if case.op.name == "moved_statistic" and "were not batched" in str(error):
            return None  # what is to be written must be mapped where the input is
        raise


def compare(got, want, what):
    """Raise unless a batch of results is the stack of the results."""
    assert len(got) == len(want[0]), f"{what}: {len(got)} outputs, expected {len(want[0])}"
    for g, *each in zip(got, *want, strict=True):
        assert g.dtype is each[0].dtype, f"{what}: dtype {g.dtype}, expected {each[0].dtype}"
        agree(array(g), np.stack([array(e) for e in each]), what)


def pulling(case, numbers=()):
    """The operation's vjp as a function of its tensors, then its cotangents."""
    count = len(case.leaves)
    outputs = outputs_of(case)

    def pull(*values):
        leaves, cotangents = list(values[:count]), values[count:]

        def of_primals(*primals):
            given = dict(zip(case.diff, primals, strict=True))
            return floating(outputs(*[given.get(i, leaf) for i, leaf in enumerate(leaves)]))

        return pullback.func.vjp(of_primals, *[leaves[i] for i in case.diff])[1](tuple(cotangents))

    return pull


def floating(outputs):
    return tuple(o for o in outputs if o.dtype.is_floating_point or o.dtype.is_complex)


def cotangents_of(case, seed=0):
    rng = np.random.default_rng(case.seed + seed)
    shapes = [tuple(o.shape) for o in floating(outputs_of(case)(*case.tensors(pullback)))]
    dtypes = [o.dtype for o in floating(outputs_of(case)(*case.tensors(pullback)))]
    return [pullback.tensor(np.asarray(rng.standard_normal(s)), dtype=d) for s, d in zip(shapes, dtypes, strict=True)]


@each_differentiable
def test_vmap_over_vjp_is_a_loop(case):
    pull, numbers = pulling(case), case.diff
    cotangents = [cotangents_of(case, seed) for seed in range(2)]
    if not cotangents[0]:
        return
    want = [pull(*tensors, *given) for tensors, given in zip(each_of(case, numbers), cotangents, strict=True)]
    arrays, in_dims = zip(*stacked(case, numbers, 0), strict=True)
    given = [
        pullback.tensor(np.stack([array(c) for c in pair]), dtype=pair[0].dtype)
        for pair in zip(*cotangents, strict=True)
    ]
    got = pullback.func.vmap(pull, in_dims=(*in_dims, *[0] * len(given)))(*as_tensors(case, arrays), *given)
    compare(got, want, f"{case} vmap of vjp")


@each_differentiable
def test_vmap_over_the_cotangent_alone_is_a_loop(case):
    pull, tensors = pulling(case), case.tensors(pullback)
    cotangents = [cotangents_of(case, seed) for seed in range(2)]
    if not cotangents[0]:
        return
    want = [pull(*tensors, *given) for given in cotangents]
    given = [
        pullback.tensor(np.stack([array(c) for c in pair]), dtype=pair[0].dtype)
        for pair in zip(*cotangents, strict=True)
    ]
    got = pullback.func.vmap(lambda *g: pull(*tensors, *g))(*given)
    compare(got, want, f"{case} vmap of vjp over cotangents")


@each_differentiable
def test_vjp_through_vmap_is_a_loop(case):
    function, numbers = outputs_of(case), case.diff
    cotangents = [cotangents_of(case, seed) for seed in range(2)]
    if not cotangents[0]:
        return
    pull = pulling(case)
    want = [pull(*tensors, *given) for tensors, given in zip(each_of(case, numbers), cotangents, strict=True)]
    arrays, in_dims = zip(*stacked(case, numbers, 0), strict=True)
    leaves = as_tensors(case, arrays)
    roots = [leaves[i].requires_grad_() for i in numbers]
    outputs = floating(pullback.func.vmap(function, in_dims=in_dims)(*leaves))
    given = [
        pullback.tensor(np.stack([array(c) for c in pair]), dtype=pair[0].dtype)
        for pair in zip(*cotangents, strict=True)
    ]
    pairs = [(o, c) for o, c in zip(outputs, given, strict=True) if o.requires_grad]
    if pairs:
        got = pullback.autograd.grad([o for o, _ in pairs], roots, [c for _, c in pairs], materialize_grads=True)
        compare(got, want, f"{case} vjp of vmap")


@each_differentiable
def test_vmap_over_jvp_is_a_loop(case):
    function, numbers = outputs_of(case), case.diff
    tangents = [
        [np.asarray(np.random.default_rng(seed).standard_normal(case.leaves[i].shape)) for i in numbers]
        for seed in (1, 2)
    ]

    def push(*values):
        leaves, directions = list(values[: len(case.leaves)]), values[len(case.leaves) :]

        def of_primals(*primals):
            given = dict(zip(numbers, primals, strict=True))
            return floating(function(*[given.get(i, leaf) for i, leaf in enumerate(leaves)]))

        return pullback.func.jvp(of_primals, tuple(leaves[i] for i in numbers), directions)[1]

    want = [
        push(*leaves, *map(pullback.tensor, each))
        for leaves, each in zip(each_of(case, numbers), tangents, strict=True)
    ]
    if not want[0]:
        return
    arrays, in_dims = zip(*stacked(case, numbers, 0), strict=True)
    batch = [pullback.tensor(np.stack(pair)) for pair in zip(*tangents, strict=True)]
    got = pullback.func.vmap(push, in_dims=(*in_dims, *[0] * len(batch)))(*as_tensors(case, arrays), *batch)
    compare(got, want, f"{case} vmap of jvp")


@each_case
def test_replay_of_the_trace_is_eager(case):
    function = outputs_of(case)
    program = trace(function, *case.tensors(pullback))
    others = case.sibling.tensors(pullback)
    compare_lists(program(*others), function(*others), f"{case} replay")


@each_differentiable
def test_replay_of_the_traced_vjp_is_eager(case):
    pull = pulling(case)
    program = trace(pull, *case.tensors(pullback), *cotangents_of(case))
    others = [*case.sibling.tensors(pullback), *cotangents_of(case, 1)]
    compare_lists(program(*others), pull(*others), f"{case} replay of the vjp")


def compare_lists(got, want, what):
    assert len(got) == len(want), f"{what}: {len(got)} outputs, expected {len(want)}"
    for g, w in zip(got, want, strict=True):
        assert g.dtype is w.dtype, f"{what}: dtype {g.dtype}, expected {w.dtype}"
        agree(array(g), array(w), what)
