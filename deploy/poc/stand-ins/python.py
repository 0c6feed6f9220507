"""Lays out a root directory with this machine's Python, for a base image where none can be pulled; for the check only.

Usage: python.py ROOT WHEELS

It has `sh`, `python` and `pip` on the usual path, the libraries that these load, and below /wheels what pip is to install from.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

LEFT_OUT = shutil.ignore_patterns(
    "test", "tests", "idlelib", "tkinter", "ensurepip", "__pycache__", "site-packages", "dist-packages", "config-*",
    "lib2to3", "turtledemo", "*.a",
    # Debian's word that pip is not to touch what it installed.
    "EXTERNALLY-MANAGED",
)


def libraries(binary):
    """What the dynamic linker loads for a file, with the linker itself."""
    lines = subprocess.run(["ldd", binary], capture_output=True, text=True).stdout.splitlines()
    words = [word for line in lines for word in line.split() if word.startswith("/")]
    return {Path(word) for word in words}


def put(root, file, place=None):
    """Copies a file, whatever links led to it, to its place or another one."""
    to = root / str(place or file).lstrip("/")
    to.parent.mkdir(parents=True, exist_ok=True)
    if not to.exists():
        shutil.copy2(os.path.realpath(file), to)


def main():
    root, wheels = map(Path, sys.argv[1:])
    python = Path(os.path.realpath(sys.executable))
    standard = Path(sysconfig.get_path("stdlib"))
    shell = Path(os.path.realpath("/bin/sh"))
    for directory in ("tmp", "root", "etc", "usr/local/bin", "bin"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    shutil.copytree(standard, root / str(standard).lstrip("/"), ignore=LEFT_OUT, symlinks=False)
    shutil.copytree(wheels, root / "wheels")
    put(root, shell, "/bin/sh")
    put(root, python)
    needed = libraries(python) | libraries(shell)
    for extension in (standard / "lib-dynload").glob("*.so"):
        needed |= libraries(extension)
    # What wheels with compiled parts may count on wherever there is a glibc.
    for name in ("gcc_s", "rt", "dl", "pthread", "m", "util", "resolv"):
        needed |= set(Path("/").glob(f"lib/*/lib{name}.so.?"))
    for library in needed:
        put(root, library)
    for name in ("python", "python3"):
        (root / "usr/local/bin" / name).symlink_to(python)
    pip = root / "usr/local/bin/pip"
    [wheel] = wheels.glob("pip-*.whl")
    pip.write_text(f'#!/bin/sh\nexec python3 /wheels/{wheel.name}/pip "$@"\n')
    pip.chmod(0o755)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")


main()
