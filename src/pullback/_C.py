"""The few names of ``torch._C`` that programs use: switches of ``__torch_function__``, an exception, a report of use."""

from .errors import LinAlgError as _LinAlgError
from .overrides import DisableTorchFunction, DisableTorchFunctionSubclass, _disabled_torch_function_impl

__all__ = [
    "DisableTorchFunction", "DisableTorchFunctionSubclass", "_LinAlgError", "_disabled_torch_function_impl",
    "_log_api_usage_once",
]  # fmt: skip


def _log_api_usage_once(event: str) -> None:
    """Libraries report their use by this; nothing is logged."""
