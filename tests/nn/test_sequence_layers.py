"""Recurrent networks, attention, the Transformer, bags and losses as modules, against PyTorch's of the same seed."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import pullback as pb
from numeric import agree, array

pytestmark = pytest.mark.parity
RNG = np.random.default_rng(3)


def real(*shape):
    return RNG.uniform(-1, 1, shape).astype("f4")


# name -> (how the module is made, its inputs: arrays, or functions of the library)
MODULES = {
    "RNN": (lambda nn: nn.RNN(3, 4, 2), [real(5, 2, 3)]),
    "RNN with relu": (lambda nn: nn.RNN(3, 4, nonlinearity="relu", batch_first=True), [real(2, 5, 3), real(1, 2, 4)]),
    "GRU": (lambda nn: nn.GRU(3, 4, 2, bias=False, bidirectional=True), [real(5, 2, 3)]),
    "GRU of one sequence": (lambda nn: nn.GRU(3, 4), [real(5, 3), real(1, 4)]),
    "LSTM": (lambda nn: nn.LSTM(3, 4, 2, dropout=0.3), [real(5, 2, 3)]),
    "LSTM with projections": (lambda nn: nn.LSTM(3, 4, 2, proj_size=2, bidirectional=True), [real(5, 2, 3)]),
    "LSTM of one sequence": (lambda nn: nn.LSTM(3, 4, batch_first=True), [real(5, 3), (real(1, 4), real(1, 4))]),
    "LSTM of packed sequences": (
        lambda nn: nn.LSTM(3, 4, 2, bidirectional=True, dropout=0.2),
        [lambda lib: lib.nn.utils.rnn.pack_padded_sequence(lib.tensor(PADDED), [2, 4, 1], enforce_sorted=False)],
    ),
    "GRU of packed sequences and states": (
        lambda nn: nn.GRU(3, 4),
        [
            lambda lib: lib.nn.utils.rnn.pack_padded_sequence(lib.tensor(PADDED), [2, 4, 1], enforce_sorted=False),
            real(1, 3, 4),
        ],
    ),
    "RNNCell": (lambda nn: nn.RNNCell(3, 4, nonlinearity="relu"), [real(2, 3), real(2, 4)]),
    "GRUCell": (lambda nn: nn.GRUCell(3, 4, bias=False), [real(3)]),
    "LSTMCell": (lambda nn: nn.LSTMCell(3, 4), [real(2, 3), (real(2, 4), real(2, 4))]),
    "MultiheadAttention": (
        lambda nn: nn.MultiheadAttention(4, 2, add_bias_kv=True, kdim=3, vdim=2),
        [real(3, 2, 4), real(5, 2, 3), real(5, 2, 2)],
    ),
    "MultiheadAttention, batch first": (
        lambda nn: nn.MultiheadAttention(4, 2, dropout=0.2, batch_first=True, add_zero_attn=True),
        [real(3, 2, 4)] * 3,
    ),
    "TransformerEncoder": (
        lambda nn: nn.TransformerEncoder(
            nn.TransformerEncoderLayer(4, 2, 8, activation="gelu", norm_first=True, batch_first=True), 2
        ),
        [real(3, 2, 4)],
    ),
    "TransformerDecoder": (
        lambda nn: nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8, bias=False), 2, nn.LayerNorm(4)),
        [real(3, 2, 4), real(5, 2, 4)],
    ),
    "Transformer": (
        lambda nn: nn.Transformer(4, 2, 1, 2, 8, dropout=0.1),
        [real(5, 2, 4), real(3, 2, 4), None, lambda lib: lib.nn.Transformer.generate_square_subsequent_mask(3)],
    ),
    "EmbeddingBag": (lambda nn: nn.EmbeddingBag(5, 3, mode="max", padding_idx=1), [np.array([[1, 2], [0, 1]])]),
    "Embedding": (lambda nn: nn.Embedding(5, 3, max_norm=1.0, scale_grad_by_freq=True), [np.array([[1, 2], [2, 1]])]),
    "AdaptiveLogSoftmaxWithLoss": (
        lambda nn: nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], 2.0, True),
        [real(6, 8), np.array([0, 5, 3, 19, 11, 4])],
    ),
    "LinearCrossEntropyLoss": (
        lambda nn: nn.LinearCrossEntropyLoss(3, 5, out_features=(2,), bias=True, label_smoothing=0.1),
        [real(4, 3), np.array([[0, 4], [1, 2], [3, 3], [0, 0]])],
    ),
    "RReLU": (lambda nn: nn.RReLU(0.2), [real(3, 4)]),
    "Softmax2d": (lambda nn: nn.Softmax2d(), [real(2, 3, 2, 2)]),
    "Dropout1d": (lambda nn: nn.Dropout1d(0.4), [real(3, 4, 2)]),
    "Dropout2d": (lambda nn: nn.Dropout2d(0.4), [real(3, 4, 2, 2)]),
    "Dropout3d": (lambda nn: nn.Dropout3d(0.4), [real(3, 4, 2, 2, 1)]),
    "AlphaDropout": (lambda nn: nn.AlphaDropout(0.4), [real(3, 4)]),
    "FeatureAlphaDropout": (lambda nn: nn.FeatureAlphaDropout(0.4), [real(3, 4, 2)]),
    "CosineSimilarity": (lambda nn: nn.CosineSimilarity(0), [real(3, 4), real(3, 4)]),
    "PairwiseDistance": (lambda nn: nn.PairwiseDistance(1.0, keepdim=True), [real(3, 4), real(3, 4)]),
    "SoftMarginLoss": (lambda nn: nn.SoftMarginLoss(), [real(3), lambda lib: lib.tensor([1.0, -1, 1])]),
    "HingeEmbeddingLoss": (lambda nn: nn.HingeEmbeddingLoss(0.5), [real(3), np.array([1.0, -1, 1], "f4")]),
    "CosineEmbeddingLoss": (
        lambda nn: nn.CosineEmbeddingLoss(-0.5),
        [real(3, 4), real(3, 4), np.array([1.0, -1, 1], "f4")],
    ),
    "MarginRankingLoss": (
        lambda nn: nn.MarginRankingLoss(0.2, reduction="sum"),
        [real(3), real(3), np.array([1.0, -1, 1], "f4")],
    ),
    "TripletMarginLoss": (lambda nn: nn.TripletMarginLoss(0.7, swap=True), [real(3, 4)] * 2 + [real(3, 4)]),
    "TripletMarginWithDistanceLoss": (
        lambda nn: nn.TripletMarginWithDistanceLoss(margin=2.0, reduction="none"),
        [real(3, 4), real(3, 4), real(3, 4)],
    ),
    "MultiLabelMarginLoss": (lambda nn: nn.MultiLabelMarginLoss(), [real(4), np.array([3, 0, -1, 1])]),
    "MultiLabelSoftMarginLoss": (
        lambda nn: nn.MultiLabelSoftMarginLoss(reduction="none"),
        [real(2, 3), np.array([[1, 0, 1], [0, 0, 1]], "f4")],
    ),
    "MultiMarginLoss": (lambda nn: nn.MultiMarginLoss(2, 0.7), [real(3, 4), np.array([0, 3, 1])]),
    "PoissonNLLLoss": (lambda nn: nn.PoissonNLLLoss(full=True), [real(3), np.array([1.0, 2, 3], "f4")]),
    "GaussianNLLLoss": (lambda nn: nn.GaussianNLLLoss(full=True), [real(3), real(3), abs(real(3))]),
    "CTCLoss": (
        lambda nn: nn.CTCLoss(blank=1),
        [lambda lib: lib.tensor(SCORES).log_softmax(2), np.array([[0, 2]]), np.array([4]), np.array([2])],
    ),
}
PADDED, SCORES = real(4, 3, 3), real(4, 1, 3)


def built(lib, name):
    lib.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MODULES[name][0](lib.nn)


def given(lib, value):
    if callable(value):
        return value(lib)
    if isinstance(value, tuple):
        return tuple(given(lib, v) for v in value)
    if not isinstance(value, np.ndarray):
        return value
    return lib.tensor(value, requires_grad=value.dtype.kind == "f")


def flat(result):
    """All tensors in a result."""
    if isinstance(result, (tuple, list)):
        return [tensor for r in result for tensor in flat(r)]
    return [result] if hasattr(result, "dtype") else []


def outcome(lib, name, module=None):
    """The module, what it gives, and the gradients of its parameters and inputs."""
    module = module or built(lib, name)
    inputs = [given(lib, value) for value in MODULES[name][1]]
    lib.manual_seed(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = flat(module(*inputs))
    roots = [o for o in outputs if o.requires_grad]
    leaves = [*module.parameters(), *[x for x in flat(inputs) if x.requires_grad and x.is_leaf]]
    total = sum((o * (o.detach() + 0.5)).sum() for o in roots)
    found = lib.autograd.grad(total, leaves, allow_unused=True) if leaves else []
    return module, outputs, found


@pytest.mark.parametrize("name", MODULES)
def test_module_is_pytorchs(name, torch):
    (ours, values, slopes), (theirs, wanted, wanted_slopes) = outcome(pb, name), outcome(torch, name)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    if name != "Embedding":  # whose rows the call scaled
        for (key, got), want in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
            np.testing.assert_array_equal(array(got), array(want), err_msg=key)
    for got, want in zip(values, wanted, strict=True):
        agree(array(got), array(want), "output", 1e-5)
    for got, want in zip(slopes, wanted_slopes, strict=True):
        assert (got is None) == (want is None)
        if got is not None:
            agree(array(got), array(want), "gradient", 1e-4)


@pytest.mark.parametrize("name", [n for n in MODULES if "LSTM" in n or "Attention" in n])
def test_copies_of_a_module_are_its_equals(name):
    module = built(pb, name)
    want = outcome(pb, name, module)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        got = outcome(pb, name, twin)
        for a, b in zip([*got[1], *got[2]], [*want[1], *want[2]], strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                agree(array(a), array(b), name, 0)


BAD = {
    "dropout": lambda lib, nn: nn.LSTM(3, 4, dropout=2),
    "size": lambda lib, nn: nn.LSTM(3, 0),
    "size of a float": lambda lib, nn: nn.LSTM(3.0, 4),
    "projection": lambda lib, nn: nn.LSTM(3, 4, proj_size=4),
    "projection of a GRU": lambda lib, nn: nn.GRU(3, 4, proj_size=2),
    "nonlinearity": lambda lib, nn: nn.RNN(3, 4, nonlinearity="x"),
    "no layers": lambda lib, nn: nn.GRU(3, 4, 0),
    "features": lambda lib, nn: nn.GRU(3, 4)(lib.zeros(5, 2, 2)),
    "dims": lambda lib, nn: nn.GRU(3, 4)(lib.zeros(3)),
    "states": lambda lib, nn: nn.LSTM(3, 4)(lib.zeros(5, 2, 3), (lib.zeros(1, 3, 4), lib.zeros(1, 2, 4))),
    "dims of states": lambda lib, nn: nn.GRU(3, 4)(lib.zeros(5, 2, 3), lib.zeros(2, 4)),
    "dims of a sequence's states": lambda lib, nn: nn.LSTM(3, 4)(lib.zeros(5, 3), (lib.zeros(1, 2, 4),) * 2),
    "dtype": lambda lib, nn: nn.LSTM(3, 4)(lib.zeros(5, 2, 3).double()),
    "cell's dims": lambda lib, nn: nn.GRUCell(3, 4)(lib.zeros(1, 2, 3)),
    "cell's states": lambda lib, nn: nn.LSTMCell(3, 4)(lib.zeros(2, 3), (lib.zeros(2, 5), lib.zeros(2, 4))),
    "heads": lambda lib, nn: nn.MultiheadAttention(8, 3),
    "padding": lambda lib, nn: nn.EmbeddingBag(4, 3, padding_idx=5),
    "cutoffs": lambda lib, nn: nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 2]),
    "margin": lambda lib, nn: nn.TripletMarginLoss(margin=-1),
    "order": lambda lib, nn: nn.MultiMarginLoss(p=3),
    "activation": lambda lib, nn: nn.TransformerEncoderLayer(8, 2, activation="x"),
    "unsorted": lambda lib, nn: nn.utils.rnn.pack_padded_sequence(lib.zeros(4, 3, 2), [2, 4, 1]),
    "empty sequence": lambda lib, nn: nn.utils.rnn.pack_padded_sequence(lib.zeros(4, 2, 2), [2, 0]),
    "number of lengths": lambda lib, nn: nn.utils.rnn.pack_padded_sequence(lib.zeros(4, 3, 2), [2, 1]),
    "no sequences": lambda lib, nn: nn.utils.rnn.pad_sequence([]),
    "total length": lambda lib, nn: nn.utils.rnn.pad_packed_sequence(nn.utils.rnn.pack_sequence([lib.ones(3)]), total_length=2),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_raise_pytorchs_exception(name, torch):
    raised = []
    for lib in (torch, pb):
        with pytest.raises(Exception) as caught:
            BAD[name](lib, lib.nn)
        raised.append(caught.type)
    assert raised[0] is raised[1]


def test_sequences_are_packed_and_padded_as_in_pytorch(torch):
    def run(lib):
        rnn = lib.nn.utils.rnn
        x = lib.tensor(PADDED, requires_grad=True)
        packed = rnn.pack_padded_sequence(x, lib.tensor([2, 4, 1]), enforce_sorted=False)
        padded, lengths = rnn.pad_packed_sequence(packed, batch_first=True, padding_value=-1.0, total_length=6)
        listed = rnn.pad_sequence([x[:2, 0], x[:3, 1], x[:1, 2]], True, 9.0, "left")
        pieces = rnn.unpad_sequence(x * 1.0, lib.tensor([2, 4, 1])) + rnn.unpack_sequence(packed)
        again = rnn.pack_sequence([x[:3, 0], x[:1, 2]]).double()
        total = (packed.data**2).sum() + (padded**3).sum() + (listed**2).sum() + sum((p**3).sum() for p in pieces)
        return [*packed, padded, lengths, listed, *pieces, *again[:2], *lib.autograd.grad(total, x)]

    for got, want in zip(run(pb), run(torch), strict=True):
        agree(array(got), array(want), "sequences", 1e-6)


def test_functional_call_replaces_the_weights_of_a_network():
    lstm = pb.nn.LSTM(3, 4)
    x, weights = pb.tensor(real(5, 2, 3)), {n: p.detach() * 0 for n, p in lstm.named_parameters()}
    output, _ = pb.func.functional_call(lstm, weights, (x,))
    assert not output.any()
    slopes = pb.func.grad(lambda w: pb.func.functional_call(lstm, w, (x,))[0].square().sum())(
        dict(lstm.named_parameters())
    )
    assert set(slopes) == set(weights)


def test_the_implementation_of_attention_can_be_asked_for(torch):
    for lib in (pb, torch):
        x, attention = lib.ones(1, 2, 3, 4), lib.nn.attention
        with attention.sdpa_kernel(attention.SDPBackend.MATH):
            assert lib.nn.functional.scaled_dot_product_attention(x, x, x).sum() == 24
        with pytest.raises(AssertionError, match="Backend must be an instance of SDPBackend"), attention.sdpa_kernel(3):
            pass


@pytest.mark.parametrize(
    "options", [{}, {"batch_first": True, "bidirectional": True}, {"num_layers": 2, "proj_size": 2}]
)
def test_the_shapes_of_first_states_can_be_asked_for(options, torch):
    found = []
    for lib in (pb, torch):
        layer, x = lib.nn.LSTM(4, 3, **options), lib.zeros(5, 2, 4)
        shapes = layer.get_expected_hidden_size(x, None), layer.get_expected_cell_size(x, None)
        packed = layer.get_expected_hidden_size(x[0], lib.tensor([2, 1]))
        found.append((*shapes, packed, layer.permute_hidden((x, x), lib.tensor([1, 0]))[0].shape == x.shape))
    assert found[0] == found[1]
