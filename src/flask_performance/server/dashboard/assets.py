"""The built front end: which fingerprinted file is which, from Vite's manifest.

Format: https://vite.dev/guide/backend-integration. The files are built by `npm run build` in
`frontend/` and never committed; a wheel contains them.
"""

from pathlib import Path
from typing import Final

import msgspec
from markupsafe import Markup

STATIC: Final = Path(__file__).with_name("static")
URL: Final = "/static/"


class FrontEndMissingError(RuntimeError):
    """The front end was not built. The message says how to."""


class Chunk(msgspec.Struct):
    """One entry of the manifest; members that pages do not need are skipped."""

    file: str
    css: list[str] = []
    imports: list[str] = []


class Assets:
    """The tags that load an entry of the front end."""

    def __init__(self, static: Path = STATIC) -> None:
        self.static = static
        self._read: tuple[int, dict[str, Chunk]] | None = None

    @property
    def manifest(self) -> dict[str, Chunk]:
        """The manifest, read again after every build. Raises FrontEndMissingError."""
        path = self.static / ".vite" / "manifest.json"
        try:
            built = path.stat().st_mtime_ns
            if self._read is None or self._read[0] != built:
                self._read = built, msgspec.json.decode(path.read_bytes(), type=dict[str, Chunk])
        except FileNotFoundError:
            raise FrontEndMissingError(
                "The front end is not built: run `make frontend` in a checkout, "
                "or install a wheel, which contains it."
            ) from None
        return self._read[1]

    def tags(self, entry: str = "src/main.ts") -> Markup:
        """Style sheets first, then the script and what it imports."""
        manifest = self.manifest
        chunk = manifest[entry]
        styles = [Markup('<link rel="stylesheet" href="{}">').format(URL + file)
                  for file in chunk.css]  # fmt: skip
        preloads = [
            Markup('<link rel="modulepreload" href="{}">').format(URL + manifest[name].file)
            for name in chunk.imports
        ]
        script = Markup('<script type="module" src="{}"></script>').format(URL + chunk.file)
        return Markup("\n").join([*styles, *preloads, script])
