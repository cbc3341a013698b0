"""Recurrent networks, ``torch.lstm`` and its kin: layers of :mod:`.recurrent`, one or both directions, dropout between.

A packed sequence holds the steps of sequences of several lengths, the longest first, time by time. A layer multiplies it as
it is. For the recurrence it is spread over a rectangle, in which a sequence's places behind its end hold anything: no result
is taken from there, and so no gradient comes back. For the other direction each sequence is reversed within its own length.
"""

from typing import Any

from .dropout import dropped
from .linear import project
from .recurrent import gru_layer, lstm_layer, rnn_layer
from .steps import INTERNAL, is_tensor, need_tensors, perform
from .table import TABLE, op, overload

HOME: dict[str, Any] = {"method": False, "homes": ("torch",)}
GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}

packed_places = op(
    "packed_places(batch_sizes)",
    "For a packed sequence: where each place (T, B) of a rectangle finds its step, forward and backward in time; where each "
    "step is in those rectangles; and where the last steps are. All are positions in flattened tensors.",
    operands=("batch_sizes",),
    outputs=("*",),
    samples=lambda t: [((t.integers(1, 2, 3),), {})],
    **INTERNAL,
)


def rows_at(values, places):
    return perform(TABLE["index_select"], values, 0, places)


class Whole:
    """How sequences of one length, (T, B, ...), are laid out for a layer, and its states taken back."""

    def spread(self, gates, backward):
        return gates.flip((0,)) if backward else gates

    def gather(self, hidden, backward):
        return hidden.flip((0,)) if backward else hidden

    def last(self, hidden):
        return hidden[-1]

    def own(self, output):
        """The output with memory of its own, so that a write to it spoils nothing that the backward pass needs."""
        return output.clone()


class Packed:
    """Likewise for a packed sequence, (steps, ...)."""

    def __init__(self, batch_sizes):
        self.times, self.batch = batch_sizes.shape[0], int(batch_sizes[0])
        onward, back, at_onward, at_back, self.ends = perform(packed_places, batch_sizes)
        self.places, self.positions = (onward, back), (at_onward, at_back)

    def spread(self, gates, backward):
        return rows_at(gates, self.places[backward]).reshape((self.times, self.batch, gates.shape[-1]))

    def gather(self, hidden, backward):
        return rows_at(self.flat(hidden), self.positions[backward])

    def last(self, hidden):
        return rows_at(self.flat(hidden), self.ends)

    def own(self, output):
        return output

    def flat(self, hidden):
        return hidden.reshape((self.times * self.batch, hidden.shape[-1]))


def run_layer(name, input, states, weights, has_biases, layout, backward):
    """One layer in one direction: all its hidden states, and the last hidden state and cell."""
    w_ih, w_hh, *rest = weights
    biases, projection = (rest[:2], rest[2:]) if has_biases else ([], rest)
    if name == "gru":
        steps = project(input, w_ih, biases[0] if biases else None)
        hidden = perform(gru_layer, [layout.spread(steps, backward), *states, w_hh, *biases[1:]])
        return layout.gather(hidden, backward), (layout.last(hidden),)
    steps = layout.spread(project(input, w_ih, biases[0] + biases[1] if biases else None), backward)
    if name == "lstm":
        hidden, cells = perform(lstm_layer, [steps, *states, w_hh, *projection])
        return layout.gather(hidden, backward), (layout.last(hidden), layout.last(cells))
    hidden = perform(rnn_layer, [steps, *states, w_hh], name == "rnn_relu")
    return layout.gather(hidden, backward), (layout.last(hidden),)


def run_network(name, input, hx, params, has_biases, num_layers, dropout, train, bidirectional, layout):
    """All layers; the output, and the last states of each layer and direction."""
    states = hx if name == "lstm" else (hx,)
    directions = 1 + bool(bidirectional)
    count = len(params) // (num_layers * directions)
    batch = layout.batch if isinstance(layout, Packed) else input.shape[1]
    check_network(name, input, states, params, has_biases, num_layers * directions, count, batch)
    ends = []
    for layer in range(num_layers):
        found = []
        for direction in range(directions):
            k = layer * directions + direction
            weights = params[k * count : (k + 1) * count]
            made, last = run_layer(name, input, [s[k] for s in states], weights, has_biases, layout, direction == 1)
            found.append(made)
            ends.append(last)
        input = perform(TABLE["cat"], found, found[0].ndim - 1) if bidirectional else found[0]
        if dropout and train and layer < num_layers - 1:
            step, args, *_ = dropped(name, input, dropout, True, False)
            input = args if step is None else perform(step, *args)
    return (layout.own(input), *[perform(TABLE["stack"], list(each), 0) for each in zip(*ends, strict=True)])


