"""Derivatives of solutions: of ``f(x, *params) = 0``, of fixed points, and of linear systems, however they were found.

The solver runs unrecorded on plain tensors, and its steps are never differentiated. By the implicit function theorem the
solution moves by ``dx = -J⁻¹ f'(dparams)``, and a cotangent ``g`` is pulled back to ``-f'ᵀ J⁻ᵀ g``, where ``J`` is the Jacobian
of ``f`` by ``x`` at the solution. Both are the rules of one operation, ``IMPLICIT``, which is in no table as a user's
:class:`Problem` is among its arguments; they are made of differentiable operations, so every order and every transform follows.

Source: M. Blondel et al., Efficient and Modular Implicit Differentiation (2022).
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..interpreters.dispatch import run, values
from ..ops.table import Op
from ..tape.formula import any_value
from ..tape.lines import user_frame
from ..tape.modes import no_grad
from ..tape.promotion import dtype_of
from ..tape.value import GRAD, Tensor, wrap
from . import jacfwd, jvp, vjp, vmap

DENSE = 256  # unknowns up to which the whole Jacobian is computed
STEPS = 10_000


def custom_root(
    f: Callable, solve: Callable | None = None, tangent_solve: Callable | None = None, *, tolerance: float | None = None
) -> Callable:
    """A function ``root(x0, *params)`` that solves ``f(x, *params) = 0`` and has the derivatives of the solution.

    Args:
        f: ``f(x, *params)``, of the structure and shapes of ``x``. Every tensor that the solution shall be differentiated by
            is a parameter; parameters are nested structures of tensors and other values.
        solve: ``solve(f, x0, *params)`` finds ``x`` by any means, SciPy, NumPy or a loop that looks at values; it returns
            tensors, arrays or numbers in the structure of ``x0``. Without one: Newton's method.
        tangent_solve: ``tangent_solve(matvec, b)`` solves the linear system ``matvec(y) = b``, for derivatives, where
            ``matvec`` multiplies by ``J`` or by its transpose. Without one: LU of the whole Jacobian for up to 256
            unknowns, and GMRES by products alone for more.
        tolerance: the largest ``|f(x)|`` that is accepted. Without one, a suspicious solution only warns.

    The start ``x0`` has no derivative. Under ``vmap`` the solver runs on the whole batch, or once per element where it looks at
    values. Complex ``f`` must be holomorphic.

    Raises:
        ValueError: ``f`` or ``solve`` returned another structure or other shapes than ``x0`` has.
        RuntimeError: ``f`` uses a tensor that requires grad and is no parameter; ``|f(x)|`` is above ``tolerance``; the
            Jacobian is singular where a derivative is asked for.

    >>> import pullback as torch
    >>> root = torch.func.custom_root(lambda x, a: x * x - a)
    >>> torch.func.grad(root, argnums=1)(torch.tensor(1.0), torch.tensor(4.0))
    tensor(0.2500)
    """
    return solution_of("custom_root", f, solve, tangent_solve, tolerance)


def custom_fixed_point(
    g: Callable, solve: Callable | None = None, tangent_solve: Callable | None = None, *, tolerance: float | None = None
) -> Callable:
    """A function ``fixed_point(x0, *params)`` that solves ``x = g(x, *params)`` and has the derivatives of the solution.

    ``solve(g, x0, *params)`` is given ``g`` itself; without it ``g`` is applied until its result stays. All else, and what
    ``tangent_solve`` and ``tolerance`` are for, is as in :func:`custom_root` for ``f(x) = g(x) - x``.

    >>> import pullback as torch
    >>> cosine = torch.func.custom_fixed_point(lambda x, a: (a * x).cos())
    >>> cosine(torch.tensor(1.0), torch.tensor(1.0))
    tensor(0.7391)
    """
    search = solve or iterate

    def f(x: Any, *params: Any) -> Any:
        return tree.map(lambda new, old: new - old, g(x, *params), x)

    return solution_of("custom_fixed_point", f, lambda f, x0, *params: search(g, x0, *params), tangent_solve, tolerance)


def linear_solve(
    matvec: Callable,
    b: Any,
    *params: Any,
    solve: Callable | None = None,
    transpose_solve: Callable | None = None,
    symmetric: bool = False,
) -> Any:
    """The ``x`` with ``matvec(x, *params) = b``, differentiable by ``b`` and the parameters.

    Args:
        matvec: linear in its first argument, and of that one's structure and shapes.
        b: the right side, tensors in any structure.
        params: what ``matvec`` depends on: nested structures with tensors.
        solve: ``solve(matvec, b)`` finds ``x``, ``matvec`` being given the parameters; by default as ``tangent_solve`` in
            :func:`custom_root`.
        transpose_solve: the same for the transposed system (the adjoint one, for complex numbers), which reverse mode needs.
        symmetric: the system is its own transpose, and ``solve`` serves both.

    >>> import pullback as torch
    >>> diagonal = torch.tensor([2.0, 4.0])
    >>> torch.func.linear_solve(lambda x, d: d * x, torch.ones(2), diagonal)
    tensor([0.5000, 0.2500])
    """
    form = Form("linear_solve", b)
    tensors, arguments = separated((b, params))

    def residual(x: Any, tensors: list) -> Any:
        right, given = arguments(tensors)
        return form.pack(matvec(form.unpack(x), *given), "matvec") - form.pack(right, "b")

    solvers = flat_solver(form, solve), flat_solver(form, solve if symmetric else transpose_solve)
    problem = Problem("linear_solve", residual, None, solvers)

    def find(start: list, tensors: list) -> Any:
        right, zero = form.join(start), values.zeros_like(form.join(start))
        return (
            problem.invert(tensors, zero, right, False)
            if solve is None
            else solvers[0](  # type: ignore[misc]
                lambda x: residual(x, tensors) + right, right
            )
        )

    problem.find = find
    return form.unpack(found_by(tensors, form.leaves, problem))


def solution_of(name: str, f: Callable, solve: Any, tangent_solve: Any, tolerance: Any) -> Callable:
    """The function of a start and parameters that gives a zero of ``f``."""

    def solution(x0: Any, *params: Any) -> Any:
        form = Form(name, x0)
        tensors, arguments = separated(params)

        def residual(x: Any, tensors: list) -> Any:
            return form.pack(f(form.unpack(x), *arguments(tensors)), "f")

        def find(start: list, tensors: list) -> Any:
            if solve is None:
                return newton(problem, form.join(start), tensors)
            return form.pack(solve(f, tree.unflatten(start, form.spec), *arguments(tensors)), "solve")

        solver = flat_solver(form, tangent_solve)
        problem = Problem(name, residual, find, (solver, solver), tolerance)
        return form.unpack(found_by(tensors, form.leaves, problem))

    return solution


# -- structures as vectors ---------------------------------------------------------------------------------------------


class Form:
    """The structure of an unknown, by which it becomes one vector and back."""

    def __init__(self, name: str, x: Any) -> None:
        self.name = name
        self.leaves, self.spec = tree.flatten(x)
        for leaf in self.leaves:
            if not isinstance(leaf, Tensor) or dtype_of(leaf).category < 2:
                got = f"one of {dtype_of(leaf)}" if isinstance(leaf, Tensor) else type(leaf).__name__
                raise ValueError(f"{name}: the unknown must be made of floating or complex tensors, got {got}")
        self.shapes = [tuple(leaf.shape) for leaf in self.leaves]
        self.dtypes = [dtype_of(leaf) for leaf in self.leaves]

    def pack(self, x: Any, what: str) -> Any:
        """A value of this structure, made of tensors, arrays or numbers, as a vector."""
        try:
            found = tree.match(self.spec, x)
        except ValueError as error:
            raise ValueError(f"{self.name}: {what} must return the structure of the unknown: {error}") from None
        if any(tree.flatten(leaf)[1].kind for leaf in found):
            raise ValueError(
                f"{self.name}: {what} must return the structure of the unknown, got {tree.flatten(x)[1]!r}"
            )
        found = [
            leaf if isinstance(leaf, Tensor) else wrap(np.asarray(leaf, dtype.numpy))
            for leaf, dtype in zip(found, self.dtypes, strict=True)
        ]
        shapes = [tuple(leaf.shape) for leaf in found]  # type: ignore[attr-defined]
        if shapes != self.shapes:
            raise ValueError(
                f"{self.name}: {what} returned shapes {shapes}, expected those of the unknown: {self.shapes}"
            )
        return self.join([leaf.to(dtype) for leaf, dtype in zip(found, self.dtypes, strict=True)])  # type: ignore[attr-defined]

    def join(self, leaves: list) -> Any:
        flat = [leaf.reshape(-1) for leaf in leaves]
        return flat[0] if len(flat) == 1 else values.cat(flat, 0)

    def unpack(self, x: Any) -> Any:
        sizes = [int(np.prod(shape, dtype=int)) for shape in self.shapes]
        pieces = x.split(sizes) if len(sizes) != 1 else [x]
        each = zip(pieces, self.shapes, self.dtypes, strict=True)
        return tree.unflatten([piece.reshape(shape).to(dtype) for piece, shape, dtype in each], self.spec)


def separated(params: Any) -> tuple[list, Callable]:
    """The tensors among parameters, and the function that puts tensors in their places."""
    leaves, spec = tree.flatten(params)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]

    def arguments(tensors: list) -> Any:
        return tree.unflatten(put(leaves, places, tensors), spec)

    return [leaves[i] for i in places], arguments


def put(items: list, places: list, replacements: Any) -> list:
    changed = list(items)
    for place, replacement in zip(places, replacements, strict=True):
        changed[place] = replacement
    return changed


def flat_solver(form: Form, solver: Callable | None) -> Callable | None:
    """A user's solver of linear systems, on vectors."""
    if solver is None:
        return None

    def solve(matvec: Callable, b: Any) -> Any:
        found = solver(lambda x: form.unpack(matvec(form.pack(x, "matvec's argument"))), form.unpack(b))
        return form.pack(found, "the solver of the linear system")

    return solve


