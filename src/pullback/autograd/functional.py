"""``torch.autograd.functional``: Jacobians, Hessians and their products with vectors, by the recorded graph.

A product with a Jacobian from the right is a pass over a pass: pulling a cotangent ``w`` back is linear in ``w``, and its
own pullback, taken at any ``w``, is the Jacobian itself. Inputs and results are tensors or tuples of tensors; what is
returned has the structure of what was given.
"""

from collections.abc import Callable
from typing import Any

from ..func.jacobians import basis, jacfwd
from ..interpreters.dispatch import current_level
from ..tape.backward import grad
from ..tape.modes import enable_grad
from ..tape.value import Tensor, at_level
from ..tape.views import seen_at
from ..tensor import functions

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

OUTPUTS = "outputs of the user-provided function"


def vjp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """The value of ``func(*inputs)``, and the product of the vector ``v`` with its Jacobian.

    Args:
        func: a function of tensors that returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors.
        v: of the structure and shapes of the output; may be omitted for an output of one element.
        create_graph: let the results be differentiable with respect to the inputs.
        strict: raise where an output does not depend on an input, rather than give zeros.

    Returns:
        ``(output, product)``, the product being of the inputs' structure.

    Raises:
        TypeError: an input, an output or ``v`` is no tensor and no tuple of tensors.
        RuntimeError: ``v`` does not fit, or an independence that ``strict`` forbids.

    >>> import pullback as torch
    >>> torch.autograd.functional.vjp(lambda x: x**2, torch.tensor([1.0, 2.0]), torch.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    graph = Graph("vjp", func, inputs, create_graph, strict)
    cotangents = graph.vector(v, graph.outputs, "user-provided function returns")
    return graph.value(), graph.result(graph.pull(graph.outputs, cotangents), graph.in_tuple)


def jvp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """The value of ``func(*inputs)``, and the product of its Jacobian with the vector ``v``.

    It runs backwards twice, and needs no forward-mode rules; :func:`pullback.func.jvp` is faster.

    Args:
        v: of the structure and shapes of the inputs; may be omitted for an input of one element. Other arguments and
            errors as in :func:`vjp`.

    Returns:
        ``(output, product)``, the product being of the output's structure.

    >>> import pullback as torch
    >>> torch.autograd.functional.jvp(lambda x: x.sum(), torch.tensor([1.0, 2.0]), torch.tensor([1.0, 10.0]))
    (tensor(3.), tensor(11.))
    """
    graph = Graph("jvp", func, inputs, create_graph, strict)
    tangents = graph.vector(v, graph.inputs)
    return graph.value(), graph.result(graph.push(graph.outputs, tangents), graph.out_tuple)


def vhp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """The value of a scalar function, and the product of the vector ``v`` with its Hessian; arguments as in :func:`jvp`.

    >>> import pullback as torch
    >>> torch.autograd.functional.vhp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    graph = Graph("vhp", func, inputs, create_graph, strict)
    vector = graph.vector(v, graph.inputs)
    return graph.value(), graph.result(graph.pull(graph.gradients(), vector), graph.in_tuple)


