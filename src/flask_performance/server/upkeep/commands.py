"""The commands of an operator: `backup`, `restore`, `export` and `dead-letter`."""

import base64
import json
import shutil
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy import or_, select

from flask_performance.server.accounts.commands import data_option, opened
from flask_performance.server.accounts.models import Project, db
from flask_performance.server.accounts.names import RefusedError
from flask_performance.server.payload import PayloadError, unpack
from flask_performance.server.settings import Settings, SettingsError

from .archive import pack, refuse_existing
from .errors import UpkeepError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: The end of the year 9999: after everything (microseconds).
EVER_US: Final = 253_402_300_799_999_999


@contextmanager
def sentences() -> Iterator[None]:
    """What goes wrong is one sentence and exit code 1."""
    try:
        yield
    except (UpkeepError, SettingsError) as error:
        raise click.ClickException(str(error)) from error


def ask(settings: Settings, task: str, **arguments: Any) -> Generator[dict[str, Any]]:
    """See `control.ask`."""
    from .control import ask  # the event store is half a second that no other command needs

    return ask(settings, task, **arguments)


@contextmanager
def bar(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """A progress bar, on a terminal alone."""
    with click.progressbar(
        length=max(1, length), label=label, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as shown:
        yield shown.update


def followed(answers: Iterator[dict[str, Any]], label: str) -> dict[str, Any]:
    """Show how far a task is, up to what it holds; all that it said on the way."""
    told: dict[str, Any] = {}
    done = 0
    with bar(label, 100) as update:
        for answer in answers:
            told |= answer
            update(int(told.get("percent", 0)) - done)
            done = int(told.get("percent", 0))
            if "hold" in answer:
                update(100 - done)
                return told
    raise UpkeepError("The server gave no copy.")


def _let_go(answers: Iterator[dict[str, Any]]) -> None:
    """What was held may go now; returns when it is gone."""
    for _ in answers:
        pass


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@data_option
def backup(file: Path, data: Path | None) -> None:
    """Write everything that the data folder holds to FILE, a gzipped tar.

    Works while `serve` runs: apps are answered all the time. FILE holds secrets; keep it so.
    """
    with sentences():
        settings = Settings.read(data)
        refuse_existing(file)
        with closing(ask(settings, "snapshot")) as answers:
            told = followed(answers, "Copying")
            folder = Path(told["hold"])
            size = sum(one.stat().st_size for one in folder.iterdir())
            with bar("Packing", size) as update:
                pack(folder, file, update)
            _let_go(answers)
        packed = file.stat().st_size
        click.echo(f"{file}: {size / 1e6:,.1f} MB in {packed / 1e6:,.1f} MB.", err=True)
        if told["paused"]:
            click.echo(f"Ingest waited {told['paused']:.2f} s; nothing was refused.", err=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@data_option
def restore(file: Path, data: Path | None) -> None:
    """Put the backup FILE into an empty or new data folder.

    FILE is held against its checksums, and its databases are opened, before anything is in place.
    """
    from .restore import restore as restore_into  # a second that no other command needs

    with sentences():
        settings = Settings.read(data)
        length = file.stat().st_size if file.exists() else 0
        with bar("Unpacking", length) as update:
            manifest = restore_into(settings, file, update)
        click.echo(
            f"{settings.data} is as it was at {manifest['made_at']} (version "
            f"{manifest['version']}).",
            err=True,
        )


class Moment(click.ParamType[int]):
    """A date or an instant, in UTC where it does not say its offset."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time such as 2026-11-25 or 2026-11-25T08:00Z", param, ctx)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - EPOCH) // timedelta(microseconds=1)


@click.command()
@click.argument("project")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--start", type=Moment(), help="From here on, such as 2026-11-25 (UTC).")
@click.option("--end", type=Moment(), help="Up to here, which is not in it any more.")
@data_option
def export(project: str, file: Path, start: int | None, end: int | None, data: Path | None) -> None:
    """Write the single requests of PROJECT (its name or id) to FILE: .parquet or .csv.

    All that are kept, or those between --start and --end. Works while `serve` runs.
    """
    kind = file.suffix[1:].lower()
    if kind not in ("parquet", "csv"):
        raise click.ClickException("The name of FILE must end in .parquet or .csv.")
    with opened(data) as settings:
        project_id = _project(project).id
    with sentences():
        refuse_existing(file)
        window = {"start_us": start or 0, "end_us": EVER_US if end is None else end}
        asked = ask(settings, "export", project_id=project_id, kind=kind, **window)
        with closing(asked) as answers:
            told = followed(answers, "Exporting")
            try:
                shutil.copyfile(told["hold"], file)
            except OSError as error:
                raise UpkeepError(
                    f"{file} cannot be written ({error.strerror or error})."
                ) from error
            _let_go(answers)
        click.echo(f"{file}: {file.stat().st_size / 1e6:,.1f} MB.", err=True)


def _project(named: str) -> Project:
    """By its id or its name. Raises RefusedError."""
    which = or_(Project.public_id == named, Project.name == named)
    found = list(db.session.scalars(select(Project).where(which)))
    if len(found) == 1:
        return found[0]
    if not found:
        raise RefusedError(f"There is no project {named!r} on this server.")
    choices = ", ".join(f"{one.public_id} (team {one.team.name})" for one in found)
    raise RefusedError(f"Several projects are named {named!r}; say which by its id: {choices}.")


@click.group("dead-letter")
def dead_letter() -> None:
    """Batches that were acknowledged and could not be stored."""


@dead_letter.command("list")
@data_option
def list_letters(data: Path | None) -> None:
    """One line each: id, project, age, size, requests that count as dropped, reason."""
    with opened(data) as settings:
        names = {one.id: one.name for one in db.session.scalars(select(Project))}
    with sentences():
        for letter in ask(settings, "dead-letters"):
            project = names.get(letter["project_id"], "a deleted project")
            click.echo(
                f"{letter['id']}  {project}  {_age(letter['received_us'])}  "
                f"{letter['size']:,} bytes  {letter['counted']:,} requests  {letter['reason']}"
            )


def _age(received_us: int) -> str:
    seconds = max(0, int(time.time() - received_us / 1_000_000))
    for width, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= width:
            return f"{seconds // width} {unit} ago"
    return f"{seconds} s ago"


@dead_letter.command("show")
@click.argument("letter", type=int)
@data_option
def show_letter(letter: int, data: Path | None) -> None:
    """Print what was posted, unpacked and as it is."""
    with sentences():
        settings = Settings.read(data)
        if letter not in {one["id"] for one in ask(settings, "dead-letters")}:
            raise UpkeepError(f"There is no dead letter {letter}.")
        [found] = ask(settings, "dead-letter", id=letter)
        click.echo(_readable(found["gzip"], base64.b64decode(found["body"])))


def _readable(zipped: bool, body: bytes) -> str | bytes:
    """With line breaks, where it is JSON; otherwise as it is."""
    try:
        text = unpack(body) if zipped else body
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (PayloadError, ValueError, RecursionError):
        return body


@dead_letter.command("replay")
@click.argument("letters", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All there are.")
@data_option
def replay_letters(letters: tuple[int, ...], everything: bool, data: Path | None) -> None:
    """Put LETTERS into the queue again, once what kept them from being stored is mended.

    What can still not be stored comes back with a new id. The ledger stays right either way.
    """
    _on_chosen("replay", letters, everything, data, "in the queue again")


@dead_letter.command("delete")
@click.argument("letters", type=int, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All there are.")
@data_option
def delete_letters(letters: tuple[int, ...], everything: bool, data: Path | None) -> None:
    """Delete LETTERS for good. The ledger goes on counting their requests as dropped."""
    _on_chosen("delete", letters, everything, data, "deleted")


def _on_chosen(
    task: str, letters: tuple[int, ...], everything: bool, data: Path | None, done: str
) -> None:
    if bool(letters) == everything:
        raise click.ClickException("Name the letters by their ids, or say --all.")
    with sentences():
        ids = None if everything else sorted(set(letters))
        settings = Settings.read(data)
        there = {one["id"] for one in ask(settings, "dead-letters")}
        if ids is not None and (unknown := set(ids) - there):
            raise UpkeepError(f"There is no dead letter {min(unknown)}; nothing was changed.")
        [answer] = ask(settings, task, ids=ids)
        click.echo(f"{answer['letters']} {done}.", err=True)


@click.command()
@data_option
def check(data: Path | None) -> None:
    """Say of accounts, queue and event store whether they answer, which version they are, and what
    is missing. Exit code 1 where something is."""
    from .servers import check as looked_at

    with sentences():
        missing = False
        for finding in looked_at(Settings.read(data)):
            click.echo(f"{finding.home}: {finding.words}")
            for one in finding.missing:
                missing = True
                click.echo(f"  missing: {one}")
        if missing:
            sys.exit(1)


@click.command()
@data_option
def migrate(data: Path | None) -> None:
    """Make and upgrade the tables of accounts and event store, and the queue.

    `serve` and workers do the same when they start; this is for doing it before. It may be run
    twice, and by two at once.
    """
    from .servers import migrate as migrated

    with sentences():
        for words in migrated(Settings.read(data)):
            click.echo(words, err=True)


#: What the command line attaches.
COMMANDS: Final[tuple[click.Command, ...]] = (backup, restore, export, dead_letter, check, migrate)
