"""Attention, recurrent networks, bags of embeddings, CTC and random activations against torch's.

Values, gradients and second derivatives by what can have them, and the random stream.
"""

import itertools
import warnings

import numpy as np
import pytest

import pullback
from numeric import agree, array

pytestmark = pytest.mark.parity
RNG = np.random.default_rng(11)


def real(*shape):
    return RNG.uniform(-1.0, 1.0, shape)


def bools(*shape):
    return RNG.random(shape) < 0.4


def tensor(lib, value):
    """An array as a library's tensor, floating ones of float64 requiring grad; lists of arrays likewise; others as they are."""
    if isinstance(value, (list, tuple)):
        return type(value)(tensor(lib, v) for v in value)
    if not isinstance(value, np.ndarray):
        return value
    return lib.tensor(value, requires_grad=value.dtype.kind == "f")


def leaves_of(values):
    flat = [b for a in values for b in (leaves_of(a) if isinstance(a, (list, tuple)) else [a])]
    return [x for x in flat if getattr(x, "requires_grad", False)]


def outputs_of(result):
    return [r for r in (result if isinstance(result, (list, tuple)) else [result]) if r is not None]


def derivatives(lib, call, operands, order=2):
    """Outputs, the gradients of a mixture of them, and the gradients of a mixture of those."""
    lib.manual_seed(5)
    operands = tensor(lib, operands)
    leaves = leaves_of(operands)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = outputs_of(call(lib, *operands))
        found = [outputs]
        values = outputs
        for again in range(order):
            total = sum(
                (v * (v.detach() + 0.5)).sum()
                for v in values
                if v is not None and getattr(v, "grad_fn", None) is not None
            )
            if not hasattr(total, "dtype"):
                break
            values = lib.autograd.grad(total, leaves, create_graph=again + 1 < order, allow_unused=True)
            found.append(values)
    return found


def same(torch, call, operands, order=2):
    """Raise unless both libraries agree in everything that torch can differentiate."""
    for depth in range(order, -1, -1):
        try:
            theirs = derivatives(torch, call, operands, depth)
            break
        except (RuntimeError, NotImplementedError):
            if not depth:
                raise
    ours = derivatives(pullback, call, operands, depth)
    for level, (got, want) in enumerate(zip(ours, theirs, strict=False)):
        assert len(got) == len(want)
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            g = np.zeros(w.shape) if g is None and w is not None else g
            if w is not None:
                agree(g if isinstance(g, np.ndarray) else array(g), array(w), f"derivative {level}, number {i}", 1e-7)


# -- recurrent networks ------------------------------------------------------------------------------------------------

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def weights(name, layers, directions, bias, projection=0, size=3, features=2):
    found, rows = [], GATES[name] * size
    for layer, _ in itertools.product(range(layers), range(directions)):
        inputs = (projection or size) * directions if layer else features
        found += [real(rows, inputs), real(rows, projection or size)]
        found += [real(rows), real(rows)] if bias else []
        found += [real(projection, size)] if projection else []
    return found


def states(name, count, batch, projection=0, size=3):
    h = real(count, batch, projection or size)
    return (h, real(count, batch, size)) if name == "lstm" else h


NETWORKS = [
    (name, layers, bidirectional, bias, projection)
    for name in GATES
    for layers, bidirectional, bias in ((1, False, True), (2, True, False), (2, True, True))
    for projection in ((0, 2) if name == "lstm" else (0,))
]


@pytest.mark.parametrize("packed", [False, True], ids=["whole", "packed"])
@pytest.mark.parametrize("case", NETWORKS, ids=str)
def test_networks_are_torchs(case, packed, torch):
    name, layers, bidirectional, bias, projection = case
    directions = 1 + bidirectional
    params = weights(name, layers, directions, bias, projection)
    hx = states(name, layers * directions, 2, projection)
    settings = (bias, layers, 0.0, False, bidirectional)
    if packed:
        call = lambda lib, x, hx, params: getattr(lib, name)(x, lib.tensor([2, 2, 1]), hx, params, *settings)
        same(torch, call, [real(5, 2), hx, params])
    else:
        call = lambda lib, x, hx, params: getattr(lib, name)(x, hx, params, *settings, True)
        same(torch, call, [real(2, 4, 2), hx, params])


