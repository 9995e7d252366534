#!/usr/bin/env python3
"""Causes the trouble of alerts in real runs, watches each alert fire in a real Prometheus that has the rules of deploy/prometheus/rules.yml
with minutes made seconds, mends the trouble, and watches it clear.

    fire.py BIN_DIR [--only REGEX] [--keep]

Printed for each alert: what was done, seconds until it fired, seconds until it cleared. Exit code 1 when one did not fire, or did not
clear where it must. The full disk needs to mount a small file system (root); without that its alerts are said to be left out.
"""
import argparse
import collections
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from world import ROOT, Run, Scorers, short_rules  # noqa: E402

sys.path.insert(0, str(ROOT / "tests/deploy"))
from prometheus import Prometheus  # noqa: E402

PATIENCE = 150  # seconds, for an alert to fire, and to clear
# `do` and `undo` get the run. `clears`: the alerts must go after `undo`.
Cause = collections.namedtuple("Cause", "alerts words do undo clears", defaults=(True,))
Act = collections.namedtuple("Act", "name settings causes tls disk evaluated", defaults=(False, False, False))


def nothing(run):
    pass


def mood(name):
    def change(run):
        run.scorers.mood = name
    return change


def kill(role):
    return lambda run: getattr(run, role).kill()


def start(role):
    return lambda run: getattr(run, role).start()


def send(role, number):
    return lambda run: getattr(run, role).tell(number)


def kill_coordinator_thrice(run):
    for _ in range(3):
        run.coordinator.restart()
        await_that("the coordinator to serve again", run.coordinator.ready)


def freeze_worker_again_and_again(run):
    """Longer than a lease lasts, several times. Slow scorers, so that it holds a lease whenever it is stopped."""
    run.scorers.mood = "slow"
    for _ in range(4):
        time.sleep(1)
        run.rollout.tell(signal.SIGSTOP)
        time.sleep(5)
        run.rollout.tell(signal.SIGCONT)


def cut_off_a_new_worker(run):
    run.proxy.set_cut(True)
    run.rollout.restart()


def other_version(run):
    """The worker's program says that it is of another version."""
    program = run.work / "lvrpo-rollout-worker-of-another-version"
    words = subprocess.run([run.bin / "lvrpo", "--version"], capture_output=True, text=True).stdout.split()
    version = next(word for word in words if re.match(r"\d+\.\d+\.\d+", word)).split("+")[0].encode()
    binary = (run.bin / "lvrpo-rollout-worker").read_bytes()
    other = version[:-1] + b"7"
    program.write_bytes(binary.replace(version, other))
    program.chmod(0o755)
    run.rollout.program, run.was = program, run.rollout.program
    run.rollout.restart()


def same_version(run):
    run.rollout.program = run.was
    run.rollout.restart()


def fill_disk(share):
    def fill(run):
        room = os.statvfs(run.folder)
        size = int(room.f_bavail * room.f_frsize * share)
        with open(run.folder / "ballast", "wb") as file:
            while size > 0:
                try:
                    size -= file.write(bytes(min(size, 1 << 20)))
                    file.flush()
                except OSError:
                    break
    return fill


def free_disk(run):
    (run.folder / "ballast").unlink(missing_ok=True)


def ask_without_right(run):
    subprocess.run([run.bin / "lvrpo", "drain", "--coordinator", run.address, "--tls", run.tls / "rollout"], capture_output=True)


def renew(run):
    subprocess.run([run.bin / "lvrpo", "certs", "--out", run.tls, "--renew", "--days", "90"], check=True, capture_output=True)


