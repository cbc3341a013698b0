"""Nested structures: taking apart, putting together, and telling whether two are alike."""

from collections import OrderedDict, namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback import tree

Point = namedtuple("Point", "x y")

structures = st.recursive(
    st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.dictionaries(st.integers(), inner, max_size=3).map(OrderedDict)
        | st.tuples(inner, inner).map(lambda pair: Point(*pair))
    ),
)


@given(structures)
def test_putting_together_undoes_taking_apart(structure):
    leaves, spec = tree.flatten(structure)
    rebuilt = tree.unflatten(leaves, spec)
    assert repr(rebuilt) == repr(structure)  # types and the order of keys too
    assert spec.size == len(leaves) == len(tree.leaves(structure))
    assert None not in leaves


@given(structures)
def test_equal_structures_have_equal_specs_whatever_their_leaves(structure):
    leaves, spec = tree.flatten(structure)
    other = tree.map(lambda leaf: [leaf], structure)
    assert tree.flatten(other, is_leaf=lambda x: isinstance(x, list) and len(x) == 1)[0] or not leaves
    assert tree.flatten(tree.map(str, structure))[1] == spec
    assert hash(tree.flatten(tree.map(str, structure))[1]) == hash(spec)


@pytest.mark.parametrize(
    "structure, leaves",
    [
        (5, [5]),
        (None, []),
        ((), []),
        ({"b": 1, "a": (2, [3, None])}, [1, 2, 3]),
        (Point(1, {"k": Point(2, 3)}), [1, 2, 3]),
        (OrderedDict(z=1, a=2), [1, 2]),
        ("text", ["text"]),
    ],
)
def test_leaves_come_from_left_to_right(structure, leaves):
    assert tree.leaves(structure) == leaves


@pytest.mark.parametrize(
    "one, other", [([1], (1,)), ({"a": 1}, {"b": 1}), ([1, None], [1]), (Point(1, 2), (1, 2)), (1, None)]
)
def test_different_structures_have_different_specs(one, other):
    assert tree.flatten(one)[1] != tree.flatten(other)[1]


def test_a_spec_shows_its_structure():
    assert repr(tree.flatten([1, {"a": (2, None)}])[1]) == "Spec([*, {'a': (*, None)}])"


def test_is_leaf_stops_the_descent():
    assert tree.leaves((1, None, [2]), is_leaf=lambda x: x is None or isinstance(x, list)) == [1, None, [2]]


def test_map_over_several_structures_matches_dicts_by_key():
    first, second = {"x": 1, "y": Point(2, 3)}, {"y": Point(20, 30), "x": 10}
    assert tree.map(lambda a, b: a + b, first, second) == {"x": 11, "y": Point(22, 33)}


def test_map_hands_over_whole_parts_of_deeper_structures():
    assert tree.map(lambda a, b: (a, b), [1, 2], [None, {"k": 3}]) == [(1, None), (2, {"k": 3})]


@pytest.mark.parametrize(
    "one, other", [([1, 2], [1]), ([1], (1,)), ({"a": 1}, {"b": 1}), (Point(1, 2), (1, 2)), ([1, [2]], [1, 2])]
)
def test_map_refuses_structures_that_differ(one, other):
    with pytest.raises(ValueError, match="expected the structure"):
        tree.map(lambda a, b: a, one, other)


def test_unflatten_counts_the_leaves():
    with pytest.raises(ValueError, match=r"the structure Spec\(\[\*, \*\]\) has 2 leaves, got 3"):
        tree.unflatten([1, 2, 3], tree.flatten([0, 0])[1])


def test_a_registered_type_is_a_node():
    class Pair:
        def __init__(self, left, right, label):
            self.left, self.right, self.label = left, right, label

    tree.register(Pair, lambda p: ((p.left, p.right), p.label), lambda children, label: Pair(*children, label))
    leaves, spec = tree.flatten([Pair(1, (2, 3), "here"), 4])
    assert leaves == [1, 2, 3, 4]
    rebuilt, last = tree.unflatten([10, 20, 30, 40], spec)
    assert (rebuilt.left, rebuilt.right, rebuilt.label, last) == (10, (20, 30), "here", 40)
    with pytest.raises(ValueError, match="expected the structure"):
        tree.map(lambda a, b: a, Pair(1, 2, "here"), Pair(1, 2, "there"))
