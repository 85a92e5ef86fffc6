"""The command line: `flask-performance serve`, `demo`, and the commands that create.

Nothing heavy is imported before a command needs it, and the package may be installed without the
`server` extra; then every command prints how to install it.
"""

import sys

INSTALL = 'pip install "flask-performance[server]"'


def main() -> None:
    """The entry point of the console script."""
    try:
        from .commands import cli  # needs the extra
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("flask_performance"):
            raise
        sys.exit(
            f"The platform is not installed (no module {error.name!r}). Install it with:\n\n"
            f"    {INSTALL}\n"
        )
    cli(prog_name="flask-performance")


if __name__ == "__main__":
    main()
