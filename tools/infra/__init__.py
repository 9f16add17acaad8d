"""`make check-infra`: expands the Bicep as a deployment would, checks it against Microsoft's types and our policies."""