# -- the operation -----------------------------------------------------------------------------------------------------


class Problem:
    """``residual(x, tensors) = 0`` for a vector ``x``: how it is solved, and how the solution moves."""

    def __init__(self, name: str, residual: Any, find: Any, solvers: tuple, tolerance: float | None = None) -> None:
        self.name, self.residual, self.find, self.solvers, self.tolerance = name, residual, find, solvers, tolerance

    def probe(self, start: list, tensors: list) -> Any:
        """The residual at the start."""
        flat = [leaf.reshape(-1) for leaf in start]
        return self.residual(flat[0] if len(flat) == 1 else values.cat(flat, 0), tensors)

    def push(self, tensors: list, x: Any, tangents: list) -> Any:
        """The solution's tangent."""
        moving = [i for i, t in enumerate(tangents) if t is not None]
        given = tuple(tensors[i] for i in moving), tuple(tangents[i] for i in moving)
        _, moved = jvp(lambda *ts: self.residual(x, put(tensors, moving, ts)), *given)
        return -self.invert(tensors, x, moved, False)

    def pull(self, tensors: list, x: Any, grad: Any) -> list:
        """The gradient of each tensor, None for integers."""
        smooth = [i for i, t in enumerate(tensors) if dtype_of(t).category > 1]
        _, pull = vjp(lambda *ts: self.residual(x, put(tensors, smooth, ts)), *[tensors[i] for i in smooth])
        return put([None] * len(tensors), smooth, pull(-self.invert(tensors, x, grad, True)))

    def matvec(self, tensors: list, x: Any, is_transposed: bool) -> Callable:
        """The product with the Jacobian by ``x``, or with its conjugate transpose."""
        if is_transposed:
            pull = vjp(lambda y: self.residual(y, tensors), x)[1]
            return lambda v: pull(v)[0]
        return lambda v: jvp(lambda y: self.residual(y, tensors), (x,), (v,))[1]

    def invert(self, tensors: list, x: Any, b: Any, is_transposed: bool) -> Any:
        """The solution of the linear system whose matrix is the Jacobian, or its conjugate transpose."""
        solver = self.solvers[is_transposed]
        if solver is not None or b.shape[0] > DENSE:
            return found_by([x, b, *tensors], [b], self.linearized(solver or krylov, is_transposed))
        jacobian = jacfwd(lambda y: self.residual(y, tensors))(x)
        try:
            return values.solve_square(jacobian.mH if is_transposed else jacobian, b.unsqueeze(-1)).squeeze(-1)
        except RuntimeError as error:
            if "singular" not in str(error):
                raise
            raise RuntimeError(
                f"{self.name}: the Jacobian by the unknown, of shape {list(jacobian.shape)}, is singular here, so that the "
                "solution has no derivative: it is no isolated one, or a multiple root"
            ) from None

    def linearized(self, solver: Callable, is_transposed: bool) -> "Problem":
        """The linear system as a problem of its own, whose tensors are ``x``, the right side, and those of this one."""

        def residual(v: Any, tensors: list) -> Any:
            x, b, *rest = tensors
            return self.matvec(rest, x, is_transposed)(v) - b

        def find(start: list, tensors: list) -> Any:
            x, b, *rest = tensors
            return solver(self.matvec(rest, x, is_transposed), b)

        return Problem(self.name, residual, find, (self.solvers[is_transposed], self.solvers[not is_transposed]))


