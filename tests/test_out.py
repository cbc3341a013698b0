"""``out=``: where results are stored, beside torch."""

import warnings

import pytest

import pullback

CALLS = {
    "of no elements": lambda t, out: t.add(t.ones(2), 1, out=out(0)),
    "of another dtype": lambda t, out: t.mul(t.ones(2), 2, out=out(2, dtype=t.float64)),
    "a part of a tensor": lambda t, out: t.exp(t.zeros(2), out=out(2, 3)[:, 1]),
    "several": lambda t, out: t.max(t.eye(3), 1, out=(out(3), out(3, dtype=t.int64))),
    "several in a list": lambda t, out: t.sort(t.eye(3), out=[out(0), out(0, dtype=t.int64)]),
    "topk": lambda t, out: t.topk(t.arange(4.0), 2, out=(out(2), out(2, dtype=t.int64))),
    "kthvalue": lambda t, out: t.kthvalue(t.arange(4.0), 2, out=(out(0), out(0, dtype=t.int64))),
    "mode": lambda t, out: t.mode(t.ones(4), 0, out=(out(0), out(0, dtype=t.int64))),
    "median": lambda t, out: t.median(t.arange(4.0), 0, out=(out(0), out(0, dtype=t.int64))),
    "cummax": lambda t, out: t.cummax(t.arange(4.0), 0, out=(out(0), out(0, dtype=t.int64))),
    "aminmax": lambda t, out: t.aminmax(t.arange(4.0), out=(out(0), out(0))),
    "softmax": lambda t, out: t.softmax(t.arange(4.0), 0, out=out(0)),
    "log_softmax": lambda t, out: t.log_softmax(t.arange(4.0), 0, out=out(0)),
    "threshold": lambda t, out: t.threshold(t.arange(4.0), 1, 9, out=out(0)),
    "kron": lambda t, out: t.kron(t.ones(2), t.ones(2), out=out(0)),
    "slice_scatter": lambda t, out: t.slice_scatter(t.ones(4), t.zeros(2), 0, 1, 3, out=out(0)),
    "zeros": lambda t, out: t.zeros(2, out=out(0)),
    "arange": lambda t, out: t.arange(3, out=out(0)),
}
REFUSED = {
    "a dtype below": lambda t, out: t.add(t.ones(2), 1, out=out(2, dtype=t.int64)),
    "too few": lambda t, out: t.topk(t.ones(3), 2, out=(out(2),)),
    "one for several": lambda t, out: t.topk(t.ones(3), 2, out=out(2)),
    "an operand that requires grad": lambda t, out: t.add(t.ones(2, requires_grad=True), 1, out=out(2)),
    "an output that requires grad": lambda t, out: t.add(t.ones(2), 1, out=out(2).requires_grad_()),
}


def passed(t, made):
    """A function that makes the tensors to pass, and notes them."""

    def out(*shape, dtype=None):
        made.append(t.zeros(shape, dtype=dtype))
        return made[-1]

    return out


@pytest.mark.parametrize("name", CALLS)
def test_what_is_passed_holds_what_torch_stores(name, torch):
    stored = []
    for t in (pullback, torch):
        made = []
        CALLS[name](t, passed(t, made))
        stored.append(str(made))
    assert stored[0] == stored[1]


@pytest.mark.parametrize("name", CALLS)
def test_what_is_returned_is_what_was_passed(name):
    made = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = CALLS[name](pullback, passed(pullback, made))
    found = found if isinstance(found, tuple) else (found,)
    assert all(f is m or m.ndim == 2 for f, m in zip(found, made, strict=True))


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_stored_is_refused_as_torch_refuses_it(name, torch):
    raised = []
    for t in (pullback, torch):
        made = []
        with pytest.raises(Exception) as caught:
            REFUSED[name](t, passed(t, made))
        raised.append(caught.type)
        assert all(not bool((m != 0).any()) for m in made)
    assert raised[0] is raised[1]


def test_a_tensor_with_elements_is_resized_with_a_warning():
    out = pullback.ones(3)
    with pytest.warns(UserWarning, match="was resized since it had shape"):
        pullback.add(pullback.ones(2), 1, out=out)
    assert out.tolist() == [2.0, 2.0]
