"""Every form that ``[]`` takes, read and written, against torch; under vmap, against a loop; and what is refused."""

import numpy as np
import pytest

import pullback
from numeric import agree, array
from pullback.func import grad, jvp, vmap

# torch announces that it will read lists of lists otherwise one day, but has not done so yet.
pytestmark = pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")

SHAPE = (2, 3, 4)
MASK, ROWS, PLANE = np.arange(24).reshape(SHAPE) % 3 == 0, np.array([True, False]), np.arange(6).reshape(2, 3) % 2 == 0

# What is written below as an array is given to each library as its tensor.
BASIC = {
    "int": 0,
    "negative int": -1,
    "slice": slice(1, None),
    "whole slice": slice(None),
    "slice with a step": slice(None, None, 2),
    "slice beyond the end": slice(5, None),
    "slice of negative bounds": (slice(None), slice(-2, -1)),
    "None": None,
    "Ellipsis": ...,
    "empty tuple": (),
    "ints": (0, 1, 2),
    "int after whole slice": (slice(None), 0),
    "slice after int": (0, slice(1, 2)),
    "int after Ellipsis": (..., 0),
    "None after int": (0, None),
    "None, slices, Ellipsis, int": (None, slice(1), ..., slice(1, 3), 0),
    "NumPy integer": np.int64(1),
    "zero-dim tensor": np.array(1),
    "slice of tensors": slice(np.array(0), np.array(1)),
    "list of slices": [slice(None), slice(0, 1)],
    "list with None": [None, 0],
}
ADVANCED = {
    "True": True,
    "False": False,
    "True and int": (True, 0),
    "zero-dim mask": np.array(True),
    "list": [0, 1],
    "list of bools": [True, False],
    "empty list": [],
    "range": range(2),
    "tensor": np.array([1, 0, 1]),
    "negative tensor": np.array([[-1, 0], [-2, 1]]),
    "int32 tensor": np.array([1, 0], np.int32),
    "empty tensor": np.zeros(0, np.int64),
    "lists": ([0, 1], [2, 1]),
    "list of lists": [[0, 1], [1, 0]],
    "tensor in the middle": (slice(None), np.array([2, 0])),
    "tensor at the end": (..., np.array([3, 3, 0])),
    "int before a tensor": (0, slice(None), np.array([1, 2])),
    "int between tensors": (np.array([0, 1]), 0, np.array([1, 2])),
    "tensors side by side": (slice(None), np.array([0, 1]), np.array([1, 2])),
    "tensors apart": (np.array([0, 1]), slice(None), np.array([1, 2])),
    "tensors apart that broadcast": (np.array([[0], [1]]), slice(None), np.array([0, 2, 3])),
    "None between tensors": (np.array([0, 1]), None, np.array([1, 2])),
    "slices and a tensor": (1, np.array([0, 2]), slice(1, 3)),
    "mask": MASK,
    "mask of rows": ROWS,
    "mask of two dims": PLANE,
    "mask after whole slice": (slice(None), np.arange(12).reshape(3, 4) % 5 == 0),
    "mask and tensor": (ROWS, np.array([0, 1])),
    "slice and mask": (slice(0, 1), slice(None), np.array([True, False, True, True])),
    "mask that holds nowhere": np.zeros(SHAPE, bool),
}
REFUSED = {
    "int out of range": (2, IndexError),
    "int out of range in a tuple": ((0, 3), IndexError),
    "tensor out of range": (np.array([2]), IndexError),
    "negative tensor out of range": (np.array([-3]), IndexError),
    "too many": ((0, 0, 0, 0), IndexError),
    "too many around Ellipsis": ((0, 0, ..., 0, 0), IndexError),
    "mask of another shape": (np.ones(3, bool), IndexError),
    "mask of too many dims": (np.ones((2, 3, 4, 1), bool), IndexError),
    "tensors that do not broadcast": ((np.array([0, 1]), np.array([0, 1, 2])), IndexError),
    "float": (0.5, IndexError),
    "floating tensor": (np.array([0.5]), IndexError),
    "int16 tensor": (np.array([0], np.int16), IndexError),
    "string": ("a", TypeError),
    "negative step": (slice(None, None, -1), ValueError),
    "step of zero": (slice(None, None, 0), ValueError),
    "slice of floats": (slice(0.5, None), TypeError),
}
EVERY = BASIC | ADVANCED

each_index = pytest.mark.parametrize("name", EVERY)


def given(lib, value):
    """An index with the library's tensors for the arrays in it."""
    if isinstance(value, np.ndarray):
        return lib.tensor(value)
    if isinstance(value, (tuple, list)):
        return type(value)([given(lib, v) for v in value])
    return slice(given(lib, value.start), given(lib, value.stop), value.step) if isinstance(value, slice) else value


