"""One call of a public function, beside torch: what it returns, its node, and derivatives of both orders; or what it raises.

For functions that stand for several operations, which the generated tests do not reach. A call is ``f(lib, *tensors)``.
"""

import numpy as np
from cases import flat, quiet

import pullback
from numeric import RTOL, agree, array, inner, noise

TROUBLE = ("INTERNAL ASSERT", "MKL FFT error")  # torch's own, which says nothing of the call


def agree_beside(torch, call, arrays=(), what="", rtol=None, nodes=True):
    """Raise unless both libraries give the same, with derivatives by the floating arrays; ``nodes``: also the node's name."""
    arrays = [np.asarray(a) for a in arrays]
    with quiet():
        want, got = attempt(torch, call, arrays), attempt(pullback, call, arrays)
    if isinstance(want, Exception):
        if any(words in str(want) for words in TROUBLE):
            return
        assert type(got) is type(want), f"{what}: torch raises {want!r}, Pullback {got!r}"
        return
    if isinstance(got, Exception):
        raise AssertionError(f"{what}: torch returns {want}") from got
    assert [str(o.dtype) for o in got] == [str(o.dtype) for o in want], f"{what}: dtypes"
    assert [o.requires_grad for o in got] == [o.requires_grad for o in want], f"{what}: requires_grad"
    dtypes = [str(v.dtype).removeprefix("torch.") for v in (*want, *arrays)]
    rtol = rtol or max([RTOL.get(dtype, 1e-8) for dtype in dtypes], default=0)
    for g, w in zip(got, want, strict=True):
        agree(array(g), array(w), f"{what} value", rtol)
        if w.requires_grad and nodes:
            assert g.grad_fn.name() == w.grad_fn.name(), f"{what}: {g.grad_fn.name()}, expected {w.grad_fn.name()}"
    if any(o.requires_grad for o in want):
        with quiet():
            agree_in_derivatives(torch, call, arrays, what, rtol)
            if all(np.isfinite(array(o)).all() for o in want):
                check_forward(call, arrays, what, rtol)


def agree_in_derivatives(torch, call, arrays, what, rtol):
    both = derivatives(pullback, call, arrays), derivatives(torch, call, arrays)
    for kind, ours, theirs in zip(("gradient", "second gradient"), *both, strict=True):
        for i, (g, w) in enumerate(zip(ours, theirs, strict=True)):
            agree(g, w, f"{what} {kind} {i}", 10 * rtol)


def leaves(lib, arrays):
    return [lib.tensor(a, requires_grad=a.dtype.kind in "fc") for a in arrays]


def attempt(lib, call, arrays):
    """The tensors of a result, or the exception."""
    try:
        return [r for r in flat(call(lib, *leaves(lib, arrays))) if isinstance(r, lib.Tensor)]
    except Exception as error:
        return error


def derivatives(lib, call, arrays):
    """The gradients for random cotangents, and theirs for random weights."""
    rng = np.random.default_rng(1)
    inputs = leaves(lib, arrays)
    outputs = [o for o in flat(call(lib, *inputs)) if isinstance(o, lib.Tensor) and o.requires_grad]
    wanted = [x for x in inputs if x.requires_grad]
    given = [lib.tensor(noise(rng, array(o)), requires_grad=True) for o in outputs]
    first = lib.autograd.grad(outputs, wanted, given, create_graph=True, materialize_grads=True)
    pairs = [(g, lib.tensor(noise(rng, array(g)))) for g in first]
    rows = [(g, w) for g, w in pairs if g.requires_grad]
    if not rows:
        return [array(g) for g in first], [np.zeros_like(array(x)) for x in (*wanted, *given)]
    second = lib.autograd.grad([g for g, _ in rows], [*wanted, *given], [w for _, w in rows], materialize_grads=True)
    return [array(g) for g in first], [array(g) for g in second]


def check_forward(call, arrays, what, rtol):
    """Forward mode is the transpose of reverse mode, and vmap over copies gives copies."""
    rng = np.random.default_rng(2)
    moving = [i for i, a in enumerate(arrays) if a.dtype.kind in "fc"]

    def outputs(*primals):
        given = dict(zip(moving, primals, strict=True))
        every = [given[i] if i in given else pullback.tensor(a) for i, a in enumerate(arrays)]
        found = flat(call(pullback, *every))
        return tuple(o for o in found if isinstance(o, pullback.Tensor) and o.dtype.category > 1)

    primals = tuple(pullback.tensor(arrays[i]) for i in moving)
    tangents = tuple(pullback.tensor(noise(rng, arrays[i])) for i in moving)
    values, pushed = pullback.func.jvp(outputs, primals, tangents)
    cotangents = tuple(pullback.tensor(noise(rng, array(v))) for v in values)
    pulled = pullback.func.vjp(outputs, *primals)[1](cotangents)
    left = inner([array(c) for c in cotangents], [array(p) for p in pushed])
    right = inner([array(p) for p in pulled], [array(t) for t in tangents])
    scale = inner([np.abs(array(p)) for p in pulled], [np.abs(array(t)) for t in tangents])
    agree(left, right, f"{what} forward against reverse", 10 * rtol, atol=10 * rtol * max(scale, 1))
    twice = tuple(pullback.stack([p, p]) for p in primals)
    for mapped, value in zip(pullback.func.vmap(outputs)(*twice), values, strict=True):
        agree(array(mapped), array(pullback.stack([value, value])), f"{what} vmap", rtol)
