"""What a command cannot do."""


class UpkeepError(Exception):
    """The message is one sentence for the operator."""
