"""Who runs an operation: arrays, dual numbers, batches and traces. (The fifth interpreter, the tape, is a floor up.)"""

from .dispatch import Value, recorded_values, run, values

__all__ = ["Value", "recorded_values", "run", "values"]
