"""Calls that give tensors other shapes, as users write them, against PyTorch: values, views, nodes, gradients, errors.

The generated tests of ``tests/ops`` see one operation each, with canonical arguments; here are the public names that
stand for several, every form of their arguments, and what they raise. In each line, ``x`` has three dimensions, ``m`` two,
``v`` one and ``s`` none; ``e`` is empty, ``c`` complex, ``k`` of integers, and ``F`` is ``nn.functional``.
"""

import warnings

import numpy as np
import pytest

import pullback
from pullback.tensor import functional_functions

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

ARRAYS = {
    "x": np.arange(24.0).reshape(2, 3, 4) / 7 - 1,
    "m": np.arange(12.0).reshape(3, 4) / 5 - 1,
    "v": np.arange(4.0) - 1.5,
    "s": np.array(2.5),
    "e": np.zeros((0, 3)),
    "c": np.arange(6).reshape(2, 3) * (1 + 2j),
    "k": np.array([1, 2, 0]),
}

# Views, and what PyTorch makes of other names and forms of arguments.
CALLS = """
x.view(6, 4)                        x.view(-1)                          x.view([6, 4])
x.view(torch.Size([6, 4]))          s.view(1, 1)                        s.view(())
e.view(-1, 3)                       x.view(2, 3, 2, 2)                  x.transpose(0, 1).view(3, 2, 2, 2)
x.reshape(6, 4)                     x.reshape((-1, 2))                  torch.reshape(x, (4, 6))
x.transpose(0, 1).reshape(6, 4)     x.transpose(0, 1).reshape(3, 2, 2, 2)  x[:, ::2].reshape(-1)
x.view_as(torch.ones(6, 4))         x.reshape_as(torch.ones(24))        x.transpose(0, 2).reshape_as(m.expand(2, 3, 4))
x.flatten()                         x.flatten(1)                        x.flatten(0, 1)
x.flatten(1, 1)                     s.flatten()                         v.flatten()
v[::2].flatten()                    x.transpose(0, 1).flatten()         torch.flatten(x, start_dim=1, end_dim=-1)
x.ravel()                           s.ravel()                           e.ravel()
x.unflatten(2, (2, 2))              x.unflatten(2, (2, -1))             torch.unflatten(x, 0, (2, 1))
x.transpose(1, 2).unflatten(1, (2, 2))  x.unflatten(-1, [4])            v.unflatten(0, (2, 2))
x[:1].squeeze()                     x[:1].squeeze(0)                    x.squeeze(1)
x[:1].squeeze((0, 1))               s.squeeze()                         s.squeeze(0)
s.squeeze(())                       torch.squeeze(x[:, :1], 1)          x.transpose(0, 1)[:, :1].squeeze()
x.unsqueeze(0)                      x.unsqueeze(-1)                     s.unsqueeze(0)
x.transpose(0, 1)                   x.transpose(-1, 0)                  s.transpose(0, -1)
x.swapaxes(0, 1)                    torch.swapaxes(x, axis0=0, axis1=2) torch.swapdims(x, 0, 1)
x.permute(2, 0, 1)                  x.permute((0, -1, 1))               s.permute(())
torch.permute(x, (1, 0, 2))         x.movedim(0, 2)                     x.movedim((0, 1), (2, 0))
torch.movedim(x, 1, 0)              torch.moveaxis(x, source=0, destination=-1)  x.moveaxis(0, 0)
m.t()                               v.t()                               s.t()
m.T                                 v.T                                 x.T
m.mT                                x.mT                                m.H
x.mH                                m.adjoint()                         x.adjoint()
c.mH                                c.H                                 c.adjoint()
c.mT                                c.T                                 c.t()
m.expand(2, 3, 4)                   m.expand(-1, -1)                    v.expand((3, -1))
s.expand(2, 0)                      x[:, :1].expand(2, 3, 4)            x[:, :1].expand(5, -1, 3, -1)
x.transpose(0, 1)[:, :1].expand(3, 2, 4)  m.expand_as(x)                 m.broadcast_to((2, 3, 4))
torch.broadcast_to(v, (2, 4))       x.sum_to_size(1, 3, 4)              x.sum_to_size(3, 4)
x.sum_to_size(())                   x.sum_to_size(2, 3, 4)              x.sum_to_size((1,))
x.clone()                           x.transpose(0, 1).clone()           m.expand(2, 3, 4).clone()
x.contiguous()                      x.mT.contiguous()                   x[1:].contiguous()
torch.atleast_1d(s)                 torch.atleast_1d(s, v)              torch.atleast_1d((s, v))
torch.atleast_2d(s)                 torch.atleast_2d(v)                 torch.atleast_2d(m)
torch.atleast_3d(s)                 torch.atleast_3d(m)                 torch.atleast_3d([s, v, m, x])
x.narrow(0, 0, 1)                   x.narrow(-1, 1, 2)                  x.narrow(2, -2, 2)
x.narrow(1, 3, 0)                   torch.narrow(x, dim=1, start=1, length=2)  x.narrow(1, torch.tensor(1), 1)
x.select(0, 1)                      x.select(-1, -2)                    v.select(0, 2)
x.split(2, 2)                       x.split(3, 2)                       x.split([1, 2], 1)
x.split((2, 0, 2), dim=-1)          e.split(2)                          e.split(0)
torch.split(x, 1)                   x.split_with_sizes([1, 3], 2)       torch.split_with_sizes(v, (1, 1, 2))
x.chunk(2, 2)                       x.chunk(3, -1)                      x.chunk(10)
e.chunk(3)                          torch.chunk(m, 2)                   x.tensor_split(3, 2)
x.tensor_split([1, 3], -1)          x.tensor_split((1, 5, 2), 2)        x.tensor_split((-1,), 2)
x.tensor_split(torch.tensor([1, 3]), 2)  x.tensor_split(torch.tensor(2), 2)  torch.tensor_split(v, 3)
x.hsplit(3)                         v.hsplit(2)                         torch.vsplit(x, [1])
x.dsplit(2)                         m.vsplit(3)                         m.hsplit([1, 3])
x.unbind()                          x.unbind(-1)                        torch.unbind(v)
x.diagonal()                        x.diagonal(1, 1, 2)                 x.diagonal(-1, dim1=-1, dim2=0)
m.diagonal(7)                       x.mT.diagonal(0, 0, 2)              torch.diagonal(m, offset=-1)
m.diag()                            m.diag(-1)                          v.diag()
torch.diag(v, 1)                    torch.diag(m, diagonal=2)           torch.diag_embed(m)
torch.diag_embed(m, 1)              torch.diag_embed(m, -1, 0, 2)       torch.diag_embed(v, dim1=1, dim2=0)
torch.diagflat(x, 1)                torch.diagflat(s)                   torch.diagflat(m, -2)
x.unfold(2, 2, 1)                   x.unfold(1, 2, 2)                   x.mT.unfold(1, 2, 1)
s.unfold(0, 1, 1)                   v.unfold(0, 0, 2)                   v.unfold(-1, 4, 3)
x.as_strided((2, 2), (1, 2))        x.as_strided((3, 2), (1, 1), 4)     x[1].as_strided((2, 2), (4, 1))
x[1].as_strided((2,), (3,), 2)      x.as_strided((), ())                torch.as_strided(m, (2, 3), (1, 4), 1)
x.mT.as_strided((4, 2), (2, 1))     x[:, :, ::2].as_strided((2, 3), (12, 4))
torch.cat([x, x])                   torch.cat((x, x[:, :, :1]), -1)     torch.cat([torch.zeros(0), m], dim=1)
torch.cat([m, k.expand(4, 3).T])    torch.cat([v, c[0]])                torch.concat([m, m], 1)
torch.concatenate([v, v], 0)        torch.cat([v])                      torch.cat([e, m.T[:, :3]])
torch.stack([x, x])                 torch.stack((m, m.clone()), -1)     torch.stack([s, torch.tensor(1)])
torch.stack([v, k.sum().expand(4)], dim=1)  torch.hstack([s, v])        torch.hstack((m, m[:, :1]))
torch.row_stack([v, m])                torch.dstack([v, v])                torch.dstack([m, m, m])
torch.column_stack([v[:3], m])      torch.column_stack([s, s])          torch.vstack([s, s])
torch.block_diag(m, v, s)           torch.block_diag(c, m)              torch.block_diag(m)
torch.broadcast_tensors(v, x)       torch.broadcast_tensors(s, v, m)    torch.broadcast_tensors(m[:, :1], v)
torch.meshgrid(v, v[:2], indexing="ij")  torch.meshgrid([v, v[:2]], indexing="ij")  torch.meshgrid(v, s, indexing="xy")
torch.meshgrid(v, v[:3], v[:2], indexing="xy")  torch.meshgrid(v, indexing="xy")  torch.cartesian_prod(v, v[:2], v[:3])
torch.cartesian_prod(v)             torch.kron(m, v)                    torch.kron(v, m)
torch.kron(s, m)                    torch.kron(k, v)                    torch.kron(c, m)
x.repeat(2, 1, 1)                   x.repeat((2, 1, 3, 1))              s.repeat(3)
v.repeat(0)                         x.mT.repeat(1, 1, 1)                s.repeat(())
x.tile(2)                           x.tile((2, 1, 1, 2))                x.tile(())
torch.tile(v, (3, 2))               x.repeat_interleave(2)              x.repeat_interleave(2, 1)
x.repeat_interleave(3, dim=-1)      s.repeat_interleave(2)              v.repeat_interleave(0)
x.repeat_interleave(k, 1)           m.repeat_interleave(k, dim=0)       v.repeat_interleave(torch.tensor([2]))
m.repeat_interleave(torch.tensor(2), 1)  m.repeat_interleave(k, 0, output_size=3)  torch.repeat_interleave(k)
x.flip(0)                           x.flip(0, -1)                       x.flip((1, 2))
torch.flip(x, [0])                  x.flip(())                          s.flip(0)
m.fliplr()                          v.flipud()                          torch.flipud(x)
x.roll(1)                           x.roll(2, 1)                        x.roll((1, -1), (0, 2))
torch.roll(x, shifts=(3, 1), dims=(-1, -1))  s.roll(1)                  e.roll(1, 0)
x.rot90()                           m.rot90(2)                          x.rot90(-1, (0, 2))
torch.rot90(m, 5, [1, 0])           m.rot90(0)                          m.rot90(k=3)
m.tril()                            x.triu(1)                           torch.tril(x, diagonal=-1)
torch.triu(k.expand(2, 3))          F.pad(x, (1, 2))                    F.pad(x, (1, -2, 0, 1), value=2)
F.pad(x, [-1, -1, 0, 0, 2, 0], "constant", 0.5)  F.pad(k, (1, 1), value=2.5)  F.pad(s, ())
F.pad(m, (1, 2), "reflect")         F.pad(x, (3, 3), mode="reflect")    F.pad(x, (1, 2, 1, 0), "reflect")
F.pad(x[None], (1, 2, 1, 0), "reflect")  F.pad(x[None], (1, 2, 1, 0, 1, 1), "reflect")
F.pad(x, (-3, 1), "reflect")        F.pad(x, (3, -3), "reflect")        F.pad(x, (-4, 1), "reflect")
F.pad(m, (1, 2), "replicate")       F.pad(x, (7, 9), mode="replicate")  F.pad(x, (1, 2, 0, 3), "replicate")
F.pad(x[None], (1, 2, 1, 0, 5, 1), "replicate")  F.pad(x, (-3, 1), "replicate")  F.pad(x, (2, -4), "replicate")
F.pad(m, (1, 2), "circular")        F.pad(x, (4, 4), mode="circular")   F.pad(x, (1, 2, 3, 0), "circular")
F.pad(x, (-3, 1), "circular")       F.pad(x[None], (2, 1, 2, 1), "circular")  F.pad(x[None, None], (2, 1, 2, 1, 1, 1), "circular")
torch.constant_pad_nd(x, (1, 1), 2) F.pad(c, (1, 0), value=1)           F.pad(x.mT, (0, 1, 1, 0), "reflect")
"""

