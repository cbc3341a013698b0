"""What a tensor says about itself, and its part in the graph: the attributes and methods that are no operations."""

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from numpy import ndarray

from . import dtypes
from .clock import tick
from .interpreters import run
from .ops.table import TABLE
from .tape.backward import backward
from .tape.engine import wait_for
from .tape.hooks import RemovableHandle, add_hook
from .tape.lines import here
from .tape.modes import modes
from .tape.promotion import dtype_of
from .tape.storage import add_versions, apart, version
from .tape.value import ANY, CARE, GRAD, Tensor, new
from .tape.views import keep_grad, link, output_number, renew, settle


class Size(tuple):
    """The shape of a tensor: a tuple that prints as PyTorch's."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements."""
        n = 1
        for size in self:
            n *= size
        return n

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> "Size":
        return Size(tuple.__add__(self, tuple(other)))


def current(tensor: Tensor) -> Tensor:
    """The tensor, with its data up to date: that of a view without memory may not be."""
    if tensor._view is not None and (tensor._level or tensor._view.base._level):
        settle(tensor)
    return tensor


def maker(tensor: Any) -> Any:
    """The node that made a tensor, as its user sees it: None for a leaf."""
    fn = renew(tensor)
    return None if fn is None or fn.is_hidden else fn


NOT_A_LEAF = (
    "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a subgraph that "
    "doesn't require differentiation use var_no_grad = var.detach()."
)


