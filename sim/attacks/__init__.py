"""Attacks of the published kinds on the gateway's OPC UA server, while a batch runs; loopback only, bounded in number and time."""
