"""Types of the standard models, pruned from the published nodesets; their licence stands at the head of each file."""