class Mapped(Problem):
    """A problem for each element of a batch; ``dims`` and ``starts`` say which tensors, and starts, are batches."""

    def __init__(self, problem: Problem, dims: list, starts: list, size: int) -> None:
        self.problem, self.dims, self.starts, self.size = problem, dims, starts, size
        self.name, self.tolerance = problem.name, problem.tolerance
        self.residual = lambda x, tensors: self.each(problem.residual, (0, dims), x, tensors)
        self.find = lambda start, tensors: self.each(problem.find, (starts, dims), start, tensors)

    def probe(self, start: list, tensors: list) -> Any:
        return self.each(self.problem.probe, (self.starts, self.dims), start, tensors)

    def push(self, tensors: list, x: Any, tangents: list) -> Any:
        return self.each(self.problem.push, (self.dims, 0, self.dims), tensors, x, tangents)

    def pull(self, tensors: list, x: Any, grad: Any) -> list:
        found = self.each(self.problem.pull, (self.dims, 0, 0), tensors, x, grad)
        pairs = zip(found, self.dims, strict=True)
        return [g.sum(0) if d is None and g is not None else g for g, d in pairs]

    def each(self, function: Callable, in_dims: tuple, *args: Any) -> Any:
        """The function of every element: by vmap, or where it looks at values, one after another."""
        try:
            return vmap(function, in_dims)(*args)
        except RuntimeError as error:
            if not str(error).startswith("vmap: It looks like"):
                raise
        elements = [function(*element(args, in_dims, i)) for i in range(self.size)]
        return tree.map(lambda *each: values.stack(list(each), 0), *elements)


