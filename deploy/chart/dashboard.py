"""Examines the dashboard: what Grafana needs of its JSON, and that every query is PromQL.

Usage: dashboard.py DASHBOARD RENDERING

The ConfigMap of the rendering has to hold the same.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import yaml

WIDTH = 24
# Units of Grafana that the panels use.
UNITS = {"none", "s", "bytes", "reqps", "cps", "ops", "percentunit"}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def bad_query(query: str, variables: set[str]) -> str | None:
    """What is wrong with a query, once Grafana has filled it in."""
    for name in re.findall(r"\$(\w+)", query):
        if name not in variables | {"__rate_interval", "__range"}:
            return f"no variable `{name}`: {query}"
    try:
        promql_parser.parse(re.sub(r"\$__(rate_interval|range)", "5m", query))
    except ValueError as error:
        return f"{error}: {query}"
    return None


def overlaps(one: dict, other: dict) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def panel_problems(panel: dict, variables: set[str]) -> Iterator[str]:
    place = panel["gridPos"]
    if place["x"] + place["w"] > WIDTH:
        yield "it is wider than the dashboard"
    if panel["type"] == "row":
        return
    if panel["datasource"] != SOURCE:
        yield "it has a data source of its own"
    if not panel.get("description", "").endswith("."):
        yield "it does not say what it shows"
    if panel["fieldConfig"]["defaults"].get("unit") not in UNITS:
        yield "it has no unit that is known here"
    references = [target["refId"] for target in panel["targets"]]
    if not references or len(set(references)) != len(references):
        yield f"its queries are called {references}"
    for target in panel["targets"]:
        if target["datasource"] != SOURCE:
            yield "a query has a data source of its own"
        if problem := bad_query(target["expr"], variables):
            yield problem
        grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
        for name in re.findall(r"{{(\w+)}}", target["legendFormat"]):
            if name not in grouped:
                yield f"its legend names `{name}`, which the query does not keep"


def problems(dashboard: dict) -> Iterator[str]:
    for key in ("uid", "title", "schemaVersion", "refresh", "time"):
        if not dashboard.get(key):
            yield f"it has no `{key}`"
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    if variables["datasource"]["type"] != "datasource" or variables["datasource"]["query"] != "prometheus":
        yield "its data source cannot be chosen"
    panels = dashboard["panels"]
    for key in ("id", "title"):
        values = [panel[key] for panel in panels]
        yield from (f"the {key} `{value}` is there twice" for value in set(values) if values.count(value) > 1)
    for number, panel in enumerate(panels):
        yield from (f"{panel['title']}: {problem}" for problem in panel_problems(panel, set(variables)))
        for other in panels[number + 1 :]:
            if overlaps(panel["gridPos"], other["gridPos"]):
                yield f"{panel['title']} lies over {other['title']}"


def main(dashboard: str, rendering: str) -> int:
    written = json.loads(Path(dashboard).read_text(encoding="utf-8"))
    found = list(problems(written))
    manifests = [one for one in yaml.safe_load_all(Path(rendering).read_text(encoding="utf-8")) if one]
    held = [manifest["data"]["keyward.json"] for manifest in manifests if "keyward.json" in manifest.get("data", {})]
    if [json.loads(text) for text in held] != [written]:
        found.append(f"{rendering} does not hold it once")
    queries = sum(len(panel.get("targets", [])) for panel in written["panels"])
    print("\n".join(found) or f"the dashboard's {queries} queries are PromQL, and its panels are whole")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
