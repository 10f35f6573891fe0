"""How close to the limits of the APIs, and how often above."""
