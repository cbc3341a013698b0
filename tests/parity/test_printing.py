"""How arrays are shown, against PyTorch's `repr`."""

import math

import numpy as np
import pytest

from pullback import dtypes, printing

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

nan, inf = math.nan, math.inf


@pytest.fixture(autouse=True)
def fresh_options():
    yield
    set_options(profile="default")
    set_default(dtypes.float32)


def set_options(**options):
    torch.set_printoptions(**options)
    printing.set_printoptions(**options)


def set_default(dtype):
    torch.set_default_dtype(getattr(torch, dtype.name))
    dtypes.set_default_dtype(dtype)


def as_numpy(tensor):
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(dtypes.bfloat16.numpy)
    return tensor.numpy()


def assert_shown_alike(tensor, prefix="tensor("):
    array = as_numpy(tensor)
    ours = printing.format_tensor(
        array,
        dtypes.from_numpy(array.dtype),
        requires_grad=tensor.requires_grad,
        grad_fn_name=tensor.grad_fn.name() if tensor.grad_fn else None,
        prefix=prefix,
    )
    assert ours == repr(tensor)


VALUES = [
    *([nan, 1.0], [-inf, 1.0], [nan], nan, [nan, 1.5], [-inf, 0.0], [nan, -10.0], [0.0, -0.0], -0.0, [nan] * 40),
    *([1e9, 1.0], [1e9], [1e8], [1e8 + 1024], [1.0, 1001.0], [1.0, 1000.0], [1.5, 1500.0], [1.5, 1501.5], [1e-5]),
    *([1e-4, 0.5], [-inf, 1e10], [nan, 1e-8, 3.0], [12345.0, 1.0], [0.1, 100.0], [0.1, 100.1], [99999.5, 1e4]),
    *(3, [-3, 10], [10**18, -1], True, [True, False], [False], [True] * 30, 1.5, 1e-9, 123456789.0),
    *([1 + 2j], [1.5 - 2j, 0], [complex(nan, 1)], [complex(nan, -inf), 1 + 1.5j], [1e9 + 1j], [1e9j + 1.5, 2]),
    *([1e-9 + 1j, 2 + 2j], 1j, [complex(0, -0.0)], [complex(-0.0, -1.5)], [1 + 100j, 1 + 2j, -10 - 3j], [0j] * 30),
]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_particular_values(value):
    assert_shown_alike(torch.tensor(value))


SHAPES = [
    (),
    (1,),
    (7,),
    (30,),
    (3, 4),
    (2, 25),
    (2, 3, 4),
    (1, 1, 1, 2),
    (2, 1, 3, 2),
    (9, 1),
    (0,),
    (0, 3),
    (2, 3, 0),
]
SHAPES += [
    (1001,),
    (40, 40),
    (11, 2, 50),
    (5, 1, 400),
    (1, 2000),
    (7, 200),
    (1001, 1),
    (8, 8, 8, 8),
    (1000,),
    (7, 7, 7, 7),
]
SCALES = ["ones", "whole", "small", "large", "wide", "holes"]
DTYPES = ["float32", "float64", "float16", "bfloat16", "complex64", "complex128"]


