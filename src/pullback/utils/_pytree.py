"""``torch.utils._pytree``: nested structures by the names that libraries know. ``pullback.tree`` does the work.

Invariant: None is a leaf here, as in PyTorch, where to ``pullback.tree`` it is a structure without leaves.
"""

from collections.abc import Callable, Iterable
from typing import Any

from .. import tree as _tree

__all__ = [
    "PyTree", "TreeSpec", "register_pytree_node", "tree_all", "tree_all_only", "tree_any", "tree_any_only",
    "tree_flatten", "tree_is_leaf", "tree_iter", "tree_leaves", "tree_map", "tree_map_", "tree_map_only",
    "tree_map_only_", "tree_structure", "tree_unflatten",
]  # fmt: skip

PyTree = Any
TreeSpec = _tree.Spec
IsLeaf = Callable[[Any], bool] | None


def _or_none(is_leaf: IsLeaf) -> Callable[[Any], bool]:
    return lambda tree: tree is None or (is_leaf is not None and is_leaf(tree))


def register_pytree_node(cls: type, flatten_fn: Callable, unflatten_fn: Callable, **options: Any) -> None:
    """Let a type be a node: ``flatten_fn(node) -> (children, context)``, and ``unflatten_fn(children, context)`` back."""
    _tree.register(cls, flatten_fn, unflatten_fn)


_register_pytree_node = register_pytree_node


def tree_flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list, TreeSpec]:
    """The leaves of a structure from left to right, and the spec that puts them back."""
    return _tree.flatten(tree, _or_none(is_leaf))


def tree_unflatten(leaves: Iterable, treespec: TreeSpec) -> Any:
    """The structure that a spec describes, with these leaves."""
    return _tree.unflatten(leaves, treespec)


def tree_leaves(tree: Any, is_leaf: IsLeaf = None) -> list:
    """The leaves of a structure from left to right."""
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree: Any, is_leaf: IsLeaf = None) -> Iterable:
    """The leaves of a structure, one after the other."""
    return iter(tree_leaves(tree, is_leaf))


def tree_structure(tree: Any, is_leaf: IsLeaf = None) -> TreeSpec:
    """The spec of a structure."""
    return tree_flatten(tree, is_leaf)[1]


def tree_is_leaf(tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether something is a leaf."""
    return tree_structure(tree, is_leaf).kind is None


def tree_map(func: Callable, tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """The structure with each leaf replaced by ``func(leaf, *others)``, the others being what stands in its place in ``rests``."""
    return _tree.map(func, tree, *rests, is_leaf=_or_none(is_leaf))


def tree_map_(func: Callable, tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """Call ``func`` as ``tree_map`` does, for what it does to the leaves, and return the structure itself."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def _chosen(kinds: Any) -> Callable[[Any], bool]:
    """The question that a type, a tuple or union of types, or a question asks of a leaf."""
    if callable(kinds) and not isinstance(kinds, type):
        return kinds
    return lambda leaf: isinstance(leaf, kinds)


def tree_map_only(type_or_types_or_pred: Any, /, func: Callable, tree: Any, is_leaf: IsLeaf = None) -> Any:
    """``tree_map`` of the leaves that are of a type, or of several; the others stay."""
    is_chosen = _chosen(type_or_types_or_pred)
    return tree_map(lambda leaf: func(leaf) if is_chosen(leaf) else leaf, tree, is_leaf=is_leaf)


def tree_map_only_(type_or_types_or_pred: Any, /, func: Callable, tree: Any, is_leaf: IsLeaf = None) -> Any:
    """Call ``func`` on the leaves that are of a type, and return the structure itself."""
    tree_map_only(type_or_types_or_pred, func, tree, is_leaf)
    return tree


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether something holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether something holds for some leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def tree_all_only(type_or_types: Any, /, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether something holds for all leaves of a type."""
    return all(pred(leaf) for leaf in tree_leaves(tree, is_leaf) if isinstance(leaf, type_or_types))


def tree_any_only(type_or_types: Any, /, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether something holds for some leaf of a type."""
    return any(pred(leaf) for leaf in tree_leaves(tree, is_leaf) if isinstance(leaf, type_or_types))
