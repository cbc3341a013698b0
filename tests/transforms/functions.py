"""Three nontrivial functions of one array, written for NumPy and for Pullback alike, and their derivatives by NumPy alone.

NumPy's side is the truth of these tests. Gradients come from the complex step, Im f(x + ih)/h, which is exact to the last
digits; Hessians and third derivatives from central differences of those.
"""

import numpy as np

TINY = 1e-30
STEP = 1e-5


def rosenbrock(lib, x):
    """A polynomial of degree four in all neighbouring coordinates."""
    ahead, here = x[1:], x[:-1]
    return lib.sum(10.0 * (ahead - here**2) ** 2 + (1.0 - here) ** 2) + x[0] * x[1] * x[2]


FEATURES = np.linspace(-1.0, 1.5, 15).reshape(5, 3)
TARGETS = np.array([1.0, -1.0, 1.0, 1.0, -1.0])


def network(lib, parameters):
    """The logistic loss of a network of one hidden layer on five rows of data, as a function of its 21 parameters."""
    features, targets = constant(lib, FEATURES), constant(lib, TARGETS)
    first, bias, last = parameters[:12].reshape((3, 4)), parameters[12:16], parameters[16:20]
    hidden = lib.tanh(features @ first + bias)
    scores = hidden @ last + parameters[20]
    return lib.sum(lib.log(1.0 + lib.exp(-targets * scores))) / 5.0


def attention(lib, flat):
    """A block of softmax attention of three tokens of four features to themselves, squared and weighed."""
    tokens = flat.reshape((3, 4))
    scores = lib.exp(tokens @ tokens.T / 2.0)
    weights = scores / lib.sum(scores, -1)[:, None]
    mixed = weights @ lib.sin(tokens)
    return lib.sum(mixed * mixed * tokens)


def constant(lib, array):
    return array if lib is np else lib.tensor(array)


SIZES = {rosenbrock: 5, network: 21, attention: 12}


def point(function, seed=0):
    """A random place to stand."""
    return np.random.default_rng(seed).uniform(-1.0, 1.0, SIZES[function])


def value(function, x):
    return function(np, x)


def gradient(function, x):
    steps = 1j * TINY * np.eye(x.size)
    return np.array([function(np, x + step).imag / TINY for step in steps])


def hessian(function, x):
    return np.array([central(lambda y: gradient(function, y), x, direction) for direction in np.eye(x.size)])


def hessian_times(function, x, direction):
    return central(lambda y: gradient(function, y), x, direction)


def third_along(function, x, direction):
    """The derivative of the Hessian-vector product with a direction, along that direction."""
    ahead, behind = gradient(function, x + 1e-3 * direction), gradient(function, x - 1e-3 * direction)
    return (ahead - 2.0 * gradient(function, x) + behind) / 1e-6


def central(f, x, direction, step=STEP):
    return (f(x + step * direction) - f(x - step * direction)) / (2.0 * step)
