"""JupyterLab with a kernel under test, driven through headless Chromium."""

import contextlib
import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CHROMIUM_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--force-color-profile=srgb", "--hide-scrollbars",
]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def jupyter_env(home, jupyter_path):
    """An environment in which nothing of the user's Jupyter is seen or changed."""
    env = dict(os.environ)
    env.update(
        JUPYTER_PATH=str(jupyter_path),
        JUPYTER_CONFIG_DIR=f"{home}/config",
        JUPYTER_DATA_DIR=f"{home}/data",
        JUPYTER_RUNTIME_DIR=f"{home}/runtime",
        JUPYTERLAB_SETTINGS_DIR=f"{home}/settings",
        JUPYTERLAB_WORKSPACES_DIR=f"{home}/workspaces",
        PATH=f"{pathlib.Path(sys.executable).parent}:{env['PATH']}",
    )
    return env


class Lab:
    """A JupyterLab server on its own folder. Use as a context manager."""

    def __init__(self, root, jupyter_path, dark=False):
        self.home = tempfile.mkdtemp(prefix="lab-")
        self.root, self.token, self.port = root, secrets.token_hex(8), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.setting("apputils-extension/themes", {"theme": "JupyterLab Dark" if dark else "JupyterLab Light"})
        self.setting("apputils-extension/notification", {"fetchNews": "false", "checkForUpdates": False})
        # Every cell is in the page, whether it is in view or not.
        self.setting("notebook-extension/tracker", {"windowingMode": "none", "scrollPastEnd": False})
        env = jupyter_env(self.home, jupyter_path)
        self.log_path = f"{self.home}/lab.log"
        self.log = open(self.log_path, "w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser",
             f"--ServerApp.port={self.port}", f"--IdentityProvider.token={self.token}",
             f"--ServerApp.root_dir={root}", "--ServerApp.ip=127.0.0.1",
             "--ServerApp.terminals_enabled=False"],
            env=env, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)

    def setting(self, name, value):
        path = pathlib.Path(self.home, "settings", "@jupyterlab", name + ".jupyterlab-settings")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))

    def __enter__(self):
        deadline = time.time() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/api?token={self.token}", timeout=5):
                    return self
            except OSError:
                if time.time() > deadline or self.process.poll() is not None:
                    raise RuntimeError("JupyterLab does not start: " + open(self.log_path).read())
                time.sleep(0.1)

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)


@contextlib.contextmanager
def browser():
    """Headless Chromium with a profile of its own."""
    from playwright.sync_api import sync_playwright

    profile = tempfile.mkdtemp(prefix="chromium-")
    with sync_playwright() as p:
        context = p.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, args=CHROMIUM_FLAGS, headless=True,
            viewport={"width": 1180, "height": 900}, device_scale_factor=1)
        try:
            yield context
        finally:
            context.close()
            shutil.rmtree(profile, ignore_errors=True)


class Notebook:
    """An open notebook."""

    def __init__(self, context, lab, name, timeout=60):
        self.page = context.new_page()
        self.page.set_default_timeout(timeout * 1000)
        self.page.goto(f"{lab.url}/doc/tree/{name}?token={lab.token}&reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.wait_for_function("() => window.jupyterapp !== undefined")
        self.wait_kernel(timeout)

    KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel"

    def wait_kernel(self, timeout=60):
        self.page.wait_for_function(
            f"() => {self.KERNEL} && {self.KERNEL}.status === 'idle' && {self.KERNEL}.connectionStatus === 'connected'",
            timeout=timeout * 1000)

    def command(self, name, args=None, wait=True):
        """Runs a JupyterLab command; with wait, until its promise is kept."""
        call = f"window.jupyterapp.commands.execute({json.dumps(name)}, {json.dumps(args or {})})"
        self.page.evaluate(f"async () => {{ {'await ' if wait else ''}{call}; }}")

    def status(self):
        return self.page.evaluate(f"() => {self.KERNEL}.status")

    def run_all(self, timeout):
        self.page.evaluate("""() => {
            window.ranAll = false;
            window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => { window.ranAll = true; });
        }""")
        self.page.wait_for_function("() => window.ranAll", timeout=timeout * 1000)
        self.wait_kernel(timeout)

    def cell(self, index):
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def output(self, index):
        return self.cell(index).locator(".jp-Cell-outputArea")

    def select(self, index):
        self.page.evaluate("i => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = i; }", index)

    def run(self, index, wait=True):
        self.select(index)
        self.command("notebook:run-cell", wait=wait)

    def errors(self):
        return self.page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]').all_inner_texts()

    def full_screenshot(self, path, width=1180):
        """The whole notebook in one picture, however long."""
        self.select(0)
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.wait_for_timeout(300)
        height = self.page.evaluate("""() => {
            const cells = document.querySelectorAll('.jp-Notebook .jp-Cell');
            return cells[cells.length - 1].getBoundingClientRect().bottom - cells[0].getBoundingClientRect().top;
        }""")
        self.page.set_viewport_size({"width": width, "height": int(min(16000, height + 150))})
        self.page.wait_for_timeout(700)
        self.page.evaluate("() => document.activeElement.blur()")
        self.page.screenshot(path=path)
