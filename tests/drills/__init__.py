"""Drills: what goes wrong in the life of a server, brought about on purpose and at random.

Each is a function of chance, a folder and a number of rounds. `make test` plays a few rounds
(`test_*.py` here); `python -m benchmarks.drills NAME --rounds 300 --seed 1` plays hundreds and
keeps what came of them. docs/drills.md says what is drilled and what was found.
"""
