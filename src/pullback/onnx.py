"""``torch.onnx``: the export of models to other programs, which Pullback does not have."""

from typing import Any, NoReturn


def _refuse(*args: Any, **options: Any) -> NoReturn:
    """Raises RuntimeError: there is no exporter."""
    raise RuntimeError(
        "torch.onnx.export: Pullback has no exporter. Save the model's state_dict() by torch.save, load it in PyTorch, and "
        "export it there."
    )


export = dynamo_export = _refuse


def is_in_onnx_export() -> bool:
    """Whether a model is being exported: never."""
    return False
