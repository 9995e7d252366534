#!/usr/bin/env python3
"""Writes docs/configuration.md from the comments of proto/lvrpo/v1/config.proto and the defaults that the program prints.

    make_configuration_doc.py BIN_DIR [--check]     --check: exit 1 when the file is not up to date
"""
import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
HEAD = """# Configuration

One YAML file per run; `--set a.b=value` overrides single settings. Unknown keys, wrong types and values out of range are errors, all
reported at once, each with its line. `lvrpo validate` checks a file and the prompt files that it names, `lvrpo print-config` shows every
value and where it comes from, in YAML that reads back the same.

A file is one YAML document in UTF-8; a byte order mark is passed over. Anchors and merge keys (`<<: *base`) are read. What could be read
in another way than it is meant is refused: a second document, a key given twice, a tag (`!env`, `!!int`), a number with a 0 in front,
numbers and `true` in quotes, control characters. Nothing is replaced: a text that begins with `~` or holds `$NAME` or `${NAME}` is refused; have the shell do it,
`--set out="$HOME/runs"`. `--set` follows the same rules; `--set field=` empties a text, and `--set field=[]` a list.

This page is generated from `proto/lvrpo/v1/config.proto` by `tools/make_configuration_doc.py`.

| setting | type | in `configs/shapes.yaml` | meaning |
|---|---|---|---|
"""


def messages():
    """name -> [(field, type, repeated, comment)]"""
    found, name, comment = {}, None, []
    for line in (ROOT / "proto/lvrpo/v1/config.proto").read_text().splitlines():
        line = line.strip()
        if match := re.match(r"message (\w+) \{", line):
            name, comment = match.group(1), []
            found[name] = []
        elif line.startswith("//"):
            comment.append(line[2:].strip())
        elif match := re.match(r"(repeated )?(\w+) (\w+) = \d+;", line):
            found[name].append((match.group(3), match.group(2), bool(match.group(1)), " ".join(comment)))
            comment = []
        else:
            comment = []
    return found


def rows(all_messages, message, prefix, defaults):
    for field, kind, repeated, comment in all_messages[message]:
        path = prefix + field
        if kind in all_messages:
            # The entries of a list of sections share their description; an empty list shows no values.
            section = {} if repeated else defaults.get(field) or {}
            yield from rows(all_messages, kind, path + ("[]." if repeated else "."), section)
            continue
        default = defaults.get(field)
        shown = "" if default in (None, "", []) else f"`{default}`"
        # A field without a comment goes with the one above it.
        yield f"| `{path}` | {kind}{' list' if repeated else ''} | {shown} | {comment or 'see above'} |".replace("  ", " ")


def main():
    printed = subprocess.run([f"{sys.argv[1]}/lvrpo", "print-config", "--config", "configs/shapes.yaml"], cwd=ROOT,
                             capture_output=True, text=True, check=True).stdout
    defaults = yaml.safe_load(printed)
    text = HEAD + "\n".join(rows(messages(), "RunConfig", "", defaults)) + "\n"
    path = ROOT / "docs/configuration.md"
    if "--check" in sys.argv:
        if path.read_text() != text:
            sys.exit("docs/configuration.md is not up to date: run tools/make_configuration_doc.py build/release/bin")
        return
    path.write_text(text)


if __name__ == "__main__":
    main()
