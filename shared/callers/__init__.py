"""Who calls: owners, what each may do, and the keys that they prove it with."""
