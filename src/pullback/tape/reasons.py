"""Why a tensor has no history, or no gradient: what is noted where a history ends, and what can be found out afterwards.

A tensor whose history ends keeps a *reason* in ``_why``: words and the user's place. The results of operations that are
not recorded hand it on, so that a loss can tell what its input lost. All else is found when somebody asks: who uses a
leaf is a question to the garbage collector.
"""

import gc
from typing import Any

from .graph import Freed, Node
from .lines import Place, describe
from .modes import held_floor
from .promotion import dtype_of
from .value import GRAD, Tensor

Reason = tuple[str, Place | None]

off = held_floor  # its .reason, where that holds: what turned recording off
last_pass: list[Any] = [None]  # where the newest backward pass began


def lost_by(op: Any, given: Any = "a result", place: Place | None = None) -> Reason:
    """The reason of a result that has no gradient by its nature."""
    return f"{op.name} gave {given} that no gradient passes through", place


def reason_of(op: Any, args: Any) -> Reason | None:
    """What a result that is not recorded should remember, by the operands that it was computed from."""
    for a in args:
        if isinstance(a, Tensor):
            why = a._why if not a._flags & GRAD else getattr(off(), "reason", None) if op.diff else lost_by(op)
        else:
            why = reason_of(op, a) if type(a) is list or type(a) is tuple else None
        if why is not None:
            return why
    return None


def note(op: Any, args: Any, results: list) -> None:
    """Let the results of an operation that was not recorded remember why."""
    why = reason_of(op, args)
    if why is not None:
        for result in results:
            result._why = why


def no_history(tensor: Tensor) -> str:
    """Why a tensor does not require grad."""
    if tensor._why is not None:
        words, place = tensor._why
        return f"its history ends where {words}" + (f" ({describe(place)})" if place else "")
    if dtype_of(tensor._data).category < 2:
        return f"its dtype is {dtype_of(tensor._data)}, and only floating and complex numbers can have gradients"
    return (
        "it was made without requires_grad=True, or computed from nothing that requires grad. (What goes through NumPy, "
        ".item() or torch.tensor(...) loses its history as well.) Call requires_grad_() on an input before computing"
    )


def users_of(target: Any) -> list[Node]:
    """The recorded operations, as far as they are alive, that send gradients to a node or leaf; oldest first."""
    edges = [found for found in gc.get_referrers(target) if type(found) is tuple]
    nodes = [n for each in edges for n in gc.get_referrers(each) if issubclass(type(n), Node) and n.next is each]
    return sorted(nodes, key=lambda node: node.tick)


def use_of(tensor: Any) -> str:
    """Which operation uses a tensor first."""
    users = users_of(tensor._fn or tensor)
    if not users:
        return "no recorded operation uses it"
    return f"it was used by {users[0].name()} ({users[0].line()})"


def pass_through(nodes: list[Node]) -> Place | None:
    """The backward pass that freed the nodes; of those that save nothing, the nodes that they send gradients from."""
    for _ in range(8):  # each step is a search of the whole heap
        for node in nodes:
            if type(node.saved) is Freed:
                return node.saved.place
        nodes = [user for node in nodes if not node.saved for user in users_of(node)]
    return None


def no_gradient(tensor: Tensor) -> str:
    """Why a tensor that requires grad has got no gradient."""
    place, last = pass_through(users_of(tensor._fn or tensor)), last_pass[0]
    if place:
        return (
            f"{use_of(tensor)}, and the backward pass at {describe(place)} went through there without a gradient for it: "
            "it was autograd.grad(), which fills no .grad, or a rule returned None"
        )
    newest = f"; the newest one is {describe(last)}" if last else ""
    return f"{use_of(tensor)}, and no backward pass has come to it{newest}"
