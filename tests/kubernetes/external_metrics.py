"""A stand-in of prometheus-adapter on loopback: answers the Kubernetes autoscaler with numbers that a test sets."""
import datetime
import http.server
import json
import ssl
import threading
import urllib.parse

VERSION = "external.metrics.k8s.io/v1beta1"


class ExternalMetrics:
    """`values`: (metric, {label: value} as a sorted tuple of pairs) -> number. What is not there is not found."""

    def __init__(self, certificate, key):
        self.values, self.asked = {}, set()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                code, body = owner.answer(self.path)
                text = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def set(self, metric, labels, value):
        self.values[(metric, tuple(sorted(labels.items())))] = value

    def answer(self, path):
        url = urllib.parse.urlparse(path)
        parts = url.path.strip("/").split("/")
        if url.path.rstrip("/") == f"/apis/{VERSION}":
            return 200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": VERSION, "resources": [
                {"name": "*", "singularName": "", "namespaced": True, "kind": "ExternalMetricValueList", "verbs": ["get"]}]}
        if len(parts) == 6 and parts[3] == "namespaces":
            selector = urllib.parse.parse_qs(url.query).get("labelSelector", [""])[0]
            key = (parts[5], tuple(sorted(tuple(pair.split("=", 1)) for pair in selector.split(",") if "=" in pair)))
            self.asked.add(key)
            if key in self.values:
                now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                return 200, {"kind": "ExternalMetricValueList", "apiVersion": VERSION, "metadata": {}, "items": [
                    {"metricName": key[0], "metricLabels": dict(key[1]), "timestamp": now, "value": str(self.values[key])}]}
        return 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "message": path, "code": 404}


def objects(port):
    """What makes an API server ask the server at that port."""
    group, version = VERSION.split("/")
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "external-metrics", "namespace": "kube-system"},
         "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}},
        {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"{version}.{group}"},
         "spec": {"group": group, "version": version, "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": True,
                  "service": {"name": "external-metrics", "namespace": "kube-system", "port": port}}}]
