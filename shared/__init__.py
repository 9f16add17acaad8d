"""The program: events, agents, maths, ports and what ties them together."""
