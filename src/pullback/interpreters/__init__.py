"""Who runs an operation: arrays, dual numbers, series, batches and traces. (The sixth interpreter, the tape, is a floor up.)"""

from .dispatch import Value, recorded_values, run, values

__all__ = ["Value", "recorded_values", "run", "values"]
