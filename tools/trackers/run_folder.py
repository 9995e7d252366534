"""What a run folder holds for trackers: rows of metrics.jsonl as they come, and the samples of evaluations."""
import json
import math
import os
import pathlib
import re

SAMPLE_FILE = re.compile(r"sample-\d{1,12}\.png\Z")
STEP_FOLDER = re.compile(r"step_(\d{1,12})\Z")
MOST_BYTES = 8 << 20  # of one file that is read whole


def check(run_dir):
    """Raises OSError for what is no run folder."""
    if not run_dir.is_dir():
        raise OSError(f"{run_dir} is no folder")
    if not any((run_dir / name).exists() for name in ("run.json", "config.yaml", "metrics.jsonl")):
        raise OSError(f"{run_dir} is no run folder: it has no run.json, config.yaml or metrics.jsonl")


class Rows:
    """Complete lines of metrics.jsonl behind those that were read; begins anew when the file was rewritten."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.offset, self.identity = 0, None

    def read(self):
        """[(step, unix seconds, {figure: value})] of what has been added, in order. Damaged lines are left out."""
        try:
            with open(self.path, "rb") as file:
                stat = os.fstat(file.fileno())
                if (stat.st_dev, stat.st_ino) != self.identity or stat.st_size < self.offset:
                    self.identity, self.offset = (stat.st_dev, stat.st_ino), 0
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return []
        data = data[:data.rfind(b"\n") + 1]
        self.offset += len(data)
        return [row for row in map(parse_row, data.splitlines()) if row is not None]


def parse_row(line):
    """(step, unix seconds, figures) of a line, or None. Figures that are not finite are left out."""
    try:
        fields = json.loads(line)
        step, seconds = fields.pop("step"), fields.pop("unix_seconds")
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
    if type(step) is not int or step < 0 or not isinstance(seconds, (int, float)):
        return None
    figures = {name: float(value) for name, value in fields.items()
               if type(value) in (int, float) and math.isfinite(value) and name != "version"}
    return step, float(seconds), figures


def read_json(path):
    """The JSON value of a file, or None when there is none, or it is too large or damaged."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def evaluations(run_dir, steps):
    """[(committed steps, name)] of the evaluations that are complete: they have their scores. `steps`: those of the run."""
    found = []
    images = pathlib.Path(run_dir) / "images"
    for folder in images.iterdir() if images.is_dir() else []:
        match = STEP_FOLDER.match(folder.name)
        step = 0 if folder.name == "before" else steps if folder.name == "after" else int(match[1]) if match else None
        if step is not None and (folder / "scores.json").is_file():
            found.append((step, folder.name))
    return sorted(found)


def samples(run_dir, name, most):
    """[(path, caption)] of an evaluation's first samples, and its held-out score or None."""
    folder = pathlib.Path(run_dir) / "images" / name
    scores, listed = read_json(folder / "scores.json"), read_json(folder / "samples.json")
    rewards = {one.get("id"): one for one in read_json(folder / "rewards.json") or [] if isinstance(one, dict)}
    found = []
    for sample in listed if isinstance(listed, list) else []:
        if len(found) >= most or not isinstance(sample, dict):
            break
        image = folder / str(sample.get("image"))
        if not SAMPLE_FILE.match(str(sample.get("image"))) or not image.is_file():
            continue
        reward = rewards.get(sample.get("id"), {}).get("reward")
        caption = f"{str(sample.get('prompt', ''))[:400]} ({'right' if sample.get('correct') is True else 'wrong'}"
        found.append((image, caption + (f", reward {reward:.2f})" if isinstance(reward, (int, float)) else ")")))
    score = scores.get("score") if isinstance(scores, dict) else None
    return found, score if isinstance(score, (int, float)) else None
