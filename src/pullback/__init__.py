"""Pullback: PyTorch's Autograd, written from scratch in Python over NumPy.

This module is the torch-shaped front door: names, nothing else. ``import pullback as torch``. Functions of the table
are made, and modules such as ``nn`` are loaded, when they are first asked for.
"""

# ruff: noqa: F401, F403, F405

from importlib import import_module as _import_module
from math import e, inf, nan, pi
from typing import Any as _Any

from . import autograd, copying, func, overrides, random
from . import dtypes as _dtypes
from .attributes import Size
from .autograd import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .compile import trace as _trace  # before the function of that name, which takes the package's place
from .compiler import compile
from .conversion import *
from .creation import *
from .devices import *
from .dtypes import dtype, finfo, get_default_dtype, iinfo, set_default_dtype
from .from_data import *
from .func import vmap
from .info import *
from .memory import *
from .naming import missing_attribute as _missing_attribute
from .printing import get_printoptions, set_printoptions
from .sampling import *
from .tape.modes import is_inference_mode_enabled
from .tape.value import Tensor
from .tensor import functions as _functions
from .version import __version__

newaxis = None

# The dtypes, by all their names: float and float32, int and int32.
globals().update({_name: _found for _name, _found in vars(_dtypes).items() if isinstance(_found, dtype)})

for _public in (Tensor, Size, Generator, device, dtype):  # as which they are shown and pickled
    _public.__module__ = __name__

_SUBMODULES = (
    "__config__", "_C", "_tensor", "_utils", "accelerator", "amp", "backends", "compiler", "cpu", "cuda",
    "distributed", "distributions", "export", "fft", "futures", "hub", "inspect", "jit", "library", "linalg", "mps",
    "multiprocessing", "nn", "onnx", "optim", "profiler", "return_types", "serialization", "signal", "special",
    "storage", "testing", "utils", "torch_version", "xpu",
)  # fmt: skip
_RUNTIME = (
    "are_deterministic_algorithms_enabled", "compiled_with_cxx11_abi", "get_deterministic_debug_mode",
    "get_device_module", "get_float32_matmul_precision", "get_num_interop_threads", "get_num_threads", "has_lapack",
    "has_mkl", "has_openmp", "has_spectral", "init_num_threads", "is_deterministic_algorithms_warn_only_enabled",
    "is_vulkan_available", "is_warn_always_enabled", "set_default_tensor_type", "set_deterministic_debug_mode",
    "set_float32_matmul_precision", "set_flush_denormal", "set_num_interop_threads", "set_num_threads",
    "set_warn_always", "use_deterministic_algorithms",
)  # fmt: skip
_AUTOCAST = (
    "autocast", "autocast_decrement_nesting", "autocast_increment_nesting", "clear_autocast_cache",
    "get_autocast_cpu_dtype", "get_autocast_dtype", "get_autocast_gpu_dtype", "get_autocast_ipu_dtype",
    "get_autocast_xla_dtype", "is_autocast_cache_enabled", "is_autocast_cpu_enabled", "is_autocast_enabled",
    "is_autocast_ipu_enabled", "is_autocast_xla_enabled", "set_autocast_cache_enabled", "set_autocast_cpu_dtype",
    "set_autocast_cpu_enabled", "set_autocast_dtype", "set_autocast_enabled", "set_autocast_gpu_dtype",
    "set_autocast_ipu_dtype", "set_autocast_ipu_enabled", "set_autocast_xla_dtype", "set_autocast_xla_enabled",
)  # fmt: skip
_LAZY = {
    **dict.fromkeys(_AUTOCAST, "amp.autocast_mode"),
    "GradScaler": "amp.grad_scaler",
    **dict.fromkeys(
        ("bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"), "signal.classic"
    ),
    "is_anomaly_check_nan_enabled": "autograd.anomaly_mode",
    "is_anomaly_enabled": "autograd.anomaly_mode",
    "set_anomaly_enabled": "autograd.anomaly_mode",
    **dict.fromkeys(_RUNTIME, "runtime"),
    **dict.fromkeys(("load", "save"), "serialization"),
    "OutOfMemoryError": "cuda",
    **dict.fromkeys(("load_ipython_extension", "unload_ipython_extension"), "alias"),
    "to_dlpack": "utils.dlpack",
}  # names with the module that has them


def __getattr__(name: str) -> _Any:
    if name in _functions:
        found = globals()[name] = _functions[name]
        return found
    if name in _LAZY:
        found = globals()[name] = getattr(_import_module(f"{__name__}.{_LAZY[name]}"), name)
        return found
    if name in _SUBMODULES:
        try:
            return _import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    raise _missing_attribute(__name__, name, __dir__())


def __dir__() -> list[str]:
    return sorted({*globals(), *_functions.names(), *_LAZY, *_SUBMODULES})
