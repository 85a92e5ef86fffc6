"""Build hook: wheel and sdist always hold the built front end, so that installing needs no Node."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC = "src/flask_performance/server/dashboard/static/.vite/manifest.json"


class FrontendHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs `npm ci && npm run build` where the built files are missing."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        root = Path(self.root)
        if version == "editable" or (root / STATIC).exists():
            return
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit(
                "The front end is not built and npm was not found. "
                "Install Node 20 or later and run `make frontend`, then build again."
            )
        for command in (["ci"], ["run", "build"]):
            subprocess.run([npm, *command], cwd=root / "frontend", check=True)  # noqa: S603
