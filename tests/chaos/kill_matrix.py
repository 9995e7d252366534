#!/usr/bin/env python3
"""Kills (SIGKILL) and stops (SIGSTOP) the processes of short strict runs, each at a named place, and checks that the
run ends with 0, that its audit holds, that nobody served wrong weights, and that the final weights are those of the
undisturbed run.

    kill_matrix.py BIN_DIR [--only REGEX] [--list] [--keep] [--set FIELD=VALUE ...]

A process gets to its place with LVRPO_PAUSE_AT (common/pause_point.h), which stops it there; then it is killed, or left
stopped until `lvrpo run` finds out (local.silent_seconds). Printed for each case: seconds from there to the next
committed step, steps that were trained again, restarts, and seconds of the whole run. Exit code 1 when any case fails.

What weights look like that are wrong is tested without processes: a corrupted bucket, a manifest of another version, a
wrong digest, a sender that is gone for good, a receiver that stops reading (tests/weight_plane/verified_weights_test.cc,
transport_test.cc, resuming_fetch_test.cc, weight_rpc_test.cc), and random faults of all messages in thousands of runs in
one process (tests/cluster).
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SETTINGS = {
    "train.steps": 4, "train.groups_per_step": 2, "train.checkpoint_every": 2, "train.max_staleness": 0,
    "train.image.warmup_steps": 0, "rollout.group_size": 4, "rollout.timesteps": 4, "rollout.window_size": 1,
    "rollout.window_hi": 2, "rollout.lease_seconds": 5, "evaluation.every": 0, "data.heldout_image_prompts": '""',
    "data.heldout_text_prompts": '""', "coordinator.member_timeout_seconds": 3, "learner.ordered_sums": "true",
    "learner.collective_timeout_seconds": 10, "local.silent_seconds": 5, "local.max_restarts": 20}
# The weights of those with ordered sums are the same bits. "summed" scatters gradients, where ordered sums gather them.
LEARNERS = {"one": {}, "whole": {"local.learner_ranks": 2}, "sharded": {"local.learner_ranks": 2, "learner.sharded": "true"},
            "summed": {"local.learner_ranks": 2, "learner.sharded": "true", "learner.ordered_sums": "false"}}
PATIENCE = 240  # seconds, of a run
WRONG = re.compile(r"does not match its checksum|wrong_digest|another digest|not finite|holds other weights")
STARTED_AGAIN = re.compile(r"^.*\(restart \d+ of", re.M)
# Place None: when the first step is committed. Two members: both at that moment.
Case = collections.namedtuple("Case", "learner member how place")


def cases():
    def learner(kind, rank, how, *places):
        return [Case(kind, f"learner-{rank}", how, place) for place in places]

    steps = ["load:2", "backward:2", "optimizer:2"]
    ends = ["publish:2", "commit:2", "checkpoint:1"]  # of rank 0 alone
    return [
        *learner("whole", 0, "kill", *steps, "reduce:16", *ends),
        *learner("whole", 1, "kill", *steps, "reduce:16"),
        *learner("sharded", 0, "kill", *steps, "gather:60", *ends),
        *learner("sharded", 1, "kill", *steps, "gather:60"),
        *learner("summed", 0, "kill", "scatter:6"), *learner("summed", 1, "kill", "scatter:6"),
        *learner("one", 0, "kill", *ends),
        *learner("whole", 0, "stop", "backward:2", "commit:2", "checkpoint:1"),
        *learner("whole", 1, "stop", "load:2", "reduce:16"),
        *learner("sharded", 0, "stop", "gather:60", "publish:2"),
        *learner("sharded", 1, "stop", "optimizer:2"), *learner("summed", 1, "stop", "scatter:6"),
        Case("one", "learner-0", "kill", "send:1"), Case("one", "learner-0", "stop", "send:1"),
        Case("one", "rollout-0", "kill", "fetch:1"), Case("one", "rollout-0", "stop", "fetch:1"),
        Case("whole", "rollout-0", "kill", None), Case("one", "reward-0", "kill", None),
        Case("one", "reward-0", "stop", None), Case("whole", "coordinator", "kill", None),
        Case("whole", "coordinator", "stop", None), Case("sharded", "coordinator", "kill", None),
        Case("whole", "learner-0 learner-1", "kill", None), Case("sharded", "learner-0 learner-1", "stop", None),
        Case("sharded", "coordinator learner-1", "kill", None),
    ]


def name_of(case):
    return f"{case.learner:8} {case.how} {case.member} at {case.place or 'the first step'}"


def make_programs(real, folder):
    """The programs, where those of one member stop once at a place: CHAOS_MEMBER, CHAOS_AT, CHAOS_ONCE."""
    folder.mkdir()
    for program in real.glob("lvrpo*"):
        copy = folder / program.name
        if program.name == "lvrpo":  # it looks for the others in its folder
            shutil.copy(program, copy)
            continue
        copy.write_text(f"""#!/bin/sh
case " $* " in *" --member-id $CHAOS_MEMBER "*) mkdir "$CHAOS_ONCE" 2>/dev/null && export LVRPO_PAUSE_AT="$CHAOS_AT";; esac
exec {program} "$@"
""")
        copy.chmod(0o755)


def state_of(pid):
    """As in /proc: R, S, T (stopped), ...; empty: gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] if pid else ""
    except OSError:
        return ""


