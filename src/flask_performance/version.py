"""The version, in one place: the package's metadata and the client's batches read it here."""

__version__ = "1.0.0"

#: How we name ourselves to the platform.
CLIENT = f"flask-performance/{__version__}"
