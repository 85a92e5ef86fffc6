"""What the app's author may plug in."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .texts import shown

if TYPE_CHECKING:
    from .rules import Draft

logger = logging.getLogger("flask_performance")

#: Longer names are cut.
MOST_CONSUMER: Final = 128

ConsumerHook = Callable[[], str | None]
EditHook = Callable[["Draft"], "Draft | None"]


class Hooks:
    """What the app's author may plug in. Shared by all apps of a collector."""

    def __init__(self) -> None:
        #: Names who called; runs on the request's thread, in its context.
        self.consumer: ConsumerHook | None = None
        #: Edits or refuses a record.
        self.edit: EditHook | None = None
        self._complained = False

    def name_consumer(self) -> str | None:
        """What the app's hook says; a hook that raises must not hurt the response.

        What is no Exception passes: on the request's thread that is the server ending it.
        """
        try:
            named = self.consumer() if self.consumer is not None else None
            # Made text here, in the request's context: it may be a proxy such as `current_user`.
            return None if named is None else shown(named, MOST_CONSUMER)
        except Exception as error:
            if not self._complained:
                self._complained = True
                logger.error(  # noqa: TRY400  no traceback of ours, the hook's own follows
                    "Flask-Performance: the consumer hook raised, or what it returned has no text; "
                    "such requests name nobody. Further errors of the hook are not logged.",
                    exc_info=error,
                )
            return None
