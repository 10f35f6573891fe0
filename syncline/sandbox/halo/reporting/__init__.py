"""Reports, dashboards and custom tables in Halo."""
