"""The old spectral norm: a hook computes the weight before every call; see ``parametrizations`` for the new one."""

from typing import Any

from ...tape.modes import no_grad
from ...tensor import functions
from .. import functional as F
from ..modules.conv import TransposedConvolution
from ..modules.module import Module
from ..parameter import Parameter
from .hooked import HookedWeight

__all__ = ["SpectralNorm", "remove_spectral_norm", "spectral_norm"]


class SpectralNorm(HookedWeight):
    """The hook before a module's calls that divides ``weight_orig`` by its largest singular value."""

    _version = 1
    word = "spectral_norm"

    def __init__(self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.name, self.dim, self.n_power_iterations, self.eps = name, dim, n_power_iterations, eps

    def reshape_weight_to_matrix(self, weight: Any) -> Any:
        """The weight as a matrix, with ``dim`` first."""
        return weight.movedim(self.dim, 0).flatten(1)

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Any:
        """The weight divided by its largest singular value, after steps towards that in training."""
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = self.reshape_weight_to_matrix(weight)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(matrix.t().mv(u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(matrix.mv(v), dim=0, eps=self.eps))
                u, v = u.clone(), v.clone()  # these are written before the next backward pass
        return weight / functions["dot"](u, matrix.mv(v))

    @classmethod
    def apply(cls, module: Module, name: str, n_power_iterations: int, dim: int, eps: float) -> "SpectralNorm":
        """Register the original in the place of the weight, and the hook."""
        cls.check_first(module, name)
        hook = cls(name, n_power_iterations, dim, eps)
        weight = module._parameters[name]
        if weight is None:
            raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
        sizes = hook.reshape_weight_to_matrix(weight.detach()).shape
        vectors = [F.normalize(weight.detach().new_empty(n).normal_(0, 1), dim=0, eps=eps) for n in sizes]
        delattr(module, name)
        module.register_parameter(f"{name}_orig", weight)
        setattr(module, name, weight.data)  # no parameter, but converted with the module
        for end, vector in zip("uv", vectors, strict=True):
            module.register_buffer(f"{name}_{end}", vector)
        module.register_forward_pre_hook(hook)
        module._register_state_dict_hook(hook.note_version)
        return hook

    def note_version(self, module: Module, state: Any, prefix: str, metadata: dict) -> None:
        metadata.setdefault("spectral_norm", {})[f"{self.name}.version"] = self._version

    def remove(self, module: Module) -> None:
        """Make the weight a parameter again."""
        with no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        for end in ("", "_u", "_v", "_orig"):
            delattr(module, f"{self.name}{end}")
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, do_power_iteration=module.training))


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight, as a matrix with ``dim`` first, by its largest singular value (Miyato et al., 2018): the old form.

    Args:
        n_power_iterations: how many steps towards that are made at every call in training.
        dim: by default 1 for transposed convolutions, 0 for others.
    """
    if dim is None:
        dim = 1 if isinstance(module, TransposedConvolution) else 0
    SpectralNorm.apply(module, name, n_power_iterations, dim, eps)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Take the hook out, and make the weight a parameter again. Raises ValueError where there is no hook."""
    return SpectralNorm.take_out(module, name)
