"""Change data capture: what a shop's own database said of its products, users and orders."""
