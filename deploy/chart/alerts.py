"""Fires each alert of a rendering, and shows that what comes close does not, with `promtool test rules`.

Usage: alerts.py PROMTOOL RENDERING CASES
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

# A pod of the release that is rendered, and one of another.
OWN = 'namespace="oathkeeper",service="oathkeeper-api",pod="oathkeeper-1"'
OTHER = 'namespace="elsewhere",service="oathkeeper-api",pod="oathkeeper-1"'


def rules_of(rendering: Path) -> list[dict]:
    """The groups of the PrometheusRule."""
    manifests = [found for found in yaml.safe_load_all(rendering.read_text(encoding="utf-8")) if found]
    (rule,) = [manifest for manifest in manifests if manifest["kind"] == "PrometheusRule"]
    return rule["spec"]["groups"]


def expected(rule: dict, labels: dict) -> dict:
    """The alert as Prometheus sends it: annotations are templates over its labels."""
    filled = lambda text: re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], text)  # noqa: E731
    return {
        "exp_labels": {**labels, **rule["labels"]},
        "exp_annotations": {key: filled(text) for key, text in rule["annotations"].items()},
    }


def test(name: str, case: dict, pod: str, series: dict, alerts: list[dict]) -> dict:
    return {
        "name": f"{case['alert']}: {name}",
        "interval": "1m",
        "input_series": [{"series": key.replace("SERIES", pod), "values": values} for key, values in series.items()],
        "alert_rule_test": [{"eval_time": case["at"], "alertname": case["alert"], "exp_alerts": alerts}],
    }


def tests(cases: list[dict], rules: dict[str, dict]) -> list[dict]:
    found = []
    for case in cases:
        rule, fires = rules[case["alert"]], case["fires"]
        alert = expected(rule, fires.get("labels", {}))
        found.append(test("fires", case, OWN, fires["series"], [alert]))
        found.append(test("comes close", case, OWN, case["silent"], []))
        # Only one that fires when there is nothing may fire for another release's pods.
        found.append(test("of another release", case, OTHER, fires["series"], [alert] if "absent(" in rule["expr"] else []))
    return found


def main(promtool: str, rendering: str, cases: str) -> int:
    groups = rules_of(Path(rendering))
    rules = {rule["alert"]: rule for group in groups for rule in group["rules"]}
    written = yaml.safe_load(Path(cases).read_text(encoding="utf-8"))
    named = [case["alert"] for case in written]
    if sorted(named) != sorted(rules):
        print(f"{cases}: not one case for each alert: {sorted(set(rules) ^ set(named)) or named}")
        return 1
    with tempfile.TemporaryDirectory() as directory:
        of_alerts, of_tests = Path(directory, "alerts.yaml"), Path(directory, "tests.yaml")
        of_alerts.write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
        made = tests(written, rules)
        of_tests.write_text(yaml.safe_dump({"rule_files": [of_alerts.name], "tests": made}), encoding="utf-8")
        for command in (["check", "rules", of_alerts.name], ["test", "rules", of_tests.name]):
            done = subprocess.run([promtool, *command], cwd=directory, capture_output=True, text=True, check=False)
            if done.returncode:
                print(done.stdout, done.stderr)
                return 1
    print(f"{len(rules)} alerts fire when they should, and only then: {len(made)} tests")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
