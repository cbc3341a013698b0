"""``backward`` and ``grad``: checking what was asked, and handing it to the engine."""

import warnings
from typing import Any, NamedTuple

from numpy import ndarray, ones, ones_like

from ..dtypes import float32
from ..interpreters import values
from .engine import Pass, edge_of, own_memory
from .graph import AccumulateGrad, Node, as_node
from .promotion import dtype_of
from .reasons import no_history, use_of
from .value import CARE, GRAD, Tensor, is_dual, wrap
from .views import renew


class _Edge(NamedTuple):
    node: Any
    output_nr: int
    ownership_token: Any = None  # PyTorch's, for nodes of compiled graphs; None here


class GradientEdge(_Edge):
    """A place in a graph, output ``output_nr`` of ``node``: for :func:`backward` and :func:`grad` as good as the tensor."""

    like: Any = None  # the tensor's shape and dtype, where it was known


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Where a tensor's gradient arrives in the graph; it stays valid when the tensor is deleted.

    Raises:
        RuntimeError: the tensor does not require grad.

    >>> import pullback as torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> y = x * x
    >>> loss, edge = y.sum(), torch.autograd.graph.get_gradient_edge(y)
    >>> del y
    >>> torch.autograd.grad(loss, edge)
    (tensor([1., 1.]),)
    """
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    target, nr = edge_of(tensor)
    edge = GradientEdge(as_node(target), ~nr if nr else 0)
    edge.like = tuple(tensor._data.shape), dtype_of(tensor._data)
    return edge


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
    if grad_variables is not None:
        warnings.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2)
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. Please only use "
                "`grad_tensors`."
            )
        grad_tensors = grad_variables
    roots = as_list(tensors)
    given = checked_cotangents(roots, grad_tensors)
    kept = [] if inputs is None else checked_inputs(inputs, "backward")
    targets = None if inputs is None else {target_edge(t, keep=True) for t in kept}
    for t in kept:
        if isinstance(t, Tensor):
            t.retain_grad()  # type: ignore[attr-defined]
    work = Pass(level_of(roots), create_graph, retain(retain_graph, create_graph), targets, True)
    work.run(start(roots, given, work))


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
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for other "
            "parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    roots, wanted = as_list(outputs), checked_inputs(inputs, "grad")
    edges = [target_edge(t) for t in wanted]
    given = checked_cotangents(roots, grad_outputs, int(is_grads_batched))
    work = Pass(level_of(roots), create_graph, retain(retain_graph, create_graph), set(edges), False)
    if is_grads_batched:
        found = run_batched(work, roots, given, edges)
    else:
        work.run(start(roots, given, work))
        found = [work.found.get(edge) for edge in edges]
    may_miss = bool(allow_unused or materialize_grads)
    return tuple(
        [
            filled(g, t, i, may_miss, materialize_grads, create_graph)
            for i, (g, t) in enumerate(zip(found, wanted, strict=True))
        ]
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
        one = ones_like(data)
        one.flags.writeable = False
        _units[data.dtype] = one
    return one


def run_batched(work: Pass, roots: list, given: list, edges: list) -> list:
    """The gradients at ``edges`` for a batch of cotangents, in one pass: its values are batched."""
    from ..interpreters.batched import Batched
    from ..interpreters.dispatch import new_level

    sizes = [g._data.shape[0] for g in given if g is not None]
    if len(set(sizes)) != 1:
        raise ValueError(
            "vmap: is_grads_batched=True: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    with new_level() as level:
        work.xp = values
        work.run(start(roots, [None if g is None else Batched(g, level) for g in given], work))
        found = [work.found.get(edge) for edge in edges]
        return [None if g is None else unbatched(g, level, sizes[0]) for g in found]


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


def checked_inputs(inputs: Any, what: str) -> list:
    wanted = as_list(inputs)
    if not wanted:
        raise RuntimeError(f"`inputs` argument to `{what}()` cannot be empty.")
    for t in wanted:
        if not isinstance(t, (Tensor, GradientEdge)):
            raise RuntimeError(f"all inputs have to be Tensors or GradientEdges, but got {type(t).__name__}")
    return wanted


def target_edge(t: Any, keep: bool = False) -> tuple:
    """The edge by which the gradient of an input arrives; ``keep``: a non-leaf shall retain it."""
    if isinstance(t, GradientEdge):
        return edge_of_place(t.node, t.output_nr)
    if t._flags & CARE:
        renew(t)
    if not t._flags & GRAD:
        raise RuntimeError(
            "can't retain_grad on Tensor that has requires_grad=False"
            if keep
            else f"One of the differentiated Tensors does not require grad: {no_history(t)}"
        )
    if t._fn is not None and t._fn.is_hidden:  # no gradient gets there
        return t, 0
    return edge_of(t)


def edge_of_place(node: Any, nr: int) -> tuple:
    if not isinstance(node, Node):
        raise RuntimeError(f"GradientEdge's first object must be an autograd.graph.Node but got {type(node).__name__}")
    if not 0 <= nr < node.outputs:
        raise RuntimeError(f"GradientEdge: {node.name()} has {node.outputs} output(s), but output_nr is {nr}")
    if isinstance(node, AccumulateGrad) and node.variable is not None:
        return node.variable, 0
    return node, ~nr if node.several else nr


def checked_cotangents(roots: list, given: Any, batch_dims: int = 0) -> list:
    """One cotangent per root, checked; None where it is implicitly one."""
    cotangents = [None] * len(roots) if given is None else as_list(given)
    if len(cotangents) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(cotangents)} gradients")
    for i, (root, cotangent) in enumerate(zip(roots, cotangents, strict=True)):
        check_root(root, i)
        if cotangent is None:
            check_scalar(root, i)
        elif not isinstance(cotangent, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(cotangent).__name__}")
        elif shape_and_dtype(root) is not None:
            cotangents[i] = checked_cotangent(root, cotangent, i, batch_dims)
    return cotangents


def shape_and_dtype(root: Any) -> Any:
    """A root's shape and dtype; None for a GradientEdge that was made by hand."""
    return (tuple(root._data.shape), dtype_of(root._data)) if isinstance(root, Tensor) else root.like


