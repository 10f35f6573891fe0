"""Customers, sales orders and consignments in Halo."""
