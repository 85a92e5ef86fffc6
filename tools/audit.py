"""Asks for known vulnerabilities of every installed package; `make check` runs it.

    python tools/audit.py .venv/bin/pip-audit

Fails where one is found. Where nobody can be asked (no network, or a mirror without advisories) it
says so in one line and lets the other checks decide.
"""

import json
import subprocess
import sys
from typing import Any, Final

#: How long the question may take (seconds).
PATIENCE: Final = 180


def main(command: list[str]) -> int:
    """The exit code: 1 where a vulnerability is known."""
    packages = asked(command)
    known = [
        f"{package['name']} {package['version']}: {found['id']}, mended in "
        f"{', '.join(found['fix_versions']) or 'no version yet'}"
        for package in packages
        for found in package.get("vulns", ())
    ]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        print("WARNING: not audited, because the advisory service does not answer for any package.")
    elif skipped:
        print(f"Not audited, because no advisory service knows them: {', '.join(skipped)}.")
    for line in known:
        print(f"VULNERABLE {line}")
    return 1 if known else 0


def asked(command: list[str]) -> list[dict[str, Any]]:
    """What pip-audit says of each package; nothing where it cannot be asked."""
    try:
        done = subprocess.run(
            [*command, "--progress-spinner=off", "--format=json", "--skip-editable"],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError):
        return []
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
