"""Function transforms: ``grad``, ``vjp``, ``jvp``, ``vmap`` and what is made of them. Any nesting works."""

from .derivatives import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, vjp
from .vectorize import vmap

__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "vjp", "vmap"]
