"""Exhaustive exploration of the unit: every command, cause and outage in every state that the real scan can reach."""
