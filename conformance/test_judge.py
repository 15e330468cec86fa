"""What the judge says of captures that other tools made: each verdict is known
beforehand. scapy invents packets, text2pcap wraps bytes, tcprewrite gives real
flows other addresses (scapy does the same where there is no tcprewrite)."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

import scapy.all as scapy

MAKE = """
import "trafficgpt/lib/dataset"

real, train := dataset.Lab().Only("dns", "http", "ssh", "tls").Each(80).Split(.5, 1)
must(real.WriteFolder("real"))
must(train.WriteFolder("train"))
must(train.Write("train.pcap"))
"""


class TestJudge(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="judge-"))
        (cls.folder / "make.go").write_text(MAKE)
        cls.program("run", "--quiet", "make.go")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def program(cls, *args):
        done = subprocess.run([os.environ["TRAFFICGPT_BIN"], *args], cwd=cls.folder, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"{args}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def judge(self, synth, *flags):
        text = self.program("judge", "real", synth, "--train", "train", "--json", "out.json", "-o", "out.html", "-q", *flags)
        report = json.loads((self.folder / "out.json").read_text())
        page = (self.folder / "out.html").read_text()
        self.assertNotIn("NaN", text + page + json.dumps(report))
        print(text)
        return {a["axis"]: a for a in report["axes"]}

    def test_other_addresses(self):
        """Training flows with other addresses, their checksums put right: copies."""
        out = self.folder / "rewritten.pcap"
        if shutil.which("tcprewrite"):
            subprocess.run(["tcprewrite", "--seed=7", "--fixcsum", f"--infile={self.folder}/train.pcap", f"--outfile={out}"], check=True)
        else:
            packets = scapy.rdpcap(str(self.folder / "train.pcap"))
            for p in packets:
                if scapy.IP in p:
                    p[scapy.IP].src, p[scapy.IP].dst = ("11." + a.split(".", 1)[1] for a in (p[scapy.IP].src, p[scapy.IP].dst))
                    del p[scapy.IP].chksum
                    for layer in (scapy.TCP, scapy.UDP):
                        if layer in p:
                            del p[layer].chksum
            scapy.wrpcap(str(out), packets)
        axes = self.judge("rewritten.pcap", "--only", "structure,time,privacy")
        self.assertEqual(axes["privacy"]["level"], "far")
        self.assertEqual(axes["time"]["verdict"], "copied from real flows")
        self.assertIn(axes["structure"]["level"], ("at the floor", "near"))

    def test_fuzz(self):
        """scapy's fuzz: no connection, no distribution, nothing copied."""
        random.seed(3)
        packets, at = [], 1.7e9
        for i in range(400):
            make = scapy.TCP if i % 2 else scapy.UDP
            p = scapy.Ether() / scapy.IP(src=f"192.0.2.{1 + i % 200}", dst="198.51.100.9") / scapy.fuzz(make()) / scapy.Raw(random.randbytes(random.randrange(400)))
            p = scapy.Ether(bytes(p))
            p.time = at = at + random.random()
            packets.append(p)
        scapy.wrpcap(str(self.folder / "fuzz.pcap"), packets)
        axes = self.judge("fuzz.pcap", "--only", "structure,distribution,discriminator,privacy,utility")
        for name in ("structure", "distribution", "discriminator"):
            self.assertEqual(axes[name]["level"], "far", name)
        self.assertEqual(axes["privacy"]["level"], "at the floor")
        self.assertIn("no labels", axes["utility"]["missing"])

    def test_text2pcap(self):
        """Bytes that text2pcap put behind headers of UDP: well formed, and nothing like it."""
        random.seed(4)
        with open(self.folder / "dump.txt", "w") as f:
            for _ in range(200):
                f.write("000000 " + " ".join(f"{b:02x}" for b in random.randbytes(64)) + "\n\n")
        subprocess.run(["text2pcap", "-q", "-u", "4000,4001", str(self.folder / "dump.txt"), str(self.folder / "text.pcap")], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        axes = self.judge("text.pcap", "--only", "structure,distribution,privacy,text")
        self.assertIn(axes["structure"]["level"], ("at the floor", "near", "not judged"))
        self.assertEqual(axes["text metrics"]["level"], "not judged")


if __name__ == "__main__":
    unittest.main()
