"""The loss of Graves et al., Connectionist Temporal Classification (2006), in logarithms, and for a whole batch at once.

A target of length S is read as its S labels with blanks around and between them: 2 S + 1 states, in which a path stays,
goes one on, or goes two on from a label to another. The sum over all paths is taken step by step in time, forward for the
loss and also backward for its derivative. What is impossible has a probability of ``exp(NEVER)``, which is zero but has a
finite logarithm, so that no derivative meets a difference of infinities.
"""

from math import inf, nan

from ..dtypes import int64
from .losses import HOME, given_reduction
from .steps import INTERNAL, is_tensor, need_tensors, perform
from .table import TABLE, op, overload

NEVER = -1e30


def moved(xp, values, steps):
    """Each state's value where the state ``steps`` on finds it."""
    return xp.constant_pad_nd(values, (steps, -steps), NEVER)


def formula_entered(xp, input, leaps):
    near = xp.logaddexp(input, moved(xp, input, 1))
    return xp.logaddexp(near, xp.where(leaps, moved(xp, input, 2), NEVER))


op(
    "entered(input, leaps)",
    "The logarithm of the sum of the exponentials of each state, the one before, and the second before where it ``leaps``.",
    composite=formula_entered,
    operands=("input",),
    real=True,
    samples=lambda t: [((t(2, 5), t.bools(2, 5)), {}), ((t(2, 1), t.bools(2, 1)), {})],
    **INTERNAL,
)


def prefixes(xp, scores, leaps, input_lengths):
    """For each time, the logarithm of the sum over all paths that end in each state then; times beyond the input repeat."""
    rows, lengths = xp.unbind(scores, 0), xp.unsqueeze(input_lengths, 1)
    states = xp.arange(scores.shape[2])
    nothing = xp.where(states == 0, 0, NEVER) + xp.zeros_like(rows[0])
    found = [xp.where(lengths > 0, xp.where(states < 2, rows[0], NEVER), nothing)]
    for t, row in enumerate(rows[1:], 1):
        found.append(xp.where(lengths > t, row + xp.entered(found[-1], leaps), found[-1]))
    return found


def suffixes(xp, scores, leaps, input_lengths, target_lengths):
    """Likewise for the paths that begin in each state, without its own score: the same walk in the opposite direction."""
    rows, lengths = xp.unbind(scores, 0), xp.unsqueeze(input_lengths, 1)
    states, ends = xp.arange(scores.shape[2]), xp.unsqueeze(2 * target_lengths, 1)
    last = xp.where((states == ends) | (states == ends - 1), 0, NEVER) + xp.zeros_like(rows[0])
    padded = xp.constant_pad_nd(leaps, (0, 2), False)
    back = xp.flip(xp.slice(padded, 1, 2, padded.shape[1], 1), (1,))
    found = [last]
    for t in range(len(rows) - 1, 0, -1):
        onward = xp.flip(xp.entered(xp.flip(found[-1] + rows[t], (1,)), back), (1,))
        found.append(xp.where(lengths > t, onward, last))
    return found[::-1]


def total(xp, at_end, target_lengths):
    """The logarithm of the sum over the paths that end in the last label or the blank behind it."""
    ends = xp.unsqueeze(2 * target_lengths, 1)
    label = xp.gather(at_end, 1, xp.clamp_min(ends - 1, 0))
    label = xp.where(ends > 0, label, NEVER)
    return xp.squeeze(xp.logaddexp(xp.gather(at_end, 1, ends), label), 1)


def formula_ctc(xp, scores, leaps, input_lengths, target_lengths, zero_infinity):
    scores = xp.clamp_min(scores, NEVER)
    loss = -total(xp, prefixes(xp, scores, leaps, input_lengths)[-1], target_lengths)
    return xp.where(loss > -NEVER / 2, inf, loss)


