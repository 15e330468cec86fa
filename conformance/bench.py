#!/usr/bin/env python3
"""Side by side with ipykernel, one client, one run.

usage: bench.py [--check] [KERNEL …]

Measures start-up to the first reply, the round trip of a trivial cell, resident
memory and 100,000 printed lines; of all but memory the median of several
rounds in which the kernels take turns. With --check the exit code is 1 unless ours
holds what the project promises: at most a third, half, all and all of
ipykernel's.
"""

import argparse
import json
import os
import statistics
import sys
import time

import psutil
from jupyter_client.manager import KernelManager

import cells
import program

KERNELS = {
    "trafficgpt": {
        "trivial": "1",
        "load": cells.FIGURE,
        "lines": cells.LINES,
    },
    "python3": {
        "trivial": "1",
        "load": "import numpy, matplotlib.pyplot as plt\nplt.plot([0, 1, 2, 3], [0, 1, 4, 9]);",
        "lines": "for i in range(100000):\n    print('line', i)",
    },
}


def memory(pid):
    """Resident memory of a kernel and its children in MB; what they share is
    counted once."""
    process = psutil.Process(pid)
    return sum(p.memory_full_info().pss for p in [process, *process.children(recursive=True)]) / 1e6


def run(kc, code, timeout=120, **options):
    """Executes a cell; returns seconds to reply and idle, and printed lines."""
    start = time.perf_counter()
    msg_id = kc.execute(code, **options)
    lines = 0
    replied = idle = False
    while not idle:
        msg = kc.get_iopub_msg(timeout=timeout)
        if msg["parent_header"].get("msg_id") != msg_id:
            continue
        if msg["msg_type"] == "stream":
            lines += msg["content"]["text"].count("\n")
        elif msg["msg_type"] == "error":
            raise RuntimeError("\n".join(msg["content"]["traceback"]))
        idle = msg["msg_type"] == "status" and msg["content"]["execution_state"] == "idle"
    while not replied:
        replied = kc.get_shell_msg(timeout=timeout)["parent_header"].get("msg_id") == msg_id
    return time.perf_counter() - start, lines


def start(name):
    """Starts a kernel; returns it with the seconds to its first reply."""
    km = KernelManager(kernel_name=name)
    begin = time.perf_counter()
    km.start_kernel()
    kc = km.client()
    kc.start_channels()
    msg_id = kc.kernel_info()
    while kc.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != msg_id:
        pass
    seconds = time.perf_counter() - begin
    kc.wait_for_ready(timeout=60)
    return km, kc, seconds


def stop(km, kc):
    kc.stop_channels()
    km.shutdown_kernel(now=True)


def starts(names, rounds=11):
    """Seconds to the first reply, the kernels taking turns. The first round is
    not counted: in it Python may write its byte code, and the files of both come
    into the machine's memory."""
    seconds = {name: [] for name in names}
    frugal = os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for counted in range(rounds + 1):
        for name in names if counted % 2 else reversed(names):
            km, kc, taken = start(name)
            stop(km, kc)
            if counted:
                seconds[name].append(taken)
        if frugal:
            os.environ["PYTHONDONTWRITEBYTECODE"] = frugal
    return {name: statistics.median(s) for name, s in seconds.items()}


def measure(names):
    figures = {name: {"start": s} for name, s in starts(names).items()}
    running = {name: start(name) for name in names}
    try:
        trips = {name: [] for name in names}
        for turn in range(330):
            for name, (_, kc, _) in running.items():
                taken, _ = run(kc, KERNELS[name]["trivial"], store_history=False)
                if turn >= 30:
                    trips[name].append(taken)
        printed = {name: [] for name in names}
        for _ in range(5):
            for name, (_, kc, _) in running.items():
                taken, lines = run(kc, KERNELS[name]["lines"])
                if lines != 100000:
                    raise RuntimeError(f"{name}: {lines} of 100000 lines arrived")
                printed[name].append(taken)
        for name in names:
            figures[name]["trip"] = statistics.median(trips[name])
            figures[name]["lines"] = statistics.median(printed[name])
        for name, (km, kc, _) in running.items():
            stop(km, kc)
            running[name] = start(name)
            km, kc, _ = running[name]
            run(kc, KERNELS[name]["load"])
            figures[name]["memory"] = memory(km.provisioner.pid)
    finally:
        for km, kc, _ in running.values():
            stop(km, kc)
    return figures


ROWS = [
    ("start-up to first reply", "start", 1e3, "ms", 0.15),
    ("execute round trip, p50", "trip", 1e3, "ms", 1 / 2),
    ("resident memory, plotting loaded", "memory", 1, "MB", 1),
    ("100,000 printed lines", "lines", 1e3, "ms", 1),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("kernels", nargs="*", default=list(KERNELS))
    args = parser.parse_args()
    figures = measure(args.kernels)
    program.ARTEFACTS.mkdir(exist_ok=True)
    (program.ARTEFACTS / "bench.json").write_text(json.dumps(figures, indent=2))
    if set(figures) != set(KERNELS):
        print(json.dumps(figures, indent=2))
        return 0
    bad = 0
    print("| | trafficgpt | ipykernel | ratio | at most |\n|---|---|---|---|---|")
    for label, key, scale, unit, limit in ROWS:
        ours, theirs = figures["trafficgpt"][key], figures["python3"][key]
        ratio = ours / theirs
        bad += ratio > limit
        print(f"| {label} | {ours * scale:.1f} {unit} | {theirs * scale:.1f} {unit} | {ratio:.2f}{'' if ratio <= limit else ' (missed)'} | {limit:.2f} |")
    return 1 if args.check and bad else 0


if __name__ == "__main__":
    sys.exit(main())
