"""A Kubernetes control plane on loopback: etcd, API server, controllers, scheduler, and kwok's simulated nodes. Binaries come from
`make setup-kubernetes`. Every port is free, state lives in a temporary folder, and stop() ends all that was started."""
import json
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
DEPS = pathlib.Path(os.environ.get("LVRPO_DEPS", ROOT / ".deps")) / "kubernetes"
BIN = DEPS / "bin"
NODES = 3


def until(what, condition, seconds=60):
    """The first true value of condition(); AssertionError after that time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.25)


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Pki:
    """Certificates of a control plane in `folder`."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self._authority("ca")
        self._authority("front-ca")
        self.leaf("apiserver", "/CN=kube-apiserver", "serverAuth", "DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1")
        self.leaf("admin", "/O=system:masters/CN=admin", "clientAuth")
        self.leaf("controllers", "/CN=system:kube-controller-manager", "clientAuth")
        self.leaf("scheduler", "/CN=system:kube-scheduler", "clientAuth")
        self.leaf("front", "/CN=front-proxy-client", "clientAuth", authority="front-ca")
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.path("sa.key"))
        _openssl("ec", "-in", self.path("sa.key"), "-pubout", "-out", self.path("sa.pub"))

    def path(self, name):
        return self.folder / name

    def _authority(self, name):
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                 "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.crt"))

    def leaf(self, name, subject, usage, alternatives="", authority="ca"):
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject, "-keyout",
                 self.path(f"{name}.key"), "-out", self.path(f"{name}.csr"))
        extensions = f"extendedKeyUsage={usage}\n" + (f"subjectAltName={alternatives}\n" if alternatives else "")
        self.path(f"{name}.ext").write_text(extensions)
        _openssl("x509", "-req", "-in", self.path(f"{name}.csr"), "-CA", self.path(f"{authority}.crt"), "-CAkey",
                 self.path(f"{authority}.key"), "-CAcreateserial", "-days", "2", "-extfile", self.path(f"{name}.ext"), "-out",
                 self.path(f"{name}.crt"))


def _node(number):
    room = {"cpu": "64", "memory": "512Gi", "pods": "110", "ephemeral-storage": "1Ti", "nvidia.com/gpu": "8"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {
        "name": f"node-{number}", "annotations": {"kwok.x-k8s.io/node": "fake"},
        "labels": {"kubernetes.io/hostname": f"node-{number}", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
        "status": {"capacity": room, "allocatable": room}}


def volume(name, size="100Gi"):
    """A volume that any node may mount: what a storage class would make."""
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/tmp/none"},
                     "persistentVolumeReclaimPolicy": "Delete"}}