@pytest.mark.parametrize("packed", [False, True], ids=["whole", "packed"])
def test_dropout_between_layers_draws_torchs_numbers(packed, torch):
    params, hx = weights("gru", 3, 2, True), states("gru", 6, 2)
    settings = (True, 3, 0.4, True, True)
    if packed:
        same(torch, lambda lib, x: lib.gru(x, lib.tensor([2, 1]), *tensor(lib, [hx, params]), *settings), [real(3, 2)])
    else:
        same(torch, lambda lib, x: lib.gru(x, *tensor(lib, [hx, params]), *settings, False), [real(2, 2, 2)])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", GATES)
def test_cells_are_torchs(name, bias, torch):
    params = weights(name, 1, 1, bias)
    h, c = real(2, 3), real(2, 3)
    hx = (h, c) if name == "lstm" else h
    same(torch, lambda lib, x, hx, *params: getattr(lib, f"{name}_cell")(x, hx, *params), [real(2, 2), hx, *params])


@pytest.mark.parametrize("name", ["gru", "rnn_tanh"])
def test_outputs_can_be_written_in_place(name, torch):
    params = weights(name, 1, 1, False)
    settings = (False, 1, 0.0, False, False, False)
    call = lambda lib, x, h: [r.mul_(2) for r in getattr(lib, name)(x, h, tensor(lib, params), *settings)]
    same(torch, call, [real(3, 2, 2), real(1, 2, 3)])
    call = lambda lib, x, h: getattr(lib, f"{name}_cell")(x, h, *tensor(lib, params)).mul_(2)
    same(torch, call, [real(2, 2), real(2, 3)])


def test_a_network_under_vmap_is_a_loop():
    params, x, hx = [pullback.tensor(w) for w in weights("lstm", 2, 2, True)], real(3, 4, 2, 2), states("lstm", 4, 2)
    call = lambda x: pullback.lstm(x, tuple(map(pullback.tensor, hx)), params, True, 2, 0.0, False, True, False)[0]
    got = pullback.func.vmap(call)(pullback.tensor(x))
    want = np.stack([array(call(pullback.tensor(each))) for each in x])
    agree(array(got), want, "vmap of lstm")


# -- attention ---------------------------------------------------------------------------------------------------------

MASKS = {
    "no mask": {},
    "bool mask": {"attn_mask": np.array([[0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1]], bool)},
    "added mask": {"attn_mask": RNG.integers(-2, 2, (3, 4)).astype("f8")},
    "a mask for each head": {"attn_mask": np.array([[[0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1]]] * 4, bool)},
    "padding": {"key_padding_mask": np.array([[0, 0, 1, 0], [1, 0, 0, 0]], bool)},
    "both": {
        "key_padding_mask": np.array([[0, 0, 1, 0], [1, 0, 0, 0]], bool),
        "attn_mask": np.array([[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]], bool),
    },
}
ADDED = {
    "nothing added": (None, None, False),
    "biases": (real(1, 1, 4), real(1, 1, 4), False),
    "zeros": (None, None, True),
}


@pytest.mark.parametrize("needed", [True, False], ids=["weights", "no weights"])
@pytest.mark.parametrize("added", ADDED)
@pytest.mark.parametrize("mask", MASKS)
def test_multi_head_attention_is_torchs(mask, added, needed, torch):
    bias_k, bias_v, zero = ADDED[added]

    def call(lib, query, key, value, w, b, out, out_bias, bias_k, bias_v):
        masks = {name: lib.tensor(m) for name, m in MASKS[mask].items()}
        return lib.nn.functional.multi_head_attention_forward(
            query, key, value, 4, 2, w, b, bias_k, bias_v, zero, 0.0, out, out_bias, need_weights=needed, **masks
        )

    operands = [real(3, 2, 4), real(4, 2, 4), real(4, 2, 4), real(12, 4), real(12), real(4, 4), real(4), bias_k, bias_v]
    same(torch, call, operands)


