"""What others see of the oven: OPC UA and MQTT. Readers of the journal, never in the way of the core."""