STALLS = [
    Cause(["RolloutGone"], "worker killed", kill("rollout"), start("rollout")),
    Cause(["RewardGone"], "reward server killed", kill("reward"), start("reward")),
    Cause(["LearnerGone"], "learner killed", kill("learner"), start("learner")),
    Cause(["RolloutsIdle"], "learner killed", kill("learner"), start("learner"), False),  # one worker is more than this run needs
    Cause(["CoordinatorDown"], "coordinator killed", kill("coordinator"), start("coordinator")),
    Cause(["CoordinatorRestarted"], "coordinator killed three times", kill_coordinator_thrice, nothing),
    Cause(["RunStalled", "RewardErrors"], "scorers answer 500", mood("fail"), mood("agree")),
    Cause(["LeaseExpiryHigh", "MembersLost"], "worker frozen for longer than its lease, four times", freeze_worker_again_and_again, mood("agree")),
    Cause(["WeightSyncFailing"], "network between worker and learner cut", cut_off_a_new_worker, lambda run: run.proxy.set_cut(False)),
    Cause(["VersionSkew"], "worker of another version", other_version, same_version)]
LEARNING = [
    Cause(["ZeroVarianceHigh"], "scorers give every image the same score", mood("constant"), mood("agree")),
    Cause(["HackingGuard"], "one scorer is deceived", mood("disagree"), mood("agree"), False),  # its mean of six hours stays
    Cause(["LearnerStarved"], "scorers take two seconds", mood("slow"), mood("agree"))]
ACTS = [
    Act("a run whose members fail", {}, STALLS),
    Act("a run that learns little", {"train.updates_per_step": 24}, LEARNING),  # its learner is busy
    Act("a run on a small disk", {}, [
        Cause(["DiskFull"], "92 % of what is free is taken", fill_disk(.95), free_disk),
        Cause(["RecordsDegraded"], "the disk is full", fill_disk(1), free_disk)], disk=True),
    Act("a run without checkpoints and store", {
        "train.checkpoint_every": 100000, "evaluation.every": 0}, [Cause(["CheckpointOld"], "a checkpoint is written every 100,000 steps", nothing, nothing, False)]),
    Act("a run whose store is away", {
        "train.checkpoint_every": 2, "checkpoints.store": "s3://nowhere/run", "checkpoints.endpoint": "http://127.0.0.1:9", "checkpoints.plain_http": "true"},
        [Cause(["CheckpointUploadFailing"], "nothing listens where the store should", nothing, nothing, False)]),
    Act("a run with a learning rate of 1", {
        "train.image.learning_rate": 1, "train.image.cosine_floor": 1, "train.updates_per_step": 2, "train.image_clip": 1e-9, "train.image_kl_beta": .001,
        "train.gradient_clip": 1, "evaluation.every": 5, "evaluation.prompts_per_kind": 4, "evaluation.prompts_per_kind_between": 4,
        "evaluation.timesteps": 4, "train.checkpoint_every": 5},
        [Cause(["ClipHigh", "HeldOutFalling"], "learning rate 1", nothing, nothing, False)], evaluated=True),
    Act("a run whose learning rate rises", {
        "train.image.learning_rate": .002, "train.image.cosine_floor": 1, "train.image.warmup_steps": 10000, "train.image_kl_beta": .001,
        "train.updates_per_step": 2}, [Cause(["KLJump"], "learning rate that rises", nothing, nothing, False)]),
    Act("a run with a learning rate of 1e18", {"train.image.learning_rate": 1e18, "train.image.cosine_floor": 1},
        [Cause(["NonFinite"], "learning rate 1e18", nothing, nothing, False)]),
    Act("a run with TLS", {}, [
        Cause(["RpcDenied"], "a worker's certificate asks for a drain", ask_without_right, nothing),
        Cause(["CertificateExpiring"], "certificates of one day", nothing, renew)], tls=True),
]


