"""``torch.distributions``: distributions with samples, densities and gradients of both, transforms, and divergences.

>>> import pullback as torch
>>> from pullback.distributions import Gamma, kl_divergence
>>> concentration = torch.tensor(2.0, requires_grad=True)
>>> posterior = Gamma(concentration, 1.0)
>>> kl_divergence(posterior, Gamma(3.0, 1.0)).backward()
>>> concentration.grad
tensor(-0.6449)
"""

# ruff: noqa: F401, F403, I001

import sys as _sys

from . import categorical, compound, constraint_registry, constraints, discrete, distribution, gamma, joined
from . import kl, kl_between, location_scale, low_rank, matrices, multivariate, rare, relaxed, transformed
from . import transforms, utils
from .categorical import *
from .compound import *
from .constraint_registry import biject_to, transform_to
from .discrete import *
from .distribution import *
from .gamma import *
from .joined import *
from .kl import kl_divergence, register_kl
from .location_scale import *
from .low_rank import *
from .matrices import *
from .multivariate import *
from .rare import *
from .relaxed import RelaxedBernoulli, RelaxedOneHotCategorical
from .transformed import *
from .transforms import *

GROUPS = (
    categorical, compound, discrete, distribution, gamma, joined, location_scale, low_rank, matrices, multivariate, rare,
    transformed, transforms,
)  # fmt: skip

__all__ = ["RelaxedBernoulli", "RelaxedOneHotCategorical", "biject_to", "kl_divergence", "register_kl", "transform_to"]
__all__ += [name for group in GROUPS for name in group.__all__]

# PyTorch has a module for each distribution: torch.distributions.normal.Normal.
MODULES = {
    "bernoulli": discrete, "beta": gamma, "binomial": discrete, "cauchy": location_scale, "chi2": gamma,
    "continuous_bernoulli": rare, "dirichlet": gamma, "exp_family": distribution, "exponential": gamma,
    "fishersnedecor": gamma, "generalized_pareto": rare, "geometric": discrete, "gumbel": transformed,
    "half_cauchy": transformed, "half_normal": transformed, "independent": compound, "inverse_gamma": transformed,
    "kumaraswamy": transformed, "laplace": location_scale, "lkj_cholesky": matrices, "log_normal": transformed,
    "logistic_normal": transformed, "lowrank_multivariate_normal": low_rank, "mixture_same_family": compound,
    "multinomial": categorical, "multivariate_normal": multivariate, "negative_binomial": discrete,
    "normal": location_scale, "one_hot_categorical": categorical, "pareto": transformed, "poisson": discrete,
    "relaxed_bernoulli": relaxed, "relaxed_categorical": relaxed, "studentT": location_scale,
    "transformed_distribution": transformed, "uniform": location_scale, "von_mises": location_scale,
    "weibull": transformed, "wishart": matrices,
}  # fmt: skip
for _name, _module in MODULES.items():
    globals()[_name] = _sys.modules[f"{__name__}.{_name}"] = _module
