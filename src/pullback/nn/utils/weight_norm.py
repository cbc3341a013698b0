"""The old weight norm: a hook computes the weight before every call; see ``parametrizations`` for the new one."""

import warnings
from typing import Any

from ...tensor import functions
from ..modules.module import Module
from ..parameter import Parameter
from .hooked import HookedWeight

__all__ = ["WeightNorm", "remove_weight_norm", "weight_norm"]


class WeightNorm(HookedWeight):
    """The hook before a module's calls that computes its weight from ``weight_g`` and ``weight_v``."""

    word = "weight_norm"

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Any:
        """``weight_g`` times ``weight_v`` of norm one."""
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return v * (g / functions["norm_except_dim"](v, 2, self.dim))

    @classmethod
    def apply(cls, module: Module, name: str, dim: int | None) -> "WeightNorm":
        """Register the two parts in the place of the weight, and the hook."""
        hook = cls(name, dim)
        cls.check_first(module, name)
        weight = getattr(module, name)
        del module._parameters[name]
        module.register_parameter(f"{name}_g", Parameter(functions["norm_except_dim"](weight.detach(), 2, hook.dim)))
        module.register_parameter(f"{name}_v", Parameter(weight.detach()))
        setattr(module, name, hook.compute_weight(module))
        module.register_forward_pre_hook(hook)
        return hook

    def remove(self, module: Module) -> None:
        """Make the weight a parameter again."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        del module._parameters[f"{self.name}_g"], module._parameters[f"{self.name}_v"]
        setattr(module, self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: Module, name: str = "weight", dim: int = 0) -> Module:
    """Learn a weight's norms as ``weight_g`` and its direction as ``weight_v``: the old form, which warns."""
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Take the hook out, and make the weight a parameter again. Raises ValueError where there is no hook."""
    return WeightNorm.take_out(module, name)
