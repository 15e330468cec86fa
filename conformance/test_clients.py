"""nbclient, papermill, jupyter console and the kernel manager."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import nbformat
import papermill
import papermill.translators
import pexpect
import psutil
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import cells
import program

NOTEBOOKS = program.REPOSITORY / "notebooks"


def outputs(book, index):
    return book.cells[index].outputs


class TestNbclient(unittest.TestCase):
    def run_book(self, *sources, **options):
        book = cells.notebook(*sources)
        NotebookClient(book, kernel_name="trafficgpt", timeout=120, **options).execute()
        nbformat.validate(book)
        return book

    def test_outputs(self):
        book = self.run_book("# title", "x := 40", "x + 2", cells.HELLO, cells.SVG)
        self.assertEqual(outputs(book, 2)[0].data["text/plain"], "42")
        self.assertEqual(outputs(book, 3)[0].text, "hello, world\n")
        self.assertIn("<svg", outputs(book, 4)[0].data["image/svg+xml"])
        self.assertEqual([c.execution_count for c in book.cells[1:]], [1, 2, 3, 4])

    def test_error_stops(self):
        book = cells.notebook("1", cells.ERROR, "2")
        with self.assertRaises(CellExecutionError) as caught:
            NotebookClient(book, kernel_name="trafficgpt", timeout=60).execute()
        self.assertIn("no good", str(caught.exception))
        self.assertEqual([len(outputs(book, i)) for i in range(3)], [1, 1, 0])

    def test_allowed_error_goes_on(self):
        book = self.run_book(cells.ERROR, "2", allow_errors=True)
        self.assertEqual(outputs(book, 0)[0].output_type, "error")
        self.assertEqual(outputs(book, 1)[0].data["text/plain"], "2")

    def test_compile_error_is_one_output(self):
        book = self.run_book("undefinedName + 1", allow_errors=True)
        self.assertEqual([o.output_type for o in outputs(book, 0)], ["error"])
        self.assertIn("undefinedName", outputs(book, 0)[0].evalue)

    def test_updates_in_place(self):
        book = self.run_book(cells.PROGRESS)
        shown = [o for o in outputs(book, 0) if o.output_type == "display_data"]
        self.assertEqual(len(shown), 1)
        self.assertIn("40", shown[0].data["text/plain"])


class GoTranslator(papermill.translators.Translator):
    """papermill knows no Go; a few lines teach it."""

    @classmethod
    def translate_none(cls, _):
        return "nil"

    @classmethod
    def assign(cls, name, value):
        return f"{name} := {value}"

    @classmethod
    def comment(cls, text):
        return f"// {text}".strip()


class TestPapermill(unittest.TestCase):
    def test_parameters(self):
        papermill.translators.papermill_translators.register("go", GoTranslator)
        book = cells.notebook('n := 1\nname := "a"', 'import "fmt"\nfmt.Sprint(name, n)')
        book.cells[0].metadata["tags"] = ["parameters"]
        with tempfile.TemporaryDirectory() as work:
            source, target = f"{work}/in.ipynb", f"{work}/out.ipynb"
            nbformat.write(book, source)
            papermill.execute_notebook(source, target, {"n": 7, "name": "b"}, progress_bar=False)
            done = nbformat.read(target, 4)
        self.assertEqual(done.cells[-1].outputs[0].data["text/plain"], "b7")


class TestManager(unittest.TestCase):
    def setUp(self):
        self.km, self.kc = start_new_kernel(kernel_name="trafficgpt")

    def tearDown(self):
        self.kc.stop_channels()
        if self.km.has_kernel:
            self.km.shutdown_kernel(now=True)

    def value(self, code, timeout=30):
        shown = []
        reply = self.kc.execute_interactive(code, timeout=timeout, output_hook=lambda m: shown.append(m))
        for m in shown:
            if m["msg_type"] == "execute_result":
                return m["content"]["data"]["text/plain"]
        return reply["content"].get("ename")

    def interrupt_by(self, interrupt):
        self.assertIsNone(self.value("kept := 41"))
        self.kc.execute(cells.FOREVER)
        time.sleep(1)
        interrupt()
        while True:
            reply = self.kc.get_shell_msg(timeout=20)
            if reply["msg_type"] == "execute_reply":
                break
        self.assertEqual(reply["content"]["ename"], "Interrupted")
        self.assertEqual(self.value("kept + 1"), "42")

    def test_interrupt_message(self):
        self.interrupt_by(self.km.interrupt_kernel)

    def test_interrupt_signal(self):
        self.interrupt_by(lambda: os.kill(self.km.provisioner.pid, signal.SIGINT))

    def test_restart_forgets(self):
        self.assertIsNone(self.value("x := 41"))
        self.km.restart_kernel()
        self.kc.wait_for_ready(timeout=30)
        self.assertEqual(self.value("x"), "CompileError")

    def test_os_exit_leaves_the_kernel(self):
        self.assertIsNotNone(self.value('import "os"\nos.Exit(3)'))
        self.assertEqual(self.value("1 + 1"), "2")

    def test_goroutine_panic_leaves_the_kernel(self):
        self.assertIsNotNone(self.value('import "time"\ngo func() { panic("boom") }()\ntime.Sleep(2 * time.Second)'))
        self.assertEqual(self.value("1 + 1"), "2")

    def test_late_output_is_its_cells(self):
        first = self.kc.execute('import ("fmt"; "time"; "trafficgpt/display")\n'
                                'go func() { time.Sleep(600 * time.Millisecond); fmt.Println("late"); display.Show("later") }()')
        second = self.kc.execute('for range 12 { time.Sleep(100 * time.Millisecond); fmt.Println("now") }')
        seen = {first: "", second: ""}
        while True:
            msg = self.kc.get_iopub_msg(timeout=20)
            parent, content = msg["parent_header"].get("msg_id"), msg["content"]
            if msg["msg_type"] == "stream":
                seen[parent] += content["text"]
            elif msg["msg_type"] == "display_data":
                seen[parent] += content["data"]["text/plain"]
            elif content.get("execution_state") == "idle" and parent == second:
                break
        self.assertEqual(seen, {first: "late\nlater", second: "now\n" * 12})

    def test_nothing_is_left_behind(self):
        family = [psutil.Process(self.km.provisioner.pid)]
        family += family[0].children(recursive=True)
        self.assertEqual(self.value("1 + 1"), "2")
        self.km.shutdown_kernel()
        gone, alive = psutil.wait_procs(family, timeout=10)
        self.assertEqual(alive, [])

    def test_killed_kernel_leaves_no_child(self):
        self.assertEqual(self.value("1 + 1"), "2")
        children = psutil.Process(self.km.provisioner.pid).children(recursive=True)
        self.assertTrue(children)
        os.kill(self.km.provisioner.pid, signal.SIGKILL)
        gone, alive = psutil.wait_procs(children, timeout=10)
        self.assertEqual(alive, [])

    def test_kernel_of_a_dead_parent_ends(self):
        script = ("from jupyter_client.manager import start_new_kernel\nimport os\n"
                  "km, kc = start_new_kernel(kernel_name='trafficgpt')\n"
                  "print(km.provisioner.pid, flush=True)\nos._exit(0)\n")
        pid = int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60).stdout)
        deadline = time.time() + 15
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie":
            self.assertLess(time.time(), deadline, "the kernel outlives its parent")
            time.sleep(0.1)


class TestConsole(unittest.TestCase):
    def test_session(self):
        console = pexpect.spawn(sys.executable, ["-m", "jupyter", "console", "--kernel", "trafficgpt", "--simple-prompt"],
                                encoding="utf-8", timeout=40, dimensions=(40, 120), env={**os.environ, "TERM": "dumb"})
        try:
            console.expect(r"In \[1\]:")
            console.sendline("x := 20")
            console.expect(r"In \[2\]:")
            console.sendline("x + 22")
            console.expect(r"Out\[2\]: 42")
            console.expect(r"In \[3\]:")
            console.sendline("nope")
            console.expect("undefined: nope")
            console.sendeof()
            console.expect([r"\[y\]/n", pexpect.EOF])
        finally:
            console.close(force=True)


class TestKernelspec(unittest.TestCase):
    def test_list(self):
        listed = subprocess.run([sys.executable, "-m", "jupyter", "kernelspec", "list"], capture_output=True, text=True, check=True)
        self.assertRegex(listed.stdout, r"trafficgpt\s+/")

    def test_doctor(self):
        done = subprocess.run([program.binary(), "doctor"], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("1 + 1 gave 2", done.stdout)

    def test_uninstall(self):
        with tempfile.TemporaryDirectory() as prefix:
            for command in ("install", "uninstall"):
                subprocess.run([program.binary(), command, "--prefix", prefix, "--name", "other"], check=True, capture_output=True)
            self.assertEqual(list(pathlib.Path(prefix, "share/jupyter/kernels").iterdir()), [])


if __name__ == "__main__":
    unittest.main()
