"""Versions of what made the numbers, for the producer of each case."""

import importlib.metadata
import platform


def versions(*packages: str) -> dict[str, str]:
    """Versions of installed packages, in the order given."""
    return {name: importlib.metadata.version(name).split("+")[0] for name in packages}


def python_version() -> str:
    return platform.python_version()
