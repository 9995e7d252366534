#!/usr/bin/env python3
"""Reads lines of JSON of several rounds, the peers' and ours, and prints the median of each and the ratios.

A round is a process: the smallest and largest of interleaved rounds show the effect of a loaded machine.
"""
import collections
import json
import statistics
import sys


def main() -> int:
    rates = collections.defaultdict(lambda: collections.defaultdict(list))  # case -> peer -> a rate each round
    memory, compared, profile = collections.defaultdict(float), {}, {}
    for line in sys.stdin:
        if not line.startswith("{"):
            continue
        record = json.loads(line)
        memory[record["peer"]] = max(memory[record["peer"]], record["peak_rss_mb"])
        compared = record.get("compared") or compared
        profile = record.get("profile_ms") or profile
        for case, result in record["results"].items():
            rates[case][record["peer"]].append(result["images_per_second"])
    if not compared:
        print("medians: no line of ours", file=sys.stderr)
        return 1
    print(f"largest relative difference to the peer: {max(compared.values()):.1e}")
    peers = sorted({peer for case in rates.values() for peer in case} - {"lvrpo"})
    print("| images/s, median (smallest to largest round) | lvrpo | " +
          " | ".join(f"{peer} | x of {peer}" for peer in peers) + " |")
    print("|---|---|" + "---|---|" * len(peers))
    for case, by_peer in sorted(rates.items(), key=lambda item: (item[0].split("_")[0], int(item[0].split("_")[-1]))):
        ours = statistics.median(by_peer["lvrpo"])
        cells = [f"{ours:.2f} ({min(by_peer['lvrpo']):.2f} to {max(by_peer['lvrpo']):.2f})"]
        for peer in peers:
            values = by_peer.get(peer)
            if not values:
                cells += ["", ""]
                continue
            theirs = statistics.median(values)
            cells += [f"{theirs:.2f} ({min(values):.2f} to {max(values):.2f})", f"{ours / theirs:.2f}"]
        print(f"| {case.replace('_', ' ')} | " + " | ".join(cells) + " |")
    print("peak memory, MB: " + ", ".join(f"{peer} {value:.0f}" for peer, value in sorted(memory.items())))
    for batch, parts in profile.items():
        print(f"ours, {batch.replace('_', ' ')}, each part by itself, ms: " +
              ", ".join(f"{part} {value:.1f}" for part, value in sorted(parts.items(), key=lambda item: -item[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
