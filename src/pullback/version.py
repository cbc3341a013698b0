"""``torch.version``: what scripts ask about how the library was built."""

__version__ = "0.1.0"
cuda = hip = xpu = None  # it was built for none of them
debug = False
git_version = "Unknown"
