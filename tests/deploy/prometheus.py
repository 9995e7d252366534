"""A real Prometheus for tests: scrapes local processes, answers queries."""
import json
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Prometheus:
    """`targets`: role -> [host:port], which may change: scrape() writes them again. Stopped by end()."""

    def __init__(self, folder, interval, targets, rules=None):
        self.folder, self.port = pathlib.Path(folder) / "prometheus", free_port()
        self.folder.mkdir()
        self.scrape(targets)
        config = {"global": {"scrape_interval": interval, "evaluation_interval": interval},
                  "scrape_configs": [{"job_name": "lvrpo", "honor_labels": True,
                                      "file_sd_configs": [{"files": [str(self.folder / "targets.json")], "refresh_interval": "1s"}]}]}
        if rules:
            config["rule_files"] = [str(rules)]
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        with open(self.folder / "log", "w") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"], stdout=log, stderr=log)

    def scrape(self, targets):
        found = [{"targets": addresses, "labels": {"role": role, "member": f"{role}-0"}} for role, addresses in targets.items() if addresses]
        new = self.folder / "targets.new"
        new.write_text(json.dumps(found))
        new.rename(self.folder / "targets.json")

    def get(self, path, **fields):
        address = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(fields)}"
        try:
            with urllib.request.urlopen(address, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it still starts
                raise
            raise RuntimeError(f"{fields}: {error.read().decode()}") from None

    def query(self, expression):
        """[(labels, value)] of now."""
        data = self.get("query", query=expression)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(one["metric"], float(one["value"][1])) for one in data["result"]]

    def labels_over_time(self, expression, start, end):
        """Label sets of all that the expression has given between two times."""
        data = self.get("query_range", query=expression, start=f"{start:.3f}", end=f"{end:.3f}", step="0.2")
        return [one["metric"] for one in data["result"]]

    def await_start(self, patience=60):
        end = time.monotonic() + patience
        while True:
            try:
                return self.query("vector(1)")
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(.05)

    def await_targets(self, count, patience=60):
        """Until it scrapes so many: it looks for targets only every 5 seconds, also after its start."""
        self.await_start(patience)
        end = time.monotonic() + patience
        while len(self.get("targets")["activeTargets"]) < count:
            if time.monotonic() > end:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(.05)

    def end(self):
        self.process.kill()
        self.process.wait()