class Attributes:
    """The members that :func:`bind` copies onto :class:`Tensor`."""

    _data: Any
    _flags: int
    _fn: Any
    _view: Any

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return Size(self._data.shape)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._data.ndim

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the elements."""
        return dtype_of(self._data)

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded. Can be set on leaves of a floating or complex dtype."""
        if self._view is not None and (self._fn is None or self._fn.is_hidden):
            return bool((self._flags if self._fn is None else 0) & GRAD or self._view.base._flags & GRAD)
        return bool(self._flags & GRAD)

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self._fn is not None and not self._fn.is_hidden:
            raise RuntimeError(NOT_A_LEAF)
        self.requires_grad_(value)

    def requires_grad_(self: Any, requires_grad: bool = True) -> Any:
        """Set whether operations on this leaf are recorded; returns the tensor.

        Raises:
            RuntimeError: the tensor is no leaf, or its dtype is neither floating nor complex.
        """
        made = None if self._fn is None or self._fn.is_hidden else self._fn
        if not requires_grad:
            if made is not None:
                raise RuntimeError(NOT_A_LEAF)
            if self._flags & GRAD:
                self._why = "requires_grad was set to False", here()
            if self._fn is None:
                self._flags &= ~GRAD
                tell_views(self)
            return self
        if dtype_of(self._data).category < 2:
            raise RuntimeError(
                f"only Tensors of floating point dtype can require gradients, but this one is {dtype_of(self._data)}"
            )
        if self._inference and not modes.inference:
            raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
        if not self._flags & GRAD:
            self._why = "requires_grad was set", here()
        self._flags |= GRAD
        self._fn = made
        tell_views(self)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this tensor."""
        return maker(self) is None

    @property
    def grad_fn(self) -> Any:
        """The graph node that made this tensor, or None for a leaf."""
        return maker(self)

    @property
    def output_nr(self) -> int:
        """Which output of its node this tensor is."""
        return output_number(self)  # type: ignore[arg-type]

    @property
    def grad(self: Any) -> Any:
        """The gradient that backward passes accumulated, or None."""
        if self._grad is None and maker(self) is not None and not self._retains:
            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't "
                "be populated during autograd.backward(). Call .retain_grad() on it first. It was computed at "
                f"{self._fn.line()}",
                UserWarning,
                stacklevel=2,
            )
        return self._grad

    @grad.setter
    def grad(self: Any, value: Any) -> None:
        check_grad(self, value)
        self._grad = value

    @grad.deleter
    def grad(self: Any) -> None:
        self._grad = None

    @property
    def grad_dtype(self: Any) -> Any:
        """The dtype of this leaf's ``.grad``, to which gradients are cast: by default its own; None for any dtype."""
        if maker(self) is not None:
            raise RuntimeError("grad_dtype can only be accessed on leaf tensors.")
        own = dtype_of(self._data)
        return own if self._grad_dtype is None else None if self._grad_dtype is ANY else self._grad_dtype

    @grad_dtype.setter
    def grad_dtype(self: Any, value: Any) -> None:
        if maker(self) is not None:
            raise RuntimeError("grad_dtype can only be set on leaf tensors.")
        if value is not None and not isinstance(value, dtypes.dtype):
            raise RuntimeError(f"grad_dtype must be a torch.dtype or None, but got {type(value).__name__}")
        if value is not None and self._grad is not None and dtype_of(self._grad._data) is not value:
            raise RuntimeError(
                f"Cannot set grad_dtype to '{value}' because there is already a gradient with dtype "
                f"'{dtype_of(self._grad._data)}'. Please clear the gradient (.grad = None) before changing grad_dtype, or "
                "ensure the new grad_dtype matches the existing gradient's dtype."
            )
        self._grad_dtype = ANY if value is None else value

    @property
    def _backward_hooks(self: Any) -> Any:
        """The hooks of :meth:`register_hook`, by their handles' numbers, or None."""
        return self._hooks if self._fn is None else (self._fn.hooks or {}).get(output_number(self))

    def backward(
        self: Any,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add this tensor's gradients to the ``.grad`` of the leaves it was computed from; see
        :func:`pullback.autograd.backward`."""
        backward(self, gradient, retain_graph, create_graph, None, inputs)

    def retain_grad(self: Any) -> None:
        """Keep this non-leaf's gradient in its ``.grad`` in later backward passes."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        node, view = self._fn, self._view
        if (node is not None and not node.is_hidden) or (view is not None and view.recorded):
            node = maker(self)
        if node is not None and not node.is_hidden and not self._retains:
            keep_grad(self)

    @property
    def retains_grad(self) -> bool:
        """Whether :meth:`retain_grad` was called on this non-leaf."""
        return self._retains  # type: ignore[attr-defined]

    def register_hook(self: Any, hook: Callable) -> RemovableHandle:
        """Call ``hook(grad)`` when this tensor's gradient is computed; what it returns, if not None, replaces it."""
        node = maker(self)
        if not self._flags & GRAD:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if node is None:
            if self._hooks is None:
                self._hooks = OrderedDict()
            wait_for(self)
            return add_hook(self._hooks, hook)
        if node.hooks is None:
            node.hooks = {}
        node.watch()
        return add_hook(node.hooks.setdefault(output_number(self), OrderedDict()), hook)

    def register_post_accumulate_grad_hook(self: Any, hook: Callable) -> RemovableHandle:
        """Call ``hook(tensor)`` after a gradient was added to this leaf's ``.grad``."""
        node = maker(self)
        if not self._flags & GRAD:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if node is not None:
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        if self._post_hooks is None:
            self._post_hooks = OrderedDict()
        wait_for(self)
        return add_hook(self._post_hooks, hook)

    def detach(self: Any) -> Tensor:
        """A tensor with the same memory and no history, in any transform."""
        current(self)
        if self._level:
            out = run(TABLE["detach"], (self,))
            if out._level == self._level and type(out._data) is not ndarray:  # no memory that both could share
                out = link(self, (TABLE["detach"], (), 0), out)
        else:
            out = new(Tensor)
            out._data, out._flags, out._fn = self._data, 0, None
        family = self._family if self._view is None else self._view.family
        if family is not None or self._kin is not None:
            out._kin = family or self._kin
        if self._inference:
            out._inference, out._unguarded, out._flags = True, True, CARE
        out._why = ("detach() was called", here()) if self._flags & GRAD else self._why
        return out

    def detach_(self: Any) -> Any:
        """Drop this tensor's history in place. Its hooks stay, for the old history and for what comes."""
        if is_seen_from(self):
            raise RuntimeError("Can't detach views in-place. Use detach() instead.")
        node = self._fn
        if node is not None and node.hooks and output_number(self) in node.hooks:
            self._hooks = node.hooks[output_number(self)]
            wait_for(self)
        for each in [self] if self._view is None else [self, self._view.base]:
            each._fn, each._flags, each._nr = None, each._flags & ~GRAD, 0
            tell_views(each)
        self._why = "detach_() was called", here()
        return self

    @property
    def data(self: Any) -> Tensor:
        """A detached tensor with the same memory, writes through which are not noticed by the graph."""
        out = Attributes.detach(self)
        if self._flags & GRAD:
            out._why = ".data was read", out._why[1]
        if type(out._data) is ndarray:
            out._data, out._kin = apart(out._data), None
        return out

    @data.setter
    def data(self: Any, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self._flags & GRAD and dtype_of(value._data).category < 2:
            raise RuntimeError(
                "data set to a tensor that requires gradients must be floating point or complex dtype, but this one is "
                f"{dtype_of(value._data)}"
            )
        count, data = version(self._data), value._data
        self._data, self._level = apart(data) if type(data) is ndarray else data, value._level
        if count:
            add_versions(self._data, count)

    def is_inference(self: Any) -> bool:
        """Whether this tensor was made in inference mode."""
        return self._inference

    @property
    def _version(self: Any) -> int:
        if self._inference:
            raise RuntimeError("Inference tensors do not track version counter. Make a clone() to get a normal tensor.")
        return version(self._data)

    @property
    def _base(self: Any) -> Any:
        return self._view.base if is_seen_from(self) else None

    def _is_view(self: Any) -> bool:
        return is_seen_from(self) and not self._inference

    def numel(self) -> int:
        """The number of elements."""
        n = 1
        for size in self._data.shape:
            n *= size
        return n

    nelement = numel

    def dim(self) -> int:
        """The number of dimensions."""
        return self._data.ndim

    ndimension = dim

    def size(self: Any, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        if dim is None:
            return Size(self._data.shape)
        ndim = self._data.ndim
        if not -max(ndim, 1) <= dim < max(ndim, 1) or not ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-max(ndim, 1)}, {max(ndim, 1) - 1}], but got {dim})"
            )
        return self._data.shape[dim]

    def __len__(self) -> int:
        if not self._data.ndim:
            raise TypeError("len() of a 0-d tensor")
        return self._data.shape[0]


