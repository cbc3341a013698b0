"""Memory against time: checkpointing and memory budgets on a deep MLP and on a stack of transformer blocks.

    python benchmarks/memory.py [--rounds N] [--plot docs/images/memory.png]

For each setting: the peak of memory that NumPy allocated during a forward and backward pass, above what was there
before, and the time as a multiple of the plain pass's in the same round (the median over rounds; memory and time are taken in
separate passes, since counting memory costs time). Gradients are compared with the plain pass's, bit for bit.
"""

import argparse
import contextlib
import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import pullback as torch
from pullback import nn
from pullback.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

memory_budget = torch.autograd.graph.memory_budget


class Block(nn.Module):
    """A transformer block: attention and a two-layer network, each after a normalisation and beside a bypass."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.network = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Any) -> Any:
        batch, length, width = x.shape
        parts = self.project(self.norms[0](x)).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) / (width // self.heads) ** 0.5).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(batch, length, width))
        return x + self.network(self.norms[1](x))


def mlp() -> tuple:
    """32 layers of width 256 on a batch of 1024: 1 MiB a tensor."""
    layers = [nn.Sequential(nn.Linear(256, 256), nn.Tanh(), nn.LayerNorm(256)) for _ in range(32)]
    return layers, torch.randn(1024, 256)


def transformer() -> tuple:
    """8 blocks of width 128 with 4 heads on 8 sequences of 128."""
    return [Block(128, 4) for _ in range(8)], torch.randn(8, 128, 128)


def step(layers: list, x: Any, context: Any, call: Callable) -> Any:
    """One forward and backward pass; each group of layers through ``call``."""
    with context:
        for layer in layers:
            x = call(layer, x)
        loss = (x**2).mean()
    loss.backward()
    return loss


def plain(layer: Any, x: Any) -> Any:
    return layer(x)


def settings(saved: int) -> dict[str, tuple[Callable, Callable]]:
    """Name -> (how a context is made, how a layer is called); ``saved`` is what the plain pass keeps."""
    none = contextlib.nullcontext
    keep_products = partial(create_selective_checkpoint_contexts, ["linear", "linear_rows", "matmul_batch"])
    found: dict[str, tuple] = {"plain": (none, plain), "checkpoint every layer": (none, checkpoint)}
    found["checkpoint, keeping products"] = (none, partial(checkpoint, context_fn=keep_products))
    for percent in (75, 50, 35, 25, 15, 10, 5):
        found[f"budget {percent} %"] = (partial(memory_budget, saved * percent // 100), plain)
    return found


def measure(make: Callable, rounds: int) -> list[tuple[str, float, float]]:
    """(setting, peak MiB, median time ratio)"""
    torch.manual_seed(0)
    layers, x = make()
    parameters = [p for layer in layers for p in layer.parameters()]

    def run(context: Any, call: Callable) -> list:
        for p in parameters:
            p.grad = None
        step(layers, x, context, call)
        return [p.grad for p in parameters]

    expected = run(contextlib.nullcontext(), plain)
    with memory_budget(1 << 40) as full:
        run(contextlib.nullcontext(), plain)
    names = settings(full.peak)
    peaks = {}
    for name, (make_context, call) in names.items():
        for p in parameters:
            p.grad = None
        gc.collect()
        tracemalloc.start()
        found = run(make_context(), call)
        peaks[name] = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True)), name
    ratios: dict[str, list] = {name: [] for name in names}
    for _ in range(rounds):
        taken = {}
        for name, (make_context, call) in names.items():
            start = time.perf_counter()
            run(make_context(), call)
            taken[name] = time.perf_counter() - start
        for name, seconds in taken.items():
            ratios[name].append(seconds / taken["plain"])
    return [(name, peaks[name], statistics.median(ratios[name])) for name in names]


def plot(tables: dict[str, list], path: str) -> None:
    """Both curves, peak memory against time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(tables), figsize=(10, 4), layout="constrained")
    for axis, (title, rows) in zip(axes, tables.items(), strict=True):
        budget = [(r, m) for name, m, r in rows if name.startswith("budget")]
        axis.plot(*zip(*budget, strict=True), "o-", label="memory_budget")
        for name, m, r in rows:
            if not name.startswith("budget"):
                axis.plot(r, m, "s", label=name)
        axis.set(title=title, xlabel="time (plain = 1)", ylabel="peak memory, MiB", ylim=(0, None))
        axis.legend()
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", help="write the curves to this picture")
    options = parser.parse_args()
    tables = {}
    for title, make in (("deep MLP", mlp), ("transformer stack", transformer)):
        rows = tables[title] = measure(make, options.rounds)
        print(f"{title}\n{'':32}{'peak MiB':>10}{'time':>8}")
        for name, peak, ratio in rows:
            print(f"{name:32}{peak:10.1f}{ratio:8.2f}")
    if options.plot:
        plot(tables, options.plot)


if __name__ == "__main__":
    main()
