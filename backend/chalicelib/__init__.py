"""The core: untrusted bytes in, a verdict out. Imports neither training nor TensorFlow."""

# That of pyproject.toml. Asking the installation for it takes a tenth of a start, and in Lambda nothing is installed.
__version__ = "0.1.0"
