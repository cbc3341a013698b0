"""``torch.autograd.functional`` against torch: values, structures, what is tied to the graph, and what is refused."""

import numpy as np
import pytest

import pullback

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # torch's forward mode uses it

REVERSE, BATCHED, FORWARD = {}, {"vectorize": True}, {"vectorize": True, "strategy": "forward-mode"}
OUTER = {"vectorize": True, "outer_jacobian_strategy": "forward-mode"}


def cube(x):
    return (x**3).sum()


def pair(x, y):
    return x * y, (y**2).sum()


def mixed(x, y):
    return (x * y**2).sum() + (x**3).sum()


# A function, and the shapes of its inputs; a tuple of one or several shapes is a tuple of inputs.
FUNCTIONS = {
    "a tensor to a scalar": (cube, (3,)),
    "a tensor to a tensor": (lambda x: x[:2] * x.prod(), (3,)),
    "several to several": (pair, ((2,), (2,))),
    "a tuple of one to a tuple of one": (lambda x: (x * 2,), ((2, 2),)),
    "one output and one unused input": (lambda x, y: x.sin(), ((2,), (3,))),
    "a constant among the outputs": (lambda x: (x**2, (x * 0).detach()), (2,)),
    "the input itself": (lambda x: x, (2,)),
    "a matrix to a vector": (lambda x: (x @ x).diagonal().exp(), (2, 2)),
    "a scalar": (lambda x: x**2, ()),
    "writes in place": (lambda x: x.clone().mul_(x), (2,)),
}
SCALAR = {
    "of one tensor": (cube, (3,)),
    "of several": (mixed, ((2,), (2,))),
    "of a tuple of one": (lambda x: (x.sin() * x).sum(), ((2,),)),
    "of one element": (lambda x: (x**4).sum().reshape(1, 1), (2,)),
    "linear": (lambda x: x.sum(), (2,)),
    "linear in one": (lambda x, y: (x**2).sum() + y.sum(), ((2,), (3,))),
    "constant": (lambda x: (x * 0).detach().sum(), (2,)),
    "separable": (lambda x, y: (x**3).sum() + (y**3).sum(), ((2,), (3,))),
}
each_function = pytest.mark.parametrize("name", FUNCTIONS)
each_scalar = pytest.mark.parametrize("name", SCALAR)


def made(lib, shapes, seed=0, requires_grad=False):
    """A tensor, or a tuple of tensors, of random numbers."""
    rng = np.random.default_rng(seed)
    one = lambda shape: lib.tensor(rng.standard_normal(shape), requires_grad=requires_grad)
    return tuple(map(one, shapes)) if shapes and isinstance(shapes[0], tuple) else one(shapes)


def shown(found, keep_lists=True):
    """A result in plain Python: structure, shapes, dtypes and numbers."""
    if isinstance(found, (tuple, list)):
        return tuple(shown(f) for f in found)
    return (tuple(found.shape), str(found.dtype), found.requires_grad, np.round(found.detach().numpy(), 8).tolist())


def both(torch, run):
    """What a program gives, which must be the same in Pullback as in torch; or the phrase of its error."""
    got, want = outcome(pullback, run), outcome(torch, run)
    assert got == want
    return got


def outcome(lib, run):
    try:
        return shown(run(lib))
    except (RuntimeError, TypeError, NotImplementedError, AssertionError) as error:
        return type(error).__name__


@each_function
@pytest.mark.parametrize("options", [REVERSE, BATCHED, FORWARD], ids=["reverse", "batched", "forward"])
def test_jacobian_has_torchs_values_and_structure(torch, name, options):
    func, shapes = FUNCTIONS[name]
    found = both(torch, lambda lib: lib.autograd.functional.jacobian(func, made(lib, shapes), **options))
    assert not isinstance(found, str)


@each_function
def test_vjp_and_jvp_have_torchs_values_and_structure(torch, name):
    func, shapes = FUNCTIONS[name]

    def products(lib):
        inputs = made(lib, shapes)
        out = func(*inputs) if isinstance(inputs, tuple) else func(inputs)
        like = tuple(tuple(o.shape) for o in out) if isinstance(out, tuple) else tuple(out.shape)
        functional = lib.autograd.functional
        return functional.vjp(func, inputs, made(lib, like, 1)), functional.jvp(func, inputs, made(lib, shapes, 1))

    assert not isinstance(both(torch, products), str)


