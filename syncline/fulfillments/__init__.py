"""Consignments of Halo become fulfillments of HighLevel's orders, each exactly once."""
