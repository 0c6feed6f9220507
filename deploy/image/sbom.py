"""Prints what is in a binary of Keyward, in CycloneDX 1.6: every crate that is linked into it or that expands its macros, with
licence and checksum, who depends on whom, and the C library. The same sources give the same text.

Usage: sbom.py TRIPLE DATE BINARY

Crates and features are what cargo says for that target. Before it is printed, the text is held against the published schema,
against `cargo tree`, and against the binary, where panics name sources: a crate that is there and not in here is a failure.
"""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
import uuid
from importlib.metadata import version as version_of

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

PACKAGE = "keyward-cli"


def said(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def crates_of_tree(triple):
    """Names and versions of the crates that a build of the binary alone links, as cargo resolves features for it."""
    lines = said("cargo", "tree", "--locked", "-p", PACKAGE, "--target", triple, "-e", "normal", "--prefix", "none",
                 "-f", "{p}").splitlines()
    return {(line.split()[0], line.split()[1].removeprefix("v")) for line in lines if line.strip()}


def crates_of_binary(content):
    """Names with versions, as directories of the registry are called, of crates whose sources the binary names."""
    return {match.decode() for match in re.findall(rb"/registry/src/[^/]+/([A-Za-z0-9_.+-]+)/", content)}


def purl(name, version):
    return f"pkg:cargo/{name}@{version.replace('+', '%2B')}"


def component(package, checksums):
    name, version = package["name"], package["version"]
    it = {
        "type": "library",
        "bom-ref": purl(name, version),
        "name": name,
        "version": version,
        "scope": "required",
    }
    checksum = checksums.get((name, version))
    if checksum:
        it["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["license"]:
        # An older way to write `OR`.
        it["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    it["purl"] = purl(name, version)
    if package["repository"]:
        it["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return it


def bill(triple, date, binary):
    metadata = json.loads(said("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", triple))
    with open("Cargo.lock", "rb") as file:
        locked = tomllib.load(file)["package"]
    checksums = {(it["name"], it["version"]): it.get("checksum") for it in locked}
    packages = {it["id"]: it for it in metadata["packages"]}
    linked = crates_of_tree(triple)
    is_linked = lambda key: (packages[key]["name"], packages[key]["version"]) in linked
    reference = lambda key: purl(packages[key]["name"], packages[key]["version"])
    depends = {
        node["id"]: sorted(
            reference(to["pkg"]) for to in node["deps"]
            if is_linked(to["pkg"]) and any(kind["kind"] is None for kind in to["dep_kinds"])
        )
        for node in metadata["resolve"]["nodes"] if is_linked(node["id"])
    }
    [own] = [it for it in packages.values() if it["name"] == PACKAGE]
    crates = sorted((packages[key] for key in depends if key != own["id"]), key=lambda it: (it["name"], it["version"]))
    zig = version_of("ziglang")
    # The C library that is linked in is the one that comes with Zig.
    musl = {"type": "library", "bom-ref": f"musl-of-zig-{zig}", "name": "musl",
            "description": f"the C library that Zig {zig} brings", "licenses": [{"license": {"id": "MIT"}}]}
    digest = hashlib.sha256(binary).hexdigest()
    rustc = said("rustc", "--version").split()[1]
    text = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # Of the binary's name and digest, so that the same binary has the same number.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'keyward/{triple}/{digest}')}",
        "version": 1,
        "metadata": {
            **({} if date == "undefined" else {"timestamp": date}),
            "component": {
                "type": "application",
                "bom-ref": reference(own["id"]),
                "name": "keyward",
                "version": own["version"],
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "licenses": [{"expression": own["license"]}],
                "purl": reference(own["id"]),
                "externalReferences": [{"type": "vcs", "url": own["repository"]}],
            },
            "properties": [
                {"name": "keyward:target", "value": triple},
                {"name": "keyward:rustc", "value": rustc},
                {"name": "keyward:zig", "value": zig},
            ],
        },
        "components": [component(it, checksums) for it in crates] + [musl],
        "dependencies": sorted(
            [{"ref": reference(key), "dependsOn": to + ([musl["bom-ref"]] if key == own["id"] else [])}
             for key, to in depends.items()] + [{"ref": musl["bom-ref"], "dependsOn": []}],
            key=lambda it: it["ref"],
        ),
    }
    return text, linked


def main():
    triple, date, path = sys.argv[1:]
    with open(path, "rb") as file:
        binary = file.read()
    text, linked = bill(triple, date, binary)
    own = text["metadata"]["component"]
    listed = {(it["name"], it.get("version")) for it in text["components"]} | {(PACKAGE, own["version"])}
    if missing := linked - listed:
        sys.exit(f"sbom.py: not in the list: {sorted(missing)}")
    named = crates_of_binary(binary)
    if not named:
        sys.exit(f"sbom.py: {path} names no crate: it is no binary of Keyward")
    if missing := named - {f"{name}-{version}" for name, version in listed}:
        sys.exit(f"sbom.py: in the binary and not in the list: {sorted(missing)}")
    refs = {it["bom-ref"] for it in text["components"]} | {own["bom-ref"]}
    if dangling := {to for it in text["dependencies"] for to in it["dependsOn"]} - refs:
        sys.exit(f"sbom.py: depended on and not in the list: {sorted(dangling)}")
    unlicensed = [it["name"] for it in text["components"] if "licenses" not in it]
    if unlicensed:
        sys.exit(f"sbom.py: without a licence: {unlicensed}")
    printed = json.dumps(text, indent=1, ensure_ascii=False)
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(printed):
        sys.exit(f"sbom.py: not CycloneDX: {problem}")
    print(printed)


main()
