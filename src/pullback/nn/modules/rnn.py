"""Recurrent networks, and their cells."""

import math
import warnings
from typing import Any

from ...amp.autocast_mode import is_autocast_enabled
from ...creation import empty, zeros
from ...tensor import functions
from .. import init
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from .module import Module

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def permuted(state: Any, order: Any) -> Any:
    """A state, or a tuple of states, (layers, B, H), with its samples in another order."""
    if order is None:
        return state
    return tuple(s.index_select(1, order) for s in state) if isinstance(state, tuple) else state.index_select(1, order)


class RNNBase(Module):
    """What :class:`RNN`, :class:`LSTM` and :class:`GRU` share: weights for each layer and direction, and the call.

    Args:
        mode: ``"LSTM"``, ``"GRU"``, ``"RNN_TANH"`` or ``"RNN_RELU"``.
        input_size, hidden_size: the numbers of features of inputs and of states.
        num_layers: each but the first takes the outputs of the one before.
        bias: whether there are biases.
        batch_first: whether inputs and outputs are (B, T, features), not (T, B, features).
        dropout: of the outputs of each layer but the last, in training.
        bidirectional: whether each layer also runs backward in time; its outputs are then concatenated.
        proj_size: to how many features an LSTM's hidden states are projected; 0 for not at all.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if mode not in GATES:
            raise ValueError(f"Unrecognized RNN mode: {mode}")
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = float(dropout), bidirectional, proj_size
        self._check_sizes(dropout)
        self._all_weights = [self._add_layer(k, device, dtype) for k in range(num_layers * self._directions)]
        self.reset_parameters()

    _directions = property(lambda self: 2 if self.bidirectional else 1)
    _outputs = property(lambda self: self.proj_size or self.hidden_size)

    def _check_sizes(self, dropout: Any) -> None:
        if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed, but "
                f"got {dropout}"
            )
        if dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
                f"greater than 1, but got dropout={dropout} and num_layers={self.num_layers}",
                stacklevel=4,
            )
        for name in ("input_size", "hidden_size"):
            size = getattr(self, name)
            if not isinstance(size, int):
                raise TypeError(f"{name} should be of type int, got: {type(size).__name__}")
        if self.hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if self.num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if self.proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")

    def _add_layer(self, k: int, device: Any, dtype: Any) -> list[str]:
        """Register the weights of one layer in one direction, and return their names."""
        layer, rows = k // self._directions, GATES[self.mode] * self.hidden_size
        inputs = self._outputs * self._directions if layer else self.input_size
        shapes = {"weight_ih": (rows, inputs), "weight_hh": (rows, self._outputs)}
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}  # type: ignore[dict-item]
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        ending = f"_l{layer}" + ("_reverse" if k % self._directions else "")
        for name, shape in shapes.items():
            self.register_parameter(name + ending, Parameter(empty(shape, device=device, dtype=dtype)))
        return [name + ending for name in shapes]

    @property
    def all_weights(self) -> list:
        """The weights, a list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list:
        return [getattr(self, name) for name in self._flat_weights_names]

    def flatten_parameters(self) -> None:
        """Nothing: the weights need not lie together."""

    def reset_parameters(self) -> None:
        """Draw new initial values, uniform in ±1/√hidden_size."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Sequences, (T, B, size), one, (T, size), or a packed batch, and first states, by default zeros.

        Returns:
            The outputs of the last layer, in the form of the input; and the last states (layers and directions, B, H),
            of an LSTM a pair of hidden states and cells.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        if input.dim() not in (2, 3):
            raise ValueError(f"{self._get_name()}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        if input.dtype is not self._flat_weights[0].dtype and not is_autocast_enabled("cpu"):
            expected = self._flat_weights[0].dtype
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({expected}). Convert input: "
                f"input.to({expected}), or convert model: model.to({input.dtype})"
            )
        alone = input.dim() == 2
        if hx is not None:
            self._check_dims(hx, alone)
        if alone:
            input = input.unsqueeze(0 if self.batch_first else 1)
            hx = None if hx is None else self._each(hx, lambda state: state.unsqueeze(1))
        batch = input.shape[0 if self.batch_first else 1]
        output, state = self._run(input, self._states(hx, batch, input), (), (self.batch_first,))
        if alone:
            output = output.squeeze(0 if self.batch_first else 1)
            state = self._each(state, lambda state: state.squeeze(1))
        return output, state

    def _forward_packed(self, input: PackedSequence, hx: Any) -> Any:
        data, batch_sizes, order, back = input
        batch = int(batch_sizes[0])
        states = self._states(None if hx is None else permuted(hx, order), batch, data)
        output, state = self._run(data, states, (batch_sizes,), ())
        return PackedSequence(output, batch_sizes, order, back), permuted(state, back)

    def _each(self, hx: Any, change: Any) -> Any:
        return tuple(change(state) for state in hx) if self.mode == "LSTM" else change(hx)

    def _states(self, hx: Any, batch: int, input: Any) -> Any:
        """The first states: zeros, or those given, once they were checked."""
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}"
            )
        number = self.num_layers * self._directions
        shapes = ((number, batch, self._outputs), (number, batch, self.hidden_size))
        if hx is None:
            made = [zeros(shape, dtype=input.dtype, device=input.device) for shape in shapes]
            return tuple(made) if self.mode == "LSTM" else made[0]
        states = hx if self.mode == "LSTM" else (hx,)
        for i, (state, shape) in enumerate(zip(states, shapes, strict=False)):
            if tuple(state.shape) != shape:
                what = f"hidden[{i}]" if self.mode == "LSTM" else "hidden"
                raise RuntimeError(f"Expected {what} size {shape}, got {list(state.shape)}")
        return hx

    def _check_dims(self, hx: Any, alone: bool) -> None:
        states = hx if self.mode == "LSTM" else (hx,)
        expected = 2 if alone else 3
        if any(state.dim() != expected for state in states):
            kind = "unbatched 2-D" if alone else "batched 3-D"
            given = ", ".join(f"{state.dim()}-D" for state in states)
            names = "hx and cx should" if self.mode == "LSTM" else "hx should"
            given = f"({given}) tensors" if self.mode == "LSTM" else f"{given} tensor"
            raise RuntimeError(f"For {kind} input, {names} also be {expected}-D but got {given}")

    def _run(self, input: Any, hx: Any, sizes: tuple, more: tuple) -> Any:
        function = functions[self.mode.lower()]
        settings = (self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)
        output, *ends = function(input, *sizes, hx, self._flat_weights, *settings, *more)
        return output, tuple(ends) if self.mode == "LSTM" else ends[0]

    def permute_hidden(self, hx: Any, permutation: Any) -> Any:
        """States with their batch in another order; None for the order it has."""
        return permuted(hx, permutation)

    def get_expected_hidden_size(self, input: Any, batch_sizes: Any) -> tuple:
        """The shape of the first state for an input, which is packed where there are ``batch_sizes``."""
        return (self.num_layers * self._directions, self._batch_of(input, batch_sizes), self._outputs)

    def get_expected_cell_size(self, input: Any, batch_sizes: Any) -> tuple:
        """The shape of an LSTM's first cell state."""
        return (self.num_layers * self._directions, self._batch_of(input, batch_sizes), self.hidden_size)

    def _batch_of(self, input: Any, batch_sizes: Any) -> int:
        return int(batch_sizes[0]) if batch_sizes is not None else input.shape[0 if self.batch_first else 1]

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        defaults: dict[str, Any] = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False,
        }  # fmt: skip
        for name, default in defaults.items():
            value = getattr(self, name)
            text += f", {name}={value}" if value != default else ""
        return text


