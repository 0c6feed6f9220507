"""Shows that the policies allow what they should, and no more than the founding document's policy.

Usage: policies.py DOCUMENT_DIRECTORY GOLDEN_DIRECTORY
"""

import json
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

HERE = Path(__file__).parent
# The rules and the secrets that the document names.
NEEDED = [
    ("s3:GetObject", "arn:aws:s3:::your-company-oathkeeper-rules/rules.yaml"),
    *(
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:us-east-1:123456789012:secret:oathkeeper/{name}-AbCdEf")
        for name in ("jira-basic-auth", "okta-api-token", "datadog-api-key")
    ),
]


def listed(value: object) -> list:
    return value if isinstance(value, list) else [value]


def policy(name: str) -> dict:
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def pairs(of: dict) -> Iterator[tuple[str, str]]:
    for statement in of["Statement"]:
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                yield action, resource


def allows(of: dict, action: str, resource: str) -> bool:
    return any(fnmatchcase(action, allowed) and fnmatchcase(resource, pattern) for allowed, pattern in pairs(of))


def problems(document: Path, golden: Path) -> Iterator[str]:
    text = (document / "iam-policy.sh.txt").read_text(encoding="utf-8")
    written = json.loads(re.search(r"--policy-document '(.*?)'", text, re.DOTALL)[1])
    own = policy("policy.json")
    yield from (f"policy.json: {pair} is more than the document allows" for pair in pairs(own) if not allows(written, *pair))
    yield from (f"policy.json: {pair} is needed, and not allowed" for pair in NEEDED if not allows(own, *pair))
    rendered = list(yaml.safe_load_all((golden / "aws.yaml").read_text(encoding="utf-8")))
    (account,) = (manifest for manifest in rendered if manifest["kind"] == "ServiceAccount")
    metadata = account["metadata"]
    (trust,) = policy("trust-policy.json")["Statement"]
    ((condition, claims),) = trust["Condition"].items()
    provider = trust["Principal"]["Federated"].split(":oidc-provider/")[1]
    subject = f"system:serviceaccount:{metadata['namespace']}:{metadata['name']}"
    if condition != "StringEquals" or claims != {f"{provider}:aud": "sts.amazonaws.com", f"{provider}:sub": subject}:
        yield f"trust-policy.json: {trust['Condition']} is not this account alone"
    role = metadata["annotations"]["eks.amazonaws.com/role-arn"]
    guard = policy("bucket-policy.json")["Statement"]
    if any(statement["Effect"] != "Deny" for statement in guard):
        yield "bucket-policy.json allows something"
    if role not in guard[0]["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]:
        yield f"bucket-policy.json: {role} may not read"


def main(document: str, golden: str) -> int:
    found = list(problems(Path(document), Path(golden)))
    print("\n".join(found) or "the policies allow what is needed, and no more than the document's")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
