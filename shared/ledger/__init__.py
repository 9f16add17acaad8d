"""Port to the ledger: what each execution took, in time and in what is billed."""
