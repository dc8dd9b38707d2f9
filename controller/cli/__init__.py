"""What stands behind ``ovenctl``: one file per thing that people work on. Slow imports are made by the command that needs them."""
