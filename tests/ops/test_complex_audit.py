"""Complex numbers through every public function: where torch takes them, values and derivatives of both orders are torch's.

A function is called in many ways that may suit it (``CALLS``); what torch refuses says nothing. The generated tests compare
complex gradients with differences; here PyTorch's own are the truth, also for functions that stand for several operations.
"""

import operator
import warnings

import numpy as np
import pytest
from beside import agree_beside, attempt

import pullback

rng = np.random.default_rng(0)
MASK, PLACES, TABLE = rng.random((2, 3)) > 0.5, np.array([1, 2, 0]), np.array([[2, 1, 0], [0, 2, 1]])


def r(*shape):
    return rng.standard_normal(shape)


def c(*shape):
    return r(*shape) + 1j * r(*shape)


TENSORS = [
    *([c(3, 3)], [c(3)], [c()], [c(2, 3, 4)], [c(3, 3), c(3, 3)], [c(3, 3), r(3, 3)], [r(3, 3), c(3, 3)], [c(3), c(3)]),
    *(
        [c(3, 3), c(3)],
        [c(2, 3, 3), c(2, 3, 3)],
        [c(3, 3), c(3, 3), c(3, 3)],
        [c(3), c(3, 3), c(3)],
        [c(3, 3), c(3), c(3)],
    ),
    *(
        [c(2, 3, 3), c(2, 3, 3), c(2, 3, 3)],
        [c(3, 3), c(2, 3, 3), c(2, 3, 3)],
        [c(2, 3), MASK],
        [MASK, c(2, 3), c(2, 3)],
    ),
    *([c(4, 3), PLACES], [c(1, 2, 5), c(3, 2, 3)], [c(1, 2, 4, 4), c(3, 2, 2, 2)], [c(1, 2, 4), c(2, 3, 2)]),
]
WITH = [
    *((c(2, 3), rest) for rest in ((2j,), (0.5,), (0,), (1,), ((1, 0),), ((3, 2),), ((1, 1),), (1.5,))),
    *((c(4, 4, 2), rest) for rest in ((1, 2), (0, 1), (2,))),
    *((r(2, 3), (2j,)), (c(1, 2, 4, 4), (2,))),
]
CALLS = {f"of {[a.dtype.char + str(a.shape) for a in arrays]}": (lambda f, *x: f(*x), arrays) for arrays in TENSORS}
CALLS |= {f"of {a.dtype.char}{a.shape} and {rest}": (lambda f, x, rest=rest: f(x, *rest), [a]) for a, rest in WITH}
CALLS |= {
    "of a number first": (lambda f, x: f(2j, x), [c(2, 3)]),
    "along a dim": (lambda f, x: f(x, dim=1), [c(2, 3)]),
    "along dims": (lambda f, x: f(x, dim=(0, 1)), [c(2, 3)]),
    "of a list": (lambda f, x, y: f([x, y]), [c(3, 3), c(3, 3)]),
    "of a list along a dim": (lambda f, x, y: f([x, y], 1), [c(3, 3), c(3, 3)]),
    "of a mixed list": (lambda f, x, y: f([x, y]), [c(3, 3), r(3, 3)]),
    "under a mask": (lambda f, x, mask: f(x, mask, 2j), [c(2, 3), MASK]),
    "at places": (lambda f, x, i: f(x, 0, i), [c(4, 3), PLACES]),
    "at a table of places": (lambda f, x, i: f(x, 0, i), [c(3, 3), TABLE]),
    "to a table of places": (lambda f, x, i, y: f(x, 0, i, y), [c(3, 3), TABLE, c(2, 3)]),
    "to places": (lambda f, x, i, y: f(x, 0, i, y), [c(3, 3), PLACES, c(3, 3)]),
    "of a number to places": (lambda f, x, i: f(x, 0, i, 2j), [c(3, 3), PLACES]),
    "of order infinity": (lambda f, x: f(x, float("inf")), [c(2, 3)]),
}
SPACES = ("torch", "Tensor", "linalg", "special", "fft", "nn.functional")
DRAWN = (
    "rand",
    "dropout",
    "bernoulli",
    "normal",
    "multinomial",
    "poisson",
    "binomial",
    "empty",
    "lowrank",
    "lobpcg",
    "rrelu",
)
NO_FUNCTIONS_OF_NUMBERS = (
    *(
        "address",
        "backward",
        "data_ptr",
        "grad",
        "new",
        "storage",
        "register",
        "retain",
        "to",
        "type",
        "resize",
        "set_",
        "share",
    ),
    *(
        "apply",
        "map",
        "cuda",
        "numpy",
        "requires_grad",
        "names",
        "align",
        "rename",
        "refine",
        "pin",
        "vmap",
        "slice_inverse",
    ),
)
# Ways to call that only torch has, from before its signatures were settled.
ANCIENT = (
    "add",
    "addcdiv",
    "addcmul",
    "rsub",
    "sub",
    "subtract",
    "squeeze",
    "count_nonzero",
    "dsplit",
    "hsplit",
    "vsplit",
)
KNOWN = {
    "adaptive_avg_pool": "torch averages complex numbers where the result has one element, and refuses others",
    "cholesky_inverse": "what is no triangle has no one gradient",
    "dist ldexp logaddexp vander native_channel_shuffle": "torch's own derivatives fail",
    "eig eigh svd ldl_factor ldl_factor_ex": "phases of vectors are free, and their derivatives have tests of their own",
    "lstsq pinv": "tolerances and right sides of other shapes",
    "multilabel_soft_margin_loss": "a number for a target",
    "norm_except_dim": "vectors",
    "detach_copy": "torch's has a history",
    "var var_mean": "of one element, where the second derivative is none",
    "pow": "torch's rules take a bool exponent for a number",
}
EXCEPT = {name for names in KNOWN for name in names.split()}


