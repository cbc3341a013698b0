"""Lazy modules: the number of their inputs' channels is taken from the first input.

Responsible for ``LazyModuleMixin`` and the layers that have a lazy form. Invariant: after the first call a lazy layer is of
the class that it stands for, with the parameters that this would have drawn.
"""

from typing import Any

from ...tape.modes import no_grad
from ..parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from .batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .instancenorm import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from .linear import Linear


class LazyModuleMixin:
    """What gives a module parameters without a shape: before its first call, it initialises them by the call's arguments.

    A class with this before its base module registers parameters of :class:`UninitializedParameter`, and defines
    ``initialize_parameters``, which gets the arguments of ``forward`` and materialises them. Where ``cls_to_become`` is
    not None, the module is of that class afterwards.
    """

    cls_to_become: type | None = None
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register_forward_pre_hook(infer_parameters, with_kwargs=True)  # type: ignore[attr-defined]

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give all parameters their shapes and values, from the arguments of ``forward``; for subclasses to define."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer has no shape yet."""
        return any(is_lazy(tensor) for tensor in (*self._parameters.values(), *self._buffers.values()))


def infer_parameters(module: Any, args: tuple, kwargs: dict) -> None:
    """The hook before a lazy module's first call, which takes itself out."""
    module.initialize_parameters(*args, **kwargs)
    if module.has_uninitialized_params():
        raise RuntimeError(
            f"module {type(module).__name__} has not been fully initialized: after initialize_parameters, every parameter "
            "and buffer must have been materialized"
        )
    hooks = module._forward_pre_hooks
    for key in [key for key, hook in hooks.items() if hook.hook is infer_parameters]:
        del hooks[key]
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become


class LazyLayer(LazyModuleMixin):
    """What the lazy layers share. They are made for no inputs, and ``counted`` is where the number of them will stand."""

    counted: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, parameter in self._parameters.items():
            if parameter is not None:
                self._parameters[name] = UninitializedParameter(dtype=parameter.dtype)
        for name, buffer in self._buffers.items():
            if buffer is not None and buffer.dim():
                self._buffers[name] = UninitializedBuffer(dtype=buffer.dtype)

    def reset_parameters(self) -> None:
        """Draw new initial values, where there are parameters already."""
        if getattr(self, self.counted) and not self.has_uninitialized_params():
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Any) -> None:
        """Take the number of inputs from an input, unless a loaded state has given it."""
        known = self._parameters.get("weight")
        is_loaded = known is not None and not is_lazy(known)
        number = self._number_by_weight(known) if is_loaded else self._number_in(input)
        setattr(self, self.counted, number)
        if not self.has_uninitialized_params():
            return
        with no_grad():
            for tensors in (self._parameters, self._buffers):
                for name, tensor in tensors.items():
                    if is_lazy(tensor):
                        tensor.materialize(self._shape_of(name, number))
            self.reset_parameters()

    def _number_in(self, input: Any) -> int:
        raise NotImplementedError

    def _number_by_weight(self, weight: Any) -> int:
        raise NotImplementedError

    def _shape_of(self, name: str, number: int) -> tuple:
        raise NotImplementedError


class LazyLinear(LazyLayer, Linear):
    """A :class:`Linear` whose ``in_features`` are the first input's.

    >>> import pullback as torch
    >>> from pullback import nn
    >>> layer = nn.LazyLinear(2)
    >>> layer(torch.ones(5, 3)).shape
    torch.Size([5, 2])
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    """

    cls_to_become, counted = Linear, "in_features"

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, out_features, bias, device, dtype)

    def _number_in(self, input: Any) -> int:
        return input.shape[-1]

    def _number_by_weight(self, weight: Any) -> int:
        return weight.shape[-1]

    def _shape_of(self, name: str, number: int) -> tuple:
        return (self.out_features, number) if name == "weight" else (self.out_features,)


class LazyConvolution(LazyLayer):
    """What the lazy convolutions share."""

    counted = "in_channels"
    spatial: int
    is_transposed: bool
    kernel_size: tuple
    in_channels: int
    out_channels: int
    groups: int

    def _number_in(self, input: Any) -> int:
        dims = self.spatial + 1, self.spatial + 2
        if input.dim() not in dims:
            raise RuntimeError(
                f"Expected {dims[0]}D (unbatched) or {dims[1]}D (batched) input to {type(self).__name__}, but got input of "
                f"size: {input.shape}"
            )
        return input.shape[-self.spatial - 1]

    def _number_by_weight(self, weight: Any) -> int:
        return weight.shape[0] if self.is_transposed else weight.shape[1] * self.groups

    def _shape_of(self, name: str, number: int) -> tuple:
        if name == "bias":
            return (self.out_channels,)
        ends = (number, self.out_channels) if self.is_transposed else (self.out_channels, number)
        return (ends[0], ends[1] // self.groups, *self.kernel_size)


class LazyForward(LazyConvolution):
    """The constructor of the lazy convolutions."""

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        options = (stride, padding, dilation, groups, bias, padding_mode, device, dtype)
        super().__init__(0, out_channels, kernel_size, *options)


class LazyTransposed(LazyConvolution):
    """The constructor of the lazy transposed convolutions."""

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        options = (stride, padding, output_padding, groups, bias, dilation, padding_mode, device, dtype)
        super().__init__(0, out_channels, kernel_size, *options)


class LazyNorm(LazyLayer):
    """What the lazy batch and instance norms share."""

    counted = "num_features"

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _number_in(self, input: Any) -> int:
        self._check(input)  # type: ignore[attr-defined]
        return input.shape[1]

    def _number_by_weight(self, weight: Any) -> int:
        return weight.shape[0]

    def _shape_of(self, name: str, number: int) -> tuple:
        return (number,)


class LazyConv1d(LazyForward, Conv1d):
    """A :class:`Conv1d` whose ``in_channels`` are the first input's."""

    cls_to_become = Conv1d


class LazyConv2d(LazyForward, Conv2d):
    """A :class:`Conv2d` whose ``in_channels`` are the first input's."""

    cls_to_become = Conv2d


class LazyConv3d(LazyForward, Conv3d):
    """A :class:`Conv3d` whose ``in_channels`` are the first input's."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(LazyTransposed, ConvTranspose1d):
    """A :class:`ConvTranspose1d` whose ``in_channels`` are the first input's."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(LazyTransposed, ConvTranspose2d):
    """A :class:`ConvTranspose2d` whose ``in_channels`` are the first input's."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(LazyTransposed, ConvTranspose3d):
    """A :class:`ConvTranspose3d` whose ``in_channels`` are the first input's."""

    cls_to_become = ConvTranspose3d


class LazyBatchNorm1d(LazyNorm, BatchNorm1d):
    """A :class:`BatchNorm1d` whose ``num_features`` are the first input's."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(LazyNorm, BatchNorm2d):
    """A :class:`BatchNorm2d` whose ``num_features`` are the first input's."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(LazyNorm, BatchNorm3d):
    """A :class:`BatchNorm3d` whose ``num_features`` are the first input's."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(LazyNorm, InstanceNorm1d):
    """A :class:`InstanceNorm1d` whose ``num_features`` are the first input's."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(LazyNorm, InstanceNorm2d):
    """A :class:`InstanceNorm2d` whose ``num_features`` are the first input's."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(LazyNorm, InstanceNorm3d):
    """A :class:`InstanceNorm3d` whose ``num_features`` are the first input's."""

    cls_to_become = InstanceNorm3d
