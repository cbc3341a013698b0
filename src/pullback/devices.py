"""Where a tensor lives and how it is laid out: ``device``, ``layout`` and ``memory_format``, as PyTorch's scripts name them.

Responsible for reading device arguments. There is one place to live, the CPU: other devices have names, so that a
script can ask for one and compare, but nothing can be put there.
"""

from typing import Any

KINDS = (
    *("cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy"),
    *("vulkan", "mps", "meta", "hpu", "mtia", "privateuseone"),
)


class device:
    """The name of a place where tensors live: ``device("cpu")``.

    Raises:
        RuntimeError: there is no such kind of device, or the string is malformed.
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, int) and not isinstance(type, bool):
            raise RuntimeError(f"Cannot access accelerator device when none is available: got device {type}, use 'cpu'")
        elif not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' (position 1) must be str or torch.device, not {_kind(type)}")
        else:
            type, index = _parse(type, index)
        object.__setattr__(self, "type", type)
        object.__setattr__(self, "index", index)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"attribute '{name}' of 'torch.device' objects is not writable")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + (")" if self.index is None else f", index={self.index})")

    def __reduce__(self) -> tuple:
        return device, (self.type, self.index)

    def __enter__(self) -> "device":
        check_device(self)
        return self

    def __exit__(self, *exc: object) -> None:
        pass


def _kind(value: object) -> str:
    return value.__class__.__name__


def _parse(text: str, index: int | None) -> tuple[str, int | None]:
    """The kind and the index of ``"cuda:1"``."""
    kind, colon, number = text.partition(":")
    if kind not in KINDS:
        if not kind.isalpha():
            raise RuntimeError(f"Invalid device string: '{text}'")
        raise RuntimeError(f"Expected one of {', '.join(KINDS)} device type at start of device string: {kind}")
    if not colon:
        return kind, index
    if not number.isdecimal():
        raise RuntimeError(f"Invalid device string: '{text}'")
    if index is not None:
        raise RuntimeError(f"type (string) must not include an index because index was passed explicitly: {text}")
    return kind, int(number)


CPU = device("cpu")


def check_device(wanted: Any) -> None:
    """Raise RuntimeError unless ``wanted``, a device argument, is the CPU (or None)."""
    if wanted is None or wanted == "cpu":
        return
    found = wanted if isinstance(wanted, device) else device(wanted)
    if found.type != "cpu":
        raise RuntimeError(
            f"Pullback computes on the CPU: there is no device '{found}' here (torch.cuda.is_available() is False); "
            "use device='cpu'"
        )


def get_default_device() -> device:
    """Where tensors are made if nothing is said."""
    return CPU


def set_default_device(device: Any) -> None:
    """Say where tensors are made if nothing is said: on the CPU, the only place."""
    check_device(device)


class _Named:
    """A constant that is only a name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class layout(_Named):
    """How elements are stored; there is only ``strided``."""

    __slots__ = ()


class memory_format(_Named):
    """The order of dimensions in memory. Accepted where PyTorch accepts it; every new tensor is row-major."""

    __slots__ = ()


strided = layout("strided")
contiguous_format, preserve_format = memory_format("contiguous_format"), memory_format("preserve_format")
channels_last, channels_last_3d = memory_format("channels_last"), memory_format("channels_last_3d")


def check_layout(wanted: Any) -> None:
    """Raise RuntimeError unless ``wanted`` is the only layout that there is (or None)."""
    if wanted is not None and wanted is not strided:
        raise RuntimeError(f"tensors are dense: expected layout torch.strided, got {wanted}")


__all__ = [
    "channels_last", "channels_last_3d", "contiguous_format", "device", "get_default_device", "layout",
    "memory_format", "preserve_format", "set_default_device", "strided",
]  # fmt: skip
