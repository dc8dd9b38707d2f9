"""One append-only sequence of entries in one file: batch record, alarms, decisions, checkpoints, samples, commands and their outcome."""
