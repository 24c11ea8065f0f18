"""Grant types, one file each; ``app.wiring`` lists them."""
