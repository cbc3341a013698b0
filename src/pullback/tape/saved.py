"""Saved tensors: hooks that pack and unpack what nodes keep, and a look at it from outside.

While hooks are in force the fast paths are closed, and every node that is recorded has its saved values packed once, by
the innermost pair. They are unpacked when the engine runs the node (nodes run newest first; a node's values in the order
in which they were packed), or when someone looks at ``node._saved_…``. Invariant: what ``unpack`` returns gets the saved
value's place in the graph back, so no derivative depends on what history a hook's tensor has.
"""

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from numpy import ndarray

from ..context import Setting
from ..interpreters import Value
from .graph import Freed, Node, revive, saved_values
from .modes import OFF, held_floor, modes, restore_floor
from .storage import version
from .value import GRAD, Tensor, at_level, closing, wrap

_pairs = Setting("saved_tensors_hooks", (), closing)  # of (pack, unpack), the innermost last
_refusal = Setting("disable_saved_tensors_hooks", None, set())


class Packed:
    """What stands among a node's saved values for one that a hook packed."""

    __slots__ = ("content", "level", "unpack_hook")

    def __init__(self, tensor: Tensor, level: int, pack: Callable, unpack: Callable, node: Any = None) -> None:
        self.level, self.unpack_hook = level, unpack
        before = held_floor()
        written = version(tensor._data)
        try:
            modes.floor = OFF
            self.content = pack(tensor, node) if getattr(pack, "wants_node", False) else pack(tensor)
        finally:
            restore_floor(before)
        if version(tensor._data) != written:
            raise RuntimeError(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook can not "
                "be modified by in-place operations; return a modified copy instead."
            )

    def unpack(self) -> Any:
        """The value, as the tape of the node's level holds it."""
        tensor = self.unpack_hook(self.content)
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(tensor).__name__}"
            )
        return tensor._data if tensor._level == self.level else tensor


def pack_saved(node: Node, args: Any) -> None:
    """Pack what a new node saved, if hooks are in force here; ``args`` hold the tensors that the values are of."""
    pairs = _pairs.get()
    if not pairs or not node.saved or node.level:
        return  # a transform's own tape holds values of other tapes, whose history no hook could give back
    given = {id(a._data): a for a in flat(args) if isinstance(a, Tensor) and a._level == node.level}
    names = zip(node.saved, node.saved_names, strict=True)
    node.saved = tuple([packed(v, node, given, pairs[-1]) if node.holds_value(name) else v for v, name in names])
    node.packed = node._special = True


def packed(value: Any, node: Node, given: dict, pair: tuple[Callable, Callable]) -> Any:
    """A saved value, or a list of them, packed; ``given`` has the users' own tensors by their data."""
    if type(value) is list or type(value) is tuple:
        return type(value)([packed(v, node, given, pair) for v in value])
    if not isinstance(value, (ndarray, Value)):
        return value
    tensor = given.get(id(value))
    return Packed(as_tensor(value, node.level) if tensor is None else tensor, node.level, *pair, node)


def pack_tensor(tensor: Any) -> Any:
    """A tensor as the hooks in force would have it packed, for those who keep one beside the graph; see :func:`unpacked`."""
    pairs = _pairs.get()
    return Packed(tensor, 0, *pairs[-1]) if pairs and isinstance(tensor, Tensor) and not tensor._level else tensor


def flat(args: Any) -> list:
    return [b for a in args for b in (a if isinstance(a, (list, tuple)) else (a,))]


def as_tensor(value: Any, level: int) -> Tensor:
    return value if isinstance(value, Tensor) else at_level(value, level) if level else wrap(value)


# -- looking at a node -------------------------------------------------------------------------------------------------


