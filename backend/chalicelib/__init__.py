"""The core: untrusted bytes in, a verdict out. Imports neither training nor TensorFlow."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("unmask")
except PackageNotFoundError:  # on Lambda the folder is copied, not installed
    __version__ = "0.1.0"
