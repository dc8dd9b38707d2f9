"""The edge controller: one pure scan, and what connects it to the PLC, the journal and the world."""
