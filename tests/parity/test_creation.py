"""Creating and converting tensors beside PyTorch: one expression, evaluated in both, must give the same description.

A description holds the printed numbers, dtype, shape, strides and whether a gradient is required; of an error, its type.
"""

import copy
import operator
import pickle
import warnings

import numpy as np
import pytest

import pullback

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
torch.set_warn_always(True)  # and not once in a process, whichever test comes first

DATA = """
torch.tensor(np.float64(1)), torch.tensor([np.float64(1)]), torch.tensor([1.0, np.float32(1)]), torch.tensor(np.array(2))
torch.tensor([1, np.float16(1)]), torch.tensor([np.int8(1), np.int8(2)]), torch.tensor([1, np.int8(2)])
torch.tensor(True), torch.tensor([True, 2]), torch.tensor([True, 2.0]), torch.tensor([1j, 1]), torch.tensor(range(3))
torch.tensor([]), torch.tensor([[], []]), torch.tensor([[[]]]), torch.tensor([], dtype=torch.int64)
torch.tensor([[1, 2], [3]])
torch.tensor([[1, 2], 3])
torch.tensor([1, [2, 3]])
torch.tensor([[[1], [2]], [[3], [4, 5]]])
torch.tensor("abc")
torch.tensor(["a"])
torch.tensor(b"abc")
torch.tensor(None)
torch.tensor({1: 2})
torch.tensor({1, 2})
torch.tensor(i for i in range(3))
torch.tensor(Indexed())
torch.tensor(2**63)
torch.tensor([2**64])
torch.tensor(-(2**63) - 1)
torch.tensor(2**63 - 1), torch.tensor(2**63, dtype=torch.uint64), torch.tensor([2**70], dtype=torch.float32)
torch.tensor([2**63, 1.5]), torch.tensor([1e300]), torch.tensor([1e10], dtype=torch.float16)
torch.tensor(300, dtype=torch.uint8)
torch.tensor([-1], dtype=torch.uint8), torch.tensor([1.7, -1.7], dtype=torch.int64), torch.tensor(2.5, dtype=torch.bool)
torch.tensor([200], dtype=torch.int8)
torch.tensor([float("nan")], dtype=torch.int64)
torch.tensor([1j], dtype=torch.float32)
torch.tensor([1 + 2j], dtype=torch.int64)
torch.tensor([0.5, 0, 2], dtype=torch.bool), torch.tensor([True], dtype=torch.float32), torch.tensor([1.1], dtype=torch.bfloat16)
torch.tensor([torch.tensor(1.0), torch.tensor(2.0)]), torch.tensor([torch.tensor([1.0]), torch.tensor([2.0])])
torch.tensor([torch.tensor(1.0, dtype=torch.float64), 2.0]), torch.tensor([torch.tensor(1, dtype=torch.int8), 2.0])
torch.tensor([torch.ones(2), torch.ones(2)])
torch.tensor(torch.ones(2, requires_grad=True)), torch.tensor(torch.ones(2), dtype=torch.int64)
torch.tensor([(1, 2), [3, 4]]), torch.tensor(np.arange(4)[1:]), torch.tensor(np.asfortranarray(np.ones((2, 3))))
torch.tensor(np.ones((4, 6))[::2, ::3]), torch.tensor(torch.ones(2, 3).t()), torch.tensor(np.array([300]), dtype=torch.uint8)
torch.tensor(np.arange(3)[::-1])
torch.tensor(np.array(["a"]))
torch.tensor(np.array([1, None]))
torch.tensor(np.arange(3, dtype=">i4"))
torch.tensor(np.zeros(2, np.longdouble))
torch.tensor([1, 2], requires_grad=True)
torch.tensor([1.0, 2], requires_grad=True), torch.tensor([1], dtype=float), torch.tensor([1], dtype=int)
torch.tensor([1], dtype=np.float32)
torch.tensor([1], dtype="float32")
torch.tensor([1], device="foo")
torch.tensor([1], torch.float32)
torch.tensor()
torch.tensor([1], foo=2)
torch.as_tensor([1, 2], dtype=torch.float32), torch.as_tensor(3), torch.as_tensor(np.float32(3)), torch.as_tensor(n)
torch.as_tensor(n, dtype=torch.float64), torch.as_tensor(t, dtype=float), torch.as_tensor(t) is t
torch.asarray([1, 2]), torch.asarray(np.arange(2.0), dtype=torch.float32, requires_grad=True), torch.asarray(3.0)
torch.asarray(n, requires_grad=False), torch.asarray(t, copy=True), torch.asarray(bytearray(8), dtype=torch.float32)
torch.asarray([1], copy=False)
torch.from_numpy(np.array(1.0)), torch.from_numpy(np.ones((4, 6))[::2]), torch.from_numpy(np.zeros(2, bool))
torch.from_numpy([1])
torch.from_numpy(np.float64(1))
torch.from_numpy(np.broadcast_to(np.ones(1), (3,)))
torch.from_numpy(np.zeros(4, dtype=[("a", "f4"), ("b", "i2")])["a"])
torch.frombuffer(bytearray(8), dtype=torch.float32), torch.frombuffer(bytearray(8), dtype=torch.int8, count=1, offset=4)
torch.frombuffer(bytes(8), dtype=torch.float32)
torch.frombuffer(bytearray(7), dtype=torch.float32)
torch.frombuffer(bytearray(8), dtype=torch.float32, count=3)
torch.frombuffer(bytearray(8), dtype=torch.float32, offset=9)
torch.frombuffer([1], dtype=torch.float32)
torch.Tensor([1, 2]), torch.Tensor(2, 3).shape, torch.Tensor(), torch.Tensor([[1, 2]]), torch.Tensor(torch.Size([2, 2])).shape
torch.Tensor("a")
torch.Tensor(2.0)
torch.FloatTensor([1, 2]), torch.LongTensor([1.5, 2]), torch.BoolTensor([1, 0]), torch.LongTensor(2, 3).dtype
isinstance(t, torch.FloatTensor), isinstance(t, torch.LongTensor)
t.new_tensor([1, 2]), torch.arange(2).new_tensor([1.5, 2]), t.new_tensor([1.0], requires_grad=True)
"""

