#!/usr/bin/env python3
"""Starts the roles of a short run by hand and does to them what maintenance does: starts them in the wrong order, tells
coordinator and learner to leave (SIGTERM) at once and one alone, takes the coordinator away, and lets the run end with
--stay. Every process must end with the documented code, the run must go on each time, and its audit must hold.

    maintenance.py BIN_DIR [--rounds N] [--keep]

Printed: what was done, how long it took, and what is wrong. Exit code 1 when anything is.
"""
import argparse
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
SETTINGS = {
    "train.groups_per_step": 2, "train.checkpoint_every": 5, "train.image.warmup_steps": 0, "rollout.group_size": 4,
    "rollout.timesteps": 4, "rollout.window_size": 1, "rollout.window_hi": 2, "rollout.lease_seconds": 5,
    "coordinator.member_timeout_seconds": 3}
PATIENCE = 90  # seconds, with anything
LEFT, DONE = 75, 0


def wait(what, ready, patience=PATIENCE):
    """Seconds until `ready`."""
    began = time.time()
    while not ready():
        if time.time() - began > patience:
            raise RuntimeError(f"{what}: not within {patience} s")
        time.sleep(.01)
    return time.time() - began


class Role:
    """One process, started again under the same name."""

    def __init__(self, run, name, program, *flags):
        self.run, self.name, self.process = run, name, None
        self.log, self.at = run.work / f"{name}.log", run.work / f"{name}.json"
        self.command = [str(run.bin / program), "--config", str(run.config), *flags]

    def start(self, *more):
        self.at.unlink(missing_ok=True)
        self.mark = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([*self.command, *more], cwd=ROOT, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)

    def said(self):
        """What this process has logged."""
        return self.log.read_text(errors="replace")[self.mark:]

    def http(self, path):
        """(status, text) of a path; (0, "") while nobody answers."""
        metrics = re.search(r"metrics at (\S+)", self.said())
        if not metrics:
            return 0, ""
        try:
            with urllib.request.urlopen(f"http://{metrics.group(1)}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def tell(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def code(self):
        return self.process.wait(PATIENCE)

    def megabytes(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text()).group(1)) // 1024

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Run:
    def __init__(self, work, bin_dir, rounds):
        self.rounds = rounds
        self.work, self.bin, self.folder, self.wrong = work, bin_dir, work / "run", []
        self.config = work / "run.yaml"
        printed = subprocess.run([str(bin_dir / "lvrpo"), "print-config", "--config", "configs/shapes.yaml", "--set",
                                  f"train.steps={rounds * 4 + 60}"] + [word for setting in SETTINGS.items()
                                                             for word in ("--set", "=".join(map(str, setting)))],
                                 cwd=ROOT, capture_output=True, text=True, check=True)
        self.config.write_text(printed.stdout)
        with __import__("socket").create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        join = ["--coordinator", self.address]
        self.coordinator = Role(self, "coordinator", "lvrpo-coordinator", "--run-dir", str(self.folder), "--listen",
                                self.address, "--stay")
        self.learner = Role(self, "learner", "lvrpo-learner", "--run-dir", str(self.folder), *join)
        self.worker = Role(self, "worker", "lvrpo-rollout-worker", "--stay", *join)
        self.reward = Role(self, "reward", "lvrpo-reward-server", "--stay", *join)
        self.roles = [self.coordinator, self.learner, self.worker, self.reward]

    def steps(self):
        try:
            return len((self.folder / "metrics.jsonl").read_text().splitlines())
        except OSError:
            return 0

    def status(self):
        answer = subprocess.run([str(self.bin / "lvrpo"), "status", "--json", "--coordinator", self.address],
                                capture_output=True, text=True)
        return json.loads(answer.stdout) if answer.returncode == 0 else {}

    def await_steps(self, more):
        target = self.steps() + more
        return wait(f"{more} more steps", lambda: self.steps() >= target)

    def check(self, what, found, expected):
        if found != expected:
            self.wrong.append(f"{what}: {found} instead of {expected}")
            print(f"  WRONG {self.wrong[-1]}", flush=True)

    def matches(self, what, pattern, text):
        if not re.search(pattern, text):
            self.wrong.append(f"{what}: {text!r} does not say {pattern!r}")
            print(f"  WRONG {self.wrong[-1]}", flush=True)


def start_in_the_wrong_order(run):
    for role in (run.learner, run.worker, run.reward):
        role.start()
        seconds = wait(f"{role.name}'s /healthz", lambda: role.http("/healthz")[0] == 200)
        print(f"  {role.name} answers /healthz after {seconds:.2f} s", flush=True)
    wait("the learner to wait for its folder", lambda: "the run folder" in run.learner.http("/readyz")[1])
    for role in (run.worker, run.reward):
        wait(f"{role.name} to wait", lambda: "joining: waits for the coordinator" in role.http("/readyz")[1])
        run.matches(f"{role.name}'s metric", r'lvrpo_role_state\{state="joining"\} 1', role.http("/metrics")[1])
    run.coordinator.start()
    for role in run.roles:
        seconds = wait(f"{role.name} to be ready", lambda: role.http("/readyz")[0] == 200)
        print(f"  {role.name} is ready {seconds:.1f} s later", flush=True)
    run.await_steps(1)


