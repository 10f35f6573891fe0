"""Invoices, payments and recurring invoices in Halo."""
