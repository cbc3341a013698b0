"""``torch.cpu``: what scripts ask about the device that there is."""

from importlib import import_module
from typing import Any

from ..devices import CPU, device
from ..naming import missing_attribute


def is_available() -> bool:
    """Whether there is a CPU to compute on."""
    return True


def device_count() -> int:
    """The number of CPUs that tensors can be put on: one, whatever its cores."""
    return 1


def current_device() -> str:
    """The name of the only device."""
    return CPU.type


def set_device(device: device) -> None:
    """Nothing: there is one."""


def synchronize(device: Any = None) -> None:
    """Wait for all that was begun: nothing is, for operations are done when their call returns."""


def __getattr__(name: str) -> Any:
    if name == "amp":
        return import_module(f"{__name__}.amp")
    raise missing_attribute(__name__, name, [*globals(), "amp"])
