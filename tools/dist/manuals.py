#!/usr/bin/env python3
"""Writes a manual page for each program of a folder, and for each command of lvrpo, from what --help says.

    manuals.py BIN_DIR OUT_DIR --version VERSION
"""
import argparse
import os
import pathlib
import re
import subprocess


def help_of(*command):
    environment = dict(os.environ, COLUMNS="100")
    return subprocess.run([*command, "--help"], check=True, capture_output=True, text=True, env=environment).stdout


def commands(text):
    """Names under "Subcommands:" of a help text."""
    part = text.partition("Subcommands:\n")[2].partition("\n\n")[0]
    return re.findall(r"^  ([a-z][a-z-]*)", part, re.M)


def escape(line):
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line[:1] in (".", "'") else line


def page(name, text, version):
    """A manual page (roff) of a help text, which is kept as it is."""
    summary = text.strip().split("\n")[0].split(". ")[0].rstrip(".")
    lines = [f'.TH "{name.upper()}" 1 "" "LVRPO {version}" ""', ".SH NAME", f"{escape(name)} \\- {escape(summary)}", ".SH DESCRIPTION", ".nf",
             *(escape(line.replace(str("./"), "")) for line in text.strip().split("\n")), ".fi", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--version", required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for program in sorted(arguments.bin.iterdir()):
        text = help_of(program).replace(str(program), program.name)
        pages = {program.name: text}
        for command in commands(text):
            pages[f"{program.name}-{command}"] = help_of(program, command).replace(str(program), program.name)
        for name, words in pages.items():
            if not (arguments.out / f"{name}.1").exists():
                (arguments.out / f"{name}.1").write_text(page(name, words, arguments.version))


if __name__ == "__main__":
    main()
