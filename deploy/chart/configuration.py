"""Writes what the ConfigMaps of a rendering hold as the files that a pod would see.

Usage: configuration.py RENDERING DIRECTORY

`/etc/keyward` is DIRECTORY, also where files name each other, so that Keyward can be asked about them.
"""

import sys
from pathlib import Path

import yaml


def main(rendering: str, directory: str) -> None:
    for manifest in yaml.safe_load_all(Path(rendering).read_text(encoding="utf-8")):
        if not manifest or manifest["kind"] != "ConfigMap":
            continue
        place = Path(directory) / manifest["metadata"]["name"].rsplit("-", 1)[1]
        place.mkdir(parents=True, exist_ok=True)
        for name, text in manifest["data"].items():
            (place / name).write_text(text.replace("/etc/keyward/", f"{directory}/"), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
