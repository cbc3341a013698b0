"""Averages of a model's parameters along training (Izmailov et al., 2018), and the schedule that goes with them."""

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

from numpy import zeros

from ..nn import Module
from ..nn.modules.batchnorm import _BatchNorm
from ..tape.modes import no_grad
from ..tape.value import wrap
from .cycles import ANNEALS
from .optimizer import Optimizer
from .schedule import LRScheduler, per_group


def check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_avg_fn(decay: float = 0.999) -> Callable:
    """A function ``(average, value, count)`` that gives the exponential moving average."""
    check_decay(decay)

    @no_grad()
    def ema_update(ema_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Callable:
    """A function ``(average, value, count)`` that gives the mean of all values so far."""

    @no_grad()
    def swa_update(averaged_param: Any, current_param: Any, num_averaged: Any) -> Any:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


def in_place(average: Callable) -> Callable:
    """A function of lists ``(averages, values, count)`` that writes the averages."""

    @no_grad()
    def update(averaged: list, current: list, num_averaged: Any) -> None:
        for held, value in zip(averaged, current, strict=True):
            held.copy_(average(held, value, num_averaged))

    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable:
    """A function of lists ``(averages, values, count)`` that makes the averages exponential moving averages."""
    return in_place(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Callable:
    """A function of lists ``(averages, values, count)`` that makes the averages means of all values so far."""
    return in_place(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's.

    Args:
        model: what is copied.
        device: accepted, and without effect on the CPU.
        avg_fn: the new average, of a parameter's average, its value, and how many were averaged; else the mean.
        multi_avg_fn: the same in place, for all parameters at once.
        use_buffers: average the buffers too, instead of copying them.
    """

    n_averaged: Any

    def __init__(
        self,
        model: Any,
        device: Any = None,
        avg_fn: Callable | None = None,
        multi_avg_fn: Callable | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", wrap(zeros((), "i8")))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the averaged model."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Any) -> None:
        """Take the parameters of ``model`` into the averages; the first ones are copied."""
        averaged, current = self._averaged_of(self.module), self._averaged_of(model)
        with no_grad():
            if self.n_averaged == 0:
                for held, value in zip(averaged, current, strict=True):
                    held.copy_(value)
            else:
                update = self.multi_avg_fn or in_place(self.avg_fn or get_swa_avg_fn())
                update(averaged, current, self.n_averaged)
            if not self.use_buffers:
                for held, value in zip(self.module.buffers(), model.buffers(), strict=True):
                    held.copy_(value)
            self.n_averaged += 1

    def _averaged_of(self, model: Any) -> list[Any]:
        found = chain(model.parameters(), model.buffers()) if self.use_buffers else model.parameters()
        return [each.detach() for each in found]


@no_grad()
def update_bn(loader: Iterable, model: Any, device: Any = None) -> None:
    """Compute the running statistics of a model's batch norms anew, as means over the inputs of a loader.

    Args:
        loader: gives inputs, or tuples and lists whose first element is one.
        model: is called on each, in training mode.
        device: where the inputs are brought.
    """
    momenta = {}
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
            momenta[module] = module.momentum
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.momentum = None  # a mean over all batches
    for given in loader:
        first = given[0] if isinstance(given, (list, tuple)) else given
        model(first if device is None else first.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """The rate goes to ``swa_lr`` in ``anneal_epochs`` epochs, and stays there.

    Args:
        swa_lr: one rate, or one for each group.
        anneal_strategy: ``"cos"`` or ``"linear"``.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        for rate, group in zip(per_group(optimizer, "swa_lr", swa_lr), optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ANNEALS:
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """How much of the way is done, from 0 to 1."""
        return ANNEALS[self._anneal_strategy](0.0, 1.0, max(0, min(1, step / max(1, self.anneal_epochs))))

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        step = max(1, self._step_count - 1) if self.anneal_epochs == 0 else self._step_count - 1
        before, now = self._share(step - 1), self._share(step)
        return [
            rate if math.isclose(before, 1) else rate * now + (lr - before * rate) / (1 - before) * (1 - now)
            for lr, rate in zip(self._rates(), [group["swa_lr"] for group in self.optimizer.param_groups], strict=True)
        ]


__all__ = [
    "SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn",
    "update_bn",
]  # fmt: skip
