"""The store is serverless, searches vectors, and has the containers of `containers.json`."""

import json
from collections.abc import Iterator

from tools.infra.deployment import Expansion
from tools.infra.finding import Finding
from tools.infra.policy.view import at, of, the

ACCOUNT = "Microsoft.DocumentDB/databaseAccounts"
CAPABILITIES = {"EnableServerless", "EnableNoSQLVectorSearch"}


def containers(expansion: Expansion) -> Iterator[Finding]:
    """Give where the store is otherwise."""
    account = the(expansion, ACCOUNT)
    listed = at(account.body, "properties.capabilities")
    found = {str(at(each, "name")) for each in listed} if isinstance(listed, list) else set()
    if found != CAPABILITIES:
        yield Finding(account.place, f"capabilities should be {sorted(CAPABILITIES)}, not {sorted(found)}")
    if at(account.body, "properties.backupPolicy.type") != "Continuous":
        yield Finding(account.place, "the backup should be continuous, to restore any moment")
    made = [at(each.body, "properties.resource") for each in of(expansion, f"{ACCOUNT}/sqlDatabases/containers")]
    wanted = json.loads((expansion.root / "containers.json").read_text())
    if made != wanted:
        yield Finding(account.place, "the containers are not those of containers.json")
    for each in wanted:
        if "indexingPolicy" not in each:
            yield Finding("containers.json", f"{each['id']} would index everything, which each write pays for")
