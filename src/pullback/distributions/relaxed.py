"""Continuous relaxations of discrete distributions, whose samples have gradients.

(Maddison, Mnih and Teh, "The concrete distribution", 2017; Jang, Gu and Poole, "Categorical reparameterization with
Gumbel-softmax", 2017.)
"""

import math
from typing import Any

from .categorical import WEIGHTS, OverCategories
from .constraints import real, real_vector, simplex, unit_interval
from .discrete import CHANCE, Chances
from .functions import F, formula
from .transformed import OfBase
from .transforms import ExpTransform, SigmoidTransform
from .utils import broadcast_all, clamp_probs

__all__ = ["ExpRelaxedCategorical", "LogitRelaxedBernoulli", "RelaxedBernoulli", "RelaxedOneHotCategorical"]


class LogitRelaxedBernoulli(Chances, support=real, rsample=True):
    """The log-odds of a relaxed coin: a logistic variable over ``temperature``."""

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        (self.temperature,) = broadcast_all(temperature)
        self.declare_chances(validate_args, probs, logits)

    def _draw(self, shape: Any) -> Any:
        probs = clamp_probs(self.probs.expand(shape))
        u = clamp_probs(F.rand(shape, dtype=probs.dtype))
        return (u.log() - (-u).log1p() + probs.log() - (-probs).log1p()) / self.temperature

    def _log_density(self, value: Any) -> Any:
        logits, value = broadcast_all(self.logits, value)
        gap = logits - value * self.temperature
        return self.temperature.log() + gap - 2 * F.softplus(gap)


class RelaxedBernoulli(OfBase, support=unit_interval, **CHANCE):
    """A relaxed coin: numbers of (0, 1) that lie nearer the ends the lower the ``temperature``."""

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        super().__init__(LogitRelaxedBernoulli(temperature, probs, logits), SigmoidTransform(), validate_args)

    temperature = formula(lambda self: self.base_dist.temperature)

    logits = formula(lambda self: self.base_dist.logits)

    probs = formula(lambda self: self.base_dist.probs)


class ExpRelaxedCategorical(OverCategories, support=real_vector, rsample=True):
    """The logarithms of a relaxed one-hot vector."""

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        (self.temperature,) = broadcast_all(temperature)
        super().__init__(probs, logits, validate_args)

    def _draw(self, shape: Any) -> Any:
        u = clamp_probs(F.rand(shape, dtype=self.logits.dtype))
        scores = (self.logits.expand(shape) - (-u.log()).log()) / self.temperature
        return scores - scores.logsumexp(dim=-1, keepdim=True)

    def _log_density(self, value: Any) -> Any:
        k = self._event_shape[0]
        logits, value = broadcast_all(self.logits, value)
        score = logits - value * self.temperature
        score = (score - score.logsumexp(dim=-1, keepdim=True)).sum(-1)
        return score + math.lgamma(k) + (k - 1) * self.temperature.log()


class RelaxedOneHotCategorical(OfBase, support=simplex, **WEIGHTS):
    """A relaxed one-hot vector: points of the simplex that lie nearer its vertices the lower the ``temperature``."""

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: Any = None) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args)

    temperature = formula(lambda self: self.base_dist.temperature)

    logits = formula(lambda self: self.base_dist.logits)

    probs = formula(lambda self: self.base_dist.probs)