NUMBERS = """
torch.zeros(2, 3), torch.zeros((2, 3)), torch.zeros([2]), torch.zeros(torch.Size([2])), torch.zeros(size=(2,)), torch.zeros(())
torch.zeros(torch.tensor(2)), torch.zeros((torch.tensor(2), 3)), torch.zeros(np.int64(2)), torch.zeros(0, 2)
torch.zeros()
torch.zeros(-1)
torch.zeros(2.0)
torch.zeros((2.0,))
torch.zeros("a")
torch.zeros(True)
torch.zeros(2, [3])
torch.zeros((2,), 3)
torch.zeros(2, requires_grad=True, dtype=torch.int32)
torch.zeros(2, names=("a",))
torch.zeros(2, layout=torch.strided), torch.zeros(2, device="cpu:0"), torch.zeros(2, out=torch.empty(2)), torch.zeros(2, dtype=complex)
torch.full((2,), 3), torch.full((2,), 3.0), torch.full((2,), True), torch.full((2,), 1j), torch.full((), 3)
torch.full((2,), torch.tensor(3)), torch.full((2,), np.float64(2)), torch.full([2], 3, dtype=torch.float64)
torch.full(2, 3)
torch.full((2,), "a")
torch.full((2,), None)
torch.full((2,), torch.ones(2))
torch.full((2,), torch.tensor(2.0, requires_grad=True))
torch.full((2,), 300, dtype=torch.uint8)
torch.full((2,), 2.7, dtype=torch.int64), torch.full((2,), -1, dtype=torch.uint8), torch.full((2,), 1 + 0j, dtype=torch.float32)
torch.full((2,), 1j, dtype=torch.float32)
torch.full((2,), 2**63)
torch.full((2,), 1e300)
torch.full((2,), 1e5, dtype=torch.float16)
torch.full((2,), float("inf"), dtype=torch.int32)
torch.full((2,), -256, dtype=torch.uint8)
torch.ones_like(torch.arange(3)), torch.zeros_like(m.t()), torch.full_like(m, 2), torch.full_like(torch.arange(2), 2.5)
torch.ones_like([1])
torch.full_like(t, 1j)
torch.zeros_like(t.expand(4, 3)).stride(), torch.zeros_like(torch.ones(2, 3, 4).permute(2, 0, 1)).stride()
torch.zeros_like(torch.ones(4, 6)[::2].t()).stride(), torch.zeros_like(m.t(), memory_format=torch.contiguous_format).stride()
torch.empty_like(m).shape, torch.empty_strided((2, 3), (1, 2)).stride(), torch.scalar_tensor(3), torch.empty(2, 3).stride()
t.new_zeros(3), t.new_zeros((3, 2)), torch.arange(2).new_ones(3, dtype=torch.float64), torch.arange(2).new_full((2,), 3.7)
torch.arange(2).new_full(2, 3.7)
torch.eye(2), torch.eye(2, 3), torch.eye(0), torch.eye(2, m=3, dtype=torch.int64), torch.eye(2, dtype=torch.bool)
torch.eye(-1)
torch.eye(2, -1)
torch.eye(2.0)
torch.tril_indices(3, 3), torch.tril_indices(3, 4, 1), torch.tril_indices(3, 4, -1), torch.tril_indices(3, 4, offset=-5)
torch.triu_indices(3, 4, -1), torch.triu_indices(3, 4, 9), torch.triu_indices(3, 4, dtype=torch.int32), torch.triu_indices(0, 4)
torch.triu_indices(-3, 4)
torch.triu_indices(3, 4, dtype=torch.float32)
torch.arange(3), torch.arange(3.0), torch.arange(0.5, 3), torch.arange(1, 10, 3), torch.arange(5, 0, -2), torch.arange(0)
torch.arange(3, dtype=torch.float64), torch.arange(300, dtype=torch.uint8), torch.arange(1, 3.5, dtype=torch.int64)
torch.arange(0.5, 3.9, 1.5, dtype=torch.int64), torch.arange(0.5, 3.9, 1.5, dtype=torch.int32), torch.arange(0, 3.5, dtype=torch.int32)
torch.arange(start=1, end=3), torch.arange(end=3), torch.arange(torch.tensor(3.0)), torch.arange(True), torch.arange(2**53, 2**53 + 3)
torch.arange(5, 0)
torch.arange(0, 5, 0)
torch.arange(float("inf"))
torch.arange(3, dtype=torch.bool)
torch.arange("a")
torch.arange(3j)
torch.arange()
torch.range(1, 3)
torch.linspace(0, 1, 5), torch.linspace(0, 10, 4, dtype=torch.int64), torch.linspace(0, -10, 4, dtype=torch.int64)
torch.linspace(0, 1, 1), torch.linspace(0, 1, 0), torch.linspace(0, 1j, 3), torch.linspace(0, 1, 3, dtype=torch.float16)
torch.linspace(0, 1, -1)
torch.linspace(0, 1)
torch.linspace(torch.ones(2), 1, 3)
torch.linspace(0, 1, 3, dtype=torch.bool)
torch.logspace(0, 2, 3), torch.logspace(0, 2, 3, base=2), torch.logspace(0, 2, 1), torch.logspace(0, 2, 4, dtype=torch.int64)
torch.device("cpu"), torch.device("cpu", 0), torch.device("cuda:1"), torch.device(type="cpu", index=1), torch.device("cuda").index
torch.device("foo")
torch.device("cpu:x")
torch.device("cpu:1", 1)
torch.device()
torch.device(3)
torch.device(None)
"""

