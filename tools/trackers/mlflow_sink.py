"""MLflow by its REST interface, without its library."""
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request

from trouble import TrackerTrouble

TAG = "lvrpo.run_id"
MOST_METRICS = 1000  # that MLflow takes in one request
MARK = "lvrpo_step"  # logged with each step: the highest one was the last
SECONDS = 30  # of one request


def is_address(text):
    """Whether it is the http(s) address of a server."""
    try:
        parts = urllib.parse.urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class MlflowSink:
    """Logs into one MLflow run for each LVRPO run, which it finds again by a tag."""

    name = "mlflow"

    def __init__(self, address, experiment, run_id, token=None):
        self.address, self.token = address.rstrip("/"), token
        self.experiment_id = self._experiment(experiment)
        self.run = self._find(run_id) or self._create(run_id)
        self.run_id = self._member(self.run, "info", "run_id")

    def _ask(self, method, path, body=None, kind="application/json"):
        data = json.dumps(body).encode() if kind == "application/json" and body is not None else body
        request = urllib.request.Request(self.address + path, data=data, method=method, headers={"Content-Type": kind})
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                value = json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError:
            raise  # the server's own answer
        except (OSError, http.client.HTTPException) as error:
            raise TrackerTrouble(f"{self.address}: {error or type(error).__name__}") from error
        except ValueError as error:
            raise TrackerTrouble(f"{self.address}: its answer is not MLflow's: no JSON") from error
        if not isinstance(value, dict):
            raise TrackerTrouble(f"{self.address}: its answer is not MLflow's: no JSON object")
        return value

    def _call(self, what, body):
        return self._ask("POST", "/api/2.0/mlflow/" + what, body)

    def _get(self, what, **query):
        return self._ask("GET", f"/api/2.0/mlflow/{what}?{urllib.parse.urlencode(query)}")

    def _member(self, value, *names):
        """value[name][name]... of an answer."""
        for name in names:
            if not isinstance(value, dict) or name not in value:
                raise TrackerTrouble(f"{self.address}: its answer is not MLflow's: it lacks {'.'.join(names)}")
            value = value[name]
        return value

    def _experiment(self, name):
        try:
            found = self._get("experiments/get-by-name", experiment_name=name)
            return self._member(found, "experiment", "experiment_id")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
        return self._member(self._call("experiments/create", {"name": name}), "experiment_id")

    def _find(self, run_id):
        quoted = run_id.replace("'", "")
        found = self._call("runs/search", {"experiment_ids": [self.experiment_id], "max_results": 1,
                                           "filter": f"tags.`{TAG}` = '{quoted}'"})
        return (found.get("runs") or [None])[0]

    def _create(self, run_id):
        made = self._call("runs/create", {"experiment_id": self.experiment_id, "run_name": run_id,
                                          "start_time": int(1000 * time.time()),
                                          "tags": [{"key": TAG, "value": run_id.replace("'", "")}]})
        return self._member(made, "run")

    def last_step(self):
        """The highest step that is there, -1 without any."""
        data = self._member(self._get("runs/get", run_id=self.run_id), "run", "data")
        for metric in data.get("metrics", []):
            if self._member(metric, "key") == MARK:
                return int(self._member(metric, "value"))
        return -1

    def log(self, rows):
        """Rows with higher steps than last_step(). The mark comes last: a batch that fails is sent again whole."""
        metrics = [{"key": key, "value": value, "step": step, "timestamp": int(1000 * seconds)}
                   for step, seconds, figures in rows for key, value in sorted(figures.items())]
        step, seconds, _ = rows[-1]
        metrics.append({"key": MARK, "value": step, "step": step, "timestamp": int(1000 * seconds)})
        for begin in range(0, len(metrics), MOST_METRICS):
            self._call("runs/log-batch", {"run_id": self.run_id, "metrics": metrics[begin:begin + MOST_METRICS]})

    def log_samples(self, step, name, pictures, score):
        """Artefacts samples/<evaluation>/...; the same names again replace them."""
        root = self.run["info"].get("artifact_uri", "")
        if root.startswith("mlflow-artifacts:"):
            path = urllib.parse.urlsplit(root).path.lstrip("/")
            for image, _ in pictures:
                self._ask("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{path}/samples/{name}/{image.name}",
                          image.read_bytes(), "image/png")
            captions = "".join(f"{image.name}\t{caption}\n" for image, caption in pictures)
            self._ask("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{path}/samples/{name}/captions.tsv",
                      captions.encode(), "text/plain")
        if score is not None:
            self._call("runs/log-batch", {"run_id": self.run_id, "metrics": [
                {"key": "heldout_score", "value": score, "step": step, "timestamp": int(1000 * time.time())}]})

    def close(self, finished):
        if finished:
            self._call("runs/update", {"run_id": self.run_id, "status": "FINISHED", "end_time": int(1000 * time.time())})
