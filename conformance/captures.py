#!/usr/bin/env python3
"""Encoding and decoding captures beside gopacket, tshark, scapy and dpkt, in one run.

usage: captures.py [--mb 285] [--rounds 3] [--huge] [--only PART] PROGRAM CAPTURE...

The packets of the pcap files CAPTURE are repeated in a temporary folder up to --mb megabytes;
tshark and the Python libraries, which are slow, get shorter ones and are
compared in MB/s and, since a shared machine gives each another share, in MB a
second of processor time. All take their turns in each round; best and median are
printed. --huge adds a capture of 4 GB with the memory that it takes. Libraries
that are not installed are named and left out. PART is gopacket, peers, cores
or huge.

example: conformance/.venv/bin/python conformance/captures.py ./trafficgpt ../shared/data/captures/*.pcap
"""

import argparse
import filecmp
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SCAPY = """
import sys
from scapy.utils import PcapReader
n = sum(1 for _ in PcapReader(sys.argv[1]))
"""
DPKT = """
import sys, dpkt
for _, b in dpkt.pcap.Reader(open(sys.argv[1], 'rb')):
    try:
        dpkt.ethernet.Ethernet(b)
    except dpkt.UnpackError:
        pass
"""
FIELDS = ["frame.time_epoch", "frame.len", "ip.src", "ip.dst", "tcp.srcport", "tcp.dstport"]


def repeat(sources, size, path):
    """Writes the packets of all sources of the first one's format again and again, until there are size bytes."""
    files = [p.read_bytes() for p in sources]
    files = [b for b in files if b[:8] == files[0][:8] and b[20:24] == files[0][20:24]]
    with open(path, "wb") as f:
        f.write(files[0][:24])
        while f.tell() < size:
            for b in files:
                if f.tell() < size:
                    f.write(b[24:])
    return path


