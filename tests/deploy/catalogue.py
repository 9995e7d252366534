"""The metrics that processes export: `lvrpo metrics --json`, and of others what dashboards and rules may name."""
import json
import pathlib
import re
import subprocess

SELECTOR = re.compile(r"(?<![\w:])((?:lvrpo|process)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
# Labels that scraping adds, and `run`, which every process adds.
ADDED = {"run", "namespace", "job", "instance", "member", "role"}


def read(bin_dir):
    """Metric -> {"type": ..., "labels": {label: [values]}}, without values where they are not known."""
    result = subprocess.run([str(pathlib.Path(bin_dir) / "lvrpo"), "metrics", "--json"], capture_output=True, text=True, check=True)
    return {m["name"]: {"type": m["type"], "labels": m["labels"]} for m in json.loads(result.stdout)}


def series(metrics):
    """The same by names of series: a histogram has three."""
    found = {}
    for name, metric in metrics.items():
        for suffix in (("_sum", "_count", "_bucket") if metric["type"] == "histogram" else ("",)):
            labels = metric["labels"] | ({"le": []} if suffix == "_bucket" else {})
            found[name + suffix] = {"type": "counter" if suffix else metric["type"], "labels": labels}
    return found


def unknown(expression, metrics):
    """Sentences about series, labels and label values of the expression that no process exports."""
    known, wrong = series(metrics), []
    for name, matchers in SELECTOR.findall(expression):
        if name not in known:
            wrong.append(f"{name} is no metric")
            continue
        for label, operator, value in MATCHER.findall(matchers):
            values = known[name]["labels"].get(label)
            if values is None and label not in ADDED:
                wrong.append(f"{name} has no label {label}")
            elif values and "$" not in value:
                for word in [value] if operator in ("=", "!=") else re.findall(r"\w+", value):
                    if word not in values:
                        wrong.append(f"{name} has no {label} {word}")
    return wrong
