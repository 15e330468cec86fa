"""Every committed notebook, by Jupyter's own client and by papermill with the
installed kernel, and by `trafficgpt run`: the same outputs but for times, valid nbformat, and a
file that Python would store byte for byte the same."""

import json
import pathlib
import re
import subprocess
import tempfile
import unittest

import nbformat
import papermill
from nbclient import NotebookClient

import cells
import program

NOTEBOOKS = sorted((pathlib.Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))

# What a run may take instead of what the notebook says, to be quick.
SHORTER = {"00-quickstart.ipynb": [("steps := 2500", "steps := 150"), ("samples := 50 ", "samples := 10 ")],
           "21-judge.ipynb": [("steps := 1500 ", "steps := 100 "), ("perClass := 40 ", "perClass := 10 "), ("epochs := 0 ", "epochs := 1 ")]}

# Times and rates, the only things in which two runs may differ. Progress that was
# too quick for a rate shows none.
TIME = r"\d[\d,.]*\s*(?:ns|µs|ms|s|min|h|(?:steps|tokens|flows|files|packets)/s)\b(?!-)"
TIMES = re.compile(f"{TIME}(?: · {TIME})*")


def masked(value):
    """The value without its times; whether there were any."""
    if isinstance(value, list):
        value = "".join(value)
    if not isinstance(value, str):
        return value, False
    return TIMES.subn("TIME", value)


def comparable(output):
    """An output as two runs must agree on it. A picture that shows a time cannot
    agree as a whole; the text beside it must."""
    plain = dict(output)
    plain.pop("execution_count", None)
    data = plain.pop("data", {})
    timed = any(masked(v)[1] for v in data.values())
    kept = {m: "picture" if timed and m in ("image/png", "image/svg+xml") else masked(v)[0] for m, v in data.items()}
    if timed:  # a curve drawn as text has its times in its first lines
        kept = {m: re.sub(r"[\u2800-\u28ff]", "", v) if isinstance(v, str) else v for m, v in kept.items()}
    plain["text"] = masked(plain.get("text", ""))[0]
    return json.dumps([plain, kept], sort_keys=True)


class TheSameInAll(unittest.TestCase):
    def run_all(self, path):
        source = path.read_text(encoding="utf-8")
        for old, new in SHORTER.get(path.name, []):
            self.assertIn(old, source, "the shorter settings no longer fit the notebook")
            source = source.replace(old, new)
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            for name in ("client", "runner", "papermill"):
                (work / name).mkdir()
            file, out = work / "runner" / path.name, work / "out.ipynb"
            file.write_text(source, encoding="utf-8")
            subprocess.run([program.binary(), "run", "--quiet", str(file), "-o", str(out)], check=True, timeout=300)
            mine = nbformat.read(out, as_version=4)
            nbformat.validate(mine)
            self.assertEqual(nbformat.writes(mine) + "\n", out.read_text(encoding="utf-8"), "nbformat would store it otherwise")
            theirs = nbformat.reads(source, as_version=4)
            NotebookClient(theirs, timeout=300, kernel_name="trafficgpt", resources={"metadata": {"path": str(work / "client")}}).execute()
            papermill.execute_notebook(str(file), str(work / "papermill.ipynb"), kernel_name="trafficgpt", progress_bar=False,
                                       log_output=False, execution_timeout=300, cwd=str(work / "papermill"))
            third = nbformat.read(work / "papermill.ipynb", as_version=4)
        return mine, theirs, third

    def test_outputs(self):
        self.assertTrue(NOTEBOOKS)
        for path in NOTEBOOKS:
            with self.subTest(path.name):
                mine, theirs, third = self.run_all(path)
                self.assertEqual(mine.metadata.language_info, theirs.metadata.language_info)
                for a, *others in zip(mine.cells, theirs.cells, third.cells, strict=True):
                    for b in others if a.cell_type == "code" else []:
                        self.assertEqual(a.execution_count, b.execution_count, a.source)
                        self.assertEqual([comparable(o) for o in a.outputs], [comparable(o) for o in b.outputs], a.source)

    def test_states_of_controls(self):
        """What a front end needs to draw controls, but for the names of models."""
        def states(book):
            stored = book.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
            return sorted(json.dumps([m["model_name"], m["model_module"], re.sub(r"IPY_MODEL_\w+", "MODEL", json.dumps(m["state"], sort_keys=True))])
                          for m in stored)

        book = cells.notebook(cells.PANEL, "k.Set(7)\nname.Set(\"second\")")
        with tempfile.TemporaryDirectory() as work:
            file, out = f"{work}/in.ipynb", f"{work}/out.ipynb"
            nbformat.write(book, file)
            subprocess.run([program.binary(), "run", "--quiet", file, "-o", out], check=True, timeout=60)
            mine = nbformat.read(out, as_version=4)
        NotebookClient(book, timeout=60, kernel_name="trafficgpt").execute()
        self.assertEqual(states(mine), states(book))
        self.assertIn('\\"value\\": 7', "".join(states(mine)))


if __name__ == "__main__":
    unittest.main()
