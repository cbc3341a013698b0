"""Data sets, samplers and loaders: what they give, and that the random ones give what PyTorch's do."""

from collections import namedtuple

import numpy as np
import pytest

import pullback as pb
from pullback.utils import data

Pair = namedtuple("Pair", "image label")


class Squares(data.Dataset):
    """i -> (i, i²), in Python numbers."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, i):
        return float(i), i * i


class Stream(data.IterableDataset):
    def __iter__(self):
        return iter(range(5))

    def __len__(self):
        return 5


def tensors(size=7):
    return data.TensorDataset(pb.arange(size), pb.arange(size) ** 2)


def listed(loader):
    return [[part.tolist() for part in batch] for batch in loader]


# -- data sets ---------------------------------------------------------------------------------------------------------


def test_rows_of_tensors_are_samples():
    dataset = tensors()
    assert len(dataset) == 7 and [part.item() for part in dataset[3]] == [3, 9]
    with pytest.raises(AssertionError, match="Size mismatch"):
        data.TensorDataset(pb.ones(2), pb.ones(3))


def test_data_sets_are_joined_cut_and_stacked():
    joined = Squares(3) + Squares(2)
    assert len(joined) == 5 and [joined[i] for i in (2, 3, -1)] == [(2.0, 4), (0.0, 0), (1.0, 1)]
    with pytest.raises(ValueError, match="exceed"):
        joined[-6]
    cut = data.Subset(joined, [4, 0])
    assert [cut[i] for i in range(len(cut))] == [(1.0, 1), (0.0, 0)]
    stacked = data.StackDataset(image=Squares(3), label=Squares(3))
    assert stacked[2] == {"image": (2.0, 4), "label": (2.0, 4)} and len(stacked) == 3
    assert list(Stream() + Stream()) == [0, 1, 2, 3, 4] * 2


def test_a_split_does_not_overlap():
    parts = data.random_split(range(10), [0.5, 0.25, 0.25])
    assert [len(part) for part in parts] == [6, 2, 2] and sorted(i for part in parts for i in part.indices) == [
        *range(10)
    ]
    with pytest.raises(ValueError, match="Sum of input lengths"):
        data.random_split(range(10), [3, 4])


# -- collation ---------------------------------------------------------------------------------------------------------


def test_batches_are_made_member_by_member():
    batch = [{"x": pb.ones(2), "y": (1, 2.5), "name": "a"}, {"x": pb.zeros(2), "y": (3, 4.5), "name": "b"}]
    made = data.default_collate(batch)
    assert made["x"].tolist() == [[1, 1], [0, 0]] and made["name"] == ["a", "b"]
    assert made["y"][0].dtype is pb.int64 and made["y"][1].dtype is pb.float64
    pair = data.default_collate([Pair(np.ones(2), True), Pair(np.zeros(2), False)])
    assert isinstance(pair, Pair) and pair.image.shape == (2, 2) and pair.label.dtype is pb.bool


def test_what_makes_no_batch_is_refused():
    with pytest.raises(TypeError, match="found <class 'object'>"):
        data.default_collate([object()])
    with pytest.raises(RuntimeError, match="equal size"):
        data.default_collate([(1, 2), (3,)])


# -- samplers and loaders ----------------------------------------------------------------------------------------------


def test_batches_come_in_order_and_the_last_may_be_short():
    assert listed(data.DataLoader(tensors(5), batch_size=2)) == [[[0, 1], [0, 1]], [[2, 3], [4, 9]], [[4], [16]]]
    assert listed(data.DataLoader(Squares(5), batch_size=2, drop_last=True)) == [[[0, 1], [0, 1]], [[2, 3], [4, 9]]]
    assert len(data.DataLoader(Squares(5), batch_size=2)) == 3
    assert len(data.DataLoader(Squares(5), batch_size=2, drop_last=True)) == 2


def test_shortcuts_give_what_the_samples_give():
    dataset = data.Subset(data.Subset(tensors(), [6, 2, 4, 0]), [3, 0, 1])
    quick, slow = data.DataLoader(dataset, batch_size=2), data.DataLoader(dataset, batch_size=2, collate_fn=lambda b: b)
    assert listed(quick) == [[[0, 6], [0, 36]], [[2], [4]]]
    assert [[part.item() for part in sample] for batch in slow for sample in batch] == [[0, 0], [6, 36], [2, 4]]
    assert all(type(batch) is list for batch in quick)


def test_streams_are_cut_into_batches():
    assert [b.tolist() for b in data.DataLoader(Stream(), batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in data.DataLoader(Stream(), batch_size=2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(data.DataLoader(Stream(), batch_size=None)) == [0, 1, 2, 3, 4]
    assert len(data.DataLoader(Stream(), batch_size=2)) == 3


def test_loaders_may_be_told_their_order():
    loader = data.DataLoader(Squares(4), batch_sampler=[[3, 1], [0]])
    assert listed(loader) == [[[3, 1], [9, 1]], [[0], [0]]]
    loader = data.DataLoader(Squares(4), batch_size=3, sampler=[2, 0])
    assert listed(loader) == [[[2, 0], [4, 0]]]
    assert list(data.DataLoader(Squares(2), batch_size=None)) == [[0.0, 0], [1.0, 1]]


def test_what_decides_the_order_is_fixed_once_the_loader_is_made():
    loader = data.DataLoader(Squares(4))
    for name in ("batch_size", "sampler", "batch_sampler", "drop_last", "dataset", "persistent_workers"):
        with pytest.raises(ValueError, match=f"{name} attribute should not be set"):
            setattr(loader, name, None)
    loader.num_workers = 0


def test_pinning_is_accepted_with_a_warning_at_the_loop():
    loader = data.DataLoader(Squares(2), pin_memory=True)
    with pytest.warns(UserWarning, match="no accelerator is found") as caught:
        assert len(listed(loader)) == 2
    assert caught[0].filename == __file__


def test_a_ragged_batch_says_which_sample_and_what_to_do():
    ragged = [pb.ones(2), pb.ones(2), pb.ones(3)]
    with pytest.raises(RuntimeError, match=r"got \[2\] at entry 0 and \[3\] at entry 2 .* collate_fn") as raised:
        list(data.DataLoader(ragged, batch_size=3, sampler=[1, 0, 2]))
    assert raised.value.__notes__ == ["This was the batch of the samples [1, 0, 2] of the data set."]
    with pytest.raises(RuntimeError, match="sample 0 has 1 elements and sample 1 has 2"):
        data.default_collate([(1,), (1, 2)])


def test_a_stream_that_is_longer_than_it_says_warns():
    loader = data.DataLoader(Stream(), batch_size=None)
    Stream.__len__, length = (lambda self: 4), Stream.__len__
    try:
        assert len(loader) == 4
        with pytest.warns(UserWarning, match="reported to be 4 .* but 5 samples"):
            list(loader)
    finally:
        Stream.__len__ = length


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("count, replicas, drop_last", [(10, 3, False), (10, 4, True), (2, 5, False), (9, 3, True)])
def test_every_process_takes_pytorchs_share(count, replicas, drop_last, shuffle, torch):
    from torch.utils.data import DistributedSampler

    def shares(sampler):
        for rank in range(replicas):
            made = sampler(range(count), replicas, rank, shuffle, seed=5, drop_last=drop_last)
            made.set_epoch(2)
            yield list(made), len(made)

    assert list(shares(data.DistributedSampler)) == list(shares(DistributedSampler))
    with pytest.raises(ValueError, match=r"Invalid rank 3, rank should be in the interval \[0, 2\]"):
        data.DistributedSampler(range(4), 3, 3)
    with pytest.raises(RuntimeError, match="Requires distributed package"):
        data.DistributedSampler(range(4))


BAD = [
    lambda d: d.DataLoader([1], num_workers=-1),
    lambda d: d.DataLoader([1], timeout=-1),
    lambda d: d.DataLoader([1], prefetch_factor=2),
    lambda d: d.DataLoader([1], persistent_workers=True),
    lambda d: d.DataLoader([1], shuffle=True, sampler=[0]),
    lambda d: d.DataLoader([1], batch_sampler=[[0]], batch_size=2),
    lambda d: d.DataLoader([1], batch_size=None, drop_last=True),
    lambda d: d.DataLoader([1], batch_size=0),
    lambda d: d.DataLoader([1], num_workers=1, prefetch_factor=-1),
    lambda d: d.DataLoader([1], num_workers=1, multiprocessing_context="x"),
    lambda d: d.DataLoader([1], num_workers=1, multiprocessing_context=3),
    lambda d: d.DataLoader([1], multiprocessing_context="spawn"),
    lambda d: d.RandomSampler([1], replacement=3),
    lambda d: d.RandomSampler([1], num_samples=-1),
    lambda d: d.WeightedRandomSampler([1.0], 0),
    lambda d: d.WeightedRandomSampler([[1.0]], 1),
    lambda d: d.BatchSampler([1], 2, drop_last=3),
    lambda d: d.random_split([1, 2], [1.5, -0.5]),
    lambda d: d.TensorDataset.__getitem__(d.Subset([1], [0]), 0),
    lambda d: d.Dataset()[0],
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_options_get_pytorchs_error(number, torch):
    import torch.utils.data as theirs

    with pytest.raises(Exception) as expected:
        BAD[number](theirs)
    with pytest.raises(type(expected.value)):
        BAD[number](data)


# -- the random stream -------------------------------------------------------------------------------------------------


def orders(library, data, generator):
    """Everything random, one after another, and what the streams give then."""
    made = lambda: library.Generator().manual_seed(11) if generator else None
    g, items = made(), list(range(10))
    yield [part.indices for part in data.random_split(items, [4, 6], **({"generator": g} if g else {}))]
    loader = data.DataLoader(items, batch_size=3, shuffle=True, generator=g)
    for _ in range(2):
        yield [batch.tolist() for batch in loader]
    yield list(data.DataLoader(items, shuffle=False, batch_size=None, generator=g))
    yield list(data.RandomSampler(items, num_samples=25, generator=g))
    yield list(data.RandomSampler(items, replacement=True, num_samples=70, generator=g))
    yield list(data.WeightedRandomSampler([0.1, 0.5, 0.2, 0.9], 9, generator=g))
    yield list(data.WeightedRandomSampler([0.1, 0.5, 0.2, 0.9], 3, replacement=False, generator=g))
    yield list(data.SubsetRandomSampler([5, 6, 7, 8], generator=g))
    first = iter(data.DataLoader(items, shuffle=True, generator=g))
    yield next(first).tolist()  # a pass that is left early
    yield library.rand(3, generator=g).tolist()
    yield library.rand(3).tolist()


@pytest.mark.parametrize("generator", [False, True])
def test_everything_random_is_in_pytorchs_order(generator, torch):
    import torch.utils.data as theirs

    torch.manual_seed(9)
    pb.manual_seed(9)
    for ours, expected in zip(orders(pb, data, generator), orders(torch, theirs, generator), strict=True):
        assert ours == expected


@pytest.mark.parametrize(
    "batch",
    [
        [1, 2], [1.5, 2.5], [True, False], ["a", "b"], [(1, "a"), (2, "b")], [{"a": 1, "b": [1, 2]}, {"a": 2, "b": [3, 4]}],
        [1, 2.5], [[1, 2.5], [3, 4.5]], [[{"a": b"x"}], [{"a": b"y"}]], [np.bool_(True), np.bool_(False)],
        [np.ones(2), np.zeros(2)], [np.float32(1), np.float32(2)], [Pair(1, 2.0), Pair(3, 4.0)], [np.int8(1), np.int8(2)],
    ],
)  # fmt: skip
def test_batches_are_pytorchs(batch, torch):
    from torch.utils.data import default_collate

    assert plain(data.default_collate(batch)) == plain(default_collate(batch))


def plain(value):
    if hasattr(value, "tolist"):
        return value.tolist(), str(value.dtype)
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    return [type(value), *map(plain, value)] if isinstance(value, (list, tuple)) else value
