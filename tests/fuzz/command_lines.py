#!/usr/bin/env python3
"""Runs the programs with random command lines: options with odd values, bytes that are no UTF-8, folders that are
gone, that may not be entered or whose name is not UTF-8, as arguments and as the working folder.

    command_lines.py BIN_DIR [--count N | --seconds S] [--seed S] [--only PROGRAM] [--patience S]

No option may take an empty value. Each run has to end by itself, or within ten seconds of SIGTERM, with a documented exit code; with one that says
something failed it has to say why, in UTF-8, and never as "a bug". Prints each offence with the command that
repeats it and exits 1 if there is one.
"""
import argparse
import os
import pathlib
import random
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTED = {0, 2, 64, 65, 69, 75, 76}
USER = 12345 if os.getuid() == 0 else None  # permissions count for others than root

NUMBERS = ["0", "1", "-1", "7", "2.5", "1e3", "1e999", "nan", "-inf", "0x10", "18446744073709551616", "-9223372036854775809",
           "9" * 400, "1,000", " 1", "1 ", "+1", "", "\u0661"]
TEXTS = [b"", b"a", b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"x" * 5000, b"a\nb", b"\x1b[31mred", b"--", b"-", b"-x",
         b"%s%n", b"'\"\\", b"=", b"a=b", b"train.steps=3", b"train.steps=", b"out=~/x", b"out=$HOME", b"model.policy=\xff",
         b"{}", b"[", b"* ? [a]", "\u202eevil".encode(), b"..", b"/", b"//", b"http://[::1"]
ADDRESSES = ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "localhost:99999", "localhost", ":1", "127.0.0.1:1", "[::1", "a:b:c", "256.1.1.1:5", "host:-1"]
SERVING = {"lvrpo-coordinator", "lvrpo-learner", "lvrpo-reward-server", "lvrpo-rollout-worker"}
LONG_RUNS = {"run", "autoencoder", "referee", "policy"}  # give these nothing that works: they would train


def folders(root):
    """name -> path of odd files and folders below `root`; all of them can be removed by this process."""
    made = {"missing": root / "missing", "none": b"/dev/null", "full": b"/dev/full", "root": b"/proc/1/root"}
    for name in ("empty", "locked", "file_inside/deep"):
        (root / name).mkdir(parents=True)
        made[name] = root / name
    odd = os.fsencode(root) + b"/\xff\xfe odd"
    os.mkdir(odd)
    made["odd"] = odd
    (root / "text").write_bytes(b"just text\n")
    (root / "bytes").write_bytes(bytes(range(256)) * 9)
    (root / "empty_file").write_bytes(b"")
    (root / "config.yaml").write_bytes((ROOT / "configs/shapes.yaml").read_bytes())
    (root / "record.json").write_text('{"id":"a","prompt":"a red circle","task":"TASK_KIND_IMAGE"}')
    os.symlink("nowhere", root / "broken")
    os.symlink("loop", root / "loop")
    (root / "locked").chmod(stat.S_IRWXU)
    for name in ("text", "bytes", "empty_file", "config.yaml", "record.json", "broken", "loop"):
        made[name] = root / name
    made["assets"] = ROOT / "assets/shapes/policy"
    made["config"] = ROOT / "configs/shapes.yaml"
    return {name: path if isinstance(path, bytes) else os.fsencode(path) for name, path in made.items()}


def commands(bin_dir):
    """Each program, and each command of those that have some: [program, words], with the options its --help names."""
    for program in sorted(path.name for path in bin_dir.iterdir() if path.name.startswith("lvrpo") and "parity" not in path.name):
        if re.search(r"gradient|bench|load|quality|images|generation", program):
            continue  # benchmarks
        text = helped([bin_dir / program])
        words = [[]]
        for block in re.findall(r"^(?:Subcommands|SUBCOMMANDS):\n((?:  .*\n?)+)", text, re.M):
            words += [[line.split()[0]] for line in block.splitlines() if re.match(r"  \S", line)]
        for word in words:
            yield program, word, understood(helped([bin_dir / program, *word]))


def understood(text):
    """Of a --help: [(option or "" for a positional, type or "" for a flag, whether it is needed)]"""
    found = []
    for section, block in re.findall(r"^(Positionals|Options|OPTIONS):\n((?:[ ]+.*\n?)+)", text, re.M):
        for line in block.splitlines():
            if match := re.match(r"  ([\w,-]+)((?: (?:TEXT|INT|UINT|FLOAT)\S*)?)(.*)", line):
                name = match.group(1).split(",")[-1] if section != "Positionals" else ""
                found.append((name, match.group(2).strip().split(":")[0].split("=")[0], "REQUIRED" in match.group(3) or not name))
    return found


def helped(command):
    run = subprocess.run([*command, "--help"], capture_output=True, timeout=60, check=False)
    return run.stdout.decode("utf8", "replace")


