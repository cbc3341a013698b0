"""DataParallel: a module that would split its batches over GPUs, and without any passes them on."""

from typing import Any

from ..modules.module import Module


class DataParallel(Module):
    """Holds a module as ``module``, and calls it: there is one device, whatever ``device_ids`` say.

    The keys of its state begin with ``module.``, as those of states that were saved on several devices.
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module, self.device_ids, self.dim = module, [], dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module returns."""
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: Any = None,
) -> Any:
    """Call a module on inputs (a tuple, or one), as :class:`DataParallel` does."""
    return module(*(inputs if isinstance(inputs, tuple) else (inputs,)), **(module_kwargs or {}))