def element(args: Any, dims: Any, i: int) -> Any:
    """The i-th element of what is a batch in nested lists."""
    if isinstance(args, (list, tuple)):
        return [element(a, d, i) for a, d in zip(args, [dims] * len(args) if dims in (0, None) else dims, strict=True)]
    return args if dims is None or args is None else args[i]


def kernel(tensors: list, start: list, problem: Problem) -> np.ndarray:
    """Solve a problem on arrays: look at what ``f`` gives, find the solution, check it."""
    tensors, start = [as_tensor(t) for t in tensors], [as_tensor(s) for s in start]
    before = problem.probe(start, tensors)
    if before._level or before._flags & GRAD:
        raise RuntimeError(
            f"{problem.name}: the function depends on a tensor that requires grad, or is a transform's, and is not among the "
            "parameters; pass it after the start, and let the function take it as an argument (for the weights of a module: "
            "torch.func.functional_call)"
        )
    with no_grad():
        x = problem.find(start, tensors)
        check_solution(problem, x, problem.residual(x, tensors), before)
    return x.detach().numpy()


def check_solution(problem: Problem, x: Any, after: Any, before: Any) -> None:
    """Raise, or warn, where the residual is not small."""
    largest, limit = largest_of(after), problem.tolerance
    if limit is None:
        precision = float(np.finfo(after.detach().numpy().dtype).eps) ** 0.5
        limit = precision * max(1.0, largest_of(x), largest_of(before))
        limit = limit if np.isfinite(limit) else precision
    if largest <= limit:
        return
    message = (
        f"{problem.name}: what the solver returned is no solution: the largest |f(x)| is {largest:.3g}, above the tolerance of "
        f"{limit:.3g}, and derivatives there are not those of a solution"
    )
    if problem.tolerance is not None:
        raise RuntimeError(message)
    frame = user_frame(1)
    warnings.warn_explicit(message, UserWarning, frame.f_code.co_filename, frame.f_lineno)


