"""``torch.utils._pytree`` against PyTorch's."""

from collections import OrderedDict, namedtuple

import pytest

from pullback.utils import _pytree as ours

Pair = namedtuple("Pair", "a b")
TREES = [1, None, [], {"b": 1, "a": (2, [3, None])}, Pair([1], {"x": 2.5}), OrderedDict(z=1, y=(2,)), ([1, "s"], {})]


@pytest.fixture
def theirs(torch):
    return pytest.importorskip("torch.utils._pytree")


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_leaves_and_maps_are_pytorchs(tree, theirs):
    leaves, spec = ours.tree_flatten(tree)
    assert leaves == theirs.tree_leaves(tree) == list(ours.tree_iter(tree))
    assert ours.tree_unflatten(leaves, spec) == tree and ours.tree_structure(tree) == spec
    assert ours.tree_is_leaf(tree) == theirs.tree_is_leaf(tree)
    for call in (
        lambda module: module.tree_map(repr, tree),
        lambda module: module.tree_map(lambda a, b: (a, b), tree, tree),
        lambda module: module.tree_map(str, tree, is_leaf=lambda node: isinstance(node, list)),
        lambda module: module.tree_map_only((int, str), lambda leaf: 2 * leaf, tree),
        lambda module: module.tree_map_only(lambda leaf: leaf == 1, str, tree),
        lambda module: module.tree_map_only_(int, str, tree),
        lambda module: module.tree_map_(str, tree),
        lambda module: module.tree_all(bool, tree),
        lambda module: module.tree_any(bool, tree),
        lambda module: module.tree_all_only(int, lambda leaf: leaf > 1, tree),
        lambda module: module.tree_any_only(int, lambda leaf: leaf > 1, tree),
    ):
        assert call(ours) == call(theirs)


def test_a_registered_type_is_a_node():
    class Box:
        def __init__(self, inside):
            self.inside = inside

    ours.register_pytree_node(Box, lambda box: ([box.inside], None), lambda children, _: Box(*children))
    assert ours.tree_map(lambda leaf: leaf + 1, [Box(1)])[0].inside == 2
