"""Control: from set points to outputs. Loops are pure: memory in, memory and result out."""
