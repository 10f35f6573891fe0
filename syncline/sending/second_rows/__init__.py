"""Second rows of ours in Halo: how they are told, and what is looked up for their sake."""