@each_scalar
@pytest.mark.parametrize("options", [REVERSE, BATCHED], ids=["reverse", "batched"])
def test_hessian_has_torchs_values_and_structure(torch, name, options):
    func, shapes = SCALAR[name]
    found = both(torch, lambda lib: lib.autograd.functional.hessian(func, made(lib, shapes), **options))
    assert not isinstance(found, str)


@each_scalar
def test_hessian_by_forward_over_reverse_is_the_same_and_detached(name):
    func, shapes = SCALAR[name]
    hessian = pullback.autograd.functional.hessian
    inputs = made(pullback, shapes)
    assert shown(hessian(func, inputs, **OUTER)) == shown(hessian(func, inputs))


@each_scalar
def test_vhp_and_hvp_have_torchs_values_and_structure(torch, name):
    func, shapes = SCALAR[name]

    def products(lib):
        functional, inputs, v = lib.autograd.functional, made(lib, shapes), made(lib, shapes, 1)
        return functional.vhp(func, inputs, v), functional.hvp(func, inputs, v)

    assert not isinstance(both(torch, products), str)


@each_scalar
@pytest.mark.parametrize("requires_grad", [True, False])
@pytest.mark.parametrize("name_of", ["jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"])
def test_results_are_tied_to_the_graph_only_on_request(name, requires_grad, name_of):
    func, shapes = SCALAR[name]
    inputs = made(pullback, shapes, requires_grad=requires_grad)
    given = () if name_of in ("jacobian", "hessian", "vjp") else (made(pullback, shapes, 1),)
    loose = pullback.autograd.functional.__dict__[name_of](func, inputs, *given)
    tied = pullback.autograd.functional.__dict__[name_of](func, inputs, *given, create_graph=True)
    assert not any(t.requires_grad for t in flat(loose))
    if name not in ("linear", "constant", "linear in one"):
        assert any(t.requires_grad for t in flat(tied))
    for a, b in zip(flat(loose), flat(tied), strict=True):
        assert np.allclose(a.numpy(), b.detach().numpy(), rtol=1e-12)


def flat(found):
    return [t for part in found for t in flat(part)] if isinstance(found, tuple) else [found]


@pytest.mark.parametrize("options", [REVERSE, BATCHED, FORWARD], ids=["reverse", "batched", "forward"])
def test_a_jacobian_can_be_differentiated(options):
    x = pullback.tensor([1.0, 2.0], dtype=pullback.float64, requires_grad=True)
    jacobian = pullback.autograd.functional.jacobian(lambda x: x**3, x, create_graph=True, **options)
    jacobian.sum().backward()
    assert x.grad.tolist() == [6.0, 12.0]


def test_a_closure_over_a_tensor_is_differentiated_only_with_create_graph(torch):
    def closure(create):
        def run(lib):
            x = lib.tensor([1.0, 2.0], requires_grad=True)
            return lib.autograd.functional.jacobian(lambda y: y * x, lib.ones(2), create_graph=create)

        return run

    assert both(torch, closure(False))[2] is False
    assert both(torch, closure(True))[2] is True