def value(dice, name, kind, paths):
    """Mostly of the kind that is wanted, so that it gets past the command line."""
    if dice.randrange(8) == 0:
        return dice.choice([dice.choice(NUMBERS).encode(), dice.choice(TEXTS), dice.choice(ADDRESSES).encode()])
    if kind in ("INT", "UINT", "FLOAT"):
        return dice.choice([b"1", b"2", b"3", dice.choice(NUMBERS).encode()])
    if name == "--config":
        return paths[dice.choice(["config", "config.yaml"])] if dice.randrange(3) else dice.choice(list(paths.values()))
    if re.search("listen|coordinator|advertise", name):
        return dice.choice(ADDRESSES).encode()
    if dice.randrange(3) == 0:
        return dice.choice(TEXTS)
    return dice.choice(list(paths.values())) + dice.choice([b"", b"", b"", b"/", b"/x", b"/\xff"])


def arguments(dice, words, options, paths):
    chosen = [word.encode() for word in words]
    for name, kind, needed in dice.sample(options, len(options)):
        if name == "--help" or dice.random() > (0.9 if needed else min(0.5, 2 / len(options))):
            continue
        if not kind:
            chosen.append(name.encode())
            continue
        given = value(dice, name, kind, paths)
        if name == "--config" and not LONG_RUNS.isdisjoint(words) and given in (paths["config"], paths["config.yaml"]):
            chosen += [b"--set", b"train.steps=0"]  # refused before it trains
        if not name:
            chosen.append(given)
        elif dice.randrange(4):
            chosen += [name.encode(), given]
        else:
            chosen.append(name.encode() + b"=" + given)
    if dice.randrange(6) == 0:
        chosen.insert(dice.randrange(len(chosen) + 1), dice.choice(TEXTS))
    return [argument.replace(b"\0", b"") for argument in chosen]


def into(folder, name):
    """Goes to the working folder in the child; "missing" is one that is removed below its feet."""
    def enter():
        if name == "missing":
            gone = folder + b"/gone"
            os.mkdir(gone)
            os.chdir(gone)
            os.rmdir(gone)
        else:
            os.chdir(folder)
        if USER is not None:
            os.setgid(USER)
            os.setuid(USER)
    return enter


def attempt(command, enter, patience):
    """(exit code, stdout and stderr, what is wrong)"""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, preexec_fn=enter,
                                   start_new_session=True)
        wrong = ""
        try:
            code = process.wait(patience)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                code, wrong = process.wait(), "does not end on SIGTERM"
        output.seek(0)
        said = output.read()
    if not wrong and code not in DOCUMENTED:
        wrong = f"ended with {code}"
    if not wrong and code and not said.strip():
        wrong = f"ended with {code} and said nothing"
    if not wrong and (b"a bug" in said or b"terminate called" in said or b"Sanitizer" in said):
        wrong = "calls it a bug"
    if not wrong:
        try:
            said.decode("utf8")
        except UnicodeDecodeError as error:
            wrong = f"says what is not UTF-8: {error}"
    return code, said, wrong


def empty_values(bin_dir, known):
    """No option takes an empty value: yields a sentence for each that does."""
    for program, words, flags in known:
        for name, kind, _ in flags:
            if not kind:
                continue
            command = [bin_dir / program, *words, *([name] if name else []), ""]
            run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
            said = run.stderr.decode("utf8", "replace")
            if run.returncode != 2 or "an empty text was given" not in said or (name and name.lstrip("-") not in said):
                yield f"{' '.join([program, *words, name])} '' ended with {run.returncode}: {said.strip()[-200:]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--patience", type=float, default=4, help="seconds until a program that serves is told to stop")
    parser.add_argument("--seconds", type=float, help="as long as this, instead of --count")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="programs whose command line contains this")
    options = parser.parse_args()
    dice = random.Random(options.seed)
    bin_dir = options.bin_dir.resolve()
    known = [c for c in commands(bin_dir) if options.only in " ".join([c[0], *c[1]])]
    end = time.monotonic() + options.seconds if options.seconds else None
    root = pathlib.Path(tempfile.mkdtemp(prefix="command_lines-"))
    root.chmod(0o755)
    found = runs = 0
    codes = {}
    for offence in empty_values(bin_dir, known):
        found += 1
        print(offence, flush=True)
    try:
        paths = folders(root)
        while (time.monotonic() < end) if end else (runs < options.count):
            program, words, flags = known[runs % len(known)] if runs < 2 * len(known) else dice.choice(known)
            runs += 1
            chosen = arguments(dice, words, flags, paths)
            name = dice.choice(["root", "empty", "odd", "locked", "missing", "repository"])
            folder = {"repository": os.fsencode(ROOT), "root": b"/", "missing": paths["empty"]}.get(name) or paths[name]
            command = [os.fsencode(bin_dir / program), *chosen]
            serves = program in SERVING or not LONG_RUNS.isdisjoint(words)
            code, said, wrong = attempt(command, into(folder, name), options.patience if serves else 120)
            codes[code] = codes.get(code, 0) + 1
            if wrong:
                found += 1
                shown = " ".join("$" + shlex.quote(repr(a)[1:]) if re.search(rb"[^ -~]", a) else shlex.quote(a.decode()) for a in command)
                print(f"in {name}: {shown}\n  {wrong}: {said[-400:].decode('utf8', 'replace').strip()}", flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print(f"{runs} command lines (seed {options.seed}), {found} offences; exit codes {dict(sorted(codes.items()))}")
    return 1 if found or not runs else 0


if __name__ == "__main__":
    sys.exit(main())
