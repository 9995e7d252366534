#!/usr/bin/env python3
"""The live page in a real browser (make check-page; needs chromium): shows what the coordinator says, in its words only.

Serves coordinator/page with the headers of run_page.cc and made-up answers, hostile ones among them, and looks at the
document that chromium makes of them. With an argument: also writes screenshots, light and dark, into that folder.
"""
import http.server
import json
import math
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "coordinator" / "page"
HOSTILE = "</td><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


def policy():
    """The Content-Security-Policy that the coordinator sends."""
    text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', (PAGE / "run_page.cc").read_text().split("kHeaders[] =")[1].split(";\n}")[0]))
    return re.search(r"Content-Security-Policy: (.*?)\\r\\n", text)[1]


def png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((40 * x % 256, 60, 180) * 1)[:3] * 16 for x in range(16))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def member(name, role, state="ready", heard=.2):
    return {"id": name, "role": role, "state": state, "version": 41, "load": 1.0, "heard": heard, "address": "10.0.0.7:7070", "rank": 0}


STATUS = {"run_id": "run " + HOSTILE, "run_epoch": 2, "state": "running", "step": 41, "total_steps": 300, "trouble": "",
          "waiting_for": "rollout-1 (ordinal 97; 5 of 8 groups)", "seconds_since_progress": 95.0, "version": 41, "digest": "0123456789ab",
          "groups": {"planned": 3, "leased": 4, "complete": 5, "assigned": 0, "consumed": 328}, "retired": {"zero_variance": 12},
          "reward_means": {}, "members_left_out": 0, "groups_wanted": 7,
          "pools": {"rollout": {"wanted": 5, "in_flight": 4}, "reward": {"wanted": 1, "in_flight": 1.0}},
          "members": [member("learner-0", "learner"), member("rollout-0", "rollout"), member(HOSTILE, "rollout", HOSTILE, 9.0), member("reward-0", "reward")]}
FIGURES = {"reward": [[x, .4 + .3 * (1 - math.exp(-x / 20))] for x in range(1, 42)], "image_kl": [[x, .001 * x] for x in range(1, 42)],
           "reward_" + HOSTILE: [[x, .5] for x in range(1, 42)]}
CURVES = {"steps": 41, "seconds_per_step": 12.5, "figures": FIGURES}
SAMPLES = {"heldout": [[0, .48, .02], [25, .55, .02]], "step": 25, "samples": [
    {"image": "step_000025/sample-0000.png", "prompt": HOSTILE, "kind": "single", "correct": True, "reward": .75, "scores": {HOSTILE: 1}}]}


class Coordinator(http.server.BaseHTTPRequestHandler):
    asked = set()

    def log_message(self, *_):
        pass

    def do_GET(self):
        answers = {"/api/status": STATUS, "/api/curves": CURVES, "/api/samples": SAMPLES}
        name = "page.html" if self.path == "/" else self.path[1:]
        Coordinator.asked.add(self.path)
        if self.path in answers:
            kind, body = "application/json", json.dumps(answers[self.path]).encode()
        elif self.path.startswith("/images/"):
            kind, body = "image/png", png()
        elif name in ("page.html", "page.css", "page.js"):
            kind, body = TYPES[pathlib.Path(name).suffix], (PAGE / name).read_bytes()
        else:
            return self.send_error(404)
        self.send_response(200)
        for key, value in (("Content-Type", kind), ("Content-Security-Policy", policy()), ("X-Content-Type-Options", "nosniff")):
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)


def browse(browser, url, *options):
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={profile}",
                               "--window-size=1180,2300", "--hide-scrollbars", "--virtual-time-budget=4000", *options, url],
                              capture_output=True, text=True, timeout=120)


def main():
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("check-page: there is no chromium (Debian: apt-get install chromium)", file=sys.stderr)
        return 69
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Coordinator)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    seen = browse(browser, url, "--dump-dom")
    page = seen.stdout
    wrong = []
    for what in ("step 41 of 300", "about 54 min left", "rollout-1 (ordinal 97; 5 of 8 groups)", "5 wanted", "zero variance", "Held-out score",
                 "KL to the base policy", "reward 0.750", "images/step_000025/sample-0000.png", "&lt;script&gt;document.title", "waiting"):
        if what not in page:
            wrong.append(f"the page does not show: {what}")
    for never in ("<script>document", "<img src=\"x\"", "<title>owned"):
        if never in page:
            wrong.append(f"text became markup: {never}")
    for line in seen.stderr.splitlines():
        if "CONSOLE" in line and "favicon" not in line:
            wrong.append("the browser complains: " + line)
    if not {"/page.css", "/page.js", "/api/status", "/api/curves", "/api/samples", "/images/step_000025/sample-0000.png"} <= Coordinator.asked:
        wrong.append(f"asked for {sorted(Coordinator.asked)} only")
    if sys.argv[1:]:
        folder = pathlib.Path(sys.argv[1]).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for name, options in (("light", []), ("dark", ["--blink-settings=preferredColorScheme=0"])):
            browse(browser, url, *options, f"--screenshot={folder / name}.png")
    server.shutdown()
    print("\n".join(wrong) if wrong else "check-page: the page shows what it is told, as text")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