a = lambda lib: lib.tensor([1.0, 2.0])
STRICT = {
    "an unused input": lambda lib: (lambda x, y: x * 2, (a(lib), a(lib))),
    "a detached output": lambda lib: (lambda x: (x * 2, x.detach()), a(lib)),
    "a constant": lambda lib: (lambda x: lib.ones(2), a(lib)),
    "a linear function": lambda lib: (lambda x: x * 2, a(lib)),
    "an output of one input only": lambda lib: (lambda x, y: (x * y, y**2), (a(lib), a(lib))),
    "all right": lambda lib: (lambda x, y: (x * y) ** 3, (a(lib), a(lib))),
}
STRICT_SCALAR = {
    "an unused input": lambda lib: (lambda x, y: (x**3).sum(), (a(lib), a(lib))),
    "a linear function": lambda lib: (lambda x: x.sum(), a(lib)),
    "linear in one": lambda lib: (lambda x, y: (x**3).sum() + y.sum(), (a(lib), a(lib))),
    "separable": lambda lib: (lambda x, y: (x**3).sum() + (y**3).sum(), (a(lib), a(lib))),
    "a constant": lambda lib: (lambda x: lib.tensor(1.0), a(lib)),
    "all right": lambda lib: (lambda x, y: (x * y).sum() ** 3, (a(lib), a(lib))),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("case", STRICT)
def test_strict_mode_refuses_what_torch_refuses(torch, case, create_graph):
    options = {"strict": True, "create_graph": create_graph}

    def cotangents(lib, func, inputs):
        out = func(*inputs) if isinstance(inputs, tuple) else func(inputs)
        return tuple(map(lib.ones_like, out)) if isinstance(out, tuple) else lib.ones_like(out)

    def tangents(lib, inputs):
        return tuple(map(lib.ones_like, inputs)) if isinstance(inputs, tuple) else lib.ones_like(inputs)

    both(torch, lambda lib: lib.autograd.functional.jacobian(*STRICT[case](lib), **options))
    for name, vector in (("vjp", cotangents), ("jvp", lambda lib, func, inputs: tangents(lib, inputs))):

        def product(lib, name=name, vector=vector):
            func, inputs = STRICT[case](lib)
            return getattr(lib.autograd.functional, name)(func, inputs, vector(lib, func, inputs), **options)

        both(torch, product)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", ["hessian", "vhp", "hvp"])
@pytest.mark.parametrize("case", STRICT_SCALAR)
def test_strict_second_derivatives_refuse_what_torch_refuses(torch, case, name, create_graph):
    def run(lib):
        func, inputs = STRICT_SCALAR[case](lib)
        v = () if name == "hessian" else (inputs,)
        return getattr(lib.autograd.functional, name)(func, inputs, *v, strict=True, create_graph=create_graph)

    both(torch, run)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda f, x: f.jacobian(cube, 3.0),
            TypeError,
            "given to jacobian must be either a Tensor or a tuple of Tensors",
        ),
        (lambda f, x: f.vjp(pair, (x, 3.0)), TypeError, "value at index 1 has type <class 'float'>"),
        (lambda f, x: f.jacobian(cube, [x]), TypeError, "given inputs has type <class 'list'>"),
        (lambda f, x: f.hvp(lambda x: [x], x, x), TypeError, "outputs of the user-provided function given to hvp"),
        (lambda f, x: f.vjp(lambda x: (x, 3), x), TypeError, "value at index 1 has type <class 'int'>"),
        (lambda f, x: f.vjp(cube, x, 3), TypeError, "The v given to vjp"),
        (
            lambda f, x: f.vjp(lambda x: x * 2, x),
            RuntimeError,
            "v can only be None if the user-provided function returns",
        ),
        (lambda f, x: f.jvp(cube, x), RuntimeError, "v can only be None if the input to the user-provided function"),
        (lambda f, x: f.vhp(cube, x), RuntimeError, "v can only be None if the input to the user-provided function"),
        (lambda f, x: f.jvp(pair, (x, x), x), RuntimeError, "v is a tuple of invalid length: should be 2 but got 1"),
        (lambda f, x: f.jvp(cube, x, x[:1]), RuntimeError, "v has invalid size: should be"),
        (lambda f, x: f.jvp(pair, (x, x), (x, x[:1])), RuntimeError, "Entry 1 in v has invalid size: should be"),
        (lambda f, x: f.hessian(lambda x: x**2, x), RuntimeError, "hessian should contain a single element"),
        (lambda f, x: f.vhp(lambda x: (x.sum(),), x, x), RuntimeError, "given to vhp should return a single Tensor"),
        (lambda f, x: f.jacobian(cube, x, strategy="both"), AssertionError, "Expected strategy to be either"),
        (
            lambda f, x: f.jacobian(cube, x, strategy="forward-mode"),
            NotImplementedError,
            "only implemented for `vectorize=True`",
        ),
        (
            lambda f, x: f.jacobian(cube, x, strict=True, vectorize=True),
            RuntimeError,
            "`vectorized=True` are not supported together",
        ),
        (lambda f, x: f.jacobian(cube, x, strict=True, **FORWARD), RuntimeError, "are not supported together"),
        (
            lambda f, x: f.jacobian(cube, x.long()),
            RuntimeError,
            "only Tensors of floating point dtype can require gradients",
        ),
        (
            lambda f, x: f.jacobian(lambda x: x.mul_(2), x),
            RuntimeError,
            "a leaf Variable that requires grad is being used in an in-place operation",
        ),
    ],
)
def test_wrong_calls_raise_torchs_errors(torch, call, error, message):
    for lib in (pullback, torch):
        with pytest.raises(error) as caught:
            call(lib.autograd.functional, lib.tensor([1.0, 2.0]))
        if not (lib is torch and "forward" in message + str(caught.value)):
            assert message.lower() in str(caught.value).lower()


