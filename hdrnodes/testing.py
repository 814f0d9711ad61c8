"""Fixtures and a compliance kit for plugins."""
