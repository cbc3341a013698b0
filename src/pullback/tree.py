"""Nested structures of dicts, lists, tuples and whatever else is registered: taken apart into leaves, and put together.

Responsible for the order of leaves and the description of a structure. What a leaf is, or means, is the caller's affair.

Invariant: `unflatten(*flatten(tree))` equals `tree`, with the same types and, in dicts, the same order of keys.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

Flatten = Callable[[Any], tuple[Iterable, Any]]
Unflatten = Callable[[Sequence, Any], Any]


class Spec(NamedTuple):
    """A structure without its leaves. Two structures are alike exactly when their specs are equal."""

    kind: type | None  # of the node; None for a leaf
    context: Any  # what the node's children do not tell: a dict's keys, a named tuple's type
    children: tuple[Spec, ...]
    size: int  # the number of leaves

    def __repr__(self) -> str:
        return f"Spec({unflatten([_STAR] * self.size, self)!r})"


class _Star:
    def __repr__(self) -> str:
        return "*"


_STAR = _Star()
_LEAF = Spec(None, None, (), 1)
_NODES: dict[type, tuple[Flatten, Unflatten]] = {}


def register(type: type, flatten: Flatten, unflatten: Unflatten) -> None:
    """Let `type` be a node: `flatten(node) -> (children, context)`, `unflatten(children, context) -> node`.

    Contexts are compared with `==` to tell whether two structures are alike.
    """
    _NODES[type] = flatten, unflatten


class _NamedTuple:
    """Stands in the registry for every type that `collections.namedtuple` made."""


register(tuple, lambda node: (node, None), lambda children, _: tuple(children))
register(list, lambda node: (node, None), lambda children, _: list(children))
register(type(None), lambda node: ((), None), lambda children, _: None)
register(_NamedTuple, lambda node: (node, type(node)), lambda children, kind: kind(*children))
register(dict, lambda node: (node.values(), tuple(node)), lambda children, keys: dict(zip(keys, children, strict=True)))
register(
    OrderedDict,
    lambda node: (node.values(), tuple(node)),
    lambda children, keys: OrderedDict(zip(keys, children, strict=True)),
)


def _kind(tree: Any) -> type | None:
    """The key of the tree's root in the registry; None for a leaf."""
    kind = type(tree)
    if kind in _NODES:
        return kind
    return _NamedTuple if isinstance(tree, tuple) and hasattr(kind, "_fields") else None


def flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list, Spec]:
    """The leaves of `tree` from left to right, and the spec that puts them back; where `is_leaf` holds, nothing is opened.

    >>> flatten({"b": 1, "a": (2, [3, None])})
    ([1, 2, 3], Spec({'b': *, 'a': (*, [*, None])}))
    """
    found: list = []
    return found, _collect(tree, found, is_leaf)


def _collect(tree: Any, found: list, is_leaf: Callable[[Any], bool] | None) -> Spec:
    kind = _kind(tree)
    if kind is None or (is_leaf is not None and is_leaf(tree)):
        found.append(tree)
        return _LEAF
    start = len(found)
    children, context = _NODES[kind][0](tree)
    specs = tuple([_collect(child, found, is_leaf) for child in children])
    return Spec(kind, context, specs, len(found) - start)


def unflatten(leaves: Iterable, spec: Spec) -> Any:
    """The structure that `spec` describes, with these leaves."""
    given = list(leaves)
    if len(given) != spec.size:
        raise ValueError(f"unflatten: the structure {spec!r} has {spec.size} leaves, got {len(given)}")
    return _build(iter(given), spec)


def _build(remaining: Any, spec: Spec) -> Any:
    if spec.kind is None:
        return next(remaining)
    return _NODES[spec.kind][1]([_build(remaining, child) for child in spec.children], spec.context)


def leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list:
    """The leaves of `tree` from left to right."""
    return flatten(tree, is_leaf)[0]


def map(f: Callable, tree: Any, *rest: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """`tree` with each leaf replaced by `f(leaf, *others)`, the others being what `rest` has in its place.

    >>> map(lambda a, b: a + b, {"x": 1, "y": (2, 3)}, {"y": (20, 30), "x": 10})
    {'x': 11, 'y': (22, 33)}
    """
    found, spec = flatten(tree, is_leaf)
    others = [match(spec, other) for other in rest]
    return unflatten([f(*each) for each in zip(found, *others, strict=True)], spec)


def match(spec: Spec, tree: Any) -> list:
    """What `tree` has in the places of the leaves of `spec`, itself perhaps structured; dicts are matched by key."""
    found: list = []
    _match(spec, tree, found)
    return found


def _match(spec: Spec, tree: Any, found: list) -> None:
    if spec.kind is None:
        found.append(tree)
        return
    if _kind(tree) is not spec.kind:
        raise ValueError(f"expected the structure {spec!r}, got a {type(tree).__name__}: {tree!r}")
    for child_spec, child in zip(spec.children, _children(spec, tree), strict=True):
        _match(child_spec, child, found)


def _children(spec: Spec, tree: Any) -> list:
    """The children of a node in the order of `spec`, whose node is of the same type."""
    if spec.kind in (dict, OrderedDict) and set(tree) == set(spec.context):
        return [tree[key] for key in spec.context]
    children, context = _NODES[spec.kind][0](tree)  # type: ignore[index]
    children = list(children)
    if context != spec.context or len(children) != len(spec.children):
        raise ValueError(f"expected the structure {spec!r}, got {flatten(tree)[1]!r}")
    return children
