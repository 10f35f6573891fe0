"""`syncline demo`, and the stage on which it and the benches run."""
