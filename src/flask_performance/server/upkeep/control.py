"""How a command reaches what only the serving process may touch: a socket in the data folder.

The socket is its owner's alone (0600). One connection asks one thing: a line of JSON; the answers
are lines, too. An answer that says `hold` keeps what it names until the asker sends a line or
goes away; the last one says `done` or `error`.
"""

import contextlib
import json
import logging
import os
import socket
import socketserver
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

from flask_performance.server.folder import exclusive
from flask_performance.server.settings import Settings

from .tasks import Tasks, UpkeepError

log = logging.getLogger(__name__)

Answer = dict[str, Any]
#: What the system takes as the address of such a socket, with room to spare (bytes).
LONGEST_ADDRESS: Final = 100
#: A question is at most so long (bytes).
LONGEST: Final = 64 * 1024


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """The socket's address; Linux knows a short one for any path."""
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class _Handler(socketserver.StreamRequestHandler):
    server: "ControlServer"

    def handle(self) -> None:
        try:
            question = json.loads(self.rfile.readline(LONGEST))
            self._answer(question.pop("task"), question)
        except (
            OSError,
            ValueError,
            AttributeError,
            KeyError,
        ) as error:  # the asker went away, or is no command of ours
            log.warning("A command ended before its answer (%(error)s)", {"error": str(error)})

    def _answer(self, task: str, arguments: Answer) -> None:
        with contextlib.closing(self.server.tasks.run(task, arguments)) as answers:
            try:
                for answer in answers:
                    self._say(answer)
                    if "hold" in answer:
                        self.rfile.readline(LONGEST)
            except UpkeepError as error:
                self._say({"error": str(error)})
            except OSError:
                raise
            except Exception as error:
                log.exception("A command failed: %(task)s", {"task": task})
                self._say({"error": f"The server failed ({error}); its log says more."})
            else:
                self._say({"done": True})

    def _say(self, answer: Answer) -> None:
        self.wfile.write(json.dumps(answer).encode() + b"\n")


class ControlServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers commands from threads of its own until it is closed. Raises OSError."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, path: Path, tasks: Tasks) -> None:
        self.tasks = tasks
        self._path = path
        path.unlink(missing_ok=True)
        with _address(path) as address:
            super().__init__(address, _Handler)
        self._thread = threading.Thread(target=self.serve_forever, name="control", daemon=True)
        self._thread.start()

    def server_bind(self) -> None:
        os.fchmod(self.socket.fileno(), 0o600)  # Linux makes the file with this mode
        super().server_bind()
        self._path.chmod(0o600)

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def answering(settings: Settings, tasks: Tasks) -> Iterator[None]:
    """Answers commands meanwhile; where there can be no socket, all the rest works."""
    try:
        server = ControlServer(settings.control, tasks)
    except OSError as error:
        log.warning(
            "The socket %(file)s cannot be made (%(error)s): backup, export and dead-letter need "
            "this server stopped.",
            {"file": str(settings.control), "error": error.strerror or str(error)},
        )
        yield
        return
    with contextlib.closing(server):
        yield


def ask(settings: Settings, task: str, **arguments: Any) -> Generator[Answer]:
    """Have a task done by the server that has the folder, or here where there is none.

    The answers in turn; what one holds is there until the next is asked for. Raises UpkeepError
    and SettingsError.
    """
    if settings.queue_url is not None:  # nothing that it asks of is one process's alone
        with contextlib.closing(Tasks(settings)) as tasks:
            yield from tasks.run(task, arguments)
        return
    connection = _connected(settings)
    if connection is not None:
        with connection:
            yield from _asked(connection, {"task": task, **arguments})
    elif settings.data.is_dir():
        with exclusive(settings), contextlib.closing(Tasks(settings)) as tasks:
            yield from tasks.run(task, arguments)
    else:
        raise UpkeepError(f"There is no data folder {settings.data}; name it with --data.")


def _connected(settings: Settings) -> socket.socket | None:
    """None: nobody serves the folder."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        with _address(settings.control) as address:
            connection.connect(address)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise UpkeepError(
            f"The server's socket {settings.control} cannot be used ({error.strerror or error}). "
            "Run the command as the user that runs `serve`, or as root."
        ) from error
    return connection


def _asked(connection: socket.socket, question: Answer) -> Iterator[Answer]:
    with connection.makefile("rwb") as stream:
        stream.write(json.dumps(question).encode() + b"\n")
        stream.flush()
        for line in stream:
            answer = json.loads(line)
            if "error" in answer:
                raise UpkeepError(answer["error"])
            if "done" in answer:
                return
            yield answer
            if "hold" in answer:
                stream.write(b"\n")
                stream.flush()
    raise UpkeepError("The server ended before it was done; its log says more.")
