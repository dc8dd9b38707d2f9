"""The proof test before a batch: what the contract with the PLC promises is shown, not believed."""

from controller.prooftest.model import Finding, ProofTest, ProofTestSettings, begin, cancelled, objection, spent
from controller.prooftest.run import Look, drive, result, step, withholds

__all__ = [
    "Finding",
    "Look",
    "ProofTest",
    "ProofTestSettings",
    "begin",
    "cancelled",
    "drive",
    "objection",
    "result",
    "spent",
    "step",
    "withholds",
]
