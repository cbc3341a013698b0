"""``torch.autocast``, and what is asked and set about it.

Autocast has an effect on the CPU. For other devices it is a setting that can be asked for; CUDA's is refused with PyTorch's
warning.
"""

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from .. import dtypes
from ..context import Setting
from ..devices import device
from ..source import warn_user
from ..tape.modes import DecoratorContextManager
from ..tape.value import Tensor
from .policies import Active, active, install

AVAILABLE = ("cpu", "cuda", "xpu", "mps", "mtia", "maia", "hpu", "xla", "ipu", "privateuseone")
SUPPORTED = (dtypes.bfloat16, dtypes.float16)
_BFLOAT16_FIRST = ("cpu", "xpu", "xla", "hpu", "maia")


class Facts:
    """What is set of autocast, but whether it is on for the CPU."""

    def __init__(self, dtypes: dict, enabled: frozenset = frozenset(), cache: bool = True) -> None:
        self.dtypes, self.enabled, self.cache = dtypes, enabled, cache

    def dtype(self, kind: str) -> dtypes.dtype:
        return self.dtypes.get(kind, dtypes.bfloat16 if kind in _BFLOAT16_FIRST else dtypes.float16)


facts = Setting("autocast's settings", Facts({}), set())
nesting = [0]


def kind_of(device_type: Any) -> str:
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    return device(device_type).type


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows a kind of device."""
    return device(device_type).type in AVAILABLE


class autocast(DecoratorContextManager):
    """Context manager and decorator: matrix products and convolutions inside run in a lower precision.

    Operations that need range run in float32, and all others as their operands are.

    Args:
        device_type: ``"cpu"``; others have no effect here.
        dtype: ``torch.bfloat16``, which is the default, or ``torch.float16``.
        enabled: whether it is on inside; ``False`` turns it off in a block where it is on.
        cache_enabled: cast each parameter only once in the block.

    >>> import pullback as torch
    >>> x = torch.ones(2, 2)
    >>> with torch.autocast("cpu"):
    ...     (x @ x).dtype, (x + x).dtype
    (torch.bfloat16, torch.float32)
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        self.device = kind_of(device_type)
        self.custom_backend_name = "privateuseone"
        if not is_autocast_available(self.device):
            raise RuntimeError(f"User specified an unsupported autocast device_type '{self.device}'")
        self.fast_dtype = facts.get().dtype(self.device) if dtype is None else dtype
        self._cache_enabled = facts.get().cache if cache_enabled is None else cache_enabled
        self._enabled = bool(enabled) and self._is_possible()

    def _is_possible(self) -> bool:
        if self.device == "cuda":
            warn_user("CUDA is not available or torch_xla is imported. Disabling autocast.")
            return False
        if self.device == "cpu" and self.fast_dtype not in SUPPORTED:
            warn_user(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\nCPU Autocast only supports "
                f"dtypes of {', '.join(map(str, SUPPORTED))} currently."
            )
            return False
        return True

    def clone(self) -> "autocast":
        """A block like this one: the decorated function has a new one for every call."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def enter(self) -> None:
        before, now = facts.get(), active.get()
        enabled = before.enabled | {self.device} if self._enabled else before.enabled - {self.device}
        if self.device == "cpu":
            if self._enabled:
                install()
            kept = None if now is None else now.kept
            active.enter(Active(self.fast_dtype, self._cache_enabled, kept) if self._enabled else None, self)
        facts.enter(Facts({**before.dtypes, self.device: self.fast_dtype}, enabled, self._cache_enabled), self)

    def leave(self) -> None:
        facts.leave(self)
        if self.device == "cpu":
            active.leave(self)


def _enter_autocast(*vals: Any) -> autocast:
    """Begin a block of autocast, and return it."""
    mode = autocast(*vals)
    mode.__enter__()
    return mode


def _exit_autocast(mode: autocast) -> None:
    """End a block that :func:`_enter_autocast` began."""
    mode.__exit__(None, None, None)


# -- asked and set -----------------------------------------------------------------------------------------------------


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on for a kind of device in this context; without one, for CUDA."""
    kind = device(device_type).type
    return active.get() is not None if kind == "cpu" else kind in facts.get().enabled


def set_autocast_enabled(device_type: Any, enabled: Any = None) -> None:
    """Turn autocast on or off for a kind of device (a bool alone is meant for CUDA) until the block that is open ends."""
    kind, is_on = ("cuda", device_type) if enabled is None else (device(device_type).type, enabled)
    if kind != "cpu":
        before = facts.get()
        facts.put(Facts(before.dtypes, before.enabled | {kind} if is_on else before.enabled - {kind}, before.cache))
    elif is_on:
        install()
        active.put(Active(facts.get().dtype("cpu"), facts.get().cache))
    else:
        active.put(None)


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """The dtype that autocast casts to on a kind of device."""
    return facts.get().dtype(device(device_type).type)


