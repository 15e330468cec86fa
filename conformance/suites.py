"""Runs the suites and counts. Called by run."""

import os
import pathlib
import shutil
import sys
import tempfile
import time
import unittest

import program

MODULES = {"protocol": "test_protocol", "clients": "test_clients", "notebooks": "test_notebooks", "repl": "test_repl", "lab": "test_lab",
           "figures": "test_figures", "debugger": "test_debugger", "judge": "test_judge"}


def main(names):
    unknown = [n for n in names if n not in MODULES]
    if unknown:
        print(f"run: no suite is called {unknown[0]} ({' '.join(MODULES)})", file=sys.stderr)
        return 2
    began = time.time()
    os.environ["TRAFFICGPT_BIN"] = program.binary()
    home = pathlib.Path(tempfile.mkdtemp(prefix="conformance-"))
    # Nothing of the user's Jupyter is seen, and nothing of it changed.
    for variable, folder in {"JUPYTER_DATA_DIR": "data", "JUPYTER_CONFIG_DIR": "config",
                             "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython"}.items():
        (home / folder).mkdir(mode=0o700)
        os.environ[variable] = str(home / folder)
    os.environ["JUPYTER_PATH"] = str(program.installed(home / "prefix"))
    counts, failed = [], 0
    try:
        for name in names or MODULES:
            print(f"== {name}", flush=True)
            start = time.time()
            suite = unittest.defaultTestLoader.loadTestsFromName(MODULES[name])
            result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
            bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
            failed += bad
            counts.append(f"{name:10} {max(0, result.testsRun - bad - len(result.skipped)):3} passed {bad:3} failed "
                          f"{len(result.skipped):3} skipped  {time.time() - start:6.1f} s")
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print("\n" + "\n".join(counts))
    print(f"{'all':10} {'FAILED' if failed else 'passed'} in {time.time() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
