"""Recurrent layers, with all states of a layer in one array that the steps fill."""

from itertools import pairwise

import numpy as np

from ...ops.table import TABLE
from .. import arrays
from .registry import kernel


def by_formula(name, tensors, *rest):
    """Half precision, which is not for loops of small steps."""
    return TABLE[name].composite(arrays, tensors, *rest)


def room_for(steps, first):
    """An array for a layer's states, and the pairs of the one that each step finds and the one it makes."""
    states = np.empty((len(steps) + 1, *first.shape), first.dtype)
    states[0] = first
    return states, pairwise(states)


@kernel
def lstm_layer(tensors):
    steps, h, c, weight, *projection = tensors
    if steps.dtype.itemsize == 2:
        return by_formula("lstm_layer", tensors)
    size, (hidden, moves), (cells, flows) = c.shape[-1], room_for(steps, h), room_for(steps, c)
    # All gates by one tanh, for the sigmoid is tanh of half the number, halved and lifted by a half.
    scale = np.repeat(np.array([0.5, 0.5, 1, 0.5], steps.dtype), size)
    lift = 1 - scale
    for row, (h, h_next), (c, c_next) in zip(steps, moves, flows, strict=True):
        gates = h @ weight.T
        gates += row
        gates *= scale
        np.tanh(gates, gates)
        gates *= scale
        gates += lift
        cell = gates[:, 2 * size : 3 * size]
        np.multiply(gates[:, size : 2 * size], c, c_next)
        c_next += gates[:, :size] * cell
        out = gates[:, 3 * size :] * np.tanh(c_next)
        h_next[...] = out @ projection[0].T if projection else out
    return hidden[1:], cells[1:]


@kernel
def gru_layer(tensors):
    steps, h, weight, *bias = tensors
    if steps.dtype.itemsize == 2:
        return by_formula("gru_layer", tensors)
    size, (hidden, moves) = h.shape[-1], room_for(steps, h)
    for row, (h, h_next) in zip(steps, moves, strict=True):
        inner = h @ weight.T
        if bias:
            inner += bias[0]
        gates = row[:, : 2 * size] + inner[:, : 2 * size]
        gates *= 0.5
        np.tanh(gates, gates)
        gates += 1
        gates *= 0.5
        new = gates[:, :size] * inner[:, 2 * size :]
        new += row[:, 2 * size :]
        np.tanh(new, new)
        np.subtract(h, new, h_next)
        h_next *= gates[:, size:]
        h_next += new
    return hidden[1:]


@kernel
def rnn_layer(tensors, relu):
    steps, h, weight = tensors
    if steps.dtype.itemsize == 2 or (relu and steps.dtype.kind == "c"):
        return by_formula("rnn_layer", tensors, relu)
    hidden, moves = room_for(steps, h)
    for row, (h, h_next) in zip(steps, moves, strict=True):
        np.matmul(h, weight.T, h_next)
        h_next += row
        if relu:
            np.maximum(h_next, 0, out=h_next)
        else:
            np.tanh(h_next, h_next)
    return hidden[1:]


@kernel
def packed_places(batch_sizes):
    times, batch = len(batch_sizes), int(batch_sizes[0])
    starts = np.cumsum(batch_sizes) - batch_sizes
    inside = np.arange(batch) < batch_sizes[:, None]
    lengths = inside.sum(0)
    time, column = np.nonzero(inside)  # of each step
    back = lengths - 1 - np.arange(times)[:, None]
    onward = np.where(inside, starts[:, None] + np.arange(batch), 0)
    backward = np.where(inside, starts[back] + np.arange(batch), 0)
    at_onward, at_back = time * batch + column, (lengths[column] - 1 - time) * batch + column
    return onward.ravel(), backward.ravel(), at_onward, at_back, (lengths - 1) * batch + np.arange(batch)