def is_seen_from(tensor: Any) -> bool:
    """Whether a tensor is a view of another that its users know."""
    return tensor._view is not None and not tensor._view.in_place


def tell_views(tensor: Any) -> None:
    """Let a tensor's views see that it changed whether it requires grad."""
    if tensor._family is not None:
        tensor._family.epoch = tick()


def check_grad(tensor: Any, value: Any) -> None:
    """Raise PyTorch's error where ``value`` cannot be the tensor's ``.grad``."""
    if value is None:
        return
    if not isinstance(value, Tensor):
        raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}")
    if value is tensor:
        raise RuntimeError("can't assign Variable as its own grad")
    if tuple(value._data.shape) != tuple(tensor._data.shape):
        raise RuntimeError(
            f"attempting to assign a gradient of size '{list(value._data.shape)}' to a tensor of size "
            f"'{list(tensor._data.shape)}'. Please ensure that the gradient and the tensor are the same size"
        )
    expected = tensor._grad_dtype or dtype_of(tensor._data)
    if dtype_of(value._data) is not expected and expected is not ANY:
        raise RuntimeError(
            f"attempting to assign a gradient with dtype '{dtype_of(value._data)}' to a tensor with grad_dtype "
            f"'{expected}'. The gradient must match the tensor's grad_dtype (by default the tensor's dtype); set "
            "tensor.grad_dtype to that dtype, or to None to allow any."
        )


def bind() -> None:
    """Copy the members of :class:`Attributes` onto the tensor."""
    for name, member in vars(Attributes).items():
        if name not in ("__dict__", "__weakref__", "__doc__", "__module__", "__annotations__"):
            setattr(Tensor, name, member)


bind()
