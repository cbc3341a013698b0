"""Custom functions: an operation whose forward and derivative rules a user writes.

Responsible for what a user writes against: :class:`Function` and the ``ctx`` that its methods are given, which is the
graph's node itself, as in PyTorch. How a call goes through the tape and the transforms is in ``custom.py``.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from .. import tree
from ..ops.table import Op
from ..tape.forward import with_tangents
from ..tape.graph import Freed, Node, saved_values, with_history
from ..tape.record import differentiable
from ..tape.value import Tensor, wrap


class FunctionCtx:
    """What the methods of a :class:`Function` are given to carry values from the forward to the derivative."""

    to_save: tuple = ()
    saved_for_forward: tuple | None = None
    dirty_tensors: tuple = ()
    non_differentiable: tuple = ()
    materialize_grads = True
    needs_input_grad: tuple = ()
    grad_dtypes: dict[int, Any] = {}  # noqa: RUF012  (replaced, never changed)

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for the backward pass: they are checked for writes, freed with the graph, and keep their history.

        Args:
            tensors: tensors or None; read them back from ``ctx.saved_tensors``.

        Raises:
            TypeError: a value is neither a tensor nor None; keep such values as attributes of ``ctx``.
        """
        check_tensors("save_for_backward", tensors)
        self.to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors for ``jvp``, which finds them in ``ctx.saved_tensors``."""
        check_tensors("save_for_forward", tensors)
        self.saved_for_forward = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        """Say that the forward wrote these inputs in place; each must be returned."""
        self.dirty_tensors = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say that these outputs have no derivative; ``backward`` is given zeros for them."""
        self.non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether gradients and tangents that are not there are given as zeros (the default) or as None."""
        self.materialize_grads = value

    def set_output_grad_dtype(self, index: int, dtype: Any) -> None:
        """Have ``backward`` be given the gradient of output ``index`` in ``dtype``."""
        self.grad_dtypes = {**self.grad_dtypes, index: dtype}


def check_tensors(method: str, tensors: tuple) -> None:
    for i, tensor in enumerate(tensors):
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"{method} can only save variables, but argument {i} is of type {type(tensor).__name__}; keep other "
                "values as attributes of ctx"
            )


class BackwardCFunction(Node, FunctionCtx):
    """The node of a call of a :class:`Function`, which is also the ``ctx`` of its methods.

    ``next`` has an edge for each tensor among the arguments, at whatever depth; ``saved`` holds values as every node
    does, and ``origins`` says of each whether it is the input or output of some number, so that its history can be
    found again.
    """

    __slots__ = ()
    op = Op("custom_function(input)", "A call of a custom Function.")
    _special = True  # its pull is the user's code, which must run in the grad mode of the pass
    _forward_cls: type
    origins: tuple = ()
    inputs: tuple = ()  # (shape, dtype) of each tensor among the arguments
    results: tuple = ()  # (shape, dtype) of each tensor among the results
    result_places: tuple = ()  # which leaves of the result they are
    argument_specs: tuple = ()  # per argument: which of its leaves are tensors, and its structure
    output_spec: Any = None
    creating = False  # the pass that runs the node now is itself recorded

    def name(self) -> str:
        """PyTorch's name: that of the class with ``Backward``."""
        return type(self).__name__

    @property
    def saved_names(self) -> tuple:
        return tuple(f"saved tensor {i}" for i in range(len(self.origins)))

    @property
    def saved_tensors(self) -> tuple:
        """What :meth:`save_for_backward` kept (in ``jvp``: what :meth:`save_for_forward` did), with its history."""
        if self.saved_for_forward is not None:
            return self.saved_for_forward
        values = saved_values(self)
        found = tuple([self._revived(v, *o) for v, o in zip(values, self.origins, strict=True)])
        if self.tangents:
            found = tuple(with_tangents(self, found, self.creating))
        if self._forward_cls.clear_saved_tensors_on_access and self.origins:  # type: ignore[attr-defined]
            self.saved = Freed(self.place())
        return found

    saved_variables = saved_tensors

    def _revived(self, value: Any, kind: str, number: int) -> Any:
        if value is None or kind == "other" or (self.level and not self.creating):
            return value if value is None or isinstance(value, Tensor) else wrap(value)
        if kind == "output":
            nr = ~number if self.several else 0
            return with_history(value, self, nr, self.level) if differentiable(value) else wrap(value)
        nr = self.nrs[number] if self.nrs else 0
        return with_history(value, self.next[number], nr, self.level)

    def holds_value(self, name: str) -> bool:
        """All that :meth:`save_for_backward` keeps are tensors."""
        return True

    def pull(self, xp: Any, grad: Any, saved: Any, need: Any) -> tuple:  # type: ignore[override]
        """The gradient of each edge, by the user's ``backward`` or ``vjp``."""
        from .custom import pull_custom

        return pull_custom(self, xp.recorded, grad, need)


