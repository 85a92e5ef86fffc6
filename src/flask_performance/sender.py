"""The thread that brings a process's requests to the platform, and its life.

    Buffer ── take ──▶ Delivery (rows, numbered batches) ── Transport ──▶ platform

The thread starts with the process's first request and starts again after a fork. While there is
nothing to do it sleeps, and wakes every two minutes to say that the process lives.
"""

import atexit
import codecs
import contextlib
import logging
import math
import os
import sys
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Final

from .buffer import MOST_RAW, Buffer
from .config import Options
from .hooks import Hooks
from .ledger import Ledger
from .threads import shares_threads, uwsgi_without_threads
from .transport import Transport

if TYPE_CHECKING:
    from flask import Flask

    from .delivery import Delivery
    from .spool import Spool

logger = logging.getLogger("flask_performance")

#: Records turned into rows at once: a fraction of a millisecond's work.
SLICE: Final = 500
#: At exit the process waits this long (seconds) for the last batches, never longer.
LAST_FLUSH: Final = 2.0
#: This part of it is for the network; in the rest, what found no answer is written to the spool.
NETWORK_SHARE: Final = 0.9
#: A process without requests says so often (seconds) that it lives: often enough that the platform,
#: which takes one that is silent for five minutes for gone, may miss one.
BEAT: Final = 120.0
#: After a thread that could not start, or failed, the next one waits so long (seconds).
START_PAUSE: Final = 5.0


