"""Tells people what is wrong: as tickets in Halo and through other channels."""
