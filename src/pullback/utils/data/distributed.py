"""The sampler for training in several processes, each of which takes its share of the samples."""

import math
from collections.abc import Iterator
from typing import Any

from ... import random
from .sampler import Sampler


class DistributedSampler(Sampler[int]):
    """One process's share of the indices: every ``num_replicas``-th, from ``rank`` on.

    Args:
        num_replicas: how many processes there are; rank: which of them this is. Both must be given.
        shuffle: in random order, which ``seed`` and the epoch (:meth:`set_epoch`) determine.
        drop_last: leave samples out where the shares would differ in size; otherwise the first ones are repeated.

    Raises:
        ValueError: the rank is not that of one of the processes.
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            raise RuntimeError(
                "Requires distributed package to be available, which Pullback does not have: give DistributedSampler "
                "num_replicas and rank"
            )
        if not 0 <= rank < num_replicas:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last, self.epoch = shuffle, seed, drop_last, 0
        self.num_samples = len(dataset) // num_replicas if drop_last else -(-len(dataset) // num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        indices = list(range(count))
        if self.shuffle:
            generator = random.Generator().manual_seed(self.seed + self.epoch)
            indices = random.randperm(count, generator=generator).tolist()
        if count:
            indices *= math.ceil(self.total_size / count)
        return iter(indices[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch begins, so that it has an order of its own."""
        self.epoch = epoch
