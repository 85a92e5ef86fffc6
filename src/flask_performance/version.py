"""The version, in one place: the package's metadata and the client's batches read it here."""

__version__ = "1.0.0"
