"""What a tenant is asked for beside the rows that are sent: rows by id, sites, currencies."""
