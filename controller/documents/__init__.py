"""Documents for people, each printed from the table behind it; ``controller.printing`` lists them."""