class FunctionMeta(type):
    """Gives each :class:`Function` the class of its nodes, called ``<Name>Backward``."""

    def __init__(cls, name: str, bases: tuple, namespace: dict) -> None:
        super().__init__(name, bases, namespace)
        cls._backward_cls = type(f"{name}Backward", (BackwardCFunction,), {"__slots__": (), "_forward_cls": cls})
        cls._backward_cls.__module__ = "torch.autograd.function"


class Function(FunctionCtx, metaclass=FunctionMeta):
    """An operation with derivative rules of its own. Subclass it, define static methods, and call ``apply``.

    ``forward`` is either ``forward(ctx, *args)``, or ``forward(*args)`` beside ``setup_context(ctx, inputs, output)``;
    only the second form works inside function transforms. Arguments may be given by keyword, and arguments and results may be nested structures with tensors in them; a tuple or list of results has one cotangent each.

    - ``backward(ctx, *grads)`` (or ``vjp``) returns a gradient per argument, None for what has none.
    - ``jvp(ctx, *tangents)`` returns a tangent per output. Of ``backward`` and ``jvp`` each is derived from the other
      where only one is there.
    - ``vmap(info, in_dims, *args)`` returns ``(output, out_dims)``. With ``generate_vmap_rule = True`` it is derived
      by running the other methods on batches; with neither, the function is called once per element.

    >>> import pullback as torch
    >>> class Cube(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(x):
    ...         return x**3
    ...
    ...     @staticmethod
    ...     def setup_context(ctx, inputs, output):
    ...         ctx.save_for_backward(*inputs)
    ...
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return grad * 3 * x**2
    >>> torch.func.grad(Cube.apply)(torch.tensor(2.0))
    tensor(12.)
    """

    _backward_cls: type
    generate_vmap_rule = False
    clear_saved_tensors_on_access = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            f"{type(self).__name__} should not be instantiated: methods on autograd functions are all static. Call "
            f"{type(self).__name__}.apply(...)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the output. Must be overridden."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> Any:
        """Keep in ``ctx`` what the derivative will need, where ``forward`` is not given ``ctx``."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Pull cotangents of the outputs back to the arguments."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """Push tangents of the arguments forward to the outputs."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple, *args: Any) -> Any:
        """Compute the outputs of a whole batch, and say along which dimension of each the batch lies."""
        raise NotImplementedError("To use autograd.Function with vmap, you must override the vmap staticmethod.")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        from .custom import apply

        return apply(cls, args, kwargs)


def defines(cls: type, method: str) -> bool:
    """Whether a function overrides one of the base's methods."""
    return getattr(cls, method) is not getattr(Function, method)


def once_differentiable(backward: Callable) -> Callable:
    """Decorator of a ``backward`` that is not differentiable itself: differentiating its results is an error.

    A pass with ``create_graph=True`` gives gradients whose own backward raises, where it would otherwise be silently wrong.
    """

    @wraps(backward)
    def once(ctx: Any, *grads: Any) -> Any:
        from ..tape.modes import no_grad
        from .custom import refuse_history

        with no_grad():
            found = backward(ctx, *grads)
        return tree.map(lambda g: refuse_history(ctx, g), found) if ctx.creating else found

    return once


class InplaceFunction(Function):
    """PyTorch's old base of functions that may write in place."""


class NestedIOFunction(Function):
    """PyTorch's old base of functions with nested arguments and results, which every function may have."""