def numbers(lib, *shape, requires_grad=False):
    values = np.random.default_rng(sum(shape)).standard_normal(shape)
    return lib.tensor(values, requires_grad=requires_grad)


def twice(lib, output, weights, inputs):
    """The output, the gradients of the output's squares, and the gradients of these gradients' squares."""
    first = lib.autograd.grad(output * output, inputs, weights, create_graph=True, materialize_grads=True)
    total = sum((g * g).sum() for g in first)
    second = lib.autograd.grad(total, inputs, materialize_grads=True) if total.requires_grad else ()
    return [array(v) for v in (output, *first, *second)]


def all_agree(got, want, what):
    assert len(got) == len(want), what
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        agree(g, w, f"{what}, {i}")


@each_index
def test_reading_gives_torchs_values_derivatives_and_node(name, torch):
    found = {}
    for lib in (pullback, torch):
        x = numbers(lib, *SHAPE, requires_grad=True)
        part = x[given(lib, EVERY[name])]
        found[lib] = part.grad_fn.name(), part._is_view(), twice(lib, part, numbers(lib, *part.shape), [x])
    assert found[pullback][:2] == found[torch][:2]
    all_agree(found[pullback][2], found[torch][2], name)


@pytest.mark.parametrize("name", BASIC)
def test_a_basic_index_shares_memory(name):
    x = numbers(pullback, *SHAPE)
    part = x[given(pullback, BASIC[name])]
    assert not part.numel() or np.shares_memory(part.numpy(), x.numpy())


@each_index
@pytest.mark.parametrize("kind", ["number", "zero-dim", "whole", "row", "leading ones"])
def test_writing_gives_torchs_values_and_derivatives(name, kind, torch):
    found = {}
    for lib in (pullback, torch):
        index = given(lib, EVERY[name])
        x = numbers(lib, *SHAPE, requires_grad=True)
        shape = tuple(x[index].shape)
        value = {"zero-dim": (), "whole": shape, "row": shape[-1:], "leading ones": (1, 1, *shape)}.get(kind)
        v = 2.5 if value is None else numbers(lib, *value, requires_grad=True)
        y = x * 3
        y[index] = v
        found[lib] = twice(lib, y, numbers(lib, *SHAPE), [x] if value is None else [x, v])
    all_agree(found[pullback], found[torch], f"{name} = {kind}")


@each_index
def test_augmented_assignment_reads_changes_and_writes_once(name, torch):
    found = {}
    for lib in (pullback, torch):
        index, x = given(lib, EVERY[name]), numbers(lib, *SHAPE, requires_grad=True)
        y = x * 3
        y[index] *= y[index] + 1
        found[lib] = twice(lib, y, numbers(lib, *SHAPE), [x])
    all_agree(found[pullback], found[torch], name)


@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_refuses_is_refused_with_its_exception(name, torch):
    index, error = REFUSED[name]
    for lib in (torch, pullback):
        x = numbers(lib, *SHAPE)
        before = array(x).copy()
        with pytest.raises(error):
            x[given(lib, index)]
        with pytest.raises(error):
            x[given(lib, index)] = 1.0
        agree(array(x), before, "after the refusal")


@pytest.mark.parametrize("index", [0, slice(0, 2), np.array([0, 1]), MASK[0, 0]])
def test_a_value_that_does_not_fit_is_refused_in_torchs_words_before_anything_is_written(index, torch):
    for lib in (torch, pullback):
        x = lib.zeros(4, 5)
        with pytest.raises(RuntimeError, match=r"shape mismatch|expanded size"):
            x[given(lib, index)] = lib.ones(7)
        assert not array(x).any()


@pytest.mark.parametrize("value", [2.7, True, 300, -1, float("inf"), 1j])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "bool", "int64", "float32", "complex64"])
@pytest.mark.parametrize("index", [0, [0]])
def test_numbers_are_cast_as_torch_casts_them(value, dtype, index, torch):
    found = {}
    for lib in (torch, pullback):
        x = lib.zeros(2, dtype=getattr(lib, dtype))
        try:
            x[index] = value
            found[lib] = array(x).tolist()
        except RuntimeError as error:
            found[lib] = str(error)
    if isinstance(found[torch], str):
        assert found[pullback].startswith(found[torch])
    else:
        assert found[pullback] == found[torch]


def test_setting_a_view_onto_itself_changes_nothing():
    x = numbers(pullback, 3, 2, requires_grad=True)
    y = x * 1
    part = y[1]
    part *= 2
    before = y.grad_fn
    y[1] = part
    assert y.grad_fn is before
    y[0] = part  # elsewhere, it is a value like any other
    assert y.grad_fn is not before