def test_attention_of_one_sample_and_of_separate_projections_are_torchs(torch):
    def call(lib, query, key, value, q, k, v, out):
        return lib.nn.functional.multi_head_attention_forward(
            *(query, key, value, 4, 2, None, None, None, None, False, 0.3, out, None, True),
            use_separate_proj_weight=True, q_proj_weight=q, k_proj_weight=k, v_proj_weight=v, average_attn_weights=False,
        )  # fmt: skip

    same(torch, call, [real(3, 4), real(5, 3), real(5, 2), real(4, 4), real(4, 3), real(4, 2), real(4, 4)])


def test_rows_that_see_nothing_are_zeros_and_have_no_gradient(torch):
    mask = np.array([[1, 1, 0], [0, 0, 0]], bool)
    for given in (mask, np.where(mask, 0.0, -np.inf)):
        call = lambda lib, q, k, v, m=given: lib.nn.functional.scaled_dot_product_attention(q, k, v, lib.tensor(m))
        same(torch, call, [real(2, 2, 4), real(2, 3, 4), real(2, 3, 2)])


# -- bags --------------------------------------------------------------------------------------------------------------

BAGS = {
    "rows of a matrix": (RNG.integers(0, 5, (3, 4)), {}),
    "offsets": (RNG.integers(0, 5, 7), {"offsets": np.array([0, 3, 3, 5])}),
    "padding": (np.array([1, 2, 4, 2, 0, 2, 3]), {"offsets": np.array([0, 3, 3, 5]), "padding_idx": 2}),
    "an end": (RNG.integers(0, 5, 7), {"offsets": np.array([0, 3, 7]), "include_last_offset": True}),
    "nothing": (np.zeros(0, "i8"), {"offsets": np.array([0, 0])}),
}


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("name", BAGS)
def test_bags_are_torchs(name, mode, torch):
    indices, settings = BAGS[name]

    def call(lib, weight):
        given = {k: tensor(lib, v) for k, v in settings.items()}
        return lib.nn.functional.embedding_bag(lib.tensor(indices), weight, mode=mode, **given)

    same(torch, call, [real(5, 3)])


def test_weights_of_a_bags_members_have_gradients(torch):
    indices, offsets = np.array([1, 2, 4, 2, 0, 3, 3]), np.array([0, 3, 5])

    def call(lib, weight, factors):
        settings = {"mode": "sum", "per_sample_weights": factors, "padding_idx": 2}
        return lib.nn.functional.embedding_bag(lib.tensor(indices), weight, lib.tensor(offsets), **settings)

    same(torch, call, [real(5, 3), real(7)])


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_torchs_own_bags_also_tell_how_they_came_about(mode, torch):
    indices, offsets = np.array([1, 2, 4, 2, 0, 3, 3]), np.array([0, 3, 3, 5])
    for padding in (None, 2):
        results = [
            lib.embedding_bag(lib.tensor(np.eye(5)), lib.tensor(indices), lib.tensor(offsets), False, mode, False, None, False, padding)
            for lib in (pullback, torch)
        ]  # fmt: skip
        for got, want in zip(*results, strict=True):
            agree(array(got), array(want), "embedding_bag")


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, np.inf])
def test_rows_are_renormalised_in_place(order, torch):
    table, indices = 3 * real(5, 3), np.array([1, 1, 4])
    results = []
    for lib in (pullback, torch):
        weight = lib.tensor(table)
        assert lib.embedding_renorm_(weight, lib.tensor(indices), 1.0, order) is weight
        results.append(array(weight))
    agree(*results, "embedding_renorm_", 1e-6)


# -- connectionist temporal classification -----------------------------------------------------------------------------


def reading(path, blank):
    """What a path says: repetitions, and then blanks, left out."""
    return tuple(label for label, _ in itertools.groupby(path) if label != blank)


@pytest.mark.parametrize("target", [(), (1,), (1, 2), (2, 2), (1, 2, 1)])
def test_ctc_loss_is_the_sum_over_all_paths_that_read_the_target(target):
    logits = real(4, 1, 3)
    chance = np.exp(logits[:, 0]) / np.exp(logits[:, 0]).sum(1, keepdims=True)
    paths = [p for p in itertools.product(range(3), repeat=4) if reading(p, 0) == target]
    want = -np.log(sum(np.prod(chance[np.arange(4), p]) for p in paths)) if paths else np.inf
    labels = pullback.tensor([list(target)], dtype=pullback.int64)
    scores = pullback.tensor(logits).log_softmax(2)
    got = pullback.nn.functional.ctc_loss(scores, labels, [4], [len(target)], reduction="sum")
    agree(array(got), want, "ctc_loss")


