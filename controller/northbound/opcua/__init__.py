"""The OPC UA server of the gateway: reads the journal, asks through the mailbox, never touches the core. Closed by default."""
