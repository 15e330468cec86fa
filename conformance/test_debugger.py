"""The debugger: through jupyter_client, and in JupyterLab's panel."""

import os
import pathlib
import tempfile
import unittest

import nbformat
from ipykernel.compiler import murmur2_x86
from jupyter_client.manager import start_new_kernel

import cells
import program
from lab import Lab, Notebook, browser

SHOTS = program.ARTEFACTS / "lab"

FUNCTION = """type Reading struct {
	Name   string
	Values []float64
}

func mean(r Reading) float64 {
	sum := 0.0
	for _, v := range r.Values {
		sum += v
	}
	return sum / float64(len(r.Values))
}"""

CALL = """reading := Reading{"delay", []float64{1, 2, 6}}
average := mean(reading)
average"""


class TestProtocol(unittest.TestCase):
    def setUp(self):
        self.manager, self.client = start_new_kernel(kernel_name="trafficgpt")
        self.seq = 0
        self.addCleanup(self.end)

    def end(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def ask(self, command, **arguments):
        self.seq += 1
        message = self.client.session.msg("debug_request", {
            "type": "request", "seq": self.seq, "command": command, "arguments": arguments})
        self.client.control_channel.send(message)
        while True:
            reply = self.client.control_channel.get_msg(timeout=20)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return reply["content"]

    def do(self, command, **arguments):
        reply = self.ask(command, **arguments)
        self.assertTrue(reply["success"], reply)
        return reply["body"]

    def event(self, name):
        while True:
            message = self.client.get_iopub_msg(timeout=20)
            if message["msg_type"] == "debug_event" and message["content"]["event"] == name:
                return message["content"]["body"]

    def attach(self):
        self.do("initialize", clientID="test")
        self.do("attach")
        self.event("initialized")

    def test_breakpoint_and_variables(self):
        info = self.do("debugInfo")
        self.assertFalse(info["isStarted"])
        self.attach()
        self.client.execute_interactive(FUNCTION, timeout=20, output_hook=lambda _: None)
        path = self.do("dumpCell", code=FUNCTION)["sourcePath"]
        self.assertEqual(path, info["tmpFilePrefix"] + str(murmur2_x86(FUNCTION, info["hashSeed"])) + info["tmpFileSuffix"])
        set_ = self.do("setBreakpoints", source={"path": path}, breakpoints=[{"line": 9}], sourceModified=False)["breakpoints"]
        self.assertEqual([(b["verified"], b["line"]) for b in set_], [(True, 9)])
        self.client.execute(CALL)
        self.assertEqual(self.event("stopped")["reason"], "breakpoint")
        frames = self.do("stackTrace", threadId=1)["stackFrames"]
        self.assertEqual([(f["name"], f["line"]) for f in frames], [("mean", 9), ("cell 2", 2)])
        self.assertEqual(frames[0]["source"]["path"], path)
        scopes = self.do("scopes", frameId=frames[0]["id"])["scopes"]
        local = {v["name"]: v for v in self.do("variables", variablesReference=scopes[0]["variablesReference"])["variables"]}
        self.assertEqual((local["v"]["value"], local["sum"]["type"]), ("1", "float64"))
        fields = self.do("variables", variablesReference=local["r"]["variablesReference"])["variables"]
        self.assertEqual([f["name"] for f in fields], ["Name", "Values"])
        values = self.do("variables", variablesReference=fields[1]["variablesReference"])["variables"]
        self.assertEqual([v["value"] for v in values], ["1", "2", "6"])
        self.assertEqual(self.do("evaluate", expression="v + 0.5", frameId=frames[0]["id"])["result"], "1.5")
        self.do("setBreakpoints", source={"path": path}, breakpoints=[], sourceModified=False)
        self.do("continue", threadId=1)
        self.assertEqual(self.client.get_shell_msg(timeout=20)["content"]["status"], "ok")
        self.do("disconnect")
        self.event("terminated")

    def test_death_of_the_engine_ends_debugging(self):
        self.attach()
        self.client.execute("!kill -KILL $PPID; sleep 9")
        self.event("terminated")
        self.assertEqual(self.client.get_shell_msg(timeout=20)["content"]["ename"], "EngineDied")
        self.assertFalse(self.do("debugInfo")["isStarted"])
        self.attach()
        self.client.execute("x := 1")
        path = self.do("dumpCell", code="x++")["sourcePath"]
        self.do("setBreakpoints", source={"path": path}, breakpoints=[{"line": 1}])
        self.client.execute("x++")
        self.event("stopped")
        self.do("continue", threadId=1)


class TestPanel(unittest.TestCase):
    """What a user does with the debugger's panel."""

    def setUp(self):
        SHOTS.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix="lab-")
        self.addCleanup(folder.cleanup)
        root = pathlib.Path(folder.name, "root")
        root.mkdir()
        nbformat.write(cells.notebook(FUNCTION, CALL), root / "debug.ipynb")
        lab = Lab(root, program.installed(pathlib.Path(folder.name, "prefix")))
        lab.__enter__()
        self.addCleanup(lab.__exit__)
        browsing = browser()
        context = browsing.__enter__()
        self.addCleanup(browsing.__exit__, None, None, None)
        self.book = Notebook(context, lab, "debug.ipynb")

    def shot(self, name):
        self.book.page.screenshot(path=SHOTS / f"debugger_{name}.png")

    def click_gutter(self, cell, line):
        gutter = self.book.cell(cell).locator(".cm-gutter.cm-breakpoint-gutter .cm-gutterElement")
        gutter.nth(line).click()  # the first is as wide as the gutter and not seen

    def set_breakpoint(self, cell, line):
        """Clicks until the panel lists the breakpoint: JupyterLab shows the gutter before it listens to it."""
        listed = self.book.page.locator(".jp-DebuggerBreakpoint")
        for _ in range(6):
            self.book.wait_kernel()
            self.click_gutter(cell, line)
            try:
                return listed.wait_for(timeout=5000)
            except Exception:
                self.book.page.wait_for_timeout(500)
        self.fail("no breakpoint can be set")

    def wait_stopped(self, cell, line):
        self.book.page.wait_for_function("""([i, line]) => {
            const cell = document.querySelectorAll('.jp-Notebook .jp-Cell')[i];
            const lines = [...cell.querySelectorAll('.cm-line')];
            return lines.findIndex(l => l.classList.contains('jp-DebuggerEditor-highlight')) === line - 1;
        }""", arg=[cell, line], timeout=20000)

    def test_breakpoint_is_hit_and_variable_is_read(self):
        page, book = self.book.page, self.book
        book.run(0)
        # JupyterLab asks for the debugger's state around each cell; an answer that it takes late would undo the start.
        page.wait_for_timeout(2000)
        page.locator(".jp-DebuggerBugButton").click()
        page.wait_for_selector(".jp-DebuggerBugButton[aria-pressed='true'], .jp-DebuggerBugButton.jp-mod-pressed")
        page.wait_for_selector(".jp-DebuggerVariables", state="visible")
        book.cell(0).locator(".cm-gutter.cm-breakpoint-gutter").wait_for()
        self.set_breakpoint(0, 9)
        book.run(1, wait=False)
        self.wait_stopped(0, 9)
        variables = page.locator(".jp-DebuggerVariables")
        page.wait_for_function("() => document.querySelector('.jp-DebuggerVariables').innerText.includes('sum')", timeout=20000)
        self.shot("stopped")
        self.assertRegex(variables.inner_text(), r"\bv\s+1\b")
        self.assertIn("mean", page.locator(".jp-DebuggerCallstack").inner_text())
        variables.locator("jp-tree-item").first.locator(".expand-collapse-button").first.click()
        page.wait_for_function("() => document.querySelector('.jp-DebuggerVariables').innerText.includes('Values')", timeout=20000)
        self.shot("children")
        page.locator(".jp-DebuggerSidebar [data-command='debugger:next']").first.click()
        self.wait_stopped(0, 8)
        self.click_gutter(0, 9)
        page.locator(".jp-DebuggerBreakpoint").wait_for(state="detached")
        page.locator(".jp-DebuggerSidebar [data-command='debugger:continue']").first.click()
        book.wait_kernel()
        self.assertIn("3", book.output(1).inner_text())
        page.wait_for_function("() => document.querySelector('.jp-DebuggerVariables').innerText.includes('average')", timeout=20000)
        self.shot("after")
        self.assertEqual(book.errors(), [])


if __name__ == "__main__":
    os.environ.setdefault("JUPYTER_PATH", str(program.installed(pathlib.Path(tempfile.mkdtemp(), "prefix"))))
    unittest.main()
