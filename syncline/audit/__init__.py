"""Seals the audit log into chains, anchors their heads outside, and verifies both."""
