"""The live dashboard in Halo: its reports, its widgets and its figures."""
