"""What changed in Halo: hints and polling, read by id and compared with what we delivered."""
