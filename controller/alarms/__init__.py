"""Alarms after ISA-18.2: what is shown to people of the interlock rows. Nothing here touches what a row does, only how it is announced."""
