"""Shared by the peers: repeated timing, peak memory, versions, one line of JSON."""

import importlib.metadata
import json
import platform
import resource
import statistics
import time
from typing import Callable

import torch


def timed(run: Callable[[], object], repeats: int, count: int, what: str, warm_ups: int = 1) -> dict:
    """Times `repeats` runs, each of which makes `count` things called `what`, after `warm_ups` that do not count.

    Seconds are those of the wall clock. CPU seconds, of all threads together, say more where other programs run too.
    """
    for _ in range(warm_ups):
        run()
    wall, cpu = [], []
    for _ in range(repeats):
        wall_begin, cpu_begin = time.perf_counter(), time.process_time()
        run()
        wall.append(time.perf_counter() - wall_begin)
        cpu.append(time.process_time() - cpu_begin)
    median = statistics.median(wall)
    return {"seconds_min": round(min(wall), 4), "seconds_median": round(median, 4),
            "cpu_seconds_min": round(min(cpu), 4), "cpu_seconds_median": round(statistics.median(cpu), 4),
            "repeats": repeats, f"{what}_per_second": round(count / median, 2)}


def versions(*packages: str) -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **found,
            "blas": "mkl" if torch.backends.mkl.is_available() else "other",
            "cpu_capability": torch.backends.cpu.get_cpu_capability()}


def peak_rss_mb() -> float:
    """Peak memory of this process."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def print_line(peer: str, settings: dict, results: dict, packages: tuple[str, ...]) -> None:
    print(json.dumps({"peer": peer, "settings": settings, "results": results, "peak_rss_mb": peak_rss_mb(),
                      "versions": versions(*packages)}), flush=True)