class SavedTensor:
    """A value that a node saved: ``node._raw_saved_result``."""

    __slots__ = ("_index", "_node")

    def __init__(self, node: Node, index: int) -> None:
        self._node, self._index = node, index

    def _value(self) -> Any:
        saved = self._node.saved
        if type(saved) is Freed:
            raise RuntimeError(
                "Calling register_hooks on a saved tensor after it has been freed. Saved intermediate values of the graph "
                "are freed when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to "
                "backward through the graph a second time or if you need to access saved variables after calling backward."
            )
        return saved[self._index]

    def register_hooks(self, pack_hook: Callable, unpack_hook: Callable) -> None:
        """Pack this value now by ``pack_hook(tensor)``; when it is needed, ``unpack_hook`` makes the tensor from that.

        Raises:
            RuntimeError: the value was freed, or has hooks already, or the pack hook writes to its input.
        """
        value, node = self._value(), self._node
        if isinstance(value, Packed):
            raise RuntimeError(
                "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of hooks "
                "is allowed at a time."
            )
        made = Packed(as_tensor(value, node.level), node.level, pack_hook, unpack_hook)
        node.saved = (*node.saved[: self._index], made, *node.saved[self._index + 1 :])
        node.packed = node._special = True


def look(node: Node, name: str) -> Any:
    """``node._saved_<name>``, a tensor with its history or a setting; ``node._raw_saved_<name>``."""
    raw = name.startswith("_raw")
    key = name.removeprefix("_raw").removeprefix("_saved_")
    names = node.saved_names
    key = node.op.params[0] if key == "self" else key  # PyTorch's name of a first argument
    if key not in names:
        raise AttributeError(f"{node.name()} saved nothing called {key!r}; it saved {list(names)}", name=name)
    index = names.index(key)
    if not raw:
        return revive(node, saved_values(node))[index]
    if type(node.saved) is not Freed and (node.saved[index] is None or not node.holds_value(key)):
        return None
    return SavedTensor(node, index)


# -- contexts ----------------------------------------------------------------------------------------------------------


class saved_tensors_hooks:
    """Context manager: values that operations inside save for the backward pass are packed, and unpacked when needed.

    Of nested pairs the innermost counts; the tapes of function transforms are left alone. ``pack_hook`` is called once per saved tensor, when the operation is recorded;
    ``unpack_hook`` whenever the tensor is needed, in the order in which the engine runs the nodes: newest first. The
    tensor it returns must have the content of the one packed; its place in the graph is found again by itself.

    Args:
        pack_hook: ``pack_hook(tensor) -> anything``; must not write to the tensor.
        unpack_hook: ``unpack_hook(what pack_hook returned) -> tensor``.
        min_bytes: leave tensors with fewer bytes as they are.
        skip_leaves: leave leaves that require grad as they are: a model's parameters, which stay in memory anyway.

    Raises:
        RuntimeError: on entering, inside :func:`disable_saved_tensors_hooks`.

    >>> import pullback as torch
    >>> x = torch.tensor([2.0, 3.0], requires_grad=True)
    >>> with torch.autograd.graph.saved_tensors_hooks(lambda t: t.tolist(), torch.tensor):
    ...     y = x * x
    >>> y.sum().backward()
    >>> x.grad
    tensor([4., 6.])
    """

    def __init__(
        self, pack_hook: Callable, unpack_hook: Callable, *, min_bytes: int = 0, skip_leaves: bool = False
    ) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook
        if min_bytes or skip_leaves:
            self.pack_hook, self.unpack_hook = selective(pack_hook, unpack_hook, min_bytes, skip_leaves)

    def __enter__(self) -> None:
        refusal = _refusal.get()
        if refusal is not None:
            raise RuntimeError(refusal)
        _pairs.enter((*_pairs.get(), (self.pack_hook, self.unpack_hook)), self)

    def __exit__(self, *exc: object) -> None:
        _pairs.leave(self)


def selective(pack: Callable, unpack: Callable, min_bytes: int, skip_leaves: bool) -> tuple[Callable, Callable]:
    """Hooks that leave some tensors as they are."""

    def pack_some(tensor: Tensor) -> tuple:
        is_small = tensor._data.size * tensor._data.dtype.itemsize < min_bytes
        skipped = is_small or (skip_leaves and tensor._flags & GRAD and tensor._fn is None)
        return (False, tensor) if skipped else (True, pack(tensor))

    return pack_some, lambda held: unpack(held[1]) if held[0] else held[1]


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Any:
    """Context manager: entering :class:`saved_tensors_hooks` inside raises RuntimeError with this message."""
    if _pairs.get():
        raise RuntimeError(error_message)
    _refusal.enter(error_message)
    try:
        yield
    finally:
        _refusal.leave()