def hvp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple:
    """The value of a scalar function, and the product of its Hessian with the vector ``v``; arguments as in :func:`jvp`.

    Where the Hessian is symmetric it is what :func:`vhp` gives, which is faster.

    >>> import pullback as torch
    >>> torch.autograd.functional.hvp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    graph = Graph("hvp", func, inputs, create_graph, strict)
    vector = graph.vector(v, graph.inputs)
    return graph.value(), graph.result(graph.push(graph.gradients(), vector), graph.in_tuple)


def jacobian(
    func: Callable,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of ``func`` at ``inputs``.

    Args:
        func, inputs, create_graph, strict: as in :func:`vjp`.
        vectorize: compute all rows (or columns) at once, by ``vmap``, rather than one after the other.
        strategy: ``"reverse-mode"``, or ``"forward-mode"``, for functions with more outputs than inputs, which needs
            ``vectorize``.

    Returns:
        A tensor of the shape ``output.shape + input.shape``; for several outputs a tuple of what one has, which for
        several inputs is a tuple of tensors.

    Raises:
        AssertionError, NotImplementedError, RuntimeError: an unknown strategy, or options that exclude each other.
        TypeError, RuntimeError: as in :func:`vjp`.

    >>> import pullback as torch
    >>> torch.autograd.functional.jacobian(lambda x: x.prod() * x, torch.tensor([2.0, 3.0]))
    tensor([[12.,  4.],
            [ 9., 12.]])
    """
    check_options("jacobian", strategy, strict, vectorize)
    if strategy == "forward-mode":
        return forward_jacobian("jacobian", func, inputs, create_graph)
    graph = Graph("jacobian", func, inputs, create_graph, strict)
    return structured(graph.jacobian(graph.outputs, vectorize), graph.out_tuple)