CONVERSIONS = """
t.tolist(), torch.tensor(2.5).tolist(), m.tolist(), torch.ones(2, dtype=torch.bfloat16).tolist(), torch.empty(0, 3).tolist()
float(torch.tensor([7])), float(grown), int(torch.tensor(2.7)), complex(torch.tensor(2.5)), bool(torch.ones(1, 1)), operator.index(torch.tensor([7]))
t.item()
float(t)
int(torch.tensor(float("inf")))
float(torch.tensor(1j))
bool(t)
operator.index(torch.tensor(1.0))
list(torch.tensor(1.0))
list(t), list(m), [x.requires_grad for x in g], list(reversed(t)), 2.0 in t, 5 in t, torch.tensor(2.0) in t
"a" in t
torch.ones(2) in m
format(torch.tensor(2.5), ".2f"), format(t, ""), f"{torch.tensor(3):3d}"
format(t, ".2f")
t.numpy(), torch.tensor(2.5).numpy(), g.numpy(force=True), g.detach().numpy(), np.asarray(t), np.sin(t), np.exp(torch.tensor(2.5))
g.numpy()
np.asarray(g)
np.array([t, t]), np.asarray(np.stack([t, t])), np.dot(t.numpy(), t.numpy()), np.allclose(t, t.numpy()), np.sqrt(t, out=np.zeros(3))
np.float64(2) * t, np.float64(2) + g, np.int64(2) * torch.arange(3)
t.to(torch.float64), t.to(torch.ones(1, dtype=torch.int8)), t.to("cpu", torch.int64), t.to(dtype=float), t.to(int), t.to(), n.to(torch.int64)
n.to(torch.float64), n.double(), torch.tensor([1e10, -1.5, float("nan")]).to(torch.int32), torch.tensor([300.0, -1.0]).to(torch.uint8)
torch.tensor(1 + 2j).to(torch.float32)
t.to("float64")
t.to(3)
t.to(other=t)
t.type(), torch.ones(1, dtype=torch.float16).type(), torch.tensor([1j]).type(), t.type(torch.float64), t.type("torch.DoubleTensor"), t.type_as(torch.tensor(3))
t.type("foo")
t.half(), t.bfloat16(), t.int(), t.long(), t.short(), t.char(), t.byte(), t.bool(), t.cfloat(), t.cdouble()
m.stride(), m.stride(0), m.stride(-1), m.t().stride(), m[:, 1:].storage_offset(), torch.empty(2, 0, 3).stride(), torch.tensor(1.0).stride()
m.stride(2)
torch.tensor(1.0).stride(0)
m.is_contiguous(), m.t().is_contiguous(), torch.ones(1, 2, 3, 4).is_contiguous(memory_format=torch.channels_last)
m.element_size(), m.nbytes, m.itemsize, torch.empty(0).data_ptr(), m.untyped_storage().nbytes(), m[1:].untyped_storage().nbytes()
torch.is_tensor(t), torch.is_floating_point(t), torch.is_complex(t), t.is_signed(), torch.numel(m), torch.is_tensor(3), torch.is_nonzero(t[:1])
torch.is_nonzero(t)
torch.is_floating_point(3)
t.device, t.layout, t.is_cuda, t.is_cpu, t.is_sparse, t.is_quantized, t.is_meta, t.get_device(), t.is_same_size(t), t.is_pinned()
torch.tensor(1 + 2j).real, torch.tensor(1 + 2j).imag, t.real is t
t.imag
copy.deepcopy(g), copy.copy(g), pickle.loads(pickle.dumps(g)), pickle.loads(pickle.dumps(n)), pickle.loads(pickle.dumps(m.t())).stride()
copy.deepcopy(n)
torch.result_type(t, 3.5), torch.result_type(torch.tensor(3), 2.0), torch.result_type(1, 2.0), torch.can_cast(torch.float32, torch.int32)
torch.result_type("a", 1)
torch.promote_types(torch.int8, torch.float16), torch.typename(t), torch.typename(3), torch.broadcast_shapes((2, 1), (3,)), torch.get_default_dtype()
torch.broadcast_shapes((2,), (3,))
torch.equal(t, t), torch.equal(t, m), torch.equal(t, t + 1), torch.equal(t * float("nan"), t * float("nan")), t.equal(torch.ones(3))
torch.equal(t, 1)
torch.allclose(t, t + 1e-9), torch.allclose(t, torch.ones(1)), torch.allclose(t, t + 0.1, atol=0.2), t.allclose(t, rtol=0.0)
torch.allclose(t, 1.0)
torch.allclose(t, t.double())
"""

