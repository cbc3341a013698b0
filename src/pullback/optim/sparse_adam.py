"""Adam for sparse gradients."""

from collections.abc import Callable
from typing import Any

from .optimizer import Optimizer, check_at_least_zero, check_betas, check_rate, hooked


class SparseAdam(Optimizer):
    """Adam that changes only what a sparse gradient touches. Gradients are dense here, as yet: its step refuses them.

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate.
        betas: how much of the two running means is kept at each step.
        eps: added to what is divided by, so that it is not zero.
        maximize: go up the gradient.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        check_rate(lr)
        check_at_least_zero("epsilon value", eps)
        check_betas(betas)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, maximize=maximize))

    @hooked
    def step(self, closure: Callable | None = None) -> Any:
        """Raise PyTorch's error where there is a dense gradient."""
        loss = self._evaluated(closure)
        if any(param._grad is not None for group in self.param_groups for param in group["params"]):
            raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
        return loss