READINGS = {
    "padded": (np.array([[1, 2, 2], [3, 1, 9], [2, -1, 0]]), [6, 5, 4], [3, 2, 1]),
    "one after another": (np.array([1, 2, 2, 3, 1]), [6, 5, 4], [3, 2, 0]),
    "of nothing": (np.zeros((3, 0), "i8"), [6, 5, 4], [0, 0, 0]),
    "too short": (np.array([[1, 2, 2], [3, 1, 1], [2, 0, 0]]), [3, 2, 1], [3, 2, 0]),
}


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", READINGS)
def test_ctc_loss_is_torchs(name, reduction, torch):
    targets, inputs, lengths = READINGS[name]

    def call(lib, scores):
        settings = {"reduction": reduction, "zero_infinity": name == "too short"}
        return lib.nn.functional.ctc_loss(scores.log_softmax(2), lib.tensor(targets), inputs, lengths, **settings)

    same(torch, call, [real(6, 3, 4)])


def test_ctc_loss_of_one_sample_and_another_blank_is_torchs(torch):
    def call(lib, scores):
        inputs, lengths = lib.tensor(5), lib.tensor(2)
        return lib.nn.functional.ctc_loss(scores.log_softmax(1), lib.tensor([0, 1]), inputs, lengths, blank=2)

    same(torch, call, [real(5, 3)])


def test_ctc_loss_can_be_differentiated_twice_and_by_log_probabilities_as_torch_does(torch):
    targets = np.array([[1, 2], [2, 2]])
    call = lambda lib, scores: lib.nn.functional.ctc_loss(scores, lib.tensor(targets), (5, 4), (2, 1))
    same(torch, call, [real(5, 2, 3) - 1.0])  # whose exponentials do not sum to one
    x = pullback.tensor(real(5, 2, 3), requires_grad=True)
    assert pullback.autograd.gradgradcheck(lambda x: call(pullback, x.log_softmax(2)), x)


# -- the random stream -------------------------------------------------------------------------------------------------

DRAWN = {
    "rrelu": lambda lib, x: lib.nn.functional.rrelu(x, 0.1, 0.4, training=True),
    "rrelu_": lambda lib, x: lib.rrelu_(x * 1.0, training=True),
    "rrelu in evaluation": lambda lib, x: lib.nn.functional.rrelu(x),
    "gumbel_softmax": lambda lib, x: lib.nn.functional.gumbel_softmax(x, 0.7, dim=0),
    "hard gumbel_softmax": lambda lib, x: lib.nn.functional.gumbel_softmax(x, hard=True),
    "torch.dropout": lambda lib, x: lib.dropout(x, 0.4, True),
    "torch.alpha_dropout": lambda lib, x: lib.alpha_dropout(x, 0.4, True),
    "torch.feature_dropout": lambda lib, x: lib.feature_dropout(x, 0.4, True),
    "torch.feature_alpha_dropout": lambda lib, x: lib.feature_alpha_dropout(x, 0.4, True),
    "torch.dropout_": lambda lib, x: lib.dropout_(x * 1.0, 0.4, True),
    "torch.alpha_dropout_": lambda lib, x: lib.alpha_dropout_(x * 1.0, 0.4, True),
    "native_dropout": lambda lib, x: lib.native_dropout(x, 0.4, True)[0],
    "dropout in evaluation": lambda lib, x: lib.dropout(x, 0.4, False),
    "attention": lambda lib, x: lib.nn.functional.scaled_dot_product_attention(x, x, x, dropout_p=0.4),
}


@pytest.mark.parametrize("name", DRAWN)
def test_random_numbers_are_torchs(name, torch):
    same(torch, DRAWN[name], [real(4, 5)])


def test_each_element_of_a_vmap_draws_slopes_of_its_own():
    x = pullback.full((3, 50), -1.0)
    call = lambda x: pullback.rrelu(x, training=True)
    apart = pullback.func.vmap(call, randomness="different")(x)
    together = pullback.func.vmap(call, randomness="same")(x)
    assert (apart[0] != apart[1]).any()
    assert (together[0] == together[1]).all()


