"""Rules that every form of our Kubernetes objects keeps. Each yields sentences; none: the rule holds. Pure."""
from objects import (COMPONENT, component, containers, edges, flag, main_container, of, pod, pod_labels, selects, template,
                     workloads)

LABELS = {"app.kubernetes.io/" + name for name in ("name", "instance", "component", "part-of", "version", "managed-by")}
ALLOWED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"}


def _name(o):
    return f"{o['kind']}/{o['metadata']['name']}"


def labels(objects):
    for o in objects:
        missing = LABELS - set(o["metadata"].get("labels", {}))
        if missing:
            yield f"{_name(o)}: no labels {sorted(missing)}"
    for w in workloads(objects):
        missing = LABELS - {"app.kubernetes.io/managed-by"} - set(pod_labels(w))
        if missing:
            yield f"{_name(w)}: its pods have no labels {sorted(missing)}"


def restricted(objects):
    """The Pod Security Standard "restricted", and a read-only root and a group for Secrets' files."""
    for w in workloads(objects):
        spec, security = pod(w), pod(w).get("securityContext", {})
        if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{_name(w)}: uses a namespace of its host"
        if not security.get("runAsNonRoot") or security.get("runAsUser", 0) == 0:
            yield f"{_name(w)}: may run as root"
        if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{_name(w)}: no seccomp profile"
        for volume in spec["volumes"]:
            if not set(volume) - {"name"} <= ALLOWED_VOLUMES:
                yield f"{_name(w)}: volume {volume['name']} is of a kind that is not allowed"
        for c in containers(w):
            own = c.get("securityContext", {})
            if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
                yield f"{_name(w)}/{c['name']}: may escalate privileges"
            if own.get("capabilities", {}).get("drop") != ["ALL"] or own["capabilities"].get("add"):
                yield f"{_name(w)}/{c['name']}: has capabilities"
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{_name(w)}/{c['name']}: its root is writable"


def resources(objects):
    for w in workloads(objects):
        for c in containers(w):
            given = c.get("resources", {})
            if not {"cpu", "memory"} <= set(given.get("requests", {})):
                yield f"{_name(w)}/{c['name']}: no requests"
            if "memory" not in given.get("limits", {}):
                yield f"{_name(w)}/{c['name']}: no limit of memory"
            for device in {k for k in given.get("limits", {}) if "/" in k}:
                if given["limits"][device] != given["requests"].get(device):
                    yield f"{_name(w)}/{c['name']}: limit and request of {device} differ"


def images(objects):
    for w in workloads(objects):
        for c in containers(w):
            name, at, _ = c["image"].partition("@")
            tag = name.rsplit("/", 1)[-1].partition(":")[2]
            if not at and (not tag or tag == "latest"):
                yield f"{_name(w)}/{c['name']}: image {c['image']} has no fixed tag"
    if len({main_container(w)["image"] for w in workloads(objects)}) > 1:
        yield "the roles have different images"


def probes(objects):
    wanted = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    for w in workloads(objects):
        c = main_container(w)
        if c["args"][0] == "sleep":
            continue  # serves nothing
        if "metrics" not in {p["name"] for p in c["ports"]}:
            yield f"{_name(w)}: no port for metrics"
        for probe, path in wanted.items():
            if c.get(probe, {}).get("httpGet") != {"path": path, "port": "metrics"}:
                yield f"{_name(w)}: no {probe}"


def accounts(objects):
    there = {o["metadata"]["name"]: o for o in of(objects, "ServiceAccount")}
    for w in workloads(objects):
        account = there.get(pod(w).get("serviceAccountName"))
        if account is None:
            yield f"{_name(w)}: its ServiceAccount is not there"
        elif account.get("automountServiceAccountToken") is not False or pod(w).get("automountServiceAccountToken") is not False:
            yield f"{_name(w)}: mounts a token"
    for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        for o in of(objects, kind):
            yield f"{_name(o)}: no role calls Kubernetes"


def mounts(objects):
    maps = {o["metadata"]["name"] for o in of(objects, "ConfigMap")}
    for w in workloads(objects):
        volumes = {v["name"]: v for v in pod(w)["volumes"]}
        used = {m["name"] for c in containers(w) for m in c["volumeMounts"]}
        if used != set(volumes):
            yield f"{_name(w)}: mounts {sorted(used)}, has {sorted(volumes)}"
        for v in volumes.values():
            if "configMap" in v and v["configMap"]["name"] not in maps:
                yield f"{_name(w)}: ConfigMap {v['configMap']['name']} is not there"
        for c in containers(w):
            paths = [m["mountPath"] for m in c["volumeMounts"]]
            if any(a != b and a.startswith(b.rstrip("/") + "/") for a in paths for b in paths):
                yield f"{_name(w)}: one mount lies in another"
            if any("subPath" in m for m in c["volumeMounts"]):
                yield f"{_name(w)}: a subPath is never updated"


