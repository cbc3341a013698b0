"""The losses that PyTorch has also in ``torch``, under other signatures: there a number says how to reduce.

0 stands for ``'none'``, and is the default; 1 for ``'mean'`` and 2 for ``'sum'``.
"""

from .table import OVERLOADS, overload, read_signature


def numbered(signature):
    """Declare the form in ``torch`` of a loss of ``nn.functional``."""
    name, parameters = signature.split("(", 1)
    params, _ = read_signature(f"({parameters}")
    loss = OVERLOADS[name]

    def choose(*args):
        given = dict(zip(params, args, strict=True))
        number = given["reduction"]
        if type(number) is not int:
            raise TypeError(f"{name}(): argument 'reduction' must be int, not {type(number).__name__}")
        given = {**loss.defaults, **given, "reduction": number if number in (1, 2) else 0}
        return loss.choose(*[given[p] for p in loss.params])

    overload(
        f"{name}_numbered({parameters}",
        f"{loss.doc} Here ``reduction`` is 0 for none, 1 for the mean, 2 for the sum.",
        choose,
        method=False,
        homes=(f"torch:{name}",),
    )


numbered("binary_cross_entropy_with_logits(input, target, weight=None, pos_weight=None, reduction=0)")
numbered("cosine_embedding_loss(input1, input2, target, margin=0.0, reduction=0)")
numbered("ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction=0, zero_infinity=False)")
numbered("hinge_embedding_loss(input, target, margin=1.0, reduction=0)")
numbered("kl_div(input, target, reduction=0, *, log_target=False)")
numbered("margin_ranking_loss(input1, input2, target, margin=0.0, reduction=0)")
numbered("poisson_nll_loss(input, target, log_input, full, eps, reduction)")
numbered("triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-06, swap=False, reduction=0)")