def check_root(root: Any, i: int) -> None:
    if isinstance(root, GradientEdge):
        edge_of_place(root.node, root.output_nr)
        return
    if not isinstance(root, Tensor):
        raise TypeError(f"Expected output to be a torch.Tensor or a GradientEdge, but got {type(root).__name__}")
    if root._flags & CARE:
        renew(root)
    if not root._flags & GRAD or (root._fn is not None and root._fn.is_hidden):
        raise RuntimeError(
            f"element {i} of tensors does not require grad and does not have a grad_fn: {no_history(root)}"
        )


def check_scalar(root: Any, i: int) -> None:
    """Only a real root of one element needs no cotangent."""
    shape, dtype = shape_and_dtype(root) or (("unknown",), float32)
    if any(n != 1 for n in shape):
        raise RuntimeError(
            f"grad can be implicitly created only for scalar outputs, but output {i} has shape {list(shape)}; pass its "
            "gradient, or reduce it (for example by .sum())"
        )
    if dtype.is_complex:
        raise RuntimeError(f"grad can be implicitly created only for real scalar outputs but got {dtype}")


def checked_cotangent(root: Any, cotangent: Tensor, i: int, batch_dims: int) -> Tensor:
    """A cotangent of its root's shape, cast to its dtype."""
    shape, dtype = shape_and_dtype(root)
    found, kind = tuple(cotangent._data.shape), dtype_of(cotangent._data)
    if found[batch_dims:] != shape or len(found) < batch_dims:
        batched = (
            "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch dimension. The "
            "sizes of the remaining dimensions are expected to match the shape of corresponding output. "
        )
        raise RuntimeError(
            f"{batched if batch_dims else ''}Mismatch in shape: grad_output[{i}] has a shape of torch.Size({list(found)}) "
            f"and output[{i}] has a shape of torch.Size({list(shape)})."
        )
    if kind is not dtype and (kind.is_complex or dtype.is_complex):
        raise RuntimeError(
            "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype: "
            f"grad_output[{i}] has a dtype of {kind} and output[{i}] has a dtype of {dtype}."
        )
    return cotangent if kind is dtype else values.cast(cotangent, dtype)


def start(roots: list, given: list, work: Pass) -> list:
    """The engine's roots: (node or leaf, output number, cotangent)."""
    return [(*target_edge(r), first_cotangent(r, g, work)) for r, g in zip(roots, given, strict=True)]


def first_cotangent(root: Any, cotangent: Any, work: Pass) -> Any:
    if cotangent is None:
        data = root._data if isinstance(root, Tensor) else ones(root.like[0], root.like[1].numpy)
        one = ones(data.shape, data.dtype) if type(data) is ndarray else values.ones_like(data)
        return wrap(one) if work.create else one
    if work.create or not isinstance(cotangent, Tensor) or cotangent._level != work.level or is_dual(cotangent):
        return cotangent
    return cotangent._data


def filled(found: Any, target: Any, i: int, may_miss: bool, zeros: bool, create: bool) -> Any:
    """A gradient that was found; for one that was not, zeros, None or an error."""
    if found is not None:
        return own_memory(found)
    if zeros:
        if isinstance(target, GradientEdge):
            raise RuntimeError("materialize_grads cannot be used when the given input is a GradientEdge")
        zero = wrap(values.zeros_like(target._data))
        zero._flags |= GRAD if create else 0
        return zero
    if not may_miss:
        use = f" In fact {use_of(target)}." if isinstance(target, Tensor) else ""
        raise RuntimeError(
            f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set allow_unused=True if "
            f"this is the desired behavior.{use}"
        )
    return None
