"""Small things by the names under which libraries import them: numbers repeated for each dimension, prefixes of keys."""

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["consume_prefix_in_state_dict_if_present"]


def _ntuple(count: int, name: str = "parse") -> Callable:
    """A function that repeats a number ``count`` times, and makes a tuple of anything with several."""

    def parse(value: Any) -> tuple:
        return tuple(value) if isinstance(value, Iterable) else (value,) * count

    parse.__name__ = name
    return parse


_single, _pair, _triple, _quadruple = (_ntuple(n, name) for n, name in enumerate(
    ("_single", "_pair", "_triple", "_quadruple"), 1))  # fmt: skip


def _reverse_repeat_tuple(values: tuple, count: int) -> tuple:
    return tuple(value for value in reversed(values) for _ in range(count))


def _list_with_default(out_size: Any, defaults: list) -> Any:
    """Sizes, of which those that are None are the last of the defaults."""
    if isinstance(out_size, int):
        return out_size
    if len(defaults) <= len(out_size):
        raise ValueError(f"Input dimension should be at least {len(out_size) + 1}")
    last = defaults[-len(out_size) :]
    return [default if size is None else size for size, default in zip(out_size, last, strict=True)]


def consume_prefix_in_state_dict_if_present(state_dict: Any, prefix: str) -> None:
    """Take a prefix such as ``"module."`` off the keys of a state (and of its metadata), in place.

    >>> state = {"module.weight": 1, "bias": 2}
    >>> consume_prefix_in_state_dict_if_present(state, "module.")
    >>> state
    {'bias': 2, 'weight': 1}
    """
    for key in [key for key in state_dict if key.startswith(prefix)]:
        state_dict[key.removeprefix(prefix)] = state_dict.pop(key)
    metadata = getattr(state_dict, "_metadata", None) or {}
    for key in [key for key in metadata if key and f"{key}.".startswith(prefix)]:
        metadata[f"{key}.".removeprefix(prefix).rstrip(".")] = metadata.pop(key)
