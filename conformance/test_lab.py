"""JupyterLab in headless Chromium: what a user does with a notebook."""

import pathlib
import re
import tempfile
import unittest

import nbformat

import cells
import program
from lab import Lab, Notebook, browser

SHOTS = program.ARTEFACTS / "lab"


class TestLab(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        SHOTS.mkdir(parents=True, exist_ok=True)
        cls.stack = [tempfile.TemporaryDirectory(prefix="lab-")]
        cls.root = pathlib.Path(cls.stack[0].name, "root")
        cls.root.mkdir()
        path = program.installed(pathlib.Path(cls.stack[0].name, "prefix"))
        cls.lab = Lab(cls.root, path)
        cls.lab.__enter__()
        cls.browsing = browser()
        cls.context = cls.browsing.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.browsing.__exit__(None, None, None)
        cls.lab.__exit__()
        cls.stack[0].cleanup()

    def open(self, *sources):
        name = re.sub(r"\W", "_", self.id().rsplit(".", 1)[-1]) + ".ipynb"
        nbformat.write(cells.notebook(*sources), self.root / name)
        self.book = Notebook(self.context, self.lab, name)
        self.addCleanup(self.book.page.close)
        self.addCleanup(self.shot)
        return self.book

    def shot(self, suffix=""):
        self.book.page.screenshot(path=SHOTS / f"{self.id().rsplit('.', 1)[-1]}{suffix}.png")

    def wait(self, condition, argument=None, timeout=20):
        self.book.page.wait_for_function(condition, arg=argument, timeout=timeout * 1000)

    def wait_output(self, index, text, timeout=20):
        self.wait("""([i, text]) => {
            const cell = document.querySelectorAll('.jp-Notebook .jp-Cell')[i];
            const out = cell && cell.querySelector('.jp-Cell-outputArea');
            return out && out.innerText.includes(text);
        }""", [index, text], timeout)

    def test_run_all_with_figure(self):
        book = self.open("# Numbers", "x := 40", "x + 2", cells.HELLO, cells.FIGURE)
        book.run_all(60)
        self.assertIn("42", book.output(2).inner_text())
        self.assertIn("hello, world", book.output(3).inner_text())
        picture = book.output(4).locator("img, svg").first
        box = picture.bounding_box()
        self.assertGreater(box["width"], 150)
        self.assertGreater(box["height"], 100)
        self.assertEqual(book.errors(), [])

    def test_progress_moves(self):
        book = self.open(cells.PROGRESS)
        book.run(0, wait=False)
        seen = set()
        for _ in range(60):
            seen.add(book.output(0).inner_text())
            book.page.wait_for_timeout(60)
        self.assertGreater(len(seen), 8, seen)
        self.assertEqual(book.output(0).locator(".jp-OutputArea-child").count(), 1)

    def type_at_end(self, index, text=""):
        self.book.select(index)
        self.book.command("notebook:enter-edit-mode")
        editor = self.book.cell(index).locator(".cm-content")
        editor.click()
        self.book.page.keyboard.press("Control+End")
        if text:
            self.book.page.keyboard.type(text)

    def test_completer(self):
        book = self.open('import "strings"', "1")
        book.run(0)
        book.page.evaluate("""() => { window.jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.setSource(''); }""")
        self.type_at_end(1, "strings.HasP")
        book.page.keyboard.press("Tab")
        popup = book.page.locator(".jp-Completer")
        try:
            popup.wait_for(state="visible", timeout=4000)
            self.assertIn("HasPrefix", popup.inner_text())
            self.shot()
            book.page.keyboard.press("Enter")
        except Exception:
            pass  # a single match is put in without a popup
        self.wait("() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.getSource() === 'strings.HasPrefix'")

    def test_inspector(self):
        book = self.open('import "strings"', "strings.HasPrefix")
        book.run(0)
        self.type_at_end(1)
        book.page.keyboard.press("Shift+Tab")
        tip = book.page.locator(".jp-Tooltip")
        tip.wait_for(state="visible", timeout=10000)
        self.assertIn("HasPrefix", tip.inner_text())
        self.shot()

    def test_stdin(self):
        book = self.open(cells.INPUT)
        book.run(0, wait=False)
        field = book.page.locator(".jp-Stdin-input")
        field.wait_for(state="visible")
        self.assertIn("your name?", book.output(0).inner_text())
        field.fill("Ada")
        field.press("Enter")
        self.wait_output(0, "hello Ada")

    def test_interrupt_keeps_variables(self):
        book = self.open("x := 41", cells.FOREVER, "x + 1")
        book.run(0)
        book.run(1, wait=False)
        book.page.wait_for_function(f"() => {book.KERNEL}.status === 'busy'")
        book.page.wait_for_timeout(700)
        book.command("notebook:interrupt-kernel")
        self.wait_output(1, "Interrupted")
        book.wait_kernel()
        book.run(2)
        self.assertIn("42", book.output(2).inner_text())

    def test_restart_forgets(self):
        book = self.open("x := 41", "x + 1")
        book.run(0)
        book.page.evaluate(f"async () => {{ await {book.KERNEL}.restart(); }}")
        book.wait_kernel()
        book.run(1)
        self.wait_output(1, "undefined: x")

    # The real ipywidgets front end draws these.
    def control(self, label):
        box = self.book.output(0).locator(".jupyter-widgets", has=self.book.page.get_by_text(label, exact=True)).last
        box.wait_for(state="visible")
        return box

    def words(self, text, timeout=10):
        self.wait("t => [...document.querySelectorAll('.widget-html-content')].some(e => e.innerText.includes(t))", text, timeout)

    def drag(self, label, steps):
        handle = self.control(label).locator(".noUi-handle")
        handle.focus()
        for _ in range(abs(steps)):
            handle.press("ArrowRight" if steps > 0 else "ArrowLeft")

    def test_controls_call_back(self):
        book = self.open(cells.PANEL, cells.FOREVER)
        book.run(0)
        page = book.page
        self.words("nothing yet")
        self.shot()
        # A real drag with the mouse.
        handle = self.control("top-k").locator(".noUi-handle").bounding_box()
        page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
        page.mouse.down()
        page.mouse.move(handle["x"] + 60, handle["y"] + handle["height"] / 2, steps=5)
        page.mouse.up()
        self.wait_output(0, "k is ")
        k = int(re.search(r"k is (\d+)", book.output(0).inner_text())[1])
        self.assertGreater(k, 10)
        self.words(f"k={k} t=1.0 dns")
        self.drag("temperature", 2)
        self.words("t=1.2")
        self.control("protocol").locator("select").select_option("tls")
        self.words("tls")
        self.control("greedy").locator("input").check()
        self.words("greedy=true")
        field = self.control("name").locator("input")
        field.fill("second")
        field.press("Enter")
        self.words("greedy=true second")
        page.get_by_role("button", name="sample").click()
        self.wait_output(0, "=" * k)
        self.wait("() => document.querySelector('.widget-hprogress .progress-bar').style.width === '100%'")
        self.shot()
        # While a cell runs a control waits; it does what it should when the cell is over.
        book.run(1, wait=False)
        page.wait_for_function(f"() => {book.KERNEL}.status === 'busy'")
        self.control("protocol").locator("select").select_option("http")
        page.wait_for_timeout(500)
        self.assertFalse(any("http" in t for t in page.locator(".widget-html-content").all_inner_texts()))
        book.command("notebook:interrupt-kernel")
        self.words("http greedy=true second")

    def test_controls_survive_a_reload(self):
        book = self.open(cells.PANEL)
        book.run(0)
        self.words("nothing yet")
        self.drag("temperature", 3)
        self.words("t=1.3")
        book.command("docmanager:save")
        book.page.reload()
        book.page.wait_for_selector(".jp-Notebook .jp-Cell")
        book.page.wait_for_function("() => window.jupyterapp !== undefined")
        book.wait_kernel()
        self.words("t=1.3", 30)
        self.drag("temperature", 1)
        self.words("t=1.4")
        book.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
        book.page.wait_for_timeout(1500)
        self.shot("_dark")
        book.command("apputils:change-theme", {"theme": "JupyterLab Light"})
        book.page.wait_for_timeout(500)

    def test_a_control_that_panics(self):
        book = self.open('import "trafficgpt/lib/widgets"\nx := 41\nb := widgets.Button("break")\n'
                         'b.OnClick(func() { panic("no good") })\nb', "x + 1")
        book.run(0)
        book.page.get_by_role("button", name="break").click()
        self.wait_output(0, "no good")
        book.run(1)
        self.wait_output(1, "42")

    def test_run_all_stops_at_an_error(self):
        book = self.open("1", cells.ERROR, '"not reached"')
        book.run_all(30)
        self.wait_output(1, "no good")
        self.assertEqual(book.cell(2).locator(".jp-OutputArea-output").count(), 0)
        self.assertEqual(book.cell(2).locator(".jp-InputPrompt").inner_text(), "[ ]:")


if __name__ == "__main__":
    unittest.main()