def hessian(
    func: Callable,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a scalar function at ``inputs``: the Jacobian of its gradient.

    Args and errors: as in :func:`jacobian`, whose ``strategy`` for the outer derivative is ``outer_jacobian_strategy``.

    Returns:
        A tensor of the shape ``input.shape + input.shape``; for several inputs a tuple of tuples of tensors.

    >>> import pullback as torch
    >>> torch.autograd.functional.hessian(lambda x: x.prod() ** 2, torch.tensor([2.0, 3.0]))
    tensor([[18., 24.],
            [24.,  8.]])
    """
    check_options("hessian", outer_jacobian_strategy, strict, vectorize)
    if outer_jacobian_strategy == "forward-mode":

        def gradient(*xs: Any) -> Any:
            graph = Graph("hessian", func, tuple([leaf_over(x) for x in xs]), True, False)
            return structured(graph.gradients(), isinstance(inputs, tuple))

        return forward_jacobian("hessian", gradient, inputs, create_graph)
    graph = Graph("hessian", func, inputs, create_graph, strict)
    return structured(graph.jacobian(graph.gradients(), vectorize), graph.in_tuple)


class Graph:
    """A function's run, recorded: its inputs, cut off the caller's graph or tied to it, and its outputs."""

    def __init__(self, name: str, func: Callable, inputs: Any, create: bool, strict: bool) -> None:
        self.name, self.strict, self.strictly_twice = name, strict, strict and create
        self.create = create or current_level() > 0  # whoever transforms the caller may want to differentiate
        with enable_grad():
            given, self.in_tuple = tensors_of(name, inputs, "inputs")
            self.inputs = tuple([x.view_as(x) if self.create and is_variable(x) else leaf_over(x) for x in given])
            self.outputs, self.out_tuple = tensors_of(name, func(*self.inputs), OUTPUTS)
        for i, out in enumerate(self.outputs):
            if strict and not out.requires_grad:
                raise RuntimeError(
                    f"Output {i} of the user-provided function does not require gradients: in strict mode it must be "
                    "computed from the inputs, by differentiable operations"
                )

    def vector(self, v: Any, like: tuple, when: str = "input to the user-provided function is") -> tuple:
        """The vector of a product, checked against the tensors that it must look like."""
        if v is None:
            if len(like) != 1 or like[0].numel() != 1:
                raise RuntimeError(
                    f"The vector v can only be None if the {when} a single Tensor with a single element."
                )
            return (like[0].new_ones(like[0].shape),)
        found = tensors_of(self.name, v, "v")[0]
        if len(found) != len(like):
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(found)}.")
        for i, (given, other) in enumerate(zip(found, like, strict=True)):
            if given.shape != other.shape:
                which = f"Entry {i} in v" if len(like) > 1 else "v"
                raise RuntimeError(f"{which} has invalid size: should be {other.shape} but got {given.shape}.")
        return tuple([given.detach() for given in found])

    def gradients(self) -> tuple:
        """The gradient of the function, which must be a scalar, as outputs to be differentiated again."""
        found = gradients_of(self.name, self.outputs, self.out_tuple, self.inputs)
        for i, g in enumerate(found if self.strict else ()):
            if g is None:
                raise independent("The output", i)
            if not g.requires_grad:
                raise RuntimeError(
                    "While computing the hessian, found that the jacobian of the user-provided function with respect to "
                    f"input {i} is independent of the input. This is not allowed in strict mode: it must be twice "
                    "differentiable, and not be linear in that input"
                )
        return filled(found, self.inputs)

    @enable_grad()
    def pull(self, outputs: tuple, cotangents: tuple) -> tuple:
        """The product of cotangents with the Jacobian of ``outputs``."""
        found = derivative(outputs, self.inputs, cotangents, self.create)
        return self.checked(found, self.inputs, outputs, "The output")

    @enable_grad()
    def push(self, outputs: tuple, tangents: tuple) -> tuple:
        """The product of the Jacobian of ``outputs`` with tangents: the pullback of the pullback."""
        at = tuple([leaf_over(out.new_ones(out.shape)) for out in outputs])
        pulled = derivative(outputs, self.inputs, at, True)
        if self.strict and outputs is self.outputs and None in pulled:
            raise independent("The output", pulled.index(None))
        kept = [(p, t) for p, t in zip(pulled, tangents, strict=True) if p is not None]
        found = derivative([p for p, _ in kept], at, [t for _, t in kept], self.create)
        return self.checked(found, outputs, outputs)

    def jacobian(self, outputs: tuple, vectorize: bool) -> tuple:
        """The Jacobian: for each of ``outputs`` what the caller gets."""
        return tuple([self.row(outputs, i, vectorize) for i in range(len(outputs))])

    @enable_grad()
    def row(self, outputs: tuple, i: int, vectorize: bool) -> Any:
        out = outputs[i]
        found = all_at_once(out, self.inputs, self.create) if vectorize else one_by_one(out, self.inputs, self.create)
        self.checked(found, self.inputs, outputs, f"Output {i}")
        shapes = [(*out.shape, *x.shape) for x in self.inputs]
        blocks = [
            x.new_zeros(shape) if g is None else g.reshape(shape)
            for g, x, shape in zip(found, self.inputs, shapes, strict=True)
        ]
        return self.result(blocks, self.in_tuple)

    def checked(self, found: tuple, like: tuple, outputs: tuple, what: str = "") -> tuple:
        """Gradients, with zeros where there is none, unless strict mode forbids it."""
        order = "jacobian" if outputs is self.outputs else "hessian"
        for i, g in enumerate(found if self.strict else ()):
            if g is None and what and (order == "jacobian" or what != "The output"):
                raise independent(what, i)
            if self.strictly_twice and not (g is not None and g.requires_grad):
                raise independent(f"The {order}", i, " when create_graph=True")
        return filled(found, like)

    def value(self) -> Any:
        """The function's value, as the caller gets it."""
        return self.result(self.outputs, self.out_tuple)

    def result(self, found: Any, as_tuple: bool) -> Any:
        """Tensors as the caller gets them."""
        return structured(found if self.create else [t.detach() for t in found], as_tuple)


def independent(what: str, i: int, when: str = "") -> RuntimeError:
    return RuntimeError(
        f"{what} of the user-provided function is independent of input {i}. This is not allowed in strict mode{when}."
    )


def tensors_of(name: str, given: Any, what: str) -> tuple[tuple, bool]:
    """A tuple of the tensors given, and whether it was one already."""
    each = given if isinstance(given, tuple) else (given,)
    for i, tensor in enumerate(each):
        if not isinstance(tensor, Tensor):
            place = f"value at index {i}" if isinstance(given, tuple) else f"given {what}"
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the {place} has type "
                f"{type(tensor)}."
            )
    return each, isinstance(given, tuple)