def test_options_are_checked_before_the_function_runs():
    def never(x):
        raise AssertionError("the function ran")

    with pytest.raises(NotImplementedError):
        pullback.autograd.functional.jacobian(never, pullback.ones(2), strategy="forward-mode")


@pytest.mark.parametrize("options", [REVERSE, BATCHED, FORWARD], ids=["reverse", "batched", "forward"])
@pytest.mark.parametrize("func", [lambda x: x * 2, lambda x: x[:0]], ids=["all", "none"])
@pytest.mark.parametrize("size", [0, 2])
def test_empty_inputs_and_outputs_have_empty_jacobians(options, func, size):
    found = pullback.autograd.functional.jacobian(func, pullback.ones(size), **options)
    assert tuple(found.shape) == (*func(pullback.ones(size)).shape, size)


def test_complex_jacobians_are_torchs_conjugates_in_reverse_mode(torch):
    z = [[1 + 2j, 0.5 - 1j]]
    for options in (BATCHED, FORWARD):
        both(
            torch,
            lambda lib, o=options: lib.autograd.functional.jacobian(lambda z: z**2 * (1 + 2j), lib.tensor(z), **o),
        )
    one_by_one = pullback.autograd.functional.jacobian(lambda z: z**2 * (1 + 2j), pullback.tensor(z))
    at_once = pullback.autograd.functional.jacobian(lambda z: z**2 * (1 + 2j), pullback.tensor(z), **BATCHED)
    assert pullback.equal(one_by_one, at_once)


def test_complex_products_are_torchs(torch):
    z, v = [1 + 2j, 0.5 - 1j], [0.3 - 1j, 2 + 1j]
    for name in ("vjp", "jvp"):
        both(
            torch, lambda lib, n=name: getattr(lib.autograd.functional, n)(lambda z: z**2, lib.tensor(z), lib.tensor(v))
        )


def test_functions_nest_and_work_inside_transforms():
    x = pullback.tensor([1.0, 2.0], dtype=pullback.float64)
    functional, func = pullback.autograd.functional, pullback.func
    nested = functional.jacobian(lambda y: functional.jacobian(lambda z: z**3, y, create_graph=True).sum(0), x)
    assert nested.tolist() == [[6.0, 0.0], [0.0, 12.0]]
    batch = pullback.stack([x, 2 * x])
    mapped = func.vmap(lambda q: functional.jacobian(lambda y: y * q, x))(batch)
    assert mapped.tolist() == [[[1.0, 0.0], [0.0, 2.0]], [[2.0, 0.0], [0.0, 4.0]]]
    assert func.grad(lambda q: functional.jacobian(lambda y: y**2 * q, x).sum())(x).tolist() == [2.0, 4.0]
    assert func.jacfwd(lambda q: functional.vjp(lambda y: y**2, q, x)[1])(x).tolist() == [[2.0, 0.0], [0.0, 4.0]]


def test_under_no_grad_everything_is_differentiated_all_the_same():
    with pullback.no_grad():
        assert pullback.autograd.functional.hessian(cube, pullback.tensor([1.0, 2.0])).tolist() == [[6, 0], [0, 12]]
