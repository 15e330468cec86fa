"""The program under test."""

import os
import pathlib
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
ARTEFACTS = pathlib.Path(__file__).resolve().parent / "artefacts"


def binary():
    """TRAFFICGPT_BIN, or a build of this checkout."""
    given = os.environ.get("TRAFFICGPT_BIN")
    if given:
        return str(pathlib.Path(given).resolve())
    ARTEFACTS.mkdir(exist_ok=True)
    built = ARTEFACTS / "trafficgpt"
    subprocess.run(["go", "build", "-o", str(built), "."], cwd=REPOSITORY, check=True)
    os.environ["TRAFFICGPT_BIN"] = str(built)
    return str(built)


def installed(prefix):
    """Installs the kernelspec under a folder and returns its JUPYTER_PATH."""
    subprocess.run([binary(), "install", "--prefix", str(prefix)], check=True, stdout=subprocess.DEVNULL)
    return pathlib.Path(prefix) / "share" / "jupyter"