RANDOM = """
torch.rand(3), torch.rand(20), torch.randn(3), torch.randn(40), torch.rand((2, 3)), torch.randn([2, 3]), torch.rand(size=(2,)), torch.rand(())
torch.rand(5, dtype=torch.float64), torch.randn(17, dtype=torch.float64), torch.rand(5, dtype=torch.complex64), torch.randn(20, dtype=torch.bfloat16)
torch.randint(3, (5,)), torch.randint(-4, 3, (5,)), torch.randint(high=3, size=(2,)), torch.randint(2**40, (2,)), torch.randint(3, size=(2,))
torch.randint(3, (2,), dtype=torch.float32), torch.randperm(7), torch.randperm(5, dtype=torch.float32), torch.randperm(0)
torch.rand_like(torch.ones(3, 5).t()), torch.randn_like(torch.ones(3, 4).t()), torch.randn_like(torch.ones(3, 8).t()), torch.randn_like(torch.ones(30))
torch.rand_like(t, dtype=torch.float64), torch.randint_like(t, 5), torch.randint_like(t, 2, 5), torch.randint_like(t, low=2, high=5)
torch.normal(0.0, 1.0, (3,)), torch.normal(2.0, 3.0, size=(20,)), torch.normal(t, 2.0), torch.normal(1.0, t), torch.normal(t, t), torch.normal(t)
torch.normal(torch.ones(20), 2.0), torch.normal(torch.ones(2, 1), torch.ones(3)), torch.normal(g, 1.0), torch.normal(1.0, g), torch.normal(g, g)
torch.empty(5).normal_(), torch.empty(20).normal_(1, 2), torch.empty(5).uniform_(), torch.empty(5).uniform_(-1, 1), torch.empty(5).random_(3, 7)
torch.empty(5).random_(), torch.empty(5, dtype=torch.int64).random_(), torch.empty(5, dtype=torch.int32).random_(), torch.empty(5, dtype=torch.uint8).random_()
torch.empty(5, dtype=torch.bool).random_(), torch.empty(5, dtype=torch.float64).random_(), torch.empty(5).random_(7), torch.empty(5).random_(to=4)
torch.empty(3, 5).t().normal_(), torch.empty(3, 8).t().normal_(), torch.empty(3, 5).t().uniform_(), torch.empty(4, 10)[:, :5].normal_()
torch.empty(4, 6)[:, 1].uniform_(), torch.empty(2, 3, 4).permute(2, 0, 1).uniform_(), torch.empty(5, 3).t().random_(9)
torch.empty(3, 3, dtype=torch.complex64).normal_(), torch.empty(5, 5, dtype=torch.complex64).t().normal_()
torch.bernoulli(torch.full((5,), 0.3)), torch.bernoulli(torch.full((5,), 0.3, dtype=torch.float64)), torch.full((5,), 0.3).bernoulli()
torch.empty(9).bernoulli_(torch.full((9,), 0.4)), torch.empty(3, 3).bernoulli_(torch.full((3,), 0.4)), torch.bernoulli(g * 0.2)
torch.multinomial(torch.ones(5), 3, True), torch.multinomial(torch.ones(2, 5), 4, replacement=True)
torch.rand(3, generator=torch.Generator().manual_seed(5)), torch.empty(5).normal_(generator=torch.Generator().manual_seed(5))
torch.randint(9, (3,), generator=torch.Generator().manual_seed(5)), torch.normal(0.0, 1.0, (3,), generator=torch.Generator().manual_seed(5))
torch.initial_seed(), torch.manual_seed(4).initial_seed(), torch.Generator().initial_seed(), torch.Generator().device, torch.get_rng_state().shape
torch.randn(3, requires_grad=True), torch.randn(3, out=torch.empty(3)), torch.randperm(4, out=torch.empty(4, dtype=torch.int64))
(g * 2).normal_(), (g * 2).uniform_(), (g * 2).exponential_().requires_grad, torch.autograd.grad((g * 2).normal_().sum(), g)
torch.autograd.grad(torch.normal(g, g).sum(), g), torch.autograd.grad(torch.bernoulli(g * 0.2).sum(), g)
g.normal_()
g[1:].normal_()
torch.rand(3, generator=3)
torch.rand(2, dtype=torch.int64)
torch.randn_like(torch.arange(2))
torch.randint(0, 3, 2)
torch.randint(5, 5, (2,))
torch.randint(0, 300, (2,), dtype=torch.uint8)
torch.randint(0, 3.5, (2,))
torch.randperm(3.0)
torch.randperm(-1)
torch.set_rng_state(torch.zeros(3))
torch.set_rng_state(torch.zeros(3, dtype=torch.uint8))
torch.manual_seed("a")
torch.ones(2, dtype=torch.int8).normal_()
torch.ones(2).normal_(std=-1)
torch.ones(2).uniform_(1, 0)
torch.ones(2).bernoulli_(2)
torch.ones(2).bernoulli_(torch.ones(2) * 2)
torch.ones(2).bernoulli_(torch.ones(3))
torch.ones(2).exponential_(-1)
torch.ones(2, dtype=torch.int8).exponential_()
torch.bernoulli(torch.ones(2, dtype=torch.int64))
torch.bernoulli([1.0])
torch.multinomial(torch.ones(2), 3)
torch.multinomial(torch.ones(2), 1.5)
torch.multinomial(torch.ones(2, dtype=torch.int64), 1)
torch.normal(torch.ones(2), torch.ones(3))
torch.normal(torch.ones(2), -1.0)
torch.normal(torch.ones(2), -torch.ones(2))
torch.normal(0.0, 1.0)
torch.ones(2).random_(5, 2)
torch.ones(2, dtype=torch.uint8).random_(300)
torch.ones(2).random_(1.5)
torch.ones(2).normal_("a")
"""


