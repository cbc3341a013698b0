"""DistributedDataParallel, which needs processes that Pullback does not start."""

from typing import Any

from ..modules.module import Module


class DistributedDataParallel(Module):
    """Would average gradients over processes; there is one, and making this raises PyTorch's error."""

    def __init__(self, module: Module, *args: Any, **kwargs: Any) -> None:
        raise ValueError(
            "Default process group has not been initialized, please make sure to call init_process_group. Pullback trains in "
            f"one process: use the {type(module).__name__} itself"
        )
