"""Views as copies: the view's elements and gradients, in memory of their own."""

import pytest

import pullback
from numeric import agree, array
from pullback.ops.copies import COPIES
from pullback.tensor import public_function

CALLS = {
    "as_strided_copy": ((2, 2), (1, 2), 1),
    "diagonal_copy": (1,),
    "expand_copy": ((2, 3, 4),),
    "narrow_copy": (1, -3, 2),
    "permute_copy": ((1, 0),),
    "select_copy": (0, -1),
    "slice_copy": (1, 1, -1, 2),
    "split_copy": (2, 1),
    "split_with_sizes_copy": ((1, 2),),
    "squeeze_copy": ((0, 1),),
    "t_copy": (),
    "transpose_copy": (0, 1),
    "unbind_copy": (1,),
    "unfold_copy": (1, 2, 2),
    "unsqueeze_copy": (1,),
    "view_copy": ((2, -1),),
    "unsafe_chunk": (2,),
    "unsafe_split": (2,),
    "unsafe_split_with_sizes": ((1, 2),),
}


def parts(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


def outcome(lib, name):
    """Values, node names and the gradient of all of them."""
    x = (lib.arange(12.0) + 1).reshape(3, 4).requires_grad_()
    found = parts(getattr(lib, name)(x, *CALLS[name]))
    sum((f * f).sum() for f in found).backward()
    return [array(f) for f in found], [f.grad_fn.name() for f in found], array(x.grad)


@pytest.mark.parametrize("name", CALLS)
def test_copies_have_torchs_values_nodes_and_gradients(name, torch):
    got, want = outcome(pullback, name), outcome(torch, name)
    assert got[1] == want[1]
    for g, w in zip([*got[0], got[2]], [*want[0], want[2]], strict=True):
        agree(g, w, name)


@pytest.mark.parametrize("name", [n for n in CALLS if not n.startswith("unsafe")])
def test_a_copy_shares_no_memory(name):
    x = pullback.arange(12.0).reshape(3, 4)
    for part in parts(getattr(pullback, name)(x, *CALLS[name])):
        assert part.is_contiguous() and part._base is None
        part.fill_(-1)
    assert bool((x >= 0).all())


def test_every_copy_is_tried():
    public = {copy.name for copy in COPIES.values() if copy.function}
    assert public <= {*CALLS, "view_as_real_copy", "view_as_complex_copy"}
    assert public_function(COPIES[next(iter(COPIES))]).__doc__


def test_a_tensor_is_seen_in_another_dtype():
    x = pullback.tensor([[1.0, 2.0], [3.0, 4.0]])
    bits = x.view(pullback.int16)
    assert bits.shape == (2, 4)
    bits[0] = 0
    assert x.tolist() == [[0.0, 0.0], [3.0, 4.0]]
    assert x.view(dtype=pullback.complex64).tolist() == [[0j], [3 + 4j]]
    assert not x.requires_grad_().view(pullback.int32).requires_grad


@pytest.mark.parametrize(
    "make, dtype",
    [
        (lambda t: t.tensor(1.0), "int64"),
        (lambda t: t.ones(2, 3), "int64"),
        (lambda t: t.ones(2, 4).T, "int16"),
        (lambda t: t.ones(2, 5)[:, :4], "int64"),
    ],
)
def test_a_dtype_that_does_not_fit_raises_torchs_words(make, dtype, torch):
    said = []
    for lib in (pullback, torch):
        with pytest.raises(RuntimeError) as caught:
            make(lib).view(getattr(lib, dtype))
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("name", ["abs_", "arccos_", "clamp_", "neg_", "round_", "sqrt_", "trunc_"])
def test_in_place_functions_write_their_argument(name):
    x = pullback.tensor([0.25, 0.5])
    more = (0.3,) if name == "clamp_" else ()
    want = getattr(pullback, name[:-1])(x, *more)
    assert getattr(pullback, name)(x, *more) is x
    assert x.tolist() == want.tolist()


@pytest.mark.parametrize(
    "write",
    [
        lambda x, y: x.add_(2, y),
        lambda x, y: x.sub_(2, y),
        lambda x, y: x.addcmul_(2, y, y),
        lambda x, y: x.addcdiv_(-2, y, y),
    ],
)
@pytest.mark.filterwarnings("ignore:This overload of")
def test_the_factor_may_stand_first_as_in_old_programs(write, torch):
    found = []
    for t in (pullback, torch):
        y = t.full((3,), 3.0, requires_grad=True)
        written = write(t.arange(3.0), y)
        written.sum().backward()
        found.append((written.tolist(), y.grad.tolist()))
    assert found[0] == found[1]
