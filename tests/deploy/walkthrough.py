"""The commands of docs/deployment.md, as a script to run with stand-ins for what is not there (stand_in.py)."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/deployment.md"
HERE = pathlib.Path(__file__).resolve().parent


def sections():
    """Title -> its commands (all blocks marked as bash), in the page's order. Subsections belong to their section."""
    found = {}
    for part in re.split(r"^## ", PAGE.read_text(), flags=re.M)[1:]:
        title = part.split("\n")[0]
        found[title] = "\n".join(re.findall(r"^```bash\n(.*?)^```", part, re.M | re.S))
    return found


def write_stand_ins(folder, programs):
    """Puts programs into `folder` that call stand_in.py by their names."""
    folder.mkdir()
    for name in programs:
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "stand_in.py"}" {name} "$@"\n')
        path.chmod(0o755)
