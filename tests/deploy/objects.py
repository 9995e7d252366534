"""What tests ask of a list of Kubernetes objects. Pure."""
import re

ROLES = ("coordinator", "learner", "rollout", "reward", "evaluation", "inspect")
COMPONENT = "app.kubernetes.io/component"


def template(o):
    """The pod template of a workload, or None."""
    if o["kind"] == "JobSet":
        return o["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
    return o["spec"]["template"] if o["kind"] in ("Deployment", "StatefulSet", "Job") else None


def workloads(objects):
    return [o for o in objects if template(o)]


def pod(workload):
    return template(workload)["spec"]


def pod_labels(workload):
    return template(workload)["metadata"]["labels"]


def component(o):
    return o["metadata"].get("labels", {}).get(COMPONENT)


def of(objects, kind, name=None, role=None):
    """Objects of a kind, with this name or of this role."""
    return [o for o in objects if o["kind"] == kind and (name is None or o["metadata"]["name"] == name) and
            (role is None or component(o) == role)]


def one(objects, kind, name=None, role=None):
    (found,) = of(objects, kind, name, role)
    return found


def containers(workload):
    return pod(workload).get("initContainers", []) + pod(workload)["containers"]


def main_container(workload):
    return pod(workload)["containers"][0]


def flag(workload, name):
    """The value of a flag of a workload's program."""
    args = main_container(workload)["args"]
    return args[args.index(name) + 1]


def selects(selector, labels):
    return selector.get("matchLabels", {}).items() <= labels.items()


def _ports(rule):
    return [p["port"] for p in rule["ports"]] if "ports" in rule else [0]


def edges(objects, direction):
    """{(from, to, port)} that NetworkPolicies allow between roles; 0: all ports. `direction`: "ingress" or "egress"."""
    found = set()
    for policy in of(objects, "NetworkPolicy"):
        here = policy["spec"]["podSelector"]["matchLabels"].get(COMPONENT)
        for rule in policy["spec"].get(direction) or []:
            for peer in rule.get("from" if direction == "ingress" else "to", []):
                there = peer.get("podSelector", {}).get("matchLabels", {}).get(COMPONENT)
                if there and "namespaceSelector" not in peer:
                    pair = (there, here) if direction == "ingress" else (here, there)
                    found |= {(*pair, port) for port in _ports(rule)}
    return found


def from_outside(objects, direction):
    """{(role, what is outside, port)} that NetworkPolicies allow beyond the release."""
    found = set()
    for policy in of(objects, "NetworkPolicy"):
        here = policy["spec"]["podSelector"]["matchLabels"].get(COMPONENT)
        for rule in policy["spec"].get(direction) or []:
            for peer in rule.get("from" if direction == "ingress" else "to", []):
                names = list(peer.get("namespaceSelector", {}).get("matchLabels", {}).values())
                cidr = peer.get("ipBlock", {}).get("cidr")
                if names or cidr:
                    found |= {(here, names[0] if names else cidr, port) for port in _ports(rule)}
    return found


def numbers(quantity):
    """A quantity in its base unit: "512Mi" -> 536870912, "500m" -> .5."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(quantity)).groups()
    scale = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
    return float(number) * scale[unit]
