"""``backward`` and ``grad``: checking what was asked, and handing it to the engine."""

from typing import Any

from numpy import ndarray, ones, ones_like

from ..interpreters import values
from .engine import Pass, edge_of
from .graph import AccumulateGrad, Node
from .promotion import dtype_of
from .value import CARE, GRAD, Tensor, wrap
from .views import settle


class GradientEdge:
    """A place in a graph: output number ``output_nr`` of ``node``."""

    __slots__ = ("node", "output_nr", "shape")

    def __init__(self, node: Node, output_nr: int, shape: Any = None) -> None:
        self.node, self.output_nr, self.shape = node, output_nr, shape


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of the sum of ``tensors`` to the ``.grad`` of the graph's leaves.

    Args:
        tensors: a tensor or several, the roots.
        grad_tensors: the cotangent of each root, of its shape; may be omitted for roots of one element.
        retain_graph: keep saved values, so that the graph can be walked again; defaults to ``create_graph``.
        create_graph: record the backward pass itself, for higher derivatives.
        grad_variables: PyTorch's old name of ``grad_tensors``.
        inputs: accumulate into these tensors only.

    Raises:
        RuntimeError: a root has no graph, or is no scalar and has no cotangent, or the shapes differ; a saved value
            was written in place or freed.
    """
    if grad_tensors is None and inputs is None and not create_graph and is_plain_scalar(tensors):
        work = Pass(0, False, bool(retain_graph), None, True)
        work.run([(tensors._fn, tensors._nr, unit(tensors._data))])
        return
    roots = as_list(tensors)
    if grad_tensors is None:
        grad_tensors = grad_variables
    targets = None
    if inputs is not None:
        inputs = as_list(inputs)
        if not inputs:
            raise RuntimeError("'inputs' argument to backward() cannot be empty.")
        targets = {target_edge(t): t for t in inputs}
    given = checked_cotangents(roots, grad_tensors, "tensors")
    work = Pass(level_of(roots), create_graph, retain(retain_graph, create_graph), targets and set(targets), True)
    work.run(start(roots, given, work))
    for edge, tensor in (targets or {}).items():
        if edge in work.found and isinstance(tensor, Tensor) and tensor._fn is not None:
            from .engine import accumulate

            accumulate(tensor, work.found[edge], create_graph, False)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple:
    """The gradients of the sum of ``outputs`` with respect to ``inputs``; no ``.grad`` is touched.

    Args:
        outputs, inputs: tensors or graph edges.
        grad_outputs: the cotangent of each output, of its shape; may be omitted for outputs of one element.
        retain_graph: keep saved values; defaults to ``create_graph``.
        create_graph: record the backward pass itself, for higher derivatives.
        only_inputs: must be true; PyTorch's other value was never supported.
        allow_unused: give None for inputs that the outputs do not depend on, rather than an error.
        is_grads_batched: the first dimension of each cotangent is a batch of cotangents.
        materialize_grads: give zeros for unused inputs.

    Returns:
        A tuple with one gradient per input.

    >>> import pullback as torch
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> torch.autograd.grad(x**2, x)
    (tensor(6.),)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: False.")
    roots, wanted = as_list(outputs), as_list(inputs)
    edges = [target_edge(t) for t in wanted]
    if is_grads_batched:
        return batched_grad(roots, wanted, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads)
    given = checked_cotangents(roots, grad_outputs, "outputs")
    work = Pass(level_of(roots), create_graph, retain(retain_graph, create_graph), set(edges), False)
    work.run(start(roots, given, work))
    return tuple(
        found_gradient(work, edge, tensor, allow_unused or materialize_grads, materialize_grads)
        for edge, tensor in zip(edges, wanted, strict=True)
    )


def is_plain_scalar(root: Any) -> bool:
    """Whether a root is an ordinary loss: one real element, recorded, of no transform."""
    if type(root) is not Tensor or root._flags != GRAD or root._fn is None:
        return False
    data = root._data
    return data.size == 1 and data.dtype.kind == "f"


_units: dict[Any, Any] = {}


def unit(data: Any) -> Any:
    """The cotangent of a scalar; zero-dim ones are kept, read-only, for they are made in every training step."""
    if data.ndim:
        return ones_like(data)
    one = _units.get(data.dtype)
    if one is None:
        one = _units[data.dtype] = ones_like(data)
        one.flags.writeable = False
    return one


def batched_grad(
    roots: list, wanted: list, cotangents: Any, retain_graph: Any, create: bool, unused: Any, zeros: bool
) -> tuple:
    """One backward pass over a batch of cotangents: the pass's values are batched."""
    from ..interpreters.batched import Batched
    from ..interpreters.dispatch import new_level

    given = as_list(cotangents)
    size = next(g.shape[0] for g in given if g is not None)
    with new_level() as level:
        work = Pass(level_of(roots), create, retain(retain_graph, create), {target_edge(t) for t in wanted}, False)
        work.xp = values
        lifted = [None if g is None else Batched(g, level) for g in given]
        edges = [edge_of_root(r) for r in roots]
        work.run([(*edge, g) for edge, g in zip(edges, lifted, strict=True) if g is not None])
        found = []
        for t in wanted:
            g = work.found.get(target_edge(t))
            if g is None and not (unused or zeros):
                raise unused_error()
            if g is None:
                found.append(wrap(values.zeros_like(wrap(values.expand(t, (size, *t.shape))))) if zeros else None)
            else:
                found.append(unbatched(g, level, size))
    return tuple(found)


