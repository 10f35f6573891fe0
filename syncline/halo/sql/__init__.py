"""Reading many rows of Halo at once: by SQL through reports, else by its lists."""
