"""What alerts are tried on: the roles of a run by hand, scorers whose mood can be changed, a proxy that can be cut, and the rules with
minutes made seconds."""
import hashlib
import http.server
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/deploy"))
from prometheus import free_port  # noqa: E402

SHORTER = 60  # minutes become seconds
# Seconds that rules compare with, which are no durations of Prometheus.
THRESHOLDS = {"RunStalled": ("> 600", "> 10"), "CheckpointOld": ("> 3600", "> 15")}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SETTINGS = {
    "train.steps": 100000, "train.groups_per_step": 2, "train.checkpoint_every": 5, "train.image.warmup_steps": 0,
    "rollout.group_size": 4, "rollout.timesteps": 4, "rollout.window_size": 1, "rollout.window_hi": 2, "rollout.lease_seconds": 2,
    "coordinator.member_timeout_seconds": 3, "coordinator.max_unscorable_groups": 100000, "coordinator.heartbeat_seconds": .5,
    "reward.grounding_weight": 0, "reward.instruction_weight": 0, "reward.knowledge_weight": 0, "reward.cached_scores": 0,
    "reward.guards": "[disagreement]", "train.max_nonfinite_steps": 1000}


def shorter(duration, least):
    """60m as 60s."""
    number, unit = re.fullmatch(r"(\d+)([smhd])", duration).groups()
    return f"{max(int(number) * UNITS[unit] // SHORTER, least)}s"


def short_rules(target):
    """Writes the rules with all their times by SHORTER."""
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())
    for group in rules["groups"]:
        group["interval"] = "500ms"
        for rule in group["rules"]:
            rule["expr"] = re.sub(r"\[(\w+)\]", lambda found: f"[{shorter(found.group(1), 5)}]", rule["expr"])
            rule["expr"] = re.sub(r"offset (\w+)", lambda found: f"offset {shorter(found.group(1), 5)}", rule["expr"])
            for field in ("for", "keep_firing_for"):
                if field in rule:
                    rule[field] = shorter(rule[field], 1)
            if rule.get("alert") in THRESHOLDS:
                was, now = THRESHOLDS[rule["alert"]]
                assert was in rule["expr"], f"{rule['alert']} does not say {was}"
                rule["expr"] = rule["expr"].replace(was, now)
    target.write_text(yaml.safe_dump(rules))


class Scorers:
    """Two components, /a and /b. Moods: agree (a score that follows from the image), disagree, constant, fail, slow."""

    def __init__(self):
        self.mood = "agree"
        scorers = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *words):
                pass

            def answer(self, code, content):
                body = json.dumps(content).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(200, {"digest": "mood/1"})

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if scorers.mood == "fail":
                    return self.answer(500, {"error": "out of order"})
                if scorers.mood == "slow":
                    time.sleep(2)
                self.answer(200, {"digest": "mood/1", "scores": [{"value": scorers.score(self.path[:2], s)} for s in request["samples"]]})

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def score(self, component, sample):
        share = int(hashlib.sha256(sample.get("png", sample.get("text", "")).encode()).hexdigest()[:6], 16) / 0xffffff
        if self.mood == "disagree":
            return .9 + .1 * share if component == "/a" else .1 * share
        return .5 if self.mood == "constant" else share

    def setting(self):
        return ("[" + ", ".join(f'{{name: {name}, address: "{self.address}/{name}", weight: 1, task: image, timeout_seconds: 5}}'
                                for name in "ab") + "]")


class Proxy:
    """Passes TCP on to a port, unless it is cut."""

    def __init__(self, to):
        self.to, self.cut, self.open = to, False, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                server = None if self.cut else socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                server = None
            if server is None:
                client.close()
                continue
            self.open += [client, server]
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    @staticmethod
    def copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for one in (a, b):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def set_cut(self, cut):
        self.cut = cut
        if cut:
            for one in self.open:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.open = []


class Role:
    """One process, started again under the same name and with the same ports."""

    def __init__(self, run, role, program, *flags):
        self.run, self.role, self.process, self.stopped = run, role, None, False
        self.metrics = f"127.0.0.1:{free_port()}"
        self.log = run.work / f"{role}.log"
        self.program = run.bin / program
        self.flags = ["--config", str(run.config), "--metrics-listen", self.metrics, *flags]

    def start(self):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([self.program, *self.flags], cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def tell(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def restart(self):
        self.kill()
        self.start()

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://{self.metrics}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False


class Run:
    """Coordinator, learner, worker and reward server; `more` settings; `tls`: a folder of certificates by role."""

    def __init__(self, work, bin_dir, scorers, more, tls=None, folder=None, evaluated=False):
        self.work, self.bin, self.folder, self.tls, self.scorers = work, bin_dir, folder or work / "run", tls, scorers
        work.mkdir(exist_ok=True)
        self.config = work / "run.yaml"
        settings = SETTINGS | {"reward.external": scorers.setting()} | more
        printed = subprocess.run([str(bin_dir / "lvrpo"), "print-config", "--config", "configs/shapes.yaml"]
                                 + [word for name, value in settings.items() for word in ("--set", f"{name}={value}")],
                                 cwd=ROOT, capture_output=True, text=True)
        if printed.returncode:
            raise RuntimeError(printed.stderr)
        self.config.write_text(printed.stdout)
        self.address = f"127.0.0.1:{free_port()}"
        inner = free_port()
        self.proxy = Proxy(inner)
        join = ["--coordinator", self.address]

        def role(name, program, *flags):
            secret = ["--tls", str(tls / name)] if tls else []
            return Role(self, name, program, *flags, *secret)
        self.coordinator = role("coordinator", "lvrpo-coordinator", "--run-dir", str(self.folder), "--listen", self.address)
        self.learner = role("learner", "lvrpo-learner", "--run-dir", str(self.folder), "--listen", f"127.0.0.1:{inner}",
                            "--advertise", f"127.0.0.1:{self.proxy.port}", "--patience", "0", *join)
        self.rollout = role("rollout", "lvrpo-rollout-worker", "--patience", "0", *join)
        self.reward = role("reward", "lvrpo-reward-server", "--patience", "0", *join)
        self.roles = [self.coordinator, self.reward, self.learner, self.rollout]
        if evaluated:
            self.roles.append(role("evaluation", "lvrpo-evaluate", "--follow", "--run-dir", str(self.folder), *join))

    def targets(self):
        return {one.role: [one.metrics] for one in self.roles}

    def start(self):
        for role in self.roles:
            role.start()

    def steps(self):
        try:
            return len((self.folder / "metrics.jsonl").read_text().splitlines())
        except OSError:
            return 0

    def end(self):
        for role in reversed(self.roles):
            role.kill()
