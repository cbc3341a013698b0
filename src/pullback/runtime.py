"""Settings of the library, by PyTorch's names: threads, determinism, precision.

Responsible for being asked: BLAS's threads are the only thing here that a setting changes. All computations are
deterministic and in the precision of their dtype, whatever was set.
"""

import os
from functools import cache
from types import ModuleType
from typing import Any

from . import dtypes
from .tape.inplace import type_name

# -- threads -----------------------------------------------------------------------------------------------------------


def get_num_threads() -> int:
    """How many threads BLAS uses for one operation."""
    from threadpoolctl import threadpool_info

    return max((pool["num_threads"] for pool in threadpool_info()), default=os.cpu_count() or 1)


def set_num_threads(num: int) -> None:
    """Say how many threads BLAS may use for one operation.

    Raises:
        RuntimeError: the number is no positive integer.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(count_of("set_num_threads", num))


_interop = [0]  # what was set; none are ever started


def get_num_interop_threads() -> int:
    """How many threads would run operations side by side: what was set, or the number of processors."""
    return _interop[0] or os.cpu_count() or 1


def set_num_interop_threads(num: int) -> None:
    """Say how many threads may run operations side by side; here one after another runs."""
    _interop[0] = count_of("set_num_interop_threads", num)


def count_of(name: str, given: Any) -> int:
    if type(given) is not int:
        raise RuntimeError(f"{name} expects an int, but got {type(given).__name__}")
    if given < 1:
        raise RuntimeError(f"{name} expects a positive integer, but got {given}")
    return given


def init_num_threads() -> None:
    """PyTorch sets up its threads; there is nothing to be set up here."""


# -- determinism -------------------------------------------------------------------------------------------------------

MODES = ("default", "warn", "error")
_debug_mode = [0]  # the position in MODES


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for deterministic algorithms, as all here are."""
    _debug_mode[0] = (1 if warn_only else 2) if mode else 0


def are_deterministic_algorithms_enabled() -> bool:
    """Whether deterministic algorithms were asked for."""
    return _debug_mode[0] > 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether an algorithm that is not deterministic would only warn."""
    return _debug_mode[0] == 1


def get_deterministic_debug_mode() -> int:
    """What happens at an algorithm that is not deterministic: 0 nothing, 1 a warning, 2 an error."""
    return _debug_mode[0]


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Say what is to happen at an algorithm that is not deterministic: "default", "warn" or "error", or 0, 1, 2.

    Raises:
        RuntimeError: there is no such mode.
    """
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    expected: Any = MODES if isinstance(debug_mode, str) else range(len(MODES))
    if debug_mode not in expected:
        names = "one of `default`, `warn`, `error`" if isinstance(debug_mode, str) else "0, 1, or 2"
        raise RuntimeError(f"invalid value of debug_mode, expected {names}, but got {debug_mode}")
    _debug_mode[0] = expected.index(debug_mode)


# -- numbers -----------------------------------------------------------------------------------------------------------

PRECISIONS = ("highest", "high", "medium")
_precision = [PRECISIONS[0]]


def get_float32_matmul_precision() -> str:
    """The precision that was asked for in products of float32 matrices."""
    return _precision[0]


def set_float32_matmul_precision(precision: str) -> None:
    """Allow products of float32 matrices to be less precise ("high", "medium"); here they never are."""
    if precision in PRECISIONS:  # PyTorch only warns of another
        _precision[0] = precision


def set_flush_denormal(mode: bool) -> bool:
    """Ask for tiny numbers to be taken for zeros. NumPy cannot: the answer is False, as on processors that cannot."""
    return False


def set_default_tensor_type(t: Any) -> None:
    """Set the default dtype by the name or class of a tensor type: ``torch.DoubleTensor``, ``"torch.DoubleTensor"``."""
    kinds = {f"torch.{type_name(dtype)}Tensor": dtype for dtype in dtypes.ALL}
    kind = kinds.get(t) if isinstance(t, str) else getattr(t, "dtype", None)
    if kind is None:
        raise TypeError(f"invalid type object: {t!r} is no tensor type such as torch.DoubleTensor")
    if not kind.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    dtypes.set_default_dtype(kind)


has_lapack = has_openmp = has_spectral = True
has_mkl = False


# -- warnings, and how the library was built ---------------------------------------------------------------------------

_warn_always = [False]


def set_warn_always(b: bool) -> None:
    """Say whether a warning that is given once is to be given each time."""
    if type(b) is not bool:
        raise TypeError(f"setWarnOnlyOnce expects a bool, but got {type(b).__name__}")
    _warn_always[0] = b


def is_warn_always_enabled() -> bool:
    """Whether warnings that are given once are given each time."""
    return _warn_always[0]


def compiled_with_cxx11_abi() -> bool:
    """How PyTorch's C++ was compiled, which extensions ask."""
    return True


def is_vulkan_available() -> bool:
    """Whether there is Vulkan to compute on: no."""
    return False


@cache
def get_device_module(device: Any = None) -> ModuleType:
    """The module of functions about a kind of device: ``torch.cpu``."""
    from . import cpu, cuda

    kind = str(getattr(device, "type", device) or "cpu").partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise RuntimeError(f"Device '{kind}' does not have a corresponding module registered as 'torch.{kind}'.")
    return cuda if kind == "cuda" else cpu
