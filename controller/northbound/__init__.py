"""What others see of the oven: OPC UA, MQTT, the operator's page. Readers of the journal, never in the way of the core."""
