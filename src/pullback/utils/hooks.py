"""``torch.utils.hooks``: the handles that registering a hook returns."""

from ..tape.hooks import RemovableHandle

__all__ = ["RemovableHandle"]