def unbatched(value: Any, level: int, size: int) -> Tensor:
    """What a batched value holds; a value that is not batched, repeated."""
    from ..interpreters.batched import Batched

    if isinstance(value, Tensor) and value._level == level:
        value = value._data
    if type(value) is Batched and value.level == level:
        value = value.value
    else:
        value = values.expand(value, (size, *value.shape))
    return value if isinstance(value, Tensor) else wrap(value)


def as_list(tensors: Any) -> list:
    if isinstance(tensors, (Tensor, GradientEdge)):
        return [tensors]
    return list(tensors) if tensors is not None else []


def retain(retain_graph: bool | None, create_graph: bool) -> bool:
    return create_graph if retain_graph is None else retain_graph


def level_of(roots: list) -> int:
    return max((r._level if isinstance(r, Tensor) else r.node.level for r in roots), default=0)


def target_edge(t: Any) -> tuple:
    """The edge whose gradient is wanted for an input."""
    if isinstance(t, GradientEdge):
        if isinstance(t.node, AccumulateGrad):
            return t.node.variable, 0
        return t.node, ~t.output_nr if t.node.several else t.output_nr
    if not isinstance(t, Tensor):
        raise TypeError(f"inputs: expected tensors or GradientEdges, got {type(t).__name__}")
    if t._flags & CARE:
        settle(t)
    if not t._flags & GRAD:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return edge_of(t)


def edge_of_root(root: Any) -> tuple:
    return target_edge(root) if isinstance(root, GradientEdge) else edge_of(root)


def checked_cotangents(roots: list, given: Any, what: str) -> list:
    """One cotangent per root, checked; None where it is implicitly one."""
    cotangents = [None] * len(roots) if given is None else as_list(given)
    if len(cotangents) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(cotangents)} gradients")
    for i, (root, cotangent) in enumerate(zip(roots, cotangents, strict=True)):
        if isinstance(root, Tensor):
            check_root(root, i)
            check_cotangent(root, cotangent, i)
    return cotangents


def check_root(root: Tensor, i: int) -> None:
    if root._flags & CARE:
        settle(root)
    if not root._flags & GRAD:
        raise RuntimeError(
            f"element {i} of tensors does not require grad and does not have a grad_fn: nothing it was computed from "
            "requires grad, or it was computed under no_grad() or detached"
        )


def check_cotangent(root: Any, cotangent: Any, i: int) -> None:
    shape = tuple(root._data.shape)
    if cotangent is None:
        if root.numel() != 1:
            raise RuntimeError(
                f"grad can be implicitly created only for scalar outputs, but output {i} has shape {list(shape)}; pass "
                "its gradient, or reduce it (for example by .sum())"
            )
        if dtype_of(root._data).is_complex:
            raise RuntimeError(
                "grad can be implicitly created only for real scalar outputs but got torch." + dtype_of(root._data).name
            )
        return
    if not isinstance(cotangent, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(cotangent).__name__}")
    if tuple(cotangent._data.shape) != shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{i}] has a shape of torch.Size({list(cotangent._data.shape)}) and "
            f"output[{i}] has a shape of torch.Size({list(shape)})."
        )


def start(roots: list, given: list, work: Pass) -> list:
    """The engine's roots: (node or leaf, output number, cotangent)."""
    return [(*edge_of_root(r), first_cotangent(r, g, work)) for r, g in zip(roots, given, strict=True)]


def first_cotangent(root: Any, cotangent: Any, work: Pass) -> Any:
    if cotangent is None:
        data = root._data
        one = ones(data.shape, data.dtype) if type(data) is ndarray else values.ones_like(data)
        return wrap(one) if work.create else one
    dtype = dtype_of(root._data) if isinstance(root, Tensor) else None
    if dtype is not None and dtype_of(cotangent._data) is not dtype:
        cotangent = values.cast(cotangent, dtype)
    if work.create or cotangent._level != work.level:
        return cotangent
    return cotangent._data


def found_gradient(work: Pass, edge: tuple, tensor: Any, may_miss: Any, zeros: bool) -> Any:
    found = work.found.get(edge)
    if found is not None:
        return found if isinstance(found, Tensor) else wrap(found)
    if zeros:
        return wrap(values.zeros_like(tensor._data))
    if not may_miss:
        raise unused_error()
    return None


def unused_error() -> RuntimeError:
    return RuntimeError(
        "One of the differentiated Tensors appears to not have been used in the graph. Set allow_unused=True if this is "
        "the desired behavior."
    )