class Flush:
    """Somebody waits for everything to be sent."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.delivered = False


class Sender:
    """One app's sender in one process."""

    def __init__(
        self,
        options: Options,
        transport: Transport,
        hooks: Hooks,
        *,
        app: "weakref.ref[Flask] | None" = None,
        root: str = ".",
        debug: bool = False,
    ) -> None:
        self._app = app
        self._options = options
        self._transport = transport
        self._hooks = hooks
        self._root = root
        self._debug = debug
        self._cpu_a_turn = math.ceil(options.cpu * options.interval)
        self.buffer = Buffer(options.buffer, self._cpu_a_turn, self.wake)
        self._start_at = 0.0
        self._complained = False
        self._adopters: dict[int, object] = {}
        self._begin()
        _senders.add(self)
        _register_hooks()

    def _begin(self) -> None:
        """The state of a process that has seen nothing yet.

        The lock comes last but one: until then `wake` finds the former, which is taken, and starts
        no thread amid all this. The pid comes last: until then `wake` leaves a fork to its adopter.
        """
        self._thread: threading.Thread | None = None
        self._bell: threading.Lock | None = None
        self._flushes: deque[Flush] = deque()
        self._leave_by: float | None = None
        self._overflowed = self.buffer.refused()
        self.ledger = Ledger()
        self._starting = threading.Lock()
        self._pid = os.getpid()

    # -- from any thread -------------------------------------------------------------------------

    def wake(self) -> None:
        """Start the thread, or ring it awake. Neither blocks nor raises."""
        if self._pid != os.getpid() and not self._adopt():
            return
        self.buffer.idle = False
        if self._thread is not None:
            self._ring()
        elif time.monotonic() < self._start_at:
            self.buffer.idle = True  # a later request tries again
        elif self._starting.acquire(blocking=False):
            self._start()

    def _adopt(self) -> bool:
        """Begin anew after a fork that ran no hooks, as uWSGI's; its master serves nothing, so
        nothing in the buffer is the parent's. Of several first requests one does it: `setdefault`
        is one step of the interpreter, and a lock might have been forked while it was taken."""
        pid, me = os.getpid(), object()
        if self._adopters.setdefault(pid, me) is not me:
            return False  # the adopter starts the thread, which finds our record
        self._start_at = 0.0
        self._begin()
        self._adopters = {pid: me}  # who comes late finds it, too
        self._transport.abandon()
        return True

    def _ring(self) -> None:
        bell = self._bell
        if bell is not None:
            with contextlib.suppress(RuntimeError):  # it rings already
                bell.release()

    def _start(self) -> None:
        if sys.is_finalizing():  # pragma: no cover  coverage has ended by then
            return  # a body that only the interpreter's end drops: a thread would not run any more
        # Made here and not before: gevent may have patched the locks since.
        self._bell = threading.Lock()
        self._bell.acquire()
        if uwsgi_without_threads():
            logger.warning(
                "Flask-Performance cannot send: uWSGI runs no Python threads. Start it with "
                "--enable-threads."
            )
        thread = threading.Thread(target=self._run, name="flask-performance", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:  # no more threads, or the interpreter ends
            self._postpone(error)
        else:
            _register_with_multiprocessing()

    def _postpone(self, error: Exception) -> None:
        """No thread at this moment: a request after the pause tries again. Until then requests fill
        the buffer, and what finds no room is counted."""
        if not self._complained:
            self._complained = True
            logger.warning(
                "Flask-Performance cannot start its thread (%s): requests wait in this process. "
                "Raise its limit of threads or memory; it tries again every %g s.",
                error,
                START_PAUSE,
            )
        self._thread = None
        self._start_at = time.monotonic() + START_PAUSE
        self._starting.release()
        self.buffer.idle = True

    def flush(self, timeout: float = LAST_FLUSH) -> bool:
        """Send what waits. True when all of it is answered within `timeout` seconds."""
        flush = Flush()
        self.wake()
        self._flushes.append(flush)
        self._ring()
        flush.done.wait(timeout)
        return flush.delivered

    def stop(self, timeout: float = LAST_FLUSH) -> None:
        """Send what waits, say goodbye and end the thread, within `timeout` seconds."""
        self.leave(timeout)
        thread = self._thread
        if thread is None:
            self._send_here(timeout)
        elif thread is not threading.current_thread():
            with contextlib.suppress(RuntimeError):  # it never started
                thread.join(timeout)

    def _send_here(self, timeout: float) -> None:
        """No thread could be started, and requests wait: the one that ends the process sends."""
        if self.buffer and self._pid == os.getpid() and self._starting.acquire(blocking=False):
            self._hurry(timeout)
            self._live()

    def leave(self, timeout: float = LAST_FLUSH) -> None:
        """As `stop`, without waiting for it."""
        if self._thread is not None and self._pid == os.getpid():
            self._hurry(timeout)
            self._ring()

    def _hurry(self, timeout: float) -> None:
        self._leave_by = time.monotonic() + timeout * NETWORK_SHARE
        self._transport.hurry(self._leave_by)

    def after_fork(self) -> None:
        """In the child: what the parent had buffered stays the parent's."""
        self.buffer.clear()
        self._start_at = 0.0
        self._begin()
        self._transport.abandon()

    # -- on the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        leave_signals_to_the_app()
        self._complained = False
        self._live()

    def _live(self) -> None:
        """From the first request to the last flush."""
        try:
            self._work()
        except BaseException:
            # Our fault, and the app must not feel it. What waited is lost with this instance's
            # ledger open, which the platform shows; a request after the pause starts another.
            logger.exception("Flask-Performance: the sender failed. Please report this.")
            self._transport.close()
            self._start_at = time.monotonic() + START_PAUSE
        self._begin()  # whatever still comes starts anew, as an instance of its own
        self.buffer.idle = True
        if self.buffer:
            self.wake()

    def _work(self) -> None:
        delivery = self._delivery()
        while self._leave_by is None:
            self._rest(delivery)
            self._turn(delivery)
        self._turn(delivery)
        delivery.finish(self._leave_by)

    def _delivery(self) -> "Delivery":
        """Made of what only this thread needs, which the app's start does not wait for.

        None of these modules makes a class by dataclass or NamedTuple. They run texts as programs,
        which has CPython forget that an interrupt is ending it, and end with another status.
        """
        with _imports:
            from .delivery import Delivery
            from .identity import flask_version, identify
            from .routes import Declared
            from .rules import Rules

            flask_version()
            codecs.lookup("idna")  # a connection's first use imports it
        instance = identify(self._options, self._root, debug=self._debug)
        rules = Rules(self._options.ignore, self._hooks, self.ledger)
        return Delivery(
            instance,
            self._transport,
            self.ledger,
            rules,
            Declared(self._app),
            self._options.buffer,
            self._open_spool(),
            BEAT,
        )

    def _open_spool(self) -> "Spool | None":
        if self._options.spool is None:
            return None
        from .spool import Spool  # the delivery has imported it

        try:
            return Spool(self._options.spool, self._options.spool_size)
        except OSError as error:
            logger.warning("Flask-Performance goes on without METRIC_SPOOL: %s", error)
            return None

    def _turn(self, delivery: "Delivery") -> None:
        flushes = [self._flushes.popleft() for _ in range(len(self._flushes))]
        self._collect(delivery)
        if self._leave_by is None:
            delivery.step(at_once=bool(flushes))
        if flushes and delivery.ready and self._leave_by is None:
            self._flushes.extend(flushes)  # not all went in one go
            return
        for flush in flushes:
            flush.delivered = not delivery.waiting
            flush.done.set()

    def _rest(self, delivery: "Delivery") -> None:
        """Wait for a first request, then for others to join it."""
        if not delivery.pending and not self._flushes and self._leave_by is None:
            self.buffer.idle = True
            if not self.buffer and not self._flushes and self._leave_by is None:
                self._doze(delivery)
            self.buffer.idle = False
        if not self._flushes and self._leave_by is None and not delivery.behind:
            self._wait(self._options.interval)

    def _doze(self, delivery: "Delivery") -> None:
        """Sleep until there is something to do, or until it is time to say that we live."""
        rung = self._wait(-1 if delivery.refused else BEAT)
        if not rung:
            delivery.beat()

    def _wait(self, seconds: float) -> bool:
        """Sleep until somebody rings (True), or so long."""
        return self._bell is not None and self._bell.acquire(timeout=seconds)

    def _collect(self, delivery: "Delivery") -> None:
        """Bring records from the buffer to the rows, a slice at a time."""
        offset_ns = time.time_ns() - time.perf_counter_ns()
        left = len(self.buffer)
        while left > 0:
            records = self.buffer.take(min(SLICE, left))
            left -= SLICE
            self.ledger.seen += len(records)
            delivery.add(records, offset_ns)
        self._count_overflow()
        self.buffer.limit = max(0, min(MOST_RAW, self._options.buffer - delivery.waiting))
        self.buffer.cpu_left = self._cpu_a_turn
        self.buffer.curious = self._cpu_a_turn > 0 or self._hooks.consumer is not None

    def _count_overflow(self) -> None:
        overflowed = self.buffer.refused()
        self.ledger.seen += overflowed - self._overflowed
        self.ledger.drop("buffer_full", overflowed - self._overflowed)
        self._overflowed = overflowed


def leave_signals_to_the_app() -> None:
    """Have no signal delivered to this thread: servers in C (uWSGI) end the process in whichever
    thread is hit, and that must not be the one that is needed for the last flush."""
    with _imports:
        import signal
    if hasattr(signal, "pthread_sigmask") and not shares_threads():
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


#: The senders of this process. Weak: an app that is gone must not be kept by us.
_senders: "weakref.WeakSet[Sender]" = weakref.WeakSet()
_hooked = threading.Event()
#: Taken while our thread imports: a fork waits for it, a matter of milliseconds. A child that was
#: forked amid an import would wait for ever for the thread that began it and is not in the child.
_imports = threading.Lock()


def _register_hooks() -> None:
    """Once a process: its end and its forks."""
    if _hooked.is_set():
        return
    _hooked.set()
    atexit.register(_at_exit)
    os.register_at_fork(
        before=_imports.acquire, after_in_parent=_imports.release, after_in_child=_after_fork
    )


def _register_with_multiprocessing() -> None:
    """Its children end by `os._exit`, which runs its own finalizers and not those of atexit."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, _at_exit, exitpriority=0)


def _at_exit() -> None:
    deadline = time.monotonic() + LAST_FLUSH
    senders = list(_senders)
    for sender in senders:  # all at once, as they share the time
        sender.leave(LAST_FLUSH)
    for sender in senders:
        sender.stop(max(0.0, deadline - time.monotonic()))


def _after_fork() -> None:
    _imports.release()
    for sender in list(_senders):
        sender.after_fork()
