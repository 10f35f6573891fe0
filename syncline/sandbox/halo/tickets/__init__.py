"""Tickets, their actions, and integration errors in Halo."""
