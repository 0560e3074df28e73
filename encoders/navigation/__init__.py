"""Where an animal is: a path through an arena, walked or recorded."""

from encoders.navigation.path import arena_path

__all__ = ["arena_path"]
