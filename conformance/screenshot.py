#!/usr/bin/env python3
"""Runs a notebook in JupyterLab and photographs it.

usage: screenshot.py NOTEBOOK OUT_PREFIX [--dark | --light] [--timeout SECONDS]

Opens a copy of NOTEBOOK in JupyterLab with the kernel of TRAFFICGPT_BIN (or
one built here), runs all cells, waits until they are done and writes
full-length pictures OUT_PREFIX-light.png and OUT_PREFIX-dark.png. The notebook
is run once; the theme is changed on the executed notebook. The exit code is 1
when a cell fails.
"""

import argparse
import pathlib
import shutil
import sys
import tempfile

import program
from lab import Lab, Notebook, browser


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook", type=pathlib.Path)
    parser.add_argument("out_prefix", type=pathlib.Path)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--dark", action="store_true", help="the dark theme only")
    only.add_argument("--light", action="store_true", help="the light theme only")
    parser.add_argument("--timeout", type=float, default=600, help="seconds the cells may take in all")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="shot-") as work:
        # The notebook's neighbours come along: cells may read files there.
        root = pathlib.Path(work, "notebooks")
        shutil.copytree(args.notebook.resolve().parent, root)
        jupyter_path = program.installed(pathlib.Path(work, "prefix"))
        args.out_prefix.parent.mkdir(parents=True, exist_ok=True)
        with Lab(root, jupyter_path, dark=args.dark) as lab, browser() as context:
            book = Notebook(context, lab, args.notebook.name)
            book.run_all(args.timeout)
            book.page.keyboard.press("Escape")
            themes = [("dark", "JupyterLab Dark")] if args.dark else [("light", "JupyterLab Light")]
            if not args.dark and not args.light:
                themes.append(("dark", "JupyterLab Dark"))
            for short, theme in themes:
                book.command("apputils:change-theme", {"theme": theme})
                book.page.wait_for_timeout(1500)
                path = f"{args.out_prefix}-{short}.png"
                book.full_screenshot(path)
                print(path)
            failed = book.page.locator('[data-mime-type="application/vnd.jupyter.error"]').count()
            if failed:
                print(f"{failed} cells failed", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