class Run:
    def __init__(self, work, programs, case, number, more):
        self.folder = work / f"case-{number}"
        self.lvrpo = str(programs / "lvrpo")
        self.log = work / f"case-{number}.log"
        command = [self.lvrpo, "run", "--config", "configs/shapes.yaml", "--run-id", self.folder.name]
        for setting, value in (SETTINGS | LEARNERS[case.learner] | {"out": work}).items():
            command += ["--set", f"{setting}={value}"]
        command += [word for setting in more for word in ("--set", setting)]
        environment = dict(os.environ, CHAOS_MEMBER=case.member if case.place else "nobody", CHAOS_AT=case.place or "",
                           CHAOS_ONCE=str(work / f"case-{number}.once"))
        self.began = time.time()
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env=environment)

    def pids(self):
        """By member."""
        try:
            return json.loads((self.folder / "processes.json").read_text())
        except (OSError, ValueError):
            return {}

    def steps(self):
        """Times of committed steps."""
        try:
            return [json.loads(line)["unix_seconds"] for line in (self.folder / "metrics.jsonl").read_text().splitlines()]
        except (OSError, ValueError):
            return []

    def await_place(self, case):
        members = case.member.split()
        end = self.began + PATIENCE / 2
        while time.time() < end and self.process.poll() is None:
            if state_of(self.pids().get(members[0])) == "T" if case.place else self.steps():
                return True
            time.sleep(.01)
        return False

    def finish(self):
        try:
            return self.process.wait(max(1, self.began + PATIENCE - time.time()))
        except subprocess.TimeoutExpired:
            return None

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.pids().values():  # of a run that was given up; others have taken the numbers of those that ended
            try:
                if str(self.folder) in pathlib.Path(f"/proc/{pid}/cmdline").read_text(errors="replace"):
                    os.kill(pid, signal.SIGKILL)
            except OSError:
                pass

    def problem(self, digest):
        """What is wrong with a run that has ended; empty: nothing."""
        code = self.finish()
        if code != 0:
            return "it hangs" if code is None else f"it ended with {code}"
        audit = subprocess.run([self.lvrpo, "audit", self.folder], cwd=ROOT, capture_output=True, text=True)
        if audit.returncode != 0:
            return f"audit: {audit.stdout}{audit.stderr}"
        found = self.digest()
        if digest not in ("", found):
            return f"the weights are {found[:12]} instead of {digest[:12]}"
        for log in [self.log, *(self.folder / "logs").iterdir()]:
            if wrong := WRONG.search(log.read_text(errors="replace")):
                return f"{log.name}: {wrong.group()}"
        return ""

    def digest(self):
        return json.loads((self.folder / "summary.json").read_text())["weights_digest"]


def disturb(run, case, digest):
    """(problem, figures by name)."""
    if not run.await_place(case):
        return f"it never came to {case.place or 'its first step'}", {}
    at, before = time.time(), len(run.steps())
    for member in case.member.split():
        if case.how == "kill":
            os.kill(run.pids()[member], signal.SIGKILL)
        elif not case.place:
            os.kill(run.pids()[member], signal.SIGSTOP)
    problem = run.problem(digest)
    after = [seconds for seconds in run.steps() if seconds > at]
    return problem, {"recovery": after[0] - at if after else 0, "again": before + len(after) - SETTINGS["train.steps"],
                     "restarts": len(STARTED_AGAIN.findall(run.log.read_text(errors="replace")))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=pathlib.Path)
    parser.add_argument("--only", default="", help="a regular expression for names of cases")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="for all runs")
    parser.add_argument("--list", action="store_true", help="print the names only")
    parser.add_argument("--keep", action="store_true", help="keep all run folders; those of failures are kept anyway")
    arguments = parser.parse_args()
    chosen = [case for case in cases() if re.search(arguments.only, name_of(case))]
    if arguments.list:
        print("\n".join(map(name_of, chosen)))
        return 0
    work = pathlib.Path(tempfile.mkdtemp(prefix="lvrpo-chaos-"))
    make_programs(arguments.bin_dir.resolve(), work / "bin")
    began, digests, failed = time.time(), {}, 0
    print(f"{'':3} {'case':52} {'recovery':>9} {'again':>6} {'restarts':>9} {'whole run':>10}")
    kinds = [kind for kind in LEARNERS if any(kind == case.learner for case in chosen)]
    for number, case in enumerate([Case(kind, "nobody", "undisturbed", None) for kind in kinds] + chosen):
        digest = digests.get("summed" if case.learner == "summed" else "ordered", "")
        run = Run(work, work / "bin", case, number, arguments.set)
        try:
            undisturbed = case.how == "undisturbed"
            problem, figures = (run.problem(digest), {}) if undisturbed else disturb(run, case, digest)
        finally:
            run.end()
        seconds = time.time() - run.began
        if undisturbed:
            print(f"{number:3} {case.learner + ' undisturbed':52} {'':26} {seconds:8.1f} s  {problem or 'ok'}", flush=True)
            if not problem:
                digests["summed" if case.learner == "summed" else "ordered"] = run.digest()
        else:
            print(f"{number:3} {name_of(case):52} {figures.get('recovery', 0):7.1f} s {figures.get('again', 0):6}"
                  f" {figures.get('restarts', 0):9} {seconds:8.1f} s  {problem or 'ok'}", flush=True)
        failed += problem != ""
        if not problem and not arguments.keep:
            shutil.rmtree(run.folder)
    print(f"{len(chosen)} cases, {failed} failed, {time.time() - began:.0f} s"
          + (f"; what failed is in {work}" if failed else ""))
    if not failed and not arguments.keep:
        shutil.rmtree(work)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
