"""Option chains: what contracts on a share are offered at, from a vendor or made from the share's own closes."""
