"""L-BFGS, whose steps ask for the loss many times, and Muon, whose steps are orthogonal matrices, against PyTorch's."""

import numpy as np
import pytest

import pullback as pb
from pullback import nn, optim

SEARCHES = [
    {},
    {"lr": 0.1, "max_iter": 7, "history_size": 3},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "max_iter": 9, "history_size": 2, "lr": 0.5},
    {"line_search_fn": "strong_wolfe", "max_eval": 4},
    {"lr": 0.3, "tolerance_grad": 0.1},
    {"lr": 0.3, "tolerance_change": 0.01},
]


def searched(library, options, dtype="float64", steps=4):
    """Rosenbrock's valley with a quadratic beside it: the losses and the places after each step."""
    x = library.nn.Parameter(library.tensor([[-1.2], [1.0]], dtype=getattr(library, dtype)))
    y = library.nn.Parameter(library.tensor(3.0, dtype=getattr(library, dtype)))
    optimizer = library.optim.LBFGS([x, y], **options)

    def closure():
        optimizer.zero_grad()
        loss = (1 - x[0, 0]) ** 2 + 5 * (x[1, 0] - x[0, 0] ** 2) ** 2 + (y - x[0, 0]).cosh()
        loss.backward()
        return loss

    seen = []
    for _ in range(steps):
        seen += [optimizer.step(closure).item(), *x.flatten().tolist(), y.item()]
    return seen, optimizer.state_dict()["state"][0]


@pytest.mark.parametrize("options", SEARCHES)
def test_searches_go_where_pytorchs_go(options, torch):
    (ours, mine), (theirs, its) = searched(pb, options), searched(torch, options)
    np.testing.assert_allclose(ours, theirs, rtol=1e-7)
    assert mine["n_iter"] == its["n_iter"] and mine["func_evals"] == its["func_evals"]
    assert set(mine) == set(its) - {"al"} and len(mine["old_dirs"]) == len(its["old_dirs"])


def test_a_search_is_found_to_converge():
    ours, _ = searched(pb, {"line_search_fn": "strong_wolfe"}, steps=10)
    assert ours[-4] < 0.9999 + 0.2 and abs(ours[-3] - 1) < 0.2


def test_what_lbfgs_does_not_take(torch):
    for library in (pb, torch):
        p, q = library.nn.Parameter(library.ones(2)), library.nn.Parameter(library.ones(2))
        with pytest.raises(ValueError, match="per-parameter options"):
            library.optim.LBFGS([{"params": [p]}, {"params": [q]}])
        with pytest.raises(TypeError):
            library.optim.LBFGS([p]).step()
    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        optim.LBFGS([nn.Parameter(pb.ones(2))], line_search_fn="armijo").step(lambda: 0)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
@pytest.mark.parametrize("options", [{}, {"nesterov": False, "momentum": 0.5}, {"adjust_lr_fn": "match_rms_adamw"}])
def test_muons_steps_are_pytorchs_up_to_bfloat16(options, shape, torch):
    rng = np.random.default_rng(0)
    begin, grads = rng.standard_normal(shape), rng.standard_normal((10, *shape))

    def walk(library):
        p = library.nn.Parameter(library.tensor(begin, dtype=library.float32))
        optimizer = library.optim.Muon([p], lr=1e-2, **options)
        for grad in grads:
            p.grad = library.tensor(grad, dtype=library.float32)
            optimizer.step()
        return p.detach().numpy()

    np.testing.assert_allclose(walk(pb), walk(torch), atol=2e-3)  # ten steps of 0.01, in eight bits each


def test_muon_takes_matrices_only(torch):
    for library in (pb, torch):
        with pytest.raises(ValueError, match="Muon only supports 2D parameters"):
            library.optim.Muon([library.nn.Parameter(library.ones(2))])


def test_sparse_adam_refuses_dense_gradients():
    p = nn.Parameter(pb.ones(2))
    optimizer = optim.SparseAdam([p])
    optimizer.step()
    p.grad = pb.ones(2)
    with pytest.raises(RuntimeError, match="SparseAdam does not support dense gradients"):
        optimizer.step()
