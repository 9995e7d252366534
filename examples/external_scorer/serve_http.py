#!/usr/bin/env python3
"""Serves scorer.py as JSON over HTTP, with Python's standard library alone.

    serve_http.py [--listen HOST:PORT]

Prints "listening on HOST:PORT" when it is ready; port 0 picks one.
"""
import argparse
import base64
import binascii
import http.server
import json
import signal
import sys

import scorer

MOST_BYTES = 96 << 20  # of a request: all images of a prompt, in base64


class Refused(Exception):
    def __init__(self, code, why):
        super().__init__(why)
        self.code = code


def score_samples(request):
    """The answer to one request, both as JSON gives them."""
    try:
        prompt, samples = request["prompt"], request["samples"]
        kinds = [{"text": sample["text"]} if "text" in sample else
                 {"png": base64.b64decode(sample["png"], validate=True)} for sample in samples]
    except (KeyError, TypeError, binascii.Error) as error:
        raise Refused(422, f"this is no request for scores: {error!r}") from error
    try:
        scores = [scorer.score(prompt, **kind) for kind in kinds]
    except scorer.CannotBeScored as error:
        raise Refused(422, str(error)) from error
    return {"digest": scorer.DIGEST, "scores": [{"value": value, "detail": detail} for value, detail in scores]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    timeout = 60  # seconds that a client may say nothing

    def do_GET(self):
        if self.path == "/describe":
            self.answer(200, {"digest": scorer.DIGEST})
        else:
            self.answer(404, {"error": "try GET /describe or POST /score"})

    def do_POST(self):
        try:
            self.answer(200, score_samples(self.read_json()))
        except Refused as error:
            self.answer(error.code, {"error": str(error)})
        except Exception as error:  # a fault of the scorer's own: the samples have no score
            self.answer(500, {"error": repr(error)})
            raise

    def read_json(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self.close_connection = True  # what is not read would be taken for the next request
            raise Refused(413, f"a request needs a Content-Length of at most {MOST_BYTES} bytes")
        body = self.rfile.read(int(length))
        if self.path != "/score":
            raise Refused(404, "try GET /describe or POST /score")
        try:
            return json.loads(body)
        except ValueError as error:
            raise Refused(400, f"this is no JSON: {error}") from error

    def answer(self, code, content):
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:7101", metavar="HOST:PORT")
    host, _, port = parser.parse_args().listen.rpartition(":")
    with http.server.ThreadingHTTPServer((host, int(port)), Handler) as server:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print(f"listening on {host}:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
