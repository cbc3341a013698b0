"""``torch.utils.tensorboard``: the writer of TensorBoard's files, which the package tensorboardX provides."""

try:
    from tensorboardX import FileWriter, RecordWriter, SummaryWriter
except ImportError as error:
    raise ModuleNotFoundError(
        "torch.utils.tensorboard needs the package tensorboardX, which writes TensorBoard's files without PyTorch: "
        "pip install tensorboardX",
        name="tensorboardX",
    ) from error

__all__ = ["FileWriter", "RecordWriter", "SummaryWriter"]
