#!/usr/bin/env python3
"""Checks the layering rules of docs/architecture.md for every include and link, that the held-out judge shares no code
with the rewards, and that the documentation names paths that exist.

Prints each offence as file:line and exits 1 if there is one.
"""
import pathlib
import re
import sys

import doc_paths
import leaves
import unused

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS = [  # bottom first; within a layer a folder may include others only where named below
    {"proto", "common"},
    {"collectives", "data", "shapes_world"},
    {"model", "verifiers"},
    {"algorithm"},
    {"policy", "trajectory", "weight_plane", "generation"},
    {"role", "coordinator", "rollout_worker", "reward_server", "learner", "evaluation", "pretraining", "model_cli"},
    {"cli"},
]
LAYER_OF = {folder: level for level, folders in enumerate(LAYERS) for folder in folders}
SIDEWAYS_ALLOWED = {("shapes_world", "data"), ("common", "proto"), ("trajectory", "policy"), ("coordinator", "role"),
                    ("rollout_worker", "role"), ("reward_server", "role"), ("learner", "role"), ("evaluation", "role")}
NO_TORCH = {"proto", "common", "collectives", "data", "shapes_world", "verifiers", "role", "coordinator", "cli"}
TORCH_LEAVES = {"collectives/gloo"}  # of those folders
GRPC_FILES = re.compile(r"^(service|client|main)\w*\.(h|cc)$|^\w*_(service|client)\.(h|cc)$|^rpc\w*\.(h|cc)$")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')

CHECKER = "shapes_world/checker."  # the held-out judge
SHARED_WITH_CHECKER = re.compile(r"^data/image/image\.h$|^proto/")  # the only code that it and a reward may share


def includes_of(path):
    """(line number, name) of each include of a file."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def reached_from(names):
    """Files of this repository that these include, directly or indirectly, and these themselves."""
    reached, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name in reached or not (ROOT / name).is_file():
            continue
        reached.add(name)
        todo.extend(included for _, included in includes_of(ROOT / name))
    return reached


def judge_offences():
    """The judge and the rewards share no code: an exploit of one must not work on the other."""
    judge = reached_from(str(path.relative_to(ROOT)) for path in ROOT.glob(CHECKER + "*"))
    rewards = reached_from(str(path.relative_to(ROOT)) for path in (ROOT / "reward_server").rglob("*.*")
                           if path.suffix in (".h", ".cc"))
    if not judge or not rewards:
        yield "this test does not find the judge or the rewards: update its paths"
    for name in sorted(rewards):
        if name.startswith(CHECKER):
            yield f"reward_server includes {name}, directly or indirectly"
    for name in sorted(judge):
        if name.startswith("reward_server/"):
            yield f"{CHECKER}* includes {name}, directly or indirectly"
    for name in sorted(judge & rewards):
        if not SHARED_WITH_CHECKER.match(name) and not name.startswith((CHECKER, "reward_server/")):
            yield f"{CHECKER}* and reward_server both include {name}"


def offences():
    for folder, level in LAYER_OF.items():
        for path in sorted((ROOT / folder).glob("**/*")):
            if path.suffix not in (".h", ".cc"):
                continue
            for number, name in includes_of(path):
                where = f"{path.relative_to(ROOT)}:{number}"
                top = name.split("/")[0] if "/" in name else ""  # <algorithm> is not our folder
                if top in LAYER_OF and top != folder:
                    other = LAYER_OF[top]
                    client = name == f"{top}/client.h"
                    if other > level:
                        yield f"{where}: {folder} includes {name}, which is in a higher layer"
                    elif other == level and not client and (folder, top) not in SIDEWAYS_ALLOWED:
                        yield f"{where}: {folder} includes {name} of its own layer; only its client.h is allowed"
                    elif folder == "cli" and other == LAYER_OF["coordinator"] and not client and top not in (
                            "evaluation",):
                        yield f"{where}: cli includes {name}; only a role's client.h is allowed"
                leaf = str(path.parent.relative_to(ROOT))
                if folder in NO_TORCH and leaf not in TORCH_LEAVES and (top in ("torch", "ATen", "c10") or top in ("model", "algorithm")):
                    yield f"{where}: {folder} must not use torch ({name})"
                if (name.startswith("grpc") or name.endswith(".grpc.pb.h")) and not GRPC_FILES.match(path.name):
                    yield f"{where}: gRPC headers belong in service, client, main and rpc files ({name})"
                if (name == "nccl.h" or name.startswith("cuda")) and not re.search(r"nccl|cuda", path.name):
                    yield f"{where}: NCCL and CUDA headers belong in files named for them ({name})"


# Calls allowed in one place only: pattern, files that may contain it, what to use instead.
ONE_PLACE = [
    (re.compile(r"\bstd::filesystem\b|#include <filesystem>|\b(?:opendir|readdir|getcwd|tmpfile|tmpnam)\("),
     {"common/files/filesystem.cc"}, "common/files/filesystem.h, which never throws"),
    (re.compile(r"(?:\.|->)dump\("), {"common/json/json_text.h"},
     "JsonText (common/json/json_text.h), which accepts any bytes"),
    (re.compile(r"std::(?:i|o|)fstream\b|\bfopen\("), set(), "common/files/file.h"),
    (re.compile(r'"/(?:var/)?tmp\b|\bmkstemp|\bmkdtemp'), set(),
     "a pipe, or the run folder: /tmp may not be writable"),
    (re.compile(r"\bCreate(?:Custom)?Channel\("), {"common/net/rpc.cc"},
     "MakeChannel (common/net/rpc.h), which bypasses proxies"),
    (re.compile(r"\b(?:inet_pton|inet_aton|getaddrinfo)\("), {"common/net/host_port.cc", "common/net/listen_socket.cc", "common/net/reach.cc"},
     "common/net/host_port.h, common/net/listen_socket.h or common/net/reach.h"),
]
MAIN = re.compile(r"^int main\(", re.M)


def one_place_offences():
    """Calls outside their one place, and main() without RunMain."""
    for folder in LAYER_OF:
        for path in sorted((ROOT / folder).glob("**/*")):
            if path.suffix not in (".h", ".cc"):
                continue
            name, text = str(path.relative_to(ROOT)), path.read_text()
            for number, line in enumerate(text.splitlines(), 1):
                code = line.split("//")[0]
                for pattern, allowed, instead in ONE_PLACE:
                    if name not in allowed and pattern.search(code):
                        yield f"{name}:{number}: use {instead}"
            if MAIN.search(text) and "RunMain(" not in text:
                yield f"{name}: main() must call RunMain (common/flags/run_main.h), which catches what is thrown"


def main():
    folders = [folder for folder in sorted(LAYER_OF) if folder != "proto"]
    found = [*offences(), *leaves.offences(ROOT, folders), *judge_offences(), *one_place_offences(),
             *doc_paths.offences(ROOT), *unused.offences(ROOT, folders)]
    print("\n".join(found) if found else "layers: no offence")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
