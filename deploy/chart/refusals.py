"""Shows that the chart refuses wrong values, that each refusal names the key, and that values.yaml explains all that are taken.

Usage: refusals.py HELM KUBERNETES_VERSION CHART REFUSED
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml


def refusal(helm: list[str], values: dict) -> str | None:
    """What Helm says of these values; None when it takes them."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        rendered = subprocess.run([*helm, "--values", file.name], capture_output=True, text=True, check=False)
    return rendered.stderr if rendered.returncode else None


def unexplained(schema: dict, values: dict, path: str = "") -> Iterator[str]:
    """Keys that the schema knows and that values.yaml does not have. `global` is Helm's own."""
    for key, below in schema.get("properties", {}).items():
        if key not in values and key != "global":
            yield f"{path}{key}"
        elif isinstance(values.get(key), dict):
            yield from unexplained(below, values[key], f"{path}{key}.")


def main(helm: str, kubernetes_version: str, chart: str, refused: str) -> int:
    command = [helm, "template", "oathkeeper", chart, "--namespace", "oathkeeper", "--kube-version", kubernetes_version]
    with open(refused, encoding="utf-8") as file:
        rows = yaml.safe_load(file)
    wrong = 0
    for row in rows:
        said = refusal(command, row["values"])
        if said is None:
            print(f"{refused}: {row['name']}: taken, and should be refused")
            wrong += 1
            continue
        if row["refusal"] not in said:
            print(f"{refused}: {row['name']}: the refusal does not say `{row['refusal']}`:\n{said}")
            wrong += 1
    schema = json.loads((Path(chart) / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((Path(chart) / "values.yaml").read_text(encoding="utf-8"))
    missing = list(unexplained(schema, values))
    if missing:
        print(f"values.yaml has nothing on {missing}")
        return 1
    print(f"{len(rows) - wrong} of {len(rows)} wrong values are refused with the key's name")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
