"""The few names of ``torch._C`` that programs use: switches of ``__torch_function__``, and an exception."""

from .errors import LinAlgError as _LinAlgError
from .overrides import DisableTorchFunction, DisableTorchFunctionSubclass, _disabled_torch_function_impl

__all__ = ["DisableTorchFunction", "DisableTorchFunctionSubclass", "_LinAlgError", "_disabled_torch_function_impl"]
