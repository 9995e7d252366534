#!/usr/bin/env python3
"""Reads lines of JSON as the peers and ours print them, a peer's before ours, and prints the ratios.

Ours is compared with the peer's fastest variant.
"""
import json
import sys


def rate(result: dict) -> tuple[float, str]:
    return next((value, key) for key, value in result.items() if key.endswith("_per_second"))


def main() -> int:
    peer, bad = None, 0
    for line in sys.stdin:
        if not line.startswith("{"):
            continue
        record = json.loads(line)
        if record["peer"] != "lvrpo":
            peer = record
            continue
        print(f"{record['settings']['folder']}: compared {record['compared']}")
        for name, result in sorted(record["results"].items()):
            ways = {way: rate(other)[0] for way, other in peer["results"].items()
                    if isinstance(other, dict) and (way.startswith(name) or way.endswith(name))}
            if not ways:
                bad += 1
                print(f"  {name}: the peer has no such result")
                continue
            best = max(ways, key=ways.get)
            value, unit = rate(result)
            more = f", {result['of_best_gemm']:.2f} of the best GEMM" if "of_best_gemm" in result else ""
            print(f"  {name:10} {value:9.1f} {unit.replace('_per_second', '/s')}: {value / ways[best]:.2f}x of "
                  f"{peer['peer']} {best} ({ways[best]:.1f}){more}")
        print(f"  peak memory {record['peak_rss_mb']:.0f} MB, {peer['peer']} {peer['peak_rss_mb']:.0f} MB")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
