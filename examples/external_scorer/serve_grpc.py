#!/usr/bin/env python3
"""Serves scorer.py as the gRPC service of proto/lvrpo/v1/external_scorer.proto.

    make_stubs.sh && serve_grpc.py [--listen HOST:PORT] [--stubs DIR]

Prints "listening on HOST:PORT" when it is ready; port 0 picks one. SIGTERM lets the calls at hand finish.
"""
import argparse
import concurrent.futures
import pathlib
import signal
import sys

import grpc
from google.protobuf.json_format import MessageToDict

import scorer

MOST_BYTES = 64 << 20  # of a request: all images of a prompt. gRPC's own limit of 4 MiB is too small
GRACE_SECONDS = 10


def make_service(messages, services):
    class Service(services.ExternalScorerServicer):
        def Describe(self, request, context):
            return messages.DescribeScorerResponse(digest=scorer.DIGEST)

        def ScoreSamples(self, request, context):
            prompt = MessageToDict(request.prompt, preserving_proto_field_name=True)
            is_text = prompt.get("task") == "TASK_KIND_TEXT"
            response = messages.ScoreSamplesResponse(digest=scorer.DIGEST)
            for sample in request.samples:
                kind = {"text": sample.text} if is_text else {"png": sample.png}
                try:
                    value, detail = scorer.score(prompt, **kind)
                except scorer.CannotBeScored as error:
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
                response.scores.add(value=value, detail=detail)
            return response

    return Service()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:7100", metavar="HOST:PORT")
    parser.add_argument("--stubs", default=pathlib.Path(__file__).resolve().parent / "stubs", metavar="DIR")
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.stubs))
    from proto.lvrpo.v1 import external_scorer_pb2, external_scorer_pb2_grpc

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=4),
                         options=[("grpc.max_receive_message_length", MOST_BYTES)])
    external_scorer_pb2_grpc.add_ExternalScorerServicer_to_server(
        make_service(external_scorer_pb2, external_scorer_pb2_grpc), server)
    port = server.add_insecure_port(arguments.listen)
    if port == 0:
        sys.exit(f"cannot listen on {arguments.listen}")
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: server.stop(GRACE_SECONDS))
    print(f"listening on {arguments.listen.rpartition(':')[0]}:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