class Indexed:
    def __index__(self):
        return 3


def evaluate(expression, library):
    """What an expression gives, or raises, in one of the two libraries; and which warnings it gives."""
    library.manual_seed(0)
    scope = {"torch": library, "np": np, "copy": copy, "pickle": pickle, "operator": operator, "Indexed": Indexed}
    scope |= {"t": library.tensor([1.0, 2, 3]), "m": library.arange(6.0).reshape(2, 3)}
    scope |= {"g": library.tensor([1.0, 2], requires_grad=True), "grown": library.tensor(2.0)}
    scope["n"] = scope["g"] * 2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = describe(eval(expression, scope), library)
        except Exception as error:
            found = f"raises {type(error).__name__}"
    # PyTorch's `__array__` and `__array_wrap__` are of the kind that NumPy 2 warns about.
    return found, [w.category.__name__ for w in caught if "__array" not in str(w.message)]


def describe(value, library):
    if isinstance(value, library.Tensor):
        return f"{value!r} {value.dtype} {tuple(value.shape)} {value.stride()} {value.requires_grad}"
    if isinstance(value, (tuple, list)):
        return [type(value).__name__, *(describe(each, library) for each in value)]
    return repr(value)


def lines(text):
    return [line for line in text.splitlines() if line]


@pytest.mark.parametrize("expression", [*lines(DATA), *lines(NUMBERS), *lines(CONVERSIONS), *lines(RANDOM)])
def test_an_expression_gives_what_pytorch_gives(expression):
    assert evaluate(expression, pullback) == evaluate(expression, torch)


