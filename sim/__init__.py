"""The simulated oven: plant, soft PLC, its Modbus server, faults to rehearse and the judge of unsafe states."""
