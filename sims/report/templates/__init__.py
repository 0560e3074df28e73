"""The page and its style, as data that travel with the package."""
