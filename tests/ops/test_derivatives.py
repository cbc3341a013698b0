"""Every operation's derivatives against finite differences, against each other and against torch's.

The check of a derivative J is <v, J u> = <Jᵀ v, u> for random v and u, one side by finite differences or forward mode
and the other by reverse mode; for small operations also the whole Jacobian, row by row. Where a sample lies on a tie or a
kink, the convention is torch's, and only the comparison with torch can judge it.
"""

import numpy as np
import pytest
from cases import COMPARABLE, DIFFERENTIABLE, counterpart, function_of, is_constant_in_torch, quiet, tracked
from problem import Problem, exact_problems_of, problems_of

import pullback
from numeric import RTOL, agree, array, basis, difference, has_kink, inner, size

each_case = pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
each_comparable = pytest.mark.parametrize(
    "case", [c for c in COMPARABLE if c.is_differentiable and not is_constant_in_torch(c.op)], ids=str
)
SMALL = 12  # inputs and outputs up to which the whole Jacobian is taken


def near(got, want, scale, what):
    """Raise unless two numbers agree, on the scale of what was summed into them."""
    agree(got, want, what, rtol=1e-6, atol=1e-6 * max(1.0, scale))


def magnitude(arrays):
    return max((float(np.abs(a).max(initial=0.0)) for a in arrays), default=0.0)


@each_case
def test_vjp_is_the_adjoint_of_finite_differences(case):
    for problem in exact_problems_of(case):
        if has_kink(problem.evaluate, problem.primals, problem.tangents):
            continue
        pulled = problem.pull(pullback, problem.primals, problem.cotangents)
        pushed = difference(problem.evaluate, problem.primals, problem.tangents)
        left, right = inner(problem.cotangents, pushed), inner(pulled, problem.tangents)
        near(right, left, magnitude(pushed) + magnitude(pulled), f"{case} {problem.dtype} vjp")


@each_case
def test_vjp_gives_every_entry_of_the_jacobian(case):
    for problem in exact_problems_of(case, ("float64", "complex128")):
        if max(size(problem.primals), size(problem.values)) > SMALL:
            continue
        directions = [d for d in basis(problem.primals) if not has_kink(problem.evaluate, problem.primals, d)]
        columns = [difference(problem.evaluate, problem.primals, d) for d in directions]
        for row in basis(problem.values):
            pulled = problem.pull(pullback, problem.primals, row)
            got = [inner(pulled, direction) for direction in directions]
            want = [inner(row, column) for column in columns]
            scale = max((magnitude(c) for c in columns), default=0.0)
            agree(got, want, f"{case} {problem.dtype} Jacobian", rtol=1e-6, atol=1e-6 * max(1.0, scale))


@each_case
def test_gradients_have_their_inputs_shape_and_dtype(case):
    for problem in problems_of(case):
        for gradient, primal in zip(
            problem.pull(pullback, problem.primals, problem.cotangents), problem.primals, strict=True
        ):
            assert (gradient.shape, gradient.dtype) == (primal.shape, primal.dtype), f"{case} {problem.dtype}"


@each_case
def test_backward_leaves_inputs_and_cotangents_as_they_were(case):
    problem = Problem(case)
    inputs = [pullback.from_numpy(p.copy()).requires_grad_() for p in problem.primals]
    given = [pullback.from_numpy(c.copy()) for c in problem.cotangents]
    outputs = problem.outputs(*inputs)
    values = [out.detach().numpy().copy() for out in outputs]
    if outputs:
        pullback.autograd.grad(outputs, inputs, given, allow_unused=True)
    for kept, was in zip([*inputs, *given, *outputs], [*problem.primals, *problem.cotangents, *values], strict=True):
        agree(kept.detach().numpy(), was, f"{case}: what backward may not write", rtol=0)


@each_comparable
def test_gradients_are_torchs(case, torch):
    function = counterpart(torch, case)
    for problem in problems_of(case):
        try:
            want = problem.pull(torch, problem.primals, problem.cotangents, function)
        except (RuntimeError, TypeError, NotImplementedError):  # torch has no derivative for this dtype
            continue
        got = problem.pull(pullback, problem.primals, problem.cotangents)
        for name, g, w in zip([case.owners[i] for i in case.diff], got, want, strict=True):
            agree(g, w, f"{case} {problem.dtype} gradient of {name}", rtol=1e-8)


OVERFLOWS = ("linalg_matrix_exp",)  # torch's gradient is infinite or NaN in half precision


