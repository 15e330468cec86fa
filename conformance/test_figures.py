"""The promises of speed and size, against ipykernel in the same run."""

import unittest

import bench


class TestFigures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.figures = bench.measure(list(bench.KERNELS))

    def hold(self, key):
        label, _, scale, unit, limit = next(row for row in bench.ROWS if row[1] == key)
        ours, theirs = self.figures["trafficgpt"][key], self.figures["python3"][key]
        print(f"{label}: {ours * scale:.1f} {unit}, ipykernel {theirs * scale:.1f} {unit}, ratio {ours / theirs:.2f} of {limit:.2f}")
        self.assertLessEqual(ours, theirs * limit)

    def test_start(self):
        self.hold("start")

    def test_round_trip(self):
        self.hold("trip")

    def test_memory(self):
        self.hold("memory")

    def test_lines(self):
        self.hold("lines")


if __name__ == "__main__":
    unittest.main()