def check_network(name, input, states, params, has_biases, layers, count, batch):
    """Raise PyTorch's error for states and weights that do not go together with the input."""
    if len(states) != (2 if name == "lstm" else 1):
        raise RuntimeError(f"{name} expects two hidden states, but got {len(states)}")
    expected = 4 if has_biases else 2
    if len(params) != layers * count or count not in (expected, expected + (name == "lstm")):
        raise RuntimeError(
            f"{name}: got {len(params)} weights for {layers} layers and directions, each of which needs {expected}"
        )
    other = next((tensor for tensor in (*params, *states) if tensor.dtype is not input.dtype), None)
    if other is not None:
        raise RuntimeError(
            f"{name}: mat1 and mat2 must have the same dtype, but got {input.dtype._word} and {other.dtype._word} for the "
            "input and a weight or state"
        )
    for state in states:
        if state.shape[0] < layers:
            raise IndexError(
                f"{name}: select(): index {state.shape[0]} out of range for tensor of size {list(state.shape)} at dimension "
                f"0: hidden states are needed for each of {layers} layers and directions"
            )
        if state.shape[1] != batch:
            raise RuntimeError(f"{name}: the batch size is {batch}, but hidden states have shape {list(state.shape)}")
    if states[0].shape[2] != params[1].shape[1]:
        raise RuntimeError(
            f"{name}: mat1 and mat2 shapes cannot be multiplied: hidden states have shape {list(states[0].shape)}, and the "
            f"weight for them {list(params[1].shape)}"
        )


def network(name, doc):
    """Declare a network as ``torch`` has it: of whole sequences, or, where ``batch_sizes`` come second, of a packed one."""

    def choose(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
        need_tensors(name, input=input)
        if not isinstance(has_biases, (bool, int)):
            sizes, states, weights = hx, params, list(has_biases)
            settings = (num_layers, dropout, train, bidirectional, batch_first)
            return None, run_network(name, input, states, weights, *settings, Packed(sizes))
        if name == "lstm" and is_tensor(hx):
            raise TypeError(f"{name}() received an invalid combination of arguments: hx must be a tuple of two Tensors")
        if input.ndim != 3:
            raise IndexError(f"{name}: Dimension out of range: expected an input of 3 dimensions, but got {input.ndim}")
        input = input.transpose(0, 1) if batch_first else input
        if not input.shape[0]:
            raise RuntimeError(f"{name}: Expected sequence length to be larger than 0 in RNN")
        settings = (has_biases, num_layers, dropout, train, bidirectional)
        output, *ends = run_network(name, input, hx, list(params), *settings, Whole())
        return None, (output.transpose(0, 1) if batch_first else output, *ends)

    overload(
        f"{name}(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)",
        doc,
        choose,
        **HOME,
    )


FORM = (
    "for inputs (T, B, size), or (B, T, size) where ``batch_first``, and first states (layers and directions, B, H): all "
    "outputs, and the last states. Also called with a packed sequence, as (data, batch_sizes, hx, params, has_biases, "
    "num_layers, dropout, train, bidirectional)."
)
network("lstm", f"Layers of long short-term memory, {FORM} ``hx`` is a pair of hidden states and cells.")
network("gru", f"Layers of gated recurrent units, {FORM}")
network("rnn_tanh", f"Layers of Elman's network with ``tanh``, {FORM}")
network("rnn_relu", f"Layers of Elman's network with ``relu``, {FORM}")


# -- cells -------------------------------------------------------------------------------------------------------------


def check_cell(input, states, w_ih, w_hh, gates):
    """Raise PyTorch's error for a cell's operands that do not go together."""
    if input.ndim != 2:
        raise IndexError(
            f"Dimension out of range: a cell's input must have two dimensions, but has shape {list(input.shape)}"
        )
    if input.shape[1] != w_ih.shape[1]:
        raise RuntimeError(f"input has inconsistent input_size: got {input.shape[1]} expected {w_ih.shape[1]}")
    size = w_hh.shape[0] // gates
    for i, state in enumerate(states):
        if state.shape[0] != input.shape[0]:
            raise RuntimeError(f"Input batch size {input.shape[0]} doesn't match hidden{i} batch size {state.shape[0]}")
        if state.shape[1] != size:
            raise RuntimeError(f"hidden{i} has inconsistent hidden_size: got {state.shape[1]}, expected {size}")


def cell(name, doc):
    """Declare a cell: one step of a layer."""

    def choose(input, hx, w_ih, w_hh, b_ih, b_hh):
        need_tensors(f"{name}_cell", input=input)
        states = tuple(hx) if name == "lstm" and not is_tensor(hx) else (hx,)
        if name == "lstm" and len(states) != 2:
            raise RuntimeError("lstm_cell expects two hidden states")
        check_cell(input, states, w_ih, w_hh, GATES[name])
        weights = [w_ih, w_hh] if b_ih is None else [w_ih, w_hh, b_ih, b_hh]
        _, ends = run_layer(name, input.unsqueeze(0), states, weights, b_ih is not None, Whole(), False)
        ends = tuple(state.clone() for state in ends)
        return None, ends if name == "lstm" else ends[0]

    overload(f"{name}_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None)", doc, choose, **HOME)


cell(
    "lstm",
    "One step of long short-term memory: the hidden state and the cell that follow on ``hx``, for an input (B, size).",
)
cell("gru", "One step of gated recurrent units: the state that follows on ``hx``, for an input (B, size).")
cell("rnn_tanh", "``tanh`` of the products of the input and of the state, each plus its bias: the next state.")
cell("rnn_relu", "``relu`` of the products of the input and of the state, each plus its bias: the next state.")
