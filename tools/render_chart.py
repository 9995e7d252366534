#!/usr/bin/env python3
"""Keeps what follows from the Helm chart equal to it: the chart's copies of dashboards and alerts, the table of values in
its README, and the plain manifests in deploy/kubernetes.

    render_chart.py           write them (needs helm: $HELM, .deps/kubernetes/bin/helm, or in PATH)
    render_chart.py --check   say what differs. Without helm the manifests are compared by the digest of the chart that
                              they were rendered from
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, os.environ.get("LVRPO_PYTHON", str(ROOT / ".deps/python")))
import yaml  # noqa: E402

CHART = ROOT / "deploy/helm/lvrpo"
PLAIN = ROOT / "deploy/helm/plain.yaml"
MANIFESTS = ROOT / "deploy/kubernetes"
COPIES = {"deploy/prometheus/rules.yml": "files/rules.yml"}
BEGIN, END = "<!-- values: begin -->", "<!-- values: end -->"


def helm():
    for name in (os.environ.get("HELM"), str(ROOT / ".deps/kubernetes/bin/helm"), "helm"):
        found = shutil.which(name) if name else None
        if found:
            return found
    return None


def template(arguments, release="lvrpo", namespace="lvrpo"):
    """The chart's output, as text. Raises CalledProcessError with Helm's words in stderr."""
    command = [helm(), "template", release, str(CHART), "--namespace", namespace, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120).stdout


def chart_digest():
    """Of all that the manifests follow from."""
    files = sorted([*(CHART / "templates").glob("*"), CHART / "Chart.yaml", CHART / "values.yaml", PLAIN])
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def copies():
    """Path in the chart -> text: dashboards and alerts belong to deploy/, and Helm reads only its own folder."""
    wanted = dict(COPIES)
    for path in (ROOT / "deploy/grafana").glob("*.json"):
        wanted[str(path.relative_to(ROOT))] = f"files/dashboards/{path.name}"
    return {CHART / to: (ROOT / source).read_text() for source, to in wanted.items() if (ROOT / source).exists()}


def leaves(schema, values, path=""):
    """(path, schema, default) of every value that a person can set alone."""
    for name, part in schema["properties"].items():
        here = f"{path}.{name}" if path else name
        default = values.get(name, "(unset)") if isinstance(values, dict) else "(unset)"
        if part.get("properties") and isinstance(default, dict) and part.get("additionalProperties") is False:
            yield from leaves(part, default, here)
        else:
            yield here, part, default


def values_table():
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    yield "| value | default | meaning |"
    yield "|---|---|---|"
    for path, part, default in leaves(schema, values):
        if default == "(unset)":
            continue  # of `defaults`, listed there
        shown = "below" if path == "config" else json.dumps(default)
        yield f"| `{path}` | `{shown}` | {part['description']} |".replace("`below`", "values.yaml")


def readme():
    text = (CHART / "README.md").read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return before + BEGIN + "\n" + "\n".join(values_table()) + "\n" + END + after


def manifests():
    """File name -> text of deploy/kubernetes."""
    text = template(["--values", str(PLAIN)])
    files = {}
    for document in re.split(r"^---\n", text, flags=re.M):
        source = re.match(r"# Source: lvrpo/templates/(\S+)\n", document)
        body = document[source.end():].strip("\n") + "\n" if source else ""
        if not any(line and not line.startswith("#") for line in body.splitlines()):
            continue
        files.setdefault(source.group(1), []).append(re.sub(r"[ \t]+$|^\n", "", body, flags=re.M))
    rendered = {name: "---\n".join(parts) for name, parts in files.items()}
    order = ["namespace.yaml", "config.yaml", "storage.yaml", "serviceaccounts.yaml"]
    names = order + sorted(set(rendered) - set(order))
    rendered["kustomization.yaml"] = "\n".join([
        "# Rendered from deploy/helm/lvrpo by `make manifests`: do not edit.", f"# Chart: {chart_digest()}",
        "apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", "resources:", *(f"  - {name}" for name in names),
        "images:", "  - {name: lvrpo, newName: lvrpo, newTag: 0.1.0}  # newName: where you pushed it to", ""])
    return {MANIFESTS / name: body for name, body in rendered.items()}


def stale_without_helm():
    stamp = (MANIFESTS / "kustomization.yaml").read_text()
    return [] if f"# Chart: {chart_digest()}\n" in stamp else [MANIFESTS / "kustomization.yaml"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    if not helm() and not check:
        sys.exit("render_chart: there is no helm: run make setup-kubernetes, or set HELM")
    if not check:  # first what the manifests follow from
        for path, text in copies().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    wanted = copies() | {CHART / "README.md": readme()} | (manifests() if helm() else {})
    there = {*(CHART / "files").rglob("*.*"), *(MANIFESTS.glob("*.yaml") if helm() else [])}
    stale = [p for p, text in wanted.items() if not p.exists() or p.read_text() != text]
    stale += sorted(there - set(wanted)) + (stale_without_helm() if not helm() else [])
    if check:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what the chart says: run make manifests", file=sys.stderr)
        return 1 if stale else 0
    for path in there - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
