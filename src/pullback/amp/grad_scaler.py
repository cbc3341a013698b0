"""``torch.amp.GradScaler``: a loss is multiplied before the backward pass, so that small gradients survive half precision.

Invariant: between two updates an optimizer's gradients are divided at most once, and a step is taken only where all of them
are finite.
"""

from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from typing import Any

from numpy import isfinite

from .. import dtypes
from ..creation import full
from ..devices import CPU
from ..source import warn_user
from ..tape.modes import no_grad
from ..tape.value import Tensor


class OptState(Enum):
    """What was done for an optimizer since the last update."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _refresh_per_optimizer_state() -> dict[str, Any]:
    return {"stage": OptState.READY, "found_inf_per_device": {}}


class GradScaler:
    """Scales a loss, and takes the scale out of the gradients before an optimizer's step.

    A step whose gradients are infinite or NaN is left out, and the scale is lowered; after ``growth_interval`` steps without
    one it is raised.

    Args:
        device: ``"cpu"``; for ``"cuda"`` it is disabled, with a warning.
        init_scale, growth_factor, backoff_factor, growth_interval: where the scale begins, and how it changes.
        enabled: whether it does anything at all.

    >>> import pullback as torch
    >>> weight = torch.ones(1, requires_grad=True)
    >>> optimizer = torch.optim.SGD([weight], lr=0.5)
    >>> scaler = torch.amp.GradScaler("cpu")
    >>> scaler.scale(weight.sum()).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> weight
    tensor([0.5000], requires_grad=True)
    """

    def __init__(
        self, device: str = "cuda", init_scale: float = 2.0**16, growth_factor: float = 2.0, backoff_factor: float = 0.5,
        growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        self._device, self._enabled = device, enabled
        if enabled and device == "cuda":
            warn_user("torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.")
            self._enabled = False
        if not self._enabled:
            return
        if growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._init_scale, self._init_growth_tracker = init_scale, 0
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._scale: Any = None
        self._growth_tracker: Any = None
        self._per_optimizer_states: Any = defaultdict(_refresh_per_optimizer_state)

    # -- the scale -----------------------------------------------------------------------------------------------------

    def scale(self, outputs: Any) -> Any:
        """A loss, or each tensor of several, times the scale."""
        if not self._enabled:
            return outputs
        if self._scale is None:
            self._scale = full((), float(self._init_scale), dtype=dtypes.float32)
            self._growth_tracker = full((), self._init_growth_tracker, dtype=dtypes.int32)
        if isinstance(outputs, Tensor):
            return scaled(outputs, self._scale)
        if not isinstance(outputs, Iterable):
            raise ValueError(f"outputs must be a Tensor or an iterable of Tensors, got {type(outputs).__name__}")
        made = [self.scale(each) for each in outputs]
        return made if isinstance(outputs, list) else tuple(made)

    def unscale_(self, optimizer: Any) -> None:
        """Divide an optimizer's gradients by the scale, as is needed before they are clipped.

        Raises:
            RuntimeError: that was done already since the last update, or the step was taken.
            ValueError: gradients are of half precision.
        """
        if not self._enabled:
            return
        self._check_scale("unscale_")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        state["found_inf_per_device"] = self._unscale_grads_(optimizer, self._scale.double().reciprocal(), False)
        state["stage"] = OptState.UNSCALED

    def _unscale_grads_(self, optimizer: Any, inv_scale: Any, allow_fp16: bool) -> dict:
        grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if not allow_fp16 and any(grad.dtype is dtypes.float16 for grad in grads):
            raise ValueError("Attempting to unscale FP16 gradients.")
        factor, bad = float(inv_scale), False
        with no_grad():
            for grad in grads:
                bad = bad or not bool(grad.isfinite().all())
                grad.mul_(factor)
        return {CPU: full((1,), float(bad), dtype=dtypes.float32)} if grads else {}

    def _found_inf_per_device(self, optimizer: Any) -> dict:
        return self._per_optimizer_states[id(optimizer)]["found_inf_per_device"]

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Take an optimizer's step, unless its gradients are infinite or NaN; divides them first where it is to be done.

        Raises:
            RuntimeError: the step was taken since the last update, or a closure is given.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._check_scale("step")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if state["stage"] is OptState.READY:
            self.unscale_(optimizer)
        if not state["found_inf_per_device"]:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        is_bad = any(float(each) for each in state["found_inf_per_device"].values())
        result = None if is_bad else optimizer.step(*args, **kwargs)
        state["stage"] = OptState.STEPPED
        return result

    def update(self, new_scale: Any = None) -> None:
        """Lower the scale where a step was left out, raise it after many that were not; or set it."""
        if not self._enabled:
            return
        self._check_scale("update")
        if new_scale is not None:
            self._set_scale(new_scale)
        else:
            found = [f for s in self._per_optimizer_states.values() for f in s["found_inf_per_device"].values()]
            if not found:
                raise AssertionError("No inf checks were recorded prior to update.")
            self._adapt(any(float(each) for each in found))
        self._per_optimizer_states = defaultdict(_refresh_per_optimizer_state)

    def _set_scale(self, new_scale: Any) -> None:
        if isinstance(new_scale, Tensor):
            if new_scale.numel() != 1 or new_scale.requires_grad:  # type: ignore[attr-defined]
                raise AssertionError(
                    "new_scale should be a float or a 1-element torch.FloatTensor with requires_grad=False."
                )
        elif not isinstance(new_scale, (int, float)):
            raise TypeError(f"new_scale should be a float or a tensor of one element, got {type(new_scale).__name__}")
        self._scale.fill_(float(new_scale))  # type: ignore[arg-type]

    def _adapt(self, is_bad: bool) -> None:
        """Change the scale after a step: PyTorch's rule, by which it never grows to infinity."""
        steps = 0 if is_bad else int(self._growth_tracker) + 1
        if is_bad:
            self._scale.mul_(self._backoff_factor)
        elif steps == self._growth_interval:
            grown = self._scale * self._growth_factor
            steps = 0
            if isfinite(float(grown)):
                self._scale.copy_(grown)
        self._growth_tracker.fill_(steps)

    def _check_scale(self, action: str) -> None:
        if self._scale is None:
            raise AssertionError(
                f"Attempted {action} but _scale is None.  This may indicate your script did not use scaler.scale(loss or "
                "outputs) earlier in the iteration."
            )

    # -- asked, set, saved ---------------------------------------------------------------------------------------------

    def get_scale(self) -> float:
        """The scale; 1 where the scaler is disabled."""
        if not self._enabled:
            return 1.0
        return float(self._init_scale if self._scale is None else self._scale)

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        return int(self._init_growth_tracker if self._growth_tracker is None else self._growth_tracker)

    def get_growth_factor(self) -> float:
        """What the scale is multiplied by when it grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set what the scale is multiplied by when it grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the scale is multiplied by after a step that was left out."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set what the scale is multiplied by after a step that was left out."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """How many steps must be taken before the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set how many steps must be taken before the scale grows."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Whether the scaler does anything."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The state, for a checkpoint; empty where the scaler is disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state.

        Raises:
            RuntimeError: it is empty, as that of a disabled scaler is.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        self._init_scale, self._init_growth_tracker = state_dict["scale"], state_dict["_growth_tracker"]
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        if self._scale is not None:
            self._scale.fill_(float(self._init_scale))
            self._growth_tracker.fill_(int(self._init_growth_tracker))

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if self._enabled:
            if self._per_optimizer_states:
                raise AssertionError(
                    "A GradScaler instance may only be pickled at the beginning of an iteration, or at the end after "
                    "scaler.update()."
                )
            state["_init_scale"], state["_init_growth_tracker"] = self.get_scale(), self._get_growth_tracker()
            state["_scale"] = state["_growth_tracker"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def scaled(loss: Any, scale: Any) -> Any:
    """A loss times the scale, which half precision itself could not hold."""
    if loss.dtype is dtypes.float16:
        return (loss.float() * scale).half()
    return loss * scale
