"""Distributions to try, as functions of a library and of tensors: ``make(T, leaf)``, where ``leaf(data)`` makes a parameter."""

import numpy as np

RNG = np.random.default_rng(0)
COVARIANCE = [[2.0, 0.3, -0.2], [0.3, 1.0, 0.1], [-0.2, 0.1, 0.7]]
TRIL = np.linalg.cholesky(COVARIANCE).tolist()
PRECISION = np.linalg.inv(COVARIANCE)
PRECISION = ((PRECISION + PRECISION.T) / 2).tolist()
SIMPLEX = [[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]]
LOGITS = [[0.3, -1.0, 2.0], [0.0, 0.7, -0.4]]


def simple(name, **parameters):
    """A distribution whose parameters are all tensors."""
    return lambda T, leaf: getattr(T.distributions, name)(**{key: leaf(value) for key, value in parameters.items()})


def mixture(T, leaf):
    D = T.distributions
    return D.MixtureSameFamily(D.Categorical(logits=leaf(LOGITS)), D.Normal(leaf(LOGITS), leaf(SIMPLEX)))


def mixture_of_vectors(T, leaf):
    D = T.distributions
    parts = D.Independent(D.Normal(leaf(LOGITS), leaf(SIMPLEX)), 1)
    return D.MixtureSameFamily(D.Categorical(probs=leaf([0.4, 0.6])), parts)


CONTINUOUS = {
    "normal": simple("Normal", loc=[0.5, -1.0], scale=[[0.3], [2.0]]),
    "laplace": simple("Laplace", loc=[0.5, -1.0], scale=[0.3, 2.0]),
    "cauchy": simple("Cauchy", loc=[0.5, -1.0], scale=[0.3, 2.0]),
    "student": simple("StudentT", df=[0.5, 1.5, 5.0], loc=[0.5, -1.0, 2.0], scale=[0.3, 2.0, 1.0]),
    "uniform": simple("Uniform", low=[-1.0, 0.5], high=[0.3, 2.0]),
    "pareto-general": simple(
        "GeneralizedPareto", loc=[0.5, -1.0, 0.0], scale=[0.3, 2.0, 1.0], concentration=[0.3, -0.4, 0.0]
    ),
    "von-mises": simple("VonMises", loc=[0.5, -1.0, 2.0], concentration=[0.3, 5.0, 400.0]),
    "exponential": simple("Exponential", rate=[0.3, 4.0]),
    "gamma": simple("Gamma", concentration=[0.3, 1.0, 7.0], rate=[2.0, 0.5, 1.0]),
    "chi2": simple("Chi2", df=[0.5, 3.0, 9.0]),
    "beta": simple("Beta", concentration1=[0.3, 1.0, 7.0], concentration0=[2.0, 0.5, 1.5]),
    "fisher": simple("FisherSnedecor", df1=[1.5, 3.0, 9.0], df2=[0.5, 5.0, 4.5]),
    "dirichlet": simple("Dirichlet", concentration=[[0.3, 0.5, 0.7], [3.0, 1.0, 2.0]]),
    "log-normal": simple("LogNormal", loc=[0.5, -1.0], scale=[0.3, 1.1]),
    "half-normal": simple("HalfNormal", scale=[0.3, 2.0]),
    "half-cauchy": simple("HalfCauchy", scale=[0.3, 2.0]),
    "inverse-gamma": simple("InverseGamma", concentration=[0.8, 1.5, 7.0], rate=[2.0, 0.5, 1.0]),
    "gumbel": simple("Gumbel", loc=[0.5, -1.0], scale=[0.3, 2.0]),
    "pareto": simple("Pareto", scale=[0.3, 2.0, 1.0], alpha=[0.7, 1.5, 4.0]),
    "weibull": simple("Weibull", scale=[0.3, 2.0], concentration=[1.7, 4.0]),
    "kumaraswamy": simple("Kumaraswamy", concentration1=[0.7, 2.0], concentration0=[1.7, 4.0]),
    "logistic-normal": simple("LogisticNormal", loc=LOGITS, scale=SIMPLEX),
    "relaxed-bernoulli": simple("RelaxedBernoulli", temperature=0.7, probs=[0.3, 0.8]),
    "relaxed-bernoulli-logits": simple("RelaxedBernoulli", temperature=0.7, logits=[0.3, -1.8]),
    "relaxed-one-hot": simple("RelaxedOneHotCategorical", temperature=0.7, probs=SIMPLEX),
    "relaxed-one-hot-logits": simple("RelaxedOneHotCategorical", temperature=0.7, logits=LOGITS),
    "continuous-bernoulli": simple("ContinuousBernoulli", probs=[0.1, 0.4995, 0.9]),
    "continuous-bernoulli-logits": simple("ContinuousBernoulli", logits=[-1.0, 0.001, 2.0]),
    "multivariate": simple("MultivariateNormal", loc=[0.5, -1.0, 2.0], covariance_matrix=COVARIANCE),
    "multivariate-precision": simple("MultivariateNormal", loc=LOGITS, precision_matrix=PRECISION),
    "multivariate-tril": simple("MultivariateNormal", loc=LOGITS, scale_tril=TRIL),
    "low-rank": simple(
        "LowRankMultivariateNormal", loc=LOGITS, cov_factor=[[1.0], [0.3], [-2.0]], cov_diag=[0.3, 1.0, 0.5]
    ),
    "wishart": simple("Wishart", df=[4.5, 7.0], covariance_matrix=COVARIANCE),
    "wishart-tril": simple("Wishart", df=5.0, scale_tril=TRIL),
    "wishart-precision": simple("Wishart", df=5.0, precision_matrix=PRECISION),
    "independent": lambda T, leaf: T.distributions.Independent(T.distributions.Normal(leaf(LOGITS), leaf(SIMPLEX)), 1),
    "transformed": lambda T, leaf: T.distributions.TransformedDistribution(
        T.distributions.Normal(leaf([0.5, -1.0]), leaf([0.3, 2.0])),
        [T.distributions.AffineTransform(leaf([0.5]), leaf([-0.7])), T.distributions.SigmoidTransform()],
    ),
    "mixture": mixture,
    "mixture-of-vectors": mixture_of_vectors,
    "lkj": lambda T, leaf: T.distributions.LKJCholesky(3, leaf([0.5, 1.0, 4.0])),
    "lkj-2": lambda T, leaf: T.distributions.LKJCholesky(2, leaf(1.5)),
}

