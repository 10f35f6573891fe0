"""PostgreSQL and Redis from their wheels, for an installation on one machine."""
