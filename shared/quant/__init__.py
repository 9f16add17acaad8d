"""Maths: indicators, risk, sentiment. Numbers in, numbers out; no I/O, no clock, no default that hides a NaN."""