DISCRETE = {
    "bernoulli": simple("Bernoulli", probs=[0.3, 0.5, 0.8]),
    "bernoulli-logits": simple("Bernoulli", logits=[0.3, -1.5]),
    "binomial": lambda T, leaf: T.distributions.Binomial(7, probs=leaf([0.3, 0.5])),
    "binomial-logits": lambda T, leaf: T.distributions.Binomial(T.tensor([40.0, 40.0]), logits=leaf([0.3, -1.5])),
    "geometric": simple("Geometric", probs=[0.3, 0.5]),
    "geometric-logits": simple("Geometric", logits=[0.3, -1.5]),
    "negative-binomial": simple("NegativeBinomial", total_count=[3.0, 7.5], probs=[0.3, 0.5]),
    "negative-binomial-logits": simple("NegativeBinomial", total_count=[3.0, 7.5], logits=[0.3, -0.5]),
    "poisson": simple("Poisson", rate=[0.3, 4.0, 30.0]),
    "categorical": simple("Categorical", probs=[[2.0, 5.0, 3.0], [6.0, 1.0, 3.0]]),
    "categorical-logits": simple("Categorical", logits=LOGITS),
    "one-hot": simple("OneHotCategorical", probs=SIMPLEX),
    "straight-through": simple("OneHotCategoricalStraightThrough", logits=LOGITS),
    "multinomial": lambda T, leaf: T.distributions.Multinomial(6, probs=leaf(SIMPLEX)),
    "multinomial-logits": lambda T, leaf: T.distributions.Multinomial(6, logits=leaf(LOGITS)),
    "independent-bernoulli": lambda T, leaf: T.distributions.Independent(T.distributions.Bernoulli(leaf(SIMPLEX)), 1),
}
ALL = {**CONTINUOUS, **DISCRETE}


class Leaves:
    """Makes parameters, and remembers them."""

    def __init__(self, T, dtype="float64", requires_grad=False):
        self.T, self.dtype, self.requires_grad, self.made = T, getattr(T, dtype), requires_grad, []

    def __call__(self, data):
        self.made.append(self.T.tensor(data, dtype=self.dtype, requires_grad=self.requires_grad))
        return self.made[-1]


def built(T, name, **options):
    """A distribution of the list, and its parameters."""
    leaves = Leaves(T, **options)
    return ALL[name](T, leaves), leaves.made