class RNN(RNNBase):
    """Elman's network: each state is ``tanh(W_ih x + b_ih + W_hh h + b_hh)``, or ``relu`` of it.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: as :class:`RNNBase` has them;
            ``nonlinearity``, ``"tanh"`` or ``"relu"``, comes after ``num_layers``.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        *args: Any,
        **kwargs: Any,
    ) -> None:
        check_no_projection(kwargs)
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory. ``hx`` is a pair of hidden states and cells; see :class:`RNNBase` for the arguments.

    >>> import pullback as torch
    >>> from pullback import nn
    >>> output, (h, c) = nn.LSTM(3, 4, num_layers=2)(torch.ones(5, 2, 3))
    >>> output.shape, h.shape
    (torch.Size([5, 2, 4]), torch.Size([2, 2, 4]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Gated recurrent units; see :class:`RNNBase` for the arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        check_no_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)


def check_no_projection(kwargs: dict) -> None:
    if "proj_size" in kwargs:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


# -- cells -------------------------------------------------------------------------------------------------------------


class RNNCellBase(Module):
    """What the cells share: the weights of one layer, for ``num_chunks`` gates."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        shapes: dict[str, Any] = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size)}
        biases: dict[str, Any] = {"bias_ih": (rows,), "bias_hh": (rows,)}
        for name, shape in (shapes | biases).items():
            made = Parameter(empty(shape, device=device, dtype=dtype)) if bias or name in shapes else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values, uniform in ±1/√hidden_size."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _check(self, what: str, value: Any) -> None:
        if value.dim() not in (1, 2):
            raise ValueError(f"{self._get_name()}: Expected {what} to be 1D or 2D, got {value.dim()}D instead")

    def _step(self, name: str, input: Any, states: Any) -> Any:
        """The cell's function of inputs and states of a batch, or of one of each."""
        self._check("input", input)
        alone = input.dim() == 1
        input = input.unsqueeze(0) if alone else input
        if states is None:
            states = [zeros((len(input), self.hidden_size), dtype=input.dtype, device=input.device)] * 2
        else:
            states = [state.unsqueeze(0) if alone else state for state in states]
        hx = tuple(states) if name == "lstm_cell" else states[0]
        found = functions[name](input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        if not alone:
            return found
        return tuple(state.squeeze(0) for state in found) if isinstance(found, tuple) else found.squeeze(0)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        text += "" if self.bias else f", bias={self.bias}"
        nonlinearity = self.__dict__.get("nonlinearity", "tanh")
        return text if nonlinearity == "tanh" else f"{text}, nonlinearity={nonlinearity}"


class RNNCell(RNNCellBase):
    """One step of :class:`RNN`: (B, size) and a state (B, H), or one of each, to the next state."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The next state; ``hx`` is by default zeros."""
        if hx is not None:
            self._check("hidden", hx)
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(f"rnn_{self.nonlinearity}_cell", input, None if hx is None else [hx])


class LSTMCell(RNNCellBase):
    """One step of :class:`LSTM`: (B, size) and a pair of states (B, H), or one of each, to the next pair."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The next hidden state and cell; ``hx`` is by default zeros."""
        for i, state in enumerate(hx or ()):
            self._check(f"hx[{i}]", state)
        return self._step("lstm_cell", input, hx)


class GRUCell(RNNCellBase):
    """One step of :class:`GRU`: (B, size) and a state (B, H), or one of each, to the next state."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The next state; ``hx`` is by default zeros."""
        if hx is not None:
            self._check("hidden", hx)
        return self._step("gru_cell", input, None if hx is None else [hx])
