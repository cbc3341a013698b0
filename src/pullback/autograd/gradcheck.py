"""``gradcheck`` and ``gradgradcheck``: derivatives compared with finite differences.

``slow`` compares whole Jacobians, element by element, and has the last word. ``fast`` compares a few random projections
of them, ``v · J u``. It comes first wherever it saves time: ``gradcheck`` accepts what agrees a thousand times better than
``atol`` asks for, and has the slow check decide on everything else, and say which element is wrong.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dtypes import finfo
from ..tape.inplace import overlaps
from ..tape.promotion import dtype_of
from ..tape.value import Tensor, wrap
from .culprit import first_wrong
from .functional import derivative, filled, is_variable, leaf_over
from .jacobians import Problem, outputs_of, reals, tensors

__all__ = [
    "GradcheckError",
    "get_analytical_jacobian",
    "get_numerical_jacobian",
    "get_numerical_jacobian_wrt_specific_input",
    "gradcheck",
    "gradgradcheck",
]

# The defaults as objects of their own, so that one can tell whether the caller chose these numbers. In single precision
# and below they would be unfit, and what fits the dtype takes their place.
EPS, ATOL, RTOL = float("1e-6"), float("1e-5"), float("1e-3")

SMALL = 16  # numbers in and out, together, up to which whole Jacobians are as quick as projections
FINE = 1e-10  # the rounding error of a dtype up to which the defaults fit it
CERTAIN = 1e-3  # the share of atol that a projection may be off where it stands for the whole Jacobian


class GradcheckError(RuntimeError):
    """A derivative, or a rule that computes one, is wrong."""


def gradcheck(
    func: Callable,
    inputs: Any,
    *,
    eps: float = EPS,
    atol: float = ATOL,
    rtol: float = RTOL,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Check the gradients of ``func`` with respect to those ``inputs`` that require grad, by finite differences.

    The analytical element a and the numerical n must fulfil ``|a - n| <= atol + rtol * |n|``.

    Args:
        func: a function of ``inputs`` that returns a tensor or a sequence of tensors.
        inputs: a tensor or a sequence; those of single precision are checked with other defaults, coarsely.
        eps: the step of the central difference.
        raise_exception: raise where a check fails, rather than return False.
        nondet_tol: how far two equal backward passes may be apart.
        check_undefined_grad: check that outputs without a cotangent are taken for ones with a cotangent of zeros.
        check_grad_dtypes: check that gradients have their inputs' dtypes.
        check_batched_grad, check_batched_forward_grad: check batches of cotangents and of tangents, by ``vmap``.
        check_forward_ad, check_backward_ad: which modes are checked; at least one.
        fast_mode: be content with three random projections of the Jacobian, each within the tolerances. By default they
            are only a short cut, never accepting (but for a chance below one in a million) what the full check refuses.
        masked: for sparse tensors; without effect here.

    Returns:
        True, or False where a check fails and ``raise_exception`` is false.

    Raises:
        GradcheckError: a check failed; says which output, operation, input and element.
        ValueError, RuntimeError: no input requires grad, or one has overlapping memory.

    >>> import pullback as torch
    >>> x = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(torch.sin, x)
    True
    """
    at_least_one(check_forward_ad=check_forward_ad, check_backward_ad=check_backward_ad)
    requires(check_batched_grad, "check_batched_grad", check_backward_ad=check_backward_ad)
    requires(check_batched_forward_grad, "check_batched_forward_grad", check_forward_ad=check_forward_ad)
    args = tuple_of(inputs)
    check_inputs(args)
    problem = Problem(func, args, eps, atol, rtol)
    choose_tolerances(problem)
    try:
        if not any(out.requires_grad for out in problem.outputs):
            check_constant(problem)
            return True
        if check_backward_ad:
            at_zero = checked_sizes(problem)
            compare(problem, fast_mode, lambda u, v: problem.pull(v) @ u, problem.by_reverse, "Jacobian mismatch")
            check_repeatable(problem, nondet_tol)
            check_zeros(problem, at_zero, check_grad_dtypes)
        if check_backward_ad and check_undefined_grad:
            check_undefined(problem)
        if check_batched_grad:
            check_batch(problem, problem.pull, problem.pull_batch, problem.sizes[1])
        if check_forward_ad:
            what = "Jacobian computed with forward mode mismatch"
            compare(problem, fast_mode, lambda u, v: v @ problem.push(u), problem.by_forward, what)
        if check_batched_forward_grad:
            check_batch(problem, problem.push, problem.push_batch, problem.sizes[0])
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = EPS,
    atol: float = ATOL,
    rtol: float = RTOL,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Check the gradients of the gradients of ``func``: :func:`gradcheck` of its backward pass.

    In a report output k is the gradient with respect to input k, and the inputs after those of ``func`` are cotangents.

    Args:
        grad_outputs: the cotangents at which the gradients are checked, one for each output that requires grad; by
            default random ones, the same each time.
        gen_non_contig_grad_outputs: make those not contiguous.
        check_fwd_over_rev, check_rev_over_rev: which modes differentiate the backward pass; at least one.

    Other arguments, results and errors are those of :func:`gradcheck`.

    >>> import pullback as torch
    >>> x = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradgradcheck(torch.sin, x)
    True
    """
    at_least_one(check_fwd_over_rev=check_fwd_over_rev, check_rev_over_rev=check_rev_over_rev)
    requires(check_batched_grad, "check_batched_grad", check_rev_over_rev=check_rev_over_rev)
    args = tuple_of(inputs)
    places = [i for i, a in enumerate(args) if needs_grad(a)]
    if grad_outputs is None:
        outputs = tuple([out for out in outputs_of(func(*args)) if out.requires_grad])
        cotangents = random_cotangents(outputs, gen_non_contig_grad_outputs)
    else:
        cotangents = tuple_of(grad_outputs)

    def gradients(*given: Any) -> tuple:
        inner = list(given[: len(args)])
        for i in places:
            inner[i] = given[i] if is_variable(given[i]) else leaf_over(given[i])
        outputs = [out for out in outputs_of(func(*inner)) if out.requires_grad]
        wanted = tuple([inner[i] for i in places])
        return filled(derivative(outputs, wanted, given[len(args) :], True), wanted)

    return gradcheck(
        gradients,
        (*args, *cotangents),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
    )


def random_cotangents(outputs: tuple, strided: bool) -> tuple:
    """A cotangent for each output, between -1 and 1, that requires grad; not contiguous if so asked."""
    made = tensors(np.random.default_rng(1).uniform(-1, 1, reals(outputs).size), outputs)
    if strided:
        made = tuple([wrap(np.repeat(t._data[..., None], 2, -1)[..., 0]) for t in made])
    return tuple([t.requires_grad_() for t in made])


# -- before anything runs ----------------------------------------------------------------------------------------------


def at_least_one(**modes: bool) -> None:
    if not any(modes.values()):
        raise AssertionError(f"Expected at least one of {' or '.join(modes)} to be True")


def requires(check: bool, name: str, **modes: bool) -> None:
    if check and not any(modes.values()):
        raise AssertionError(f"Setting {name}=True requires {' or '.join(modes)} to be True")


def tuple_of(given: Any) -> tuple:
    return tuple(given) if isinstance(given, Sequence) else (given,)


def needs_grad(a: Any) -> bool:
    return isinstance(a, Tensor) and a.requires_grad  # type: ignore[attr-defined]


def check_inputs(args: tuple) -> None:
    """Raise unless there is something to check, and each input's elements have memory of their own."""
    if not any(map(needs_grad, args)):
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
        )
    for i, a in enumerate(args):
        if needs_grad(a) and overlaps(a._data):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping; call "
                ".contiguous() on it"
            )


