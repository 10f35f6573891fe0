"""One Halo tenant: what it holds, how it is set up, who may call it."""
