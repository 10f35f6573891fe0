"""Claimed deliveries become rows in Halo: rendered, sent, confirmed, looked up."""
