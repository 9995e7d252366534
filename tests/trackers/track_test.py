#!/usr/bin/env python3
"""tools/trackers against a local MLflow server (its REST interface as far as it is used) and a stand-in for W&B's library."""
import contextlib
import http.server
import io
import json
import pathlib
import sys
import tempfile
import threading
import types
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "trackers"))
import run_folder  # noqa: E402
import track  # noqa: E402

PNG = b"\x89PNG\r\n\x1a\nbytes"


def line(step, **figures):
    return json.dumps({"step": step, "unix_seconds": 100.0 + step, "version": step + 1, "digest": "d", **figures}) + "\n"


class RunFolder:
    """A run folder in the making."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def append(self, text):
        with open(self.path / "metrics.jsonl", "a") as file:
            file.write(text)

    def evaluate(self, name, score=0.5, samples=None):
        folder = self.path / "images" / name
        folder.mkdir(parents=True)
        listed = [{"id": "a", "image": "sample-0000.png", "prompt": "a circle", "correct": True}] if samples is None else samples
        (folder / "samples.json").write_text(json.dumps(listed))
        (folder / "rewards.json").write_text(json.dumps([{"id": "a", "reward": 0.25}]))
        (folder / "sample-0000.png").write_bytes(PNG)
        (folder / "scores.json").write_text(json.dumps({"score": score}))


class MlflowServer(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent in `state`; refuses log-batch while state["broken"]; answers state["raw"] if that is set."""

    def log_message(self, *_):
        pass

    def answer(self, code, body):
        raw = self.server.state["raw"]
        data = json.dumps(body).encode() if raw is None else raw
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_GET(self):
        state, url = self.server.state, urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path.endswith("experiments/get-by-name"):
            if query["experiment_name"] in state["experiments"]:
                return self.answer(200, {"experiment": {"experiment_id": "1"}})
            return self.answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST"})
        newest = {}
        for metric in state["metrics"]:
            newest[metric["key"]] = metric
        return self.answer(200, {"run": {"data": {"metrics": list(newest.values())}}})

    def do_POST(self):
        state, what, body = self.server.state, self.path.rsplit("/mlflow/")[-1], json.loads(self.body())
        if what == "experiments/create":
            state["experiments"].append(body["name"])
            return self.answer(200, {"experiment_id": "1"})
        run = {"info": {"run_id": "r1", "artifact_uri": "mlflow-artifacts:/1/r1/artifacts"}}
        if what == "runs/search":
            return self.answer(200, {"runs": [run] if state["created"] else []})
        if what == "runs/create":
            state["created"].append(body)
            return self.answer(200, {"run": run})
        if what == "runs/log-batch":
            if state["broken"]:
                return self.answer(503, {})
            assert len(body["metrics"]) <= 1000
            state["metrics"] += body["metrics"]
            return self.answer(200, {})
        state["ended"].append(body["status"])
        return self.answer(200, {})

    def do_PUT(self):
        self.server.state["files"][self.path] = self.body()
        self.answer(200, {})


class TrackTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.run_folder = RunFolder(self.folder.name)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), MlflowServer)
        self.server.state = self.state = {"experiments": [], "created": [], "metrics": [], "files": {}, "ended": [],
                                          "broken": False, "raw": None}
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": .01})
        thread.start()
        self.addCleanup(lambda: (self.server.shutdown(), thread.join(), self.server.server_close()))

    def track(self, *words):
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as errors:
            code = track.main([self.folder.name, *words])
        return code, out.getvalue() + errors.getvalue()

    def mlflow(self, *words):
        return self.track("--mlflow", f"http://127.0.0.1:{self.server.server_port}/", *words)

    def steps_of(self, key):
        return [metric["step"] for metric in self.state["metrics"] if metric["key"] == key]

    def test_each_step_is_sent_once_however_often_it_is_started(self):
        self.run_folder.append(line(0, reward=0.5) + line(1, reward=0.6) + '{"step": 2, "unix_se')
        self.assertEqual(self.mlflow()[0], 0)
        self.assertEqual(self.mlflow()[0], 0)
        self.run_folder.append('conds": 102, "reward": 0.7}\n')
        self.assertEqual(self.mlflow()[0], 0)
        self.assertEqual(self.steps_of("reward"), [0, 1, 2])
        self.assertEqual(len(self.state["created"]), 1)
        self.assertEqual(self.state["experiments"], ["lvrpo"])

    def test_a_batch_that_failed_is_sent_again(self):
        self.run_folder.append(line(0, reward=0.5))
        self.state["broken"] = True
        code, words = self.mlflow()
        self.assertEqual(code, 69)
        self.assertIn("503", words)
        self.state["broken"] = False
        self.assertEqual(self.mlflow()[0], 0)
        self.assertEqual(self.steps_of("reward"), [0])

    def test_many_steps_come_in_batches(self):
        self.run_folder.append("".join(line(step, **{f"figure_{i}": 1.0 for i in range(40)}) for step in range(100)))
        self.assertEqual(self.mlflow()[0], 0)
        self.assertEqual(self.steps_of("figure_0"), list(range(100)))

    def test_evaluations_are_sent_once_with_their_samples(self):
        self.run_folder.append(line(0) + line(1))
        self.run_folder.evaluate("before", 0.25)
        self.run_folder.evaluate("after", 0.75)
        (self.run_folder.path / "summary.json").write_text("{}")
        self.assertEqual(self.mlflow()[0], 0)
        self.assertEqual(self.mlflow("--follow")[0], 0)
        self.assertEqual(self.steps_of("heldout_score"), [0, 2])
        prefix = "/api/2.0/mlflow-artifacts/artifacts/1/r1/artifacts/samples/"
        self.assertEqual(self.state["files"][prefix + "after/sample-0000.png"], PNG)
        self.assertIn("a circle (right, reward 0.25)", self.state["files"][prefix + "before/captions.tsv"].decode())
        self.assertEqual(set(self.state["ended"]), {"FINISHED"})

    def test_wandb_gets_the_same(self):
        logged = []
        run = types.SimpleNamespace(step=0, log=lambda values, step=None: logged.append((step, values)), finish=lambda: logged.append("end"))
        library = types.SimpleNamespace(init=lambda **settings: logged.append(settings) or run,
                                        Image=lambda path, caption: (pathlib.Path(path).name, caption))
        sys.modules["wandb"] = library
        self.addCleanup(lambda: sys.modules.pop("wandb"))
        self.run_folder.append(line(0, reward=0.5) + line(1, reward=float("nan")))
        self.run_folder.evaluate("before")
        self.assertEqual(self.track("--wandb", "--project", "p")[0], 0)
        self.assertEqual((logged[0]["project"], logged[0]["id"], logged[0]["resume"]), ("p", self.run_folder.path.name, "allow"))
        self.assertEqual(logged[1], (0, {"samples": [("sample-0000.png", "a circle (right, reward 0.25)")],
                                         "evaluated_step": 0, "heldout_score": 0.5}))
        self.assertEqual(logged[2], (0, {"reward": 0.5, "unix_seconds": 100.0}))
        self.assertEqual(logged[3], (1, {"unix_seconds": 101.0}))
        run.step = 2  # W&B has steps 0 and 1
        del logged[:]
        self.assertEqual(self.track("--wandb", "--project", "p")[0], 0)
        self.assertEqual(logged[1:], ["end"])

    def test_without_a_library_a_server_or_a_run(self):
        sys.modules["wandb"] = None
        self.addCleanup(lambda: sys.modules.pop("wandb"))
        code, said = self.track("--wandb")
        self.assertEqual(code, 65)
        self.assertIn("is no run folder", said)
        self.run_folder.append(line(0))
        self.assertEqual(self.track("--wandb")[0], 69)
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            self.assertEqual(track.main([self.folder.name + "/none", "--wandb"]), 65)
        self.assertIn("is no folder", errors.getvalue())

    def test_what_is_no_address_or_no_mlflow_is_said(self):
        self.run_folder.append(line(0))
        for address in ("nonsense", "http://[::1", "http://", "", "ftp://x", "http://x:99999"):
            with contextlib.redirect_stderr(io.StringIO()) as errors, self.assertRaises(SystemExit) as ended:
                track.main([self.folder.name, "--mlflow", address])
            self.assertEqual(ended.exception.code, 2, address)
            self.assertIn("is no address", errors.getvalue())
        for answer in (b"<html>sign in</html>", b"[]", b"{}", b"\xff", b'{"experiment": 5}', b'{"experiment": {"experiment_id": "1"}}'):
            self.state["raw"] = answer
            code, said = self.mlflow()
            self.assertEqual(code, 69, answer)
            self.assertIn("its answer is not MLflow's", said)

    def test_files_that_are_folders_and_folders_that_are_files(self):
        (pathlib.Path(self.folder.name) / "metrics.jsonl").mkdir()
        code, said = self.mlflow()
        self.assertEqual(code, 65)
        self.assertIn("metrics.jsonl", said)


class RowsTest(unittest.TestCase):
    def test_a_rewritten_file_is_read_anew(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "metrics.jsonl"
            rows = run_folder.Rows(path)
            self.assertEqual(rows.read(), [])
            path.write_text(line(0, reward=1.0) + line(1))
            self.assertEqual([row[0] for row in rows.read()], [0, 1])
            self.assertEqual(rows.read(), [])
            beside = path.with_suffix(".new")
            beside.write_text(line(0, reward=2.0) + line(1) + line(2))
            beside.replace(path)
            self.assertEqual([row[0] for row in rows.read()], [0, 1, 2])

    def test_damaged_lines_are_left_out(self):
        for text in ["", "{}", "[1]", "null", '{"step": "1", "unix_seconds": 1}', '{"step": true, "unix_seconds": 1}',
                     '{"step": -1, "unix_seconds": 1}', '{"step": 1, "unix_seconds": "x"}', "{"]:
            self.assertIsNone(run_folder.parse_row(text), text)
        self.assertEqual(run_folder.parse_row('{"step": 1, "unix_seconds": 2, "a": 1, "b": NaN, "c": "x", "version": 2}'),
                         (1, 2.0, {"a": 1.0}))

    def test_samples_stay_in_their_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            run = RunFolder(folder)
            (run.path / "secret.png").write_bytes(PNG)
            run.evaluate("before", samples=[{"image": "../../secret.png"}, {"image": None}, {}, {"image": "sample-0001.png"}])
            run.evaluate("odd")
            (run.path / "images" / "step_000010").mkdir()
            self.assertEqual(run_folder.evaluations(run.path, 3), [(0, "before")])
            self.assertEqual(run_folder.samples(run.path, "before", 9), ([], 0.5))


if __name__ == "__main__":
    unittest.main()