def space(lib, name):
    return lib if name == "torch" else operator.attrgetter(name)(lib)


def names():
    """Public functions, as (space, name)."""
    found = []
    for where in SPACES:
        members = pullback._functions.names() if where == "torch" else dir(space(pullback, where))
        for name in sorted(members):
            if name.startswith("_") or name.endswith("_") or name in EXCEPT or name in ANCIENT:
                continue
            if not any(word in name for word in (*DRAWN, *NO_FUNCTIONS_OF_NUMBERS, "adaptive_avg_pool")):
                found.append((where, name))
    return found


@pytest.mark.parametrize("where, name", names(), ids=str)
def test_complex_numbers_go_through_as_in_torch(where, name, torch):
    theirs = getattr(space(torch, where), name, None)
    ours = getattr(space(pullback, where), name)
    if not callable(theirs) or not callable(ours):
        return
    for how, (call, arrays) in CALLS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = attempt(torch, lambda lib, *x, call=call: call(theirs, *x), arrays)
        if isinstance(expected, Exception) or not any(bool(e.isfinite().all()) for e in expected):
            continue
        agree_beside(
            torch,
            lambda lib, *x, call=call: call(theirs if lib is torch else ours, *x),
            arrays,
            f"{where}.{name} {how}",
            nodes=False,
        )


# In place: what changes a form, or torch has no derivative of, or passes the gradient of what was there.
NOT_IN_PLACE = (
    "uniform_",
    "squeeze_",
    "swap",
    "transpose",
    "detach_",
    "logical_",
    "ldexp_",
    "pow_",
    "acosh_",
    "asinh_",
    "atanh_",
    "arc",
)
WRITERS = [
    name
    for name in dir(pullback.Tensor)
    if name.endswith("_") and not name.startswith("_") and name not in ("t_", *(n + "_" for n in ANCIENT))
    if not any(word in name for word in (*DRAWN, *NO_FUNCTIONS_OF_NUMBERS, *NOT_IN_PLACE))
]


@pytest.mark.parametrize("name", WRITERS)
def test_complex_numbers_are_written_as_in_torch(name, torch):
    if not hasattr(torch.Tensor, name):
        return
    for how, (call, arrays) in CALLS.items():

        def write(lib, *x, call=call):
            return call(lambda first, *rest, **options: getattr(first.clone(), name)(*rest, **options), *x)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = attempt(torch, write, arrays)
        if not isinstance(expected, Exception) and any(bool(e.isfinite().all()) for e in expected):
            agree_beside(torch, write, arrays, f"{name} {how}", nodes=False)


def test_parts_can_be_assigned(torch):
    for lib in (pullback, torch):
        z = lib.zeros(3, dtype=lib.complex64)
        z.real = lib.arange(3.0)
        z.imag = lib.ones(3)
        assert z.tolist() == [1j, 1 + 1j, 2 + 1j]
        x = lib.ones(3)
        x.real = lib.zeros(3)
        assert x.tolist() == [0, 0, 0]