def numbers(scale, shape, generator):
    """float64 numbers of a kind that asks for its own style."""
    normal = torch.randn(shape, dtype=torch.float64, generator=generator)
    if scale == "whole":
        return (normal * 20).round()
    if scale == "small":
        return normal * 1e-3
    if scale == "large":
        return normal * 3e4
    if scale == "wide":
        return normal * torch.exp(4 * torch.randn(shape, dtype=torch.float64, generator=generator))
    if scale == "holes":
        chance = torch.rand(shape, generator=generator)
        for bound, hole in ((0.3, 0.0), (0.2, nan), (0.1, inf), (0.05, -inf)):
            normal = torch.where(chance < bound, hole, normal)
    return normal


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", DTYPES)
def test_random_floating_arrays(name, shape):
    generator = torch.Generator().manual_seed(sum(shape))
    for scale in SCALES:
        tensor = numbers(scale, shape, generator)
        if name.startswith("complex"):
            tensor = torch.complex(tensor, numbers(scale, shape, generator))
        assert_shown_alike(tensor.to(getattr(torch, name)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["int64", "int32", "int16", "int8", "uint8", "bool"])
def test_random_integer_arrays(name, shape):
    generator = torch.Generator().manual_seed(sum(shape))
    for high in (2, 100, 10**6):
        tensor = torch.randint(-high if name != "bool" else 0, high, shape, generator=generator)
        assert_shown_alike(tensor.to(getattr(torch, name)))


def test_three_hundred_short_arrays_of_every_magnitude():
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        size, power = (int(torch.randint(low, high, (), generator=generator)) for low, high in ((1, 12), (-12, 12)))
        for scale in ("ones", "whole", "holes"):
            tensor = numbers(scale, (size,), generator) * 10.0**power
            for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
                assert_shown_alike(tensor.to(dtype))
            assert_shown_alike(torch.complex(tensor, numbers(scale, (size,), generator)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["float32", "float64", "complex64"])
def test_history_and_its_line_break(name, shape):
    leaf = torch.randn(shape, dtype=getattr(torch, name), requires_grad=True)
    assert_shown_alike(leaf)
    assert_shown_alike(leaf * 2)
    assert_shown_alike(leaf.reshape(-1))
    for width in range(40, 100, 3):
        set_options(linewidth=width)
        assert_shown_alike(leaf)
        assert_shown_alike(leaf * 2)


@pytest.mark.parametrize("shape", [(2, 2), (0,), (0, 2), (30,), (40, 40), (2, 2, 3)], ids=str)
def test_parameters(shape):
    parameter = torch.nn.Parameter(torch.randn(shape))
    assert_shown_alike(parameter, prefix="Parameter containing:\ntensor(")


OPTIONS = [
    {"precision": 2},
    {"precision": 0},
    {"precision": 8},
    {"sci_mode": True},
    {"sci_mode": False},
    {"linewidth": 20},
    {"linewidth": 120},
    {"threshold": 5},
    {"threshold": 0},
    {"threshold": 10, "edgeitems": 1},
    {"profile": "short"},
    {"profile": "full"},
    {"profile": "full", "precision": 1, "sci_mode": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options(options):
    set_options(**options)
    generator = torch.Generator().manual_seed(1)
    for shape in SHAPES[1:-5]:
        for scale in SCALES:
            tensor = numbers(scale, shape, generator)
            assert_shown_alike(tensor)
            assert_shown_alike(torch.complex(tensor, tensor))
        assert_shown_alike(torch.randint(-5, 50, shape, generator=generator))


def test_options_stay_until_changed():
    for options in ({"precision": 2}, {"sci_mode": True}, {"edgeitems": 1, "threshold": 3}, {"profile": "default"}):
        set_options(**options)
        assert printing.get_printoptions() == vars(torch._tensor_str.PRINT_OPTS)
        assert_shown_alike(torch.linspace(0, 1, 20))


@pytest.mark.parametrize("default", [dtypes.float64, dtypes.float16, dtypes.bfloat16])
def test_the_default_dtype_is_not_shown(default):
    set_default(default)
    for name in ("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "int64"):
        assert_shown_alike(torch.ones(2, dtype=getattr(torch, name)))
        assert_shown_alike(torch.ones(0, dtype=getattr(torch, name)))


def test_arrays_of_any_memory_layout():
    base = torch.randn(6, 8, 10)
    for view in (base.permute(2, 0, 1), base[::2, 1:, ::3], base[0, 0].expand(4, 10)):
        array = view.numpy()
        assert printing.format_tensor(array, dtypes.float32) == repr(view)


def test_a_large_array_is_not_read_whole():
    huge = np.broadcast_to(np.float32(1.5), (10**6, 10**6))
    assert printing.format_tensor(huge, dtypes.float32) == repr(torch.tensor(1.5).expand(10**6, 10**6))