@each_comparable
def test_gradients_in_lower_precision_are_torchs(case, torch):
    """A rule that meets a float32 or a half must not answer in float64, nor lose more than the kernel did."""
    if "float64" not in case.dtypes or case.op.name in OVERFLOWS:
        return
    function = counterpart(torch, case)
    for dtype in ("float32", "bfloat16", "float16"):
        with quiet():
            try:
                want = gradients_of(case, function, torch, dtype)
            except Exception:  # torch has no kernel for it, or only for the complex halves that we do not have
                continue
            got = gradients_of(case, function_of(case.op), pullback, dtype)
        for g, w in zip(got, want, strict=True):
            assert str(g.dtype) == str(w.dtype), f"{case} {dtype}: gradient of dtype {g.dtype}, expected {w.dtype}"
            scale = max(1.0, magnitude([array(w)]))
            agree(array(g), array(w), f"{case} {dtype} gradient", rtol=4 * RTOL[dtype], atol=4 * RTOL[dtype] * scale)


def gradients_of(case, function, lib, dtype):
    """The gradients by the leaves that require grad, for a random cotangent rounded to the dtype."""
    leaves = case.tensors(lib, dtype, requires_grad=True)
    outputs = tracked(case.call(function, leaves, lib))
    rng = np.random.default_rng(case.seed)
    assert not any(o.dtype is getattr(lib, "complex32", None) for o in outputs)
    given = [lib.tensor(rng.standard_normal(tuple(o.shape)), dtype=o.dtype) for o in outputs]
    inputs = [leaf for leaf in leaves if leaf.requires_grad]
    return lib.autograd.grad(outputs, inputs, given, materialize_grads=True)


@each_case
def test_second_derivative_is_that_of_finite_differences(case):
    for problem in exact_problems_of(case, ("float64", "complex128")):
        weights = problem.like(problem.primals)
        pulled = problem.pull_twice(pullback, weights)
        n = len(problem.primals)

        def gradients(point, problem=problem, n=n):
            return problem.pull(pullback, point[:n], point[n:])

        point = [*problem.primals, *problem.cotangents]
        direction = problem.like(point)
        if has_kink(gradients, point, direction):
            continue
        pushed = difference(gradients, point, direction)
        left, right = inner(weights, pushed), inner(pulled, direction)
        near(right, left, magnitude(pushed) + magnitude(pulled), f"{case} {problem.dtype} second derivative")


@each_comparable
def test_second_derivatives_are_torchs(case, torch):
    function = counterpart(torch, case)
    for problem in problems_of(case, ("float64", "complex128")):
        weights = problem.like(problem.primals)
        try:
            want = problem.pull_twice(torch, weights, function)
        except (RuntimeError, TypeError, NotImplementedError):  # torch stops at the first derivative here
            continue
        got = problem.pull_twice(pullback, weights)
        scale = max(1.0, magnitude(want))
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            agree(g, w, f"{case} {problem.dtype} second derivative by {i}", rtol=1e-7, atol=1e-8 * scale)


@each_case
def test_forward_mode_is_the_adjoint_of_reverse_mode(case):
    for problem in exact_problems_of(case):
        pushed = problem.push(problem.tangents)
        for tangent, value in zip(pushed, problem.values, strict=True):
            assert (tangent.shape, tangent.dtype) == (value.shape, value.dtype), f"{case} {problem.dtype} tangent"
        pulled = problem.pull(pullback, problem.primals, problem.cotangents)
        left, right = inner(problem.cotangents, pushed), inner(pulled, problem.tangents)
        agree(
            left,
            right,
            f"{case} {problem.dtype} jvp",
            rtol=1e-9,
            atol=1e-9 * (1 + magnitude(pushed) + magnitude(pulled)),
        )


@each_case
def test_forward_mode_pushes_each_argument_alone(case):
    """A tangent that is identically zero takes other paths through a rule than one that is an array."""
    problem = Problem(case)
    for number, primal in enumerate(problem.primals):

        def outputs(moving, number=number):
            constants = [pullback.tensor(p) for p in problem.primals]
            return problem.outputs(*constants[:number], moving, *constants[number + 1 :])

        direction = [np.zeros_like(p) for p in problem.primals]
        direction[number] = problem.tangents[number]
        _, got = pullback.func.jvp(outputs, (pullback.tensor(primal),), (pullback.tensor(direction[number]),))
        for g, w in zip(got, problem.push(direction), strict=True):
            agree(g.detach().numpy(), w, f"{case} jvp by argument {number} alone", rtol=1e-9)


@each_case
def test_forward_over_reverse_is_reverse_over_reverse(case):
    problem = Problem(case)
    weights = problem.like(problem.primals)
    given = [pullback.tensor(c) for c in problem.cotangents]

    def gradients(*primals):
        return pullback.func.vjp(problem.outputs, *primals)[1](tuple(given))

    inputs, directions = (tuple(pullback.tensor(a) for a in each) for each in (problem.primals, problem.tangents))
    _, pushed = pullback.func.jvp(gradients, inputs, directions)
    pushed = [t.detach().numpy() for t in pushed]
    pulled = problem.pull_twice(pullback, weights)[: len(problem.primals)]
    scale = 1 + magnitude(pushed) + magnitude(pulled)
    agree(inner(weights, pushed), inner(pulled, problem.tangents), f"{case} jvp of vjp", rtol=1e-9, atol=1e-9 * scale)