def choose_tolerances(problem: Problem) -> None:
    """Put what fits the coarsest dtype of inputs and outputs in place of the defaults, and warn where it is coarse."""
    names = [f"Input #{i} requires gradient and" for i in problem.places] + [f"Output #{i}" for i in problem.kept]
    each = (*problem.inputs, *problem.outputs)
    units = {name: finfo(dtype_of(t._data)).eps for name, t in zip(names, each, strict=True)}
    coarsest = max(units.values())
    if coarsest < FINE:
        return
    if problem.eps is EPS:
        problem.eps = coarsest ** (1 / 3)  # where rounding, unit / eps, equals truncation, eps**2
    problem.atol = 10 * coarsest ** (2 / 3) if problem.atol is ATOL else problem.atol
    problem.rtol = max(RTOL, 10 * coarsest ** (2 / 3)) if problem.rtol is RTOL else problem.rtol
    warnings.warn(
        f"{next(name for name, unit in units.items() if unit > FINE)} is not a double precision floating point or complex: "
        f"gradients are compared with eps={problem.eps:.2g}, atol={problem.atol:.2g} and rtol={problem.rtol:.2g}, which "
        "finds gross errors only",
        stacklevel=3,
    )


# -- the checks --------------------------------------------------------------------------------------------------------


def check_constant(problem: Problem) -> None:
    """Outputs that do not require grad must not depend on the inputs."""
    if any(change for *_, change in problem.projections):
        raise GradcheckError(
            "Numerical gradient for function expected to be zero: no output requires grad, but they depend on the inputs. "
            "Was something detached, or computed under no_grad()?"
        )


