"""Recipes: the file format, its checks, the unit's states and the phases that run."""