@pytest.mark.parametrize("name", ["float32", "float64"])
@pytest.mark.parametrize("function", ["arange", "linspace", "logspace"])
def test_evenly_spaced_numbers_are_pytorchs_to_the_last_unit(name, function):
    choose, unit = np.random.default_rng(0), np.finfo(name).eps
    for _ in range(300):
        start, end = choose.uniform(-3, 3), choose.uniform(4, 9)
        third = choose.uniform(0.01, 0.7) if function == "arange" else int(choose.integers(2, 60))
        ours, theirs = (
            getattr(library, function)(start, end, third, dtype=getattr(library, name)).numpy()
            for library in (pullback, torch)
        )
        # PyTorch's vector code adds to each block's start; an exponent's last unit weighs up to e ** 9 ln 10 in a power.
        largest = np.abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=largest * unit * (40 if function == "logspace" else 2))


def test_arrays_of_every_dtype_come_over_as_in_pytorch():
    for kind in ("float16", "float32", "float64", "complex64", "int8", "uint8", "int16", "uint16", "int64", "bool"):
        array = np.arange(6).reshape(2, 3).astype(kind)
        for make in ("tensor", "from_numpy", "as_tensor"):
            ours, theirs = getattr(pullback, make)(array), getattr(torch, make)(array)
            assert describe(ours, pullback) == describe(theirs, torch)


@pytest.mark.filterwarnings("ignore:Casting complex values to real")
def test_every_pair_of_dtypes_converts_as_in_pytorch():
    names = ("bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64")
    for source in names:
        data = [0, 1, 2, 100] if source != "bool" else [False, True]
        for target in names:
            ours, theirs = (
                lib.tensor(data, dtype=getattr(lib, source)).to(getattr(lib, target)) for lib in (pullback, torch)
            )
            assert repr(ours) == repr(theirs)