# Bad input: PyTorch raises an exception of the same type.
ERRORS = """
x.view(5, 5)            x.view(-1, -1)          x.view(-2, 3)           x.view(-1, 5)           e.view(-1, 0)
x.mT.view(6, 4)         x.view("a")             x.view(2.0, 3)          x.reshape(5, 5)         x.reshape(-1, 5)
torch.reshape(x, 24)    x.permute(0, 1)         x.permute(0, 1, 1)      x.permute(0, 1, 3)      x.transpose(0, 3)
x.t()                   v.mT                    v.mH                    v.H                     x.H
v.adjoint()             x.movedim(0, 5)         x.movedim((0, 1), (1,)) x.movedim((0, 0), (1, 2))
x.movedim((0, 1), (2, 2))  x.squeeze(3)         x.squeeze((0, 0))       x.unsqueeze(4)          x.unsqueeze(-5)
x.expand(2, 3)          x.expand(3, 3, 4)       x.expand(-1, 2, 3, 4)   x.expand(2, -2, -1, 4)  x.broadcast_to((2, 3))
x.flatten(0, 3)         x.flatten(2, 1)         x.unflatten(2, (3, 2))  x.unflatten(2, ())      x.unflatten(2, (-1, -1))
x.unflatten(2, 4)       s.unflatten(0, (1, 2))  x.narrow(0, 0, 3)       x.narrow(0, 3, 1)       x.narrow(0, 0, -1)
s.narrow(0, 0, 1)       x.narrow(3, 0, 0)       x.select(0, 2)          x.select(3, 0)          s.select(0, 0)
x.split(0)              x.split(-1)             s.split(1)              x.split([1, 2])         x.split([2, -1, 1], 1)
x.split(1, 3)           x.chunk(0)              s.chunk(1)              x.tensor_split(0, 2)    s.tensor_split(1)
x.tensor_split(3, 5)    x.hsplit(2)             s.hsplit(1)             v.vsplit(2)             m.dsplit(2)
x.dsplit(3)             x.unbind(3)             s.unbind()              x.diagonal(0, 1, 1)     v.diagonal()
x.diag()                s.diag()                torch.diag_embed(s)     torch.diag_embed(m, 0, 1, 1)
x.unfold(2, 5, 1)       x.unfold(2, 2, 0)       x.unfold(2, -1, 1)      x.unfold(3, 2, 1)       s.unfold(0, 2, 1)
x.as_strided((2,), (1, 2))  x.as_strided((2,), (-1,))  x.as_strided((30,), (1,))  x.as_strided((2,), (1,), 30)
x.as_strided((2,), (1,), -1)  torch.cat([])     torch.cat(x)            torch.cat([x, m])       torch.cat([x, x], 3)
torch.cat([s, s])       torch.cat([x, 1])       torch.cat([x, x[:, :2]])  torch.cat([e, x])     torch.stack([])
torch.stack([x, m])     torch.stack([x, x], 4)  torch.hstack([])        torch.hstack([x, m])    torch.vstack([v, s])
torch.column_stack([s, v])  torch.broadcast_tensors(x, v[:3])  torch.meshgrid(m, v, indexing="ij")
torch.meshgrid(v, k, indexing="ij")  torch.meshgrid(v, v, indexing="zz")  torch.block_diag(x)  torch.block_diag(m, 3)
torch.cartesian_prod(m)  torch.cartesian_prod(s, v)  x.repeat(2)        x.repeat(-1, 1, 1)      x.repeat()
x.tile(-1)              torch.tile(x, 2)        x.repeat_interleave(-1) x.repeat_interleave(2, 3)
s.repeat_interleave(2, 0)  x.repeat_interleave(k)  x.repeat_interleave(k, 0)  m.repeat_interleave(v[:3], 0)
m.repeat_interleave(k - 1, 0)  m.repeat_interleave(k, 0, output_size=4)  x.flip((0, 0))  x.flip(3)  torch.flip(x, 0)
x.flip()                v.fliplr()              s.flipud()              x.roll((1, 2))          x.roll((1, 2), (0,))
x.roll(1, 3)            x.roll(())              s.roll(1, 0)            x.rot90(1, (0, 0))      x.rot90(1, (0, 3))
x.rot90(1, (0,))        v.rot90()               v.tril()                s.triu()                x.sum_to_size(2, 2)
x.sum_to_size((1, 2, 3, 4))  F.pad(x, (1,))     F.pad(v, (1, 1), "reflect")  F.pad(x, (4, 1), "reflect")
F.pad(m, (1, 1, 1, 1), "reflect")  F.pad(x[None], (1, 1), "reflect")  F.pad(x, (-2, -2), "replicate")
F.pad(x, (5, 4), "circular")  F.pad(x, (1, 1), "reflect", 3.0)  F.pad(x, (1, 1), "bogus")  F.pad(x, (1,) * 8)
F.pad(x, (-2, -3))      F.pad(x[:, :0], (1, 1), "reflect")  F.pad(x, (1, 1), "reflect", 3.0)
torch.flatten([1, 2])   torch.squeeze(3)        F.pad([1.0], (1, 1))
"""


