#!/usr/bin/env python3
"""kubectl, helm and docker for the walkthrough's test: says 2 to what the real one would refuse, as far as our own objects tell.

    stand_in.py PROGRAM ARGUMENTS...

Environment: OBJECTS, a JSON file of all objects; BIN, RUN_DIR and COORDINATOR for commands in a pod, which are run here; LOG, one line a
call. With KUBECTL and HELM (real ones, for a control plane without kubelets) it passes on to them all that needs no kubelet.
"""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from objects import of, pod_labels, workloads  # noqa: E402

KINDS = {"deployment": "Deployment", "deploy": "Deployment", "statefulset": "StatefulSet", "service": "Service", "job": "Job"}
RUN_FOLDER = "/var/lib/lvrpo/shapes"


def refuse(text):
    print(f"stand-in: {text}", file=sys.stderr)
    sys.exit(2)


def need(condition, text):
    if not condition:
        refuse(text)


def split(arguments):
    """(words, {flag: value}) of a command line before "--", and what follows it."""
    words, flags, rest = [], {}, []
    i = 0
    while i < len(arguments):
        word = arguments[i]
        if word == "--":
            rest = arguments[i + 1:]
            break
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            if not equals and name in ("-n", "-l", "-o", "-k", "-f", "-t", "--replicas", "--namespace", "--set", "--values", "--build-arg", "--target"):
                i += 1
                value = arguments[i]
            flags[name] = value
        else:
            words.append(word)
        i += 1
    return words, flags, rest


class Kubectl:
    def __init__(self, arguments):
        self.words, self.flags, self.rest = split(arguments)
        with open(os.environ["OBJECTS"]) as file:
            self.objects = json.load(file)

    def run(self):
        verb = self.words[0].replace("-", "_")
        need(hasattr(self, f"do_{verb}"), f"kubectl {verb} is not known here")
        getattr(self, f"do_{verb}")(*self.words[1:])

    def selected(self):
        wanted = dict(part.split("=") for part in self.flags["-l"].split(","))
        found = [w for w in workloads(self.objects) if wanted.items() <= pod_labels(w).items()]
        need(found, f"no pod has {self.flags['-l']}")
        return found

    def named(self, kind, name):
        need(of(self.objects, KINDS[kind], name), f"there is no {kind} {name}")

    def do_create(self, kind, name=""):
        need(kind in ("namespace", "role", "rolebinding") and name, f"create {kind} {name}")

    def do_label(self, kind, name, label):
        need((kind, name) == ("namespace", "lvrpo") and "=" in label, f"label {kind} {name} {label}")

    def do_apply(self):
        need(os.path.isfile(os.path.join(self.flags["-k"], "kustomization.yaml")), f"no kustomization in {self.flags['-k']}")

    def do_get(self, kind):
        found = self.selected()
        if self.flags.get("-o") == "name":
            print(*(f"{kind}/{w['metadata']['name']}-0" for w in found), sep="\n")

    def do_describe(self, kind):
        pass

    def do_logs(self):
        self.selected()

    def do_port_forward(self, target, ports):
        kind, name = target.split("/")
        self.named(kind, name)
        (service,) = of(self.objects, "Service", name)
        need(int(ports.split(":")[1]) in {p["port"] for p in service["spec"]["ports"]}, f"{name} has no port {ports}")

    def do_scale(self, kind, *names):
        need("--replicas" in self.flags, "scale to how many?")
        for name in names:
            self.named(kind, name)

    def do_wait(self, kind):
        need(any(w["kind"] == KINDS[kind] for w in self.selected()), f"no {kind} has {self.flags['-l']}")

    def do_rollout(self, what, target):
        need(what == "status", f"rollout {what}")
        self.named(*target.split("/"))

    def do_delete(self, kind="", name=""):
        pass

    def do_taint(self, kind, name, taint):
        need(taint == "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute", taint)

    def do_cp(self, source, to):
        pod, path = source.split(":")
        need(pod.startswith("lvrpo-inspect") and path == RUN_FOLDER, source)
        shutil.copytree(os.environ["RUN_DIR"], to)

    def do_exec(self, target):
        if "/" in target:
            self.named(*target.split("/"))
        else:
            self.named("statefulset", target.removesuffix("-0"))
        places = {RUN_FOLDER: os.environ["RUN_DIR"], "127.0.0.1:7070": os.environ["COORDINATOR"]}
        command = [places.get(word, word) for word in self.rest]
        sys.exit(subprocess.run([os.path.join(os.environ["BIN"], command[0]), *command[1:]]).returncode)


def real_kubectl(arguments):
    """What needs no kubelet goes to the real API server; a Job whose end is waited for is made to end."""
    words, flags, _ = split(arguments)
    if words[0] in ("exec", "cp", "port-forward", "logs"):
        return False
    call = [os.environ["KUBECTL"]]
    if words[0] == "wait" and words[1] == "job":
        subprocess.run([*call, "-n", "lvrpo", "wait", "--for=condition=Ready", "pod", "-l", flags["-l"], "--timeout=60s"], check=True)
        subprocess.run([*call, "-n", "lvrpo", "annotate", "pod", "-l", flags["-l"], "test/exit=0"], check=True)
    if words[0] == "apply":
        arguments = [*arguments, "--dry-run=server"]  # the page's other way of what Helm has done already
    os.execv(call[0], [*call, *arguments])


def main():
    program, arguments = sys.argv[1], sys.argv[2:]
    with open(os.environ["LOG"], "a") as log:
        print(program, *arguments, file=log)
    if program == "kubectl":
        if "KUBECTL" in os.environ:
            real_kubectl(arguments)
        Kubectl(arguments).run()
    elif program == "helm":
        if "HELM" in os.environ:
            os.execv(os.environ["HELM"], [os.environ["HELM"], *arguments])
        words, _, _ = split(arguments)
        need(words[0] in ("upgrade", "uninstall"), f"helm {words[0]}")
        if words[0] == "upgrade":
            need(os.path.isfile(os.path.join(words[2], "Chart.yaml")), f"no chart in {words[2]}")
    elif program == "docker":
        words, flags, _ = split(arguments)
        need(words[0] == "push" or os.path.isfile(flags["-f"]), f"docker {' '.join(arguments)}")


if __name__ == "__main__":
    main()