@each_index
def test_vmap_of_reading_and_writing_is_a_loop(name):
    index = given(pullback, EVERY[name])
    xs = numbers(pullback, 5, *SHAPE)

    def write(x):
        y = x * 2
        y[index] = y[index] * y.sum()
        return y

    for function in (lambda x: x[index], write):
        agree(array(vmap(function)(xs)), np.stack([array(function(x)) for x in xs]), name)
        squares = grad(lambda x: (function(x) ** 2).sum())  # noqa: B023
        agree(array(vmap(squares)(xs)), np.stack([array(squares(x)) for x in xs]), f"gradient of {name}")


BATCHED = {
    "x[i]": lambda x, i: x[i],
    "x[:, i]": lambda x, i: x[:, i],
    "x[0, :, i]": lambda x, i: x[0, :, i],
    "x[i, :, i]": lambda x, i: x[i, :, i],
    "x[[0, 1], :, i]": lambda x, i: x[[[0], [1]], :, i],
    "x[1:, i, :2]": lambda x, i: x[1:, i, :2],
}


@pytest.mark.parametrize("shape", [(), (2,), (2, 3)], ids=str)
@pytest.mark.parametrize("name", BATCHED)
def test_vmap_over_an_index_is_a_loop(name, shape):
    xs = numbers(pullback, 5, *SHAPE)
    indices = pullback.tensor(np.random.default_rng(1).integers(-2, 2, (5, *shape)))
    for in_dims in ((0, 0), (None, 0), (0, None)):
        args = [a if d == 0 else a[0] for a, d in zip((xs, indices), in_dims, strict=True)]
        pairs = [[a[b] if d == 0 else a for a, d in zip(args, in_dims, strict=True)] for b in range(5)]
        want = np.stack([array(BATCHED[name](*pair)) for pair in pairs])
        agree(array(vmap(BATCHED[name], in_dims=in_dims)(*args)), want, f"{name} {in_dims}")


def test_a_batched_mask_writes_but_does_not_read():
    xs, masks = numbers(pullback, 5, 3, 4), pullback.tensor(np.random.default_rng(1).random((5, 3, 4)) > 0.5)

    def write(x, mask):
        y = x * 1
        y[mask] = 7.0
        return y

    agree(array(vmap(write)(xs, masks)), np.where(array(masks), 7.0, array(xs)), "written")
    for read in (lambda x, mask: x[mask], lambda x, mask: x.masked_select(mask), lambda x, mask: mask.nonzero()):
        with pytest.raises(RuntimeError, match="shape depends on the data"):
            vmap(read)(xs, masks)


@each_index
def test_forward_mode_of_reading_reads_the_tangent(name):
    index = given(pullback, EVERY[name])
    x, tangent = numbers(pullback, *SHAPE), numbers(pullback, *SHAPE)
    _, pushed = jvp(lambda x: x[index], (x,), (tangent,))
    agree(array(pushed), array(tangent[index]), name)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int64", "float16", "bool"])
@pytest.mark.parametrize(
    ("shape", "dim", "count"), [((7, 5), 0, 4), ((3, 50, 4), 1, 60), ((20, 300), 1, 900), ((200, 64), 0, 1000)]
)
def test_what_meets_at_one_element_is_summed_whatever_the_size(shape, dim, count, dtype):
    """Small and large sums go different ways; the truth is NumPy's slow one."""
    rng = np.random.default_rng(0)
    x = rng.integers(-5, 6, shape).astype(dtype)
    source = rng.integers(-5, 6, (*shape[:dim], count, *shape[dim + 1 :])).astype(dtype)
    rows = rng.integers(0, shape[dim], count)
    want = x.astype(np.float32 if dtype == "float16" else dtype)
    np.add.at(want, (*[slice(None)] * dim, rows), source)
    tensors = [pullback.tensor(a) for a in (x, rows, source)]
    agree(array(tensors[0].index_add(dim, *tensors[1:])), want, "index_add", rtol=2e-3)
    wide = tensors[1].reshape([-1 if d == dim else 1 for d in range(len(shape))]).expand(*source.shape)
    for index in (wide, wide.clone()):
        agree(array(tensors[0].scatter_add(dim, index, tensors[2])), want, "scatter_add", rtol=2e-3)
    strided = pullback.tensor(np.asfortranarray(np.repeat(x, 2, -1)))[..., ::2]
    agree(array(strided.index_add_(dim, *tensors[1:])), want, "index_add_ through strides", rtol=2e-3)
