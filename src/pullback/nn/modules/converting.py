"""A module's parameters and buffers in another dtype, or in other memory.

Responsible for ``to`` and its kin. Invariant: parameters stay the objects that they are; what they hold changes.
"""

from collections.abc import Callable
from typing import Any

from ...arguments import as_dtype
from ...creation import empty_like
from ...dtypes import dtype as dtype_type
from ...tape.modes import no_grad
from ...tape.value import Tensor
from .hooks import Hooked


class Convertible(Hooked):
    """The part of a module that converts what the module owns."""

    children: Callable[[], Any]

    def _apply(self, fn: Callable, recurse: bool = True) -> Any:
        """Replace the data of all parameters (and of their gradients) and all buffers by ``fn`` of it."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        with no_grad():
            for parameter in self._parameters.values():
                if parameter is not None:
                    grad, parameter.grad = parameter.grad, None
                    parameter.data = fn(parameter.data)
                    parameter.grad = None if grad is None else fn(grad)
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def to(
        self,
        device: Any = None,
        dtype: Any = None,
        non_blocking: bool = False,
        copy: bool = False,
        *,
        tensor: Any = None,
        memory_format: Any = None,
    ) -> Any:
        """Convert floating parameters and buffers: ``to(dtype)``, ``to(device)``, ``to(device, dtype)``, ``to(tensor)``.

        Args:
            memory_format: of the tensors of four dimensions, or of five.

        Raises:
            TypeError: the dtype is neither floating nor complex.
        """
        device, dtype = _conversion(device, dtype, tensor)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )

        def convert(tensor: Any) -> Any:
            options = {"memory_format": memory_format} if memory_format and tensor.dim() in (4, 5) else {}
            return tensor.to(device=device, dtype=dtype if is_continuous(tensor) else None, **options)

        return self._apply(convert)

    def type(self, dst_type: Any) -> Any:
        """Convert all parameters and buffers to a dtype, integers too."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self) -> Any:
        """Convert floating parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self) -> Any:
        """Convert floating parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self) -> Any:
        """Convert floating parameters and buffers to float16."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self) -> Any:
        """Convert floating parameters and buffers to bfloat16."""
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def cpu(self) -> Any:
        """Move parameters and buffers to the CPU."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device: Any = None) -> Any:
        """Move parameters and buffers to a GPU, of which there is none: raises PyTorch's error."""
        return self._apply(lambda t: t.cuda(device))

    def xpu(self, device: Any = None) -> Any:
        """Move parameters and buffers to an accelerator, of which there is none: raises PyTorch's type of error."""
        raise AssertionError(f"Torch not compiled with XPU enabled: {type(self).__name__} stays on the CPU")

    def mtia(self, device: Any = None) -> Any:
        """Move parameters and buffers to an accelerator, of which there is none: raises PyTorch's type of error."""
        raise AssertionError(f"Torch not compiled with MTIA enabled: {type(self).__name__} stays on the CPU")

    def ipu(self, device: Any = None) -> Any:
        """Move parameters and buffers to an accelerator, of which there is none: raises PyTorch's type of error."""
        raise RuntimeError(
            f"PyTorch is not linked with support for ipu devices: {type(self).__name__} stays on the CPU"
        )

    def to_empty(self, *, device: Any, recurse: bool = True) -> Any:
        """Give parameters and buffers new memory, whose values are not set."""
        return self._apply(lambda t: empty_like(t, device=device), recurse)

    def share_memory(self) -> Any:
        """Move parameters and buffers to memory that other processes may share, as threads and forks do anyway."""
        return self._apply(lambda t: t.share_memory_())


def _conversion(device: Any, dtype: Any, tensor: Any) -> tuple:
    """The device and dtype that the arguments of ``to`` mean, of which either may come first."""
    if isinstance(device, Tensor) or tensor is not None:
        return None, (device if tensor is None else tensor).dtype
    if isinstance(device, dtype_type):
        return None, device
    return device, None if dtype is None else as_dtype("to", dtype)


def is_continuous(tensor: Any) -> bool:
    return tensor.dtype.is_floating_point or tensor.dtype.is_complex