# -- errors ------------------------------------------------------------------------------------------------------------

BAD = {
    "ctc: blank": lambda lib, F: F.ctc_loss(lib.zeros(4, 1, 3), lib.tensor([[1]]), [4], [1], blank=3),
    "ctc: input length": lambda lib, F: F.ctc_loss(lib.zeros(4, 1, 3), lib.tensor([[1]]), [5], [1]),
    "ctc: target length": lambda lib, F: F.ctc_loss(lib.zeros(4, 1, 3), lib.tensor([[1]]), [4], [2]),
    "ctc: number of lengths": lambda lib, F: F.ctc_loss(lib.zeros(4, 1, 3), lib.tensor([[1]]), [4, 4], [1]),
    "ctc: targets": lambda lib, F: F.ctc_loss(lib.zeros(4, 2, 3), lib.tensor([1, 2, 1]), [4, 4], [1, 1]),
    "ctc: reduction": lambda lib, F: F.ctc_loss(lib.zeros(4, 1, 3), lib.tensor([[1]]), [4], [1], reduction="x"),
    "bag: mode": lambda lib, F: F.embedding_bag(lib.tensor([[1]]), lib.ones(2, 2), mode="x"),
    "bag: offsets": lambda lib, F: F.embedding_bag(lib.tensor([1]), lib.ones(2, 2)),
    "bag: first offset": lambda lib, F: F.embedding_bag(lib.tensor([1]), lib.ones(2, 2), lib.tensor([1])),
    "bag: index": lambda lib, F: F.embedding_bag(lib.tensor([[2]]), lib.ones(2, 2)),
    "bag: weights": lambda lib, F: F.embedding_bag(lib.tensor([[1]]), lib.ones(2, 2), per_sample_weights=lib.ones(1, 1)),
    "margin: p": lambda lib, F: F.multi_margin_loss(lib.ones(2, 3), lib.tensor([0, 1]), p=3),
    "margin: class": lambda lib, F: F.multi_margin_loss(lib.ones(2, 3), lib.tensor([0, 3])),
    "margin: targets": lambda lib, F: F.multi_margin_loss(lib.ones(2, 3), lib.tensor([0])),
    "multilabel: class": lambda lib, F: F.multilabel_margin_loss(lib.ones(3), lib.tensor([0, 3, 1])),
    "multilabel: size": lambda lib, F: F.multilabel_margin_loss(lib.ones(3), lib.tensor([0, 1])),
    "rrelu: bounds": lambda lib, F: F.rrelu(lib.ones(3), 0.5, 0.1),
    "rrelu: integers": lambda lib, F: F.rrelu(lib.tensor([1])),
    "dropout: p": lambda lib, F: lib.dropout(lib.ones(3), 1.5, True),
    "feature_dropout: dims": lambda lib, F: lib.feature_dropout(lib.ones(3), 0.5, True),
    "lstm: states": lambda lib, F: lib.lstm(lib.ones(1, 1, 1), (lib.ones(1, 1, 1),), [lib.ones(4, 1)] * 2, False, 1, 0.0, False, False, False),
    "lstm: no steps": lambda lib, F: lib.lstm(lib.ones(0, 1, 1), (lib.ones(1, 1, 1),) * 2, [lib.ones(4, 1)] * 2, False, 1, 0.0, False, False, False),
    "cell: features": lambda lib, F: lib.gru_cell(lib.ones(2, 3), lib.ones(2, 1), lib.ones(3, 2), lib.ones(3, 1)),
    "attention: p": lambda lib, F: F.scaled_dot_product_attention(*[lib.ones(1, 2, 2)] * 3, dropout_p=1.5),
    "grouped: offsets": lambda lib, F: F.grouped_mm(lib.ones(4, 4), lib.ones(4, 4)),
    "numbered reduction": lambda lib, F: lib.hinge_embedding_loss(lib.ones(2), lib.ones(2), 1.0, "mean"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_raise_torchs_exception(name, torch):
    raised = []
    for lib in (torch, pullback):
        with pytest.raises(Exception) as caught:
            BAD[name](lib, lib.nn.functional)
        raised.append(caught.type)
    assert raised[0] is raised[1]
