"""Parameter and Buffer: tensors that a module registers as its own when they are assigned to it."""

from typing import Any

from numpy import empty

from ..dtypes import get_default_dtype
from ..overrides import _disabled_torch_function_impl
from ..tape.value import GRAD, Tensor, admit, known, new, wrap


class Registered(type):
    """The class of Parameter and Buffer, of which instances of other tensor subclasses can be, too, by a mark."""

    mark: str

    def __instancecheck__(cls, instance: Any) -> bool:
        is_marked = isinstance(instance, Tensor) and cls.mark in instance.__dict__ and cls in (Parameter, Buffer)
        return is_marked or type.__instancecheck__(cls, instance)

    def marked(cls, data: Any, tensor: Any) -> Any:
        """A detached tensor of a subclass as a parameter, or buffer, of that subclass."""
        if type(tensor) is not type(data):
            raise RuntimeError(
                f"Creating a {cls.__name__} from an instance of type {type(data).__name__} requires that detach() returns an "
                f"instance of the same type, but return type {type(tensor).__name__} was found instead. Let the class's "
                "__torch_function__ give the results of detach() and requires_grad_() its own type."
            )
        setattr(tensor, cls.mark, True)
        return tensor


class Parameter(Tensor, metaclass=Registered):
    """A tensor that a module learns: a leaf that requires grad, and is found by ``module.parameters()``.

    Args:
        data: the tensor whose memory the parameter shares; without one, an empty parameter.
        requires_grad: whether operations on it are recorded.

    Raises:
        RuntimeError: gradients are wanted of a dtype that is neither floating nor complex.

    >>> import pullback as torch
    >>> from pullback import nn
    >>> nn.Parameter(torch.tensor([1.0, 2.0]))
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()
    __torch_function__ = _disabled_torch_function_impl
    mark = "_is_param"

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> "Parameter":
        if data is None:
            data = wrap(empty(0, get_default_dtype().numpy))
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: data must be a Tensor, not {type(data).__name__}")
        if type(data) not in known and not issubclass(type(data), cls):
            return cls.marked(data, data.detach().requires_grad_(requires_grad))  # type: ignore[attr-defined]
        self = new(cls)
        self._data, self._flags, self._fn = data._data, data._flags & ~GRAD, None
        if data._level:
            self._level = data._level
        if data._inference:
            self._inference = True
        self.requires_grad_(requires_grad)  # type: ignore[attr-defined]
        return self

    def __repr__(self) -> str:
        return "Parameter containing:\n" + Tensor.__repr__(self)

    __str__ = __repr__

    def __deepcopy__(self, memo: dict) -> "Parameter":
        """As a tensor's, but without the gradient."""
        grad, self._grad = self._grad, None
        try:
            return Tensor.__deepcopy__(self, memo)  # type: ignore[attr-defined]
        finally:
            self._grad = grad


class Buffer(Tensor, metaclass=Registered):
    """A tensor that belongs to a module's state but is not learnt, such as a running mean.

    Args:
        data: the tensor whose memory the buffer shares.
        persistent: whether the buffer is part of the module's ``state_dict``.
    """

    __slots__ = ()
    __torch_function__ = _disabled_torch_function_impl
    mark = "_is_buffer"

    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> "Buffer":
        if data is None:
            data = wrap(empty(0, get_default_dtype().numpy))
        self: Any = new(cls) if type(data) in known else cls.marked(data, data.detach())
        self._data, self._flags, self._fn = data._data, data._flags, data._fn
        self.persistent = persistent
        return self


admit(Parameter, Buffer)


class UninitializedTensorMixin:
    """A tensor whose shape is not known yet: the parameter of a lazy module before its first call."""

    __slots__ = ()
    cls_to_become: Any
    # what may be asked of it: everything else needs a shape
    _allowed_methods = ("__hash__", "__deepcopy__", "__reduce_ex__", "is_complex", "is_floating_point", "requires_grad_", "to", "cpu", "half", "float",
                        "double", "bfloat16", "type", "__set__", "__delete__", "__get__", "get_device")  # fmt: skip

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` to "
            "initialize the parameters before accessing their attributes."
        )

    def materialize(self: Any, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become an ordinary parameter (or buffer) of a shape, whose values are not set."""
        kind = self.dtype if dtype is None else dtype
        self._data = empty(tuple(shape), kind.numpy)
        self.__class__ = self.cls_to_become

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    __str__ = __repr__

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", str(func))
        if name not in cls._allowed_methods:
            raise ValueError(
                f"Attempted to use an uninitialized parameter in {name}. This happens with a lazy module, or a "
                "torch.nn.parameter.UninitializedParameter of your own: call the module's `forward` with a dummy batch to "
                "initialize its parameters before they are used"
            )
        return _disabled_torch_function_impl(func, types, args, kwargs)


class UninitializedParameter(UninitializedTensorMixin, Parameter):  # type: ignore[misc]
    """A parameter whose shape is not known yet; :meth:`materialize` gives it one."""

    __slots__ = ()
    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        return Parameter.__new__(cls, without_shape(dtype), requires_grad)


class UninitializedBuffer(UninitializedTensorMixin, Buffer):  # type: ignore[misc]
    """A buffer whose shape is not known yet; :meth:`materialize` gives it one."""

    __slots__ = ()
    cls_to_become = Buffer

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> Any:
        self: Any = new(cls)
        self._data, self._flags, self._fn = without_shape(dtype)._data, 0, None
        self.persistent = persistent
        return self


def without_shape(dtype: Any) -> Tensor:
    return wrap(empty(0, (dtype or get_default_dtype()).numpy))


def is_lazy(param: Any) -> bool:
    """Whether a parameter or buffer has no shape yet."""
    return isinstance(param, UninitializedTensorMixin)
