"""``torch.version``: what scripts ask about how the library was built."""

PACKAGE = "0.1.0"  # Pullback's own
API = "2.13.0"  # that of the PyTorch whose names and behaviour these are
__version__: str = PACKAGE
cuda = hip = xpu = None  # it was built for none of them
debug = False
git_version = "Unknown"