# Where PyTorch's node tells how it computes rather than what, or several tensors have a node each.
OTHER_NODES = (
    "circular",  # put together by writes: CopySlices
    "torch.broadcast_tensors(",
    "torch.atleast_1d(s, v)",
    "torch.atleast_1d((s, v))",
    "torch.atleast_3d([s",
    "x.transpose(0, 1).ravel()",  # a view of a clone
    *("c.mH", "c.H", "c.adjoint()"),  # a view that is conjugated when it is read
)


def calls(text):
    """The calls in a table whose columns are at least two blanks apart."""
    found = [call.strip() for line in text.strip().split("\n") for call in split_columns(line)]
    return [call for call in found if call]


def split_columns(line):
    """Cut a line where blanks stand outside of all brackets (the columns may be one blank apart)."""
    depth, current = 0, ""
    for letter in line:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == " " and depth == 0:
            yield current
            current = ""
        else:
            current += letter
    yield current


class Library:
    """One of the two libraries, with the tensors that the calls name."""

    def __init__(self, torch, functional):
        self.torch = torch
        self.leaves = {n: torch.tensor(a, requires_grad=a.dtype.kind in "fc") for n, a in ARRAYS.items()}
        self.names = {"torch": torch, "F": functional, **self.leaves}

    def call(self, text):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return eval(text, {}, self.names)

    def gradients(self, outputs):
        """Gradients of the leaves for cotangents that differ from element to element."""
        outputs = [out for out in outputs if out.requires_grad]
        inputs = [leaf for leaf in self.leaves.values() if leaf.requires_grad]
        given = [self.torch.tensor(wavy(out), dtype=out.dtype) for out in outputs]
        found = self.torch.autograd.grad(outputs, inputs, given, allow_unused=True, retain_graph=True)
        return dict(zip([n for n, t in self.leaves.items() if t.requires_grad], found, strict=True))


