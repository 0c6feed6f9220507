"""Examines rendered manifests.

Usage: manifests.py GOLDEN_DIRECTORY DOCUMENT_DIRECTORY

Every manifest has to be valid for the oldest and the newest version of Kubernetes whose schemas there are, has to find what it
selects and names, and has to hold what the founding document's manifests say. Alerts have to be PromQL, and to name their runbook;
crates/cli/tests/observability shows that there is what they ask for.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import promql_parser
import yaml

# The oldest is that of Chart.yaml.
VERSIONS = ("1.30", "1.37")
# Kinds of operators, whose schemas Kubernetes does not publish.
CUSTOM = {"ServiceMonitor", "PrometheusRule", "ExternalSecret"}
# Which rendering holds what a manifest of the document says.
DOCUMENT = {
    "external-secret.yaml": "aws",
    "nlb-service.yaml": "aws",
    "service-monitor.yaml": "monitoring",
    "network-policy.yaml": "network-policies",
}


def documents(path: Path) -> list[dict]:
    return [found for found in yaml.safe_load_all(path.read_text(encoding="utf-8")) if found]


def identity(manifest: dict) -> tuple[str, str, str]:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def of_kind(manifests: list[dict], kind: str) -> list[dict]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def holds(rendered: object, wanted: object) -> bool:
    """Whether everything that is wanted is there; more may be."""
    if isinstance(wanted, dict):
        return isinstance(rendered, dict) and all(key in rendered and holds(rendered[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(rendered, list) and all(any(holds(item, one) for item in rendered) for one in wanted)
    return rendered == wanted


def invalid(manifest: dict) -> Iterator[str]:
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message}"


def dangling(manifests: list[dict]) -> Iterator[str]:
    """What selects or names something that is not rendered with it."""
    (deployment,) = of_kind(manifests, "Deployment")
    pod = deployment["spec"]["template"]
    labels, spec = pod["metadata"]["labels"], pod["spec"]
    (container,) = spec["containers"]
    ports = {key for port in container["ports"] for key in (port["name"], port["containerPort"])}
    services = of_kind(manifests, "Service")
    for manifest in manifests:
        body = manifest.get("spec", {})
        match manifest["kind"]:
            case "Service":
                if not holds(labels, body["selector"]):
                    yield f"{identity(manifest)} does not select the pods"
                yield from (f"{identity(manifest)}: no port `{port['targetPort']}`" for port in body["ports"] if port["targetPort"] not in ports)
            case "Deployment" | "PodDisruptionBudget":
                if not holds(labels, body["selector"]["matchLabels"]):
                    yield f"{identity(manifest)} does not select the pods"
            case "NetworkPolicy" if manifest["metadata"]["namespace"] == deployment["metadata"]["namespace"]:
                if not holds(labels, body["podSelector"]["matchLabels"]):
                    yield f"{identity(manifest)} does not select the pods"
            case "HorizontalPodAutoscaler" if body["scaleTargetRef"]["name"] != deployment["metadata"]["name"]:
                yield f"{identity(manifest)} does not scale the Deployment"
            case "ServiceMonitor":
                yield from unmonitored(manifest, services)
    # The dashboard's is for Grafana.
    maps = {manifest["metadata"]["name"] for manifest in of_kind(manifests, "ConfigMap") if "keyward.json" not in manifest["data"]}
    mounted = {volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume}
    if maps != mounted:
        yield f"ConfigMaps {maps}, and mounted are {mounted}"
    probes = [container[name]["httpGet"]["port"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    yield from (f"a probe of the port `{port}`, which is not there" for port in probes if port not in ports)


def unmonitored(monitor: dict, services: list[dict]) -> Iterator[str]:
    wanted = monitor["spec"]
    for endpoint in wanted["endpoints"]:
        found = [
            service
            for service in services
            if holds(service["metadata"]["labels"], wanted["selector"]["matchLabels"])
            and service["metadata"]["namespace"] in wanted["namespaceSelector"]["matchNames"]
            and endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
        ]
        if len(found) != 1:
            yield f"{identity(monitor)}: {len(found)} Services with the port `{endpoint['port']}`"


def bad_alerts(manifest: dict) -> Iterator[str]:
    for group in manifest["spec"]["groups"]:
        for rule in group["rules"]:
            try:
                promql_parser.parse(rule["expr"])
            except ValueError as error:
                yield f"{rule['alert']}: {error}"
            if not rule["annotations"]["runbook_url"].endswith(f"/operations.md#{rule['alert'].lower()}"):
                yield f"{rule['alert']} does not name its runbook"


def unlike_the_document(cases: dict[str, list[dict]], directory: Path) -> Iterator[str]:
    rendered = {identity(manifest): manifest for manifest in cases["document"]}
    (deployment,) = of_kind(cases["document"], "Deployment")
    pod = deployment["spec"]["template"]
    values = yaml.safe_load((directory / "values.yaml").read_text(encoding="utf-8"))
    written = yaml.safe_load(rendered["ConfigMap", "oathkeeper", "oathkeeper-config"]["data"]["oathkeeper.yaml"])
    added = written["serve"]["proxy"].pop("authorities")
    if written != values["oathkeeper"]["config"]:
        yield "the configuration is not what the document's values say"
    if added != [f"oathkeeper-proxy{rest}:4455" for rest in ("", ".oathkeeper", ".oathkeeper.svc", ".oathkeeper.svc.cluster.local")]:
        yield f"names of callers: {added}"
    for name, case in DOCUMENT.items():
        (wanted,) = documents(directory / name)
        own = [manifest for manifest in cases[case] if identity(manifest) == identity(wanted)]
        if len(own) != 1 or not holds(own[0], wanted):
            yield f"{name}: the rendering of `{case}` does not hold it"
        # Its own manifests, applied beside a release with its own values.
        match wanted["kind"]:
            case "Service":
                if not holds(pod["metadata"]["labels"], wanted["spec"]["selector"]):
                    yield f"{name} does not select the pods"
                ports = [port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]]
                if wanted["spec"]["ports"][0]["targetPort"] not in ports:
                    yield f"{name}: no such port"
            case "ServiceMonitor":
                yield from unmonitored(wanted, of_kind(cases["document"], "Service"))
            case "ExternalSecret":
                sources = pod["spec"]["containers"][0]["envFrom"]
                if {"secretRef": {"name": wanted["spec"]["target"]["name"]}} not in sources:
                    yield f"{name}: the pods do not use its secret"


def main(golden: str, document: str) -> int:
    cases = {path.stem: documents(path) for path in sorted(Path(golden).glob("*.yaml"))}
    problems, validated, custom = [], 0, set()
    for case, manifests in cases.items():
        names = [identity(manifest) for manifest in manifests]
        problems += [f"{case}: {name} is there twice" for name in set(names) if names.count(name) > 1]
        for manifest in manifests:
            if manifest["kind"] in CUSTOM:
                custom.add(manifest["kind"])
            else:
                validated += 1
                problems += [f"{case}: {identity(manifest)}: {problem}" for problem in invalid(manifest)]
            if manifest["kind"] == "PrometheusRule":
                problems += [f"{case}: {problem}" for problem in bad_alerts(manifest)]
        problems += [f"{case}: {problem}" for problem in dangling(manifests)]
    problems += unlike_the_document(cases, Path(document))
    print("\n".join(problems) or f"{validated} manifests are valid for Kubernetes {' and '.join(VERSIONS)}")
    print(f"not validated, since Kubernetes publishes no schema: {', '.join(sorted(custom))}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