def compare(problem: Problem, fast: bool, project: Callable, jacobian: Callable, what: str) -> None:
    """Raise unless the Jacobian agrees with finite differences: by projections, where they will do, or element by element."""
    if fast or sum(problem.sizes) > SMALL:
        pairs = [(project(u, v), n) for u, v, n in problem.projections]
        if all(abs(a - n) <= (problem.allowed(n) if fast else CERTAIN * problem.atol) for a, n in pairs):
            return
    blocks = zip(problem.blocks(jacobian()), problem.blocks(problem.numerical), strict=True)
    for (out, part, into, a), (*_, n) in blocks:
        if not problem.close(a, n).all():
            prefix = f"While considering the {part} part of complex outputs only, " if part else ""
            raise GradcheckError(prefix + mismatch(problem, what, out, into, a, n))


def mismatch(problem: Problem, what: str, out: int, into: int, a: Any, n: Any) -> str:
    """The report on a wrong block of a Jacobian: where it is, both matrices, and the worst element."""
    with np.errstate(all="ignore"):
        error, allowed, wrong = np.abs(a - n), problem.allowed(n), ~problem.close(a, n)
        row, column = np.unravel_index(np.argmax(np.where(wrong, error / allowed, 0)), a.shape)
        relative = error[row, column] / np.abs(n[row, column])
    output, x = problem.outputs[out], problem.inputs[into]
    where = [list(map(int, np.unravel_index(k, tuple(t.shape)))) for k, t in ((column, output), (row, x))]
    culprit = first_wrong(problem) if what.startswith("Jacobian mismatch") else None
    operations = f"output {problem.kept[out]} is of {described(output.grad_fn)}\n"
    operations += f"the first wrong operation is {described(culprit)}\n" if culprit else ""
    return (
        f"{what} for output {problem.kept[out]} with respect to input {problem.places[into]},\n"
        f"numerical:{wrap(n)!r}\nanalytical:{wrap(a)!r}\n{operations}"
        f"worst element: output{where[0]} by input{where[1]}: numerical {n[row, column]:.7g}, analytical "
        f"{a[row, column]:.7g}, absolute error {error[row, column]:.3g} (allowed {allowed[row, column]:.3g}), relative "
        f"error {relative:.3g}; {wrong.sum()} of {wrong.size} elements are wrong"
    )


def described(node: Any) -> str:
    return "the input itself" if node is None else f"{node.name()}, recorded at {node.line()}"


def check_repeatable(problem: Problem, tolerance: float) -> None:
    """Two equal backward passes must give equal gradients."""
    cotangent = np.random.default_rng(2).standard_normal(problem.sizes[1])
    cotangent /= np.abs(cotangent).sum() or 1  # then the gradients differ by no more than the Jacobians do
    first, second = problem.pull(cotangent), problem.pull(cotangent)
    if not np.allclose(first, second, 0, tolerance, equal_nan=True):
        raise GradcheckError(
            "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives "
            f"different values, by up to {np.abs(first - second).max():.3g}, although the analytical gradient matches the "
            f"numerical one. The tolerance for nondeterminism was {tolerance}."
        )


def checked_sizes(problem: Problem) -> tuple:
    """The gradients for cotangents of zeros, which must have their inputs' shapes."""
    found = problem.gradients(tensors(np.zeros(problem.sizes[1]), problem.outputs))
    for place, x, g in zip(problem.places, problem.inputs, found, strict=True):
        if g is not None and g.shape != x.shape:
            raise GradcheckError(f"Analytical gradient has incorrect size {g.shape} for input {place} of {x.shape}")
    return found


