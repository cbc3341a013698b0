"""Schedules made of others: one after another, and all at once."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from .optimizer import Optimizer
from .schedule import LRScheduler, set_option


class Combined(LRScheduler):
    """A schedule made of others, whose states are part of its own."""

    _schedulers: list[Any]

    def state_dict(self) -> dict[str, Any]:
        """All attributes except the optimizer, and the states of the schedules."""
        state = {k: v for k, v in self.__dict__.items() if k not in ("optimizer", "_schedulers")}
        state["_schedulers"] = [each.state_dict() for each in self._schedulers]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        state = dict(state_dict)
        for each, held in zip(self._schedulers, state.pop("_schedulers"), strict=True):
            each.load_state_dict(held)
        self.__dict__.update(state)


class SequentialLR(Combined):
    """Schedules one after another; the next one begins at each of the epochs ``milestones``."""

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        check_members("SequentialLR", schedulers, optimizer, "scheduler")
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of milestone "
                f"points, but got number of schedulers {len(schedulers)} and the number of milestones to be equal to "
                f"{len(milestones)}"
            )
        self._schedulers, self._milestones, self.last_epoch = list(schedulers), milestones, last_epoch + 1
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            set_option(group, "lr", group["initial_lr"])
        undo_first_step(self._schedulers)
        self._schedulers[0]._begin()
        self._last_lr = schedulers[0].get_last_lr()

    def step(self) -> None:  # type: ignore[override]
        """Go on to the next epoch of the schedule whose turn it is."""
        self.last_epoch += 1
        turn = bisect_right(self._milestones, self.last_epoch)
        current = self._schedulers[turn]
        if turn > 0 and self._milestones[turn - 1] == self.last_epoch:
            current._go_to(0)
        else:
            current.step()
        self._last_lr = current.get_last_lr()


def undo_first_step(schedulers: list[Any]) -> None:
    """Take back the epoch that schedules begin with."""
    for each in schedulers:
        if isinstance(each, Combined):
            undo_first_step(each._schedulers)
        if hasattr(each, "last_epoch"):
            each.last_epoch -= 1


class ChainedScheduler(Combined):
    """Schedules that change the rate in the same epochs, one upon the other."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if len(schedulers) < 1:
            raise ValueError("ChainedScheduler expects at least one scheduler to be chained, but got no scheduler.")
        optimizer = optimizer or schedulers[0].optimizer
        check_members("ChainedScheduler", schedulers, optimizer, "scheduler to be chained")
        self._schedulers, self.optimizer = list(schedulers), optimizer
        self._last_lr = self._rates()

    def step(self) -> None:  # type: ignore[override]
        """Let every schedule go on to its next epoch."""
        for each in self._schedulers:
            each.step()
        self._last_lr = self._rates()

    def _begin(self) -> None:
        for each in self._schedulers:
            each._begin()
        self._last_lr = self._rates()


def check_members(name: str, schedulers: Sequence[Any], optimizer: Any, what: str) -> None:
    """Raise PyTorch's errors where there is no schedule, or one of another optimizer or of a metric."""
    if len(schedulers) < 1:
        raise ValueError(f"{name} expects at least one {what}, but got no scheduler.")
    for i, each in enumerate(schedulers):
        if not hasattr(each, "optimizer"):
            raise TypeError(f"{name} at index {i} should have `optimizer` as its attribute.")
        if hasattr(each, "is_better"):
            raise ValueError(
                f"{name} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be specified "
                f"when calling `step`, but got one at index {i} in the given schedulers sequence."
            )
        if each.optimizer is not optimizer:
            raise ValueError(
                f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                f"{type(each).__name__} at index {i} has {each.optimizer}, which is different from "
                f"{type(optimizer).__name__}."
            )