def set_autocast_dtype(device_type: str, dtype: Any) -> None:
    """Set the dtype that autocast casts to on a kind of device."""
    if not isinstance(dtype, dtypes.dtype):
        raise TypeError(f"set_autocast_dtype(): argument 'dtype' must be torch.dtype, not {type(dtype).__name__}")
    kind, before, now = device(device_type).type, facts.get(), active.get()
    facts.put(Facts({**before.dtypes, kind: dtype}, before.enabled, before.cache))
    if kind == "cpu" and now is not None:
        active.put(Active(dtype, now.cache, now.kept))


def is_autocast_cache_enabled() -> bool:
    """Whether parameters are cast only once in a block."""
    return facts.get().cache


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Set whether parameters are cast only once in a block."""
    before, now = facts.get(), active.get()
    facts.put(Facts(before.dtypes, before.enabled, bool(enabled)))
    if now is not None:
        active.put(Active(now.dtype, bool(enabled), now.kept))


def clear_autocast_cache() -> None:
    """Forget what was cast."""
    now = active.get()
    if now is not None:
        now.kept.clear()


def autocast_increment_nesting() -> int:
    """PyTorch's count of open blocks, for programs that keep it themselves."""
    nesting[0] += 1
    return nesting[0]


def autocast_decrement_nesting() -> int:
    """PyTorch's count of open blocks, for programs that keep it themselves."""
    nesting[0] -= 1
    return nesting[0]


def _older(name: str, call: Callable, instead: str) -> Callable:
    """An older name of a question or a setting, which warns."""

    def function(*args: Any) -> Any:
        warnings.warn(
            f"torch.{name}() is deprecated. Please use torch.{instead} instead.", DeprecationWarning, stacklevel=2
        )
        return call(*args)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"An older name of ``torch.{instead}``."
    return function


OLDER: dict[str, Callable] = {}
for _short, _kind in (("cpu", "cpu"), ("gpu", "cuda"), ("xla", "xla"), ("ipu", "ipu")):
    for _name, _call, _of in (
        (f"get_autocast_{_short}_dtype", get_autocast_dtype, "get_autocast_dtype"),
        (f"set_autocast_{_short}_dtype", set_autocast_dtype, "set_autocast_dtype"),
        (f"is_autocast_{_short}_enabled", is_autocast_enabled, "is_autocast_enabled"),
        (f"set_autocast_{_short}_enabled", set_autocast_enabled, "set_autocast_enabled"),
    ):
        if not (_short == "gpu" and _name.endswith("enabled")):
            OLDER[_name] = _older(_name, functools.partial(_call, _kind), f"{_of}('{_kind}')")
globals().update(OLDER)


# -- custom functions --------------------------------------------------------------------------------------------------


def cast_all(value: Any, kind: str, dtype: Any) -> Any:
    """A value with its floating tensors in a dtype, also those in lists and dicts; double precision stays."""
    if isinstance(value, Tensor):
        is_meant = value.dtype.is_floating_point and value.dtype is not dtypes.float64 and kind == "cpu"  # type: ignore[attr-defined]
        return value.to(dtype) if is_meant else value  # type: ignore[attr-defined]
    if isinstance(value, Mapping):
        return {cast_all(k, kind, dtype): cast_all(v, kind, dtype) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        made = [cast_all(v, kind, dtype) for v in value]
        return made if isinstance(value, list) else tuple(made)
    return value


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: Any = None) -> Any:
    """Decorator of a custom Function's ``forward``: how it behaves under autocast.

    Args:
        device_type: the kind of device whose autocast counts.
        cast_inputs: floating inputs are cast to this dtype, and autocast is off inside; without it, ``forward`` runs
            under autocast as it is.
    """
    kind = kind_of(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        ctx, is_on = args[0], is_autocast_enabled(kind)
        ctx._dtype = get_autocast_dtype(kind)
        ctx._fwd_used_autocast = is_on and cast_inputs is None
        if cast_inputs is None or not is_on:
            return fwd(*args, **kwargs)
        with autocast(device_type=kind, enabled=False):
            return fwd(ctx, *cast_all(args[1:], kind, cast_inputs), **cast_all(kwargs, kind, cast_inputs))

    return decorated


def custom_bwd(bwd: Any = None, *, device_type: str) -> Any:
    """Decorator of a custom Function's ``backward``: it runs under autocast as its ``forward`` did."""
    kind = kind_of(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        with autocast(device_type=kind, enabled=args[0]._fwd_used_autocast, dtype=args[0]._dtype):
            return bwd(*args, **kwargs)

    return decorated
