"""What keeps everything moving: the sweep, the schedule, the registry of targets."""
