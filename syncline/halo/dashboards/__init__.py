"""Reports, dashboards and custom tables that are kept in Halo."""