def signal_both(run):
    """Coordinator and learner are told to leave at about the same time."""
    rounds = run.rounds
    for number in range(rounds):
        apart = (number - rounds // 2) * .04
        first, second = (run.coordinator, run.learner) if apart >= 0 else (run.learner, run.coordinator)
        began = time.time()
        first.tell()
        time.sleep(abs(apart))
        second.tell()
        codes = run.learner.code(), run.coordinator.code()
        took, step = time.time() - began, run.steps()
        run.check(f"round {number}, codes of learner and coordinator", codes, (LEFT, LEFT))
        run.learner.start()
        run.coordinator.start()
        back = run.await_steps(1)
        again = re.search(r"(\d+) steps are trained again", run.learner.said())
        print(f"  {number + 1}/{rounds}: {apart:+.2f} s apart at step {step}, left after {took:.1f} s, the next step {back:.1f} s"
              f" later, {again.group(1) if again else 0} trained again", flush=True)


def signal_the_coordinator(run):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL):
        marks = {role: len(role.said()) for role in run.roles[1:]}
        began = time.time()
        run.coordinator.tell(number)
        code = run.coordinator.code()
        run.check(f"code after {number.name}", code, -9 if number == signal.SIGKILL else LEFT)
        took = time.time() - began
        time.sleep(4)  # longer than a member's silence is ordinary
        run.matches("the worker's readiness", "lost its coordinator for", run.worker.http("/readyz")[1])
        run.coordinator.start()
        wait("the coordinator", lambda: "serves at" in run.coordinator.said())
        began, back = time.time(), {}
        wait("members to come back", lambda: [back.setdefault(role.name, time.time() - began) for role in marks
                                             if "registered again" in role.said()[marks[role]:]] and len(back) == len(marks))
        print(f"  {number.name}: left after {took:.2f} s; found again after "
              + ", ".join(f"{seconds:.2f} s by {name}" for name, seconds in back.items()), flush=True)
        for name, seconds in back.items():
            run.check(f"{name} was back within a second", seconds < 1, True)
        run.await_steps(1)


def take_the_coordinator_away(run):
    run.coordinator.tell(signal.SIGKILL)
    run.coordinator.code()
    began = time.time()
    run.learner.tell()
    run.check("code of a learner whose coordinator is away", run.learner.code(), LEFT)
    print(f"  the learner left after {time.time() - began:.1f} s", flush=True)
    run.coordinator.start()
    run.learner.start()
    run.await_steps(1)


def roll_the_pools(run):
    for role in (run.reward, run.worker):
        role.tell()
        run.check(f"code of {role.name}", role.code(), DONE)
        role.start()
    run.await_steps(1)


def end_it(run):
    loaded = {role: role.megabytes() for role in (run.worker, run.reward)}
    run.check("code of the learner at the end", run.learner.code(), DONE)
    for role in (run.worker, run.reward):
        wait(f"{role.name} to rest", lambda: role.http("/readyz")[1].strip() == "finished")
        if role is run.worker:  # the reward server's models are tiny
            wait("the worker to give its model's memory back", lambda: role.megabytes() < loaded[role] * .9, 5)
        print(f"  {role.name} has {role.megabytes()} MB instead of {loaded[role]}", flush=True)
    wait("the coordinator to rest", lambda: "waiting for SIGTERM" in run.coordinator.said())
    run.check("/readyz of the coordinator", run.coordinator.http("/readyz")[0], 200)
    run.check("state of the run", run.status().get("state"), "finished")
    run.worker.tell()
    run.check("code of the worker", run.worker.code(), DONE)
    run.worker.start()  # as its supervisor does
    seconds = wait("the worker to rest again", lambda: run.worker.http("/readyz")[1].strip() == "finished")
    print(f"  a worker that comes after the end rests after {seconds:.2f} s, with {run.worker.megabytes()} MB", flush=True)
    for role in (run.worker, run.reward, run.coordinator):
        role.tell()
        run.check(f"code of {role.name} after the end", role.code(), DONE)
    audit = subprocess.run([str(run.bin / "lvrpo"), "audit", str(run.folder)], capture_output=True, text=True)
    run.check("audit", audit.returncode, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=12, help="in which coordinator and learner are told at once")
    parser.add_argument("--keep", action="store_true", help="keep the run's folder; that of a failure is kept anyway")
    arguments = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="lvrpo-maintenance-"))
    began = time.time()
    run = Run(work, arguments.bin_dir.resolve(), arguments.rounds)
    try:
        for story in (start_in_the_wrong_order, signal_both, signal_the_coordinator, take_the_coordinator_away,
                      roll_the_pools, end_it):
            print(f"{story.__name__.replace('_', ' ')}:", flush=True)
            story(run)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        run.wrong.append(str(error))
    finally:
        for role in run.roles:
            role.end()
    print(f"{len(run.wrong)} wrong, {time.time() - began:.0f} s" + "".join(f"\n{sentence}" for sentence in run.wrong))
    if run.wrong or arguments.keep:
        print(f"logs and the run are in {work}")
    else:
        shutil.rmtree(work)
    return 1 if run.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