def check_zeros(problem: Problem, found: tuple, dtypes: bool) -> None:
    """The gradients for cotangents of zeros must be zeros; and have their inputs' dtypes, if so asked."""
    for place, x, g in zip(problem.places, problem.inputs, found, strict=True):
        if dtypes and g is not None and g.dtype is not x.dtype:
            raise GradcheckError(f"Gradient has dtype mismatch: {g.dtype} for input {place}, of {x.dtype}")
        if g is not None and reals([g]).any():
            raise GradcheckError(f"backward not multiplied by grad_output: for zeros input {place} has a gradient {g}")


def check_undefined(problem: Problem) -> None:
    """An output left out must be taken for one whose cotangent is zeros."""
    cotangents = tensors(np.random.default_rng(3).standard_normal(problem.sizes[1]), problem.outputs)
    for i in range(len(cotangents) if len(cotangents) > 1 else 0):
        parts = [(*each[:i], *each[i + 1 :]) for each in (problem.outputs, cotangents)]
        zeroed = (*cotangents[:i], cotangents[i] * 0, *cotangents[i + 1 :])
        why, cause = "the gradients differ from those with a cotangent of zeros", None
        try:
            found = filled(derivative(parts[0], problem.inputs, parts[1], False), problem.inputs)
        except Exception as error:
            why, cause = f"it raised {type(error).__name__}: {error}. It gets None there, which stands for zeros", error
        if cause or not problem.close(reals(found), reals(filled(problem.gradients(zeroed), problem.inputs))).all():
            raise GradcheckError(
                "Expected backward function to handle undefined output grads: with no cotangent for output "
                f"{problem.kept[i]} {why}"
            ) from cause


def check_batch(problem: Problem, single: Callable, batch: Callable, size: int) -> None:
    """A batch of cotangents, or tangents, must give what each of them gives."""
    vectors = np.random.default_rng(4).standard_normal((2, size))
    try:
        found = batch(vectors)
    except Exception as error:
        raise GradcheckError(f"While computing batched gradients, got: {type(error).__name__}: {error}") from error
    if not all(problem.close(one, single(v)).all() for one, v in zip(found, vectors, strict=True)):
        raise GradcheckError("Batched gradients differ from those that are computed one by one")


# -- PyTorch's old names -----------------------------------------------------------------------------------------------


def get_numerical_jacobian(
    fn: Callable, inputs: Any, target: Any = None, eps: float = 1e-3, grad_out: float = 1.0
) -> tuple:
    """The Jacobian of ``fn(inputs)``, its first output's, with respect to each tensor of ``target`` that requires grad.

    Deprecated in PyTorch. Each entry is a matrix with a row for each element of the input.
    """
    deprecated("get_numerical_jacobian", grad_out)
    each = [t for t in tuple_of(inputs if target is None else target) if needs_grad(t)]
    problem = Problem(lambda *_: fn(tuple_of(inputs)), tuple(each), eps)
    return tuple([wrap(block) for i, _, _, block in problem.blocks(problem.numerical) if i == 0])


def get_analytical_jacobian(inputs: Any, output: Any, nondet_tol: float = 0.0, grad_out: float = 1.0) -> tuple:
    """The Jacobian of a recorded ``output``: ``(jacobians, is repeatable, sizes agree, dtypes agree)``.

    Deprecated in PyTorch.
    """
    deprecated("get_analytical_jacobian", grad_out)
    if dtype_of(output._data).is_complex:
        raise ValueError("Expected output to be non-complex: get_analytical_jacobian takes real outputs only")
    problem = Problem(lambda *_: output, tuple_of(inputs), EPS)
    first, second = problem.by_reverse(), problem.by_reverse()
    jacobians = tuple([wrap(block) for *_, block in problem.blocks(first)])
    return jacobians, bool(np.allclose(first, second, 0, nondet_tol, equal_nan=True)), True, True


def get_numerical_jacobian_wrt_specific_input(
    fn: Callable, input_idx: int, inputs: Any, outputs: Any, eps: float, input: Any = None, is_forward_ad: bool = False
) -> tuple:
    """The Jacobian of each output of ``fn(*inputs)`` with respect to one input, by finite differences."""
    problem = Problem(lambda *_: fn(*inputs), (inputs[input_idx] if input is None else input,), eps)
    return tuple([wrap(block) for *_, block in problem.blocks(problem.numerical)])


def deprecated(name: str, grad_out: float) -> None:
    warnings.warn(f"`{name}` is deprecated in PyTorch; use gradcheck()", FutureWarning, stacklevel=3)
    if grad_out != 1.0:
        raise ValueError(f"Expected grad_out to be 1.0. {name} no longer supports values of grad_out != 1.0.")
