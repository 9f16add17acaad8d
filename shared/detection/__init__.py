"""Detection: what is extraordinary in bars and news. A new detector is a module here and an entry in the catalogue."""
