"""What Halo's resources have in common: fields, lists, writes."""
