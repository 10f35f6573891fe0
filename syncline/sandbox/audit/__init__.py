"""The sandbox's verdict: what of HighLevel's data Halo lacks, has twice or has wrong."""
