"""Takes over what Halo holds already, before anything is created there."""
