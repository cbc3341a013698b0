"""The base of schedules: epochs, the rates that they set, and their state.

A schedule computes the next rate from the present one (``get_lr``), so that schedules can be combined; for an epoch out of
turn, from the initial one where it can (``_get_closed_form_lr``). Invariant: ``_last_lr`` is what the last step set.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..tape.modes import no_grad
from ..tape.value import Tensor
from .optimizer import Optimizer

EPOCH_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
    "`scheduler.step()` to step the scheduler. With an epoch, the closed form is used where there is one."
)
ORDER_WARNING = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call them in the opposite order: "
    "`optimizer.step()` before `lr_scheduler.step()`; otherwise the first value of the schedule is skipped."
)
OVERRIDDEN_WARNING = (
    "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. Please, make sure to "
    "call `optimizer.step()` before `lr_scheduler.step()`."
)
RESUMING = (
    "param 'initial_lr' is not specified in param_groups[{}] when resuming scheduler with last_epoch >= 0: load the "
    "optimizer's state first, or begin with last_epoch=-1"
)


class LRScheduler:
    """The base of schedules: ``step()`` sets each group's learning rate to what ``get_lr()`` says.

    Args:
        optimizer: whose rates are set.
        last_epoch: the number of steps that were made before, or -1 to begin.

    Raises:
        TypeError: ``optimizer`` is no Optimizer.
        KeyError: ``last_epoch`` is not -1, and a group does not know its initial rate.
    """

    _get_closed_form_lr: Callable[[], list] | None = None  # the rates of an epoch from the initial ones
    _last_lr: list[Any]
    _is_initial = _get_lr_called_within_step = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(RESUMING.format(i))
        self.optimizer, self.last_epoch = optimizer, last_epoch
        self.base_lrs = [copied(group["initial_lr"]) for group in optimizer.param_groups]
        optimizer.__dict__["_step_when_scheduled"] = vars(optimizer).get("step")
        self._begin()

    def _begin(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[Any]:
        """The rates of ``last_epoch``, given those of the epoch before."""
        raise NotImplementedError(f"{type(self).__name__} must define get_lr")

    def get_last_lr(self) -> list[Any]:
        """The rates that the last step set."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch. To be called after the optimizer's own step.

        Args:
            epoch: go there instead; deprecated.
        """
        self._check_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=2)
        self._go_to(epoch)

    def _check_order(self) -> None:
        if self._step_count != 1:
            return
        if vars(self.optimizer).get("step") is not vars(self.optimizer).get("_step_when_scheduled"):
            warnings.warn(OVERRIDDEN_WARNING, UserWarning, stacklevel=3)
        elif not self.optimizer._opt_called:
            warnings.warn(ORDER_WARNING, UserWarning, stacklevel=3)

    def _go_to(self, epoch: int | None = None) -> None:
        with self._computing():
            self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
            closed = self._get_closed_form_lr if epoch is not None else None
            self._set(self.get_lr() if closed is None else closed())

    def _set(self, rates: list[Any]) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            set_option(group, "lr", lr)
        self._last_lr = self._rates()

    @contextmanager
    def _computing(self) -> Iterator[None]:
        self._get_lr_called_within_step = True
        try:
            yield
        finally:
            self._get_lr_called_within_step = False

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            message = "To get the last learning rate computed by the scheduler, please use `get_last_lr()`."
            warnings.warn(message, UserWarning, stacklevel=3)

    def _rates(self) -> list[Any]:
        return [copied(group["lr"]) for group in self.optimizer.param_groups]

    def _scaled(self, factor: float) -> list[Any]:
        return [lr * factor for lr in self._rates()]

    def _scaled_base(self, factor: float) -> list[Any]:
        return [base * factor for base in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """All attributes except the optimizer."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self.__dict__.update(state_dict)


def check_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def copied(value: Any) -> Any:
    """A rate; one that is a tensor, without its memory."""
    return value.detach().clone() if isinstance(value, Tensor) else value  # type: ignore[attr-defined]


def set_option(group: dict[str, Any], name: str, value: Any) -> None:
    """Set a group's option; one that is a tensor is written, so that who holds it sees it."""
    if isinstance(group[name], Tensor):
        with no_grad():
            group[name].fill_(value)
    else:
        group[name] = value


def per_group(optimizer: Optimizer, name: str, value: Any) -> list[Any]:
    """An option of a schedule as a list with a value for each group."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, "
            f"param_groups has {count}."
        )
    return list(value)


class OfFunctions(LRScheduler):
    """A schedule by one function of the epoch, or by one for each group."""

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        count = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        if len(self.lr_lambdas) != count:
            raise ValueError(f"Expected {count} lr_lambdas, but got {len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """All attributes except the optimizer; of the functions, only the attributes of callable objects."""
        state = {name: value for name, value in super().state_dict().items() if name != "lr_lambdas"}
        state["lr_lambdas"] = [attributes(f) for f in self.lr_lambdas]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        state = dict(state_dict)
        for f, held in zip(self.lr_lambdas, state.pop("lr_lambdas"), strict=True):
            if held is not None:
                f.__dict__.update(held)
        super().load_state_dict(state)


def attributes(f: Any) -> dict[str, Any] | None:
    """What the state of a schedule keeps of a callable object; None of a function."""
    return None if f is None or isinstance(f, type(attributes)) else dict(f.__dict__)
