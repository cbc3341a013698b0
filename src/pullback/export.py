"""``torch.export``: whole programs of models as PyTorch's own graphs, which Pullback does not have."""

from typing import Any, NoReturn


def _refuse(*args: Any, **options: Any) -> NoReturn:
    """Raises RuntimeError: there is no exporter."""
    raise RuntimeError(
        "torch.export.export: Pullback has no exporter. Save the model's state_dict() by torch.save, load it in PyTorch, "
        "and export it there."
    )


export = export_for_training = save = load = _refuse


class ExportedProgram:
    """The class of exported programs, for ``isinstance``; here there are none."""
