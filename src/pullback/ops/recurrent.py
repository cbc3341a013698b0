"""Recurrent layers: one operation for all the steps of a layer, from what the input contributes to them.

That is (time, batch, gates), one product of matrices for the whole sequence, made before. The rest depends on the state of
the step before. A layer's derivative walks back through the steps with factors that were computed for all of them at once,
and multiplies for the weight once, at the end. In the other direction a layer runs on a sequence that was flipped.

Equations: Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000) and the projection of Sak et al.
(2014) for the LSTM, in the order input, forget, cell, output; Cho et al. (2014) for the GRU, in the order reset, update, new.
"""

from .steps import INTERNAL
from .table import op


def parts(xp, values, count):
    """Values cut into so many equal parts along the last dim."""
    last, size = values.ndim - 1, values.shape[-1] // count
    return [xp.slice(values, last, i * size, (i + 1) * size, 1) for i in range(count)]


def times_transposed(xp, values, weight):
    return xp.matmul(values, xp.transpose(weight, 0, 1))


def before(xp, first, rows):
    """What each step finds: the first state, and then the rows of all states but the last."""
    return xp.cat([xp.unsqueeze(first, 0), xp.slice(rows, 0, 0, rows.shape[0] - 1, 1)], 0)


def weight_of(xp, slopes, found):
    """The gradient of a weight by which each step multiplied what it found."""
    slopes, found = (xp.reshape(v, (v.shape[0] * v.shape[1], v.shape[2])) for v in (slopes, found))
    return xp.mm(xp.transpose(slopes, 0, 1), xp.conj(found))


def given(xp, grad, like):
    return xp.zeros_like(like) if grad is None else grad


# -- long short-term memory --------------------------------------------------------------------------------------------


def lstm_gates(xp, values):
    enter, forget, cell, leave = parts(xp, values, 4)
    return xp.sigmoid(enter), xp.sigmoid(forget), xp.tanh(cell), xp.sigmoid(leave)


def formula_lstm(xp, tensors):
    steps, h, c, weight, *projection = tensors
    hidden, cells = [], []
    for row in xp.unbind(steps, 0):
        enter, forget, cell, leave = lstm_gates(xp, row + times_transposed(xp, h, weight))
        c = forget * c + enter * cell
        h = leave * xp.tanh(c)
        h = times_transposed(xp, h, projection[0]) if projection else h
        hidden.append(h)
        cells.append(c)
    return xp.stack(hidden, 0), xp.stack(cells, 0)


def pull_lstm(xp, grads, tensors, hidden, cells):
    steps, h, c, weight, *projection = tensors
    h_before, c_before = before(xp, h, hidden), before(xp, c, cells)
    enter, forget, cell, leave = lstm_gates(xp, steps + times_transposed(xp, h_before, weight))
    bent = xp.tanh(cells)
    by_cell = [cell * enter * (1 - enter), c_before * forget * (1 - forget), enter * (1 - cell * cell)]
    factors = zip(
        *(xp.unbind(v, 0) for v in (given(xp, grads[0], hidden), given(xp, grads[1], cells))),
        *(xp.unbind(xp.conj(v), 0) for v in (xp.cat(by_cell, 2), bent * leave * (1 - leave))),
        *(xp.unbind(xp.conj(v), 0) for v in (leave * (1 - bent * bent), forget)),
        strict=True,
    )
    dh, dc, slopes, outward = xp.zeros_like(h), xp.zeros_like(c), [], []
    for grad_h, grad_c, inner, outer, through, keep in reversed(list(factors)):
        dh = grad_h + dh
        outward.append(dh)
        dm = xp.matmul(dh, xp.conj(projection[0])) if projection else dh
        dc = grad_c + dc + dm * through
        slopes.append(xp.cat([inner * xp.cat([dc, dc, dc], 1), dm * outer], 1))
        dh, dc = xp.matmul(slopes[-1], xp.conj(weight)), dc * keep
    slopes = xp.stack(slopes[::-1], 0)
    found = [slopes, dh, dc, weight_of(xp, slopes, h_before)]
    return [*found, weight_of(xp, xp.stack(outward[::-1], 0), leave * bent)] if projection else found


lstm_layer = op(
    "lstm_layer(tensors)",
    "All hidden states and all cells of an LSTM's layer, from the gates' inputs (T, B, 4 H), the first state and cell, the "
    "recurrent weight and, if there is one, that of the projection.",
    composite=formula_lstm,
    operands=("tensors",),
    outputs=("hidden", "cells"),
    vjp={"tensors": pull_lstm},
    samples=lambda t: [
        (([t(3, 2, 8), t(2, 2), t(2, 2), t(8, 2)],), {}),
        (([t(1, 2, 8), t(2, 2), t(2, 2), t(8, 2)],), {}),
        (([t(2, 2, 12), t(2, 2), t(2, 3), t(12, 2), t(2, 3)],), {}),
    ],
    **INTERNAL,
)


