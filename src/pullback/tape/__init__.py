"""The reverse-mode interpreter: tensors, the graph they record, the engine that walks it, and writes in place."""