class Cluster:
    def __init__(self):
        self._temporary = tempfile.TemporaryDirectory(prefix="lvrpo-kubernetes-")
        self.folder = pathlib.Path(self._temporary.name)
        self.kubeconfig = self.folder / "admin.conf"
        self._processes = []
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for _, process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._temporary.cleanup()

    def kubectl(self, *arguments, stdin=None, check=True):
        """The completed process; its output is text."""
        text = json.dumps(stdin) if isinstance(stdin, (dict, list)) else stdin
        result = subprocess.run([BIN / "kubectl", "--kubeconfig", self.kubeconfig, *arguments], input=text, capture_output=True, text=True)
        if check and result.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(map(str, arguments))}: {result.stderr.strip()}")
        return result

    def get(self, *arguments):
        """Objects, as `kubectl get -o json` has them: one, or a list's items."""
        found = json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)
        return found.get("items", found)

    def apply(self, objects, *arguments, check=True):
        return self.kubectl("apply", "--server-side", "--force-conflicts", *arguments, "-f", "-",
                            stdin={"apiVersion": "v1", "kind": "List", "items": objects}, check=check)

    def _run(self, name, *arguments):
        with open(self.folder / f"{name}.log", "w") as log:
            process = subprocess.Popen(["nice", BIN / name, *map(str, arguments)], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                       start_new_session=True)
        self._processes.append((name, process))

    def _answers(self, url, *certificates):
        """Whether it answers 200."""
        name, process = self._processes[-1]
        if process.poll() is not None:
            raise AssertionError(f"{name} ended: {(self.folder / f'{name}.log').read_text()[-500:]}")
        context = ssl._create_unverified_context() if url.startswith("https") else None  # our own, on loopback
        if certificates:
            context.load_cert_chain(*certificates)
        try:
            return urllib.request.urlopen(url, timeout=2, context=context).status == 200
        except OSError:
            return False

    def _config(self, user):
        path, pki = self.folder / f"{user}.conf", self.pki
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it", "contexts": [{"name": "it", "context": {"cluster": "it", "user": user}}],
            "clusters": [{"name": "it", "cluster": {"server": self.server, "certificate-authority": str(pki.path("ca.crt"))}}],
            "users": [{"name": user, "user": {"client-certificate": str(pki.path(f"{user}.crt")), "client-key": str(pki.path(f"{user}.key"))}}]}))
        return path

    def _start(self):
        self.pki = pki = Pki(self.folder / "pki")
        api, etcd, peer, controllers, scheduler, nodes = _free_ports(6)
        self.server = f"https://127.0.0.1:{api}"
        for user in ("admin", "controllers", "scheduler"):
            self._config(user)
        store = f"http://127.0.0.1:{etcd}"
        self._run("etcd", "--data-dir", self.folder / "etcd", "--unsafe-no-fsync", "--log-level", "warn", "--listen-client-urls", store,
                  "--advertise-client-urls", store, "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                  "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--initial-cluster", f"default=http://127.0.0.1:{peer}")
        until("etcd", lambda: self._answers(f"{store}/health"), 30)
        self._run("kube-apiserver", "--etcd-servers", store, "--bind-address", "127.0.0.1", "--secure-port", api, "--advertise-address",
                  "127.0.0.1", "--endpoint-reconciler-type", "none", "--tls-cert-file", pki.path("apiserver.crt"), "--tls-private-key-file",
                  pki.path("apiserver.key"), "--client-ca-file", pki.path("ca.crt"), "--service-account-key-file", pki.path("sa.pub"),
                  "--service-account-signing-key-file", pki.path("sa.key"), "--service-account-issuer", "https://kubernetes.default.svc",
                  "--requestheader-client-ca-file", pki.path("front-ca.crt"), "--requestheader-allowed-names", "front-proxy-client",
                  "--requestheader-username-headers", "X-Remote-User", "--requestheader-group-headers", "X-Remote-Group",
                  "--requestheader-extra-headers-prefix", "X-Remote-Extra-", "--proxy-client-cert-file", pki.path("front.crt"),
                  "--proxy-client-key-file", pki.path("front.key"), "--service-cluster-ip-range", "10.96.0.0/16", "--authorization-mode",
                  "Node,RBAC")
        until("the API server", lambda: self._answers(f"{self.server}/readyz", pki.path("admin.crt"), pki.path("admin.key")), 120)
        self._run("kube-controller-manager", "--kubeconfig", self.folder / "controllers.conf", "--bind-address", "127.0.0.1", "--secure-port",
                  controllers, "--leader-elect=false", "--use-service-account-credentials", "--service-account-private-key-file",
                  pki.path("sa.key"), "--root-ca-file", pki.path("ca.crt"), "--controllers", "*", "--horizontal-pod-autoscaler-sync-period", "2s")
        until("the controllers", lambda: self._answers(f"https://127.0.0.1:{controllers}/healthz"), 90)
        self._run("kube-scheduler", "--kubeconfig", self.folder / "scheduler.conf", "--bind-address", "127.0.0.1", "--secure-port", scheduler,
                  "--leader-elect=false")
        until("the scheduler", lambda: self._answers(f"https://127.0.0.1:{scheduler}/healthz"), 90)
        self._run("kwok", "--kubeconfig", self.kubeconfig, "--manage-all-nodes=true", "--node-lease-duration-seconds", "40", "--config",
                  HERE / "stages.yaml", "--server-address", f"127.0.0.1:{nodes}")
        self.apply([_node(number) for number in range(NODES)])
        self.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=90s")
        until("the default ServiceAccount", lambda: self.kubectl("get", "-n", "default", "serviceaccount", "default", check=False).returncode == 0)
