"""The SQL of reports: T-SQL over the tenant, run by SQLite."""
