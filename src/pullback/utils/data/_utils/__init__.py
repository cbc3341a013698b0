"""What a loader is made of, by the names under which PyTorch's users reach for it."""

from . import collate, fetch, pin_memory, worker

__all__ = ["collate", "fetch", "pin_memory", "worker"]
