"""vmap beyond its batch rules: which dimensions, what may be returned, random numbers, loops, and its errors."""

import numpy as np
import pytest
from outcomes import check

import pullback
from pullback import nn
from pullback.func import grad, jacfwd, vmap

X = np.arange(6.0, dtype=np.float32).reshape(3, 2)


def mapped(function, *inputs, **options):
    """A program: map a function of tensors, and the library last, over inputs (by default X)."""

    def program(lib):
        given = [lib.tensor(i) if isinstance(i, np.ndarray) else i for i in inputs or (X,)]
        given = [{k: lib.tensor(v) for k, v in i.items()} if isinstance(i, dict) else i for i in given]
        given = [[lib.tensor(v) for v in i] if isinstance(i, list) else i for i in given]
        return lib.vmap(lambda *args: function(*args, lib), **options)(*given)

    return program


def wrote(T, write, leaf=False, **options):
    """What a mapped function that writes to its argument gives, and the argument after it."""
    x = T.tensor(X, requires_grad=leaf)
    return T.vmap(lambda a: [write(a), a * 2][1], **options)(x), x


PROGRAMS = {
    "dims counted from the back": mapped(lambda a, T: a * 2, in_dims=-1),
    "result's dim from the back": mapped(lambda a, T: a * 2, out_dims=-1),
    "a dict of dims": mapped(lambda d, T: d["a"] + d["b"], {"a": X, "b": X[0]}, in_dims=({"a": 0, "b": None},)),
    "a list of dims": mapped(lambda d, T: d[0] + d[1], [X, X[0]], in_dims=([0, None],)),
    "one dim for a structure": mapped(lambda d, T: d[0] + d[1], [X, X], in_dims=(1,)),
    "several results": mapped(lambda a, T: (a, a * 2), out_dims=(0, 1)),
    "a dict of results": mapped(lambda a, T: {"q": a}, out_dims={"q": 1}),
    "a tuple of one out_dim": mapped(lambda a, T: a, out_dims=(1,)),
    "a result that is the same for all": mapped(lambda a, T: (a, T.ones(2)), out_dims=(0, None)),
    "a constant result is repeated": mapped(lambda a, T: T.ones(2)),
    "a number passes where out_dims is None": mapped(lambda a, T: (a, 3), out_dims=(0, None)),
    "an unmapped number": mapped(lambda a, b, T: a * b, X, 2.0, in_dims=(0, None)),
    "chunks": mapped(lambda a, T: (a * 2, a.sum()), out_dims=(1, 0), chunk_size=2),
    "chunks larger than the batch": mapped(lambda a, T: a * 2, chunk_size=10),
    "an empty batch": mapped(lambda a, T: a * 2, X[:0]),
    "keyword arguments are not mapped": lambda T: T.vmap(lambda a, b: a + b)(T.tensor(X), b=T.tensor(X)),
    "a write to an argument is its caller's": lambda T: wrote(T, lambda a: a.add_(1)),
    "a write through a view of an argument": lambda T: wrote(T, lambda a: a[0].mul_(5), in_dims=1),
    "a write in chunks": lambda T: wrote(T, lambda a: a.mul_(a), chunk_size=2),
    "a write to a leaf": lambda T: wrote(T, lambda a: a.add_(1), in_dims=(0,), leaf=True),
    "vmap in vmap": mapped(lambda a, T: T.vmap(lambda b: b * a.sum())(a)),
    "None for in_dims": mapped(lambda a, T: a, in_dims=None),
    "nothing mapped": mapped(lambda a, T: a, in_dims=(None,)),
    "no tensor": mapped(lambda a, T: a, 3),
    "no arguments": lambda T: T.vmap(lambda: T.ones(2))(),
    "sizes differ": mapped(lambda a, b, T: a, X, X.T.copy()),
    "a string for in_dims": mapped(lambda a, T: a, in_dims="a"),
    "a list for in_dims": mapped(lambda a, T: a, in_dims=[0]),
    "a fraction for a dim": mapped(lambda a, T: a, in_dims=(1.5,)),
    "too many in_dims": mapped(lambda a, T: a, in_dims=(0, 0)),
    "a tuple of dims for a list": mapped(lambda a, T: a[0], [X, X], in_dims=((0, None),)),
    "a dim for a number": mapped(lambda a, b, T: a * b, X, 2.0),
    "a dim out of range": mapped(lambda a, T: a, in_dims=2),
    "a dim of a scalar": mapped(lambda a, T: a, X[0, 0]),
    "a number is returned": mapped(lambda a, T: 3),
    "None is returned": mapped(lambda a, T: None),
    "text is returned": mapped(lambda a, T: (a, "s")),
    "out_dims of another structure": mapped(lambda a, T: (a, a), out_dims=(0,)),
    "a batch where out_dims is None": mapped(lambda a, T: a, out_dims=None),
    "a string for out_dims": mapped(lambda a, T: a, out_dims="a"),
    "out_dims out of range": mapped(lambda a, T: a, out_dims=5),
    "chunks of none": mapped(lambda a, T: a, chunk_size=0),
    "an unknown randomness": mapped(lambda a, T: a, randomness="x"),
    "item": mapped(lambda a, T: a.sum().item()),
    "if": mapped(lambda a, T: a if a.sum() > 0 else -a),
    "float()": mapped(lambda a, T: a * float(a[0])),
    "nonzero": mapped(lambda a, T: a.nonzero()),
    "a mask": mapped(lambda a, T: a[a > 0]),
    "numpy()": mapped(lambda a, T: a.numpy()),
    "tolist()": mapped(lambda a, T: a.tolist()),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_vmap_does_what_torchs_does(program, torch):
    check(program, torch)


# -- random numbers ----------------------------------------------------------------------------------------------------

RANDOM = {
    "rand": lambda a, T: T.rand(2),
    "randn of many": lambda a, T: T.randn(20),
    "randint": lambda a, T: T.randint(0, 10, (3,)),
    "randperm": lambda a, T: T.randperm(4),
    "normal of a size": lambda a, T: T.normal(1.0, 2.0, (3,)),
    "rand_like a batch": lambda a, T: T.rand_like(a),
    "randn_like a constant": lambda a, T: T.randn_like(T.ones(2)),
    "randint_like": lambda a, T: T.randint_like(a, 5),
    "dropout": lambda a, T: T.nn.functional.dropout(a + 1),
    "dropout of a constant": lambda a, T: T.nn.functional.dropout(T.ones(2)),
    "bernoulli_": lambda a, T: a.clone().bernoulli_(),
    "normal_": lambda a, T: a.clone().normal_(),
    "uniform_": lambda a, T: a.clone().uniform_(),
    "rand in an inner vmap": lambda a, T: T.vmap(lambda b: T.rand(()) + 0 * b, randomness="different")(a),
    "the same in an inner vmap": lambda a, T: T.vmap(lambda b: T.rand(()) + 0 * b, randomness="same")(a),
    "rand under grad": lambda a, T: T.func.grad(lambda b: (b * T.rand(2)).sum())(a),
}
each_random = pytest.mark.parametrize("function", RANDOM.values(), ids=RANDOM.keys())


def seeded(function, **options):
    def program(lib):
        lib.manual_seed(3)
        return lib.vmap(lambda a: function(a, lib), **options)(lib.tensor(X)), lib.rand(2)

    return program


@each_random
def test_different_random_numbers_are_torchs(function, torch):
    check(seeded(function, randomness="different"), torch)


@each_random
def test_same_random_numbers_are_the_same_for_all(function):
    got = seeded(function, randomness="same")(pullback)[0].numpy()
    if "dropout" not in str(function.__code__.co_names):
        assert np.array_equal(got, np.stack([got[0]] * 3))
    else:
        assert np.array_equal(got == 0, np.stack([got[0] == 0] * 3))


@each_random
def test_random_operations_under_error_raise(function, torch):
    check(seeded(function), torch)
    with pytest.raises(RuntimeError, match="called random operation while in randomness error mode"):
        seeded(function)(pullback)


def test_chunks_draw_the_same_numbers_where_all_shall():
    got = vmap(lambda a: pullback.rand(2), randomness="same", chunk_size=2)(pullback.tensor(X))
    assert np.array_equal(got.numpy(), np.stack([got.numpy()[0]] * 3))


def test_same_numbers_serve_distributions_that_differ():
    """PyTorch refuses this one: each element has its own means, and the same noise."""
    got = vmap(lambda a: pullback.normal(a, 1.0), randomness="same")(pullback.tensor(X)) - pullback.tensor(X)
    assert np.allclose(got.numpy(), np.stack([got.numpy()[0]] * 3), atol=1e-6)


def test_different_numbers_in_place_of_a_constant_are_refused(torch):
    check(seeded(lambda a, T: T.zeros(2).uniform_(), randomness="different"), torch)


def test_masks_of_an_ensembles_dropout_differ_and_jacfwd_draws_one():
    x = pullback.ones(50)
    masks = vmap(lambda a: nn.functional.dropout(a), randomness="different")(pullback.ones(3, 50))
    assert len({tuple(m) for m in masks.tolist()}) == 3
    jacobian = jacfwd(lambda a: nn.functional.dropout(a), randomness="same")(x).numpy()
    assert set(np.unique(np.diag(jacobian))) == {0.0, 2.0} and np.count_nonzero(jacobian) < 50


# -- what a batch cannot do --------------------------------------------------------------------------------------------


def collatz(x):
    """Steps until one, counted by a loop that the value decides."""
    steps = x * 0
    while x.item() != 1:
        x = x / 2 if x % 2 == 0 else 3 * x + 1
        steps = steps + 1
    return steps


def test_a_loop_serves_what_values_decide():
    got = vmap(collatz, fallback="loop")(pullback.tensor([1.0, 6.0, 7.0]))
    assert got.tolist() == [0.0, 8.0, 16.0]


def test_gradients_flow_through_a_loop():
    def f(x):
        return x**2 if x.sum() > 0 else -x

    x = pullback.tensor([[1.0, 2.0], [-3.0, 1.0]], requires_grad=True)
    vmap(f, fallback="loop")(x).sum().backward()
    assert x.grad.tolist() == [[2.0, 4.0], [-1.0, -1.0]]
    one = vmap(grad(lambda y: f(y).sum()), fallback="loop")(x.detach())
    assert one.tolist() == x.grad.tolist()


def test_a_loop_has_dims_and_structures_as_a_batch():
    x = pullback.tensor(X)
    f = lambda a, b: {"sum": a["k"] + b, "twice": 2 * a["k"]}
    options = {"in_dims": ({"k": 1}, None), "out_dims": {"sum": 1, "twice": 0}}
    looped = vmap(f, **options, fallback="loop")({"k": x}, 3.0)
    batched = vmap(f, **options)({"k": x}, 3.0)
    assert all(np.array_equal(looped[k].numpy(), batched[k].numpy()) for k in batched)


def test_randomness_in_a_loop():
    x = pullback.tensor(X)
    f = lambda a: pullback.rand(2)
    with pytest.raises(RuntimeError, match="randomness error mode"):
        vmap(f, fallback="loop")(x)
    same = vmap(f, fallback="loop", randomness="same")(x).numpy()
    different = vmap(f, fallback="loop", randomness="different")(x).numpy()
    assert np.array_equal(same, np.stack([same[0]] * 3)) and not np.array_equal(different[0], different[1])


@pytest.mark.parametrize("size, fallback", [(0, "loop"), (2, "while")])
def test_a_loop_over_nothing_and_other_fallbacks_are_refused(size, fallback):
    with pytest.raises(ValueError, match="loop"):
        vmap(lambda a: a, fallback=fallback)(pullback.ones(size))


def test_the_error_names_the_line_and_the_rewrite():
    def f(x):
        return x if x > 0 else -x  # the line

    with pytest.raises(RuntimeError) as caught:
        vmap(f)(pullback.ones(3))
    message = str(caught.value)
    assert "# the line" in message and "torch.where(condition, a, b)" in message and 'fallback="loop"' in message