def largest_of(vector: Any) -> float:
    return float(np.abs(vector.detach().numpy()).max(initial=0.0))


def as_tensor(value: Any) -> Any:
    return value if value is None or isinstance(value, Tensor) else wrap(value)


def pull_rule(xp: Any, grad: Any, tensors: Any, problem: Problem, result: Any) -> list:
    found = problem.pull([as_tensor(t) for t in tensors], as_tensor(result), as_tensor(grad))
    is_raw = not any_value(grad, (tensors, result))
    return [g._data if is_raw and g is not None else g for g in found]


def push_rule(xp: Any, tangent: Any, tensors: Any, problem: Problem, result: Any) -> Any:
    if all(t is None for t in tangent):
        return None
    return problem.push([as_tensor(t) for t in tensors], as_tensor(result), [as_tensor(t) for t in tangent])


def batch_rule(xp: Any, op: Op, args: list, batched: list, size: int) -> Any:
    tensors, start, problem = args
    dims, starts = ([0 if is_one else None for is_one in flags] for flags in batched[:2])
    return xp.call(op, (tensors, start, Mapped(problem, dims, starts, size)))


IMPLICIT = Op(
    "implicit(tensors, start, problem)",
    "The solution of a problem, as a vector.",
    kernel=kernel,
    vjp={"tensors": pull_rule},
    jvp={"tensors": push_rule},
    batch=batch_rule,
)


def found_by(tensors: list, start: list, problem: Problem) -> Any:
    return as_tensor(run(IMPLICIT, (tensors, start, problem)))


# -- solvers -----------------------------------------------------------------------------------------------------------


def newton(problem: Problem, x: Any, tensors: list) -> Any:
    """Newton's method, until a step changes nothing that can be seen."""
    for _ in range(100):
        step = problem.invert(tensors, x, problem.residual(x, tensors), False)
        x = x - step
        if is_small(step, x):
            break
    return x


def iterate(g: Callable, x: Any, *params: Any) -> Any:
    """Apply ``g`` until its result stays."""
    for _ in range(STEPS):
        before, x = x, g(x, *params)
        pairs = zip(tree.leaves(before), tree.leaves(x), strict=True)
        if all(is_small(new - old, new) for old, new in pairs):
            break
    return x


def is_small(step: Any, x: Any) -> bool:
    """Whether a step is of the size of rounding."""
    limit = 16 * np.finfo(dtype_of(x).numpy).eps
    return bool((step.abs() <= limit * (1 + x.abs())).all())


def krylov(matvec: Callable, b: Any) -> Any:
    """Solve a linear system by products alone: GMRES (Y. Saad and M. Schultz, 1986)."""
    from scipy.sparse.linalg import LinearOperator, gmres

    right = b.detach().numpy()
    operator = LinearOperator(
        (right.size, right.size),
        matvec=lambda v: matvec(wrap(v.reshape(-1).astype(right.dtype))).detach().numpy(),
        dtype=right.dtype,
    )
    precision = float(np.finfo(right.dtype).eps) ** 0.8
    found, failed = gmres(operator, right, rtol=precision, atol=0.0, restart=min(right.size, 100), maxiter=100)
    if failed:
        raise RuntimeError(
            f"GMRES did not solve the linear system of {right.size} unknowns to a relative {precision:.1g}; the Jacobian may be "
            "singular, or ill-conditioned: pass a solver of your own"
        )
    return wrap(found.astype(right.dtype))
