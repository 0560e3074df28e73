"""Lava: Loihi's arithmetic, emulated here or run by lava-nc."""