def selectors(objects):
    pods = [pod_labels(w) for w in workloads(objects)]
    for o in objects:
        if o["kind"] in ("Deployment", "StatefulSet") and not selects(o["spec"]["selector"], pod_labels(o)):
            yield f"{_name(o)}: does not select its pods"
        if o["kind"] == "Service" and not any(o["spec"]["selector"].items() <= p.items() for p in pods):
            yield f"{_name(o)}: selects nothing"
        if o["kind"] == "PodDisruptionBudget" and not any(selects(o["spec"]["selector"], p) for p in pods):
            yield f"{_name(o)}: selects nothing"
        if o["kind"] == "NetworkPolicy" and not any(selects(o["spec"]["podSelector"], p) for p in pods):
            yield f"{_name(o)}: selects nothing"
    owners = [w for w in workloads(objects) if w["kind"] in ("Deployment", "StatefulSet")]
    for p in pods:
        if sum(selects(o["spec"]["selector"], p) for o in owners) > 1:
            yield f"two workloads select pods with {p}"


def replicas(objects):
    """An autoscaler's pool has no replicas of its own, every other one has."""
    scaled = {o["spec"]["scaleTargetRef"]["name"] for o in objects if o["kind"] in ("ScaledObject", "HorizontalPodAutoscaler")}
    for o in of(objects, "Deployment"):
        if ("replicas" in o["spec"]) == (o["metadata"]["name"] in scaled):
            yield f"{_name(o)}: replicas and an autoscaler, or neither"
    for name in scaled - {o["metadata"]["name"] for o in of(objects, "Deployment")}:
        yield f"an autoscaler's {name} is not there"


def network(objects):
    """Both ends of an edge allow it, and nothing is left open."""
    policies = of(objects, "NetworkPolicy")
    if not policies:
        return
    for source, to, port in sorted(edges(objects, "ingress") ^ edges(objects, "egress")):
        yield f"{source} -> {to}:{port} is allowed at one end only"
    for w in workloads(objects):
        covering = [p["spec"]["policyTypes"] for p in policies if selects(p["spec"]["podSelector"], pod_labels(w))]
        if not any(set(types) == {"Ingress", "Egress"} for types in covering):
            yield f"{_name(w)}: its pods are not covered"
    for p in policies:
        for key, peers in (("ingress", "from"), ("egress", "to")):
            if any(not rule.get(peers) for rule in p["spec"].get(key) or []):
                yield f"{_name(p)}: a rule without peers allows everybody"


def addresses(objects):
    """What members dial is a Service, and the coordinator says the same of itself."""
    services = {o["metadata"]["name"]: {p["port"] for p in o["spec"]["ports"]} for o in of(objects, "Service")}
    dialled = {flag(w, "--coordinator") for w in workloads(objects) if "--coordinator" in main_container(w)["args"]}
    said = {flag(w, "--advertise") for w in of(objects, "StatefulSet")}
    if dialled != said:
        yield f"members dial {sorted(dialled)}, the coordinator is at {sorted(said)}"
    for host, port in (a.split(":") for a in dialled):
        if int(port) not in services.get(host, ()):
            yield f"no Service has {host}:{port}"


def transport(objects):
    """All of a release speak TLS, or all plain text."""
    ways = set()
    for w in workloads(objects):
        args = main_container(w)["args"]
        if component(w) == "evaluation" and "--listen" not in args and "--tls" not in args:
            continue  # it serves nothing, and needs no word for plain text
        if args[0] != "sleep":
            ways.add(("--tls" in args, "--insecure" in args))
    if ways not in ({(True, False)}, {(False, True)}):
        yield f"mixed transports: {sorted(ways)}"


def pools(objects):
    for w in of(objects, "Deployment"):
        if component(w) in ("rollout", "reward") and not pod(w).get("topologySpreadConstraints"):
            yield f"{_name(w)}: its pods are not spread"


def jobs(objects):
    """A pod that a Job replaces ends for good, and codes that cannot get better fail it."""
    for w in workloads(objects):
        if w["kind"] in ("Job", "JobSet"):
            spec = w["spec"] if w["kind"] == "Job" else w["spec"]["replicatedJobs"][0]["template"]["spec"]
            if pod(w).get("restartPolicy") != "Never" or spec.get("podReplacementPolicy") != "Failed":
                yield f"{_name(w)}: two of its pods may run at once"
            if w["spec"].get("ttlSecondsAfterFinished") is None:
                yield f"{_name(w)}: stays for ever"
            names = {rule["onExitCodes"]["containerName"] for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule}
            if names != {main_container(w)["name"]}:
                yield f"{_name(w)}: its policy names the container {names}"


RULES = (labels, restricted, resources, images, probes, accounts, mounts, selectors, replicas, network, addresses, transport, pools, jobs)


def offences(objects, without=()):
    return [f"{rule.__name__}: {text}" for rule in RULES if rule.__name__ not in without for text in rule(objects)]