def formula_occupancy(xp, scores, leaps, input_lengths, target_lengths, zero_infinity):
    scores = xp.clamp_min(scores, NEVER)
    before = prefixes(xp, scores, leaps, input_lengths)
    after = suffixes(xp, scores, leaps, input_lengths, target_lengths)
    log_total = total(xp, before[-1], target_lengths)
    share = xp.exp(xp.stack(before, 0) + xp.stack(after, 0) - xp.unsqueeze(log_total, 1))
    possible = xp.unsqueeze(log_total > NEVER / 2, 1)
    times = xp.reshape(xp.arange(scores.shape[0]), (scores.shape[0], 1, 1))
    share = xp.where(possible, share, 0 if zero_infinity else nan)
    return xp.where(times < xp.unsqueeze(input_lengths, 1), share, 0)


def ctc_samples(t):
    found = []
    for steps, size, lengths in ((5, 3, ([5, 4], [3, 2])), (4, 2, ([4, 1], [1, 0])), (1, 0, ([1, 0], [0, 0]))):
        leaps = t.bools(2, 2 * size + 1)
        inputs, targets = ((t.integers(0, 1, 2) + t.integers(0, 1, 2).new_tensor(each)) for each in lengths)
        found.append(((t(steps, 2, 2 * size + 1), leaps, inputs, targets, True), {}))
    return found


op(
    "ctc_occupancy(scores, leaps, input_lengths, target_lengths, zero_infinity)",
    "The probability of being in each state at each time, given that the target is read: minus the loss's derivative.",
    composite=formula_occupancy,
    operands=("scores",),
    real=True,
    samples=ctc_samples,
    **INTERNAL,
)
ctc_paths = op(
    "ctc_paths(scores, leaps, input_lengths, target_lengths, zero_infinity)",
    "Minus the logarithm of the sum over all paths through the states, for each sample, of the scores' exponentials.",
    composite=formula_ctc,
    operands=("scores",),
    vjp={
        "scores": lambda xp, grad, scores, leaps, input_lengths, target_lengths, zero_infinity: (
            xp.ctc_occupancy(scores, leaps, input_lengths, target_lengths, zero_infinity) * -xp.unsqueeze(grad, 1)
        )
    },
    real=True,
    node="CtcLossBackward0",
    samples=ctc_samples,
    **INTERNAL,
)


# -- the function ------------------------------------------------------------------------------------------------------


def lengths_of(name, lengths, batch, most, like):
    """Lengths as a tensor of integers, one for each sample; PyTorch's error unless they are of [0, most]."""
    if not is_tensor(lengths):
        lengths = like.new_tensor([int(n) for n in lengths], dtype=int64)
    if lengths.dtype.is_floating_point or lengths.dtype.is_complex:
        raise RuntimeError(f"ctc_loss: {name} must be integral, but got {lengths.dtype}")
    if lengths.numel() != batch:
        raise RuntimeError(f"ctc_loss: {name} must be of size batch_size, {batch}, but got {lengths.numel()}")
    lengths, expected = lengths.reshape((batch,)).to(int64), f"ctc_loss: Expected {name} to have value at"
    lengths = perform(TABLE["within"], lengths, 0, inf, expected + " least 0, but got value {}")
    if name == "target_lengths":
        expected = (
            f"ctc_loss: Expected tensor to have size at least {{}} at dimension 1, but got size {most} for 'targets'"
        )
    else:
        expected += f" most {most}, but got value {{}}"
    return perform(TABLE["within"], lengths, 0, most + 1, expected)


def padded_targets(targets, target_lengths, batch):
    """Targets one after another as rows of a matrix."""
    counts = target_lengths.tolist()
    if targets.shape[0] != sum(counts):
        raise RuntimeError(
            f"ctc_loss: Expected tensor to have size {sum(counts)} at dimension 0, but got size {targets.shape[0]} for "
            "argument #2 'targets': one after another, they have as many elements as the sum of target_lengths"
        )
    width = max(counts, default=0)
    starts = target_lengths.cumsum(0) - target_lengths
    places = starts.unsqueeze(1) + perform_arange(targets, width)
    return targets[places.clamp_max(max(sum(counts) - 1, 0))] if width else targets.reshape((batch, 0))


def perform_arange(like, size):
    """The integers below ``size``, in a tensor."""
    return like.new_tensor(list(range(size)), dtype=int64)