def await_that(what, holds, patience=PATIENCE):
    """Seconds until it holds. Raises RuntimeError."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > patience:
            raise RuntimeError(f"{what}: not within {patience} s")
        time.sleep(.2)
    return time.monotonic() - began


class Watch:
    def __init__(self, prometheus):
        self.prometheus, self.wrong, self.fired, self.run = prometheus, [], set(), ""

    def fires(self, alert):
        return bool(self.prometheus.query(f'ALERTS{{alertname="{alert}",alertstate="firing",run="{self.run}"}}'))

    def identify(self):
        """The id of the run that is scraped now."""
        runs = {labels.get("run") for labels, _ in self.prometheus.query("lvrpo_coordinator_step") if labels.get("run")}
        self.run = next(iter(runs)) if len(runs) == 1 else ""
        return self.run

    def say(self, alert, words, fired, cleared):
        print(f"{alert:24} {words:54} {fired:>8} {cleared:>8}", flush=True)

    def try_one(self, run, cause):
        if cause.do is not nothing:
            self.wrong += [f"{cause.words}: {alert} fires before it" for alert in cause.alerts if self.fires(alert)]
        began = time.monotonic()
        cause.do(run)
        seconds = {}
        try:
            await_that(f"{cause.words}: {', '.join(cause.alerts)} to fire",
                       lambda: [seconds.setdefault(a, time.monotonic() - began) for a in cause.alerts if a in seconds or self.fires(a)]
                       and len(seconds) == len(cause.alerts))
        except RuntimeError as error:
            self.wrong.append(f"{error} (fired: {', '.join(seconds) or 'none'})")
        self.fired |= set(seconds)
        began = time.monotonic()
        cause.undo(run)
        for alert in cause.alerts:
            cleared = "-"
            if alert in seconds and cause.clears:
                try:
                    await_that(f"{alert} to clear", lambda: not self.fires(alert))
                    cleared = f"{time.monotonic() - began:.1f} s"
                except RuntimeError as error:
                    self.wrong.append(str(error))
                    cleared = "NOT"
            self.say(alert, cause.words, f"{seconds[alert]:.1f} s" if alert in seconds else "NOT", cleared)

    def play(self, act, work, bin_dir, only):
        causes = [c for c in act.causes if any(re.search(only, a) for a in c.alerts)]
        if not causes:
            return
        print(f"{act.name}:", flush=True)
        work.mkdir()
        tls, disk = (work / "certs" if act.tls else None), (work / "disk" if act.disk else None)
        if tls:
            subprocess.run([bin_dir / "lvrpo", "certs", "--out", tls, "--run", "alerts", "--days", "1"], check=True, capture_output=True)
        if disk:
            disk.mkdir()
            if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "none", disk], capture_output=True).returncode:
                print("  left out: no right to mount a small file system")
                return
        run = Run(work, bin_dir, Scorers(), act.settings, tls, disk and disk / "run", act.evaluated)
        try:
            self.prometheus.scrape(run.targets())
            run.start()
            await_that("steps", lambda: run.steps() >= 2)
            await_that("the run's id", self.identify)
            for cause in causes:
                self.try_one(run, cause)
        finally:
            run.end()
            if disk:
                subprocess.run(["umount", "--lazy", disk], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=pathlib.Path)
    parser.add_argument("--only", default="", help="alerts that this pattern finds")
    parser.add_argument("--keep", action="store_true", help="keep logs and runs; those of a failure are kept anyway")
    arguments = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="lvrpo-alerts-"))
    short_rules(work / "rules.yml")
    prometheus = Prometheus(work, "500ms", {}, work / "rules.yml")
    watch, began = Watch(prometheus), time.monotonic()
    try:
        prometheus.await_start()
        watch.say("alert", "cause", "fired", "cleared")
        for number, act in enumerate(ACTS):
            try:
                watch.play(act, work / f"act-{number}", arguments.bin_dir.resolve(), arguments.only)
            except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                watch.wrong.append(f"{act.name}: {error}")
    finally:
        prometheus.end()
    print(f"{len(watch.fired)} alerts fired, {len(watch.wrong)} wrong, {time.monotonic() - began:.0f} s" + "".join(f"\n{w}" for w in watch.wrong))
    if watch.wrong or arguments.keep:
        print(f"logs and runs are in {work}")
    else:
        shutil.rmtree(work)
    return 1 if watch.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
