"""Programs for those who work on FinAgent: they write files that are then committed."""
