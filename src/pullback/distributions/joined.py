"""Transforms of the parts of a value, side by side."""

from typing import Any

from . import constraints
from .constraint_registry import BOTH
from .constraints import cat, dependent_property, stack
from .functions import F, formula
from .transforms import Transform
from .utils import lazy_property, sum_rightmost

__all__ = ["CatTransform", "StackTransform"]


class SideBySide(Transform):
    """Transforms of the parts of a value along ``dim``."""

    def _parts(self, value: Any) -> Any:
        raise NotImplementedError

    def _joined(self, parts: list) -> Any:
        raise NotImplementedError

    _call = lambda self, x: self._joined([t(part) for t, part in zip(self.transforms, self._parts(x), strict=True)])

    def _inverse(self, y: Any) -> Any:
        return self._joined([t.inv(part) for t, part in zip(self.transforms, self._parts(y), strict=True)])

    bijective = formula(lambda self: all(t.bijective for t in self.transforms))


def checked_transforms(tseq: Any, cache_size: int) -> list:
    if not all(isinstance(t, Transform) for t in tseq):
        raise AssertionError("All elements of tseq must be Transform instances")
    return [t.with_cache(cache_size) for t in tseq] if cache_size else list(tseq)


class CatTransform(SideBySide):
    """Transforms of the pieces of a value that ``torch.cat`` would join: of lengths ``lengths`` along ``dim``."""

    def __init__(self, tseq: Any, dim: int = 0, lengths: Any = None, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.transforms, self.dim = checked_transforms(tseq, cache_size), dim
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise AssertionError(f"expected {len(self.transforms)} lengths, one for each transform")

    _arguments = lambda self: (self.transforms, self.dim, self.lengths)

    @lazy_property
    def event_dim(self) -> int:  # type: ignore[override]
        return max(t.event_dim for t in self.transforms)

    @lazy_property
    def length(self) -> int:
        """The extent of a value along ``dim``."""
        return sum(self.lengths)

    def _parts(self, value: Any) -> Any:
        if value.shape[self.dim] != self.length or not -value.dim() <= self.dim < value.dim():
            raise AssertionError(f"expected {self.length} elements along dim {self.dim}, got shape {value.shape}")
        return F.split(value, self.lengths, self.dim)

    _joined = lambda self, parts: F.cat(parts, dim=self.dim)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        found = []
        for t, part, image in zip(self.transforms, self._parts(x), self._parts(y), strict=True):
            logdet = t.log_abs_det_jacobian(part, image)
            found.append(sum_rightmost(logdet, self.event_dim - t.event_dim))
        dim = self.dim - x.dim() if self.dim >= 0 else self.dim
        dim += self.event_dim
        return F.cat(found, dim=dim) if dim < 0 else sum(found)

    domain = dependent_property(lambda self: cat([t.domain for t in self.transforms], self.dim, self.lengths))

    codomain = dependent_property(lambda self: cat([t.codomain for t in self.transforms], self.dim, self.lengths))


class StackTransform(SideBySide):
    """Transforms of the slices of a value along ``dim``."""

    def __init__(self, tseq: Any, dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.transforms, self.dim = checked_transforms(tseq, cache_size), dim

    _arguments = lambda self: (self.transforms, self.dim)

    def _parts(self, value: Any) -> Any:
        if not -value.dim() <= self.dim < value.dim() or value.shape[self.dim] != len(self.transforms):
            raise AssertionError(
                f"expected {len(self.transforms)} elements along dim {self.dim}, got shape {value.shape}"
            )
        return F.unbind(value, self.dim)

    _joined = lambda self, parts: F.stack(parts, dim=self.dim)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        parts = zip(self.transforms, self._parts(x), self._parts(y), strict=True)
        return F.stack([t.log_abs_det_jacobian(part, image) for t, part, image in parts], dim=self.dim)

    domain = dependent_property(lambda self: stack([t.domain for t in self.transforms], self.dim))

    codomain = dependent_property(lambda self: stack([t.codomain for t in self.transforms], self.dim))


def enter(registry: Any) -> None:
    transforms = lambda c: [registry(part) for part in c.cseq]
    registry.register(constraints._Cat, lambda c: CatTransform(transforms(c), c.dim, c.lengths))
    registry.register(constraints._Stack, lambda c: StackTransform(transforms(c), c.dim))


for registry in BOTH:
    enter(registry)
