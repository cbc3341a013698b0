"""``torch.cuda``, as PyTorch has it where there is no GPU: questions are answered, seeds are taken, and the rest raises."""

from collections import OrderedDict
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ..naming import missing_attribute

has_half = True
has_magma = False

_NOT_BUILT = "Torch not compiled with CUDA enabled"

# What needs a GPU.
_REFUSED = (
    "can_device_access_peer", "change_current_allocator", "current_blas_handle", "current_device", "current_stream",
    "default_stream", "get_device_capability", "get_device_name", "get_device_properties", "get_rng_state", "init",
    "initial_seed", "ipc_collect", "mem_get_info", "memory_snapshot", "memory_summary", "set_device", "set_rng_state",
    "reset_accumulated_memory_stats", "reset_max_memory_allocated", "reset_max_memory_cached", "reset_peak_memory_stats",
    "set_per_process_memory_fraction", "set_stream", "synchronize", "temperature", "utilization",
)  # fmt: skip

# What is zero, or done already, where there is no GPU.
_ZEROS = (
    "device_count", "max_memory_allocated", "max_memory_cached", "max_memory_reserved", "memory_allocated",
    "memory_cached", "memory_reserved",
)  # fmt: skip
_QUESTIONS = ("is_available", "is_bf16_supported", "is_initialized", "is_tf32_supported", "is_current_stream_capturing")
_NOTHING = (
    "empty_cache",
    "manual_seed",
    "manual_seed_all",
    "seed",
    "seed_all",
    "set_rng_state_all",
    "set_sync_debug_mode",
)

__all__ = ["Event", "OutOfMemoryError", "Stream", "StreamContext", "device", "device_of", "stream"]
__all__ += [*_REFUSED, *_ZEROS, *_QUESTIONS, *_NOTHING]


def _refusing(name: str) -> Callable:
    def refused(*args: Any, **options: Any) -> Any:
        raise AssertionError(
            f"{_NOT_BUILT}: torch.cuda.{name} needs a GPU, and Pullback computes on the CPU. A script asks "
            "torch.cuda.is_available() first."
        )

    return refused


def _answering(answer: Any) -> Callable:
    return lambda *args, **options: answer


def _add(names: tuple[str, ...], made: Callable[[str], Callable], doc: str) -> None:
    for name in names:
        function = globals()[name] = made(name)
        function.__name__ = function.__qualname__ = name
        function.__doc__ = doc


_add(_REFUSED, _refusing, "Raises AssertionError: there is no GPU.")
_add(_ZEROS, lambda name: _answering(0), "Zero, for there is no GPU.")
_add(_QUESTIONS, lambda name: _answering(False), "No, for there is no GPU.")
_add(_NOTHING, lambda name: _answering(None), "Nothing, as in PyTorch where there is no GPU.")


def get_arch_list() -> list[str]:
    """The kinds of GPUs that the library was built for: none."""
    return []


def get_gencode_flags() -> str:
    """The compiler's flags for these: none."""
    return ""


def get_rng_state_all() -> list:
    """The states of all GPUs' random streams: none."""
    return []


def memory_stats(device: Any = None) -> OrderedDict:
    """Figures about a GPU's memory: none."""
    return OrderedDict()


class OutOfMemoryError(RuntimeError):
    """What PyTorch raises where a GPU's memory is full; never raised here."""

    __module__ = "torch"


class device:
    """The choice of a GPU for a ``with`` block: without effect for None or a negative number, and else refused."""

    def __init__(self, device: Any) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None and not (isinstance(self.idx, int) and self.idx < 0):
            raise RuntimeError("PyTorch was compiled without CUDA support: Pullback computes on the CPU")

    def __exit__(self, *exc: Any) -> None:
        pass


class device_of(device):
    """The choice of the device that holds a tensor, for a ``with`` block: nothing, for it is in the CPU's memory."""

    def __init__(self, obj: Any) -> None:
        super().__init__(-1)


class StreamContext:
    """The choice of a stream for a ``with`` block: without effect for None, the only one there is."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: Any) -> None:
        pass


stream = StreamContext


class Stream:
    """A queue of a GPU's work, for annotations; it cannot be made."""

    def __init__(self, *args: Any, **options: Any) -> None:
        raise RuntimeError(f"torch.cuda.{type(self).__name__} requires CUDA support: Pullback computes on the CPU")


class Event(Stream):
    """A mark in a GPU's queue of work, for annotations; it cannot be made."""


def __getattr__(name: str) -> Any:
    if name in ("amp", "random", "memory"):
        try:
            return import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    raise missing_attribute(__name__, name, __dir__())


def __dir__() -> list[str]:
    return sorted(globals())