class Functional:
    """``nn.functional``, of which the tests here need what the table of operations has."""

    def __getattr__(self, name):
        return functional_functions[name]


def wavy(out):
    return np.cos(np.arange(float(out.numel()))).reshape(tuple(out.shape))


def array(tensor):
    return tensor.detach().resolve_conj().numpy()


def flat(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


@pytest.fixture
def pair():
    return Library(pullback, Functional()), Library(torch, torch.nn.functional)


@pytest.mark.parametrize("text", calls(CALLS))
def test_call_gives_what_torch_gives(pair, text):
    ours, theirs = pair
    got, want = ours.call(text), theirs.call(text)
    assert isinstance(got, tuple) == isinstance(want, tuple)
    got, want = flat(got), flat(want)
    assert [tuple(g.shape) for g in got] == [tuple(w.shape) for w in want]
    assert [str(g.dtype) for g in got] == [str(w.dtype) for w in want]
    for g, w in zip(got, want, strict=True):
        np.testing.assert_array_equal(array(g), array(w))
    assert [g.requires_grad for g in got] == [w.requires_grad for w in want]


@pytest.mark.parametrize("text", [t for t in calls(CALLS) if not t.startswith(OTHER_NODES)])
def test_result_is_an_operand_where_torchs_is(pair, text):
    ours, theirs = pair
    got, want = flat(ours.call(text)), flat(theirs.call(text))
    assert [same_leaf(ours, g) for g in got] == [same_leaf(theirs, w) for w in want]


def same_leaf(library, tensor):
    """The name of the leaf that a result is, if it is one."""
    return next((name for name, leaf in library.leaves.items() if leaf is tensor), None)


@pytest.mark.parametrize("text", [t for t in calls(CALLS) if not any(key in t for key in OTHER_NODES)])
def test_node_and_memory_are_as_torchs(pair, text):
    ours, theirs = pair
    got, want = flat(ours.call(text)), flat(theirs.call(text))
    names = [[out.grad_fn.name() if out.grad_fn is not None else None for out in outs] for outs in (got, want)]
    assert names[0] == names[1]
    assert [shares_memory(ours, g) for g in got] == [shares_memory(theirs, w) for w in want]


def shares_memory(library, tensor):
    """Whether a result lies in the memory of a leaf."""
    return any(np.shares_memory(array(tensor), array(leaf)) for leaf in library.leaves.values())


@pytest.mark.parametrize("text", calls(CALLS))
def test_gradients_are_torchs(pair, text):
    ours, theirs = pair
    results = flat(ours.call(text)), flat(theirs.call(text))
    if not any(out.requires_grad for out in results[1]):
        return
    got, want = ours.gradients(results[0]), theirs.gradients(results[1])
    for name in want:
        assert (got[name] is None) == (want[name] is None), name
        if want[name] is not None:
            np.testing.assert_allclose(array(got[name]), array(want[name]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("text", calls(ERRORS))
def test_bad_input_raises_what_torch_raises(pair, text):
    ours, theirs = pair
    with pytest.raises(Exception) as want:
        theirs.call(text)
    with pytest.raises(Exception) as got:
        ours.call(text)
    assert type(got.value) is type(want.value), got.value
    assert len(str(got.value)) > 20
