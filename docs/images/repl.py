#!/usr/bin/env python3
"""Photographs the REPL for the README: types into it in tmux and renders what
the terminal shows with headless Chromium.

usage: repl.py TRAFFICGPT OUT.png      (needs tmux and chromium)
"""
import html
import pathlib
import re
import subprocess
import sys
import tempfile
import time

LINES = [
    ('import "trafficgpt/lib/dataset"', 1.5),
    ("lab := dataset.Lab()", 1.5),
    ('lab.Only("dns", "smtp", "ntp")', 1.0),
    ("func mean(xs []float64) (m float64) {\n\tfor _, x := range xs {\n\t\tm += x / float64(len(xs))\n\t}\n\treturn m\n}\nmean([]float64{1, 2, 6})", 1.0),
    ("lab.Flows[0].Packets[0].Lenght", 1.0),
    ('import "trafficgpt/lib/plots"', 1.0),
    ('plots.Tokens(lab.Only("ntp").Flows[0])', 1.5),
]
COLUMNS, ROWS = 118, 58
BASE = ["#1d1f21", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ccd4"]
BRIGHT = ["#5c6370", "#ef7f88", "#a9d48a", "#f0cb86", "#74beff", "#d48bea", "#67c6d2", "#ffffff"]


def xterm(n):
    if n < 8:
        return BASE[n]
    if n < 16:
        return BRIGHT[n - 8]
    if n < 232:
        n -= 16
        level = lambda v: 0 if v == 0 else 55 + 40 * v
        return "#%02x%02x%02x" % (level(n // 36), level(n // 6 % 6), level(n % 6))
    return "#%02x%02x%02x" % ((8 + 10 * (n - 232),) * 3)


def page(text):
    """HTML of a screen with its SGR sequences."""
    out, style = [], {}
    for part in re.split(r"(\x1b\[[0-9;]*m)", text):
        m = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if not m:
            css = ";".join(f"{k}:{v}" for k, v in style.items())
            out.append(f'<span style="{css}">{html.escape(part)}</span>')
            continue
        codes = [int(c or 0) for c in m[1].split(";")]
        while codes:
            c = codes.pop(0)
            if c == 0:
                style = {}
            elif c == 1:
                style["font-weight"] = "bold"
            elif c == 2:
                style["opacity"] = "0.65"
            elif c == 4:
                style["text-decoration"] = "underline"
            elif c == 22:
                style.pop("font-weight", None), style.pop("opacity", None)
            elif c in (38, 48):
                key = "color" if c == 38 else "background"
                if codes[0] == 5:
                    style[key] = xterm(codes[1])
                    del codes[:2]
                else:
                    style[key] = "rgb(%d,%d,%d)" % tuple(codes[1:4])
                    del codes[:4]
            elif c in (39, 49):
                style.pop("color" if c == 39 else "background", None)
            elif 30 <= c <= 37 or 90 <= c <= 97:
                style["color"] = (BASE if c < 40 else BRIGHT)[c % 10]
            elif 40 <= c <= 47:
                style["background"] = BASE[c % 10]
    return (f'<meta charset="utf-8"><body style="margin:0;background:#1d1f21;color:#c8ccd4"><pre style="margin:14px;'
            f"font:13px/17px 'DejaVu Sans Mono',monospace\">{''.join(out)}</pre>")


def main():
    program, out = map(pathlib.Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as work:
        tmux = lambda *a: subprocess.run(["tmux", "-L", "shot", *a], check=True, capture_output=True, text=True).stdout
        tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "-e", f"HOME={work}", "-e", "COLORTERM=truecolor",
             "-e", "TMUX=", str(program.resolve()))
        try:
            time.sleep(2)
            for line, wait in LINES:
                tmux("set-buffer", line)
                tmux("paste-buffer", "-p")
                time.sleep(0.3)
                tmux("send-keys", "Enter")
                time.sleep(wait)
            screen = tmux("capture-pane", "-p", "-e", "-N").rstrip("\n")
        finally:
            tmux("kill-server")
        file = pathlib.Path(work, "screen.html")
        file.write_text(page(screen), encoding="utf-8")
        subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                        "--disable-component-update", "--disable-sync", "--hide-scrollbars", f"--user-data-dir={work}/profile",
                        f"--window-size=980,{17 * (screen.count(chr(10)) + 1) + 30}", f"--screenshot={out.resolve()}", file.as_uri()],
                       check=True, capture_output=True)


if __name__ == "__main__":
    main()
