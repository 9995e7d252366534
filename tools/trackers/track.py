#!/usr/bin/env python3
"""Forwards a run's figures and samples to Weights & Biases or MLflow, while it trains or afterwards (docs/trackers.md).

Reads the run folder alone; a run neither needs it nor notices it. Started again it goes on where the tracker stands.
"""
import argparse
import json
import os
import pathlib
import sys
import time
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import run_folder  # noqa: E402
from mlflow_sink import MlflowSink, is_address  # noqa: E402
from trouble import TrackerTrouble  # noqa: E402
from wandb_sink import WandbSink  # noqa: E402

MOST_SAMPLES = 16


class Forwarder:
    """Sends what is new in a run folder to one tracker. Evaluations that were sent are noted beside the run's files."""

    def __init__(self, run_dir, sink):
        self.run_dir, self.sink = pathlib.Path(run_dir), sink
        self.rows = run_folder.Rows(self.run_dir / "metrics.jsonl")
        self.last = sink.last_step()
        self.steps = self.last + 1  # of the run
        self.note = self.run_dir / "trackers" / f"{sink.name}.json"
        noted = run_folder.read_json(self.note)
        self.sent = set(noted["evaluations"]) if isinstance(noted, dict) and "evaluations" in noted else set()

    def forward(self):
        """Sends what is new, evaluations among the steps that they belong to."""
        rows = self.rows.read()
        if rows:
            self.steps = rows[-1][0] + 1
        new = [row for row in rows if row[0] > self.last]  # steps that were abandoned are there under the same numbers
        for step, name in run_folder.evaluations(self.run_dir, self.steps):
            if name not in self.sent:
                self.send([row for row in new if row[0] < step])
                self.send_samples(step, name)
        self.send(new)

    def send(self, rows):
        rows = [row for row in rows if row[0] > self.last]
        if rows:
            self.sink.log(rows)
            self.last = rows[-1][0]

    def send_samples(self, step, name):
        pictures, score = run_folder.samples(self.run_dir, name, MOST_SAMPLES)
        self.sink.log_samples(step, name, pictures, score)
        self.sent.add(name)
        self.note.parent.mkdir(exist_ok=True)
        beside = self.note.with_suffix(".new")
        beside.write_text(json.dumps({"evaluations": sorted(self.sent)}) + "\n")
        beside.replace(self.note)

    def finished(self):
        return (self.run_dir / "summary.json").is_file()


def make_sink(arguments, run_id):
    if arguments.mlflow is not None:
        return MlflowSink(arguments.mlflow, arguments.project, run_id, os.environ.get("MLFLOW_TRACKING_TOKEN"))
    return WandbSink(arguments.project, run_id)


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="run folder")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--wandb", action="store_true", help="to Weights & Biases (its library and WANDB_API_KEY)")
    where.add_argument("--mlflow", metavar="URL", help="to the MLflow server there (MLFLOW_TRACKING_TOKEN is its key)")
    parser.add_argument("--project", default="lvrpo", help="W&B project or MLflow experiment (default: lvrpo)")
    parser.add_argument("--follow", action="store_true", help="go on until the run has its summary")
    parser.add_argument("--seconds", type=float, default=10, help="between two looks with --follow (default: 10)")
    arguments = parser.parse_args(words)
    if arguments.mlflow is not None and not is_address(arguments.mlflow):
        parser.error(f"--mlflow: '{arguments.mlflow}' is no address, such as http://mlflow:5000")
    run_dir = pathlib.Path(arguments.run).resolve()
    try:
        run_folder.check(run_dir)
        return forward(arguments, run_dir)
    except ImportError as error:
        return explain(f"{error}: pip install wandb", 69)
    except urllib.error.HTTPError as error:
        return explain(f"{arguments.mlflow}: {error}", 69)
    except TrackerTrouble as error:
        return explain(str(error), 69)
    except OSError as error:  # of the run folder: the tracker's are the above
        return explain(str(error), 65)


def explain(why, code):
    print(f"track: {why}", file=sys.stderr)
    return code


def forward(arguments, run_dir):
    """Sends what there is, and with --follow what comes; the exit code."""
    forwarder = Forwarder(run_dir, make_sink(arguments, run_dir.name))
    while True:
        finished = forwarder.finished()
        try:
            forwarder.forward()
        except (urllib.error.HTTPError, TrackerTrouble) as error:
            if not arguments.follow:
                raise
            print(f"track: {error}; it is tried again", file=sys.stderr)
            finished = False
        if finished or not arguments.follow:
            break
        time.sleep(arguments.seconds)
    forwarder.sink.close(finished)
    print(f"{run_dir.name}: {forwarder.last + 1} steps and {len(forwarder.sent)} evaluations are with the tracker")
    return 0


if __name__ == "__main__":
    sys.exit(main())
