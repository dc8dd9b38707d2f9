"""The wire to the PLC: a driver per protocol, the contract, and the field that a scan reads and writes."""
