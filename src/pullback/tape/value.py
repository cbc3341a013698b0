"""The tensor as the tape sees it: data, whether it requires grad, and the node that made it.

``_flags`` is what the fast paths test: bit 0 is set where the tensor requires grad, bit 1 where something about it
needs care (a view, whose history may have been rewritten through its base; a value of a transform; an inference
tensor; a subclass). All that is rare stays in the instance's ``__dict__``, with these class attributes as defaults,
so that making a tensor sets three slots.
"""

from typing import Any

from numpy import asarray, ndarray

from ..context import make_lock
from ..interpreters import Value, run
from ..interpreters.batched import is_random, spread_randomness, unspread, vmaps

GRAD, CARE = 1, 2
ANY = "any"  # the ``_grad_dtype`` of a leaf whose .grad may have any dtype


class Tensor(Value):
    """A multi-dimensional array that remembers how it was computed.

    Operators, methods and properties are bound from the table of operations; see ``tensor.py``.
    """

    __slots__ = ("__dict__", "__weakref__", "_data", "_flags", "_fn")

    _data: Any
    _flags: int
    _fn: Any

    _is_node = False
    _watched = False  # a leaf with hooks of any kind
    is_boundary = False
    _nr = 0  # 0: its node's only output; -1 - k: output k of several
    _level = 0  # of the transform that it belongs to
    _grad: Any = None
    _view: Any = None  # its View, where it shares another tensor's storage
    _family: Any = None  # shared by a base and its views; see views.py
    _hooks: Any = None
    _retains = False
    _prehooks: Any = None  # of the leaf's AccumulateGrad
    _post_hooks: Any = None
    _posthooks: Any = None
    _grad_dtype: Any = None  # of its .grad, where it is not the tensor's own
    _inference = False
    _kin: Any = None  # the family of the tensor that it was detached from, whose memory it shares
    _unguarded = False  # detached from an inference tensor, and may be written anywhere
    _accumulator: Any = None
    name: Any = None
    _why: Any = None  # where its history ended; see reasons.py
    _last: Any = None  # where the newest backward pass that accumulated its gradient began
    _tangents: Any = None  # by dual level; see forward.py
    _origin: Any = None  # of a view of a tensor with tangents

    @property
    def rank(self) -> float:  # type: ignore[override]
        """The tape's, or that of the highest dual level at which this tensor has a tangent."""
        own = 2 * self._level + 1
        if not open_levels:
            return own
        from .forward import levels_of

        return max([own, *[level.rank for level in levels_of(self)[-1:]]])

    @staticmethod
    def interpret(op: Any, args: Any, top: "Tensor") -> Any:
        from . import forward, record

        if vmaps.get() and is_random(op) and unspread(args[0]):
            return wrap(run(op, spread_randomness(args)))
        level = forward.top_level((top,)) if open_levels else None
        return record.interpret(op, args, top._level) if level is None else forward.interpret(op, args, level)


def is_dual(tensor: Tensor) -> bool:
    """Whether a tensor has a tangent of an open dual level, whose ranks are no whole numbers."""
    return bool(open_levels) and tensor.rank % 1 != 0


new = object.__new__

# Types that the fast paths take, and those that they will take again: while something unusual is going on (saved-tensor
# hooks, function modes), ``plain`` is empty, and every call goes the general way.
plain: set[type] = {Tensor}
known: set[type] = {Tensor}
_lock = make_lock()
open_levels: list = []  # the dual levels of all threads


def admit(*types: type) -> None:
    """Let the fast paths take instances of these types as they take tensors."""
    known.update(types)
    if not closing:
        plain.update(types)


class Closing(set):
    """While this has a member, every operation, in all threads, takes the general path: the live values of those
    settings that stand between a call and its operation (:class:`~pullback.context.Setting`)."""

    def add(self, member: Any) -> None:
        with _lock:
            super().add(member)
            plain.clear()

    def discard(self, member: Any) -> None:
        with _lock:
            super().discard(member)
            if not self:
                plain.update(known)


closing = Closing()


def wrap(data: Any, level: int = 0) -> Tensor:
    """A tensor that holds ``data`` and requires no grad; ``data`` below ``level`` is a tensor already, or becomes one."""
    if isinstance(data, Tensor):
        return data
    tensor = new(Tensor)
    if not isinstance(data, Value):
        tensor._data = data if type(data) is ndarray else asarray(data)
        tensor._flags = 0
    else:
        tensor._data = data
        tensor._flags = CARE
        tensor._level = data.level  # type: ignore[attr-defined]
    tensor._fn = None
    return tensor


def as_inference(tensor: Tensor) -> Tensor:
    """Mark a result of inference mode, unless it is a view of an ordinary tensor."""
    if tensor._view is None or tensor._view.base._inference:
        tensor._flags |= CARE
        tensor._inference = True
    return tensor


def at_level(data: Any, level: int) -> Tensor:
    """A tensor of a level whose data is a value of a lower one: the tape of a ``grad`` transform."""
    tensor = new(Tensor)
    tensor._data = data if type(data) is ndarray or isinstance(data, Value) else asarray(data)  # not NumPy's scalars
    tensor._flags, tensor._fn, tensor._level = CARE, None, level
    return tensor
