"""Plays one set of bars through one backtester: `python -m tests.bench.backtester NAME DATA`."""

import sys
from importlib import import_module

from tests.bench.backtester.data import DATA

import_module(f"tests.bench.backtester.play_{sys.argv[1]}").main(DATA[sys.argv[2]]())
