"""The rules after ranking: their file, its expressions, and what they come to on one bundle."""