WRITES = {
    "real": lambda lib, z: z.real.mul_(2),
    "imag at an index": lambda lib, z: z.imag.__setitem__(0, 7.0),
    "pairs": lambda lib, z: lib.view_as_real(z).mul_(lib.tensor([2.0, 3.0])),
    "a part of pairs": lambda lib, z: lib.view_as_real(z)[..., 0].copy_(lib.tensor([5.0, 6.0])),
    "pairs after imag": lambda lib, z: (z.imag.mul_(2), lib.view_as_real(z)[..., 0].mul_(3)),
    "a part of an element": lambda lib, z: z[0].real.zero_(),
    "a transposed matrix": lambda lib, z: lib.view_as_real(z.view(2, 1).T)[0, 1].zero_(),
}


@pytest.mark.parametrize("what", WRITES)
def test_writes_to_parts_reach_the_whole_and_its_gradient(what, torch):
    found = []
    for lib in (pullback, torch):
        x = lib.tensor([1 + 2j, 3 - 1j], requires_grad=True)
        z = x * 1
        WRITES[what](lib, z)
        found.append((z.tolist(), lib.autograd.grad(z.abs().sum(), x)[0].tolist()))
    assert found[0][0] == found[1][0]
    assert found[0][1] == pytest.approx(found[1][1])


HOLOMORPHIC = {
    "fft": lambda z: pullback.fft.fft(z, n=3),
    "exp": lambda z: z.exp(),
    "product": lambda z: (z * z.sum()).cumsum(0),
    "matmul": lambda z: z.reshape(2, 2) @ z.reshape(2, 2),
    "real power": lambda z: z**2.5,
}


@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_jacobians_of_holomorphic_functions_are_complex_derivatives_in_both_modes(name):
    function, z = HOLOMORPHIC[name], pullback.tensor(c(4))
    forward, reverse = pullback.func.jacfwd(function)(z), pullback.func.jacrev(function)(z)
    step = 1e-6
    for i in range(4):
        unit = pullback.zeros(4, dtype=pullback.complex128)
        unit[i] = step
        slope = ((function(z + unit) - function(z - unit)) / (2 * step)).numpy()
        assert np.allclose(forward[..., i].numpy(), slope)
        assert np.allclose(reverse[..., i].numpy(), slope)


def written(tensor, write):
    """The tensor after a write."""
    write(tensor)
    return tensor


IN_PLACE = {
    "exp": lambda z: (z * 1).exp_(),
    "product": lambda z: (z * 1).mul_(z),
    "quotient by a number": lambda z: (z * 1).div_(2j),
    "power": lambda z: (z * 1).pow_(3),
    "addcmul": lambda z: (z * 1).addcmul_(z, z, value=0.5),
    "through a view": lambda z: (z * 1)[1:].mul_(z[0]),
    "through pairs": lambda z: pullback.view_as_real(z * 1).mul_(2).sum(-1),
    "through a part": lambda z: written(z * 1, lambda y: y.real.mul_(z.imag)),
    "through another part": lambda z: written(z * 1, lambda y: y[1:].imag.fill_(2)),
    "through part of pairs": lambda z: written(z * 1, lambda y: pullback.view_as_real(y)[..., 0].mul_(3)),
    "through a complex view": lambda z: written(
        pullback.view_as_real(z) * 1, lambda y: pullback.view_as_complex(y)[:2].mul_(z[0])
    ),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_writes_to_complex_values_of_transforms_have_the_gradient_that_they_have_outside(name):
    function, z = IN_PLACE[name], pullback.tensor(c(4))
    leaf = z.clone().requires_grad_()
    result = function(leaf)
    cotangent = pullback.tensor(c(*result.shape)) if result.is_complex() else pullback.tensor(r(*result.shape))
    (outside,) = pullback.autograd.grad(result, leaf, cotangent)
    value, pull = pullback.func.vjp(function, z)
    assert np.allclose(value.numpy(), result.detach().numpy())
    (inside,) = pull(cotangent)
    assert np.allclose(inside.numpy(), outside.numpy())
    pushed = pullback.func.jvp(function, (z,), (pullback.ones_like(z),))[1]
    total = (cotangent.conj() * pushed).sum().real if pushed.is_complex() else (cotangent * pushed).sum()
    assert np.allclose(total.numpy(), outside.sum().real.numpy())