def run(args, **env):
    """Runs a program; returns seconds, peak memory in MB, seconds of all processors."""
    start = time.perf_counter()
    p = subprocess.Popen([str(a) for a in args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **env})
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        sys.exit(f"{' '.join(map(str, args))}: exit code {p.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def turns(rounds, jobs):
    """Runs all jobs (name: (function, MB)) in turns; returns the best MB/s of each, and MB a second of processor time."""
    times, cpu = {name: [] for name in jobs}, {name: [] for name in jobs}
    for _ in range(rounds):
        for name, (job, _) in jobs.items():
            wall, _, used = job()
            times[name].append(wall)
            cpu[name].append(used)
    best = {}
    for name, (_, mb) in jobs.items():
        best[name] = mb / min(times[name]), mb / min(cpu[name])
        print(f"{name:24} best {best[name][0]:8.1f} MB/s   median {mb / statistics.median(times[name]):8.1f} MB/s   "
              f"{best[name][1]:8.1f} MB a processor second   ({mb:.0f} MB)", flush=True)
    return best


def gopacket(a, tmp):
    path = repeat(a.capture, a.mb * 10**6, tmp / "plain.pcap")
    out = subprocess.run(["go", "test", "./tokenizer", "-run", "xxx", "-bench", "PlainRead|EncodeFile|DecodeFile", "-count", str(a.rounds), "-benchtime", "3x"],
                         env={**os.environ, "TRAFFICGPT_CAPTURE": str(path)}, capture_output=True, text=True, cwd=pathlib.Path(__file__).parent.parent)
    if out.returncode:
        sys.exit(out.stdout + out.stderr)
    times = {}
    for line in out.stdout.splitlines():
        if line.startswith("Benchmark"):
            f = line.split()
            times.setdefault(f[0].rsplit("-", 1)[0], []).append(float(f[2]) / 1e9)
    for name, t in times.items():
        print(f"{name:40} best {min(t):.3f} s   median {statistics.median(t):.3f} s for {path.stat().st_size / 1e6:.0f} MB")
    encode = times["BenchmarkEncodeFile"]
    for kind in ("allocating", "layers", "zerocopy"):
        plain = times["BenchmarkPlainRead/" + kind]
        print(f"encode / {kind}: {min(encode) / min(plain):.2f} (best), {statistics.median(encode) / statistics.median(plain):.2f} (median)")
    decode = times["BenchmarkDecodeFile"]
    print(f"encode / decode: {min(encode) / min(decode):.2f} (best), {statistics.median(encode) / statistics.median(decode):.2f} (median)")


def peers(a, tmp):
    mb = {"ours": a.mb, "tshark": max(1, a.mb // 8), "python": max(1, a.mb // 60)}
    path = {k: repeat(a.capture, v * 10**6, tmp / f"{k}.pcap") for k, v in mb.items()}
    size = {k: p.stat().st_size / 1e6 for k, p in path.items()}
    jobs = {"trafficgpt encode": (lambda: run([a.program, "encode", "-q", path["ours"], tmp / "corpus"]), size["ours"]),
            "trafficgpt decode": (lambda: run([a.program, "decode", "-q", tmp / "corpus", tmp / "back"]), size["ours"])}
    if shutil.which("tshark"):
        fields = [x for f in FIELDS for x in ("-e", f)]
        jobs["tshark, six fields"] = (lambda: run(["tshark", "-n", "-r", path["tshark"], "-T", "fields", *fields]), size["tshark"])
    else:
        print("tshark is not installed: left out")
    for name, code in (("scapy", SCAPY), ("dpkt", DPKT)):
        if subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True).returncode:
            print(f"{name} is not installed in {sys.executable}: left out")
            continue
        jobs[name] = (lambda code=code: run([sys.executable, "-c", code, path["python"]]), size["python"])
    best = turns(a.rounds, jobs)
    for name in jobs:
        if not name.startswith("trafficgpt"):
            wall, cpu = (x / y for x, y in zip(best["trafficgpt encode"], best[name]))
            print(f"encode is {wall:.0f} times as fast as {name}; {cpu:.0f} times in processor time")


def cores(a, tmp):
    folder = tmp / "many"
    folder.mkdir()
    for i in range(8):
        repeat(a.capture, a.mb * 10**6 // 8, folder / f"{i}.pcap")
    mb = sum(p.stat().st_size for p in folder.iterdir()) / 1e6
    n = os.cpu_count()
    best = turns(a.rounds, {f"8 files, {k} of {n} cores": (lambda k=k: run([a.program, "encode", "-q", "-pack", folder, tmp / "corpus"], GOMAXPROCS=str(k)), mb) for k in (1, n)})
    one, all_of_them = best.values()
    print(f"{n} cores are {all_of_them[0] / one[0]:.2f} times as fast as one (tokens compressed)")


def huge(a, tmp):
    path = repeat(a.capture, 4_050_000_000, tmp / "huge.pcap")
    for name, args in (("encode", [path, tmp / "corpus"]), ("decode", [tmp / "corpus", tmp / "back"])):
        seconds, memory, _ = run([a.program, name, "-q", *args])
        print(f"{name} of {path.stat().st_size / 1e9:.2f} GB: {seconds:.1f} s, at most {memory:.0f} MB of memory", flush=True)
    print("byte for byte the same" if filecmp.cmp(path, tmp / "back", shallow=False) else "NOT THE SAME")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("capture", type=pathlib.Path, nargs="+", metavar="CAPTURE")
    parser.add_argument("--mb", type=int, default=285)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--huge", action="store_true")
    parser.add_argument("--only", choices=["gopacket", "peers", "cores", "huge"])
    a = parser.parse_args()
    parts = [globals()[a.only]] if a.only else [gopacket, peers, cores] + [huge] * a.huge
    for part in parts:
        with tempfile.TemporaryDirectory() as tmp:
            part(a, pathlib.Path(tmp))


if __name__ == "__main__":
    main()
