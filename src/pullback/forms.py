"""Changing a tensor's form in place: ``x.unsqueeze_(0)``, ``x.t_()`` and their kin, which write nothing; and its memory."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from .clock import tick
from .kernels.numpy.shape import restrided
from .tape.inplace import check_inference, check_leaf, note_write, snapshot
from .tape.modes import modes
from .tape.storage import NOTHING, add_versions, owner
from .tape.value import GRAD, Tensor, open_levels
from .tape.views import Family, renew


def become_view(function: Callable, target: Tensor, *rest: Any, **options: Any) -> Tensor:
    """The in-place form of a view operation (``x.unsqueeze_(0)``): the tensor becomes the view of what it was."""
    renew(target)
    if modes.floor <= target._level:
        check_leaf(target, bool(target._flags & GRAD))
    check_inference(function.__name__, target)
    before = snapshot(target)
    before._view = target._view
    has_views = target._family is not None and target._view is None
    if has_views and target._flags & GRAD and target._fn is None:
        raise RuntimeError(
            f"{function.__name__}_: the tensor is a leaf that requires grad, and has views, which would no longer fit it; "
            f"use {function.__name__}() instead"
        )
    if has_views:
        before._family = Family()
        before._family.written = target._family.written
    follows = has_views or (target._view is not None and target._view.recorded)
    fresh = other_form(function, before, follows, *rest, **options)
    if not follows and target._fn is not None and fresh._data.shape != target._data.shape:
        fresh = other_form(function, before, True, *rest, **options)  # even under no_grad, lest gradients do not fit
    if fresh is not before:
        take_form(target, fresh, follows)
    if has_views and fresh is not before:  # its views are those of a tensor of their own form from now on
        target._view.in_place = True
        target._family.heir, target._family.epoch = before, tick()
        target._family = None
    if type(target._data) is ndarray:
        note_write(target, f"{function.__name__}_", NOTHING)
    if target._view is not None and target._fn is not None:
        target._view.epoch = target._view.family.epoch
    return target


def other_form(function: Callable, before: Tensor, recorded: bool, *rest: Any, **options: Any) -> Tensor:
    floor = modes.floor
    modes.floor = min(floor, before._level) if recorded else floor
    try:
        return function(before, *rest, **options)
    finally:
        modes.floor = floor


def take_form(target: Tensor, fresh: Tensor, follows: bool) -> None:
    """Become what ``fresh`` is; where it is not recorded, in its data only."""
    target._data = fresh._data
    if open_levels:
        target._tangents, target._origin = fresh._tangents, fresh._origin
    if follows:
        target._fn, target._nr, target._flags, target._view = fresh._fn, fresh._nr, fresh._flags, fresh._view
    elif fresh._fn is not None and not fresh._fn.is_hidden:
        target._fn, target._nr = fresh._fn, fresh._nr


# -- memory ------------------------------------------------------------------------------------------------------------


def resized(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The memory of an array from its first element on, row by row, in a shape."""
    whole, needed = owner(array), math.prod(shape)
    flat = (
        whole.ravel(order="K")[(address(array) - address(whole)) // array.itemsize :]
        if array.size
        else array.reshape(-1)
    )
    if needed <= flat.size:
        return restrided(flat, shape, contiguous_steps(shape, array.itemsize))
    made = np.empty(needed, array.dtype)
    made[: flat.size] = flat
    return made.reshape(shape)


def contiguous_steps(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The strides in bytes of rows after rows."""
    return tuple([itemsize * math.prod(shape[d + 1 :]) for d in range(len(shape))])


def take_memory(tensor: Any, array: np.ndarray) -> None:
    """Let a tensor without a history show other memory."""
    tensor._data, tensor._view, tensor._family = array, None, None
    add_versions(array)


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]