def check_ctc(log_probs, targets, blank):
    need_tensors("ctc_loss", log_probs=log_probs, targets=targets)
    if log_probs.ndim not in (2, 3):
        raise RuntimeError(f"ctc_loss: Expected 3-dimensional tensor, but got {log_probs.ndim}-dimensional log_probs")
    if 0 in log_probs.shape:
        raise RuntimeError(f"ctc_loss: log_probs tensor must not be empty, but has shape {list(log_probs.shape)}")
    if not log_probs.dtype.is_floating_point or log_probs.dtype.itemsize == 2:
        raise NotImplementedError(f'"ctc_loss" not implemented for {log_probs.dtype}; expected float32 or float64')
    if not 0 <= blank < log_probs.shape[-1]:
        raise RuntimeError(f"ctc_loss: blank must be in label range, 0 to {log_probs.shape[-1] - 1}, but got {blank}")
    if not 1 <= targets.ndim <= 2:
        raise RuntimeError(
            f"ctc_loss: Expected 1 to 2 dimensions, but got {targets.ndim}-dimensional tensor for argument #2 'targets'"
        )


def states_of(targets, target_lengths, blank, classes):
    """The labels with blanks around them, and which of them can be reached from the second before."""
    batch, width = targets.shape
    inside = perform_arange(targets, width) < target_lengths.unsqueeze(1)
    targets = perform(TABLE["where"], inside, targets.to(int64), blank)
    targets = perform(TABLE["within"], targets, 0, classes, "ctc_loss: targets must be classes, but one is {}")
    padding = perform(TABLE["constant_pad_nd"], targets.unsqueeze(2), (1, 0), blank)
    states = perform(TABLE["constant_pad_nd"], padding.reshape((batch, 2 * width)), (0, 1), blank)
    return states, states != perform(TABLE["constant_pad_nd"], states, (2, -2), blank)


def with_total_of_one(log_probs):
    """The same numbers, with derivatives as if their exponentials were divided by their sum, which is one."""
    total = log_probs.clamp_max(80).exp().sum(-1, True)
    return log_probs - (total - total.detach())


def choose_ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity):
    reduction = given_reduction(reduction)
    check_ctc(log_probs, targets, blank)
    alone = log_probs.ndim == 2
    if alone:
        log_probs, targets = log_probs.unsqueeze(1), targets if targets.ndim == 1 else targets.reshape((1, -1))
    steps, batch, classes = log_probs.shape
    most = targets.shape[-1]
    if targets.ndim == 2 and targets.shape[0] != batch:
        raise RuntimeError(
            f"ctc_loss: Expected tensor to have size {batch} at dimension 0, but got size {targets.shape[0]} for argument "
            "#2 'targets'"
        )
    input_lengths = lengths_of("input_lengths", input_lengths, batch, steps, targets)
    target_lengths = lengths_of("target_lengths", target_lengths, batch, most, targets)
    if targets.ndim == 1:
        targets = padded_targets(targets, target_lengths, batch)
    states, leaps = states_of(targets, target_lengths, blank, classes)
    scores = with_total_of_one(log_probs).gather(2, states.unsqueeze(0).expand((steps, *states.shape)))
    losses = perform(ctc_paths, scores, leaps, input_lengths, target_lengths, zero_infinity)
    return None, reduced_by_length(losses, target_lengths, reduction, zero_infinity, alone)


def reduced_by_length(losses, target_lengths, reduction, zero_infinity, alone):
    """A mean is first taken over each target's elements."""
    if zero_infinity:
        losses = perform(TABLE["where"], losses == inf, 0.0, losses)
    if reduction == "mean":
        return (losses / target_lengths.clamp_min(1).to(losses.dtype)).mean()
    if reduction == "sum":
        return losses.sum()
    return losses.squeeze(0) if alone else losses


overload(
    "ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction='mean', zero_infinity=False)",
    "Minus the logarithm of the probability that a sequence of distributions over classes is read as a target, repetitions "
    "and blanks left out. Log-probabilities (T, N, C), or (T, C); targets (N, S), or one after another; lengths (N,) of both. "
    "``'mean'`` divides each loss by its target's length first; ``zero_infinity`` makes impossible targets cost nothing.",
    choose_ctc_loss,
    **HOME,
)