# -- gated recurrent units ---------------------------------------------------------------------------------------------


def gru_gates(xp, row, h, weight, bias):
    """The reset and update gates, the new state, and what of the old one is reset."""
    inner = times_transposed(xp, h, weight)
    inner = inner if bias is None else inner + bias
    (a_reset, a_update, a_new), (b_reset, b_update, old) = parts(xp, row, 3), parts(xp, inner, 3)
    reset, update = xp.sigmoid(a_reset + b_reset), xp.sigmoid(a_update + b_update)
    return reset, update, xp.tanh(a_new + reset * old), old


def formula_gru(xp, tensors):
    steps, h, weight, *bias = tensors
    hidden = []
    for row in xp.unbind(steps, 0):
        _, update, new, _ = gru_gates(xp, row, h, weight, bias[0] if bias else None)
        h = new + update * (h - new)
        hidden.append(h)
    return xp.stack(hidden, 0)


def pull_gru(xp, grad, tensors, result):
    steps, h, weight, *bias = tensors
    h_before = before(xp, h, result)
    reset, update, new, old = gru_gates(xp, steps, h_before, weight, bias[0] if bias else None)
    to_new = (1 - update) * (1 - new * new)
    shared = [to_new * old * reset * (1 - reset), (h_before - new) * update * (1 - update)]
    *shared, to_new, reset, update = (xp.conj(v) for v in (*shared, to_new, reset, update))
    rows = [xp.unbind(v, 0) for v in (grad, xp.cat([*shared, to_new * reset], 2), update)]
    dh, total = xp.zeros_like(h), []
    for grad_h, factor, keep in reversed(list(zip(*rows, strict=True))):
        dh = grad_h + dh
        total.append(dh)
        dh = dh * keep + xp.matmul(factor * xp.cat([dh, dh, dh], 1), xp.conj(weight))
    total = xp.stack(total[::-1], 0)
    slopes = [total * factor for factor in (*shared, to_new)]
    inner = xp.cat([*slopes[:2], slopes[2] * reset], 2)
    found = [xp.cat(slopes, 2), dh, weight_of(xp, inner, h_before)]
    return [*found, xp.sum(inner, (0, 1))] if bias else found


gru_layer = op(
    "gru_layer(tensors)",
    "All states of a layer of gated recurrent units, from the gates' inputs (T, B, 3 H), the first state, the recurrent "
    "weight and, if there is one, its bias.",
    composite=formula_gru,
    operands=("tensors",),
    vjp={"tensors": pull_gru},
    samples=lambda t: [
        (([t(3, 2, 6), t(2, 2), t(6, 2)],), {}),
        (([t(3, 2, 6), t(2, 2), t(6, 2), t(6)],), {}),
        (([t(1, 2, 3), t(2, 1), t(3, 1), t(3)],), {}),
    ],
    **INTERNAL,
)


# -- plain recurrence --------------------------------------------------------------------------------------------------


def formula_rnn(xp, tensors, relu):
    steps, h, weight = tensors
    bend, hidden = xp.relu if relu else xp.tanh, []
    for row in xp.unbind(steps, 0):
        h = bend(row + times_transposed(xp, h, weight))
        hidden.append(h)
    return xp.stack(hidden, 0)


def pull_rnn(xp, grad, tensors, relu, result):
    _, h, weight = tensors
    factor = xp.cast(result > 0, result.dtype) if relu else xp.conj(1 - result * result)
    dh, slopes = xp.zeros_like(h), []
    for grad_h, row in zip(xp.unbind(grad, 0)[::-1], xp.unbind(factor, 0)[::-1], strict=True):
        slopes.append((grad_h + dh) * row)
        dh = xp.matmul(slopes[-1], xp.conj(weight))
    slopes = xp.stack(slopes[::-1], 0)
    return [slopes, dh, weight_of(xp, slopes, before(xp, h, result))]


rnn_layer = op(
    "rnn_layer(tensors, relu)",
    "All states of a layer of Elman's network (1990), with ``tanh`` or ``relu``, from the inputs (T, B, H), the first state "
    "and the recurrent weight.",
    composite=formula_rnn,
    operands=("tensors",),
    vjp={"tensors": pull_rnn},
    samples=lambda t: [
        (([t(3, 2, 2), t(2, 2), t(2, 2)], False), {}),
        (([t(3, 2, 2), t(2, 2), t(2, 2)], True), {}),
        (([t(1, 2, 3), t(2, 3), t(3, 3)], False), {}),
    ],
    **INTERNAL,
)