def structured(found: Any, as_tuple: bool) -> Any:
    return tuple(found) if as_tuple else found[0]


def is_variable(x: Any) -> bool:
    """Whether operations on a tensor are recorded here and now: those of an outer transform would be on another tape."""
    return x.requires_grad and x._level == current_level()


def leaf_over(x: Any) -> Any:
    """A leaf that has a tensor's value, on the tape of the innermost transform."""
    level = current_level()
    leaf: Any = at_level(seen_at(x, level), level) if level else x.detach()
    return leaf.requires_grad_()


def derivative(outputs: Any, inputs: tuple, cotangents: Any, create: bool, batched: bool = False) -> tuple:
    """What the cotangents of the outputs are pulled back to; None for inputs that no output depends on."""
    pairs = [(out, c) for out, c in zip(outputs, cotangents, strict=True) if out.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    roots, given = zip(*pairs, strict=True)
    return grad(roots, inputs, given, True, create, allow_unused=True, is_grads_batched=batched)


def filled(found: tuple, like: tuple) -> tuple:
    return tuple([x.new_zeros(x.shape) if g is None else g for g, x in zip(found, like, strict=True)])


def all_at_once(out: Any, inputs: tuple, create: bool) -> tuple:
    """The rows of a Jacobian, one for each element of the output, by one batched pass."""
    return derivative([out], inputs, [basis(out)], create, batched=True)


def one_by_one(out: Any, inputs: tuple, create: bool) -> tuple:
    """As :func:`all_at_once`, by one pass a row, which any backward function can run."""
    rows = []
    for i in range(out.numel() if out.requires_grad else 0):
        cotangent = out.new_zeros(out.numel())
        cotangent[i] = 1
        rows.append(derivative([out], inputs, [cotangent.reshape(out.shape)], create))
    columns = list(zip(*rows, strict=True)) or [(None,)] * len(inputs)
    return tuple([None if column[0] is None else functions["stack"](column) for column in columns])


@enable_grad()
def gradients_of(name: str, outputs: tuple, is_tuple: bool, inputs: tuple) -> tuple:
    """The gradients of a scalar function's output, which are differentiable again."""
    if is_tuple:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if outputs[0].numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {name} should contain a single element, but has shape "
            f"{list(outputs[0].shape)}"
        )
    return derivative(outputs, inputs, [None], True)


def check_options(name: str, strategy: str, strict: bool, vectorize: bool) -> None:
    """Raise for options that exclude each other, before anything is computed."""
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            f'Expected strategy to be either "forward-mode" or "reverse-mode", got {strategy!r}. Forward mode is for '
            "functions with more outputs than inputs"
        )
    prefix = f"torch.autograd.functional.{name}: "
    if strategy == "forward-mode" and strict:
        raise RuntimeError(f'{prefix}`strict=True` and `strategy="forward-mode"` are not supported together')
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(f'{prefix}`strategy="forward-mode"` is only implemented for `vectorize=True`')
    if strict and vectorize:
        raise RuntimeError(
            f"{prefix}`strict=True` and `vectorized=True` are not supported together. Set one of them to False"
        )


def forward_jacobian(name: str, func: Callable, inputs: Any, create: bool) -> Any:
    """The Jacobian by forward mode, all columns at once; tied to the caller's graph where the inputs are."""
    given, in_tuple = tensors_of(name, inputs, "inputs")
    seen: list[bool] = []

    def of_each(*xs: Any) -> tuple:
        outputs, as_tuple = tensors_of(name, func(*xs), OUTPUTS)
        seen.append(as_tuple)
        return outputs

    with enable_grad():
        inner = tuple([x if x.requires_grad or not create else leaf_over(x) for x in given])
        rows = jacfwd(of_each, tuple(range(len(inner))))(*inner)
    return structured([structured(row, in_tuple) for row in rows], seen[0])
