"""Interlocks: conditioned inputs, the proof of the atmosphere, one table of rules and the short evaluator that walks it."""
