"""What all commands share: output, prompts, options, and the installation they work with."""
